"""Learning rates that rise, or stay, before they fall; see `schuss.schedules`."""

from __future__ import annotations

from ._checks import check_count, check_number
from ._schuss import Schedule


def cosine_restarts(
    lr: float,
    period: int,
    stretch: float = 1.0,
    final: float = 0.0,
    peak_factor: float = 1.0,
    *,
    warmup_steps: int = 0,
    warmup_start: float = 0.0,
) -> Schedule:
    """Make a learning rate that falls along half a cosine again and again.

    ``final + (lr - final) * peak_factor ** n * (1 + cos(pi * t / length)) / 2``, t steps after the start of
    cycle n, counted from 0, whose length is ``period * stretch ** n`` steps.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    period : int
        Steps of the first cycle, at least 1.
    stretch : float, default 1
        How many times longer each cycle is than the one before, at least 1.
    final : float, default 0
        What each cycle falls to.
    peak_factor : float, default 1
        What the height of each cycle over `final` is multiplied by for the next, from 0 to 1.
    warmup_steps, warmup_start : int, float, default 0, 0.0
        A straight line before it, from `warmup_start` at step 0 to `lr` at step `warmup_steps`.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite, `period` or `stretch` below 1, or `peak_factor`
        above 1.

    References
    ----------
    Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts (2017), arXiv:1608.03983.
    """
    schedule = Schedule("cosine_restarts", lr, period, stretch, final, peak_factor)
    return Schedule("warmup", schedule, warmup_steps, warmup_start)


def one_cycle(
    lr: float,
    total_steps: int | None = None,
    rise: float = 0.3,
    start: float | None = None,
    final: float | None = None,
) -> Schedule:
    """Make a learning rate that rises once and falls once, both along half a cosine.

    Up to step ``top = rise * total_steps`` it is ``start + (lr - start) * (1 - cos(pi * step / top)) / 2``,
    then ``final + (lr - final) * (1 + cos(pi * (step - top) / (total_steps - top))) / 2``, then `final`.

    Parameters
    ----------
    lr : float
        The largest learning rate, reached at step `top`.
    total_steps : int, optional
        The step at which `final` is reached. None for the end of the training.
    rise : float, default 0.3
        The share of the steps that it rises in, between 0 and 1.
    start : float, optional
        Where it starts; by default ``lr / 25``.
    final : float, optional
        Where it ends; by default ``start / 10_000``.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite, `total_steps` below 1, or `rise` not in (0, 1).

    References
    ----------
    Smith and Topin, Super-convergence: very fast training of neural networks using large learning rates
    (2018), arXiv:1708.07120; cosines and defaults are those of PyTorch's `OneCycleLR`.
    """
    start = check_number("lr", lr) / 25 if start is None else check_number("start", start)
    return Schedule("one_cycle", lr, total_steps, rise, start, start / 1e4 if final is None else final)


def cyclic(
    lr: float,
    low: float,
    rise_steps: float,
    fall_steps: float | None = None,
    factor: float = 1.0,
    rate: float = 1.0,
) -> Schedule:
    """Make a learning rate that rises and falls in straight lines for ever.

    ``low + (lr - low) * height * factor ** n * rate ** step`` in cycle n, counted from 0. Its height is
    ``t / rise_steps`` in the first `rise_steps` of its steps t, then ``1 - (t - rise_steps) / fall_steps``.

    Parameters
    ----------
    lr : float
        The learning rate at the top of the first cycle; the largest one where `factor` is at most 1.
    low : float
        The smallest, where it starts, at most `lr`.
    rise_steps : float
        Steps from `low` to the top, above 0.
    fall_steps : float, optional
        Steps back, above 0; by default as many.
    factor : float, default 1
        What each cycle's height over `low` is multiplied by for the next; 0.5 is "triangular2".
    rate : float, default 1
        What each step multiplies the height by, in (0, 1]; less than 1 is "exp_range".

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite, `low` above `lr`, `rise_steps` or `fall_steps` 0,
        or `rate` not in (0, 1].

    References
    ----------
    Smith, Cyclical learning rates for training neural networks (2017), arXiv:1506.01186; the names of the
    modes are PyTorch's `CyclicLR`'s.
    """
    schedule = Schedule(
        "cyclic", lr, low, rise_steps, rise_steps if fall_steps is None else fall_steps, factor, rate
    )
    least, most = float(low), float(lr)
    if least > most:
        raise ValueError(
            f"low must be at most lr, the largest learning rate, which is {most:g}, got {least:g}"
        )
    return schedule


def coslog(lr: float, total_steps: int | None = None, cycles: int = 4) -> Schedule:
    """Make a learning rate that rises from 0 and falls back in cycles, each twice as long as the one before.

    ``lr * (1 - cos(2 * pi * log2(1 + (2 ** cycles - 1) * step / total_steps))) / 2``, then 0.

    Parameters
    ----------
    lr : float
        The largest learning rate, reached once in each cycle.
    total_steps : int, optional
        The step at which the last cycle ends. None for the end of the training.
    cycles : int, default 4
        Their number, from 1 to 50.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If `lr` or `total_steps` is no number, `lr` negative or not finite, `total_steps` below 1, or `cycles`
        no integer from 1 to 50.

    References
    ----------
    Holzmueller, Grinsztajn and Steinwart, Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data (2024), arXiv:2407.04491.

    Examples
    --------
    >>> schedule = coslog(0.1, total_steps=15)
    >>> [step for step in range(16) if schedule(step) < 1e-9]
    [0, 1, 3, 7, 15]
    """
    # A part of a cycle more would end amid its rise, and the rate would stay there.
    return Schedule("coslog", lr, total_steps, check_count("cycles", cycles, most=50))


def coslog4(lr: float, total_steps: int | None = None) -> Schedule:
    """Make a learning rate of four cycles, each twice as long as the one before: `coslog` as RealMLP has it.

    Parameters
    ----------
    lr : float
        The largest learning rate.
    total_steps : int, optional
        The step at which the last cycle ends. None for the end of the training.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, `lr` negative or not finite, or `total_steps` below 1.
    """
    return coslog(lr, total_steps, 4)


def flat_cos(
    lr: float,
    total_steps: int | None = None,
    flat: float = 0.5,
    final: float = 0.0,
    *,
    warmup_steps: int = 0,
    warmup_start: float = 0.0,
) -> Schedule:
    """Make a learning rate that stays for a while, then falls along half a cosine.

    `lr` for a share `flat` of the steps, then ``final + (lr - final) * (1 + cos(pi * (step / total_steps -
    flat) / (1 - flat))) / 2``, then `final`.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    total_steps : int, optional
        The step at which `final` is reached, counted with the warm-up. None for the end of the training.
    flat : float, default 0.5
        The share of the steps in which it stays, at least 0 and less than 1.
    final : float, default 0
        The learning rate at the end, and from there on.
    warmup_steps, warmup_start : int, float, default 0, 0.0
        A straight line before it, from `warmup_start` at step 0 to `lr` at step `warmup_steps`.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite, `flat` not below 1, or what `warmup_steps` leaves
        of `total_steps` below 1.

    References
    ----------
    Howard and Gugger, fastai: a layered API for deep learning (2020); with half of the steps flat, what
    RealMLP's dropout and weight decay follow (Holzmueller, Grinsztajn and Steinwart 2024, arXiv:2407.04491).

    Examples
    --------
    >>> schedule = flat_cos(0.1, total_steps=100)
    >>> schedule(0), schedule(50), schedule(75), schedule(100)
    (0.1, 0.1, 0.05, 0.0)
    """
    steps = steps_after(total_steps, warmup_steps)
    return Schedule("warmup", Schedule("flat_cos", lr, steps, flat, final), warmup_steps, warmup_start)


def steps_after(total_steps: int | None, warmup_steps: int) -> float | None:
    """Steps of what follows a warm-up; None where nobody has said how many there are."""
    warm = check_number("warmup_steps", warmup_steps, least=0)
    if total_steps is None:
        return None
    if not (total := check_number("total_steps", total_steps)) > warm:
        raise ValueError(f"total_steps must be more than warmup_steps ({warmup_steps}), got {total_steps}")
    return total - warm

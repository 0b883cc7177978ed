"""Learning rates as functions of the step.

Each function makes a `Schedule`: give it to an optimizer as `lr`, call it with a step or an array of steps,
plot it. Steps are counted from 0: ``schedule(0)`` is the learning rate of the first update. Nothing is
remembered between calls, so a run that is resumed at step 1000 continues with ``schedule(1000)``.

Every function takes `warmup_steps` and `warmup_start`: the learning rate then rises in a straight line from
`warmup_start` at step 0 to where the schedule begins, at step `warmup_steps`. The schedule's own steps count
from there, but `total_steps` includes the warm-up.

Any other callable of the step will do as `lr`, too.
"""

from __future__ import annotations

from ._schuss import Schedule

__all__ = ["Schedule", "constant", "cosine", "exponential", "inverse_time", "linear", "step", "warmup"]


def constant(lr: float, *, warmup_steps: int = 0, warmup_start: float = 0.0) -> Schedule:
    """Make a learning rate that stays: ``lr``.

    Parameters
    ----------
    lr : float
        The learning rate.
    warmup_steps, warmup_start : int, float
        See the module.

    Returns
    -------
    Schedule
        A function of the step.
    """
    return _after_warmup(Schedule("constant", lr), warmup_steps, warmup_start)


def step(
    lr: float, step_size: int, factor: float = 0.1, *, warmup_steps: int = 0, warmup_start: float = 0.0
) -> Schedule:
    """Make a learning rate that falls in stairs: ``lr * factor ** (step // step_size)``.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    step_size : int
        Steps between two falls.
    factor : float, default 0.1
        What each fall multiplies by.
    warmup_steps, warmup_start : int, float
        See the module.

    Returns
    -------
    Schedule
        A function of the step.
    """
    return _after_warmup(Schedule("step", lr, step_size, factor), warmup_steps, warmup_start)


def exponential(
    lr: float, rate: float, decay_steps: float = 1, *, warmup_steps: int = 0, warmup_start: float = 0.0
) -> Schedule:
    """Make a learning rate that falls by equal shares in equal times: ``lr * rate ** (step / decay_steps)``.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    rate : float
        What `decay_steps` steps multiply by, in (0, 1].
    decay_steps : float, default 1
        Steps.
    warmup_steps, warmup_start : int, float
        See the module.

    Returns
    -------
    Schedule
        A function of the step.
    """
    return _after_warmup(Schedule("exponential", lr, rate, decay_steps), warmup_steps, warmup_start)


def inverse_time(
    lr: float, rate: float, decay_steps: float = 1, *, warmup_steps: int = 0, warmup_start: float = 0.0
) -> Schedule:
    """Make a learning rate that falls like one over time: ``lr / (1 + rate * step / decay_steps)``.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    rate : float
        How fast it falls, at least 0.
    decay_steps : float, default 1
        Steps.
    warmup_steps, warmup_start : int, float
        See the module.

    Returns
    -------
    Schedule
        A function of the step.
    """
    return _after_warmup(Schedule("inverse_time", lr, rate, decay_steps), warmup_steps, warmup_start)


def linear(
    lr: float, total_steps: int, final: float = 0.0, *, warmup_steps: int = 0, warmup_start: float = 0.0
) -> Schedule:
    """Make a learning rate that falls in a straight line.

    ``lr + (final - lr) * step / total_steps``, then `final`.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    total_steps : int
        The step at which `final` is reached, counted with the warm-up.
    final : float, default 0
        The learning rate from there on.
    warmup_steps, warmup_start : int, float
        See the module.

    Returns
    -------
    Schedule
        A function of the step.
    """
    steps = _steps_after_warmup(total_steps, warmup_steps)
    return _after_warmup(Schedule("linear", lr, steps, final), warmup_steps, warmup_start)


def cosine(
    lr: float, total_steps: int, final: float = 0.0, *, warmup_steps: int = 0, warmup_start: float = 0.0
) -> Schedule:
    """Make a learning rate that falls along half a cosine.

    ``final + (lr - final) * (1 + cos(pi * step / total_steps)) / 2``, then `final`.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    total_steps : int
        The step at which `final` is reached, counted with the warm-up.
    final : float, default 0
        The learning rate from there on.
    warmup_steps, warmup_start : int, float
        See the module.

    Returns
    -------
    Schedule
        A function of the step.

    References
    ----------
    Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts (2017).

    Examples
    --------
    >>> schedule = cosine(0.1, total_steps=1000, warmup_steps=50)
    >>> schedule(0), schedule(50), schedule(525), schedule(1000)
    (0.0, 0.1, 0.05, 0.0)
    """
    steps = _steps_after_warmup(total_steps, warmup_steps)
    return _after_warmup(Schedule("cosine", lr, steps, final), warmup_steps, warmup_start)


def warmup(schedule: object, steps: int, start: float = 0.0) -> Schedule:
    """Put a warm-up before a schedule.

    Parameters
    ----------
    schedule : float, Schedule or callable
        What follows; its own steps count from the end of the warm-up.
    steps : int
        Length of the warm-up.
    start : float, default 0
        Learning rate at step 0; from there a straight line to ``schedule(0)``.

    Returns
    -------
    Schedule
        A function of the step.
    """
    return Schedule("warmup", schedule, steps, start)


def _after_warmup(schedule: Schedule, steps: int, start: float) -> Schedule:
    return warmup(schedule, steps, start) if steps else schedule


def _steps_after_warmup(total_steps: int, warmup_steps: int) -> int:
    if total_steps <= warmup_steps:
        raise ValueError(f"total_steps must be more than warmup_steps ({warmup_steps}), got {total_steps}")
    return total_steps - warmup_steps

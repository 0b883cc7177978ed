"""Learning rates as functions of the step.

Each function makes a `Schedule`: give it to an optimizer as `lr`, call it with a step or an array of steps,
plot it. Steps are counted from 0: ``schedule(0)`` is the learning rate of the first update. Nothing is
remembered between calls, so a run that is resumed at step 1000 continues with ``schedule(1000)``; but
`plateau` falls where results stop improving, and what it remembers belongs to the optimizer's state.

Most functions take `warmup_steps` and `warmup_start`: the learning rate then goes in a straight line from
`warmup_start` at step 0 to where the schedule begins, at step `warmup_steps` (Goyal et al. 2017,
arXiv:1706.02677). The schedule's own steps count from there, also in its formula, whose `total_steps` are
those that are left; as an argument, `total_steps` includes the warm-up. Left out, it is that of the training
in which the schedule is used, with the steps that were taken before where it goes on: `MLP.fit`, `minimize`
and the estimators' `fit` know it, ``recipe.bind(params, total_steps=...)`` and ``schedule.with_length(...)``
are told it, the rest refuses it. Any other callable of the step will do, too.

Notes
-----
Where a function names no source, its formula is that of the scheduler of PyTorch, Keras or Optax with the
same name or a like one.

PyTorch's schedulers agree with these where ``scheduler.step()`` follows each ``optimizer.step()``, but
`OneCycleLR` counts from 1 where it rises and where it ends: its ``total_steps=n, pct_start=p`` is
``one_cycle(lr, n - 1, rise=(p * n - 1) / (n - 1))`` here. Optax's take the same step counts. In PyTorch
`plateau` bears `patience` bad results and falls at the next one, as here; Keras and Optax fall one earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ._checks import check_number, check_sequence, shown
from ._cycles import cosine_restarts, coslog, coslog4, cyclic, flat_cos, one_cycle, steps_after
from ._schuss import Schedule
from .typing import LearningRate

__all__ = [
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "coslog",
    "coslog4",
    "cyclic",
    "exponential",
    "flat_cos",
    "inverse_time",
    "join",
    "linear",
    "multistep",
    "one_cycle",
    "plateau",
    "polynomial",
    "step",
    "warmup",
]


def constant(lr: float, *, warmup_steps: int = 0, warmup_start: float = 0.0) -> Schedule:
    """Make a learning rate that stays: ``lr``.

    Parameters
    ----------
    lr : float
        The learning rate.
    warmup_steps, warmup_start : int, float, default 0, 0.0
        A straight line before it, from `warmup_start` at step 0 to `lr` at step `warmup_steps`.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite.
    """
    return Schedule("warmup", Schedule("constant", lr), warmup_steps, warmup_start)


def step(
    lr: float, step_size: int, factor: float = 0.1, *, warmup_steps: int = 0, warmup_start: float = 0.0
) -> Schedule:
    """Make a learning rate that falls in stairs: ``lr * factor ** (step // step_size)``.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    step_size : int
        Steps between two falls, at least 1.
    factor : float, default 0.1
        What each fall multiplies by, at least 0.
    warmup_steps, warmup_start : int, float, default 0, 0.0
        A straight line before it, from `warmup_start` at step 0 to `lr` at step `warmup_steps`.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite, or `step_size` below 1.
    """
    return Schedule("warmup", Schedule("step", lr, step_size, factor), warmup_steps, warmup_start)


def multistep(
    lr: float,
    milestones: Sequence[int],
    factor: float = 0.1,
    *,
    warmup_steps: int = 0,
    warmup_start: float = 0.0,
) -> Schedule:
    """Make a learning rate that falls at given steps: ``lr * factor ** (number of milestones <= step)``.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    milestones : sequence of int
        The steps at which it falls, in any order; where one is there twice, it falls twice.
    factor : float, default 0.1
        What each fall multiplies by, at least 0.
    warmup_steps, warmup_start : int, float, default 0, 0.0
        A straight line before it, from `warmup_start` at step 0 to `lr` at step `warmup_steps`.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite, or `milestones` no sequence.
    """
    return Schedule("warmup", Schedule("multistep", lr, factor, milestones), warmup_steps, warmup_start)


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
        The steps in which it falls by `rate`, above 0.
    warmup_steps, warmup_start : int, float, default 0, 0.0
        A straight line before it, from `warmup_start` at step 0 to `lr` at step `warmup_steps`.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number or not finite, `rate` not in (0, 1], `decay_steps` not above 0, or another
        one negative.
    """
    return Schedule("warmup", Schedule("exponential", lr, rate, decay_steps), warmup_steps, warmup_start)


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
        The unit of time of `rate`, in steps, above 0.
    warmup_steps, warmup_start : int, float, default 0, 0.0
        A straight line before it, from `warmup_start` at step 0 to `lr` at step `warmup_steps`.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite, or `decay_steps` 0.
    """
    return Schedule("warmup", Schedule("inverse_time", lr, rate, decay_steps), warmup_steps, warmup_start)


def linear(
    lr: float,
    total_steps: int | None = None,
    final: float = 0.0,
    *,
    warmup_steps: int = 0,
    warmup_start: float = 0.0,
) -> Schedule:
    """Make a learning rate that falls in a straight line.

    ``lr + (final - lr) * step / total_steps``, then `final`.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    total_steps : int, optional
        The step at which `final` is reached, counted with the warm-up. None for the end of the training.
    final : float, default 0
        The learning rate from there on.
    warmup_steps, warmup_start : int, float, default 0, 0.0
        A straight line before it, from `warmup_start` at step 0 to `lr` at step `warmup_steps`.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite, or what `warmup_steps` leaves of `total_steps`
        below 1.
    """
    steps = steps_after(total_steps, warmup_steps)
    return Schedule("warmup", Schedule("linear", lr, steps, final), warmup_steps, warmup_start)


def polynomial(
    lr: float,
    total_steps: int | None = None,
    final: float = 0.0,
    power: float = 1.0,
    *,
    warmup_steps: int = 0,
    warmup_start: float = 0.0,
) -> Schedule:
    """Make a learning rate that falls along a power of the steps that are left.

    ``final + (lr - final) * (1 - step / total_steps) ** power``, then `final`, unless `power` is 0.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    total_steps : int, optional
        The step at which `final` is reached, counted with the warm-up. None for the end of the training.
    final : float, default 0
        The learning rate from there on.
    power : float, default 1
        1 is a straight line; more falls early, less falls late. With 0 it stays at `lr` for ever, and `final`
        is never reached.
    warmup_steps, warmup_start : int, float, default 0, 0.0
        A straight line before it, from `warmup_start` at step 0 to `lr` at step `warmup_steps`.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite, or what `warmup_steps` leaves of `total_steps`
        below 1.
    """
    steps = steps_after(total_steps, warmup_steps)
    return Schedule("warmup", Schedule("polynomial", lr, steps, final, power), warmup_steps, warmup_start)


def cosine(
    lr: float,
    total_steps: int | None = None,
    final: float = 0.0,
    *,
    warmup_steps: int = 0,
    warmup_start: float = 0.0,
) -> Schedule:
    """Make a learning rate that falls along half a cosine.

    ``final + (lr - final) * (1 + cos(pi * step / total_steps)) / 2``, then `final`.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    total_steps : int, optional
        The step at which `final` is reached, counted with the warm-up. None for the end of the training.
    final : float, default 0
        The learning rate from there on.
    warmup_steps, warmup_start : int, float, default 0, 0.0
        A straight line before it, from `warmup_start` at step 0 to `lr` at step `warmup_steps`.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number, negative or not finite, or what `warmup_steps` leaves of `total_steps`
        below 1.

    References
    ----------
    Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts (2017), arXiv:1608.03983.

    Examples
    --------
    >>> schedule = cosine(0.1, total_steps=1000, warmup_steps=50)
    >>> schedule(0), schedule(50), schedule(525), schedule(1000)
    (0.0, 0.1, 0.05, 0.0)
    """
    steps = steps_after(total_steps, warmup_steps)
    return Schedule("warmup", Schedule("cosine", lr, steps, final), warmup_steps, warmup_start)


def plateau(
    lr: float,
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    relative: bool = True,
    maximize: bool = False,
    cooldown: int = 0,
    min_lr: float = 0.0,
) -> Schedule:
    """Make a learning rate that falls where results stop improving.

    `MLP.fit` and the estimators tell it the validation loss of each epoch, or the training loss where there
    is none, and `minimize` the value after each step; a loop of your own calls ``optimizer.tell(result)``. It
    falls, to ``max(factor * lr, min_lr)``, at the result that is one more than `patience` in a row without an
    improvement. A result improves on the best one where it is below ``best - threshold * abs(best)``, or, if
    not `relative`, below ``best - threshold``; with `maximize` where it is as far above. NaN is no
    improvement. What it remembers belongs to the optimizer, and is part of its state. As a part of another
    schedule it takes notice of the results of its own steps, not of those of a warm-up before it.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    factor : float, default 0.1
        What each fall multiplies by, at least 0 and less than 1.
    patience : int, default 10
        Results in a row without improvement that are borne.
    threshold : float, default 1e-4
        An improvement is better than the best result by more than this.
    relative : bool, default True
        Whether `threshold` is a share of the best result's magnitude.
    maximize : bool, default False
        Whether larger results are better.
    cooldown : int, default 0
        Results after a fall that do not count as ones without improvement.
    min_lr : float, default 0
        It falls no lower; one that is larger than `lr` keeps it where it is.

    Returns
    -------
    Schedule
        Called with a step, it gives `lr`: it has been told nothing.

    Raises
    ------
    TypeError, ValueError
        If a number is none, negative or not finite, `factor` not below 1, or a switch not True or False.

    References
    ----------
    PyTorch's `ReduceLROnPlateau`.

    Examples
    --------
    >>> import numpy as np, schuss as sc
    >>> optimizer = sc.SGD(np.zeros(2), lr=plateau(0.5, factor=0.5, patience=1))
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     optimizer.tell(loss)
    >>> optimizer.lr
    0.25
    """
    return Schedule("plateau", lr, factor, patience, threshold, relative, maximize, cooldown, min_lr)


def join(schedules: Sequence[LearningRate], boundaries: Sequence[int]) -> Schedule:
    """Put schedules one after the other.

    ``schedules[k](step - boundaries[k - 1])``, where k is the number of boundaries that are not after `step`;
    ``schedules[0](step)`` before the first.

    Parameters
    ----------
    schedules : sequence of float, Schedule or callable
        Each counts its own steps from where it begins. Only the last one may be without `total_steps`.
    boundaries : sequence of int
        The steps at which the second and all others begin: one fewer than schedules, in rising order.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If a schedule is none of these, a boundary no number, negative or not finite, if there are not as many
        boundaries as there should be, or they are not in order.

    Examples
    --------
    >>> schedule = join([constant(0.1), linear(0.1, total_steps=100)], boundaries=[50])
    >>> schedule(0), schedule(50), schedule(100), schedule(150)
    (0.1, 0.1, 0.05, 0.0)
    """
    parts = check_sequence("schedules", schedules, "numbers, schedules or functions of the step")
    return Schedule("join", parts, boundaries)


def warmup(schedule: LearningRate, steps: int, start: float = 0.0) -> Schedule:
    """Put a warm-up before a schedule.

    ``start + (schedule(0) - start) * step / steps``, from step `steps` on ``schedule(step - steps)``.

    Parameters
    ----------
    schedule : float, Schedule or callable
        What follows; its own steps count from the end of the warm-up.
    steps : int
        Length of the warm-up, at least 0.
    start : float, default 0
        Learning rate at step 0.

    Returns
    -------
    Schedule
        A function of the step.

    Raises
    ------
    TypeError, ValueError
        If `schedule` is none of these, or a number is none, negative or not finite.

    References
    ----------
    Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour (2017), arXiv:1706.02677.

    Examples
    --------
    >>> schedule = warmup(cosine(0.1, total_steps=100), steps=10, start=0.02)
    >>> schedule(0), schedule(5), schedule(10), schedule(60)
    (0.02, 0.06, 0.1, 0.05)
    """
    # To the core these are `warmup_steps` and `warmup_start`, as everywhere else.
    for name, value in (("steps", steps), ("start", start)):
        if not 0 <= check_number(name, value, nan=True) < math.inf:
            raise ValueError(f"{name} must be a finite number >= 0, got {shown(value)}")
    return Schedule("warmup", schedule, steps, start)


def __dir__() -> list[str]:
    return [name for name in __all__ if name != "Schedule"]

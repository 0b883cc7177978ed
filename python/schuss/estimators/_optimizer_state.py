"""What is kept of an optimizer between two trainings: its state and the learning rate it has come to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import shown
from .._lengths import scheduled, steps_made
from .._schuss import Schedule


class OptimizerState:
    """What an optimizer needs to continue, as plain data that pickles.

    Attributes
    ----------
    given : float
        The learning rate that the user gave; NaN for a schedule.
    learning_rate : float
        The one that adaptation has reached, of the next step.
    of_groups : list of float or None
        The learning rates of the recipe's further groups; None for a schedule.
    adapts : bool
        Whether any parameter has a learning rate that adaptation may change: schedules stay.
    schedules : list
        What was given as learning rates: the estimator's, and each group's.
    saved : dict or None
        The optimizer's ``state_dict()`` after the last training.
    """

    def __init__(self) -> None:
        self.learning_rate = self.given = float("nan")
        self.of_groups: list[float | None] = []
        self.adapts = True
        self.schedules: list[Any] = []
        self.saved: dict[str, Any] | None = None
        # At work: a copy that a callback makes of the estimator has its state too.
        self._live: Any = None

    def __getstate__(self) -> dict[str, Any]:
        saved = self.saved if self._live is None else self._live.state_dict()
        return {**self.__dict__, "saved": saved, "_live": None}

    def resume(
        self,
        recipe: Any,
        named: dict[str, NDArray[Any]],
        schedule: Any,
        clip_norm: float | None,
        gradients: int | None,
    ) -> Any:
        """An optimizer of that recipe, with the options given here in place of its own, that continues.

        What was changed since the last training counts: new options act on the old state, a new rate
        replaces that which adaptation has reached, and a new schedule begins. Another kind of optimizer,
        other groups, or options with which the state would mean something else start afresh.
        Schedules without a length of their own get one of the steps that are done and of those that so many
        gradients make; None where there are none of these.
        """
        old, before = _in_precision(self.saved, next(iter(named.values())).dtype), self.schedules
        self.schedules = [schedule, *_rates(recipe)]
        optimizer = _bound(recipe, named, schedule, clip_norm, gradients, old)
        fresh = optimizer.state_dict()
        if old is not None:
            if self.schedules != before:
                old = old | {"schedules": fresh["schedules"]}
            if optimizer._can_continue(old) and old["state"].keys() == fresh["state"].keys():
                optimizer.load_state_dict(old | {"param_groups": fresh["param_groups"]})
            else:
                optimizer = _bound(recipe, named, schedule, clip_norm, gradients)
                fresh = optimizer.state_dict()
        rates = [group["lr"] for group in fresh["param_groups"]]
        given, *self.of_groups = rates
        # The first group, from whose rate all others are, may be without parameters.
        self.adapts = given is not None and any(rates[group] is not None for group in fresh["group_of"])
        if given is None or given != self.given:
            self.given = float("nan") if given is None else given
            self.learning_rate = optimizer.lr
        self._live = optimizer
        return optimizer

    def adapt(self, optimizer: Any) -> None:
        """Give the optimizer the learning rate that adaptation has reached, its groups theirs in proportion.

        Schedules stay.
        """
        if self.given != self.given:
            return
        own, *others = optimizer.param_groups
        own["lr"] = self.learning_rate
        for group, given in zip(others, self.of_groups, strict=True):
            if given is not None:
                group["lr"] = given * (self.learning_rate / self.given if self.given else 1.0)

    def save(self, optimizer: Any) -> None:
        """Remember where a training has ended."""
        self.saved = optimizer.state_dict()
        self._live = None
        if self.given != self.given:
            self.learning_rate = optimizer.lr


def _in_precision(saved: dict[str, Any] | None, dtype: Any) -> dict[str, Any] | None:
    """A state for parameters whose precision somebody may have changed; None where it is beyond that."""
    if saved is None:
        return None

    def converted(part: Any) -> Any:
        return part.astype(dtype, copy=False) if isinstance(part, np.ndarray) else part

    try:
        with np.errstate(over="raise"):
            state = {name: [*map(converted, parts)] for name, parts in saved["state"].items()}
    except FloatingPointError:
        return None
    return {**saved, "state": state}


def _rates(recipe: Any) -> list[Any]:
    """What was given as the learning rate of each group, the recipe's own first."""
    return [value for _, name, value in scheduled(recipe) if name == "lr"]


def _bound(
    recipe: Any,
    named: dict[str, NDArray[Any]],
    schedule: Any,
    clip_norm: float | None,
    gradients: int | None,
    old: dict[str, Any] | None = None,
) -> Any:
    """An optimizer without state, whose schedules are as long as what is done and what follows."""
    total = None
    if gradients is not None:
        done, gathered = (0, 0) if old is None else (old["step_count"], old["gathered"])
        total = done + steps_made(recipe, gathered + gradients)
    optimizer = recipe.bind(list(named.values()), named, total_steps=total)
    if schedule is not None:
        is_sized = isinstance(schedule, Schedule) and total is not None
        _follow(optimizer, _rates(recipe), schedule.with_length(total) if is_sized else schedule)
    if clip_norm is not None:
        optimizer.param_groups[0]["clip_norm"] = clip_norm
    return optimizer


def _follow(optimizer: Any, rates: list[Any], schedule: Any) -> None:
    """Give a schedule to the groups that have the recipe's own rate; others, frozen ones too, keep theirs."""
    # A recipe does not know a group's own rate from its own, where both are equal.
    groups = [group for group, rate in zip(optimizer.param_groups, rates, strict=True) if rate == rates[0]]
    if not any(group["params"] for group in groups):
        raise ValueError(
            "schedule must be None where all groups of optimizer have learning rates of their own, got "
            f"{shown(schedule)}"
        )
    for group in groups:
        group["lr"] = schedule

"""Which recipes suit the table: many are tried for a short time, the better ones are trained in earnest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from .._schuss import StopFlag
from . import _crew
from ._member import Trained
from ._recipe import Recipe

# The part of a recipe's epochs that a trial has, and that of the time, where that is limited.
TRIAL_EPOCHS, TRIAL_TIME = 0.2, 0.2

Train = Callable[[Recipe, float | None, StopFlag], Trained]


def trials_of(candidates: int, keep: int) -> int:
    """How many recipes are tried, where so many are kept: none where there is no choice."""
    return candidates if keep < candidates else 0


def raced(
    recipes: Sequence[Recipe],
    keep: int,
    train: Train,
    threads: int,
    max_time: float | None,
    done: Callable[[Trained], Any],
) -> list[Recipe]:
    """The recipes with the best validation losses after a fifth of their epochs, in their own order.

    After each trial `done` is called with it.

    K. Jamieson and A. Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization,
    AISTATS 2016 (successive halving), with one round. Those that had no time are last.
    """
    if not trials_of(len(recipes), keep):
        return list(recipes)
    trials = [replace(each, epochs=max(round(each.epochs * TRIAL_EPOCHS), 1)) for each in recipes]
    results = _crew.run(
        [partial(train, trial) for trial in trials],
        threads,
        None if max_time is None else max_time * TRIAL_TIME,
        lambda _, trained: done(trained),
    )
    losses = [float("inf") if each is None or each.best_epoch == 0 else each.val_loss for each in results]
    best = sorted(range(len(recipes)), key=lambda number: (losses[number], number))[:keep]
    return [recipes[number] for number in sorted(best)]

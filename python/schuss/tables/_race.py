"""Which recipes suit the table: many are tried for a short time, the better ones are trained in earnest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    known: Mapping[int, float],
    done: Callable[[int, Trained], Any],
) -> list[Recipe]:
    """The recipes with the best validation losses after a fifth of their epochs, in their own order.

    The losses of some may be known already; after each trial of another one `done` is called with its number.

    K. Jamieson and A. Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization,
    AISTATS 2016 (successive halving), with one round. Those that had no time are last.
    """
    if not trials_of(len(recipes), keep):
        return list(recipes)
    numbers = [number for number in range(len(recipes)) if number not in known]
    trials = [replace(each, epochs=max(round(each.epochs * TRIAL_EPOCHS), 1)) for each in recipes]
    results = _crew.run(
        [partial(train, trials[number]) for number in numbers],
        threads,
        None if max_time is None else max_time * TRIAL_TIME,
        lambda place, trained: done(numbers[place], trained),
    )
    losses = [known.get(number, float("inf")) for number in range(len(recipes))]
    for number, trained in zip(numbers, results, strict=True):
        if trained is not None:
            losses[number] = trained.val_loss
    best = sorted(range(len(recipes)), key=lambda number: (losses[number], number))[:keep]
    return [recipes[number] for number in sorted(best)]

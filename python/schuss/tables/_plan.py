"""How much is spent on a table: members, folds, epochs and the size of a batch, by its size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from ._race import TRIAL_EPOCHS
from ._recipe import WIDTH

# What each preset may spend beside "balanced".
PRESETS = {"quick": 0.25, "balanced": 1.0, "best": 10.0}
MEMBERS = {"quick": 4, "balanced": 8, "best": 32}
FOLDS = {"quick": 3, "balanced": 5, "best": 8}

# Below this, rows are too few for some of them to be left out: all are in some fold.
SMALL = 12_000
# So are those of a class that is rarer than this, in a table that is no larger.
RARE, LARGE = 100, 50_000
# The part of the rows that chooses epochs and members, where there are no folds.
HOLDOUT = 1 / 10
# Floating-point operations that "balanced" spends on any table, and on each row; a core does 1e11 a second.
ON_TABLE, ON_ROW = 2.5e11, 2.5e7
# Operations of a number's waves, forward and back, as long as they take.
WAVES = 3e3
# Hidden layers behind the first one, on average.
MORE_LAYERS = 2 / 3
# Recipes that are tried for each that is trained.
CANDIDATES = 2
# The part of the epochs that is made until early stopping.
MADE = 0.35


class Shape(NamedTuple):
    """How large a table is: rows, columns of numbers and others, rows of the rarer one of two classes."""

    rows: int
    numbers: int
    others: int
    rarer: int | None = None


@dataclass(frozen=True)
class Plan:
    """How much is spent.

    Attributes
    ----------
    candidates, members, folds, epochs, batch_size : int
        So many recipes are tried, and so many of them trained. With one fold, a part of the rows is held out.
    """

    candidates: int
    members: int
    folds: int
    epochs: int
    batch_size: int

    def operations(self, n_rows: int, numbers: int, others: int) -> float:
        """About how many floating-point operations it takes, for so many numbers and other columns."""
        inputs = 4 * numbers + 4 * others
        of_row = 6 * (inputs * WIDTH + MORE_LAYERS * WIDTH**2) + numbers * WAVES
        learnt = n_rows * (1 - (HOLDOUT if self.folds == 1 else 1 / self.folds))
        return (
            (self.members * self.folds + TRIAL_EPOCHS * self.candidates)
            * learnt
            * self.epochs
            * MADE
            * of_row
        )


def plan_for(shape: Shape, preset: str, members: int | None, folds: int | None) -> Plan:
    """The plan for a table; what is given is kept.

    Passes fall with the root of the rows: what counts is steps, and few rows are learnt by heart in many
    of them. Few rows are given folds, which use all of them for both learning and choosing (bagging of
    five folds takes 5 to 8 percent off the error, arXiv:2407.04491, table B.4). Where that costs too much, it
    is folds that are saved, then epochs, then members.
    """
    n_rows, numbers, others, rarer = shape
    few = n_rows < SMALL or (rarer is not None and rarer < RARE and n_rows <= LARGE)
    epochs = round(min(max(72 * (10_000 / n_rows) ** 0.5, 8), 100))
    sizes = ((600, 32), (1600, 64), (8000, 128), (40_000, 256))
    batch_size = next((size for most, size in sizes if n_rows <= most), 512)
    most_folds = (FOLDS[preset] if few else 1) if folds is None else folds
    kept = members or MEMBERS[preset]
    plan = Plan(CANDIDATES * kept, kept, max(min(most_folds, n_rows // 2), 1), epochs, batch_size)
    allowed = PRESETS[preset] * (ON_TABLE + ON_ROW * n_rows)
    while (too_much := plan.operations(n_rows, numbers, others) / allowed) > 1:
        if folds is None and plan.folds > 3:
            plan = replace(plan, folds=plan.folds - 1)
        elif plan.epochs > max(epochs // 3, 4):
            plan = replace(plan, epochs=max(int(plan.epochs / min(too_much, 1.5)), epochs // 3, 4))
        elif members is None and plan.members > 3:
            plan = replace(plan, members=plan.members - 1, candidates=plan.candidates - CANDIDATES)
        else:
            break
    return plan

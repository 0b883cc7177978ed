"""How much is spent on a table: members, folds, epochs and the size of a batch, by its size."""

from __future__ import annotations

from dataclasses import dataclass

PRESETS = ("quick", "balanced", "best")
# Members of each preset, and how many passes over the rows they are given at most.
MEMBERS = {"quick": 4, "balanced": 8, "best": 32}
PASSES = {"quick": 0.5, "balanced": 1.0, "best": 1.5}
FOLDS = {"quick": 3, "balanced": 5, "best": 8}

# Below this, rows are too few for some of them to be left out: all are in some fold.
SMALL = 6000
# The part of the rows that chooses epochs and members, where there are no folds.
HOLDOUT = 1 / 7


@dataclass(frozen=True)
class Plan:
    """How much is spent.

    Attributes
    ----------
    members, folds, epochs, batch_size : int
        With one fold, a part of the rows is held out.
    """

    members: int
    folds: int
    epochs: int
    batch_size: int


def plan_for(n_rows: int, preset: str, members: int | None, folds: int | None) -> Plan:
    """The plan for a table of so many rows; what is given is kept.

    Passes fall with the root of the rows: what counts is steps, and few rows are learnt by heart in many
    of them. Few rows are given folds, which use all of them for both learning and choosing (bagging of
    five folds takes 5 to 8 percent off the error, arXiv:2407.04491, table B.4).
    """
    if folds is None:
        folds = FOLDS[preset] if n_rows < SMALL else 1
    epochs = min(max(PASSES[preset] * 48 * (10_000 / n_rows) ** 0.5, 6), 100)
    sizes = ((600, 32), (1600, 64), (8000, 128), (40_000, 256))
    batch_size = next((size for most, size in sizes if n_rows <= most), 512)
    return Plan(members or MEMBERS[preset], max(min(folds, n_rows // 2), 1), round(epochs), batch_size)

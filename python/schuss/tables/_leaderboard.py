"""The members of an ensemble by what they score on rows that they have not learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from ._member import Trained
from ._recipe import Recipe

SHOWN = (
    "member",
    "score",
    "weight",
    "epoch",
    "seconds",
    "width",
    "depth",
    "sigma",
    "dropout",
    "weight_decay",
    "lr",
    "scaling",
)


def line_of(
    number: int, recipe: Recipe, trained: Sequence[Trained], score: float, weight: float
) -> dict[str, Any]:
    """A member's line."""
    epoch = float(np.mean([each.best_epoch for each in trained]))
    seconds = float(np.sum([each.seconds for each in trained]))
    return {
        "member": number,
        "score": score,
        "weight": weight,
        "epoch": round(epoch, 1),
        "seconds": seconds,
        **recipe.facts(),
    }


class Leaderboard(Sequence[Mapping[str, Any]]):
    """What each member scores, the best one first; the lower the better.

    It is a sequence of dicts, and prints as a table.

    Parameters
    ----------
    lines : sequence of mappings
        For each member its number ("member"), "score", "weight", best "epoch" (the mean of its folds),
        "seconds" of training, and what it is made of ("width", "depth", "lr" and so on).
    metric : str
        What `score` is.
    score : float
        That of all members together.

    Attributes
    ----------
    metric, score : str, float
        As given.
    """

    def __init__(self, lines: Sequence[Mapping[str, Any]], metric: str, score: float) -> None:
        self._lines = sorted(lines, key=lambda line: (line["score"], line["member"]))
        self.metric, self.score = metric, score

    def __getitem__(self, place: Any) -> Any:
        return self._lines[place]

    def __len__(self) -> int:
        return len(self._lines)

    def _cells(self) -> list[tuple[str, ...]]:
        def cell(value: Any) -> str:
            return f"{value:.4g}" if isinstance(value, float) else str(value)

        return [tuple(cell(line[name]) for name in SHOWN) for line in self._lines]

    def __repr__(self) -> str:
        rows = [SHOWN, *self._cells()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join([*lines, f"all together: {self.metric} {self.score:.4g}"])

    def _repr_html_(self) -> str:
        def row(tag: str, cells: Sequence[str]) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(row("td", cells) for cells in self._cells())
        foot = f"<caption>all together: {escape(self.metric)} {self.score:.4g}</caption>"
        return f"<table>{foot}<thead>{row('th', SHOWN)}</thead><tbody>{body}</tbody></table>"

    def to_frame(self) -> Any:
        """A pandas data frame of it, with a column for each part of a recipe.

        Returns
        -------
        pandas.DataFrame
            A row for each member, the best one first.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        from .._extras import needed

        with needed("to_frame", "pandas", "notebook"):
            import pandas as pd
        return pd.DataFrame(self._lines)

"""Two ways to bring scaled numbers into the range that networks learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

Floats32 = np.ndarray[Any, np.dtype[np.float32]]

BLOCK = 16_384
MOST_ROWS = 131_072  # of which ranks are taken: a thousand quantiles are not told better by more
FEW_ROWS = 256  # of which each is looked up by itself
MOST_QUANTILES, LEAST_QUANTILES, ROWS_PER_QUANTILE = 1000, 10, 30


def smooth_clip(u: Floats32, out: Floats32 | None = None) -> Floats32:
    """`u / sqrt(1 + (u / 3)^2)`, between -3 and 3, as in RealMLP (arXiv 2407.04491); `out` may be `u`."""
    out = np.empty_like(u) if out is None else out
    for rows in blocks_of(len(u)):
        part = u[rows]
        root = part / np.float32(3)
        np.multiply(root, root, out=root)
        root += np.float32(1)
        np.sqrt(root, out=root)
        np.divide(part, root, out=out[rows])
    return out


def blocks_of(n_rows: int, length: int = BLOCK) -> Iterator[slice]:
    """The rows, some thousand at a time."""
    for start in range(0, n_rows, length):
        yield slice(start, min(start + length, n_rows))


def spread_over(n_rows: int, most: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    """All rows, or of more than `most` some, spread evenly.

    Of each stretch one is drawn: where the rows of some sources come in turns, those at equal distances may
    all be of one source.
    """
    length = -(-n_rows // most)
    starts = np.arange(0, n_rows, max(length, 1))
    if length <= 1:
        return starts
    drawn = starts + np.random.default_rng(0).integers(length, size=len(starts))
    return np.minimum(drawn, n_rows - 1)


class Quantiles:
    """Each column to the scores of a normal distribution, by ranks.

    Knots are `max(min(n / 30, 1000), 10)` quantiles of the column, as in RTDL (arXiv 2203.05556), and closer
    ones towards both ends. A knot's score is the normal quantile of the share of rows below it, those equal
    to it counted half: equal values stay together, without random numbers. Between knots scores are linear,
    beyond the last ones constant.
    """

    knots: list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None]

    def fit(
        self, u: np.ndarray[Any, Any], skip: Sequence[bool] | np.ndarray[Any, Any] | None = None
    ) -> Quantiles:
        """Learn the columns of `u`; where `skip` has True, they stay as they are, as indicators should."""
        chosen = spread_over(len(u), MOST_ROWS)
        skipped = [False] * u.shape[1] if skip is None else [bool(each) for each in skip]
        if len(skipped) != u.shape[1]:
            raise ValueError(f"skip must have {u.shape[1]} entries, one for each column, got {len(skipped)}")
        # A column at a time: rows that are chosen are copies.
        self.knots = [None if left else _knots(u[chosen, place]) for place, left in enumerate(skipped)]
        return self

    @classmethod
    def of_columns(cls, columns: Iterable[np.ndarray[Any, Any]]) -> Quantiles:
        """What `fit` learns of an array with these columns, one after the other."""
        quantiles = cls()
        quantiles.knots = [_knots(column) for column in columns]
        return quantiles

    def transform(self, u: Floats32, out: Floats32 | None = None) -> Floats32:
        """The scores of `u`; `out` may be `u` itself."""
        if u.shape[1] != len(self.knots):
            raise ValueError(f"u must have {len(self.knots)} columns, got {u.shape[1]}")
        out = np.empty_like(u) if out is None else out
        for rows in blocks_of(len(u)):
            for place, knots in enumerate(self.knots):
                column = u[rows, place]
                out[rows, place] = column if knots is None else _scores(column, *knots)
        return out

    def get_state(self) -> dict[str, Any]:
        """What `from_state` makes it of: how many knots each column has, -1 where skipped, and the knots."""
        kept = [knots for knots in self.knots if knots is not None]
        empty = [np.empty(0)]
        return {
            "counts": [-1 if knots is None else len(knots[0]) for knots in self.knots],
            "at": np.concatenate(empty + [at for at, _ in kept]),
            "scores": np.concatenate(empty + [scores for _, scores in kept]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Quantiles:
        """The transformer whose state this is; it gives the same bits."""
        quantiles, start = cls(), 0
        at, scores = np.asarray(state["at"]), np.asarray(state["scores"])
        quantiles.knots = []
        for count in state["counts"]:
            stop = start + max(count, 0)
            quantiles.knots.append(None if count < 0 else (at[start:stop].copy(), scores[start:stop].copy()))
            start = stop
        return quantiles


def _scores(
    column: np.ndarray[Any, Any], at: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """What `numpy.interp` gives, to the bit."""
    if len(column) < FEW_ROWS:
        return np.interp(column, at, scores)
    # It begins where the number before was found: in order, that is next to it, and several times as fast.
    order = column.argsort()
    found = np.empty(len(column))
    found[order] = np.interp(column[order], at, scores)
    return found


def _knots(column: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    ordered = np.sort(column.astype(np.float64))
    n_rows = len(ordered)
    count = max(min(n_rows // ROWS_PER_QUANTILE, MOST_QUANTILES), LEAST_QUANTILES)
    shares = np.linspace(0, 1, count)
    # Between the outermost quantiles scores bend most: halve the way to the end as long as rows are left.
    halvings = shares[1] * 0.5 ** np.arange(1, 1 + max(0, int(np.log2(shares[1] * n_rows))))
    shares = np.concatenate([shares, halvings, 1 - halvings])
    at = np.unique(ordered[np.rint(shares * (n_rows - 1)).astype(np.intp)])
    below = np.searchsorted(ordered, at, side="left")
    ranks = (below + np.searchsorted(ordered, at, side="right")) / (2 * n_rows)
    return at, np.array([NormalDist().inv_cdf(rank) for rank in ranks.tolist()])

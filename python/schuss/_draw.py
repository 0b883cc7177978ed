"""Rows that are held out of shards: which ones does not depend on who has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ._checks import shown, word_of
from ._sharded import Share

if TYPE_CHECKING:
    from numpy.typing import NDArray

PiecesOf = Callable[[int], list[tuple[int, int]]]
"""Of so many rows in all, where the rows of each shard begin and end."""


@dataclass(frozen=True)
class Draw:
    """Which of all rows are held out: each shard's are cut into runs, and one row of each run is drawn.

    Attributes
    ----------
    pieces : sequence of (int, int)
        Where the rows of each shard begin and end, among all.
    held : sequence of int
        How many rows of each shard are held out.
    seed : int
        Of what is drawn.
    """

    pieces: Sequence[tuple[int, int]]
    held: Sequence[int]
    seed: int

    def marks(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Which of consecutive rows are held out."""
        marks = np.zeros(stop - start, np.bool_)
        for shard, ((first, end), count) in enumerate(zip(self.pieces, self.held, strict=True)):
            if count and first < stop and start < end:
                rows = first - start + self._of_shard(shard, end - first, count)
                marks[rows[(rows >= 0) & (rows < len(marks))]] = True
        return marks

    def _of_shard(self, shard: int, size: int, count: int) -> NDArray[np.int64]:
        cuts = np.arange(count + 1, dtype=np.int64) * size // count
        # Not numbers of a `Generator`, which another version of NumPy may draw otherwise.
        drawn = np.random.Philox(key=np.array([word_of(self.seed), shard], np.uint64)).random_raw(count)
        return cuts[:-1] + (drawn % np.diff(cuts).astype(np.uint64)).astype(np.int64)


def draw_of(name: str, share: float, n_rows: int, pieces: PiecesOf, seed: int) -> Draw:
    """Hold out a share of all rows, so that each shard is left with the rows that it has of the others.

    Parameters
    ----------
    name : str
        The argument that says how many.
    share : float
        Below 1; at least one row if it is above 0.
    n_rows : int
        How many rows there are.
    pieces : PiecesOf
        The shards.
    seed : int
        Of what is drawn.
    """
    whole = pieces(n_rows)
    sizes = np.array([end - start for start, end in whole])
    # Of a few rows more or less a shard may have one fewer, for want of a whole batch: then a few more.
    for count in range(max(round(share * n_rows), int(share > 0)), n_rows):
        held = sizes - [end - start for start, end in pieces(n_rows - count)]
        if held.min() >= 0:
            return Draw(whole, held.tolist(), seed)
    raise ValueError(f"{name} must leave rows to learn from, got {shown(share)} of {n_rows}")


class Split(NamedTuple):
    """The rows of one process, in two parts.

    Attributes
    ----------
    learnt, held : ndarray
        The numbers of those to learn from, and of those that are held out.
    sizes : sequence of int
        How many of each of its shards are held out.
    n_held : int
        How many of all rows, whoever has them.
    """

    learnt: NDArray[np.intp]
    held: NDArray[np.intp]
    sizes: Sequence[int]
    n_held: int


def split_of(name: str, share: float, n_rows: int, shards: Share, seed: int) -> Split:
    """Hold out a share of all rows, as `draw_of` does: which of those of some shards are held out."""
    draw = draw_of(name, share, n_rows, shards.of_all.pieces, seed)
    marks = draw.marks(*shards.rows(n_rows))
    sizes = draw.held[shards.start : shards.stop]
    return Split(np.flatnonzero(~marks), np.flatnonzero(marks), sizes, sum(draw.held))

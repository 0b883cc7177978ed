"""What blocks of rows are read from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Parts(NamedTuple):
    """Memory for rows: inputs, targets and weights, if there are any."""

    x: NDArray[Any]
    y: NDArray[Any]
    weight: NDArray[np.float64] | None

    def cut(self, start: int, stop: int) -> Parts:
        """The part of some rows."""
        weight = None if self.weight is None else self.weight[start:stop]
        return Parts(self.x[start:stop], self.y[start:stop], weight)

    def copy(self, rows: Parts) -> None:
        """Take the numbers of as many rows."""
        for to, numbers in zip(self, rows, strict=True):
            if to is not None:
                to[...] = numbers


Stopped = Callable[[], bool]
"""Says whether to read no further: what has been read is not wanted any more."""

Fill = Callable[[int, Parts, Stopped], None]
"""Reads the rows of a block into memory that has as many."""


class Source(Protocol):
    """Files or arrays whose rows are read in blocks.

    Attributes
    ----------
    sizes : array of int64
        How many rows each block has.
    columns : int
        Of the inputs.
    identity : str
        What tells it from other sources, wherever it lies.
    """

    sizes: NDArray[np.int64]
    columns: int
    identity: str

    def allocate(self, rows: int, dtype: np.dtype[Any]) -> Parts:
        """Memory for so many rows, with inputs of that dtype."""
        ...

    def opened(self) -> AbstractContextManager[Fill]:
        """What reads the blocks; it may keep files open meanwhile."""
        ...


def are_whole(dtypes: list[np.dtype[Any]]) -> bool:
    """Whether targets of these dtypes are whole numbers, which stay what they are."""
    return all(dtype.kind in "biu" and np.can_cast(dtype, np.int64) for dtype in dtypes)


def first_odd(values: NDArray[Any], low: float = -np.inf) -> int | None:
    """The first row of numbers that has NaN, infinity, or less than the least that is accepted."""
    is_fine = np.isfinite(values)
    if low > -np.inf:
        is_fine &= values >= low
    if is_fine.all():
        return None
    return int(np.argwhere(~is_fine)[0, 0])

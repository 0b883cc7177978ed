"""Blocks of rows in windows, read ahead of the training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import check_count, check_dtype, shown
from ._ahead import ahead
from ._source import Fill, Source, Stopped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = tuple[NDArray[Any], ...]

# Of a window's inputs in float32: two are in memory, the one that is learnt from and the next one.
WINDOW_BYTES = 2**27


class Blocks:
    """Rows that are read in blocks: what `from_parquet` and `from_arrays` return and `MLP.fit` takes as X.

    A training with ``shuffle=True`` takes the blocks in a new order each epoch, `window` of them at a time,
    and the rows of each window in a new order. A thread reads one window ahead, and ends with the training.
    Each row comes once an epoch, and its place depends on the seed, on the number of the epoch and on the
    window alone. Iteration gives the windows in the order of the rows, as tuples (X, y) or (X, y, weight),
    read ahead as well.

    Attributes
    ----------
    n_blocks, n_rows, n_columns : int
        How many blocks, rows, and columns of the inputs there are.
    window : int
        Blocks of a window: two windows are in memory at a time.
    """

    def __init__(self, source: Source, window: Any, transform: Any) -> None:
        if transform is not None and not callable(transform):
            raise TypeError(
                f"transform must be a function of the inputs of some rows, got {shown(transform)}"
            )
        self._source = source
        self._transform: Callable[[NDArray[Any]], Any] | None = transform
        self.n_blocks = len(source.sizes)
        self.n_rows = int(source.sizes.sum())
        self.n_columns = source.columns
        if window is None:
            bytes_of_block = max(int(source.sizes.max(initial=1)) * source.columns * 4, 1)
            window = min(max(WINDOW_BYTES // bytes_of_block, 1), self.n_blocks)
        self.window = check_count("window", window)

    def read(self, number: int) -> Rows:
        """Read a block.

        Parameters
        ----------
        number : int
            From 0 to `n_blocks` - 1.

        Returns
        -------
        tuple of arrays
            (X, y), or (X, y, weight); X is of float32.

        Raises
        ------
        TypeError, ValueError
            If there is no such block, or its rows are not accepted: see `from_arrays` and `from_parquet`.
        OSError
            If a file cannot be read.
        """
        number = check_count("number", number, least=0, most=self.n_blocks - 1)
        return next(self._made([[number]], np.dtype(np.float32), _never))

    def windows(self, order: Sequence[int], first: int = 0, dtype: Any = "float32") -> Iterator[Rows]:
        """Read blocks in an order, several at a time, ahead of whoever takes them.

        Parameters
        ----------
        order : sequence of int
            The numbers of the blocks.
        first : int, default 0
            The number of the first window; what lies before is not read.
        dtype : {"float32", "float64"}, default "float32"
            Of the inputs.

        Yields
        ------
        tuple of arrays
            (X, y), or (X, y, weight): the rows of `window` blocks, of the last window maybe fewer.

        Raises
        ------
        TypeError, ValueError
            If there is no such block, or `first` or `dtype` is not accepted.
        TypeError, ValueError, OSError
            While they are taken, as `read`.
        """
        windows, dtype = self._windows(order, first), check_dtype(dtype)
        return ahead(lambda stopped: self._made(windows, dtype, stopped))

    def parts(
        self, order: Sequence[int], first: int, dtype: Any, part: Callable[[int], tuple[int, int]]
    ) -> Iterator[tuple[int, Rows]]:
        """Read the part of each window that one of several processes learns from.

        Parameters
        ----------
        order, first, dtype
            As `windows` takes them.
        part : callable
            Of so many rows of a window, where those begin and end that are wanted, at least one. Blocks that
            have none of them are not read.

        Yields
        ------
        tuple of (int, tuple of arrays)
            The number of rows of the window, and the rows that are wanted.

        Raises
        ------
        TypeError, ValueError
            If there is no such block, or `first` or `dtype` is not accepted.
        TypeError, ValueError, OSError
            While they are taken, as `read`.
        """
        windows, dtype = self._windows(order, first), check_dtype(dtype)
        return ahead(lambda stopped: self._parts_made(windows, dtype, part, stopped))

    def __iter__(self) -> Iterator[Rows]:
        return self.windows(range(self.n_blocks))

    def __repr__(self) -> str:
        return (
            f"<{self.n_rows} rows of {self.n_columns} columns in {self.n_blocks} blocks, "
            f"{self.window} to a window>"
        )

    @property
    def identity(self) -> str:
        """What a training must have alike that goes on from a checkpoint; see `MLP.fit`."""
        return f"{self._source.identity}, window={self.window}"

    def _windows(self, order: Sequence[int], first: int) -> list[list[int]]:
        first = check_count("first", first, least=0)
        if not isinstance(order, Iterable):
            raise TypeError(f"order must be the numbers of blocks, got {shown(order)}")
        numbers = [check_count("a number in order", number, 0, self.n_blocks - 1) for number in order]
        starts = range(first * self.window, len(numbers), self.window)
        return [numbers[start : start + self.window] for start in starts]

    def _parts_made(
        self,
        windows: list[list[int]],
        dtype: np.dtype[Any],
        part: Callable[[int], tuple[int, int]],
        stopped: Stopped,
    ) -> Iterator[tuple[int, Rows]]:
        with self._source.opened() as fill:
            for blocks in windows:
                rows = int(self._source.sizes[blocks].sum())
                yield rows, self._window(blocks, dtype, fill, stopped, part(rows))

    def _made(self, windows: list[list[int]], dtype: np.dtype[Any], stopped: Stopped) -> Iterator[Rows]:
        with self._source.opened() as fill:
            for blocks in windows:
                # Nothing here keeps the rows: two windows are all that may be in memory.
                yield self._window(blocks, dtype, fill, stopped)

    def _window(
        self,
        blocks: list[int],
        dtype: np.dtype[Any],
        fill: Fill,
        stopped: Stopped,
        wanted: tuple[int, int] | None = None,
    ) -> Rows:
        """The rows of some blocks, or those from one to before another."""
        ends = np.cumsum(self._source.sizes[blocks])
        first, end = wanted or (0, int(ends[-1]))
        rows = self._source.allocate(end - first, dtype)
        for number, stop in zip(blocks, ends.tolist(), strict=True):
            start = stop - int(self._source.sizes[number])
            low, high = max(start, first), min(stop, end)
            if low >= high:
                continue
            to = rows.cut(low - first, high - first)
            if (low, high) == (start, stop):
                fill(number, to, stopped)
                continue
            whole = self._source.allocate(stop - start, dtype)
            fill(number, whole, stopped)
            to.copy(whole.cut(low - start, high - start))
        x, y, weight = rows
        if self._transform is not None and not stopped():
            x = self._transform(x)
        return (x, y) if weight is None else (x, y, weight)


def _never() -> bool:
    return False

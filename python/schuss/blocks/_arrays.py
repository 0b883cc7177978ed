"""Blocks of rows from arrays: files of NumPy's, memory-mapped arrays, and whatever gives rows by slices."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from .._checks import check_count
from ._blocks import Blocks
from ._files import digest
from ._segments import Stack, stack_of
from ._source import Fill, Parts, Stopped, are_whole

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    Given: TypeAlias = "str | os.PathLike[str] | ArrayLike | Sequence[str | os.PathLike[str]] | Sequence[Any]"

# Of a block's inputs: enough for a disk, little for a window.
BLOCK_BYTES = 2**22


def from_arrays(
    X: Given,
    y: Given,
    sample_weight: Given | None = None,
    *,
    block_rows: int | None = None,
    window: int | None = None,
    transform: Callable[[Any], Any] | None = None,
) -> Blocks:
    """Rows of arrays that are larger than memory, for `MLP.fit`.

    Each of X, y and sample_weight is an array, the path of an ``.npy`` file, a folder of such files (in the
    order of their names), or a sequence of arrays and paths that follow each other. Arrays may be anything
    with ``shape``, ``dtype`` and slices of rows: a `numpy.memmap`, a dataset of h5py, an array of Zarr.
    Files are read, not mapped into memory. What has a dtype that is not NumPy's, such as columns of polars,
    nullable ones of pandas and tensors, is converted at once.

    Parameters
    ----------
    X : array of shape (n_samples, n_inputs), path, or sequence of them
        The inputs.
    y : array of shape (n_samples,) or (n_samples, n_outputs), path, or sequence of them
        The targets. Whole numbers stay what they are, as classes must be. They need not be cut as X is.
    sample_weight : array of shape (n_samples,), path, or sequence of them, optional
        Weights of the rows, not negative.
    block_rows : int, optional
        Rows of a block. None for as many as 4 MiB hold (as float32), and for whole chunks where X has some.
    window : int, optional
        Blocks whose rows are shuffled together; see `from_parquet`.
    transform : callable, optional
        Called with the inputs of each window; see `from_parquet`.

    Returns
    -------
    Blocks
        To be given to `MLP.fit` as X.

    Raises
    ------
    OSError, ValueError, TypeError
        If an argument is not accepted, or a file is missing, damaged or cut; it names the file. What is
        wrong with rows, or with a file that has changed meanwhile, is said when they are read; see
        `from_parquet`.

    Examples
    --------
    >>> blocks = schuss.blocks.from_arrays("X.npy", "y.npy")  # doctest: +SKIP
    >>> net.fit(blocks, epochs=5)  # doctest: +SKIP
    """
    stacks = [stack_of("X", X, (2,)), stack_of("y", y, (1, 2))]
    if sample_weight is not None:
        stacks.append(stack_of("sample_weight", sample_weight, (1,)))
    rows = stacks[0].rows
    for stack in stacks[1:]:
        if stack.rows != rows:
            raise ValueError(f"{stack.name} must have {rows} rows as X has, got {stack.rows}")
    if rows == 0:
        raise ValueError("X must have at least one row, got none")
    if block_rows is not None:
        block_rows = check_count("block_rows", block_rows)
    return Blocks(_Arrays(stacks, block_rows), window, transform)


class _Arrays:
    """Rows of arrays: a `Source`."""

    def __init__(self, stacks: list[Stack], block_rows: int | None) -> None:
        self._stacks = stacks
        inputs = stacks[0]
        self.columns = inputs.shape[0]
        size = block_rows or max(BLOCK_BYTES // max(4 * self.columns, 1), 1)
        if block_rows is None and inputs.chunk:
            size = -(-size // inputs.chunk) * inputs.chunk
        cuts = [
            (start, min(start + size, end))
            for first, end in inputs.ranges
            for start in range(first, end, size)
        ]
        self._cuts = cuts
        self.sizes = np.array([stop - start for start, stop in cuts], np.int64)
        self._whole = are_whole(stacks[1].dtypes)
        kinds = [(stack.shape, stack.dtypes, stack.ranges, stack.files) for stack in stacks]
        self.identity = f"arrays {digest(kinds, size)}"

    def allocate(self, rows: int, dtype: np.dtype[Any]) -> Parts:
        """Memory for so many rows, with inputs of that dtype."""
        return Parts(
            np.empty((rows, self.columns), dtype),
            np.empty((rows, *self._stacks[1].shape), np.int64 if self._whole else dtype),
            np.empty(rows) if len(self._stacks) == 3 else None,
        )

    @contextmanager
    def opened(self) -> Iterator[Fill]:
        """What reads the rows."""
        yield self._fill

    def _fill(self, number: int, parts: Parts, stopped: Stopped) -> None:
        start, stop = self._cuts[number]
        for stack, part in zip(self._stacks, parts, strict=False):
            if not stopped():
                assert part is not None  # there are weights where a stack of them is
                stack.read(start, stop, part)

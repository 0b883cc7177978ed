"""SciPy's sparse matrices as the core takes them; SciPy itself is imported by whoever has made one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._arrays import contiguous, numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Sparse(NamedTuple):
    """Compressed sparse rows: in each row the columns increase, and none comes twice."""

    data: NDArray[Any]
    indices: NDArray[Any]
    indptr: NDArray[Any]
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.indptr) - 1, self.columns

    def take(self, rows: NDArray[Any]) -> Sparse:
        """Some of the rows, copied."""
        starts, lengths = self.indptr[rows], np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(self.indptr.dtype)
        places = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Sparse(self.data[places], self.indices[places], indptr, self.columns)

    def cut(self, start: int, stop: int) -> Sparse:
        """Consecutive rows; their numbers are not copied."""
        first, end = self.indptr[start], self.indptr[stop]
        indptr = self.indptr[start : stop + 1] - first
        return Sparse(self.data[first:end], self.indices[first:end], indptr, self.columns)


def stacked(parts: Sequence[Sparse]) -> Sparse | None:
    """Rows one after the other; None of none."""
    if not parts:
        return None
    ends = np.cumsum([len(part.data) for part in parts])
    starts = [part.indptr[:-1] + (end - len(part.data)) for part, end in zip(parts, ends, strict=True)]
    indptr = np.concatenate([*starts, ends[-1:]]).astype(np.int64)
    data, indices = (np.concatenate([part[column] for part in parts]) for column in (0, 1))
    return Sparse(data, indices, indptr, parts[0].columns)


def is_sparse(X: Any) -> bool:
    """Whether `X` is one of SciPy's sparse matrices or arrays."""
    scipy_sparse = sys.modules.get("scipy.sparse")
    return scipy_sparse is not None and bool(scipy_sparse.issparse(X))


def compressed(name: str, X: Any, dtype: np.dtype[Any]) -> Sparse:
    """A sparse matrix of any format; the arrays are its own where they are what is wanted."""
    if X.ndim != 2:
        raise ValueError(f"{name} must have two dimensions, got {X.ndim}")
    if X.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be a matrix of real numbers, got dtype {X.dtype}")
    check_sound(name, X)
    rows = X.tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy() if rows is X else rows
        rows.sum_duplicates()
    indices = _integers(rows.indices)
    return Sparse(numbers(name, rows.data, dtype), indices, _integers(rows.indptr), X.shape[1])


def check_sound(name: str, X: Any) -> None:
    """Refuse a compressed matrix whose parts do not fit: SciPy would read past their ends."""
    if X.ndim != 2 or X.format not in ("csr", "csc"):
        return
    count, width = X.shape if X.format == "csr" else X.shape[::-1]
    data, indices, indptr = X.data, X.indices, X.indptr
    if not data.ndim == indices.ndim == 1 or len(data) != len(indices):
        raise ValueError(f"{name} must have as many indices as data, got {indices.shape} and {data.shape}")
    if indptr.shape != (count + 1,) or indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        expected = f"an indptr of {count + 1} numbers that begins with 0 and never falls"
        raise ValueError(f"{name} must have {expected}, got {indptr}")
    if indptr[-1] > len(indices):
        raise ValueError(f"{name} must have an indptr up to {len(indices)}, its data, got {indptr[-1]}")
    used = indices[: indptr[-1]]
    if used.size and not (used.min() >= 0 and used.max() < width):
        raise ValueError(f"{name} must have indices from 0 to {width - 1}, got {used.min()} to {used.max()}")


def _integers(indices: NDArray[Any]) -> NDArray[Any]:
    dtype = indices.dtype if indices.dtype in (np.int32, np.int64) else np.dtype(np.int64)
    return contiguous(indices, dtype)

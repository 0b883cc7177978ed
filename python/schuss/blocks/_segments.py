"""Arrays that follow each other as one: files of NumPy's, and whatever gives rows by slices."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np

from .._arrays import array, computed, refuse_masked
from .._checks import shown
from .._sparse import is_sparse
from ._files import Traces, brief, files_of, named
from ._source import first_odd

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Kinds of dtypes that are learnt from.
REAL = "fiub"


class Segment(Protocol):
    """An array that is read by ranges of rows."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, start: int, stop: int, out: NDArray[Any]) -> None:
        """Write rows to where they go, which is C-contiguous."""
        ...


class NpyFile:
    """A file that `numpy.save` has written.

    It is read: a mapped file that somebody cuts ends the process.
    """

    def __init__(self, path: str) -> None:
        self.name = path
        self._traces = Traces(path)
        with named(path, "it"), open(path, "rb") as file:
            self._header = _header(file)
            self.shape, fortran, self.dtype = self._header
            missing = file.tell() + _bytes(self.shape, self.dtype) - os.path.getsize(path)
        # Objects, which are refused where their kind counts, are of any length.
        if missing > 0 and not self.dtype.hasobject:
            raise ValueError(f"{path}: the file is cut, {missing} bytes are missing at its end")
        if fortran:
            raise ValueError(f"{path}: rows must lie one after the other, got columns: save it in C order")

    def read(self, start: int, stop: int, out: NDArray[Any]) -> None:
        """Write rows to where they go."""
        with named(self.name, f"rows {start} to {stop}"), open(self.name, "rb") as file:
            header = _header(file)
            if header == self._header:
                file.seek(_bytes((start, *self.shape[1:]), self.dtype), os.SEEK_CUR)
                rows = out if self.dtype == out.dtype else np.empty(out.shape, self.dtype)
                got = file.readinto(rows.reshape(-1).view(np.uint8).data)
                if got < rows.nbytes:
                    raise ValueError(f"{rows.nbytes - got} bytes are missing at its end")
            # Looked at now: it may have been written while it was read.
            change = self._traces.change_in(file)
        if header != self._header:
            then, now = _in_words(*self._header), _in_words(*header)
            raise ValueError(f"{self.name}: the file has changed: it had {then}, and has {now}")
        if change:
            raise ValueError(f"{self.name}: {change}")
        if rows is not out:
            _convert(self.name, rows, out)


class Sliced:
    """What has a shape, a dtype, and slices of rows."""

    def __init__(self, name: str, array: Any) -> None:
        self.name = str(getattr(array, "filename", None) or name)
        self.shape = tuple(array.shape)
        self.dtype = np.dtype(array.dtype)
        # Dask's and xarray's arrays tell the rows of each chunk.
        chunk = next(iter(getattr(array, "chunks", None) or ()), None)
        self.chunk = max(chunk, default=None) if isinstance(chunk, tuple) else chunk
        self._array = array

    def read(self, start: int, stop: int, out: NDArray[Any]) -> None:
        """Write rows to where they go."""
        try:
            rows = np.asanyarray(computed(self._array[start:stop]))
        except MemoryError:
            raise
        except Exception as error:
            raise ValueError(f"{self.name}: rows {start} to {stop} cannot be read: {brief(error)}") from error
        refuse_masked(f"{self.name}: rows {start} to {stop}", rows)
        rows = np.asarray(rows)
        if rows.shape != out.shape:
            got = f"an array of shape {rows.shape}"
            raise ValueError(f"{self.name}: rows {start} to {stop} must be of shape {out.shape}, got {got}")
        kind = rows.dtype.kind
        if kind not in REAL or (kind == "f" and self.dtype.kind != "f"):
            raise TypeError(
                f"{self.name}: rows {start} to {stop} must be of {self.dtype}, as their array is, "
                f"got {rows.dtype}"
            )
        _convert(self.name, rows, out)


class Stack:
    """Arrays that follow each other.

    Attributes
    ----------
    name : str
        The argument.
    shape : tuple of int
        Of one row.
    rows : int
        Of all of them.
    ranges : list of (int, int)
        Where each begins and ends.
    dtypes : list of dtype
        Of each.
    files : list of str
        The names of those that are files, without their folders.
    chunk : int or None
        How many rows each is stored in, where the first one tells.
    """

    def __init__(self, name: str, segments: list[Segment]) -> None:
        self.name = name
        self._segments = segments
        self.shape = segments[0].shape[1:]
        self.dtypes = [segment.dtype for segment in segments]
        self.files = [os.path.basename(each.name) for each in segments if isinstance(each, NpyFile)]
        ends = np.cumsum([segment.shape[0] for segment in segments]).tolist()
        self.rows = ends[-1]
        self.ranges = list(zip([0, *ends], ends, strict=False))
        self.chunk: int | None = getattr(segments[0], "chunk", None)

    def read(self, start: int, stop: int, out: NDArray[Any]) -> None:
        """Write rows to where they go, and refuse what cannot be learnt from."""
        for segment, (first, end) in zip(self._segments, self.ranges, strict=True):
            low, high = max(start, first), min(stop, end)
            if low >= high:
                continue
            rows = out[low - start : high - start]
            segment.read(low - first, high - first, rows)
            odd = first_odd(rows, low=0.0 if self.name == "sample_weight" else -np.inf)
            if odd is not None:
                accepted = "finite and not negative" if self.name == "sample_weight" else "finite"
                where = f"row {low - first + odd}"
                raise ValueError(f"{segment.name}: {where} must be {accepted}, got {shown(rows[odd])}")


def stack_of(name: str, given: Any, dimensions: tuple[int, ...]) -> Stack:
    """Arrays that follow each other, checked for having one form."""
    segments: list[Segment] = []
    for one in given if isinstance(given, list | tuple) else [given]:
        segments += _segments(name, one)
    if not segments:
        raise ValueError(f"{name} must be at least one array or path, got none")
    first = segments[0]
    for segment in segments:
        if segment.dtype.kind not in REAL:
            raise TypeError(f"{segment.name}: {name} must be of real numbers, got dtype {segment.dtype}")
        if len(segment.shape) not in dimensions:
            expected = " or ".join(map(str, dimensions))
            raise ValueError(
                f"{segment.name}: {name} must have {expected} dimensions, got shape {segment.shape}"
            )
        if segment.shape[1:] != first.shape[1:]:
            expected = f"(n, {', '.join(map(str, first.shape[1:]))})"
            raise ValueError(
                f"{segment.name}: {name} must be of shape {expected} as {first.name}, got {segment.shape}"
            )
        if name == "y" and (segment.dtype.kind == "f") != (first.dtype.kind == "f"):
            raise ValueError(
                f"{segment.name}: y must be whole numbers or not as {first.name}, got {segment.dtype}"
            )
    return Stack(name, segments)


def _segments(name: str, given: Any) -> list[Segment]:
    if isinstance(given, str | os.PathLike):
        return [NpyFile(path) for path in files_of(name, given, ".npy")]
    if is_sparse(given):
        raise TypeError(f"{name} must be arrays with all their numbers, got a sparse matrix")
    if not all(hasattr(given, each) for each in ("shape", "dtype", "__getitem__")):
        raise TypeError(f"{name} must be arrays or paths of .npy files, got {shown(given)}")
    if not all(isinstance(length, int | np.integer) for length in given.shape):
        raise ValueError(f"{name} must be arrays whose number of rows is known, got {shown(given)}")
    if isinstance(given, np.ma.MaskedArray) or not _is_numpys(given.dtype):
        given = array(name, given)
    return [Sliced(name, given)]


def _is_numpys(dtype: Any) -> bool:
    """Whether it is a dtype of NumPy's, or names one; those of pandas, polars and PyTorch are none."""
    if isinstance(dtype, np.dtype):
        return True
    try:
        known: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        return False
    return known.kind != "O"


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"there is no version {version[0]}.{version[1]} of the format")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(file)
    except MemoryError:  # Python's own, about what is nested too deep
        raise ValueError("the header is not that of an array") from None
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"there is no shape {shape}")
    return shape, fortran and len(shape) > 1, dtype


def _in_words(shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any]) -> str:
    return f"{dtype} of shape {shape}{', column by column' if fortran else ''}"


def _bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return int(np.prod(shape, dtype=object)) * dtype.itemsize


def _convert(name: str, rows: NDArray[Any], out: NDArray[Any]) -> None:
    try:
        with np.errstate(over="raise"):
            out[...] = rows
    except FloatingPointError:
        largest = np.abs(rows[np.isfinite(rows)]).max()
        raise ValueError(
            f"{name}: numbers must be within the range of {out.dtype}, got {largest:.3g}"
        ) from None

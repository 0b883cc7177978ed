"""Arrays of numbers from what users have: lists, arrays of any dtype, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import kind_of, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LINE = 64  # bytes of a cache line


def array(name: str, given: Any) -> NDArray[Any]:
    """What was given as an array ; a table of several kinds of columns as one of numbers."""
    try:
        given = computed(given)
        converted = np.asarray(given)
    except (TypeError, ValueError, OverflowError) as error:  # of rows of unequal length, mostly
        raise ValueError(f"{name} must be an array, got {type(given).__name__}: {_brief(error)}") from None
    refuse_masked(name, given)
    if converted.dtype.kind != "O":
        return converted
    if getattr(given, "columns", None) is not None and converted.ndim == 2:
        return _table(name, given)
    return _column(given, converted)


def computed(given: Any) -> Any:
    """What an array of Dask's stands for, in memory: as an array of NumPy's it would drop a mask."""
    compute = getattr(given, "compute", None)
    return compute() if callable(compute) else given


def refuse_masked(name: str, given: Any) -> None:
    """Refuse an array, or arrays in a list, that hide something: NumPy would bring it to light."""
    arrays = given if isinstance(given, list | tuple) else (given,)
    masked = sum(
        int(np.ma.getmaskarray(each).sum()) for each in arrays if isinstance(each, np.ma.MaskedArray)
    )
    if masked:
        hint = "fill them in, or leave their rows out"
        raise ValueError(f"{name} must be an array without masked elements, got {masked} of them: {hint}")


def numbers(name: str, given: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Real numbers of that dtype, C-contiguous; the array itself where it is what is wanted."""
    # As it is in most loops: the rest takes longer than a small network.
    if type(given) is np.ndarray and given.dtype == dtype and given.ndim and is_ready(given):
        return given
    converted = array(name, given)
    if converted.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers, got {_what(given, converted)}")
    try:
        with np.errstate(over="raise"):
            return contiguous(converted, dtype)
    except FloatingPointError:
        largest = np.abs(converted[np.isfinite(converted)]).max()
        raise ValueError(
            f"{name} must be within the range of {dtype}, got numbers as large as {largest:.3g}"
        ) from None


def is_ready(given: NDArray[Any]) -> bool:
    """Whether an array's memory is as the core takes it."""
    flags = given.flags
    return flags.c_contiguous and flags.aligned


def contiguous(given: NDArray[Any], dtype: Any = None) -> NDArray[Any]:
    """An array in C order, aligned in memory: itself where it is so, as nearly all are."""
    ready = np.ascontiguousarray(given, dtype=dtype)
    return ready if ready.flags.aligned else ready.copy()


def _what(given: Any, converted: NDArray[Any]) -> str:
    if converted.dtype.kind != "O":
        return f"dtype {converted.dtype}"
    return shown(given) if converted.ndim == 0 else f"dtype object: {_first_odd(converted)}"


def _first_odd(objects: NDArray[Any]) -> str:
    """The first element that is no number, if any."""
    odd = (each for each in objects.flat if isinstance(each, bool) or not isinstance(each, int | float))
    return shown(next(odd, objects.flat[0] if objects.size else None))


def _column(given: Any, converted: NDArray[Any]) -> NDArray[Any]:
    """A column whose dtype NumPy does not know, such as pandas' integers that may be missing."""
    kind = kind_of(given)
    if kind in "fiub" and hasattr(given, "to_numpy"):
        missing = {"na_value": np.nan} if kind != "b" or given.isna().any() else {}
        filled: NDArray[Any] = given.to_numpy(dtype=np.float64, **missing)
        return filled
    return converted


def _table(name: str, given: Any) -> NDArray[Any]:
    """A table column by column, which may be booleans beside numbers; the first that is neither is named."""
    columns = []
    # What pyarrow calls columns are the arrays themselves.
    labels = getattr(given, "column_names", given.columns)
    for number, label in enumerate(labels):
        values = given.iloc[:, number] if hasattr(given, "iloc") else given[label]
        column = _column(values, np.asarray(values))
        if column.dtype.kind not in "fiub":
            kind = getattr(values, "dtype", getattr(values, "type", column.dtype))
            raise TypeError(f"{name} must be a table of real numbers, got column {label!r} of dtype {kind}")
        columns.append(column)
    return np.column_stack(columns)


def _brief(error: Exception) -> str:
    text = str(error)
    return text if len(text) <= 200 else f"{text[:197]}..."


def zeros_on_lines(count: int, dtype: Any) -> NDArray[Any]:
    """
    Zeros that begin with a cache line, as NumPy's large arrays never do.

    A processor reads and writes a register of them in one line then, not in parts of two.
    """
    dtype = np.dtype(dtype)
    zeros = np.zeros(count + _LINE // dtype.itemsize, dtype)
    first = -zeros.ctypes.data % _LINE // dtype.itemsize
    # By way of a buffer, so that the base of its views is the vector itself.
    return np.frombuffer(zeros[first : first + count].data, dtype)


def on_lines(vector: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """A copy that begins with a cache line."""
    copy = zeros_on_lines(vector.size, dtype)
    copy[:] = vector
    return copy

"""What scikit-learn would convert without a word, and what its words leave out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, InvalidParameterError
from sklearn.utils.validation import _check_sample_weight, check_array

from .._arrays import refuse_masked
from .._checks import SHOWN, kind_of, shown
from .._sparse import check_sound, is_sparse
from ._labels import expect_no_missing

# What NumPy would make numbers of.
ODD = {"M": "dates", "m": "durations", "V": "records"}
# Real numbers that NumPy and scikit-learn compute with.
_MACHINES: tuple[type, ...] = (float, np.number, np.bool_)
# What helps against what a network cannot read.
TABLES = "schuss.TabularClassifier and TabularRegressor take tables as they are"
ENCODE = f"text needs sklearn.preprocessing.OneHotEncoder before the network; {TABLES}"
FILL = f"missing values need sklearn.impute.SimpleImputer before the network; {TABLES}"
# How much is shown of an error that is not one of ours.
LONGEST = 300


def check_given(*, dates: bool = False, **given: Any) -> None:
    """Refuse masked arrays, whose mask would be dropped, and dates, which would be nanoseconds since 1970.

    Labels may be `dates`, and none of them is missing.
    """
    for name, value in given.items():
        refuse_masked(name, value)
        if is_sparse(value):
            check_sound(name, value)
        is_number = name.startswith("sample_weight") and _is_real(value)
        if not (value is None or is_number or _is_sequence(value)):
            raise TypeError(f"{name} must be array-like, with a row for each sample, got {shown(value)}")
        if _has_mappings(value):
            helps = f": pandas.DataFrame(X) is; {TABLES}" if name.startswith("X") else ""
            raise TypeError(
                f"{name} must be array-like, with a row for each sample, got mappings: {shown(value)}{helps}"
            )
        for place, kind in _kinds(value):
            if kind == "c":
                raise ValueError(f"Complex data not supported: {name} must be real numbers{place}")
            if kind in ODD and not dates:
                raise TypeError(f"{name} must be numbers, got {ODD[kind]}{place}")
        if name.startswith("sample_weight") and _has_text(value):
            raise TypeError(f"{name} must be numbers, got text")
        if dates and not is_sparse(value):
            expect_no_missing(name, value)


def check_parameter(estimator: Any, name: str, value: Any, constraints: Any) -> None:
    """Refuse what scikit-learn takes for a number though it is none, and what its words cannot show."""
    accepted = None
    of_numbers = [each.type for each in constraints if isinstance(each, Interval)]
    if isinstance(value, str | bytes) and len(value) > SHOWN:
        accepted = "text that is shorter"
    elif of_numbers and isinstance(value, bool | np.bool_):
        accepted = None if {"boolean", "verbose"} & {*map(str, constraints)} else "a number"
    elif isinstance(value, np.timedelta64):
        accepted = "a number without a unit" if of_numbers else "of another type"
    elif isinstance(value, int):
        accepted = None if value.bit_length() < 1024 else "a number in the range of float"
    elif isinstance(value, Real) and not isinstance(value, _MACHINES):
        accepted = "an int or a float"
    elif not callable(value):
        try:
            repr(value)
        except Exception:
            accepted = "something that can be shown"
    if accepted is not None:
        kind = type(estimator).__name__
        got = shown(value)
        words = f"The {name!r} parameter of {kind} must be {accepted}. Got {got} instead."
        raise InvalidParameterError(words)


def _kinds(value: Any) -> Iterator[tuple[str, str]]:
    """The kinds of the dtypes of an array or a table."""
    if hasattr(value, "column_names") and hasattr(value, "schema"):  # what pyarrow calls columns are arrays
        labels, dtypes = value.column_names, value.schema.types
    elif getattr(value, "columns", None) is not None and hasattr(value, "dtypes"):
        labels, dtypes = value.columns, value.dtypes
    else:
        kind = _kind(getattr(value, "dtype", getattr(value, "type", None)))
        yield "", _kind_of_objects(value) if kind == "O" else kind
        return
    for label, dtype in zip(labels, dtypes, strict=False):
        yield f" in column {label!r}", _kind(dtype)


def _kind(dtype: Any) -> str:
    """The kind of a dtype as NumPy writes it, also of polars' and Arrow's, which have only names."""
    kind = getattr(dtype, "kind", None)
    if isinstance(kind, str):
        return kind
    name = str(dtype).lower()
    return "m" if name.startswith("duration") else "M" if name.startswith(("date", "time")) else "O"


def _kind_of_objects(value: Any) -> str:
    """Whether objects are NumPy's dates or durations, by the first row: it makes numbers of those."""
    if isinstance(value, np.ndarray):
        value = value[:1].tolist() if value.ndim else []
    if not isinstance(value, list | tuple):
        return "O"
    try:
        kind = np.asarray(value[:1]).dtype.kind
    except Exception:  # said where all of it is read
        return "O"
    return kind if kind in "mM" else "O"


def _is_sequence(value: Any) -> bool:
    """Whether it may be an array, or something to make one of."""
    has_entries = any(hasattr(value, name) for name in ("__len__", "__array__", "shape"))
    return has_entries and not isinstance(value, str | bytes)


def _has_mappings(value: Any) -> bool:
    """Whether it is columns by name, or rows by name: NumPy takes a mapping for a number."""
    if is_sparse(value):  # a dictionary of keys is a dict
        return False
    return isinstance(value, Mapping) or (
        isinstance(value, list | tuple) and len(value) > 0 and isinstance(value[0], Mapping)
    )


def _has_text(value: Any) -> bool:
    """Whether it is text, or has some in it: NumPy reads numbers from that."""
    if kind_of(value) not in tuple("OUST"):
        return False
    with suppress(ValueError):  # rows of different lengths
        array = np.asarray(value)
        return array.dtype.kind in "UST" or (
            array.dtype.kind == "O" and any(isinstance(each, str | bytes) for each in array.flat)
        )
    return False


def _is_real(value: Any) -> bool:
    """Whether it is a number that a float can be made of, the same for all rows."""
    return value.bit_length() < 1024 if isinstance(value, int) else isinstance(value, Real)


def weights_of(name: str, given: Any, X: Any, *, may_be_zero: bool = False) -> NDArray[Any]:
    """The weights of rows, one for each: finite, not negative, and not all zero, where that may not be."""
    check_given(**{name: given})
    if may_be_zero and np.shape(given) == (X.shape[0],) and not np.any(given):
        return np.zeros(X.shape[0])
    with naming(name):
        weights: NDArray[Any] = _check_sample_weight(given, X, ensure_non_negative=True)
    # Of one number for all rows, scikit-learn looks at nothing.
    if not (weights.min() >= 0 and 0 < weights.max() < np.inf):
        raise ValueError(f"{name} must be finite, not negative and not all zero, got {shown(given)}")
    return weights


def weighed_by(estimator: Any, sample_weight: Any) -> str:
    """The arguments that the weights of rows come from, where there are weights."""
    given = {"sample_weight": sample_weight, "class_weight": getattr(estimator, "class_weight", None)}
    return " and ".join(name for name, value in given.items() if value is not None)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Name the argument in errors of scikit-learn's that do not."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if name in str(error):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}") from error


@contextmanager
def naming_rows(X: Any, y: Any = None) -> Iterator[None]:
    """Name X, its column that holds text, or the targets, in errors that do not."""
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        text = str(error)
        if text.startswith("Input X contains NaN"):
            raise ValueError(f"Input X contains NaN: {FILL}") from error
        if text.startswith("Feature names are only supported"):
            raise
        column = _column_of_text(X)
        if not column and re.search(r"\b[Xy]\b|sample|feature", text):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        name = "y" if y is not None and _is_accepted(X) else f"X{column}"
        helps = f"; {ENCODE}" if column else ""
        raise kind(f"{name}: {text[:LONGEST]}{helps}") from error


def _is_accepted(X: Any) -> bool:
    try:
        check_array(X, accept_sparse=["csr"], dtype=(np.float64, np.float32))
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _converts(value: Any) -> bool:
    try:
        np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _column_of_text(value: Any) -> str:
    if getattr(value, "columns", None) is None or not hasattr(value, "dtypes"):
        return ""
    for label, dtype in zip(value.columns, value.dtypes, strict=False):
        if getattr(dtype, "kind", "") in ("O", "U") and not _converts(value[label]):
            return f", column {label!r}"
    return ""

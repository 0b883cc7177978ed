"""The labels of rows that are not all in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import column_or_1d

from .._warn import warn

Array = NDArray[Any]

Labels: TypeAlias = list[tuple[Array, Array]]
"""For each column of y its labels, sorted, and how often each is there."""


def without_column(y: Any) -> Array:
    """Targets as an array; one column is none.

    Of pandas' numbers that may be missing it is floats, which scikit-learn makes of them.
    """
    dtypes = [y.dtype] if hasattr(y, "dtype") else list(getattr(y, "dtypes", ()))
    may_be_missing = any(hasattr(dtype, "na_value") and dtype.kind in "biuf" for dtype in dtypes)
    values = np.asarray(y, np.float64 if may_be_missing else None)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def column_of(y: Array) -> Array:
    """Targets whose only column is none, which is warned of in scikit-learn's words."""
    if y.ndim != 2 or y.shape[1] != 1:
        return y
    column: Array = column_or_1d(y)
    warn(
        "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
        "(n_samples, ), for example using ravel().",
        DataConversionWarning,
    )
    return column


def plain_texts(labels: Array) -> Array:
    """Labels of which the texts are plain ones: members of an Enum are equal to those, NumPy's texts not."""
    if labels.dtype.kind != "O" or not {type(label) for label in labels.flat if isinstance(label, str)} - {
        str
    }:
        return labels
    texts = [str.__str__(label) if isinstance(label, str) else label for label in labels.flat]
    return np.fromiter(texts, dtype=object, count=len(texts)).reshape(labels.shape)


def expect_no_missing_date(name: str, labels: Array) -> None:
    """Refuse a date or duration that is missing, which scikit-learn takes for a class."""
    if labels.dtype.kind in "mM" and np.isnat(labels).any():
        raise ValueError(f"Input {name} contains NaN: a missing date is no class")


def expect_no_missing(name: str, labels: Any) -> None:
    """Refuse labels that are missing among objects, which cannot be compared with the others."""
    if hasattr(labels, "to_pylist") and getattr(labels, "null_count", None):
        labels = labels.to_pylist()  # Arrow's own array of a dictionary may lose what is missing
    try:
        values = np.asarray(labels, object if isinstance(labels, list | tuple) else None)
    except Exception:  # said where all of it is read
        return
    if values.dtype.kind not in "OT" or not values.ndim or not values.size:
        return
    gaps = np.array(list(map(_is_missing, values.astype(object).flat)))
    if missing := int(gaps.reshape(len(values), -1).any(axis=1).sum()):
        raise ValueError(f"Input {name} contains NaN: in {missing} of {len(values)} rows a label is missing")


def _is_missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except (TypeError, ValueError, ArithmeticError):  # of pandas.NA, arrays, and NaN that signals
        return type(label).__name__ == "NAType"


def labels_of(y: Array) -> Labels:
    """The labels of some rows."""
    columns = [y] if y.ndim == 1 else list(y.T)
    try:
        return [np.unique(column, return_counts=True) for column in columns]
    except TypeError as error:
        raise _no_one_kind(error) from None


def _no_one_kind(error: TypeError) -> TypeError:
    return TypeError(f"y must be labels of one kind, which can be sorted: {error}")


def merged(parts: Sequence[Labels]) -> Labels:
    """The labels of all rows."""
    found = []
    for columns in zip(*parts, strict=True):
        kinds = {values.dtype.kind for values, _ in columns}
        # NumPy would make text of numbers that are beside text, which no row has.
        dtype = object if len(kinds) > 1 and kinds & {"U", "S"} else None
        counts = np.concatenate([counts for _, counts in columns])
        try:
            values = np.concatenate([values for values, _ in columns], dtype=dtype)
            labels, places = np.unique(values, return_inverse=True)
        except TypeError as error:
            raise _no_one_kind(error) from None
        found.append((labels, np.bincount(places.ravel(), weights=counts, minlength=len(labels))))
    return found


def with_all(labels: Labels, dimensions: int) -> Array:
    """Made-up targets with all labels, each of them at least twice."""
    most = max(len(values) for values, _ in labels)
    columns = [np.resize(np.repeat(values, 2), 2 * most) for values, _ in labels]
    return columns[0] if dimensions == 1 else np.stack(columns, axis=1)


def balanced(labels: Labels) -> Any:
    """The weights of classes that make them count alike, as scikit-learn has them."""
    if len(labels) > 1:  # which may hold at once, and are on where they are not zero
        labels = merged([[((values != 0).astype(int), counts) for values, counts in labels]])
    weights = [
        dict(zip(values.tolist(), counts.sum() / (len(values) * counts), strict=True))
        for values, counts in labels
    ]
    return weights[0] if len(weights) == 1 else weights

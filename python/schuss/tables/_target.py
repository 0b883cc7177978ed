"""The column that is to be predicted: as numbers for the network, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning

from .._checks import check_name, shown
from .._extras import needed
from .._warn import warn
from ._numbers import Floats
from ._scaling import Quantiles
from ._values import (
    FLAG,
    LARGEST,
    MISSING,
    NUMERIC,
    TEXT,
    WHOLE,
    families,
    family,
    floats_of,
    key_of,
    number_of,
    reads_as_number,
    text_of,
)

TRANSFORMS = ("log", "quantile", "auto")
# A target is skewed where the third moment says so, and its logarithm is better where it halves that.
SKEWED, BETTER = 1.0, 0.5
# What objects may be that are numbers to predict.
KNOWN = {NUMERIC, MISSING, FLAG}


def vector(y: Any, name: str = "y") -> np.ndarray[Any, Any]:
    """`y` as a 1-dimensional array: an array, a list, or a column of pandas, polars or pyarrow."""
    if y is None:
        raise ValueError(
            f"{name} must be given: this estimator requires y to be passed, but the target y is None"
        )
    if hasattr(y, "tocsr") or hasattr(y, "tocoo"):
        raise TypeError(f"{name} must be dense, got a sparse {type(y).__name__}: y.toarray().ravel() is")
    if isinstance(y, str | bytes | Mapping | Set) or not (_has_array(y) or isinstance(y, Iterable)):
        raise TypeError(f"{name} must be an array, a list or a column of a data frame, got {shown(y)}")
    if isinstance(y, np.ma.MaskedArray):
        _refuse_missing(int(np.ma.getmaskarray(y).sum()), len(y))
    if isinstance(y, np.ndarray | list | tuple):
        values = y
    else:
        values = _of_series(y, name) if _has_array(y) else list(y)
    try:
        array = np.asarray(values)
    except ValueError:
        bad = next((each for each in values if np.ndim(each)), values)
        raise ValueError(f"{name} must have single values, got {shown(bad)}") from None
    if isinstance(values, list | tuple) and (array.dtype.kind in "USO" or _is_rounded(array)):
        # A list of text and None would else become text, and one of very long integers floats.
        array = np.fromiter(values, dtype=object, count=len(values)) if array.ndim == 1 else array
    if array.ndim == 2 and array.shape[1] == 1:
        said = "A column-vector y was passed when a 1d array was expected: its only column is taken"
        warn(said, DataConversionWarning)
        array = array[:, 0]
    if array.ndim != 1:
        hint = ": for several targets, fit an estimator for each" if array.ndim == 2 else ""
        raise ValueError(f"{name} must have 1 dimension, got shape {array.shape}{hint}")
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has {array.dtype}")
    if array.dtype.kind == "T":
        # NumPy's text of any length has missing values of its own, and is known to nobody else.
        array = array.astype(object)
    if not len(array):
        raise ValueError(f"{name} must have at least 1 value, got none")
    return array


def _is_rounded(array: np.ndarray[Any, Any]) -> bool:
    return array.dtype.kind == "f" and bool((np.abs(array) >= WHOLE).any())


def _has_array(y: Any) -> bool:
    return hasattr(y, "__array__") or hasattr(y, "to_numpy")


def _of_series(y: Any, name: str) -> np.ndarray[Any, Any]:
    if getattr(y, "num_columns", 0):
        # Arrow's own array of a table loses what is missing in a dictionary.
        return np.stack([_of_series(column, name) for column in y.columns], axis=1)
    # Columns of Arrow have a type where others have a dtype.
    if getattr(y, "ndim", 1) != 1 or not (hasattr(y, "dtype") or hasattr(y, "type")):
        return np.asarray(y)
    with needed(f"reading {name} from a {type(y).__name__}", "narwhals", "sklearn"):
        import narwhals as nw
    if hasattr(y, "to_pylist") and not hasattr(y, "chunks"):
        import pyarrow

        y = pyarrow.chunked_array([y])
    series = nw.from_native(y, series_only=True, pass_through=True)
    if not isinstance(series, nw.Series):
        return np.asarray(y)
    codes = isinstance(series.dtype, nw.Categorical | nw.Enum) and series.implementation.is_pyarrow()
    zoned = isinstance(series.dtype, nw.Datetime) and series.dtype.time_zone is not None
    if codes or zoned or isinstance(series.dtype, nw.Int128 | nw.UInt128):
        return np.fromiter(series.to_list(), dtype=object, count=len(series))
    return np.asarray(series.to_numpy())


class RegressionTarget:
    """A target as standardised numbers, and predictions back in its unit.

    Parameters
    ----------
    transform : None, "log", "quantile" or "auto", default None
        What comes before: nothing, the natural logarithm, or the scores of a normal distribution by ranks.
        "auto" takes the logarithm where all targets are positive, their skewness (third standardised moment)
        is above 1, and that of their logarithm at most half of it and at most 1. Means of logarithms
        are not logarithms of means: predictions then are closer to the median, which costs RMSE where there
        is much noise.

    Attributes
    ----------
    chosen : None, "log" or "quantile"
    mean, std : float
        Of the transformed targets; a target of one value has 1 for `std`.
    low, high : float
        The range of the targets, to which predictions are clamped.
    """

    chosen: str | None

    def __init__(self, transform: str | None = None) -> None:
        if transform is not None and check_name("transform", transform, TRANSFORMS) not in TRANSFORMS:
            raise ValueError(f"transform must be None or one of {', '.join(TRANSFORMS)}, got {transform!r}")
        self.transform_name = transform

    def fit(self, y: Any) -> RegressionTarget:
        """Learn the target."""
        numbers = target_numbers(y)
        self.low, self.high = float(numbers.min()), float(numbers.max())
        self.chosen = self._choice(numbers)
        self.quantiles: Quantiles | None = None
        if self.chosen == "log" and self.low <= 0:
            raise ValueError(f'target_transform="log" needs a target above 0, got {self.low:g}')
        if self.chosen == "quantile":
            if 0 < self.high - self.low < 1 / LARGEST:
                got = f"from {self.low:g} to {self.high:g}"
                raise ValueError(f'target_transform="quantile" needs a target that varies more, got {got}')
            self.quantiles = Quantiles().fit(numbers.reshape(-1, 1))
        self.mean, self.std = _moments(self._bent(numbers))
        return self

    def _choice(self, numbers: Floats) -> str | None:
        if self.transform_name != "auto":
            return self.transform_name
        if self.low <= 0 or self.low == self.high:
            return None
        skew = _skewness(numbers)
        if skew <= SKEWED:
            return None
        return "log" if abs(_skewness(np.log(numbers))) <= min(BETTER * skew, SKEWED) else None

    def _bent(self, numbers: Floats) -> Floats:
        if self.chosen == "log":
            return np.log(numbers)
        if self.quantiles is not None:
            return _interpolated(numbers, *self.knots)
        return numbers

    @property
    def knots(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Targets, and their scores, of the transform "quantile"."""
        assert self.quantiles is not None
        knots = self.quantiles.knots[0]
        assert knots is not None
        return knots

    def transform(self, y: Any) -> Floats:
        """Targets as the network has them."""
        numbers = target_numbers(y)
        if self.chosen == "log" and numbers.min() <= 0:
            raise ValueError(f"y must be above 0, as it was in fit, got {numbers.min():g}")
        return (self._bent(numbers) - self.mean) / self.std

    def fit_transform(self, y: Any) -> Floats:
        """`fit` and `transform` of the same targets."""
        return self.fit(y).transform(y)

    def inverse(self, z: np.ndarray[Any, Any], clamps: bool = True) -> Floats:
        """Predictions of the network in the target's unit; where `clamps`, within the range seen in `fit`."""
        with np.errstate(over="ignore"):
            bent = np.asarray(z, dtype=np.float64) * self.std + self.mean
            if self.chosen == "log":
                bent = np.exp(bent)
            elif self.chosen == "quantile":
                at, scores = self.knots
                bent = _interpolated(bent, scores, at)
        return np.clip(bent, self.low, self.high) if clamps else bent

    def get_state(self) -> dict[str, Any]:
        """What `from_state` makes it of."""
        quantiles = None if self.quantiles is None else self.quantiles.get_state()
        names = ("transform_name", "chosen", "mean", "std", "low", "high")
        return {name: getattr(self, name) for name in names} | {"quantiles": quantiles}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> RegressionTarget:
        """The target whose state this is."""
        target = cls(state["transform_name"])
        for name in ("chosen", "mean", "std", "low", "high"):
            setattr(target, name, state[name])
        quantiles = state["quantiles"]
        target.quantiles = None if quantiles is None else Quantiles.from_state(quantiles)
        return target


def _interpolated(x: Floats, at: Floats, values: Floats) -> Floats:
    """`numpy.interp`, which beyond both ends goes on as steep as it is on average."""
    found = np.asarray(np.interp(x, at, values))
    if len(at) > 1:
        slope = (values[-1] - values[0]) / (at[-1] - at[0])
        found += slope * (np.minimum(x - at[0], 0) + np.maximum(x - at[-1], 0))
    return found


def target_numbers(y: Any) -> Floats:
    """`y` as finite float64."""
    values = vector(y)
    if values.dtype.kind in "fiub":
        numbers = floats_of(values)
    elif values.dtype.kind == "O" and families(values.tolist()) <= KNOWN:
        numbers = np.array([number_of(value) for value in values.tolist()])
    else:
        raise _no_numbers(values)
    _refuse_missing(int(np.isnan(numbers).sum()), len(numbers))
    _refuse_infinite(int(np.isinf(numbers).sum()))
    if (too_large := np.abs(numbers) > LARGEST).any():
        got = f"{shown(values[too_large].tolist()[0])} in {too_large.sum()} rows"
        raise ValueError(
            f"y contains a number too large to compute with: it must be within {LARGEST:g}, got {got}"
        )
    return numbers


def _no_numbers(values: np.ndarray[Any, Any]) -> ValueError:
    listed = values.tolist() if values.dtype.kind in "OUS" else list(values[:1])
    bad = next((value for value in listed if family(type(value)) not in KNOWN), listed[0])
    is_text = isinstance(bad, str | bytes) and reads_as_number(text_of(bad))
    hint = ", which is text: y.astype(float) makes numbers of it" if is_text else ""
    return ValueError(f"y must have numbers for a regression, got {shown(bad)}{hint}")


def _refuse_missing(missing: int, count: int) -> None:
    if missing:
        raise ValueError(f"Input y contains NaN: in {missing} of {count} rows the target is missing")


def _refuse_infinite(count: int) -> None:
    if count:
        raise ValueError(
            f"Input y contains infinity or a value too large for dtype('float64'), in {count} rows"
        )


def _moments(numbers: Floats) -> tuple[float, float]:
    """Mean and standard deviation, of numbers of any size."""
    largest = float(np.abs(numbers).max()) or 1.0
    # In an order of their own, for the same bits in any other.
    unit = np.sort(numbers) / largest
    mean, std = float(unit.mean()) * largest, float(unit.std()) * largest
    # Rounding makes a constant vary a little.
    constant = numbers.min() == numbers.max() or std == 0
    return (float(numbers[0]), 1.0) if constant else (mean, std)


def _skewness(numbers: Floats) -> float:
    mean, std = _moments(numbers)
    return float((((numbers - mean) / std) ** 3).mean())


class ClassTarget:
    """A target as codes 0, 1, ... of its sorted classes."""

    classes: np.ndarray[Any, Any]
    # The keys of labels that were seen, and not learnt.
    lost: Sequence[str] = ()

    def fit(self, y: Any) -> ClassTarget:
        """Learn the classes."""
        self.fit_transform(y)
        return self

    def fit_transform(self, y: Any) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Learn the classes, and give the codes."""
        values = _labels(y)
        self.classes, codes = np.unique(values, return_inverse=True)
        if len(self.classes) == 1:
            raise ValueError(
                f"y must have at least 2 classes, got only one class, {shown(self.classes.tolist()[0])}"
            )
        # As scikit-learn does.
        if len(values) > 20 and len(self.classes) > len(values) / 2:
            said = f"y has {len(self.classes)} classes in {len(values)} rows: a regressor predicts numbers"
            warn(said)
        return codes.reshape(-1)

    def transform(self, y: Any) -> np.ndarray[Any, np.dtype[np.intp]]:
        """The codes of other labels, which must be among the classes."""
        codes = self.codes_of(y)
        if (codes < 0).any():
            given, place, where = vector(y), int(codes.argmin()), "in fit"
            if key_of(given[place]) in self.lost:
                where += " with a sample_weight above 0"
            raise ValueError(f"y must have classes that were {where}, got {shown(given.tolist()[place])}")
        return codes

    def codes_of(self, y: Any) -> np.ndarray[Any, np.dtype[np.intp]]:
        """The codes of other labels, -1 for what is no class; those of another type are refused."""
        values = _labels(y)
        if _type_of(values) != _type_of(self.classes):
            got, known = _listed(values)[0], shown(_listed(self.classes))
            raise TypeError(
                f"y must have labels of the type that classes_ has, {known}, "
                f"got {shown(got)}, of {type(got).__name__}"
            )
        values, classes = _alike(values, self.classes)
        places = {key_of(label): code for code, label in enumerate(classes.tolist())}
        return np.array([places.get(key_of(label), -1) for label in values.tolist()], dtype=np.intp)

    def lose(self, y: np.ndarray[Any, Any]) -> list[Any]:
        """The labels of rows that nothing is learnt from, as far as they are no classes."""
        values, classes = _alike(y, self.classes)
        known = {None, *map(key_of, classes.tolist())}
        found = {key: place for place, key in enumerate(map(key_of, values.tolist())) if key not in known}
        self.lost = [str(key_of(y[place])) for place in found.values()]
        return [y.tolist()[place] for place in found.values()]

    def inverse(self, codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The labels of codes."""
        return np.take(self.classes, codes)

    def get_state(self) -> dict[str, Any]:
        """What `from_state` makes it of: the classes as a list, with their dtype."""
        return {"classes": self.classes.tolist(), "dtype": self.classes.dtype.str}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ClassTarget:
        """The target whose state this is."""
        target = cls()
        target.classes = np.array(state["classes"], dtype=np.dtype(state["dtype"]))
        return target


def _type_of(labels: np.ndarray[Any, Any]) -> Any:
    """What labels are as a whole: flags and numbers may be equal, and so may moments in different units."""
    kind = labels.dtype.kind
    if kind == "O":
        found = _class_of(labels[0])
        return NUMERIC if found is FLAG else found
    return {"M": "M", "m": "m", "S": bytes, "U": TEXT}.get(kind, NUMERIC)


def _listed(labels: np.ndarray[Any, Any]) -> list[Any]:
    """Labels as people write them: moments in nanoseconds would be whole numbers."""
    return list(labels) if labels.dtype.kind in "mM" else labels.tolist()


def _alike(
    labels: np.ndarray[Any, Any], classes: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Both so that what is equal is called the same: moments in one unit, flags beside numbers as numbers."""
    kinds = {labels.dtype.kind, classes.dtype.kind}
    if kinds in ({"M"}, {"m"}):
        unit = np.promote_types(labels.dtype, classes.dtype)
        return labels.astype(unit).view(np.int64), classes.astype(unit).view(np.int64)
    if "b" in kinds and kinds & set("iuf"):
        return labels.astype(np.float64), classes.astype(np.float64)
    return labels, classes


# What objects may be that are classes; bytes are text that is not in one column with others.
ARE_CLASSES = {TEXT, bytes, FLAG, NUMERIC}
AS_TEXT = "y.astype(str) makes text of them"


def _labels(y: Any) -> np.ndarray[Any, Any]:
    values = vector(y)
    kind = values.dtype.kind
    if kind in "mM":
        _refuse_missing(int(np.isnat(values).sum()), len(values))
    elif kind == "f":
        _refuse_missing(int(np.isnan(values).sum()), len(values))
        _refuse_infinite(int(np.isinf(values).sum()))
        if (values != np.trunc(values)).any():
            raise ValueError(
                "Unknown label type: continuous. y must have classes, got numbers with fractions: "
                "a regressor predicts them"
            )
    elif kind == "V":
        raise _no_class(values[0])
    elif kind == "O":
        return _of_objects(values)
    return values


def _of_objects(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Objects that are labels, of one type for what is one: a nullable column of integers has objects."""
    listed = values.tolist()
    _refuse_missing(sum(key_of(value) is None for value in listed), len(listed))
    found = set(map(_class_of, listed))
    if not found <= ARE_CLASSES:
        raise _no_class(next(value for value in listed if _class_of(value) not in ARE_CLASSES))
    if len(found) > 1:
        kinds = sorted({type(value).__name__ for value in listed})
        raise TypeError(f"y must have classes of one type, got {', '.join(kinds)}: {AS_TEXT}")
    if found == {NUMERIC}:
        whole = all(isinstance(value, int | np.integer) for value in listed)
        return _integers(values) if whole else _labels(np.array([number_of(value) for value in listed]))
    if found == {bytes}:
        array = np.array(listed, dtype=np.bytes_)
        # NumPy has none that end in zeros.
        if array.tolist() != listed:
            raise _no_class(next(value for value in listed if value.endswith(b"\0")))
        return array
    if found == {TEXT}:
        return np.fromiter(map(text_of, listed), dtype=object, count=len(listed))
    return values.astype(bool) if found == {FLAG} else values


def _class_of(value: Any) -> Any:
    return bytes if isinstance(value, bytes) else family(type(value))


def _no_class(got: Any) -> TypeError:
    accepted = "text, bytes, True and False, whole numbers, or datetime64 or timedelta64 of NumPy"
    got = f"{shown(got)}, of {type(got).__name__}"
    return TypeError(f"y must have classes that are {accepted}, got {got}: {AS_TEXT}")


def _integers(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Integers as NumPy has them; where they need more than 64 bits, as they are."""
    low, high = int(min(values)), int(max(values))
    for dtype in (np.int64, np.uint64):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return values.astype(dtype)
    return values

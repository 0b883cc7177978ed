"""Columns of numbers: the median at 0, the quartiles one apart, what is missing in a column of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import shown
from ._scaling import spread_over
from ._values import (
    DATED,
    DURATION,
    FLAG,
    LARGEST,
    MISSING,
    NUMERIC,
    TEXT,
    TIME,
    families,
    family,
    floats_of,
    in_months,
    is_mark,
    is_nan,
    number_of,
    text_of,
)

Floats = np.ndarray[Any, np.dtype[np.float64]]

FAR = 1e18  # as far as scaled values go: their squares are numbers in float32 still
MOST_ROWS = 131_072  # that are put in order for a column's quartiles
APART_SHARE = 0.01  # of the rows that differ from a column's usual value, for an indicator of that
NEAR = 2.0**-24  # the part of a number that rounding to float32 moves it by, at most


def numbers_of(values: np.ndarray[Any, Any], name: str) -> Floats:
    """A new array of `values` as float64, NaN where one is missing; errors name the column."""
    kind = values.dtype.kind
    if kind in "fiub":
        numbers = floats_of(values)
    elif kind == "m" and in_months(values):
        raise ValueError(
            f"{name} has durations in months or years ({values.dtype}), which have no one length: "
            "convert them, or say columns={...: 'category'} or 'drop'"
        )
    elif kind == "m":
        numbers = values / np.timedelta64(1, "D")
    elif kind == "M" and np.isnat(values).all():  # what pandas makes of a column without a value
        numbers = np.full(len(values), np.nan)
    elif kind == "M":
        # As a list, those of nanoseconds would be whole numbers.
        raise ValueError(f"{name} must have numbers, got dates ({values.dtype})")
    else:
        numbers = _numbers_of_objects(values.tolist(), name)
    if not _all_within(numbers):
        bad = numbers[np.abs(numbers) > LARGEST][0]
        what = "infinity" if np.isinf(bad) else "a number too large to compute with"
        raise ValueError(f"{name} contains {what} ({bad:g}); inf is not accepted, NaN is a missing value")
    return numbers


def _all_within(numbers: Floats) -> bool:
    # fmin and fmax pass over NaN; where all are NaN they give it.
    if not numbers.size:
        return True
    with np.errstate(invalid="ignore"):
        low, high = np.fmin.reduce(numbers), np.fmax.reduce(numbers)
    return not (low < -LARGEST or high > LARGEST)


def _numbers_of_objects(values: Sequence[Any], name: str) -> Floats:
    found = families(values)
    if found <= {NUMERIC, FLAG}:
        return np.array([number_of(value) for value in values], dtype=np.float64)
    known: dict[Any, float] = {}
    numbers = np.empty(len(values))
    for place, value in enumerate(values):
        try:
            # Texts repeat, and look-ups are faster than reading them.
            number = known[value] if type(value) is str and value in known else number_of(value)
        except ValueError:
            what = "a date" if DATED in families([value]) else shown(value)
            raise ValueError(f"{name} must have numbers, got {what}") from None
        if type(value) is str:
            known[value] = number
        numbers[place] = number
    return numbers


# What columns of numbers are made of, and what else is read as such.
MEASURES: dict[str, set[str | None]] = {
    NUMERIC: {NUMERIC, FLAG, TEXT},
    DURATION: {DURATION},
    TIME: {TIME},
}


READ = set().union(*MEASURES.values())


def measure_of(values: np.ndarray[Any, Any]) -> str | None:
    """Whether a column has numbers, durations or times of day; None where it mixes them."""
    found = _known_families(values)
    return next((measure for measure, kinds in MEASURES.items() if found <= kinds), None)


def _check_measure(found: set[str | None], name: str, measure: str) -> None:
    """Refuse numbers where `fit` had durations, and the like: nobody knows their unit."""
    if wrong := (found & READ) - MEASURES[measure]:
        what = {NUMERIC: "numbers", DURATION: "durations", TIME: "times of day"}[measure]
        raise ValueError(f"{name} must have {what}, as in fit, got {' and '.join(sorted(map(str, wrong)))}")


def _known_families(values: np.ndarray[Any, Any]) -> set[str | None]:
    kind = values.dtype.kind
    if kind == "m":
        return set() if np.isnat(values).all() else {DURATION}
    if kind in "fiub":
        return set() if kind == "f" and np.isnan(values).all() else {NUMERIC}
    return _known_among(values.tolist())


def _known_among(values: list[Any]) -> set[str | None]:
    """What values are, without what is missing, or written as such."""
    found = families(values) - {MISSING}
    if TEXT in found and all(is_mark(text_of(value)) for value in values if family(type(value)) is TEXT):
        found = found - {TEXT}
    if DURATION in found and all(is_nan(value) for value in values if family(type(value)) is DURATION):
        found = found - {DURATION}
    return found


def are_merged(values: np.ndarray[Any, Any]) -> bool:
    """Whether there are numbers that differ where float64 has only one."""
    if values.dtype.kind in "iu":
        return bool(values.min() != values.max())
    known = values.tolist() if values.dtype.kind == "O" else []
    return len({value for value in known if family(type(value)) is NUMERIC and not is_nan(value)}) > 1


@dataclass(frozen=True)
class Scale:
    """`(x - centre) * factor`; `apart` where one value stands for half of the rows and more."""

    centre: float
    factor: float
    apart: bool = False

    def __call__(self, numbers: Floats) -> Floats:
        """The scaled numbers, in place; what was missing is 0, the median."""
        with np.errstate(over="ignore"):
            np.subtract(numbers, self.centre, out=numbers)
            np.multiply(numbers, self.factor, out=numbers)
        np.clip(numbers, -FAR, FAR, out=numbers)
        numbers[np.isnan(numbers)] = 0.0
        return numbers

    def one(self, number: float) -> float:
        """A single number scaled, bit for bit as among others."""
        return min(max((number - self.centre) * self.factor, -FAR), FAR) if number == number else 0.0

    def differs(self, numbers: Any) -> Any:
        """Whether numbers, one or many, are others than the centre; NaN is none.

        What float32 does not tell apart is the same: a file or another dtype may have rounded it.
        """
        return abs(numbers - self.centre) > self.near

    @property
    def near(self) -> float:
        """How far from the centre a number is still the same."""
        return NEAR * abs(self.centre)

    def get_state(self) -> list[float]:
        """What `from_state` makes it of."""
        return [self.centre, self.factor, self.apart]

    @classmethod
    def from_state(cls, state: Sequence[float]) -> Scale:
        """A scale as it was."""
        centre, factor, apart = state
        if not (np.isfinite(centre) and np.isfinite(factor)):
            raise ValueError(f"state must have finite scales, got {shown(state)}")
        return cls(float(centre), float(factor), bool(apart))


def quartiles(ordered: Floats) -> tuple[float, float, float]:
    """The quartiles of numbers in ascending order, by linear interpolation."""

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        # Between equals it is the very same number.
        return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))

    return at(0.25), at(0.5), at(0.75)


def fit_scale(known: Floats) -> Scale | None:
    """The scale for numbers that are known; None where all are the same.

    With quartiles that differ it is `1 / (q75 - q25)` around the median. Where they are equal, more than
    half of the rows have one value, the median; the scale is then that of the others: the larger one of the
    distance of their quartiles and of half their median distance from the usual value. A column of 0 and few
    1 is scaled to 0 and 2. Of more than 131,072 rows, some that are spread evenly tell the quartiles, if
    these differ.
    """
    if not len(known) or known.min() == known.max():
        return None
    ordered = np.sort(known[spread_over(len(known), MOST_ROWS)])
    low, middle, high = quartiles(ordered)
    if len(ordered) < len(known) and _is_usual(ordered, low, high):
        # What is rare must be seen in all rows.
        ordered = np.sort(known)
        low, middle, high = quartiles(ordered)
    apart, spread = False, high - low
    if _is_usual(ordered, low, high):
        others = ordered[Scale(middle, 1.0).differs(ordered)]
        # A single other value is told by the scaled column itself.
        apart = bool(len(others) >= APART_SHARE * len(ordered) and others[0] != others[-1])
        others = others if len(others) else ordered[ordered != middle]
        first, _, last = quartiles(others)
        spread = max(last - first, float(np.median(np.abs(others - middle))) / 2)
    with np.errstate(over="ignore", divide="ignore"):
        factor = float(np.float64(1) / np.float64(spread))
    # Differences below the smallest normal number are none.
    return Scale(middle, factor, apart) if np.isfinite(factor) else None


def _is_usual(ordered: Floats, low: float, high: float) -> bool:
    """Whether the middle half is one value, or it and what float32 makes of it."""
    if low == high:
        return True
    between = np.unique(ordered[np.searchsorted(ordered, low) : np.searchsorted(ordered, high, "right")])
    return len(between) == 2 and not Scale(low, 1.0).differs(high)


def known_of(numbers: Floats) -> Floats:
    """The numbers that are not missing."""
    missing = np.isnan(numbers)
    return numbers[~missing] if missing.any() else numbers


class NumberFeature:
    """A column of numbers as scaled values, with indicators for its usual value and for what is missing."""

    kind = "number"
    # Not told by earlier versions.
    measure: str | None = None

    def __init__(
        self, label: str, place: int, scale: Scale | None, missing: bool, measure: str | None = None
    ) -> None:
        self.label, self.place, self.scale, self.missing = label, place, scale, missing
        # The very string that families have.
        self.measure = next((each for each in MEASURES if each == measure), None)
        self.outputs: list[tuple[str, str]] = []
        if scale is not None:
            self.outputs.append((label, "value"))
            if scale.apart:
                self.outputs.append((f"{label} is not {scale.centre:g}", "apart"))
        if missing:
            self.outputs.append((f"{label} is missing", "missing"))

    @classmethod
    def fit(cls, which: tuple[str, int], numbers: Floats, measure: str | None) -> NumberFeature:
        """The feature of a whole column as float64, and what it was made of."""
        known = known_of(numbers)
        return cls(*which, fit_scale(known), missing=len(known) < len(numbers), measure=measure)

    def numbers(self, values: np.ndarray[Any, Any], name: str) -> Floats:
        """Some rows as a new array of float64, refused where they are not what they were in `fit`."""
        if self.measure is not None and not (self.measure is NUMERIC and values.dtype.kind in "fiub"):
            _check_measure(_known_families(values), name, self.measure)
        return numbers_of(values, name)

    def fill(self, values: np.ndarray[Any, Any], out: np.ndarray[Any, Any], name: str) -> None:
        """Write the outputs for some rows into the columns of `out`."""
        numbers = self.numbers(values, name)
        if self.missing:
            out[:, -1] = np.isnan(numbers)
        if self.scale is None:
            return
        if self.scale.apart:
            out[:, 1] = self.scale.differs(numbers)
        out[:, 0] = self.scale(numbers)

    def one(self, value: Any, out: list[float], name: str) -> None:
        """Append the outputs for a single value: the numbers of `fill`, bit for bit."""
        if type(value) is not float or self.measure is not NUMERIC:
            of = family(type(value))
            if self.measure is not None and of not in MEASURES[self.measure]:
                _check_measure(_known_among([value]), name, self.measure)
            try:
                value = number_of(value)
            except ValueError:
                raise ValueError(f"{name} must have numbers, got {shown(value)}") from None
        known = value == value
        if known and not -LARGEST <= value <= LARGEST:
            raise ValueError(f"{name} contains infinity or a number too large to compute with ({value:g})")
        if self.scale is not None:
            out.append(self.scale.one(value))
            if self.scale.apart:
                out.append(1.0 if self.scale.differs(value) else 0.0)
        if self.missing:
            out.append(0.0 if known else 1.0)

    def told(self) -> str:
        """What it does, for people."""
        if self.scale is None:
            return "a single value" + (", or missing" if self.missing else "")
        told = f"{self.scale.centre:.4g} is 0, {1 / self.scale.factor:.4g} more is 1"
        told += f", indicator of not {self.scale.centre:.4g}" if self.scale.apart else ""
        return told + (", indicator of missing" if self.missing else "")

    def get_state(self) -> dict[str, Any]:
        """What `from_state` makes it of."""
        return {
            "kind": "number",
            "label": self.label,
            "place": self.place,
            "scale": None if self.scale is None else self.scale.get_state(),
            "missing": self.missing,
            "measure": self.measure,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> NumberFeature:
        """A feature as it was."""
        scale = None if state["scale"] is None else Scale.from_state(state["scale"])
        return cls(state["label"], state["place"], scale, bool(state["missing"]), state.get("measure"))

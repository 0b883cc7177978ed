"""Columns of dates: days that have elapsed, and the parts of the calendar that vary."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import floor
from typing import Any

import numpy as np

from .._checks import shown
from ._numbers import Floats, Scale, fit_scale, known_of
from ._values import common_zone, day_comes_first, moment, text_of
from ._zones import NO_ZONE, ZoneError

Moments = np.ndarray[Any, np.dtype[np.datetime64]]
DAY, HOUR = np.timedelta64(1, "D"), np.timedelta64(1, "h")
YEAR_LENGTH = 365.2425
_DAY, _HOUR = 86_400e6, 3_600e6  # in microseconds


def order_of(values: np.ndarray[Any, Any]) -> bool | None:
    """Whether dates that are text have the day first, None where that is not asked or not told."""
    if values.dtype.kind == "M":
        return None
    return day_comes_first({text_of(value) for value in values.tolist() if isinstance(value, str | bytes)})


def moments_of(
    values: np.ndarray[Any, Any], name: str, day_first: bool | None, zone: str | None = None
) -> Moments:
    """`values` as dates to the microsecond, NaT where one is missing; errors name the column.

    Objects and texts are put on the clock of `zone`; an array of dates is there already.
    """
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]")
    if values.dtype.kind == "f" and np.isnan(values).all():
        return np.full(len(values), "NaT", "datetime64[us]")
    known: dict[Any, np.datetime64] = {}
    dates = np.empty(len(values), "datetime64[us]")
    for place, value in enumerate(values.tolist()):
        if type(value) is str:
            if value not in known:
                known[value] = _read(value, name, day_first, zone)
            dates[place] = known[value]
        else:
            dates[place] = _read(value, name, day_first, zone)
    return dates


def dates_of_fit(values: np.ndarray[Any, Any], name: str, day_first: bool | None) -> tuple[Moments, str]:
    """`values` as dates, and the zone on whose clock they are, UTC where they have several."""
    dates = moments_of(values, name, day_first)
    try:
        zone = common_zone(values.tolist())
    except ZoneError as error:
        raise ValueError(f"{name} {error}") from None
    return (dates if zone == NO_ZONE else moments_of(values, name, day_first, zone)), zone


def _read(value: Any, name: str, day_first: bool | None, zone: str | None) -> np.datetime64:
    try:
        return moment(value, day_first, zone)
    except ZoneError as error:
        raise ValueError(f"{name} {error}") from None
    except ValueError:
        raise ValueError(f"{name} must have dates such as 2024-05-31, got {shown(value)}") from None


def _since(dates: Any, unit: str) -> Any:
    """Whole months or years since 1970, or since the larger unit began."""
    return dates.astype(f"datetime64[{unit}]").astype(np.float64)


def _elapsed(dates: Any) -> Any:
    return (dates - np.datetime64(0, "us")) / DAY


def _day_of_year(dates: Any) -> Any:
    """The angle of the year."""
    return (dates - dates.astype("datetime64[Y]")) / DAY * (2 * np.pi / YEAR_LENGTH)


def _hour(dates: Any) -> Any:
    return (dates - dates.astype("datetime64[D]")) / HOUR


# Sines of 0 come out as several numbers around 1e-16, which quantiles would tell apart: steps do not.
STEPS = 2.0**30


def _stepped(turn: Any) -> Any:
    return np.rint(turn * STEPS) / STEPS


# Each part of many dates, or of one. 1970-01-01 was a Thursday, three days after a Monday.
PARTS: dict[str, Callable[[Any], Any]] = {
    "days": _elapsed,
    "year": lambda dates: _since(dates, "Y") + 1970,
    "month": lambda dates: _since(dates, "M") % 12 + 1,
    "weekday": lambda dates: np.floor(_elapsed(dates) + 3) % 7,
    "sin of the year": lambda dates: _stepped(np.sin(_day_of_year(dates))),
    "cos of the year": lambda dates: _stepped(np.cos(_day_of_year(dates))),
    "hour": _hour,
    "sin of the day": lambda dates: _stepped(np.sin(_hour(dates) * (np.pi / 12))),
    "cos of the day": lambda dates: _stepped(np.cos(_hour(dates) * (np.pi / 12))),
}


def parts_of_one(date: np.datetime64, wanted: Iterable[str]) -> list[float]:
    """These parts of one known date: the bits of `PARTS`, by integers, which take less time than dates do."""
    moment = int(date.astype(np.int64))  # in microseconds
    days = float(moment) / _DAY
    months = int(date.astype("datetime64[M]").astype(np.int64))
    january = int(np.datetime64(months // 12, "Y").astype("datetime64[us]").astype(np.int64))
    of_year = float(moment - january) / _DAY * (2 * np.pi / YEAR_LENGTH)
    hour = float(moment % int(_DAY)) / _HOUR
    of_day = hour * (np.pi / 12)
    found = {
        "days": days,
        "year": float(months // 12 + 1970),
        "month": float(months % 12 + 1),
        "weekday": float(floor(days + 3) % 7),
        "hour": hour,
    }
    turns = {
        "sin of the year": (np.sin, of_year),
        "cos of the year": (np.cos, of_year),
        "sin of the day": (np.sin, of_day),
        "cos of the day": (np.cos, of_day),
    }
    return [
        found[part] if part in found else float(_stepped(turns[part][0](turns[part][1]))) for part in wanted
    ]


# Sine and cosine have a scale by nature.
TURNS = ("sin of the year", "cos of the year", "sin of the day", "cos of the day")
AROUND = Scale(0.0, 1.0)


def _part(part: str, dates: Moments) -> Floats:
    """A part as float64; missing where the date is: as integers they would be a date."""
    numbers: Floats = PARTS[part](dates)
    numbers[np.isnat(dates)] = np.nan
    return numbers


class DateFeature:
    """A column of dates as scaled parts, each kept where it varies, with an indicator for what is missing."""

    kind = "date"
    # Not told by earlier versions: dates are then read on their own clocks.
    zone: str | None = None

    def __init__(
        self,
        which: tuple[str, int],
        parts: dict[str, Scale],
        missing: bool,
        day_first: bool | None,
        zone: str | None,
    ) -> None:
        label, self.place = which
        self.label, self.parts, self.missing = label, parts, missing
        self.day_first, self.zone = day_first, zone
        self.outputs = [(f"{label}: {part}", "value") for part in parts]
        if missing:
            self.outputs.append((f"{label} is missing", "missing"))

    @classmethod
    def fit(
        cls, which: tuple[str, int], dates: Moments, day_first: bool | None, zone: str | None
    ) -> DateFeature:
        """The feature of a whole column, on the clock of its zone."""
        parts = {}
        for part in PARTS:
            scale = fit_scale(known_of(_part(part, dates)))
            if scale is not None:
                # A part is a number of few values; what it is most often tells little.
                parts[part] = AROUND if part in TURNS else Scale(scale.centre, scale.factor)
        if "month" not in parts:
            # Days tell where in the month a date is.
            parts = {part: scale for part, scale in parts.items() if not part.endswith("of the year")}
        return cls(which, parts, bool(np.isnat(dates).any()), day_first, zone)

    def fill(self, values: np.ndarray[Any, Any], out: np.ndarray[Any, Any], name: str) -> None:
        """Write the outputs for some rows into the columns of `out`."""
        dates = moments_of(values, name, self.day_first, self.zone)
        for place, (part, scale) in enumerate(self.parts.items()):
            out[:, place] = scale(_part(part, dates))
        if self.missing:
            out[:, -1] = np.isnat(dates)

    def one(self, value: Any, out: list[float], name: str) -> None:
        """Append the outputs for a single value."""
        date = _read(value, name, self.day_first, self.zone)
        known = date == date
        if known:
            parts = parts_of_one(date, self.parts)
            out += [scale.one(part) for scale, part in zip(self.parts.values(), parts, strict=True)]
        else:
            out += [0.0] * len(self.parts)
        if self.missing:
            out.append(0.0 if known else 1.0)

    def told(self) -> str:
        """What it does, for people."""
        told = ", ".join(self.parts) if self.parts else "a single date"
        told += f", on the clock of {self.zone}" if self.zone else ""
        return told + (", indicator of missing" if self.missing else "")

    def get_state(self) -> dict[str, Any]:
        """What `from_state` makes it of."""
        parts = {part: scale.get_state() for part, scale in self.parts.items()}
        return {
            "kind": "date",
            "label": self.label,
            "place": self.place,
            "parts": parts,
            "missing": self.missing,
            "day_first": self.day_first,
            "zone": self.zone,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> DateFeature:
        """A feature as it was."""
        parts = {part: Scale.from_state(scale) for part, scale in state["parts"].items()}
        if not parts.keys() <= PARTS.keys():
            raise ValueError(f"state must have parts of dates that are known, got {shown(list(parts))}")
        which = state["label"], state["place"]
        return cls(which, parts, state["missing"], state["day_first"], state.get("zone"))

"""Single values of a table: what family they are of, and what they are as a key, a number or a date."""

from __future__ import annotations

import datetime
import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import cache
from numbers import Real
from typing import Any

import numpy as np

from .._checks import shown
from ._zones import NO_ZONE, ZoneError, name_of, on_clock, refused, zone_called

# What people and programs write where a number or a date is missing. In a category these are levels.
MARKS = frozenset(
    [
        *(
            "",
            "?",
            "-",
            "--",
            "---",
            ".",
            "*",
            "**",
            "na",
            "n/a",
            "n.a.",
            "n.a",
            "nil",
            "none",
            "null",
            "(null)",
        ),
        *(
            "nan",
            "-nan",
            "nat",
            "<na>",
            "#na",
            "#n/a",
            "#n/a n/a",
            "1.#ind",
            "-1.#ind",
            "1.#qnan",
            "-1.#qnan",
        ),
        *("#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"),
        *("missing", "unknown", "undefined", "not available", "(blank)", "tbd", "0000-00-00"),
    ]
)
# Beyond this, differences and their reciprocals leave float64.
LARGEST = 1e300
WHOLE = 2.0**53  # up to it all whole numbers are numbers of float64

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
LEADING_ZERO = re.compile(r"[+-]?0\d")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = rf"({'|'.join(MONTHS)})[a-z]*\.?"
CLOCK = r"(?:[T ](\d\d?:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?: ?([ap])\.?m\.?)?)?"
DATE = re.compile(
    rf"(\d{{4}})([-/.])(\d\d?)\2(\d\d?){CLOCK} ?(?P<zone>Z|UTC|[+-]\d\d:?(?:\d\d)?)?", re.IGNORECASE
)
NAMED_MONTH = re.compile(rf"(?:(\d\d?)\.?[ -]?{MONTH}|{MONTH} (\d\d?)),?[ -]?(\d{{4}}){CLOCK}", re.IGNORECASE)
DAY_MONTH_YEAR = re.compile(rf"(\d\d?)([./-])(\d\d?)\2(\d{{4}}){CLOCK}", re.IGNORECASE)
MISSING, TEXT, FLAG, NUMERIC, DATED, DURATION, TIME = (
    "nothing",
    "text",
    "True or False",
    "a number",
    "a date",
    "a duration",
    "a time of day",
)


def _family(kind: type) -> str | None:
    """What values of this class are; None for what no column may hold."""
    if kind is type(None) or kind.__name__ in ("NAType", "NaTType"):
        return MISSING
    if issubclass(kind, str | bytes):
        return TEXT
    if issubclass(kind, bool | np.bool_):
        return FLAG
    if issubclass(kind, datetime.timedelta | np.timedelta64):
        return DURATION
    if issubclass(kind, Real | np.integer | np.floating | Decimal):
        return NUMERIC
    if issubclass(kind, datetime.date | np.datetime64):
        return DATED
    return TIME if issubclass(kind, datetime.time) else None


# Asked for every value of some columns.
family: Callable[[Any], str | None] = cache(_family)


def families(values: Iterable[Any]) -> set[str | None]:
    """The families of all values; numbers that are all NaN are missing values."""
    values = values if isinstance(values, list) else list(values)
    kinds = set(map(type, values))
    found = {family(kind) for kind in kinds}
    if NUMERIC in found:
        numeric = {kind for kind in kinds if family(kind) is NUMERIC}
        if all(is_nan(value) for value in values if type(value) in numeric):
            found = found - {NUMERIC} | {MISSING}
    return found


def is_nan(value: Any) -> bool:
    """Whether it is a number or a date that is none."""
    try:
        return bool(value != value)
    except ArithmeticError:  # of a signalling NaN
        return True


def key_of(value: Any, has_zones: bool = True) -> str | None:
    """What a value is called among the levels of a category, the same in every dtype; None for missing.

    Dates with a time zone are called by the clock of UTC; as those without one where not `has_zones`.
    """
    kind = type(value)
    if kind is str:
        return str(value)
    of = family(kind)
    if of is MISSING or (of in (NUMERIC, DATED, DURATION) and is_nan(value)):
        return None
    if of is FLAG:
        return str(bool(value))
    if of is NUMERIC:
        number = number_of(value)
        # Whole numbers of one value have one name, whether they are integers, floats or decimals.
        if number.is_integer() and abs(number) <= LARGEST:
            return str(int(value))
        # What float32 holds is called as there, in float64 as well: a row or a file may have widened it.
        narrow = np.float32(number) if abs(number) < 1e38 else None
        return repr(number) if narrow is None or float(narrow) != number else str(narrow)
    if of is DATED:
        if not (has_zones and _is_aware(value)):
            return str(moment(value))
        return moment_in_utc(moment(value) - np.timedelta64(value.utcoffset(), "us"))
    if of is DURATION and not in_months(value):
        microseconds = int(np.timedelta64(value, "us").astype(np.int64))
        return str(datetime.timedelta(microseconds=microseconds))
    return text_of(value) if of is TEXT else str(value)


def moment_in_utc(date: np.datetime64) -> str:
    """What a date on the clock of UTC is called as a level, other than on a clock without a zone."""
    return f"{date.astype('datetime64[us]')}Z"


def reads_as_number(text: str) -> bool:
    """Whether it is a number, written as programs write one."""
    return NUMBER.fullmatch(text.strip()) is not None


def text_of(text: str | bytes) -> str:
    """What was read, also where that was bytes: members of an Enum write themselves in another way.

    Different bytes are different texts, as Python has them in names of files, also where they are not UTF-8.
    """
    return str.__str__(text) if isinstance(text, str) else bytes.decode(text, "utf-8", "surrogateescape")


def is_mark(text: str) -> bool:
    """Whether it says that nothing is known."""
    return text.strip().lower() in MARKS


def number_of(value: Any) -> float:
    """`value` as a float, NaN where it is missing; ValueError where it is none."""
    kind = type(value)
    if kind is float:
        return float(value)
    of = family(kind)
    if of is MISSING:
        return np.nan
    if of is TEXT:
        text = text_of(value)
        if is_mark(text):
            return np.nan
        if reads_as_number(text):
            return _bounded(float(text))
    elif of in (NUMERIC, FLAG):
        try:
            number = float(value)
        except OverflowError:
            number = np.inf if value > 0 else -np.inf
        except ValueError:  # a signalling NaN of decimal
            return np.nan
        return _bounded(number) if math.isinf(number) and value != number else number
    elif of is DURATION and not in_months(value):
        return float(_timedelta(value) / np.timedelta64(1, "D")) if value == value else np.nan
    elif of is TIME:
        return float(value.hour + value.minute / 60 + (value.second + value.microsecond / 1e6) / 3600)
    raise ValueError(f"{shown(value)} is not a number")


def _bounded(number: float) -> float:
    """A number that is not infinity, but may be too large for float64 all the same."""
    return math.copysign(sys.float_info.max, number) if math.isinf(number) else number


def floats_of(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers of any dtype as new float64, those that are too large for it bounded in the same way."""
    with np.errstate(over="ignore"):
        floats = numbers.astype(np.float64)
    if numbers.dtype.itemsize > floats.itemsize:
        beyond = np.isinf(floats) & np.isfinite(numbers)
        floats[beyond] = np.copysign(sys.float_info.max, floats[beyond])
    return floats


def in_months(value: Any) -> bool:
    """Whether durations, an array or one, are counted in months or years, which have no one length."""
    dtype = getattr(value, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind == "m" and np.datetime_data(dtype)[0] in ("Y", "M")


def _timedelta(value: Any) -> Any:
    """A duration in its own unit: pandas' has nanoseconds, which a conversion to microseconds cuts off."""
    return value.to_timedelta64() if hasattr(value, "to_timedelta64") else np.timedelta64(value)


def day_comes_first(texts: Iterable[str]) -> bool | None:
    """Whether dates such as 31/12/2024 have the day first, None where none of them tells."""
    first = second = 0
    dotted = False
    for text in texts:
        if parts := DAY_MONTH_YEAR.fullmatch(text.strip()):
            first, second = max(first, int(parts[1])), max(second, int(parts[3]))
            dotted |= parts[2] == "."
    if first > 12 or second > 12:
        return first > 12
    # With points the day is first wherever that is written.
    return True if dotted else None


def moment(value: Any, day_first: bool | None = None, zone: str | None = None) -> np.datetime64:
    """`value` as a date on the clock of `zone`, None for its own one; ValueError where it is none."""
    of = family(type(value))
    if of is MISSING or (of in (NUMERIC, DATED) and is_nan(value)):
        return np.datetime64("NaT", "us")
    if of is TEXT:
        text = text_of(value).strip()
        if is_mark(text):
            return np.datetime64("NaT", "us")
        if (date := _as_iso(text, day_first)) is not None:
            return _clocked(*date, zone)
    elif of is DATED:
        if isinstance(value, datetime.datetime):
            own = value.tzinfo if _is_aware(value) else None
            return np.datetime64(on_clock(value, own, zone).isoformat()[:26], "us")
        if zone:
            raise refused(zone, str(value))
        return np.datetime64(value, "us")
    raise ValueError(f"{shown(value)} is not a date")


def reads_as_date(text: str, day_first: bool | None) -> bool:
    """Whether it is a date, or a mark for none."""
    try:
        moment(text, day_first)
    except ValueError:
        return False
    return True


def _as_iso(text: str, day_first: bool | None) -> tuple[str, str | None] | None:
    """A date as NumPy reads it, and its zone; None where it is written as none."""
    own = None
    if parts := DATE.fullmatch(text):
        year, _, month, day, clock, half, own = parts.groups()
    elif parts := NAMED_MONTH.fullmatch(text):
        day, month, other_month, other_day, year, clock, half = parts.groups()
        day, month = day or other_day, str(MONTHS.index((month or other_month).lower()) + 1)
    elif day_first is not None and (parts := DAY_MONTH_YEAR.fullmatch(text)):
        day, _, month, year, clock, half = parts.groups()
        day, month = (day, month) if day_first else (month, day)
    else:
        return None
    date = f"{year}-{month:>02}-{day:>02}"
    if clock is None:
        return date, own
    hour, rest = clock.split(":", 1)
    if half is not None:
        if not 1 <= int(hour) <= 12:
            raise ValueError(f"{text!r} has no hour of half a day")
        hour = str(int(hour) % 12 + 12 * (half in "pP"))
    return f"{date}T{hour:>02}:{rest}", own


def _clocked(written: str, own: str | None, zone: str | None) -> np.datetime64:
    """A date as NumPy reads it, of a text with the zone `own`, on the clock of `zone`."""
    date = np.datetime64(written, "us")
    if zone is None or (own is None and zone == NO_ZONE):
        return date
    return np.datetime64(on_clock(date.item(), own, zone), "us")


def common_zone(values: Sequence[Any]) -> str:
    """The zone of these dates, `NO_ZONE` where they have none; UTC where it has no name or they have several.

    Dates with a zone and dates without one are no column: `ZoneError`.
    """
    found: dict[str, Any] = {}  # a date of each zone
    for value in dict.fromkeys(value for value in values if family(type(value)) is TEXT):
        text = text_of(value).strip()
        if not is_mark(text):
            date = DATE.fullmatch(text)
            found.setdefault((date and date["zone"]) or NO_ZONE, value)
    for value in values:
        if family(type(value)) is DATED and not is_nan(value):
            # By name: not every zone has a hash.
            found.setdefault(name_of(value.tzinfo) if _is_aware(value) else NO_ZONE, value)
    naive = found.pop(NO_ZONE, None)
    if naive is None or not found:
        zones = set(map(zone_called, found))
        return NO_ZONE if not zones else (zones.pop() if len(zones) == 1 else None) or "UTC"
    got = f"{shown(str(next(iter(found.values()))))} and {shown(str(naive))}"
    raise ZoneError(f"must have dates that all have a time zone, or none that has one, got {got}")


def _is_aware(date: Any) -> bool:
    return isinstance(date, datetime.datetime) and date.utcoffset() is not None

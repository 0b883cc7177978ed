"""Time zones of dates: what a zone is called, and a moment on the clock of another one."""

from __future__ import annotations

import datetime
import re
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from .._checks import shown

OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?")
NO_ZONE = ""  # what the zone of dates is called that have none


class ZoneError(ValueError):
    """Dates with a zone where `fit` had none, or the other way round; the message goes behind a name."""


def refused(zone: str, got: str) -> ZoneError:
    """The error for dates that cannot be put on the clock of `fit`."""
    if zone == NO_ZONE:
        return ZoneError(
            f"must have dates without a time zone, as in fit, got {got}: take it off on that clock"
        )
    return ZoneError(f"must have dates with a time zone, as in fit ({zone}), got {got}: give them theirs")


def name_of(zone: datetime.tzinfo | str) -> str:
    """What a zone is called; one that is an offset goes by that, whatever name somebody has given it."""
    return str(datetime.timezone(zone.utcoffset(None)) if isinstance(zone, datetime.timezone) else zone)


@lru_cache(maxsize=1000)
def zone_called(text: str) -> str | None:
    """The one name of the zone that is written so; None for one that is not known by its name."""
    if text.upper() in ("UTC", "Z", "ETC/UTC", "TZUTC()"):
        return "UTC"
    if parts := OFFSET.fullmatch(text):
        offset = f"{parts[1]}{parts[2]}:{parts[3] or '00'}"
        return "UTC" if offset.endswith("00:00") else offset
    try:
        return ZoneInfo(text).key
    except (KeyError, ValueError, OSError):
        return None


def fixed(zone: str) -> datetime.timedelta | None:
    """How far a zone is ahead of UTC, where that is its name."""
    if zone == "UTC":
        return datetime.timedelta(0)
    if (parts := OFFSET.fullmatch(zone)) is None:
        return None
    ahead = datetime.timedelta(hours=int(parts[2]), minutes=int(parts[3]))
    return -ahead if parts[1] == "-" else ahead


@lru_cache(maxsize=1000)
def _tzinfo(zone: str) -> datetime.tzinfo:
    if (ahead := fixed(zone)) is not None:
        return datetime.timezone(ahead)
    try:
        return ZoneInfo(zone)
    except (KeyError, OSError):
        raise ZoneError(f"needs the time zone {zone}, which is not known here: pip install tzdata") from None


def on_clock(moment: datetime.datetime, own: Any, zone: str | None) -> datetime.datetime:
    """A moment of the zone `own` as the clock of `zone` shows it; None for its own clock."""
    moment = moment.replace(tzinfo=None)
    if zone is None:
        return moment
    if (own is None) != (zone == NO_ZONE):
        raise refused(zone, shown(str(moment)) if own is None else f"{shown(str(moment))} of {own}")
    if own is None or zone_called(name_of(own)) == zone:
        return moment
    from_zone = own if isinstance(own, datetime.tzinfo) else _tzinfo(zone_called(own) or own)
    try:
        return moment.replace(tzinfo=from_zone).astimezone(_tzinfo(zone)).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(f"{moment} is no date elsewhere") from None

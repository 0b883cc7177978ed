"""Texts that may be numbers or dates and are not read as such: what is said of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .._checks import shown
from ._values import DAY_MONTH_YEAR, LEADING_ZERO, MONTH, day_comes_first, reads_as_date, reads_as_number

# The part of the different texts that may be something else: what was mistyped, or stands for a gap.
ODD_SHARE = 0.1
# So many different texts with the same unit are measured, also where all are whole numbers.
MANY = 10

SIGN = r"[+\-\u2212]?"
MONEY = r"(?:[$€£¥₹]|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD)"
DIGITS = r"(?:[1-9]\d{0,2}(?:[.,'\u2019 \u00a0\u2009\u202f]\d{3})+|\d+)(?:[.,]\d+)?"
COMMAS = re.compile(r"[+-]?\d+,\d+")
# Of money, in percent, with marks between thousands, with a typographic minus or in brackets for one.
AMOUNT = re.compile(rf"\s*\(?{SIGN}\s?{MONEY}?\s?{SIGN}{DIGITS}\s?(?:{MONEY}|%)?\)?\s*")
MEASURED = re.compile(rf"\s*{SIGN}{DIGITS}\s?([^\W\d_]{{1,10}}[²³]?|°[CF]?)\s*")
DAY = r"(?:0?[1-9]|[12]\d|3[01])"
# With two digits of the year, without a day, or as one number; a time may follow.
SHORT_DATE = re.compile(
    rf"(?:{DAY}([./-]){DAY}\1\d\d|{DAY}[ -]?{MONTH}[ -]?\d\d|(?:19|20)\d\d-(?:0[1-9]|1[0-2])"
    rf"|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?:[T ][\d:]+(?: ?[AaPp][Mm])?)?",
    re.IGNORECASE,
)


def doubt_of(texts: Sequence[str]) -> str:
    """What different texts may be that are not read as such; nothing where they are words, or codes."""
    order = day_comes_first(texts)
    odd = _all_but(texts, lambda text: reads_as_date(text, order))
    if odd:
        return f"text that reads as dates but for {shown(min(odd))}"
    if odd is None and _all_but(texts, lambda text: _looks_dated(text, order)) is not None:
        if order is None and all(map(DAY_MONTH_YEAR.fullmatch, texts)):
            return "text that may be dates, but nothing tells the day from the month"
        short = min(text for text in texts if _looks_dated(text, order) and not reads_as_date(text, order))
        return f"text that may be dates, such as {shown(short)}, which is not read as one"
    if texts and all(map(COMMAS.fullmatch, texts)):
        return "text that may be numbers, but a comma can be two things"
    return _doubt_of_numbers(texts)


def _doubt_of_numbers(texts: Sequence[str]) -> str:
    odd = _all_but(texts, reads_as_number)
    if odd == [] or any(map(LEADING_ZERO.match, texts)):
        # Whole numbers that are meant to be text.
        return ""
    strange = [text for text in odd or texts if not reads_as_number(text)]
    if _all_but(texts, lambda text: reads_as_number(text) or AMOUNT.fullmatch(text)) is not None:
        amounts = [text for text in strange if AMOUNT.fullmatch(text)]
        if amounts and (odd is None or len(amounts) == len(odd)):
            return f"text that may be numbers, such as {shown(min(amounts))}, which is not read as one"
    if odd:
        return f"text that reads as numbers but for {shown(min(odd))}"
    if _are_measured(texts):
        measured = min(text for text in strange if MEASURED.fullmatch(text))
        return f"text that may be numbers, such as {shown(measured)}, which is not read as one"
    return ""


def _are_measured(texts: Sequence[str]) -> bool:
    """Whether most are numbers with a unit: with a fraction somewhere, or many with the same unit."""
    if _all_but(texts, lambda text: reads_as_number(text) or MEASURED.fullmatch(text)) is None:
        return False
    found = {text: parts[1] for text in texts if (parts := MEASURED.fullmatch(text))}
    has_fraction = any(re.search(r"\d[.,]\d", text) for text in found)
    return has_fraction or (len(found) >= MANY and len(set(found.values())) == 1)


def _looks_dated(text: str, order: bool | None) -> bool:
    return bool(
        SHORT_DATE.fullmatch(text.strip())
        or DAY_MONTH_YEAR.fullmatch(text.strip())
        or reads_as_date(text, order)
    )


def _all_but(texts: Sequence[str], holds: Callable[[str], object]) -> list[str] | None:
    """The few texts of which something does not hold; None where there are more, or no texts."""
    odd: list[str] = []
    for text in texts:
        if not holds(text):
            odd.append(text)
            if len(odd) > ODD_SHARE * len(texts):
                return None
    return odd if texts else None

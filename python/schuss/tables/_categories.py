"""Columns of categories: the levels that are known, as codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any

import numpy as np

from .._checks import shown
from ._values import DATED, DURATION, FLAG, TEXT, TIME, family, key_of

# What one dtype calls True another may call 1, and what Python writes so others write in small or capitals.
SAME = (("True", "1", "true", "TRUE"), ("False", "0", "false", "FALSE"))
# What may be equal and have another key, as True and 1, or a moment on two clocks: their keys stand for them.
# Texts of other classes may be equal and have another hash.
NAMED = (FLAG, DATED, DURATION, TIME, TEXT)
# Rows that may all have values that were never seen, by chance: more where these may have been rare.
FEW, FEW_OF_RARE = 10, 100
MOST_RARE = 1000  # rare levels that are remembered, to be told from those never seen
# Where fewer of the known rows than this have a level of its own, the column has names of rows.
LEAST_COMMON = 0.05


def counts_of(blocks: Iterable[np.ndarray[Any, Any]], name: str) -> Counter[Any]:
    """How often each value is there."""
    counts: Counter[Any] = Counter()
    try:
        for block in blocks:
            counts.update(plain(block))
    except TypeError:
        raise TypeError(f"{name} must have values that can be told apart, got a list or the like") from None
    return counts


def tally_of(counts: Mapping[Any, int]) -> tuple[Counter[str], int]:
    """How often each level is there, by its key, and how often none is."""
    tally: Counter[str] = Counter()
    missing = 0
    for value, count in counts.items():
        key = key_of(value)
        if key is None:
            missing += count
        else:
            tally[key] += count
    return tally, missing


def plain(values: np.ndarray[Any, Any], has_zones: bool = True) -> list[Any]:
    """A block as values of which equal ones have one key, each of what it is."""
    if values.dtype.kind in "mM":  # some would be numbers
        return list(values)
    listed: list[Any] = values.tolist()
    named = {kind for kind in set(map(type, listed)) if kind is not str and family(kind) in NAMED}
    if not named:
        return listed
    return [key_of(value, has_zones) if type(value) in named else value for value in listed]


class CategoryFeature:
    """A column of levels as codes.

    Codes are 1, 2, ... from the most frequent level to the least, equals in the order of their names. The
    last one is that of all rare levels together, where there are any, and then also that of a level never
    seen: it is as rare. 0 is what is missing, and without rare levels what was never seen.
    """

    kind = "category"
    # Not told by earlier versions: dates are then levels on their own clocks.
    has_zones = False
    # The levels without a code of their own; None where they are too many, or not told by earlier versions.
    rare_levels: list[str] | None = None

    def __init__(
        self,
        label: str,
        place: int,
        levels: list[str],
        rare: bool,
        *,
        rare_levels: list[str] | None = None,
        has_zones: bool = True,
    ) -> None:
        self.label, self.place, self.levels, self.rare = label, place, levels, rare
        self.has_zones = has_zones
        self.rare_levels = rare_levels
        self.outputs = [(label, "category")]
        self.size = len(levels) + rare + 1
        self.unseen = len(levels) + 1 if rare else 0
        self._codes: dict[Any, int] = {level: code for code, level in enumerate(levels, 1)}
        for names in SAME:
            known = [self._codes[name] for name in names if name in self._codes]
            for name in names if len(known) == 1 else ():
                self._codes.setdefault(name, known[0])
        self._codes[None] = 0

    def __getstate__(self) -> dict[str, Any]:
        # Not every saver has keys that are no texts.
        return vars(self) | {"_codes": self.codes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _codes=state["_codes"] | {None: 0})

    @classmethod
    def fit(
        cls, label: str, place: int, tally: Mapping[str, int], min_count: int, max_levels: int
    ) -> CategoryFeature:
        """The feature of a column with these levels."""
        ordered = sorted(tally, key=lambda level: (-tally[level], level))
        levels = [level for level in ordered if tally[level] >= min_count]
        if len(levels) + (len(levels) < len(ordered)) > max_levels:
            levels = levels[: max_levels - 1]
        if len(ordered) == len(levels) + 1:
            # A single rare level has no others to be with.
            levels = ordered
        elif sum(tally[level] for level in levels) < LEAST_COMMON * sum(tally.values()):
            levels = []
        rare = ordered[len(levels) :]
        known = rare if levels and len(rare) <= MOST_RARE else None
        return cls(label, place, levels, bool(rare), rare_levels=known)

    def codes_of(self, values: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, np.dtype[np.int32]]:
        """The code of each value."""
        if values.dtype.kind in "fiubmM":
            distinct, inverse = np.unique(values, return_inverse=True)
            codes = np.array([self.code_of(value) for value in distinct], dtype=np.int32)
            return codes[inverse.reshape(-1)]
        listed = plain(values, self.has_zones)
        try:
            codes = np.fromiter(map(self._codes.get, listed, repeat(-1)), np.int32, len(listed))
        except TypeError:
            bad = next((value for value in listed if family(type(value)) is None), listed)
            raise TypeError(f"{name} must have levels, got {shown(bad)}") from None
        known: dict[Any, int] = {}
        for odd in np.flatnonzero(codes < 0):
            value = listed[odd]
            if (code := known.get(value)) is None:
                code = known[value] = self.code_of(value)
            codes[odd] = code
        return codes

    @property
    def codes(self) -> dict[str, int]:
        """The codes of the texts that are known, those of `SAME` included."""
        return {text: code for text, code in self._codes.items() if text is not None}

    def code_of(self, value: Any) -> int:
        """The code of one value of any type."""
        key = key_of(value, self.has_zones)
        return 0 if key is None else self._codes.get(key, self.unseen)

    def fill(self, values: np.ndarray[Any, Any], out: np.ndarray[Any, Any], name: str) -> None:
        """Write the codes of some rows into the only column of `out`."""
        out[:, 0] = self.codes_of(values, name)

    def one(self, value: Any, out: list[float], name: str) -> None:
        """Append the code of a single value."""
        if type(value) is str:
            out.append(self._codes.get(value, self.unseen))
            return
        try:
            hash(value)
        except TypeError:
            raise TypeError(f"{name} must have levels, got {shown(value)}") from None
        out.append(self.code_of(value))

    def unseen_in(self, codes: np.ndarray[Any, Any], blocks: Iterable[np.ndarray[Any, Any]]) -> str:
        """What to say of a column in which no value was seen in `fit`, if these are more than a few rows."""
        if not self.levels or len(codes) <= FEW or ((codes != 0) & (codes != self.unseen)).any():
            return ""
        found = (value for block in blocks for value in plain(block, self.has_zones))
        keys = [key for value in found if (key := key_of(value)) is not None]
        different = set(keys)
        rare_levels = self.rare_levels if self.rare else []
        if rare_levels is not None and different.isdisjoint(rare_levels):
            return f"none was in fit, such as {shown(keys[0])}" if len(keys) > FEW else ""
        # A rare level may be everywhere on purpose, to see what it does.
        if len(keys) <= FEW_OF_RARE or len(different) == 1:
            return ""
        return f"none was in fit or was rare there, such as {shown(keys[0])}"

    def told(self, distinct: int) -> str:
        """What it does to so many levels, for people."""
        if not self.rare:
            return f"{len(self.levels)} levels" if len(self.levels) != 1 else "a single level"
        if not self.levels:
            return f"{distinct} levels, nearly all of one row"
        return f"{len(self.levels)} levels, {distinct - len(self.levels)} rare ones together"

    def get_state(self) -> dict[str, Any]:
        """What `from_state` makes it of."""
        return {
            "kind": "category",
            "label": self.label,
            "place": self.place,
            "levels": self.levels,
            "rare": self.rare,
            "rare_levels": self.rare_levels,
            "has_zones": self.has_zones,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CategoryFeature:
        """A feature as it was."""
        known = state["label"], state["place"], list(state["levels"]), state["rare"]
        later = {"rare_levels": state.get("rare_levels"), "has_zones": state.get("has_zones", False)}
        return cls(*known, **later)

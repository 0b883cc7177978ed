"""Checks of arguments: each error says which one it is, what came and what is accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from itertools import islice, takewhile
from operator import index
from typing import Any

import numpy as np

# What is counted goes through signed 64-bit integers somewhere.
MOST = 2**63 - 1
# A sequence of settings that is longer is one without an end.
MOST_ENTRIES = 1_000_000
SHOWN = 80
# Letters before the place where texts begin to differ.
BEFORE = 30


def shown(value: Any, most: int = SHOWN) -> str:
    """What came, in at most so many letters of one line."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, np.ndarray) and value.size > 4:
        return f"an array of {value.dtype} of shape {value.shape}"
    if hasattr(value, "shape") and (hasattr(value, "columns") or hasattr(value, "to_numpy")):
        return f"a {type(value).__name__} of shape {value.shape}"
    try:
        text = " ".join(repr(value).split())
    except Exception:
        # Of the user's class, which may fail in any way.
        text = f"an object of {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def where_apart(*texts: str, most: int = SHOWN) -> list[str]:
    """Of texts that differ, what is around the place where they begin to, in about so many letters."""
    alike = sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False)))
    start = max(alike - BEFORE, 0) if max(map(len, texts)) > most else 0
    end = start + most
    return [f"{'...' * (start > 0)}{text[start:end]}{'...' * (len(text) > end)}" for text in texts]


def kind_of(value: Any, default: str = "O") -> str:
    """The kind of its dtype, as NumPy writes it; where it has none, what is given here."""
    kind = getattr(getattr(value, "dtype", None), "kind", default)
    return kind if isinstance(kind, str) else default


def check_count(name: str, value: Any, least: int = 1, most: int = MOST) -> int:
    """`value` as an int from `least` to `most`."""
    if type(value) is not int:
        value = _integer(name, value)
    if value < least or value > most:
        bounds = f"at least {least}" if value < least else f"at most {most}"
        raise ValueError(f"{name} must be an integer of {bounds}, got {shown(value)}")
    return int(value)


def check_seed(name: str, value: Any) -> int:
    """`value` as the seed of random numbers, an integer of any size that is not negative."""
    seed = value if type(value) is int else _integer(name, value)
    if seed < 0:
        raise ValueError(f"{name} must be an integer of at least 0, got {shown(value)}")
    return seed


def word_of(seed: int) -> int:
    """The 64 bits that a stream of random numbers begins from: of a seed that has more, mixed from all."""
    return seed if seed < 2**64 else int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])


def _integer(name: str, value: Any) -> int:
    # To Python, True is 1, and a duration of NumPy's the number of its units.
    if not isinstance(value, bool | np.timedelta64) and getattr(value, "shape", ()) == ():
        try:
            return index(value)
        except TypeError:
            pass
    raise TypeError(f"{name} must be an integer, got {shown(value)}")


def check_number(
    name: str, value: Any, *, least: float | None = None, above: float | None = None, nan: bool = False
) -> float:
    """`value` as a float, which may be infinite; NaN only where that is said."""
    number = float(value) if type(value) in (float, int) and _fits(value) else _real(name, value)
    accepted = "a number"
    if above is not None:
        accepted = "a positive number" if above == 0 else f"a number larger than {above}"
    elif least is not None:
        accepted = f"a number of at least {least}"
    too_low = (least is not None and number < least) or (above is not None and number <= above)
    if too_low or (number != number and not nan):
        raise ValueError(f"{name} must be {accepted}, got {shown(value)}")
    return number


def _fits(value: float) -> bool:
    return type(value) is float or abs(value) < 2**1023


def _real(name: str, value: Any) -> float:
    kind = kind_of(value, "f")
    # What would be converted: text that reads like a number, switches, durations, complex numbers, masks.
    odd = isinstance(value, str | bytes | bytearray | bool | complex) or kind not in tuple("fiu")
    if not odd and getattr(value, "shape", ()) == () and not isinstance(value, np.ma.MaskedArray):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"{name} must be a number that a float holds, got {shown(value)}") from None
        except (TypeError, ValueError):
            pass
    raise TypeError(f"{name} must be a number, got {shown(value)}")


def check_flag(name: str, value: Any) -> bool:
    """`value`, True or False: a word that says no is true to Python."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise TypeError(f"{name} must be True or False, got {shown(value)}")


def check_name(name: str, value: Any, known: Iterable[str]) -> str:
    """`value`, a string; the core knows whether it is one of those."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(known)}, got {shown(value)}")
    if len(value) > SHOWN:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {shown(value)}")
    return value


def check_sequence(name: str, value: Any, expected: str) -> list[Any]:
    """`value` as a list; a string is none, though it has letters, and what has no order is none."""
    try:
        if not isinstance(value, str | bytes | bytearray | memoryview | Set | Mapping):
            entries = list(islice(value, MOST_ENTRIES + 1))
            if len(entries) <= MOST_ENTRIES:
                return entries
    except TypeError:
        pass
    raise TypeError(f"{name} must be {expected}, got {shown(value)}")


def check_dtype(value: Any) -> np.dtype[Any]:
    """`value` as a dtype that networks compute with."""
    try:
        dtype: np.dtype[Any] = np.dtype(value)
    except Exception:
        # NumPy has many ways to say no.
        dtype = np.dtype(object)
    # To NumPy, None is float64; the core computes in the machine's byte order.
    if value is None or dtype not in (np.float32, np.float64) or not dtype.isnative:
        raise TypeError(f"dtype must be float32 or float64, got {shown(value)}")
    return dtype


def check_threads(n_threads: Any) -> int | None:
    """`n_threads`, a number of workers or None."""
    return None if n_threads is None else check_count("n_threads", n_threads)

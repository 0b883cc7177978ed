"""Checks of arguments: each error says which one it is, what came and what is accepted."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any

import numpy as np


def check_count(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`."""
    try:
        count = index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if count < least or isinstance(value, bool):
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return count


def check_number(name: str, value: Any) -> float:
    """`value` as a float."""
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise TypeError(f"{name} must be a number, got {value!r}")


def check_name(name: str, value: Any, known: Iterable[str]) -> str:
    """`value`, a string; the core knows whether it is one of those."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    return value


def check_sequence(name: str, value: Any, expected: str) -> list[Any]:
    """`value` as a list; a string is none, though it has letters."""
    try:
        if not isinstance(value, str):
            return list(value)
    except TypeError:
        pass
    raise TypeError(f"{name} must be {expected}, got {value!r}")


def check_dtype(value: Any) -> np.dtype[Any]:
    """`value` as a dtype that networks compute with."""
    try:
        dtype: np.dtype[Any] = np.dtype(value)
    except TypeError:
        dtype = np.dtype(object)
    # To NumPy, None is float64.
    if value is None or dtype not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {value!r}")
    return dtype


def check_threads(n_threads: Any) -> int | None:
    """`n_threads`, a number of workers or None."""
    return None if n_threads is None else check_count("n_threads", n_threads)

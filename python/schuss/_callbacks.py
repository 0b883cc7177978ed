"""Functions of the user's that look at a training after each epoch, and may end it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np


def as_list(callbacks: Callable[..., Any] | Iterable[Callable[..., Any]] | None) -> list[Callable[..., Any]]:
    """The callbacks, of which there may be none, one or several."""
    every = [callbacks] if callable(callbacks) else list(callbacks or ())
    for callback in every:
        if not callable(callback):
            raise TypeError(f"callbacks must be functions, got {callback!r}")
    return every


def want_to_stop(callbacks: list[Callable[..., Any]], told: Any) -> bool:
    """Call them all; whether one returns True or raises StopIteration."""
    stop = False
    for callback in callbacks:
        try:
            answer = callback(told)
        except StopIteration:
            answer = True
        # Only a truth value counts: a function may return something else by chance.
        stop |= isinstance(answer, (bool, np.bool_)) and bool(answer)
    return stop

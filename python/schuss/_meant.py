"""What somebody meant who wrote a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# Names of other libraries, and of habit.
ALIASES = {
    "learning_rate": ("lr",),
    "learning_rate_init": ("lr",),
    "eta": ("lr",),
    "lr": ("lr", "learning_rate_init"),
    "alpha": ("lr", "l2"),
    "l2": ("weight_decay", "alpha"),
    "weight_decay": ("l2", "alpha"),
}


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known name that comes nearest, as the end of a sentence; empty where none is near."""
    known = list(known)
    near = [alias for alias in ALIASES.get(name, ()) if alias in known] or get_close_matches(name, known, 1)
    return f": did you mean {near[0]!r}?" if near else ""

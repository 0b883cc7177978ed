"""Warnings that point at the line of the user's that they are about."""

from __future__ import annotations

import sys
import warnings

# Whose lines are not the user's: this package, and what calls it on behalf of the user.
BETWEEN = (__name__.partition(".")[0], "sklearn", "joblib")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first line, from here up, that is the user's.

    Parameters
    ----------
    message : str
        What is said.
    category : type, default UserWarning
        Its class.
    """
    warnings.warn(message, category, stacklevel=_depth_of_user())


def _depth_of_user() -> int:
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in BETWEEN:
        frame, depth = frame.f_back, depth + 1
    return depth

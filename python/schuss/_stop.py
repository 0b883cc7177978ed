"""Why a training, a minimisation or a search ended: one vocabulary for all of them."""

from __future__ import annotations

from enum import Enum

__all__ = ["Stop"]


class Stop(str, Enum):
    """Why a training or a minimisation ended: its name as a string, ``Stop.EPOCHS == "epochs"``.

    Examples
    --------
    >>> Stop("max_time")
    'max_time'
    """

    EPOCHS = "epochs"
    """All epochs, or steps, that were asked for are done."""
    EVALUATIONS = "evaluations"
    """The most evaluations of the function that were allowed are used up."""
    TARGET_LOSS = "target_loss"
    """The target loss is reached."""
    CONVERGED = "converged"
    """The stopping rule is met: nothing more to gain."""
    NO_DESCENT = "no_descent"
    """No lower point was found along the direction of descent."""
    CALLBACK = "callback"
    """A callback asked for it."""
    MAX_TIME = "max_time"
    """The time that was allowed is over."""
    INTERRUPTED = "interrupted"
    """Ctrl-C."""
    NOT_FINITE = "not_finite"
    """The function, or its gradient, was not finite."""
    ERROR = "error"
    """An exception, which the caller has."""

    # As the plain string, in whichever way it is shown.
    __repr__ = str.__repr__
    __str__ = str.__str__

    def __format__(self, format_spec: str) -> str:
        return str.__format__(self, format_spec)


# Why a run that is saved is done: it does not go on, however many epochs or steps it is given.
FINAL = frozenset({Stop.CALLBACK, Stop.CONVERGED, Stop.NO_DESCENT})

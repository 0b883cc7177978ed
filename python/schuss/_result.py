"""What a minimisation found, and the words for why it ended."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._stop import Stop

__all__ = ["OptimizeResult"]

# For each reason the status, as a number and in words.
ENDINGS = {
    Stop.CONVERGED: (0, "{rule}"),
    Stop.EPOCHS: (1, "The maximum number of steps, {max_steps}, was reached."),
    Stop.CALLBACK: (2, "The callback asked to stop."),
    Stop.MAX_TIME: (3, "The time was over after {nit} steps."),
    Stop.NOT_FINITE: (4, "The function, its gradient or the next update is not finite after step {nit}."),
    Stop.NO_DESCENT: (5, "No lower point was found along the negative gradient."),
    Stop.INTERRUPTED: (6, "Interrupted; this is the best point so far."),
}


class OptimizeResult(dict[str, Any]):
    """What a minimisation found: a dict whose keys are attributes too, with the names that SciPy's has.

    Attributes
    ----------
    x : ndarray
        The best point, in the shape of the start.
    fun : float
        The function there.
    jac : ndarray
        The gradient there.
    success : bool
        Whether the stopping rule for a small step was met.
    status : int
        0: converged; 1: `max_steps` reached; 2: stopped by the callback; 3: `max_time` reached; 4: the
        function or its gradient was not finite; 5: no lower point found along the gradient; 6: interrupted.
    reason : Stop
        The status by its name: "converged", "epochs" (`max_steps`), "callback", "max_time", "not_finite",
        "no_descent" or "interrupted".
    message : str
        The status in words.
    nit, nfev, njev : int
        Steps taken; evaluations of the function and of its gradient.
    path : ndarray or None
        Where ``record=True``: the start and the point after each step, ``(nit + 1,) + x.shape``.
    path_fun : ndarray or None
        The function at each point of `path`.
    runs : list of OptimizeResult
        Only with several starts: the result of each, in their order; the best of them is this result.
    """

    # As SciPy's: an attribute and an item are one thing, so that none hides the other.
    __setattr__ = dict.__setitem__
    __delattr__ = dict.__delitem__

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"this result has no {name!r}, but: {', '.join(self)}") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        lines = (f"{name:>{width}}: {_brief(value, width + 2)}" for name, value in self.items())
        return "\n".join(lines) or "OptimizeResult()"


def _brief(value: Any, indent: int) -> str:
    """A value on few lines, the following ones indented."""
    if isinstance(value, np.ndarray):
        return np.array2string(value, threshold=20, edgeitems=3).replace("\n", "\n" + " " * indent)
    if isinstance(value, list):
        return f"[{len(value)} results]"
    return repr(value)


def ending(reason: Stop, **facts: Any) -> dict[str, Any]:
    """The fields of a result that say why it ended; `facts` are those that the words need."""
    status, words = ENDINGS[reason]
    message = words.format(**facts)
    return {"success": reason is Stop.CONVERGED, "status": status, "reason": reason, "message": message}

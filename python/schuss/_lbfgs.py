"""Training with L-BFGS: all rows at every evaluation, and one or a few evaluations per step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ._schuss import LBFGS, LbfgsRun, NonFiniteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Evaluate = Callable[["NDArray[Any]", "NDArray[Any]"], float]


def descend(
    recipe: LBFGS,
    theta: NDArray[Any],
    evaluate: Evaluate,
    after_step: Callable[[float], bool],
    max_evaluations: float = np.inf,
) -> Literal["converged", "no descent", "evaluations", "step"]:
    """Take steps from `theta`, which is the last accepted point whenever somebody looks, also after Ctrl-C.

    Parameters
    ----------
    recipe : LBFGS
        Settings of the search.
    theta : ndarray of shape (n_params,)
        The start, then the result.
    evaluate : callable
        ``evaluate(point, gradient)`` returns the objective and writes its gradient.
    after_step : callable
        Called with the objective after every step; True ends the descent. It may change `theta`: the search
        then starts anew from there.
    max_evaluations : float, default inf
        The most evaluations. Where they end it, it has not converged, even if the last met the tolerance: as
        SciPy has it.

    Returns
    -------
    str
        Why it ended: the recipe's tolerances, no lower point, the evaluations, or `after_step`.
    """
    run = LbfgsRun(recipe, theta)
    gradient = np.empty_like(theta)
    evaluations = 0
    while evaluations < max_evaluations:
        value = evaluate(run.point, gradient)
        evaluations += 1
        progress = run.tell(value, gradient)
        if progress == "not finite":
            raise NonFiniteError(f"the loss or its gradient is not finite at the start: the loss is {value}")
        if progress == "no descent":
            return "no descent"
        if progress == "searching":
            continue
        x, value, _ = run.best
        moved = not np.array_equal(theta, x)
        theta[:] = x
        # Nothing has moved where the start is the answer already.
        if moved and after_step(value):
            return "step"
        if not np.array_equal(theta, x):
            run = LbfgsRun(recipe, theta)
        elif progress != "stepped" and evaluations < max_evaluations:
            return "converged"
    return "evaluations"

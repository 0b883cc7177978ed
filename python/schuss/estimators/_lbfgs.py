"""The solver "lbfgs": all rows at once, with SciPy's L-BFGS-B."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from sklearn.exceptions import ConvergenceWarning

from . import _losses

Array = NDArray[Any]


def fit(estimator: Any, core: Any, theta: Array, data: Any) -> None:
    """Minimise over all rows, from `theta` to `theta`."""
    objective = estimator._objective()
    rows = data.rows()
    constant = _losses.constant(objective, data.targets, data.sample_weight)
    threads = estimator._threads(core, len(rows[0]))
    at, grads = theta.copy(), np.empty_like(theta)

    def loss_and_gradient(x: Array) -> tuple[float, Array]:
        at[:] = x
        loss = core.loss_and_grads(at, rows, grads, None, threads)
        return loss, grads.astype(np.float64)

    result = optimize.minimize(
        loss_and_gradient,
        theta.astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        options={"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol},
    )
    theta[:] = result.x
    estimator.n_iter_ = min(result.nit, estimator.max_iter)
    total = len(rows[0]) if data.sample_weight is None else float(data.sample_weight.sum(dtype=np.float64))
    squares = sum(float(np.vdot(coef, coef)) for coef in estimator.coefs_)
    estimator.loss_ = objective.report(float(result.fun), 0.5 * estimator.alpha * squares / total, constant)
    if result.status != 0:
        warnings.warn(
            f"lbfgs failed to converge after {estimator.n_iter_} iteration(s) (status={result.status}):\n"
            f"{result.message}\n\nIncrease the number of iterations (max_iter) or scale the data, see\n"
            "https://scikit-learn.org/stable/modules/preprocessing.html",
            ConvergenceWarning,
            stacklevel=4,
        )

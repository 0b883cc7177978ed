"""Minimising any function that the caller brings."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import Any, Literal

from numpy.typing import ArrayLike

from . import optimizers
from ._batches import Batches, batches_of
from ._callbacks import refuse_unrun
from ._checkpoint import checkpoint_of, fact_of, fingerprint
from ._checks import check_count, check_flag, check_number, check_sequence, check_threads
from ._function import Array, Function, bounds_of, start_of
from ._minimization import Minimization, Rules, Saved, together
from ._optimizer import Optimizer
from ._result import OptimizeResult
from ._schuss import LBFGS
from .optimizers import ScheduleFreeAdamW, ScheduleFreeSGD
from .typing import OptimizerName

__all__ = ["LBFGS", "OptimizeResult", "minimize"]


def minimize(
    fun: Callable[..., Any],
    x0: ArrayLike,
    args: tuple[Any, ...] = (),
    *,
    jac: Callable[..., ArrayLike] | bool | Literal["2-point", "3-point"] | None = None,
    optimizer: Optimizer | LBFGS | OptimizerName | None = None,
    max_steps: int = 1000,
    min_step: float | None = None,
    max_time: float | None = None,
    bounds: Any = None,
    callback: Callable[..., Any] | None = None,
    record: bool = True,
    data: Any = None,
    batch_size: int | None = None,
    seed: int = 0,
    starts: Iterable[ArrayLike] = (),
    n_threads: int | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
    checkpoint: str | PathLike[str] | None = None,
    checkpoint_every: float | None = None,
    resume: bool = False,
    hess: None = None,
    hessp: None = None,
    constraints: Sequence[Any] = (),
) -> OptimizeResult:
    """Minimise a function of one or more variables by steps downhill.

    Each step evaluates function and gradient and lets `optimizer` move. It stops when the step size
    ``lr * |g|`` is no larger than `min_step`, or after `max_steps` steps, as gradient descent is taught. The
    result is the best point seen.

    It can be given to SciPy as well: ``scipy.optimize.minimize(fun, x0, jac=True, method=schuss.minimize,
    options={"optimizer": "adam"})``.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> float``, or ``-> (float, gradient)`` where ``jac=True``. It gets a copy of x, in
        the shape of `x0`.
    x0 : array_like
        Where to start. float32 stays float32, all else becomes float64.
    args : tuple, default ()
        Further arguments of `fun` and `jac`.
    jac : callable, bool or str, optional
        ``jac(x, *args) -> gradient``, shaped like x; True if `fun` returns both; None or "3-point" for
        central finite differences, "2-point" for forward ones. These are slow: 2 or 1 evaluations per
        variable and step.
    optimizer : Optimizer, LBFGS or str, optional
        A recipe such as ``schuss.Adam(lr=0.1)``, or a name such as "adam" or "lbfgs" for one with its
        default values. By default gradient descent, ``schuss.SGD(lr=0.01)``. An average that it keeps
        (`ema`, `swa_start`, that of a schedule-free rule) is looked at in the end: it is the result of a run
        with batches, and of any other where it is no higher than the best point.
    max_steps : int, default 1000
        The most steps; with `accumulate`, the most gradients.
    min_step : float, optional
        The step size at which it has converged, by default 0.001: `lr` is the learning rate of the next step,
        or of a later one where a schedule rises, `|g|` the 2-norm of the gradient. With bounds, the length of
        the gradient step that the bounds leave. `LBFGS` has no learning rate and takes the length of the last
        step instead, by default 0: it then stops by its own tolerances.
    max_time : float, optional
        Seconds after which it stops.
    bounds : sequence of (min, max), or scipy.optimize.Bounds, optional
        A pair for each variable, None where there is no bound. Each step is projected onto them; an average
        (`ema`, `swa_start`) is that of the points before, and is projected in the end. Not with `LBFGS`
        (SciPy's "L-BFGS-B" is that method with bounds), and not with schedule-free rules.
    callback : callable, optional
        Called after each step, as ``callback(x)``, or ``callback(intermediate_result=...)`` if that is its
        parameter's name: an `OptimizeResult` with ``x, fun, jac, nit, nfev``. It stops the run by returning
        True or raising `StopIteration`.
    record : bool, default True
        Keep the path, (steps + 1) times as large as x.
    data : array_like or tuple of array_like, optional
        Rows that `fun` is a mean or a sum over: it is called as ``fun(x, rows, *args)``, or ``fun(x, X_rows,
        y_rows, *args)`` where `data` is ``(X, y)``, and `jac` likewise.
    batch_size : int, optional
        Rows that each step looks at: 1 is stochastic gradient descent, more are mini-batch gradient descent,
        None is all of `data`. Each epoch takes all rows in a new order. The result is then the last point,
        with `fun` and gradient on all rows, while `path_fun` has what each step saw of its batch; and the
        small gradient of a batch is no sign of having arrived: `min_step` is used only if it is given.
    seed : int, default 0
        Seed of the orders.
    starts : iterable of array_like, default ()
        Further starting points. All are run at once, on `n_threads` threads, and the best result is returned,
        with all results in `runs`. Threads help as far as `fun` lets other threads run, as NumPy does on
        large arrays.
    n_threads : int, optional
        Runs at the same time; by default one per core.
    tol : float, optional
        SciPy's name for `min_step`.
    maxiter : int, optional
        SciPy's name for `max_steps`, which it overrides.
    checkpoint : path-like, optional
        A file that the run, or all of them, is saved to, now and then, at its end and on Ctrl-C. It is
        replaced at once: a process that is killed leaves the last one whole.
    checkpoint_every : float or int, optional
        How often: seconds where it is a float, steps where it is an int. None for 60.0.
    resume : bool, default False
        Go on from `checkpoint`, if that file is there, to the same bits as if the run had never been
        interrupted; of one that was done it only takes the result. `fun`, `x0` and the options must be as
        they were, but for `max_time`; `max_steps` may have grown (a schedule without `total_steps` then
        stretches from there on), and may not be fewer than are done.
    hess, hessp, constraints
        Only for SciPy to call it: there is nothing here that uses them.

    Returns
    -------
    OptimizeResult
        With ``x, fun, jac, success, status, reason, message, nit, nfev, njev, path, path_fun``. After Ctrl-C
        it holds the best point so far.

    Raises
    ------
    ValueError, TypeError
        If an argument, or what `fun` or `jac` returns, is not as described, or `checkpoint` is damaged or of
        another run.
    NonFiniteError
        If the function or its gradient is not finite at the start. Later on, it ends the run with status 4.
    OSError
        If `checkpoint` cannot be read or written.

    Examples
    --------
    >>> import schuss as sc
    >>> result = sc.minimize(lambda x: ((x - 3) ** 2).sum(), [0.0, 1.0], jac=lambda x: 2 * (x - 3),
    ...                      optimizer=sc.SGD(lr=0.1))
    >>> result.x.round(2)
    array([3., 3.])
    >>> result.message
    'The step size 0.000893 is no larger than min_step = 0.001.'

    The mean of four numbers, by steps that look at two of them:

    >>> import numpy as np
    >>> result = sc.minimize(lambda x, rows: ((rows - x) ** 2).mean(), 0.0, data=np.arange(1.0, 5.0),
    ...                      jac=lambda x, rows: 2 * (x - rows.mean()), batch_size=2, max_steps=500)
    >>> bool(abs(result.x - 2.5) < 0.05)
    True
    """
    for name, value in (("hess", hess), ("hessp", hessp), ("constraints", constraints)):
        if value is not None and not (isinstance(value, (tuple, list, dict)) and not value):
            raise ValueError(f"{name} must be None or empty: these methods use the gradient only")
    fun, jac = _without_memory(fun, jac)
    recipe = _recipe(optimizer)
    batches = batches_of(data, batch_size, seed)
    is_stochastic = batches is not None and not batches.is_whole
    min_step = _min_step(min_step, tol, isinstance(recipe, LBFGS), is_stochastic)
    max_steps = (
        check_count("max_steps", max_steps, 0) if maxiter is None else check_count("maxiter", maxiter, 0)
    )
    if max_time is not None:
        max_time = check_number("max_time", max_time, least=0)
    n_threads, record = check_threads(n_threads), check_flag("record", record)
    if isinstance(recipe, LBFGS) and is_stochastic:
        raise ValueError(f"batch_size must be None with LBFGS, which looks at all rows, got {batch_size}")
    if isinstance(recipe, LBFGS) and bounds is not None:
        raise ValueError(
            "bounds must be None with LBFGS, whose line search and curvature a projection would break: use "
            "scipy.optimize.minimize(method='L-BFGS-B'), or another optimizer here, whose steps are projected"
        )
    if isinstance(recipe, ScheduleFreeSGD | ScheduleFreeAdamW) and bounds is not None:
        raise ValueError(
            f"bounds must be None with {type(recipe).__name__}, which averages points that no projection "
            "reaches: use another optimizer, whose steps are projected"
        )

    deadline = None if max_time is None else time.monotonic() + max_time
    rules = Rules(max_steps, min_step, deadline, _callbacks(callback), record)
    starts = check_sequence("starts", starts, "starting points")
    names = ["x0", *(f"starts[{i}]" for i in range(len(starts)))]
    points = [start_of(at, name) for name, at in zip(names, (x0, *starts), strict=True)]
    for name, at in zip(names, points, strict=True):
        if at.shape != points[0].shape:
            raise ValueError(f"{name} must have x0's shape {points[0].shape}, got {at.shape}")
    saved = None
    if (saving := checkpoint_of(checkpoint, checkpoint_every, resume)) is not None:
        saving.kind = "minimize"
        saving.facts = _facts(recipe, points, jac, bounds, min_step, record) | _facts_of(batches)
        saved = Saved(saving, len(points))
        saving.expect_done("max_steps" if maxiter is None else "maxiter", max_steps, saved.steps_done)
    runs = [
        Minimization(
            Function(fun, jac, args, bounds_of(bounds, at), batches), at, rules, name, (saved, number)
        )
        for number, (name, at) in enumerate(zip(names, points, strict=True))
    ]
    if len(runs) == 1:
        return runs[0].result(recipe)
    results = together(runs, recipe, n_threads)
    # NaN is less than nothing, and nothing is less than it.
    best = min(results, key=lambda result: (math.isnan(result.fun), result.fun))
    return OptimizeResult(**best, runs=results)


def _without_memory(fun: Any, jac: Any) -> tuple[Any, Any]:
    """A function as the caller gave it: SciPy's of ``jac=True`` remembers what it has last seen.

    It goes by x alone, so that another batch would get the value of the one before, and it is one for all
    threads.
    """
    remembers = getattr(jac, "__self__", None)
    if remembers is fun and type(remembers).__name__ == "MemoizeJac":
        return remembers.fun, True
    return fun, jac


def _min_step(min_step: Any, tol: Any, is_lbfgs: bool, is_stochastic: bool) -> float:
    """The step size that is taken for small."""
    if tol is not None and min_step is not None:
        raise ValueError("tol and min_step are the same: give one of them")
    if tol is not None:
        return check_number("tol", tol, least=0)
    if min_step is not None:
        return check_number("min_step", min_step, least=0)
    # A batch may well have no gradient at all.
    return -math.inf if is_stochastic else 0.0 if is_lbfgs else 1e-3


def _facts_of(batches: Batches | None) -> dict[str, Any]:
    """What makes the batches what they are."""
    if batches is None:
        return {}
    return {
        "the checksum of data": fingerprint(*batches.all),
        "batch_size": batches.size,
        "seed": batches.seed,
    }


def _facts(
    recipe: Optimizer | LBFGS, points: list[Array], jac: Any, bounds: Any, min_step: float, record: bool
) -> dict[str, Any]:
    """What makes a run what it is: one that goes on from a checkpoint must have the same."""
    limits = [bounds_of(bounds, at) for at in points]
    return {
        "the checksum of the starting points": fingerprint(*points),
        "optimizer": fact_of(recipe),
        "jac": "callable" if callable(jac) else fact_of(jac),
        "the checksum of bounds": [None if limit is None else fingerprint(*limit) for limit in limits],
        "min_step": float(min_step),
        "record": bool(record),
    }


def _callbacks(callback: Callable[..., Any] | None) -> list[Callable[[OptimizeResult], Any]]:
    """SciPy's two forms of callback as one; none or one of them."""
    if callback is None:
        return []
    if not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    refuse_unrun("callback", callback)
    try:
        names = set(inspect.signature(callback).parameters)
    except ValueError:
        names = set()
    if names == {"intermediate_result"}:
        return [lambda state: callback(intermediate_result=state)]
    return [lambda state: callback(state.x)]


def _recipe(optimizer: Optimizer | LBFGS | str | None) -> Optimizer | LBFGS:
    """The recipe that a recipe, a name or None stands for."""
    if optimizer is None:
        return optimizers.SGD(lr=0.01)
    optimizer = optimizers.recipe_or_lbfgs(optimizer)
    if isinstance(optimizer, Optimizer) and any(group["maximize"] for group in optimizer.param_groups):
        raise ValueError("optimizer must not maximize: negate fun and its gradient instead")
    return optimizer

"""Minimising any function that the caller brings."""

from __future__ import annotations

import inspect
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import optimizers
from ._function import Function, bounds_of, start_of
from ._optimizer import Optimizer
from ._schuss import LBFGS, LbfgsRun, NonFiniteError

__all__ = ["LBFGS", "OptimizeResult", "minimize"]

Array: TypeAlias = NDArray[Any]

CONVERGED, MAX_STEPS, STOPPED, MAX_TIME, NOT_FINITE, NO_DESCENT, INTERRUPTED = range(7)


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


def minimize(
    fun: Callable[..., Any],
    x0: ArrayLike,
    args: tuple[Any, ...] = (),
    *,
    jac: Callable[..., ArrayLike] | bool | str | None = None,
    optimizer: Optimizer | LBFGS | str | None = None,
    max_steps: int = 1000,
    min_step: float | None = None,
    max_time: float | None = None,
    bounds: Any = None,
    callback: Callable[..., Any] | None = None,
    record: bool = True,
    starts: Iterable[ArrayLike] = (),
    n_threads: int | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
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
    args : tuple
        Further arguments of `fun` and `jac`.
    jac : callable, bool or str, optional
        ``jac(x, *args) -> gradient``, shaped like x; True if `fun` returns both; None or "3-point" for
        central finite differences, "2-point" for forward ones. These are slow: 2 or 1 evaluations per
        variable and step.
    optimizer : Optimizer, LBFGS or str, optional
        A recipe such as ``schuss.Adam(lr=0.1)``, or a name such as "adam" or "lbfgs" for one with its
        default values. By default gradient descent, ``schuss.SGD(lr=0.01)``.
    max_steps : int, default 1000
        The most steps.
    min_step : float, default 0.001
        The step size at which it has converged: `lr` is the learning rate of the next step, `|g|` the 2-norm
        of the gradient. With bounds, the length of the gradient step that the bounds leave. `LBFGS` has no
        learning rate and takes the length of the last step instead, by default 0: it then stops by its own
        tolerances.
    max_time : float, optional
        Seconds after which it stops.
    bounds : sequence of (min, max), or scipy.optimize.Bounds, optional
        A pair for each variable, None where there is no bound. Each step is projected onto them. Not with
        `LBFGS`: SciPy's "L-BFGS-B" is that method with bounds.
    callback : callable, optional
        Called after each step, as ``callback(x)``, or ``callback(intermediate_result=...)`` if that is its
        parameter's name: an `OptimizeResult` with ``x, fun, jac, nit, nfev``. It stops the run by returning
        True or raising `StopIteration`.
    record : bool, default True
        Keep the path, (steps + 1) times as large as x.
    starts : iterable of array_like
        Further starting points. All are run at once, on `n_threads` threads, and the best result is returned,
        with all results in `runs`. Threads help as far as `fun` lets other threads run, as NumPy does on
        large arrays.
    n_threads : int, optional
        Runs at the same time; by default one per core.
    tol : float, optional
        SciPy's name for `min_step`.
    maxiter : int, optional
        SciPy's name for `max_steps`, which it overrides.
    hess, hessp, constraints
        Only for SciPy to call it: there is nothing here that uses them.

    Returns
    -------
    OptimizeResult
        With ``x, fun, jac, success, status, message, nit, nfev, njev, path, path_fun``. After Ctrl-C it
        holds the best point so far.

    Raises
    ------
    ValueError, TypeError
        If an argument, or what `fun` or `jac` returns, is not as described.
    NonFiniteError
        If the function or its gradient is not finite at the start. Later on, it ends the run with status 4.

    Examples
    --------
    >>> import schuss as sc
    >>> result = sc.minimize(lambda x: ((x - 3) ** 2).sum(), [0.0, 1.0], jac=lambda x: 2 * (x - 3),
    ...                      optimizer=sc.SGD(lr=0.1))
    >>> result.x.round(2)
    array([3., 3.])
    >>> result.message
    'The step size 0.000893 is no larger than min_step = 0.001.'
    """
    for name, value in (("hess", hess), ("hessp", hessp), ("constraints", constraints or None)):
        if value is not None:
            raise ValueError(f"{name} must be None or empty: these methods use the gradient only")
    recipe = _recipe(optimizer)
    if tol is not None:
        if min_step is not None:
            raise ValueError("tol and min_step are the same: give one of them")
        min_step = tol
    if min_step is None:
        min_step = 0.0 if isinstance(recipe, LBFGS) else 1e-3
    if maxiter is not None:
        max_steps = maxiter
    _at_least("min_step", min_step, 0)
    _at_least("max_steps", max_steps, 0)
    if max_time is not None:
        _at_least("max_time", max_time, 0)
    if n_threads is not None:
        _at_least("n_threads", n_threads, 1)
    if isinstance(recipe, LBFGS) and bounds is not None:
        raise ValueError(
            "bounds must be None with LBFGS, whose line search and curvature a projection would break: use "
            "scipy.optimize.minimize(method='L-BFGS-B'), or another optimizer here, whose steps are projected"
        )

    rules = _Rules(
        max_steps=max_steps,
        min_step=min_step,
        deadline=None if max_time is None else time.monotonic() + max_time,
        callback=_callback(callback),
        record=record,
    )
    points = [start_of(x0, "x0"), *(start_of(start, f"starts[{i}]") for i, start in enumerate(starts))]
    runs = [_Run(Function(fun, jac, args, bounds_of(bounds, point)), point, rules) for point in points]
    if len(runs) == 1:
        return runs[0].result(recipe)
    return _best(_together(runs, recipe, n_threads))


@dataclass(frozen=True)
class _Rules:
    """What ends a run, and who watches it."""

    max_steps: int
    min_step: float
    deadline: float | None
    callback: Callable[[OptimizeResult], Any] | None
    record: bool
    # Set where Ctrl-C came while several runs were under way.
    interrupt: threading.Event = field(default_factory=threading.Event)


class _Run:
    """One start on its way down."""

    def __init__(self, function: Function, start: Array, rules: _Rules) -> None:
        self.function = function
        self.rules = rules
        self.start = function.project(start)
        self.nit = 0
        self.best: tuple[Array, float, Array] | None = None
        self.path: list[Array] | None = [] if rules.record else None
        self.path_fun: list[float] = []

    def result(self, recipe: Optimizer | LBFGS) -> OptimizeResult:
        """Run to the end. Ctrl-C is an end too, once there is a point to return."""
        try:
            status, message = self.quasi_newton(recipe) if isinstance(recipe, LBFGS) else self.descend(recipe)
        except KeyboardInterrupt:
            if self.best is None:
                raise
            status, message = INTERRUPTED, "Interrupted; this is the best point so far."
        assert self.best is not None, "a run that has not evaluated its start has raised"
        x, value, gradient = self.best
        return OptimizeResult(
            x=x,
            fun=value,
            jac=gradient,
            success=status == CONVERGED,
            status=status,
            message=message,
            nit=self.nit,
            nfev=self.function.nfev,
            njev=self.function.njev,
            path=None if self.path is None else np.array(self.path),
            path_fun=None if self.path is None else np.array(self.path_fun),
        )

    def descend(self, recipe: Optimizer) -> tuple[int, str]:
        """Steps of a first-order optimizer."""
        x = self.start.copy()
        optimizer = recipe.bind(x)
        value, gradient = self.function(x)
        self.arrived(x, value, gradient)
        while True:
            size = self.function.step_size(x, gradient, optimizer.lr)
            if size <= self.rules.min_step:
                return (
                    CONVERGED,
                    f"The step size {size:.3g} is no larger than min_step = {self.rules.min_step:g}.",
                )
            if end := self.out_of_budget():
                return end
            optimizer.step(gradient)
            self.function.project(x, out=x)
            value, gradient = self.function(x)
            optimizer.tell(value)
            if end := self.stepped(x, value, gradient):
                return end

    def quasi_newton(self, recipe: LBFGS) -> tuple[int, str]:
        """Steps of L-BFGS, each with a line search."""
        shape = self.start.shape
        run = LbfgsRun(recipe, self.start.ravel())
        last = self.start
        while True:
            point = run.point.reshape(shape)
            value, gradient = self.function(point)
            if self.best is None:
                self.arrived(point, value, gradient)
            progress = run.tell(value, gradient.ravel())
            if progress in ("stepped", "gradient", "change"):
                flat, value, gradient = run.best
                x = flat.reshape(shape)
                size = float(np.linalg.norm(x - last))
                last = x
                # Nothing has moved where the start is the answer already.
                if size > 0 and (end := self.stepped(x, value, gradient.reshape(shape))):
                    return end
                if progress == "gradient":
                    return (
                        CONVERGED,
                        f"No gradient component is larger than tolerance_grad = {recipe.tolerance_grad:g}.",
                    )
                if progress == "change":
                    return (
                        CONVERGED,
                        f"The last step gained no more than tolerance_change = {recipe.tolerance_change:g}.",
                    )
                if size <= self.rules.min_step:
                    return (
                        CONVERGED,
                        f"The step size {size:.3g} is no larger than min_step = {self.rules.min_step:g}.",
                    )
            if progress == "no descent":
                return NO_DESCENT, "No lower point was found along the negative gradient."
            if end := self.out_of_budget():
                return end

    def arrived(self, x: Array, value: float, gradient: Array) -> None:
        """The start has been evaluated."""
        if not self.keep(x, value, gradient):
            raise NonFiniteError(f"fun or its gradient is not finite at the start: fun(x0) = {value}")

    def stepped(self, x: Array, value: float, gradient: Array) -> tuple[int, str] | None:
        """A step has been taken."""
        self.nit += 1
        if not self.keep(x, value, gradient):
            return NOT_FINITE, f"The function or its gradient is not finite after step {self.nit}."
        if self.rules.callback is not None:
            state = OptimizeResult(
                x=x.copy(), fun=value, jac=gradient.copy(), nit=self.nit, nfev=self.function.nfev
            )
            try:
                stop = self.rules.callback(state)
            except StopIteration:
                stop = True
            # An array has no single truth, and is no wish to stop.
            if isinstance(stop, (bool, np.bool_)) and stop:
                return STOPPED, "The callback asked to stop."
        return None

    def keep(self, x: Array, value: float, gradient: Array) -> bool:
        """Record a point; False where it is not finite."""
        if self.path is not None:
            self.path.append(x.copy())
            self.path_fun.append(value)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return False
        if self.best is None or value < self.best[1]:
            self.best = (x.copy(), value, gradient.copy())
        return True

    def out_of_budget(self) -> tuple[int, str] | None:
        if self.rules.interrupt.is_set():
            raise KeyboardInterrupt
        if self.nit >= self.rules.max_steps:
            return MAX_STEPS, f"The maximum number of steps, {self.rules.max_steps}, was reached."
        if self.rules.deadline is not None and time.monotonic() >= self.rules.deadline:
            return MAX_TIME, f"The time was over after {self.nit} steps."
        return None


def _together(runs: list[_Run], recipe: Optimizer | LBFGS, n_threads: int | None) -> list[OptimizeResult]:
    """All runs at once. An error ends all of them; so does Ctrl-C, which reaches the main thread only."""
    with ThreadPoolExecutor(n_threads or os.cpu_count()) as pool:
        futures = [pool.submit(run.result, recipe) for run in runs]
        with suppress(KeyboardInterrupt):
            wait(futures, return_when=FIRST_EXCEPTION)
        runs[0].rules.interrupt.set()
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, KeyboardInterrupt):
            raise error
    results = [future.result() for future in futures if future.exception() is None]
    if not results:
        raise KeyboardInterrupt
    return results


def _best(results: list[OptimizeResult]) -> OptimizeResult:
    best = min(results, key=lambda result: result.fun)
    return OptimizeResult(**best, runs=results)


def _callback(callback: Callable[..., Any] | None) -> Callable[[OptimizeResult], Any] | None:
    """SciPy's two forms of callback as one."""
    if callback is None:
        return None
    if not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    try:
        names = set(inspect.signature(callback).parameters)
    except ValueError:
        names = set()
    if names == {"intermediate_result"}:
        return lambda state: callback(intermediate_result=state)
    return lambda state: callback(state.x)


def _recipe(optimizer: Optimizer | LBFGS | str | None) -> Optimizer | LBFGS:
    """The recipe that a recipe, a name or None stands for."""
    if optimizer is None:
        return optimizers.SGD(lr=0.01)
    optimizer = optimizers.recipe_or_lbfgs(optimizer)
    if isinstance(optimizer, Optimizer) and optimizer.param_groups[0]["maximize"]:
        raise ValueError("optimizer must not maximize: negate fun and its gradient instead")
    return optimizer


def _at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ValueError(f"{name} must be at least {least}, got {value}")

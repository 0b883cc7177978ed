"""All rows a step, one row, a few: what each of them costs and brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._batches import Batches
from .._checks import check_count, check_number, check_sequence, shown
from .._function import start_of
from .._optimizer import Optimizer
from ..minimize import minimize
from ..optimizers import SGD
from ..typing import OptimizerName
from ._checks import Array, axes_of, check_fun, has_gradient, value_of
from ._style import GREY, add_legend, colour_of, drawn_before, every, look, scale_losses, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Points of each path at which the loss on all rows is looked at.
LOOKS = 200
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo")


@dataclass
class Regime:
    """A run with batches of one size: its loss on all rows after some of its steps, and what a step takes."""

    name: str
    steps: Array
    losses: Array
    per_step: float

    @property
    def seconds(self) -> Array:
        """The time up to each of these steps."""
        return self.per_step * self.steps

    def until(self, target: float) -> float | None:
        """Seconds until the loss was first seen not above the target, if it was."""
        reached = np.flatnonzero(self.losses <= target)
        return float(self.seconds[reached[0]]) if len(reached) else None


def line_fit() -> tuple[Callable[..., Any], Array, tuple[Array, Array]]:
    """Twenty weights to find from 20,000 rows by least squares."""
    random = np.random.default_rng(0)
    X, true = random.normal(size=(20_000, 20)), random.normal(size=20)
    y = X @ true + random.normal(size=20_000)

    def fun(w: Array, X: Array, y: Array) -> tuple[float, Array]:
        residual = X @ w - y
        return float(residual @ residual / len(y)), 2 * (residual @ X) / len(y)

    return fun, np.zeros(20), (X, y)


def batch_regimes(
    fun: Callable[..., Any] | None = None,
    x0: ArrayLike | None = None,
    data: Any = None,
    *,
    batch_sizes: Sequence[int | None] = (None, 1, 32),
    optimizer: Optimizer | OptimizerName | None = None,
    steps: int = 400,
    target: float | None = None,
    ax: Axes | None = None,
    axes: Sequence[Axes] | None = None,
) -> Any:
    """Draw gradient descent with all rows, one row and mini-batches: noise, time per step, time to a loss.

    Parameters
    ----------
    fun : callable, optional
        The loss on some rows, as for `schuss.minimize` with `data`: ``fun(x, X_rows, y_rows)`` is the loss,
        or, what is faster, loss and gradient. By default least squares with 20 weights.
    x0 : array_like, optional
        Where to start.
    data : array_like or tuple of array_like, optional
        All rows.
    batch_sizes : sequence of int or None, default (None, 1, 32)
        Rows of a step, for one run each; None is all of them.
    optimizer : Optimizer or str, optional
        What all of them step with; by default ``schuss.SGD(lr=0.01)``.
    steps : int, default 400
        Steps of each run.
    target : float, optional
        The loss on all rows that each run is timed to; by default one that is 95 % of the way down.
    ax : matplotlib.axes.Axes, optional
        Where to draw the loss on all rows against the seconds; a new figure by default.
    axes : sequence of three matplotlib.axes.Axes, optional
        In place of `ax`: where to draw the loss against the step, the time of a step, and the time until the
        target.

    Returns
    -------
    matplotlib.axes.Axes, or list of them
        What was drawn on. The times are those of this machine, now: of `schuss.minimize` with this function.
        Each step of a run counts as long as its middle one took, so that little is seen of what else the
        machine does meanwhile.

    Raises
    ------
    TypeError, ValueError
        If `fun` is no function, or comes without `x0` or `data`, or one of these without it, if there are no
        `batch_sizes` or one is not positive, `steps` is not positive, `optimizer` or `target` is not
        accepted, `ax` and `axes` are both given, or `axes` are not three.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import schuss as sc
    >>> ax = sc.plots.batch_regimes(steps=100)
    >>> ax.get_xlabel()
    'seconds'
    """
    steps = check_count("steps", steps, most=1_000_000)
    if ax is not None and axes is not None:
        raise ValueError("axes must not be given beside ax: one picture or the other")
    if target is not None:
        target = check_number("target", target)
        if not np.isfinite(target):
            raise ValueError(f"target must be a finite number, got {shown(target)}")
    sizes = check_sequence("batch_sizes", batch_sizes, "numbers of rows, or None")
    if not sizes:
        raise ValueError("batch_sizes must have at least one number of rows, or None, got none")
    sizes = [None if size is None else check_count("batch_sizes", size) for size in sizes]
    if fun is None:
        for name, value in (("x0", x0), ("data", data)):
            if value is not None:
                raise ValueError(f"{name} must be None without a function of your own, got {shown(value)}")
        fun, x0, data = line_fit()
    check_fun(fun)
    if x0 is None or data is None:
        raise ValueError("x0 and data must be given with a function of your own, got None")
    recipe = SGD(lr=0.01) if optimizer is None else optimizer
    panels = None if axes is None else _three(axes)
    regimes = [_run(fun, x0, data, size, recipe, steps) for size in sizes]
    if target is None:
        start = regimes[0].losses[0]
        # A run that has left the numbers says nothing of how low it could have come.
        lowest = min((x for regime in regimes for x in regime.losses if np.isfinite(x)), default=start)
        target = float(lowest + 0.05 * (start - lowest))
    if panels is None:
        return _by_second(axes_of(ax), regimes, target)
    return _in_three(panels, regimes, target)


def _run(fun: Any, x0: Any, data: Any, size: int | None, recipe: Any, steps: int) -> Regime:
    times = [0.0]
    # As `minimize` hands them to the function.
    rows, start_at = Batches(data, None, 0).all, start_of(x0, "x0")
    both = has_gradient(fun(start_at, *(each[:1] for each in rows)))
    options: dict[str, Any] = {"optimizer": recipe, "max_steps": steps, "data": data, "batch_size": size}
    if size is None or size >= len(rows[0]):
        options["min_step"] = 0  # the gradient of a batch may be none at any time
    # The first step of a process has more to do than the others.
    minimize(fun, x0, jac=both or None, callback=lambda x: True, **options)
    start = perf_counter()
    run = minimize(
        fun, x0, jac=both or None, callback=lambda x: times.append(perf_counter() - start), **options
    )
    assert run.path is not None
    at = np.unique(np.linspace(0, run.nit, LOOKS).round().astype(int))
    losses = np.array([value_of(lambda x: fun(x, *rows), np.asarray(point)) for point in run.path[at]])
    per_step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return Regime(_name(size), at, losses, per_step)


def _name(size: int | None) -> str:
    return "all rows" if size is None else "one row" if size == 1 else f"batches of {size}"


def _by_second(ax: Axes, regimes: Sequence[Regime], target: float) -> Axes:
    for number, regime in enumerate(regimes, drawn_before(ax)):
        until = regime.until(target)
        reached = "not reached" if until is None else f"{_time(until)} to {target:.3g}"
        label = f"{regime.name}: {_time(regime.per_step)} a step, {reached}"
        # At the start no time is over, which a logarithm cannot show.
        seconds, losses = regime.seconds[1:], regime.losses[1:]
        ax.plot(seconds, losses, label=label, **_line(number, len(losses)))
    ax.set(xlabel="seconds", ylabel="loss on all rows", xscale="log")
    scale_losses(ax, np.concatenate([regime.losses for regime in regimes]))
    return _with_target(ax, target)


def _in_three(axes: list[Axes], regimes: Sequence[Regime], target: float) -> list[Axes]:
    by_step, per_step, until = axes
    for number, regime in enumerate(regimes, drawn_before(by_step)):
        by_step.plot(regime.steps, regime.losses, label=regime.name, **_line(number, len(regime.losses)))
    by_step.set(xlabel="step", ylabel="loss on all rows")
    scale_losses(by_step, np.concatenate([regime.losses for regime in regimes]))
    whole_numbers(by_step)
    _with_target(by_step, target)
    names = [regime.name for regime in regimes]
    _bars(per_step, names, [regime.per_step for regime in regimes], "time of a step")
    _bars(until, names, [regime.until(target) for regime in regimes], f"time until the loss is {target:.3g}")
    return axes


def _bars(ax: Axes, names: Sequence[str], times: Sequence[float | None], what: str) -> None:
    """Times side by side, which may be very different."""
    from matplotlib.ticker import EngFormatter, NullFormatter

    before = len(ax.patches)
    known = [time for time in times if time] or [1.0]
    low, high = ax.get_ylim() if before else (np.inf, 0.0)
    floor = min(min(known) / 4, low)
    # Many bars are narrower than what is said of them.
    upright: dict[str, Any] = {"rotation": 90} if before + len(times) > 3 else {}
    for number, time in enumerate(times, before):
        style = {
            "facecolor": colour_of(number),
            "hatch": HATCHES[number % len(HATCHES)],
            "edgecolor": "white",
        }
        (bar,) = ax.bar([number], [floor if time is None else max(time, floor)])
        bar.set(**style)
        words = "not reached" if time is None else _time(time)
        at = (number, bar.get_height())
        ax.annotate(words, at, (0, 2), textcoords="offset points", ha="center", **upright)
    # Room for what stands above the highest one, a share of a picture that has these decades.
    room = (max(known) / floor) ** 0.6 if upright else 3
    ax.set(yscale="log", ylim=(floor, max(room * max(known), high)), ylabel=what)
    labels = list(names) if upright else [name.replace(" of ", "\nof ") for name in names]
    labels = [label.get_text() for label in ax.get_xticklabels()[:before]] + labels
    ax.set_xticks(range(len(labels)), labels=labels, **upright)
    ax.yaxis.set_major_formatter(EngFormatter("s"))
    ax.yaxis.set_minor_formatter(NullFormatter())


def _line(number: int, count: int) -> dict[str, Any]:
    return look(number) | {"markersize": 5, "markevery": every(count, number), "linewidth": 1.3}


def _with_target(ax: Axes, target: float) -> Axes:
    ax.axhline(target, color=GREY, linewidth=1, linestyle=":", label="_target")
    ax.grid(alpha=0.3)
    add_legend(ax, fontsize="small")
    return ax


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= 0.9995 * size:  # what is rounded to 1000 would be written as 1e+03
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _three(axes: Any) -> list[Axes]:
    each = [axes_of(ax, "axes") for ax in check_sequence("axes", axes, "three axes of matplotlib")]
    if len(each) != 3:
        raise ValueError(f"axes must be three axes of matplotlib, got {shown(axes)}")
    return each

"""One loss, several learning rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._checks import check_count, check_number, check_sequence, shown
from .._function import start_of
from ..minimize import minimize
from ..optimizers import SGD
from ._checks import Loss, axes_of, check_fun, has_gradient
from ._curves import draw_curves
from ._landscape import loss_curve
from ._style import named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# For the loss below, whose slope changes by 2: steps of lr = 1 cross the minimum to the same height.
EXAMPLES = {"too small": 0.02, "right": 0.3, "bouncing": 1.0, "diverging": 1.06}


def parabola(w: Any) -> tuple[float, Any]:
    """A loss of one weight, with its gradient."""
    with np.errstate(over="ignore"):  # one that diverges leaves the numbers
        return float((w**2).sum() + 0.1), 2 * w


def learning_rates(
    fun: Loss | None = None,
    x0: ArrayLike | None = None,
    rates: Mapping[str, float] | Sequence[float] | None = None,
    *,
    steps: int = 20,
    ax: Axes | None = None,
    axes: Sequence[Axes] | None = None,
) -> Any:
    """Draw what different learning rates do: runs of gradient descent, `schuss.SGD`, from one start.

    Parameters
    ----------
    fun : callable, optional
        The loss, as for `schuss.minimize`: ``fun(x)`` is the loss or, what is faster, loss and gradient. By
        default a parabola, ``w**2 + 0.1``.
    x0 : array_like, optional
        Where to start; 1.0 for the parabola.
    rates : mapping from str to float, or sequence of float, optional
        The learning rates, with names or without. For the parabola by default one that is too small, one that
        is right, one that bounces from side to side for ever and one that diverges.
    steps : int, default 20
        Steps of each run.
    ax : matplotlib.axes.Axes, optional
        Where to draw the loss against the step; a new figure by default.
    axes : sequence of matplotlib.axes.Axes, optional
        In place of `ax`, one for each learning rate: where to draw the loss over its only weight with the
        steps on it.

    Returns
    -------
    matplotlib.axes.Axes, or list of them
        What was drawn on.

    Raises
    ------
    TypeError, ValueError
        If `fun` is no function, or comes without `x0` or `rates`, if a rate is negative or infinite or there
        is none, `steps` is not positive, `ax` and `axes` are both given, or `axes` are not one for each rate
        of a loss of one weight.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import schuss as sc
    >>> ax = sc.plots.learning_rates()
    >>> ax.get_legend_handles_labels()[1][1]
    'right: lr = 0.3'
    """
    steps = check_count("steps", steps, most=100_000)
    if ax is not None and axes is not None:
        raise ValueError("axes must not be given beside ax: one picture or the other")
    if fun is None:
        fun, x0, rates = parabola, 1.0 if x0 is None else x0, EXAMPLES if rates is None else rates
    check_fun(fun)
    if x0 is None or rates is None:
        raise ValueError("x0 and rates must be given with a function of your own, got None")
    start = start_of(x0, "x0")
    both = has_gradient(fun(start.copy()))
    runs = {}
    for name, lr in _named(rates).items():
        recipe = SGD(lr=lr)
        runs[name] = minimize(fun, start, jac=both or None, optimizer=recipe, max_steps=steps, min_step=0)
    if axes is None:
        losses = {name: _of_all_steps(run, steps) for name, run in runs.items()}
        curves = {name: (range(len(values)), values) for name, values in losses.items()}
        return draw_curves(curves, "step", ax, markers=True)
    return _over_the_weight(fun, start, runs, axes)


def _of_all_steps(run: Any, steps: int) -> list[float]:
    """The loss after each step. A run ends where a step is 0: further ones would stay there."""
    losses: list[float] = run.path_fun.tolist()
    left = steps + 1 - len(losses) if run.reason == "converged" else 0
    return losses + losses[-1:] * left


def _named(rates: Any) -> dict[str, float]:
    """Each learning rate by what the legend calls it."""
    if isinstance(rates, Mapping):
        every = named((f"{name}: lr = {lr:.3g}", lr) for name, lr in _numbers(rates.items()))
    else:
        numbers = _numbers(enumerate(check_sequence("rates", rates, "numbers")))
        every = named((f"lr = {lr:g}", lr) for _, lr in numbers)
    if not every:
        raise ValueError(f"rates must have at least one learning rate, got {shown(rates)}")
    return every


def _numbers(pairs: Any) -> list[tuple[Any, float]]:
    each = [(name, check_number("rates", lr, least=0)) for name, lr in pairs]
    if not all(np.isfinite(lr) for _, lr in each):
        raise ValueError("rates must be finite numbers, got inf")
    return each


def _over_the_weight(fun: Loss, start: Any, runs: Mapping[str, Any], axes: Any) -> list[Axes]:
    each = [
        axes_of(ax, "axes") for ax in check_sequence("axes", axes, "axes of matplotlib, one for each rate")
    ]
    if len(each) != len(runs):
        raise ValueError(f"axes must be {len(runs)} axes, one for each learning rate, got {len(each)}")
    if start.size != 1:
        raise ValueError(
            f"axes must be None with {start.size} weights: there is a curve over one weight only"
        )
    # As far beyond the best point as the start is before it, and some space.
    best = min(runs.values(), key=lambda run: run.fun).x.item()
    reach = 1.5 * abs(start.item() - best) or 1.0
    for ax, (name, run) in zip(each, runs.items(), strict=True):
        loss_curve(fun, (best - reach, best + reach), {name: run}, ax)
        if (legend := ax.get_legend()) is not None:
            legend.remove()  # the title says it
        ax.set_title(name, fontsize="medium")
    return each

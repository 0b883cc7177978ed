"""Pictures of training and of optimizers at work, drawn with matplotlib.

Nothing else in the package imports matplotlib. Each function draws on `ax`, or on a new figure, and
returns the axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .history import History

__all__ = ["learning_curve", "loss_by_step", "loss_curve", "loss_surface"]

Loss = Callable[[NDArray[np.float64]], Any]
Paths = Mapping[str, ArrayLike]


def learning_curve(history: History, ax: Axes | None = None) -> Axes:
    """Draw training and validation loss against the epoch.

    Parameters
    ----------
    history : History
        The record that `MLP.fit` returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on. The loss has a logarithmic scale if it is positive and fell below a
        tenth of its largest value.
    """
    names = [name for name in ("loss", "val_loss") if name in history]
    epochs = range(1, history.epochs + 1)
    return draw_curves({name: (epochs, history[name]) for name in names}, "epoch", ax)


def loss_by_step(fun: Loss, paths: Paths, ax: Axes | None = None) -> Axes:
    """Draw the loss against the step, for one optimizer or several.

    Parameters
    ----------
    fun : callable
        As for `schuss.minimize`: ``fun(x)`` is the loss, or a tuple that begins with it.
    paths : mapping from str to array of shape (steps + 1, parameters)
        The points visited, by name: the `path` of each result of `schuss.minimize`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on; the scale is chosen as in `learning_curve`.
    """
    curves = {name: [_value(fun, point) for point in _points(path)] for name, path in paths.items()}
    return draw_curves({name: (range(len(losses)), losses) for name, losses in curves.items()}, "step", ax)


def loss_curve(
    fun: Loss, bounds: tuple[float, float], paths: Paths | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a loss over its only parameter, and the steps that optimizers take on it.

    Parameters
    ----------
    fun : callable
        As for `schuss.minimize`, called with arrays of shape (1,).
    bounds : (float, float)
        The range of the parameter.
    paths : mapping from str to array of shape (steps + 1, 1) or (steps + 1,), optional
        The points visited, by name.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or new_axes()
    grid = np.linspace(*bounds, 401)
    ax.plot(grid, [_value(fun, np.array([p])) for p in grid], color="0.5")
    for name, path in (paths or {}).items():
        points = _points(path)
        ax.plot(points[:, 0], [_value(fun, p) for p in points], ".-", label=name, linewidth=1)
    ax.set(xlabel="parameter", ylabel="loss")
    _legend(ax, paths)
    return ax


def loss_surface(
    fun: Loss,
    bounds: tuple[tuple[float, float], tuple[float, float]],
    paths: Paths | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a loss over two parameters as contour lines, and the paths of optimizers on it.

    Parameters
    ----------
    fun : callable
        As for `schuss.minimize`, called with arrays of shape (2,).
    bounds : ((float, float), (float, float))
        The ranges of the first and the second parameter.
    paths : mapping from str to array of shape (steps + 1, 2), optional
        The points visited, by name.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on. Between neighbouring contour lines lies the same area, so that valleys
        show whatever the height of the walls around them.
    """
    from matplotlib.colors import BoundaryNorm

    ax = ax or new_axes()
    x, y = (np.linspace(*side, 101) for side in bounds)
    z = np.array([[_value(fun, np.array([p, q])) for p in x] for q in y])
    levels = np.unique(np.quantile(z[np.isfinite(z)], np.linspace(0, 1, 25)))
    if len(levels) > 1:
        shades = BoundaryNorm(levels, 256)
        ax.contourf(x, y, z, levels=levels, cmap="Greys", norm=shades, alpha=0.5)
        ax.contour(x, y, z, levels=levels, colors="0.5", linewidths=0.5, linestyles="solid")
    for name, path in (paths or {}).items():
        points = _points(path)
        (line,) = ax.plot(points[:, 0], points[:, 1], ".-", label=name, linewidth=1, markersize=3)
        ax.plot(*points[-1], "*", color=line.get_color(), markersize=12)
    ax.set(xlabel="first parameter", ylabel="second parameter", xlim=bounds[0], ylim=bounds[1])
    _legend(ax, paths)
    return ax


def _value(fun: Loss, point: NDArray[np.float64]) -> float:
    value = fun(point)
    return float(np.squeeze(value[0] if isinstance(value, tuple) else value))


def _points(path: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(path, dtype=np.float64)
    return points.reshape(len(points), -1)


def draw_curves(
    curves: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    xlabel: str,
    ax: Axes | None,
    ylabel: str = "loss",
    **line_kw: Any,
) -> Axes:
    """Draw curves by name, on a logarithmic scale where they are positive and far apart."""
    ax = ax or new_axes()
    for name, (x, values) in curves.items():
        ax.plot(x, values, **({"label": name, "marker": "o" if len(values) == 1 else None} | line_kw))
    shown = [value for _, values in curves.values() for value in values]
    if shown and 0 < 10 * min(shown) < max(shown):
        ax.set_yscale("log")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(alpha=0.3)
    _legend(ax, curves)
    return ax


def _legend(ax: Axes, names: Mapping[str, Any] | None) -> None:
    if names:
        ax.legend()


def new_axes() -> Axes:
    """The axes of a new figure."""
    import matplotlib.pyplot as plt

    axes: Axes = plt.figure().add_subplot()
    return axes


def __dir__() -> list[str]:
    return __all__.copy()

"""Pictures of training and of optimizers at work, drawn with matplotlib.

Nothing else in the package imports matplotlib. Each function draws on `ax`, or on a new figure, and
returns the axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import numbers
from ._checks import check_number, check_sequence, shown
from ._extras import needed
from .history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
    check_history(history)
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
    check_fun(fun)
    points = _points(paths)
    curves = {name: [_value(fun, point) for point in of_name] for name, of_name in points.items()}
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
    check_fun(fun)
    all_points = _points(paths, 1)
    grid = np.linspace(*_range("bounds", bounds), 401)
    ax = axes_of(ax)
    ax.plot(grid, [_value(fun, np.array([p])) for p in grid], color="0.5")
    for name, points in all_points.items():
        ax.plot(points[:, 0], [_value(fun, p) for p in points], ".-", label=name, linewidth=1)
    ax.set(xlabel="parameter", ylabel="loss")
    _legend(ax, all_points)
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
    with needed("schuss.plots", "matplotlib", "plot"):
        from matplotlib.colors import BoundaryNorm

    check_fun(fun)
    all_points = _points(paths, 2)
    sides = check_sequence("bounds", bounds, "two ranges (low, high)")
    if len(sides) != 2:
        raise ValueError(f"bounds must be two ranges (low, high), got {shown(bounds)}")
    ax = axes_of(ax)
    x, y = (np.linspace(*_range("bounds", side), 101) for side in sides)
    z = np.array([[_value(fun, np.array([p, q])) for p in x] for q in y])
    levels = np.unique(np.quantile(z[np.isfinite(z)], np.linspace(0, 1, 25)))
    if len(levels) > 1:
        shades = BoundaryNorm(levels, 256)
        ax.contourf(x, y, z, levels=levels, cmap="Greys", norm=shades, alpha=0.5)
        ax.contour(x, y, z, levels=levels, colors="0.5", linewidths=0.5, linestyles="solid")
    for name, points in all_points.items():
        (line,) = ax.plot(points[:, 0], points[:, 1], ".-", label=name, linewidth=1, markersize=3)
        ax.plot(*points[-1], "*", color=line.get_color(), markersize=12)
    ax.set(xlabel="first parameter", ylabel="second parameter", xlim=bounds[0], ylim=bounds[1])
    _legend(ax, all_points)
    return ax


def check_fun(fun: Any) -> None:
    """Refuse what cannot be called."""
    if not callable(fun):
        raise TypeError(f"fun must be a function of the parameters, got {shown(fun)}")


def check_history(history: Any) -> None:
    """Refuse what is no record of a training."""
    if not isinstance(history, History):
        raise TypeError(f"history must be a History, got {shown(history)}")


def axes_of(ax: Any) -> Axes:
    """The axes to draw on: those that are given, or those of a new figure."""
    if ax is None:
        return new_axes()
    if not hasattr(ax, "plot") or not hasattr(ax, "set_yscale"):
        raise TypeError(f"ax must be axes of matplotlib, got {shown(ax)}")
    axes: Axes = ax
    return axes


def _range(name: str, ends: Any) -> tuple[float, float]:
    pair = check_sequence(name, ends, "a range (low, high)")
    if len(pair) != 2:
        raise ValueError(f"{name} must be a range (low, high), got {shown(ends)}")
    low, high = (check_number(name, end) for end in pair)
    if not -np.inf < low < high < np.inf:
        raise ValueError(f"{name} must be a finite range with low < high, got {shown(ends)}")
    return low, high


def _value(fun: Loss, point: NDArray[np.float64]) -> float:
    value = fun(point)
    return float(np.squeeze(value[0] if isinstance(value, tuple) else value))


def _points(paths: Any, columns: int | None = None) -> dict[str, NDArray[np.float64]]:
    """The points of each path, a row each."""
    if not isinstance(paths, Mapping | None):
        raise TypeError(f"paths must be a dict of names and arrays, got {shown(paths)}")
    every = {}
    for name, path in (paths or {}).items():
        points = numbers(f"paths[{shown(name)}]", path, np.dtype(np.float64))
        if np.ndim(path) == 0 or not points.size:
            raise ValueError(f"paths[{shown(name)}] must have a point in each row, got {shown(path)}")
        every[name] = points.reshape(len(points), -1)
        if columns is not None and every[name].shape[1] != columns:
            got = every[name].shape
            raise ValueError(f"paths[{shown(name)}] must have {columns} columns, got shape {got}")
    return every


def draw_curves(
    curves: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    xlabel: str,
    ax: Axes | None,
    ylabel: str = "loss",
    **line_kw: Any,
) -> Axes:
    """Draw curves by name, on a logarithmic scale where they are positive and far apart."""
    ax = axes_of(ax)
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
    with needed("schuss.plots", "matplotlib", "plot"):
        import matplotlib.pyplot as plt

    axes: Axes = plt.figure().add_subplot()
    return axes


def __dir__() -> list[str]:
    return __all__.copy()

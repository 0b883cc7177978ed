"""Losses over one weight and over two, and the paths of optimizers on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import shown
from .._extras import needed
from ._checks import (
    FAR,
    Array,
    Grid,
    Loss,
    Paths,
    Range,
    axes_of,
    box_of_paths,
    check_fun,
    grid_of,
    like_paths,
    losses_of,
    new_axes,
    points_of,
    range_of,
    sides_of,
    value_of,
)
from ._style import GREY, LINES, add_legend, colour_of, drawn_before, every, label_of, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Points in each direction at which the loss is looked at.
FLAT, SPATIAL = 101, 61
# Where along a path its arrows are, as shares of its length.
ARROWS = (0.12, 0.4, 0.75)


def loss_curve(fun: Loss, bounds: Range, paths: Paths | None = None, ax: Axes | None = None) -> Axes:
    """Draw a loss over its only parameter, and the steps that optimizers take on it.

    Parameters
    ----------
    fun : callable
        As for `schuss.minimize`, called with arrays of shape (1,), or of the first path's `x0`.
    bounds : (float, float)
        The range of the parameter.
    paths : mapping from str to array of shape (steps + 1, 1) or (steps + 1,), or result, optional
        The points visited, or the result of `schuss.minimize`, by name.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    TypeError, ValueError
        If `fun` is no function, `bounds` no finite range, a path not of one parameter, or `ax` no axes.
    ImportError
        If matplotlib is not installed.
    """
    check_fun(fun)
    all_points = points_of(paths, 1)
    side = range_of("bounds", bounds)
    # All of it before there are axes: where the function fails, nothing is drawn.
    curve, heights = curve_of(like_paths(fun, paths), side), losses_of(fun, paths)
    ax = axes_of(ax)
    before = drawn_before(ax)
    draw_curve(curve, side, ax)
    for number, (name, points) in enumerate(all_points.items(), before):
        ax.plot(points[:, 0], heights[name], label=label_of(name), linewidth=1, **_small(look(number)))
    _name_paths(ax, all_points)
    return ax


def curve_of(fun: Loss, side: Range) -> tuple[Array, Array]:
    """The loss over one parameter: its values, and the loss at each."""
    grid = np.linspace(*side, 401)
    return grid, np.array([value_of(fun, np.array([p])) for p in grid])


def draw_curve(curve: tuple[Array, Array], side: Range, ax: Axes) -> None:
    """The loss over one parameter; steps that leave it do not stretch the picture."""
    grid, heights = curve
    # Of several losses each has a line of its own.
    number = sum(line.get_label() == "_loss" for line in ax.lines)
    ax.plot(grid, heights, color=GREY, linestyle=LINES[number % len(LINES)], zorder=1, label="_loss")
    seen = heights[np.abs(heights) < FAR]
    if seen.size and np.ptp(seen) > 0:
        ax.set(ylim=(seen.min() - 0.05 * np.ptp(seen), seen.max() + 0.05 * np.ptp(seen)))
    ax.set(xlabel="parameter", ylabel="loss", xlim=side)


def loss_surface(
    fun: Loss,
    bounds: tuple[Range, Range] | None = None,
    paths: Paths | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a loss over two parameters as contour lines, and the paths of optimizers on it.

    Parameters
    ----------
    fun : callable
        As for `schuss.minimize`, called with arrays of shape (2,), or of the first path's `x0`.
    bounds : ((float, float), (float, float)), optional
        The ranges of the first and the second parameter; by default what the paths need, if
        they go no further than 1e150.
    paths : mapping from str to array of shape (steps + 1, 2) or result, optional
        The points visited, or the result of `schuss.minimize`, by name.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on. Between neighbouring contour lines lies the same area, so that valleys
        show whatever the height of the walls around them. Arrows say which way a path goes, a star where it
        ends.

    Raises
    ------
    TypeError, ValueError
        If `fun` is no function, a path is not of two parameters, `bounds` are no two finite ranges, or
        missing where there are no paths, or `ax` is no axes.
    ImportError
        If matplotlib is not installed.
    """
    check_fun(fun)
    all_points = points_of(paths, 2)
    sides = sides_of(bounds, all_points)
    grid = grid_of(like_paths(fun, paths), sides, FLAT)
    ax = axes_of(ax)
    before = drawn_before(ax)
    draw_contours(grid, sides, ax)
    for number, (name, points) in enumerate(all_points.items(), before):
        marks = every(len(points), number)
        style = {"linewidth": 1.3, "markevery": marks, "clip_on": True, **_small(look(number))}
        ax.plot(*points.T, label=label_of(name), **style)
        ax.plot(*points[-1], "*", color=colour_of(number), markersize=13, markeredgecolor="white", zorder=4)
        _arrows(ax, points, sides, colour_of(number))
    _name_paths(ax, all_points)
    return ax


def draw_contours(grid: Grid, sides: tuple[Range, Range], ax: Axes, *, plain: bool = False) -> None:
    """The loss over two parameters; plain are fewer shades without lines, of which files are much smaller."""
    with needed("schuss.plots", "matplotlib", "plot"):
        from matplotlib.colors import BoundaryNorm

    x, y, z = grid
    finite = z[np.isfinite(z)]
    shares = np.linspace(0, 1, 13 if plain else 25)
    levels = np.unique(np.quantile(finite, shares)) if finite.size else finite
    if len(levels) > 1:
        shades = BoundaryNorm(levels, 256)
        filled = {"cmap": "Greys", "norm": shades, "alpha": 0.4, "antialiased": not plain}
        ax.contourf(x, y, z, levels=levels, **filled)
    if len(levels) > 1 and not plain:
        ax.contour(x, y, z, levels=levels, colors="0.6", linewidths=0.5, linestyles="solid")
    ax.set(xlabel="first parameter", ylabel="second parameter", xlim=sides[0], ylim=sides[1])


def paths(
    fun: Loss,
    paths: Paths,
    bounds: tuple[Range, Range] | Range | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the paths of optimizers over a loss of one parameter or two.

    Parameters
    ----------
    fun : callable
        As for `schuss.minimize`.
    paths : mapping from str to array of shape (steps + 1, 1 or 2) or result of `schuss.minimize`
        The points visited, by name.
    bounds : (float, float) or ((float, float), (float, float)), optional
        The range of the parameter, or of both; by default what the paths need, if
        they go no further than 1e150.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        Drawn on by `loss_curve` or `loss_surface`.

    Raises
    ------
    TypeError, ValueError
        If `fun` is no function, there is no path, or one that does not have the one or two parameters of all,
        if a range is none, or `ax` no axes.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import schuss as sc
    >>> def valley(p):
    ...     return 0.05 * p[0] ** 2 + p[1] ** 2, np.array([0.1 * p[0], 2 * p[1]])
    >>> recipes = {"gradient descent": sc.SGD(lr=0.8), "Adam": sc.Adam(lr=0.3)}
    >>> runs = {
    ...     name: sc.minimize(valley, [-8.0, 1.5], jac=True, optimizer=recipe, max_steps=40)
    ...     for name, recipe in recipes.items()
    ... }
    >>> ax = sc.plots.paths(valley, runs)
    """
    check_fun(fun)
    points = points_of(paths)
    if not points:
        raise ValueError(f"paths must have at least one path, got {shown(paths)}")
    if all(each.shape[1] == 1 for each in points.values()):
        return loss_curve(fun, side_of(bounds, points), paths, ax)
    sides = None if bounds is None else sides_of(bounds, points)
    return loss_surface(fun, sides, paths, ax)


def side_of(bounds: Any, points: Mapping[str, Array]) -> Range:
    """The range of one parameter: the given one, or what the paths need."""
    return range_of("bounds", bounds) if bounds is not None else box_of_paths(points, 1)[0]


def surface(
    fun: Loss,
    bounds: tuple[Range, Range] | None = None,
    paths: Paths | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a loss over two parameters as a surface in three dimensions, and the paths of optimizers on it.

    Parameters
    ----------
    fun, bounds, paths
        As for `loss_surface`. The height is the loss: where it is very uneven, its logarithm shows more,
        ``lambda p: np.log(fun(p))``.
    ax : mpl_toolkits.mplot3d.axes3d.Axes3D, optional
        Where to draw, ``figure.add_subplot(projection="3d")``; a new figure by default.

    Returns
    -------
    mpl_toolkits.mplot3d.axes3d.Axes3D

    Raises
    ------
    TypeError, ValueError
        As `loss_surface`; if `ax` is not in three dimensions.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import schuss as sc
    >>> ax = sc.plots.surface(lambda p: p[0] ** 2 - p[1] ** 2, ((-1, 1), (-1, 1)))
    >>> ax.get_zlabel()
    'loss'
    """
    check_fun(fun)
    all_points = points_of(paths, 2)
    sides = sides_of(bounds, all_points)
    grid, heights = grid_of(like_paths(fun, paths), sides, SPATIAL), losses_of(fun, paths)
    ax = axes_in_space(ax)
    before = drawn_before(ax)
    draw_relief(grid, sides, ax)
    for number, (name, points) in enumerate(all_points.items(), before):
        x, y, z = in_the_box(points, heights[name], sides)
        marks = every(len(points), number)
        style = {"linewidth": 2, "markevery": marks, "zorder": 4, **_small(look(number))}
        ax.plot(x, y, z, label=label_of(name), **style)
        if np.isfinite(z[-1]):
            ax.plot(
                x[-1:], y[-1:], z[-1:], "*", color=colour_of(number), markersize=13, zorder=5, label="_end"
            )
    _name_paths(ax, all_points)
    return ax


def axes_in_space(ax: Any) -> Any:
    """Axes with three dimensions: those that are given, or those of a new figure."""
    if ax is None:
        return new_axes(projection="3d")
    if not hasattr(ax, "plot_surface"):
        raise TypeError(f'ax must be axes of matplotlib with projection="3d", got {shown(ax)}')
    return ax


def draw_relief(grid: Grid, sides: tuple[Range, Range], ax: Any) -> None:
    """The loss over two parameters in three dimensions, behind all that is drawn on it."""
    x, y, z = grid
    z = np.where(np.abs(z) < FAR, z, np.nan)
    # What matplotlib would compute hides lines that lie on a surface.
    ax.computed_zorder = False
    ax.plot_surface(
        *np.meshgrid(x, y), z, cmap="Greys", alpha=0.6, linewidth=0, rstride=1, cstride=1, zorder=1
    )
    ax.contour(x, y, z, levels=12, colors="0.45", linewidths=0.6, linestyles="solid", zorder=2)
    ax.set(xlabel="first parameter", ylabel="second parameter", xlim=sides[0], ylim=sides[1])
    ax.set_zlabel("loss", labelpad=8)


def in_the_box(points: Array, heights: Sequence[float], sides: tuple[Range, Range]) -> Array:
    """The three coordinates of a path, NaN where it is outside: axes in space cut nothing off."""
    (low, high), line = np.array(sides).T, np.array([*points.T, heights])
    inside = ((points >= low) & (points <= high)).all(axis=1) & (np.abs(line[2]) < FAR)
    return np.where(inside, line, np.nan)


def _small(style: Mapping[str, Any]) -> dict[str, Any]:
    return {**style, "markersize": 4.5}


def _arrows(ax: Axes, points: Array, sides: tuple[Range, Range], colour: str) -> None:
    """Heads along the path, where they can be seen."""
    low, high = np.array(sides).T
    scaled = (points - low) / (high - low)
    steps = np.diff(scaled, axis=0)
    lengths = np.hypot(*steps.T)
    lengths[~np.isfinite(lengths)] = 0
    total = lengths.sum()
    if total < 0.05:
        return
    for share in ARROWS:
        step = int(np.searchsorted(np.cumsum(lengths), share * total))
        step = min(step, len(lengths) - 1)
        if not lengths[step]:
            continue
        # The head lies on the middle of the step; its tail is long enough to have a direction.
        tip = (scaled[step] + scaled[step + 1]) / 2
        tail = tip - steps[step] / lengths[step] * 0.01
        head = {"arrowstyle": "-|>,head_width=0.3,head_length=0.6", "color": colour, "linewidth": 0}
        ax.annotate(
            "",
            low + tip * (high - low),
            low + tail * (high - low),
            arrowprops={**head, "mutation_scale": 14, "shrinkA": 0, "shrinkB": 0},
            annotation_clip=True,
        )


def _name_paths(ax: Any, names: Mapping[str, Any]) -> None:
    if names:
        add_legend(ax, fontsize="small")

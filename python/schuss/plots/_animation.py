"""Optimizers racing down a loss, as a film."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from operator import index
from os import PathLike, fsdecode, fspath
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import check_count, check_number, shown
from .._extras import needed
from .._files import path_of
from ._checks import (
    Array,
    Loss,
    Paths,
    Range,
    axes_of,
    check_fun,
    grid_of,
    like_paths,
    losses_of,
    points_of,
    sides_of,
)
from ._film import WHOLE, page_of, picture_of, save_gif
from ._landscape import (
    FLAT,
    SPATIAL,
    curve_of,
    draw_contours,
    draw_curve,
    draw_relief,
    in_the_box,
    side_of,
)
from ._style import MARKERS, add_legend, drawn_before, label_of, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL.Image import Image

# The most seconds that a GIF keeps a frame: hundredths, in two bytes.
LONGEST = 655


class Race:
    """Optimizers on their way down, a frame for every step or every few.

    Made by `schuss.plots.animate`. In a notebook it plays.

    Attributes
    ----------
    ax : matplotlib.axes.Axes
        What it is drawn on.
    steps : ndarray of int
        The step that each frame shows.
    seconds : float
        The time that a frame stays.
    """

    def __init__(
        self, ax: Axes, show: Callable[[int], None], steps: np.ndarray[Any, Any], seconds: float
    ) -> None:
        self.ax = ax
        self.steps = steps
        self.seconds = seconds
        self._show = show
        self.show(len(steps) - 1)

    def show(self, frame: int) -> None:
        """Draw a frame onto the axes.

        Parameters
        ----------
        frame : int
            Its number, from 0; negative ones count from the end.

        Raises
        ------
        IndexError
            If there is no such frame.
        """
        count = len(self.steps)
        try:
            number = index(frame)
        except TypeError:
            number = count
        if not -count <= number < count:
            raise IndexError(f"frame must be an integer from {-count} to {count - 1}, got {shown(frame)}")
        self._show(int(self.steps[number]))

    def to_html(self, *, dpi: float = 80.0) -> str:
        """The film as HTML with a button and a slider, which needs nothing else: the frames are in it.

        Parameters
        ----------
        dpi : float, default 80.0
            Dots per inch.

        Returns
        -------
        str
            A ``<div>`` and a script, for a page or a notebook.

        Raises
        ------
        TypeError, ValueError
            If `dpi` is not positive and finite.
        """
        names = ", ".join(map(str, self.ax.get_legend_handles_labels()[1]))
        alt = f"optimizers on their way down: {names}"
        return page_of(self._pictures(dpi), self.seconds, escape(alt))

    def save(self, file: str | PathLike[str], *, dpi: float = 100.0) -> None:
        """Write the film to a file.

        Parameters
        ----------
        file : path-like
            Its name ends with ``.gif`` (for slides) or ``.html`` (a page of its own).
        dpi : float, default 100.0
            Dots per inch.

        Raises
        ------
        TypeError, ValueError
            If `file` is no path, or its name ends otherwise, or `dpi` is not positive and finite, or if a
            frame stays longer than a GIF can say.
        OSError
            If it cannot be written.
        """
        if not isinstance(file, str | PathLike) or not isinstance(fspath(file), str):
            raise TypeError(f"file must be a path that ends with .gif or .html, got {shown(file)}")
        path = fsdecode(path_of(file))
        if path.lower().endswith(".html"):
            page = WHOLE.format(film=self.to_html(dpi=dpi))
            with open(path, "w", encoding="utf-8") as html:
                html.write(page)
        elif path.lower().endswith(".gif"):
            if self.seconds > LONGEST:
                words = f"no more than {LONGEST} for each frame of a GIF"
                raise ValueError(f"seconds must be {words}, got {shown(self.seconds)} for each")
            save_gif(path, self._pictures(dpi), self.seconds)
        else:
            raise ValueError(f"file must be a path that ends with .gif or .html, got {shown(file)}")

    def _pictures(self, dpi: float) -> Iterator[Image]:
        dpi = check_number("dpi", dpi, above=0)
        if not np.isfinite(dpi):
            raise ValueError(f"dpi must be finite, got {shown(dpi)}")
        figure: Any = self.ax.figure
        while figure is not figure.figure:  # of a part of a figure, all of it
            figure = figure.figure
        for frame in range(len(self.steps)):
            self.show(frame)
            yield picture_of(figure, dpi)

    def _repr_html_(self) -> str:
        return self.to_html()


def animate(
    fun: Loss,
    paths: Paths,
    bounds: tuple[Range, Range] | Range | None = None,
    ax: Axes | None = None,
    *,
    frames: int = 60,
    seconds: float = 6.0,
) -> Race:
    """Animate optimizers that race down a loss of one parameter or two.

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
        Where to draw; a new figure by default, which pyplot does not know. On axes with
        ``projection="3d"`` they race down a surface.
    frames : int, default 60
        The most frames; all steps have one where there are no more.
    seconds : float, default 6.0
        How long the film takes.

    Returns
    -------
    Race
        A notebook shows it; ``race.save("race.gif")`` is for slides, ``race.to_html()`` for pages, and
        ``race.ax`` are the axes, with the last frame.

    Raises
    ------
    TypeError, ValueError
        If `fun` is no function, there is no path, or one that does not have the one or two parameters of all,
        if a range is none, `frames` is not from 1 to 1000, or `seconds` not positive and finite.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import schuss as sc
    >>> def bowl(p):
    ...     return p[0] ** 2 + 4 * p[1] ** 2, [2 * p[0], 8 * p[1]]
    >>> run = sc.minimize(bowl, [2.0, 1.0], jac=True, optimizer=sc.SGD(lr=0.1), max_steps=30)
    >>> race = sc.plots.animate(bowl, {"gradient descent": run})
    >>> race.save("race.gif")  # doctest: +SKIP
    """
    check_fun(fun)
    frames = check_count("frames", frames, most=1000)
    seconds = check_number("seconds", seconds, above=0)
    if not np.isfinite(seconds):
        raise ValueError(f"seconds must be finite, got {shown(seconds)}")
    points = points_of(paths)
    if not points:
        raise ValueError(f"paths must have at least one path, got {shown(paths)}")
    longest = max(len(each) for each in points.values()) - 1
    # The only one of a film shows where they arrive.
    first = 0 if frames > 1 else longest
    steps = np.unique(np.linspace(first, longest, frames).round().astype(int))
    if all(each.shape[1] == 1 for each in points.values()):
        ax, lines = _on_curve(fun, bounds, paths, ax)
    else:
        ax, lines = _on_plane(fun, bounds, paths, ax)
    show = _show(ax, lines)
    add_legend(ax, fontsize="small", loc="upper right")
    return Race(ax, show, steps, seconds / len(steps))


# The coordinates of each point of a path, a row for each axis of the picture.
Lines = Mapping[str, Array]


def _on_curve(fun: Loss, bounds: Any, paths: Paths, ax: Any) -> tuple[Axes, Lines]:
    points = points_of(paths, 1)
    side = side_of(bounds, points)
    curve, heights = curve_of(like_paths(fun, paths), side), losses_of(fun, paths)
    ax = _figure_of_its_own() if ax is None else axes_of(ax)
    draw_curve(curve, side, ax)
    return ax, {name: np.array([each[:, 0], heights[name]]) for name, each in points.items()}


def _on_plane(fun: Loss, bounds: Any, paths: Paths, ax: Any) -> tuple[Axes, Lines]:
    points = points_of(paths, 2)
    sides = sides_of(bounds, points)
    in_space, of_row = hasattr(ax, "plot_surface"), like_paths(fun, paths)
    grid = grid_of(of_row, sides, SPATIAL if in_space else FLAT)
    heights = losses_of(fun, paths) if in_space else {}
    ax = _figure_of_its_own() if ax is None else axes_of(ax)
    if not in_space:
        draw_contours(grid, sides, ax, plain=True)
        return ax, {name: each.T for name, each in points.items()}
    draw_relief(grid, sides, ax)
    return ax, {name: in_the_box(each, heights[name], sides) for name, each in points.items()}


def _show(ax: Any, lines: Lines) -> Callable[[int], None]:
    """What draws the paths up to a step."""
    drawn = []
    for number, (name, line) in enumerate(lines.items(), drawn_before(ax)):
        style = look(number) | {"marker": None}
        (trail,) = ax.plot(*line[:, :1], linewidth=1.6, label=label_of(name), zorder=4, **style)
        mark = {"marker": MARKERS[number % len(MARKERS)], "color": style["color"], "linestyle": ""}
        (head,) = ax.plot(
            *line[:, :1], markersize=9, markeredgecolor="white", label="_head", zorder=5, **mark
        )
        # The legend shows line and marker as one.
        trail.set_marker(mark["marker"])
        trail.set_markevery([])
        drawn.append((trail, head, line))

    def show(step: int) -> None:
        for trail, head, line in drawn:
            _move(trail, line[:, : step + 1])
            at = min(step, line.shape[1] - 1)
            _move(head, line[:, at : at + 1])
        ax.set_title(f"step {step}", loc="left", fontsize="medium")

    return show


def _move(artist: Any, line: Array) -> None:
    if len(line) == 3:
        artist.set_data_3d(*line)
    else:
        artist.set_data(*line)


def _figure_of_its_own() -> Axes:
    """Axes of a figure that pyplot does not show beside the film."""
    with needed("schuss.plots", "matplotlib", "plot"):
        from matplotlib.figure import Figure

    axes: Axes = Figure(layout="constrained", dpi=80).add_subplot()
    return axes

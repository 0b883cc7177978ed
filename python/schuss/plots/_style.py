"""How several things in one picture are told apart: by colour, and without it by line and marker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

Thing = TypeVar("Thing")

# M. Okabe and K. Ito, Color Universal Design (2008), without the yellow, which white paper swallows.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
# Triangles, which look like the arrows of paths, come last.
MARKERS = ("o", "s", "D", "P", "X", "v", "^", "<", ">")
GREY = "0.45"
# Names of a legend one below the other: about as many as the axes of a figure are high.
ROWS = 12
# What axes of scores at the right are called.
RIGHT = "_right"
# Further powers of ten are not shown: it is clear by then where a loss goes.
DECADES = 200.0


def ink() -> str:
    """What can be read on the paper: black on white, white on a dark one."""
    from matplotlib import rcParams

    return str(rcParams["text.color"])


def colour_of(number: int) -> str:
    """The colour of the thing of that number."""
    colour = COLOURS[number % len(COLOURS)]
    return ink() if colour == BLACK else colour


def look(number: int) -> dict[str, Any]:
    """Colour, line and marker of the thing of that number, as arguments of `Axes.plot`."""
    return {
        "color": colour_of(number),
        "linestyle": LINES[number % len(LINES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def every(count: int, number: int = 0) -> tuple[int, int]:
    """Which of that many points get a marker: about eight, not the same ones for every line."""
    between = max(1, count // 8)
    return number * between // 3 % between, between


def whole_numbers(ax: Axes) -> None:
    """Ticks for what is counted, unless the axes have ticks of their own."""
    from matplotlib.ticker import AutoLocator, MaxNLocator

    if isinstance(ax.xaxis.get_major_locator(), AutoLocator):
        # One whole number is enough: of two, parts would be shown.
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))


def scale_losses(ax: Axes, further: Any = ()) -> None:
    """A logarithmic scale, where all that is on the axes, and further losses, are positive and far apart."""
    # Lines across all of them are not of numbers.
    lines = [line.get_ydata(orig=False) for line in ax.lines if line.get_transform() == ax.transData]
    seen = np.concatenate([np.asarray(each, np.float64) for each in (further, *lines)])
    seen = seen[np.isfinite(seen)]
    if len(seen) and seen.min() <= 0 and ax.get_yscale() == "log":
        # Chosen for what was there before; it would hide what is not positive.
        ax.set_yscale("linear")
        ax.autoscale(axis="y")
    if not len(seen) or not 0 < seen.min() < seen.max() / 10:
        _keep_in_sight(ax, seen)
        return
    low, high = np.log10([seen.min(), seen.max()])
    margin = 0.05 * (high - low)
    low, high = low - margin, high + margin
    # Its margins and ticks would be no numbers for matplotlib, and the picture empty.
    if low < -DECADES < high or low < DECADES < high:
        ax.set_ylim(10 ** max(low, -DECADES), 10 ** min(high, DECADES))
    ax.set_yscale("log")


def _keep_in_sight(ax: Axes, losses: NDArray[np.float64]) -> None:
    """Limits where losses are so far apart that matplotlib's own would be no numbers."""
    far = 10.0**DECADES
    if len(losses) and losses.max() / 2 - losses.min() / 2 > far:
        low, high = np.clip([losses.min(), losses.max()], -far, far)
        # Else it computes its own first.
        ax.set_autoscaley_on(False)
        ax.set_ylim(low - 0.05 * far, high + 0.05 * far)


def drawn_before(ax: Axes) -> int:
    """How many named lines are on the axes already: the next ones get other colours."""
    lines = [line for each in (ax, *at_the_right(ax)) for line in each.get_lines()]
    return sum(not str(line.get_label()).startswith("_") for line in lines)


def at_the_right(ax: Any, what: str | None = None) -> list[Axes]:
    """The axes of scores over axes of losses: all of them, or those of one score."""
    every = [other for other in ax.get_shared_x_axes().get_siblings(ax) if other is not ax]
    # Other axes may share their x as well, in a row of panels.
    place = ax.get_position(original=True).bounds
    ours = [each for each in every if each.get_label() == RIGHT and each.figure is ax.figure]
    here = [each for each in ours if each.get_position(original=True).bounds == place]
    return [each for each in here if what is None or each.get_ylabel() == what]


def label_of(name: Any) -> str:
    """What a legend says of it: matplotlib leaves out what begins with an underscore."""
    words = str(name)
    return f" {words}" if words.startswith("_") else words


def add_legend(ax: Any, **options: Any) -> None:
    """Name what is drawn, if anything is: in columns where it is much, which leave the axes their size."""
    handles = [handle for each in (ax, *at_the_right(ax)) for handle in each.get_legend_handles_labels()[0]]
    if not handles:
        return
    columns = -(-len(handles) // ROWS)
    legend = ax.legend(**({"handles": handles, "ncols": columns} | options))
    if columns > 1:
        legend.set_in_layout(False)


def named(things: Iterable[tuple[str, Thing]]) -> dict[str, Thing]:
    """Things by their names, which get a number where they come again."""
    every: dict[str, Thing] = {}
    for words, thing in things:
        name, number = words, 1
        while name in every:
            number += 1
            name = f"{words} ({number})"
        every[name] = thing
    return every

"""How several things in one picture are told apart: by colour, and without it by line and marker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Thing = TypeVar("Thing")

# M. Okabe and K. Ito, Color Universal Design (2008), without the yellow, which white paper swallows.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
# Triangles, which look like the arrows of paths, come last.
MARKERS = ("o", "s", "D", "P", "X", "v", "^", "<", ">")
GREY = "0.45"


def colour_of(number: int) -> str:
    """The colour of the thing of that number."""
    return COLOURS[number % len(COLOURS)]


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
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))


def drawn_before(ax: Axes) -> int:
    """How many named lines are on the axes already: the next ones get other colours."""
    return sum(not str(line.get_label()).startswith("_") for line in ax.get_lines())


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

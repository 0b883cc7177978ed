"""What pictures are drawn on and of, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arrays import numbers
from .._checks import check_number, check_sequence, shown
from .._extras import needed
from ..history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array: TypeAlias = NDArray[np.float64]
Loss: TypeAlias = Callable[[Array], Any]
# The points visited, or a result of `schuss.minimize`, which has them.
Paths: TypeAlias = Mapping[str, ArrayLike | Mapping[str, Any]]
Range: TypeAlias = tuple[float, float]
# Values of two parameters, and a row of losses for each of the second.
Grid: TypeAlias = tuple[Array, Array, Array]
# Free space around paths, as a share of their extent.
MARGIN = 0.15
# What is larger has no room on an axis: the space around it would be infinite.
FAR = 1e300
# Of parameters that are larger, not even a square has room.
REACH = 1e150


def check_fun(fun: Any) -> None:
    """Refuse what cannot be called."""
    if not callable(fun):
        raise TypeError(f"fun must be a function of the parameters, got {shown(fun)}")


def check_history(history: Any) -> None:
    """Refuse what is no record of a training."""
    if not isinstance(history, History):
        raise TypeError(f"history must be a History, got {shown(history)}")


def axes_of(ax: Any, name: str = "ax") -> Axes:
    """The axes to draw on: those that are given, or those of a new figure."""
    if ax is None:
        return new_axes()
    if not hasattr(ax, "plot") or not hasattr(ax, "set_yscale"):
        raise TypeError(f"{name} must be axes of matplotlib, got {shown(ax)}")
    axes: Axes = ax
    return axes


def new_axes(**options: Any) -> Axes:
    """The axes of a new figure."""
    with needed("schuss.plots", "matplotlib", "plot"):
        import matplotlib.pyplot as plt

    axes: Axes = plt.figure(layout="constrained").add_subplot(**options)
    return axes


def has_gradient(value: Any) -> bool:
    """Whether a function has returned its gradient, too."""
    return isinstance(value, tuple | list)


def value_of(fun: Loss, point: NDArray[Any]) -> float:
    """The loss at a point, of a function that may return its gradient, too."""
    # It may work in place.
    value = fun(point.copy())
    try:
        return float(np.squeeze(value[0] if has_gradient(value) else value))
    except (IndexError, TypeError, ValueError):
        words = f"fun must return a number, or a tuple that begins with one, got {shown(value)}"
        raise TypeError(words) from None


def range_of(name: str, ends: Any) -> Range:
    """A finite range (low, high)."""
    pair = check_sequence(name, ends, "a range (low, high)")
    if len(pair) != 2:
        raise ValueError(f"{name} must be a range (low, high), got {shown(ends)}")
    low, high = (check_number(name, end) for end in pair)
    if not 0 < high - low < np.inf:
        raise ValueError(f"{name} must be a finite range with low < high, got {shown(ends)}")
    return low, high


def points_of(paths: Any, columns: int | None = None) -> dict[str, Array]:
    """The points of each path, a row each."""
    every = {}
    for name, points in visited(paths).items():
        every[name] = np.asarray(points, np.float64).reshape(len(points), -1)
        if columns is not None and every[name].shape[1] != columns:
            got = every[name].shape
            raise ValueError(f"paths[{shown(name)}] must have {columns} columns, got shape {got}")
    return every


def visited(paths: Any, of_list: tuple[int, ...] = (1,)) -> dict[str, NDArray[Any]]:
    """The points of each path, as the function has got them: in the shape and the dtype of the start.

    A plain list of numbers does not tell whether they were arrays; `of_list` is their shape.
    """
    accepted = "paths must be a dict of names and arrays or results"
    if not isinstance(paths, Mapping | None):
        raise TypeError(f"{accepted}, got {shown(paths)}")
    # These are dicts as well, SciPy's result among them.
    if (kind := type(paths).__name__) in ("OptimizeResult", "History"):
        raise TypeError(f"{accepted}, got {'an' if kind[0] == 'O' else 'a'} {kind}")
    every = {}
    for name, path in (paths or {}).items():
        is_run = False
        if isinstance(path, Mapping):
            if path.get("path") is None:
                raise ValueError(f"paths[{shown(name)}] must be a result with a path: minimize(record=True)")
            path, is_run = path["path"], True
        single = getattr(path, "dtype", None) == np.float32
        points = numbers(f"paths[{shown(name)}]", path, np.dtype(np.float32 if single else np.float64))
        if np.ndim(path) == 0 or not points.size:
            raise ValueError(f"paths[{shown(name)}] must have a point in each row, got {shown(path)}")
        every[name] = points.reshape(-1, *of_list) if points.ndim == 1 and not is_run else points
    return every


def like_paths(fun: Loss, paths: Any) -> Loss:
    """The function of a row of parameters, which it gets in the shape and the dtype of the first path's."""
    first = next(iter(visited(paths).values()), None)
    if first is None:
        return fun
    shape, dtype = first.shape[1:], first.dtype

    def of_row(row: Array) -> Any:
        with np.errstate(over="ignore"):  # float32 has less room than the picture
            point = row.astype(dtype)
        return fun(point.reshape(shape))

    return of_row


def losses_of(fun: Loss, paths: Any, of_list: tuple[int, ...] = (1,)) -> dict[str, list[float]]:
    """The loss at each point of each path."""
    every = visited(paths, of_list).items()
    return {name: [value_of(fun, np.asarray(point)) for point in points] for name, points in every}


def sides_of(bounds: Any, points: Mapping[str, Array]) -> tuple[Range, Range]:
    """The ranges of two parameters: those that are given, or what the paths need."""
    if bounds is None:
        return box_of_paths(points, 2)  # type: ignore[return-value]
    sides = check_sequence("bounds", bounds, "two ranges (low, high)")
    if len(sides) != 2:
        raise ValueError(f"bounds must be two ranges (low, high), got {shown(bounds)}")
    first, second = (range_of("bounds", side) for side in sides)
    return first, second


def box_of_paths(points: Mapping[str, Array], columns: int) -> tuple[Range, ...]:
    """The range of each parameter that all paths need, if a picture of it shows anything."""
    sides = box_around(points, columns)
    if np.abs(sides).max() > REACH:
        raise ValueError(f"bounds must be given where paths go further than {REACH:g}, got None")
    return sides


def box_around(points: Mapping[str, Array], columns: int) -> tuple[Range, ...]:
    """The range of each parameter that all paths need, and some space around."""
    if not points:
        raise ValueError("bounds must be given where there are no paths, got None")
    together = np.concatenate(list(points.values()))
    together = together[np.isfinite(together).all(axis=1)]
    if not len(together):
        raise ValueError("bounds must be given where no point of the paths is finite, got None")
    low, high = together.min(axis=0), together.max(axis=0)
    # A parameter that stays gets as much space as the one that moves most.
    extent = high - low
    extent = np.where(extent > 0, extent, extent.max() or 1.0)
    low, high = low - MARGIN * extent, high + MARGIN * extent
    return tuple((float(low[i]), float(high[i])) for i in range(columns))


def grid_of(fun: Loss, sides: tuple[Range, Range], count: int) -> Grid:
    """The loss over two parameters: their values, and a row of losses for each of the second."""
    x, y = (np.linspace(*side, count) for side in sides)
    return x, y, np.array([[value_of(fun, np.array([p, q])) for p in x] for q in y])

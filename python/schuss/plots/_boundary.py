"""What a model of two inputs says everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import array, numbers
from .._checks import check_count, shown
from .._extras import needed
from .._metrics import labels_of
from ..network import MLP
from ._checks import Array, axes_of, box_around
from ._style import MARKERS, add_legend, colour_of, ink, label_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def decision_boundary(
    model: Any, X: ArrayLike, y: ArrayLike | None = None, ax: Axes | None = None, *, resolution: int = 200
) -> Axes:
    """Draw what a model of two inputs predicts: regions of its classes, or levels of its numbers.

    Parameters
    ----------
    model : MLP, or an estimator with `predict`
        The model. Classes are those of an estimator's `classes_`, or of a network with ``"cross_entropy"`` or
        ``"binary_cross_entropy"``.
    X : array_like of shape (n_samples, 2)
        Rows, around which is drawn.
    y : array_like of shape (n_samples,), optional
        Their targets: draws the rows, by class with a colour and a marker of its own.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    resolution : int, default 200
        Points in each direction that are predicted.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    TypeError, ValueError
        If `model` cannot predict, or predicts several numbers or labels, if `X` is not of two columns, or
        nowhere finite, if `y` is not of as many rows, or not of the model's classes, or no numbers where it
        has none, or `resolution` is not from 2 to 10,000.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> import schuss as sc
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> y = (X[:, 0] * X[:, 1] > 0).astype(float)
    >>> net = sc.MLP([2, 16, 1], activation="tanh", loss="binary_cross_entropy", dtype="float64")
    >>> history = net.fit(X, y, optimizer=sc.Adam(lr=0.02), batch_size=20, epochs=60)
    >>> ax = sc.plots.decision_boundary(net, X, y)
    """
    if not callable(getattr(model, "predict", None)):
        raise TypeError(f"model must be an MLP or an estimator with predict, got {shown(model)}")
    points = numbers("X", X, np.dtype(np.float64))
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"X must be of shape (n_samples, 2), got {np.shape(X)}")
    if not np.isfinite(points).all(axis=1).any():
        raise ValueError("X must have a row of finite numbers, around which is drawn, got none")
    targets = None if y is None else array("y", y)
    if targets is not None and targets.ndim > 1 and targets.size != len(targets):
        raise ValueError(f"y must be of shape (n_samples,), got {targets.shape}")
    targets = None if targets is None else np.ravel(targets)
    if targets is not None and len(targets) != len(points):
        raise ValueError(f"y must have {len(points)} rows as X has, got {len(targets)}")
    resolution = check_count("resolution", resolution, least=2, most=10_000)
    sides = box_around({"X": points}, 2)
    grid = np.meshgrid(*(np.linspace(*side, resolution) for side in sides))
    rows = np.column_stack([each.ravel() for each in grid])
    found, classes = _predicted(model, rows, X)
    found = found.reshape(grid[0].shape)
    if targets is not None:
        targets = _checked(targets, classes)
    ax = axes_of(ax)
    if classes is None:
        _draw_levels(ax, grid, found, points, targets)
    else:
        _draw_regions(ax, grid, found, classes, points, targets)
    ax.set(xlabel="first input", ylabel="second input", xlim=sides[0], ylim=sides[1])
    return ax


def _predicted(model: Any, rows: Array, given: Any) -> tuple[Any, list[Any] | None]:
    """Numbers and None, or the number of the class of each row and the classes."""
    if isinstance(model, MLP):
        if model.layers[0] != 2:
            raise ValueError(f"model must have two inputs, got {model.layers[0]}")
        outputs = model.predict(rows)
        if model.objective == "cross_entropy":
            return outputs.argmax(axis=1), list(range(model.layers[-1]))
        outputs = outputs.reshape(len(rows), -1)
        if outputs.shape[1] > 1:
            raise ValueError(f"model must have one output, or classes, got {outputs.shape[1]} outputs")
        if model.objective == "binary_cross_entropy":
            return labels_of(outputs[:, 0]), [0, 1]
        return outputs[:, 0], None
    # An estimator may know the columns by name.
    outputs = model.predict(_like(given, rows))
    columns = outputs.shape[1] if np.ndim(outputs) == 2 else 1
    if columns > 1:
        raise ValueError(f"model must predict one number or class for each row, got {columns}")
    outputs = np.ravel(outputs)
    if not hasattr(model, "classes_"):
        return outputs, None
    classes = np.asarray(model.classes_).tolist()
    labels, places = np.unique(outputs, return_inverse=True)
    unknown = [label for label in labels.tolist() if label not in classes]
    if unknown:
        raise ValueError(f"model must predict its classes, {shown(classes)}, got {shown(unknown[0])}")
    # Not every library sorts them.
    return np.array([classes.index(label) for label in labels.tolist()])[places], classes


def _like(given: Any, rows: Array) -> Any:
    """The rows as a table of the same library and columns, if that is what was given."""
    kind, names = type(given), getattr(given, "columns", None)
    if names is None:
        return rows
    if hasattr(given, "iloc"):
        return kind(rows, columns=names)
    if hasattr(kind, "from_pydict"):  # pyarrow, whose columns are the numbers themselves
        return kind.from_pydict(dict(zip(given.column_names, rows.T, strict=True)))
    if kind.__module__.partition(".")[0] == "polars":
        return kind({name: np.ascontiguousarray(column) for name, column in zip(names, rows.T, strict=True)})
    return rows


def _checked(targets: Any, classes: list[Any] | None) -> Any:
    """Targets that can be drawn: numbers, or classes of the model."""
    if classes is None:
        return numbers("y", targets, np.dtype(np.float64))
    unknown = [label for label in dict.fromkeys(targets.tolist()) if label not in classes]
    if unknown:
        raise ValueError(f"y must be classes of the model, {shown(classes)}, got {shown(unknown[0])}")
    return targets


def _draw_regions(ax: Axes, grid: Any, found: Any, classes: list[Any], points: Array, targets: Any) -> None:
    with needed("schuss.plots", "matplotlib", "plot"):
        from matplotlib.colors import ListedColormap

    shades = ListedColormap([colour_of(number) for number in range(len(classes))])
    ax.pcolormesh(
        *grid, found, cmap=shades, vmin=0, vmax=max(len(classes) - 1, 1), alpha=0.22, rasterized=True
    )
    for number in range(1, len(classes)):
        if (found >= number).any() and (found < number).any():
            ax.contour(*grid, found >= number, levels=[0.5], colors=ink(), linewidths=1)
    if targets is None:
        return
    for number, name in enumerate(classes):
        of_class = points[targets == name]
        mark = MARKERS[number % len(MARKERS)]
        style: dict[str, Any] = {
            "color": colour_of(number),
            "markersize": 4.5,
            "markeredgecolor": "white",
            "markeredgewidth": 0.4,
        }
        # Dollars are no formula: labels come with the data.
        label = label_of(name).replace("$", r"\$")
        ax.plot(*of_class.T, mark, label=label, linestyle="", **style)
    add_legend(ax, fontsize="small", title="class")


def _draw_levels(ax: Axes, grid: Any, found: Any, points: Array, targets: Any) -> None:
    with needed("schuss.plots", "matplotlib", "plot"):
        from matplotlib.ticker import MaxNLocator

    # The rows have the same colours, and so they are among the levels.
    both = np.concatenate([found.ravel(), [] if targets is None else targets])
    seen = both[np.isfinite(both)]
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 1.0)
    if low == high:
        margin = abs(low) / 10 or 1.0
        low, high = low - margin, high + margin
    levels = MaxNLocator(16, min_n_ticks=1).tick_values(low, high)
    filled = ax.contourf(*grid, found, levels=levels, cmap="cividis", alpha=0.85)
    ax.contour(*grid, found, levels=filled.levels, colors="white", linewidths=0.4)
    if targets is not None:
        style: dict[str, Any] = {
            "c": targets,
            "cmap": "cividis",
            "norm": filled.norm,
            "edgecolors": "white",
            "linewidths": 0.5,
        }
        ax.scatter(points[:, 0], points[:, 1], s=18, **style)
    figure = ax.get_figure()
    if figure is not None:
        figure.colorbar(filled, ax=ax, label="prediction")

"""Losses against the epoch and against the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import check_name, shown
from .._extras import needed
from ..history import History
from ._checks import Loss, Paths, axes_of, check_fun, check_history, losses_of
from ._style import (
    GREY,
    LINES,
    MARKERS,
    RIGHT,
    add_legend,
    at_the_right,
    colour_of,
    drawn_before,
    every,
    ink,
    label_of,
    scale_losses,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


def learning_curve(history: History, ax: Axes | None = None, *, score: str | None = None) -> Axes:
    """Draw training and validation loss against the epoch.

    Parameters
    ----------
    history : History
        The record that `MLP.fit` returned, or an estimator's `history_`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    score : str, optional
        A further column, such as ``"score"``, drawn with a scale of its own at the right; by default
        ``"score"`` where it decided on the best epoch.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on. The loss has a logarithmic scale if it is positive and fell below a
        tenth of its largest value. Where the history knows its `best_epoch`, a line marks it and a star
        the number that decided. Where it has `steps`, their losses are a thin line behind, whose last point
        of an epoch is at that epoch; a loss that is a sum over rows is what all rows of the epoch would have
        at the mean of the step's.

    Raises
    ------
    TypeError, ValueError
        If `history` is no `History`, `score` none of its columns, or `ax` no axes.
    ImportError
        If matplotlib is not installed.
    """
    check_history(history)
    if score is not None and check_name("score", score, history) not in history:
        raise ValueError(f"score must be one of {', '.join(history)}, got {shown(score)}")
    best = history.best_epoch
    if score is None and best is not None and decider(history) == "score":
        score = "score"
    names = [name for name in ("loss", "val_loss") if name in history and name != score]
    epochs = range(1, history.epochs + 1)
    ax = draw_curves({name: (epochs, history[name]) for name in names}, "epoch", ax)
    where = dict.fromkeys(names, ax)
    if history.steps is not None:
        _draw_steps(history.steps, history.get("loss", []), ax)
    if score is not None:
        number = drawn_before(ax)
        where[score] = right = _right_of(ax, score)
        style: dict[str, Any] = {"color": colour_of(number), "linestyle": LINES[2 % len(LINES)]}
        right.plot(epochs, history[score], label=label_of(score), **style)
        add_legend(ax)
    if best is not None and 1 <= best <= history.epochs and decider(history) in history:
        _mark_best(best, history, where, ax)
    return ax


def _right_of(ax: Axes, score: str) -> Axes:
    """Axes for a score, with a scale at the right: those of an earlier history, or new ones."""
    for right in at_the_right(ax, score):
        return right
    right = ax.twinx()
    right.set(ylabel=score, label=RIGHT)
    return right


def _draw_steps(steps: Mapping[str, NDArray[Any]], by_epoch: Sequence[float], ax: Axes) -> None:
    """The loss of each batch, where there are several in an epoch."""
    numbers, first, counts = np.unique(steps["epoch"], return_index=True, return_counts=True)
    longest = counts.max(initial=1)
    if longest == 1:
        return
    within = np.arange(len(steps["epoch"])) - np.repeat(first, counts) + 1
    # One that was not finished has fewer.
    at = steps["epoch"] - 1 + within / longest
    losses = steps["loss"]
    known = [by_epoch[number - 1] if number <= len(by_epoch) else np.nan for number in numbers]
    if _are_sums(losses, steps["weight"], first, known):
        # As those of epochs are: of all rows. One that was not finished has not seen all.
        rows = np.add.reduceat(steps["weight"], first).max()
        # A batch without weight says nothing of them.
        losses = losses * rows / np.where(steps["weight"] > 0, steps["weight"], np.nan)
    ax.plot(at, losses, color=GREY, linewidth=0.7, alpha=0.6, zorder=1, label="loss of each step")
    add_legend(ax)


def _are_sums(losses: Any, weights: Any, first: Any, by_epoch: Any) -> bool:
    """Whether the losses of epochs are sums over their batches, and no means."""
    with np.errstate(all="ignore"):  # of what has left the numbers
        sums = np.add.reduceat(losses, first)
        means = np.add.reduceat(losses * weights, first) / np.add.reduceat(weights, first)
        closer = np.abs(sums - by_epoch) < np.abs(means - by_epoch)
        told = np.isfinite(sums) & np.isfinite(means) & np.isfinite(by_epoch) & (sums != means)
    return bool(told.any() and closer[told].all())


def decider(history: History) -> str:
    """The column that has decided which epoch was the best."""
    # Estimators go by their score on held-out rows; a metric of a network's has one of both kinds of rows.
    if "score" in history and "val_score" not in history:
        return "score"
    return "val_loss" if "val_loss" in history else "loss"


def _mark_best(best: int, history: History, where: Mapping[str, Axes], ax: Axes) -> None:
    """A line at the best epoch, and a star on the curve that decided."""
    ax.axvline(best, color=GREY, linewidth=1, linestyle=":", label="_best")
    decided = decider(history)
    value = history[decided][best - 1]
    words = f"epoch {best}: {decided} {value:.4g}"
    if decided in where:
        where[decided].plot(best, value, "*", color=ink(), markersize=12, label="_best", zorder=5)
    on_left = best > history.epochs / 2
    ax.annotate(
        f"best, {words}",
        (best, 0.02),
        (-5 if on_left else 5, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right" if on_left else "left",
        fontsize="small",
    )


def loss_by_step(fun: Loss, paths: Paths, ax: Axes | None = None) -> Axes:
    """Draw the loss against the step, for one optimizer or several.

    Parameters
    ----------
    fun : callable
        As for `schuss.minimize`: ``fun(x)`` is the loss, or a tuple that begins with it, of x in the shape
        and the dtype that it had in the run.
    paths : mapping from str to array of shape (steps + 1, ...) or result of `schuss.minimize`
        The points visited, by name, each in the shape of the first.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on; the scale is chosen as in `learning_curve`.

    Raises
    ------
    TypeError, ValueError
        If `fun` is no function, a path has no points, as a result of ``minimize(record=False)``, or `ax` is
        no axes.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import schuss as sc
    >>> def bowl(x):
    ...     return (x**2).sum(), 2 * x
    >>> run = sc.minimize(bowl, [3.0, 1.0], jac=True, optimizer=sc.SGD(lr=0.1), max_steps=20)
    >>> ax = sc.plots.loss_by_step(bowl, {"gradient descent": run})
    >>> ax.get_xlabel()
    'step'
    """
    check_fun(fun)
    curves = losses_of(fun, paths, of_list=())
    by_step = {name: (range(len(losses)), losses) for name, losses in curves.items()}
    return draw_curves(by_step, "step", ax, markers=True)


def line_options(given: dict[str, Any]) -> dict[str, Any]:
    """Options of lines by their long names, each one that matplotlib accepts."""
    with needed("schuss.plots", "matplotlib", "plot"):
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D

    options: dict[str, Any] = normalize_kwargs(given, Line2D)  # `c` is `color`
    for name in options.keys() - {"scalex", "scaley"}:
        try:
            Line2D([], [], **{name: options[name]})
        except AttributeError:
            raise TypeError(f"line_kw must be options of matplotlib's Axes.plot, got {name}") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must be what matplotlib accepts, got {shown(options[name])}") from error
    return options


def draw_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    ax: Axes | None,
    ylabel: str = "loss",
    markers: bool = False,
    **line_kw: Any,
) -> Axes:
    """Draw curves by name, on a logarithmic scale where they are positive and far apart."""
    ax = axes_of(ax)
    before = drawn_before(ax)
    for number, (name, (x, values)) in enumerate(curves.items()):
        style: dict[str, Any] = {
            "label": label_of(name),
            "color": colour_of(before + number),
            "linestyle": LINES[number % len(LINES)],
            "marker": "o" if len(values) == 1 else None,
        }
        if markers and len(values) > 1:
            mark = MARKERS[(before + number) % len(MARKERS)]
            style |= {"marker": mark, "markevery": every(len(values), number), "markersize": 5}
        ax.plot(x, values, **(style | line_kw))
    if curves:
        scale_losses(ax)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    whole_numbers(ax)
    ax.grid(alpha=0.3)
    add_legend(ax)
    return ax

"""Exponentially weighted averages: what they give to the past, and what they make of a series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._arrays import numbers
from .._checks import check_count, check_number, check_sequence, shown
from ..ewa import ewa as average
from ._checks import Array, axes_of
from ._style import GREY, MARKERS, add_legend, colour_of, drawn_before, every, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Small marks that no average has.
DOTS = (".", "+", "x", "1", "2", "3", "4")


def ewa(
    series: ArrayLike | None = None,
    beta: float | Sequence[float] = 0.9,
    ax: Axes | None = None,
    *,
    steps: int = 20,
) -> Axes:
    """Draw exponentially weighted averages, with bias correction and without; see `schuss.ewa`.

    Parameters
    ----------
    series : array_like of float, optional
        What to average: draws the series and its averages. Without, draws the weights that the average V_t
        gives to the past values, ``(1 - beta) * beta**k`` for the one k steps back, and the same divided by
        ``1 - beta**t``, which add up to 1.
    beta : float or sequence of float, default 0.9
        Weight of the past, in [0, 1), of one average or several.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    steps : int, default 20
        Without a series: t, how many values there have been.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    TypeError, ValueError
        If `series` is not numbers in one dimension, `beta` not in [0, 1), `steps` not positive, or `ax` no
        axes.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import schuss as sc
    >>> weights = sc.plots.ewa(beta=0.9, steps=10)
    >>> curves = sc.plots.ewa([20.0, 22.0, 19.0, 24.0], beta=[0.5, 0.9])
    """
    betas = _betas(beta)
    steps = check_count("steps", steps, most=100_000)
    values = None
    if series is not None:
        values = numbers("series", series, np.dtype(np.float64))
        if np.ndim(series) != 1:
            raise ValueError(f"series must have one dimension, got shape {np.shape(series)}")
    ax = axes_of(ax)
    if values is None:
        _draw_weights(ax, betas, steps)
    else:
        _draw_averages(ax, values, betas)
    ax.grid(alpha=0.3)
    add_legend(ax, fontsize="small")
    return ax


def _betas(beta: Any) -> list[float]:
    several = isinstance(beta, list | tuple) or (isinstance(beta, np.ndarray) and beta.ndim > 0)
    given = check_sequence("beta", beta, "numbers in [0, 1)") if several else [beta]
    betas = [check_number("beta", each, least=0) for each in given]
    if not betas or max(betas) >= 1:
        raise ValueError(f"beta must be in [0, 1), got {shown(beta)}")
    return betas


def weights_of(beta: float, steps: int) -> Array:
    """What V_t gives to the value 0, 1, ... steps back."""
    weights: Array = (1 - beta) * np.power(beta, np.arange(steps, dtype=np.float64))
    return weights


def _draw_weights(ax: Axes, betas: Sequence[float], steps: int) -> None:
    back = np.arange(steps)
    for number, beta in enumerate(betas, drawn_before(ax)):
        weights = weights_of(beta, steps)
        corrected = weights / (1 - beta**steps)
        mark = MARKERS[number % len(MARKERS)]
        style: dict[str, Any] = {"color": colour_of(number), "marker": mark, "markersize": 6}
        both = ((weights, "full", "-", ""), (corrected, "none", ":", ", bias corrected"))
        for each, fill, line, words in both:
            label = f"β = {beta:g}{words}: sum {each.sum():.2f}"
            ax.plot(back, each, label=label, fillstyle=fill, linestyle=line, **style)
    ax.set(xlabel=f"steps back from t = {steps}", ylabel="weight in the average", ylim=(0, None))
    whole_numbers(ax)


def _draw_averages(ax: Axes, series: Array, betas: Sequence[float]) -> None:
    at = np.arange(1, len(series) + 1)
    before = drawn_before(ax)
    # Of several series each has a mark of its own.
    mark = DOTS[sum(line.get_label() == "series" for line in ax.lines) % len(DOTS)]
    ax.plot(at, series, mark, color=GREY, markersize=4, label="series")
    for number, beta in enumerate(betas, before):
        style: dict[str, Any] = {
            "color": colour_of(number),
            "markersize": 5,
            "marker": MARKERS[number % len(MARKERS)],
            "markevery": every(len(series), number),
        }
        plain, corrected = average(series, beta), average(series, beta, bias_correction=True)
        ax.plot(at, corrected, label=f"β = {beta:g}, bias corrected", **style)
        ax.plot(at, plain, label=f"β = {beta:g}", linestyle="--", fillstyle="none", **style)
    ax.set(xlabel="t", ylabel="value")
    whole_numbers(ax)

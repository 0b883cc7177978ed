"""Pictures of training, drawn with matplotlib. Nothing else in the package imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .history import History

__all__ = ["learning_curve"]


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
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots()
    epochs = range(1, history.epochs + 1)
    drawn = [name for name in ("loss", "val_loss") if name in history]
    for name in drawn:
        ax.plot(epochs, history[name], label=name, marker="o" if history.epochs == 1 else None)
    values = [v for name in drawn for v in history[name]]
    if values and 0 < 10 * min(values) < max(values):
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    ax.grid(alpha=0.3)
    if drawn:
        ax.legend()
    return ax

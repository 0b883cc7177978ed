"""Training curves as one of scikit-learn's displays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._checks import check_sequence, shown
from .history import History
from .plots._checks import axes_of, check_history
from .plots._curves import draw_curves, line_options

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D

__all__ = ["TrainingCurveDisplay"]


class TrainingCurveDisplay:
    """Training and validation loss by epoch, drawn with matplotlib.

    Made by `from_estimator` or `from_history`, which also draw. Like scikit-learn's displays it keeps what
    it shows, so that it can be drawn again, on other axes or beside other curves.

    Parameters
    ----------
    history : History
        The record to show.
    columns : sequence of str, default ("loss", "val_loss")
        The columns to draw; those that the history does not have are left out.
    name : str, optional
        What to call the model in the legend.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        The axes last drawn on.
    figure_ : matplotlib.figure.Figure
        Their figure.
    lines_ : list of matplotlib.lines.Line2D
        The curves, in the order of `columns`.

    Examples
    --------
    >>> from schuss import History, TrainingCurveDisplay
    >>> history = History()
    >>> history.append(loss=0.9)
    >>> history.append(loss=0.4)
    >>> display = TrainingCurveDisplay.from_history(history)
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    ax_: Axes
    figure_: Figure | SubFigure
    lines_: list[Line2D]

    def __init__(
        self, *, history: History, columns: Sequence[str] = ("loss", "val_loss"), name: str | None = None
    ) -> None:
        self.history = history
        self.columns = columns
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        columns: Sequence[str] = ("loss", "val_loss"),
        ax: Axes | None = None,
        name: str | None = None,
        **line_kw: Any,
    ) -> TrainingCurveDisplay:
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : MLPClassifier, MLPRegressor, MLP, or what holds one
            Of a pipeline the last step is meant, of a search its best estimator.
        columns : sequence of str, default ("loss", "val_loss")
            The columns of its history to draw; ``("score",)`` for the validation score.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.
        name : str, optional
            What to call the model in the legend; nothing by default.
        **line_kw
            Passed on to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        TrainingCurveDisplay
            What has been drawn.

        Raises
        ------
        TypeError
            If there is no training to show: the estimator is not fitted, or of another kind. If another
            argument is not accepted.
        ValueError
            If matplotlib does not accept an option of lines.
        ImportError
            If matplotlib is not installed.
        """
        return cls.from_history(_history_of(estimator), columns=columns, ax=ax, name=name, **line_kw)

    @classmethod
    def from_history(
        cls,
        history: History,
        *,
        columns: Sequence[str] = ("loss", "val_loss"),
        ax: Axes | None = None,
        name: str | None = None,
        **line_kw: Any,
    ) -> TrainingCurveDisplay:
        """Draw a record of training.

        Parameters
        ----------
        history : History
            What `MLP.fit` returned, or an estimator's `history_`.
        columns, ax, name, **line_kw
            As for `from_estimator`.

        Returns
        -------
        TrainingCurveDisplay
            What has been drawn.

        Raises
        ------
        TypeError
            If `history` is no `History`, or another argument is not accepted.
        ValueError
            If matplotlib does not accept an option of lines.
        ImportError
            If matplotlib is not installed.
        """
        return cls(history=history, columns=columns, name=name).plot(ax, **line_kw)

    def plot(
        self, ax: Axes | None = None, *, name: str | None = None, **line_kw: Any
    ) -> TrainingCurveDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.
        name : str, optional
            What to call the model in the legend; the display's own by default.
        **line_kw
            Passed on to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        TrainingCurveDisplay
            This one.

        Raises
        ------
        TypeError
            If `history` is no `History`, `columns` or `name` are no text, `ax` is no axes, or if matplotlib
            knows no such option of lines.
        ValueError
            If it does not accept the value of one.
        ImportError
            If matplotlib is not installed.
        """
        check_history(self.history)
        columns = check_sequence("columns", self.columns, "names of columns")
        name = self.name if name is None else name
        if not isinstance(name, str | None):
            raise TypeError(f"name must be text or None, got {shown(name)}")
        epochs = range(1, self.history.epochs + 1)
        for column in columns:
            if not isinstance(column, str):
                raise TypeError(f"columns must be names of columns, got {shown(column)}")
        line_kw = line_options(line_kw)
        there = [column for column in columns if column in self.history]
        labels = {column: f"{name}: {column}" if name else column for column in there}
        curves = {labels[column]: (epochs, self.history[column]) for column in there}
        ylabel = "loss" if all(column.endswith("loss") for column in there) else ", ".join(there)
        ax = axes_of(ax)
        before = len(ax.lines)
        draw_curves(curves, "epoch", ax, ylabel, **line_kw)
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, list(ax.lines)[before:]
        return self


def _history_of(model: Any) -> History:
    """The history of a model, also of one inside a search, a pipeline or a wrapper of targets."""
    for inner in ("best_estimator_", "regressor_"):
        if hasattr(model, inner):
            return _history_of(getattr(model, inner))
    for own in ("history_", "history"):
        if isinstance(found := getattr(model, own, None), History):
            return found
    # Others have steps as well: a History itself, which `from_history` takes.
    steps = getattr(model, "steps", None)
    if isinstance(steps, list) and steps and isinstance(steps[-1], tuple | list) and len(steps[-1]) == 2:
        return _history_of(steps[-1][1])
    expected = "a fitted MLPClassifier, MLPRegressor or MLP of schuss"
    if isinstance(model, History):
        raise TypeError(f"estimator must be {expected}, got a History, which from_history draws")
    # Those of scikit-learn are called the same, and have no history when they are fitted.
    is_new = type(model).__name__ in ("MLPClassifier", "MLPRegressor", "MLP") and not hasattr(model, "coefs_")
    lacks = ", which is not fitted yet" if is_new else ""
    raise TypeError(f"estimator must be {expected}, got {shown(model)}{lacks}")

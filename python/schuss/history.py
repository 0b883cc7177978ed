"""What happened in training: a record per epoch, and the progress bar shown meanwhile."""

from __future__ import annotations

import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from ._checks import check_count, check_number, shown
from ._extras import needed
from ._guard import FixedList
from ._html import history_html
from ._steps import Steps
from ._stop import Stop

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["History", "progress_bar"]


class History(dict[str, list[float]]):
    """The record of one training run: equally long columns with a value per epoch.

    A dict from column name to list, which nothing but `append` changes. `MLP.fit` fills in

    - ``"loss"``: the training loss over the epoch's batches, each before its step,
    - ``"val_loss"``: the loss on the validation data after the epoch, if there is any,
    - ``"lr"``: the learning rate of the epoch's last step,
    - ``"seconds"``: the time from the call of `fit` to the end of the epoch,

    and the metrics that it is asked for; `steps` has what it was asked to record of each step.
    ``pandas.DataFrame(history)`` is a table of the epochs, `to_frame` one whose rows are numbered from 1. In
    a notebook it shows itself as a curve and a table.

    Attributes
    ----------
    stopped : Stop or None
        Why training ended, a string: ``"epochs"``, ``"target_loss"``, ``"max_time"``, ``"converged"``,
        ``"callback"``, ``"interrupted"`` or ``"error"``; of an estimator also ``"evaluations"``,
        ``"no_descent"`` or ``"not_finite"``. None while it runs.
    best_epoch : int or None
        The epoch, from 1, whose validation loss was the lowest, where `MLP.fit` was asked to stop early or to
        restore it; of an estimator the one that it ended with, whose score on held-out rows was the highest,
        or whose loss was the lowest without such rows.

    Examples
    --------
    >>> history = History()
    >>> history.append(loss=0.9, lr=0.1, seconds=0.5)
    >>> history.append(loss=0.4, lr=0.1, seconds=1.0)
    >>> history["loss"]
    [0.9, 0.4]
    """

    stopped: Stop | None
    best_epoch: int | None

    def __init__(self) -> None:
        super().__init__()
        self._epochs = 0
        self._steps: Steps | None = None
        self.stopped = None
        self.best_epoch = None

    def __setattr__(self, name: str, value: object) -> None:
        if name not in ("stopped", "best_epoch") and not name.startswith("_"):
            raise AttributeError(f"a History has no attribute {name!r} to set: append(...) adds to columns")
        if name == "stopped" and value is not None:
            value = _stop_of(value)
        if name == "best_epoch" and value is not None:
            value = check_count("best_epoch", value)
        super().__setattr__(name, value)

    def append(self, /, **values: float | None) -> None:
        """Add an epoch.

        Parameters
        ----------
        **values : float or None
            A value per column. A column exists from its first value that is not None on; an epoch without
            one has NaN there.

        Raises
        ------
        TypeError
            If a value is neither a number nor None; nothing has changed then.
        """
        numbers = {
            name: check_number(name, value, nan=True) for name, value in values.items() if value is not None
        }
        for name in numbers:
            if name not in self:
                super().__setitem__(name, _column([float("nan")] * self._epochs))
        for name, column in self.items():
            list.append(column, numbers.get(name, float("nan")))
        self._epochs += 1

    def _restore(self, columns: Mapping[str, list[float]], steps: Mapping[str, Any] | None) -> None:
        """Take over the columns of another history, and its steps."""
        super().clear()
        self._steps = None if steps is None else Steps.of(steps)
        for name, column in columns.items():
            super().__setitem__(name, _column(column))
        self._epochs = max(map(len, self.values()), default=0)

    def _truncate(self, epochs: int) -> None:
        """Keep only the first epochs."""
        for column in self.values():
            list.__delitem__(column, slice(epochs, None))
        self._epochs = min(self._epochs, epochs)

    @property
    def epochs(self) -> int:
        """Number of epochs recorded."""
        return self._epochs

    @property
    def steps(self) -> dict[str, NDArray[Any]] | None:
        """What happened in each step, where `MLP.fit` was asked to record that; None elsewhere.

        Arrays of one length, which cannot be written to, as they are now:

        - ``"step"``: the number of the step, from 1,
        - ``"epoch"``: that of its epoch, from 1,
        - ``"loss"``: the objective on the step's batch, at the parameters before the step,
        - ``"lr"``: its learning rate,
        - ``"weight"``: the weight of the batch: without `sample_weight` the number of its rows,
        - ``"seconds"``: the time from the call of `fit` to the end of the step.

        An optimizer that accumulates gradients has a step for each batch. One that `nonfinite` has left out
        has none. With `LBFGS` a step is an epoch, its loss is that after it, and its rate NaN. The steps of
        an epoch that was not finished are here, too. ``pandas.DataFrame(history.steps)`` is a table of them.
        """
        return None if self._steps is None else self._steps.columns

    def __getitem__(self, name: str) -> list[float]:
        try:
            return super().__getitem__(name)
        except (KeyError, TypeError):
            names = list(self)
            raise KeyError(f"no column {shown(name)} in this history; it has {names}") from None

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        """Refused: a record is changed by `append` only.

        Raises
        ------
        TypeError
            Always; ``{name: list(column) for name, column in history.items()}`` is a copy that may be
            changed. ``dict(history)`` has the columns themselves.
        """
        copy = "{name: list(column) for name, column in history.items()}"
        raise TypeError(f"a History keeps what happened: append(...) adds an epoch, {copy} can be changed")

    def __reduce__(self) -> Any:
        return rebuilt, (*plain(self).values(), self.epochs)

    def copy(self) -> History:
        """Another record of the same.

        Returns
        -------
        History
            With lists of its own.
        """
        return rebuilt(**plain(self), epochs=self.epochs)

    __copy__ = copy

    def to_json(self) -> str:
        """The record as JSON text: an object with ``"columns"``, ``"stopped"`` and ``"best_epoch"``.

        And with the columns of ``"steps"``, where they were recorded.

        Returns
        -------
        str
            NaN and infinite numbers, which JSON does not know, are null.

        Examples
        --------
        >>> history = History()
        >>> history.append(loss=0.5)
        >>> history.to_json()
        '{"columns": {"loss": [0.5]}, "stopped": null, "best_epoch": null}'
        """
        data = plain(self) | {"columns": _finite(self)}
        steps = data.pop("steps")
        if steps is not None:
            data["steps"] = _finite({name: column.tolist() for name, column in steps.items()})
        return json.dumps(data)

    def __repr__(self) -> str:
        facts = [f"epochs={self.epochs}"]
        if self._steps is not None:
            facts.append(f"steps={len(self._steps)}")
        if self.epochs:
            facts += [f"{name}={column[-1]:.4g}" for name, column in self.items()]
        if self.best_epoch is not None:
            facts.append(f"best_epoch={self.best_epoch}")
        return f"History({', '.join(facts)}, stopped={self.stopped!r})"

    def _repr_html_(self) -> str:
        return history_html(self, self.epochs, self.stopped)

    def to_frame(self) -> pd.DataFrame:
        """The record as a table.

        Returns
        -------
        pandas.DataFrame
            A row per epoch, counted from 1, and the columns of this history.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        with needed("History.to_frame", "pandas", "notebook"):
            import pandas

        return pandas.DataFrame(dict(self), index=pandas.RangeIndex(1, self.epochs + 1, name="epoch"))

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the learning curve; see `schuss.plots.learning_curve`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.

        Raises
        ------
        TypeError
            If `ax` is no axes.
        ImportError
            If matplotlib is not installed.
        """
        from .plots import learning_curve

        return learning_curve(self, ax=ax)


for _name in ("__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(History, _name, History._refuse)  # what a dict has besides, and a record has not


def _column(values: Iterable[float]) -> FixedList[float]:
    """Numbers of the epochs, a list that its reader cannot change."""
    advice = "a History keeps what happened: append(...) adds an epoch, list(history[...]) can be changed"
    return FixedList(values, advice)


def _finite(columns: Mapping[str, list[float]]) -> dict[str, list[float | None]]:
    """The columns with None for numbers that JSON does not know."""
    return {name: [x if math.isfinite(x) else None for x in column] for name, column in columns.items()}


def _stop_of(value: object) -> Stop:
    """The reason of that name."""
    if not isinstance(value, str) or value not in tuple(Stop):
        names = ", ".join(repr(reason.value) for reason in Stop)
        raise ValueError(f"stopped must be None or one of {names}, got {shown(value)}")
    return Stop(value)


def plain(history: History) -> dict[str, Any]:
    """All of a history as plain data."""
    return {
        "columns": {name: list(column) for name, column in history.items()},
        "stopped": None if history.stopped is None else str(history.stopped),
        "best_epoch": history.best_epoch,
        "steps": history.steps,
    }


def rebuilt(
    columns: Mapping[str, list[float]],
    stopped: str | None,
    best_epoch: int | None = None,
    steps: Mapping[str, Any] | None = None,
    epochs: int = 0,
) -> History:
    """The history that `plain` has made data of; `epochs` counts those without a column, too."""
    history = History()
    for values in zip(*columns.values(), strict=True):
        history.append(**dict(zip(columns, values, strict=True)))
    history._epochs = max(history.epochs, check_count("epochs", epochs, least=0))
    history.stopped = None if stopped is None else Stop(stopped)
    history.best_epoch = best_epoch
    history._steps = None if steps is None else Steps.of(steps)
    return history


Update = Callable[[int, float, "float | None"], None]


@contextmanager
def progress_bar(total: int, enabled: bool = True, file: TextIO | None = None) -> Iterator[Update]:
    """Show the progress of training: with tqdm if it is installed, as plain text otherwise.

    Parameters
    ----------
    total : int
        Number of epochs that training will take at most.
    enabled : bool, default True
        Whether to show anything.
    file : text file, optional
        Where the plain text goes; standard error by default. Nothing is shown in a process that has none, or
        has closed it.

    Yields
    ------
    callable
        ``update(epoch, loss, val_loss)``, to be called after each epoch, counted from 1, with
        None for a validation loss that does not exist.
    """
    if not enabled or (file is None and not _has_console()):
        yield lambda epoch, loss, val_loss: None
        return
    try:
        tqdm = tqdm_class()
    except ImportError:
        with _plain_bar(total, file or sys.stderr) as update:
            yield update
        return
    with tqdm_bar(tqdm, total, "epoch") as bar:

        def update(epoch: int, loss: float, val_loss: float | None) -> None:
            bar.set_postfix_str(_losses(loss, val_loss), refresh=False)
            bar.update(epoch - bar.n)

        yield update


def _has_console() -> bool:
    return sys.stderr is not None and not getattr(sys.stderr, "closed", False)


def tqdm_class() -> Any:
    """Tqdm's bar for where we are; ImportError where it is not installed."""
    # In a notebook without ipywidgets tqdm says so, each time, and then draws its bar as text.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    return tqdm


@contextmanager
def tqdm_bar(tqdm: Any, total: int, unit: str) -> Iterator[Any]:
    """One of its bars, which ends full where the work has succeeded, and keeps no lock where it fails."""
    # A program without a console has none to write to; elsewhere TQDM_DISABLE decides.
    hidden: dict[str, Any] = {} if _has_console() else {"disable": True}
    with _letting_go(tqdm.get_lock()), tqdm(total=total, unit=unit, **hidden) as bar:
        yield bar
        if bar.disable:  # by TQDM_DISABLE, say
            return
        # A training that ends early has succeeded: a bar that is not full would turn red in a notebook.
        # Nothing but `reset` tells the widget, and it forgets what was done and since when.
        done, start = bar.n, bar.start_t
        bar.reset(total=done)
        bar.start_t = start
        bar.update(done)
        bar.refresh()


@contextmanager
def _letting_go(lock: Any) -> Iterator[None]:
    """Release tqdm's lock where it has not done so: where it could not write, or Ctrl-C came meanwhile.

    Other threads would wait for it for ever, be it only to throw a bar away.
    """
    try:
        yield
    except BaseException:
        with suppress(AssertionError, RuntimeError, ValueError):  # of a lock that is not this thread's
            while True:
                lock.release()
        raise


@contextmanager
def _plain_bar(total: int, file: TextIO) -> Iterator[Update]:
    """A line that rewrites itself on a terminal; in a log, ten lines for the whole training."""
    live = hasattr(file, "isatty") and file.isatty()  # a stand-in may only write
    shown_at, shown = float("-inf"), 0
    last: tuple[int, float, float | None] = 0, 0.0, None

    def show() -> None:
        nonlocal shown_at, shown
        epoch, loss, val_loss = last
        line = f"epoch {epoch}/{total} {_losses(loss, val_loss)}"
        file.write(f"\r{_fitting(line, file)}\x1b[K" if live else f"{line}\n")
        file.flush()
        shown_at, shown = time.monotonic(), epoch

    def update(epoch: int, loss: float, val_loss: float | None) -> None:
        nonlocal last
        last = epoch, loss, val_loss
        if time.monotonic() - shown_at >= 0.1 if live else 10 * (epoch - shown) >= total:
            show()

    try:
        yield update
    finally:
        if last[0] > shown:
            show()
        if live and shown:
            file.write("\n")


def _fitting(line: str, terminal: TextIO) -> str:
    """As many words as are no wider than the terminal: a line that wraps cannot be rewritten."""
    try:
        columns = os.get_terminal_size(terminal.fileno()).columns
    except (AttributeError, OSError, ValueError):
        columns = 0
    if not columns:  # nobody knows
        return line
    while len(line) >= columns and " " in line:
        line = line.rpartition(" ")[0].rstrip(",")
    return line[: columns - 1]


def _losses(loss: float, val_loss: float | None) -> str:
    return f"loss={loss:.4g}" + ("" if val_loss is None else f", val_loss={val_loss:.4g}")

"""The cells of the table, and what is wrong with one."""

import contextlib
import os
import signal
import threading
import warnings
from typing import NamedTuple

import numpy as np

import schuss as sc

LONGEST = 700
# Of Python or of those who made NumPy, whose kind a user catches; anything else is a fault.
PROPER = {ValueError, TypeError, MemoryError, sc.NonFiniteError}
KINDRED = {"InvalidParameterError", "NotFittedError", "_ArrayMemoryError", "NonFiniteError"}
# Words of the machinery, which say nothing to who has called.
FOREIGN = [
    "could not be broadcast",
    "PyO3",
    "pyo3",
    "NoneType' object",
    "object has no attribute",
    "index out of",
]
SECONDS = 20


class Cell(NamedTuple):
    """A value for an argument of an entry point."""

    entry: object
    kind: str
    make: object

    @property
    def name(self):
        return f"{self.entry.name}: {self.kind}"


class TooSlow(BaseException):
    """A cell that does not end."""


def all_cells():
    from .entries import all_entries

    return [Cell(entry, kind, make) for entry in all_entries() for kind, make in entry.values.items()]


@contextlib.contextmanager
def _limited(seconds):
    """End what takes longer, where signals can come."""
    if threading.current_thread() is not threading.main_thread() or os.name == "nt":
        yield
        return

    def late(number, frame):
        raise TooSlow

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def verdict(cell):
    """What is wrong with a cell, in words; None if nothing is."""
    subject = cell.entry.subject()
    value = cell.make()
    legal = cell.entry.legal(cell.kind, value)
    before = seen(subject.watched)
    try:
        with warnings.catch_warnings(), _limited(SECONDS):
            warnings.simplefilter("error")
            # Told, not refused: there is nothing wrong with large numbers but their size.
            for text in (*cell.entry.warns, ".*which a network hardly learns"):
                warnings.filterwarnings("ignore", text)
            result = subject.call(value)
    except TooSlow:
        return f"took more than {SECONDS} s"
    except Exception as error:
        if legal is None and (callable(value) or type(error) in cell.entry.raises):
            # What a function of the user's raises is the user's.
            return None
        return _refused(cell, error, legal, before, seen(subject.watched))
    except BaseException as error:
        return f"raised {type(error).__name__}: {str(error)[:200]}"
    if legal is False:
        return f"accepted, with result {_text(result)}"
    if legal is True and subject.right is not None and not subject.right(value, result):
        return f"gave the wrong result {_text(result)}"
    return None


def _text(result):
    try:
        return str(result)[:100]
    except Exception:
        return f"of {type(result).__name__}"


def _refused(cell, error, legal, before, after):
    kind, text = type(error), str(error)
    shown = f"{kind.__name__}: {text[:300]}"
    if kind not in PROPER and kind.__name__ not in KINDRED and kind not in cell.entry.raises:
        return f"raised {shown}"
    if legal is True:
        return f"refused what is legal: {shown}"
    if kind is not MemoryError and kind.__name__ != "_ArrayMemoryError":
        if not any(name in text for name in cell.entry.says):
            return f"does not name {cell.entry.says[0]}: {shown}"
        if any(word in text for word in FOREIGN):
            return f"is in words of the machinery: {shown}"
    if len(text) > LONGEST:
        return f"has {len(text)} letters: {shown}"
    if before != after:
        return f"changed something although it was refused: {shown}"
    return None


def seen(things):
    """A picture of arrays, networks, optimizers and records, to be compared."""
    return [_seen(thing) for thing in things]


def _seen(thing):
    if isinstance(thing, np.ndarray):
        return thing.dtype.str, thing.shape, thing.tobytes()
    if isinstance(thing, sc.MLP):
        optimizer = thing.optimizer
        shown = optimizer and (id(optimizer), repr(optimizer))
        return thing.theta.tobytes(), repr(thing), thing.l2, list(thing.dropout), shown, id(thing.history)
    if isinstance(thing, sc.optimizers.Optimizer):
        state = repr(thing), thing.step_count, thing.skipped_steps
        return state, [dict_of(group) for group in thing.param_groups]
    if isinstance(thing, sc.History):
        return repr(thing), {name: list(column) for name, column in thing.items()}.__repr__()
    return repr(thing)


def dict_of(group):
    return repr({key: group[key] for key in group if key != "params"})

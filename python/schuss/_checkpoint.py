"""Runs that are saved now and then, to go on from there another time."""

from __future__ import annotations

import os
import re
import sys
import zlib
from collections.abc import Mapping
from os import PathLike
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import MOST, check_count, check_flag, check_number, shown, where_apart
from ._files import path_of, read_tree, write_tree
from ._sparse import Sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of large arrays so many pieces of so many bytes are looked at: reading all of a file may take minutes.
PIECES = 64
PIECE_BYTES = 2**18

# Letters of a fact that an error shows: recipes and the like differ somewhere within.
FACT = 200

# What files of earlier versions do not say, which had nothing else.
BEFORE = {"n_shards": 1}


class Checkpoint:
    """The file that a run is saved to, and how often.

    Parameters
    ----------
    path : str
        The file.
    seconds : float
        Between two savings; infinite where epochs are counted.
    epochs : int or None
        The same in epochs; None where seconds are.
    resumes : bool
        Whether the run goes on from what is in the file, if there is one.

    Attributes
    ----------
    kind : str
        What sort of run it is: others are refused.
    facts : dict
        What makes the run what it is, in plain values: a file of a run with others is refused.
    """

    def __init__(self, path: str, seconds: float, epochs: int | None, resumes: bool) -> None:
        self.path = path
        self.seconds = seconds
        self.epochs = epochs
        self.resumes = resumes
        self.kind = ""
        self.facts: dict[str, Any] = {}
        self._saved_at = monotonic()

    def seconds_left(self) -> float:
        """Until it is time to save; infinite where epochs are counted."""
        return max(self.seconds - (monotonic() - self._saved_at), 0.0)

    def epochs_left(self, done: int) -> int | None:
        """Epochs until it is time to save, after so many; None where seconds are counted."""
        return None if self.epochs is None else self.epochs - done % self.epochs

    def is_due(self, done: int | None) -> bool:
        """Whether it is time to save, after so many epochs; None within one."""
        if self.epochs is None:
            return self.seconds_left() == 0.0
        return done is not None and done % self.epochs == 0

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace what is in the file, at once or not at all."""
        write_tree(self.path, self.kind, {"facts": self.facts, **state})
        self._saved_at = monotonic()

    def load(self) -> dict[str, Any] | None:
        """What the run goes on from; None where it begins.

        Raises
        ------
        ValueError
            If the file is damaged, or is of another run.
        """
        if not self.resumes:
            return None
        try:
            state = read_tree(self.path, self.kind)
        except FileNotFoundError:
            return None
        for name in {**state["facts"], **self.facts}:
            saved, fact = (facts.get(name, BEFORE.get(name)) for facts in (state["facts"], self.facts))
            if saved != fact:
                here, there = where_apart(*(shown(each, MOST) for each in (fact, saved)), most=FACT)
                raise ValueError(
                    f"checkpoint must be a file of the same run: {name} is {here} here, and {there} in "
                    f"{self.path}"
                )
        return state

    def expect_done(self, name: str, most: int, done: int) -> None:
        """Refuse a file whose run has done more steps or epochs than the argument of that name now allows."""
        if done > most:
            raise ValueError(f"{name} must be at least {done}, which are done in {self.path}, got {most}")


def checkpoint_of(path: object, every: object, resume: object) -> Checkpoint | None:
    """What the arguments `checkpoint`, `checkpoint_every` and `resume` ask for; None without a file."""
    resume = check_flag("resume", resume)
    if path is None:
        if resume:
            raise ValueError("resume must be False without a checkpoint to resume from, got True")
        if every is not None:
            raise ValueError(f"checkpoint_every must be None without a checkpoint, got {shown(every)}")
        return None
    if not isinstance(path, str | PathLike):
        raise TypeError(f"checkpoint must be a path or None, got {shown(path)}")
    path = os.path.abspath(os.fsdecode(path_of(path, "checkpoint")))
    _expect_writable(path)
    seconds, epochs = 60.0, None
    if isinstance(every, bool | np.bool_):
        raise TypeError(f"checkpoint_every must be seconds (float) or epochs (int), got {shown(every)}")
    if isinstance(every, int | np.integer):
        seconds, epochs = float("inf"), check_count("checkpoint_every", every)
    elif every is not None:
        seconds = check_number("checkpoint_every", every, above=0)
    return Checkpoint(path, seconds, epochs, resume)


def _expect_writable(path: str) -> None:
    """Refuse a file that could not be replaced in the end."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"checkpoint must be a file, got the folder {path}")
    # Where a link leads, a new file comes first, which then takes the old one's name.
    target = os.path.realpath(path)
    folder, there = os.path.dirname(target), os.path.exists(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"checkpoint must be in a folder that exists, got {path}")
    if there and not os.access(target, os.W_OK):
        raise PermissionError(f"checkpoint must be a file that can be written, got {path}")
    is_replaced = not there or os.path.isfile(target)
    if is_replaced and not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"checkpoint must be in a folder that can be written, got {path}")


def fact_of(value: object) -> str:
    """The text of an option: one for all forms of the same value, in each process, and with all of it."""
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):  # of arrays within other objects
        text = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(_plain(value)))
    if isinstance(value, np.random.RandomState):
        state = repr(_plain(value.get_state(legacy=False)))
        return f"{text} whose state has the checksum {zlib.crc32(state.encode()):08x}"
    return text


def _plain(value: Any) -> Any:
    """A value of Python's own types: NumPy shortens and rounds the text of an array."""
    if hasattr(value, "__array__"):
        value = np.asarray(value).tolist()
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, Mapping):
        return dict(sorted(((_plain(key), _plain(entry)) for key, entry in value.items()), key=repr))
    return value


def fingerprint(*arrays: Any) -> str:
    """What tells rows from others: shapes, dtypes and a checksum, which looks at parts of large arrays."""
    words = []
    for array in arrays:
        if array is None:
            words.append("none")
        elif isinstance(array, np.ndarray):
            words.append(f"{array.dtype}{list(array.shape)}:{_checksum(array):08x}".replace(" ", ""))
        elif isinstance(array, Sparse):
            parts = fingerprint(array.data, array.indices, array.indptr)
            words.append(f"sparse{list(array.shape)}:{zlib.crc32(parts.encode()):08x}".replace(" ", ""))
        else:  # weights in a unit of their own
            words.append(f"{fingerprint(array[0])}*{array[1]:g}")
    return " ".join(words)


def _checksum(array: NDArray[Any]) -> int:
    flat = array.reshape(-1) if array.flags.c_contiguous else np.ascontiguousarray(array).reshape(-1)
    items = max(PIECE_BYTES // array.itemsize, 1)
    starts = np.arange(0, flat.size, items)
    if len(starts) > PIECES:
        starts = np.linspace(0, flat.size - items, PIECES).astype(np.int64)
    checksum = 0
    for start in starts:
        checksum = zlib.crc32(flat[start : start + items].view(np.uint8).data, checksum)
    return checksum

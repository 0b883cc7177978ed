"""What is training, and in which thread: a model learns for one caller at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from threading import get_ident

# Of the process and the model: a child that is forked meanwhile has no thread that trains.
TRAINING: dict[tuple[int, int], list[int]] = {}


@contextmanager
def in_training(model: object) -> Iterator[None]:
    """Have a model for oneself as long as it learns; refuses one that is learning already."""
    key, mine = (getpid(), id(model)), [get_ident()]
    try:
        # One operation: of two threads that come at once, one is first.
        first = TRAINING.setdefault(key, mine)
        if first is not mine:
            name = type(model).__name__
            where = "the fit that this call comes from" if first == mine else "another thread"
            raise RuntimeError(f"this {name} is already training, in {where}: fit it again when that is done")
        yield
    finally:
        if TRAINING.get(key) is mine:
            del TRAINING[key]


def refuse_elsewhere(model: object) -> None:
    """Refuse a model that another thread trains: its parameters change while they are read.

    What that thread itself calls, as its callbacks do, comes between two epochs. To be called where something
    is training at all.
    """
    trainer = TRAINING.get((getpid(), id(model)))
    if trainer is not None and trainer != [get_ident()]:
        name = type(model).__name__
        raise RuntimeError(f"this {name} is already training, in another thread: use it when that is done")

"""How long a step takes on some processes: what they compute, and what they tell each other.

    step = work(rows of a process) + exchange(processes, bytes of a gradient)

A process computes the gradient of its rows and makes the whole update. Between the two come, as
`src/mlp/trainer/exchange.rs` has it, losses and weights of all shards (Allgather); of the gradients one part
of the parameters for each process, which adds them (Alltoallv); and the sums of all to all (Alltoallv).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2

import numpy as np

LONG = 1 << 14  # bytes: who sends more asks first whether there is room for it
PIECE = 4 << 20  # bytes of a gradient that are added up together
AT_A_TIME = 32  # messages to and from others, as MPICH does it


@dataclass(frozen=True)
class Wire:
    """Seconds of a message: by itself, for each byte, more where it is long; and to add a byte to another."""

    message: float
    byte: float
    asking: float = 0.0
    adding: float = 0.0

    def seconds(self, size: float) -> float:
        return self.message + size * self.byte + (self.asking if size > LONG else 0.0)


@dataclass(frozen=True)
class Work:
    """What the work of one process takes: seconds by itself, the update above all, and for each row."""

    step: float
    row: float

    def seconds(self, rows: float) -> float:
        return self.step + self.row * rows


def levels(processes: int) -> int:
    return ceil(log2(processes))


def exchange(processes: int, size: float, wire: Wire) -> float:
    """Seconds in which processes exchange a gradient of so many bytes."""
    if processes == 1:
        return 0.0
    pieces = ceil(size / PIECE)
    others, part = processes - 1, size / pieces / processes
    losses = levels(processes) * wire.message
    swap = ceil(others / AT_A_TIME) * (wire.seconds(part) - part * wire.byte) + others * part * wire.byte
    return losses + pieces * (2 * swap + others * part * wire.adding)


def wire_of(messages: dict[str, float], adding: float) -> Wire:
    """From the seconds that messages of so many bytes take."""
    points = [(float(size), seconds) for size, seconds in messages.items()]
    return Wire(*_fitted(points, lambda x: [np.ones_like(x), x, x > LONG]), adding)


def work_of(points: list[tuple[float, float]]) -> Work:
    """From the seconds that steps with so many rows take in one process."""
    return Work(*_fitted(points, lambda x: [np.ones_like(x), x]))


def _fitted(
    points: list[tuple[float, float]], terms: Callable[[np.ndarray], list[np.ndarray]]
) -> list[float]:
    """What each term counts for, none below zero, by the least relative error."""
    x, y = (np.array(column) for column in zip(*points, strict=True))
    columns = np.stack(terms(x), axis=1) / y[:, None]
    kept = np.ones(columns.shape[1], bool)
    found = np.zeros(columns.shape[1])
    while True:
        found[:] = 0
        found[kept], *_ = np.linalg.lstsq(columns[:, kept], np.ones_like(y), rcond=None)
        if found.min() >= 0:
            return found.tolist()
        kept &= found > 0


def rows_for_half(processes: int, wire: Wire, work: Work, size: float) -> float:
    """Rows of each process with which all compute half of the time that they would alone."""
    return max(exchange(processes, size, wire) - work.step, 0.0) / work.row

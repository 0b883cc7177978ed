"""What happened in each step of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._checks import check_name, shown

# What the core writes of a step, in this order.
_FROM_CORE = ("epoch", "loss", "lr", "weight", "seconds")
_COUNTS = ("step", "epoch")
NAMES = ("step", *_FROM_CORE)
_RECORDS = ("epoch", "step")


def records_steps(record: object) -> bool:
    """Whether the argument `record` asks for the steps."""
    if check_name("record", record, _RECORDS) not in _RECORDS:
        raise ValueError(f"record must be one of {', '.join(_RECORDS)}, got {shown(record)}")
    return record == "step"


class Steps:
    """A growing table with a row per step."""

    def __init__(self) -> None:
        self._parts = [np.empty((0, len(_FROM_CORE)))]

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def add(self, numbers: NDArray[np.float64], seconds: float) -> None:
        """Take over what the core has written, from so many seconds after the beginning on."""
        rows = numbers.reshape(-1, len(_FROM_CORE))
        rows[:, _FROM_CORE.index("seconds")] += seconds
        self._parts.append(rows)

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The table by the names of its columns, which cannot be written to."""
        self._parts = [np.concatenate(self._parts)]
        (rows,) = self._parts
        columns: dict[str, NDArray[Any]] = {
            "step": np.arange(1, len(rows) + 1.0),
            **dict(zip(_FROM_CORE, rows.T, strict=True)),
        }
        for name, column in columns.items():
            columns[name] = column.astype(np.int64 if name in _COUNTS else np.float64)
            columns[name].flags.writeable = False
        return columns

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> Steps:
        """The table of these columns.

        Raises
        ------
        ValueError
            If they are none of such a table.
        """
        arrays = {name: np.asarray(column) for name, column in columns.items()}
        lengths = {array.shape for array in arrays.values()}
        if tuple(arrays) != NAMES or len(lengths) != 1 or len(*lengths) != 1:
            raise ValueError(f"steps must be columns of one length, {', '.join(NAMES)}, got {shown(columns)}")
        steps = cls()
        steps._parts = [np.stack([arrays[name].astype(np.float64) for name in _FROM_CORE], axis=1)]
        return steps

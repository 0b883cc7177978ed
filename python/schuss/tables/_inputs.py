"""From an encoded table to what a network takes: numbers in its range, target means, indicators, codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._encoder import TableEncoder
from ._scaling import MOST_ROWS, Quantiles, smooth_clip
from ._target_means import TargetMeans

Array = NDArray[Any]
Floats32 = NDArray[np.float32]

# Fewer levels than this are learnt well enough from their rows: their means tell nothing new.
MANY_LEVELS = 9


class Inputs:
    """What the rows that are learnt from say of the columns, for one fold.

    Parameters
    ----------
    encoder : TableEncoder
        What has made the encoded table.
    scaling : {"clip", "quantile"}
        What numbers are given after their robust scale.
    """

    def __init__(self, encoder: TableEncoder, scaling: str) -> None:
        roles = np.array(encoder.roles)
        self.values = np.flatnonzero(roles == "value")
        self.plain = np.flatnonzero((roles == "missing") | (roles == "apart"))
        self.codes = np.flatnonzero(roles == "category")
        self.levels = tuple(encoder.category_sizes)
        self.many = [place for place, size in enumerate(self.levels) if size > MANY_LEVELS]
        self.scaling = scaling
        self.quantiles: Quantiles | None = None
        self.means: TargetMeans | None = None

    def fit(
        self, x: Floats32, rows: Array, y: Array, n_classes: int | None, weights: Array | None, seed: int
    ) -> Floats32:
        """Learn from some rows of an encoded table, whose targets and weights are given; their inputs."""
        if self.scaling == "quantile" and len(self.values):
            some = rows[:: -(-len(rows) // MOST_ROWS)]
            self.quantiles = Quantiles().fit(x[np.ix_(some, self.values)])
        means = None
        if self.many and len(rows) > 1:
            self.means = TargetMeans([self.levels[place] for place in self.many], seed=seed)
            codes = x[np.ix_(rows, self.codes[self.many])]
            means = self.means.fit_transform(codes, y, n_classes, weights)
        return self._joined(x, rows, means)

    def transform(self, x: Floats32, rows: Array | None = None) -> Floats32:
        """The inputs of an encoded table, or of some of its rows."""
        rows = np.arange(len(x)) if rows is None else rows
        means = None
        if self.means is not None:
            means = self.means.transform(x[np.ix_(rows, self.codes[self.many])])
        return self._joined(x, rows, means)

    def _joined(self, x: Floats32, rows: Array, means: Floats32 | None) -> Floats32:
        width = 0 if means is None else means.shape[1]
        numbers = len(self.values)
        out = np.empty((len(rows), numbers + width + len(self.plain) + len(self.codes)), np.float32)
        # Column by column where it is, so that a table needs no more memory than its inputs.
        for place, column in enumerate(self.values):
            out[:, place] = x[rows, column]
        part = out[:, :numbers]
        if self.quantiles is None:
            smooth_clip(part, part)
        else:
            self.quantiles.transform(part, part)
        if means is not None:
            smooth_clip(means, out[:, numbers : numbers + width])
        rest = np.concatenate([self.plain, self.codes])
        for place, column in enumerate(rest, numbers + width):
            out[:, place] = x[rows, column]
        return out

    @property
    def numbers(self) -> int:
        """How many of the inputs are numbers on a scale."""
        width = 0 if self.means is None else sum(table.shape[1] for table in self.means.tables)
        return len(self.values) + width

    @property
    def width(self) -> int:
        """How many inputs there are."""
        return self.numbers + len(self.plain) + len(self.codes)

    def get_state(self) -> dict[str, Any]:
        """What `from_state` makes it of, beside the encoder."""
        return {
            "scaling": self.scaling,
            "quantiles": None if self.quantiles is None else self.quantiles.get_state(),
            "means": None if self.means is None else self.means.get_state(),
        }

    @classmethod
    def from_state(cls, encoder: TableEncoder, state: Mapping[str, Any]) -> Inputs:
        """The inputs whose state this is; they give the same bits."""
        inputs = cls(encoder, state["scaling"])
        if state["quantiles"] is not None:
            inputs.quantiles = Quantiles.from_state(state["quantiles"])
            if len(inputs.quantiles.knots) != len(inputs.values):
                raise ValueError(f"state must have quantiles of {len(inputs.values)} columns")
        if state["means"] is not None:
            inputs.means = TargetMeans.from_state(state["means"])
            if [len(table) for table in inputs.means.tables] != [inputs.levels[each] for each in inputs.many]:
                raise ValueError("state must have means for the levels of the encoder's categories")
        return inputs

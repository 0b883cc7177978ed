"""What members say of a single row, without the machinery that many rows are worth."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._inputs import Inputs
from ._scaling import smooth_clip

if TYPE_CHECKING:
    from ..network import MLP

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]


class OneRow:
    """The mean of an ensemble for one encoded row: the bits of `Ensemble.predict`.

    Parameters
    ----------
    networks : iterable of (MLP, Inputs, float)
        Each network with what it is given and how much it counts.
    n_classes : int or None
        None where a number is predicted.
    """

    def __init__(self, networks: Iterable[tuple[MLP, Inputs, float]], n_classes: int | None) -> None:
        self.n_classes = n_classes
        self.networks: list[tuple[MLP, int]] = []
        self.inputs: list[_InputsOfRow] = []
        places: dict[int, int] = {}
        shares = []
        for network, inputs, share in networks:
            if id(inputs) not in places:
                places[id(inputs)] = len(self.inputs)
                self.inputs.append(_InputsOfRow(inputs))
            self.networks.append((network, places[id(inputs)]))
            shares.append(share)
        # A Python float times numbers of float32 is rounded to it first.
        self.shares = np.array(shares, dtype=np.float32)[:, None]

    def __call__(self, encoded: Floats32) -> Floats:
        """The mean, as the only row of an array of (1, n_classes) or of (1,)."""
        made = [inputs(encoded) for inputs in self.inputs]
        said = np.concatenate([network.predict(made[place], n_threads=1) for network, place in self.networks])
        if self.n_classes == 2:
            said = np.stack([np.float32(1) - said, said], axis=1)
        elif self.n_classes is None:
            said = said[:, None]
        # One after the other, as for many rows.
        mean: Floats = np.cumsum(said * self.shares, axis=0, dtype=np.float64)[-1:]
        return mean if self.n_classes else mean[0]


class _InputsOfRow:
    """`Inputs.transform` of one row."""

    def __init__(self, inputs: Inputs) -> None:
        self.values = inputs.values
        self.rest = np.concatenate([inputs.plain, inputs.codes])
        self.width = inputs.width
        self.knots: list[tuple[list[float], list[float]]] | None = None
        if inputs.quantiles is not None:
            self.knots = [
                (each[0].tolist(), each[1].tolist()) for each in inputs.quantiles.knots if each is not None
            ]
        self.means: list[tuple[int, Floats32]] = []
        if inputs.means is not None:
            columns = inputs.codes[inputs.many].tolist()
            tables = [smooth_clip(table) for table in inputs.means.tables]
            self.means = list(zip(columns, tables, strict=True))

    def __call__(self, encoded: Floats32) -> Floats32:
        out = np.empty((1, self.width), dtype=np.float32)
        row, place = out[0], len(self.values)
        values = encoded[self.values]
        if self.knots is None:
            row[:place] = _clipped(values)
        else:
            row[:place] = [_at(*knots, u) for knots, u in zip(self.knots, values.tolist(), strict=True)]
        for column, table in self.means:
            means = table[int(encoded[column])]
            row[place : place + len(means)] = means
            place += len(means)
        row[place:] = encoded[self.rest]
        return out


def _clipped(u: Floats32) -> Floats32:
    """`smooth_clip`, of a few numbers."""
    root: Any = u / np.float32(3)
    root *= root
    root += np.float32(1)
    np.divide(u, np.sqrt(root, out=root), out=root)
    clipped: Floats32 = root
    return clipped


def _at(places: list[float], heights: list[float], u: float) -> float:
    """`numpy.interp` of a single number, by the same arithmetic."""
    if u <= places[0]:
        return heights[0]
    if u >= places[-1]:
        return heights[-1]
    left = bisect_right(places, u) - 1
    slope = (heights[left + 1] - heights[left]) / (places[left + 1] - places[left])
    return slope * (u - places[left]) + heights[left]

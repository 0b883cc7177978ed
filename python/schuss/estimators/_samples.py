"""Checked rows, to learn from or to watch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._checkpoint import fingerprint
from .._data import Weights, in_unit
from .._sparse import compressed, is_sparse
from ._losses import Objective, constant

Array = NDArray[Any]


class Samples(NamedTuple):
    """Inputs, targets as the core has them, targets as the user has them, and weights."""

    X: Any
    targets: Array
    y: Any
    sample_weight: Array | None

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return int(self.X.shape[0])

    @property
    def identity(self) -> str:
        """What tells them from other rows."""
        return fingerprint(*self.for_core())

    @property
    def some(self) -> tuple[Any, Array]:
        """Inputs and targets to look at before a training."""
        return self.X, self.targets

    def constant(self, objective: Objective) -> float:
        """What belongs to the targets in the loss that is reported."""
        return constant(objective, self.targets, self.sample_weight)

    def take(self, rows: Array) -> Samples:
        """Some of the rows."""
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return Samples(self.X[rows], self.targets[rows], self.y[rows], weight)

    def for_core(self) -> tuple[Any, Array, Array | Weights | None]:
        """Inputs, targets and weights as the core wants them."""
        X, weight = self.X, self.sample_weight
        x = compressed("X", X, X.dtype) if is_sparse(X) else np.ascontiguousarray(X)
        return x, self.targets, None if weight is None else in_unit(weight, X.dtype)

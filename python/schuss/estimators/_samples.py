"""Checked rows, to learn from or to watch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from .. import _data
from .._arrays import contiguous
from .._checkpoint import fingerprint
from .._data import Weights, in_unit
from .._draw import split_of
from .._peers import Peers
from .._pieces import Pieces, pieces_of
from .._sharded import Share, checksum_of
from .._sparse import compressed, is_sparse
from . import _looks
from ._losses import Objective, constant

Array = NDArray[Any]


class Samples(NamedTuple):
    """Inputs, targets as the core has them, targets as the user has them, and weights.

    `has_own_weights` says whether the user has given weights of rows: others come from the classes alone.
    """

    X: Any
    targets: Array
    y: Any
    sample_weight: Array | None
    has_own_weights: bool = False

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

    def counts(self) -> bool:
        """Whether any row has weight."""
        return self.sample_weight is None or bool(self.sample_weight.any())

    def constant(self, objective: Objective) -> float:
        """What belongs to the targets in the loss that is reported."""
        return constant(objective, self.targets, self.sample_weight)

    def take(self, rows: Array) -> Samples:
        """Some of the rows."""
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return Samples(self.X[rows], self.targets[rows], self.y[rows], weight, self.has_own_weights)

    def split(
        self, share: float, random: np.random.RandomState, *, stratifies: bool
    ) -> tuple[Samples, Samples]:
        """The rows to learn from, and a random share of them that is held out."""
        stratify = self.targets.astype(bool) if stratifies else None
        rows = np.arange(self.n_rows)
        train, held_out = train_test_split(rows, random_state=random, test_size=share, stratify=stratify)
        return self.take(train), self.take(held_out)

    def for_core(self) -> tuple[Any, Array, Array | Weights | None]:
        """Inputs, targets and weights as the core wants them."""
        X, weight = self.X, self.sample_weight
        x = compressed("X", X, X.dtype) if is_sparse(X) else contiguous(X)
        return x, self.targets, None if weight is None else in_unit(weight, X.dtype)


@dataclass(frozen=True)
class ShardedSamples:
    """Samples in consecutive shards, in the place of `Samples`; other processes may have other shards.

    Attributes
    ----------
    here : Samples
        Those of this process.
    sizes : sequence of int
        How many of them each of its shards has.
    n_rows : int
        How many there are in all processes.
    share : Share
        Which shards these are.
    peers : Peers or None
        The other processes.
    """

    here: Samples
    sizes: Sequence[int]
    n_rows: int
    share: Share
    peers: Peers | None

    @property
    def X(self) -> Any:
        """The inputs that are here."""
        return self.here.X

    @property
    def y(self) -> Any:
        """The targets that are here, as the user has them."""
        return self.here.y

    @property
    def targets(self) -> Array:
        """The targets that are here."""
        return self.here.targets

    @property
    def identity(self) -> str:
        """What tells them from other rows."""
        checksum = checksum_of(_data.Rows(*self.for_core()), self.sizes, self.share.start)
        told = [checksum] if self.peers is None else self.peers.tell_all(checksum)
        return f"{self.n_rows} rows, {sum(told)}"

    @property
    def some(self) -> tuple[Any, Array]:
        """Inputs and targets to look at before a training."""
        return self.here.some

    @property
    def pieces(self) -> Pieces:
        """The rows of all shards, each by itself."""
        return pieces_of(_data.Rows(*self.for_core()), self.sizes, self.peers)

    def counts(self) -> bool:
        """Whether any row has weight."""
        told = [self.here.counts()] if self.peers is None else self.peers.tell_all(self.here.counts())
        return any(told)

    def constant(self, objective: Objective) -> float:
        """What belongs to the targets in the loss that is reported."""
        return _looks.constant_of(self.pieces, objective)

    def split(
        self, share: float, random: np.random.RandomState, *, stratifies: bool
    ) -> tuple[ShardedSamples, ShardedSamples]:
        """The rows to learn from, and a random share of each shard's that is held out."""
        split = split_of("validation_fraction", share, self.n_rows, self.share, seed_of_rows(random))
        learnt, watched = self.here.take(split.learnt), self.here.take(split.held)
        return (
            in_shards(learnt, self.n_rows - split.n_held, self.share, self.peers),
            ShardedSamples(watched, split.sizes, split.n_held, self.share, self.peers),
        )

    def for_core(self) -> tuple[Any, Array, Array | Weights | None]:
        """Inputs, targets and weights of this process as the core wants them."""
        return self.here.for_core()


def expect_same_columns(learnt: Any, watched: Any) -> None:
    """Refuse rows to watch whose targets have other columns than those of the rows to learn from."""
    columns, got = (samples.targets.shape[1:] for samples in (learnt, watched))
    if columns != got:
        raise ValueError(f"y_val must have as many columns as y, which has {columns[0]}, got {got[0]}")


def in_shards(samples: Samples, n_rows: int, share: Share, peers: Peers | None) -> ShardedSamples:
    """The rows of some shards, of so many in all processes."""
    sizes = [end - start for start, end in share.pieces(n_rows)]
    return ShardedSamples(samples, sizes, n_rows, share, peers)


def seed_of_rows(random: np.random.RandomState) -> int:
    """The seed that an estimator's random state gives."""
    return int(random.randint(2**63, dtype=np.uint64))

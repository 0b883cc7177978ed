"""Rows on a cluster, as an estimator learns from them or watches them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dask
import dask.array
import numpy as np
import scipy.sparse
from distributed import Client
from numpy.typing import NDArray

from .. import _data, _schuss
from .._checks import shown
from .._draw import draw_of
from .._pieces import Pieces, SecondsLeft
from .._sharded import Share
from .._sparse import Sparse
from ..estimators import _looks
from ..estimators._labels import Labels, merged
from ..estimators._losses import Objective
from ..estimators._samples import seed_of_rows
from . import _parts
from ._cluster import groups_of, on_each, pieces
from ._parts import Seen

Array = NDArray[Any]

# Rows that the client looks at, to tell whether numbers are of a size that a network learns from.
SOME = 1000
# Of the multipliers of checksums.
SEED = 0


class Given:
    """Collections as a user gives them: futures of their partitions, and what the client knows of those.

    Parameters
    ----------
    client : Client
        The cluster.
    given : tuple of dask collections
        Inputs, targets, and weights or None.
    classifies : bool
        Whether y has labels.
    prefix : str
        Of names in errors.
    """

    def __init__(self, client: Client, given: tuple[Any, ...], classifies: bool, prefix: str = "") -> None:
        X, y, sample_weight = given
        names = tuple(f"{prefix}{name}" for name in ("X", "y", "sample_weight"))
        self.names = names
        collections = [X, y] if sample_weight is None else [X, y, sample_weight]
        blocks = [
            _blocks(name, each, most)
            for name, each, most in zip(names, _alike(collections), (2, 2, 1), strict=False)
        ]
        counts = [len(each) for each in blocks]
        if len(set(counts)) > 1:
            raise ValueError(
                f"{' and '.join(names[: len(counts)])} must have the same partitions, got "
                f"{' and '.join(map(str, counts))} of them"
            )
        # Computed together: what they come from is read once.
        futures = client.compute([block for of_one in blocks for block in of_one])
        self.client = client
        self.parts = list(zip(*np.split(np.array(futures, object), len(counts)), strict=True))
        if sample_weight is None:
            self.parts = [(x, y, None) for x, y in self.parts]
        looks = [client.submit(_parts.seen, *part, classifies, names, pure=False) for part in self.parts]
        self.seen: list[Seen] = client.gather(looks)
        for number, of_part in enumerate(self.seen):
            if len(set(of_part.rows)) > 1:
                raise ValueError(
                    f"{' and '.join(names[: len(counts)])} must have as many rows in each partition, got "
                    f"{' and '.join(map(str, of_part.rows))} in partition {number}"
                )
        if not any(of_part.rows[0] for of_part in self.seen):
            raise ValueError(f"{names[0]} must have at least one row, got none")

    def labels(self) -> Labels:
        """The labels of all rows."""
        return merged([of_part.labels for of_part in self.seen if of_part.rows[0]])

    def head(self) -> tuple[Any, Any]:
        """One row of X and of y."""
        return next(of_part.head for of_part in self.seen if of_part.head is not None)

    def check_weights(self, dtype: np.dtype[Any]) -> None:
        """Refuse weights that a worker could not tell from others without knowing all."""
        weights = [of_part.weight for of_part in self.seen if of_part.rows[0]]
        least, most = (pick(of_part[i] for of_part in weights) for i, pick in ((0, min), (1, max)))
        if not most > 0 or abs(int(np.frexp(most)[1])) > _data.EXPONENTS[dtype.itemsize]:
            raise ValueError(
                f"{self.names[2]} must be finite, not all zero, and of about 1, got numbers from "
                f"{least} to {most}"
            )


class Rows:
    """Checked rows on a cluster, in the place of an estimator's `Samples`: none of them are here.

    Parameters
    ----------
    client : Client
        The cluster.
    parts : sequence of Future
        Partitions, each checked `_data.Rows`.
    empty : _data.Rows
        Like them, without rows.
    share : Share
        All shards.
    sizes : sequence of int, optional
        How many rows each piece has of those that are looked at; None for almost equal pieces.

    Attributes
    ----------
    X, targets : ndarray or sparse matrix
        Without rows: their dtypes and columns.
    """

    y = sample_weight = None

    def __init__(
        self,
        client: Client,
        parts: Sequence[Any],
        empty: _data.Rows,
        share: Share,
        sizes: Sequence[int] | None = None,
    ) -> None:
        self.client, self.parts, self.empty, self.share = client, list(parts), empty, share
        self.X, self.targets = _without_rows(empty), empty.targets
        told = client.gather([client.submit(_looks.size, part, pure=False) for part in self.parts])
        self.lengths = [rows for rows, _ in told]
        self.weight = float(sum(weight for _, weight in told))
        self._sizes = sizes

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return sum(self.lengths)

    @property
    def starts(self) -> list[int]:
        """The number of the first row of each partition, among all."""
        return [int(start) for start in np.cumsum([0, *self.lengths[:-1]])]

    @property
    def identity(self) -> str:
        """What tells them from other rows, however they are cut."""
        columns = sum(each.shape[1] if len(each.shape) == 2 else 1 for each in self.empty[:2]) + 1
        multipliers = np.random.Generator(np.random.PCG64(SEED)).integers(
            2**63, size=2 * columns, dtype=np.uint64
        ) * np.uint64(2) + np.uint64(1)
        tasks = [
            self.client.submit(_parts.checksum, part, first, multipliers, pure=False)
            for part, first in zip(self.parts, self.starts, strict=True)
        ]
        return f"{self.n_rows} rows, {sum(self.client.gather(tasks)) % 2**64:016x}"

    def for_core(self) -> tuple[Any, Any, None]:
        """None of the rows: workers have them."""
        return self.empty.x, self.empty.targets, None

    def counts(self) -> bool:
        """Whether any row has weight."""
        return self.weight > 0

    @property
    def some(self) -> tuple[Any, Array]:
        """A few inputs and targets, from all partitions."""
        most = max(SOME // len(self.parts), 1)
        tasks = [self.client.submit(_parts.cut, part, 0, most, pure=False) for part in self.parts]
        return _parts.joined(*self.client.gather(tasks))[:2]

    @property
    def looked_at(self) -> OnWorkers:
        """The rows in pieces, where they are looked at."""
        sizes = self._sizes
        if sizes is None:
            sizes = [end - start for start, end in groups_of(self.n_rows, self.share.count)]
        ends = np.cumsum(sizes).tolist()
        return OnWorkers(self.client, self.pieces(list(zip([0, *ends[:-1]], ends, strict=True))))

    def constant(self, objective: Objective) -> float:
        """What belongs to the targets in the loss that is reported."""
        return _looks.constant_of(self.looked_at, objective) if objective.name == "poisson" else 0.0

    def split(self, share: float, random: np.random.RandomState, *, stratifies: bool) -> tuple[Rows, Rows]:
        """The rows to learn from, and a random share of each shard's that is held out."""
        draw = draw_of("validation_fraction", share, self.n_rows, self.share.pieces, seed_of_rows(random))
        both = []
        for held_out in (False, True):
            parts = [
                self.client.submit(_parts.chosen, part, first, draw, held_out, pure=False)
                for part, first in zip(self.parts, self.starts, strict=True)
            ]
            sizes = draw.held if held_out else None
            both.append(Rows(self.client, parts, self.empty, self.share, sizes))
        return both[0], both[1]

    def pieces(self, boundaries: Sequence[tuple[int, int]]) -> list[Any]:
        """Consecutive rows, a future for each piece."""
        return pieces(self.client, self.parts, self.lengths, boundaries)


class OnWorkers(Pieces):
    """Pieces of rows that workers have."""

    def __init__(self, client: Client, pieces: Sequence[Any]) -> None:
        super().__init__(pieces, None)
        self._client = client

    def each(
        self, function: Callable[..., Any], *given: Any, seconds_left: SecondsLeft | None = None
    ) -> list[Any]:
        """What a function finds in each piece, in their order."""
        if seconds_left is not None and seconds_left() == 0.0:
            raise _schuss.OutOfTime
        found: list[Any] = self._client.gather(on_each(self._client, function, self._own, *given))
        return found


def is_collection(given: Any) -> bool:
    """Whether it is a dask array, series or data frame."""
    return isinstance(given, dask.array.Array) or (
        dask.is_dask_collection(given) and hasattr(given, "npartitions") and hasattr(given, "_meta")
    )


def _without_rows(rows: _data.Rows) -> Any:
    """Inputs as an estimator checks them."""
    if not isinstance(rows.x, Sparse):
        return rows.x
    return scipy.sparse.csr_array(rows.x[:3], shape=rows.x.shape)


def _alike(collections: Sequence[Any]) -> list[Any]:
    """Arrays whose blocks have the rows of those of X, where that is known."""
    X = collections[0]
    if not isinstance(X, dask.array.Array) or np.isnan(X.chunks[0]).any():
        return list(collections)
    rows = X.chunks[0]
    known = [isinstance(each, dask.array.Array) and each.shape[:1] == X.shape[:1] for each in collections]
    return [
        each.rechunk({0: rows}) if is_known else each
        for each, is_known in zip(collections, known, strict=True)
    ]


def _blocks(name: str, given: Any, most: int) -> list[Any]:
    """The partitions of a collection of at most so many dimensions, with all columns."""
    if not is_collection(given):
        raise TypeError(f"{name} must be a dask array or data frame, got {shown(given)}")
    if not 1 <= given.ndim <= most:
        accepted = "one dimension" if most == 1 else "one or two dimensions"
        raise ValueError(f"{name} must have {accepted}, got {given.ndim}")
    if isinstance(given, dask.array.Array):
        given = given.rechunk({1: -1}) if given.ndim == 2 else given
        return list(given.to_delayed().ravel())
    return list(given.to_delayed())

"""Rows of the caller's data in batches, for a function that is a mean or a sum over rows."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._arrays import array
from ._checks import check_count, check_seed, shown

Arrays: TypeAlias = tuple[NDArray[Any], ...]


class Batches:
    """Batches of rows: those of each epoch are a new order of all rows, cut.

    Which rows a batch has follows from its number and the seed alone.

    Parameters
    ----------
    data : array_like or tuple of array_like
        One array or several of equally many rows.
    batch_size : int or None
        Rows of a batch; the last one of an epoch may have fewer. None for all rows, as they are.
    seed : int
        Of the orders.
    """

    def __init__(self, data: Any, batch_size: int | None, seed: int) -> None:
        given = data if isinstance(data, tuple) else (data,)
        self.all: Arrays = tuple(array("data", each) for each in given)
        if not self.all or any(each.ndim == 0 for each in self.all):
            raise ValueError(f"data must be an array, or a tuple of arrays, with rows, got {shown(data)}")
        lengths = [len(each) for each in self.all]
        if len(set(lengths)) > 1 or not lengths[0]:
            raise ValueError(f"data must be arrays of equally many rows, at least one, got {lengths}")
        self.rows = lengths[0]
        size = self.rows if batch_size is None else min(check_count("batch_size", batch_size), self.rows)
        self.size = size
        self.seed = check_seed("seed", seed)
        self._order: tuple[int, NDArray[Any]] = -1, np.arange(0)

    @property
    def is_whole(self) -> bool:
        """Whether each batch has all rows."""
        return self.size == self.rows

    def of_step(self, number: int) -> Arrays:
        """The batch of that number, counted from 0."""
        if self.is_whole:
            return self.all
        epoch, batch = divmod(number, -(-self.rows // self.size))
        # Runs side by side, each in an epoch of its own, share what is kept here.
        order = self._order
        if order[0] != epoch:
            order = self._order = epoch, np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        rows = order[1][batch * self.size : (batch + 1) * self.size]
        return tuple(each[rows] for each in self.all)


def batches_of(data: Any, batch_size: int | None, seed: int) -> Batches | None:
    """The batches of the data, if there are data."""
    if data is not None:
        return Batches(data, batch_size, seed)
    if batch_size is not None:
        raise ValueError(f"batch_size must be None without data, got {shown(batch_size)}")
    check_seed("seed", seed)
    return None

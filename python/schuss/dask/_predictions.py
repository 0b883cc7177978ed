"""Predictions of collections, made where their partitions are and when somebody asks for them."""

from __future__ import annotations

from typing import Any

import dask
import dask.array
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def predicted(block: Any, model: Any = None, method: str = "", empty: Any = None) -> Array:
    """On a worker: what a fitted estimator says of the rows of a partition."""
    return getattr(model, method)(block) if block.shape[0] else empty


def lazily(model: Any, method: str, X: Any, columns: int | None, dtype: Any) -> Any:
    """The predictions of a collection as a dask array.

    Parameters
    ----------
    model : estimator
        Fitted, and without a client.
    method : str
        Which of its methods predicts.
    X : dask array or data frame
        The rows.
    columns : int or None
        Of the predictions; None for one number or label a row.
    dtype : dtype
        Of the predictions.

    Raises
    ------
    ValueError
        If the collection has not two dimensions.
    """
    if X.ndim != 2:
        raise ValueError(f"X must have two dimensions, got {X.ndim}")
    empty = np.empty((0,) if columns is None else (0, columns), dtype)
    # One copy in the graph, whatever the number of partitions.
    given = {"model": dask.delayed(model, traverse=False, pure=False), "method": method, "empty": empty}
    if not isinstance(X, dask.array.Array):
        return X.map_partitions(predicted, meta=empty, **given)
    X = X.rechunk({1: -1})
    if columns is None:
        return X.map_blocks(predicted, drop_axis=1, meta=empty, dtype=dtype, **given)
    return X.map_blocks(predicted, chunks=(X.chunks[0], (columns,)), meta=empty, dtype=dtype, **given)

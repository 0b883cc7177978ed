"""Rows to learn from, checked and converted to what the core takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._registry import LOSSES
from ._sparse import Sparse, compressed, is_sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .network import MLP


class Rows(NamedTuple):
    """Inputs, targets and weights: C-contiguous, of the network's dtype (classes: uint32)."""

    x: NDArray[Any] | Sparse
    targets: NDArray[Any] | None
    weights: NDArray[Any] | None

    @property
    def total_weight(self) -> float:
        """The sum of the weights."""
        return float(self.x.shape[0] if self.weights is None else self.weights.sum(dtype=np.float64))

    def explain(self, error: BaseException) -> None:
        """Add to an error of the arithmetic what is wrong with the rows, if anything is."""
        if isinstance(error, ArithmeticError):
            for name, array in zip(("X", "y", "sample_weight"), self, strict=True):
                numbers = array.data if isinstance(array, Sparse) else array
                if numbers is not None and not np.isfinite(numbers).all():
                    error.args = (f"{error}: {name} has NaN or infinity in it",)
                    return


def check_count(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`."""
    try:
        count = index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if count < least or isinstance(value, bool):
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
    return count


def rows_of(net: MLP, X: Any, y: Any, sample_weight: Any = None, *, prefix: str = "") -> Rows:
    """Check and convert rows for a network; without targets where `y` is None."""
    inputs = net.layers[0]
    convert = compressed if is_sparse(X) else _numbers
    x = convert(f"{prefix}X", X, net.dtype)
    if len(x.shape) != 2 or x.shape[1] != inputs:
        raise ValueError(f"{prefix}X must be of shape (n_samples, {inputs}), got {x.shape}")
    if y is None:
        return Rows(x, None, None)
    targets = _targets(net, y, f"{prefix}y")
    rows = x.shape[0]
    if len(targets) != rows:
        raise ValueError(f"{prefix}y must have {rows} rows as X has, got {len(targets)}")
    if rows == 0:
        raise ValueError(f"{prefix}X must have at least one row, got none")
    weights = None
    if sample_weight is not None:
        weights = _numbers(f"{prefix}sample_weight", sample_weight, net.dtype)
        if weights.shape != (rows,):
            raise ValueError(f"{prefix}sample_weight must be of shape ({rows},), got {weights.shape}")
        if not (weights >= 0).all() or not weights.any():
            raise ValueError(f"{prefix}sample_weight must be finite, not negative and not all zero")
    return Rows(x, targets, weights)


def blocks_of(net: MLP, X: Any, y: Any, sample_weight: Any) -> Rows | Callable[[int], Iterator[Rows]]:
    """Rows where X is an array, else what gives the blocks of an epoch in their order."""
    reads = hasattr(X, "read") and hasattr(X, "n_blocks")
    if not reads and not callable(X):
        if y is None:
            raise TypeError("y must be given, unless X is a source of blocks; got None")
        net._flat_targets = np.ndim(y) < 2
        return rows_of(net, X, y, sample_weight)
    if y is not None or sample_weight is not None:
        raise TypeError(
            "y and sample_weight must be None where X is a source of blocks: its blocks bring their own"
        )

    def read(epoch: int) -> Iterator[Rows]:
        if reads:
            order = np.random.default_rng([net.seed, epoch]).permutation(X.n_blocks)
            blocks = (X.read(int(i)) for i in order)
        else:
            blocks = X()
        for block in blocks:
            if not isinstance(block, tuple) or len(block) not in (2, 3):
                raise TypeError("a block must be a tuple (X, y) or (X, y, weight)")
            net._flat_targets = np.ndim(block[1]) < 2
            yield rows_of(net, *block)

    return read


def _numbers(name: str, given: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}")
    return np.ascontiguousarray(array, dtype=dtype)


def _targets(net: MLP, y: Any, name: str) -> NDArray[Any]:
    outputs = net.layers[-1]
    if not net._core.takes_classes:
        targets = _numbers(name, y, net.dtype)
        if targets.ndim == 1 and outputs == 1:
            targets = targets[:, None]
        if targets.ndim != 2 or targets.shape[1] != outputs:
            also = " or (n_samples,)" if outputs == 1 else ""
            raise ValueError(f"{name} must be of shape (n_samples, {outputs}){also}, got {np.shape(y)}")
        kind = LOSSES[net.objective].targets
        if kind == "unit" and not ((targets >= 0) & (targets <= 1)).all():
            raise ValueError(f"{name} must be from 0 to 1 for {net.objective}, got other numbers")
        if kind == "counts" and not (targets >= 0).all():
            raise ValueError(f"{name} must not be negative for {net.objective}, got negative numbers")
        return targets
    classes = np.asarray(y)
    if classes.ndim == 2 and classes.shape[1] == 1:
        classes = classes[:, 0]
    if classes.ndim != 1:
        raise ValueError(f"{name} must be of shape (n_samples,): class indices; got {classes.shape}")
    if classes.dtype.kind not in "iub" and not (
        classes.dtype.kind == "f" and (classes == np.trunc(classes)).all()
    ):
        raise TypeError(f"{name} must be class indices, whole numbers; got dtype {classes.dtype}")
    if classes.size and not (classes.min() >= 0 and classes.max() < outputs):
        low, high = classes.min(), classes.max()
        raise ValueError(f"{name} must be class indices from 0 to {outputs - 1}, got {low} to {high}")
    return np.ascontiguousarray(classes, dtype=np.uint32)

"""Rows to learn from, checked and converted to what the core takes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from ._arrays import array, contiguous, is_ready, numbers
from ._checks import check_count
from ._registry import Loss
from ._sparse import Sparse, compressed, is_sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Takes:
    """What rows a network takes.

    Attributes
    ----------
    inputs, outputs : int
        Columns of the inputs and of the targets.
    loss : Loss
        Says what the targets must be.
    dtype : dtype
        Of all but class indices.
    dense : bool
        Whether the inputs may not be sparse.
    categories : tuple of (int, int)
        Columns of the inputs that say which, and their numbers of levels.
    """

    inputs: int
    outputs: int
    loss: Loss
    dtype: np.dtype[Any]
    dense: bool = False
    categories: tuple[tuple[int, int], ...] = ()


Weights: TypeAlias = "tuple[NDArray[Any], float]"
"""Weights of rows in a unit: what the dtype of the network may not hold."""


# The largest exponents of weights that a dtype of so many bytes holds without a unit of their own.
EXPONENTS = {4: 60, 8: 900}


def in_unit(weights: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any] | Weights:
    """Weights in a dtype, in a unit of their own where it might not hold them."""
    exponent = int(np.frexp(weights.max(initial=0.0))[1])
    if abs(exponent) <= EXPONENTS[dtype.itemsize]:
        return contiguous(weights, dtype)
    # A power of two: nothing is rounded but what is far below the largest weight.
    unit = float(np.ldexp(1.0, max(min(exponent, 1023), -1021)))
    return contiguous(weights / unit, dtype), unit


def total(weights: NDArray[Any] | Weights) -> float:
    """The sum of weights, in no unit."""
    values, unit = weights if isinstance(weights, tuple) else (weights, 1.0)
    with np.errstate(over="ignore"):
        return float(values.sum(dtype=np.float64) * unit)


class Rows(NamedTuple):
    """Inputs, targets and weights: C-contiguous, of the network's dtype (classes: uint32).

    Attributes
    ----------
    flat : bool
        Whether the targets came without a second dimension; True unless somebody has looked.
    everywhere : int or None
        How many there are in all processes, where others have the rest.
    """

    x: NDArray[Any] | Sparse
    targets: NDArray[Any]
    weights: NDArray[Any] | Weights | None = None
    flat: bool = True
    everywhere: int | None = None

    @property
    def n_rows(self) -> int:
        """How many rows there are, in all processes."""
        here: int = self.x.shape[0]
        return here if self.everywhere is None else self.everywhere

    @property
    def arrays(self) -> tuple[NDArray[Any] | Sparse, NDArray[Any], NDArray[Any] | Weights | None]:
        """As the core takes them."""
        return self[:3]

    @property
    def total_weight(self) -> float:
        """The sum of the weights."""
        if self.weights is None:
            return float(self.x.shape[0])
        return total(self.weights)

    @property
    def weights_in_unit(self) -> NDArray[Any] | None:
        """The weights, in a unit of their own where they have one."""
        return self.weights[0] if isinstance(self.weights, tuple) else self.weights

    def cut(self, start: int, stop: int) -> Rows:
        """Consecutive rows, not copied."""
        x = self.x.cut(start, stop) if isinstance(self.x, Sparse) else self.x[start:stop]
        weights = self.weights
        if isinstance(weights, tuple):
            weights = weights[0][start:stop], weights[1]
        elif weights is not None:
            weights = weights[start:stop]
        return self._replace(x=x, targets=self.targets[start:stop], weights=weights)

    def take(self, chosen: NDArray[Any]) -> Rows:
        """Some of the rows, copied."""
        x = self.x.take(chosen) if isinstance(self.x, Sparse) else self.x[chosen]
        weights = self.weights
        if isinstance(weights, tuple):
            weights = weights[0][chosen], weights[1]
        elif weights is not None:
            weights = weights[chosen]
        return self._replace(x=x, targets=self.targets[chosen], weights=weights)

    def explain(
        self,
        error: BaseException,
        theta: NDArray[Any],
        tell_all: Callable[[str | None], Sequence[str | None]] | None = None,
    ) -> None:
        """Add to an error of the arithmetic what is wrong with parameters or rows, or what may be.

        Where other processes have rows, too, they are told by `tell_all`, which returns what all have said.
        """
        if not isinstance(error, ArithmeticError):
            return
        if not np.isfinite(theta).all():
            error.args = (f"{error}: theta has NaN or infinity in it",)
            return
        fault, advice = self._doubts()
        told = [] if tell_all is None else tell_all(fault)
        elsewhere = [
            f"{name} has NaN or infinity in it on rank {rank}" for rank, name in enumerate(told) if name
        ]
        if " at step " in str(error):
            advice.insert(0, "lr may be too large")
        if fault is not None:
            advice = [f"{fault} has NaN or infinity in it"]
        elif elsewhere:
            advice = elsewhere[:1]
        if advice:
            error.args = (f"{error}: {', or '.join(advice)}",)

    def _doubts(self) -> tuple[str | None, list[str]]:
        """Which of the rows' parts is not finite, if one is; what may be wrong with them else."""
        advice = []
        for name, rows in zip(("X", "y", "sample_weight"), self.arrays, strict=True):
            numbers = rows.data if isinstance(rows, Sparse) else rows
            numbers = numbers[0] if isinstance(numbers, tuple) else numbers
            if numbers is None or not numbers.size:
                continue
            largest = max(abs(float(numbers.min())), abs(float(numbers.max())))
            if not np.isfinite(largest):
                return name, []
            if largest > 1e3 and name != "sample_weight":
                advice.append(f"scale {name}, whose numbers go up to {largest:.0e}")
        return None, advice


def inputs_of(takes: Takes, X: Any, *, prefix: str = "") -> NDArray[Any] | Sparse:
    """Check and convert inputs for a network."""
    # As they are in most loops: the rest takes longer than a small network.
    if type(X) is np.ndarray and X.ndim == 2 and X.dtype == takes.dtype and is_ready(X):
        ready: NDArray[Any] = X
        if ready.shape[1] == takes.inputs:
            return ready
    convert = compressed if is_sparse(X) else numbers
    x = convert(f"{prefix}X", X, takes.dtype)
    if len(x.shape) != 2 or x.shape[1] != takes.inputs:
        raise ValueError(f"{prefix}X must be of shape (n_samples, {takes.inputs}), got {x.shape}")
    return x


def rows_of(
    takes: Takes, X: Any, y: Any, sample_weight: Any = None, *, prefix: str = "", part: bool = False
) -> Rows:
    """Check and convert rows for a network; a part of the rows may weigh nothing."""
    x = inputs_of(takes, X, prefix=prefix)
    if y is None:
        raise TypeError(f"{prefix}y must be given, got None")
    name = f"{prefix}y"
    convert_targets = _classes if takes.loss.targets == "classes" else _values
    targets = convert_targets(takes, y, name)
    rows = x.shape[0]
    if len(targets) != rows:
        raise ValueError(f"{prefix}y must have {rows} rows as X has, got {len(targets)}")
    if rows == 0:
        raise ValueError(f"{prefix}X must have at least one row, got none")
    weights = None
    if sample_weight is not None:
        weights = _weights(f"{prefix}sample_weight", sample_weight, rows, takes.dtype, part)
    return Rows(x, targets, weights)


def rows_of_parts(takes: Takes, name: str, given: Any, part: bool = False) -> Rows:
    """Check and convert rows that come as one, (X, y) or (X, y, weight); a part of all may weigh nothing."""
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        got = f"{len(given)} of them" if isinstance(given, tuple | list) else type(given).__name__
        raise TypeError(f"{name} must be a tuple (X, y) or (X, y, weight), got {got}")
    return rows_to_fit(takes, *given, prefix=f"{name}: ", part=part)


def rows_to_fit(
    takes: Takes, X: Any, y: Any, sample_weight: Any = None, *, prefix: str = "", part: bool = False
) -> Rows:
    """Check and convert rows, and note the form of their targets; a part of the rows may weigh nothing."""
    rows = rows_of(takes, X, y, sample_weight, prefix=prefix, part=part)
    _check_embedded(takes, rows.x, f"{prefix}X")
    return rows._replace(flat=np.ndim(y) < 2)


def _check_embedded(takes: Takes, x: NDArray[Any] | Sparse, name: str) -> None:
    """Refuse what the core would find later, in words that say which rows these are."""
    if isinstance(x, Sparse):
        if takes.dense:
            raise ValueError(
                f"{name} must be dense for a network with embeddings or input_scale, got a sparse matrix"
            )
        return
    for column, levels in takes.categories:
        codes = x[:, column]
        odd = ~((codes >= 0) & (codes < levels) & (codes == np.trunc(codes)))
        if odd.any():
            raise ValueError(
                f"{name} must be whole numbers from 0 to {levels - 1}, the levels of the category, "
                f"got {codes[odd.argmax()]:g} in column {column}"
            )


class Blocks:
    """A source of blocks: rows that are read anew in each epoch.

    Parameters
    ----------
    takes : Takes
        What each block is checked for.
    source : object or callable
        With ``n_blocks`` and ``read(i)``; one with ``windows(order, first, dtype)`` besides that, as those
        of `schuss.blocks`, joins blocks and reads ahead; or what returns an iterator over the blocks in its
        order.
    seed : int or None
        Of the order in which blocks are read, a new one in each epoch; None for 0, 1, 2, ...

    Attributes
    ----------
    part : callable or None
        Of so many rows that are learnt from together, where those begin and end that are for this process;
        None for all.
    """

    def __init__(self, takes: Takes, source: Any, seed: int | None) -> None:
        self.takes = takes
        self.source = source
        self.seed = seed
        self.part: Callable[[int], tuple[int, int]] | None = None

    def of_epoch(self, epoch: int, first: int = 0) -> Generator[Rows, None, None]:
        """The blocks in their order, from that number on; to be closed, since a thread may read them."""
        blocks = self._read(epoch, first)
        try:
            for block in blocks:
                yield self._rows(block)
        finally:
            blocks.close()

    def _rows(self, block: Any) -> Rows:
        """A block, or what is for this process of it."""
        if self.part is None:
            return rows_of_parts(self.takes, "a block", block, part=True)
        everywhere, block = block if self._reads_parts() else (None, block)
        rows = rows_of_parts(self.takes, "a block", block, part=True)
        if isinstance(rows.weights, tuple):
            got = f"numbers up to {rows.weights[1]:.0e}"
            raise ValueError(f"a block: weights must be of about 1 where processes share it, got {got}")
        if everywhere is None:
            everywhere = rows.n_rows
            start, stop = self.part(everywhere)
        else:
            first, _ = some(self.part, everywhere)
            start, stop = (number - first for number in self.part(everywhere))
        return rows.cut(start, stop)._replace(everywhere=everywhere)

    def _reads_parts(self) -> bool:
        return hasattr(self.source, "parts")

    @property
    def identity(self) -> str:
        """What a training must have alike that goes on from a checkpoint."""
        count = f"{self.source.n_blocks} blocks" if _reads(self.source) else "blocks"
        return str(getattr(self.source, "identity", count))

    def _read(self, epoch: int, first: int) -> Any:
        if not _reads(self.source):
            blocks = self.source()
            if not isinstance(blocks, Iterable):
                got = type(blocks).__name__
                raise TypeError(f"X must return an iterator over blocks where it is a callable, got {got}")
            return _from(iter(blocks), first)
        count = check_count("n_blocks of X", self.source.n_blocks, least=0)
        order: Sequence[int] | NDArray[np.int64] = range(count)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, epoch]).permutation(count)
        if self.part is not None and self._reads_parts():
            return self.source.parts(order, first, self.takes.dtype, partial(some, self.part))
        if hasattr(self.source, "windows"):
            return self.source.windows(order, first, self.takes.dtype)
        return (self.source.read(int(i)) for i in order[first:])


def _from(blocks: Iterator[Any], first: int) -> Generator[Any, None, None]:
    """Those from that number on. They come as they come: those before are read in vain."""
    try:
        yield from islice(blocks, first, None)
    finally:
        # An error's traceback would keep it, and what it has open. Another iterator may be wanted again.
        if isinstance(blocks, Generator):
            blocks.close()


def some(part: Callable[[int], tuple[int, int]], rows: int) -> tuple[int, int]:
    """What a process is to read of so many rows: its part, but no less than one row, which is checked."""
    start, stop = part(rows)
    start = min(start, rows - 1)
    return start, max(stop, start + 1)


def source_of(
    takes: Takes, X: Any, y: Any, sample_weight: Any, seed: int | None, *, part: bool = False
) -> Rows | Blocks:
    """What a network learns from: rows, all or a part of them, where X is an array, else blocks.

    Blocks are in an order of that seed.
    """
    if isinstance(X, Rows):
        return X
    if not _reads(X) and not callable(X):
        if y is None:
            raise TypeError("y must be given, unless X is a source of blocks; got None")
        return rows_to_fit(takes, X, y, sample_weight, part=part)
    if y is not None or sample_weight is not None:
        raise TypeError(
            "y and sample_weight must be None where X is a source of blocks: its blocks bring their own"
        )
    return Blocks(takes, X, seed)


def steps_of(source: Rows | Blocks, batch_size: int | None, epochs: int) -> int | None:
    """The steps of so many epochs; None where nobody knows how many rows there are."""
    if isinstance(source, Blocks):
        return None
    return max(epochs * -(-source.n_rows // (batch_size or source.n_rows)), 1)


def _reads(source: Any) -> bool:
    return hasattr(source, "read") and hasattr(source, "n_blocks")


def _weights(name: str, given: Any, rows: int, dtype: np.dtype[Any], part: bool) -> NDArray[Any] | Weights:
    wide = dtype if getattr(given, "dtype", None) == dtype else np.dtype(np.float64)
    weights = numbers(name, given, wide)
    if weights.shape != (rows,):
        raise ValueError(f"{name} must be of shape ({rows},), got {np.shape(given)}")
    # NaN is not at least 0 either.
    if not (weights.min() >= 0 and weights.max() < np.inf and (part or weights.max() > 0)):
        got = f"numbers from {weights.min()} to {weights.max()}"
        accepted = "finite and not negative" if part else "finite, not negative and not all zero"
        raise ValueError(f"{name} must be {accepted}, got {got}")
    return in_unit(weights, dtype)


def _values(takes: Takes, y: Any, name: str) -> NDArray[Any]:
    outputs, loss = takes.outputs, takes.loss
    try:
        targets = numbers(name, y, takes.dtype)
    except TypeError as error:
        hint = "for classes the loss is 'cross_entropy', and y their indices from 0 on"
        raise TypeError(f"{error}; the loss is {loss.name!r}: {hint}") from None
    if targets.ndim == 1 and outputs == 1:
        targets = targets[:, None]
    if targets.ndim != 2 or targets.shape[1] != outputs:
        also = " or (n_samples,)" if outputs == 1 else ""
        hint = (
            f": for class indices the loss is 'cross_entropy', not {loss.name!r}" if targets.ndim == 1 else ""
        )
        raise ValueError(f"{name} must be of shape (n_samples, {outputs}){also}, got {np.shape(y)}{hint}")
    if loss.targets == "numbers" or not targets.size:
        return targets
    low, high = targets.min(), targets.max()
    # NaN is in no range.
    if loss.targets == "unit" and not (low >= 0 and high <= 1):
        raise ValueError(f"{name} must be from 0 to 1 for {loss.name}, got numbers from {low} to {high}")
    if loss.targets == "counts" and not low >= 0:
        raise ValueError(f"{name} must not be negative for {loss.name}, got numbers from {low} to {high}")
    return targets


def _classes(takes: Takes, y: Any, name: str) -> NDArray[Any]:
    expected = f"{name} must be class indices, whole numbers from 0 to {takes.outputs - 1}"
    classes = array(name, y)
    if classes.ndim == 2 and classes.shape[1] == 1:
        classes = classes[:, 0]
    if classes.ndim != 1:
        got = type(y).__name__ if classes.ndim == 0 else f"shape {classes.shape}"
        raise ValueError(f"{expected}, of shape (n_samples,), got {got}")
    kind = classes.dtype.kind
    if kind not in "iubf":
        hint = "; np.unique(y, return_inverse=True) numbers labels" if kind in "OUS" else ""
        raise TypeError(f"{expected}, got dtype {classes.dtype}{hint}")
    if classes.size and not (classes.min() >= 0 and classes.max() < takes.outputs):
        # NaN is the least and the largest of what it is among.
        raise ValueError(f"{expected}, got numbers from {classes.min()} to {classes.max()}")
    if kind == "f" and not (classes == np.trunc(classes)).all():
        raise ValueError(f"{expected}, got {classes[classes != np.trunc(classes)][0]}")
    # A copy in any case: the core counts on classes that are there, whatever becomes of the array meanwhile.
    return np.array(classes, np.uint32, order="C")


def check_finite(rows: Rows, name: str) -> None:
    """Refuse rows whose loss could not be looked at: it would be NaN after every epoch."""
    for part, given in zip(("X", "y"), rows.arrays, strict=False):
        numbers: Any = given.data if isinstance(given, Sparse) else given
        if not np.isfinite(numbers).all():
            raise ValueError(f"{name}: {part} must be finite, got NaN or infinite numbers")

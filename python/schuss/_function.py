"""The caller's function, checked at every call: value, gradient, finite differences, bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._arrays import array as as_array
from ._arrays import numbers
from ._batches import Batches
from ._checks import check_number, check_sequence, shown

Array: TypeAlias = NDArray[Any]
Bounds: TypeAlias = tuple[Array, Array]


def start_of(x0: ArrayLike, name: str) -> Array:
    """A fresh float array of the starting point."""
    single = getattr(x0, "dtype", None) == np.float32
    # In C order, so that it can be handed on as a flat vector.
    x = np.array(numbers(name, x0, np.dtype(np.float32 if single else np.float64))).reshape(np.shape(x0))
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite, got {x}")
    return x


def bounds_of(bounds: Any, x: Array) -> Bounds | None:
    """Lower and upper bounds in the shape and dtype of x; infinite where there is none."""
    if bounds is None:
        return None
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        low, high = (_bound(end, x) for end in (bounds.lb, bounds.ub))
    else:
        pairs = [_pair(pair) for pair in check_sequence("bounds", bounds, "pairs (min, max)")]
        if len(pairs) != x.size:
            raise ValueError(f"bounds must be {x.size} pairs, one for each variable, got {len(pairs)}")
        low, high = np.array(pairs, dtype=float).reshape(*x.shape, 2).transpose(-1, *range(x.ndim))
    # Also refuses NaN.
    if not (low <= high).all():
        raise ValueError(f"bounds must have min <= max for each variable, got min {low} and max {high}")
    return low.astype(x.dtype), high.astype(x.dtype)


def length(vector: NDArray[Any]) -> float:
    """The 2-norm, also where squares overflow."""
    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(vector))
    if norm == np.inf and np.isfinite(vector).all():
        largest = float(np.abs(vector).max())
        return largest * float(np.linalg.norm(vector / largest))
    return norm


def _bound(end: Any, x: Array) -> Array:
    array = numbers("bounds", end, np.dtype(np.float64)).reshape(np.shape(end))
    try:
        return np.broadcast_to(array, x.shape)
    except ValueError:
        raise ValueError(f"bounds must be of shape {x.shape} as x0 is, got {array.shape}") from None


def _pair(pair: Any) -> tuple[float, float]:
    ends = check_sequence("bounds", pair, "pairs (min, max)")
    if len(ends) != 2:
        raise ValueError(f"bounds must be pairs (min, max), got {shown(pair)}")
    low, high = (None if end is None else check_number("bounds", end) for end in ends)
    return -np.inf if low is None else low, np.inf if high is None else high


class Function:
    """A function of x, or of x and batches of rows, with its gradient, in whichever of SciPy's forms."""

    def __init__(
        self,
        fun: Any,
        jac: Any,
        args: tuple[Any, ...],
        bounds: Bounds | None,
        batches: Batches | None = None,
    ) -> None:
        if not callable(fun):
            raise TypeError(f"fun must be callable, got {type(fun).__name__}")
        named = isinstance(jac, str) and jac in ("2-point", "3-point")
        if not (callable(jac) or jac is None or isinstance(jac, bool) or named):
            raise ValueError(f"jac must be callable, True, None, '2-point' or '3-point', got {shown(jac)}")
        self._fun: Callable[..., Any] = fun
        self._jac = jac
        self._args = args if isinstance(args, tuple) else (args,)
        self._bounds = bounds
        self._batches = batches
        self.nfev = self.njev = 0

    @property
    def is_stochastic(self) -> bool:
        """Whether its values are those of different batches, which say little of each other."""
        return self._batches is not None and not self._batches.is_whole

    def __call__(self, x: Array) -> tuple[float, Array]:
        """Value and gradient, the gradient a fresh array like x: on the next batch, if there are batches."""
        return self._evaluate(x, () if self._batches is None else self._batches.of_step(self.njev))

    def on_all_rows(self, x: Array) -> tuple[float, Array]:
        """The same on all rows."""
        return self._evaluate(x, () if self._batches is None else self._batches.all)

    def _evaluate(self, x: Array, rows: tuple[Array, ...]) -> tuple[float, Array]:
        args = (*rows, *self._args)
        self.njev += 1
        if self._jac is True:
            self.nfev += 1
            both = self._fun(x.copy(), *args)
            if not (isinstance(both, (tuple, list)) and len(both) == 2):
                raise TypeError(
                    f"fun must return (value, gradient) where jac=True, got {type(both).__name__}"
                )
            return _number(both[0]), _gradient(both[1], x, "the gradient that fun returns")
        value = self._value(x, args)
        if callable(self._jac):
            return value, _gradient(self._jac(x.copy(), *args), x, "what jac returns")
        return value, self._differences(x, value, args)

    def project(self, x: Array, out: Array | None = None) -> Array:
        """The nearest point within the bounds."""
        # Of an array without dimensions, `clip` makes a scalar.
        return x if self._bounds is None else np.asarray(np.clip(x, *self._bounds, out=out))

    def step_size(self, x: Array, gradient: Array, lr: float) -> float:
        """Length of the gradient step: lr * |g|, less what the bounds cut off."""
        if self._bounds is None:
            return lr * length(gradient)
        return length(x - self.project(x - x.dtype.type(lr) * gradient))

    def _value(self, x: Array, args: tuple[Any, ...]) -> float:
        self.nfev += 1
        return _number(self._fun(x.copy(), *args))

    def _differences(self, x: Array, value: float, args: tuple[Any, ...]) -> Array:
        """Finite differences within the bounds, with steps that balance rounding against curvature."""
        central = self._jac != "2-point"
        width = np.finfo(x.dtype).eps ** (1 / 3 if central else 1 / 2)
        gradient = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            step = width * max(1.0, abs(float(x[i])))
            ahead, behind = x.copy(), x.copy()
            ahead[i] += step
            behind[i] -= step
            ahead, behind = self.project(ahead), self.project(behind)
            if not central:
                # One side is the point itself: the one ahead, unless the bounds are nearer there.
                ahead, behind = (ahead, x) if ahead[i] - x[i] >= x[i] - behind[i] else (x, behind)
            distance = float(ahead[i]) - float(behind[i])
            if distance > 0:
                values = (value if end is x else self._value(end, args) for end in (ahead, behind))
                gradient[i] = (next(values) - next(values)) / distance
        return gradient


def _number(value: Any) -> float:
    # A tensor tells its size as an array alone.
    array = None if isinstance(value, (tuple, list)) else np.asarray(value)
    if array is None or array.size != 1:
        got = shown(value)
        raise ValueError(f"fun must return one number, got {got}; with its gradient only where jac=True")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"fun must return a real number, got {shown(value)}")
    return float(array.reshape(()))


def _gradient(gradient: Any, x: Array, name: str) -> Array:
    array = as_array(name, gradient)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got dtype {array.dtype}")
    if array.shape != x.shape:
        raise ValueError(f"{name} must have x's shape {x.shape}, got {array.shape}")
    return np.array(array, dtype=x.dtype, order="C")

"""Weights and biases in their two forms: a list of arrays each, and the vector that the core trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._arrays import on_lines
from .._checks import shown
from .._tensors import places, views

if TYPE_CHECKING:
    from .._schuss import TensorInfo

Array = NDArray[Any]
# What the kinds of dtypes are called, as NumPy writes them.
_KINDS = {"f": "floating-point", "fiu": "real"}


def split(theta: Array, tensors: Sequence[TensorInfo]) -> tuple[list[Array], list[Array]]:
    """The weights and the biases of each layer, as views of `theta`."""
    parts = list(zip(tensors, views(theta, places(tensors)), strict=True))
    weights, biases = ([part for t, part in parts if t.kind == kind] for kind in ("weight", "bias"))
    return weights, biases


def layers(coefs: Sequence[Array]) -> list[int]:
    """The widths of all layers."""
    return [len(coef) for coef in coefs] + [np.shape(coefs[-1])[1]]


def flat(coefs: Sequence[Array], intercepts: Sequence[Array]) -> Array:
    """All parameters in one vector: the one that they are views of, where there is one, else a new one."""
    parts = [part for pair in zip(coefs, intercepts, strict=True) for part in pair]
    base = getattr(parts[0], "base", None)
    if isinstance(base, np.ndarray) and base.ndim == 1 and base.flags.c_contiguous:
        place = start = _address(base)
        for part in parts:
            if part.base is not base or _address(part) != place or not part.flags.c_contiguous:
                break
            place += part.nbytes
        else:
            if place == start + base.nbytes:
                return base
    return np.concatenate([np.asarray(part, precision(parts)).ravel() for part in parts])


def expect_chain(coefs: Any, intercepts: Any, kinds: str) -> None:
    """Refuse weights and biases that somebody has replaced by others than those of layers.

    Their dtypes are of some kinds, as NumPy writes them.
    """
    for name, parts in (("coefs_", coefs), ("intercepts_", intercepts)):
        if not isinstance(parts, list | tuple):
            raise TypeError(f"{name} of the model must be a list of arrays, got {shown(parts)}")
    if len(coefs) != len(intercepts) or not coefs:
        raise ValueError(f"intercepts_ must be {len(coefs)} arrays, as coefs_ are, got {len(intercepts)}")
    width = None
    for number, (weight, bias) in enumerate(zip(coefs, intercepts, strict=True)):
        for name, array, ndim in (("coefs_", weight, 2), ("intercepts_", bias, 1)):
            if not isinstance(array, np.ndarray) or array.dtype.kind not in kinds or array.ndim != ndim:
                expected = f"an array of {_KINDS[kinds]} numbers with {ndim} axes"
                got = getattr(array, "dtype", type(array).__name__)
                raise TypeError(f"{name}[{number}] of the model must be {expected}, got {got}")
        inputs, outputs = weight.shape
        if width not in (None, inputs):
            raise ValueError(f"coefs_[{number}] of the model must have {width} rows, got {inputs}")
        if bias.shape != (outputs,):
            raise ValueError(
                f"intercepts_[{number}] of the model must be of shape {(outputs,)}, got {bias.shape}"
            )
        width = outputs


def of_model(model: Any) -> tuple[Array, list[int]]:
    """All parameters of a fitted estimator in one vector, and the widths of its layers."""
    coefs, intercepts = _checked(model)
    return flat(coefs, intercepts), layers(coefs)


def _checked(model: Any) -> tuple[Any, Any]:
    coefs, intercepts = model.coefs_, model.intercepts_
    expect_chain(_arrays(coefs), _arrays(intercepts), "fiu")
    return coefs, intercepts


def _arrays(parts: Any) -> Any:
    return [np.asarray(part) for part in parts] if isinstance(parts, list | tuple) else parts


def copied(coefs: Sequence[Array], intercepts: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """Copies of weights and biases, as views of one vector of their own."""
    parts = [part for pair in zip(coefs, intercepts, strict=True) for part in pair]
    pieces = np.split(flat(coefs, intercepts).copy(), np.cumsum([part.size for part in parts])[:-1])
    new = [piece.reshape(part.shape) for piece, part in zip(pieces, parts, strict=True)]
    return new[::2], new[1::2]


def precision(parts: Sequence[Array]) -> type[np.floating[Any]]:
    """The precision that parameters are trained in."""
    return np.float32 if all(np.asarray(part).dtype == np.float32 for part in parts) else np.float64


def dtypes(wanted: str | None, model: Any) -> Any:
    """What rows are converted to for that precision, by a training that goes on from `model` or begins."""
    asked = {None: None, "float64": np.float64}.get(wanted, np.float32)
    if model is None:
        return (np.float64, np.float32) if asked is None else asked
    coefs, intercepts = _checked(model)
    present = precision([*coefs, *intercepts])
    if asked not in (None, present):
        raise ValueError(
            f"precision must be one of {np.dtype(present).name} parameters, which this fit continues with, "
            f"got {wanted!r}"
        )
    return present


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def initial(
    tensors: Sequence[TensorInfo], activations: Sequence[str], rng: np.random.RandomState, dtype: Any
) -> Array:
    """Random parameters.

    As scikit-learn's for its four activations, drawn in the same order: weights and biases uniform, bounded
    by sqrt(6 / (inputs + outputs)), or sqrt(2 / ...) for the sigmoid (Glorot and Bengio 2010). For the others
    they start as `MLP` has it.
    """
    parts: list[Array] = []
    bound = 0.0
    for tensor in tensors:
        # scikit-learn's last layer goes by the activation too, though none follows it.
        name = activations[min(tensor.layer or 0, len(activations) - 1)] if activations else "identity"
        if name not in ("identity", "relu", "tanh", "sigmoid"):
            bound = tensor.bound
        elif tensor.kind == "weight":
            # That of the weights, which come first, is the biases' too.
            bound = np.sqrt((2.0 if name == "sigmoid" else 6.0) / sum(tensor.shape))
        count = int(np.prod(tensor.shape))
        parts.append(rng.uniform(-bound, bound, count) if bound else np.full(count, tensor.initial))
    return on_lines(np.concatenate(parts), dtype)

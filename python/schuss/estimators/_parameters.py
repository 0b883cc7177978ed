"""Weights and biases in their two forms: a list of arrays each, and the vector that the core trains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._layers import views

Array = NDArray[Any]


def split(theta: Array, widths: Sequence[int]) -> tuple[list[Array], list[Array]]:
    """The weights and the biases of each layer, as views of `theta`."""
    parts = views(theta, widths)
    return parts[::2], parts[1::2]


def layers(coefs: Sequence[Array]) -> list[int]:
    """The widths of all layers."""
    return [len(coef) for coef in coefs] + [coefs[-1].shape[1]]


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


def precision(parts: Sequence[Array]) -> type[np.floating[Any]]:
    """The precision that parameters are trained in."""
    return np.float32 if all(np.asarray(part).dtype == np.float32 for part in parts) else np.float64


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def initial(
    widths: Sequence[int], activations: Sequence[str], bounds: Sequence[float], rng: Any, dtype: Any
) -> Array:
    """Random parameters.

    As scikit-learn's for its four activations, drawn in the same order: weights and biases uniform, bounded
    by sqrt(6 / (inputs + outputs)), or sqrt(2 / ...) for the sigmoid (Glorot and Bengio 2010). For the others
    the weights are within `bounds`, and the biases zero.
    """
    parts = []
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        # scikit-learn's last layer goes by the activation too, though none follows it.
        name = activations[min(layer, len(activations) - 1)] if activations else "identity"
        if name in ("identity", "relu", "tanh", "sigmoid"):
            bound = np.sqrt((2.0 if name == "sigmoid" else 6.0) / (inputs + outputs))
            parts.append(rng.uniform(-bound, bound, inputs * outputs))
            parts.append(rng.uniform(-bound, bound, outputs))
        else:
            parts.append(rng.uniform(-bounds[layer], bounds[layer], inputs * outputs))
            parts.append(np.zeros(outputs))
    return np.concatenate(parts).astype(dtype)

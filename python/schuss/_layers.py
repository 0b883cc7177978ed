"""What belongs to the layers of a network: their parameters, and options given for each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def views(theta: NDArray[Any], layers: Sequence[int]) -> list[NDArray[Any]]:
    """Weights and biases of each layer in turn, as views of one vector."""
    parts, start = [], 0
    for i in range(1, len(layers)):
        inputs, outputs = layers[i - 1], layers[i]
        middle = start + inputs * outputs
        parts += [theta[start:middle].reshape(inputs, outputs), theta[middle : middle + outputs]]
        start = middle + outputs
    return parts


def per_layer(name: str, given: Any, hidden: int, kind: type) -> list[Any]:
    """One value for each hidden layer, where one for all or a sequence is given."""
    values = [given] * hidden if isinstance(given, kind) else list(given)
    if len(values) != hidden:
        raise ValueError(f"{name} must be one value or {hidden}, one for each hidden layer, got {given!r}")
    for value in values:
        if not isinstance(value, kind):
            expected = "names" if kind is str else "numbers"
            raise TypeError(f"{name} must be {expected} for the hidden layers, got {value!r}")
    return values

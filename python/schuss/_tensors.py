"""The parameters of a network by its table of tensors, and options given for each of its layers."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from ._checks import SHOWN, check_sequence, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ._schuss import TensorInfo


class Place(NamedTuple):
    """Where a tensor is in the vector of all parameters, and the shape that it is given there."""

    name: str
    part: slice
    shape: tuple[int, ...]


def places(tensors: Iterable[TensorInfo]) -> list[Place]:
    """The places of a table of tensors."""
    return [
        Place(tensor.name, slice(tensor.start, tensor.start + prod(tensor.shape)), tuple(tensor.shape))
        for tensor in tensors
    ]


def views(vector: NDArray[Any], places: Iterable[Place]) -> list[NDArray[Any]]:
    """The tensors, as views of one vector."""
    return [vector[part] if len(shape) == 1 else vector[part].reshape(shape) for _, part, shape in places]


def initialise(
    named: dict[str, NDArray[Any]], tensors: Iterable[TensorInfo], rng: np.random.Generator
) -> None:
    """Write the values that parameters start as: constants, and random numbers around them."""
    for tensor in tensors:
        array = named[tensor.name]
        array[...] = tensor.initial
        if tensor.bound:
            array += rng.uniform(-tensor.bound, tensor.bound, array.shape).astype(array.dtype)
        if tensor.deviation:
            array += rng.normal(0.0, tensor.deviation, array.shape).astype(array.dtype)


def per_layer(name: str, given: Any, hidden: int, kind: type | tuple[type, ...]) -> list[Any]:
    """One value for each hidden layer, where one for all or a sequence is given."""
    one, many = ("a name", "names") if kind is str else ("a number", "numbers")
    if isinstance(given, kind) and not isinstance(given, bool):
        values = [given] * hidden
    else:
        values = check_sequence(name, given, f"{one}, or {many} for the hidden layers")
    if len(values) != hidden:
        raise ValueError(
            f"{name} must be one value or {hidden}, one for each hidden layer, got {shown(given)}"
        )
    for value in values:
        if not isinstance(value, kind) or (isinstance(value, str) and len(value) > SHOWN):
            raise TypeError(f"{name} must be {many} for the hidden layers, got {shown(value)}")
    return values

"""The part of an ONNX graph that is a network, embeddings included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._foreign import converted
from .._registry import ACTIVATIONS, LINKS
from .._schuss import NORM_EPS
from ..embeddings import Category, Periodic, PiecewiseLinear
from ._graph import Graph
from ._layers import Front, Layer, Layers

Array = NDArray[Any]
FLOAT32 = np.dtype(np.float32)

# Of more turns nothing is known in single precision but whole ones, to the engine as well.
MOST_TURNS = np.float32(2**21)


def network(graph: Graph, layers: Layers, value: str) -> str:
    """The network's output for `value`, its inputs in float32."""
    if layers.front is not None:
        value = _first_inputs(graph, layers.front, value)
    for number, layer in enumerate(layers.layers, 1):
        tensors = {
            kind: graph.constant(converted(f"{kind} of layer {number}", part, FLOAT32))
            for kind, part in layer.tensors.items()
        }
        value = graph.add("Gemm", value, tensors["weight"], tensors["bias"])
        if layer.norm is not None:
            value = graph.add("Mul", _normalised(graph, layer.norm, value), tensors["gain"])
        if layer.norm == "layer":
            value = graph.add("Add", value, tensors["shift"])
        value = _activated(graph, layer, layers.link, tensors, value)
    return value


def _activated(graph: Graph, layer: Layer, link: str, tensors: Mapping[str, str], value: str) -> str:
    after = LINKS[link] if layer.activation is None else ACTIVATIONS[layer.activation]
    activated = graph.apply(after.onnx, value)
    if "alpha" not in tensors:
        return activated
    change = graph.add("Sub", activated, value)
    return graph.add("Add", value, graph.add("Mul", tensors["alpha"], change))


def _normalised(graph: Graph, norm: str, value: str) -> str:
    """Each row divided by its root mean square, of "layer" without its mean.

    In double precision, as the engine: in float32, squares of numbers above 1.8e19 are infinite, and what is
    divided by their root is 0. ONNX's own operators square in float32.
    """
    from onnx import TensorProto

    value = graph.add("Cast", value, to=TensorProto.DOUBLE)
    if norm == "layer":
        value = graph.add("Sub", value, graph.add("ReduceMean", value, graph.axis(-1), keepdims=1))
    mean = graph.add("ReduceMean", graph.add("Mul", value, value), graph.axis(-1), keepdims=1)
    root = graph.add("Sqrt", graph.add("Add", mean, graph.constant(np.float64(NORM_EPS))))
    return graph.add("Cast", graph.add("Div", value, root), to=TensorProto.FLOAT)


# Embeddings


def _first_inputs(graph: Graph, front: Front, value: str) -> str:
    """What the first layer is given: embeddings, then the other columns, each with its scale."""
    parts, embedded = [], set()
    for place, embedding in enumerate(front.embeddings):
        start = f"input.{place}."
        tensors = {
            name.removeprefix(start): array for name, array in front.tensors.items() if name.startswith(start)
        }
        if isinstance(embedding, Category):
            parts.append(_rows_of_table(graph, embedding, start, tensors["table"], value))
            embedded.add(embedding.column)
        else:
            parts.append(_columns_and_sums(graph, embedding, start, tensors, value))
            embedded.update(embedding.columns)
    others = [column for column in range(front.inputs) if column not in embedded]
    if others:
        parts.append(_columns(graph, others, value) if embedded else value)
    value = graph.joined(parts)
    if "input.scale" in front.tensors:
        scale = converted("input.scale", front.tensors["input.scale"], FLOAT32)
        value = graph.add("Mul", value, graph.constant(scale))
    return value


def _columns(graph: Graph, columns: list[int], value: str) -> str:
    return graph.add("Gather", value, graph.axis(*columns), axis=1)


def _rows_of_table(graph: Graph, embedding: Category, start: str, table: Array, value: str) -> str:
    from onnx import TensorProto

    column = graph.add("Gather", value, graph.constant(np.int64(embedding.column)), axis=1)
    # The network refuses what is no level, and so does the last operator here what is beyond the table: to
    # it, -1 would be the last level, and 1.7, as an integer, that of 1.
    beyond = graph.constant(np.float32(embedding.levels))
    level = graph.add("Min", graph.add("Floor", graph.add("Abs", column)), beyond)
    level = graph.add("Where", graph.add("Equal", column, level), level, beyond)
    code = graph.add("Cast", level, to=TensorProto.INT64)
    return graph.add("Gather", graph.constant(converted(f"{start}table", table, FLOAT32)), code, axis=0)


def _columns_and_sums(
    graph: Graph, embedding: Periodic | PiecewiseLinear, start: str, tensors: Mapping[str, Array], value: str
) -> str:
    """Each column and its sums: matrices of (columns, rows, waves or bins) until the end."""
    columns, width = len(embedding.columns), embedding.width
    weight, bias = (converted(start + kind, tensors[kind], FLOAT32) for kind in ("weight", "bias"))
    x = graph.add("Transpose", _columns(graph, list(embedding.columns), value), perm=[1, 0])
    x = graph.add("Unsqueeze", x, graph.axis(2))
    if isinstance(embedding, Periodic):
        summed = _cosines(graph, start, tensors, x)
        weight = weight.reshape(columns, width, embedding.frequencies).transpose(0, 2, 1)
    else:
        summed, weight = _passed(graph, embedding, tensors["weight"].dtype, x), _padded(embedding, weight)
    mixed = graph.add("MatMul", summed, graph.constant(weight.copy()))
    sums = graph.add("Add", mixed, graph.constant(bias.reshape(columns, 1, width)))
    both = graph.add("Concat", x, sums, axis=2)
    rows = graph.add("Transpose", both, perm=[1, 0, 2])
    return graph.add("Reshape", rows, graph.axis(0, columns * (width + 1)))


def _cosines(graph: Graph, start: str, tensors: Mapping[str, Array], x: str) -> str:
    """cos(2 pi f x + p), where a network's own are: in turns, of which whole ones are taken off first.

    Of many turns the last bit of their number is a large angle. So it must be rounded as in the engine, where
    product and sum are one operation: in double precision, which holds the product of two of single
    precision without rounding.
    """
    from onnx import TensorProto

    frequency, phase = tensors["frequency"], tensors["phase"]
    for kind in ("frequency", "phase"):
        converted(start + kind, tensors[kind], FLOAT32)  # refuses what is not finite
    at_zero = phase * phase.dtype.type(0.5 / np.pi)
    of_each = [graph.constant(part.astype(np.float64)[:, None, :]) for part in (frequency, at_zero)]
    turns = graph.add("Mul", graph.add("Cast", x, to=TensorProto.DOUBLE), of_each[0])
    turns = graph.add("Add", turns, of_each[1])
    if frequency.dtype == FLOAT32:
        turns = graph.add("Cast", turns, to=TensorProto.FLOAT)
        turns = graph.add("Clip", turns, graph.constant(-MOST_TURNS), graph.constant(MOST_TURNS))
    part = graph.add("Sub", turns, graph.add("Round", turns))
    if frequency.dtype != FLOAT32:
        part = graph.add("Cast", part, to=TensorProto.FLOAT)
    return graph.add("Cos", graph.add("Mul", part, graph.constant(np.float32(2 * np.pi))))


def _padded(embedding: PiecewiseLinear, of_bins: Array) -> Array:
    """What there is of each bin, (numbers, bins of all columns), as (columns, most bins of one, numbers)."""
    counts = [len(edges) - 1 for edges in embedding.edges]
    padded = np.zeros((len(counts), max(counts), len(of_bins)), of_bins.dtype)
    for column, part in zip(padded, np.split(of_bins, np.cumsum(counts)[:-1], axis=1), strict=True):
        column[: part.shape[1]] = part.T
    return padded


def _passed(graph: Graph, embedding: PiecewiseLinear, dtype: np.dtype[Any], x: str) -> str:
    """How far each number has come through each bin of its column, as the network computes it."""
    from onnx import TensorProto

    edges = [np.array(of_column) for of_column in embedding.edges]
    left, inverse = [of_column[:-1] for of_column in edges], [1 / np.diff(of_column) for of_column in edges]
    least = [np.r_[-np.inf, np.zeros(len(of_column) - 1)] for of_column in left]
    most = [np.r_[np.ones(len(of_column) - 1), np.inf] for of_column in left]
    of_bins = np.array([np.concatenate(part) for part in (left, inverse, least, most)])
    padded = _padded(embedding, of_bins).astype(dtype)[:, None]
    first, factor, lowest, highest = (graph.constant(padded[..., part].copy()) for part in range(4))
    if dtype != FLOAT32:
        x = graph.add("Cast", x, to=TensorProto.DOUBLE)
    passed = graph.add("Mul", graph.add("Sub", x, first), factor)
    passed = graph.add("Min", graph.add("Max", passed, lowest), highest)
    return passed if dtype == FLOAT32 else graph.add("Cast", passed, to=TensorProto.FLOAT)

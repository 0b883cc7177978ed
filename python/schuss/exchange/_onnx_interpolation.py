"""Functions that are linear between knots, in an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._graph import Graph

Knots = tuple[NDArray[Any], NDArray[Any]]


def interpolated(graph: Graph, values: str, knots: Sequence[Knots]) -> str:
    """`numpy.interp` of each column of `values`, float64, with its own knots.

    The last knot that is not above a value is found by halves, in all columns at once: what is compared
    grows with the logarithm of the knots, not with their number.
    """
    most = max(len(at) for at, _ in knots)
    size = 1 << (most - 1).bit_length()
    at, heights, slopes = (np.zeros((len(knots), size)) for _ in range(3))
    # Places behind the last knot are never come to.
    at[:] = np.inf
    for column, (places, scores) in enumerate(knots):
        count = len(places)
        at[column, :count], heights[column, :count] = places, scores
        slopes[column, : count - 1] = np.diff(scores) / np.diff(places)
    of_all, of_heights, of_slopes = (graph.constant(each.reshape(-1)) for each in (at, heights, slopes))
    # Before the first knot the function is constant, and behind the last one, whose slope is 0.
    inside = graph.add("Max", values, graph.constant(at[:, 0]))
    place = graph.constant(np.arange(len(knots), dtype=np.int64)[None] * size)
    step = size // 2
    while step:
        further = graph.add("Add", place, graph.constant(np.int64(step)))
        is_there = graph.add("LessOrEqual", graph.add("Gather", of_all, further), inside)
        place = graph.add("Where", is_there, further, place)
        step //= 2
    beyond = graph.add("Sub", inside, graph.add("Gather", of_all, place))
    rise = graph.add("Mul", graph.add("Gather", of_slopes, place), beyond)
    return graph.add("Add", graph.add("Gather", of_heights, place), rise)


def extended(graph: Graph, values: str, knots: Knots) -> str:
    """The same of one column, which beyond both ends goes on as steep as it is on average."""
    found = interpolated(graph, values, [knots])
    at, heights = knots
    if len(at) == 1:
        return found
    none = graph.constant(np.float64(0))
    below = graph.add("Min", graph.add("Sub", values, graph.constant(np.float64(at[0]))), none)
    above = graph.add("Max", graph.add("Sub", values, graph.constant(np.float64(at[-1]))), none)
    slope = graph.constant(np.float64((heights[-1] - heights[0]) / (at[-1] - at[0])))
    return graph.add("Add", found, graph.add("Mul", slope, graph.add("Add", below, above)))

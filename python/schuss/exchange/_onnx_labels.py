"""The classes of a classifier in an ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._checks import shown
from ._graph import Graph, Value


def label_at(graph: Graph, classes: Any, index: str) -> Value:
    """The classes at places."""
    from onnx import helper

    classes = np.asarray(classes)
    if classes.dtype.kind in "iu":
        if classes.max() > np.iinfo(np.int64).max:
            raise ValueError(f"classes must fit into int64, which ONNX has, got {classes.max()}")
        classes = classes.astype(np.int64)
    if len(classes) == 1:  # seen in training; there is nothing to choose
        classes = classes.repeat(2)
    expected = "integers, booleans, texts or numbers of float32 or float64, which ONNX has"
    if classes.dtype.kind in "OUS":
        classes = classes.astype(object)
        if other := [each for each in classes.tolist() if not isinstance(each, str | bytes)]:
            raise ValueError(f"classes must be {expected}, got {shown(other[0])}")
        try:
            for each in classes.tolist():  # texts of ONNX are UTF-8
                each.encode() if isinstance(each, str) else each.decode()
        except UnicodeError as error:
            raise ValueError(f"classes must be {expected}: {error}") from error
    # In the order of bytes of this machine, which is all that has a name.
    classes = classes.astype(classes.dtype.newbyteorder("="), copy=False)
    try:
        kind = helper.np_dtype_to_tensor_dtype(classes.dtype)
    except ValueError as error:
        raise ValueError(f"classes must be {expected}, got {classes.dtype}") from error
    return Value(graph.add("Gather", graph.constant(classes), index), kind, [])

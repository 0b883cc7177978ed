"""Networks as ONNX graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._checks import shown
from .._extras import needed
from .._files import File
from ..network import MLP
from ._graph import Graph, Value, write
from ._layers import Layers, layers_of_estimator, layers_of_network
from ._onnx_network import network

if TYPE_CHECKING:
    import onnx


def to_onnx(model: Any, path: File | None = None) -> onnx.ModelProto:
    """The network as an ONNX model, which many programs and languages can run.

    It takes ``"X"``, float32 of shape (n_samples, n_inputs), and computes in float32 whatever the network's
    precision is: not every runtime has all operators for float64. It gives

    - of a classifier ``"label"`` and ``"probabilities"``, as `predict` and `predict_proba` do,
    - else ``"prediction"``, as `predict` does.

    Parameters
    ----------
    model : MLP or fitted estimator
        The network.
    path : path-like or binary file, optional
        A file to write the model to; one that is there is replaced when the new one is whole.

    Returns
    -------
    onnx.ModelProto
        The model, of operator set 20.

    Raises
    ------
    ImportError
        If the package onnx is not installed.
    ValueError
        If a parameter is not finite in float32, or if ONNX has not the classes' dtype.
    """
    with needed("exchange.to_onnx", "onnx", "exchange"):
        import onnx  # noqa: F401

    made = _of_layers(model)
    if path is not None:
        write(made, path)
    return made


def _of_layers(model: Any) -> onnx.ModelProto:
    from onnx import TensorProto

    layers = layers_of_network(model) if isinstance(model, MLP) else layers_of_estimator(model, "an MLP or ")
    graph = Graph(["X", "label", "probabilities", "prediction"])
    outputs = _outputs(graph, model, layers, network(graph, layers, "X"))
    return graph.model(type(model).__name__, [Value("X", TensorProto.FLOAT, [layers.inputs])], outputs)


def _outputs(graph: Graph, model: Any, layers: Layers, out: str) -> dict[str, Value]:
    """What a model gives, by name, from the network's output."""
    from onnx import TensorProto

    if hasattr(model, "classes_"):
        label = _label(graph, model, layers.link, out)
        if model.n_outputs_ == 1:
            out = graph.add("Concat", graph.add("Sub", graph.constant(np.float32(1)), out), out, axis=1)
        probabilities = Value(out, TensorProto.FLOAT, [max(model.n_outputs_, 2)])
        return {"label": label, "probabilities": probabilities}
    if layers.widths[-1] == 1 and getattr(model, "_flat_targets", True):
        flat = graph.add("Squeeze", out, graph.axis(1))
        return {"prediction": Value(flat, TensorProto.FLOAT, [])}
    return {"prediction": Value(out, TensorProto.FLOAT, [layers.widths[-1]])}


def _label(graph: Graph, model: Any, link: str, out: str) -> Value:
    """What a classifier's `predict` makes of the network's output."""
    from onnx import TensorProto

    if link == "softmax":
        index = graph.add("ArgMax", out, axis=1, keepdims=0)
    else:
        yes = graph.add("Greater", out, graph.constant(np.float32(0.5)))
        index = graph.add("Cast", yes, to=TensorProto.INT64)
        if model.n_outputs_ > 1:
            return Value(index, TensorProto.INT64, [model.n_outputs_])
        index = graph.add("Squeeze", index, graph.axis(1))
    return label_at(graph, model.classes_, index)


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
        kind = helper.np_dtype_to_tensor_dtype(classes.dtype)
    except ValueError as error:
        raise ValueError(f"classes must be {expected}, got {classes.dtype}") from error
    return Value(graph.add("Gather", graph.constant(classes), index), kind, [])

"""Networks as ONNX graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._extras import needed
from .._files import File
from ..network import MLP
from ._graph import Graph, Value, write
from ._layers import Layers, layers_of_estimator, layers_of_network
from ._onnx_labels import label_at
from ._onnx_network import network

if TYPE_CHECKING:
    import onnx

ACCEPTED = "an MLP or a fitted MLPClassifier, MLPRegressor, TabularClassifier or TabularRegressor"


def to_onnx(model: Any, path: File | None = None) -> onnx.ModelProto:
    """A network, or a whole estimator for tables, as an ONNX model, which many programs can run.

    Parameters
    ----------
    model : MLP or fitted estimator
        The network, or a fitted `TabularClassifier` or `TabularRegressor`.
    path : path-like or binary file, optional
        A file to write the model to; one that is there is replaced when the new one is whole.

    Returns
    -------
    onnx.ModelProto
        The model, of operator set 20, and set 2 of ai.onnx.ml where there are texts.

    Raises
    ------
    ImportError
        If the package onnx is not installed.
    TypeError
        If `model` is none of these, or an estimator that is not fitted; if `path` is none of these.
    ValueError
        If a parameter is not finite in float32, if ONNX has not the classes' dtype, or if nothing can stand
        for a missing level.
    RuntimeError
        While another thread trains the model.
    OSError
        If the file cannot be written; the old one is as it was then.

    Notes
    -----
    The model gives

    - of a classifier ``"label"`` and ``"probabilities"``, as `predict` and `predict_proba` do,
    - else ``"prediction"``, as `predict` does.

    **Of a network** it takes ``"X"``, float32 of shape (n_samples, n_inputs), and computes in float32
    whatever the network's precision is: not every runtime has all operators for float64. (The number of
    turns of a wave is found in float64, and so is what `norm` divides by.)

    **Of an estimator for tables** it takes the columns as they are: a vector for each that was not dropped,
    by its name, or as ``"x0"``, ``"x1"``, ... by its place where there are no names, where it is empty, or
    where an output has it. What each of them is, `report_` says:

    - a number: float64, NaN where it is missing; text that reads as a number is to be one, durations are
      days, times of day hours;
    - a date: float64, seconds since 1970 on the clock of its zone in `fit`, NaN where it is missing;
    - a category: a string, empty where it is missing, or ``"<missing>"`` where an empty string is a level.
      Levels that are no text are as `str` has them, ``"True"`` or ``"3"``, but whole numbers are without a
      point whatever their dtype. What was never seen is taken as by `predict`.

    `onnx_inputs` makes these of a table. Numbers may be any but infinite, which is not refused here. The
    model has all of the ensemble, with what is done to columns and to the networks' mean; a regressor's
    prediction is float64.

    Examples
    --------
    >>> import schuss as sc
    >>> model = sc.exchange.to_onnx(sc.MLP([4, 8, 2]))
    >>> [each.name for each in model.graph.input], [each.name for each in model.graph.output]
    (['X'], ['prediction'])
    """
    with needed("exchange.to_onnx", "onnx", "exchange"):
        import onnx  # noqa: F401

    if hasattr(model, "ensemble_"):
        from ._onnx_ensemble import model_of

        made = model_of(model)
    else:
        made = _of_layers(model)
    if path is not None:
        write(made, path)
    return made


def _of_layers(model: Any) -> onnx.ModelProto:
    from onnx import TensorProto

    layers = layers_of_network(model) if isinstance(model, MLP) else layers_of_estimator(model, ACCEPTED)
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

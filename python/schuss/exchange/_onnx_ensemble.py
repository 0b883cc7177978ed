"""Fitted estimators for tables as ONNX graphs, from columns to predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..tables._encoder import TableEncoder
from ..tables._ensemble import Ensemble
from ..tables._inputs import Inputs
from ..tables._scaling import smooth_clip
from ..tables._selection import LEAST
from ..tables._target import RegressionTarget
from ._graph import Graph, Value
from ._layers import layers_of_network
from ._onnx_columns import Encoded, encoded, input_names, inputs_of, output_names
from ._onnx_interpolation import extended, interpolated
from ._onnx_labels import label_at
from ._onnx_network import network

if TYPE_CHECKING:
    import onnx


def model_of(model: Any) -> onnx.ModelProto:
    """A whole estimator: columns, networks, their mean, and what is made of it."""
    encoder: TableEncoder = model.encoder_
    classifies = hasattr(model, "classes_")
    outputs_called = output_names(model)
    names = input_names(encoder, outputs_called)
    graph = Graph([*outputs_called, *names.values()])
    mean = _mean(graph, model.ensemble_, encoded(graph, encoder, names))
    if classifies:
        outputs = _classified(graph, mean, model.classes_, model.temperature_)
    else:
        outputs = _in_unit(graph, mean, model._target)
    return graph.model(type(model).__name__, inputs_of(encoder, names), outputs)


def _classified(graph: Graph, mean: str, classes: NDArray[Any], temperature: float) -> dict[str, Value]:
    from onnx import TensorProto

    label = label_at(graph, classes, graph.add("ArgMax", mean, axis=1, keepdims=0))
    logits = graph.add("Log", graph.add("Max", mean, graph.constant(np.float64(LEAST))))
    logits = graph.add("Div", logits, graph.constant(np.float64(temperature)))
    heated = graph.add("Cast", graph.add("Softmax", logits, axis=1), to=TensorProto.FLOAT)
    return {"label": label, "probabilities": Value(heated, TensorProto.FLOAT, [len(classes)])}


def _in_unit(graph: Graph, mean: str, target: RegressionTarget) -> dict[str, Value]:
    """What `RegressionTarget.inverse` makes of it."""
    from onnx import TensorProto

    bent = graph.add("Mul", mean, graph.constant(np.float64(target.std)))
    bent = graph.plus(bent, target.mean)
    if target.chosen == "log":
        bent = graph.add("Exp", bent)
    elif target.quantiles is not None:
        at, scores = target.knots
        bent = extended(graph, bent, (scores, at))
    ends = (graph.constant(np.float64(end)) for end in (target.low, target.high))
    flat = graph.add("Squeeze", graph.add("Clip", bent, *ends), graph.axis(1))
    return {"prediction": Value(flat, TensorProto.DOUBLE, [])}


# Members


def _mean(graph: Graph, ensemble: Ensemble, table: Encoded) -> str:
    """The weighted mean of all networks, in double precision, as of `Ensemble`."""
    from onnx import TensorProto

    codes = [_column(graph, code) for code in table.codes]
    made: dict[int, str] = {}
    parts = []
    for member in ensemble.members:
        share = graph.constant(np.float64(member.weight / len(member.networks)))
        for net, inputs in zip(member.networks, member.inputs, strict=True):
            if id(inputs) not in made:
                made[id(inputs)] = _inputs(graph, inputs, table, codes)
            said = network(graph, layers_of_network(net), made[id(inputs)])
            parts.append(graph.add("Mul", graph.add("Cast", said, to=TensorProto.DOUBLE), share))
    mean = parts[0] if len(parts) == 1 else graph.add("Sum", *parts)
    if ensemble.n_classes == 2:
        return graph.joined([graph.add("Sub", graph.constant(np.float64(1)), mean), mean])
    return mean


def _column(graph: Graph, codes: str) -> str:
    """Codes as a column of float32, in which they are exact."""
    from onnx import TensorProto

    return graph.add("Unsqueeze", graph.add("Cast", codes, to=TensorProto.FLOAT), graph.axis(1))


def _inputs(graph: Graph, inputs: Inputs, table: Encoded, codes: Sequence[str]) -> str:
    """What `Inputs.transform` makes of the encoded columns."""
    from onnx import TensorProto

    parts = []
    numbers, indicators, kept = inputs.places
    if table.values is not None and len(numbers):
        values = table.values
        if not inputs.is_whole:
            values = graph.add("Gather", values, graph.constant(numbers), axis=1)
        if inputs.quantiles is None:
            parts.append(_clipped(graph, values))
        else:
            values = graph.add("Cast", values, to=TensorProto.DOUBLE)
            scores = interpolated(
                graph, values, [each for each in inputs.quantiles.knots if each is not None]
            )
            parts.append(graph.add("Cast", scores, to=TensorProto.FLOAT))
    if inputs.means is not None:
        for place, means in zip(inputs.many, inputs.means.tables, strict=True):
            of_level = graph.constant(smooth_clip(means))
            parts.append(graph.add("Gather", of_level, table.codes[kept[place]], axis=0))
    parts += [table.indicators[place] for place in indicators]
    return graph.joined([*parts, *(codes[place] for place in kept)])


def _clipped(graph: Graph, values: str) -> str:
    """`smooth_clip`, operation by operation."""
    root = graph.add("Div", values, graph.constant(np.float32(3)))
    root = graph.add("Add", graph.add("Mul", root, root), graph.constant(np.float32(1)))
    return graph.add("Div", values, graph.add("Sqrt", root))

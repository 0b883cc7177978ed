"""The part of an ONNX graph that makes numbers of the columns of a table, as `TableEncoder` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..tables._categories import CategoryFeature
from ..tables._dates import DateFeature
from ..tables._encoder import TableEncoder
from ..tables._numbers import FAR, NumberFeature, Scale
from ._graph import Graph, Value
from ._onnx_calendar import Calendar


class Encoded(NamedTuple):
    """What is made of the columns.

    Attributes
    ----------
    values : str or None
        The scaled numbers of all columns, float32; None without any.
    indicators : list of str
        A column of float32 for each indicator.
    codes : list of str
        The codes of each category, a vector of int64.
    """

    values: str | None
    indicators: list[str]
    codes: list[str]


def output_names(model: Any) -> list[str]:
    """What the model of an estimator gives."""
    return ["label", "probabilities"] if hasattr(model, "classes_") else ["prediction"]


def input_names(encoder: TableEncoder, taken: Sequence[str]) -> dict[int, str]:
    """What the inputs are called, by the places of columns that were not dropped.

    As the columns; "x0", "x1", ... where these have no names, an empty one, or one that an output has.
    """
    labels = {feature.place: feature.label for feature in encoder.features}
    known = {*taken, *labels.values()}
    for place, label in labels.items():
        if not label or label in taken:
            name = f"x{place}"
            while name in known:
                name += "_"
            labels[place] = name
    return labels


def inputs_of(encoder: TableEncoder, names: Mapping[int, str]) -> list[Value]:
    """The inputs of the graph: one for each column that was not dropped."""
    from onnx import TensorProto

    features = sorted(encoder.features, key=lambda feature: feature.place)
    return [
        Value(
            names[feature.place],
            TensorProto.STRING if isinstance(feature, CategoryFeature) else TensorProto.DOUBLE,
            [],
        )
        for feature in features
    ]


def encoded(graph: Graph, encoder: TableEncoder, names: Mapping[int, str]) -> Encoded:
    """What the encoder makes of the inputs, which have these names."""
    values: list[str] = []
    scales: list[Scale] = []
    indicators: list[str] = []
    codes: list[str] = []
    for feature in encoder.features:
        if isinstance(feature, CategoryFeature):
            codes.append(_codes(graph, feature, names[feature.place]))
            continue
        column = graph.add("Unsqueeze", names[feature.place], graph.axis(1))
        if isinstance(feature, DateFeature):
            calendar = Calendar(graph, column)
            values += [calendar.part(part) for part in feature.parts]
            scales += feature.parts.values()
        elif feature.scale is not None:
            values.append(column)
            scales.append(feature.scale)
        indicators += _indicators(graph, feature, column)
    return Encoded(_scaled(graph, values, scales), indicators, codes)


def _indicators(graph: Graph, feature: NumberFeature | DateFeature, column: str) -> list[str]:
    """Whether there is another value than the usual one, and whether there is none, as far as it is asked."""
    from onnx import TensorProto

    missing = graph.add("IsNaN", column)
    found = []
    if isinstance(feature, NumberFeature) and feature.scale is not None and feature.scale.apart:
        away = graph.add("Abs", graph.plus(column, -feature.scale.centre))
        found.append(graph.add("Greater", away, graph.constant(np.float64(feature.scale.near))))
    if feature.missing:
        found.append(missing)
    return [graph.add("Cast", each, to=TensorProto.FLOAT) for each in found]


def _scaled(graph: Graph, columns: list[str], scales: list[Scale]) -> str | None:
    """All numbers on their scales at once, in double precision until the end."""
    from onnx import TensorProto

    if not columns:
        return None
    together = graph.joined(columns)
    centres = np.array([scale.centre for scale in scales])
    factors = graph.constant(np.array([scale.factor for scale in scales]))
    scaled = graph.add("Mul", graph.plus(together, -centres), factors)
    scaled = graph.add("Clip", scaled, graph.constant(np.float64(-FAR)), graph.constant(np.float64(FAR)))
    known = graph.add("Where", graph.add("IsNaN", together), graph.constant(np.float64(0)), scaled)
    return graph.add("Cast", known, to=TensorProto.FLOAT)


def _codes(graph: Graph, feature: CategoryFeature, column: str) -> str:
    codes = feature.codes | {text_of_missing(feature): 0}
    try:
        keys = [key.encode() for key in codes]
    except UnicodeEncodeError as error:
        raise ValueError(f"column {feature.label!r} has a level that is no text: {error}") from error
    return graph.add(
        "LabelEncoder",
        column,
        domain="ai.onnx.ml",
        keys_strings=keys,
        values_int64s=list(codes.values()),
        default_int64=feature.unseen,
    )


def text_of_unseen(feature: CategoryFeature) -> str:
    """What stands for any level that was never seen."""
    taken = {*feature.codes, text_of_missing(feature)}
    text = "<unseen>"
    while text in taken:
        text += "'"
    return text


def text_of_missing(feature: CategoryFeature) -> str:
    """What stands for a missing value where all values are texts."""
    free = [text for text in ("", "<missing>") if text not in feature.codes]
    if not free:
        raise ValueError(
            f"column {feature.label!r} must have levels other than '' and '<missing>': "
            "one of the two has to say that there is none"
        )
    return free[0]

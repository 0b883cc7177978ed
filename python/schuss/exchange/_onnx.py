"""Networks as ONNX graphs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._extras import needed
from .._files import File, describe, writing
from .._foreign import converted
from .._registry import ACTIVATIONS, LINKS, Expression
from .._schuss import NORM_EPS, __version__
from ._layers import Layers, layers_of

if TYPE_CHECKING:
    import onnx

# The first operator set with all that is needed (Gelu), and the file format of its time.
OPSET, IR_VERSION = 20, 9


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
        import onnx
        from onnx import TensorProto, helper

    layers = layers_of(model)
    graph = _Graph()
    outputs = graph.outputs(model, layers, graph.network(layers))
    for name, output in outputs.items():
        graph.nodes.append(helper.make_node("Identity", [output.value], [name]))
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            type(model).__name__,
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["n_samples", layers.widths[0]])],
            [
                helper.make_tensor_value_info(name, output.kind, ["n_samples", *output.shape])
                for name, output in outputs.items()
            ],
            graph.constants,
        ),
        producer_name="schuss",
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(made, full_check=True)
    if path is not None:
        # As onnx itself does: a name that ends in ".json" or ".textproto" is written as text.
        suffix = os.path.splitext(describe(path))[1]
        formats = onnx.serialization.registry
        form = formats.get(formats.get_format_from_file_extension(suffix) or "protobuf")
        with writing(path) as stream:
            stream.write(form.serialize_proto(made))
    return made


class Output(NamedTuple):
    """The name of a value in the graph, its type, and its shape but for the rows."""

    value: str
    kind: int
    shape: list[int]


class _Graph:
    """Nodes and constants in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, whose name is returned."""
        from onnx import helper

        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        """The name of a constant."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def network(self, layers: Layers) -> str:
        """Linear layers, norms and activations, from "X" to the network's output."""
        value = "X"
        for number, layer in enumerate(layers.layers, 1):
            tensors = {
                kind: self.constant(converted(f"{kind} of layer {number}", part, np.dtype(np.float32)))
                for kind, part in layer.tensors.items()
            }
            value = self.add("Gemm", value, tensors["weight"], tensors["bias"])
            if layer.norm == "layer":
                parts = (tensors["gain"], tensors["shift"])
                value = self.add("LayerNormalization", value, *parts, axis=-1, epsilon=NORM_EPS)
            elif layer.norm == "rms":
                value = self.add("Mul", self.rms_normalised(value), tensors["gain"])
            after = LINKS[layers.link] if layer.activation is None else ACTIVATIONS[layer.activation]
            value = self.apply(after.onnx, value)
        return value

    def rms_normalised(self, value: str) -> str:
        """Each row divided by its root mean square: an operator of its own only in later operator sets."""
        mean = self.add(
            "ReduceMean", self.add("Mul", value, value), self.constant(np.array([-1])), keepdims=1
        )
        return self.add(
            "Div", value, self.add("Sqrt", self.add("Add", mean, self.constant(np.float32(NORM_EPS))))
        )

    def apply(self, function: Expression, value: str) -> str:
        """What a function gives for a value."""
        if function is None:
            return value
        if isinstance(function, float):
            return self.constant(np.float32(function))
        inputs = [self.apply(expression, value) for expression in function.inputs]
        return self.add(function.operator, *inputs, **function.attributes)

    def outputs(self, model: Any, layers: Layers, out: str) -> dict[str, Output]:
        """What a model gives, by name, from the network's output."""
        from onnx import TensorProto

        if hasattr(model, "classes_"):
            label = self.label(model, layers.link, out)
            if model.n_outputs_ == 1:
                out = self.add("Concat", self.add("Sub", self.constant(np.float32(1)), out), out, axis=1)
            probabilities = Output(out, TensorProto.FLOAT, [max(model.n_outputs_, 2)])
            return {"label": label, "probabilities": probabilities}
        if layers.widths[-1] == 1 and getattr(model, "_flat_targets", True):
            flat = self.add("Squeeze", out, self.constant(np.array([1])))
            return {"prediction": Output(flat, TensorProto.FLOAT, [])}
        return {"prediction": Output(out, TensorProto.FLOAT, [layers.widths[-1]])}

    def label(self, model: Any, link: str, out: str) -> Output:
        """What a classifier's `predict` makes of the network's output."""
        from onnx import TensorProto, helper

        if link == "softmax":
            index = self.add("ArgMax", out, axis=1, keepdims=0)
        else:
            yes = self.add("Greater", out, self.constant(np.float32(0.5)))
            index = self.add("Cast", yes, to=TensorProto.INT64)
            if model.n_outputs_ > 1:
                return Output(index, TensorProto.INT64, [model.n_outputs_])
            index = self.add("Squeeze", index, self.constant(np.array([1])))
        classes = np.asarray(model.classes_)
        if classes.dtype.kind in "iu":
            if classes.max() > np.iinfo(np.int64).max:
                raise ValueError(f"classes must fit into int64, which ONNX has, got {classes.max()}")
            classes = classes.astype(np.int64)
        if len(classes) == 1:  # seen in training; there is nothing to choose
            classes = classes.repeat(2)
        if classes.dtype.kind in "OUS":
            classes = classes.astype(object)
        try:
            kind = helper.np_dtype_to_tensor_dtype(classes.dtype)
        except ValueError as error:
            expected = "integers, booleans, texts or numbers of float32 or float64, which ONNX has"
            raise ValueError(f"classes must be {expected}, got {classes.dtype}") from error
        return Output(self.add("Gather", self.constant(classes), index), kind, [])

"""An ONNX graph in the making, and the file it becomes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._files import File, describe, writing
from .._registry import Expression
from .._schuss import __version__

if TYPE_CHECKING:
    import onnx

# The first operator set with all that is needed (Gelu), the one that knows texts, and the file format.
OPSET, TEXTS_OPSET, IR_VERSION = 20, 2, 9


class Value(NamedTuple):
    """The name of a value in the graph, its type, and its shape but for the rows."""

    value: str
    kind: int
    shape: list[int]


class Graph:
    """Nodes and constants in the making.

    Parameters
    ----------
    taken : iterable of str
        Names that inputs and outputs have.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._taken = set(taken)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, whose name is returned."""
        from onnx import helper

        output = self._name(f"{operator.lower()}_{len(self.nodes)}")
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, values: NDArray[Any] | np.generic) -> str:
        """The name of a constant."""
        from onnx import numpy_helper

        name = self._name(f"constant_{len(self.constants)}")
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def plus(self, value: str, number: float | NDArray[Any]) -> str:
        """A value in double precision and a number, or one for each column.

        ONNX Runtime drops an `Add` or `Sub` of a single number that float32 has as 0; a `Sum` it leaves.
        """
        return self.add("Sum", value, self.constant(np.asarray(number, dtype=np.float64)))

    def axis(self, *axes: int) -> str:
        """The name of a constant that says which axes, or a shape."""
        return self.constant(np.array(axes, dtype=np.int64))

    def apply(self, function: Expression, value: str) -> str:
        """What a function gives for a value."""
        if function is None:
            return value
        if isinstance(function, float):
            return self.constant(np.float32(function))
        inputs = [self.apply(expression, value) for expression in function.inputs]
        return self.add(function.operator, *inputs, **function.attributes)

    def joined(self, values: list[str]) -> str:
        """Values beside each other, as columns of one."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=1)

    def model(self, name: str, inputs: list[Value], outputs: Mapping[str, Value]) -> onnx.ModelProto:
        """The whole model, checked."""
        import onnx
        from onnx import helper

        for output, value in outputs.items():
            self.nodes.append(helper.make_node("Identity", [value.value], [output]))

        def told(name: str, value: Value) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, value.kind, ["n_samples", *value.shape])

        opsets = [helper.make_opsetid("", OPSET)]
        if any(node.domain for node in self.nodes):
            opsets.append(helper.make_opsetid("ai.onnx.ml", TEXTS_OPSET))
        made = helper.make_model(
            helper.make_graph(
                self.nodes,
                name,
                [told(value.value, value) for value in inputs],
                [told(output, value) for output, value in outputs.items()],
                self.constants,
            ),
            producer_name="schuss",
            producer_version=__version__,
            opset_imports=opsets,
            ir_version=IR_VERSION,
        )
        onnx.checker.check_model(made, full_check=True)
        return made

    def _name(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        return name


def write(made: onnx.ModelProto, path: File) -> None:
    """Write a model, as onnx itself does: a name that ends in ".json" or ".textproto" is written as text."""
    import onnx

    suffix = os.path.splitext(describe(path))[1]
    formats = onnx.serialization.registry
    form = formats.get(formats.get_format_from_file_extension(suffix) or "protobuf")
    with writing(path) as stream:
        stream.write(form.serialize_proto(made))

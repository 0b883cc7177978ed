"""Activations, links and losses as data, from the tables of the core."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias

from . import _schuss

# A function of one array in ONNX: the array itself, a constant, or an operator on such expressions.
Expression: TypeAlias = "float | Node | None"


class Node(NamedTuple):
    """An operator of ONNX on expressions."""

    operator: str
    inputs: tuple[Expression, ...]
    attributes: dict[str, float]


class Activation(NamedTuple):
    """The activation of a layer.

    Attributes
    ----------
    name : str
    formula : str
        Its value a(z).
    reference : str or None
        Where it was published.
    init : {"He", "LeCun", "Glorot"}
        How the weights of the layer before it start.
    needs_input : bool
        Whether its derivative is computed from z, not from a.
    onnx : Expression
        The same function in ONNX.
    """

    name: str
    formula: str
    reference: str | None
    init: Literal["He", "LeCun", "Glorot"]
    needs_input: bool
    onnx: Expression


class Link(NamedTuple):
    """What turns the last layer's preactivations z into predictions."""

    name: str
    formula: str
    onnx: Expression


class Parameter(NamedTuple):
    """The parameter of a loss: a number larger than `above` and smaller than `below`."""

    name: str
    default: float
    above: float
    below: float


class Loss(NamedTuple):
    """What a network can minimise.

    Attributes
    ----------
    name : str
    formula : str
        The loss of one row of q outputs.
    reference : str or None
        Where it was published.
    link : {"identity", "softmax", "sigmoid", "exp"}
        From the last layer's preactivations to predictions; see `LINKS`.
    targets : {"classes", "unit", "counts", "numbers"}
        What the targets must be: class indices, numbers from 0 to 1, numbers that are not negative, any.
    reduction : {"mean", "sum"}
        How the losses of outputs and rows become one number.
    parameter : Parameter or None
        What shapes it, if anything does.
    """

    name: str
    formula: str
    reference: str | None
    link: Literal["identity", "softmax", "sigmoid", "exp"]
    targets: Literal["classes", "unit", "counts", "numbers"]
    reduction: Literal["mean", "sum"]
    parameter: Parameter | None

    @property
    def is_mean(self) -> bool:
        """Whether the loss of a batch is the weighted mean over its rows, not the sum."""
        return self.reduction == "mean"


def _expression(raw: Any) -> Expression:
    if isinstance(raw, tuple):
        operator, inputs, attributes = raw
        return Node(operator, tuple(map(_expression, inputs)), attributes)
    return raw  # type: ignore[no-any-return]


def _activation(row: dict[str, Any]) -> Activation:
    return Activation(**{**row, "onnx": _expression(row["onnx"])})


def _link(row: dict[str, Any]) -> Link:
    return Link(**{**row, "onnx": _expression(row["onnx"])})


def _loss(row: dict[str, Any]) -> Loss:
    parameter = row["parameter"]
    return Loss(**{**row, "parameter": parameter and Parameter(*parameter)})


ACTIVATIONS: dict[str, Activation] = {row["name"]: _activation(row) for row in _schuss.activation_table()}
LINKS: dict[str, Link] = {row["name"]: _link(row) for row in _schuss.link_table()}
LOSSES: dict[str, Loss] = {row["name"]: _loss(row) for row in _schuss.loss_table()}

# Other words of the field for the same functions.
ACTIVATION_ALIASES = {"linear": "identity", "logistic": "sigmoid", "swish": "silu"}
LOSS_ALIASES = {"squared_error": "mse", "absolute_error": "mae", "l1": "mae"}


def loss_with_link(link: str) -> str:
    """The first loss with that link: any of them predicts alike."""
    return next(loss.name for loss in LOSSES.values() if loss.link == link)

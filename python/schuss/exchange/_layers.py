"""What every exchange needs of a model, whichever kind it is."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._busy import TRAINING, refuse_elsewhere
from .._checks import shown
from .._foreign import converted
from .._registry import ACTIVATION_ALIASES, LOSSES, loss_with_link
from ..embeddings import Embedding
from ..network import MLP

Array = NDArray[Any]


class Layer(NamedTuple):
    """One layer as plain data.

    Attributes
    ----------
    tensors : dict of str to ndarray
        The model's own arrays by kind: "weight" (inputs, outputs), "bias", "gain", "shift", "alpha".
    norm : {"layer", "rms"} or None
        What follows the product.
    activation : str or None
        What follows that, one of `schuss.ACTIVATIONS`; None for the last layer.
    """

    tensors: dict[str, Array]
    norm: str | None
    activation: str | None


class Front(NamedTuple):
    """What comes before the first layer.

    Attributes
    ----------
    inputs : int
        Columns of X.
    embeddings : tuple of schuss.embeddings.Periodic, PiecewiseLinear and Category
        What some of them become; the others follow as they are.
    tensors : dict of str to ndarray
        The model's own arrays by name, "input.0.table" and the like.
    """

    inputs: int
    embeddings: tuple[Embedding, ...]
    tensors: dict[str, Array]


class Module(NamedTuple):
    """What PyTorch keeps in one module: a linear layer's weight and bias, or a norm's gain and shift."""

    weight: Array
    bias: Array | None


class Layers(NamedTuple):
    """A network as plain data.

    Attributes
    ----------
    layers : list of Layer
        From inputs to outputs.
    link : {"identity", "softmax", "sigmoid", "exp"}
        From the last layer to the output.
    loss : str
        One of `schuss.LOSSES`.
    front : Front or None
        What makes the first layer's inputs of X, if anything does.
    """

    layers: list[Layer]
    link: str
    loss: str
    front: Front | None = None

    @property
    def inputs(self) -> int:
        """Columns of X."""
        return self.widths[0] if self.front is None else self.front.inputs

    @property
    def widths(self) -> list[int]:
        """The widths of all layers, from inputs to outputs."""
        shapes = [layer.tensors["weight"].shape for layer in self.layers]
        return [shapes[0][0], *(outputs for _, outputs in shapes)]

    @property
    def activations(self) -> list[str]:
        """Of the hidden layers."""
        return [layer.activation for layer in self.layers if layer.activation is not None]

    @property
    def is_normed(self) -> bool:
        """Whether there are modules that are no linear layers."""
        return any(layer.norm for layer in self.layers)

    @property
    def modules(self) -> list[Module]:
        """The model's own arrays, as PyTorch groups them."""
        modules = []
        for layer in self.layers:
            modules.append(Module(layer.tensors["weight"], layer.tensors["bias"]))
            if layer.norm:
                modules.append(Module(layer.tensors["gain"], layer.tensors.get("shift")))
        return modules


def layers_of(model: Any) -> Layers:
    """The layers of a network or a fitted estimator, where nothing but dense layers and norms are known."""
    if not isinstance(model, MLP):
        return layers_of_estimator(model, "an MLP or a fitted MLPClassifier or MLPRegressor")
    more = [name for name in ("embeddings", "input_scale", "parametric") if getattr(model, name)]
    if more:
        raise ValueError(
            f"model must be a network of dense layers and norms, got one with {', '.join(more)}: "
            "exchange.to_onnx and net.save know them"
        )
    return layers_of_network(model)


def layers_of_estimator(model: Any, accepted: str = "a fitted MLPClassifier or MLPRegressor") -> Layers:
    """The layers of a fitted estimator, which is among what is accepted."""
    if not hasattr(model, "coefs_"):
        raise TypeError(f"model must be {accepted}, got {shown(model)}{_where_it_is(model, accepted)}")
    if TRAINING:
        refuse_elsewhere(model)
    from ..estimators import _parameters
    from ..estimators._losses import REGRESSION, WITH_LINK, check_output_activation

    _parameters.expect_chain(model.coefs_, model.intercepts_, "f")
    hidden = len(model.coefs_) - 1
    fitted = getattr(model, "_activations", model.activation)
    names = [fitted] * hidden if isinstance(fitted, str) else list(fitted)
    activations = [*map(_core_name, names), None]
    parts = zip(model.coefs_, model.intercepts_, activations, strict=True)
    layers = [Layer({"weight": weight, "bias": bias}, None, name) for weight, bias, name in parts]
    check_output_activation(model.out_activation_, WITH_LINK)
    link = _core_name(model.out_activation_)
    # A classifier's follows from its link, and so does a regressor's where another was set since the fit.
    loss = REGRESSION[model.loss].name if model.loss in REGRESSION else None
    if loss is None or LOSSES[loss].link != link:
        loss = loss_with_link(link)
    return Layers(layers, link, loss)


def _where_it_is(model: Any, accepted: str) -> str:
    """Where to look for what is accepted, as the end of a sentence."""
    if hasattr(model, "steps"):
        return "; of a pipeline it is the last step, pipeline[-1]"
    if type(model).__name__ in re.findall(r"\w+", accepted):
        return ", which is not fitted yet"
    for name in ("best_estimator_", "regressor_", "estimator_"):
        if hasattr(model, name):
            return f"; look in its {name}"
    return ""


def layers_of_network(net: MLP) -> Layers:
    """The layers of a network, and what comes before them."""
    if TRAINING:
        refuse_elsewhere(net)
    layers = [*(Layer({}, net.norm, name) for name in net.activations), Layer({}, None, None)]
    front = {}
    for tensor in net._core.tensors():
        array = net.named_params[tensor.name]
        if tensor.layer is None:
            front[tensor.name] = array
        else:
            layers[tensor.layer].tensors[tensor.kind] = array
    before = Front(net.layers[0], net.embeddings, front) if front else None
    return Layers(layers, LOSSES[net.objective].link, net.objective, before)


def _core_name(activation: str) -> str:
    return ACTIVATION_ALIASES.get(activation, activation)


def expect_number(layers: Layers, names: list[str]) -> None:
    """Refuse weights of more or fewer modules than there are."""
    count = len(layers.modules)
    if len(names) != count:
        of = "modules (linear layers and norms)" if layers.is_normed else "layers"
        got = f"{len(names)}: {', '.join(names)}" if layers.is_normed else len(names)
        raise ValueError(f"state and names must have weights of {count} {of}, got {got}")


def replace(layers: Layers, names: list[str], given: list[tuple[Array, Array | None]]) -> None:
    """Write new weights and biases, laid out as they are here, into a model's arrays; all of them or none.

    A bias that is None becomes zeros. `names` are those of the modules that they come from.
    """
    expect_number(layers, names)
    modules = layers.modules
    # Without norms a module is a layer, whose number says more than a name.
    places = [
        f"module {name!r}" if layers.is_normed else f"layer {number}" for number, name in enumerate(names, 1)
    ]
    new = []
    for place, module, pair in zip(places, modules, given, strict=True):
        for kind, array, values in zip(("weights", "biases"), module, pair, strict=True):
            if array is None:
                if values is not None:
                    got = f"an array of shape {np.shape(values)}"
                    raise ValueError(f"biases of {place} must be None: it has none, got {got}")
                continue
            values = np.zeros(array.shape) if values is None else values
            if values.shape != array.shape:
                # As they are in the state, where weights are transposed.
                turn = -1 if kind == "weights" else 1
                shapes = f"{array.shape[::turn]}, got {values.shape[::turn]}"
                raise ValueError(f"{kind} of {place} must be of shape {shapes}")
            if not array.flags.writeable:
                raise ValueError(f"{kind} of {place} must be writable in the model, got a read-only array")
            new.append((array, converted(f"{kind} of {place}", values, array.dtype)))
    for array, values in new:
        array[...] = values

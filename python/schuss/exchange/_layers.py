"""What every exchange needs of a model, whichever kind it is."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._registry import LOSSES, loss_with_link
from ..network import MLP

Array = NDArray[Any]


class Layers(NamedTuple):
    """A network as plain data.

    Attributes
    ----------
    weights, biases : list of ndarray
        The model's own arrays, the weights as (inputs, outputs).
    activations : list of str
        Of the hidden layers, by the names in `schuss.ACTIVATIONS`.
    link : {"identity", "softmax", "sigmoid", "exp"}
        From the last layer to the output.
    loss : str
        One of `schuss.LOSSES`.
    """

    weights: list[Array]
    biases: list[Array]
    activations: list[str]
    link: str
    loss: str

    @property
    def widths(self) -> list[int]:
        """The widths of all layers, from inputs to outputs."""
        return [len(self.weights[0]), *(weights.shape[1] for weights in self.weights)]


def layers_of(model: Any) -> Layers:
    """The layers of a network or a fitted estimator."""
    if isinstance(model, MLP):
        loss = model.objective
        return Layers(model.params[::2], model.params[1::2], model.activations, LOSSES[loss].link, loss)
    if not hasattr(model, "coefs_"):
        hint = "; of a pipeline it is the last step, pipeline[-1]" if hasattr(model, "steps") else ""
        raise TypeError(
            f"model must be an MLP or a fitted MLPClassifier or MLPRegressor, got {model!r}{hint}"
        )
    hidden = len(model.coefs_) - 1
    names = [model.activation] * hidden if isinstance(model.activation, str) else list(model.activation)
    from ..estimators._losses import REGRESSION

    link = _core_name(model.out_activation_)
    # A classifier's follows from its link.
    loss = REGRESSION[model.loss].name if model.loss in REGRESSION else loss_with_link(link)
    return Layers(model.coefs_, model.intercepts_, [_core_name(name) for name in names], link, loss)


def _core_name(activation: str) -> str:
    return "sigmoid" if activation == "logistic" else activation


def replace(layers: Layers, weights: list[Any], biases: list[Any]) -> None:
    """Write new parameters, (inputs, outputs) and (outputs,), into a model's arrays; all of them or none."""
    new = []
    count = len(layers.weights)
    if len(weights) != count:
        raise ValueError(f"there must be weights of {count} layers, got {len(weights)}")
    for kind, old, given in (("weights", layers.weights, weights), ("biases", layers.biases, biases)):
        for number, (array, values) in enumerate(zip(old, given, strict=True), 1):
            converted = np.asarray(values)
            if converted.shape != array.shape:
                raise ValueError(
                    f"{kind} of layer {number} must be of shape {array.shape}, got {converted.shape}"
                )
            new.append((array, converted.astype(array.dtype)))
    for array, converted in new:
        array[...] = converted

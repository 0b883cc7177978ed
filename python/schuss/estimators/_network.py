"""What an estimator's network is made of, and what comes out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _schuss
from .._arrays import numbers
from .._busy import TRAINING, refuse_elsewhere
from .._checks import MOST, check_count, check_sequence, check_threads
from .._dialogue import Dialogue
from .._registry import ACTIVATION_ALIASES
from .._sparse import compressed, is_sparse
from .._tensors import per_layer
from . import _losses, _parameters, _threads
from ._given import check_given, naming_rows
from ._hyperparameters import Hyperparameters

Array = NDArray[Any]


class Network(Hyperparameters, ABC):
    """A network that is to be fitted, or was."""

    coefs_: list[Array]
    intercepts_: list[Array]
    n_outputs_: int
    out_activation_: str
    classes_: Array

    @abstractmethod
    def _objective(self) -> _losses.Objective:
        """What is minimised."""

    def _n_outputs(self, targets: Array) -> int:
        return len(self.classes_) if targets.dtype == np.uint32 else targets.shape[1]

    def _layers(self, inputs: int) -> list[int]:
        sizes = self.hidden_layer_sizes
        if hasattr(sizes, "__iter__"):
            hidden = check_sequence("hidden_layer_sizes", sizes, "integers, the widths of the hidden layers")
        else:
            hidden = [sizes]
        hidden = [check_count("hidden_layer_sizes", width, least=-MOST) for width in hidden]
        if min(hidden, default=1) <= 0:
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        return [int(inputs), *hidden, int(self.n_outputs_)]

    def _make_core(self, layers: list[int], plain: bool = False) -> _schuss.Network:
        """The network that is trained, or one that only looks: without penalty and dropout."""
        return _schuss.Network(**self._structure(layers, plain))

    def _structure(self, layers: list[int], plain: bool) -> dict[str, Any]:
        """All that a network is made of."""
        objective = self._objective()
        hidden = len(layers) - 2
        rates = per_layer("dropout", 0.0 if plain else self.dropout, hidden, Real)
        return {
            "widths": layers,
            "activations": self._hidden_activations(hidden),
            "loss": objective.name,
            "l2": 0.0 if plain else float(self.alpha),
            "l2_per_weight": True,
            "dropout": [float(rate) for rate in rates],
            "loss_parameter": objective.parameter,
            "output_weights": objective.output_weights,
            "precision": self.precision,
        }

    def _hidden_activations(self, hidden: int) -> list[str]:
        names = per_layer("activation", self.activation, hidden, str)
        return [ACTIVATION_ALIASES.get(name, name) for name in names]

    def _initial_activations(self, hidden: int) -> list[str]:
        """Those that initial weights go by, as scikit-learn has it also where no layer has the activation."""
        return self._hidden_activations(hidden if hidden or not isinstance(self.activation, str) else 1)

    def _fitted_activations(self) -> list[str]:
        """Of the hidden layers, as they were fitted; as they are set, where `coefs_` came from elsewhere."""
        hidden = len(self.coefs_) - 1
        fitted: list[str] | None = getattr(self, "_activations", None)
        return fitted if fitted and len(fitted) == hidden else self._hidden_activations(hidden)

    def _most_threads(self, peers: Dialogue | None = None) -> int:
        # It may have been set since the fit, which looked at it.
        given = check_threads(self.n_threads)
        # Of several processes, each has one.
        return given or (_threads.limit() if peers is None or peers.size == 1 else 1)

    def _outputs(self, X: Any) -> Array:
        """The network's outputs for rows that may be anything that scikit-learn accepts."""
        if TRAINING:
            refuse_elsewhere(self)
        check_is_fitted(self)
        check_given(X=X)
        with naming_rows(X):
            X = validate_data(
                self, X, accept_sparse=["csr"], dtype=(np.float64, np.float32), order="C", reset=False
            )
        return self._forward(X)

    def _forward(self, X: Any) -> Array:
        """The network's outputs for checked rows, as many columns as there are outputs."""
        theta, layers = _parameters.of_model(self)
        if layers[0] != X.shape[1]:
            raise ValueError(f"coefs_[0] of the model must have {X.shape[1]} rows, got {layers[0]}")
        link = self.out_activation_
        _losses.check_output_activation(link, [*_losses.WITH_LINK, *_losses.BOUNDS])
        bound = _losses.BOUNDS.get(link)
        # Of what was fitted: parameters that were set since are for the next fit.
        core = _schuss.Network(
            widths=layers,
            activations=self._fitted_activations(),
            loss=_losses.WITH_LINK[link if bound is None else "identity"],
            precision=self.precision,
        )
        threads = self._most_threads()
        x = compressed("X", X, theta.dtype) if is_sparse(X) else numbers("X", X, theta.dtype)
        out = core.predict(theta, x, False, threads)
        return out if bound is None else bound(out)

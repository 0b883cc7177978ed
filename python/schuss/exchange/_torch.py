"""Weights to and from PyTorch, as plain arrays: torch itself is not needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._layers import layers_of, replace


def to_torch(model: Any, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """The weights as a state dict of PyTorch, in NumPy arrays.

    Parameters
    ----------
    model : MLP or fitted estimator
        The network.
    names : sequence of str, optional
        The name of each linear layer. By default ``"0"``, ``"2"``, ``"4"``, ...: those of a
        `torch.nn.Sequential` in which linear layers and activations alternate.

    Returns
    -------
    dict of str to ndarray
        ``"0.weight"`` of shape (outputs, inputs), ``"0.bias"`` and so on; new arrays.

    Examples
    --------
    >>> import schuss as sc
    >>> state = sc.exchange.to_torch(sc.MLP([4, 8, 2]))
    >>> {name: array.shape for name, array in state.items()}
    {'0.weight': (8, 4), '0.bias': (8,), '2.weight': (2, 8), '2.bias': (2,)}

    and where torch is at hand:
    ``module.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})``
    """
    layers = layers_of(model)
    names = layer_names(names, len(layers.weights))
    state = {}
    for name, weights, bias in zip(names, layers.weights, layers.biases, strict=True):
        state[f"{name}.weight"] = np.array(weights.T, order="C")
        state[f"{name}.bias"] = np.array(bias)
    return state


def load_torch(model: Any, state: Mapping[str, Any], names: Sequence[str] | None = None) -> None:
    """Take weights over from a state dict of PyTorch.

    Parameters
    ----------
    model : MLP or fitted estimator
        The network; it keeps its activations, whatever the other's are.
    state : mapping of str to array or tensor
        What ``module.state_dict()`` returns, of a module whose layers with weights are all linear. A layer
        without a bias gets one of zeros.
    names : sequence of str, optional
        The name of each linear layer; in the order of `state` by default.

    Raises
    ------
    ValueError
        If number or shapes of the layers differ; nothing has changed then.
    """
    if names is None:
        names = [key.removesuffix(".weight") for key in state if key.endswith(".weight")]
    missing = [name for name in names if f"{name}.weight" not in state]
    if missing:
        raise ValueError(f"state must have weights of the layers {missing}, got {list(state)}")
    weights = [np.asarray(state[f"{name}.weight"]).T for name in names]
    biases = [state.get(f"{name}.bias") for name in names]
    filled = [
        np.zeros(w.shape[-1:]) if bias is None else bias for w, bias in zip(weights, biases, strict=True)
    ]
    replace(layers_of(model), weights, filled)


def layer_names(names: Sequence[str] | None, count: int) -> list[str]:
    """The names of linear layers, by default those in a sequence where each is followed by an activation."""
    if names is None:
        return [str(2 * number) for number in range(count)]
    if len(names) != count:
        raise ValueError(f"names must be {count}, one for each layer, got {list(names)}")
    return list(names)

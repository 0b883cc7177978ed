"""Weights to and from PyTorch, as plain arrays: torch itself is not needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._layers import Layers, layers_of, replace


def to_torch(model: Any, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
    """The weights as a state dict of PyTorch, in NumPy arrays.

    Parameters
    ----------
    model : MLP or fitted estimator
        The network.
    names : sequence of str, optional
        The name of each module with weights: of each linear layer, and of each norm, `torch.nn.LayerNorm` or
        `torch.nn.RMSNorm` with ``eps=1e-5``, which follows its linear layer. By default those of a
        `torch.nn.Sequential` of linear layers, norms and activations: ``"0"``, ``"2"``, ``"4"``, ... without
        norms, else ``"0"``, ``"1"``, ``"3"``, ``"4"``, ...

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
    state = {}
    for name, (weight, bias) in zip(layer_names(names, layers), layers.modules, strict=True):
        state[f"{name}.weight"] = np.array(weight.T, order="C")
        if bias is not None:
            state[f"{name}.bias"] = np.array(bias)
    return state


def load_torch(model: Any, state: Mapping[str, Any], names: Sequence[str] | None = None) -> None:
    """Take weights over from a state dict of PyTorch.

    Parameters
    ----------
    model : MLP or fitted estimator
        The network; it keeps its activations, whatever the other's are.
    state : mapping of str to array or tensor
        What ``module.state_dict()`` returns, of a module whose layers with weights are linear, or norms as
        the network has them. A layer without a bias gets one of zeros.
    names : sequence of str, optional
        The name of each of these modules, as for `to_torch`; in the order of `state` by default.

    Raises
    ------
    ValueError
        If number, kind or shapes of the layers differ; nothing has changed then.
    """
    if names is None:
        names = [key.removesuffix(".weight") for key in state if key.endswith(".weight")]
    missing = [name for name in names if f"{name}.weight" not in state]
    if missing:
        raise ValueError(f"state must have weights of the layers {missing}, got {list(state)}")
    averaging = [name for name in names if f"{name}.running_mean" in state]
    if averaging:
        raise ValueError(
            f"state must have weights of linear layers and layer norms alone, got {averaging[0]!r} with "
            f"{averaging[0] + '.running_mean'!r}: a batch norm, which this network does not have"
        )
    given = [(np.asarray(state[f"{name}.weight"]).T, state.get(f"{name}.bias")) for name in names]
    replace(layers_of(model), list(names), given)


def layer_names(names: Sequence[str] | None, layers: Layers) -> list[str]:
    """The names of modules with weights; by default those in a sequence, with activations between layers."""
    if names is None:
        own, place = [], 0
        for layer in layers.layers:
            with_weights = 2 if layer.norm else 1
            own += [str(place + i) for i in range(with_weights)]
            place += with_weights + 1
        return own
    count = len(layers.modules)
    if len(names) != count:
        raise ValueError(f"names must be {count}, one for each layer, got {list(names)}")
    return list(names)

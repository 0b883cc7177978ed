"""Weights to and from PyTorch, as plain arrays: torch itself is not needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import shown
from .._foreign import numbers_of
from ._layers import Layers, expect_number, layers_of, replace
from ._order import in_order

_WEIGHT, _BIAS = "weight", "bias"


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
        norms, else ``"0"``, ``"1"``, ``"3"``, ``"4"``, ... A layer that is the whole module is called ``""``.

    Returns
    -------
    dict of str to ndarray
        ``"0.weight"`` of shape (outputs, inputs), ``"0.bias"`` and so on; new arrays.

    Raises
    ------
    TypeError, ValueError
        If `model` is none of these, or a network with `embeddings`, `input_scale` or `parametric`; if `names`
        are not different strings, one for each module.
    RuntimeError
        While another thread trains the model.

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
        state[key_of(name, _WEIGHT)] = np.array(weight.T, order="C")
        if bias is not None:
            state[key_of(name, _BIAS)] = np.array(bias)
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
        The name of each of these modules, as for `to_torch`, where `state` has others too; in the order of
        `state` by default.

    Raises
    ------
    TypeError
        If `model` is none of these, `state` no mapping of names, or an entry no array of floating-point
        numbers.
    ValueError
        If number, kind or shapes of the layers differ, if a number is not finite, or if the names do not say
        in which order layers of the same shape are. If it is a network with `embeddings`, `input_scale` or
        `parametric`.
    RuntimeError
        While another thread trains the model.

    Notes
    -----
    Nothing has changed where it raises.
    """
    take(layers_of(model), state, names, is_ordered=True)


def take(layers: Layers, state: Mapping[str, Any], names: Sequence[str] | None, is_ordered: bool) -> None:
    """`load_torch`, of a state whose order says something or not."""
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        got = type(state).__name__
        raise TypeError(f"state must be a mapping of names to arrays, as of state_dict(), got {got}")
    if names is None:
        modules = {key: key.rpartition(".")[0] for key in state}
        chosen = [module for key, module in modules.items() if key == key_of(module, _WEIGHT)]
    else:
        chosen = _checked(names)
        missing = [name for name in chosen if key_of(name, _WEIGHT) not in state]
        if missing:
            raise ValueError(f"state must have weights of the layers {missing}, got {list(state)}")
    _expect_linear(layers, chosen, state, all_of_it=names is None)
    keys = {name: key_of(name, _WEIGHT) for name in chosen}
    weights = {name: numbers_of(f"state[{key!r}]", state[key]).T for name, key in keys.items()}
    if names is None:
        expected = [module.weight.shape for module in layers.modules]
        shapes = {name: weight.shape for name, weight in weights.items()}
        chosen = in_order(shapes, expected, is_ordered)
    keys = {name: key_of(name, _BIAS) for name in chosen}
    biases = [numbers_of(f"state[{key!r}]", state[key]) if key in state else None for key in keys.values()]
    replace(layers, chosen, list(zip(map(weights.__getitem__, chosen), biases, strict=True)))


def key_of(module: str, kind: str) -> str:
    """What a state dict calls a tensor of a module: by its kind alone where the module is all there is."""
    return f"{module}.{kind}" if module else kind


def _checked(names: Any) -> list[str]:
    if (
        isinstance(names, str)
        or not isinstance(names, Sequence)
        or not all(isinstance(n, str) for n in names)
    ):
        raise TypeError(f"names must be a sequence of strings, one for each layer, got {shown(names)}")
    if len(set(names)) != len(names):
        raise ValueError(f"names must be different for all layers, got {list(names)}")
    return list(names)


def _expect_linear(layers: Layers, names: list[str], state: Mapping[str, Any], all_of_it: bool) -> None:
    """Refuse modules that have more than weight and bias; without `names` all of the state counts."""
    others = []
    for key in state:
        module, _, kind = key.rpartition(".")
        if module in names and key in (key_of(module, _WEIGHT), key_of(module, _BIAS)):
            continue
        what = f"must have weights of linear layers and layer norms alone, got {module!r} with {key!r}"
        if kind.startswith("running_"):
            raise ValueError(f"state {what}: a batch norm, which this network does not have")
        if all_of_it or module in names:
            others.append(what)
    expect_number(layers, names)
    if others:
        raise ValueError(f"state {others[0]}")


def layer_names(names: Sequence[str] | None, layers: Layers) -> list[str]:
    """The names of modules with weights; by default those in a sequence, with activations between layers."""
    if names is None:
        own, place = [], 0
        for layer in layers.layers:
            with_weights = 2 if layer.norm else 1
            own += [str(place + i) for i in range(with_weights)]
            place += with_weights + 1
        return own
    names, count = _checked(names), len(layers.modules)
    if len(names) != count:
        raise ValueError(f"names must be {count}, one for each layer, got {names}")
    return names

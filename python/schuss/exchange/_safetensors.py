"""Weights in files of the safetensors format, which hold numbers and never code."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

from ..network import MLP
from ._layers import layers_of
from ._torch import layer_names, load_torch, to_torch

KEY = "schuss"


def save_safetensors(model: Any, path: str | PathLike[str], names: Sequence[str] | None = None) -> None:
    """Save a network's weights, and what it takes to compute with them.

    The tensors are named and laid out as by `to_torch`, so that PyTorch loads the file as it is.

    Parameters
    ----------
    model : MLP or fitted estimator
        The network. Of an estimator only the network is saved; `joblib` or `skops` save all of it.
    path : path-like
        The file.
    names : sequence of str, optional
        As for `to_torch`.

    Raises
    ------
    ImportError
        If the package safetensors is not installed.
    """
    from safetensors.numpy import save_file

    layers = layers_of(model)
    about = {
        "layers": layers.widths,
        "activation": layers.activations,
        "norm": layers.layers[0].norm,
        "loss": layers.loss,
        "flat": getattr(model, "_flat_targets", True),
        "names": layer_names(names, layers),
    }
    save_file(to_torch(model, names), fspath(path), metadata={"format": "pt", KEY: json.dumps(about)})


def load_safetensors(path: str | PathLike[str], model: Any = None) -> Any:
    """Load a network's weights.

    Parameters
    ----------
    path : path-like
        The file: of `save_safetensors`, or any other with the weights of linear layers under PyTorch's names.
    model : MLP or fitted estimator, optional
        Where to load the weights to. By default a new `MLP`, for which the file must be of
        `save_safetensors`.

    Returns
    -------
    MLP or estimator
        `model`, or a new `MLP` that predicts as the saved network did. Options of training (``l2``,
        ``dropout``, the optimizer) are not part of the file.

    Raises
    ------
    ImportError
        If the package safetensors is not installed.
    ValueError
        If the file does not fit the model, or does not say what network it is; nothing has changed then.
    """
    from safetensors import safe_open

    with safe_open(fspath(path), framework="numpy") as file:
        state = {name: file.get_tensor(name) for name in sorted(file.keys(), key=_by_number)}
        metadata = file.metadata() or {}
    about = json.loads(metadata.get(KEY, "{}"))
    names = about.get("names")
    if model is None:
        if not about:
            raise ValueError(f"{fspath(path)} does not say what network it is: model must be given, got None")
        dtype = state[f"{names[0]}.weight"].dtype
        options = {"activation": about["activation"], "norm": about.get("norm"), "loss": about["loss"]}
        model = MLP(about["layers"], **options, dtype=dtype)
        model._flat_targets = about["flat"]
    load_torch(model, state, names)
    return model


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sort "2.weight" before "10.weight": a file does not keep the order of its tensors."""
    return [(int(part or 0), "") if i % 2 else (0, part) for i, part in enumerate(re.split(r"(\d+)", name))]

"""Weights in files of the safetensors format, which hold numbers and never code."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._attributes import precision_of
from .._checks import check_flag
from .._extras import needed
from .._files import File, checksum, describe, reading, writing
from .._foreign import numbers_of
from ..network import MLP
from ._layers import layers_of
from ._torch import key_of, layer_names, take, to_torch

# The metadata: what network it is, and the checksum of all. Each tells that the other one must be there.
KEY, CHECKSUM = "schuss", "schuss.sha256"
_VERSION = 2
# Of a network, in every version.
_WORDS = ("layers", "activation", "loss", "flat", "names")


def save_safetensors(model: Any, path: File, names: Sequence[str] | None = None) -> None:
    """Save a network's weights, and what it takes to compute with them.

    The tensors are named and laid out as by `to_torch`, so that PyTorch loads the file as it is. The metadata
    have a checksum of all of it.

    Parameters
    ----------
    model : MLP or fitted estimator
        The network. Of an estimator only the network is saved; `joblib` or `skops` save all of it.
    path : path-like or binary file
        The file; one that is there is replaced when the new one is whole.
    names : sequence of str, optional
        As for `to_torch`.

    Raises
    ------
    ImportError
        If the package safetensors is not installed.
    TypeError, ValueError, RuntimeError
        If `path` is none of these, or a number is not finite; otherwise as `to_torch`.
    OSError
        If it cannot be written; the old file is as it was then.
    """
    with needed("exchange.save_safetensors", "safetensors", "exchange"):
        from safetensors.numpy import save

    layers = layers_of(model)
    # What `load_safetensors` would refuse must not replace a file.
    tensors = {name: numbers_of(name, tensor) for name, tensor in to_torch(model, names).items()}
    precision = getattr(model, "precision", None)
    about = {
        "version": _VERSION,
        "layers": layers.widths,
        "activation": layers.activations,
        "norm": layers.layers[0].norm,
        "loss": layers.loss,
        # None for that of the tensors themselves.
        "precision": precision if precision == "bfloat16" else None,
        "flat": getattr(model, "_flat_targets", True),
        "names": layer_names(names, layers),
    }
    metadata = {"format": "pt", KEY: json.dumps(about), CHECKSUM: _checksum(about, tensors)}
    content = save(tensors, metadata=metadata)
    with writing(path) as stream:
        stream.write(content)


def load_safetensors(path: File, model: Any = None, names: Sequence[str] | None = None) -> Any:
    """Load a network's weights.

    Parameters
    ----------
    path : path-like or binary file
        The file: of `save_safetensors`, or any other with the weights of linear layers under PyTorch's names.
    model : MLP or fitted estimator, optional
        Where to load the weights to. By default a new `MLP`, for which the file must be of
        `save_safetensors`.
    names : sequence of str, optional
        The names of the modules from inputs to outputs, as for `load_torch`. By default as `save_safetensors`
        has noted them; in other files, which do not keep the order of their tensors, by the numbers in the
        names and by the shapes.

    Returns
    -------
    MLP or estimator
        `model`, or a new `MLP` that predicts as the saved network did. Options of training (``l2``,
        ``dropout``, ``label_smoothing``, the optimizer) are not part of the file.

    Raises
    ------
    ImportError
        If the package safetensors is not installed.
    TypeError, ValueError
        If the file is damaged, does not fit the model, does not say what network it is, or leaves open in
        which order layers of the same shape are; nothing has changed then. If `path` or `model` is none of
        these.
    RuntimeError
        While another thread trains `model`.
    OSError
        If the file cannot be read.
    """
    state, about = _read(path)
    if names is None:
        names = about.get("names")
    if model is None:
        model = _network(describe(path), about, state)
    layers = layers_of(model)
    try:
        take(layers, state, names, is_ordered=False)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{describe(path)} does not fit: {error}") from error
    return model


def _read(path: File) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The tensors of a file, and what it says about the network."""
    with needed("exchange.load_safetensors", "safetensors", "exchange"):
        from safetensors.numpy import load

    with reading(path) as stream:
        content = stream.read()
    about: Any
    try:
        state = load(content)
        (length,) = struct.unpack("<Q", content[:8])
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
        about, known = json.loads(metadata.get(KEY, "{}")), metadata.get(CHECKSUM)
        version = about.get("version", 1)
    except KeyError as error:
        raise ValueError(f"{describe(path)} has tensors of a dtype that NumPy has not: {error}") from error
    except Exception as error:  # the package's own, and whatever a damaged header leads to
        raise ValueError(f"{describe(path)} is damaged, or no file of safetensors: {error}") from error
    if type(version) is not int or version < 1:
        raise ValueError(f"{describe(path)} is damaged: there is no version {version!r} of what it says")
    if version > _VERSION:
        raise ValueError(f"{describe(path)} was written by a newer schuss, as version {version}")
    is_foreign = KEY not in metadata and known is None and not _tells_of_layers(metadata)
    # Files without a checksum have nothing else in their metadata; a damaged key is another key.
    is_old = version == 1 and metadata.keys() <= {"format", KEY}
    if not is_foreign and not is_old and known != _checksum(about, state):
        raise ValueError(f"{describe(path)} is damaged: its checksum is not that of its content")
    return state, about


def _tells_of_layers(metadata: Mapping[str, str]) -> bool:
    """Whether some of it reads like ours, though both of our keys are damaged, and maybe a word besides.

    Configurations of other programs have layers and activations, too.
    """
    return any(sum(f'"{word}"' in value for word in _WORDS) >= len(_WORDS) - 1 for value in metadata.values())


def _checksum(about: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Of the tensors, and of what is said about them."""
    return checksum({**tensors, "": np.array(json.dumps(about, sort_keys=True))})


def _network(place: str, about: Mapping[str, Any], state: Mapping[str, NDArray[Any]]) -> MLP:
    """A new network as the file describes it."""
    if not about:
        raise ValueError(f"{place} does not say what network it is: model must be given, got None")
    try:
        weights = [state[key_of(name, "weight")] for name in about["names"]]
        matrices = [weight.shape for weight in weights if weight.ndim == 2]
        if about["layers"] != [matrices[0][1], *(outputs for outputs, _ in matrices)]:
            raise ValueError(f"layers of {about['layers']} units are not those of its tensors")
        options = {"activation": about["activation"], "norm": about.get("norm"), "loss": about["loss"]}
        model = MLP(about["layers"], **options, dtype=weights[0].dtype)
        model._flat_targets = check_flag("flat", about["flat"])
        model._take_precision(precision_of(about.get("precision"), model.dtype))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{place} does not describe a network that this schuss knows: {error}") from error
    return model

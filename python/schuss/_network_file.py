"""Whole networks in files: what they are, what they have learnt, and how their training goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from . import history
from ._attributes import precision_of
from ._busy import TRAINING, refuse_elsewhere
from ._files import File, describe, read_tree, write_tree
from ._lengths import OpenSchedules
from ._network_state import expect_data, expect_theta
from ._recipe_data import data_of, data_of_rates, optimizer_of, rates_of_data
from .embeddings import plain, rebuilt

if TYPE_CHECKING:
    from typing_extensions import Self

_KIND = "network"
# The arguments that a network is made with, and where it keeps them.
_ARGUMENTS = {
    "layers": "layers",
    "activation": "activations",
    "loss": "objective",
    "seed": "seed",
    "l2": "l2",
    "dropout": "dropout",
    "label_smoothing": "label_smoothing",
    "norm": "norm",
    "_l2_per_weight": "_l2_per_weight",
    "input_scale": "input_scale",
    "parametric": "parametric",
}
# Those that earlier versions had not, whose networks have none of it.
_LATER: dict[str, Any] = {
    "label_smoothing": 0.0,
    "embeddings": (),
    "input_scale": False,
    "parametric": False,
}


class Saved:
    """What has `save` and `load`: see `schuss.MLP`."""

    def save(self, file: File) -> None:
        """Write the network to a file: architecture, parameters, optimizer with its state, history.

        Parameters
        ----------
        file : str, path or binary file
            Where to; a file that is there is replaced when the new one is whole.

        Raises
        ------
        TypeError
            If the optimizer has a function in it, such as a learning rate, or is of a class of your own: a
            file holds no code. Nothing has been written then. If `file` is none of these.
        RuntimeError
            While another thread trains it.
        OSError
            If it cannot be written; the old file is as it was then.

        Notes
        -----
        It is a ``.npz`` file without pickle and with a checksum, `theta` among its arrays. A network that is
        loaded continues its training to the same bits.
        """
        if TRAINING:
            refuse_elsewhere(self)
        write_tree(file, _KIND, tree_of(self))

    @classmethod
    def load(cls, file: File) -> Self:
        """Read a network that `save` has written.

        Parameters
        ----------
        file : str, path or binary file
            The file.

        Returns
        -------
        MLP
            Like the saved one in all that it had.

        Raises
        ------
        TypeError
            If `file` is none of these.
        ValueError
            If the file is damaged, or no network of this or an earlier version.
        OSError
            If it cannot be read.
        """
        tree = read_tree(file, _KIND)
        with knowing(file, "network"):
            net: Self = network_of(cls, tree)
        return net


@contextmanager
def knowing(file: File, what: str) -> Iterator[None]:
    """Whatever a sound file leads to that has something else in it than its kind says becomes one error."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{describe(file)} has no {what} that this schuss knows: {error}") from error


def tree_of(net: Any) -> dict[str, Any]:
    """All that a file has of a network."""
    tree: dict[str, Any] = {}
    for argument, name in _ARGUMENTS.items():
        value = getattr(net, name)
        tree[argument] = list(value) if isinstance(value, list) else value
    tree |= {
        "dropout": data_of_rates("dropout", net.dropout),
        "embeddings": plain(net.embeddings),
        "dtype": net.dtype.name,
        "precision": net.precision,
        "theta": net.theta.copy(),  # the file's checksum is of what is written
        "epochs_done": net._epochs_done,
        "flat_targets": net._flat_targets,
        "optimizer": None if net.optimizer is None else data_of(net.optimizer, net.params),
        "history": None,
    }
    if net._open_schedules is not None:
        total, groups, names, schedules = net._open_schedules
        rates = data_of_rates("schedules of the optimizer", schedules)
        tree["open_schedules"] = {"total": total, "groups": groups, "names": names, "schedules": rates}
    if net.history is not None:
        tree["history"] = history.plain(net.history)
    return tree


def network_of(kind: Any, tree: Mapping[str, Any]) -> Any:
    """The inverse."""
    # Files of earlier versions know nothing of what was added.
    tree = {**_LATER, **tree}
    expect_data(tree)
    arguments = {name: tree[name] for name in _ARGUMENTS}
    arguments["dropout"] = rates_of_data(arguments["dropout"])
    arguments["embeddings"] = rebuilt(tree["embeddings"])
    net = kind(arguments.pop("layers"), dtype=tree["dtype"], **arguments)
    # Also on a machine that cannot compute with it: there is more to a network than that.
    net._take_precision(precision_of(tree.get("precision"), net.dtype))
    expect_theta(tree["theta"], net.theta.size, net.dtype)
    net.theta[:] = tree["theta"]
    net._epochs_done, net._flat_targets = tree["epochs_done"], tree["flat_targets"]
    if tree["optimizer"] is not None:
        net.optimizer = optimizer_of(tree["optimizer"], net.params)
    if (known := tree.get("open_schedules")) is not None:
        known = {**known, "schedules": rates_of_data(known["schedules"])}
        net._open_schedules = OpenSchedules.of(**known)
    if tree["history"] is not None:
        net.history = history.rebuilt(**tree["history"])
    return net

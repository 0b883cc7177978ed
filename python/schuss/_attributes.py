"""The public attributes of a network: which of them stay, and what those that may be set take."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _schuss
from ._arrays import numbers, zeros_on_lines
from ._busy import TRAINING, refuse_elsewhere
from ._checks import check_name, check_number, shown
from ._data import Takes
from ._guard import FixedDict, FixedList, Guarded
from ._registry import LOSSES
from ._tensors import Place, per_layer, places, views
from .embeddings import levels
from .history import History

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._lengths import OpenSchedules
    from ._optimizer import Optimizer
    from .embeddings import Embedding

_STRUCTURE = "a network keeps its structure; make a new MLP"
_ARRAYS = "it is made of views of theta; write into them, net.params[0][:] = W"

FIXED = {
    "params": _ARRAYS,
    "named_params": _ARRAYS,
    "layers": _STRUCTURE,
    "activations": _STRUCTURE,
    "norm": _STRUCTURE,
    "embeddings": _STRUCTURE,
    "input_scale": _STRUCTURE,
    "parametric": _STRUCTURE,
    "objective": "a network keeps its loss; make a new MLP(loss=...) and give it theta",
    "dtype": "a network keeps its dtype; make a new MLP(dtype=...) and give it theta",
    "seed": "the initial weights were drawn with it; give fit(seed=...) another for shuffling",
}

ELSEWHERE = {
    "lr": "the learning rate is that of the optimizer, net.optimizer.lr",
    "learning_rate": "the learning rate is that of the optimizer, net.optimizer.lr",
    "weights": "write into net.params, [W1, b1, W2, b2, ...]",
    "activation": _STRUCTURE,
    "weight_decay": "it is the optimizer's; the penalty of the objective is net.l2",
    "alpha": "the penalty of the objective is net.l2",
    "batch_size": "give it to fit",
    "epochs": "give it to fit",
    "n_threads": "give it to fit, predict and loss",
}


def rates_of(dropout: Any, hidden: int) -> list[float | _schuss.Schedule]:
    """The rate of each hidden layer, or what it follows; the core knows their range."""
    rates = per_layer("dropout", dropout, hidden, (Real, _schuss.Schedule))
    return [r if isinstance(r, _schuss.Schedule) else check_number("dropout", r) for r in rates]


def check_dropout(rates: Sequence[float | _schuss.Schedule], steps: int | None) -> None:
    """Refuse schedules that a training of so many steps cannot follow; None where nobody knows how many."""
    for rate in rates:
        if not isinstance(rate, _schuss.Schedule):
            continue
        if steps is None:
            raise ValueError(f"dropout must be numbers where X is a source of blocks, got {rate!r}")
        rate.with_length(steps)


def check_outputs(loss: Any, widths: Sequence[int]) -> None:
    """Refuse a softmax of one output, which is 1 whatever is learnt."""
    if isinstance(loss, str) and loss == "cross_entropy" and widths and widths[-1] == 1:
        hint = "for two classes and one output the loss is 'binary_cross_entropy'"
        raise ValueError(f"layers must end with at least 2 outputs for 'cross_entropy', got {widths}: {hint}")


def precision_of(precision: Any, dtype: np.dtype[Any]) -> str:
    """What products are computed with, by default the dtype; the core knows what this machine has."""
    if precision is None:
        return str(dtype.name)
    name = check_name("precision", precision, ["None", *_schuss.PRECISIONS])
    accepted = ("float32", "bfloat16") if dtype == np.float32 else ("float64",)
    if name in _schuss.PRECISIONS and name not in accepted:
        words = " or ".join(map(repr, accepted))
        raise ValueError(f"precision must be None or {words} with dtype {dtype.name}, got {name!r}")
    return name


def zeros_for(name: str, given: Any, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Zeros for that many parameters, whose number follows from an argument."""
    try:
        return zeros_on_lines(count, dtype)
    except (MemoryError, ValueError):
        size, unit = count * dtype.itemsize / 2**20, "MiB"
        if size >= 1024:
            size, unit = size / 1024, "GiB"
        said = f"{name} must fit in memory, got {given}: {size:,.1f} {unit} of parameters"
        raise MemoryError(said) from None


def _set_theta(net: Attributes, value: Any) -> None:
    theta = net.theta
    # `theta *= 0.5` writes into the array, and then puts it where it is already.
    if value is theta:
        return
    new = numbers("theta", value, theta.dtype)
    if new.shape != theta.shape:
        raise ValueError(f"theta must be of shape {theta.shape}, got {new.shape}")
    if not np.isfinite(new).all():
        raise ValueError("theta must be finite, got NaN or infinite numbers")
    if not theta.flags.writeable:
        raise ValueError("theta must be writable to be set, got a read-only array")
    theta[:] = new


def _set_l2(net: Attributes, value: Any) -> None:
    l2 = check_number("l2", value)
    net._core = net._make_core(l2=l2)
    net.__dict__["l2"] = l2


def _set_dropout(net: Attributes, value: Any) -> None:
    rates = rates_of(value, len(net.activations))
    net._core = net._make_core(dropout=rates)
    net.__dict__["dropout"] = _fixed_rates(rates)


def _set_label_smoothing(net: Attributes, value: Any) -> None:
    share = check_number("label_smoothing", value)
    net._core = net._make_core(label_smoothing=share)
    net.__dict__["label_smoothing"] = share


def _set_precision(net: Attributes, value: Any) -> None:
    precision = precision_of(value, net.dtype)
    _schuss.check_precision(precision)
    net._take_precision(precision)


def _set_optimizer(net: Attributes, value: Any) -> None:
    if not isinstance(value, _schuss.Optimizer | _schuss.LBFGS | None):
        expected = "an optimizer of net.params, LBFGS or None; fit(optimizer=...) takes names too"
        raise TypeError(f"optimizer must be {expected}, got {shown(value)}")
    net.__dict__["optimizer"] = value


def _set_history(net: Attributes, value: Any) -> None:
    if not isinstance(value, History | None):
        raise TypeError(f"history must be a History or None, got {shown(value)}")
    net.__dict__["history"] = value


def core_of(structure: dict[str, Any]) -> _schuss.Network:
    """The core of a network with that structure."""
    return _schuss.Network(**structure | {"embeddings": [each._core for each in structure["embeddings"]]})


SETTABLE = {
    "theta": _set_theta,
    "l2": _set_l2,
    "dropout": _set_dropout,
    "label_smoothing": _set_label_smoothing,
    "precision": _set_precision,
    "optimizer": _set_optimizer,
    "history": _set_history,
}


def _fix(net: Attributes, params: Sequence[NDArray[Any]], names: Sequence[str]) -> None:
    """Give a network its lists and dicts, whose entries stay."""
    advice = "of a network are views of theta: write into them, net.params[0][:] = W"
    net.__dict__.update(
        params=FixedList(params, f"params {advice}"),
        named_params=FixedDict(zip(names, params, strict=True), f"named_params {advice}"),
        layers=FixedList(net.layers, f"layers cannot be changed: {_STRUCTURE}"),
        activations=FixedList(net.activations, f"activations cannot be changed: {_STRUCTURE}"),
        dropout=_fixed_rates(net.dropout),
    )


def _fixed_rates(rates: Sequence[float | _schuss.Schedule]) -> FixedList[float | _schuss.Schedule]:
    return FixedList(rates, "dropout cannot be changed in part: set all of it, net.dropout = [0.1, 0.2]")


class Attributes(Guarded):
    """What a network consists of; see `schuss.MLP`."""

    _fixed, _settable, _elsewhere = FIXED, SETTABLE, ELSEWHERE

    theta: NDArray[Any]
    params: list[NDArray[Any]]
    named_params: dict[str, NDArray[Any]]
    layers: list[int]
    activations: list[str]
    norm: str | None
    embeddings: tuple[Embedding, ...]
    input_scale: bool
    parametric: bool
    objective: str
    l2: float
    dropout: list[float | _schuss.Schedule]
    label_smoothing: float
    dtype: np.dtype[Any]
    precision: str
    seed: int
    optimizer: Optimizer | _schuss.LBFGS | None
    history: History | None
    _core: _schuss.Network
    _takes: Takes
    _places: list[Place]
    _l2_per_weight: bool
    _epochs_done: int
    _flat_targets: bool
    # Of the optimizer; earlier versions did not know.
    _open_schedules: OpenSchedules | None = None
    # Ends a training that another thread waits for; see `schuss.tables`.
    _stop_flag: _schuss.StopFlag | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if TRAINING and name in self._settable:
            refuse_elsewhere(self)
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        activation = self.activations[0] if len(set(self.activations)) == 1 else self.activations
        norm = f"norm={self.norm!r}, " if self.norm else ""
        if self.parametric:
            norm += "parametric=True, "
        if self.embeddings:
            norm += f"embeddings={list(self.embeddings)!r}, "
        if self.input_scale:
            norm += "input_scale=True, "
        options = f"activation={activation!r}, {norm}loss={self.objective!r}, dtype={self.dtype.name!r}"
        if self.label_smoothing:
            options += f", label_smoothing={self.label_smoothing!r}"
        if self.precision != self.dtype.name:
            options += f", precision={self.precision!r}"
        return f"MLP({self.layers}, {options})"

    def _make_core(self, **changed: Any) -> _schuss.Network:
        return core_of(self._structure() | changed)

    def _structure(self) -> dict[str, Any]:
        """All that the core is made of."""
        return {
            "widths": list(self.layers),
            "activations": list(self.activations),
            "loss": self.objective,
            "l2": self.l2,
            "l2_per_weight": self._l2_per_weight,
            "dropout": list(self.dropout),
            "label_smoothing": self.label_smoothing,
            "norm": self.norm,
            "embeddings": list(self.embeddings),
            "input_scale": self.input_scale,
            "parametric": self.parametric,
            "precision": self.precision,
        }

    def _take_precision(self, precision: str) -> None:
        """Also one that this machine cannot compute with."""
        self._core = self._make_core(precision=precision)
        self.__dict__["precision"] = precision

    def _derive(self) -> None:
        """What follows from the core and the vector of parameters: loops ask for it at every step."""
        self._takes = Takes(
            self.layers[0],
            self.layers[-1],
            LOSSES[self.objective],
            self.dtype,
            dense=bool(self.embeddings) or self.input_scale,
            categories=levels(self.embeddings),
        )
        self._places = places(self._core.tensors())
        _fix(self, views(self.theta, self._places), [place.name for place in self._places])

"""What pickle gives back to a network, looked at before it is one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import is_ready, on_lines
from ._checks import shown
from ._guard import FixedList
from ._schuss import LBFGS, Optimizer, Schedule
from .embeddings import Embedding
from .history import History, plain, rebuilt

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_list(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(of, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_optimizer(value: Any) -> bool:
    """Whether it is one, what stands for one, or none."""
    is_plain = isinstance(value, dict) and "class" in value
    return is_plain or value is None or isinstance(value, tuple | Optimizer | LBFGS)


_COUNT, _FLAG = "an integer of at least 0", "True or False"
_PARTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "layers": (_is_list(_is_count), "a list of integers"),
    "activations": (_is_list(_is_text), "a list of names"),
    "objective": (_is_text, "the name of a loss"),
    "seed": (_is_count, _COUNT),
    "l2": (_is_number, "a number"),
    "dropout": (_is_list(lambda v: _is_number(v) or isinstance(v, Schedule)), "a list of numbers"),
    "label_smoothing": (_is_number, "a number"),
    "norm": (lambda v: v is None or _is_text(v), "the name of a norm or None"),
    "embeddings": (lambda v: isinstance(v, tuple) and all(isinstance(e, Embedding) for e in v), "embeddings"),
    "input_scale": (lambda v: isinstance(v, bool), _FLAG),
    "parametric": (lambda v: isinstance(v, bool), _FLAG),
    "_l2_per_weight": (lambda v: isinstance(v, bool), _FLAG),
    "dtype": (lambda v: isinstance(v, np.dtype) and v in (np.float32, np.float64), "float32 or float64"),
    "precision": (_is_text, "the name of a precision"),
    "theta": (lambda v: isinstance(v, np.ndarray), "an array"),
    "history": (lambda v: v is None or isinstance(v, History), "a History or None"),
    "optimizer": (_is_optimizer, "an optimizer or None"),
    "_epochs_done": (_is_count, _COUNT),
    "_flat_targets": (lambda v: isinstance(v, bool), _FLAG),
}
# The same of what a file has.
_SAVED = {
    "layers": "layers",
    "theta": "theta",
    "epochs_done": "_epochs_done",
    "flat_targets": "_flat_targets",
    "_l2_per_weight": "_l2_per_weight",
}
# The seed of an epoch has the number of a block beside its own, in 64 bits.
_MOST_EPOCHS = 2**39


def plain_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state in lists, texts and dicts of plain kinds: savers that know these would make others of ours."""
    made = {name: list(value) if isinstance(value, FixedList) else value for name, value in state.items()}
    history = state["history"]
    return made | {"dtype": state["dtype"].name, "history": None if history is None else plain(history)}


def checked_state(state: Any) -> dict[str, Any]:
    """The state that `plain_state` has made plain, or an earlier version; what is no network is refused."""
    if not isinstance(state, dict):
        raise TypeError(f"the state of an MLP must be a dict, got {type(state).__name__}")
    if state.get("dtype") in ("float32", "float64"):
        state = state | {"dtype": np.dtype(state["dtype"])}
    history = state.get("history")
    if type(history) is dict and history.keys() == plain(History()).keys():
        try:
            state = state | {"history": rebuilt(**history)}
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"history of an MLP must be that of a training, got {shown(history)}") from error
    _expect_state(state)
    return dict(state)


def _expect_state(state: Mapping[str, Any]) -> None:
    """Refuse what is not all of a network."""
    for name, (is_right, expected) in _PARTS.items():
        if name not in state:
            got = ", ".join(map(str, state)) or "nothing"
            raise ValueError(f"the state of an MLP must have {name!r}, got {got}")
        if not is_right(state[name]):
            raise TypeError(f"{name} of an MLP must be {expected}, got {state[name]!r}")
    _expect_enough(state["layers"], state["theta"].size)


def expect_data(tree: Mapping[str, Any]) -> None:
    """Refuse what a file has of a network where no argument of it would be, and too few parameters."""
    for name, place in _SAVED.items():
        is_right, expected = _PARTS[place]
        if not is_right(tree[name]):
            raise TypeError(f"{name} must be {expected}, got {shown(tree[name])}")
    if tree["epochs_done"] > _MOST_EPOCHS:
        raise ValueError(f"epochs_done must be at most {_MOST_EPOCHS}, got {tree['epochs_done']}")
    _expect_enough(tree["layers"], tree["theta"].size)


def _expect_enough(widths: list[int], size: int) -> None:
    """No memory is asked for that the parameters do not have already."""
    if sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths)) > size:
        raise ValueError(f"theta must be the parameters of layers {shown(widths)}, got {size} numbers")


def expect_theta(theta: Any, size: int, dtype: np.dtype[Any]) -> None:
    """Refuse a vector of parameters of another network."""
    if not isinstance(theta, np.ndarray):
        raise TypeError(f"theta must be an array, got {type(theta).__name__}")
    if theta.shape != (size,) or theta.dtype != dtype or not is_ready(theta):
        raise ValueError(f"theta must be {size} numbers of {dtype}, got {theta.dtype} of shape {theta.shape}")


def expect_writable(theta: NDArray[Any]) -> None:
    """Refuse to train parameters that cannot be written."""
    if not theta.flags.writeable:
        hint = "copy.deepcopy(net) has one of its own"
        raise ValueError(f"theta must be writable to be trained, got a read-only array: {hint}")


def checked_theta(theta: Any, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """
    The vector of parameters of a state, which must be this network's.

    It begins with a cache line, unless its memory is somebody else's: a file's, or of several processes.
    """
    expect_theta(theta, size, dtype)
    # What NumPy unpickles lies in the bytes of the pickle.
    own = theta.base is None or isinstance(theta.base, bytes)
    return on_lines(theta, dtype) if own and theta.flags.writeable else theta

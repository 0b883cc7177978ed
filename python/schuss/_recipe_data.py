"""Optimizers as plain values and arrays: the recipe, and the state where one is at work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import optimizers
from ._masks import data_of_masks
from ._schuss import LBFGS, Optimizer, Schedule

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LBFGS_OPTIONS = ("history_size", "tolerance_grad", "tolerance_change", "max_line_search", "c1", "c2")
# The key of what stands for a schedule.
_SCHEDULE = "schedule"


def data_of(optimizer: Optimizer | LBFGS, params: Sequence[NDArray[Any]]) -> dict[str, Any]:
    """What makes the same optimizer again, for `params` where it works on them.

    Raises
    ------
    TypeError
        If there is a function in it, or it is of a class of the user's own: files hold no code.
    ValueError
        If it works on other arrays.
    """
    if isinstance(optimizer, LBFGS):
        return {"class": "LBFGS", **{name: getattr(optimizer, name) for name in _LBFGS_OPTIONS}}
    kind = type(optimizer)
    if getattr(optimizers, kind.__name__, None) is not kind:
        raise TypeError(f"optimizer must be of a class of schuss to be saved, got {kind.__qualname__}")
    parts: dict[str, Any] = optimizer.__reduce__()[2]
    if "params" in parts and not _are_same(parts.pop("params"), params):
        raise ValueError(
            "optimizer must work on the network's own arrays to be saved, got one of other arrays"
        )
    groups = [
        {name: plain(f"optimizer.param_groups[{number}][{name!r}]", value) for name, value in group.items()}
        for number, group in enumerate(parts["param_groups"])
    ]
    selectors = [
        plain(f"params[{number}]['params'] of optimizer", selector)
        for number, selector in enumerate(parts["selectors"], -1)
    ]
    data = {"class": kind.__name__, **parts, "param_groups": groups, "selectors": selectors}
    if "masks" in parts:
        opened = [[group, name, plain(name, schedule)] for group, name, schedule in parts["open"]]
        data |= {"masks": data_of_masks(parts["masks"]), "open": opened}
    return data


def optimizer_of(data: Mapping[str, Any], params: Sequence[NDArray[Any]]) -> Optimizer | LBFGS:
    """The inverse: an optimizer of these arrays where the saved one was at work."""
    parts = dict(data)
    name = parts.pop("class")
    if name == "LBFGS":
        return LBFGS(**parts)
    if not isinstance(name, str) or name not in optimizers.__all__:
        raise ValueError(f"there is no optimizer {name!r}")
    scheduled = ("lr", "weight_decay")
    groups = [
        {**group, **{name: rate_of(group[name]) for name in scheduled}} for group in parts["param_groups"]
    ]
    kind: type[Optimizer] = getattr(optimizers, name)
    optimizer = kind()
    at_work = {"params": list(params)} if "state" in parts else {}
    # Earlier versions did not save these.
    opened = [(group, name, rate_of(schedule)) for group, name, schedule in parts.get("open", [])]
    optimizer.__setstate__({**parts, "param_groups": groups, "open": opened, **at_work})
    return optimizer


def data_of_rates(name: str, rates: Sequence[float | Schedule]) -> list[Any]:
    """Numbers and schedules as plain values."""
    return [plain(name, rate) for rate in rates]


def rates_of_data(data: Sequence[Any]) -> list[float | Schedule]:
    """The inverse."""
    return [rate_of(rate) for rate in data]


def without_arrays(optimizer: Any, params: Sequence[NDArray[Any]]) -> Any:
    """What pickle and copy take along of an optimizer: class and parts, where it works on `params`."""
    if isinstance(optimizer, Optimizer):
        _, (kind,), parts = optimizer.__reduce__()
        if "params" in parts and _are_same(parts.pop("params"), params):
            return kind, parts
    # As plain data, which a saver without pickle need not be told to trust.
    return data_of(optimizer, params) if isinstance(optimizer, LBFGS) else optimizer


def with_arrays(saved: Any, params: Sequence[NDArray[Any]], names: Mapping[str, Any]) -> Any:
    """The inverse, for the new arrays."""
    if isinstance(saved, tuple):
        if len(saved) != 2 or not (isinstance(saved[0], type) and issubclass(saved[0], Optimizer)):
            raise TypeError(f"optimizer of an MLP must be a class and its parts, got {saved!r}")
        kind, parts = saved
        if not isinstance(parts, dict):
            raise TypeError(f"parts of the optimizer must be a dict, got {type(parts).__name__}")
        optimizer: Optimizer = kind.__new__(kind)
        optimizer.__setstate__({**parts, "params": list(params)})
        return optimizer
    if isinstance(saved, Optimizer) and "params" in saved.__reduce__()[2]:
        # Of other arrays, such as copies of these.
        _, (kind,), parts = saved.__reduce__()
        again: Optimizer = kind.__new__(kind)
        again.__setstate__({**parts, "params": list(params), "names": list(names)})
        return again
    return optimizer_of(saved, params) if isinstance(saved, dict) else saved


def _are_same(own: Any, params: Sequence[NDArray[Any]]) -> bool:
    if not isinstance(own, list | tuple) or len(own) != len(params):
        return False

    def place(array: Any) -> Any:
        interface = array.__array_interface__
        return interface["data"][0], interface["typestr"], array.shape, array.strides

    return all(isinstance(a, np.ndarray) and place(a) == place(b) for a, b in zip(own, params, strict=True))


def plain(place: str, value: Any) -> Any:
    """A value without code in it; schedules by their parts."""
    if isinstance(value, Schedule):
        return {_SCHEDULE: [plain(place, part) for part in value.__reduce__()[1]]}
    if isinstance(value, list | tuple):
        return type(value)(plain(place, part) for part in value)
    if isinstance(value, Mapping):
        return {name: plain(f"{place}[{name!r}]", part) for name, part in value.items()}
    if callable(value):
        instead = "a number or a schedule of schuss.schedules" if "'lr'" in place else "plain values"
        raise TypeError(f"{place} must be {instead} to be saved, got the function {value!r}")
    return value


def rate_of(value: Any) -> Any:
    """The inverse, of a number or a schedule."""
    if isinstance(value, Mapping):
        form, *arguments = value[_SCHEDULE]
        return Schedule(form, *map(rate_of, arguments))
    return tuple(map(rate_of, value)) if isinstance(value, list | tuple) else value

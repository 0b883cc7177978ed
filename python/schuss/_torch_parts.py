"""What a state dict of `torch.optim` is made of, looked at before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._checks import shown
from ._foreign import numbers_of

# Whole numbers that a float tells apart.
_MOST_STEPS = 2**53


@dataclass(frozen=True)
class Entry:
    """The state of one parameter, without what is None."""

    place: str
    values: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        if name not in self.values:
            got = ", ".join(map(str, self.values)) or "nothing"
            raise ValueError(
                f"state must have {name!r} for every array or for none, got {got} in {self.place}"
            )
        return self.values[name]

    def array(self, name: str, like: NDArray[Any], not_negative: bool) -> NDArray[Any]:
        """An array of the shape of a parameter."""
        place = f"{self.place}[{name!r}]"
        array = numbers_of(place, self[name], "fc")
        if array.shape != like.shape:
            raise ValueError(f"{place} must be of shape {like.shape}, got {array.shape}")
        accepted = {like.dtype, np.dtype(np.float32) if like.dtype == np.float16 else like.dtype}
        if array.dtype not in accepted:
            raise TypeError(f"{place} must be of the parameter's dtype, {like.dtype}, got {array.dtype}")
        if not_negative and any((part < 0).any() for part in (array.real, array.imag)):
            raise ValueError(f"{place} must not have negative numbers, got {array.real.min()}")
        return array

    def number(self, name: str) -> float:
        """A number, alone or in an array of its own."""
        return number_of(f"{self.place}[{name!r}]", self[name])


def number_of(place: str, value: Any) -> float:
    """A finite number, alone or in an array of its own, of any numeric type."""
    numbers = numbers_of(place, value, "fiu")
    if numbers.size != 1:
        raise ValueError(f"{place} must be one number, got shape {numbers.shape}")
    return float(numbers.item())


def parts_of(state: Any) -> tuple[list[Mapping[str, Any]], list[Entry]]:
    """The groups, and the entries of all their parameters in order."""
    if not isinstance(state, Mapping):
        raise TypeError(f"state must be a state_dict() of torch.optim, got {type(state).__name__}")
    for name in ("param_groups", "state"):
        if name not in state:
            raise ValueError(
                f"state must be a state_dict() of torch.optim, which has {name!r}; got {list(state)}"
            )
    groups, entries = state["param_groups"], state["state"]
    if (
        not isinstance(groups, Sequence)
        or not groups
        or not all(isinstance(group, Mapping) for group in groups)
    ):
        raise TypeError(f"state['param_groups'] must be a list of dicts, got {type(groups).__name__}")
    if not isinstance(entries, Mapping) or not all(isinstance(entry, Mapping) for entry in entries.values()):
        raise TypeError("state['state'] must be a dict of a dict for each parameter")
    indices: list[int] = []
    for number, group in enumerate(groups):
        members = group.get("params")
        if not isinstance(members, Sequence) or not all(isinstance(index, int) for index in members):
            raise TypeError(
                f"state['param_groups'][{number}]['params'] must be a list of numbers, got {shown(members)}"
            )
        indices += members
    if len(set(indices)) != len(indices):
        raise ValueError("state['param_groups'] must name each parameter once")
    if others := [index for index in entries if index not in indices]:
        raise ValueError(
            f"state['state'] must be of the parameters in the groups, {indices}, got {shown(others[0])}"
        )

    def entry(index: int) -> Entry:
        present = {name: value for name, value in entries.get(index, {}).items() if value is not None}
        return Entry(f"state['state'][{index}]", present)

    return list(groups), [entry(index) for index in indices]


def common(name: str, entries: Sequence[Entry]) -> float:
    """The number that all entries have."""
    values = {entry.number(name) for entry in entries}
    if len(values) != 1:
        raise ValueError(f"{name!r} must be the same for all arrays, got {sorted(values)}")
    return values.pop()


def whole_steps(entries: Sequence[Entry]) -> int:
    """The steps that all entries have taken."""
    steps = common("step", entries)
    if steps < 0 or steps != int(steps) or steps > _MOST_STEPS:
        raise ValueError(f"'step' must be a whole number of steps, got {steps}")
    return int(steps)

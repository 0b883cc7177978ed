"""Functions that decide which arrays decay, on their way through pickle and copy."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

# What stands for a function that is not there any more; see `Optimizer.bind`.
LEFT = "left"


class Mask:
    """A mask as a copy of an optimizer has it; where pickle would need a function, its name goes along."""

    def __init__(self, given: Any) -> None:
        self.given = given

    def __deepcopy__(self, memo: dict[int, Any]) -> Mask:
        # Functions are not copied, whatever they belong to: a copy asks the same one.
        return Mask(self.given if callable(self.given) else copy.deepcopy(self.given, memo))

    def __reduce__(self) -> tuple[Callable[..., Mask], tuple[Any, ...]]:
        if not callable(self.given):
            return Mask, (self.given,)
        name = getattr(self.given, "__module__", None), getattr(self.given, "__qualname__", None)
        found = found_mask(*name)
        return (found_mask, name) if found.given is self.given else (Mask, (LEFT,))


def found_mask(module: Any, name: Any) -> Mask:
    """The function of that name, or what stands for it where there is none."""
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, TypeError, ValueError):
        return Mask(LEFT)
    return Mask(found if callable(found) else LEFT)


def wrapped(masks: Iterable[Any]) -> list[Any]:
    """Masks as copies have them."""
    return [None if mask is None else Mask(mask) for mask in masks]


def unwrapped(masks: Iterable[Any]) -> list[Any]:
    """The inverse."""
    return [mask.given if isinstance(mask, Mask) else mask for mask in masks]


def data_of_masks(masks: Iterable[Any]) -> list[Any]:
    """Masks as plain values: files hold no code, and no other keys than strings."""

    def data(mask: Any) -> Any:
        is_flat = isinstance(mask, list | tuple) and all(isinstance(entry, bool | np.bool_) for entry in mask)
        if is_flat:
            return (tuple if isinstance(mask, tuple) else list)(map(bool, mask))
        return None if mask is None else LEFT

    return [data(mask) for mask in unwrapped(masks)]

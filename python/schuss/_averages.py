"""The average of a network's parameters that its optimizer keeps, where that is what a training is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from . import _schuss
from ._checks import check_flag

if TYPE_CHECKING:
    from numpy.typing import NDArray

Found = TypeVar("Found")


def check_averaged(given: object, optimizer: _schuss.Optimizer | _schuss.LBFGS) -> bool:
    """Whether the average counts, which the optimizer must keep then.

    That of a schedule-free rule is none that is kept: it follows from the parameters, and would be another
    one if it took their place.
    """
    averaged = check_flag("averaged", given)
    if not averaged:
        return False
    groups = [] if isinstance(optimizer, _schuss.LBFGS) else optimizer.param_groups
    if not groups or any(group["ema"] is None and group["swa_start"] is None for group in groups):
        name = type(optimizer).__name__
        raise ValueError(f"averaged must be False with {name} made without ema and swa_start, got True")
    return True


def average_of(optimizer: _schuss.Optimizer) -> NDArray[Any]:
    """The average of all parameters, one after the other as in the network's vector."""
    return np.concatenate([part.reshape(-1) for part in leaves(optimizer.averaged_params())])


def at_average(theta: NDArray[Any], optimizer: _schuss.Optimizer, look: Callable[[], Found]) -> Found:
    """What is found with the average in the place of the parameters, which are back in any case.

    It is no context manager: Ctrl-C may come while one is entered or left.
    """
    trained = theta.copy()
    try:
        theta[...] = average_of(optimizer)
        return look()
    finally:
        theta[...] = trained


def leaves(tree: Any) -> Iterator[NDArray[Any]]:
    """The arrays of a structure of lists and dicts, in order."""
    if isinstance(tree, np.ndarray):
        yield tree
        return
    for part in tree.values() if isinstance(tree, dict) else tree:
        yield from leaves(part)

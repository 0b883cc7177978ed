"""A fit that is refused leaves its estimator as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ._record import CURVES
from ._tasks import TO_TEAR_DOWN

if TYPE_CHECKING:
    from typing_extensions import Self

Copies: TypeAlias = dict[str, Callable[[Any], Any]]
# What a fit that goes on changes in place before the training begins, and how it is copied.
CHANGED_IN_PLACE: Copies = {"_optimizer": copy.copy, "_split_state": copy.deepcopy}
# And with the training, whose parameters are views of one vector; all other attributes it replaces.
TRAINED_IN_PLACE: Copies = {
    **CHANGED_IN_PLACE,
    **dict.fromkeys(CURVES, copy.copy),
    **dict.fromkeys(("coefs_", "intercepts_"), copy.deepcopy),
}


def with_own(attributes: Mapping[str, Any], copies: Copies) -> dict[str, Any]:
    """Attributes of an estimator with copies of those that are changed in place."""
    own = {name: copied(attributes[name]) for name, copied in copies.items() if name in attributes}
    return {**attributes, **own}


def state_of(random_state: Any) -> Any:
    """Where a generator of the user's is, which a fit that is refused does not move; None for none."""
    return random_state.get_state() if isinstance(random_state, np.random.RandomState) else None


class Before:
    """An estimator as it was before a fit, which an exception brings back until the training begins.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator.

    Attributes
    ----------
    start : float
        When the fit began.
    """

    def __init__(self, estimator: Any) -> None:
        self.start = perf_counter()
        self._estimator = estimator
        self._attributes: dict[str, Any] | None = with_own(vars(estimator), CHANGED_IN_PLACE)
        self._random_state, self._state = estimator.random_state, state_of(estimator.random_state)

    def is_over(self) -> None:
        """The training begins: from here on its parameters count, and the old ones need no memory."""
        self._attributes = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._attributes is not None:
            now = vars(self._estimator)
            kept = {name: now[name] for name in TO_TEAR_DOWN if name in now}
            now.clear()
            now.update(self._attributes | kept)
            if self._state is not None:
                self._random_state.set_state(self._state)

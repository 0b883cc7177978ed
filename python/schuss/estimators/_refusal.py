"""A fit that is refused leaves its estimator as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._tasks import TO_TEAR_DOWN

if TYPE_CHECKING:
    from typing_extensions import Self

# What a fit that goes on changes in place, and how it is copied; all other attributes it replaces.
CHANGED_IN_PLACE: dict[str, Callable[[Any], Any]] = {"_optimizer": copy.copy, "_split_state": copy.deepcopy}


class Before:
    """An estimator as it was before a fit, which an exception brings back until the training begins.

    Parameters
    ----------
    estimator : BaseMLP
        The estimator.
    """

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._attributes: dict[str, Any] | None = dict(vars(estimator))
        for name, copied in CHANGED_IN_PLACE.items():
            if name in self._attributes:
                self._attributes[name] = copied(self._attributes[name])

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

"""Who looks at an estimator after each epoch, and may end its training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._callbacks import want_to_stop
from ._tasks import Tasks


class Listeners:
    """The user's callbacks, and scikit-learn's.

    Attributes
    ----------
    look : bool
        Whether there is anybody who looks.
    """

    def __init__(self, estimator: Any, callbacks: Sequence[Callable[..., Any]], tasks: Tasks | None) -> None:
        self._estimator = estimator
        self._callbacks = list(callbacks)
        self._tasks = tasks if tasks is not None and tasks.listened_to else None
        self.look = bool(self._callbacks or self._tasks)

    def begin_epoch(self) -> None:
        """To be called before an epoch."""
        if self._tasks is not None:
            self._tasks.begin_epoch()

    def end_epoch(self) -> bool:
        """To be called after an epoch. Whether somebody wants it to be the last."""
        ends = self._tasks is not None and self._tasks.end_epoch()
        return want_to_stop(self._callbacks, self._estimator) or ends

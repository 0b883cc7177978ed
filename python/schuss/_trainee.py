"""What a training asks of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from . import _schuss
from ._data import Rows
from ._lengths import OpenSchedules
from ._metrics import Metric
from ._pieces import Pieces, SecondsLeft
from ._schuss import LBFGS

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


class Trainee(Protocol):
    """What is trained, a `schuss.MLP`: between epochs, callbacks may look at all of it and change it."""

    theta: NDArray[Any]
    objective: str
    l2: float
    dropout: list[float | _schuss.Schedule]
    label_smoothing: float
    precision: str
    _core: _schuss.Network
    _epochs_done: int
    _flat_targets: bool
    _open_schedules: OpenSchedules | None
    _stop_flag: _schuss.StopFlag | None

    @property
    def optimizer(self) -> _schuss.Optimizer | LBFGS | None: ...

    def _look(self, rows: Rows | Pieces, n_threads: int | None, seconds_left: SecondsLeft) -> float: ...

    def _measure(
        self,
        metrics: Sequence[Metric],
        rows: Rows | Pieces,
        n_threads: int | None,
        seconds_left: SecondsLeft,
    ) -> list[float]: ...

"""What a training asks of those who train with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from . import _schuss
from ._data import Blocks, Rows
from ._metrics import Metric
from ._sharded import Share
from ._stop import Stop

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Dialogue(Protocol):
    """Who trains one network with this process: `Peers`, other processes; or `Collector`, anybody at all.

    The core calls further methods, with views of its memory.

    Attributes
    ----------
    rank, size : int
        The number of this process, and how many there are.
    share : Share or None
        The shards whose rows this process alone has.
    stop_flag : StopFlag
        What the core asks whether to go on.
    agreed : bool
        Whether nobody goes on, or waits for this process.
    """

    rank: int
    size: int
    agreed: bool
    share: Share | None
    stop_flag: _schuss.StopFlag

    def check(
        self, settings: dict[str, Any], source: Rows | Blocks, metrics: Sequence[Metric]
    ) -> Rows | Blocks:
        """Refuse what cannot be done together; the rows, which know how many others have."""
        ...

    def checksum(self, rows: Rows) -> int:
        """What tells the rows of all from others."""
        ...

    def begin(self, facts: Mapping[str, Any], saves: bool = False) -> None:
        """All are here, and begin to train; `saves` says whether this one was asked to save."""
        ...

    def expect_block(self, n_rows: int, flat: bool) -> None:
        """Refuse that the next block is not the same everywhere."""
        ...

    def after_call(self, stop: Stop, theta: NDArray[Any]) -> Stop:
        """Whether to go on after a call of the core."""
        ...

    def as_first(self, numbers: Sequence[float]) -> list[float]:
        """The numbers that process 0 has."""
        ...

    def tell_all(self, thing: Any) -> list[Any]:
        """What each process says."""
        ...

    def has_ended(self, stop: Stop, error: BaseException | None) -> BaseException | None:
        """What is to be raised after a call of the core with that reason, or error."""
        ...

    def meet(self) -> None:
        """Wait for the others at the end."""
        ...

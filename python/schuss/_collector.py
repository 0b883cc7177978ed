"""Who makes the steps of a training whose gradients others compute, shard by shard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from . import _schuss
from ._data import Blocks, Rows, Takes, steps_of
from ._metrics import Metric
from ._sharded import Share
from ._sparse import Sparse
from ._stop import Stop

if TYPE_CHECKING:
    from numpy.typing import NDArray

Sums: TypeAlias = "tuple[NDArray[Any], Sequence[float]]"
"""What comes of a group of shards: nodes of the tree, a row for each, and loss and weight of each shard."""

Compute: TypeAlias = "Callable[[NDArray[Any], dict[str, Any]], Callable[[], Sequence[Sums]]]"
"""Begins to compute all groups at some parameters, with options of `Network.shard_sums` to which each adds
its `part`. What it returns waits for the results, one for each group in their order."""


def rows_elsewhere(takes: Takes, count: int, *, flat: bool) -> Rows:
    """So many rows for a network, none of them here; `flat`: whether targets have no second dimension."""
    classes = takes.loss.targets == "classes"
    targets = np.empty(0, np.uint32) if classes else np.empty((0, takes.outputs), takes.dtype)
    return Rows(np.empty((0, takes.inputs), takes.dtype), targets, flat=flat, everywhere=count)


class Collector:
    """In place of a communicator: has no rows, and makes every step with what groups of shards bring.

    What is computed elsewhere depends on the parameters and on the number of the step alone, so it can be
    computed again, anywhere, to the same bits.

    Parameters
    ----------
    groups : sequence of (int, int)
        Consecutive shards that are computed together, all of them in their order, at least two.
    compute : Compute
        Has them computed.
    checksum : callable
        The sum of `Share.checksum` over all groups, with which rows are told from others; asked for where
        there is a checkpoint.

    Attributes
    ----------
    rank, size, share, agreed : int, int, None, True
        As those of a process that is alone.
    stop_flag : StopFlag
        Never set: Ctrl-C is heard by the core.
    """

    rank, size, agreed = 0, 1, True
    share: Share | None = None

    def __init__(
        self, groups: Sequence[tuple[int, int]], compute: Compute, checksum: Callable[[], int]
    ) -> None:
        self.groups = list(groups)
        self.stop_flag = _schuss.StopFlag()
        self._compute, self._checksum = compute, checksum
        self._settings: dict[str, Any] = {}
        self._rows: Rows | None = None
        self._dtype = np.dtype(np.float32)
        self._wait: Callable[[], Sequence[Sums]] | None = None
        self._nodes: list[list[NDArray[Any]]] = []

    # What a training says: see `Dialogue`.

    def check(
        self, settings: dict[str, Any], source: Rows | Blocks, metrics: Sequence[Metric]
    ) -> Rows | Blocks:
        """Note what is common to all steps; who makes a collector has seen to the arguments."""
        assert isinstance(source, Rows)
        assert source.everywhere is not None
        assert settings["sharded"]
        assert self.groups[-1][1] == settings["shards"] > 1
        assert not metrics
        x = source.x.data if isinstance(source.x, Sparse) else source.x
        self._rows, self._settings, self._dtype = source, settings, x.dtype
        return source

    def checksum(self, rows: Rows) -> int:
        """What tells the rows from others."""
        return self._checksum()

    def begin(self, facts: Mapping[str, Any], saves: bool = False) -> None:
        """Note how many steps the training has, which schedules may count."""
        assert self._rows is not None  # `check` comes first
        names = ("batch_size", "shards", "sharded", "shuffle", "seed")
        self._settings = {name: self._settings[name] for name in names} | {
            "all_rows": self._rows.everywhere,
            "total_steps": steps_of(self._rows, self._settings["batch_size"], facts["epochs"]),
            "epochs": 1,
        }

    def expect_block(self, n_rows: int, flat: bool) -> None:
        """Nobody else reads blocks."""

    def after_call(self, stop: Stop, theta: NDArray[Any]) -> Stop:
        """Nobody else has a say."""
        return stop

    def as_first(self, numbers: Sequence[float]) -> list[float]:
        """The numbers that the first process has: this one."""
        return list(numbers)

    def tell_all(self, thing: Any) -> list[Any]:
        """What each process says: this one."""
        return [thing]

    def meet(self) -> None:
        """Nobody waits."""

    def has_ended(self, stop: Stop, error: BaseException | None) -> BaseException | None:
        """What is to be raised after a call of the core."""
        return KeyboardInterrupt() if error is None and stop is Stop.INTERRUPTED else error

    def __enter__(self) -> Collector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait, self._nodes = None, []

    # What the core calls, with views of its memory that are gone afterwards.

    def begin_step(self, theta: memoryview, epoch: int, epochs_done: int, row: int) -> None:
        """Have all groups computed."""
        options = {
            **self._settings,
            "first_epoch": epoch,
            "epochs_before": epochs_done,
            "start": (row, 0.0, 0.0, 0.0, float("nan")),
        }
        self._wait = self._compute(np.frombuffer(theta, self._dtype).copy(), options)

    def gather(self, mine: memoryview, all_of_them: memoryview) -> None:
        """Wait for the groups; their losses and weights."""
        assert self._wait is not None  # a step has begun
        results = self._wait()
        self._wait, self._nodes = None, [list(nodes) for nodes, _ in results]
        said = np.zeros((1 + len(self.groups), len(mine) // 8))
        said[0] = np.frombuffer(mine)
        for to, (_, figures) in zip(said[1:], results, strict=True):
            to[1 : 1 + len(figures)] = figures
        all_of_them[:] = said.data.cast("B")

    def receive(self, data: memoryview, source: int) -> None:
        """Take the next node of a group."""
        data[:] = self._nodes[source - 1].pop(0).data.cast("B")

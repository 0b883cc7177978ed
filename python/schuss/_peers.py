"""The processes that train one network together, over a communicator of MPI's or one that is like it."""

from __future__ import annotations

import json
import pickle
import signal
import sys
import threading
import traceback
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from time import sleep
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from . import _schuss
from ._checks import shown, where_apart
from ._collector import Collector
from ._data import Blocks, Rows
from ._metrics import Metric
from ._sharded import Share, share_of
from ._stop import Stop

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHODS = ("Get_rank", "Get_size", "Alltoallv", "Allgather", "Bcast", "Abort")
# What MPI counts parameters in: of either dtype, and 31 bits may be all that counts have.
WORD: Literal["I"] = "I"
WORD_BYTES = 4
# What each process tells the others before a training begins, as JSON: an emoji takes twelve of its bytes.
GREETING = 2**15
SHOWN = 1000
# Rows whose predictions all processes tell each other after an epoch, for metrics that are functions.
MOST_TOLD = 2**20
# Seconds in which what was written last reaches the terminal.
PASSED_ON = 0.5
_STOPS: list[Stop] = list(Stop)


Places: TypeAlias = "Sequence[tuple[int, int]]"
"""For each process, where its bytes begin and end."""


class Peers:
    """The processes of a communicator, which all call `MLP.fit` with the same arguments.

    A training is a dialogue in which all say something at the same time. Where one cannot go on, and the
    others do not know it, it ends all of them: nobody waits for ever.

    Parameters
    ----------
    comm : communicator
        Only methods that send buffers are used.

    Attributes
    ----------
    rank, size : int
        The number of this process, and how many there are.
    groups : None
        The core finds out which shards are whose.
    share : Share or None
        The shards whose rows this process alone has.
    begun : bool
        Whether the training has begun: until then processes learn of each other's errors.
    agreed : bool
        Whether it has ended for all of them.
    stop_flag : StopFlag
        Set by Ctrl-C.
    """

    groups = None

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())
        self.begun = self.agreed = False
        self.share: Share | None = None
        self.stop_flag = _schuss.StopFlag()
        # Which keeps nothing of what it is shown.
        self._is_mpi4pys = type(comm).__module__.partition(".")[0] == "mpi4py"
        self._handler: Any = None

    # What the core calls, with views of its memory that are gone afterwards.

    def swap(self, mine: memoryview, parts: Places, theirs: memoryview, places: Places) -> None:
        """Send a part to each, and get one from each."""
        with self._shown(mine) as sent, self._shown(theirs, returns=True) as received:
            self.comm.Alltoallv([sent, _words(parts)], [received, _words(places)])

    def spread(self, mine: memoryview, all_of_them: memoryview, places: Places) -> None:
        """Send all that is here to all.

        Not by Allgatherv, which MPICH pipelines in pieces of 32 KiB: each of them pays a latency.
        """
        parts = [(0, len(mine))] * self.size
        with self._shown(mine) as sent, self._shown(all_of_them, returns=True) as received:
            self.comm.Alltoallv([sent, _words(parts)], [received, _words(places)])

    def gather(self, mine: memoryview, all_of_them: memoryview) -> None:
        """Send the same number of bytes from each to all."""
        with self._shown(mine, "B") as sent, self._shown(all_of_them, "B", returns=True) as received:
            self.comm.Allgather(sent, received)

    def _shown(
        self, lent: memoryview, of: Literal["I", "B"] = WORD, returns: bool = False
    ) -> AbstractContextManager[memoryview]:
        """The core's memory in words or bytes; for who might keep it a copy, whose content returns."""
        return _borrowed(lent, of) if self._is_mpi4pys else _copied(lent, of, returns)

    # What a training says.

    def check(
        self, settings: dict[str, Any], source: Rows | Blocks, metrics: Sequence[Metric]
    ) -> Rows | Blocks:
        """Refuse what several processes cannot do; one thread for each of them, unless more are asked for.

        Returns
        -------
        Rows or Blocks
            The source; with ``sharded`` it knows what of it is for this process.
        """
        self.check_shards(settings["shards"])
        settings["threads"] = settings["threads"] or 1
        if not settings["sharded"]:
            if not isinstance(source, Rows):
                raise TypeError(
                    "X must be an array with comm, the same in every process, unless sharded is True; "
                    "got blocks"
                )
            return source
        if isinstance(source, Rows):
            return self._own(settings, source, metrics)
        self.share = share_of(self.rank, self.size, settings["shards"], settings["batch_size"])
        source.part = self.share.rows
        return source

    def checksum(self, rows: Rows) -> int:
        """What tells the rows of all processes from others."""
        assert self.share is not None  # `check` has seen to it
        mine = self.share.checksum(rows, rows.n_rows)
        return sum(words["checksum"] for words in self._hear({"checksum": mine}))

    def _own(self, settings: dict[str, Any], rows: Rows, metrics: Sequence[Metric]) -> Rows:
        """Rows that other processes do not have, who have others."""
        check_unit("sample_weight", rows.weights)
        told = self.tell_all((rows.n_rows, rows.weights is not None, rows.total_weight))
        everywhere = sum(count for count, _, _ in told)
        self.take_share(rows.n_rows, everywhere, settings["shards"], settings["batch_size"])
        self.expect_same("sample_weight", ["given" if has else "not given" for _, has, _ in told])
        if not any(weight for _, _, weight in told):
            raise ValueError("sample_weight must leave some weight to the rows, got none")
        functions = [metric.name for metric in metrics if metric.needs_all]
        if functions and everywhere > MOST_TOLD:
            raise ValueError(
                f"metrics must be names where processes have more than {MOST_TOLD:,} rows of their own: a "
                f"function is told all predictions, got {functions[0]} for {everywhere:,} rows"
            )
        return rows._replace(everywhere=everywhere)

    def take_share(self, here: int, everywhere: int, n_shards: int, batch_size: int | None) -> Share:
        """The shards of this process; refuses other rows than theirs."""
        self.share = share_of(self.rank, self.size, n_shards, batch_size)
        first, end = self.share.rows(everywhere)
        if here != end - first:
            raise ValueError(
                f"X must have {end - first} rows on rank {self.rank}, those from {first} to {end} of "
                f"{everywhere}, as schuss.distributed.rows says, got {here}"
            )
        return self.share

    def expect_same(self, name: str, told: Sequence[object]) -> None:
        """Refuse what is not the same everywhere."""
        for rank, theirs in enumerate(told):
            if theirs != told[0]:
                raise _differ(name, theirs, rank, told[0])

    def check_shards(self, n_shards: int) -> None:
        """Refuse fewer shards than processes."""
        if n_shards < self.size:
            raise ValueError(
                f"n_shards must be at least the number of processes, {self.size}, got {n_shards}"
            )

    def begin(self, facts: Mapping[str, Any], saves: bool = False) -> None:
        """All are here, and begin to train; from now on Ctrl-C is noted. Raises what `compare` does."""
        self.compare(facts, saves=saves)
        self.begun = True
        self._note_interrupts()

    def compare(self, facts: Mapping[str, Any], word: Any = None, saves: bool = False) -> Any:
        """All are here, and are about to do the same; the word that process 0 has said besides.

        Raises
        ------
        ValueError
            If a fact is not the same everywhere, or where process 0 does not save, and another was asked to.
        RuntimeError
            If another process could not begin.
        """
        told = {name: zlib.crc32(str(fact).encode()) for name, fact in facts.items()}
        everybody = self._hear({"facts": told, "word": word, "saves": saves})
        for name in {name: None for words in everybody for name in words["facts"]}:
            if len({words["facts"].get(name) for words in everybody}) > 1:
                self.expect_same(name, self.tell_all(str(facts.get(name, "not given"))))
        self.agreed = True  # whatever is raised here is raised everywhere
        saving = [rank for rank, words in enumerate(everybody) if words["saves"]]
        if saving and saving[0] > 0:
            raise ValueError(
                f"checkpoint must be given on rank 0, which alone writes it, got one on rank {saving[0]} only"
            )
        self.agreed = False
        return everybody[0]["word"]

    def expect_block(self, n_rows: int, flat: bool) -> None:
        """All are about to learn from a block of so many rows, 0 where none is left, and targets of a form.

        Raises
        ------
        ValueError
            If it has another number of rows somewhere, or y another number of dimensions.
        """
        everybody = np.empty((self.size, 2), np.int64)
        mine = np.array([n_rows, 1 if flat else 2], np.int64)
        self.comm.Allgather(mine.view(np.uint8), everybody.view(np.uint8))
        for numbers, what in zip(everybody.T, ("rows", "dimensions of y"), strict=True):
            others = np.flatnonzero(numbers != numbers[0])
            if others.size:
                self.agreed = True
                raise ValueError(
                    "X must give the same blocks in every process, which takes its part of each: the next "
                    f"one has {numbers[others[0]]} {what} on rank {others[0]}, and {numbers[0]} on rank 0"
                )

    def after_call(self, stop: Stop, theta: NDArray[Any]) -> Stop:
        """Whether to go on after a call of the core, which process 0 decides; or somebody was interrupted.

        Raises
        ------
        RuntimeError
            If the parameters are not the same everywhere.
        """
        stop = Stop.INTERRUPTED if self.stop_flag.is_set() else stop
        mine = np.array([_STOPS.index(stop), zlib.crc32(theta.data)], np.int64)
        everybody = np.empty((self.size, 2), np.int64)
        self.comm.Allgather(mine.view(np.uint8), everybody.view(np.uint8))
        others = np.flatnonzero(everybody[:, 1] != everybody[0, 1])
        if others.size:
            self.agreed = True
            raise RuntimeError(
                f"the parameters on rank {others[0]} are no longer those on rank 0: callbacks must do the "
                "same in every process, and processors must be of one kind, or SCHUSS_SIMD name one for all"
            )
        stops = [_STOPS[int(index)] for index in everybody[:, 0]]
        self.agreed = Stop.INTERRUPTED in stops
        return Stop.INTERRUPTED if self.agreed else stops[0]

    def as_first(self, numbers: Sequence[float]) -> list[float]:
        """The numbers that process 0 has; those of the others do not count."""
        said = np.array(numbers, np.float64)
        self.comm.Bcast(said.view(np.uint8), root=0)
        return [float(number) for number in said]

    def meet(self) -> None:
        """Wait for the others: what the first one has saved is there when any goes on."""
        self.comm.Allgather(np.zeros(1, np.uint8), np.empty(self.size, np.uint8))
        self.agreed = True
        if self.stop_flag.is_set():  # too late for the others to learn of it
            raise KeyboardInterrupt

    def has_ended(self, stop: Stop, error: BaseException | None) -> BaseException | None:
        """What is to be raised after a call of the core with that reason, or error."""
        # Numbers that are not finite are found everywhere, and who is interrupted has told the others.
        self.agreed = isinstance(error, _schuss.NonFiniteError) or stop is Stop.INTERRUPTED
        return KeyboardInterrupt() if error is None and stop is Stop.INTERRUPTED else error

    def __enter__(self) -> Peers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
        if error is None or self.agreed:
            return
        if not self.begun and isinstance(error, Exception):
            self._greet({"error": f"{type(error).__name__}: {error}"[:SHOWN]})
            return
        sys.stdout.flush()
        lines = "".join(traceback.format_exception(kind, error, trace))
        print(
            f"rank {self.rank} of {self.size} ends the training of all:\n{lines}", file=sys.stderr, flush=True
        )
        # `mpiexec` loses what it has not passed on when it learns of the end.
        sleep(PASSED_ON)
        self.comm.Abort(1)

    def _note_interrupts(self) -> None:
        """From now on what Ctrl-C raises is noted, for the core to tell all; a second one is raised.

        A handler that raises nothing lets the training go on, as in one process.
        """
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(handler):
            return

        def note(*what: Any) -> None:
            try:
                handler(*what)
            except KeyboardInterrupt:
                if self.stop_flag.is_set():
                    raise
                self.stop_flag.set()

        signal.signal(signal.SIGINT, note)
        self._handler = handler

    def tell_all(self, thing: Any) -> list[Any]:
        """What each process says, anything that can be pickled; not more than once an epoch."""
        mine = pickle.dumps(thing)
        lengths = [words["length"] for words in self._hear({"length": len(mine)})]
        padded, everybody = np.zeros(max(lengths), np.uint8), np.empty((self.size, max(lengths)), np.uint8)
        padded[: len(mine)] = np.frombuffer(mine, np.uint8)
        self.comm.Allgather(padded, everybody)
        return [
            pickle.loads(said[:length].tobytes()) for said, length in zip(everybody, lengths, strict=True)
        ]

    def _hear(self, words: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What all say, while nobody has an error."""
        everybody = self._greet(words)
        for rank, said in enumerate(everybody):
            if "error" in said:
                self.begun = self.agreed = True  # raised everywhere
                raise RuntimeError(f"the training could not begin on rank {rank}: {said['error']}")
        for rank, said in enumerate(everybody):
            if said.keys() != everybody[0].keys():
                self.begun = self.agreed = True  # raised everywhere
                raise ValueError(
                    "every process must call fit with the same arguments: what rank "
                    f"{rank} is about to do, rank 0 is not; sharded, or which rows are to be held out, differ"
                )
        return everybody

    def _greet(self, words: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What every process says before a training."""
        mine = np.zeros(GREETING, np.uint8)
        text = json.dumps(words).encode()
        mine[: len(text)] = np.frombuffer(text, np.uint8)
        everybody = np.empty((self.size, GREETING), np.uint8)
        self.comm.Allgather(mine, everybody)
        return [json.loads(bytes(said).rstrip(b"\0")) for said in everybody]


def peers_of(comm: Any) -> AbstractContextManager[Peers | Collector | None]:
    """What the argument `comm` of `MLP.fit` asks for: a dialogue, or none where one process is alone."""
    if comm is None:
        return nullcontext()
    if isinstance(comm, Collector):
        return comm
    expect_communicator(comm, "None or a communicator")
    peers = Peers(comm)
    return peers if peers.size > 1 else nullcontext()


def expect_communicator(comm: Any, accepted: str = "a communicator") -> None:
    """Refuse what has not the methods of MPI's communicators that are used."""
    missing = [name for name in METHODS if not callable(getattr(comm, name, None))]
    if missing:
        raise TypeError(
            f"comm must be {accepted}, such as mpi4py's MPI.COMM_WORLD, got {shown(comm)}, "
            f"without {missing[0]}"
        )


def check_unit(name: str, weights: Any) -> None:
    """Refuse weights in a unit of their own: others would have another one."""
    if isinstance(weights, tuple):
        got = f"numbers of about {weights[1]:.0e}"
        raise ValueError(f"{name} must be of about 1 where each process has its own rows, got {got}")


def _differ(name: str, theirs: object, rank: int, here: object) -> ValueError:
    that, this = where_apart(str(theirs), str(here))
    return ValueError(
        f"every process must call fit with the same arguments: {name} is {that} on rank {rank}, and {this} "
        "on rank 0"
    )


@contextmanager
def _copied(lent: memoryview, of: Literal["I", "B"], returns: bool) -> Iterator[memoryview]:
    """A copy of memory, which may be kept: a slice of the memory itself would outlive it."""
    content = bytearray(lent) or bytearray(WORD_BYTES)
    yield memoryview(content).cast(of)
    if returns:
        lent[:] = memoryview(content)[: len(lent)]


@contextmanager
def _borrowed(lent: memoryview, of: Literal["I", "B"]) -> Iterator[memoryview]:
    """Memory as MPI takes it. No bytes of Rust's lie at address 1, which is Open MPI's `MPI_IN_PLACE`."""
    words = (lent if len(lent) else memoryview(bytearray(WORD_BYTES))).cast(of)
    try:
        yield words
    except BaseException:
        # A traceback may hold on to it: what went wrong is what is told.
        with suppress(BufferError):
            words.release()
        raise
    words.release()


def _words(places: Places) -> tuple[list[int], list[int]]:
    """How many words there are at each place, and where it begins."""
    return (
        [(stop - start) // WORD_BYTES for start, stop in places],
        [start // WORD_BYTES for start, _ in places],
    )

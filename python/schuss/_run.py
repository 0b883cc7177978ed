"""One training of a network: its epochs, what is recorded of each, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _schuss
from ._averages import Found, at_average, average_of
from ._checkpoint import Checkpoint
from ._checks import shown
from ._data import Rows, steps_of
from ._descent import QuasiNewton
from ._dialogue import Dialogue
from ._metrics import Metric
from ._pieces import Pieces
from ._progress import Progress
from ._registry import LOSSES
from ._run_lbfgs import on_all_rows
from ._run_state import beginning_of, state_of
from ._schuss import LBFGS, EpochRecord, Optimizer
from ._stop import Stop
from ._trainee import Trainee
from ._watch import Watch
from .history import History, Update

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Run:
    """One training.

    Attributes
    ----------
    net : Trainee
        The network and its optimizer.
    history : History
        Gets a record of each epoch.
    settings : dict
        Options of the core that all epochs share: batch_size, shuffle, seed, threads, records_steps.
    watch : Watch
        What to look at after each epoch: validation data, metrics, when to stop.
    averaged : bool
        Whether what is looked at after each epoch, and what is left at the end, is the optimizer's average of
        the parameters.
    target_loss : float or None
        Stops after the first epoch whose loss is not above this.
    max_time : float or None
        Seconds after which it stops.
    update : callable or None
        Shows the progress.
    call_back : callable or None
        Called after each epoch with the number of epochs done; training stops where it returns True.
    checkpoint : Checkpoint or None
        Where the training is saved.
    progress : Progress
        How far it has come.
    descent : QuasiNewton or None
        L-BFGS at work.
    met_before : sequence of int
        The steps that the optimizer had done when the training began, and the gradients gathered since.
    scheduled : list
        The options of the optimizer that may be schedules, as they were when the training began.
    peers : Dialogue or None
        The other processes that train with this one.
    unseen : tuple or None
        Of an epoch that is learnt, while it is looked at: loss, validation loss, learning rate, and why the
        core has stopped. A training that resumes begins with these looks.
    watched : dict or None
        The state of `watch` before them.
    looks : bool
        Whether Python code looks at an epoch, or has since the core was last called.
    decided : Stop or None
        What these looks have led to.
    start, entered : float
        When it began, and how many seconds later the core was last called.
    """

    net: Trainee
    history: History
    settings: dict[str, Any]
    watch: Watch
    averaged: bool = False
    target_loss: float | None = None
    max_time: float | None = None
    start: float = field(default_factory=perf_counter)
    update: Update | None = None
    call_back: Callable[[int], bool] | None = None
    checkpoint: Checkpoint | None = None
    progress: Progress = field(default_factory=Progress)
    descent: QuasiNewton | None = None
    met_before: Sequence[int] = (0, 0)
    scheduled: list[tuple[int, str, Any]] = field(default_factory=list)
    entered: float = 0.0
    seconds_before: float = 0.0
    resumed: Mapping[str, Any] | None = None
    peers: Dialogue | None = None
    unseen: tuple[float, float | None, float | None, str | None] | None = None
    watched: dict[str, Any] | None = None
    looks: bool = False
    decided: Stop | None = None

    def join(
        self,
        peers: Dialogue,
        facts: Mapping[str, Any],
        saved: Mapping[str, Any] | None,
        optimizer: Optimizer | LBFGS,
    ) -> None:
        """Train together with other processes; the first one shows, saves, and looks at the clock.

        They agree on what they go on from before any of them takes it: a refusal leaves the network.
        """
        begins = beginning_of(self, saved, optimizer)
        peers.begin({**facts, "target_loss": self.target_loss, **begins}, self.checkpoint is not None)
        self.peers = peers
        if peers.rank > 0:
            self.checkpoint, self.max_time = None, None

    def on_rows(self, rows: Rows, epochs: int) -> Stop:
        """Train on rows in memory."""
        progress, early, stop = self.progress, self.watch.early, Stop.EPOCHS
        watched = self.watch.rows
        if isinstance(watched, Pieces) or (self.averaged and watched is not None):
            return self._epoch_by_epoch(rows, epochs)
        stop = self._look_again() or stop
        while progress.epochs < epochs and stop is Stop.EPOCHS:
            done = progress.epochs
            records, stop, error = self._train(
                rows,
                self._show_after(done),
                validation=watched,
                epochs=self._at_once(epochs - done),
                first_epoch=self.net._epochs_done,
                target_loss=self.target_loss,
                total_steps=steps_of(rows, self.settings["batch_size"], epochs),
                best=None if early is None else early.in_core(self.net.theta),
            )
            progress.epochs += len(records)
            self.net._epochs_done += len(records)
            if records:
                stop = self._as_decided(stop, records[-1].loss)
            if len(records) == 1:
                self._begin_looks(records[0].loss, records[0].val_loss, records[0].lr, stop)
            for record in records:
                self._record(record.loss, record.val_loss, record.lr, self.entered + record.seconds)
            self._end_looks(stop)
            if early is not None:
                self.history.best_epoch = early.epoch
            self._raise(error)
            if records and self.peers is not None and self.update is not None:
                self.update(progress.epochs, records[-1].loss, records[-1].val_loss)
            if records and self._called_back(progress.epochs):
                stop = Stop.CALLBACK
            stop = self._go_on_after_rest(stop)
            if stop is Stop.EPOCHS and progress.epochs < epochs and self._is_late():
                stop = Stop.MAX_TIME  # short epochs end before the core has looked at the clock
            stop = self._as_all(stop)
            self._save_if_due(progress.epochs if records else None)
        return stop

    def _as_decided(self, stop: Stop, loss: float) -> Stop:
        """Why to stop after an epoch, of which the core may have said first that it rests, or of Ctrl-C."""
        if stop not in (Stop.MAX_TIME, Stop.INTERRUPTED):
            return stop
        if self.target_loss is not None and loss <= self.target_loss:
            return Stop.TARGET_LOSS
        early = self.watch.early
        return Stop.CONVERGED if early is not None and early.has_stalled(self.progress.epochs) else stop

    def _epoch_by_epoch(self, rows: Rows, epochs: int) -> Stop:
        """The same, where the core does not look at what is validated with, or not with its parameters."""
        total_steps = steps_of(rows, self.settings["batch_size"], epochs)
        if (stop := self._look_again()) is not None:
            return stop
        while self.progress.epochs < epochs:
            first = self.net._epochs_done
            records, reason, error = self._train(
                rows, epochs=1, first_epoch=first, tells=False, total_steps=total_steps
            )
            stop = None
            for record in records:
                self.net._epochs_done += 1
                self.progress.end_epoch()
                if error is not None:  # the looks at it come when the training goes on
                    self._begin_looks(record.loss, None, record.lr, None)
                    break
                stop = self._after_epoch(self.progress.epochs, record.loss, record.lr)
            self._raise(error)
            reason = self._as_all(self._go_on_after_rest(reason) if stop is None else stop)
            self._save_if_due(self.progress.epochs if records else None)
            if reason is not Stop.EPOCHS:
                return reason
        return Stop.EPOCHS

    def _as_all(self, stop: Stop) -> Stop:
        """What the process that decides says, where there are several."""
        if self.peers is not None:
            stop = self.peers.after_call(stop, self.net.theta)
            self._raise(KeyboardInterrupt() if stop is Stop.INTERRUPTED else None)
        return stop

    def _at_once(self, epochs: int) -> int:
        """For how many of so many epochs the core need not come to rest."""
        # Callbacks may change what it works with; processes agree after each epoch.
        most = 1 if self.call_back is not None or self.watch.metrics or self.peers is not None else None
        if self.checkpoint is not None and most is None:
            most = self.checkpoint.epochs_left(self.progress.epochs)
        return epochs if most is None else min(epochs, most)

    def on_blocks(self, blocks: Callable[[int, int], Generator[Rows, None, None]], epochs: int) -> Stop:
        """Train on the blocks of each epoch from that number on, one after the other."""
        if (ended := self._look_again()) is not None:
            return ended
        while self.progress.epochs < epochs:
            result = self._epoch_of_blocks(blocks)
            if result is None:
                return Stop.MAX_TIME
            stop = self._as_all(self._after_epoch(self.progress.epochs, *result) or Stop.EPOCHS)
            self._save_if_due(self.progress.epochs)
            if stop is not Stop.EPOCHS:
                return stop
        return Stop.EPOCHS

    def _epoch_of_blocks(
        self, blocks: Callable[[int, int], Generator[Rows, None, None]]
    ) -> tuple[float, float | None] | None:
        """The loss of an epoch and its last learning rate; None where the time was over within it."""
        progress, is_mean = self.progress, LOSSES[self.net.objective].is_mean
        # The seed tells the epochs apart; within an epoch the number of the block does.
        first = self.net._epochs_done << 24
        weighs = progress.weight > 0
        with closing(blocks(self.net._epochs_done, progress.block)) as read:
            while (rows := self._next(read)) is not None:
                self.net._flat_targets = rows.flat
                record, error = self._block(rows, first + progress.block)
                if record is None:
                    return None
                # Of the rows whose steps were made.
                of_block = record.weight
                weighs |= of_block > 0 or (rows.everywhere is None and rows.total_weight > 0)
                if of_block and is_mean:  # a mean over nothing is none
                    progress.loss += record.loss * of_block
                elif of_block:  # each block's loss has the penalty in it, and the epoch's once
                    progress.loss += record.loss - record.penalty
                    progress.penalty += record.penalty * of_block
                progress.weight += of_block
                progress.lr = record.lr
                progress.block += 1
                self._raise(error)
                self._save_if_due(None)
                if self._as_all(Stop.MAX_TIME if self._is_late() else Stop.EPOCHS) is Stop.MAX_TIME:
                    return None
        if not weighs:
            got = f"none in epoch {progress.epochs + 1}"
            if progress.epochs > 0 and progress.block == 0:
                got += ": a callable must return a new iterator each time"
            raise ValueError(f"X must have at least one block with a row that weighs something, got {got}")
        mean = float("nan")  # where all steps were left out
        if progress.weight > 0:
            mean = (progress.loss if is_mean else progress.penalty) / progress.weight
        loss, lr = mean if is_mean else progress.loss + mean, progress.lr
        self.net._epochs_done += 1
        progress.end_epoch()
        return loss, lr

    def _next(self, blocks: Iterator[Rows]) -> Rows | None:
        """The next block; where it cannot be read, what has been learnt before is saved."""
        try:
            rows = next(blocks, None)
            if self.peers is not None:
                self.peers.expect_block(*((0, True) if rows is None else (rows.n_rows, rows.flat)))
            return rows
        except BaseException:
            if self.progress != Progress():
                self.save(None)
            raise

    def _block(self, rows: Rows, number: int) -> tuple[EpochRecord | None, BaseException | None]:
        """Train on the rows of a block, and what came at its end; None where the time was over within it."""
        while True:
            records, stop, error = self._train(rows, epochs=1, first_epoch=number, tells=False)
            if records:
                return records[0], error
            self._raise(error)
            if self._as_all(self._go_on_after_rest(stop)) is Stop.MAX_TIME:
                return None, None
            self._save_if_due(None)

    def on_all_rows(self, recipe: LBFGS, rows: Rows, epochs: int) -> Stop:
        """Train with L-BFGS: all rows at every evaluation, and one or a few evaluations for each step."""
        return on_all_rows(self, recipe, rows, epochs)

    def save(self, stopped: Stop | None) -> None:
        """Save the training to its checkpoint, if it has one."""
        if self.checkpoint is not None:
            self.checkpoint.save(state_of(self, stopped))

    def _save_if_due(self, epochs: int | None) -> None:
        """Save if it is time, after so many epochs; None within one."""
        if self.checkpoint is not None and self.checkpoint.is_due(epochs):
            self.save(None)

    def _go_on_after_rest(self, stop: Stop) -> Stop:
        """Why the core has stopped, where it has not only come to rest to be saved."""
        return Stop.EPOCHS if stop is Stop.MAX_TIME and not self._is_late() else stop

    def _raise(self, error: BaseException | None) -> None:
        """Raise an exception of the core; before Ctrl-C takes the training away, it is saved."""
        if isinstance(error, KeyboardInterrupt):
            self.looks = False
            self.save(self.decided)
        if error is not None:
            raise error

    def broken_off(self, error: BaseException) -> Stop:
        """Why the training ends by an exception; one of Ctrl-C amid looks at an epoch is saved."""
        if not isinstance(error, KeyboardInterrupt):
            return Stop.ERROR
        if self.looks:
            self.save(self.decided)
        return Stop.INTERRUPTED

    def _train(
        self,
        rows: Rows,
        on_epoch: Callable[[EpochRecord], None] | None = None,
        *,
        validation: Rows | None = None,
        **options: Any,
    ) -> tuple[list[EpochRecord], Stop, BaseException | None]:
        """Train in the core: the records, why it stopped, and the exception to raise."""
        optimizer = self._optimizer()
        limits: dict[str, Any] = {"max_seconds": self._seconds_left(), "stop_flag": self.net._stop_flag}
        if self.checkpoint is not None:
            limits["rest_seconds"] = self.checkpoint.seconds_left()
        if self.peers is not None:
            limits |= {"peers": self.peers, "stop_flag": self.peers.stop_flag}
        self.entered, self.looks = self._seconds(), False
        records, stop, error, position, steps = self.net._core.fit(
            self.net.theta,
            optimizer,
            rows.arrays,
            None if validation is None else validation.arrays,
            {
                **self.settings,
                **options,
                **limits,
                "epochs_before": self.progress.epochs,
                "all_rows": rows.everywhere,
                "start": self.progress.position,
            },
            on_epoch,
        )
        self.progress.position = position if position[0] else None
        self._add_steps(steps, self.entered)
        if error is not None:
            # Numbers that are not finite are found by all at once.
            is_common = isinstance(error, _schuss.NonFiniteError)
            others = self.peers.tell_all if self.peers is not None and is_common else None
            rows.explain(error, self.net.theta, others)
        if self.peers is not None:
            error = self.peers.has_ended(Stop(stop), error)
        return records, Stop(stop), error

    def _add_steps(self, steps: NDArray[np.float64] | None, before: float) -> None:
        """Record steps of the core that began so many seconds after this call, where they are recorded."""
        if steps is not None and self.history._steps is not None:
            self.history._steps.add(steps, self.seconds_before + before)

    def _after_epoch(self, epoch: int, loss: float, lr: float | None) -> Stop | None:
        """Record an epoch and let everybody look at it; why to stop, if so."""
        net, val_loss = self.net, None
        self._begin_looks(loss, None, lr, None)
        if self.watch.rows is not None:
            val_loss = self._val_loss(self.watch.rows)
        late = self._is_late()
        self._record(loss, val_loss, lr, self._seconds())
        if isinstance(net.optimizer, _schuss.Optimizer):
            net.optimizer.tell(loss if val_loss is None else val_loss)
        if self.update is not None:
            self.update(epoch, loss, val_loss)
        decided = Stop.CONVERGED if self._stalls(epoch, val_loss) else Stop.MAX_TIME if late else None
        if self.target_loss is not None and loss <= self.target_loss:
            decided = Stop.TARGET_LOSS
        self._end_looks(decided)
        return Stop.CALLBACK if self._called_back(epoch) else decided

    def _begin_looks(self, loss: float, val_loss: float | None, lr: float | None, stop: Stop | None) -> None:
        """An epoch is learnt, and not in the history yet."""
        self.watched = self.watch.state
        self.unseen = loss, val_loss, lr, None if stop is None else stop.value
        self.looks, self.decided = True, None

    def _end_looks(self, decided: Stop | None) -> None:
        """It is, and all but the callbacks have seen it."""
        self.unseen, self.decided = None, decided

    def _look_again(self) -> Stop | None:
        """Look at the epoch that Ctrl-C had come upon; why to stop, if so."""
        if self.unseen is None:
            return None
        loss, val_loss, lr, stopped = self.unseen
        if stopped is None:
            stop = self._after_epoch(self.progress.epochs, loss, lr)
        else:
            stop = Stop(stopped)
            self._begin_looks(loss, val_loss, lr, stop)
            self._record(loss, val_loss, lr, self._seconds())
            # The core may have come to rest to be saved, or for limits of that call of `fit`.
            if stop is Stop.TARGET_LOSS and not (self.target_loss is not None and loss <= self.target_loss):
                stop = Stop.EPOCHS
            stop = self._go_on_after_rest(stop)
            self._end_looks(stop)
            stop = Stop.CALLBACK if self._called_back(self.progress.epochs) else stop
        stop = self._as_all(stop or Stop.EPOCHS)
        return None if stop is Stop.EPOCHS else stop

    def _val_loss(self, rows: Rows | Pieces) -> float:
        """The objective on rows that are not learnt from; NaN where the time is over before it is known."""
        try:
            return self._found(lambda: self.net._look(rows, self.settings["threads"], self._seconds_left))
        except _schuss.OutOfTime:
            return float("nan")

    def _record(self, loss: float, val_loss: float | None, lr: float | None, seconds: float) -> None:
        extra = {} if self.watch.rows is None else {"val_loss": val_loss}
        measured: dict[str, float] = {}
        try:
            measured = self.watch.measured(self._measure)
        finally:
            # Also where Ctrl-C comes meanwhile: the epoch is done.
            seconds += self.seconds_before
            self.history.append(loss=loss, **extra, lr=lr, seconds=seconds, **measured)

    def _measure(self, metrics: Sequence[Metric], rows: Rows | Pieces) -> list[float]:
        """What metrics say of rows; NaN where the time is over before it is known."""
        try:
            look = self.net._measure
            return self._found(lambda: look(metrics, rows, self.settings["threads"], self._seconds_left))
        except _schuss.OutOfTime:
            return [float("nan")] * len(metrics)

    def _stalls(self, epoch: int, val_loss: float | None) -> bool:
        """Whether the validation loss has fallen no more for too long."""
        stalls = self._found(lambda: self.watch.stops(epoch, val_loss, self.net.theta))
        if self.watch.early is not None:
            self.history.best_epoch = self.watch.early.epoch
        return stalls

    def end(self) -> None:
        """Leave the network as it is to be after a training that has come to its end."""
        if self.averaged:
            self.net.theta[...] = average_of(self._optimizer())
        if self.watch.early is not None:
            self.watch.early.end(self.net.theta)
        if self.peers is not None:
            self.peers.meet()

    def _optimizer(self) -> _schuss.Optimizer:
        """The optimizer with a learning rate that `fit` has chosen, or a callback has put in its place."""
        optimizer = self.net.optimizer
        if not isinstance(optimizer, _schuss.Optimizer):
            expected = "an optimizer of net.params while that trains"
            raise TypeError(f"optimizer must be {expected}, got {shown(optimizer)} from a callback")
        return optimizer

    def _found(self, look: Callable[[], Found]) -> Found:
        """What a look finds, at the average of the parameters where that is what is looked at."""
        return at_average(self.net.theta, self._optimizer(), look) if self.averaged else look()

    def _show_after(self, done: int) -> Callable[[EpochRecord], None] | None:
        """What shows the progress of a training in the core that begins after so many epochs."""
        update = self.update
        if update is None or self.peers is not None:
            return None
        return lambda record: update(done + record.number, record.loss, record.val_loss)

    def _called_back(self, epoch: int) -> bool:
        return self.call_back is not None and self.call_back(epoch)

    def _seconds(self) -> float:
        return perf_counter() - self.start

    def _seconds_left(self) -> float | None:
        return None if self.max_time is None else max(self.max_time - self._seconds(), 0.0)

    def _is_late(self) -> bool:
        return self.max_time is not None and self._seconds() >= self.max_time

"""Training by epochs of mini-batches, in the core."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .._dialogue import Dialogue
from .._schuss import EpochRecord
from .._stop import Stop
from ._held_out import HeldOut
from ._optimizer_state import OptimizerState
from ._record import Epoch
from ._training import Setup, Training
from ._watched import Watched

# Of the learning rate that adaptation has reached: what a checkpoint has beside the optimizer's state.
RATES = ("given", "learning_rate", "of_groups")


class Learnt(NamedTuple):
    """What a checkpoint has of the core's record of an epoch that nobody has looked at yet."""

    loss: float
    lr: float | None
    penalty: float


class MiniBatches(Training):
    """Training with an optimizer that takes many steps an epoch.

    Parameters
    ----------
    setup : Setup
        What is trained.
    optimizer : Optimizer
        Bound to the parameters.
    state : OptimizerState
        Has its learning rate between the epochs, and its state at the end.
    batch_size : int
        Rows per step.
    threads : tuple of (int or None, int)
        Workers, None for as many as a step deserves, and the most that it may have then.
    """

    def __init__(
        self,
        setup: Setup,
        optimizer: Any,
        state: OptimizerState,
        batch_size: int,
        threads: tuple[int | None, int],
    ) -> None:
        if not state.adapts:
            setup = setup._replace(settings=replace(setup.settings, learning_rate="constant"))
        super().__init__(setup)
        self.optimizer = optimizer
        self.state = state
        self.batch_size = batch_size
        self.threads = threads
        settings = self.settings
        # The core comes to rest after each epoch where something wants the parameters or changes the learning
        # rate, or processes agree.
        self.rests = (
            self.held_out is not None
            or self.listeners.look
            or settings.restores_best
            or settings.learning_rate == "invscaling"
            or self.peers is not None
        )
        # Where it is within an epoch.
        self._position: tuple[int, float, float, float, float] | None = None
        # What the core has recorded in its present run, which began after so many epochs of this training.
        self._core_records: Sequence[EpochRecord | Learnt] = []
        self._run_began = 0

    def run(self, epochs: int) -> None:
        """Train for that many epochs, or until something says stop; `begin` comes first."""
        try:
            super().run(epochs)
        finally:
            self.state.save(self.optimizer)

    def _restore(self, saved: Mapping[str, Any]) -> None:
        super()._restore(saved)
        self.optimizer.load_state_dict(saved["optimizer"])
        self._position = saved["position"]
        for name in RATES:
            setattr(self.state, name, saved[name])

    def _state(self) -> dict[str, Any]:
        rates = {name: getattr(self.state, name) for name in RATES}
        return {"optimizer": self.optimizer.state_dict(), "position": self._position, **rates}

    def _train(self, epochs: int) -> None:
        if self.unseen is not None:
            self.listeners.begin_epoch()
            self._run_began = len(self.record.epochs)
            self._core_records = [Learnt(*self.unseen)]
            self._end_epoch(Stop.EPOCHS, epochs)
        while self.stopped is None:
            self._go_on(epochs)

    def _go_on(self, epochs: int) -> None:
        """Train until the end, or until the core must come to rest."""
        record = self.record
        self.state.adapt(self.optimizer)
        self.listeners.begin_epoch()
        self._core_records = []
        self._run_began = len(record.epochs)
        self._core_records, stop, error, position = self._core_fit(self._at_once(epochs - self._run_began))
        self._position = position if position[0] else None
        if self.peers is not None:
            error = self.peers.has_ended(Stop(stop), error)
        if error is not None:
            # All that has happened is in the books: what is saved now is whole.
            self.at_rest = not self._not_entered()
            raise error
        self._end_epoch(Stop(stop), epochs)

    def _end_epoch(self, stop: Stop, epochs: int) -> None:
        """Enter what the core has learnt where it has come to rest for that, and decide what follows."""
        if self.rests and self._core_records:
            learnt = self._core_records[0]
            self._begin_looks(learnt.loss, learnt.lr, learnt.penalty)
            self._within_core(learnt)
            if self.held_out is not None and self.stopped is None:
                # Held-out rows say more to a schedule that depends on results than those that are learnt.
                self.optimizer.tell(self.record.epochs[-1].val_loss)
            self.unseen = None
        if self.stopped is None and stop is Stop.MAX_TIME and self._is_late():
            self.stopped = Stop.MAX_TIME
        if self.stopped is None and len(self.record.epochs) >= epochs:
            self.stopped = Stop.EPOCHS
        if self.peers is not None:
            self._agree(self.peers, epochs)
        if self.stopped is None:
            self._save_if_due(within_epoch=not self._core_records)

    def _agree(self, peers: Dialogue, epochs: int) -> None:
        """Stop or go on as the first process does."""
        stop = peers.after_call(self.stopped or Stop.EPOCHS, self.theta)
        if stop is Stop.INTERRUPTED:
            self.at_rest = True
            raise KeyboardInterrupt
        goes_on = stop is Stop.EPOCHS and len(self.record.epochs) < epochs
        self.stopped = None if goes_on else stop

    def _look(self, held_out: HeldOut | Watched) -> tuple[float, float]:
        if self.peers is None or held_out.by_all or not self._looks:
            return super()._look(held_out)
        # What decides is one process's: a scorer of the user's need not be the same everywhere.
        seen = super()._look(held_out) if self.peers.rank == 0 else (np.nan, np.nan)
        loss, score, late = self.peers.as_first([*seen, self.stopped is Stop.MAX_TIME])
        self.stopped = Stop.MAX_TIME if late else self.stopped
        return loss, score

    def _at_once(self, epochs: int) -> int:
        """For how many of so many epochs the core need not come to rest."""
        if self.rests:
            return 1
        most = None if self.checkpoint is None else self.checkpoint.epochs_left(len(self.record.epochs))
        return epochs if most is None else min(epochs, most)

    def _core_fit(
        self, epochs: int
    ) -> tuple[list[EpochRecord], str, BaseException | None, tuple[int, float, float, float, float]]:
        options: dict[str, Any] = {
            "batch_size": self.batch_size,
            "epochs": epochs,
            "first_epoch": self.record.all_epochs,
            "epochs_before": self._run_began,
            "shards": self.settings.n_shards,
            "sharded": self.settings.sharded,
            "all_rows": self.all_rows,
            "shuffle": self.settings.shuffle,
            "seed": self.settings.seed,
            "threads": self.threads[0],
            "thread_limit": self.threads[1],
            "tells": self.held_out is None,
            "max_seconds": self._seconds_left(),
            "rest_seconds": None if self.checkpoint is None else self.checkpoint.seconds_left(),
            "start": self._position,
        }
        if self.peers is not None:
            options |= {"peers": self.peers, "stop_flag": self.peers.stop_flag}
        on_epoch = None if self.rests else self._within_core
        return self.core.fit(self.theta, self.optimizer, self.rows, None, options, on_epoch)[:4]

    def _within_core(self, record: EpochRecord | Learnt) -> bool:
        return self._after_epoch(record.loss, record.lr, record.penalty)

    def _not_entered(self) -> Iterable[tuple[float, float | None, float]]:
        entered = len(self.record.epochs) - self._run_began
        return [(record.loss, record.lr, record.penalty) for record in self._core_records[entered:]]

    def _enter(self, loss: float, lr: float | None, penalty: float) -> Epoch:
        epoch = super()._enter(loss, lr, penalty)
        if self.settings.learning_rate == "invscaling":
            try:
                divisor = float(self.record.rows_seen + 1) ** self.settings.power_t
            except OverflowError:
                divisor = float("inf")
            self.state.learning_rate = self.state.given / divisor
        return epoch

    def _after_stalling(self) -> str:
        if self.settings.learning_rate != "adaptive":
            return super()._after_stalling()
        if self.state.learning_rate <= 1e-6:
            self.stopped = Stop.CONVERGED
            return "Learning rate too small. Stopping."
        self.state.learning_rate /= 5.0
        self.record.best = self.record.best._replace(stalled=0)
        return f"Setting learning rate to {self.state.learning_rate:f}"

"""One training of a network: its epochs, what is recorded of each, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from . import _schuss
from ._data import Rows
from ._descent import Descent, QuasiNewton, descend
from ._registry import LOSSES
from ._schuss import LBFGS, EpochRecord
from ._stop import Stop
from .history import History, Update

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Trainee(Protocol):
    """What is trained, a `schuss.MLP`: between epochs, callbacks may look at all of it and change it."""

    theta: NDArray[Any]
    objective: str
    _core: _schuss.Network
    _epochs_done: int

    @property
    def optimizer(self) -> _schuss.Optimizer | LBFGS | None: ...


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
        Options of the core that all epochs share: batch_size, shuffle, seed, threads.
    validation : Rows or None
        Rows to look at after each epoch.
    target_loss : float or None
        Stops after the first epoch whose loss is not above this.
    max_time : float or None
        Seconds after which it stops.
    update : callable or None
        Shows the progress.
    call_back : callable or None
        Called after each epoch with the number of epochs done; training stops where it returns True.
    """

    net: Trainee
    history: History
    settings: dict[str, Any]
    validation: Rows | None = None
    target_loss: float | None = None
    max_time: float | None = None
    update: Update | None = None
    call_back: Callable[[int], bool] | None = None
    start: float = field(default_factory=perf_counter)

    def on_rows(self, rows: Rows, epochs: int) -> Stop:
        """Train on rows in memory."""
        # The core comes to rest after each epoch for callbacks, which may change what it works with.
        at_once = epochs if self.call_back is None else min(epochs, 1)
        done, stop = 0, Stop.EPOCHS
        while done < epochs and stop is Stop.EPOCHS:
            before = self._seconds()
            records, stop, error = self._train(
                rows,
                self._show_after(done),
                validation=self.validation,
                epochs=at_once,
                first_epoch=self.net._epochs_done,
                target_loss=self.target_loss,
            )
            done += len(records)
            self.net._epochs_done += len(records)
            for record in records:
                self._record(record.loss, record.val_loss, record.lr, before + record.seconds)
            if error is not None:
                raise error
            if records and self._called_back(done):
                stop = Stop.CALLBACK
        return stop

    def on_blocks(self, blocks: Callable[[int], Iterator[Rows]], epochs: int) -> Stop:
        """Train on the blocks of each epoch, one after the other."""
        for epoch in range(1, epochs + 1):
            result = self._epoch_of_blocks(blocks)
            if result is None:
                return Stop.MAX_TIME
            if stop := self._after_epoch(epoch, *result):
                return stop
        return Stop.EPOCHS

    def _epoch_of_blocks(self, blocks: Callable[[int], Iterator[Rows]]) -> tuple[float, float | None] | None:
        """The loss of an epoch and its last learning rate; None where the time was over within it."""
        is_mean = LOSSES[self.net.objective].is_mean
        # The seed tells the epochs apart; within an epoch the number of the block does.
        first = self.net._epochs_done << 24
        total = weight = 0.0
        lr = None
        for number, rows in enumerate(blocks(self.net._epochs_done)):
            records, _, error = self._train(rows, epochs=1, first_epoch=first + number, tells=False)
            if error is not None:
                raise error
            if self._is_late():
                return None
            of_block = rows.total_weight
            total += records[-1].loss * (of_block if is_mean else 1.0)
            weight += of_block
            lr = records[-1].lr
        self.net._epochs_done += 1
        if weight == 0.0:
            raise ValueError("X must have at least one block with at least one row, got none")
        return total / weight if is_mean else total, lr

    def on_all_rows(self, recipe: LBFGS, rows: Rows, epochs: int) -> Stop:
        """Train with L-BFGS: all rows at every evaluation, and one or a few evaluations for each step."""
        if epochs == 0:
            return Stop.EPOCHS
        net, threads, done = self.net, self.settings["threads"], 0
        gradient = np.empty_like(net.theta)

        def evaluate(point: NDArray[Any]) -> tuple[float, NDArray[Any]]:
            return net._core.loss_and_grads(point, rows.arrays, gradient, None, threads), gradient

        def stepped(descent: Descent) -> Stop | None:
            nonlocal done
            done += 1
            net._epochs_done += 1
            stop = self._after_epoch(done, descent.value, None)
            return Stop.EPOCHS if stop is None and done == epochs else stop

        descent = QuasiNewton(recipe, net.theta)
        stop = descend(descent, evaluate, stepped)
        if stop is Stop.NOT_FINITE:
            what = f"the loss or its gradient is not finite at the start: the loss is {descent.value}"
            error = _schuss.NonFiniteError(what)
            rows.explain(error)
            raise error
        # No lower point along the gradient: as far as the precision goes, this is the bottom.
        return Stop.CONVERGED if stop is Stop.NO_DESCENT else stop

    def _train(
        self,
        rows: Rows,
        on_epoch: Callable[[EpochRecord], None] | None = None,
        *,
        validation: Rows | None = None,
        **options: Any,
    ) -> tuple[list[EpochRecord], Stop, BaseException | None]:
        """Train in the core: the records, why it stopped, and the exception to raise."""
        optimizer = self.net.optimizer
        assert isinstance(optimizer, _schuss.Optimizer)  # `fit` has seen to it
        left = None if self.max_time is None else max(self.max_time - self._seconds(), 0.0)
        records, stop, error = self.net._core.fit(
            self.net.theta,
            optimizer,
            rows.arrays,
            None if validation is None else validation.arrays,
            {**self.settings, **options, "max_seconds": left},
            on_epoch,
        )
        if error is not None:
            rows.explain(error)
        return records, Stop(stop), error

    def _after_epoch(self, epoch: int, loss: float, lr: float | None) -> Stop | None:
        """Record an epoch and let everybody look at it; why to stop, if so."""
        net, val_loss = self.net, None
        if self.validation is not None:
            val_loss = net._core.loss(net.theta, self.validation.arrays, self.settings["threads"])
        if isinstance(net.optimizer, _schuss.Optimizer):
            net.optimizer.tell(loss if val_loss is None else val_loss)
        late = self._is_late()
        self._record(loss, val_loss, lr, self._seconds())
        if self.update is not None:
            self.update(epoch, loss, val_loss)
        if self._called_back(epoch):
            return Stop.CALLBACK
        if self.target_loss is not None and loss <= self.target_loss:
            return Stop.TARGET_LOSS
        return Stop.MAX_TIME if late else None

    def _record(self, loss: float, val_loss: float | None, lr: float | None, seconds: float) -> None:
        extra = {} if self.validation is None else {"val_loss": val_loss}
        self.history.append(loss=loss, **extra, lr=lr, seconds=seconds)

    def _show_after(self, done: int) -> Callable[[EpochRecord], None] | None:
        """What shows the progress of a training in the core that begins after so many epochs."""
        update = self.update
        if update is None:
            return None
        return lambda record: update(done + record.number, record.loss, record.val_loss)

    def _called_back(self, epoch: int) -> bool:
        return self.call_back is not None and self.call_back(epoch)

    def _seconds(self) -> float:
        return perf_counter() - self.start

    def _is_late(self) -> bool:
        return self.max_time is not None and self._seconds() >= self.max_time

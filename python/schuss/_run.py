"""One call of `MLP.fit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _schuss
from ._callbacks import want_to_stop
from ._data import Rows
from ._lbfgs import descend
from ._registry import LOSSES
from ._schuss import LBFGS
from .history import History

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .network import MLP


@dataclass(frozen=True)
class TrainingInfo:
    """What a callback is told after each epoch.

    Attributes
    ----------
    net : MLP
        The network; its parameters and its optimizer may be read and changed.
    epoch : int
        Epochs done in this call of `MLP.fit`, from 1.
    loss, val_loss : float or None
        The objective over the epoch's batches and on the validation data.
    lr : float or None
        The learning rate of the epoch's last step; None with `LBFGS`, which has none.
    seconds : float
        Since the call of `MLP.fit`.
    history : History
        All epochs so far, this one included.
    """

    net: MLP
    epoch: int
    loss: float
    val_loss: float | None
    lr: float | None
    seconds: float
    history: History


class Run:
    """One call of `MLP.fit`: what is watched after each epoch, and when it ends."""

    def __init__(
        self,
        net: MLP,
        history: History,
        update: Callable[[int, float, float | None], None],
        callbacks: list[Callable[[TrainingInfo], object]],
        target_loss: float | None,
        max_time: float | None,
        validation: Rows | None,
        settings: dict[str, Any],
    ) -> None:
        self.net = net
        self.history = history
        self.update = update
        self.callbacks = callbacks
        self.target_loss = target_loss
        self.max_time = np.inf if max_time is None else max_time
        self.validation = validation
        self.settings = settings
        self.start = perf_counter()

    def on_rows(self, rows: Rows, epochs: int) -> str:
        # Callbacks may look at everything and change it: for them, training comes to rest after each epoch.
        at_once = epochs if not self.callbacks else min(epochs, 1)
        stopped = "epochs"
        done = 0
        while done < epochs and stopped == "epochs":
            before = perf_counter() - self.start
            records, stopped = self._core_fit(
                rows,
                self.validation,
                epochs=at_once,
                target_loss=self.target_loss,
                on_epoch=lambda epoch, loss, val_loss, done=done: self.update(done + epoch, loss, val_loss),
                keep=before,
            )
            done += len(records)
            if self.callbacks and records and self._call_back(done):
                stopped = "callback"
        return stopped

    def on_blocks(self, blocks: Callable[[int], Iterator[Rows]], epochs: int) -> str:
        for epoch in range(1, epochs + 1):
            total = weight = 0.0
            is_mean = LOSSES[self.net.objective].is_mean
            lr = float("nan")
            # The seed tells the epochs apart; within an epoch the number of the block does.
            first = self.net._epochs_done << 24
            for number, rows in enumerate(blocks(self.net._epochs_done)):
                records, _ = self._core_fit(
                    rows, None, epochs=1, target_loss=None, on_epoch=None, first=first + number, tells=False
                )
                if perf_counter() - self.start >= self.max_time:
                    return "max_time"
                loss, _, lr, _, _ = records[-1]
                of_block = rows.total_weight
                total += loss * (of_block if is_mean else 1.0)
                weight += of_block
            self.net._epochs_done += 1
            if weight == 0.0:
                raise ValueError("X must have at least one block with at least one row, got none")
            loss = total / weight if is_mean else total
            if stop := self._after_epoch(epoch, loss, lr):
                return stop
        return "epochs"

    def on_all_rows(self, optimizer: LBFGS, rows: Rows, epochs: int) -> str:
        net, threads = self.net, self.settings["threads"]
        done, stopped = 0, "epochs" if epochs == 0 else None

        def evaluate(point: NDArray[Any], gradient: NDArray[Any]) -> float:
            return net._core.loss_and_grads(point, rows, gradient, None, threads)

        def after_step(loss: float) -> bool:
            nonlocal done, stopped
            done += 1
            net._epochs_done += 1
            stopped = self._after_epoch(done, loss, None)
            if stopped is None and done == epochs:
                stopped = "epochs"
            return stopped is not None

        try:
            end = "step" if stopped else descend(optimizer, net.theta, evaluate, after_step)
        except (KeyboardInterrupt, _schuss.NonFiniteError) as error:
            self.history.stopped = "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
            rows.explain(error)
            raise
        # No lower point along the gradient: as far as the precision goes, this is the bottom.
        return stopped or ("converged" if end == "no descent" else end)

    def _after_epoch(self, epoch: int, loss: float, lr: float | None) -> str | None:
        """Record an epoch and let everybody look at it; why to stop, if so."""
        net, val_loss = self.net, None
        if self.validation is not None:
            val_loss = net._core.loss(net.theta, self.validation, self.settings["threads"])
        if isinstance(net.optimizer, _schuss.Optimizer):
            net.optimizer.tell(loss if val_loss is None else val_loss)
        seconds = perf_counter() - self.start
        self._record(loss, val_loss, lr, seconds)
        self.update(epoch, loss, val_loss)
        if self._call_back(epoch):
            return "callback"
        if self.target_loss is not None and loss <= self.target_loss:
            return "target_loss"
        return "max_time" if seconds >= self.max_time else None

    def _core_fit(
        self,
        rows: Rows,
        validation: Rows | None,
        *,
        epochs: int,
        target_loss: float | None,
        on_epoch: Callable[..., None] | None,
        first: int | None = None,
        keep: float | None = None,
        tells: bool = True,
    ) -> tuple[list[tuple[float, float | None, float, float, float]], str]:
        """Train in Rust; with `keep`, record the epochs, whose seconds count from then."""
        optimizer = self.net.optimizer
        assert isinstance(optimizer, _schuss.Optimizer)  # `fit` has seen to it
        left = self.max_time - (perf_counter() - self.start)
        records, stopped, error = self.net._core.fit(
            self.net.theta,
            optimizer,
            rows,
            validation,
            epochs=epochs,
            first_epoch=self.net._epochs_done if first is None else first,
            target_loss=target_loss,
            on_epoch=on_epoch,
            tells=tells,
            max_seconds=max(left, 0.0),
            **self.settings,
        )
        if keep is not None:
            self.net._epochs_done += len(records)
            for loss, val_loss, lr, _, seconds in records:
                self._record(loss, val_loss, lr, keep + seconds)
        if error is not None:
            self.history.stopped = "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
            rows.explain(error)
            raise error
        return records, stopped

    def _record(self, loss: float, val_loss: float | None, lr: float | None, seconds: float) -> None:
        extra = {} if self.validation is None else {"val_loss": val_loss}
        self.history.append(loss=loss, **extra, lr=lr, seconds=seconds)

    def _call_back(self, epoch: int) -> bool:
        """Whether a callback wants to stop."""
        if not self.callbacks:
            return False
        last = {name: values[-1] for name, values in self.history.items()}
        info = TrainingInfo(
            self.net, epoch, last["loss"], last.get("val_loss"), last.get("lr"), last["seconds"], self.history
        )
        return want_to_stop(self.callbacks, info)

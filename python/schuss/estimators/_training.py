"""Training by epochs: what is watched after each, and when it ends."""

from __future__ import annotations

import copy
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring

from .. import _schuss
from .._callbacks import as_list, want_to_stop
from .._lbfgs import descend
from .._sparse import compressed, is_sparse
from ..history import progress_bar
from . import _losses, _parameters
from ._tasks import Tasks

Array = NDArray[Any]

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be"
    " preprocessed."
)


class Part(NamedTuple):
    """Rows to learn from or to watch: inputs, targets as the core has them, as the user has them, weights."""

    X: Any
    targets: Array
    y: Any
    sample_weight: Array | None

    def take(self, rows: Array) -> Part:
        """Some of the rows."""
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return Part(self.X[rows], self.targets[rows], self.y[rows], weight)

    def rows(self) -> tuple[Any, Array, Array | None]:
        """As the core wants them."""
        X, weight = self.X, self.sample_weight
        x = compressed("X", X, X.dtype) if is_sparse(X) else np.ascontiguousarray(X)
        return x, self.targets, None if weight is None else np.ascontiguousarray(weight, dtype=X.dtype)


class Training:
    """One fit of an estimator: epochs in the core, and its books on the estimator."""

    def __init__(
        self,
        estimator: Any,
        core: Any,
        theta: Array,
        data: Part,
        held_out: Part | None,
        stops_early: bool,
        tasks: Tasks | None,
    ) -> None:
        self.estimator = estimator
        self.core = core
        self.theta = theta
        self.rows = data.rows()
        self.n_rows = data.X.shape[0]
        self.held_out = held_out
        self.stops_early = stops_early
        # L-BFGS knows itself when its loss has come to rest.
        self.may_stall = stops_early or estimator._lbfgs() is None
        self.objective = estimator._objective()
        self.constant = _losses.constant(self.objective, data.targets, data.sample_weight)
        self.stopped: str | None = None
        self.start = perf_counter()
        self.callbacks = as_list(estimator.callbacks)
        self.tasks = tasks if tasks is not None and tasks.listened_to else None
        self.restores = stops_early if estimator.restore_best is None else estimator.restore_best
        # The core comes to rest after each epoch where something wants the parameters or changes the learning
        # rate.
        self.rests = bool(
            held_out
            or self.callbacks
            or self.tasks
            or self.restores
            or estimator.learning_rate == "invscaling"
        )
        history = estimator.history_
        self.seconds_before = history["seconds"][-1] if "seconds" in history else 0.0
        # What the core has recorded in its present run, which began after so many epochs.
        self.records: list[tuple[float, float | None, float, float, float]] = []
        self.run_began = estimator._epochs
        if held_out is not None:
            self._watch(held_out)
        # By how much the books are longer than the epochs that are counted.
        self.longer = [len(curve) - estimator._epochs for curve in self._curves()]
        self.history_longer = history.epochs - estimator._epochs

    def _watch(self, held_out: Part) -> None:
        estimator = self.estimator
        self.plain = estimator._make_core(_parameters.layers(estimator.coefs_), plain=True)
        self.watched = held_out.rows()
        self.watching_threads = estimator._most_threads()
        self.watched_constant = _losses.constant(self.objective, held_out.targets, held_out.sample_weight)
        scoring = estimator.scoring
        self.scorer = scoring if scoring in (None, "loss") else check_scoring(estimator, scoring)
        if estimator.validation_scores_ is None:
            estimator.validation_scores_, estimator.best_validation_score_ = [], -np.inf
        if estimator.validation_loss_curve_ is None:
            estimator.validation_loss_curve_ = []

    def take_epochs(self, epochs: int, batch_size: int) -> None:
        """Train for that many epochs, or until something says stop."""
        estimator = self.estimator
        estimator.n_iter_ = 0
        coefs, intercepts = estimator.coefs_, estimator.intercepts_
        tensors = [part for pair in zip(coefs, intercepts, strict=True) for part in pair]
        recipe, schedule = estimator._recipe()
        optimizer = estimator._optimizer.bind(recipe, tensors, schedule, estimator.clip_norm)
        threads = estimator._threads(self.core, batch_size)
        with progress_bar(epochs, estimator.progress) as self.update:
            try:
                while self.stopped is None:
                    self._go_on(optimizer, epochs, batch_size, threads)
            except KeyboardInterrupt:
                self._settle()
                self.stopped = "interrupted"
        estimator._optimizer.keep(optimizer)
        self._end()

    def _go_on(self, optimizer: Any, epochs: int, batch_size: int, threads: int) -> None:
        """Train until the end, or until the core must come to rest."""
        estimator = self.estimator
        limit = estimator.max_time
        estimator._optimizer.adapt(optimizer)
        if self.tasks is not None:
            self.tasks.begin_epoch()
        self.run_began = estimator._epochs
        self.records, stopped, error = self.core.fit(
            self.theta,
            optimizer,
            self.rows,
            None,
            batch_size=batch_size,
            epochs=1 if self.rests else epochs - estimator.n_iter_,
            first_epoch=estimator._epochs,
            shuffle=bool(estimator.shuffle),
            seed=estimator._seed,
            threads=threads,
            target_loss=None,
            on_epoch=None,
            each_epoch=None if self.rests else self._after_epoch,
            # Held-out rows say more to a schedule that depends on results, and are looked at here.
            tells=self.held_out is None,
            max_seconds=None if limit is None else limit - (perf_counter() - self.start),
        )
        if isinstance(error, _schuss.NonFiniteError):
            raise ValueError(NOT_FINITE) from error
        if error is not None:
            raise error
        if self.rests and self.records:
            self._after_epoch(*self.records[0][:4])
            if self.held_out is not None:
                optimizer.tell(estimator.validation_loss_curve_[-1])
        if self.stopped is None and stopped == "max_time":
            self.stopped = "max_time"
        if self.stopped is None and estimator.n_iter_ >= epochs:
            self.stopped = "epochs"

    def descend(self, recipe: Any, steps: int, max_evaluations: float, least_gain: float) -> None:
        """Take that many steps of L-BFGS at most; it also ends where a step gains too little."""
        estimator, core, rows = self.estimator, self.core, self.rows
        estimator.n_iter_ = 0
        weight = self.n_rows if rows[2] is None else float(rows[2].sum(dtype=np.float64))
        # Each evaluation wakes the workers: they pay with fewer rows in a training, where they stay awake.
        threads = estimator._threads(core, max(self.n_rows * 3 // 20, 1))
        before = np.inf
        end: str

        def evaluate(point: Array, gradient: Array) -> float:
            return core.loss_and_grads(point, rows, gradient, None, threads)

        def after_step(loss: float) -> bool:
            nonlocal before
            squares = sum(float(np.vdot(coef, coef)) for coef in estimator.coefs_)
            self._after_epoch(loss, None, None, 0.5 * estimator.alpha * squares / weight)
            if self.stopped is None and estimator.n_iter_ >= steps:
                self.stopped = "epochs"
            if self.stopped is None and before - loss <= least_gain * max(abs(loss), 1.0):
                self.stopped = "converged"
            before = loss
            if self.stopped is None and self.tasks is not None:
                self.tasks.begin_epoch()
            return self.stopped is not None

        if self.tasks is not None:
            self.tasks.begin_epoch()
        with progress_bar(steps, estimator.progress) as self.update:
            try:
                end = descend(recipe, self.theta, evaluate, after_step, max_evaluations)
            except KeyboardInterrupt:
                self._settle()
                end = "interrupted"
            except _schuss.NonFiniteError as error:
                raise ValueError(NOT_FINITE) from error
        self.stopped = self.stopped or end
        self._end()

    def _end(self) -> None:
        self.estimator.history_.stopped = self.stopped
        if self.restores and self.estimator._best_theta is not None:
            self.theta[:] = self.estimator._best_theta

    def _after_epoch(self, loss: float, _val_loss: float | None, lr: float | None, penalty: float) -> bool:
        """The books of an epoch, and what follows from them. Whether the core must come to rest."""
        estimator = self.estimator
        record = self._enter(loss, lr, penalty)
        loss, score = record["loss"], record.get("score")
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
            if score is not None:
                print(f"Validation score: {score:f}")
        self.update(estimator.n_iter_, loss, record.get("val_loss"))
        self._count_improvement(loss, score)
        ends = self.tasks is not None and self.tasks.end_epoch()
        solver = estimator._optimizer
        if estimator.learning_rate == "invscaling" and self._adapts():
            solver.learning_rate = solver.given / (estimator.t_ + 1) ** estimator.power_t
        if self.may_stall and estimator._no_improvement_count > estimator.n_iter_no_change:
            self._without_improvement()
            return True
        if not np.isfinite(loss) and not np.isfinite(self.theta).all():
            self.stopped = "not finite"
        elif estimator.max_time is not None and perf_counter() - self.start >= estimator.max_time:
            self.stopped = "max_time"
        elif want_to_stop(self.callbacks, estimator) or ends:
            self.stopped = "callback"
        return self.stopped is not None

    def _enter(self, loss: float, lr: float | None, penalty: float) -> dict[str, float]:
        """The books of an epoch."""
        estimator = self.estimator
        record = {"loss": self.objective.report(loss, penalty, self.constant)}
        if self.held_out is not None:
            record |= self._look_at(self.held_out)
            estimator.validation_loss_curve_.append(record["val_loss"])
            estimator.validation_scores_.append(record["score"])
        estimator.loss_curve_.append(record["loss"])
        seconds = self.seconds_before + perf_counter() - self.start
        estimator.history_.append(**record, lr=lr, seconds=seconds)
        # At once: an interrupt comes before or after, and `_settle` goes by these.
        vars(estimator).update(
            loss_=record["loss"],
            n_iter_=estimator.n_iter_ + 1,
            t_=estimator.t_ + self.n_rows,
            _epochs=estimator._epochs + 1,
        )
        return record

    def _settle(self) -> None:
        """Bring the books to where the parameters are: an interrupt may come before or amid an entry."""
        estimator = self.estimator
        for curve, more in zip(self._curves(), self.longer, strict=True):
            del curve[estimator._epochs + more :]
        estimator.history_._truncate(estimator._epochs + self.history_longer)
        for loss, _, lr, penalty, _ in self.records[estimator._epochs - self.run_began :]:
            self._enter(loss, lr, penalty)

    def _curves(self) -> list[list[float]]:
        """The lists with an entry for each epoch, since the first or since held-out rows are watched."""
        estimator = self.estimator
        curves = [estimator.loss_curve_]
        if self.held_out is not None:
            curves += [estimator.validation_scores_, estimator.validation_loss_curve_]
        return curves

    def _adapts(self) -> bool:
        estimator = self.estimator
        return estimator.schedule is None and (estimator.optimizer is not None or estimator.solver == "sgd")

    def _look_at(self, held_out: Part) -> dict[str, float]:
        estimator = self.estimator
        val_loss = self.plain.loss(self.theta, self.watched, self.watching_threads)
        val_loss = self.objective.report(val_loss, 0.0, self.watched_constant)
        if self.scorer is None:
            out = self.plain.predict(self.theta, self.watched[0], False, self.watching_threads)
            finite = np.isfinite(out).all()
            score = estimator._score(out, held_out.targets, held_out.sample_weight) if finite else np.nan
        elif self.scorer == "loss":
            score = -val_loss
        else:
            # The rows have no column names any more.
            nameless = copy.copy(estimator)
            nameless.__dict__.pop("feature_names_in_", None)
            weight = {} if held_out.sample_weight is None else {"sample_weight": held_out.sample_weight}
            score = self.scorer(nameless, held_out.X, held_out.y, **weight)
        return {"val_loss": val_loss, "score": float(score)}

    def _count_improvement(self, loss: float, score: float | None) -> None:
        """What is watched goes up: the score of held-out rows, else the negative loss."""
        estimator = self.estimator
        better = False
        if score is not None:
            best = estimator.best_validation_score_
            if score > best:
                estimator.best_validation_score_, better = score, True
        if self.stops_early:
            stalls = score < best + estimator.tol
        else:
            best = estimator.best_loss_
            stalls = loss > best - estimator.tol
            if loss < best:
                estimator.best_loss_ = loss
                better = better or score is None
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if stalls else 0
        if self.restores and (better or estimator._best_theta is None):
            estimator._best_theta = self.theta.copy()

    def _without_improvement(self) -> None:
        """Stop, or go on with a smaller learning rate."""
        estimator = self.estimator
        what = "Validation score" if self.stops_early else "Training loss"
        message = (
            f"{what} did not improve more than tol={estimator.tol:f} for {estimator.n_iter_no_change} "
            "consecutive epochs."
        )
        if estimator.learning_rate != "adaptive" or not self._adapts():
            self.stopped, action = "converged", "Stopping."
        elif estimator._optimizer.learning_rate <= 1e-6:
            self.stopped, action = "converged", "Learning rate too small. Stopping."
        else:
            estimator._optimizer.learning_rate /= 5.0
            estimator._no_improvement_count = 0
            action = f"Setting learning rate to {estimator._optimizer.learning_rate:f}"
        if estimator.verbose:
            print(f"{message} {action}")

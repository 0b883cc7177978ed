"""Training by epochs: what is watched after each, and when it ends."""

from __future__ import annotations

import copy
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring

from .. import _schuss
from .._lbfgs import descend
from .._sparse import compressed, is_sparse
from ..history import progress_bar
from . import _losses
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
        callbacks = estimator.callbacks
        self.callbacks = [callbacks] if callable(callbacks) else list(callbacks or ())
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
        self.last: tuple[float, None, float, float] | None = None
        history = estimator.history_
        self.seconds_before = history["seconds"][-1] if history.epochs else 0.0
        if held_out is not None:
            self._watch(held_out)

    def _watch(self, held_out: Part) -> None:
        estimator = self.estimator
        layers = [len(coef) for coef in estimator.coefs_] + [estimator.n_outputs_]
        objective = self.objective
        # The loss without penalty and dropout.
        self.plain = _schuss.Network(
            layers,
            estimator._hidden_activations(len(layers) - 2),
            objective.name,
            0.0,
            False,
            [0.0] * (len(layers) - 2),
            loss_parameter=objective.parameter,
            output_weights=objective.output_weights,
        )
        self.watched = held_out.rows()
        self.watching_threads = estimator._most_threads()
        self.watched_constant = _losses.constant(objective, held_out.targets, held_out.sample_weight)
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
        _, stopped, error = self.core.fit(
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
            each_epoch=self._at_rest if self.rests else self._after_epoch,
            # Held-out rows say more to a schedule that depends on results, and are looked at here.
            tells=self.held_out is None,
            max_seconds=None if limit is None else limit - (perf_counter() - self.start),
        )
        if isinstance(error, _schuss.NonFiniteError):
            raise ValueError(NOT_FINITE) from error
        if error is not None:
            raise error
        if stopped == "max_time":
            self.stopped = "max_time"
        elif self.last is not None:
            self._after_epoch(*self.last)
            if self.held_out is not None:
                optimizer.tell(estimator.validation_loss_curve_[-1])
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
            self._after_epoch(loss, None, np.nan, 0.5 * estimator.alpha * squares / weight)
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
                end = "interrupted"
            except _schuss.NonFiniteError as error:
                raise ValueError(NOT_FINITE) from error
        self.stopped = self.stopped or end
        self._end()

    def _end(self) -> None:
        self.estimator.history_.stopped = self.stopped
        if self.restores and self.estimator._best_theta is not None:
            self.theta[:] = self.estimator._best_theta

    def _at_rest(self, loss: float, val_loss: None, lr: float, penalty: float) -> bool:
        self.last = (loss, val_loss, lr, penalty)
        return False

    def _after_epoch(self, loss: float, _val_loss: None, lr: float, penalty: float) -> bool:
        """The books of an epoch. Whether the core must come to rest."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator._epochs += 1
        estimator.t_ += self.n_rows
        estimator.loss_ = loss = self.objective.report(loss, penalty, self.constant)
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        record = {"loss": loss}
        if self.held_out is not None:
            record |= self._look_at(self.held_out)
        elapsed = perf_counter() - self.start
        estimator.history_.append(**record, lr=lr, seconds=self.seconds_before + elapsed)
        self.update(estimator.n_iter_, loss, record.get("val_loss"))
        self._count_improvement(record)
        ends = self.tasks is not None and self.tasks.end_epoch()
        solver = estimator._optimizer
        if estimator.learning_rate == "invscaling" and self._adapts():
            solver.learning_rate = solver.given / (estimator.t_ + 1) ** estimator.power_t
        if self.may_stall and estimator._no_improvement_count > estimator.n_iter_no_change:
            self._without_improvement()
            return True
        if not np.isfinite(loss) and not np.isfinite(self.theta).all():
            self.stopped = "not finite"
        elif estimator.max_time is not None and elapsed >= estimator.max_time:
            self.stopped = "max_time"
        elif self._call_back() or ends:
            self.stopped = "callback"
        return self.stopped is not None

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
        score = float(score)
        estimator.validation_loss_curve_.append(val_loss)
        estimator.validation_scores_.append(score)
        if estimator.verbose:
            print(f"Validation score: {score:f}")
        return {"val_loss": val_loss, "score": score}

    def _count_improvement(self, record: dict[str, float]) -> None:
        """What is watched goes up: the score of held-out rows, else the negative loss."""
        estimator = self.estimator
        better = False
        if "score" in record:
            score, best = record["score"], estimator.best_validation_score_
            if score > best:
                estimator.best_validation_score_, better = score, True
        if self.stops_early:
            stalls = record["score"] < best + estimator.tol
        else:
            loss, best = record["loss"], estimator.best_loss_
            stalls = loss > best - estimator.tol
            if loss < best:
                estimator.best_loss_ = loss
                better = better or "score" not in record
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

    def _call_back(self) -> bool:
        stop = False
        for callback in self.callbacks:
            try:
                stop |= callback(self.estimator) is True
            except StopIteration:
                stop = True
        return stop

"""Minimisations under way: one from each start, all at once where there are several."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._callbacks import want_to_stop
from ._checkpoint import Checkpoint
from ._descent import Descent, FirstOrder, QuasiNewton, descend
from ._function import Function
from ._optimizer import Optimizer
from ._result import OptimizeResult, ending
from ._schuss import LBFGS, NonFiniteError
from ._stop import FINAL, Stop
from ._workers import heard, workers

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Rules:
    """What ends a run, and who watches it."""

    max_steps: int
    min_step: float
    deadline: float | None
    callbacks: list[Callable[[OptimizeResult], Any]]
    record: bool
    # Set where several runs are to end, whatever has come: Ctrl-C, an error, another exception of a signal.
    interrupt: threading.Event = field(default_factory=threading.Event)


class Saved:
    """All runs of a minimisation in one checkpoint."""

    def __init__(self, checkpoint: Checkpoint, runs: int) -> None:
        self.checkpoint = checkpoint
        loaded = checkpoint.load()
        self.runs: list[dict[str, Any] | None] = [None] * runs if loaded is None else loaded["runs"]
        self._lock = threading.Lock()

    @property
    def steps_done(self) -> int:
        """The most steps that a run has taken."""
        return max((run["nit"] for run in self.runs if run is not None), default=0)

    def save(self, number: int, state: dict[str, Any]) -> None:
        """Replace what is saved of a run."""
        with self._lock:
            self.runs[number] = state
            self.checkpoint.save({"runs": self.runs})


class Minimization:
    """One start on its way down.

    Parameters
    ----------
    function : Function
        What is minimised.
    start : ndarray
        Where it begins.
    rules : Rules
        What ends it.
    name : str
        What messages call the start.
    saved : tuple of Saved or None and int
        Where the run is saved, and what it goes on from; its number there.
    """

    def __init__(
        self, function: Function, start: Array, rules: Rules, name: str, saved: tuple[Saved | None, int]
    ) -> None:
        self.function = function
        self.name = name
        self.rules = rules
        self.start = function.project(start)
        self.nit = 0
        self.best: tuple[Array, float, Array] | None = None
        self.path: list[Array] | None = [] if rules.record else None
        self.path_fun: list[float] = []
        self.saved, self.number = saved
        # Up to the last accepted point: what came after is done again by a run that resumes.
        self.evaluations = 0, 0
        # Whether a state that is saved now is whole.
        self.at_rest = False

    def result(self, recipe: Optimizer | LBFGS) -> OptimizeResult:
        """Run to the end. Ctrl-C is an end too, once there is a point to return."""
        state = None if self.saved is None else self.saved.runs[self.number]
        descent = self.descent(recipe, state)
        rule = None if state is None else state["rule"]
        reason = None if state is None or state["reason"] is None else Stop(state["reason"])
        if reason not in FINAL | {Stop.NOT_FINITE}:
            try:
                reason = descend(descent, self.evaluate, self.stepped, self.out_of_budget)
            except KeyboardInterrupt:
                if self.best is None:
                    raise
                reason = Stop.INTERRUPTED
            rule = descent.rule if reason is Stop.CONVERGED else None
            if rule is not None:
                self.arrive(descent)
            if reason is not Stop.INTERRUPTED or self.at_rest:
                self.save(descent, reason, rule)
        assert reason is not None
        assert self.best is not None, "a run that has not evaluated its start has raised"
        x, value, gradient = self.best
        averaged = None if reason in (Stop.INTERRUPTED, Stop.NOT_FINITE) else descent.averaged()
        if averaged is not None:
            there = self.function.on_all_rows(averaged)
            if _are_finite(*there) and (self.function.is_stochastic or there[0] <= value):
                x, (value, gradient) = averaged, there
        if self.function.is_stochastic and x is not averaged:
            value, gradient = self.function.on_all_rows(x)
            if not _are_finite(value, gradient):
                reason = Stop.NOT_FINITE
        return OptimizeResult(
            x=x,
            fun=value,
            jac=gradient,
            **ending(reason, rule=rule, max_steps=self.rules.max_steps, nit=self.nit),
            nit=self.nit,
            nfev=self.function.nfev,
            njev=self.function.njev,
            path=None if self.path is None else np.array(self.path),
            path_fun=None if self.path is None else np.array(self.path_fun),
        )

    def descent(self, recipe: Optimizer | LBFGS, state: dict[str, Any] | None) -> FirstOrder | QuasiNewton:
        """The optimizer at the start, or where the run was saved."""
        x, least = self.start.copy(), self.rules.min_step
        limits = least, self.rules.max_steps
        if state is None:
            if isinstance(recipe, LBFGS):
                return QuasiNewton(recipe, x, least)
            return FirstOrder(recipe, x, self.function, limits)
        x[...] = state["x"]
        self.nit, self.best = state["nit"], state["best"]
        self.evaluations = self.function.nfev, self.function.njev = state["evaluations"]
        if self.path is not None:
            self.path, self.path_fun = list(state["path"]), state["path_fun"].tolist()
        if isinstance(recipe, LBFGS):
            return QuasiNewton.resume(recipe, x, state["descent"], least)
        return FirstOrder.resume(recipe, x, self.function, limits, state["descent"])

    def save(self, descent: Descent, reason: Stop | None, rule: str | None) -> None:
        """Save the run, if that is wanted."""
        if self.saved is None:
            return
        state = {
            "x": descent.x.copy(),
            "descent": descent.state_dict(),
            "nit": self.nit,
            "best": self.best,
            "evaluations": self.evaluations,
            "path": None if self.path is None else np.array(self.path),
            "path_fun": None if self.path is None else np.array(self.path_fun),
            "reason": None if reason is None else reason.value,
            "rule": rule,
        }
        self.saved.save(self.number, state)

    def evaluate(self, x: Array) -> tuple[float, Array]:
        """The function and its gradient; the first is that of the start."""
        self.at_rest = True
        value, gradient = self.function(x)
        self.at_rest = False
        if self.best is None:
            self.evaluations = self.function.nfev, self.function.njev
            if not self.keep(x, value, gradient):
                raise NonFiniteError(
                    f"fun or its gradient is not finite at the start: fun({self.name}) = {value}"
                )
        return value, gradient

    def stepped(self, descent: Descent) -> Stop | None:
        """A step has been taken."""
        self.nit += 1
        self.evaluations = self.function.nfev, self.function.njev
        x, value, gradient = descent.x, descent.value, descent.gradient
        if not self.keep(x, value, gradient):
            return Stop.NOT_FINITE
        stop = None
        if self.rules.callbacks:
            nit, nfev = self.nit, self.function.nfev
            state = OptimizeResult(x=x.copy(), fun=value, jac=gradient.copy(), nit=nit, nfev=nfev)
            self.at_rest = True
            stop = Stop.CALLBACK if want_to_stop(self.rules.callbacks, state) else None
            self.at_rest = False
        if stop is None and self.saved is not None and self.saved.checkpoint.is_due(self.nit):
            self.save(descent, None, None)
        return stop

    def keep(self, x: Array, value: float, gradient: Array) -> bool:
        """Record a point; False where it is not finite."""
        if self.path is not None:
            self.path.append(x.copy())
            self.path_fun.append(value)
        if not _are_finite(value, gradient):
            return False
        # What different batches give is not to be compared: the last point counts, as it does of equal ones.
        if self.best is None or self.function.is_stochastic or value <= self.best[1]:
            self.best = (x.copy(), value, gradient.copy())
        return True

    def arrive(self, descent: Descent) -> None:
        """The point where a rule is met is the best one, if it is as good as can be told."""
        assert self.best is not None
        value = descent.value
        if value - self.best[1] <= descent.noise * abs(self.best[1]):
            self.best = (descent.x.copy(), value, descent.gradient.copy())

    def out_of_budget(self) -> Stop | None:
        """Whether steps or time are used up."""
        if self.rules.interrupt.is_set():
            self.at_rest = True
            raise KeyboardInterrupt
        if self.nit >= self.rules.max_steps:
            return Stop.EPOCHS
        if self.rules.deadline is not None and time.monotonic() >= self.rules.deadline:
            return Stop.MAX_TIME
        return None


def _are_finite(value: float, gradient: Array) -> bool:
    return bool(np.isfinite(value) and np.isfinite(gradient).all())


def together(
    runs: list[Minimization], recipe: Optimizer | LBFGS, n_threads: int | None
) -> list[OptimizeResult]:
    """All runs at once. An error ends all of them; so does Ctrl-C, which reaches the main thread only."""
    cores = _cores()
    # More threads than that would only wait for each other.
    count = min(n_threads or cores, len(runs), max(4 * cores, 16))
    interrupt = runs[0].rules.interrupt  # of all
    outcomes: list[OptimizeResult | BaseException | None] = [None] * len(runs)
    waiting: SimpleQueue[int] = SimpleQueue()
    ended: SimpleQueue[OptimizeResult | BaseException] = SimpleQueue()
    for number in range(len(runs)):
        waiting.put(number)

    def work() -> None:
        with suppress(Empty):
            while True:
                number = waiting.get_nowait()
                try:
                    outcome: OptimizeResult | BaseException = runs[number].result(recipe)
                except BaseException as error:
                    outcome = error
                if isinstance(outcome, BaseException) or outcome.reason is Stop.INTERRUPTED:
                    interrupt.set()
                outcomes[number] = outcome
                ended.put(outcome)

    with workers(work, count, interrupt.set) as started, suppress(KeyboardInterrupt):
        if not started:
            work()
        for _ in runs:
            if isinstance(heard(ended), BaseException):
                break
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, KeyboardInterrupt):
            raise outcome
    results = [outcome for outcome in outcomes if isinstance(outcome, OptimizeResult)]
    if not results:
        raise KeyboardInterrupt
    return results


def _cores() -> int:
    """The cores that this process may use, where the system tells; else those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

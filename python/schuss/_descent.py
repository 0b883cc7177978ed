"""The one way down: evaluate, let the optimizer move, look whether to stop."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._averages import average_of
from ._function import Function, length
from ._lengths import is_closed, scheduled, steps_made
from ._optimizer import Optimizer
from ._schuss import LBFGS, LbfgsRun, NonFiniteError
from ._stop import Stop

Array: TypeAlias = NDArray[Any]

# At how many of the steps to come a schedule is looked at, twice.
LOOKS = 1000
# The last of them; float64 has all whole numbers up to it.
FARTHEST = 2**53


class Progress(Enum):
    """What an evaluation led to."""

    SEARCHING = "the point was a probe"
    ARRIVED = "`x` has been evaluated, and is where it was"
    STEPPED = "`x` is a new point"


class Descent(Protocol):
    """A way to descend, from one accepted point to the next.

    Attributes
    ----------
    x : ndarray
        The last accepted point, in the caller's memory: it is right whenever somebody looks.
    value : float
        The function there, once that is known.
    gradient : ndarray
        Its gradient there.
    rule : str
        The stopping rule that is met, in words, where one is.
    resumed_after : Progress or None
        What the last evaluation had led to, where the descent goes on from a saved one.
    noise : float
        The share of a value by which a point may be above the one before and still count as no higher.
    """

    x: Array
    value: float
    gradient: Array
    rule: str
    resumed_after: Progress | None
    noise: float

    def propose(self) -> Array | Stop:
        """Where to evaluate next; a Stop where there is no such point."""

    def tell(self, value: float, gradient: Array) -> Progress | Stop:
        """Take in the function there and its gradient; a Stop is the end."""

    def state_dict(self) -> dict[str, Any] | None:
        """All that it needs to go on from the last accepted point, but `x`."""

    def has_converged(self) -> bool:
        """Whether a stopping rule is met at `x`, which is new or was changed by those who watch."""

    def averaged(self) -> Array | None:
        """The average of the points, where the optimizer keeps one that has begun."""


def descend(
    descent: Descent,
    evaluate: Callable[[Array], tuple[float, Array]],
    stepped: Callable[[Descent], Stop | None],
    out_of_budget: Callable[[], Stop | None] = lambda: None,
) -> Stop:
    """Descend to the end.

    Parameters
    ----------
    descent : Descent
        The optimizer at its start.
    evaluate : callable
        ``evaluate(point) -> (value, gradient)``.
    stepped : callable
        Called with the descent after each step; returns why to stop, if so. It may change `x`: the descent
        goes on from there.
    out_of_budget : callable, optional
        Called after each evaluation that is not the end; returns why to stop, if so.

    Returns
    -------
    Stop
        Why it ended.
    """
    progress: Progress | Stop | None = descent.resumed_after
    while True:
        if progress is None:
            point = descent.propose()
            if isinstance(point, Stop):
                return point
            progress = descent.tell(*evaluate(point))
            if isinstance(progress, Stop):
                return progress
            if progress is Progress.STEPPED and (stop := stepped(descent)):
                return stop
        if progress is not Progress.SEARCHING and descent.has_converged():
            return Stop.CONVERGED
        if stop := out_of_budget():
            return stop
        progress = None


class FirstOrder:
    """Steps of an optimizer with a learning rate, each projected onto the function's bounds.

    It stops where the next step would be no longer than the first of the limits; the second is the most
    gradients that it may take, each of which is a step where none are accumulated.
    """

    value: float
    gradient: Array
    rule: str
    resumed_after: Progress | None = None
    noise = 0.0
    _to_come: tuple[Array, Array] | None = None

    def __init__(self, recipe: Optimizer, x: Array, function: Function, limits: tuple[float, int]) -> None:
        self.x = x
        self.evaluated = False
        self.started = False
        # Where gradients are only collected, `x` rests, and has been looked at already.
        self.is_new = True
        min_step, gradients = limits
        self.total_steps = steps_made(recipe, gradients)
        self.optimizer = recipe.bind(x, total_steps=self.total_steps)
        groups = self.optimizer.param_groups
        number = next(number for number, group in enumerate(groups) if group["params"])
        self.group = groups[number]
        lr = self.optimizer.state_dict()["param_groups"][number]["lr"]
        self.is_frozen = lr == 0 or self.group["lr_factor"] == 0
        self.schedule = next(lr for of, name, lr in scheduled(self.optimizer) if (of, name) == (number, "lr"))
        self.function = function
        self.min_step = min_step

    def propose(self) -> Array | Stop:
        """The start, then the point after one more step."""
        if self.evaluated:
            done = self.optimizer.step_count
            try:
                self.optimizer.step(self.gradient)
            except NonFiniteError:
                # `x` is where it was.
                return Stop.NOT_FINITE
            self.is_new = self.optimizer.step_count > done
            self.function.project(self.x, out=self.x)
            self.evaluated = False
        return self.x

    def tell(self, value: float, gradient: Array) -> Progress:
        """Every point is accepted."""
        self.value, self.gradient = value, gradient
        self.evaluated = True
        if not self.started:
            self.started = True
            return Progress.ARRIVED
        if self.is_new:
            self.optimizer.tell(value)
        return Progress.STEPPED

    @classmethod
    def resume(
        cls, recipe: Optimizer, x: Array, function: Function, limits: tuple[float, int], state: dict[str, Any]
    ) -> FirstOrder:
        """Go on from what `state_dict` gave; `x` is as it was then."""
        descent = cls(recipe, x, function, limits)
        descent.optimizer.load_state_dict(state["optimizer"])
        descent.started, descent.evaluated = state["started"], state["evaluated"]
        # Earlier versions did not know.
        descent.is_new = state.get("is_new", True)
        if descent.evaluated:
            descent.value, descent.gradient = state["value"], state["gradient"]
            descent.resumed_after = Progress.ARRIVED
        return descent

    def state_dict(self) -> dict[str, Any]:
        """All but `x`. The function at `x` may not be known yet."""
        known = {"value": self.value, "gradient": self.gradient} if self.evaluated else {}
        return {
            "optimizer": self.optimizer.state_dict(),
            "started": self.started,
            "evaluated": self.evaluated,
            "is_new": self.is_new,
            **known,
        }

    def has_converged(self) -> bool:
        """Whether the next step would be a small one."""
        if not self.is_new:
            return False
        lr = self.group["lr"] * self.group["lr_factor"]
        if lr == 0 and not self.is_frozen and self.gradient.any():
            return False  # a schedule that begins at 0, or passes through it
        size = self.function.step_size(self.x, self.gradient, lr)
        if size <= self.min_step and (rise := self._rise()) > 1:
            size = self.function.step_size(self.x, self.gradient, lr * rise)
        if size <= self.min_step:
            self.rule = step_is_small(size, self.min_step)
            return True
        return False

    def _rise(self) -> float:
        """How many times as large as the next rate one that is still to come is, by the schedule."""
        if not is_closed(self.schedule):
            return 1.0
        done = self.optimizer.step_count
        if self._to_come is None:
            left = max(min(self.total_steps, FARTHEST) - done - 1, 1)
            # Some at an even pace, some dense where a long training has just begun.
            ahead = np.concatenate([np.linspace(0, left, LOOKS), np.geomspace(1, left, LOOKS)])
            steps = np.unique(done + ahead.astype(np.int64))
            self._to_come = steps, np.array([self.schedule(step) for step in steps.tolist()])
        steps, rates = self._to_come
        now = self.schedule(done)
        return float(rates[steps > done].max(initial=now) / now) if now > 0 else 1.0

    def averaged(self) -> Array | None:
        """That of `ema`, of `swa_start`, or of a schedule-free rule."""
        try:
            average = average_of(self.optimizer)
        except ValueError:
            return None
        return self.function.project(average.reshape(self.x.shape))


class QuasiNewton:
    """Steps of L-BFGS, each with a line search.

    It stops by the recipe's tolerances, and after a step no longer than `min_step`, where that is given.
    """

    value: float
    gradient: Array
    rule: str
    resumed_after: Progress | None = None

    def __init__(self, recipe: LBFGS, x: Array, min_step: float | None = None) -> None:
        self.x = x
        self.recipe = recipe
        self.min_step = min_step
        self.noise = 4 * float(np.finfo(x.dtype).eps)  # as in the line search
        self.begin()

    @classmethod
    def resume(
        cls, recipe: LBFGS, x: Array, state: dict[str, Any] | None, min_step: float | None = None
    ) -> QuasiNewton:
        """Go on from what `state_dict` gave; `x` is as it was then."""
        descent = cls(recipe, x, min_step)
        if state is not None:
            descent.run = LbfgsRun.resume(recipe, state["run"])
            descent.progress, descent.size = state["progress"], state["size"]
            accepted, descent.value, gradient = descent.run.best
            descent.accepted, descent.gradient = accepted.reshape(x.shape), gradient.reshape(x.shape)
            searches = descent.progress == "searching"
            descent.resumed_after = Progress.SEARCHING if searches else Progress.ARRIVED
        return descent

    def state_dict(self) -> dict[str, Any] | None:
        """What is known at the last accepted point; None before the start has been evaluated."""
        run = self.run.state
        return None if run is None else {"run": run, "progress": self.progress, "size": self.size}

    def begin(self) -> None:
        """Search from `x`, with nothing known of the curvature."""
        self.run = LbfgsRun(self.recipe, self.x.ravel())
        self.accepted = self.x.copy()
        self.size = 0.0
        self.progress = "searching"

    def propose(self) -> Array:
        """The next probe of the line search."""
        return self.run.point.reshape(self.x.shape)

    def tell(self, value: float, gradient: Array) -> Progress | Stop:
        """The line search goes on, or has found the next point."""
        self.progress = self.run.tell(value, gradient.ravel())
        if self.progress == "searching":
            return Progress.SEARCHING
        if self.progress == "not_finite":
            # This is the start, and what it is worth.
            self.value, self.gradient = value, gradient
        if self.progress in ("no_descent", "not_finite"):
            return Stop(self.progress)
        x, self.value, gradient = self.run.best
        x, self.gradient = x.reshape(self.x.shape), gradient.reshape(self.x.shape)
        moved = not np.array_equal(x, self.accepted)
        if self.min_step is not None:
            self.size = length(x - self.accepted)
        self.accepted = x
        self.x[...] = x
        # Nothing has moved where the start is the answer already.
        return Progress.STEPPED if moved else Progress.ARRIVED

    def has_converged(self) -> bool:
        """Whether a tolerance is met; a new search begins where `x` was changed meanwhile."""
        if not np.array_equal(self.x, self.accepted):
            self.begin()
            return False
        recipe = self.recipe
        if self.progress == "gradient":
            self.rule = f"No gradient component is larger than tolerance_grad = {recipe.tolerance_grad:g}."
        elif self.progress == "change":
            self.rule = f"The last step gained no more than tolerance_change = {recipe.tolerance_change:g}."
        elif self.min_step is not None and self.size <= self.min_step:
            self.rule = step_is_small(self.size, self.min_step)
        else:
            return False
        return True

    def averaged(self) -> None:
        """None is kept."""


def step_is_small(size: float, min_step: float) -> str:
    """The rule that ends most descents, in words."""
    return f"The step size {size:.3g} is no larger than min_step = {min_step:g}."

"""Functions of the user's that look at a training after each epoch, and may end it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any

import numpy as np

from ._checks import check_sequence, shown

if TYPE_CHECKING:
    from .history import History
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


def as_list(callbacks: Callable[..., Any] | Iterable[Callable[..., Any]] | None) -> list[Callable[..., Any]]:
    """The callbacks, of which there may be none, one or several."""
    if callable(callbacks):
        every = [callbacks]
    else:
        every = check_sequence("callbacks", () if callbacks is None else callbacks, "functions")
    for callback in every:
        if not callable(callback):
            raise TypeError(f"callbacks must be functions, got {shown(callback)}")
        refuse_unrun("callbacks", callback)
    return every


def refuse_unrun(name: str, function: Callable[..., Any]) -> None:
    """Refuse a function that a call does not run, but makes a coroutine or a generator of."""
    for each in (function, getattr(function, "__call__", None)):  # noqa: B004  the method that is called
        if iscoroutinefunction(each) or isgeneratorfunction(each) or isasyncgenfunction(each):
            kind = "generator" if isgeneratorfunction(each) else "asynchronous"
            raise TypeError(f"{name} must be run by a call, got the {kind} function {shown(function)}")


def want_to_stop(callbacks: list[Callable[..., Any]], told: Any) -> bool:
    """Call them all; whether one returns True or raises StopIteration."""
    stop = False
    for callback in callbacks:
        try:
            answer = callback(told)
        except StopIteration:
            answer = True
        # Only a truth value counts: a function may return something else by chance.
        stop |= isinstance(answer, (bool, np.bool_)) and bool(answer)
    return stop


def teller(callbacks: list[Callable[..., Any]], net: MLP, history: History) -> Callable[[int], bool]:
    """What calls them with the last epoch of a history; whether one of them wants to stop."""

    def tell(epoch: int) -> bool:
        last = {name: values[-1] for name, values in history.items()}
        facts = last["loss"], last.get("val_loss"), last.get("lr"), last["seconds"]
        return want_to_stop(callbacks, TrainingInfo(net, epoch, *facts, history))

    return tell

"""What a checkpoint has of the training of a network."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ._averages import leaves
from ._checkpoint import fact_of, fingerprint
from ._lengths import OpenSchedules, longer, met_by, put, scheduled
from ._progress import Progress
from ._recipe_data import data_of_rates, plain, rate_of, rates_of_data
from ._schuss import LBFGS, Optimizer
from ._stop import FINAL, Stop

if TYPE_CHECKING:
    from ._run import Run


def state_of(run: Run, stopped: Stop | None) -> dict[str, Any]:
    """All that a training goes on from; of an epoch that is looked at, what there was before the looks."""
    net, history = run.net, dict(run.history)
    if run.unseen is not None:
        history = {name: column[: run.progress.epochs - 1] for name, column in history.items()}
    return {
        "theta": net.theta,
        "settings": {
            "l2": net.l2,
            "dropout": data_of_rates("dropout", net.dropout),
            "label_smoothing": net.label_smoothing,
            "precision": net.precision,
        },
        "optimizer": _state_of_optimizer(run),
        "met_before": run.met_before,
        "schedules": _set_since(run.scheduled, net.optimizer),
        "epochs_done": net._epochs_done,
        "flat_targets": net._flat_targets,
        "history": history,
        "steps": run.history.steps,
        "progress": asdict(run.progress),
        "seconds": run.seconds_before + run._seconds(),
        "stopped": None if stopped is None else stopped.value,
        "watch": run.watch.state if run.unseen is None else run.watched,
        "unseen": run.unseen,
    }


def begin(
    run: Run,
    saved: Mapping[str, Any] | None,
    optimizer: Optimizer | LBFGS,
    schedules: OpenSchedules | None,
    gradients: int | None,
) -> tuple[Stop | None, OpenSchedules | None]:
    """Begin a training of so many gradients, or go on from what was saved; why it had ended there, if so.

    `schedules` are those of the optimizer that are as long as this training makes them; they come back as
    long as they were where a training goes on whose steps the optimizer has done already.
    """
    if isinstance(optimizer, Optimizer):
        run.net._core.expect_own(run.net.theta, optimizer)
        run.met_before = met_by(optimizer)
        # Earlier versions did not save it.
        if saved is not None and optimizer is run.net.optimizer and (met := saved.get("met_before")):
            run.met_before = met
            schedules = longer(run.net._open_schedules, optimizer, gradients, met)
    state = None if saved is None else saved["optimizer"]
    # Earlier versions did not save these.
    to_set = [] if saved is None else saved.get("schedules", [])
    if isinstance(optimizer, Optimizer) and state is not None:
        # What schedules remember comes once they are there.
        own = {"schedules": optimizer.state_dict()["schedules"]} if to_set else {}
        optimizer.load_state_dict(state | own)
    ended = None if saved is None else restore(run, saved)
    put(schedules, optimizer)
    if isinstance(optimizer, Optimizer):
        run.scheduled = scheduled(optimizer)
        for group, name, schedule in to_set:
            optimizer.param_groups[group][name] = rate_of(schedule)
        if to_set and state is not None:
            optimizer.load_state_dict(state)
    return ended, schedules


def beginning_of(
    run: Run, saved: Mapping[str, Any] | None, optimizer: Optimizer | LBFGS
) -> dict[str, object]:
    """What a training begins with, by name, for all who train together to compare."""
    if saved is not None:  # whatever the network has, this replaces it
        progress, theta, learnt, steps = Progress(**saved["progress"]), saved["theta"], 0, None
    else:
        progress, theta, learnt, steps = run.progress, run.net.theta, run.net._epochs_done, _told(optimizer)
    return {
        "the epochs that are done": progress,
        "the parameters": zlib.crc32(np.ascontiguousarray(theta).data),
        # The order of the rows and dropout follow from these.
        "the epochs that the network has learnt": learnt,
        "the state of the optimizer": steps,
    }


def _told(optimizer: Optimizer | LBFGS) -> str | None:
    """What tells an optimizer at work from one that has taken other steps, or goes on otherwise."""
    if isinstance(optimizer, LBFGS):
        return None
    state = optimizer.state_dict()
    arrays = leaves(state.pop("state"))
    return f"{fact_of(state)} {fingerprint(*arrays)}"


def _state_of_optimizer(run: Run) -> Any:
    """What an optimizer goes on from; of L-BFGS, which may not have been asked to, what was saved before."""
    if run.descent is not None:
        return run.descent.state_dict()
    if isinstance(run.net.optimizer, Optimizer):
        return run.net.optimizer.state_dict()
    return None if run.resumed is None else run.resumed["optimizer"]


def _set_since(before: list[tuple[int, str, Any]], optimizer: Any) -> list[Any]:
    """What callbacks have made of options that may be schedules: group, option, and the value as data."""
    if not isinstance(optimizer, Optimizer):
        return []
    return [
        [group, name, plain(f"optimizer.param_groups[{group}][{name!r}]", value)]
        for (group, name, value), old in zip(scheduled(optimizer), before, strict=True)
        if value != old[2]
    ]


def restore(run: Run, state: Mapping[str, Any]) -> Stop | None:
    """Go on from what a run has saved, but for its optimizer; why the training has ended there, if so."""
    net = run.net
    net.theta[...] = state["theta"]
    settings = {**state["settings"], "dropout": rates_of_data(state["settings"]["dropout"])}
    for name, value in settings.items():
        if getattr(net, name) != value:  # a callback had set it
            setattr(net, name, value)
    net._epochs_done = state["epochs_done"]
    run.history._restore(state["history"], state.get("steps"))
    run.progress = Progress(**state["progress"])
    run.seconds_before = state["seconds"]
    run.watch.restore(state.get("watch"))
    run.history.best_epoch = None if run.watch.early is None else run.watch.early.epoch
    # Earlier versions did not know these.
    net._flat_targets = state.get("flat_targets", net._flat_targets)
    run.resumed, run.unseen = state, state.get("unseen")
    if state["stopped"] is None:
        return None
    ended = Stop(state["stopped"])
    if ended is Stop.TARGET_LOSS and run.target_loss is not None:
        return ended if run.history["loss"][-1] <= run.target_loss else None
    return ended if ended in FINAL else None

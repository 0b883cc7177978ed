"""A training of a network by L-BFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _schuss
from ._checks import shown
from ._descent import Descent, QuasiNewton, descend
from ._settings import check_lbfgs
from ._stop import Stop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._data import Rows
    from ._run import Run
    from ._schuss import LBFGS


def on_all_rows(run: Run, recipe: LBFGS, rows: Rows, epochs: int) -> Stop:
    """Train on all rows at every evaluation, with one or a few evaluations for each step."""
    net, threads, progress = run.net, run.settings["threads"], run.progress
    if epochs <= progress.epochs and run.unseen is None:
        return Stop.EPOCHS
    gradient = np.empty_like(net.theta)

    def evaluate(point: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        run.looks = False
        try:
            left = run._seconds_left()
            return net._core.loss_and_grads(point, rows.arrays, gradient, None, threads, left), gradient
        except KeyboardInterrupt:
            # The last accepted point is in the parameters: the search from there is made again.
            run.save(None)
            raise

    def stepped(descent: Descent) -> Stop | None:
        net._epochs_done += 1
        progress.end_epoch()
        if run.settings["records_steps"]:
            step = [progress.epochs, descent.value, np.nan, rows.total_weight, run._seconds()]
            run._add_steps(np.array(step), 0.0)
        stop = looked(lambda: run._after_epoch(progress.epochs, descent.value, None))
        run._save_if_due(progress.epochs)
        return stop

    def looked(look: Callable[[], Stop | None]) -> Stop | None:
        core = net._core
        try:
            stop = look()
        finally:
            if net._core is not core:
                # A callback has set `l2` or the like: what is known of the old objective is of no use.
                search.begin()
        check_lbfgs(rows, net.dropout)
        if stop is None and progress.epochs >= epochs:
            stop = Stop.EPOCHS
        if stop is None and net.optimizer is not recipe:
            got = shown(net.optimizer)
            raise ValueError(f"optimizer must stay as it is while LBFGS trains, got {got} from a callback")
        return stop

    if run.resumed is not None:
        search = QuasiNewton.resume(recipe, net.theta, run.resumed["optimizer"])
    else:
        search = QuasiNewton(recipe, net.theta)
    run.descent = search
    if (again := looked(run._look_again)) is not None:
        return again
    try:
        stop = descend(search, evaluate, stepped)
    except _schuss.OutOfTime:
        return Stop.MAX_TIME
    if stop is Stop.NOT_FINITE:
        what = f"the loss or its gradient is not finite at the start: the loss is {search.value}"
        error = _schuss.NonFiniteError(what)
        rows.explain(error, net.theta)
        raise error
    # No lower point along the gradient: as far as the precision goes, this is the bottom.
    return Stop.CONVERGED if stop is Stop.NO_DESCENT else stop

"""Which optimizer the parameters of an estimator ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import optimizers
from .._checks import shown
from .._lengths import is_open, open_schedules
from .._schuss import LBFGS


def asked_for_lbfgs(estimator: Any) -> LBFGS | None:
    """The recipe of L-BFGS, where that is asked for."""
    if isinstance(estimator.optimizer, LBFGS):
        return estimator.optimizer
    if isinstance(estimator.optimizer, str) and estimator.optimizer.lower() == "lbfgs":
        return LBFGS()
    if estimator.optimizer is None and estimator.solver == "lbfgs":
        # No tolerance for the change: scikit-learn's is one for the gain of a step.
        return LBFGS(tolerance_grad=estimator.tol, tolerance_change=0.0)
    return None


def lbfgs_of(estimator: Any) -> LBFGS | None:
    """The recipe of L-BFGS, where that is what trains, and may."""
    asked = asked_for_lbfgs(estimator)
    if asked is not None and (estimator.schedule is not None or estimator.clip_norm is not None):
        raise ValueError("schedule and clip_norm must be None with L-BFGS, which has no learning rate")
    if asked is not None and np.any(estimator.dropout):
        raise ValueError(f"dropout must be 0 with L-BFGS: its loss may not change, got {estimator.dropout}")
    if asked is not None and estimator.n_shards != 1:
        raise ValueError(f"n_shards must be 1 with L-BFGS, got {estimator.n_shards}")
    if asked is not None and estimator.sharded:
        raise ValueError("sharded must be False with L-BFGS, which takes all rows at once")
    return asked


def optimizer_of(estimator: Any) -> tuple[Any, Any]:
    """The recipe of any other optimizer, and its learning rate where that is not the recipe's own."""
    if estimator.optimizer is not None:
        return optimizers.recipe(estimator.optimizer), estimator.schedule
    lr = estimator.learning_rate_init if estimator.schedule is None else estimator.schedule
    # scikit-learn's formulas are those of Keras. What is not finite shows in the loss, at no cost.
    common: dict[str, Any] = {"nonfinite": "ignore", "convention": "keras"}
    if estimator.solver == "adam":
        betas = (estimator.beta_1, estimator.beta_2)
        return optimizers.Adam(lr=lr, betas=betas, eps=estimator.epsilon, **common), None
    momentum = min(estimator.momentum, np.nextafter(1.0, 0.0))
    nesterov = bool(estimator.nesterovs_momentum) and momentum > 0
    return optimizers.SGD(lr=lr, momentum=momentum, nesterov=nesterov, **common), None


def expect_lengths(estimator: Any) -> None:
    """Refuse schedules that would take their length from the training, where nobody knows its end."""
    name, given = "schedule", estimator.schedule
    if not is_open(given):
        if estimator.optimizer is None or open_schedules(optimizers.recipe(estimator.optimizer)) is None:
            return
        name, given = "optimizer", estimator.optimizer
    raise ValueError(
        f"{name} must have total_steps in partial_fit, which does not know how many steps will follow, got "
        f"{given!r}"
    )


def check_options(estimator: Any, params: Mapping[str, Any]) -> None:
    """Refuse parameters such as ``optimizer__lr`` where no optimizer is there to have them."""
    name = next((name for name in params if name.startswith("optimizer__")), None)
    optimizer = params.get("optimizer", estimator.optimizer)
    if name is not None and not hasattr(optimizer, "set_params"):
        raise ValueError(
            f"{name} needs an optimizer that has it, such as optimizer=schuss.AdamW(), got {shown(optimizer)}"
            f"{'; the rate of a solver is learning_rate_init' if optimizer is None else ''}"
        )


def adapts(estimator: Any) -> bool:
    """Whether `learning_rate` has a say: not over Adam as scikit-learn has it, nor over a schedule.

    Whether an optimizer's own rate is a schedule shows where it is bound to parameters.
    """
    return estimator.schedule is None and (estimator.optimizer is not None or estimator.solver == "sgd")

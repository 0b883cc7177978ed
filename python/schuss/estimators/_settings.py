"""What a training needs to know of its estimator, taken down once before it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._callbacks import as_list
from ._losses import Objective
from ._recipes import adapts, lbfgs_of


@dataclass(frozen=True)
class Settings:
    """The options of one training.

    Most are the estimator's parameters of that name. What differs:

    Attributes
    ----------
    learning_rate : str
        How it adapts; "constant" where the optimizer or its schedule knows better.
    stops_early : bool
        Whether the score of held-out rows decides when to stop, in place of the loss.
    patience : float
        Epochs without improvement that are borne; infinite where the method itself knows when it is done.
    restores_best : bool
        Whether to end with the parameters of the best epoch.
    max_time : float
        Seconds, infinite where there is no limit, or another process looks at the clock.
    verbose, progress : bool
        What to show; nothing where another process shows it.
    """

    objective: Objective
    alpha: float
    shuffle: bool
    seed: int
    n_shards: int
    sharded: bool
    learning_rate: str
    power_t: float
    tol: float
    stops_early: bool
    patience: float
    restores_best: bool
    max_time: float
    callbacks: tuple[Callable[..., Any], ...]
    verbose: bool
    progress: bool

    @classmethod
    def of(cls, estimator: Any, stops_early: bool, leads: bool = True, incremental: bool = False) -> Settings:
        """Those of an estimator as it is now, in the process that leads or in another one.

        A training that is incremental sees rows of which others may come: none of its epochs is the best.
        """
        # L-BFGS knows itself when its loss has come to rest.
        may_stall = stops_early or lbfgs_of(estimator) is None
        restores = estimator.restore_best
        return cls(
            objective=estimator._objective(),
            alpha=estimator.alpha,
            shuffle=bool(estimator.shuffle),
            seed=estimator._seed,
            n_shards=int(estimator.n_shards),
            sharded=bool(estimator.sharded),
            learning_rate=estimator.learning_rate if adapts(estimator) else "constant",
            power_t=estimator.power_t,
            tol=estimator.tol,
            stops_early=stops_early,
            patience=estimator.n_iter_no_change if may_stall else np.inf,
            restores_best=not incremental and (stops_early if restores is None else bool(restores)),
            max_time=np.inf if estimator.max_time is None or not leads else estimator.max_time,
            callbacks=tuple(as_list(estimator.callbacks)),
            verbose=leads and bool(estimator.verbose),
            progress=leads and bool(estimator.progress),
        )

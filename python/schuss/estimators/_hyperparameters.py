"""The parameters that both estimators have: their types, and what scikit-learn accepts for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, Options, StrOptions

from .. import optimizers
from .._registry import ACTIVATION_ALIASES
from .._schuss import ACTIVATIONS, LBFGS, PRECISIONS, Schedule
from .._settings import MOST_SHARDS
from ..typing import ActivationName, LearningRateName, OptimizerName, PrecisionName, SolverName
from ._recipes import check_options

if TYPE_CHECKING:
    from typing_extensions import Self

Array: TypeAlias = NDArray[Any]
Callback: TypeAlias = Callable[[Any], object]


class Hyperparameters(BaseEstimator):
    """What a user may choose."""

    hidden_layer_sizes: int | Sequence[int] | Array
    activation: ActivationName | Sequence[ActivationName]
    solver: SolverName
    alpha: float
    batch_size: int | Literal["auto"]
    learning_rate: LearningRateName
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: int | np.random.RandomState | None
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    optimizer: optimizers.Optimizer | LBFGS | OptimizerName | None
    schedule: Schedule | Callable[[int], float] | None
    dropout: float | Sequence[float] | Array
    clip_norm: float | None
    scoring: str | Callable[..., Any] | None
    restore_best: bool | None
    max_time: float | None
    callbacks: Callback | Sequence[Callback] | None
    progress: bool
    n_threads: int | None
    n_shards: int
    sharded: bool
    precision: PrecisionName | None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({*ACTIVATION_ALIASES, *ACTIVATIONS}), "array-like"],
        "solver": [StrOptions(set(get_args(SolverName)))],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions(set(get_args(LearningRateName)))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "optimizer": [optimizers.Optimizer, LBFGS, str, None],
        "schedule": [callable, None],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "scoring": [str, callable, None],
        "restore_best": ["boolean", None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "callbacks": [list, tuple, callable, None],
        "progress": ["boolean"],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "n_shards": [Interval(Integral, 1, MOST_SHARDS, closed="both")],
        "sharded": ["boolean"],
        "precision": [StrOptions(set(PRECISIONS)), None],
    }

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; those of an optimizer are ``optimizer__lr`` and the like.

        Parameters
        ----------
        **params
            Names and values.

        Returns
        -------
        estimator
            This one.

        Raises
        ------
        ValueError
            If there is no such parameter, or no optimizer that has it.
        """
        check_options(self, params)
        super().set_params(**params)
        return self


def keep(estimator: object, given: Mapping[str, Any]) -> None:
    """Keep each argument of a constructor under its own name, as it is: scikit-learn's rule."""
    for name, value in given.items():
        if name != "self":
            setattr(estimator, name, value)

"""The regressor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import Interval, StrOptions

from .. import optimizers
from .._arrays import array
from .._checks import shown
from .._schuss import LBFGS, Schedule
from .._sparse import is_sparse
from ..typing import (
    ActivationName,
    LearningRateName,
    OptimizerName,
    PrecisionName,
    RegressionLossName,
    SolverName,
)
from . import _losses
from ._base import BaseMLP
from ._decorators import checked, stochastic_only
from ._docs import TEXTS, document
from ._hyperparameters import Callback, keep
from ._labels import column_of
from ._samples import Samples
from ._scores import mean_of, r2, squares
from ._together import Others

if TYPE_CHECKING:
    from typing_extensions import Self

Array: TypeAlias = NDArray[Any]


class MLPRegressor(RegressorMixin, BaseMLP):
    """A multilayer perceptron regressor: scikit-learn's, trained by schuss.

    All parameters and attributes of `sklearn.neural_network.MLPRegressor` with their meaning, and more; as
    there, it is `fit` that checks them.

    Parameters
    ----------
    loss : str, default "squared_error"
        What is minimised: "squared_error" (half of it), "poisson" (for counts; predictions are exp of the
        last layer), "absolute_error", "huber", "quantile" or "log_cosh". "mse" is another name of
        "squared_error"; "mae" and "l1" are others of "absolute_error".
    %(first)s
    %(second)s
    delta : float, default 1.0
        Where the loss "huber" turns from a parabola into a line.
    quantile : float, default 0.5
        The quantile that the loss "quantile" makes the model predict.
    target_weights : array-like of shape (n_outputs,), optional
        Weights of the columns of y in the loss.
    %(third)s

    Attributes
    ----------
    %(attributes)s

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = MLPRegressor(learning_rate_init=0.01, early_stopping=True, random_state=0)
    >>> model = make_pipeline(StandardScaler(), net)
    >>> model.fit(X, y).score(X, y) > 0.3
    True
    """

    loss: RegressionLossName
    delta: float
    quantile: float
    target_weights: ArrayLike | None

    _parameter_constraints: ClassVar = {
        **BaseMLP._parameter_constraints,
        "loss": [StrOptions(set(_losses.REGRESSION))],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
        "target_weights": ["array-like", None],
    }

    def __init__(
        self,
        loss: RegressionLossName = "squared_error",
        hidden_layer_sizes: int | Sequence[int] | Array = (100,),
        activation: ActivationName | Sequence[ActivationName] = "relu",
        *,
        solver: SolverName = "adam",
        alpha: float = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: LearningRateName = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        optimizer: optimizers.Optimizer | LBFGS | OptimizerName | None = None,
        schedule: Schedule | Callable[[int], float] | None = None,
        dropout: float | Sequence[float] | Array = 0.0,
        delta: float = 1.0,
        quantile: float = 0.5,
        target_weights: ArrayLike | None = None,
        clip_norm: float | None = None,
        scoring: str | Callable[..., Any] | None = None,
        restore_best: bool | None = None,
        max_time: float | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        progress: bool = False,
        n_threads: int | None = None,
        n_shards: int = 1,
        sharded: bool = False,
        precision: PrecisionName | None = None,
    ) -> None:
        keep(self, locals())

    @stochastic_only
    @checked
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Take one pass over the given rows, from where the model is.

        There is no best of several epochs for `restore_best` to go back to, and no end of the training: a
        schedule needs a length of its own, ``total_steps``.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            With L-BFGS, which needs all rows: there is no such method then.
        TypeError, ValueError
            As `fit`. If `early_stopping` is set, or a schedule has no length.
        RuntimeError
            If it is training already, in another thread or in the `fit` whose callback this is.
        """
        return self._fit(X, y, sample_weight, incremental=True)

    def predict(self, X: Any) -> Array:
        """The prediction for each row.

        Parameters
        ----------
        %(predict)s

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The values.

        %(predict_raises)s
        """
        out = self._outputs(X)
        return out[:, 0] if self.n_outputs_ == 1 else out

    def _score(self, out: Array, targets: Array, sample_weight: Array | None) -> float:
        mean = mean_of(targets.astype(np.float64), sample_weight)
        left, spread = (mean_of(squares(of, targets), sample_weight) for of in (out, mean))
        return r2(left, spread) if len(targets) > 1 else np.nan

    def _score_is_defined(self, held_out: Samples) -> bool:
        weight, targets = held_out.sample_weight, held_out.targets
        counted = targets if weight is None else targets[weight > 0]
        return bool((counted != counted[:1]).any())

    def _check_targets(self, y: Any, incremental: bool) -> tuple[Any, Array]:
        y = column_of(y.toarray() if is_sparse(y) else y)
        counts = y
        if y.dtype.kind not in "fiub":
            with suppress(TypeError, ValueError, OverflowError):  # what is no number is refused later
                counts = y.astype(np.float64)
        if self.loss == "poisson" and counts.dtype.kind in "fiub" and (counts < 0).any():
            raise ValueError("Some value(s) of y are out of the valid range of the loss 'poisson'.")
        return y, y

    def _objective(self) -> _losses.Objective:
        weights = np.ones(self.n_outputs_)
        if self.target_weights is not None:
            weights = array("target_weights", self.target_weights)
            sound = weights.dtype.kind in "fiu" and ((weights >= 0) & np.isfinite(weights)).all()
            if weights.shape != (self.n_outputs_,) or not sound:
                raise ValueError(
                    f"target_weights must be {self.n_outputs_} numbers, finite and not negative, one for "
                    f"each column of y; got {shown(self.target_weights)}"
                )
        parameter = {"huber": self.delta, "quantile": self.quantile}.get(self.loss)
        return _losses.regression(self.loss, parameter, weights)

    def _weights(
        self, y: Any, sample_weight: Array | None, incremental: bool, others: Others | None = None
    ) -> Array | None:
        return sample_weight


document(MLPRegressor, TEXTS, "predict")

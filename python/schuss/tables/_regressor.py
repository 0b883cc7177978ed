"""The regressor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import StrOptions

from ..estimators._docs import document
from ..estimators._hyperparameters import keep
from ..typing import ColumnKind, PresetName, RegressionMetricName, TargetTransformName
from . import _metrics
from ._base import BaseTabular
from ._docs import TEXTS
from ._metrics import Metric
from ._target import TRANSFORMS, RegressionTarget

if TYPE_CHECKING:
    from typing_extensions import Self

Array = NDArray[Any]


class TabularRegressor(RegressorMixin, BaseTabular):
    """An ensemble of small networks that takes a table as it is, and predicts a number.

    %(members)s
    What they say is weighted by greedy selection, all on rows that they have not learnt from. The target is
    standardised; predictions stay within the range of the targets that were seen.

    Parameters
    ----------
    %(first)s
    eval_metric : {"rmse", "mae"}, default None
        What members are chosen by; None for the root mean squared error.
    target_transform : {"log", "quantile", "auto"} or None, default None
        What is learnt in place of the target: its logarithm, or its rank as a normal score; "auto" for the
        logarithm where the target is positive and skewed. Means of logarithms are not logarithms of means:
        predictions are then nearer to the median.
    %(second)s

    Attributes
    ----------
    %(fitted)s
    %(features)s

    References
    ----------
    Much in the members is of RealMLP (Holzmueller, Grinsztajn and Steinwart, Better by default, 2024,
    arXiv:2407.04491). Caruana et al., Ensemble selection from libraries of models (2004).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> size, colour = rng.normal(size=300), rng.choice(["red", "green"], 300)
    >>> rows = [[s, c] for s, c in zip(size, colour)]
    >>> price = size**2 + 2 * (colour == "red")
    >>> model = TabularRegressor(preset="quick", random_state=0).fit(rows, price)
    >>> model.predict([[1.0, "red"], [1.0, "green"]]).round()
    array([3., 1.])
    """

    target_transform: TargetTransformName | None

    _target_class = RegressionTarget
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseTabular._parameter_constraints,
        "eval_metric": [StrOptions(set(_metrics.REGRESSION)), None],
        "target_transform": [StrOptions(set(TRANSFORMS)), None],
    }

    def __init__(
        self,
        preset: PresetName = "balanced",
        *,
        max_time: float | None = None,
        n_members: int | None = None,
        n_folds: int | None = None,
        eval_metric: RegressionMetricName | None = None,
        target_transform: TargetTransformName | None = None,
        columns: Mapping[Any, ColumnKind] | None = None,
        categorical_features: Any = None,
        progress: bool = False,
        random_state: Any = None,
        n_threads: int | None = None,
    ) -> None:
        keep(self, locals())

    def fit(
        self,
        X: Any,
        y: Any,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight: Any = None,
        *,
        checkpoint: Any = None,
        checkpoint_every: float | None = None,
        resume: bool = False,
    ) -> Self:
        """Fit the ensemble to a table.

        Parameters
        ----------
        %(X_to_fit)s
        y : array-like of shape (n_samples,)
            The numbers.
        X_val, y_val : like X and y, optional
            Rows that are not learnt from, in place of folds: they choose epochs and members.
        %(sample_weight)s
        %(checkpoint)s

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a column has text that is no category, or infinite or mixed values, if y is missing or infinite
            somewhere, or the like; the message names the column. If a parameter or another argument is not
            accepted, or `checkpoint` is damaged or of another fit. A former fit is as it was then.
        OSError
            If `checkpoint` cannot be read or written.
        """
        return self._fit(X, y, X_val, y_val, sample_weight, (checkpoint, checkpoint_every, resume))

    def predict(self, X: Any) -> Array:
        """The number that is expected for each row.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        ndarray of shape (n_samples,)
            In the unit of y.

        %(bad_X)s
        """
        said = self._said(X)
        return self._target.inverse(said)

    def predict_one(self, row: Any) -> float:
        """The number that is expected for a single row: the bits of `predict`, but sooner.

        Parameters
        ----------
        %(row)s

        Returns
        -------
        float
            In the unit of y.

        Raises
        ------
        %(bad_row)s
        """
        said = self._said_of_row(row)
        return float(self._target.inverse(said)[0])

    def _learn_target(self, y: Any) -> Array:
        self._target = RegressionTarget(self.target_transform)
        return self._target.fit_transform(y).astype(np.float32)

    def _as_target(self, y: Any) -> Array:
        with np.errstate(over="ignore"):
            targets = self._target.transform(y)
        if (far := float(np.abs(targets).max())) > float(np.finfo(np.float32).max):
            raise ValueError(f"y is too far from the targets of fit: {far:g} times their standard deviation")
        return targets.astype(np.float32)

    @property
    def _n_classes(self) -> None:
        return None

    def _metric(self) -> tuple[str, Metric]:
        name = self.eval_metric or "rmse"
        return name, _metrics.REGRESSION[name]

    def _of_metric(self, y: Array) -> Array:
        # Those of `y_val` may lie outside of the range of predictions.
        return self._target.inverse(y, clamps=False)

    def _unit(self, predictions: Array) -> Array:
        return self._target.inverse(predictions)

    def _finish(self, predictions: Array, y: Array, weights: Array | None) -> None:
        """Nothing is learnt from them."""


document(TabularRegressor, TEXTS, "fit", "predict", "predict_one")

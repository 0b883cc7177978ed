"""The classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils._param_validation import StrOptions

from .._checks import check_number, shown
from .._warn import warn
from ..estimators._docs import document
from ..estimators._hyperparameters import keep
from ..typing import ClassificationMetricName, ColumnKind, PresetName
from . import _metrics
from ._base import BaseTabular
from ._docs import TEXTS
from ._metrics import Metric
from ._selection import heated, temperature
from ._target import ClassTarget

if TYPE_CHECKING:
    from typing_extensions import Self

Array = NDArray[Any]


class TabularClassifier(ClassifierMixin, BaseTabular):
    """An ensemble of small networks that takes a table as it is, and says how probable each class is.

    %(members)s
    What they say is weighted by greedy selection, and the probabilities are calibrated by a temperature, all
    on rows that they have not learnt from.

    Parameters
    ----------
    %(first)s
    eval_metric : {"log_loss", "error_rate", "roc_auc"}, default None
        What members are chosen by; None for log-loss, which makes the best probabilities.
    class_weight : dict, "balanced" or None, default None
        Weights of the classes, which multiply those of the rows.
    %(second)s

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    %(fitted)s
    temperature_ : float
        What the logarithms of the probabilities are divided by.
    %(features)s

    References
    ----------
    Much in the members is of RealMLP (Holzmueller, Grinsztajn and Steinwart, Better by default, 2024,
    arXiv:2407.04491). Caruana et al., Ensemble selection from libraries of models (2004); Guo et al., On
    calibration of modern neural networks (2017).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> size, colour = rng.normal(size=300), rng.choice(["red", "green"], 300)
    >>> rows = [[s, c] for s, c in zip(size, colour)]
    >>> ripe = np.where((size > 0) & (colour == "red"), "ripe", "not yet")
    >>> model = TabularClassifier(preset="quick", random_state=0).fit(rows, ripe)
    >>> model.predict([[2.0, "red"], [2.0, "green"]])
    array(['ripe', 'not yet'], dtype='<U7')
    """

    class_weight: Mapping[Any, float] | Literal["balanced"] | None
    classes_: Array
    temperature_: float

    _target_class = ClassTarget
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseTabular._parameter_constraints,
        "eval_metric": [StrOptions(set(_metrics.CLASSIFICATION)), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        preset: PresetName = "balanced",
        *,
        max_time: float | None = None,
        n_members: int | None = None,
        n_folds: int | None = None,
        eval_metric: ClassificationMetricName | None = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
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
            The labels, of one type: text, bytes, True and False, whole numbers, or datetime64 or timedelta64
            of NumPy.
        X_val, y_val : like X and y, optional
            Rows that are not learnt from, in place of folds: they choose epochs, members and temperature.
        %(sample_weight)s
        %(checkpoint)s

        Returns
        -------
        self

        Warns
        -----
        UserWarning
            If a class has no row with a weight above 0: it is not learnt, and not in `classes_`.

        Raises
        ------
        ValueError, TypeError
            If a column has text that is no category, or infinite or mixed values, if y has one class only or
            is missing somewhere, or the like; the message names the column. If a parameter or another
            argument is not accepted, or `checkpoint` is damaged or of another fit. A former fit is as it was
            then.
        OSError
            If `checkpoint` cannot be read or written.
        """
        return self._fit(X, y, X_val, y_val, sample_weight, (checkpoint, checkpoint_every, resume))

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        %(bad_X)s
        """
        said = self._said(X)
        return heated(said, self.temperature_)

    def predict(self, X: Any) -> Array:
        """The most probable class of each row.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.

        %(bad_X)s
        """
        said = self._said(X)
        labels: Array = self.classes_[said.argmax(axis=1)]
        return labels

    def predict_one(self, row: Any) -> Any:
        """The most probable class of a single row: what `predict` says of it, but sooner.

        Parameters
        ----------
        %(row)s

        Returns
        -------
        label
            One of `classes_`.

        Raises
        ------
        %(bad_row)s
        """
        said = self._said_of_row(row)
        return self.classes_[said[0].argmax()]

    def predict_proba_one(self, row: Any) -> Array:
        """Probabilities of the classes for a single row: the bits of `predict_proba`, but sooner.

        Parameters
        ----------
        %(row)s

        Returns
        -------
        ndarray of shape (n_classes,)
            In the order of `classes_`.

        Raises
        ------
        %(bad_row)s
        """
        probabilities: Array = heated(self._said_of_row(row), self.temperature_)[0]
        return probabilities

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        %(bad_X)s
        """
        return np.log(self.predict_proba(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of the rows whose most probable class is theirs.

        Parameters
        ----------
        %(X)s
        y : array-like of shape (n_samples,)
            Labels as `fit` takes them; others than those of `classes_` are never predicted.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows.

        Returns
        -------
        float
            From 0 to 1.

        %(bad_X)s If `y` has no labels, or labels of another type than `classes_`.
        """
        said = self._said(X)
        # By codes: scikit-learn takes objects for labels where they are text alone.
        return float(
            accuracy_score(self._target.codes_of(y), said.argmax(axis=1), sample_weight=sample_weight)
        )

    def _learn_target(self, y: Any) -> Array:
        self._target = ClassTarget()
        codes = self._target.fit_transform(y)
        self.classes_ = self._target.classes
        return codes

    def _look_at(self, weightless: Array) -> None:
        if lost := self._target.lose(weightless):
            said = f"y has {shown(lost)} in rows of sample_weight 0 alone: classes_ has no such class"
            warn(said)

    def _as_target(self, y: Any) -> Array:
        return self._target.transform(y)

    @property
    def _n_classes(self) -> int:
        return len(self.classes_)

    def _metric(self) -> tuple[str, Metric]:
        name = self.eval_metric or "log_loss"
        # The lower the better, like all others.
        return "1 - roc_auc" if name == "roc_auc" else name, _metrics.CLASSIFICATION[name]

    def _class_factors(self, targets: Array, weights: Array | None) -> Array | None:
        if self.class_weight is None:
            return None
        if self.class_weight == "balanced":
            counts = np.bincount(targets, weights)
            return np.asarray(counts.sum() / (len(counts) * counts))
        return self._factors_of(self.class_weight)

    def _factors_of(self, given: Mapping[Any, float]) -> Array:
        classes = list(self.classes_)
        unknown = [label for label in given if label not in classes]
        # By equality alone: equal dates of NumPy and of Python have different hashes.
        weights = [[weight for key, weight in given.items() if key == label] for label in classes]
        # Rows of a part of the table may have fewer classes, as in scikit-learn.
        if unknown and not all(weights):
            got = f"{shown(unknown[0])}, and not all of them"
            raise ValueError(
                f"class_weight must have classes of y, {shown(self.classes_.tolist())}, got {got}"
            )
        factors = [
            check_number(f"class_weight[{shown(called)}]", (weight or [1.0])[0], least=0)
            for weight, called in zip(weights, self.classes_.tolist(), strict=True)
        ]
        if not 0 < max(factors) < np.inf:
            expected = "be finite, and positive for some class of y"
            raise ValueError(f"class_weight must {expected}, got {shown(given)}")
        return np.array(factors)

    def _finish(self, predictions: Array, y: Array, weights: Array | None) -> None:
        def score(probabilities: Array) -> float:
            return _metrics.log_loss(y, probabilities, weights)

        # Rows that leave no doubt say nothing of how much there should be.
        doubtful = float(np.sum(1 - np.sum(predictions**2, axis=1)))
        self.temperature_ = temperature(predictions, score, doubtful)


document(
    TabularClassifier,
    TEXTS,
    "fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "predict_one",
    "predict_proba_one",
    "score",
)

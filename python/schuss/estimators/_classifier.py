"""The classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import compute_class_weight, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)

from .. import optimizers
from .._checks import shown
from .._schuss import LBFGS, Schedule
from ..typing import ActivationName, LearningRateName, OptimizerName, PrecisionName, SolverName
from . import _losses
from ._base import BaseMLP
from ._decorators import checked, stochastic_only
from ._docs import TEXTS, document
from ._given import check_given, naming, weighed_by
from ._hyperparameters import Callback, keep
from ._labels import balanced, column_of, expect_no_missing, expect_no_missing_date, plain_texts
from ._scores import are_right, mean_of
from ._together import Others

if TYPE_CHECKING:
    from typing_extensions import Self

Array: TypeAlias = NDArray[Any]
Weights: TypeAlias = Mapping[Any, float]


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A multilayer perceptron classifier: scikit-learn's, trained by schuss.

    All parameters and attributes of `sklearn.neural_network.MLPClassifier` with their meaning, and more; as
    there, it is `fit` that checks them. Several columns of y are labels that may hold at once: 0 is off, any
    other number on; not more than two different numbers may be in all of them.

    Parameters
    ----------
    %(first)s
    %(second)s
    class_weight : dict, list of dict, "balanced" or None, default None
        Weights of the classes, which multiply those of the rows; of several labels at once a dict for each,
        of 0 and 1.
    %(third)s

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    %(attributes)s

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(learning_rate_init=0.01, random_state=0, max_iter=500).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    class_weight: Weights | Sequence[Weights] | Literal["balanced"] | None
    classes_: Array

    _parameter_constraints: ClassVar = {
        **BaseMLP._parameter_constraints,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    loss = "log_loss"

    def __init__(
        self,
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
        class_weight: Weights | Sequence[Weights] | Literal["balanced"] | None = None,
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @stochastic_only
    @checked
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Take one pass over the given rows, from where the model is.

        There is no best of several epochs for `restore_best` to go back to, and no end of the training: a
        schedule needs a length of its own, ``total_steps``.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array-like, optional
            All classes that will ever come: needed at the first call.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            With L-BFGS, which needs all rows: there is no such method then.
        TypeError, ValueError
            As `fit`. If `classes` are missing at the first call, or y has others. If `early_stopping` is set,
            `class_weight` is "balanced", or a schedule has no length.
        RuntimeError
            If it is training already, in another thread or in the `fit` whose callback this is.
        """
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)

    def predict(self, X: Any) -> Array:
        """The most probable class of each row.

        Parameters
        ----------
        %(predict)s

        Returns
        -------
        ndarray or sparse matrix of shape (n_samples,) or (n_samples, n_classes)
            Labels, or 0 and 1 for several labels at once, sparse where y was.

        %(predict_raises)s
        """
        return self._labels(self._outputs(X))

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes.

        Parameters
        ----------
        %(predict)s

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        %(predict_raises)s
        """
        out = self._outputs(X)
        return np.hstack([1 - out, out]) if self.n_outputs_ == 1 else out

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        %(predict)s

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        %(predict_raises)s
        """
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    def _labels(self, out: Array) -> Array:
        kind = self._label_binarizer.y_type_
        if kind == "multiclass":
            return self.classes_[out.argmax(axis=1)]
        if kind != "binary":
            labels = (out > 0.5).astype(int)
            # As sparse as those that were learnt.
            is_dense = not self._label_binarizer.sparse_input_
            return labels if is_dense else self._label_binarizer.inverse_transform(labels)
        # Where only one class was seen there is no second to choose.
        return self.classes_[np.minimum(out[:, 0] > 0.5, len(self.classes_) - 1)]

    def _score(self, out: Array, targets: Array, sample_weight: Array | None) -> float:
        # Where only one class was seen it is always predicted.
        return float(mean_of(are_right(out, targets), sample_weight)) if len(self.classes_) > 1 else 1.0

    def _begin_piece(self, y: Any, classes: Any) -> None:
        super()._begin_piece(y, classes)
        check_given(y=y, dates=True)
        expect_no_missing("classes", classes)
        classes = plain_texts(classes) if isinstance(classes, np.ndarray) else classes
        with naming("classes"), np.errstate(invalid="ignore"):  # NaN is refused in words
            if not _check_partial_fit_first_call(self, classes):
                return
        self._label_binarizer = LabelBinarizer()
        if type_of_target(y).startswith("multilabel"):
            self._label_binarizer.fit(y)
            return
        with naming("classes"):
            self._label_binarizer.fit(classes)
        expect_no_missing_date("classes", self._label_binarizer.classes_)

    def _check_targets(self, y: Any, incremental: bool) -> tuple[Any, Array]:
        y = plain_texts(column_of(y))
        expect_no_missing_date("y", y)
        if not hasattr(self, "classes_") or not (self.warm_start or incremental):
            try:
                self._label_binarizer = LabelBinarizer().fit(y)
            except TypeError as error:
                raise TypeError(f"y must be labels of one kind, which can be sorted: {error}") from error
            except ValueError:
                # It says the same, with all of y.
                check_classification_targets(y)
                raise
            self.classes_ = self._label_binarizer.classes_
        else:
            self._expect_known(y, all_of_them=self.warm_start and not incremental)
        kind = self._label_binarizer.y_type_
        if kind not in ("binary", "multiclass"):
            # As in scikit-learn, what is not zero is on.
            given = self._label_binarizer.transform(y)
            several = (given != 0).astype(given.dtype)
            return several, several
        indices = np.searchsorted(self.classes_, y)
        return y, indices.astype(np.uint32) if kind == "multiclass" else indices

    def _expect_known(self, y: Any, all_of_them: bool) -> None:
        """Refuse labels of another kind than those that the classes are from, and other ones."""
        columns = None if self._label_binarizer.y_type_ in ("binary", "multiclass") else len(self.classes_)
        # To `unique_labels`, columns are classes 0, 1, 2, ...
        if (y.shape[1] if y.ndim == 2 else None) != columns:
            accepted = "(n_samples,)" if columns is None else f"(n_samples, {columns})"
            raise ValueError(f"y must be of shape {accepted} like what the classes are from, got {y.shape}")
        classes = unique_labels(y)
        if all_of_them and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to "
                f"fit. Previously got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`."
                f" `self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _objective(self) -> _losses.Objective:
        return _losses.classification(self.n_outputs_, self._label_binarizer.y_type_ == "multiclass")

    def _weights(
        self, y: Any, sample_weight: Array | None, incremental: bool, others: Others | None = None
    ) -> Array | None:
        if self.class_weight is None:
            return sample_weight
        if self.class_weight != "balanced":
            weights = self._given_weights(y, self.class_weight)
        elif incremental:
            raise ValueError(
                'class_weight must not be "balanced" in partial_fit, where rows are missing: weigh y by '
                'compute_class_weight("balanced", classes=classes, y=y) of sklearn.utils, and give a dict'
            )
        elif others is not None:
            weights = self._given_weights(y, balanced(others.labels))
        else:
            weights = compute_sample_weight("balanced", y)
        weights = weights if sample_weight is None else weights * sample_weight
        if not ((weights >= 0) & np.isfinite(weights)).all() or not (weights.any() or others):
            raise ValueError(
                f"{weighed_by(self, sample_weight)} must be finite, not negative, and not zero for all rows; "
                f"got class_weight={self.class_weight}"
            )
        return weights

    def _given_weights(self, y: Array, given: Any) -> Array:
        """The weights of rows by those of the classes, some of which these rows may not have."""
        several = y.ndim == 2
        if several != isinstance(given, list) or (several and len(given) != y.shape[1]):
            expected = f"a list of {y.shape[1]} dicts, one for each column of y" if several else "a dict"
            raise ValueError(f'class_weight must be {expected}, or "balanced", got {shown(given)}')
        if several and any(isinstance(each, Mapping) and each.keys() - {0, 1} for each in given):
            raise ValueError(f"class_weight must have weights of 0, off, and 1, on, got {shown(given)}")
        classes = np.array([0, 1]) if several else self.classes_
        weights = np.ones(len(y))
        columns = zip(y.T, given, strict=True) if several else [(y, given)]
        for column, of_column in columns:
            with naming("class_weight"):
                of_classes = compute_class_weight(of_column, classes=classes, y=column)
            weights *= of_classes[np.searchsorted(classes, column)]
        return weights


document(MLPClassifier, TEXTS, "predict", "predict_proba", "predict_log_proba")

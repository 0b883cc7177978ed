"""What both estimators add to those that train in one process."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .. import _data
from .._checks import shown
from .._settings import MOST_SHARDS
from .._sharded import Share
from .._sparse import compressed, is_sparse
from ..estimators import _parameters
from ..estimators._base import BaseMLP
from ..estimators._decorators import checked
from ..estimators._given import naming
from ..estimators._labels import balanced, with_all
from ..estimators._recipes import asked_for_lbfgs
from ..estimators._training import Setup
from ..estimators._watched import Watched
from ._cluster import client_of, on_each
from ._parts import accuracy, prepared
from ._predictions import lazily
from ._rows import Given, Rows, is_collection
from ._steps import collector_of

Array = NDArray[Any]
Constructor = TypeVar("Constructor", bound=Callable[..., None])

# Fitted attributes that a copy needs to check rows and to predict.
FITTED = (
    "classes_",
    "coefs_",
    "feature_names_in_",
    "intercepts_",
    "n_features_in_",
    "n_outputs_",
    "out_activation_",
    "_activations",
    "_label_binarizer",
)
# Parameters that such a copy has no use for, and that may not be picklable.
UNUSED = {"callbacks": None, "optimizer": None, "schedule": None, "random_state": None, "progress": False}


class OnDask(BaseMLP):
    """An estimator whose rows are on a cluster."""

    client: Any
    _alone: ClassVar[type[BaseMLP]]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "client": "no_validation",
        "n_shards": [Interval(Integral, 2, MOST_SHARDS, closed="both")],
    }

    def __getstate__(self) -> dict[str, Any]:
        # A client is a connection of this process.
        return super().__getstate__() | {"client": None}

    def __sklearn_clone__(self) -> Any:
        parameters = self.get_params(deep=False)
        client = parameters.pop("client")
        copied = {name: clone(value, safe=False) for name, value in parameters.items()}
        new = type(self)(client=client, **copied)
        # As scikit-learn's own clone does.
        for name in ("_metadata_request", "_sklearn_output_config"):
            if hasattr(self, name):
                setattr(new, name, copy.deepcopy(getattr(self, name)))
        return new

    @property
    def partial_fit(self) -> Any:
        """There is none: all rows come at once."""
        raise AttributeError(f"{type(self).__name__} has no partial_fit: fit takes all rows")

    @checked
    def fit(  # type: ignore[override]  # knows no comm
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        checkpoint: Any = None,
        checkpoint_every: float | None = None,
        resume: bool = False,
    ) -> Any:
        """Fit the model, from the start or where it is (`warm_start`).

        Parameters
        ----------
        X : dask array or data frame of shape (n_samples, n_features)
            The inputs; blocks may be sparse matrices of SciPy's, and stay so. float32 is trained in float32,
            all else in float64, unless `precision` says otherwise.
        y : dask array, series or data frame of shape (n_samples,) or (n_samples, n_outputs)
            The targets, in partitions like those of X.
        sample_weight : dask array or series of shape (n_samples,), optional
            Weights of the rows.
        X_val, y_val, sample_weight_val : dask collections or array-like, optional
            Rows to watch: their score and loss are recorded, and decide with `early_stopping`.
        checkpoint, checkpoint_every, resume
            As for the estimator that trains in one process; the file is the client's.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If `X` is no collection, its partitions are not those of the others, there is no client, or as the
            estimator that trains in one process. With L-BFGS.
        RuntimeError
            If it is training already.
        OSError
            If `checkpoint` cannot be read or written.
        """
        if asked_for_lbfgs(self) is not None:
            raise ValueError("solver and optimizer must not be L-BFGS on a cluster")
        validation, saving = (X_val, y_val, sample_weight_val), (checkpoint, checkpoint_every, resume)
        return self._fit(X, y, sample_weight, validation=validation, saving=saving)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The accuracy of a classifier, R^2 of a regressor.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`, or arrays.

        Returns
        -------
        float
            At most 1; partitions are looked at where they are.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            If rows are not accepted, as by `fit`, or have other columns.
        """
        check_is_fitted(self)
        if not is_collection(X):
            return float(super().score(X, y, sample_weight))
        if is_classifier(self):
            return self._accuracy((X, y, sample_weight))
        theta, _ = _parameters.of_model(self)
        rows = self._rows((X, y, sample_weight), dtype=theta.dtype)
        return Watched(self, rows.looked_at, decides=False).score(theta)

    # Where `BaseMLP` asks for rows, and for who looks at them.

    def _take(
        self, given: Any, validation: Any, incremental: bool, first: bool, peers: Any
    ) -> tuple[Any, Any]:
        samples = self._rows(given, incremental=False, first=first)
        self.n_outputs_ = self._n_outputs(samples.targets)
        if is_collection(validation[0]):
            with naming("X_val, y_val"):
                watched = self._rows(validation, dtype=samples.X.dtype, prefix="X_val, y_val: ")
            return samples, watched
        return samples, self._check_validation(samples.X.dtype, *validation)

    def _check_watchers(self) -> None:
        if self.scoring not in (None, "loss"):
            raise ValueError(f'scoring must be None or "loss" on a cluster, got {shown(self.scoring)}')
        super()._check_watchers()

    def _watch(self, held_out: Any, decides: bool, threads: int) -> Any:
        if isinstance(held_out, Rows):
            return Watched(self, held_out.looked_at, decides)
        return super()._watch(held_out, decides, threads)

    def _set_up(self, *given: Any) -> Setup:
        setup = super()._set_up(*given)
        rows: Any = setup.samples
        settings = {
            "batch_size": min(self._batch_size(rows.n_rows), rows.n_rows),
            "shards": setup.settings.n_shards,
            "shuffle": setup.settings.shuffle,
            "seed": setup.settings.seed,
        }
        structure = self._structure(_parameters.layers(self.coefs_), plain=False)
        collector = collector_of(rows.client, structure, rows, settings)
        return setup._replace(peers=collector, all_rows=rows.n_rows)

    def _rows(
        self, given: Any, incremental: bool = True, first: bool = False, dtype: Any = None, prefix: str = ""
    ) -> Rows:
        """Rows of collections, checked where they are; those to learn from say which columns there are."""
        client = client_of(self.client)
        known = Given(client, given, is_classifier(self), prefix)
        if incremental:
            self._expect_columns(known)
        X, _, targets = self._check_rows(*self._sample(known), incremental, first, dtype)
        none = compressed("X", X[:0], X.dtype) if is_sparse(X) else X[:0]
        empty = _data.Rows(none, targets[:0])
        if given[2] is not None:
            known.check_weights(X.dtype)
        model = self._copy()
        if is_classifier(self) and not incremental:  # what is learnt from
            model.class_weight = self.class_weight
            if self.class_weight == "balanced":
                model.class_weight = balanced(known.labels())
        if given[2] is not None or getattr(model, "class_weight", None) is not None:
            empty = empty._replace(weights=np.empty(0, X.dtype))
        parts = [client.submit(prepared, model, empty, *part, pure=False) for part in known.parts]
        every = Share.every(self.n_shards, self._most_rows())
        rows = Rows(client, parts, empty, every)
        if not rows.counts():
            raise ValueError("sample_weight and class_weight must leave some weight to the rows, got none")
        return rows

    def _expect_columns(self, known: Given) -> None:
        """Refuse targets that have not the columns of those that are learnt from."""
        y = known.head()[1]
        got = y.shape[1] if y.ndim == 2 else 1
        is_one_label = is_classifier(self) and not self._label_binarizer.y_type_.startswith("multilabel")
        expected = 1 if is_one_label else self.n_outputs_
        if got != expected:
            columns = "1 column" if expected == 1 else f"{expected} columns"
            raise ValueError(f"{known.names[1]} must have {columns}, as what is learnt from, got {got}")

    def _accuracy(self, given: Any) -> float:
        """The share of rows whose labels are predicted: labels that are not known are not."""
        client = client_of(self.client)
        known = Given(client, given, True)
        self._expect_columns(known)
        if given[2] is not None:
            known.check_weights(np.dtype(np.float64))
        told = client.gather(
            on_each(client, accuracy, *map(list, zip(*known.parts, strict=True)), self._copy())
        )
        return float(np.average([share for _, share in told], weights=[weight for weight, _ in told]))

    def _sample(self, known: Given) -> tuple[Any, Any]:
        """A few rows that have all labels: real inputs, one and the same, with made-up targets."""
        X, y = known.head()
        if is_classifier(self):
            y = with_all(known.labels(), y.ndim)
        rows = np.zeros(len(y), int)
        if hasattr(X, "iloc"):
            return X.iloc[rows], y
        return (X if is_sparse(X) else np.asarray(X))[rows], y

    def _copy(self) -> Any:
        """An estimator without a client, to check rows and to predict with."""
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name != "client"}
        model = self._alone(**parameters | UNUSED)
        model.__dict__.update({name: vars(self)[name] for name in FITTED if name in vars(self)})
        if is_classifier(model):
            model.class_weight = None
        return model

    def _lazily(self, method: str, X: Any, columns: int | None, dtype: Any) -> Any:
        """Predictions of a collection, or those of arrays at once."""
        if is_collection(X):
            return lazily(self._copy(), method, X, columns, dtype)
        return getattr(super(), method)(X)


def with_client(alone: type[BaseMLP]) -> Callable[[Constructor], Constructor]:
    """Give a constructor the parameters of an estimator that trains alone, with `client` besides."""
    parameters = dict(inspect.signature(alone.__init__).parameters)
    del parameters["sharded"]
    parameters["n_shards"] = parameters["n_shards"].replace(default=8)
    client = inspect.Parameter("client", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="Any")

    def named(constructor: Constructor) -> Constructor:
        # What scikit-learn takes the parameters from.
        vars(constructor)["__signature__"] = inspect.Signature([*parameters.values(), client])
        return constructor

    return named

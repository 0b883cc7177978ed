"""The classifier."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ..estimators import MLPClassifier
from ._estimator import OnDask, with_client

Array = NDArray[Any]


class DaskMLPClassifier(OnDask, MLPClassifier):
    """`schuss.MLPClassifier` for dask arrays and data frames, trained on a Dask cluster.

    The parameters stay with the client, which makes the steps; workers compute the gradients of shards, each
    from rows of its own. The result is, to the bit, that of ``MLPClassifier(n_shards=8, sharded=True)`` with
    all rows in one process, whatever the partitions and the workers, also where some are lost meanwhile.

    Parameters
    ----------
    client : distributed.Client, optional
        The cluster; None for the client that there is.
    n_shards : int, default 8
        Into how many shards the rows are cut, at least 2: not more threads than that compute. The last bits
        depend on it.
    hidden_layer_sizes, activation, solver and all others
        Those of `schuss.MLPClassifier`. `scoring` is None or ``"loss"``; L-BFGS is refused.

    Attributes
    ----------
    classes_, coefs_, history_ and all others
        Those of `schuss.MLPClassifier`, on the client's side.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> X = da.random.default_rng(0).normal(size=(600, 4), chunks=(100, 4))
    >>> with Client(processes=False, dashboard_address="127.0.0.1:0") as client:
    ...     model = DaskMLPClassifier(client=client, early_stopping=True, random_state=0)
    ...     model.fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.8
    True
    """

    _alone = MLPClassifier
    _parameter_constraints: ClassVar = {
        **MLPClassifier._parameter_constraints,
        **OnDask._parameter_constraints,
    }

    @with_client(MLPClassifier)
    def __init__(self, *given: Any, client: Any = None, n_shards: int = 8, **named: Any) -> None:
        super().__init__(*given, n_shards=n_shards, sharded=True, **named)
        self.client = client

    def predict(self, X: Any) -> Any:
        """The most probable class of each row.

        Parameters
        ----------
        X : dask array or data frame, or array-like, of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        dask array or ndarray of shape (n_samples,) or (n_samples, n_classes)
            Labels, or 0 and 1 for several labels at once; of collections a dask array, computed when it is
            asked for.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            As the estimator that trains in one process; of collections when the result is computed.
        """
        check_is_fitted(self)
        several = self._label_binarizer.y_type_ not in ("binary", "multiclass")
        dtype = np.dtype(int) if several else self.classes_.dtype
        return self._lazily("predict", X, self.n_outputs_ if several else None, dtype)

    def predict_proba(self, X: Any) -> Any:
        """Probabilities of the classes.

        Parameters
        ----------
        X : dask array or data frame, or array-like, of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        dask array or ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            As the estimator that trains in one process; of collections when the result is computed.
        """
        check_is_fitted(self)
        return self._lazily("predict_proba", X, max(self.n_outputs_, 2), self.coefs_[0].dtype)

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : dask array or data frame, or array-like, of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        dask array or ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            As the estimator that trains in one process; of collections when the result is computed.
        """
        check_is_fitted(self)
        return self._lazily("predict_log_proba", X, max(self.n_outputs_, 2), self.coefs_[0].dtype)

"""The regressor."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.utils.validation import check_is_fitted

from ..estimators import MLPRegressor
from ._estimator import OnDask, with_client


class DaskMLPRegressor(OnDask, MLPRegressor):
    """`schuss.MLPRegressor` for dask arrays and data frames, trained on a Dask cluster.

    The parameters stay with the client, which makes the steps; workers compute the gradients of shards, each
    from rows of its own. The result is, to the bit, that of ``MLPRegressor(n_shards=8, sharded=True)`` with
    all rows in one process, whatever the partitions and the workers, also where some are lost meanwhile.

    Parameters
    ----------
    client : distributed.Client, optional
        The cluster; None for the client that there is.
    n_shards : int, default 8
        Into how many shards the rows are cut, at least 2: not more threads than that compute. The last bits
        depend on it.
    loss, hidden_layer_sizes, activation and all others
        Those of `schuss.MLPRegressor`. `scoring` is None or ``"loss"``; L-BFGS is refused.

    Attributes
    ----------
    coefs_, history_ and all others
        Those of `schuss.MLPRegressor`, on the client's side.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> X = da.random.default_rng(0).normal(size=(600, 4), chunks=(100, 4))
    >>> with Client(processes=False, dashboard_address="127.0.0.1:0") as client:
    ...     model = DaskMLPRegressor(client=client, early_stopping=True, random_state=0)
    ...     model.fit(X, X[:, 0]).score(X, X[:, 0]) > 0.8
    True
    """

    _alone = MLPRegressor
    _parameter_constraints: ClassVar = {
        **MLPRegressor._parameter_constraints,
        **OnDask._parameter_constraints,
    }

    @with_client(MLPRegressor)
    def __init__(self, *given: Any, client: Any = None, n_shards: int = 8, **named: Any) -> None:
        super().__init__(*given, n_shards=n_shards, sharded=True, **named)
        self.client = client

    def predict(self, X: Any) -> Any:
        """The prediction for each row.

        Parameters
        ----------
        X : dask array or data frame, or array-like, of shape (n_samples, n_features)
            The inputs.

        Returns
        -------
        dask array or ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The values; of collections a dask array, computed when it is asked for.

        Raises
        ------
        NotFittedError
            If the model is not fitted.
        TypeError, ValueError
            As the estimator that trains in one process; of collections when the result is computed.
        """
        check_is_fitted(self)
        columns = self.n_outputs_ if self.n_outputs_ > 1 else None
        return self._lazily("predict", X, columns, self.coefs_[0].dtype)

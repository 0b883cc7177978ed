"""Training on a Dask cluster: `DaskMLPClassifier` and `DaskMLPRegressor`, for dask arrays and data frames.

Parameters stay with the client; workers compute gradients of shards, as tasks that depend on their arguments
alone. A worker that is lost costs the time to compute them again, and no bit of the result. Needs dask,
distributed and scikit-learn.
"""

from .._extras import needed

with needed("schuss.dask", "dask, distributed and scikit-learn", "distributed,sklearn"):
    import dask.array  # noqa: F401
    import distributed  # noqa: F401
    import sklearn  # noqa: F401

from ._classifier import DaskMLPClassifier
from ._regressor import DaskMLPRegressor

__all__ = ["DaskMLPClassifier", "DaskMLPRegressor"]

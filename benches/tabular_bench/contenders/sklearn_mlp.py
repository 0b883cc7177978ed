"""scikit-learn's MLP with early stopping: inputs standardised and one-hot, the target standardised."""

from __future__ import annotations

import sklearn
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from . import frames

VERSION = f"scikit-learn {sklearn.__version__}"


def make(task: str, X, seed: int, threads: int):
    """The number of threads is that of the BLAS, which the process was started with."""
    if task != "regression":
        return make_pipeline(frames.as_numbers(X), MLPClassifier(early_stopping=True, random_state=seed))
    model = make_pipeline(frames.as_numbers(X), MLPRegressor(early_stopping=True, random_state=seed))
    return TransformedTargetRegressor(model, transformer=StandardScaler())

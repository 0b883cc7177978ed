"""scikit-learn's MLPClassifier and MLPRegressor, float32 input; the better of one BLAS thread and all."""

from __future__ import annotations

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from .. import data, openblas
from ..cases import Case
from ..openblas import best
from ..timing import Run

VERSION = f"scikit-learn {sklearn.__version__}{openblas.kernels()}"


def prepare(case: Case, variant: str) -> Run:
    return (train if case.section == "train" else predict)(case)


def model_of(case: Case) -> MLPClassifier | MLPRegressor:
    return (MLPClassifier if case.classes else MLPRegressor)(
        hidden_layer_sizes=case.layers[1:-1], solver="adam", alpha=0, batch_size=case.batch, random_state=0
    )


def train(case: Case) -> Run:
    X, y = data.rows(case)
    model = model_of(case)
    if case.classes:
        model.partial_fit(X, y, classes=np.arange(case.layers[-1]))
    return best(lambda: model.partial_fit(X, y))  # one epoch


def predict(case: Case) -> Run:
    X = data.inputs(case)
    model = model_of(case).set_params(batch_size=64)
    y = np.arange(64) % case.layers[-1]
    if case.classes:
        model.partial_fit(np.resize(X, (64, X.shape[1])), y, classes=np.arange(case.layers[-1]))
        return best(lambda: model.predict_proba(X))
    model.partial_fit(np.resize(X, (64, X.shape[1])), y.astype(np.float32))
    return best(lambda: model.predict(X))

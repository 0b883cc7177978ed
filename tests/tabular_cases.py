"""A small table of all kinds, and estimators that take a moment."""

import numpy as np
from sklearn.base import is_classifier

from schuss import TabularClassifier, TabularRegressor

SMALL = {"preset": "quick", "n_members": 2, "n_folds": 2, "random_state": 0}
ROWS = 200


def classifier(**options):
    return TabularClassifier(**(SMALL | options))


def regressor(**options):
    return TabularRegressor(**(SMALL | options))


BOTH = [classifier, regressor]


def fruit(rows=ROWS, seed=0):
    """A mapping of columns, labels, and numbers: sizes with gaps, colours, days and whether it is washed."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=rows)
    size[::17] = np.nan
    colour = rng.choice(["red", "green", "blue"], rows).astype(object)
    colour[::23] = None
    day = np.datetime64("2024-01-01", "us") + rng.integers(0, 400, rows) * np.timedelta64(1, "D")
    table = {"size": size, "colour": colour, "day": day, "washed": rng.random(rows) < 0.5}
    known = np.nan_to_num(size)
    labels = np.where((known > 0) & (colour != "red"), "ripe", "not yet")
    return table, labels, known**2 + 2.0 * (colour == "red") + 1


def target_of(model, labels, numbers):
    return labels if is_classifier(model) else numbers


def said(model, X):
    """All that a model says: probabilities or numbers."""
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


def numeric(rows=ROWS, seed=0, classes=2):
    """Numbers only, with classes and numbers to predict."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3))
    signal = X[:, 0] + 0.5 * rng.normal(size=rows)
    return X, np.digitize(signal, np.linspace(-0.7, 0.7, classes + 1)[1:-1]), signal

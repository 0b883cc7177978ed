"""Fitted multilayer perceptrons of scikit-learn, there and back."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .._checks import shown
from .._extras import needed
from ..history import History
from ._layers import layers_of_estimator

# What scikit-learn's estimators keep besides what is public.
PRIVATE = ("_label_binarizer", "_no_improvement_count")


def from_sklearn(model: Any) -> Any:
    """A fitted estimator of schuss, from one of scikit-learn.

    Parameters
    ----------
    model : sklearn.neural_network.MLPClassifier or MLPRegressor
        A fitted estimator.

    Returns
    -------
    MLPClassifier or MLPRegressor
        One with the same parameters that predicts the same, in arrays of its own. Training can go on
        (`partial_fit`, `warm_start`), with a fresh optimizer.

    Raises
    ------
    TypeError
        If it is no fitted estimator.
    ValueError
        If its weights and biases do not fit each other.
    ImportError
        If scikit-learn is not installed.
    """
    with needed("exchange.from_sklearn", "scikit-learn", "sklearn"):
        from .. import estimators

    layers_of_estimator(model)  # refuses what is not fitted
    ours = getattr(estimators, _kind(model))(**model.get_params(deep=False))
    # What continuing a training looks at; scikit-learn's "lbfgs" has only a part of it.
    ours.loss_curve_, ours.best_loss_, ours._no_improvement_count = [], np.inf, 0
    ours.validation_scores_ = ours.best_validation_score_ = None
    _take(model, ours)
    ours._best_theta = ours._best_number = ours.validation_loss_curve_ = None
    # Nobody knows which rows have judged: where an epoch is to be the best, it is sought anew.
    ours._judges = None
    history = ours.history_ = History()
    for loss in getattr(model, "loss_curve_", ()):
        history.append(loss=loss)
    return ours


def to_sklearn(model: Any) -> Any:
    """A fitted estimator of scikit-learn, from one of schuss.

    Parameters
    ----------
    model : MLPClassifier or MLPRegressor
        A fitted estimator with scikit-learn's activations and losses.

    Returns
    -------
    sklearn.neural_network.MLPClassifier or MLPRegressor
        One that predicts the same, in arrays of its own. Options that scikit-learn does not have are left
        out.

    Raises
    ------
    TypeError
        If it is no fitted estimator; an `MLP` is none.
    ValueError
        If the network has an activation or a loss that scikit-learn does not have.
    RuntimeError
        While another thread trains the model.
    ImportError
        If scikit-learn is not installed.
    """
    with needed("exchange.to_sklearn", "scikit-learn", "sklearn"):
        from sklearn import neural_network

    layers = layers_of_estimator(model)
    theirs = getattr(neural_network, _kind(model))()
    known = theirs.get_params()
    names = {"logistic" if name == "sigmoid" else name for name in layers.activations}
    if len(names) > 1 or not names <= {"identity", "logistic", "tanh", "relu"}:
        got = shown(model.activation)
        raise ValueError(f"activation must be one that scikit-learn has, the same everywhere; got {got}")
    loss = "squared_error" if model.loss == "mse" else model.loss
    if loss not in ("log_loss", "squared_error") and not (loss == "poisson" and "loss" in known):
        raise ValueError(f"loss must be one that scikit-learn has, got {shown(model.loss)}")
    options = {name: value for name, value in model.get_params(deep=False).items() if name in known}
    if "loss" in options:
        options["loss"] = loss
    options["activation"] = names.pop() if names else "identity"
    theirs.set_params(**options)
    _take(model, theirs)
    if theirs.early_stopping:
        # The best epoch, which a fit has ended with, and a warm one ends with if it finds none better.
        theirs._best_coefs = [coef.copy() for coef in theirs.coefs_]
        theirs._best_intercepts = [intercept.copy() for intercept in theirs.intercepts_]
    return theirs


def _kind(model: Any) -> str:
    return "MLPClassifier" if hasattr(model, "classes_") else "MLPRegressor"


def _take(source: Any, target: Any) -> None:
    """Copy what fitting has made."""
    for name, value in vars(source).items():
        if (name[-1] == "_" and name != "history_") or name in PRIVATE:
            setattr(target, name, copy.deepcopy(value))
    target.coefs_ = [np.array(coef) for coef in source.coefs_]
    target.intercepts_ = [np.array(intercept) for intercept in source.intercepts_]

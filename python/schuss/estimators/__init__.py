"""Estimators for scikit-learn: its multilayer perceptrons, trained by schuss.

Needs scikit-learn 1.6 or newer; the rest of the package does not.
"""

from .._extras import needed

with needed("schuss.estimators", "scikit-learn 1.6 or newer", "sklearn"):
    from ._classifier import MLPClassifier
    from ._regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]

"""What functions of this package take, as types for annotations: names, above all.

From them type checkers and editors know what may be written, and complain of what may not.

Examples
--------
>>> from schuss.typing import ActivationName
>>> activation: ActivationName = "gelu"
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from ._schuss import Schedule

__all__ = [
    "ActivationName",
    "ClassificationMetricName",
    "ColumnKind",
    "Convention",
    "DTypeName",
    "LearningRate",
    "LearningRateName",
    "LossName",
    "NormName",
    "OptimizerName",
    "PrecisionName",
    "PresetName",
    "RegressionLossName",
    "RegressionMetricName",
    "SolverName",
    "TargetTransformName",
]

ActivationName: TypeAlias = Literal[
    "identity",
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "tanh",
    "sigmoid",
    "softplus",
    "linear",
    "logistic",
    "swish",
]
"""An activation: one of `schuss.ACTIVATIONS`, or another name of one."""

LossName: TypeAlias = Literal[
    "mse",
    "sse",
    "mae",
    "huber",
    "log_cosh",
    "quantile",
    "cross_entropy",
    "binary_cross_entropy",
    "poisson",
    "squared_error",
    "absolute_error",
    "l1",
]
"""What `schuss.MLP` minimises: one of `schuss.LOSSES`, or another name of one."""

NormName: TypeAlias = Literal["layer", "rms"]
"""What brings the outputs of a hidden layer of `schuss.MLP` to scale."""

DTypeName: TypeAlias = Literal["float32", "float64"]
"""The type of the numbers of `schuss.MLP`."""

PrecisionName: TypeAlias = Literal["float32", "float64", "bfloat16"]
"""What products of matrices are computed with: that of the numbers themselves, or rounded factors."""

OptimizerName: TypeAlias = Literal[
    "sgd",
    "adagrad",
    "rmsprop",
    "adam",
    "adamw",
    "adadelta",
    "adamax",
    "nadam",
    "radam",
    "rprop",
    "lion",
    "adan",
    "adabelief",
    "yogi",
    "lamb",
    "schedulefreesgd",
    "schedulefreeadamw",
    "prodigy",
    "lbfgs",
]
"""An optimizer with its default options, where a function takes a recipe."""

LearningRate: TypeAlias = float | Schedule | Callable[[int], float]
"""A learning rate: a number, a schedule, or any function of the step."""

Convention: TypeAlias = Literal["lecture", "torch", "optax", "keras"]
"""Whose formula and defaults an optimizer follows."""

SolverName: TypeAlias = Literal["adam", "sgd", "lbfgs"]
"""scikit-learn's choice of optimizers for `schuss.MLPClassifier` and `schuss.MLPRegressor`."""

LearningRateName: TypeAlias = Literal["constant", "invscaling", "adaptive"]
"""How the learning rate of an estimator changes by itself."""

RegressionLossName: TypeAlias = Literal[
    "squared_error", "poisson", "absolute_error", "huber", "quantile", "log_cosh", "mse", "mae", "l1"
]
"""What `schuss.MLPRegressor` minimises. "mse" means "squared_error"; "mae" and "l1" mean "absolute_error"."""

PresetName: TypeAlias = Literal["quick", "balanced", "best"]
"""How much `schuss.TabularClassifier` and `schuss.TabularRegressor` spend."""

ColumnKind: TypeAlias = Literal["number", "category", "date", "drop"]
"""What a column of a table is taken as."""

ClassificationMetricName: TypeAlias = Literal["log_loss", "error_rate", "roc_auc"]
"""What members of a `schuss.TabularClassifier` are chosen by."""

RegressionMetricName: TypeAlias = Literal["rmse", "mae"]
"""What members of a `schuss.TabularRegressor` are chosen by."""

TargetTransformName: TypeAlias = Literal["log", "quantile", "auto"]
"""What a `schuss.TabularRegressor` learns in place of its target."""

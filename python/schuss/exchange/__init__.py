"""Trained networks for and from other programs: ONNX, safetensors, PyTorch, scikit-learn.

A model is, as a rule, an `MLP`, a fitted `MLPClassifier` or `MLPRegressor` of schuss, or one of scikit-learn
itself. `to_onnx` takes fitted estimators for tables as well, and `onnx_inputs` nothing else; `from_sklearn`
and `to_sklearn` take `MLPClassifier` and `MLPRegressor`. Each function imports what it needs when it is
called.
"""

from ._onnx import to_onnx
from ._onnx_inputs import onnx_inputs
from ._safetensors import load_safetensors, save_safetensors
from ._sklearn import from_sklearn, to_sklearn
from ._torch import load_torch, to_torch

__all__ = [
    "from_sklearn",
    "load_safetensors",
    "load_torch",
    "onnx_inputs",
    "save_safetensors",
    "to_onnx",
    "to_sklearn",
    "to_torch",
]


def __dir__() -> list[str]:
    return __all__.copy()

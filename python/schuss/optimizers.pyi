# Made by tools/stubs.py from the tables of the rules.
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ._schuss import NonFiniteError, Optimizer, ParamGroup, _Arrays, _LearningRate

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "NonFiniteError",
    "Optimizer",
    "ParamGroup",
    "RMSprop",
]

class SGD(Optimizer):
    def __new__(
        cls,
        params: _Arrays | Sequence[Mapping[str, Any]] | None = None,
        lr: _LearningRate | None = 0.01,
        *,
        momentum: float = 0.0,
        dampening: float | None = None,
        nesterov: bool = False,
        first_step: Literal["average", "gradient"] = "average",
        lr_inside: bool = False,
        weight_decay: float = 0.0,
        decay: Literal["coupled", "decoupled", "independent"] = "coupled",
        clip_norm: float | None = None,
        clip_eps: float = 0.0,
        maximize: bool = False,
        nonfinite: Literal["raise", "skip", "ignore"] = "raise",
        convention: Literal["lecture", "torch", "optax", "keras"] = "lecture",
    ) -> SGD: ...

class Adagrad(Optimizer):
    def __new__(
        cls,
        params: _Arrays | Sequence[Mapping[str, Any]] | None = None,
        lr: _LearningRate | None = 0.01,
        *,
        eps: float = 1e-08,
        eps_in_sqrt: bool = True,
        initial_accumulator_value: float = 0.0,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        decay: Literal["coupled", "decoupled", "independent"] = "coupled",
        clip_norm: float | None = None,
        clip_eps: float = 0.0,
        maximize: bool = False,
        nonfinite: Literal["raise", "skip", "ignore"] = "raise",
        convention: Literal["lecture", "torch", "optax", "keras"] = "lecture",
    ) -> Adagrad: ...

class RMSprop(Optimizer):
    def __new__(
        cls,
        params: _Arrays | Sequence[Mapping[str, Any]] | None = None,
        lr: _LearningRate | None = 0.001,
        *,
        beta: float = 0.9,
        eps: float = 1e-08,
        eps_in_sqrt: bool = True,
        centered: bool = False,
        momentum: float = 0.0,
        nesterov: bool = False,
        lr_inside: bool = False,
        bias_correction: bool = False,
        weight_decay: float = 0.0,
        decay: Literal["coupled", "decoupled", "independent"] = "coupled",
        clip_norm: float | None = None,
        clip_eps: float = 0.0,
        maximize: bool = False,
        nonfinite: Literal["raise", "skip", "ignore"] = "raise",
        convention: Literal["lecture", "torch", "optax", "keras"] = "lecture",
    ) -> RMSprop: ...

class Adam(Optimizer):
    def __new__(
        cls,
        params: _Arrays | Sequence[Mapping[str, Any]] | None = None,
        lr: _LearningRate | None = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        eps_in_sqrt: bool = False,
        eps_hat: bool = False,
        eps_root: float = 0.0,
        bias_correction: bool = True,
        amsgrad: bool = False,
        amsgrad_corrected: bool = False,
        weight_decay: float = 0.0,
        decay: Literal["coupled", "decoupled", "independent"] = "coupled",
        clip_norm: float | None = None,
        clip_eps: float = 0.0,
        maximize: bool = False,
        nonfinite: Literal["raise", "skip", "ignore"] = "raise",
        convention: Literal["lecture", "torch", "optax", "keras"] = "lecture",
    ) -> Adam: ...

class AdamW(Optimizer):
    def __new__(
        cls,
        params: _Arrays | Sequence[Mapping[str, Any]] | None = None,
        lr: _LearningRate | None = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-08,
        eps_in_sqrt: bool = False,
        eps_hat: bool = False,
        eps_root: float = 0.0,
        bias_correction: bool = True,
        amsgrad: bool = False,
        amsgrad_corrected: bool = False,
        weight_decay: float = 0.01,
        decay: Literal["coupled", "decoupled", "independent"] = "decoupled",
        clip_norm: float | None = None,
        clip_eps: float = 0.0,
        maximize: bool = False,
        nonfinite: Literal["raise", "skip", "ignore"] = "raise",
        convention: Literal["lecture", "torch", "optax", "keras"] = "lecture",
    ) -> AdamW: ...

def recipe(optimizer: object) -> Optimizer: ...

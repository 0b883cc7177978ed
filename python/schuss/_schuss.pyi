from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, final, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Self, disjoint_base

__all__ = [
    "ACTIVATIONS",
    "LBFGS",
    "LOSSES",
    "LbfgsRun",
    "Network",
    "NonFiniteError",
    "Optimizer",
    "ParamGroup",
    "Schedule",
    "__version__",
    "activation_table",
    "ewa_in_place",
    "link_table",
    "loss_table",
    "rules",
]

__version__: Final[str]
ACTIVATIONS: Final[tuple[str, ...]]
LOSSES: Final[tuple[str, ...]]

# An array, or sequences and mappings of arrays, nested at will.
_Arrays: TypeAlias = NDArray[Any] | Sequence["_Arrays"] | Mapping[Any, "_Arrays"]
# Any of the arrays may be a pair (rows, values).
_Gradients: TypeAlias = (
    NDArray[Any]
    | tuple[NDArray[np.integer[Any]], NDArray[Any]]
    | Sequence["_Gradients"]
    | Mapping[Any, "_Gradients"]
)
_Mask: TypeAlias = Callable[[str, NDArray[Any]], bool] | bool | Sequence["_Mask"] | Mapping[Any, "_Mask"]
_LearningRate: TypeAlias = float | Schedule | Callable[[int], float]

class NonFiniteError(ArithmeticError): ...

@disjoint_base
class Optimizer:
    def __new__(
        cls,
        params: _Arrays | Sequence[Mapping[str, Any]] | Mapping[str, Mapping[str, Any]] | None = None,
        lr: _LearningRate | None = None,
        *,
        convention: str = "lecture",
        **options: Any,
    ) -> Optimizer: ...
    @property
    def lr(self) -> float: ...
    @lr.setter
    def lr(self, lr: _LearningRate) -> None: ...
    @property
    def step_count(self) -> int: ...
    @property
    def skipped_steps(self) -> int: ...
    @property
    def param_groups(self) -> list[ParamGroup]: ...
    def bind(self, params: _Arrays) -> Self: ...
    def step(self, grads: _Gradients) -> None: ...
    def tell(self, result: float) -> None: ...
    def averaged_params(self) -> Any: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, parts: dict[str, Any], /) -> None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class LBFGS:
    def __new__(
        cls,
        history_size: int = 10,
        tolerance_grad: float = 1e-8,
        tolerance_change: float = 1e-14,
        max_line_search: int = 25,
        c1: float = 1e-4,
        c2: float = 0.9,
    ) -> LBFGS: ...
    @property
    def history_size(self) -> int: ...
    @property
    def tolerance_grad(self) -> float: ...
    @property
    def tolerance_change(self) -> float: ...
    @property
    def max_line_search(self) -> int: ...
    @property
    def c1(self) -> float: ...
    @property
    def c2(self) -> float: ...
    def __getnewargs__(self) -> tuple[int, float, float, int, float, float]: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class LbfgsRun:
    def __new__(cls, recipe: LBFGS, x: NDArray[Any]) -> LbfgsRun: ...
    @property
    def point(self) -> NDArray[Any]: ...
    def tell(self, value: float, gradient: NDArray[Any]) -> str: ...
    @property
    def best(self) -> tuple[NDArray[Any], float, NDArray[Any]]: ...

@final
class ParamGroup:
    def keys(self) -> list[str]: ...
    def __getitem__(self, key: str, /) -> Any: ...
    def __setitem__(self, key: str, value: Any, /) -> None: ...
    def __iter__(self) -> Any: ...
    def __len__(self) -> int: ...

@final
class Schedule:
    def __new__(cls, form: str, *arguments: Any) -> Schedule: ...
    @overload
    def __call__(self, step: float) -> float: ...
    @overload
    def __call__(self, step: ArrayLike) -> NDArray[np.float64]: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def ewa_in_place(series: NDArray[np.float64], beta: float, bias_correction: bool) -> None: ...
def rules() -> list[dict[str, Any]]: ...
def activation_table() -> list[dict[str, Any]]: ...
def link_table() -> list[dict[str, Any]]: ...
def loss_table() -> list[dict[str, Any]]: ...

# An array, or data, indices, indptr and columns of compressed sparse rows.
_Inputs: TypeAlias = NDArray[Any] | tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]
_Rows: TypeAlias = tuple[_Inputs, NDArray[Any] | None, NDArray[Any] | None]

@final
class Network:
    def __new__(
        cls,
        widths: list[int],
        activations: list[str],
        loss: str,
        l2: float,
        l2_per_weight: bool,
        dropout: list[float],
        *,
        loss_parameter: float | None = None,
        output_weights: list[float] | None = None,
    ) -> Network: ...
    @property
    def n_params(self) -> int: ...
    @property
    def takes_classes(self) -> bool: ...
    def workers(self, batch_size: int) -> int: ...
    def init_bounds(self) -> list[float]: ...
    def fit(
        self,
        theta: NDArray[Any],
        optimizer: Optimizer,
        data: _Rows,
        validation: _Rows | None,
        *,
        batch_size: int | None,
        epochs: int,
        first_epoch: int,
        shuffle: bool,
        seed: int,
        threads: int | None,
        target_loss: float | None,
        on_epoch: Callable[[int, float, float | None], None] | None,
        each_epoch: Callable[[float, float | None, float, float], object] | None = None,
        max_seconds: float | None = None,
        tells: bool = True,
    ) -> tuple[list[tuple[float, float | None, float, float, float]], str, BaseException | None]: ...
    def predict(self, theta: NDArray[Any], x: _Inputs, raw: bool, threads: int | None) -> NDArray[Any]: ...
    def loss(self, theta: NDArray[Any], data: _Rows, threads: int | None) -> float: ...
    def loss_and_grads(
        self,
        theta: NDArray[Any],
        data: _Rows,
        grads: NDArray[Any],
        dropout_seed: int | None,
        threads: int | None,
    ) -> float: ...

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypedDict, final, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Required, Self, Unpack, disjoint_base

from .typing import ActivationName, LearningRate, LossName, NormName, PrecisionName

__all__ = [
    "ACTIVATIONS",
    "LBFGS",
    "LOSSES",
    "NORMS",
    "NORM_EPS",
    "PRECISIONS",
    "STOPS",
    "Best",
    "EpochRecord",
    "LbfgsRun",
    "Network",
    "NonFiniteError",
    "Optimizer",
    "OutOfTime",
    "ParamGroup",
    "Schedule",
    "StopFlag",
    "TensorInfo",
    "__version__",
    "activation_table",
    "check_precision",
    "ewa_in_place",
    "link_table",
    "loss_table",
    "pieces",
    "rules",
]

__version__: Final[str]
ACTIVATIONS: Final[tuple[ActivationName, ...]]
LOSSES: Final[tuple[LossName, ...]]
NORMS: Final[tuple[NormName, ...]]
NORM_EPS: Final[float]
PRECISIONS: Final[tuple[PrecisionName, ...]]
STOPS: Final[tuple[str, ...]]

# An array, or sequences and mappings of arrays, nested at will.
_Arrays: TypeAlias = NDArray[Any] | Sequence["_Arrays"] | Mapping[Any, "_Arrays"]
# Groups with options of their own; "params" of each are arrays, or select arrays by name.
_Groups: TypeAlias = Sequence[Mapping[str, Any]] | Mapping[str, Mapping[str, Any]]
# Any of the arrays may be a pair (rows, values).
_Gradients: TypeAlias = (
    NDArray[Any]
    | tuple[NDArray[np.integer[Any]], NDArray[Any]]
    | Sequence["_Gradients"]
    | Mapping[Any, "_Gradients"]
)
_Mask: TypeAlias = Callable[[str, NDArray[Any]], bool] | bool | Sequence["_Mask"] | Mapping[Any, "_Mask"]

class NonFiniteError(ArithmeticError): ...
class OutOfTime(Exception): ...

@disjoint_base
class Optimizer:
    def __new__(
        cls,
        params: _Arrays | _Groups | None = None,
        lr: LearningRate | None = None,
        *,
        convention: str = "lecture",
        **options: Any,
    ) -> Optimizer: ...
    @property
    def lr(self) -> float: ...
    @lr.setter
    def lr(self, lr: LearningRate) -> None: ...
    @property
    def step_count(self) -> int: ...
    @property
    def skipped_steps(self) -> int: ...
    @property
    def param_groups(self) -> list[ParamGroup]: ...
    def bind(
        self, params: _Arrays | _Groups, names: Iterable[str] | None = None, *, total_steps: int | None = None
    ) -> Self: ...
    def step(self, grads: _Gradients) -> None: ...
    def tell(self, result: float) -> None: ...
    def averaged_params(self) -> Any: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...
    def _can_continue(self, state_dict: dict[str, Any]) -> bool: ...
    def _opened(self) -> list[tuple[int, str, Schedule]]: ...
    def _follow(self, group: int, name: str, schedule: Schedule, total_steps: float) -> None: ...
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
    @staticmethod
    def resume(recipe: LBFGS, state: dict[str, Any]) -> LbfgsRun: ...
    @property
    def state(self) -> dict[str, Any] | None: ...
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
    def with_length(self, total_steps: float) -> Schedule: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def ewa_in_place(series: NDArray[np.float64], beta: float, bias_correction: bool) -> None: ...
def check_precision(precision: str) -> None: ...
def pieces(rows: int, batch_size: int, shards: int) -> list[tuple[int, int]]: ...
def rules() -> list[dict[str, Any]]: ...
def activation_table() -> list[dict[str, Any]]: ...
def link_table() -> list[dict[str, Any]]: ...
def loss_table() -> list[dict[str, Any]]: ...

# An array, or data, indices, indptr and columns of compressed sparse rows.
_Inputs: TypeAlias = NDArray[Any] | tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]
# Weights may come with their unit.
_Rows: TypeAlias = tuple[_Inputs, NDArray[Any] | None, NDArray[Any] | tuple[NDArray[Any], float] | None]

class _NetworkSpec(TypedDict, total=False):
    widths: Required[list[int]]
    activations: Required[list[str]]
    norm: str | None
    embeddings: list[tuple[Any, ...]]
    input_scale: bool
    parametric: bool
    loss: Required[str]
    loss_parameter: float | None
    label_smoothing: float
    output_weights: list[float] | None
    l2: float
    l2_per_weight: bool
    dropout: list[float | Schedule]
    precision: str | None

# Where in an epoch a training is: row, losses, weights, penalties, learning rate.
_Position: TypeAlias = tuple[int, float, float, float, float]

class _FitOptions(TypedDict, total=False):
    epochs: Required[int]
    first_epoch: Required[int]
    epochs_before: int
    start: _Position | None
    shuffle: Required[bool]
    seed: Required[int]
    batch_size: int | None
    threads: int | None
    target_loss: float | None
    max_seconds: float | None
    rest_seconds: float | None
    tells: bool
    best: Best | None
    total_steps: int | None
    records_steps: bool
    stop_flag: StopFlag | None
    peers: Any
    shards: int
    sharded: bool
    all_rows: int | None
    part: tuple[int, int]

@final
class Best:
    theta: NDArray[Any] | None
    def __new__(
        cls, criterion: str = "loss", latest: bool = False, patience: tuple[float, float] | None = None
    ) -> Best: ...
    @property
    def epoch(self) -> int | None: ...
    @property
    def score(self) -> float: ...
    def see(self, epoch: int, score: float) -> tuple[bool, bool]: ...
    def restore(self, epoch: int | None, score: float) -> None: ...

@final
class StopFlag:
    def __new__(cls) -> StopFlag: ...
    def set(self) -> None: ...
    def is_set(self) -> bool: ...

@final
class EpochRecord:
    @property
    def number(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def val_loss(self) -> float | None: ...
    @property
    def val_error(self) -> float | None: ...
    @property
    def lr(self) -> float | None: ...
    @property
    def penalty(self) -> float: ...
    @property
    def weight(self) -> float: ...
    @property
    def seconds(self) -> float: ...

@final
class TensorInfo:
    @property
    def name(self) -> str: ...
    @property
    def layer(self) -> int | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def shape(self) -> list[int]: ...
    @property
    def start(self) -> int: ...
    @property
    def decays(self) -> bool: ...
    @property
    def initial(self) -> float: ...
    @property
    def bound(self) -> float: ...
    @property
    def deviation(self) -> float: ...

@final
class Network:
    def __new__(cls, **spec: Unpack[_NetworkSpec]) -> Network: ...
    @property
    def n_params(self) -> int: ...
    def workers(self, batch_size: int) -> int: ...
    def tensors(self) -> list[TensorInfo]: ...
    def fit(
        self,
        theta: NDArray[Any],
        optimizer: Optimizer,
        data: _Rows,
        validation: _Rows | None,
        options: _FitOptions | dict[str, Any],
        on_epoch: Callable[[EpochRecord], bool | None] | None = None,
    ) -> tuple[list[EpochRecord], str, BaseException | None, _Position, NDArray[np.float64] | None]: ...
    def shard_sums(
        self, theta: NDArray[Any], data: _Rows, options: _FitOptions | dict[str, Any]
    ) -> tuple[NDArray[Any], list[float]]: ...
    def predict(
        self,
        theta: NDArray[Any],
        x: _Inputs,
        raw: bool,
        threads: int | None,
        max_seconds: float | None = None,
    ) -> NDArray[Any]: ...
    def layers(self, theta: NDArray[Any], x: _Inputs, threads: int | None) -> NDArray[Any]: ...
    def loss(
        self, theta: NDArray[Any], data: _Rows, threads: int | None, max_seconds: float | None = None
    ) -> float: ...
    def loss_and_grads(
        self,
        theta: NDArray[Any],
        data: _Rows,
        out: NDArray[Any],
        dropout_seed: int | None,
        threads: int | None,
        max_seconds: float | None = None,
    ) -> float: ...

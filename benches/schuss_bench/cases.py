"""What is measured: every row of every table, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

LOOP_STEPS = 64
STATE_ARRAYS = {"adam": 2, "momentum": 1, "rmsprop": 1}
EPOCHS = ("train", "float64", "bfloat16", "scale")  # sections whose contenders do whole epochs

Goal = float | Mapping[str, float]
"""A ratio, or one for each make of processor."""


@dataclass(frozen=True)
class Case:
    """One row: a piece of work that every contender of its section does in its own best form."""

    section: str
    name: str
    contenders: tuple[str, ...]
    layers: tuple[int, ...] = ()
    batch: int = 0  # rows of a step, or of a call
    steps: int = 1  # of an epoch
    rule: str = "adam"  # or momentum (SGD), rmsprop
    tensors: tuple[int, int] = (0, 0)  # how many, elements of each
    dtype: str = "float32"
    # How many times as fast as the fastest peer schuss is meant to be.
    goal: Goal | None = field(default=None, hash=False)
    goal_us: float | None = None  # or how many microseconds it may take

    @property
    def classes(self) -> bool:
        """Whether the outputs are classes (cross-entropy); otherwise one number (squared error)."""
        return self.layers[-1] > 1

    @property
    def steps_per_run(self) -> int:
        """How many of what is reported one run of a contender does."""
        if self.section in EPOCHS:
            return self.steps
        return min(self.steps, LOOP_STEPS) if self.section == "loop" else 1

    @property
    def shape(self) -> str:
        if self.tensors[0]:
            return f"{self.tensors[0]:,} x {self.tensors[1]:,}"
        return "-".join(map(str, self.layers))

    @property
    def flops(self) -> float:
        """Floating-point operations of the matrix products of one step or call.

        Training multiplies each weight three times per row: forward, its own gradient, and the gradient of
        the inputs, which the first layer does not need.
        """
        pairs = list(zip(self.layers, self.layers[1:], strict=False))
        weights = sum(inputs * outputs for inputs, outputs in pairs)
        if self.section in (*EPOCHS, "loop"):
            first, second = self.layers[:2]
            return 2.0 * self.batch * (3 * weights - first * second)
        return 2.0 * self.batch * weights

    def goal_on(self, make: str) -> float | None:
        """The goal on processors of this make, if there is one."""
        return self.goal.get(make) if isinstance(self.goal, Mapping) else self.goal

    @property
    def traffic(self) -> float:
        """Bytes that the rule must read (parameter, gradient, state) and write (all but the gradient)."""
        count, size = self.tensors
        return (3 + 2 * STATE_ARRAYS[self.rule]) * 4.0 * count * size


NETWORKS = {
    # name: layers, batch, steps of an epoch (fmnist: the size of Fashion-MNIST)
    "sgd1": ((8, 32, 1), 1, 4096),
    "tiny": ((8, 32, 32, 1), 32, 1024),
    "small": ((16, 64, 64, 1), 128, 512),
    "tab": ((54, 256, 256, 7), 256, 128),
    "fmnist": ((784, 256, 128, 10), 128, 468),
    "wide": ((784, 1024, 1024, 10), 256, 32),
    "huge": ((1024, 4096, 4096, 10), 1024, 2),
}
GOALS: dict[str, Goal] = {
    "sgd1": 2,
    "tiny": {"AMD": 2.3, "Intel": 6},
    "small": {"AMD": 1.7, "Intel": 3.4},
    "tab": {"AMD": 1.6, "Intel": 2},
    "fmnist": 1.45,
    "wide": 1.3,
    "huge": 1.25,
}
AHEAD = 1.1  # the goal of every row of prediction and of loops


def _network(section: str, name: str, *contenders: str, **options) -> Case:
    layers, batch, steps = NETWORKS[name]
    return Case(section, name, contenders, layers, batch, steps, **options)


TRAIN = [_network("train", name, "schuss", "sklearn", "torch", "jax", goal=GOALS[name]) for name in NETWORKS]
FLOAT64 = [
    _network("float64", name, "schuss", "schuss-float32", dtype="float64", goal=0.45)
    for name in ("tab", "fmnist", "wide")
]
# "schuss" and "torch" in bfloat16, each with its parameters in float32.
BFLOAT16 = [
    _network("bfloat16", name, "schuss", "schuss-float32", "torch", dtype="bfloat16")
    for name in ("fmnist", "wide", "huge")
]
LOOP = [
    _network("loop", name, "schuss", "torch", "jax", goal=AHEAD)
    for name in ("sgd1", "tiny", "small", "tab", "fmnist", "wide")
]
PREDICTORS = ("schuss", "numpy", "sklearn", "torch", "jax")
PREDICT = [
    replace(_network("predict", name, *PREDICTORS, goal=AHEAD), batch=rows)
    for name, rows in (("small", 100_000), ("tab", 50_000), ("fmnist", 10_000), ("wide", 4_000))
]
ONE_ROW = [
    replace(_network("one_row", name, *PREDICTORS, goal=AHEAD), batch=1) for name in ("tiny", "tab", "fmnist")
]
OPTIMIZER = [
    Case(
        "optimizer",
        f"{rule}-{name}",
        # torch has no fused RMSprop.
        ("schuss", "numpy", "torch-loop", "torch-foreach", *fused, "jax"),
        rule=rule,
        tensors=tensors,
        goal=1 if goal_us is None else None,
        goal_us=goal_us,
    )
    for rule, fused in (("adam", ("torch-fused",)), ("momentum", ("torch-fused",)), ("rmsprop", ()))
    for name, tensors, goal_us in (
        ("1x1k", (1, 1_000), 0.6),
        ("10x1k", (10, 1_000), 3),
        ("200x1k", (200, 1_000), 50),
        ("4x64k", (4, 65_536), 60),
        ("10x1M", (10, 1_048_576), None),
    )
]

SECTIONS = {
    "train": "Training, a step of the library's own epoch: shuffled mini-batches, forward, backward, Adam.",
    "float64": "Training in float64: schuss beside itself in float32.",
    "bfloat16": "Training with products in bfloat16: schuss beside torch's autocast and itself in float32.",
    "optimizer": "One step of an optimizer alone: Adam, SGD with momentum, RMSprop; float32.",
    "predict": "Prediction of many rows in one call.",
    "one_row": "Prediction of a single row, the call from Python included.",
    "loop": "Training in a Python loop of one's own: loss and gradients, then the optimizer's step.",
}
CASES = [*TRAIN, *FLOAT64, *BFLOAT16, *OPTIMIZER, *PREDICT, *ONE_ROW, *LOOP]


def select(names: list[str]) -> list[Case]:
    """The cases of these sections ("train"), names ("tab") or both ("train/tab"); all for no names."""
    known = {*SECTIONS, *(c.name for c in CASES), *(f"{c.section}/{c.name}" for c in CASES)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no case is called {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return [c for c in CASES if not names or {c.section, c.name, f"{c.section}/{c.name}"} & set(names)]

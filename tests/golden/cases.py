"""Every rule and switch that another library has too, in the words of schuss.

``make.py`` translates a case for the real library and stores its trajectory; ``../test_golden.py`` runs
schuss with ``convention=`` that library and compares. Both sides start from the library's defaults: a case
without options proves the defaults.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """One trajectory: ``schuss.<rule>(params, convention=library, **options)``."""

    library: str
    rule: str
    label: str
    options: dict[str, Any]
    # The learning rate is multiplied by this after each step.
    lr_factor: float = 1.0

    @property
    def moves(self) -> bool:
        """Whether the state is torch's alone: it can be moved to schuss and back."""
        return self.library == "torch" and "ema" not in self.options

    @property
    def name(self) -> str:
        """What the data and the test are called."""
        return f"{self.library}-{self.rule}-{self.label}"


def torch(rule: str, label: str = "default", lr_factor: float = 1.0, **options: Any) -> Case:
    return Case("torch", rule, label, options, lr_factor)


def optax(rule: str, label: str = "default", lr_factor: float = 1.0, **options: Any) -> Case:
    return Case("optax", rule, label, options, lr_factor)


def keras(rule: str, label: str = "default", lr_factor: float = 1.0, **options: Any) -> Case:
    return Case("keras", rule, label, options, lr_factor)


CASES = [
    torch("SGD"),
    torch("SGD", "momentum", lr=0.02, momentum=0.9),
    torch("SGD", "dampening", lr=0.05, momentum=0.8, dampening=0.3),
    torch("SGD", "nesterov", lr=0.02, momentum=0.9, nesterov=True),
    torch("SGD", "decay", lr=0.05, momentum=0.9, weight_decay=0.1),
    torch("SGD", "maximize", lr=0.01, maximize=True),
    torch("SGD", "schedule", lr=0.05, momentum=0.9, lr_factor=0.93),
    torch("Adagrad"),
    torch("Adagrad", "lr_decay", lr=0.3, lr_decay=0.05),
    torch("Adagrad", "accumulator", lr=0.3, initial_accumulator_value=0.2, weight_decay=0.05),
    torch("RMSprop"),
    torch("RMSprop", "momentum", lr=0.01, momentum=0.7, beta=0.95),
    torch("RMSprop", "schedule", momentum=0.9, lr_factor=0.93),
    torch("RMSprop", "centered", lr=0.01, eps=1e-4, centered=True, beta=0.9),
    torch(
        "RMSprop",
        "centered_momentum",
        lr=0.01,
        eps=1e-4,
        centered=True,
        momentum=0.8,
        beta=0.9,
        weight_decay=0.1,
    ),
    torch("Adam"),
    torch("Adam", "betas", lr=0.05, betas=(0.8, 0.95), eps=1e-3),
    torch("Adam", "amsgrad", lr=0.05, betas=(0.9, 0.9), amsgrad=True),
    torch("Adam", "decay", lr=0.05, weight_decay=0.1),
    torch("AdamW"),
    torch("AdamW", "amsgrad", lr=0.05, betas=(0.9, 0.9), weight_decay=0.1, amsgrad=True),
    torch("Adadelta"),
    torch("Adadelta", "decay", lr=0.5, rho=0.8, eps=1e-3, weight_decay=0.1),
    torch("Adamax"),
    torch("Adamax", "decay", lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    torch("NAdam"),
    torch("NAdam", "decay", lr=0.05, betas=(0.8, 0.95), momentum_decay=0.01, weight_decay=0.1),
    torch("RAdam"),
    torch("RAdam", "decay", lr=0.05, betas=(0.8, 0.95), weight_decay=0.1),
    torch("Rprop"),
    torch("Rprop", "sizes", lr=0.05, etas=(0.4, 1.3), step_sizes=(1e-3, 0.2)),
    torch("SGD", "clip", lr=0.05, clip_norm=0.7),
    torch("SGD", "ema", lr=0.05, ema=0.9),
    optax("SGD", "plain", lr=0.05),
    optax("SGD", "momentum", lr=0.02, momentum=0.9),
    optax("SGD", "nesterov", lr=0.02, momentum=0.9, nesterov=True),
    optax("SGD", "schedule", lr=0.05, momentum=0.9, lr_factor=0.93),
    optax("Adagrad", lr=0.1),
    optax("Adagrad", "accumulator", lr=0.1, initial_accumulator_value=0.0, eps=1e-3),
    optax("RMSprop", lr=0.01),
    optax("RMSprop", "eps_outside", lr=0.01, eps=1e-3, eps_in_sqrt=False),
    optax("RMSprop", "centered_momentum", lr=0.01, beta=0.8, eps=1e-4, centered=True, momentum=0.8),
    optax("RMSprop", "schedule", lr=0.01, momentum=0.9, lr_factor=0.93),
    optax("Adam", lr=0.01),
    optax("Adam", "eps_root", lr=0.05, betas=(0.8, 0.95), eps=1e-3, eps_root=0.01),
    optax("Adam", "amsgrad", lr=0.05, betas=(0.9, 0.9), amsgrad=True),
    optax("AdamW", lr=0.01),
    optax("AdamW", "decay", lr=0.05, betas=(0.9, 0.95), weight_decay=0.1),
    optax("Adadelta", lr=1.0),
    optax("Adamax", lr=0.01),
    optax("NAdam", lr=0.01),
    optax("RAdam", lr=0.01),
    optax("RAdam", "betas", lr=0.05, betas=(0.8, 0.95), eps=1e-3),
    optax("Rprop", lr=0.01),
    optax("Lion", lr=0.01),
    optax("Lion", "decay", lr=0.05, betas=(0.8, 0.95), weight_decay=0.1),
    optax("Adan", lr=0.01),
    optax("Adan", "betas", lr=0.05, betas=(0.8, 0.7), eps=1e-3, weight_decay=0.1),
    optax("AdaBelief", lr=0.01),
    optax("AdaBelief", "betas", lr=0.05, betas=(0.8, 0.95), eps=1e-8, eps_root=1e-4),
    optax("Yogi", lr=0.01),
    optax("Yogi", "betas", lr=0.05, betas=(0.8, 0.95), eps=0.01),
    optax("LAMB", lr=0.01),
    optax("LAMB", "decay", lr=0.05, betas=(0.9, 0.95), eps=1e-3, weight_decay=0.1),
    optax("ScheduleFreeSGD", lr=0.05),
    optax("ScheduleFreeSGD", "decay", lr=0.05, momentum=0.8, weight_decay=0.1),
    optax("ScheduleFreeAdamW", lr=0.01),
    optax("ScheduleFreeAdamW", "decay", lr=0.05, betas=(0.8, 0.95), weight_decay=0.1, warmup_steps=10),
    optax("ScheduleFreeSGD", "average", lr=0.05, momentum=0.8),
    optax("ScheduleFreeAdamW", "average", lr=0.05, betas=(0.8, 0.95)),
    optax("Prodigy"),
    optax(
        "Prodigy",
        "decay",
        lr=0.5,
        betas=(0.8, 0.95),
        d0=1e-3,
        d_coef=2.0,
        weight_decay=0.1,
        safeguard_warmup=True,
    ),
    optax("SGD", "clip", lr=0.05, clip_norm=0.7),
    optax("SGD", "ema", lr=0.05, ema=0.9),
    keras("SGD"),
    keras("SGD", "momentum", lr=0.02, momentum=0.9),
    keras("SGD", "nesterov", lr=0.02, momentum=0.9, nesterov=True),
    keras("SGD", "decay", lr=0.05, momentum=0.9, weight_decay=0.1),
    keras("SGD", "schedule", lr=0.05, momentum=0.9, lr_factor=0.93),
    keras("Adagrad"),
    keras("Adagrad", "accumulator", lr=0.1, initial_accumulator_value=0.0, eps=1e-3),
    keras("RMSprop"),
    keras(
        "RMSprop",
        "centered_momentum",
        lr=0.01,
        beta=0.8,
        eps=1e-4,
        centered=True,
        momentum=0.8,
        weight_decay=0.1,
    ),
    keras("RMSprop", "schedule", lr=0.01, momentum=0.9, lr_factor=0.93),
    keras("Adam"),
    keras("Adam", "betas", lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    keras("Adam", "amsgrad", lr=0.05, betas=(0.9, 0.9), amsgrad=True),
    keras("AdamW"),
    keras("Adadelta"),
    keras("Adadelta", "betas", lr=0.5, rho=0.8, eps=1e-3, weight_decay=0.1),
    keras("Adamax"),
    keras("Adamax", "betas", lr=0.05, betas=(0.8, 0.95), eps=1e-3),
    keras("NAdam"),
    keras("NAdam", "betas", lr=0.05, betas=(0.8, 0.95), weight_decay=0.1),
    keras("Lion"),
    keras("Lion", "decay", lr=0.05, betas=(0.8, 0.95), weight_decay=0.1),
    keras("LAMB"),
    keras("LAMB", "decay", lr=0.05, betas=(0.9, 0.95), eps=1e-3, weight_decay=0.1),
    keras("ScheduleFreeAdamW"),
    keras("ScheduleFreeAdamW", "decay", lr=0.05, betas=(0.8, 0.95), weight_decay=0.1, warmup_steps=10),
    keras("SGD", "clip", lr=0.05, clip_norm=0.7),
    keras("SGD", "ema", lr=0.05, ema=0.9),
]

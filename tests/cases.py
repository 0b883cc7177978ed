"""The table of optimizers that drives every test: each rule, each of its switches, in every convention."""

import re
from dataclasses import dataclass, field
from typing import Any

import schuss
from schuss.optimizers import CONVENTIONS, rules

TABLES = {rule["name"]: rule for rule in rules()}


@dataclass(frozen=True)
class Case:
    """``schuss.<rule>(params, lr, **options)``."""

    rule: str
    options: dict[str, Any] = field(default_factory=dict)
    lr: float = 0.05

    def __str__(self) -> str:
        return "-".join([self.rule, *(f"{name}={value}" for name, value in self.options.items())])

    def make(self, params: Any, **more: Any) -> schuss.Optimizer:
        """The optimizer at work on `params`."""
        arguments = {"lr": self.lr, **self.options, **more}
        return getattr(schuss, self.rule)(params, **arguments)

    def all_options(self, **more: Any) -> dict[str, Any]:
        """Every option with the value that it has: what the reference needs."""
        given = {**self.options, **more}
        convention = CONVENTIONS.index(given.pop("convention", "lecture"))
        defaults = {option["name"]: option["defaults"][convention] for option in TABLES[self.rule]["options"]}
        return defaults | given


def named(value: Any) -> str:
    """What a test with that value is called, in every process: without the place of an object in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def case(rule: str, lr: float = 0.05, **options: Any) -> Case:
    return Case(rule, options, lr)


CASES = [
    case("SGD"),
    case("SGD", momentum=0.9),
    case("SGD", momentum=0.9, nesterov=True),
    case("SGD", momentum=0.8, dampening=0.3),
    case("SGD", dampening=0.3),
    case("SGD", momentum=0.8, dampening=0.3, nesterov=True, first_step="gradient"),
    case("SGD", momentum=0.9, lr_inside=True),
    case("SGD", momentum=0.9, lr_inside=True, nesterov=True, dampening=0.5),
    case("Adagrad"),
    case("Adagrad", eps=0.01, eps_in_sqrt=False),
    case("Adagrad", eps=0.01, eps_in_sqrt=True),
    case("Adagrad", initial_accumulator_value=0.3, lr_decay=0.1),
    case("RMSprop"),
    case("RMSprop", beta=0.7, eps=0.01, eps_in_sqrt=False),
    case("RMSprop", centered=True, eps=0.01),
    case("RMSprop", momentum=0.9),
    case("RMSprop", momentum=0.9, nesterov=True, bias_correction=True),
    case("RMSprop", momentum=0.9, lr_inside=True),
    case("RMSprop", momentum=0.9, centered=True, eps=0.01, lr_inside=True),
    case("RMSprop", centered=True, eps=0.01, eps_in_sqrt=True, bias_correction=True),
    case("RMSprop", momentum=0.9, centered=True, eps=0.01, nesterov=True),
    case("Adam"),
    case("Adam", bias_correction=False, eps_in_sqrt=True),
    case("Adam", betas=(0.8, 0.95), eps=0.01, eps_root=0.02),
    case("Adam", eps=0.01, eps_in_sqrt=True),
    case("Adam", eps=0.01, eps_hat=True),
    case("Adam", eps=0.01, eps_hat=True, eps_in_sqrt=True),
    case("Adam", amsgrad=True, amsgrad_corrected=False, betas=(0.9, 0.8)),
    case("Adam", amsgrad=True, amsgrad_corrected=True, betas=(0.9, 0.8)),
    case("Adam", amsgrad=True, amsgrad_corrected=True, betas=(0.9, 0.8), eps=0.01, eps_hat=True),
    case("Adam", betas=(0.0, 0.9)),
    case("AdamW"),
    case("AdamW", weight_decay=0.1, amsgrad=True, betas=(0.9, 0.8)),
    case("Adadelta", lr=1.0),
    case("Adadelta", rho=0.8, eps=0.01, lr=0.5),
    case("Adamax"),
    case("Adamax", betas=(0.8, 0.9), eps=0.1, eps_in_max=True),
    case("Adamax", betas=(0.8, 0.9), eps=0.1, eps_in_max=False),
    case("NAdam"),
    case("NAdam", betas=(0.8, 0.95), eps=0.01, momentum_decay=0.1),
    case("NAdam", momentum_decay=None),
    case("RAdam"),
    case("RAdam", betas=(0.8, 0.9), eps=0.1, eps_root=0.01, eps_hat=True),
    case("RAdam", betas=(0.8, 0.9), eps=0.1, eps_root=0.01, eps_hat=False, threshold=6.0),
    case("Rprop", lr=0.01),
    case("Rprop", etas=(0.3, 1.4), step_sizes=(1e-3, 0.1), late=False),
    case("Rprop", etas=(0.3, 1.4), step_sizes=(1e-3, 0.1), late=True),
    case("Lion", lr=0.01),
    case("Lion", betas=(0.8, 0.95), lr=0.01),
    case("Adan"),
    case("Adan", betas=(0.8, 0.7), beta3=0.95, eps=0.01, eps_root=0.001, small_change=True),
    case("AdaBelief"),
    case("AdaBelief", betas=(0.8, 0.95), eps=0.01, eps_root=0.001),
    case("Yogi"),
    case("Yogi", betas=(0.8, 0.95), eps=0.1, eps_root=0.01, initial_accumulator_value=0.1),
    case("LAMB"),
    case("LAMB", betas=(0.8, 0.95), eps=0.01, eps_root=0.01, weight_decay=0.1),
    case("LAMB", weight_decay=0.1, decay_in_update=False, decay="decoupled"),
    case("ScheduleFreeSGD"),
    case("ScheduleFreeSGD", momentum=0.7, weight_decay=0.1, weight_power=1.0, warmup_steps=10),
    case(
        "ScheduleFreeSGD", warmup_steps=10, warmup_from_one=False, plain_average=True, decay_in_update=False
    ),
    case("ScheduleFreeAdamW"),
    case(
        "ScheduleFreeAdamW",
        betas=(0.7, 0.9),
        eps=0.01,
        warmup_steps=10,
        warmup_from_one=False,
        weight_decay=0.1,
    ),
    case("ScheduleFreeAdamW", plain_average=True, weight_decay=0.1, decay_in_update=False, weight_power=0.0),
    case("Prodigy", lr=1.0, d0=0.01),
    case("Prodigy", lr=0.5, betas=(0.8, 0.95), beta3=0.9, eps=0.01, d0=0.01, d_coef=2.0, weight_decay=0.1),
    case("Prodigy", lr=0.05, d0=0.01, d_coef=0.5, weight_decay=0.1, decay="coupled"),
    case("Prodigy", lr=0.05, d0=0.01, d_coef=0.5, bias_correction=False, safeguard_warmup=True),
]

# One case for each rule, for tests that are about something else than formulas.
ONE_OF_EACH = list({case.rule: case for case in CASES}.values())

# Everything that can surround a rule, once.
AROUND = [
    {},
    {"weight_decay": 0.05, "decay": "coupled"},
    {"weight_decay": 0.05, "decay": "decoupled"},
    {"weight_decay": 0.01, "decay": "independent"},
    {"lr_factor": 0.3, "weight_decay": 0.05},
    {"clip_norm": 0.7},
    {"clip_norm": 0.7, "clip_eps": 0.1, "weight_decay": 0.05, "maximize": True},
    {"clip_value": 0.3, "weight_decay": 0.05, "decay": "coupled", "decay_where": "matrices"},
    {"clip_tensor_norm": 0.5, "clip_eps": 0.1},
    {"clip_tensor_norm": 0.5, "clip_norm": 0.7},
    {"lookahead": 5, "lookahead_alpha": 0.3},
    {"accumulate": 3, "clip_norm": 0.7},
]

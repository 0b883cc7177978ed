"""The state of an optimizer as `torch.optim` has it, on plain NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ._checks import check_count
from ._schuss import Optimizer, ParamGroup, Schedule
from ._torch_parts import Entry, common, number_of, parts_of, whole_steps


@dataclass(frozen=True)
class _Rule:
    """A rule that torch has, in its words."""

    # Our option or state array: torch's.
    options: dict[str, str]
    slots: dict[str, str]
    # What our other options must be for torch's formula.
    formula: dict[str, object] = field(default_factory=dict)
    decays: tuple[str, ...] = ("coupled",)
    # Keys of torch's groups that say how, not what, is computed.
    how: tuple[str, ...] = ("foreach", "differentiable", "capturable")


def _same(*names: str, **others: str) -> dict[str, str]:
    return {name: name for name in names} | others


_Kind = TypeVar("_Kind", bound=Optimizer)
_FUSED = ("foreach", "differentiable", "fused")
_MOMENTS = {"m": "exp_avg", "v": "exp_avg_sq"}
_BOTH = ("coupled", "decoupled")


def _adam(*decays: str) -> _Rule:
    return _Rule(
        _same("betas", "eps", "amsgrad"),
        {**_MOMENTS, "v_max": "max_exp_avg_sq"},
        {
            "eps_in_sqrt": False,
            "eps_hat": False,
            "eps_root": 0.0,
            "bias_correction": True,
            "amsgrad_corrected": False,
        },
        decays,
        (*_FUSED, "capturable"),
    )


_RULES = {
    "SGD": _Rule(
        _same("momentum", "dampening", "nesterov"),
        {"velocity": "momentum_buffer"},
        {"lr_inside": False},
        how=_FUSED,
    ),
    "Adagrad": _Rule(
        _same("lr_decay", "eps", "initial_accumulator_value"),
        {"square_sum": "sum"},
        {"eps_in_sqrt": False},
        how=_FUSED,
    ),
    "RMSprop": _Rule(
        _same("momentum", "eps", "centered", beta="alpha"),
        {"square_average": "square_avg", "gradient_average": "grad_avg", "momentum": "momentum_buffer"},
        {"eps_in_sqrt": False, "nesterov": False, "lr_inside": False, "bias_correction": False},
    ),
    "Adam": _adam(*_BOTH),
    "AdamW": _adam("decoupled"),
    "Adadelta": _Rule(_same("rho", "eps"), {"square_average": "square_avg", "update_average": "acc_delta"}),
    "Adamax": _Rule(_same("betas", "eps"), {"m": "exp_avg", "u": "exp_inf"}, {"eps_in_max": True}),
    "NAdam": _Rule(_same("betas", "eps", "momentum_decay"), _MOMENTS, decays=_BOTH),
    "RAdam": _Rule(
        _same("betas", "eps"), _MOMENTS, {"eps_hat": True, "eps_root": 0.0, "threshold": 5.0}, decays=_BOTH
    ),
    "Rprop": _Rule(
        _same("etas", "step_sizes"),
        {"step_size": "step_size", "previous": "prev"},
        {"late": False, "weight_decay": 0.0},
        decays=(),
    ),
}
# NAdam's product of momenta, ours and torch's, which has one for each array.
_PRODUCT, _MU_PRODUCT = "momentum_product", "mu_product"
# Sums and averages of squares and magnitudes.
_NOT_NEGATIVE = {"exp_avg_sq", "max_exp_avg_sq", "square_avg", "acc_delta", "sum", "exp_inf", "step_size"}
# Steps that a group has not taken part in; torch counts for each array.
_FROZEN = "frozen_steps"


def to_torch(optimizer: Optimizer) -> dict[str, Any]:
    """See `schuss.Optimizer.to_torch_state`."""
    rule = _rule(type(optimizer))
    saved = optimizer.state_dict()
    groups: list[dict[str, Any]] = []
    state: dict[int, dict[str, Any]] = {}
    for number, (group, memory) in enumerate(zip(optimizer.param_groups, saved["memory"], strict=True)):
        _check(rule, group)
        members = [i for i, of in enumerate(saved["group_of"]) if of == number]
        # torch counts parameters in the order of the groups.
        indices = [len(state) + i for i in range(len(members))]
        groups.append({**_options(rule, group), "params": indices})
        for index, member in zip(indices, members, strict=True):
            arrays = ((torch, saved["state"].get(ours)) for ours, torch in rule.slots.items())
            state[index] = {name: slots[member] for name, slots in arrays if slots is not None}
            steps = saved["step_count"] - memory.get(_FROZEN, 0)
            scalars = {} if saved["optimizer"] == "SGD" else {"step": steps}
            if _PRODUCT in memory:
                scalars[_MU_PRODUCT] = memory[_PRODUCT]
            state[index] |= {
                name: _scalar(value, group["params"][0].dtype) for name, value in scalars.items()
            }
    # Before the first step torch has state for Adagrad only. A velocity of zeros is the lecture's start.
    started = saved["step_count"] > 0 or saved["optimizer"] in ("SGD", "Adagrad")
    return {"state": {i: entry for i, entry in state.items() if started and entry}, "param_groups": groups}


def _scalar(value: float, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A number as torch keeps it beside parameters of that dtype: real, and never in half precision."""
    single = np.array(value, np.float32)
    is_double = dtype in (np.float64, np.complex128) or (isinstance(value, int) and single != value)
    return np.array(value, np.float64) if is_double else single


def from_torch(
    kind: type[_Kind], state: Mapping[str, Any], params: Any, step_count: int | None, **options: Any
) -> _Kind:
    """See `schuss.Optimizer.from_torch_state`."""
    rule = _rule(kind)
    if step_count is not None:
        step_count = check_count("step_count", step_count, least=0)
    groups, entries = parts_of(state)
    for number, group in enumerate(groups):
        _expect_class(kind, rule, f"state['param_groups'][{number}]", group)
    given = [_from_options(rule, group) for group in groups]
    if len(groups) == 1:
        optimizer = kind(params, **{"convention": "torch", **given[0], **options})
    else:
        if not isinstance(params, Sequence) or len(params) != len(groups):
            got = len(params) if isinstance(params, Sequence) else type(params).__name__
            raise ValueError(f"params must be {len(groups)} structures, one for each group, got {got}")
        parts = [{**group, "params": part} for group, part in zip(given, params, strict=True)]
        optimizer = kind(parts, **{"convention": "torch", **options})
    counts = [len(group["params"]) for group in optimizer.param_groups]
    if counts != [len(group["params"]) for group in groups]:
        expected = " and ".join(str(len(group["params"])) for group in groups)
        raise ValueError(f"params must be {expected} arrays, as the state has them, got {counts}")
    known = {*rule.slots.values(), "step", _MU_PRODUCT}
    for entry in entries:
        if others := [name for name in entry.values if name not in known]:
            raise ValueError(f"{entry.place} must be of torch.optim.{kind.__name__}, got {others[0]!r} in it")
    if any(entry.values for entry in entries):
        optimizer.load_state_dict(_saved(rule, optimizer, entries, step_count))
    return optimizer


def _saved(rule: _Rule, optimizer: Optimizer, entries: list[Entry], step_count: int | None) -> dict[str, Any]:
    """The state for `load_state_dict`: that of the new optimizer with torch's arrays and counts."""
    saved = optimizer.state_dict()
    groups = [group["params"] for group in optimizer.param_groups]
    own = [array for arrays in groups for array in arrays]
    for ours in saved["state"]:
        name = rule.slots[ours]
        pairs = zip(entries, own, strict=True)
        saved["state"][ours] = [entry.array(name, array, name in _NOT_NEGATIVE) for entry, array in pairs]
    steps: list[int] = []
    start = 0
    for memory, arrays in zip(saved["memory"], groups, strict=True):
        members = entries[start : start + len(arrays)]
        start += len(arrays)
        if _PRODUCT in memory:
            memory[_PRODUCT] = common(_MU_PRODUCT, members)
        if all("step" in entry.values for entry in members):
            steps.append(whole_steps(members))
        elif saved["optimizer"] != "SGD":
            members[0].number("step")
        else:
            # torch's SGD does not count; what matters is whether there was a first step.
            steps.append(1 if step_count is None else step_count)
    if step_count is not None and max(steps) != step_count:
        raise ValueError(f"step_count must be {max(steps)}, which the state says, got {step_count}")
    saved["step_count"] = max(steps)
    for memory, taken in zip(saved["memory"], steps, strict=True):
        memory[_FROZEN] = max(steps) - taken
    return saved


def _rule(kind: type[Optimizer]) -> _Rule:
    name: str = kind._rule  # type: ignore[attr-defined]
    if name not in _RULES:
        raise TypeError(f"the optimizer must be one that torch.optim has ({', '.join(_RULES)}), got {name}")
    return _RULES[name]


def _check(rule: _Rule, group: ParamGroup) -> None:
    """Refuse what torch would compute in another way."""
    accepted: dict[str, tuple[object, ...]] = {name: (value,) for name, value in rule.formula.items()}
    accepted |= {"lookahead": (None,), "accumulate": (1,)}
    if isinstance(group["weight_decay"], Schedule):
        raise ValueError(f"weight_decay must be a number, as torch has it, got {group['weight_decay']!r}")
    if group["weight_decay"]:
        accepted |= {"decay": rule.decays, "decay_where": ("everywhere",)}
    if "dampening" in rule.options and (group["nesterov"] or not group["momentum"]):
        accepted["dampening"] = (0,) if group["momentum"] else (0, None)
    for name, values in accepted.items():
        if group[name] not in values:
            raise ValueError(
                f"{name} must be {' or '.join(map(repr, values))}, torch's formula, got {group[name]!r}"
            )


def _options(rule: _Rule, group: ParamGroup) -> dict[str, Any]:
    options = {torch: group[ours] for ours, torch in rule.options.items()}
    options |= {"lr": group["lr"] * group["lr_factor"], "maximize": group["maximize"]}
    if rule.decays:
        options["weight_decay"] = group["weight_decay"]
    options |= {name: None if name in ("foreach", "fused") else False for name in rule.how}
    if options.get("dampening", 0) is None:
        options["dampening"] = group["momentum"]
    if "decoupled" in rule.decays:
        options["decoupled_weight_decay"] = group["decay"] == "decoupled"
    return options


def _expect_class(kind: type, rule: _Rule, place: str, group: Mapping[str, Any]) -> None:
    """Refuse the state of another class, which has other options."""
    expected = {"lr", "params", *rule.options.values()} | ({"weight_decay"} if rule.decays else set())
    if missing := [name for name in expected if name not in group]:
        what = f"must be of torch.optim.{kind.__name__}, which has {sorted(missing)[0]!r}"
        raise ValueError(f"{place} {what}; got {', '.join(map(str, group)) or 'nothing'}")
    all_options = {name for other in _RULES.values() for name in other.options.values()}
    if foreign := sorted((all_options - expected) & set(group)):
        raise ValueError(f"{place} must be of torch.optim.{kind.__name__}, which has no {foreign[0]!r}")


def _from_options(rule: _Rule, group: Mapping[str, Any]) -> dict[str, Any]:
    names = rule.options | _same("lr", "weight_decay", "maximize")
    options = {ours: group[torch] for ours, torch in names.items() if torch in group}
    options["lr"] = number_of("lr of the state", options["lr"])
    if "decoupled_weight_decay" in group:
        options["decay"] = "decoupled" if group["decoupled_weight_decay"] else "coupled"
    return options

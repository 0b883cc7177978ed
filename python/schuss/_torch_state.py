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
    # State arrays that a group has only with an option of ours.
    only_with: dict[str, str] = field(default_factory=dict)

    def has(self, slot: str, group: ParamGroup) -> bool:
        """Whether a group computes with a state array."""
        return slot not in self.only_with or bool(group[self.only_with[slot]])


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
        {"v_max": "amsgrad"},
    )


_RULES = {
    "SGD": _Rule(
        _same("momentum", "dampening", "nesterov"),
        {"velocity": "momentum_buffer"},
        {"lr_inside": False},
        how=_FUSED,
        only_with={"velocity": "momentum"},
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
        only_with={"gradient_average": "centered", "momentum": "momentum"},
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
# Steps before there was a velocity.
_VELOCITY_SINCE = "velocity_since"
# Options with state of their own, which begins where torch's ends.
_BEGIN_HERE = ("accumulate", "lookahead", "ema", "swa_start")


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
        steps = saved["step_count"] - memory.get(_FROZEN, 0)
        own = {name: torch for name, torch in rule.slots.items() if rule.has(name, group)}
        for index, member in zip(indices, members, strict=True):
            state[index] = {}
            if not _has_state(saved["optimizer"], group, steps - memory.get(_VELOCITY_SINCE, 0)):
                continue
            state[index] |= {torch: saved["state"][name][member] for name, torch in own.items()}
            scalars = {} if saved["optimizer"] == "SGD" else {"step": steps}
            if _PRODUCT in memory:
                scalars[_MU_PRODUCT] = memory[_PRODUCT]
            state[index] |= {
                name: _scalar(value, group["params"][0].dtype) for name, value in scalars.items()
            }
    return {"state": {i: entry for i, entry in state.items() if entry}, "param_groups": groups}


def _has_state(rule: str, group: ParamGroup, steps: int) -> bool:
    """Whether torch has state for a group that has had some for so many steps."""
    if rule == "SGD" and group["first_step"] == "average":
        # A velocity of zeros is the lecture's start; without one torch's is the whole first gradient.
        return True
    return steps > 0 or rule == "Adagrad"


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
    begin_here = {name: options.pop(name) for name in _BEGIN_HERE if name in options}
    given = [_from_options(rule, group) for group in groups]
    if len(groups) == 1:
        optimizer = kind(params, **{"convention": "torch", **given[0], **options})
    else:
        optimizer = kind(_parts(given, params, options), **{"convention": "torch", **options})
    counts = [len(group["params"]) for group in optimizer.param_groups]
    if counts != [len(group["params"]) for group in groups]:
        expected = " and ".join(str(len(group["params"])) for group in groups)
        raise ValueError(f"params must be {expected} arrays, as the state has them, got {counts}")
    known = {*rule.slots.values(), "step", _MU_PRODUCT}
    for entry in entries:
        if others := [name for name in entry.values if name not in known]:
            raise ValueError(f"{entry.place} must be of torch.optim.{kind.__name__}, got {others[0]!r} in it")
    if step_count or any(entry.values for entry in entries):
        optimizer.load_state_dict(_saved(rule, optimizer, entries, step_count))
    for name, value in begin_here.items():
        for own in optimizer.param_groups:
            own[name] = value
    return optimizer


def _parts(given: list[dict[str, Any]], params: Any, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Several groups with the state's options; those that are the caller's are for all of them."""
    if not isinstance(params, Sequence) or len(params) != len(given):
        got = len(params) if isinstance(params, Sequence) else type(params).__name__
        raise ValueError(f"params must be {len(given)} structures, one for each group, got {got}")
    left = [{name: value for name, value in group.items() if name not in options} for group in given]
    return [{**group, "params": part} for group, part in zip(left, params, strict=True)]


def _saved(rule: _Rule, optimizer: Optimizer, entries: list[Entry], step_count: int | None) -> dict[str, Any]:
    """The state for `load_state_dict`: that of the new optimizer with torch's arrays and counts."""
    saved = optimizer.state_dict()
    steps: list[int] = []
    start = 0
    for group, memory in zip(optimizer.param_groups, saved["memory"], strict=True):
        stop = start + len(group["params"])
        members = entries[start:stop]
        for ours, arrays in saved["state"].items():
            arrays[start:stop] = _arrays(rule, ours, group, members, arrays[start:stop])
        # A group that was frozen all the time has no state.
        has_begun = any(entry.values for entry in members)
        if has_begun and _PRODUCT in memory:
            memory[_PRODUCT] = common(_MU_PRODUCT, members)
        if saved["optimizer"] == "SGD":
            steps.append(_steps_of_sgd(group, has_begun, step_count))
        else:
            steps.append(whole_steps(members) if has_begun else 0)
        start = stop
    is_counted = saved["optimizer"] != "SGD"
    if is_counted and step_count is not None and max(steps) != step_count:
        raise ValueError(f"step_count must be {max(steps)}, which the state says, got {step_count}")
    saved["step_count"] = max(steps) if is_counted or step_count is None else step_count
    for memory, taken in zip(saved["memory"], steps, strict=True):
        memory[_FROZEN] = saved["step_count"] - taken
    return saved


def _arrays(
    rule: _Rule, ours: str, group: ParamGroup, members: Sequence[Entry], own: list[NDArray[Any]]
) -> list[NDArray[Any]]:
    """A group's state arrays of one kind: torch's, or the new optimizer's where torch has none."""
    name = rule.slots[ours]
    is_expected = rule.has(ours, group) and any(entry.values for entry in members)
    if not is_expected and not any(name in entry.values for entry in members):
        return own
    pairs = zip(members, group["params"], strict=True)
    return [entry.array(name, array, name in _NOT_NEGATIVE) for entry, array in pairs]


def _steps_of_sgd(group: ParamGroup, has_begun: bool, step_count: int | None) -> int:
    """The steps of a group of SGD, which torch does not count: it matters whether there was a first one."""
    if not has_begun:
        # Without momentum there is nothing to tell it from one that has begun.
        return 0 if group["momentum"] else step_count or 0
    if step_count == 0 and group["first_step"] == "gradient" and group["dampening"] != 0:
        raise ValueError("step_count must be at least 1 where the state has a momentum_buffer, got 0")
    return 1 if step_count is None else step_count


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
    if "momentum_decay" in rule.options and group["momentum_decay"] is None:
        raise ValueError("momentum_decay must be a number, as torch has it, got None")
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

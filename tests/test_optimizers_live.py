"""Options that are set while an optimizer is at work: from the next step on they mean what they mean from the first, or are refused."""

# ruff: noqa: E501

import copy
import math
import re

import numpy as np
import pytest

import schuss as sc
from cases import ONE_OF_EACH, TABLES

STEPS = 7


def other_values(option, default):
    """Values that an option may have, and which are not its default."""
    kind = option["type"]
    if kind.startswith("float"):
        numbers = [0.0, 0.3, 0.75, 2.0, 1e-3]
    elif kind.startswith("int"):
        numbers = [1, 2, 5]
    elif kind == "bool":
        numbers = [True, False]
    elif kind == "(float, float)":
        numbers = [(0.5, 0.75), (0.25, 1.5)]
    else:
        numbers = [name.strip('" ') for name in re.split(", | or ", kind) if name.startswith('"')]
    if "None" in kind:
        numbers.append(None)
    return [value for value in numbers if value != default]


def changes():
    """Every option of every class with other values."""
    for case in ONE_OF_EACH:
        own = {option["name"]: option for option in TABLES[case.rule]["options"]}
        # What every rule has is tried with two of them.
        common = set.intersection(
            *({option["name"] for option in rule["options"]} for rule in TABLES.values())
        )
        for name, option in own.items():
            if name not in common or case.rule in ("Adam", "SGD"):
                for value in other_values(option, case.options.get(name, option["defaults"][0])):
                    yield pytest.param(case, name, value, id=f"{case.rule}-{name}-{value}")


def arrays(seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((3, 4)), rng.standard_normal(5)]


# Before it, so that an option which needs it has a meaning.
NEEDS = {
    "ema_start": {},
    "lookahead_alpha": {"lookahead": 2},
    "nesterov": {"momentum": 0.9},
    "clip_eps": {"clip_norm": 0.5},
}


# What state is made of: it stays what it was in the first step.
SETTLED = {
    ("SGD", "lr_inside"),
    ("SGD", "first_step"),
    ("RMSprop", "lr_inside"),
    ("AdamW", "amsgrad_corrected"),
    ("Rprop", "late"),
    ("ScheduleFreeSGD", "momentum"),
    ("ScheduleFreeAdamW", "betas"),
    ("ScheduleFreeSGD", "plain_average"),
    ("ScheduleFreeAdamW", "plain_average"),
    ("Adagrad", "initial_accumulator_value"),
    ("Yogi", "initial_accumulator_value"),
    ("Prodigy", "d0"),
}


@pytest.mark.parametrize("at", [0, 1, 3])
@pytest.mark.parametrize(("case", "name", "value"), list(changes()))
def test_a_change_is_the_same_saved_and_loaded_and_at_the_start_the_same_as_made_so(case, name, value, at):
    params, more = arrays(0), NEEDS.get(name, {})
    try:
        fresh = case.make([p.copy() for p in params], **more, **{name: value})
    except ValueError:
        return
    opt = case.make(params, **more)
    for number in range(at):
        opt.step(arrays(10 + number))
    if at > 0 and (case.rule, name) in SETTLED:
        with pytest.raises(ValueError, match=f"{name} must be what it was in the first step"):
            opt.param_groups[0][name] = value
        return
    opt.param_groups[0][name] = value
    twins = [copy.deepcopy((opt, params))]
    state = opt.state_dict()
    loaded_params = [p.copy() for p in params]
    loaded = getattr(sc, case.rule)(loaded_params, lr=7.0)
    loaded.load_state_dict(state)
    twins.append((loaded, loaded_params))
    if at == 0:
        twins.append((fresh, [group for g in fresh.param_groups for group in g["params"]]))
    for number in range(STEPS):
        outcome = stepped(opt, arrays(20 + number))
        for twin, twin_params in twins:
            assert stepped(twin, arrays(20 + number)) == outcome
            assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(params, twin_params, strict=True))
    for twin, _ in twins:
        assert averages(twin) == averages(opt)
        mine, other = opt.state_dict(), twin.state_dict()
        assert mine["memory"] == other["memory"]
        assert mine["step_count"] == other["step_count"]
        assert sorted(mine["state"]) == sorted(other["state"])


def stepped(opt, grads):
    try:
        opt.step(grads)
    except sc.NonFiniteError as error:
        return str(error)
    return None


def averages(opt):
    try:
        return [a.tolist() for a in opt.averaged_params()]
    except ValueError:
        return None


def trajectory(opt, params, n, seed=30):
    """Parameters after each of some steps."""
    path = []
    for number in range(n):
        opt.step(arrays(seed + number))
        path.append([p.copy() for p in params])
    return path


@pytest.mark.parametrize("start", ["params", "first", "zero"])
@pytest.mark.parametrize("since", [0, 1, 4])
def test_an_average_that_is_asked_for_late_begins_then(start, since):
    params = arrays(1)
    opt = sc.Adam(params, lr=0.1, ema_start=start)
    trajectory(opt, params, since)
    before = [p.copy() for p in params]
    opt.param_groups[0]["ema"] = 0.75
    assert averages(opt) == [p.tolist() for p in params]
    path = trajectory(opt, params, 3, seed=60)
    for number, average in enumerate(opt.averaged_params()):
        expected = {"params": before[number], "first": path[0][number], "zero": 0.0}[start]
        for point in path:
            expected = 0.75 * expected + 0.25 * point[number]
        if start == "zero":
            expected = expected / (1 - 0.75**3)
        np.testing.assert_allclose(average, expected, rtol=1e-12)


@pytest.mark.parametrize("start", [0, 2, 6])
@pytest.mark.parametrize("since", [0, 1, 4])
def test_a_plain_average_that_is_asked_for_late_begins_then(start, since):
    params = arrays(2)
    opt = sc.SGD(params, lr=0.1)
    path = trajectory(opt, params, since)
    opt.param_groups[0]["swa_start"] = start
    path += trajectory(opt, params, 4, seed=60)
    first = max(start, since + 1)
    counted = path[first - 1 :] or path[-1:]
    for number, average in enumerate(opt.averaged_params()):
        np.testing.assert_allclose(average, np.mean([point[number] for point in counted], axis=0), rtol=1e-12)


UNDER_WAY = {
    "ema": "what it is, or None and then anew: an average is under way",
    "swa_start": "what it is, or None and then anew: an average is under way",
    "ema_start": "what it is, unless ema is None first: an average is under way",
}


@pytest.mark.parametrize(
    ("options", "name", "value", "refused"),
    [
        ({"ema": 0.9}, "ema", 0.5, False),
        ({"ema": 0.9, "ema_start": "first"}, "ema", 0.5, False),
        ({"ema": 0.9, "ema_start": "zero"}, "ema", 0.5, True),
        ({"ema": 0.9}, "ema_start", "first", True),
        ({"ema": 0.9, "ema_start": "zero"}, "ema_start", "params", True),
        ({"ema": 0.9}, "ema", None, False),
        ({"swa_start": 2}, "swa_start", 5, True),
        ({"swa_start": 9}, "swa_start", 5, False),
        ({"swa_start": 9}, "swa_start", 1, False),
        ({"swa_start": 2}, "swa_start", None, False),
    ],
)
def test_an_average_under_way_stays_what_it_is(options, name, value, refused):
    params = arrays(3)
    opt = sc.SGD(params, lr=0.1, **options)
    trajectory(opt, params, 3)
    if not refused:
        opt.param_groups[0][name] = value
        trajectory(opt, params, 2)
        return
    before = repr(opt.state_dict())
    with pytest.raises(ValueError, match=rf"^{name} must be {UNDER_WAY[name]}.*, got"):
        opt.param_groups[0][name] = value
    assert repr(opt.state_dict()) == before
    ask = "ema" if "ema" in name else name
    kept = opt.param_groups[0][ask]
    opt.param_groups[0][ask] = None
    opt.param_groups[0][name] = value
    opt.param_groups[0][ask] = value if ask == name else kept
    assert averages(opt) == [p.tolist() for p in params]


def test_a_round_of_gradients_is_finished_as_it_was_begun():
    params = arrays(4)
    opt = sc.SGD(params, lr=1.0, accumulate=2)
    opt.step(arrays(5))
    with pytest.raises(
        ValueError,
        match=r"^accumulate must be 2 until the round is complete: 1 of 2 gradients are gathered, got 3",
    ):
        opt.param_groups[0]["accumulate"] = 3
    with pytest.raises(ValueError, match=r"^accumulate must be 2 until"):
        opt.param_groups[0]["accumulate"] = 1
    before = [p.copy() for p in params]
    opt.step(arrays(6))
    for p, old, a, b in zip(params, before, arrays(5), arrays(6), strict=True):
        np.testing.assert_allclose(p, old - (a + b) / 2, rtol=1e-13)
    opt.param_groups[0]["accumulate"] = 1
    before = [p.copy() for p in params]
    opt.step(arrays(7))
    for p, old, a in zip(params, before, arrays(7), strict=True):
        np.testing.assert_allclose(p, old - a, rtol=1e-13)
    assert opt.state_dict()["state"] == {}


def test_other_options_may_change_within_a_round():
    w = np.zeros(2)
    opt = sc.SGD([w], lr=1.0, accumulate=2)
    opt.step([np.full(2, 4.0)])
    opt.lr = 0.5
    opt.step([np.full(2, 2.0)])
    assert (w == -1.5).all()


def test_what_was_gathered_for_a_group_that_is_frozen_then_takes_no_part_in_a_later_round():
    a, b = np.zeros(2), np.zeros(2)
    opt = sc.SGD([{"params": a}, {"params": b}], lr=1.0, accumulate=2)
    group, ones = opt.param_groups[1], [np.ones(2), np.ones(2)]
    opt.step(ones)
    group["lr"] = 0.0
    with pytest.raises(
        ValueError, match=r"^lr must be 0 until the round is complete: 1 of 2 gradients are gathered"
    ):
        group["lr"] = 1.0
    opt.step(ones)
    assert (a == -1).all()
    assert (b == 0).all()
    group["lr"] = 1.0
    opt.step(ones), opt.step(ones)
    assert (a == -2).all()
    assert (b == -1).all()


@pytest.mark.parametrize("then", ["raise", "skip"])
def test_a_round_with_nan_in_it_that_was_not_looked_at_begins_anew(then):
    w = np.zeros(2)
    opt = sc.SGD([w], lr=1.0, accumulate=2, nonfinite="ignore")
    opt.step([np.full(2, np.nan)])
    opt.param_groups[0]["nonfinite"] = then
    if then == "raise":
        with pytest.raises(sc.NonFiniteError):
            opt.step([np.ones(2)])
    else:
        opt.step([np.ones(2)])
        assert opt.skipped_steps == 1
    assert (w == 0).all()
    assert opt.step_count == 0
    opt.step([np.ones(2)]), opt.step([np.ones(2)])
    assert (w == -1).all()


def test_a_state_array_that_nobody_needs_any_more_is_gone():
    w = np.ones(3)
    opt = sc.Adam([w], lr=0.1, ema=0.9, amsgrad=True)
    opt.step([np.ones(3)])
    for name, value in [("ema", None), ("amsgrad", False)]:
        opt.param_groups[0][name] = value
    assert sorted(opt.state_dict()["state"]) == ["m", "v"]
    copy.deepcopy(opt).step([np.ones(3)])
    opt.step([np.ones(3)])


def test_groups_without_an_average_give_their_parameters():
    a, b = np.zeros(2), np.zeros(2)
    opt = sc.SGD([{"params": a, "ema": 0.5}, {"params": b}], lr=1.0)
    opt.step([np.ones(2), np.ones(2)])
    averaged = opt.averaged_params()
    assert (averaged[0] == -0.5).all()
    assert (averaged[1] == -1).all()
    opt.param_groups[0]["ema"] = None
    with pytest.raises(ValueError, match="there is no average"):
        opt.averaged_params()


def test_options_of_the_whole_step_are_the_same_in_all_groups():
    a, b = np.zeros(2), np.zeros(2)
    opt = sc.SGD([{"params": a}, {"params": b}], lr=1.0)
    for name, value in {
        "accumulate": 2,
        "clip_norm": 1.0,
        "nonfinite": "skip",
        "clip_eps": 0.5,
        "clip_tensor_norm": 2.0,
    }.items():
        opt.param_groups[1][name] = value
        assert opt.param_groups[0][name] == value
        state = opt.state_dict()
        del state["param_groups"][0][name]
        state["param_groups"][1][name] = {"nonfinite": "raise"}.get(name, 3)
        before = repr(opt.state_dict())
        with pytest.raises(ValueError, match=rf"^{name} must be the same in all groups, got"):
            opt.load_state_dict(state)
        assert repr(opt.state_dict()) == before


def test_of_several_numbers_of_steps_between_two_steps_the_last_counts():
    def moved(first, steps, *then):
        params = [np.zeros(1)]
        opt = sc.SGD(params, lr=1.0, lookahead=first)
        places = []
        for number in range(steps + 6):
            if number == steps:
                for value in then:
                    opt.param_groups[0]["lookahead"] = value
            opt.step([-np.ones(1)])
            places.append(params[0].item())
        return places

    for first in (1, 2, 3, 5):
        for steps in range(8):
            for last in (1, 2, 3, 4):
                at_once = moved(first, steps, last)
                for between in (1, 2, 4, 7):
                    assert moved(first, steps, between, last) == at_once
                    assert moved(first, steps, between, 3, last) == at_once
                # Without, they begin anew.
                assert moved(first, steps, 1, None, 7, last) == moved(first, steps, None, last)


@pytest.mark.parametrize("name", ["accumulate", "lookahead", "swa_start"])
@pytest.mark.parametrize(
    "value", [2.9, 0.5, -1, float("nan"), float("inf"), 2**64, -(2**70), 1e300, "2", True, np.True_, [2], 2j]
)
def test_a_number_of_steps_is_a_whole_number(name, value):
    for use in (
        lambda: sc.SGD([np.ones(2)], **{name: value}),
        lambda: sc.SGD(**{name: value}),
        lambda: sc.SGD([np.ones(2)]).param_groups[0].__setitem__(name, value),
    ):
        with pytest.raises((ValueError, TypeError), match=rf"^{name} must be a whole number >= [01]"):
            use()


@pytest.mark.parametrize("value", [2, 2.0, np.int32(2), np.float64(2.0), np.uint8(2)])
def test_whole_numbers_of_any_kind_are_taken(value):
    opt = sc.SGD([np.ones(2)], accumulate=value, lookahead=value, swa_start=value)
    for name in ("accumulate", "lookahead", "swa_start"):
        assert type(opt.param_groups[0][name]) is int
        assert opt.param_groups[0][name] == 2
    assert "accumulate=2," in repr(opt)


def torch_plateau(results, mode, threshold, threshold_mode, patience, factor, cooldown):
    """`torch.optim.lr_scheduler.ReduceLROnPlateau`, rewritten; `abs` is not torch's."""
    best, bad, resting, lr = (math.inf if mode == "min" else -math.inf), 0, 0, 1.0
    for result in results:
        sign = -1 if mode == "min" else 1
        share = threshold * (abs(best) if math.isfinite(best) else 0.0)
        better = best + sign * (share if threshold_mode == "rel" else threshold)
        if sign * result > sign * better:
            best, bad = result, 0
        else:
            bad += 1
        if resting > 0:
            resting, bad = resting - 1, 0
        if bad > patience:
            lr, resting, bad = lr * factor, cooldown, 0
        yield lr


@pytest.mark.parametrize("shift", [0.0, -5.0, -0.9, 3.0])
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_a_plateau_is_one_for_negative_results_too(shift, mode, threshold_mode):
    rng = np.random.default_rng(0)
    results = [round(float(x), 2) + shift for x in rng.random(60)] + [-1.0] * 10
    schedule = sc.schedules.plateau(
        1.0,
        factor=0.5,
        patience=2,
        threshold=0.05,
        relative=threshold_mode == "rel",
        maximize=mode == "max",
        cooldown=1,
    )
    opt = sc.SGD([np.ones(1)], lr=schedule)
    for result, expected in zip(
        results, torch_plateau(results, mode, 0.05, threshold_mode, 2, 0.5, 1), strict=True
    ):
        opt.tell(result)
        assert opt.lr == expected
    assert opt.lr < 0.1


def test_a_negative_result_that_stays_is_a_plateau():
    opt = sc.SGD([np.ones(1)], lr=sc.schedules.plateau(1.0, factor=0.5, patience=1))
    for _ in range(5):
        opt.tell(-3.0)
    assert opt.lr == 0.25


def bowl(x):
    return float((x - 1) @ (x - 1)), 2 * (x - 1)


@pytest.mark.parametrize(
    "lr",
    [
        sc.schedules.warmup(0.1, 5),
        sc.schedules.cosine(0.2, 30, warmup_steps=3),
        sc.schedules.join([0.1, sc.schedules.warmup(0.1, 4)], [10]),
        lambda step: 0.1 if step % 3 else 0.0,
    ],
)
def test_a_schedule_that_passes_through_zero_is_no_convergence(lr):
    result = sc.minimize(bowl, np.zeros(3), jac=True, optimizer=sc.SGD(lr=lr), max_steps=200, min_step=1e-8)
    assert result.nit >= 25
    np.testing.assert_allclose(result.x, 1, atol=1e-2)


def test_a_rate_that_is_always_zero_goes_nowhere():
    result = sc.minimize(bowl, np.zeros(3), jac=True, optimizer=sc.SGD(lr=0.0), max_steps=200)
    assert result.reason == "converged"
    assert result.nit == 0


@pytest.mark.parametrize(
    ("made", "name", "value"),
    [
        (lambda p: sc.SGD(p, momentum=0.9, convention="torch"), "lr_inside", True),
        (lambda p: sc.RMSprop(p, momentum=0.9), "lr_inside", True),
        (lambda p: sc.Rprop(p), "late", True),
        (lambda p: sc.ScheduleFreeSGD(p), "momentum", 0.5),
        (lambda p: sc.ScheduleFreeAdamW(p), "betas", (0.5, 0.999)),
        (lambda p: sc.ScheduleFreeSGD(p), "plain_average", True),
        (lambda p: sc.ScheduleFreeAdamW(p, convention="keras"), "plain_average", False),
        (lambda p: sc.ScheduleFreeSGD(p), "weight_power", 0.0),
        (lambda p: sc.ScheduleFreeAdamW(p), "weight_power", 1.0),
        (lambda p: sc.Adam(p, amsgrad=True), "amsgrad_corrected", True),
        (lambda p: sc.Adam(p, amsgrad=True, amsgrad_corrected=True), "bias_correction", False),
        (lambda p: sc.SGD(p, momentum=0.9, dampening=0.5, convention="torch"), "first_step", "average"),
        (lambda p: sc.Adagrad(p), "initial_accumulator_value", 0.5),
        (lambda p: sc.Yogi(p), "initial_accumulator_value", 0.5),
        (lambda p: sc.Prodigy(p), "d0", 1e-4),
    ],
)
def test_what_state_is_made_of_stays_once_there_is_some(made, name, value):
    params = arrays(2)
    opt = made(params)
    other = not value if isinstance(value, bool) else value
    first = opt.param_groups[0][name]
    value = other if first == value else value
    opt.param_groups[0][name] = value
    opt.param_groups[0][name] = first
    opt.step(arrays(3))
    before = [p.copy() for p in params]
    with pytest.raises(ValueError, match=f"{name} must be what it was in the first step") as error:
        opt.param_groups[0][name] = value
    assert str(error.value).endswith(f"got {value}".replace("average", '"average"'))
    assert opt.param_groups[0][name] == first
    opt.param_groups[0][name] = first
    assert all(np.array_equal(a, b) for a, b in zip(params, before, strict=True))
    # Anew, it may be anything.
    new = opt.bind([np.zeros(2)])
    new.param_groups[0][name] = value


@pytest.mark.parametrize("corrected", [False, True])
def test_where_eps_is_added_may_change_at_work(corrected):
    """Without eps it makes no difference: the largest second moment is kept as what it is."""
    params, grads = [np.ones(1), np.ones(1)], [np.array([g]) for g in (5.0, *[1.0] * 7)]
    for other, p in zip([False, True], params, strict=True):
        opt = sc.Adam(p, lr=0.1, eps=0.0, amsgrad=True, amsgrad_corrected=corrected)
        for step, g in enumerate(grads):
            opt.param_groups[0]["eps_hat"] = other and step >= 4
            opt.step(g)
    np.testing.assert_allclose(*params, rtol=1e-14)


def test_what_other_options_mean_may_change_where_state_does_not_depend_on_it():
    params = arrays(4)
    opt = sc.SGD(params, lr=0.1, momentum=0.0)
    opt.step(arrays(5))
    opt.param_groups[0]["lr_inside"] = not opt.param_groups[0]["lr_inside"]
    opt = sc.ScheduleFreeAdamW(params)
    opt.step(arrays(6))
    opt.param_groups[0]["betas"] = (0.9, 0.99)
    opt = sc.Rprop(params)
    opt.step(arrays(7))
    opt.param_groups[0]["etas"] = (0.4, 1.3)

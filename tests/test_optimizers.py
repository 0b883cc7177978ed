"""Each optimizer in each convention follows the float64 reference, whatever surrounds it."""

import inspect
from collections.abc import Sequence

import numpy as np
import pytest

import schuss as sc
from cases import AROUND, CASES, ONE_OF_EACH, TABLES, Case
from reference import RULES, trajectory
from schuss.optimizers import CONVENTIONS

STEPS = 200
SHAPES = [(3, 2), (2,), (), (5, 1, 2)]
# LAMB looks at each array's norm, Prodigy at all arrays together.
ELEMENTWISE = [case for case in ONE_OF_EACH if case.rule not in ("LAMB", "Prodigy")]

TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}


def problem(dtype: type, steps: int = STEPS, seed: int = 0) -> tuple[list, list]:
    """A start and gradients: noise around a slope, some exactly zero, of sizes from 1e-3 to 10."""
    rng = np.random.default_rng(seed)
    start = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    sizes = [10.0 ** rng.uniform(-3, 1, size=shape) for shape in SHAPES]
    grads = [
        [
            np.asarray(size * (0.3 + rng.normal(size=np.shape(size))) * (rng.random() > 0.1), dtype)
            for size in sizes
        ]
        for _ in range(steps)
    ]
    return start, grads


def follows(case: Case, dtype: type, lr: object = None, **more: object) -> None:
    start, grads = problem(dtype)
    rate = lr if callable(lr) else lambda _: case.lr
    expected = trajectory(case.rule, start, grads, rate, case.all_options(**more))
    params = [p.copy() for p in start]
    optimizer = case.make(params, **({"lr": lr} if lr else {}), **more)
    every = more.get("accumulate", 1)
    for number, step in enumerate(grads, start=1):
        assert optimizer.step(step) is None
        if number % every == 0:
            close(params, expected[number // every - 1], TOLERANCE[dtype])
    assert optimizer.step_count == STEPS // every
    moved = max(np.abs(p - s).max() for p, s in zip(expected[-1], start, strict=True))
    assert moved > 1e-3


def close(ours: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float) -> None:
    """Compares relative to the largest parameter: rounding errors of sums are of that size."""
    scale = max(1.0, *(np.abs(p).max() for p in expected))
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_follows_its_reference(case, convention, dtype):
    follows(case, dtype, convention=convention)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("around", AROUND, ids=str)
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_what_surrounds_a_rule_follows_its_reference(case, around, dtype):
    follows(case, dtype, **around)


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_a_schedule_gives_the_learning_rate_of_each_step(case):
    follows(
        case,
        np.float64,
        lr=sc.schedules.cosine(0.1, total_steps=150, final=0.01, warmup_steps=20, warmup_start=0.01),
    )
    follows(case, np.float64, lr=lambda step: 0.1 / (1 + step))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_everything_at_once_with_groups(case, dtype):
    """Schedule, clipping, decay, a mask and groups together, at every one of 200 steps."""
    start, grads = problem(dtype)
    schedule = sc.schedules.linear(0.1, total_steps=180, final=0.01, warmup_steps=10)
    params = [p.copy() for p in start]
    groups = {
        "first": {"params": params[:1], "weight_decay": 0.1},
        "others": {
            "params": {"a": params[1], "rest": params[2:]},
            "lr": 0.02,
            "weight_decay": 0.05,
            "decay_where": "matrices",
        },
    }
    optimizer = case.make(groups, lr=schedule, clip_norm=2.0, decay="decoupled")
    norms = [np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in step)) for step in grads]
    clipped = [[g * min(1, 2.0 / norm) for g in step] for step, norm in zip(grads, norms, strict=True)]
    first, others = slice(0, 1), slice(1, None)
    parts = [(first, schedule, {"weight_decay": 0.1})]
    parts += [(others, lambda _: 0.02, {"weight_decay": 0.05, "decay_where": "matrices"})]
    expected = [
        trajectory(
            case.rule,
            start[part],
            [step[part] for step in clipped],
            lr,
            case.all_options(decay="decoupled", **more),
        )
        for part, lr, more in parts
    ]
    for number, (a, b, *rest) in enumerate(grads):
        optimizer.step({"first": [a], "others": {"a": b, "rest": rest}})
        assert optimizer.lr == schedule(number + 1)
        for (part, *_), rows in zip(parts, expected, strict=True):
            close(params[part], rows[number], TOLERANCE[dtype])
    assert sum(norm > 2 for norm in norms) > 100


AVERAGES = {
    "params": ({"ema": 0.8, "ema_start": "params"}, lambda ps: ema([ps[0]], ps[1:])),
    "first": ({"ema": 0.8, "ema_start": "first"}, lambda ps: ema([ps[1]], ps[2:])),
    "zero": (
        {"ema": 0.8, "ema_start": "zero"},
        lambda ps: ema([0 * ps[0]], ps[1:]) / (1 - 0.8 ** (len(ps) - 1)),
    ),
    "plain": ({"swa_start": 5}, lambda ps: np.mean(ps[5:], axis=0) if len(ps) > 5 else ps[-1]),
    "plain from the first": ({"swa_start": 0}, lambda ps: np.mean(ps[1:], axis=0)),
}


def ema(averages, params):
    for p in params:
        averages.append(0.8 * averages[-1] + 0.2 * p)
    return averages[-1]


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("case", ELEMENTWISE[:3], ids=str)
def test_an_average_of_parameters_is_its_formula(case, name):
    options, average = AVERAGES[name]
    start, grads = problem(np.float64, steps=12)
    params = {"a": start[0], "rest": start[1:]}
    optimizer = case.make(params, **options, lookahead=3)
    path = [params["a"].copy()]
    assert np.array_equal(optimizer.averaged_params()["a"], path[0])
    for step in grads:
        optimizer.step({"a": step[0], "rest": step[1:]})
        path.append(params["a"].copy())
        np.testing.assert_allclose(optimizer.averaged_params()["a"], average(path), rtol=1e-12, atol=1e-14)


def test_a_schedule_free_rule_has_its_average():
    start, grads = problem(np.float64, steps=30)
    case = next(case for case in CASES if case.rule == "ScheduleFreeSGD" and not case.options)
    params = [p.copy() for p in start]
    optimizer = case.make(params)
    z = x = start[0].copy()
    for t, step in enumerate(grads, start=1):
        z = z - case.lr * step[0]
        x = x + (z - x) / t
        optimizer.step(step)
    np.testing.assert_allclose(optimizer.averaged_params()[0], x, rtol=1e-11)


def test_there_may_be_no_average():
    with pytest.raises(ValueError, match="there is no average of the parameters"):
        sc.SGD(np.ones(1)).averaged_params()
    with pytest.raises(ValueError, match="swa_start must be None where ema is given"):
        sc.SGD(np.ones(1), ema=0.9, swa_start=3)


def test_every_class_has_cases_and_a_reference():
    assert set(TABLES) == set(RULES) == {case.rule for case in CASES}


@pytest.mark.parametrize("rule", TABLES)
def test_every_switch_has_a_case_that_turns_it(rule):
    """Every option of a rule differs from its lecture default in some case."""
    around = {name for options in AROUND for name in options} | {"nonfinite", "ema", "ema_start", "swa_start"}
    for option in TABLES[rule]["options"]:
        values = [
            c.options.get(option["name"], option["defaults"][0])
            for c in CASES
            if c.rule in (rule, "Adam" if rule == "AdamW" else rule)
        ]
        assert option["name"] in around or any(value != option["defaults"][0] for value in values), option[
            "name"
        ]


@pytest.mark.parametrize("rule", TABLES)
def test_a_class_shows_its_table(rule):
    cls = getattr(sc, rule)
    parameters = inspect.signature(cls).parameters
    assert parameters["lr"].default == cls().lr
    for option in TABLES[rule]["options"]:
        assert parameters[option["name"]].default == cls().param_groups[0][option["name"]]
        assert f"{option['name']} : " in cls.__doc__
    assert TABLES[rule]["reference"].split()[0] in cls.__doc__
    assert "Parameters\n----------" in cls.__doc__


def test_the_stubs_are_those_of_the_tables():
    from pathlib import Path

    root = Path(__file__).parent.parent
    scope = {"__name__": "stubs"}
    exec((root / "tools" / "stubs.py").read_text(), scope)
    assert scope["stub"]() == (root / "python" / "schuss" / "optimizers.pyi").read_text()


@pytest.mark.parametrize("case", [case for case in ONE_OF_EACH if case.rule != "LAMB"], ids=str)
def test_a_flat_vector_gives_the_same_bits_as_a_list(case):
    start, grads = problem(np.float32, steps=20)
    params = [p.copy() for p in start]
    flat = np.concatenate([p.ravel() for p in start])
    a, b = case.make(params, clip_norm=1.0), case.make(flat, clip_norm=1.0)
    for step in grads:
        a.step(step)
        b.step(np.concatenate([g.ravel() for g in step]))
        assert np.array_equal(flat, np.concatenate([p.ravel() for p in params]))


@pytest.mark.parametrize("case", ELEMENTWISE, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_arrays_on_several_threads_give_the_same_bits_as_small_ones(case, dtype):
    """200,000 elements in one array use the threads there are; in 200 arrays with an optimizer each, none."""
    rng = np.random.default_rng(0)
    whole = rng.normal(size=200_000).astype(dtype)
    parts = [part.copy() for part in np.split(whole, 200)]
    large, small = case.make(whole), [case.make(part) for part in parts]
    for _ in range(3):
        grad = rng.normal(size=200_000).astype(dtype)
        large.step(grad)
        for optimizer, part in zip(small, np.split(grad, 200), strict=True):
            optimizer.step(part)
    assert np.array_equal(whole, np.concatenate(parts))


def test_yogis_second_moment_stays_where_it_is_the_square_of_the_gradient():
    p = np.zeros(9)
    optimizer = sc.Yogi([p], lr=0.1, initial_accumulator_value=1.0)
    for g in (1.0, -1.0, 1.0):
        optimizer.step([np.full(9, g)])
    np.testing.assert_array_equal(optimizer.state_dict()["state"]["v"][0], np.ones(9))


def test_torchs_sgd_has_no_dampening_without_momentum():
    p = np.zeros(3)
    optimizer = sc.SGD([p], lr=0.1, dampening=0.5, convention="torch")
    for step in (1, 2, 3):
        optimizer.step([np.ones(3)])
        np.testing.assert_allclose(p, -0.1 * step, rtol=1e-15)

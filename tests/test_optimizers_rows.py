"""Gradients of some rows: only these and their state are touched, whatever surrounds the rule."""

# ruff: noqa: E501

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import schuss as sc
from cases import Case, case
from reference import RULES
from test_optimizers_arrays import DTYPES, noise, views

CASES = [
    case("SGD"),
    case("SGD", momentum=0.9),
    case("SGD", momentum=0.9, nesterov=True, convention="torch"),
    case("Adagrad"),
    case("Adagrad", convention="torch", lr_decay=0.1),
    case("Adam"),
    case("Adam", amsgrad=True),
    case("Adam", convention="keras"),
    case("AdamW"),
]
AROUND = {"weight_decay": 0.1, "clip_norm": 2.0, "clip_value": 0.5, "maximize": True}


def reference(case: Case, table: np.ndarray, steps: list, lr, options: dict) -> np.ndarray:
    """The table in float64: each row is a tensor with its own state; steps are counted for all together."""
    own = {**options}
    decay, weight_decay = own.pop("decay"), own.pop("weight_decay")
    around = {name: own.pop(name) for name in ("clip_norm", "clip_eps", "clip_value", "maximize")}
    for name in ("clip_tensor_norm", "decay_where", "accumulate", "lookahead", "lookahead_alpha", "lr_factor",
                 "nonfinite", "ema", "ema_start", "swa_start"):  # fmt: skip
        own.pop(name)
    table, states = table.astype(np.float64), [{} for _ in table]
    for t, (rows, values) in enumerate(steps, start=1):
        dense = np.zeros_like(table)
        np.add.at(dense, rows, values)
        if around["maximize"]:
            dense = -dense
        if around["clip_norm"]:
            dense *= min(1, around["clip_norm"] / (np.linalg.norm(dense) + around["clip_eps"]))
        if around["clip_value"]:
            dense = np.clip(dense, -around["clip_value"], around["clip_value"])
        rate = lr(t - 1)
        for row in np.unique(rows):
            p, g = table[row], dense[row]
            if decay == "coupled":
                g = g + weight_decay * p
            else:
                p = p * (1 - rate * weight_decay)
            table[row] = RULES[case.rule](p, g, states[row], rate, t, **own)
    return table


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("around", [{}, AROUND], ids=["alone", "around"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_rows_follow_the_reference(case, around, dtype, tolerance):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(30, 4)).astype(dtype)
    steps = []
    for _ in range(200):
        rows = rng.integers(0, 28, size=rng.integers(1, 9))  # duplicates; the last rows never
        steps.append((rows, rng.normal(size=(len(rows), 4)).astype(dtype)))
    schedule = sc.schedules.cosine(0.05, total_steps=180, final=0.001)
    table = start.copy()
    optimizer = case.make(table, lr=schedule, **around)
    for step in steps:
        assert optimizer.step(step) is None
    expected = reference(case, start, steps, schedule, case.all_options(**around))
    np.testing.assert_allclose(table, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))
    assert np.abs(table - start)[:28].max() > 0.01
    assert np.array_equal(table[28:], start[28:])
    assert optimizer.step_count == 200


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(DTYPES), st.sampled_from(CASES))
def test_rows_of_random_layouts_are_updated_as_an_array_of_their_own(data, dtype, case):
    params = data.draw(views(dtype))
    assume(params.ndim > 0)
    n = len(params)
    rows = np.array(data.draw(st.lists(st.integers(0, n - 1), unique=True) if n else st.just([])), np.int32)
    before, picked = params.copy(), params[rows]
    whole, part = case.make([params], weight_decay=0.1), case.make(picked.copy(), weight_decay=0.1)
    apart = np.array(picked)
    part = part.bind(apart)
    for seed in range(3):
        values = noise(np.random.default_rng(seed), picked.shape, dtype)
        values = np.asarray(values, order=data.draw(st.sampled_from("CF")))
        whole.step([(rows, values)])
        part.step(values)
    others = np.setdiff1d(np.arange(n), rows)
    assert np.array_equal(params[rows], apart)
    assert params[others].tobytes() == before[others].tobytes()
    for name, (state,) in whole.state_dict()["state"].items():
        assert np.array_equal(state[rows], part.state_dict()["state"][name][0])


def test_sparse_and_dense_gradients_meet_in_one_step():
    table, weights = np.ones((5, 2)), np.ones(3)
    sparse = sc.SGD({"table": table, "w": weights}, lr=0.1, clip_norm=1.0)
    dense_table, dense_weights = table.copy(), weights.copy()
    dense = sc.SGD({"table": dense_table, "w": dense_weights}, lr=0.1, clip_norm=1.0)
    for _ in range(3):
        sparse.step(
            {"table": (np.array([4, 1, 4]), np.array([[1.0, 2], [3, 4], [5, 6]])), "w": np.full(3, 2.0)}
        )
        dense.step(
            {"table": np.array([[0.0, 0], [3, 4], [0, 0], [0, 0], [6, 8]]), "w": np.full(3, 2.0)}
        )  # fmt: skip
    np.testing.assert_allclose(table, dense_table, rtol=1e-15)
    np.testing.assert_allclose(weights, dense_weights, rtol=1e-15)


def test_values_that_are_rows_of_the_parameters_are_read_before_the_update():
    table = np.arange(8.0).reshape(4, 2)
    expected = table.copy()
    expected[[0, 1, 2]] -= 0.5 * np.arange(8.0).reshape(4, 2)[[1, 2, 3]]
    sc.SGD(table, lr=0.5).step((np.arange(3), table[1:]))
    assert np.array_equal(table, expected)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_loaded_run_continues_bit_by_bit(case):
    rng = np.random.default_rng(1)
    table = rng.normal(size=(9, 3))
    steps = [(rng.integers(0, 9, size=4), rng.normal(size=(4, 3))) for _ in range(10)]
    through, optimizer = table.copy(), None
    optimizer = case.make(through)
    for number, step in enumerate(steps):
        if number == 5:
            copied, saved = through.copy(), optimizer.state_dict()
            other = case.make(copied)
            other.load_state_dict(saved)
        if number >= 5:
            other.step(step)
        optimizer.step(step)
    assert np.array_equal(copied, through)


def test_one_core_gives_the_same_bits():
    script = (
        "import numpy as np, schuss, hashlib, os, sys\n"
        "if len(sys.argv) > 1: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "rng = np.random.default_rng(0)\n"
        "p, w = rng.normal(size=(9_000, 64)).astype('f4'), np.ones(70_000, 'f4')\n"
        "opt = schuss.Adam([p, w], clip_norm=1.0)\n"
        "for _ in range(3):\n"
        "    rows = rng.integers(0, len(p), size=4_000)\n"
        "    opt.step([(rows, rng.normal(size=(4_000, 64)).astype('f4')), rng.normal(size=w.size).astype('f4')])\n"
        "print(hashlib.sha256(p.tobytes() + w.tobytes()).hexdigest())"
    )
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system cannot confine a process to one core")
    runs = [subprocess.check_output([sys.executable, "-c", script, *extra]) for extra in ([], ["one"])]
    assert runs[0] == runs[1]


def test_what_is_not_finite_is_refused_or_skipped():
    table, values = np.ones((4, 2)), np.array([[1.0, np.nan]])
    optimizer = sc.Adam([table])
    with pytest.raises(sc.NonFiniteError, match=r"grads\[0\] has NaN"):
        optimizer.step([(np.array([2]), values)])
    assert np.array_equal(table, np.ones((4, 2)))
    assert optimizer.step_count == 0
    skipping = sc.Adam(table, nonfinite="skip")
    skipping.step((np.array([2]), values))
    assert np.array_equal(table, np.ones((4, 2)))
    assert skipping.skipped_steps == 1


ROWS, VALUES = np.array([0, 2]), np.ones((2, 2))


@pytest.mark.parametrize(
    ("pair", "error", "words"),
    [
        ((np.array([0, 4]), VALUES), ValueError, "rows of grads['w'] must be indices >= 0 and < 4, got 4"),
        ((np.array([0, -1]), VALUES), ValueError, "rows of grads['w'] must be indices >= 0 and < 4, got -1"),
        (
            (np.array([0, 2**63 + 5], np.uint64), VALUES), ValueError,
            "rows of grads['w'] must be indices >= 0 and < 4, got 9223372036854775813",
        ),
        ((np.array([0.0, 1.0]), VALUES), TypeError, "rows of grads['w'] must be an array of integers, got float64"),
        ((np.array([True, False]), VALUES), TypeError, "rows of grads['w'] must be an array of integers, got bool"),
        (([0, 1], VALUES), TypeError, "rows of grads['w'] must be a NumPy array, got list"),
        ((ROWS[None], VALUES), ValueError, "rows of grads['w'] must be of one axis, got shape (1, 2)"),
        ((ROWS, VALUES[:1]), ValueError, "values of grads['w'] must be of shape (2, 2), got shape (1, 2)"),
        ((ROWS, VALUES[:, :1]), ValueError, "values of grads['w'] must be of shape (2, 2), got shape (2, 1)"),
        ((ROWS, VALUES.astype("f4")), TypeError, "values of grads['w'] must be an array of float64, got float32"),
        ((ROWS, VALUES, VALUES), TypeError, "grads['w'] must be an array, or a pair (rows, values), got a tuple of 3"),
    ],
)  # fmt: skip
def test_a_wrong_pair_changes_nothing(pair, error, words):
    params = {"a": np.ones(3), "w": np.ones((4, 2)), "z": np.ones(2)}
    optimizer = sc.Adam(params)
    optimizer.step({"a": np.ones(3), "w": (ROWS, VALUES), "z": np.ones(2)})
    before = [p.tobytes() for p in params.values()]
    state = repr(optimizer.state_dict())
    with pytest.raises(error) as raised:
        optimizer.step({"a": np.ones(3), "w": pair, "z": np.ones(2)})
    assert words in str(raised.value)
    assert [p.tobytes() for p in params.values()] == before
    assert repr(optimizer.state_dict()) == state


def test_a_number_has_no_rows():
    with pytest.raises(TypeError, match="its parameter has no rows"):
        sc.SGD(np.array(1.0)).step((np.array([0]), np.ones(1)))


@pytest.mark.parametrize("options", [{"accumulate": 2}, {"lookahead": 5}, {"ema": 0.9}, {"swa_start": 1}])
def test_averages_need_all_rows(options):
    table = np.ones((4, 2))
    with pytest.raises(TypeError, match="without averages"):
        sc.Adam(table, **options).step((ROWS, VALUES))
    assert np.array_equal(table, np.ones((4, 2)))


@pytest.mark.parametrize(
    ("option", "value"), [("accumulate", 2), ("lookahead", 5), ("ema", 0.9), ("swa_start", 1)]
)
def test_a_learning_rate_that_asks_for_averages_meanwhile_is_refused_too(option, value):
    def lr(step):
        if step == 2:
            optimizer.param_groups[0][option] = value
        return 0.1

    table = np.ones((4, 2))
    optimizer = sc.Adam(table, lr=lr)
    for _ in range(2):
        optimizer.step((ROWS, VALUES))
    before = table.copy()
    with pytest.raises(TypeError, match="without averages"):
        optimizer.step((ROWS, VALUES))
    assert np.array_equal(table, before)
    assert optimizer.step_count == 2
    optimizer.step(np.ones((4, 2)))


@pytest.mark.parametrize("rule", ["RMSprop", "Lion", "LAMB", "Prodigy", "Adadelta", "ScheduleFreeSGD"])
def test_other_rules_need_all_rows(rule):
    table = np.ones((4, 2))
    with pytest.raises(TypeError, match=f"got {rule}"):
        getattr(sc, rule)(table).step((ROWS, VALUES))
    assert np.array_equal(table, np.ones((4, 2)))

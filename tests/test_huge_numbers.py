"""Numbers near the largest and the smallest: an update leaves all finite, or nothing is changed by it."""

import itertools
from functools import partial

import numpy as np
import pytest

import schuss as sc
from cases import AROUND, CASES, ONE_OF_EACH, TABLES
from reference import trajectory
from schuss.optimizers import CONVENTIONS

DTYPES = [np.float32, np.float64]


def magnitudes(dtype):
    """From 1e10 to the largest number."""
    largest = float(np.finfo(dtype).max)
    return [*np.geomspace(1e10, largest / 2, 14), largest]


def gradients(dtype, size, n, steps=4):
    """Of one sign, of alternating signs, and one huge number among small ones."""
    ones = np.ones(n)
    turns = np.where(np.arange(n) % 2, -1.0, 1.0)
    yield [(size * ones).astype(dtype)] * steps
    yield [((-1.0) ** t * size * turns).astype(dtype) for t in range(steps)]
    one = np.full(n, 0.1)
    one[-1] = size
    yield [one.astype(dtype), *[np.full(n, 0.1, dtype)] * (steps - 1)]
    yield [*[np.full(n, 0.1, dtype)] * (steps - 1), one.astype(dtype)]


def contents(optimizer, params):
    state = optimizer.state_dict()
    # Gradients of which no step can be made are forgotten.
    arrays = [array for name, arrays in state["state"].items() if name != "gathered" for array in arrays]
    numbers = [number for memory in state["memory"] for number in memory.values()]
    return [p.tobytes() for p in params], [a.tobytes() for a in arrays], numbers, state["step_count"]


def all_finite(optimizer, params):
    state = optimizer.state_dict()
    arrays = [array for arrays in state["state"].values() for array in arrays]
    numbers = [number for memory in state["memory"] for number in memory.values()]
    return all(np.isfinite(a).all() for a in [*params, *arrays, np.array(numbers)])


def stays_finite(make, params, grads):
    """How many steps were made."""
    optimizer = make(params)
    made = 0
    for g in grads:
        before = contents(optimizer, params)
        try:
            optimizer.step(g)
        except sc.NonFiniteError:
            assert contents(optimizer, params) == before
        else:
            made += 1
            assert all_finite(optimizer, params)
    return made


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_huge_gradient_leaves_all_finite_or_nothing_changed(case, dtype):
    for convention, n, size in itertools.product(CONVENTIONS, (1, 37, 1100), magnitudes(dtype)):
        if n > 1 and convention != "lecture":
            continue
        for grads in gradients(dtype, size, n):
            start = np.linspace(-1, 1, n).astype(dtype)
            stays_finite(partial(case.make, convention=convention), [start], [[g] for g in grads])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("around", AROUND, ids=str)
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_whatever_surrounds_it(case, around, dtype):
    largest = float(np.finfo(dtype).max)
    for params, lr, size in itertools.product((1.0, largest / 2), (0.05, 1e30), (1e20, largest)):
        for grads in gradients(dtype, size, 5):
            start = (params * np.linspace(-1, 1, 5)).astype(dtype)
            stays_finite(partial(case.make, **{**around, "lr": lr}), [start], [[g] for g in grads])


# Their state is not the size of gradients, or a sum of squares that float32 cannot hold.
OF_OTHER_SIZE = ("Adagrad", "Prodigy")


@pytest.mark.parametrize(
    "case",
    # A variance that is all cancellation has no digits to compare.
    [case for case in CASES if case.rule not in OF_OTHER_SIZE and not case.options.get("centered")],
    ids=str,
)
def test_a_gradient_whose_square_overflows_is_followed_as_by_float64(case):
    start = [np.linspace(0.5, 1, 9)]
    rng = np.random.default_rng(0)
    grads = [
        [(2e19 * rng.choice([-1.0, 1.0], 9) * rng.uniform(0.5, 1.0, 9)).astype(np.float32)] for _ in range(3)
    ]
    if case.options.get("amsgrad_corrected"):
        return  # it keeps the corrected square itself
    params = [p.astype(np.float32) for p in start]
    optimizer = case.make(params)
    for g in grads:
        optimizer.step(g)
    expected = trajectory(case.rule, start, grads, lambda _: case.lr, case.all_options())[-1]
    scale = max(np.abs(expected[0] - start[0]).max(), 1.0)
    assert np.abs(params[0] - expected[0]).max() <= 1e-5 * scale


def test_float64_does_the_same_beyond_its_own_squares():
    rng = np.random.default_rng(0)
    grads = rng.uniform(0.5, 1.0, (3, 9)) * rng.choice([-1.0, 1.0], (3, 9))
    for make in (sc.Adam, sc.AdaBelief, sc.RMSprop, sc.NAdam, sc.LAMB, sc.ScheduleFreeAdamW):
        ends = []
        for size in (2.0**300, 2.0**513):
            p = np.linspace(0.5, 1, 9)
            optimizer = make(p, lr=0.1, eps=0.0)
            for g in grads:
                optimizer.step(g * size)
            ends.append(p)
        np.testing.assert_allclose(ends[0], ends[1], rtol=1e-12)


@pytest.mark.parametrize("nonfinite", ["raise", "skip"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_refused_is_an_error_or_is_counted(dtype, nonfinite):
    largest = np.finfo(dtype).max
    for accumulate in (1, 2):
        p = np.full(3, largest / 2, dtype)
        optimizer = sc.SGD(p, lr=1.0, nonfinite=nonfinite, accumulate=accumulate)
        before = contents(optimizer, [p])
        for _ in range(accumulate - 1):
            optimizer.step(np.full(3, -largest, dtype))
        if nonfinite == "raise":
            with pytest.raises(
                sc.NonFiniteError, match=r"the update of params has .*step 1; nothing was changed"
            ):
                optimizer.step(np.full(3, -largest, dtype))
        else:
            optimizer.step(np.full(3, -largest, dtype))
        assert optimizer.skipped_steps == (nonfinite == "skip")
        assert contents(optimizer, [p]) == before
        # A round begins anew.
        assert optimizer.state_dict()["gathered"] == 0
        for _ in range(accumulate):
            optimizer.step(np.full(3, 1.0, dtype))
        assert optimizer.step_count == 1
        assert np.isfinite(p).all()


def test_float16_parameters_stay_finite_too():
    for case in ONE_OF_EACH:
        for size in (1.0, 1e4, 1e30):
            p = np.linspace(-6e4, 6e4, 50).astype(np.float16)
            g = np.full(50, size, np.float32)
            stays_finite(partial(case.make, lr=1e3), [p], [[g]] * 3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_tiny_and_zero_gradients_without_eps(case, dtype):
    tiny = float(np.finfo(dtype).tiny)
    named = {option["name"] for option in TABLES[case.rule]["options"]}
    without = {name: 0.0 for name in ("eps", "eps_root", "initial_accumulator_value") if name in named}
    for size in (0.0, tiny / 8, tiny, tiny**0.75, tiny**0.5, tiny**0.4, 1e-12):
        for eps in ({}, without):
            start = np.linspace(0.5, 1, 20).astype(dtype)
            p = start.copy()
            options = {**case.options, **eps}
            optimizer = getattr(sc, case.rule)(p, lr=case.lr, **options)
            for t in range(4):
                optimizer.step((size * (-1.0) ** (t // 2) * np.linspace(0.5, 1, 20)).astype(dtype))
                assert all_finite(optimizer, [p])
            if not case.options.get("centered"):  # which divides by a variance that may be nothing
                assert np.abs(p - start).max() <= 10.0
            if size == 0.0 and not case.options.get("weight_decay") and case.rule not in ("AdamW", "Yogi"):
                # Yogi's average starts at a number of its own.
                np.testing.assert_allclose(p, start, rtol=1e-6)


def test_without_eps_the_size_of_gradients_does_not_matter():
    rng = np.random.default_rng(0)
    grads = rng.standard_normal((5, 8))
    for size in (1e-15, 1e-12, 1e-6):
        for make in (sc.Adam, sc.RMSprop, sc.Adagrad, sc.Adamax, sc.NAdam):
            ends = []
            for scale in (1.0, size):
                p = np.zeros(8, np.float32)
                optimizer = make(p, lr=0.1, eps=0.0)
                for g in grads:
                    optimizer.step((g * scale).astype(np.float32))
                ends.append(p)
            np.testing.assert_allclose(ends[0], ends[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("which", ["clip_norm", "clip_tensor_norm"])
def test_a_clip_factor_that_the_dtype_cannot_hold_still_scales(which, dtype):
    largest = float(np.finfo(dtype).max) / 4
    for norm in (1.0, 1e-6, 1e-20, 1e-30 if dtype == np.float32 else 1e-300):
        p = np.zeros(4, dtype)
        sc.SGD(p, lr=1.0, **{which: norm}).step(np.full(4, largest, dtype))
        np.testing.assert_allclose(p, -norm / 2, rtol=1e-6)


@pytest.mark.parametrize("lr", [1e-9, 0.01, 1e6])
def test_the_first_step_size_of_rprop_is_clipped_as_in_torch(lr):
    p = np.zeros(3, np.float64)
    optimizer = sc.Rprop(p, lr=lr, convention="torch")
    optimizer.step(np.array([1.0, -2.0, 0.0]))
    first = min(max(lr, 1e-6), 50.0)
    assert p.tolist() == [-first, first, 0.0]
    assert optimizer.state_dict()["state"]["step_size"][0].tolist() == [first] * 3


def test_steps_that_are_rehearsed_have_the_bits_of_others():
    """A state that was loaded is looked at first; what follows is the same."""
    rng = np.random.default_rng(0)
    for case in CASES:
        a, b = (np.linspace(-1, 1, 70).astype(np.float32) for _ in range(2))
        one, two = case.make(a), case.make(b)
        for _ in range(4):
            g = rng.standard_normal(70).astype(np.float32)
            one.step(g)
            two.load_state_dict(two.state_dict())
            two.step(g)
            assert a.tobytes() == b.tobytes(), case


def test_a_state_that_makes_a_step_infinite_is_found():
    p = np.zeros(3, np.float32)
    optimizer = sc.Adam(p, lr=0.1)
    optimizer.step(np.ones(3, np.float32))
    state = optimizer.state_dict()
    state["state"]["m"] = [np.full(3, 1e38, np.float32)]
    state["state"]["v"] = [np.zeros(3, np.float32)]
    optimizer.load_state_dict(state)
    with pytest.raises(sc.NonFiniteError, match="the update of params"):
        optimizer.step(np.full(3, 1e-12, np.float32))
    assert np.isfinite(p).all()
    assert optimizer.step_count == 1


def test_parameters_that_grow_are_watched_where_steps_depend_on_them():
    """Decay in the gradient that makes parameters larger with every step, until they cannot be."""
    for make in (sc.SGD, sc.Adam, sc.RMSprop, sc.LAMB):
        p = np.ones(2000, np.float32)
        optimizer = make(p, lr=3.0, weight_decay=10.0, decay="coupled")
        refused = 0
        for _ in range(400):
            before = contents(optimizer, [p])
            try:
                optimizer.step(np.zeros(2000, np.float32))
            except sc.NonFiniteError:
                refused += 1
                assert contents(optimizer, [p]) == before
            assert np.isfinite(p).all()
        assert refused or make is not sc.SGD


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("size", [1e-20, 1e-30, 1e30])
def test_rprop_sees_the_signs_of_gradients_of_any_size(size, late):
    signs = [1, 1, 1, -1, -1, 1, 1, 1]
    paths = []
    for dtype, scale in [(np.float32, size), (np.float64, 1.0)]:
        p = np.zeros(1, dtype)
        optimizer = sc.Rprop(p, lr=0.01, late=late)
        if late:  # what is kept is the update
            scale = 1.0 if dtype == np.float64 else 1e-3 if size < 1 else 1e3
        path = []
        for sign in signs:
            optimizer.step(np.full(1, sign * scale, dtype))
            path.append(float(p[0]))
        paths.append(path)
    np.testing.assert_allclose(paths[0], paths[1], rtol=1e-5)

"""Averages that keep next to nothing of what they were: what is new is not lost in what is old."""

import numpy as np
import pytest

import schuss as sc
from cases import Case, case
from reference import trajectory

RATES = [0.0, 1e-8, 1e-6, 1e-4, 0.1, 0.4]


def cases(rate):
    """Every rule with averages, which keep that share."""
    pair = {"betas": (0.9, rate)}
    return [
        case("Adam", **pair),
        case("Adam", betas=(rate, rate)),
        case("Adam", eps_hat=True, bias_correction=False, **pair),
        case("Adam", amsgrad=True, **pair),
        case("AdamW", **pair),
        case("RMSprop", beta=rate, eps=1e-16),
        case("RMSprop", beta=rate, eps_in_sqrt=False, momentum=0.5),
        case("RMSprop", beta=rate, eps_in_sqrt=False, momentum=0.5, nesterov=True),
        case("Adadelta", rho=rate, eps=1e-12, lr=1.0),
        case("Adamax", betas=(rate, 0.9)),
        case("NAdam", **pair),
        case("RAdam", **pair),
        case("Lion", betas=(0.9, rate)),
        case("Adan", betas=(0.9, 0.8), beta3=rate),
        case("AdaBelief", **pair),
        case("Yogi", betas=(rate, 0.9)),
        case("LAMB", **pair),
        case("ScheduleFreeAdamW", betas=(0.9, max(rate, 1e-12))),
        case("Prodigy", d0=0.1, lr=0.1, **pair),
    ]


ALL = [(case, rate) for rate in RATES for case in cases(rate)]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize(("case", "rate"), ALL, ids=str)
def test_small_gradients_count_after_large_ones(case: Case, rate, dtype, tolerance):
    """From step to step gradients become smaller by so much that the sum of both has one of them alone."""
    rng = np.random.default_rng(0)
    smallest = np.finfo(dtype).eps ** 0.7
    # As they are in this precision: the reference has the same.
    start = [rng.normal(size=7).astype(dtype)]
    sizes = [1.0, smallest, 1.0, smallest**0.5, smallest, 1.0]
    grads = [[(size * rng.uniform(0.5, 1, 7) * rng.choice([-1, 1], 7)).astype(dtype)] for size in sizes]
    expected = trajectory(case.rule, start, grads, lambda _: case.lr, case.all_options())
    params = [p.copy() for p in start]
    optimizer = case.make(params)
    before = start[0].astype(float)
    for step, after in zip(grads, expected, strict=True):
        # Each step by itself is to be right, however small it is beside the parameters.
        moved = np.abs(after[0] - before).max()
        optimizer.step(step)
        np.testing.assert_allclose(
            params[0], after[0], rtol=0, atol=tolerance * max(1, moved, np.abs(after[0]).max())
        )
        before = after[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_rate_of_zero_leaves_the_square_itself(dtype):
    for small in (1e-4, 1e-8, 1e-15):
        p = np.zeros(40, dtype)
        optimizer = sc.Adam([p], lr=1e-3, betas=(0.0, 0.0), eps=0.0)
        optimizer.step([np.ones(40, dtype)])
        g = np.full(40, small, dtype)
        optimizer.step([g])
        state = optimizer.state_dict()["state"]
        np.testing.assert_array_equal(state["v"][0], g * g)
        np.testing.assert_array_equal(state["m"][0], g)
        np.testing.assert_allclose(p, -2e-3, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_that_is_the_average_differs_in_nothing_from_it(dtype):
    p = np.zeros(40, dtype)
    optimizer = sc.AdaBelief([p], lr=1e-12, betas=(0.0, 0.9), eps_root=np.finfo(dtype).eps ** 2)
    rng = np.random.default_rng(2)
    for size in (1.0, 0.3, 1e-4, 1e-9):
        g = (size * rng.normal(size=40)).astype(dtype)
        optimizer.step([g])
        np.testing.assert_array_equal(optimizer.state_dict()["state"]["m"][0], g)
    s = np.finfo(dtype).eps ** 2 * (1 + 0.9 + 0.9**2 + 0.9**3)
    np.testing.assert_allclose(optimizer.state_dict()["state"]["s"][0], s, rtol=1e-6)


def test_many_elements_are_as_few():
    """Whole registers, what is left of one, several threads, clipped and decayed."""
    rng = np.random.default_rng(1)
    whole = rng.normal(size=70_001).astype(np.float32)
    parts = [part.copy() for part in np.array_split(whole, 173)]
    options = {"betas": (0.9, 1e-6), "weight_decay": 0.1, "ema": 0.3, "clip_value": 0.5}
    large, small = sc.Adam([whole], **options), sc.Adam(parts, **options)
    for size in (1.0, 1e-4, 1.0, 1e-5):
        g = (size * rng.normal(size=70_001)).astype(np.float32)
        large.step([g])
        small.step(np.array_split(g, 173))
        np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_rows_of_a_table_too():
    table = np.zeros((50, 3), np.float32)
    optimizer = sc.Adam([table], lr=1e-3, betas=(0.9, 0.0))
    for g in (1.0, 1e-4):
        optimizer.step([(np.array([3, 7]), np.full((2, 3), g, np.float32))])
    v = optimizer.state_dict()["state"]["v"][0]
    np.testing.assert_allclose(v[[3, 7]], 1e-8, rtol=1e-6)
    assert (np.delete(v, [3, 7], 0) == 0).all()


@pytest.mark.parametrize("rate", [0.0, 1e-6, 0.3])
def test_averages_of_parameters_keep_what_is_small(rate):
    p = np.ones(3, np.float32)
    optimizer = sc.SGD([p], lr=1.0, ema=rate, ema_start="first")
    optimizer.step([np.zeros(3, np.float32)])
    optimizer.step([np.full(3, 1 - 1e-9, np.float32)])
    p[:] = 1e-9
    optimizer.step([np.zeros(3, np.float32)])
    middle = rate + (1 - rate) * np.float64(np.float32(1) - np.float32(1 - 1e-9))
    expected = rate * middle + (1 - rate) * 1e-9
    np.testing.assert_allclose(optimizer.averaged_params()[0], expected, rtol=1e-6)


def test_slow_parameters_that_go_all_the_way_are_the_fast_ones():
    p = np.ones(3, np.float32)
    optimizer = sc.SGD([p], lr=1.0, lookahead=1, lookahead_alpha=1.0)
    optimizer.step([np.zeros(3, np.float32)])
    p[:] = 1e-9
    optimizer.step([np.zeros(3, np.float32)])
    np.testing.assert_array_equal(p, np.full(3, 1e-9, np.float32))

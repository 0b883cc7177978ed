"""Optimizers and schedules as values: pickled, copied, compared, printed, searched over."""

import copy
import pickle

import numpy as np
import pytest

import schuss as sc
from cases import CASES, ONE_OF_EACH, named
from schuss import schedules
from test_optimizers import problem
from test_optimizers_arrays import DTYPES, layouts, noise


def halved(step: int) -> float:
    """A learning rate that pickle finds by its name."""
    return 0.1 / (1 + step)


def halves(name: str, array: np.ndarray) -> bool:
    return array.size > 2


COPIES = {
    "pickle": lambda both: pickle.loads(pickle.dumps(both)),
    "pickle 0": lambda both: pickle.loads(pickle.dumps(both, protocol=0)),
    "deepcopy": copy.deepcopy,
}
RATES = [0.05, schedules.cosine(0.1, total_steps=20, warmup_steps=3), halved]


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_copy_in_the_middle_of_a_run_continues_with_its_own_arrays(case, how):
    start, grads = problem(np.float32, steps=12)
    params = [np.asarray(p, order="F") for p in start]
    optimizer = case.make(params, ema=0.9, clip_norm=1.0, lookahead=4)
    for step in grads[:5]:
        optimizer.step(step)
    before = [p.copy() for p in params]
    twins, twin = COPIES[how]((params, optimizer))
    for step in grads[5:]:
        twin.step(step)
    assert all(np.array_equal(a, b) for a, b in zip(params, before, strict=True))
    for step in grads[5:]:
        optimizer.step(step)
    assert all(np.array_equal(a, b) for a, b in zip(params, twins, strict=True))
    for a, b in zip(optimizer.averaged_params(), twin.averaged_params(), strict=True):
        assert np.array_equal(a, b)
    assert twin.param_groups[0]["params"][0] is twins[0]
    assert repr(twin) == repr(optimizer)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", layouts(np.float32))
def test_a_copy_of_an_array_of_any_layout_continues_bit_by_bit(layout, dtype, how):
    """A copied view has memory of its own, mostly in another order: its state goes along."""
    params, _ = layouts(dtype)[layout]
    rng = np.random.default_rng(0)
    grads = [noise(rng, params.shape, dtype) for _ in range(6)]
    optimizer = sc.Adam([params], lr=0.05, ema=0.9)
    for g in grads[:3]:
        optimizer.step([g])
    start = params.copy()
    [twins], twin = COPIES[how](([params], optimizer))
    for g in grads[3:]:
        optimizer.step([g])
        twin.step([g])
    assert np.array_equal(params, twins)
    assert params.size == 0 or not np.array_equal(params, start)
    assert not np.shares_memory(params, twins)
    assert np.array_equal(optimizer.averaged_params()[0], twin.averaged_params()[0])


@pytest.mark.parametrize("lr", RATES, ids=named)
def test_groups_schedules_and_counts_are_copied_too(lr):
    a, b = np.ones(3), np.ones((2, 2))
    groups = [{"params": a, "lr": lr, "weight_decay": 0.1}, {"params": {"b": b}, "betas": (0.5, 0.6)}]
    optimizer = sc.Adam(groups, convention="torch", nonfinite="skip", accumulate=2)
    grads = [np.ones(3), {"b": np.ones((2, 2))}]
    for _ in range(3):
        optimizer.step(grads)
    optimizer.step([np.full(3, np.nan), {"b": np.ones((2, 2))}])
    twin = pickle.loads(pickle.dumps(optimizer))
    assert twin.skipped_steps == optimizer.skipped_steps == 1
    assert twin.state_dict()["gathered"] == 1
    assert [dict(g, params=None) for g in twin.param_groups] == [
        dict(g, params=None) for g in optimizer.param_groups
    ]
    for _ in range(3):
        optimizer.step(grads)
        twin.step(grads)
        assert [g["lr"] for g in twin.param_groups] == [g["lr"] for g in optimizer.param_groups]
    (c,), (d,) = (group["params"] for group in twin.param_groups)
    assert c is not a
    assert np.array_equal(a, c)
    assert np.array_equal(b, d)


def test_a_shallow_copy_shares_the_arrays_and_has_its_own_state():
    p = np.ones(2)
    optimizer = sc.SGD({"p": p}, momentum=0.9)
    optimizer.step({"p": np.ones(2)})
    other = copy.copy(optimizer)
    assert other.param_groups[0]["params"][0] is p
    other.step({"p": np.ones(2)})
    assert (optimizer.step_count, other.step_count) == (1, 2)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_recipe_is_a_value(case):
    recipe = case.make(None, clip_norm=2.0)
    for other in (copy.copy(recipe), copy.deepcopy(recipe), pickle.loads(pickle.dumps(recipe))):
        assert type(other) is type(recipe)
        assert other == recipe
        assert hash(other) == hash(recipe)
        other.lr = 0.123
        assert other != recipe
        assert recipe.lr == case.lr
    assert recipe != case.make(None)
    assert recipe not in (sc.SGD(lr=99.0), sc.Adam(lr=99.0), "adam", None)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("lr", RATES[:2], ids=named)
def test_a_recipe_prints_as_the_call_that_makes_it(case, lr):
    recipe = case.make(None, lr=lr)
    assert eval(repr(recipe), vars(sc) | vars(schedules)) == recipe


def test_optimizers_at_work_are_only_themselves():
    p = np.ones(2)
    a, b = sc.SGD(p), sc.SGD(p)
    assert a == a
    assert a not in (b, sc.SGD())
    assert len({a: 1, b: 2}) == 2


def test_conventions_differ_by_what_they_do():
    assert sc.Adam(convention="torch", clip_eps=0.0) == sc.Adam()
    assert sc.Adagrad(convention="torch") != sc.Adagrad()
    assert sc.Adam(weight_decay=0.01, decay="decoupled") != sc.AdamW()


class Tagged(sc.SGD):
    """A class of the user's own, with attributes."""


def test_a_class_of_ones_own_keeps_its_attributes():
    optimizer = Tagged(np.ones(2), lr=0.5)
    optimizer.tag = ["a"]
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert type(other) is Tagged
        assert other.tag == ["a"]
        assert other.tag is not optimizer.tag
        assert other.lr == 0.5


def test_what_pickle_cannot_find_is_refused():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(sc.SGD(lr=lambda step: 0.1))
    recipe = sc.SGD(lr=lambda step: 0.1)
    assert copy.deepcopy(recipe) == recipe


def test_what_is_no_state_changes_nothing():
    optimizer = sc.SGD(np.ones(2), lr=0.5)
    before = repr(optimizer)
    for parts in ({}, {"convention": "torch"}, {"convention": "torch", "param_groups": [{"momentum": -1.0}]}):
        with pytest.raises((KeyError, ValueError)):
            optimizer.__setstate__(parts)
        assert repr(optimizer) == before


def test_a_network_takes_its_optimizer_along():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(64, 3)).astype(np.float32), rng.normal(size=64).astype(np.float32)
    net = sc.MLP([3, 8, 1])
    net.fit(X, y, optimizer=sc.Adam(lr=schedules.cosine(0.01, 100)), batch_size=16, epochs=2)
    twins = [pickle.loads(pickle.dumps(net)), copy.deepcopy(net)]
    net.fit(X, y, batch_size=16, epochs=2)
    for twin in twins:
        twin.fit(X, y, batch_size=16, epochs=2)
        assert np.array_equal(net.theta, twin.theta)
        assert twin.optimizer.step_count == 16


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_recipe_is_a_value_in_a_grid_search(n_jobs):
    model_selection = pytest.importorskip("sklearn.model_selection")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = X @ [1.0, -2.0]
    grid = {"optimizer": [sc.SGD(lr=1e-6), sc.Adam(lr=schedules.linear(0.05, 200))]}
    model = sc.MLPRegressor(hidden_layer_sizes=(8,), max_iter=30, random_state=0)
    search = model_selection.GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).fit(X, y)
    assert search.best_params_["optimizer"] == grid["optimizer"][1]


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_stepping_goes_on_while_being_copied(case):
    """Copies of copies: nothing is lost on the way."""
    start, grads = problem(np.float64, steps=6)
    params = [p.copy() for p in start]
    plain = case.make(params)
    twins, twin = copy.deepcopy((params, plain))
    for step in grads:
        plain.step(step)
        twins, twin = copy.deepcopy((twins, twin))
        twin.step(step)
    assert all(np.array_equal(a, b) for a, b in zip(params, twins, strict=True))

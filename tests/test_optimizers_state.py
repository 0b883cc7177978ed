"""State, learning rate, groups: saved and loaded bit by bit, live, and refused as a whole where wrong."""

# ruff: noqa: E501

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schuss as sc
from cases import CASES, ONE_OF_EACH
from test_optimizers import problem


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_resumed_run_equals_an_uninterrupted_one(case, dtype):
    start, grads = problem(dtype, steps=20)
    schedule = sc.schedules.cosine(case.lr, total_steps=20)
    whole, resumed = [p.copy() for p in start], [p.copy() for p in start]
    first, second = (case.make(params, lr=schedule) for params in (whole, resumed))
    for step in grads:
        first.step(step)
    for step in grads[:7]:
        second.step(step)
    state = second.state_dict()
    assert all(a.dtype == dtype for slot in state["state"].values() for a in slot)
    assert all(
        a.shape == p.shape for slot in state["state"].values() for a, p in zip(slot, start, strict=True)
    )
    third = case.make(resumed, lr=schedule)
    third.load_state_dict(state)
    for step in grads[7:]:
        third.step(step)
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))
    assert third.step_count == 20


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(CASES), st.integers(0, 12), st.booleans())
def test_saving_at_a_random_step(case, at, fortran):
    start, grads = problem(np.float64, steps=12, seed=at)
    start = [np.asarray(p, order="F" if fortran else "C") for p in start]
    whole, resumed = [p.copy(order="K") for p in start], [p.copy(order="K") for p in start]
    first, second = case.make(whole), case.make(resumed)
    for number, step in enumerate(grads):
        if number == at:
            state = second.state_dict()
            second = case.make(resumed, lr=1.0)
            second.load_state_dict(state)
        first.step(step)
        second.step(step)
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_run_that_is_resumed_from_a_file_equals_an_uninterrupted_one(case, dtype, tmp_path):
    start, grads = problem(dtype, steps=12)
    whole, resumed = [p.copy() for p in start], [p.copy() for p in start]
    more = {"ema": 0.9, "lookahead": 4, "accumulate": 2}
    first, second = (case.make(params, **more) for params in (whole, resumed))
    for step in grads:
        first.step(step)
    for step in grads[:5]:
        second.step(step)
    second.save(tmp_path / "state.npz")
    third = case.make(resumed, **more, maximize=True, nonfinite="ignore")
    third.load(tmp_path / "state.npz")
    assert repr(third) == repr(second)
    for step in grads[5:]:
        third.step(step)
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_a_file_has_plain_keys_and_no_pickle(tmp_path):
    a, b = np.ones((2, 3), np.float32), np.ones((), np.float32)
    groups = [{"params": {"a": a}, "lr": sc.schedules.linear(0.1, 10)}, {"params": b, "lr": 0.2}]
    opt = sc.Adam(groups, betas=(0.8, 0.9))
    opt.step([{"a": a * 2}, b * 2])
    path = tmp_path / "state"
    opt.save(path)
    with np.load(path, allow_pickle=False) as flat:
        assert np.array_equal(flat["state/m/0"], opt.state_dict()["state"]["m"][0])
        assert flat["state/v/1"].dtype == np.float32
        assert flat["state/v/1"].shape == ()
        assert flat["param_groups/0/betas"].tolist() == [0.8, 0.9]
        assert flat["param_groups/1/lr"] == 0.2
        assert flat["step_count"] == 1
        assert flat["optimizer"] == "Adam"
    with open(path, "r+b") as stream:
        other = sc.Adam([{"params": {"a": a}, "lr": 5.0}, {"params": b}])
        other.load(stream)
    # A schedule is no number: what is there stays.
    assert [g["lr"] for g in other.param_groups] == [5.0, 0.2]
    assert repr(other.state_dict()["state"]) == repr(opt.state_dict()["state"])
    for bad in (
        sc.SGD([a, b]),
        sc.Adam([a]),
        sc.Adam([{"params": np.ones((3, 2), np.float32)}, {"params": b}]),
    ):
        before = repr(bad.state_dict())
        with pytest.raises(ValueError, match="must be"):
            bad.load(path)
        assert repr(bad.state_dict()) == before
    with pytest.raises(RuntimeError, match="recipe"):
        sc.Adam().save(path)


def test_a_state_is_a_copy():
    p = np.ones(3)
    opt = sc.SGD(p, momentum=0.9)
    opt.step(np.ones(3))
    state = opt.state_dict()
    before = state["state"]["velocity"][0].copy()
    opt.step(np.ones(3))
    assert np.array_equal(state["state"]["velocity"][0], before)


def test_the_state_of_a_fortran_parameter_has_its_indices():
    p = np.zeros((2, 3), order="F")
    opt = sc.SGD(p, momentum=0.5, dampening=0.0)
    g = np.arange(6.0).reshape(2, 3)
    opt.step(g)
    assert np.array_equal(opt.state_dict()["state"]["velocity"][0], g)


BROKEN = {
    "another class": (lambda s: s.update(optimizer="Adam"), ValueError, "state_dict[\"optimizer\"] must be"),
    "a part missing": (lambda s: s.pop("step_count"), ValueError, "state_dict must have \"step_count\""),
    "no groups": (lambda s: s.update(param_groups=[]), ValueError, "must be 1 groups, got 0 groups"),
    "a wrong option": (lambda s: s["param_groups"][0].update(momentum=2.0), ValueError, "momentum must be"),
    "a slot missing": (lambda s: s["state"].clear(), ValueError, "must be the arrays velocity"),
    "another slot": (
        lambda s: s.update(state={"m": s["state"]["velocity"]}), ValueError, "[\"velocity\"] must be a list of 2 arrays"
    ),
    "too few arrays": (lambda s: s["state"]["velocity"].pop(), ValueError, "must be a list of 2 arrays"),
    "a wrong shape": (
        lambda s: s["state"].update(velocity=[np.zeros(3, np.float32), np.zeros(3, np.float32)]), ValueError, "shape"
    ),
    "a wrong dtype": (lambda s: s["state"].update(velocity=[np.zeros(3), np.zeros(2)]), TypeError, "float32"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_state_that_does_not_fit_changes_nothing(name):
    params = [np.ones(3, np.float32), np.ones(2, np.float32)]
    opt = sc.SGD(params, momentum=0.9)
    grads = [np.ones_like(p) for p in params]
    opt.step(grads)
    saved, before = opt.state_dict(), opt.state_dict()
    opt.step(grads)
    after = opt.state_dict()
    change, error, words = BROKEN[name]
    change(saved)
    with pytest.raises(error) as raised:
        opt.load_state_dict(saved)
    assert words in str(raised.value)
    now = opt.state_dict()
    assert repr(now) == repr(after) != repr(before)


def test_the_learning_rate_is_live():
    p = np.zeros(1)
    opt = sc.SGD(p, lr=1.0)
    opt.step(np.ones(1))
    opt.lr = 0.5
    assert opt.lr == 0.5
    opt.step(np.ones(1))
    assert p == -1.5
    opt.lr *= 0.5
    opt.step(np.ones(1))
    assert p == -1.75
    opt.lr = sc.schedules.step(8.0, step_size=1, factor=0.5)
    assert opt.lr == 1.0  # three steps have been taken


def test_groups_are_live():
    a, b = np.zeros(1), np.zeros(1)
    opt = sc.SGD([{"params": a}, {"params": [b], "lr": 0.1, "momentum": 0.5, "dampening": 0.0}], lr=1.0)
    one = [np.ones(1), [np.ones(1)]]
    opt.step(one)
    first, second = opt.param_groups
    assert (first["lr"], second["lr"], second["momentum"]) == (1.0, 0.1, 0.5)
    assert first["params"][0] is a
    assert second["params"][0] is b
    second["lr"] = 0.2
    first["weight_decay"] = 1.0
    opt.step(one)
    assert a == -1 - (1 - 1)
    np.testing.assert_allclose(b, -0.1 - 0.2 * 1.5)
    assert set(second) == set(second.keys()) >= {"params", "lr", "momentum", "weight_decay"}
    assert len(second) == len(second.keys())
    with pytest.raises(ValueError, match="weight_decay must be"):
        first["weight_decay"] = -1
    with pytest.raises(KeyError):
        first["nothing"]
    assert first["weight_decay"] == 1.0


def test_every_group_is_saved():
    params = [np.ones(1), np.ones(1)]
    groups = [{"params": params[0], "lr": 0.1}, {"params": params[1], "lr": 0.2}]
    opt = sc.Adam(groups)
    opt.step([np.ones(1), np.ones(1)])
    other = sc.Adam([{"params": np.ones(1)}, {"params": np.ones(1)}])
    other.load_state_dict(opt.state_dict())
    assert [g["lr"] for g in other.param_groups] == [0.1, 0.2]


def test_a_state_array_that_an_option_asks_for_later_starts_as_it_would_have():
    p = np.zeros(2)
    opt = sc.SGD(p, lr=1.0, convention="optax")
    opt.step(np.ones(2))
    opt.param_groups[0]["momentum"] = 0.5
    opt.step(np.ones(2))
    opt.step(np.ones(2))
    assert np.array_equal(p, [-3.5, -3.5])


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_what_it_prints(case):
    opt = case.make([np.ones(2)])
    assert repr(opt).startswith(f"{case.rule}(lr={case.lr}")
    assert repr(opt).endswith("of 1 array at step 0")
    for name in case.options:
        assert f"{name}=" in repr(opt)


def test_a_file_of_before_there_were_checksums_is_still_read():
    """Written by the save of that time: three steps, a schedule with a memory, an average."""
    path = Path(__file__).parent / "golden" / "state_without_checksum.npz"
    params = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(2, np.float32)]

    def made(params):
        schedule = sc.schedules.plateau(0.1, patience=1)
        groups = [{"params": params[0], "lr": schedule}, {"params": params[1], "lr": 0.05}]
        return sc.Adam(groups, betas=(0.8, 0.9), ema=0.9)

    twins = [p.copy() for p in params]
    whole, loaded = made(params), made(twins)
    for number in range(3):
        whole.step([params[0] * np.float32(0.1) + number, params[1] * np.float32(0.2) - number])
        whole.tell(1.0)
    for twin, p in zip(twins, params, strict=True):
        twin[...] = p
    loaded.load(path)
    assert repr(loaded.state_dict()) == repr(whole.state_dict())
    for p in (params, twins):
        (whole if p is params else loaded).step([p[0], p[1]])
    assert all(np.array_equal(a, b) for a, b in zip(params, twins, strict=True))


@pytest.mark.parametrize("averages", [("ema", 0.9, "swa_start", 5), ("swa_start", 5, "ema", 0.9)])
def test_options_that_exclude_each_other_are_exchanged_in_one_go(averages):
    name, value, other, old = averages
    saved, loaded = sc.Adam([np.zeros(2)], **{name: value}), sc.Adam([np.zeros(2)], **{other: old})
    loaded.load_state_dict(saved.state_dict())
    recipe = sc.Adam(**{other: old}).set_params(**{name: value, other: None})
    for optimizer in (loaded, recipe):
        group = optimizer.param_groups[0]
        assert (group[name], group[other]) == (value, None)

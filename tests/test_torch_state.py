"""A run moves between torch and schuss mid-way: states of the real torch, from ``golden/make.py``."""

# ruff: noqa: E501

import json

import numpy as np
import pytest

import schuss as sc
from cases import ONE_OF_EACH
from golden.cases import CASES, Case
from test_golden import DATA

STATES = json.loads(str(DATA["torch_states"]))
MOVED = [case for case in CASES if case.moves]
MOVED_AT = 20
SHAPES = [(2, 3), (5,)]
DTYPES = [np.float64, np.float32]


class Tensor:
    """What a tensor has of what is needed."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def numpy(self) -> np.ndarray:
        return self.array


def theirs(case: Case, dtype: type, wrap: type = np.asarray) -> dict:
    """torch's state with arrays or tensors in it."""
    stored = STATES[f"{case.name}-{np.dtype(dtype).name}"]

    def array(values: list, shape: tuple) -> object:
        values = np.array(values, dtype)
        return wrap(values.reshape(shape if values.size > 1 else ()))

    state = {
        int(index): {
            name: None if values is None else array(values, SHAPES[int(index)])
            for name, values in entry.items()
        }
        for index, entry in stored["state"].items()
    }
    return {**stored, "state": state}


def split(flat: np.ndarray) -> list[np.ndarray]:
    return [flat[:6].reshape(2, 3).copy(), flat[6:].copy()]


def outside(case: Case) -> dict:
    """What torch does outside its optimizers."""
    return {name: case.options[name] for name in ("clip_norm",) if name in case.options}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrap", [np.asarray, Tensor])
@pytest.mark.parametrize("case", MOVED, ids=lambda case: case.name)
def test_a_run_that_torch_began_continues_on_its_trajectory(case, wrap, dtype):
    path = DATA[f"{case.name}-{np.dtype(dtype).name}"]
    kept = DATA["kept"].tolist()
    params = split(path[kept.index(MOVED_AT)])
    optimizer = getattr(sc, case.rule).from_torch_state(theirs(case, dtype, wrap), params, **outside(case))
    exact = DATA[f"{case.name}-float64"]
    allowed = 1e-12 if dtype is np.float64 else 1e-6 + 2 * np.abs(path - exact).max()
    for number, grad in enumerate(DATA["grads"][MOVED_AT:].astype(dtype), start=MOVED_AT + 1):
        optimizer.step(split(grad))
        if case.lr_factor != 1:
            optimizer.lr *= case.lr_factor
        if number in kept:
            row = path[kept.index(number)]
            ours = np.concatenate([p.ravel() for p in params])
            np.testing.assert_allclose(ours, row, rtol=0, atol=allowed * max(1, np.abs(row).max()))
    assert np.abs(row - path[kept.index(MOVED_AT)]).max() > 1e-5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", MOVED, ids=lambda case: case.name)
def test_a_run_that_schuss_began_has_the_state_that_torch_would_have(case, dtype):
    params = split(DATA["start"].astype(dtype))
    optimizer = getattr(sc, case.rule)(params, convention="torch", **case.options)
    for grad in DATA["grads"][:MOVED_AT].astype(dtype):
        optimizer.step(split(grad))
        if case.lr_factor != 1:
            optimizer.lr *= case.lr_factor
    ours, expected = optimizer.to_torch_state(), theirs(case, dtype)
    assert len(ours["param_groups"]) == len(expected["param_groups"])
    for a, b in zip(ours["param_groups"], expected["param_groups"], strict=True):
        assert set(a) == set(b)
        # The one key in which the golden run is not torch's default.
        for key in set(a) - {"foreach"}:
            assert np.array_equal(a[key], b[key]), key
    for index in (0, 1):
        entry = {name: value for name, value in expected["state"].get(index, {}).items() if value is not None}
        mine = ours["state"].get(index, {})
        assert set(mine) == set(entry)
        for name, value in entry.items():
            assert mine[name].dtype == dtype
            assert mine[name].shape == value.shape
            np.testing.assert_allclose(
                mine[name],
                value,
                rtol=0,
                atol=(1e-12 if dtype is np.float64 else 3e-6) * max(1, np.abs(value).max()),
            )


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_there_and_back_again(case):
    """Bit for bit, with groups; a rule that torch has not is refused."""
    rng = np.random.default_rng(0)
    params = [rng.normal(size=shape) for shape in SHAPES]
    decay = {} if case.rule == "Rprop" else {"weight_decay": 0.1}
    groups = [{"params": params[:1], **decay}, {"params": {"b": params[1]}, "lr": 0.02}]
    optimizer = getattr(sc, case.rule)(groups, lr=0.1, convention="torch")
    grads = [[[rng.normal(size=(2, 3))], {"b": rng.normal(size=5)}] for _ in range(6)]
    for step in grads[:3]:
        optimizer.step(step)
    if case.rule not in {case.rule for case in MOVED}:
        with pytest.raises(TypeError, match=f"one that torch.optim has .*got {case.rule}"):
            optimizer.to_torch_state()
        return
    twins = [p.copy() for p in params]
    state = optimizer.to_torch_state()
    back = type(optimizer).from_torch_state(state, [twins[:1], {"b": twins[1]}])
    for step in grads[3:]:
        optimizer.step(step)
        back.step(step)
    assert all(np.array_equal(a, b) for a, b in zip(params, twins, strict=True))
    assert [g["lr"] for g in back.param_groups] == [0.1, 0.02]
    assert [group["params"] for group in state["param_groups"]] == [[0], [1]]


@pytest.mark.parametrize("rule", ["SGD", "Adagrad", "RMSprop", "Adam", "NAdam", "Rprop"])
def test_before_the_first_step_there_is_nothing_but_options(rule):
    optimizer = getattr(sc, rule)(np.ones(2), convention="torch", maximize=True)
    state = optimizer.to_torch_state()
    assert set(state["state"]) == ({0} if rule == "Adagrad" else set())
    p = np.ones(2)
    other = getattr(sc, rule).from_torch_state(state, p)
    assert other.step_count == 0
    other.step(np.ones(2))
    assert (p > 1).all()


def test_the_lectures_momentum_is_torchs_with_dampening():
    p = np.zeros(2)
    optimizer = sc.SGD(p, momentum=0.9)
    state = optimizer.to_torch_state()
    assert state["param_groups"][0]["dampening"] == 0.9
    # torch's first step takes the whole gradient unless there is a buffer.
    assert np.array_equal(state["state"][0]["momentum_buffer"], [0, 0])


def test_a_schedule_on_sgd_needs_the_step():
    state = sc.SGD(np.ones(2), momentum=0.9, convention="torch").to_torch_state()
    schedule = sc.schedules.linear(1.0, 100)
    optimizer = sc.SGD.from_torch_state(state, np.ones(2), lr=schedule, step_count=50)
    assert (optimizer.step_count, optimizer.lr) == (50, 0.5)


def test_a_plain_sgd_has_no_state_and_is_told_the_step_all_the_same():
    params = np.ones(2)
    optimizer = sc.SGD(params, lr=0.1, convention="torch")
    optimizer.step(np.ones(2))
    state = optimizer.to_torch_state()
    assert state["state"] == {}
    schedule = sc.schedules.linear(1.0, 100)
    back = sc.SGD.from_torch_state(state, params, lr=schedule, step_count=50)
    assert (back.step_count, back.lr) == (50, 0.5)


def test_the_callers_options_win_in_every_group():
    weights, bias = np.ones(2), np.ones(3)
    groups = [{"params": [weights], "weight_decay": 0.3}, {"params": [bias], "lr": 0.02}]
    optimizer = sc.AdamW(groups, lr=0.1, convention="torch")
    for _ in range(4):
        optimizer.step([[np.ones(2)], [np.ones(3)]])
    state, schedule = optimizer.to_torch_state(), sc.schedules.linear(0.4, 8)
    back = sc.AdamW.from_torch_state(state, [[weights], [bias]], lr=schedule, clip_norm=1.0)
    assert [group["lr"] for group in back.param_groups] == [0.2, 0.2]
    assert [group["weight_decay"] for group in back.param_groups] == [0.3, 0.01]
    assert [group["clip_norm"] for group in back.param_groups] == [1.0, 1.0]
    back.step([[np.ones(2)], [np.ones(3)]])
    assert [group["lr"] for group in back.param_groups] == pytest.approx([0.15, 0.15])
    back = sc.AdamW.from_torch_state(state, [[weights], [bias]], weight_decay=0.5, eps=1e-3)
    assert [(group["weight_decay"], group["eps"]) for group in back.param_groups] == [(0.5, 1e-3)] * 2
    assert [group["lr"] for group in back.param_groups] == [0.1, 0.02]


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(
    "options",
    [{"ema": 0.9}, {"ema": 0.9, "ema_start": "zero"}, {"swa_start": 1}, {"lookahead": 2}, {"accumulate": 2}],
    ids=str,
)
def test_what_has_state_of_its_own_begins_where_torch_ends(options, groups):
    """As if it was asked for then."""

    def of_groups(a: np.ndarray, b: np.ndarray) -> list:
        return [[a], [b]] if groups == 2 else [a, b]

    params, twins = [[np.ones(2), np.ones(3)] for _ in range(2)]
    given = [{"params": part} for part in of_groups(*params)] if groups == 2 else params
    optimizer = sc.Adam(given, lr=0.1, convention="torch")
    for _ in range(3):
        optimizer.step(of_groups(np.ones(2), np.ones(3)))
    for twin, param in zip(twins, params, strict=True):
        twin[:] = param
    back = sc.Adam.from_torch_state(optimizer.to_torch_state(), of_groups(*twins), **options)
    for group in optimizer.param_groups:
        for name, value in options.items():
            group[name] = value
    for number in range(1, 6):
        for at_work in (optimizer, back):
            at_work.step(of_groups(np.full(2, 1.0 / number), np.full(3, 1.0 / number)))
    assert all(np.array_equal(a, b) for a, b in zip(params, twins, strict=True))
    ours, theirs = optimizer.state_dict(), back.state_dict()
    assert ours["step_count"] == theirs["step_count"]
    for name, arrays in ours["state"].items():
        assert all(np.array_equal(a, b) for a, b in zip(arrays, theirs["state"][name], strict=True))


def test_an_average_that_is_asked_for_does_not_know_what_was_before():
    params = np.ones(2)
    optimizer = sc.Adam(params, lr=0.1, convention="torch")
    optimizer.step(np.ones(2))
    back = sc.Adam.from_torch_state(optimizer.to_torch_state(), params, swa_start=1)
    seen = []
    for _ in range(3):
        back.step(np.ones(2))
        seen.append(params.copy())
    np.testing.assert_allclose(back.averaged_params(), np.mean(seen, axis=0), rtol=1e-14)


@pytest.mark.parametrize(
    ("rule", "option", "slot"),
    [
        ("SGD", {"momentum": 0.9}, "momentum_buffer"),
        ("RMSprop", {"momentum": 0.9}, "momentum_buffer"),
        ("RMSprop", {"centered": True}, "grad_avg"),
        ("Adam", {"amsgrad": True}, "max_exp_avg_sq"),
    ],
)
def test_groups_have_the_state_that_their_options_ask_for(rule, option, slot):
    """torch keeps nothing of a kind that a group does not use."""
    params = [np.ones(2), np.ones(3)]
    groups = [{"params": [params[0]], **option}, {"params": [params[1]]}]
    optimizer = getattr(sc, rule)(groups, lr=0.1, convention="torch")
    grads = [[[np.full(2, 1.0 / n)], [np.full(3, 1.0 / n)]] for n in range(1, 7)]
    for step in grads[:3]:
        optimizer.step(step)
    state = optimizer.to_torch_state()
    assert slot in state["state"][0]
    assert slot not in state["state"].get(1, {})
    twins = [p.copy() for p in params]
    back = getattr(sc, rule).from_torch_state(state, [[p] for p in twins])
    for step in grads[3:]:
        optimizer.step(step)
        back.step(step)
    assert all(np.array_equal(a, b) for a, b in zip(params, twins, strict=True))


@pytest.mark.parametrize("rule", sorted({case.rule for case in MOVED}))
def test_a_group_that_was_frozen_all_the_time_has_no_state(rule):
    params = [np.ones(2), np.ones(3)]
    option = {"momentum": 0.9, "dampening": 0.5} if rule == "SGD" else {}
    groups = [{"params": [params[0]]}, {"params": [params[1]], "lr": 0.0}]
    optimizer = getattr(sc, rule)(groups, lr=0.1, convention="torch", **option)
    grads = [[[np.full(2, 1.0 / n)], [np.full(3, 1.0 / n)]] for n in range(1, 7)]
    for step in grads[:3]:
        optimizer.step(step)
    state = optimizer.to_torch_state()
    assert (1 in state["state"]) == (rule == "Adagrad")
    twins = [p.copy() for p in params]
    back = getattr(sc, rule).from_torch_state(state, [[p] for p in twins])
    optimizer.param_groups[1]["lr"] = back.param_groups[1]["lr"] = 0.1
    for step in grads[3:]:
        optimizer.step(step)
        back.step(step)
    assert all(np.array_equal(a, b) for a, b in zip(params, twins, strict=True))
    assert not np.array_equal(params[1], np.ones(3))


def test_dampening_does_not_touch_the_first_step_there_or_back():
    """torch's first step takes the whole gradient unless there is a buffer."""
    p = np.zeros(2)
    state = sc.SGD(p, lr=1.0, momentum=0.9, dampening=0.5, convention="torch").to_torch_state()
    assert state["state"] == {}
    for step_count in (None, 50):
        p[:] = 0
        back = sc.SGD.from_torch_state(state, p, step_count=step_count)
        assert back.step_count == (step_count or 0)
        back.step(np.ones(2))
        assert np.array_equal(p, [-1, -1])
        # From here on there is one: 0.9 * 1 + 0.5 * 1.
        back.step(np.ones(2))
        np.testing.assert_allclose(p, -2.4, rtol=1e-15)
    begun = back.to_torch_state()
    with pytest.raises(
        ValueError, match="step_count must be at least 1 where the state has a momentum_buffer"
    ):
        sc.SGD.from_torch_state(begun, p, step_count=0)


def test_a_velocity_that_is_to_begin_is_none_of_torchs():
    p = np.zeros(2)
    optimizer = sc.SGD(p, lr=1.0, dampening=0.5, convention="torch")
    optimizer.step(np.ones(2))
    optimizer.param_groups[0]["momentum"] = 0.9
    state = optimizer.to_torch_state()
    assert state["state"] == {}
    q = p.copy()
    back = sc.SGD.from_torch_state(state, q)
    for _ in range(3):
        optimizer.step(np.ones(2))
        back.step(np.ones(2))
        assert np.array_equal(p, q)
    assert list(optimizer.to_torch_state()["state"]) == [0]


def adam(state):
    return sc.Adam.from_torch_state(state, [np.ones(2), np.ones(3)])


REFUSED = [
    (lambda: sc.RMSprop(np.ones(2)).to_torch_state(), ValueError, "eps_in_sqrt must be False, torch's formula, got True"),
    (lambda: sc.Adam(np.ones(2), eps_hat=True).to_torch_state(), ValueError, "eps_hat must be False"),
    (lambda: sc.Adam(np.ones(2), lookahead=5).to_torch_state(), ValueError, "lookahead must be None"),
    (lambda: sc.Adam(np.ones(2), accumulate=5).to_torch_state(), ValueError, "accumulate must be 1"),
    (
        lambda: sc.Adam(np.ones(2), weight_decay=0.1, decay="independent").to_torch_state(), ValueError,
        "decay must be 'coupled' or 'decoupled', torch's formula, got 'independent'",
    ),
    (lambda: sc.Adam(np.ones(2), weight_decay=0.1, decay_where="matrices").to_torch_state(), ValueError, "decay_where"),
    (lambda: sc.SGD(np.ones(2), momentum=0.9, nesterov=True).to_torch_state(), ValueError, "dampening must be 0"),
    (
        lambda: sc.NAdam(np.ones(2), convention="optax").to_torch_state(), ValueError,
        "momentum_decay must be a number, as torch has it, got None",
    ),
    (lambda: adam({**state_of_two(), "state": {0: state_of_two()["state"][0]}}), ValueError, "'exp_avg' for every array"),
    (lambda: sc.Adam.from_torch_state(state_of_two(), [np.ones(2)]), ValueError, "params must be 2 arrays"),
    (lambda: sc.Adam.from_torch_state(state_of_two(), [np.ones(2), np.ones(4)]), ValueError, "shape"),
    (lambda: sc.Adam.from_torch_state(state_of_two(), [np.ones(2, np.float32), np.ones(3, np.float32)]), TypeError, "float32"),
    (lambda: adam(with_steps(3, 4)), ValueError, "'step' must be the same for all arrays, got [3.0, 4.0]"),
    (lambda: sc.SGD.from_torch_state(state_of_two(), TWO), ValueError, "must be of torch.optim.SGD, which has 'dampening'; got"),
    (lambda: sc.RAdam.from_torch_state(state_of_two(), TWO), ValueError, "torch.optim.RAdam, which has no 'amsgrad'"),
    (lambda: adam(sc.SGD(TWO, momentum=0.9).to_torch_state()), ValueError, "must be of torch.optim.Adam, which has 'amsgrad'"),
    (lambda: adam(changed(exp_inf=np.ones(2))), ValueError, "state['state'][0] must be of torch.optim.Adam, got 'exp_inf'"),
    (lambda: adam(changed(exp_avg=np.array([np.nan, 1]))), ValueError, "state['state'][0]['exp_avg'] must be finite"),
    (lambda: adam(changed(exp_avg=np.ones(3))), ValueError, "state['state'][0]['exp_avg'] must be of shape (2,), got (3,)"),
    (lambda: adam(changed(exp_avg=np.ones(2, int))), TypeError, "state['state'][0]['exp_avg'] must be an array of floating-"),
    (lambda: adam(changed(exp_avg=np.ones(2, object))), TypeError, "state['state'][0]['exp_avg'] must be an array of floating-"),
    (lambda: adam(changed(exp_avg=np.ones(2, "M8[s]"))), TypeError, "state['state'][0]['exp_avg'] must be an array of floating-"),
    (lambda: adam(changed(exp_avg=np.ones(2, complex))), TypeError, "must be of the parameter's dtype, float64, got complex128"),
    (lambda: adam(changed(exp_avg="text")), TypeError, "state['state'][0]['exp_avg'] must be an array of floating-"),
    (lambda: adam(changed(exp_avg=None)), ValueError, "'exp_avg' for every array or for none"),
    (lambda: adam(changed(exp_avg_sq=np.array([-1.0, 1]))), ValueError, "['exp_avg_sq'] must not have negative numbers, got -1.0"),
    (lambda: adam(with_steps(2.5, 2.5)), ValueError, "'step' must be a whole number of steps, got 2.5"),
    (lambda: adam(with_steps(-1, -1)), ValueError, "'step' must be a whole number of steps, got -1.0"),
    (lambda: adam(with_steps(np.nan, np.nan)), ValueError, "['step'] must be finite"),
    (lambda: adam(with_steps(1e30, 1e30)), ValueError, "'step' must be a whole number of steps, got 1e+30"),
    (lambda: adam(changed(step=np.ones(2))), ValueError, "state['state'][0]['step'] must be one number, got shape (2,)"),
    (lambda: adam(changed(step=None)), ValueError, "'step' for every array or for none"),
    (lambda: adam(changed(step="3")), TypeError, "['step'] must be an array of real numbers, got '3'"),
    (lambda: adam(None), TypeError, "state must be a state_dict() of torch.optim, got NoneType"),
    (lambda: adam({"state": {}}), ValueError, "state must be a state_dict() of torch.optim, which has 'param_groups'"),
    (lambda: adam({"state": {}, "param_groups": []}), TypeError, "state['param_groups'] must be a list of dicts"),
    (lambda: adam({"state": {}, "param_groups": [{}]}), TypeError, "['params'] must be a list of numbers, got None"),
    (lambda: adam({**state_of_two(), "state": [1]}), TypeError, "state['state'] must be a dict of a dict"),
    (lambda: adam({**state_of_two(), "state": {7: {}}}), ValueError, "must be of the parameters in the groups, [0, 1], got 7"),
    (lambda: adam(in_group(params=[0, 0])), ValueError, "must name each parameter once"),
    (lambda: adam(in_group(lr=None)), TypeError, "lr of the state must be"),
    (lambda: adam(in_group(lr=np.nan)), ValueError, "lr of the state must be finite"),
    (lambda: sc.Adam.from_torch_state(state_of_two(), TWO, step_count=7), ValueError, "step_count must be 1, which the state says"),
    (lambda: sc.Adam.from_torch_state(state_of_two(), TWO, step_count=1.5), TypeError, "step_count"),
    (lambda: sc.Adam.from_torch_state(fresh(), np.ones(2), step_count=7), ValueError, "step_count must be 0, which the state says, got 7"),
    (lambda: sc.Adam.from_torch_state(state_of_two(), TWO, ema=2), ValueError, "ema must be"),
    (lambda: sc.Adam.from_torch_state(state_of_two(), TWO, ema=0.9, swa_start=3), ValueError, "swa_start must be None where ema is given"),
    (lambda: sc.Lion.from_torch_state(state_of_two(), np.ones(2)), TypeError, "one that torch.optim has"),
]  # fmt: skip


TWO = [np.ones(2), np.ones(3)]


def fresh() -> dict:
    """Of an optimizer before its first step."""
    return sc.Adam(np.ones(2), convention="torch").to_torch_state()


def changed(**values: object) -> dict:
    """A state in which something of the first array's is another."""
    state = state_of_two()
    state["state"][0] |= values
    return state


def in_group(**values: object) -> dict:
    """A state in which something of the group's is another."""
    state = state_of_two()
    state["param_groups"][0] |= values
    return state


def state_of_two() -> dict:
    params = [np.ones(2), np.ones(3)]
    optimizer = sc.Adam(params)
    optimizer.step([np.ones(2), np.ones(3)])
    return optimizer.to_torch_state()


def with_steps(*steps: int) -> dict:
    state = state_of_two()
    for index, step in enumerate(steps):
        state["state"][index]["step"] = np.array(float(step))
    return state


@pytest.mark.parametrize(("make", "error", "words"), REFUSED)
def test_what_would_be_another_trajectory_is_refused(make, error, words):
    with pytest.raises(error) as raised:
        make()
    assert words in str(raised.value)


@pytest.mark.parametrize("dtype", [np.float16, np.complex64, np.complex128])
@pytest.mark.parametrize("rule", sorted({case.rule for case in MOVED}))
def test_half_precision_and_complex_parameters_move_too(rule, dtype):
    """Counts are real and exact, as torch has them beside such parameters; the run goes on bit by bit."""
    rng = np.random.default_rng(0)

    def numbers() -> np.ndarray:
        real = rng.normal(size=5)
        return (real + 1j * rng.normal(size=5) if dtype != np.float16 else real).astype(dtype)

    p, state_dtype = numbers(), np.float32 if dtype == np.float16 else dtype
    options = {"momentum": 0.9} if rule == "SGD" else {}
    optimizer = getattr(sc, rule)(p, lr=1e-3, convention="torch", **options)
    for _ in range(2051):  # float16 has no such number
        optimizer.step(numbers())
    state = optimizer.to_torch_state()
    for name, value in state["state"][0].items():
        if name in ("step", "mu_product"):
            assert value.dtype == (np.float64 if dtype == np.complex128 else np.float32)
            assert value.shape == ()
        else:
            assert value.dtype == state_dtype
    if rule != "SGD":
        assert state["state"][0]["step"] == 2051
    twin = p.copy()
    back = getattr(sc, rule).from_torch_state(state, twin)
    for _ in range(3):
        g = numbers()
        optimizer.step(g)
        back.step(g)
    assert np.array_equal(p, twin)
    assert np.isfinite(p).all()

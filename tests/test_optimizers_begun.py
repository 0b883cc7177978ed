"""State that an option asks for later: it begins then, and is saved with when it did."""

import copy
import io
import pickle

import numpy as np
import pytest

import schuss as sc

ONE = np.ones(1)


def loaded(made, optimizer, params):
    """Another one with its state."""
    twin = made(params)
    twin.load_state_dict(optimizer.state_dict())
    return twin


def filed(made, optimizer, params):
    twin, file = made(params), io.BytesIO()
    optimizer.save(file)
    file.seek(0)
    twin.load(file)
    return twin


COPIES = {
    "itself": None,
    "dict": loaded,
    "file": filed,
    "deepcopy": lambda made, optimizer, params: copy.deepcopy((params, optimizer)),
    "pickle": lambda made, optimizer, params: pickle.loads(pickle.dumps((params, optimizer))),
}


def copied(how, made, optimizer, params):
    """The parameters and the optimizer that go on in its place."""
    if COPIES[how] is None:
        return params, optimizer
    twin = COPIES[how](made, optimizer, [p.copy() for p in params] if how in ("dict", "file") else params)
    return twin if isinstance(twin, tuple) else (twin.param_groups[0]["params"], twin)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("before", [0, 1, 4])
def test_a_velocity_that_begins_late_takes_its_first_gradient_whole(before, how, nesterov):
    """torch's velocity is none until then, whenever that is."""

    def made(params):
        return sc.SGD(params, lr=0.5, convention="torch", dampening=0.25, nesterov=nesterov)

    def moves(optimizer, p):
        path = []
        for g in (1.0, -2.0, 0.5):
            start = p[0].copy()
            optimizer.step([g * ONE])
            path.append((p[0] - start).item())
        return path

    p = [np.zeros(1)]
    optimizer = made(p)
    optimizer.param_groups[0]["momentum"] = 0.9
    expected = moves(optimizer, p)
    p = [np.zeros(1)]
    optimizer = made(p)
    for _ in range(before):
        optimizer.step([ONE])
    optimizer.param_groups[0]["momentum"] = 0.9
    p, optimizer = copied(how, made, optimizer, p)
    np.testing.assert_allclose(moves(optimizer, p), expected, rtol=1e-12)
    # Off, and on again.
    optimizer.param_groups[0]["momentum"] = 0.0
    optimizer.step([ONE])
    optimizer.param_groups[0]["momentum"] = 0.9
    np.testing.assert_allclose(moves(optimizer, p), expected, rtol=1e-12)
    # Another momentum is none that begins.
    optimizer.param_groups[0]["momentum"] = 0.8
    assert not np.allclose(moves(optimizer, p), expected)


def test_each_group_has_a_velocity_of_its_own():
    a, b = np.zeros(1), np.zeros(1)
    optimizer = sc.SGD(
        [{"params": a, "momentum": 0.9}, {"params": b}], lr=1.0, convention="torch", dampening=0.5
    )
    optimizer.step([ONE, ONE])
    optimizer.param_groups[1]["momentum"] = 0.9
    optimizer.step([ONE, ONE])
    assert (a.item(), b.item()) == (-1 - (0.9 + 0.5), -2.0)
    memory = optimizer.state_dict()["memory"]
    assert "velocity_since" not in memory[0]
    assert memory[1]["velocity_since"] == 1


def climbing(optimizer, p, steps):
    """Where a parameter is after each step of 1."""
    path = []
    for _ in range(steps):
        optimizer.step([-ONE])
        path.append(p[0].item())
    return path


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("before", [0, 3, 5, 7])
def test_slow_parameters_that_begin_late_wait_as_long_as_the_first(before, how):
    p = [np.zeros(1)]
    path = climbing(sc.SGD(p, lr=1.0, lookahead=5), p, 12)
    q = [np.zeros(1)]
    optimizer = sc.SGD(q, lr=1.0)
    climbing(optimizer, q, before)
    optimizer.param_groups[0]["lookahead"] = 5
    q, optimizer = copied(how, lambda params: sc.SGD(params), optimizer, q)
    np.testing.assert_allclose(climbing(optimizer, q, 12), np.add(path, before))


# Steps done, of those since the slow parameters have moved, the new number: those until they next do.
@pytest.mark.parametrize(
    ("was", "done", "now", "wait"),
    [(5, 2, 3, 1), (5, 7, 3, 1), (5, 5, 3, 3), (3, 4, 5, 4), (10, 7, 3, 1), (4, 9, 4, 3)],
)
@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("since", [0, 2])
def test_another_number_of_steps_counts_from_when_slow_parameters_last_moved(
    was, done, now, wait, how, since
):
    p = [np.zeros(1)]
    optimizer = sc.SGD(p, lr=1.0, lookahead_alpha=0.0)
    climbing(optimizer, p, since)
    optimizer.param_groups[0]["lookahead"] = was
    climbing(optimizer, p, done)
    optimizer.param_groups[0]["lookahead"] = now
    p, optimizer = copied(how, lambda params: sc.SGD(params), optimizer, p)
    # With alpha 0 they go back to where they began.
    path = climbing(optimizer, p, wait + 2 * now)
    assert [step for step, at in enumerate(path, 1) if at == since] == [wait, wait + now, wait + 2 * now]


def test_states_of_before_have_no_such_numbers_and_are_read():
    p = [np.zeros(1)]
    optimizer = sc.SGD(p, lr=1.0)
    climbing(optimizer, p, 3)
    optimizer.param_groups[0]["lookahead"] = 5
    state = optimizer.state_dict()
    assert state["memory"] == [{"slow_since": 3}]
    state["memory"] = [{}]
    optimizer.load_state_dict(state)
    # As they were continued then: at each fifth step of all.
    assert climbing(optimizer, p, 2) == [4.0, 4.0]
    for value in (-1, 2.5, 6, "x"):
        state["memory"] = [{"slow_since": value}]
        with pytest.raises(
            ValueError, match=r'^state_dict\["memory"\]\[0\]\["slow_since"\] must be a whole number'
        ):
            optimizer.load_state_dict(state)


@pytest.mark.parametrize("how", COPIES)
def test_a_mean_that_begins_late_is_corrected_for_that(how):
    rng = np.random.default_rng(0)
    grads = [rng.normal(size=5) + 2 for _ in range(9)]
    options = {"lr": 0.1, "beta": 0.9, "eps": 0.01, "bias_correction": True}

    def made(params):
        return sc.RMSprop(params, **options)

    p = [np.zeros(5)]
    optimizer = made(p)
    v, a, where = 0.0, 0.0, np.zeros(5)
    for t, g in enumerate(grads, 1):
        if t == 5:
            optimizer.param_groups[0]["centered"] = True
            p, optimizer = copied(how, made, optimizer, p)
        optimizer.step([g])
        v = 0.9 * v + 0.1 * g**2
        variance = v / (1 - 0.9**t)
        if t >= 5:
            a = 0.9 * a + 0.1 * g
            variance = np.maximum(variance - (a / (1 - 0.9 ** (t - 4))) ** 2, 0)
        where = where - 0.1 * g / np.sqrt(variance + 0.01)
        np.testing.assert_allclose(p[0], where, rtol=1e-12)


@pytest.mark.parametrize("late", [False, True])
def test_step_sizes_that_are_set_hold_from_the_next_step_on(late):
    """torch clamps in every step, whatever the sign has done; Optax, where it has stayed or changed."""
    p = np.zeros(1)
    optimizer = sc.Rprop([p], lr=0.5, late=late)
    for g in (1.0, -1.0):
        optimizer.step([g * ONE])
    optimizer.param_groups[0]["step_sizes"] = (1e-6, 1e-3)
    optimizer.step([ONE])
    size = optimizer.state_dict()["state"]["step_size"][0].item()
    assert size == (0.25 if late else 1e-3)
    before = p.copy()
    for _ in range(2):
        optimizer.step([ONE])
    assert optimizer.state_dict()["state"]["step_size"][0].item() == 1e-3
    if not late:
        np.testing.assert_allclose(p, before - 2e-3, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "step_sizes",
            (50, 1e-6),
            "step_sizes must be two finite numbers > 0, the second no less than the first",
        ),
        ("step_sizes", (0, 1), "step_sizes must be two finite numbers > 0"),
        ("etas", (1.2, 0.5), r"etas must be two finite numbers in \(0, 1\) and > 1, got \(1.2, 0.5\)"),
        ("etas", (0.5, 1.0), "etas must be two finite numbers"),
        ("etas", (1.0, 1.2), "etas must be two finite numbers"),
    ],
)
def test_factors_and_step_sizes_in_the_wrong_order_are_refused(name, value, words):
    optimizer = sc.Rprop([np.ones(2)])
    for use in (
        lambda: sc.Rprop(**{name: value}),
        lambda: optimizer.param_groups[0].__setitem__(name, value),
    ):
        with pytest.raises(ValueError, match=words):
            use()
    sc.Rprop(step_sizes=(0.1, 0.1), etas=(0.9, 1.1))

"""A state finds its arrays by name: in another order it is the same state, of other arrays it is refused."""

import itertools

import numpy as np
import pytest

import schuss as sc
from cases import CASES, named


def make(names, case=None, **options):
    """Parameters of these names, with values that depend on the name alone, and an optimizer of them."""
    params = {name: np.random.default_rng(ord(name[0])).standard_normal((3, 2)) for name in names}
    return params, (case.make(params, **options) if case else sc.Adam(params, lr=0.1, **options))


def grads(names, seed):
    return {name: np.random.default_rng([seed, ord(name[0])]).standard_normal((3, 2)) for name in names}


@pytest.mark.parametrize("through_file", [False, True])
@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_a_state_in_another_order_is_the_same_state(order, through_file, tmp_path):
    first, one = make("abc", ema=0.5, decay_where=[True, False, True], weight_decay=0.1)
    for number in range(4):
        one.step(grads("abc", number))
    second, other = make(order, ema=0.5, weight_decay=0.1)
    for name in order:
        second[name][...] = first[name]
    if through_file:
        one.save(tmp_path / "state.npz")
        other.load(tmp_path / "state.npz")
    else:
        other.load_state_dict(one.state_dict())
    assert other.param_groups[0]["decay_where"] == [name != "b" for name in order]
    for number in range(4, 8):
        one.step(grads("abc", number))
        other.step(grads(order, number))
    for name in "abc":
        assert np.array_equal(first[name], second[name])
        assert np.array_equal(one.averaged_params()[name], other.averaged_params()[name])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_of_any_rule(case):
    first, one = make("abc", case)
    for number in range(3):
        one.step(grads("abc", number))
    second, other = make("cab", case)
    for name in "abc":
        second[name][...] = first[name]
    other.load_state_dict(one.state_dict())
    one.step(grads("abc", 3)), other.step(grads("cab", 3))
    if case.rule != "Prodigy":  # its sums go over all arrays, in their order
        assert all(np.array_equal(first[name], second[name]) for name in "abc")


def test_groups_move_with_their_names():
    def groups(names):
        return sc.SGD([{"params": "b*", "lr": 0.5, "name": "b"}], lr=0.1, momentum=0.9).bind(make(names)[0])

    one, other = groups("abc"), groups("cba")
    one.step(grads("abc", 0))
    other.load_state_dict(one.state_dict())
    assert [
        np.array_equal(x, y)
        for x, y in zip(
            other.state_dict()["state"]["velocity"], one.state_dict()["state"]["velocity"][::-1], strict=True
        )
    ] == [True] * 3
    wrong = sc.SGD([{"params": "c*", "lr": 0.5}], lr=0.1, momentum=0.9).bind(make("abc")[0])
    with pytest.raises(ValueError, match=r'^state_dict\["group_of"\] must be'):
        wrong.load_state_dict(one.state_dict())


def test_other_names_are_refused():
    _, one = make("ab")
    one.step(grads("ab", 0))
    for names in ("ac", "xy"):
        _, other = make(names)
        before = repr(other.state_dict())
        with pytest.raises(
            ValueError, match=r'^state_dict\["names"\] must be those of the arrays, "\w", "\w", got "a", "b"'
        ):
            other.load_state_dict(one.state_dict())
        assert repr(other.state_dict()) == before
    _, more = make("abc")
    with pytest.raises(
        ValueError, match=r'^state_dict\["names"\] must be 3, one for each array, got 2 names'
    ):
        more.load_state_dict(one.state_dict())


def test_names_that_say_only_where_arrays_are_go_by_order():
    params, one = make("ab")
    one.step(grads("ab", 0))
    for structure in ([params["a"], params["b"]], [[params["a"]], [params["b"]]]):
        other = sc.Adam(structure, lr=0.1)
        other.load_state_dict(one.state_dict())
        assert np.array_equal(other.state_dict()["state"]["m"][0], one.state_dict()["state"]["m"][0])
    alone, listed = sc.Adam(np.ones(2)), sc.Adam([np.ones(2)])
    listed.load_state_dict(alone.state_dict())


def test_a_state_of_old_has_no_names_and_goes_by_order():
    _, one = make("ab")
    one.step(grads("ab", 0))
    old = one.state_dict()
    del old["names"]
    _, other = make("ba")
    other.load_state_dict(old)
    assert np.array_equal(other.state_dict()["state"]["m"][0], old["state"]["m"][0])


NUMBERS = [
    float("nan"),
    float("inf"),
    -1,
    0.5,
    2**64,
    -(2**70),
    1e300,
    "1",
    None,
    True,
    [1],
    np.nan,
    1j,
    object(),
]


@pytest.mark.parametrize("value", NUMBERS, ids=named)
@pytest.mark.parametrize("key", ["step_count", "skipped_steps", "gathered"])
def test_counts_of_a_state_are_whole_numbers(key, value):
    _, opt = make("ab")
    state = opt.state_dict() | {key: value}
    with pytest.raises(
        ValueError, match=rf'^state_dict\["{key}"\] must be a whole number from 0 to \d+, got'
    ):
        opt.load_state_dict(state)


@pytest.mark.parametrize("value", [v for v in NUMBERS if v not in (-1, 0.5, True, 1e300)], ids=named)
def test_numbers_of_a_state_are_finite(value):
    opt = sc.NAdam([np.ones(2)])
    state = opt.state_dict()
    if isinstance(value, int):
        return
    state["memory"][0]["momentum_product"] = value
    with pytest.raises(
        ValueError, match=r'^state_dict\["memory"\]\[0\]\["momentum_product"\] must be a finite number, got'
    ):
        opt.load_state_dict(state)


def test_arrays_of_a_state_have_numbers_in_them():
    opt = sc.Adam([np.ones(2), np.ones((2, 2))])
    state = opt.state_dict()
    state["state"]["v"][1][1, 0] = np.nan
    with pytest.raises(
        ValueError,
        match=r'^state_dict\["state"\]\["v"\]\[1\] must be an array of finite numbers, got NaN in it',
    ):
        opt.load_state_dict(state)
    opt.param_groups[0]["nonfinite"] = "ignore"
    opt.load_state_dict(state | {"param_groups": opt.state_dict()["param_groups"]})


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_arrays_of_a_state_are_finite(value):
    opt = sc.SGD([np.ones(2)], momentum=0.9)
    state = opt.state_dict()
    state["state"]["velocity"][0][1] = value
    with pytest.raises(
        ValueError, match=r'^state_dict\["state"\]\["velocity"\]\[0\] must be .*, got infinity in it'
    ):
        opt.load_state_dict(state)


@pytest.mark.parametrize(
    ("rule", "options", "slot"),
    [
        ("Adam", {"amsgrad": True}, "v"),
        ("Adam", {"amsgrad": True}, "v_max"),
        ("RMSprop", {}, "square_average"),
        ("Adagrad", {}, "square_sum"),
        ("Adadelta", {}, "update_average"),
        ("Adamax", {}, "u"),
        ("Adan", {}, "n"),
        ("AdaBelief", {}, "s"),
        ("Yogi", {}, "v"),
        ("Rprop", {}, "step_size"),
        ("ScheduleFreeAdamW", {}, "v"),
        ("Prodigy", {}, "v"),
    ],
)
def test_squares_of_a_state_are_not_negative(rule, options, slot):
    opt = getattr(sc, rule)([np.ones(2)], **options)
    opt.step([np.ones(2)])
    state = opt.state_dict()
    opt.load_state_dict(state)
    state["state"][slot][0][1] = -1.0
    before = repr(opt.state_dict())
    with pytest.raises(
        ValueError, match=rf'\["{slot}"\]\[0\] must be an array without negative numbers, got -1'
    ):
        opt.load_state_dict(state)
    assert repr(opt.state_dict()) == before


WRONG = {
    "dtype": (np.ones(2, np.float32), r"must be an array of float64, got float32"),
    "shape": (np.ones(3), r"must be of shape \(2,\), got shape \(3,\)"),
    "no array": ([1.0, 2.0], r"must be a NumPy array, got list"),
    "None": (None, r"must be a NumPy array, got NoneType"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_arrays_of_a_state_are_called_by_their_place(kind):
    opt = sc.Adam([np.ones(2), np.ones(2)])
    state, (array, message) = opt.state_dict(), WRONG[kind]
    state["state"]["m"][1] = array
    with pytest.raises((TypeError, ValueError), match=r'^state_dict\["state"\]\["m"\]\[1\] ' + message):
        opt.load_state_dict(state)


THREE = 3


@pytest.mark.parametrize("key", list(sc.Adam([np.ones(2)]).state_dict()))
@pytest.mark.parametrize(
    "value", [None, THREE, "x", [], [None], [3], {}, {"m": 3}, object(), np.ones(3), (np.nan,)], ids=named
)
def test_parts_of_a_state_of_another_kind_are_refused_by_name(key, value):
    opt = sc.Adam([np.ones(2), np.ones(2)], lr=sc.schedules.plateau(0.1))
    before = repr(opt.state_dict())
    if (key == "names" and value is None) or (key in ("step_count", "skipped_steps") and value is THREE):
        return  # what they may be
    with pytest.raises((TypeError, ValueError), match=rf'^state_dict\["{key}"\]'):
        opt.load_state_dict(opt.state_dict() | {key: value})
    assert repr(opt.state_dict()) == before


@pytest.mark.parametrize(
    "memory",
    [
        [0.1, np.nan, 0, 0],
        [np.nan, 1, 0, 0],
        [-0.1, 1, 0, 0],
        [0.1, 1, -1, 0],
        [0.1, 1],
        ["a"] * 4,
        3,
        [np.inf, 1, 0, 0],
    ],
)
def test_what_a_plateau_remembers_is_looked_at(memory):
    opt = sc.SGD([np.ones(2)], lr=sc.schedules.plateau(0.1))
    state = opt.state_dict()
    state["schedules"] = [memory]
    with pytest.raises((TypeError, ValueError), match=r'^state_dict\["schedules"\]\[0\] must be'):
        opt.load_state_dict(state)

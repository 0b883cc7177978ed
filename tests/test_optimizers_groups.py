"""Parameter groups with names, and masks that say which parameters decay."""

# ruff: noqa: E501

import copy
import pickle

import numpy as np
import pytest

import schuss as sc
from cases import ONE_OF_EACH
from reference import trajectory
from test_optimizers_copies import halves


def params() -> dict:
    rng = np.random.default_rng(0)
    return {
        "encoder": {"w": rng.normal(size=(3, 2)), "b": rng.normal(size=2)},
        "head": [rng.normal(size=(2, 2)), rng.normal(size=3)],
    }


def leaves(tree: dict) -> list[np.ndarray]:
    return [tree["encoder"]["w"], tree["encoder"]["b"], *tree["head"]]


MASKS = {
    "a callable": lambda name, array: name in ("encoder.w", "head.1"),
    "a structure": {"encoder": {"w": True, "b": False}, "head": [False, np.True_]},
    "a flat list": [True, False, False, True],
}
ZERO = {"encoder": {"w": np.zeros((3, 2)), "b": np.zeros(2)}, "head": [np.zeros((2, 2)), np.zeros(3)]}


@pytest.mark.parametrize("decay", ["coupled", "decoupled", "independent"])
@pytest.mark.parametrize("mask", MASKS)
def test_only_what_the_mask_selects_decays(mask, decay):
    tree = params()
    before = copy.deepcopy(tree)
    recipe = sc.SGD(lr=0.5, weight_decay=0.1, decay=decay, decay_where=MASKS[mask])
    optimizer = recipe.bind(tree)
    optimizer.step(ZERO)
    kept = 0.9 if decay == "independent" else 0.95
    for after, start, decays in zip(leaves(tree), leaves(before), [True, False, False, True], strict=True):
        np.testing.assert_allclose(after, start * (kept if decays else 1.0), rtol=1e-15)
    assert optimizer.param_groups[0]["decay_where"] == [True, False, False, True]


def test_a_mask_is_called_once_for_each_array_with_its_name():
    seen = []

    def mask(name, array):
        seen.append((name, array))
        return array.ndim == 2

    tree = params()
    optimizer = sc.AdamW(tree, decay_where=mask)
    for _ in range(3):
        optimizer.step(ZERO)
    assert [name for name, _ in seen] == ["encoder.w", "encoder.b", "head.0", "head.1"]
    assert all(a is b for (_, a), b in zip(seen, leaves(tree), strict=True))
    assert (
        len(sc.SGD(np.ones(2), weight_decay=1.0, decay_where=lambda name, array: name == "").param_groups)
        == 1
    )


def test_a_mask_survives_state_file_and_copies(tmp_path):
    tree = params()
    make = {"lr": 0.5, "weight_decay": 0.1}
    optimizer = sc.SGD(tree, **make, decay_where=halves)
    expected = [array.size > 2 for array in leaves(tree)]
    optimizer.step(ZERO)
    optimizer.save(tmp_path / "state.npz")
    other = sc.SGD(copy.deepcopy(tree), **make)
    other.load(tmp_path / "state.npz")
    third = sc.SGD(copy.deepcopy(tree), **make)
    third.load_state_dict(optimizer.state_dict())
    for twin in (other, third, pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
        assert twin.param_groups[0]["decay_where"] == expected
        array = twin.param_groups[0]["params"][1]
        start = array.copy()
        twin.step(ZERO)
        assert np.array_equal(array, start)
    recipe = sc.SGD(**make, decay_where=halves)
    twin = pickle.loads(pickle.dumps(recipe))
    assert twin == recipe != sc.SGD(**make)
    assert twin.bind(params()).param_groups[0]["decay_where"] == expected


def test_masks_are_live():
    tree = params()
    optimizer = sc.SGD(tree, lr=1.0, weight_decay=0.5)
    group = optimizer.param_groups[0]
    group["decay_where"] = "matrices"
    assert group["decay_where"] == "matrices"
    group["decay_where"] = lambda name, array: name.startswith("head")
    assert group["decay_where"] == [False, False, True, True]
    group["lr"] = 0.25
    assert group["decay_where"] == [False, False, True, True]
    before = copy.deepcopy(tree)
    optimizer.step(ZERO)
    assert np.array_equal(tree["encoder"]["w"], before["encoder"]["w"])
    np.testing.assert_allclose(tree["head"][0], before["head"][0] * 0.875)


@pytest.mark.parametrize(
    ("mask", "error", "words"),
    [
        ("masked", ValueError, 'decay_where must be "everywhere" or "matrices", a callable of name and array'),
        (3.5, TypeError, "decay_where must be"),
        (lambda name, array: "yes", TypeError, 'decay_where("encoder.w", ...) must be True or False, got \'yes\''),
        ({"encoder": {"w": True, "b": 1}, "head": [True, True]}, TypeError, 'decay_where of "encoder.b" must be True or'),
        ({"encoder": {"w": True}, "head": [True, True]}, ValueError, "decay_where['encoder'] must be 2 entries"),
        ([True], TypeError, "decay_where must be a mapping as in params"),
    ],
)  # fmt: skip
def test_a_wrong_mask_changes_nothing(mask, error, words):
    optimizer = sc.SGD(params(), weight_decay=0.1, decay_where=lambda name, array: True)
    with pytest.raises(error) as raised:
        optimizer.param_groups[0]["decay_where"] = mask
    assert words in str(raised.value)
    assert optimizer.param_groups[0]["decay_where"] == [True] * 4
    with pytest.raises(error):
        sc.SGD(params(), weight_decay=0.1, decay_where=mask)


def test_an_error_in_a_mask_comes_out_as_it_is():
    def mask(name, array):
        raise LookupError(name)

    with pytest.raises(LookupError, match=r"encoder\.w"):
        sc.SGD(params(), decay_where=mask)


def named(tree: dict) -> dict:
    return {
        "encoder": {"params": tree["encoder"], "lr": 0.2, "weight_decay": 0.1},
        "head": {"params": tree["head"], "decay_where": "matrices"},
    }


def listed(tree: dict) -> list:
    return [{"name": name, **group} for name, group in named(tree).items()]


@pytest.mark.parametrize("form", [named, listed])
def test_groups_have_names(form, tmp_path):
    tree, grads = params(), params()
    optimizer = sc.Adam(form(tree), lr=0.05)
    given = grads if form is named else [grads["encoder"], grads["head"]]
    optimizer.step(given)
    first, second = optimizer.param_groups
    assert (first["name"], second["name"]) == ("encoder", "head")
    assert (first["lr"], second["lr"]) == (0.2, 0.05)
    assert "name" in list(first)
    with pytest.raises(ValueError, match="name of a group cannot be replaced"):
        first["name"] = "other"
    optimizer.save(tmp_path / "state.npz")
    twins = [
        pickle.loads(pickle.dumps(optimizer)),
        copy.deepcopy(optimizer),
        sc.Adam(form(copy.deepcopy(tree))),
    ]
    twins[2].load(tmp_path / "state.npz")
    optimizer.step(given)
    for twin in twins:
        assert [group["name"] for group in twin.param_groups] == ["encoder", "head"]
        twin.step(given)
        for group, other in zip(optimizer.param_groups, twin.param_groups, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(group["params"], other["params"], strict=True))
    swapped = sc.Adam([{"name": "head", "params": [np.ones(1)]}, {"name": "encoder", "params": [np.ones(1)]}])
    with pytest.raises(ValueError, match='"name"\\] must be "head", got "encoder"'):
        swapped.load_state_dict(optimizer.state_dict())


def test_groups_without_names_have_none():
    group = sc.SGD([{"params": np.ones(1)}]).param_groups[0]
    assert "name" not in list(group)
    with pytest.raises(KeyError):
        group["name"]


def test_only_matrices_decay_in_training():
    """`MLP.fit` beside the reference: weights decay, biases do not; a mask says the same."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    masks = ["matrices", lambda name, array: array.ndim == 2, [True, False] * 2]
    nets = []
    for mask in masks:
        net = sc.MLP([3, 5, 1], dtype="float64", activation="tanh")
        net.fit(
            X, y, optimizer=sc.AdamW(lr=0.01, weight_decay=0.5, decay_where=mask), batch_size=None, epochs=20
        )
        nets.append(net)
    assert np.array_equal(nets[0].theta, nets[1].theta)
    assert np.array_equal(nets[0].theta, nets[2].theta)
    other = sc.MLP([3, 5, 1], dtype="float64", activation="tanh")
    options = sc.AdamW(weight_decay=0.5, decay_where="matrices").param_groups[0]
    options = {key: options[key] for key in options if key not in ("params", "lr", "convention")}
    grads = []
    for _ in range(20):
        grads.append([g.copy() for g in other.loss_and_grads(X, y)[1]])
        start = sc.MLP([3, 5, 1], dtype="float64", activation="tanh").params
        row = trajectory("AdamW", start, grads, lambda t: 0.01, options)[-1]
        for p, value in zip(other.params, row, strict=True):
            p[...] = value
    np.testing.assert_allclose(nets[0].theta, other.theta, rtol=0, atol=1e-12)


@pytest.mark.parametrize("zero", [{"lr": 0.0}, {"lr_factor": 0.0}, {"lr": sc.schedules.constant(0.0)}])
@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_a_frozen_group_stays_bit_by_bit_and_its_gradients_do_not_matter(case, zero):
    """Beside an optimizer that has only the other group: the norm is the other group's alone."""
    rng = np.random.default_rng(0)
    frozen, start = rng.normal(size=(3, 4)).astype(np.float16), rng.normal(size=5).astype(np.float32)
    own, alone = start.copy(), start.copy()
    more = {"clip_norm": 0.5, "weight_decay": 0.1, "ema": 0.9, "lookahead": 2}
    before = frozen.copy()
    strided = np.asfortranarray(frozen)[:, ::2]
    optimizer = case.make([{"params": own}, {"params": [frozen, strided], **zero}], **more)
    other = case.make([{"params": alone}], **more)
    gradient = rng.normal(size=5).astype(np.float32)
    for bad in (np.nan, np.inf, 1e4):
        optimizer.step([gradient, [np.full_like(frozen, bad), np.full_like(strided, bad)]])
        other.step([gradient])
    assert optimizer.step_count == other.step_count == 3
    assert np.array_equal(own, alone)
    assert not np.array_equal(own, start)
    assert np.array_equal(frozen.view(np.uint16), before.view(np.uint16))
    assert np.array_equal(strided, before[:, ::2])
    average = optimizer.averaged_params()
    assert np.array_equal(average[1][0], before)
    assert np.array_equal(average[0], other.averaged_params()[0])
    for name, arrays in other.state_dict()["state"].items():
        assert np.array_equal(optimizer.state_dict()["state"][name][0], arrays[0])


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
def test_a_group_thaws_as_if_it_was_new_also_from_a_file(case, tmp_path):
    start, gradients = np.arange(1.0, 6.0), np.random.default_rng(0).normal(size=(6, 5))
    backbone, head, alone = start.copy(), start.copy(), start.copy()
    groups = [{"params": backbone, "lr": 0.0}, {"params": head}]
    optimizer = case.make(groups, ema=0.9)
    for _ in range(3):
        optimizer.step([np.ones(5), np.ones(5)])
    assert np.array_equal(backbone, start)
    optimizer.save(tmp_path / "state.npz")
    optimizer = case.make(groups, ema=0.9)
    optimizer.load(tmp_path / "state.npz")
    optimizer.param_groups[0]["lr"] = case.lr
    other = case.make([{"params": alone}], ema=0.9)
    for gradient in gradients:
        optimizer.step([gradient, gradient])
        other.step([gradient])
    assert np.array_equal(backbone, alone)
    assert np.array_equal(optimizer.averaged_params()[0], other.averaged_params()[0])


def test_a_schedule_that_passes_through_zero_is_not_frozen():
    w = np.ones(2)
    optimizer = sc.SGD(w, lr=lambda step: 0.0, weight_decay=0.5, decay="independent")
    optimizer.step(np.ones(2))
    assert np.array_equal(w, [0.5, 0.5])
    with pytest.raises(sc.NonFiniteError):
        optimizer.step(np.full(2, np.nan))


def test_a_group_has_a_share_of_the_rate_that_all_follow():
    a, b, c = np.zeros(1), np.zeros(1), np.zeros(1)
    schedule = sc.schedules.linear(1.0, 4, 0.0)
    optimizer = sc.SGD([{"params": a}, {"params": b, "lr_factor": 0.125}], lr=schedule)
    other = sc.SGD(c, lr=lambda step: schedule(step) * 0.125)
    for _ in range(3):
        optimizer.step([np.ones(1), np.ones(1)])
        other.step(np.ones(1))
    assert (a[0], b[0]) == (-2.25, -2.25 * 0.125)
    assert np.array_equal(b, c)
    group = optimizer.param_groups[1]
    # What is read is what was given: a group's rate can be changed in proportion.
    assert (group["lr"], group["lr_factor"]) == (0.25, 0.125)
    group["lr"] = group["lr"] * 2
    optimizer.step([np.zeros(1), np.ones(1)])
    assert b[0] == -2.25 * 0.125 - 0.0625
    with pytest.raises(ValueError, match=r"lr_factor must be a finite number >= 0, got -1\.0"):
        group["lr_factor"] = -1.0


def test_accumulated_gradients_leave_frozen_groups_out():
    a, b = np.zeros(2), np.ones(2)
    optimizer = sc.SGD([{"params": a}, {"params": b, "lr": 0.0}], lr=1.0, accumulate=2)
    optimizer.step([np.ones(2), np.full(2, np.nan)])
    optimizer.step([np.full(2, 3.0), np.full(2, np.inf)])
    assert np.array_equal(a, [-2.0, -2.0])
    assert np.array_equal(b, [1.0, 1.0])
    assert np.array_equal(optimizer.state_dict()["state"]["gathered"][1], np.zeros(2))


def test_rows_of_a_frozen_table_are_left_alone():
    table, other = np.ones((4, 2)), np.ones((3, 2))
    before = table.copy()
    optimizer = sc.Adam([{"params": table, "lr": 0.0}, {"params": other}], lr=0.1, clip_norm=1.0)
    twin = np.ones((3, 2))
    alone = sc.Adam([{"params": twin}], lr=0.1, clip_norm=1.0)
    rows = (np.array([2, 0]), np.ones((2, 2)))
    optimizer.step([(np.array([1]), np.full((1, 2), np.nan)), rows])
    alone.step([rows])
    assert np.array_equal(table, before)
    assert np.array_equal(other, twin)


def test_a_group_is_a_mapping():
    group = sc.Adam({"g": {"params": [np.ones(2)], "lr": 0.3}}, eps=1e-5).param_groups[0]
    assert group.items() == [(key, group[key]) for key in group]
    assert group.values() == [group[key] for key in group]
    assert dict(group) == dict(group.items()) == {key: group.get(key) for key in group.keys()}  # noqa: SIM118
    assert (group.get("lr"), group.get("name"), group.get("nothing"), group.get("nothing", 3)) == (
        0.3,
        "g",
        None,
        3,
    )
    assert "eps" in group
    for key in (0, None, "nothing", ("lr",)):
        assert key not in group
        assert group.get(key) is None
        with pytest.raises(KeyError) as raised:
            group[key]
        assert raised.value.args == (key,)

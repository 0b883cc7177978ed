"""Groups that select arrays by name: recipes, what they are bound to, the same bits as groups given by hand."""

# ruff: noqa: E501

import copy
import pickle

import numpy as np
import pytest

import schuss as sc
from schuss import schedules

NAMES = ["0.weight", "0.bias", "1.weight", "1.bias"]
BIASES = {"params": "*.bias", "weight_decay": 0.0, "name": "biases"}
FIRST = {"params": "0.*", "lr": 1e-2, "decay_where": "matrices"}


def params(dtype=np.float64) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in [(3, 2), 2, (2, 4), 4]]


def steps(optimizer, arrays, regroup=lambda grads: grads, count=6):
    rng = np.random.default_rng(1)
    for number in range(count):
        optimizer.step(regroup([rng.normal(size=p.shape).astype(p.dtype) for p in arrays]))
        optimizer.tell(1.0 / (1 + number // 2))


def weights(name: str, array: np.ndarray) -> bool:
    return array.ndim == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"clip_norm": 0.5, "ema": 0.9},
        {"clip_tensor_norm": 0.1, "accumulate": 2, "lookahead": 3},
        {"lr": schedules.cosine(0.1, total_steps=5)},
        {"nonfinite": "skip"},
    ],
    ids=str,
)
@pytest.mark.parametrize("rule", ["SGD", "AdamW", "LAMB", "NAdam", "Rprop", "ScheduleFreeAdamW"])
def test_the_bits_are_those_of_the_same_groups_given_as_arrays(rule, more, dtype):
    """By hand each array is a group, so that the order of the arrays, and of sums over them, is the same."""
    kind = getattr(sc, rule)
    base = {"weight_decay": 0.1, **more} if "weight_decay" in kind.__signature__.parameters else more
    decays = {"weight_decay": 0.0} if "weight_decay" in base else {}
    biases = {**decays, "lr": schedules.plateau(0.05, patience=1)}
    one, other = params(dtype), params(dtype)
    recipe = kind([{"params": "?.bias", **biases}, {"params": ["1.w*"], "lr": 0.003}], **base)
    selected = recipe.bind(one, NAMES)
    given = kind(
        [
            {"params": [other[0]]},
            {"params": [other[1]], **biases},
            {"params": [other[2]], "lr": 0.003},
            {"params": [other[3]], **biases},
        ],
        **base,
    )
    before = params(dtype)
    steps(selected, one)
    steps(given, other, lambda grads: [[g] for g in grads])
    for a, b, start in zip(one, other, before, strict=True):
        assert np.array_equal(a, b)
        assert not np.array_equal(a, start)


def test_a_rule_with_sums_over_a_group_takes_them_over_what_the_group_selects():
    one, other = params(), params()
    selected = sc.Prodigy([{"params": "*.bias", "weight_decay": 0.1}]).bind(one, NAMES)
    given = sc.Prodigy([{"params": other[::2]}, {"params": other[1::2], "weight_decay": 0.1}])
    steps(selected, one)
    steps(given, other, lambda grads: [grads[::2], grads[1::2]])
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("rule", ["AdamW", "Prodigy", "LAMB", "SGD"])
def test_groups_may_leave_nothing_to_the_first(rule):
    one, other = params(), params()
    selected = getattr(sc, rule)([{"params": "*", "lr": 0.1}], lr=0.5, clip_norm=1.0).bind(one, NAMES)
    assert [len(group["params"]) for group in selected.param_groups] == [0, 4]
    plain = getattr(sc, rule)(other, lr=0.1, clip_norm=1.0)
    steps(selected, one)
    steps(plain, other)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    state = selected.state_dict()
    selected.load_state_dict(state)
    assert repr(selected.state_dict()) == repr(state)


def test_the_first_group_that_matches_takes_an_array():
    recipe = sc.AdamW([{"params": "*.bias"}, {"params": ["0.*", "1.[vw]eight"], "lr": 0.5}])
    optimizer = recipe.bind(params(), NAMES)
    assert optimizer.state_dict()["group_of"] == (2, 1, 2, 1)
    optimizer = sc.AdamW([{"params": weights}, {"params": "0.*"}]).bind(params(), NAMES)
    assert optimizer.state_dict()["group_of"] == (1, 2, 1, 0)
    assert [len(group["params"]) for group in optimizer.param_groups] == [1, 2, 1]


def test_names_come_from_the_structure_where_none_are_given():
    tree = {"encoder": {"w": np.ones((2, 2)), "b": np.ones(2)}, "head": [np.ones(2), np.ones(3)]}
    recipe = sc.SGD([{"params": "encoder.*", "lr": 0.5}, {"params": "head.1", "lr": 0.25}], lr=1.0)
    optimizer = recipe.bind(tree)
    assert optimizer.state_dict()["group_of"] == (1, 1, 0, 2)
    optimizer.step({"encoder": {"w": np.ones((2, 2)), "b": np.ones(2)}, "head": [np.ones(2), np.ones(3)]})
    assert [tree["encoder"]["b"][0], tree["head"][0][0], tree["head"][1][0]] == [0.5, 0.0, 0.75]


def test_masks_of_groups_and_of_decay_are_given_the_names():
    seen = []

    def mask(name, array):
        seen.append((name, array.shape))
        return False

    arrays = params()
    group = {"params": lambda name, array: name.startswith("0") or mask(name, array), "decay_where": mask}
    optimizer = sc.AdamW([group], decay_where=lambda name, array: name == "1.bias").bind(arrays, NAMES)
    assert seen == [("1.weight", (2, 4)), ("1.bias", (4,)), ("0.weight", (3, 2)), ("0.bias", (2,))]
    assert [g["decay_where"] for g in optimizer.param_groups] == [[False, True], [False, False]]
    optimizer.param_groups[0]["decay_where"] = lambda name, array: name == "1.weight"
    assert [g["decay_where"] for g in optimizer.param_groups] == [[True, False], [False, False]]


def test_booleans_say_of_all_arrays_or_of_a_groups_which_decay():
    for mask in ([True, True, False, False], [np.True_, True, False, False], [True, False]):
        optimizer = sc.AdamW([{"params": "*.bias"}], decay_where=mask).bind(params(), NAMES)
        assert [g["decay_where"] for g in optimizer.param_groups] == [[True, False], [True, False]]
    tree = {"a": np.ones(2), "b": {"c": np.ones(2)}}
    optimizer = sc.AdamW([{"params": "b.*"}], decay_where={"a": False, "b": {"c": True}}).bind(tree)
    assert [g["decay_where"] for g in optimizer.param_groups] == [[False], [True]]


RECIPES = {
    "patterns": lambda: sc.AdamW([BIASES, FIRST], lr=1e-3, clip_norm=1.0),
    "lists": lambda: sc.SGD([{"params": ["*.bias", "0.*"], "lr": 0.25, "momentum": 0.5}], convention="torch"),
    "a mapping": lambda: sc.Adam({"biases": {"params": "*.bias", "betas": (0.5, 0.6)}}),
    "a mask": lambda: sc.AdamW([{"params": weights, "lr": schedules.linear(0.1, 5)}], decay_where=weights),
}
COPIES = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("make", RECIPES)
def test_a_recipe_with_groups_is_a_value(make, how):
    recipe = RECIPES[make]()
    twin = COPIES[how](recipe)
    assert twin == recipe == RECIPES[make]()
    assert hash(twin) == hash(recipe)
    assert repr(twin) == repr(recipe)
    groups = [dict(group) for group in recipe.param_groups]
    assert [dict(group) for group in twin.param_groups] == groups
    assert recipe != type(recipe)()
    twin.param_groups[1]["lr"] = 0.75
    assert twin != recipe
    assert [dict(group) for group in recipe.param_groups] == groups
    one, other = params(), params()
    steps(recipe.bind(one, NAMES), one)
    steps(COPIES[how](recipe).bind(other, NAMES), other)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("make", list(RECIPES)[:3])
def test_a_recipe_with_groups_prints_as_the_call_that_makes_it(make):
    recipe = RECIPES[make]()
    assert eval(repr(recipe), vars(sc) | vars(schedules)) == recipe
    assert repr(recipe) in repr(recipe.bind(params(), NAMES))


def test_a_recipes_groups_are_compared():
    recipe = RECIPES["patterns"]()
    for groups in ([BIASES], [FIRST, BIASES], [BIASES, {**FIRST, "params": "1.*"}], [BIASES, {**FIRST, "lr": 0.3}],
                   [{**BIASES, "name": "others"}, FIRST], [{**BIASES, "weight_decay": 0.5}, FIRST]):  # fmt: skip
        assert sc.AdamW(groups, lr=1e-3, clip_norm=1.0) != recipe
    assert sc.SGD([{"params": "a"}]) == sc.SGD([{"params": ["a"]}]) != sc.SGD()


def test_options_of_a_recipes_groups_are_live():
    recipe = RECIPES["patterns"]()
    own, biases, first = recipe.param_groups
    assert (own["params"], biases["params"], first["params"]) == ([], "*.bias", "0.*")
    assert (biases["name"], "name" in list(own)) == ("biases", False)
    assert (recipe.lr, own["lr"], biases["lr"], first["lr"]) == (1e-3, 1e-3, 1e-3, 1e-2)
    recipe.lr = 0.5
    assert [group["lr"] for group in recipe.param_groups] == [0.5] * 3
    biases["weight_decay"] = 0.125
    biases["clip_norm"] = 3.0
    for groups in (recipe.param_groups, recipe.bind(params(), NAMES).param_groups):
        assert [group["weight_decay"] for group in groups] == [0.01, 0.125, 0.01]
        # What is about the whole step is so in every group.
        assert [group["clip_norm"] for group in groups] == [3.0] * 3
    with pytest.raises(ValueError, match="weight_decay must be"):
        biases["weight_decay"] = -1.0
    assert biases["weight_decay"] == 0.125


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("make", RECIPES)
def test_a_copy_at_work_continues(make, how):
    optimizer = RECIPES[make]().bind(params(), NAMES)
    arrays = [None] * 4
    for number, group in enumerate(optimizer.param_groups):
        members = [i for i, of in enumerate(optimizer.state_dict()["group_of"]) if of == number]
        for i, array in zip(members, group["params"], strict=True):
            arrays[i] = array
    steps(optimizer, arrays, count=3)
    state = optimizer.state_dict()
    twin = COPIES[how](optimizer)
    assert repr(twin.state_dict()) == repr(state)
    assert [group["lr"] for group in twin.param_groups] == [group["lr"] for group in optimizer.param_groups]
    if how != "copy":
        steps(optimizer, arrays, count=3)
        steps(twin, arrays, count=3)
        for group, other in zip(optimizer.param_groups, twin.param_groups, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(group["params"], other["params"], strict=True))
    # It is a recipe too, with the groups that it had.
    again, other = params(), params()
    steps(twin.bind(again, NAMES), again)
    steps(optimizer.bind(other, NAMES), other)
    assert all(np.array_equal(a, b) for a, b in zip(again, other, strict=True))


def test_a_group_that_a_mask_selects_is_copied_by_its_names():
    names = ["a[0]*", "a0", "?", "x"]
    optimizer = sc.SGD([{"params": lambda name, array: name in ("a[0]*", "?")}]).bind(params(), names)
    twin = pickle.loads(pickle.dumps(optimizer))
    for other in (twin, twin.bind(params(), names)):
        assert other.state_dict()["group_of"] == (1, 0, 1, 0)


def test_a_state_goes_through_a_file(tmp_path):
    one, other = params(), params()
    optimizer = RECIPES["patterns"]().bind(one, NAMES)
    steps(optimizer, one, count=3)
    optimizer.save(tmp_path / "state.npz")
    for a, b in zip(other, one, strict=True):
        a[...] = b
    resumed = sc.AdamW([{**BIASES, "weight_decay": 0.5}, {**FIRST, "lr": 0.5}]).bind(other, NAMES)
    resumed.load(tmp_path / "state.npz")
    steps(optimizer, one)
    steps(resumed, other)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    elsewhere = sc.AdamW([{"params": "0.*"}, {"params": "*.bias"}]).bind(params(), NAMES)
    before = repr(elsewhere.state_dict())
    with pytest.raises(
        ValueError, match=r'state_dict\["group_of"\] must be \[1, 1, 0, 2\], got \[2, 1, 0, 1\]'
    ):
        elsewhere.load(tmp_path / "state.npz")
    assert repr(elsewhere.state_dict()) == before


def test_torch_is_given_the_arrays_in_the_order_of_the_groups():
    one = params()
    optimizer = sc.AdamW([{"params": "*.weight", "lr": 0.5}], convention="torch").bind(one, NAMES)
    steps(optimizer, one)
    state, own = optimizer.to_torch_state(), optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2, 3]]
    for index, number in enumerate([1, 3, 0, 2]):
        assert np.array_equal(state["state"][index]["exp_avg"], own["state"]["m"][number])


def test_bind_keeps_groups_and_masks():
    one = params()
    optimizer = sc.AdamW([BIASES], decay_where=lambda name, array: name.endswith("weight")).bind(one, NAMES)
    optimizer.param_groups[0]["lr"] = 0.5
    again = optimizer.bind([np.ones(2), np.ones(3)], ["x.bias", "x.weight"])
    assert [group["lr"] for group in again.param_groups] == [0.5, 0.001]
    assert [group["decay_where"] for group in again.param_groups] == [[True], [False]]
    plain = sc.AdamW(params(), decay_where=lambda name, array: array.ndim == 2)
    assert plain.bind([np.ones(2), np.ones((2, 2))]).param_groups[0]["decay_where"] == [False, True]
    arrays = sc.AdamW([{"params": np.ones(1)}, {"params": np.ones(2), "lr": 0.5}])
    with pytest.raises(
        ValueError,
        match="the optimizer must be a recipe, or have one group, or groups that select arrays by name, got groups of arrays",
    ):
        arrays.bind(np.ones(2))


NOTHING = 'must be a selection of arrays that no group before it has, of "0.weight", "0.bias", "1.weight", "1.bias", got'


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([{"params": "*.bais"}], f"params[0][\"params\"] {NOTHING} '*.bais'"),
        ([BIASES, {"params": ["0.bias", "1.bias"]}], f"params[1][\"params\"] {NOTHING} ['0.bias', '1.bias']"),
        ([{"params": "*.BIAS"}], NOTHING),
        ([{"params": lambda name, array: False}], NOTHING),
    ],
)
def test_a_group_that_selects_nothing_is_refused(groups, words):
    recipe = sc.AdamW(groups)
    with pytest.raises(ValueError, match="selection") as raised:
        recipe.bind(params(), NAMES)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ([{"params": ["*.bias", np.ones(2)]}], TypeError, 'params[0]["params"] must be patterns of names alone, or arrays alone, got 1 patterns among 2 entries'),
        ([{"params": "*.bias"}, {"params": np.ones(2)}], TypeError, "params must be groups of arrays alone, or groups of names alone, got 1 of arrays and 1 of names"),
        ([{"params": "*", "clip_norm": 1.0}], ValueError, "clip_norm is about all groups together"),
        ([{"params": "*", "weight_decay": -1.0}], ValueError, "weight_decay must be"),
        ([{"params": "*", "decay_were": "matrices"}], TypeError, "decay_were"),
        ("*.bias", TypeError, "params must be a NumPy array, got str"),
    ],
)  # fmt: skip
def test_wrong_groups_are_refused(params, error, words):
    with pytest.raises((error, ValueError)) as raised:
        sc.AdamW(params)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        (NAMES[:3], ValueError, "names must be 4, one for each array, got 3 strings"),
        ("abcd", TypeError, "names must be strings, one for each array, got str"),
        ([0, 1, 2, 3], TypeError, "names must be strings, one for each array, got int"),
        (3, TypeError, "names must be strings, one for each array, got int"),
    ],
)
def test_wrong_names_are_refused(names, error, words):
    with pytest.raises(error) as raised:
        sc.AdamW().bind(params(), names)
    assert words in str(raised.value)


def test_what_is_bound_twice_is_refused():
    recipe = RECIPES["patterns"]()
    with pytest.raises(
        ValueError,
        match="params must be arrays, as this recipe has groups that select them, got groups of arrays",
    ):
        recipe.bind([{"params": np.ones(2)}])
    with pytest.raises(
        ValueError, match="params must be arrays: bind is given what they select, got groups of names"
    ):
        sc.SGD().bind([{"params": "*"}])


def test_a_mask_that_does_not_say_yes_or_no_is_refused():
    with pytest.raises(
        TypeError, match=r'params\[0\]\["params"\]\("0.weight", ...\) must be True or False, got \'yes\''
    ):
        sc.SGD([{"params": lambda name, array: "yes"}]).bind(params(), NAMES)


def test_minimize_tells_that_a_pattern_matches_nothing():
    with pytest.raises(ValueError, match="must be a selection of arrays"):
        sc.minimize(
            lambda x: float(x @ x), np.ones(2), jac=lambda x: 2 * x, optimizer=sc.SGD([{"params": "w"}])
        )
    groups = sc.SGD([{"params": "*", "lr": 0.25}], lr=0.1)
    result = sc.minimize(
        lambda x: float(x @ x), np.ones(2), jac=lambda x: 2 * x, optimizer=groups, max_steps=1
    )
    assert result.x.tolist() == [0.5, 0.5]


def test_a_network_is_trained_by_groups_of_its_tensors():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    groups = [{"params": "*.bias", "weight_decay": 0.0}, {"params": "0.*", "lr": 1e-3}]
    recipe = sc.AdamW(groups, lr=0.01, weight_decay=0.5)
    net, other = (sc.MLP([3, 5, 1], dtype="float64", activation="tanh") for _ in range(2))
    net.fit(X, y, optimizer=recipe, batch_size=None, epochs=20)
    assert net.optimizer.state_dict()["group_of"] == (2, 1, 0, 1)
    optimizer = recipe.bind(other.params, other.named_params)
    for _ in range(20):
        optimizer.step(other.loss_and_grads(X, y)[1])
    np.testing.assert_allclose(net.theta, other.theta, rtol=0, atol=1e-13)
    twin = pickle.loads(pickle.dumps(net))
    for one in (net, twin):
        one.fit(X, y, batch_size=16, epochs=3)
    assert np.array_equal(net.theta, twin.theta)
    assert repr(twin.optimizer) == repr(net.optimizer)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
def test_an_estimator_is_trained_by_groups_of_its_tensors(learning_rate):
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    recipe = sc.SGD([{"params": "0.weight", "lr": 0.0}, {"params": "*.bias", "lr": 0.02}], lr=0.01)
    make = {
        "optimizer": recipe,
        "hidden_layer_sizes": (5,),
        "random_state": 0,
        "learning_rate": learning_rate,
    }
    whole = sc.MLPRegressor(**make, max_iter=4).fit(X, y)
    start = sc.MLPRegressor(**{**make, "optimizer": sc.SGD(lr=0.0)}, max_iter=1).fit(X, y)
    assert np.array_equal(whole.coefs_[0], start.coefs_[0])
    assert not np.array_equal(whole.coefs_[1], start.coefs_[1])
    assert not np.array_equal(whole.intercepts_[0], start.intercepts_[0])
    same = sc.MLPRegressor(**{**make, "optimizer": sc.SGD(lr=0.01)}, max_iter=4).fit(X, y)
    assert not np.array_equal(whole.intercepts_[1], same.intercepts_[1])
    again = sc.MLPRegressor(**make, max_iter=2, warm_start=True).fit(X, y)
    again.set_params(optimizer=sc.SGD([{"params": "*.bias"}], lr=0.01)).fit(X, y)
    assert not np.array_equal(again.coefs_[0], start.coefs_[0])

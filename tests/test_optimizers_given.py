"""What an optimizer was made with: asked for, set again, kept by copies."""

import copy
import io
import pickle
import threading

import numpy as np
import pytest

import schuss as sc

S = sc.schedules


def refuses(*arguments):
    raise RuntimeError("asked")


def matrices(name, array):
    """A mask that pickle finds by its name."""
    return array.ndim > 1


RECIPES = {
    "open": lambda: sc.Adam(lr=S.cosine(0.1)),
    "function": lambda: sc.SGD(lr=refuses, momentum=0.9),
    "decay": lambda: sc.AdamW(weight_decay=S.flat_cos(0.1), lr=S.warmup(refuses, 3)),
    "mask": lambda: sc.AdamW(decay_where=refuses),
    "booleans": lambda: sc.AdamW(decay_where=[True, False]),
    "groups": lambda: sc.SGD(
        [{"params": "*.bias", "weight_decay": 0.0, "lr": 0.3}, {"params": "a", "momentum": 0.5}],
        lr=S.cosine(0.1),
        weight_decay=0.1,
        swa_start=3,
    ),
    "decay in update": lambda: sc.ScheduleFreeSGD(decay_in_update=False, decay="independent"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_what_get_params_says_changes_nothing(name):
    recipe, same = RECIPES[name](), RECIPES[name]()
    params = recipe.get_params()
    assert recipe.set_params(**params) is recipe
    assert recipe == same
    assert repr(recipe) == repr(same)
    recipe.set_params(**{**params, "clip_value": 3.0})
    assert recipe == same.set_params(clip_value=3.0)


@pytest.mark.parametrize("name", RECIPES)
def test_get_params_says_what_was_given(name):
    recipe = RECIPES[name]()
    params = recipe.get_params()
    assert list(params) == [key for key in recipe.param_groups[0] if key not in ("params", "name")]
    if name == "function":
        assert params["lr"] is refuses
    if name == "mask":
        assert params["decay_where"] is refuses
    if name == "open":
        assert params["lr"] == S.cosine(0.1)
    if name == "decay":
        assert params["lr"] == S.warmup(refuses, 3)
        assert params["weight_decay"] == S.flat_cos(0.1)


def test_an_optimizer_at_work_says_it_too_and_counts_on():
    w = [np.ones((2, 2)), np.ones(2)]
    optimizer = sc.AdamW(w, lr=S.cosine(0.1, 10), decay_where=matrices)
    optimizer.step(w)
    params, before = optimizer.get_params(), repr(optimizer)
    assert params["lr"] == S.cosine(0.1, 10)
    assert params["decay_where"] is matrices
    optimizer.set_params(**params)
    assert repr(optimizer) == before
    assert optimizer.bind([np.ones(3), np.ones((1, 3))]).param_groups[0]["decay_where"] == [False, True]


def test_only_what_is_another_is_set_in_the_groups():
    recipe = sc.SGD([{"params": "a", "lr": 0.3, "momentum": 0.5}], lr=0.1)
    recipe.set_params(lr=0.1, momentum=0.9)
    assert [group["lr"] for group in recipe.param_groups] == [0.1, 0.3]
    assert [group["momentum"] for group in recipe.param_groups] == [0.9, 0.9]
    with pytest.raises(TypeError, match="nesterov must be True or False, got 0"):
        recipe.set_params(nesterov=0)


ESTIMATORS = ["MLPClassifier", "MLPRegressor"]


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("name", RECIPES)
def test_an_estimator_says_it_too(kind, name):
    pytest.importorskip("sklearn")
    from sklearn.base import clone

    model = getattr(sc, kind)()
    model.set_params(optimizer=RECIPES[name]())
    before = repr(model.optimizer)
    params = model.get_params(deep=True)
    assert params["optimizer__lr"] == RECIPES[name]().get_params()["lr"]
    assert model.set_params(**params) is model
    assert repr(model.optimizer) == before
    assert clone(model).optimizer == model.optimizer
    assert "optimizer" in model._repr_html_()
    assert "optimizer" in repr(model)


def pickled(both):
    return pickle.loads(pickle.dumps(both))


COPIES = {
    "pickle": pickled,
    "deepcopy": copy.deepcopy,
    "twice": lambda both: pickled(copy.deepcopy(pickled(both))),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("steps", [0, 3])
def test_a_copy_can_be_bound_with_another_length(how, steps):
    w = np.zeros(2)
    recipe = sc.AdamW([{"params": "0", "weight_decay": S.cosine(0.3)}], lr=S.join([0.01, S.cosine(0.1)], [7]))
    optimizer = recipe.bind([w], total_steps=10)
    for _ in range(steps):
        optimizer.step([np.ones(2)])
    _, twin = COPIES[how](([w], optimizer))
    assert twin._opened() == optimizer._opened() != []
    assert repr(twin) == repr(optimizer)
    for total in (20, 300):
        assert repr(twin.bind([w], total_steps=total)) == repr(optimizer.bind([w], total_steps=total))
    with pytest.raises(ValueError, match="total_steps must be the number of steps"):
        twin.bind([w])
    twin.lr = 0.5
    assert [name for _, name, _ in twin._opened()] == ["weight_decay"]


def arrays():
    return [np.ones((2, 2)), np.ones(2)]


def decayed(optimizer):
    """Which arrays a step without a gradient changes."""
    params = optimizer.param_groups[0]["params"]
    optimizer.step([np.zeros_like(p) for p in params])
    return [bool((p != 1).all()) for p in params]


class Decides:
    """A mask that is no function."""

    def __call__(self, name, array):
        return array.ndim > 1


class Owner:
    """What cannot be copied has a mask."""

    def __init__(self):
        self.lock = threading.Lock()

    def decides(self, name, array):
        return array.ndim > 1

    def rate(self, step):
        return 0.1


# A mask, and whether pickle has it.
MASKS = {
    "by name": (matrices, True),
    "lambda": (lambda name, array: array.ndim > 1, False),
    "object": (Decides(), False),
    "method": (Decides().__call__, False),
    "of what cannot be copied": (Owner().decides, False),
}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", MASKS)
def test_a_function_that_decides_what_decays_does_so_for_a_copy_or_is_missed(name, how):
    mask, is_found = MASKS[name]
    params = arrays()
    optimizer = sc.SGD(params, lr=0.5, weight_decay=0.5, decay_where=mask)
    params, twin = COPIES[how]((params, optimizer))
    assert decayed(twin) == [True, False]
    others = arrays()[::-1]
    if is_found or how == "deepcopy":
        assert decayed(twin.bind(others)) == decayed(optimizer.bind(others)) == [False, True]
        return
    with pytest.raises(ValueError, match="decay_where must be set again before this optimizer is bound"):
        twin.bind(others)
    assert twin.get_params()["decay_where"] == [True, False]
    twin.param_groups[0]["decay_where"] = matrices
    assert decayed(twin.bind(others)) == [False, True]


def test_booleans_are_what_they_were():
    optimizer = sc.SGD(arrays(), lr=0.5, weight_decay=0.5, decay_where=[False, True])
    for copied in (pickled, copy.deepcopy, copy.copy):
        assert copied(optimizer).bind(arrays()).param_groups[0]["decay_where"] == [False, True]


def test_a_function_that_is_not_there_any_more_is_missed(monkeypatch):
    optimizer = sc.SGD(arrays(), weight_decay=0.5, decay_where=matrices)
    data = pickle.dumps(optimizer)
    monkeypatch.delattr(f"{__name__}.matrices")
    twin = pickle.loads(data)
    assert twin.param_groups[0]["decay_where"] == [True, False]
    with pytest.raises(ValueError, match="decay_where must be set again"):
        twin.bind(arrays())


def test_what_has_its_name_now_and_is_no_function_is_not_taken_for_it(monkeypatch):
    data = pickle.dumps(sc.SGD(arrays(), weight_decay=0.5, decay_where=matrices))
    monkeypatch.setattr(f"{__name__}.matrices", 5)
    twin = pickle.loads(data)
    assert twin.get_params()["decay_where"] == [True, False]
    with pytest.raises(ValueError, match="decay_where must be set again"):
        twin.bind(arrays())


@pytest.mark.parametrize("params", [None, arrays()], ids=["recipe", "at work"])
def test_what_belongs_to_an_object_that_cannot_be_copied_can_be_set_beside(params):
    owner = Owner()
    optimizer = sc.SGD(params, lr=owner.rate, weight_decay=0.5, decay_where=owner.decides)
    assert optimizer.set_params(weight_decay=0.1).param_groups[0]["weight_decay"] == 0.1
    before = repr(optimizer)
    with pytest.raises(ValueError, match="momentum must be"):
        optimizer.set_params(weight_decay=0.2, momentum=2.0)
    assert repr(optimizer) == before


def test_a_state_leaves_the_function_that_decides_the_same():
    optimizer, twin = (sc.SGD(arrays(), weight_decay=0.5, decay_where=matrices) for _ in range(2))
    twin.load_state_dict(optimizer.state_dict())
    assert twin.get_params()["decay_where"] is matrices
    state = optimizer.state_dict()
    state["param_groups"][0]["decay_where"] = [False, True]
    twin.load_state_dict(state)
    assert twin.get_params()["decay_where"] == [False, True]


def test_pickles_of_before_are_read():
    optimizer = sc.SGD(lr=S.cosine(0.1), weight_decay=0.5, decay_where=matrices).bind(arrays(), total_steps=9)
    make, args, parts = optimizer.__reduce__()
    for name in ("open", "masks"):
        del parts[name]
    twin = make(*args)
    twin.__setstate__(parts)
    assert repr(twin) == repr(optimizer)
    assert twin.bind(arrays()).param_groups[0]["decay_where"] == [True, False]


@pytest.mark.parametrize("wrong", [{"open": 3}, {"open": [(0, "lr", "x")]}, {"masks": 3}])
def test_parts_of_another_kind_are_refused(wrong):
    optimizer = sc.SGD(arrays(), weight_decay=0.5, decay_where=matrices)
    make, args, parts = optimizer.__reduce__()
    with pytest.raises((TypeError, ValueError)):
        make(*args).__setstate__(parts | wrong)


def trained(optimizer):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    net = sc.MLP([3, 4, 1], dtype="float64", seed=0)
    net.fit(X, X[:, 0], optimizer=optimizer, epochs=2, progress=False)
    return net


def stored(net):
    file = io.BytesIO()
    net.save(file)
    file.seek(0)
    return sc.MLP.load(file)


@pytest.mark.parametrize(
    ("how", "keeps"),
    [(copy.deepcopy, True), (pickled, False), (stored, False)],
    ids=["deepcopy", "pickle", "file"],
)
def test_networks_keep_it_of_their_optimizers(how, keeps):
    recipe = sc.AdamW(lr=S.cosine(0.1), weight_decay=0.5, decay_where=lambda name, array: array.ndim > 1)
    net = how(trained(recipe))
    assert net.optimizer._opened() == [(0, "lr", S.cosine(0.1))]
    other = [np.ones(3), np.ones((2, 2))]
    if keeps:
        assert net.optimizer.bind(other, total_steps=3).param_groups[0]["decay_where"] == [False, True]
        return
    with pytest.raises(ValueError, match="decay_where must be set again"):
        net.optimizer.bind(other, total_steps=3)
    # The network itself goes on.
    again, whole = net, trained(recipe)
    for each in (again, whole):
        each.fit(np.ones((5, 3)), np.ones(5), epochs=2, progress=False)
    np.testing.assert_array_equal(again.theta, whole.theta)


@pytest.mark.parametrize("kind", [list, tuple])
def test_files_have_booleans_of_numpy(kind):
    mask = kind(map(np.bool_, [True, False] * 2))
    net = stored(trained(sc.AdamW(weight_decay=0.5, decay_where=mask)))
    assert net.optimizer.get_params()["decay_where"] == kind([True, False] * 2)
    other = [np.ones(size) for size in (2, 3, 4, 5)]
    assert net.optimizer.bind(other).param_groups[0]["decay_where"] == [True, False] * 2


def test_what_torch_cannot_compute_is_not_exported():
    w = np.ones(2)
    optimizer = sc.NAdam([w], convention="optax")
    optimizer.step([np.ones(2)])
    with pytest.raises(ValueError, match="momentum_decay must be a number, as torch has it, got None"):
        optimizer.to_torch_state()

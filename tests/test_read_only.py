"""What lies in memory that cannot be written predicts; where it is to be trained it says so, or is copied."""

import copy
import io
import pickle

import numpy as np
import pytest

import schuss as sc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = X[:, 0]


def by_buffers(obj, tmp_path):
    """Pickle's protocol 5 with buffers outside: as shared memory and other processes give them."""
    buffers = []
    data = pickle.dumps(obj, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=[bytes(buffer.raw()) for buffer in buffers])


def by_mmap(obj, tmp_path):
    """What workers of joblib get of large arrays."""
    joblib = pytest.importorskip("joblib")
    joblib.dump(obj, tmp_path / "object")
    return joblib.load(tmp_path / "object", mmap_mode="r")


LOADERS = pytest.mark.parametrize("load", [by_buffers, by_mmap])
RECIPES = {
    "adam": sc.Adam(ema=0.9),
    "groups": sc.SGD([{"params": "0.*", "lr": 0.0}], lr=lambda step: 0.1 / (1 + step), momentum=0.9),
    "lbfgs": sc.LBFGS(),
}


def trained(optimizer):
    net = sc.MLP([3, 50, 1], seed=1)
    net.fit(X, Y, optimizer=optimizer, epochs=2)
    return net


def without_functions(recipe):
    return (
        sc.SGD([{"params": "0.*", "lr": 0.0}], lr=0.1, momentum=0.9) if "lambda" in repr(recipe) else recipe
    )


@LOADERS
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_network_predicts_and_refuses_to_be_trained(load, recipe, tmp_path):
    net = trained(without_functions(recipe))
    loaded = load(net, tmp_path)
    assert not loaded.theta.flags.writeable
    assert loaded.predict(X).tobytes() == net.predict(X).tobytes()
    assert loaded.loss(X, Y) == net.loss(X, Y)
    assert loaded.loss_and_grads(X, Y)[0] == net.loss_and_grads(X, Y)[0]
    before, history = repr(loaded.optimizer), loaded.history
    for optimizer in (None, "adam", sc.LBFGS()):
        with pytest.raises(
            ValueError, match="theta must be writable to be trained, got a read-only array: copy"
        ):
            loaded.fit(X, Y, optimizer=optimizer, epochs=1)
    assert repr(loaded.optimizer) == before
    assert loaded.history is history
    # It can be kept and copied, and the copy goes on to the same bits.
    file = io.BytesIO()
    loaded.save(file)
    file.seek(0)
    copies = [copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded)), sc.MLP.load(file)]
    net.fit(X, Y, epochs=2)
    for other in copies:
        other.fit(X, Y, epochs=2)
        assert other.theta.tobytes() == net.theta.tobytes()


@LOADERS
def test_an_optimizer_shows_its_state_and_refuses_to_step(load, tmp_path):
    params = [np.ones(1000), np.ones((3, 2), np.float64)]
    optimizer = sc.Adam(params, ema=0.9)
    optimizer.step([p * 0.1 for p in params])
    loaded_params, loaded = load((params, optimizer), tmp_path)
    assert repr(loaded.state_dict()) == repr(optimizer.state_dict())
    assert all(map(np.array_equal, loaded.averaged_params(), optimizer.averaged_params()))
    with pytest.raises(ValueError, match=r"params\[0\] must be writable, got a read-only array"):
        loaded.step(params)
    assert loaded.step_count == 1
    if load is by_mmap:  # joblib loads an array that is in two places twice
        return
    # A copy of both is an optimizer of the copies.
    own, other = copy.deepcopy((loaded_params, loaded))
    for twins, one in ((params, optimizer), (own, other)):
        one.step([p * 0.1 for p in twins])
    assert all(map(np.array_equal, own, params))


def test_new_optimizers_refuse_read_only_arrays_at_once():
    p = np.ones(3)
    p.setflags(write=False)
    for make in (lambda: sc.Adam(p), lambda: sc.Adam().bind(p), lambda: sc.Adam([{"params": [p]}])):
        with pytest.raises(ValueError, match="must be writable, got a read-only array"):
            make()


@LOADERS
@pytest.mark.parametrize(
    "options",
    [{}, {"solver": "lbfgs"}, {"solver": "sgd", "early_stopping": True}, {"optimizer": sc.Adam(ema=0.9)}],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_copy_what_they_train(load, options, tmp_path):
    pytest.importorskip("sklearn")
    options = {"max_iter": 3, "warm_start": True, "random_state": 0, "hidden_layer_sizes": 20, **options}
    for model, y in ((sc.MLPRegressor(**options), Y), (sc.MLPClassifier(**options), Y > 0)):
        model.fit(X, y)
        loaded = load(model, tmp_path)
        assert not loaded.coefs_[0].flags.writeable
        assert loaded.predict(X).tobytes() == model.predict(X).tobytes()
        loaded.fit(X, y)
        model.fit(X, y)
        assert loaded.predict(X).tobytes() == model.predict(X).tobytes()
        assert loaded.coefs_[0].flags.writeable


def test_a_network_is_pickled_with_one_copy_of_its_parameters():
    net = sc.MLP([100, 100, 1])
    net.fit(RNG.normal(size=(8, 100)), np.zeros(8), optimizer="sgd", epochs=1)
    assert len(pickle.dumps(net)) < 1.5 * net.theta.nbytes


@pytest.mark.parametrize("name", ["layers", "theta", "optimizer", "objective", "_epochs_done"])
def test_a_network_from_half_a_state_is_refused(name):
    state = trained("adam").__getstate__()
    del state[name]
    with pytest.raises(ValueError, match=f"the state of an MLP must have '{name}'"):
        sc.MLP.__new__(sc.MLP).__setstate__(state)


def test_a_network_with_the_parameters_of_another_is_refused():
    state = trained("adam").__getstate__()
    for theta, error in (
        (state["theta"][1:], ValueError),
        (state["theta"].astype(">f4"), ValueError),
        (None, TypeError),
    ):
        with pytest.raises(error, match=r"theta (of an MLP )?must be"):
            sc.MLP.__new__(sc.MLP).__setstate__(state | {"theta": theta})


@pytest.mark.parametrize(
    ("name", "value"), [("dtype", "float16"), ("history", {}), ("history", {"columns": 3}), ("optimizer", {})]
)
def test_a_network_with_a_part_of_another_kind_is_refused(name, value):
    state = trained("adam").__getstate__()
    with pytest.raises(TypeError, match=f"{name} of an MLP must be .*, got {value!r}"):
        sc.MLP.__new__(sc.MLP).__setstate__(state | {name: value})


@pytest.mark.parametrize(
    ("recipe", "name"),
    [(sc.Adam(), "convention"), (sc.Adam(np.ones(2)), "grouping"), (sc.Adam(), "selectors")],
)
def test_an_optimizer_from_half_a_state_is_refused(recipe, name):
    parts = recipe.__reduce__()[2]
    del parts[name]
    with pytest.raises(ValueError, match=f'the state of an optimizer must have "{name}"'):
        sc.Adam().__setstate__(parts)

"""Weights move to PyTorch, scikit-learn and safetensors files and back, and predict the same."""

import json
import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest

import schuss as sc
from schuss.exchange import (
    from_sklearn,
    load_safetensors,
    load_torch,
    save_safetensors,
    to_sklearn,
    to_torch,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
CLASSES = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.4, 0.4])]


def trained(layers=(4, 8, 6, 2), **options):
    net = sc.MLP(layers, **options)
    net.fit(X, X[:, : layers[-1]], epochs=3)
    return net


class TestTorch:
    def test_a_linear_layer_of_torch_computes_the_same(self):
        net = trained(activation="tanh", dtype="float64")
        state = to_torch(net)
        assert list(state) == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]
        out = X
        for name in "024":  # as torch.nn.Linear does: x @ weight.T + bias
            assert state[f"{name}.weight"].flags.c_contiguous
            out = out @ state[f"{name}.weight"].T + state[f"{name}.bias"]
            out = np.tanh(out) if name != "4" else out
        np.testing.assert_allclose(out, net.predict(X), rtol=1e-12)

    def test_the_state_is_a_copy(self):
        net = trained()
        before = net.theta.copy()
        for array in to_torch(net).values():
            array[...] = 7
        np.testing.assert_array_equal(net.theta, before)

    @pytest.mark.parametrize("names", [None, ["first", "second", "last"]])
    def test_there_and_back_again_is_the_same_to_the_last_bit(self, names):
        net, other = trained(), sc.MLP([4, 8, 6, 2], seed=5)
        state = to_torch(net, names)
        load_torch(other, state)
        assert other.theta.tobytes() == net.theta.tobytes()
        load_torch(net, dict(reversed(state.items())), ["4", "2", "0"][::-1] if names is None else names)
        assert other.theta.tobytes() == net.theta.tobytes()

    def test_a_layer_without_bias_gets_zeros(self):
        net = trained((4, 3))
        load_torch(net, {"weight.weight": np.ones((3, 4))})
        np.testing.assert_array_equal(net.params[0], np.ones((4, 3)))
        np.testing.assert_array_equal(net.params[1], np.zeros(3))

    def test_an_estimator_takes_weights_too(self):
        pytest.importorskip("sklearn")
        one, other = (
            sc.MLPClassifier(8, max_iter=300, tol=0.01, random_state=seed).fit(X, CLASSES) for seed in (0, 1)
        )
        assert not np.array_equal(one.predict_proba(X), other.predict_proba(X))
        load_torch(other, to_torch(one))
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda state: state.pop("2.weight"), "there must be weights of 3 layers, got 2"),
            (
                lambda state: state.update({"2.weight": np.ones((8, 6))}),
                r"weights of layer 2 must be of shape \(8, 6\), got \(6, 8\)",
            ),
            (lambda state: state.update({"2.bias": np.ones(5)}), r"biases of layer 2 must be .* got \(5,\)"),
            (lambda state: state.update({"4.weight": np.ones(2)}), "weights of layer 3 must be of shape"),
        ],
    )
    def test_what_does_not_fit_changes_nothing(self, change, message):
        net, state = trained(), to_torch(sc.MLP([4, 8, 6, 2], seed=5))
        before = net.theta.copy()
        change(state)
        with pytest.raises(ValueError, match=message):
            load_torch(net, state)
        np.testing.assert_array_equal(net.theta, before)

    def test_names_must_be_those_of_the_layers(self):
        net = trained()
        with pytest.raises(ValueError, match=r"names must be 3, one for each layer, got \['a'\]"):
            to_torch(net, ["a"])
        with pytest.raises(
            ValueError, match=r"state must have weights of the layers \['a'\], got \['0.weight'"
        ):
            load_torch(net, to_torch(net), ["0", "a", "2"])


class TestSafetensors:
    @pytest.fixture(autouse=True)
    def needs(self):
        pytest.importorskip("safetensors")

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("loss", ["mse", "cross_entropy", "poisson"])
    def test_a_network_comes_back_the_same(self, tmp_path, dtype, loss):
        net = sc.MLP([4, *[5] * 11, 2], activation=["gelu"] * 10 + ["tanh"], loss=loss, dtype=dtype, seed=3)
        save_safetensors(net, tmp_path / "net.safetensors")
        same = load_safetensors(tmp_path / "net.safetensors")
        assert repr(same) == repr(net)
        assert same.theta.tobytes() == net.theta.tobytes()
        assert same.predict(X).tobytes() == net.predict(X).tobytes()

    def test_one_output_keeps_its_shape(self, tmp_path):
        net = trained((4, 1))
        assert net.predict(X).shape == (80, 1)
        save_safetensors(net, str(tmp_path / "net"))
        assert load_safetensors(str(tmp_path / "net")).predict(X).shape == (80, 1)

    def test_the_file_has_the_names_and_the_layout_of_torch(self, tmp_path):
        net = trained((4, 3, 2))
        save_safetensors(net, tmp_path / "net", names=["in", "out"])
        content = (tmp_path / "net").read_bytes()  # read by hand: length, header, numbers
        (size,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + size])
        assert header.pop("__metadata__")["format"] == "pt"
        assert {name: (entry["dtype"], entry["shape"]) for name, entry in header.items()} == {
            "in.weight": ("F32", [3, 4]),
            "in.bias": ("F32", [3]),
            "out.weight": ("F32", [2, 3]),
            "out.bias": ("F32", [2]),
        }
        start, end = (8 + size + offset for offset in header["in.weight"]["data_offsets"])
        numbers = np.frombuffer(content[start:end], "<f4").reshape(3, 4)
        np.testing.assert_array_equal(numbers, net.params[0].T)
        assert load_safetensors(tmp_path / "net").theta.tobytes() == net.theta.tobytes()

    def test_an_estimators_network_predicts_the_same(self, tmp_path):
        pytest.importorskip("sklearn")
        model = sc.MLPClassifier((8, 8), "logistic", max_iter=300, tol=0.01, random_state=0).fit(X, CLASSES)
        save_safetensors(model, tmp_path / "model")
        net = load_safetensors(tmp_path / "model")
        np.testing.assert_array_equal(net.predict(X), model.predict_proba(X))
        zeroed = from_sklearn(model)
        for part in (*zeroed.coefs_, *zeroed.intercepts_):
            part[...] = 0
        assert load_safetensors(tmp_path / "model", zeroed) is zeroed
        np.testing.assert_array_equal(zeroed.predict_proba(X), model.predict_proba(X))

    def test_a_file_of_another_program_loads_into_a_network(self, tmp_path):
        from safetensors.numpy import save_file

        net = sc.MLP([4, *[5] * 11, 2], seed=3)
        save_file({f"body.{name}": array for name, array in to_torch(net).items()}, tmp_path / "other")
        with pytest.raises(ValueError, match="does not say what network it is: model must be given"):
            load_safetensors(tmp_path / "other")
        other = sc.MLP([4, *[5] * 11, 2], seed=4)
        assert load_safetensors(tmp_path / "other", other) is other
        assert other.theta.tobytes() == net.theta.tobytes()

    def test_a_file_of_another_network_changes_nothing(self, tmp_path):
        save_safetensors(trained((4, 3, 2)), tmp_path / "net")
        other = trained((4, 5, 2))
        before = other.theta.copy()
        with pytest.raises(ValueError, match=r"weights of layer 1 must be of shape \(4, 5\), got \(4, 3\)"):
            load_safetensors(tmp_path / "net", other)
        np.testing.assert_array_equal(other.theta, before)


class TestSklearn:
    @pytest.fixture(autouse=True)
    def neural_network(self):
        return pytest.importorskip("sklearn.neural_network")

    @pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
    @pytest.mark.parametrize(
        "y", [CLASSES, X[:, 0] > 0, (X[:, :3] > 0).astype(int)], ids=["3", "2", "labels"]
    )
    def test_a_classifier_there_and_back(self, neural_network, activation, y):
        options = {"max_iter": 300, "tol": 0.01, "random_state": 0}
        theirs = neural_network.MLPClassifier((8, 5), activation, **options).fit(X, y)
        ours = from_sklearn(theirs)
        assert isinstance(ours, sc.MLPClassifier)
        assert ours.get_params().items() >= theirs.get_params().items()
        for model in (ours, to_sklearn(ours)):
            np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)
            np.testing.assert_array_equal(model.predict(X), theirs.predict(X))
        assert ours.history_["loss"] == theirs.loss_curve_
        assert type(to_sklearn(ours)) is type(theirs)

    @pytest.mark.parametrize("loss", ["squared_error", "poisson"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_regressor_there_and_back(self, neural_network, loss, dtype):
        inputs, y = X.astype(dtype), np.abs(X[:, :2]) if loss == "squared_error" else np.abs(X[:, 0])
        ours = sc.MLPRegressor(loss, (8,), max_iter=300, tol=0.01, random_state=0).fit(inputs, y)
        if "loss" not in neural_network.MLPRegressor().get_params():
            pytest.skip("this scikit-learn has no losses")
        theirs = to_sklearn(ours)
        assert isinstance(theirs, neural_network.MLPRegressor)
        for model in (theirs, from_sklearn(theirs)):
            np.testing.assert_allclose(model.predict(inputs), ours.predict(inputs), rtol=1e-5, atol=1e-6)

    def test_the_arrays_are_its_own(self):
        ours = sc.MLPRegressor(max_iter=300, tol=0.01, random_state=0).fit(X, X[:, 0])
        before = ours.predict(X)
        for model in (to_sklearn(ours), from_sklearn(to_sklearn(ours))):
            model.coefs_[0][...] = 0
        np.testing.assert_array_equal(ours.predict(X), before)

    def test_training_goes_on(self, neural_network):
        numbers = np.unique(CLASSES, return_inverse=True)[1]
        options = {"max_iter": 300, "tol": 0.01, "random_state": 0}
        model = neural_network.MLPClassifier(8, **options).fit(X, numbers)
        for _ in range(2):
            before = model.loss_
            model = to_sklearn(from_sklearn(model).partial_fit(X, numbers)).partial_fit(X, numbers)
            assert model.loss_ < before
        early = neural_network.MLPClassifier(8, early_stopping=True, warm_start=True, **options)
        early = from_sklearn(early.fit(X, numbers))
        seen = len(early.validation_scores_)
        early.fit(X, numbers)
        assert len(early.validation_scores_) > seen
        assert early.best_validation_score_ == max(early.validation_scores_)

    def test_what_scikit_learn_does_not_have_is_refused(self):
        options = {"max_iter": 300, "tol": 0.1, "random_state": 0}
        for name, model in {
            "activation": sc.MLPRegressor(activation="gelu", **options),
            "loss": sc.MLPRegressor("huber", **options),
        }.items():
            with pytest.raises(ValueError, match=f"{name} must be one that scikit-learn has"):
                to_sklearn(model.fit(X, X[:, 0]))
        mixed = sc.MLPRegressor(hidden_layer_sizes=(4, 4), activation=["tanh", "relu"], **options)
        with pytest.raises(ValueError, match=r"the same everywhere; got \['tanh', 'relu'\]"):
            to_sklearn(mixed.fit(X, X[:, 0]))
        for refuses in (from_sklearn, to_sklearn):
            for model, got in [(sc.MLPRegressor(), "MLPRegressor"), (sc.MLP([2, 3, 1]), r"MLP\(\[2, 3, 1\]")]:
                with pytest.raises(TypeError, match=f"model must be a fitted MLPClassifier.* got {got}"):
                    refuses(model)

    def test_its_weights_fit_into_a_network(self, neural_network):
        options = {"max_iter": 300, "tol": 0.01, "random_state": 0}
        theirs = neural_network.MLPRegressor(hidden_layer_sizes=(8, 5), activation="tanh", **options)
        theirs.fit(X, X[:, 0])
        net = sc.MLP([4, 8, 5, 1], activation="tanh", dtype="float64")
        load_torch(net, to_torch(theirs))
        np.testing.assert_allclose(net.predict(X), theirs.predict(X), rtol=1e-9)


def test_importing_it_loads_nothing_optional():
    names = {"onnx", "safetensors", "sklearn", "torch"}
    code = f"import sys, schuss.exchange; print({names} & {{*sys.modules}})"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "set()\n"


def test_a_training_of_scikit_learns_lbfgs_goes_on():
    neural_network = pytest.importorskip("sklearn.neural_network")
    X = np.random.default_rng(0).normal(size=(60, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = neural_network.MLPRegressor(
            hidden_layer_sizes=8, solver="lbfgs", max_iter=5, random_state=0
        ).fit(X, X[:, 0])
        ours = sc.exchange.from_sklearn(theirs).set_params(warm_start=True, max_iter=20).fit(X, X[:, 0])
    assert ours.n_iter_ == len(ours.loss_curve_)
    assert ours.loss_ < theirs.loss_

"""Weights move to PyTorch, scikit-learn and safetensors files and back, and predict the same."""

import io
import json
import random
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
            (lambda state: state.pop("2.weight"), "must have weights of 3 layers, got 2"),
            (
                lambda state: state.update({"2.weight": np.ones((8, 6))}),
                r"weights of layer 2 must be of shape \(6, 8\), got \(8, 6\)",
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

    @pytest.mark.parametrize(
        ("value", "error", "words"),
        [
            (None, TypeError, "must be an array of floating-point numbers, got None"),
            ("text", TypeError, "got 'text'"),
            (np.ones((6, 8), int), TypeError, "got dtype int64"),
            (np.ones((6, 8), bool), TypeError, "got dtype bool"),
            (np.ones((6, 8), complex), TypeError, "got dtype complex128"),
            (np.ones((6, 8), object), TypeError, "got dtype object"),
            (np.ones((6, 8), "M8[s]"), TypeError, "got dtype datetime64"),
            (np.ma.ones((6, 8)), TypeError, "must be an array without a mask"),
            ([np.ma.masked_less(np.arange(8.0), 3)] * 6, TypeError, "must be an array without a mask"),
            ([[1.0], [1.0, 2.0]], TypeError, "must be an array or a tensor on the CPU"),
            (np.full((6, 8), np.nan), ValueError, "must be finite, got NaN or infinity"),
            (np.full((6, 8), 1e300), ValueError, "weights of layer 2 must fit into float32, got 1e"),
        ],
    )
    def test_what_is_no_weight_is_named_and_changes_nothing(self, value, error, words):
        net, state = trained(), to_torch(sc.MLP([4, 8, 6, 2], seed=5))
        before = net.theta.copy()
        place = "" if "layer 2" in words else r"state\['2.weight'\] .*"
        with pytest.raises(error, match=place + words):
            load_torch(net, state | {"2.weight": value})
        with pytest.raises(error, match=words.replace("weights of layer", "biases of layer")):
            load_torch(net, state | {"2.bias": value[:, 0] if isinstance(value, np.ndarray) else value})
        np.testing.assert_array_equal(net.theta, before)

    def test_a_parameter_of_torch_that_requires_gradients_is_taken(self):
        class Parameter:
            def __init__(self, array):
                self.array = array

            def __array__(self, *_, **__):
                raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

            def detach(self):
                return self.array

        net, other = trained(), sc.MLP([4, 8, 6, 2], seed=5)
        load_torch(other, {name: Parameter(array) for name, array in to_torch(net).items()})
        assert other.theta.tobytes() == net.theta.tobytes()

    def test_modules_with_more_than_a_weight_and_a_bias_are_refused(self):
        net, state = trained(), to_torch(trained())
        for key in ("2.weight_g", "rnn.weight_ih_l0", "6.bias"):
            with pytest.raises(ValueError, match=rf"linear layers and layer norms alone, got .*'{key}'"):
                load_torch(net, state | {key: np.ones(8)})
        # Where names are given, others may be there.
        load_torch(net, state | {"rnn.weight_ih_l0": np.ones(8)}, ["0", "2", "4"])

    def test_the_state_and_the_names_must_be_such(self):
        net = trained()
        for state in (None, [np.ones(2)], {1: np.ones(2)}):
            with pytest.raises(TypeError, match="state must be a mapping of names to arrays"):
                load_torch(net, state)
        with pytest.raises(TypeError, match="names must be a sequence of strings"):
            load_torch(net, to_torch(net), "024")
        with pytest.raises(ValueError, match="names must be different"):
            load_torch(net, to_torch(net), ["0", "0", "4"])

    def test_a_dict_in_the_order_of_a_file_does_not_permute_equal_layers(self):
        net = sc.MLP([5] * 13, seed=1)
        state = dict(sorted(to_torch(net, [f"layers.{i}" for i in range(12)]).items()))  # 10 before 2
        with pytest.raises(ValueError, match=r"names must say in which order the layers 'layers\.0'"):
            load_torch(sc.MLP([5] * 13), state)
        other = sc.MLP([5] * 13)
        load_torch(other, state, [f"layers.{i}" for i in range(12)])
        assert other.theta.tobytes() == net.theta.tobytes()


def test_a_model_in_read_only_memory_is_refused_as_a_whole():
    net, state = trained(), to_torch(sc.MLP([4, 8, 6, 2], seed=5))
    before = net.theta.copy()
    net.params[2].flags.writeable = False
    with pytest.raises(ValueError, match="weights of layer 2 must be writable in the model"):
        load_torch(net, state)
    np.testing.assert_array_equal(net.theta, before)


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

    @pytest.mark.parametrize("value", [np.nan, -np.inf])
    def test_what_could_not_be_loaded_does_not_replace_a_file(self, tmp_path, value):
        net = trained()
        save_safetensors(net, tmp_path / "net")
        before = (tmp_path / "net").read_bytes()
        net.params[3][0] = value
        with pytest.raises(ValueError, match=r"2\.bias must be finite, got NaN or infinity"):
            save_safetensors(net, tmp_path / "net")
        assert (tmp_path / "net").read_bytes() == before

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

    @pytest.mark.parametrize("count", [3, 12])
    def test_equal_layers_keep_their_order(self, tmp_path, count):
        from safetensors.numpy import save_file

        net = sc.MLP([5] * (count + 1), seed=1)
        letters = [chr(ord("z") - i) for i in range(count)]
        save_safetensors(net, tmp_path / "own", letters)
        assert load_safetensors(tmp_path / "own").theta.tobytes() == net.theta.tobytes()
        for number, names in enumerate([[f"layers.{i}" for i in range(count)], letters]):
            save_file(to_torch(net, names), tmp_path / "other")
            other = sc.MLP([5] * (count + 1))
            before = other.theta.tobytes()
            if number:
                with pytest.raises(ValueError, match="names must say in which order the layers"):
                    load_safetensors(tmp_path / "other", other)
                assert other.theta.tobytes() == before
                load_safetensors(tmp_path / "other", other, letters)
            else:
                load_safetensors(tmp_path / "other", other)
            assert other.theta.tobytes() == net.theta.tobytes()

    def test_shapes_tell_the_order_where_names_do_not(self, tmp_path):
        from safetensors.numpy import save_file

        net = sc.MLP([4, 5, 5, 2], seed=1)
        save_file(to_torch(net, ["stem", "block.1", "a_head"]), tmp_path / "other")
        other = load_safetensors(tmp_path / "other", sc.MLP([4, 5, 5, 2]))
        assert other.theta.tobytes() == net.theta.tobytes()

    def test_2000_flipped_bits_are_refused_or_make_no_difference(self):
        net, stream = trained((4, 8, 3), activation="tanh"), io.BytesIO()
        save_safetensors(net, stream)
        content, rng, refused, same = stream.getvalue(), random.Random(0), 0, 0
        for number in range(2000):
            damaged = bytearray(content)
            if number % 4:
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            else:
                del damaged[rng.randrange(len(damaged)) :]
            for model in (None, sc.MLP([4, 8, 3], activation="tanh")):
                before = b"" if model is None else model.theta.tobytes()
                try:
                    loaded = load_safetensors(io.BytesIO(damaged), model)
                except ValueError:
                    refused += 1
                    assert model is None or model.theta.tobytes() == before
                else:
                    same += 1
                    assert loaded.theta.tobytes() == net.theta.tobytes()
                    assert loaded.predict(X).tobytes() == net.predict(X).tobytes()
        assert refused + same == 4000
        assert same < 100

    def test_damaged_and_other_files_are_named(self, tmp_path):
        path = tmp_path / "file"
        for content in (b"", b"hello", b"\xff" * 100):
            path.write_bytes(content)
            with pytest.raises(ValueError, match="file is damaged, or no file of safetensors"):
                load_safetensors(path)
        with pytest.raises(FileNotFoundError):
            load_safetensors(tmp_path / "missing")
        save_safetensors(trained(), path)
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        with pytest.raises(ValueError, match="file is damaged: its checksum"):
            load_safetensors(path, trained())

    @pytest.mark.parametrize("config", [{"layers": 3, "activation": "relu"}, {"loss": "mse", "names": ["a"]}])
    def test_a_file_of_another_program_may_tell_of_layers(self, tmp_path, config):
        from safetensors.numpy import save_file

        net, other = trained(), sc.MLP([4, 8, 6, 2])
        metadata = {"format": "pt", "config": json.dumps(config)}
        save_file(to_torch(net), tmp_path / "other", metadata=metadata)
        load_safetensors(tmp_path / "other", other)
        assert other.theta.tobytes() == net.theta.tobytes()

    @pytest.mark.parametrize("word", [b"layers", b"activation", b"loss", b"flat", b"names", b"norm"])
    def test_a_file_of_ours_whose_two_keys_are_damaged_is_no_foreign_one(self, tmp_path, word):
        path = tmp_path / "file"
        save_safetensors(trained(), path)
        content = path.read_bytes().replace(b'"schuss":', b'"sciuss":').replace(word, word[:-1] + b"_")
        damaged = bytearray(content.replace(b"schuss.sha256", b"schuss.sha257"))
        damaged[-1] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="file is damaged: its checksum"):
            load_safetensors(path, trained())

    def test_a_file_without_a_checksum_is_read_and_one_that_contradicts_itself_is_not(self, tmp_path):
        from safetensors.numpy import save_file

        net = trained((4, 3, 2), activation="tanh")
        about = {
            "layers": [4, 3, 2],
            "activation": ["tanh"],
            "loss": "mse",
            "flat": True,
            "names": ["0", "2"],
        }

        def load(**change):
            metadata = {"format": "pt", "schuss": json.dumps(about | change)}
            save_file(to_torch(net), tmp_path / "old", metadata=metadata)
            return load_safetensors(tmp_path / "old")

        assert load().theta.tobytes() == net.theta.tobytes()
        for change in (
            {"layers": [4, 2**40, 2]},
            {"activation": ["soft"]},
            {"names": ["0", "1"]},
            {"layers": 3},
            {"flat": "no"},
        ):
            with pytest.raises(ValueError, match="old does not describe a network that this schuss knows"):
                load(**change)

    @pytest.mark.parametrize("version", [0, -1, 0.5, True, None])
    def test_versions_begin_at_1(self, tmp_path, version):
        from safetensors.numpy import save_file

        metadata = {"format": "pt", "schuss": json.dumps({"version": version})}
        save_file(to_torch(trained()), tmp_path / "net", metadata=metadata)
        with pytest.raises(ValueError, match=f"net is damaged: there is no version {version}"):
            load_safetensors(tmp_path / "net", trained())

    def test_a_file_of_another_network_changes_nothing(self, tmp_path):
        save_safetensors(trained((4, 3, 2)), tmp_path / "net")
        other = trained((4, 5, 2))
        before = other.theta.copy()
        with pytest.raises(ValueError, match=r"weights of layer 1 must be of shape \(5, 4\), got \(3, 4\)"):
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
        # Other rows are held out now, of which the best is sought anew.
        assert early.best_validation_score_ == max(early.validation_scores_[seen:])

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
            for model, got in [
                (sc.MLPRegressor(), r"MLPRegressor\(\), which is not fitted yet"),
                (sc.MLP([2, 3, 1]), r"MLP\(\[2, 3, 1\].*dtype='float32'\)"),  # fitted, it is none either
            ]:
                with pytest.raises(TypeError, match=f"model must be a fitted MLPClassifier.* got {got}$"):
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

    @pytest.mark.parametrize(
        ("name", "value", "error", "words"),
        [
            (
                "coefs_",
                [None, None],
                TypeError,
                r"coefs_\[0\] of the model must be an array of floating-point numbers",
            ),
            (
                "coefs_",
                [np.ones((4, 5)), np.ones((6, 1))],
                ValueError,
                r"coefs_\[1\] of the model must have 5 rows, got 6",
            ),
            ("intercepts_", [np.ones(5)], ValueError, "intercepts_ must be 2 arrays"),
            (
                "intercepts_",
                [np.ones(5), np.ones(2)],
                ValueError,
                r"intercepts_\[1\] of the model must be of shape \(1,\)",
            ),
            ("intercepts_", [np.ones(5, int), np.ones(1)], TypeError, r"intercepts_\[0\] .* got int64"),
        ],
    )
    def test_arrays_that_are_no_layers_are_refused(self, name, value, error, words):
        model = sc.MLPRegressor(hidden_layer_sizes=5, max_iter=2).fit(X, X[:, 0])
        setattr(model, name, value)
        for use in (to_torch, to_sklearn, from_sklearn):
            with pytest.raises(error, match=words):
                use(model)


def _stopped_early(kind, **options):
    X = np.random.default_rng(0).normal(size=(60, 4))
    options = {"hidden_layer_sizes": 20, "early_stopping": True, "random_state": 0, **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind(**options).fit(X, X[:, 0] > 0), X, X[:, 0] > 0


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_best_epoch_is_sought_anew_after_a_training_of_scikit_learns():
    neural_network = pytest.importorskip("sklearn.neural_network")
    model, X, y = _stopped_early(neural_network.MLPClassifier, learning_rate_init=0.01, max_iter=40)
    assert model.best_validation_score_ == 1.0
    ours = sc.exchange.from_sklearn(model).set_params(warm_start=True, max_iter=5)
    ours.fit(X, y, X_val=X, y_val=~y)
    scores = ours.validation_scores_[-5:]
    assert ours.best_validation_score_ == max(scores) == ours.score(X, ~y) > scores[-1]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_scikit_learn_goes_on_with_a_training_that_has_stopped_early():
    pytest.importorskip("sklearn")
    model, X, y = _stopped_early(sc.MLPClassifier, learning_rate_init=1e-9, max_iter=3)
    theirs = sc.exchange.to_sklearn(model).set_params(warm_start=True)
    theirs.best_validation_score_ = 2.0  # none is better
    theirs.fit(X, y)
    assert (theirs.coefs_[0] == model.coefs_[0]).all()


@pytest.mark.parametrize("losses", [("poisson", "squared_error"), ("huber", "poisson")])
def test_a_loss_that_was_set_since_does_not_change_what_is_saved(losses, tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("safetensors")
    fitted, later = losses
    model = sc.MLPRegressor(fitted, (8,), max_iter=300, tol=10, random_state=0).fit(X, np.abs(X[:, 0]))
    out = model.predict(X)
    model.set_params(loss=later)
    sc.exchange.save_safetensors(model, tmp_path / "net.safetensors")
    np.testing.assert_array_equal(sc.exchange.load_safetensors(tmp_path / "net.safetensors").predict(X), out)


def test_a_bound_of_outputs_that_was_set_since_cannot_be_saved(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("safetensors")
    model = sc.MLPRegressor(max_iter=300, tol=10, random_state=0).fit(X, X[:, 0])
    model.out_activation_ = "relu"
    with pytest.raises(ValueError, match=r"^out_activation_ of the model must be one of .*, got 'relu'"):
        sc.exchange.save_safetensors(model, tmp_path / "net.safetensors")

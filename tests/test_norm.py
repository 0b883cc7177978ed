"""Normalised layers: against NumPy written from the papers, in training, prediction, state and export."""

import copy
import pickle

import numpy as np
import pytest

import schuss as sc

NORMS = ("layer", "rms")
EPS = 1e-5
ACTIVATIONS = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "identity": lambda z: z}


def reference(net, X):
    """The network's outputs, in float64."""
    named = {name: np.asarray(array, np.float64) for name, array in net.named_params.items()}
    a = np.asarray(X, np.float64)
    last = len(net.layers) - 2
    for layer in range(last + 1):
        z = a @ named[f"{layer}.weight"] + named[f"{layer}.bias"]
        if layer == last:
            return z
        if net.norm == "layer":
            z = z - z.mean(axis=1, keepdims=True)
        z = z / np.sqrt((z**2).mean(axis=1, keepdims=True) + EPS)
        z = z * named[f"{layer}.gain"]
        if net.norm == "layer":
            z = z + named[f"{layer}.shift"]
        a = ACTIVATIONS[net.activations[layer]](z)
    return None


def network(norm, layers=(7, 20, 33, 2), **options):
    net = sc.MLP(list(layers), **{"activation": "tanh", "norm": norm, "seed": 1, **options})
    rng = np.random.default_rng(2)
    for name, array in net.named_params.items():
        if not name.endswith("weight"):
            array += rng.normal(0, 0.3, array.shape).astype(array.dtype)
    return net


def rows(net, count=60, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.normal(1.0, 2.0, (count, net.layers[0])).astype(net.dtype)
    return X, rng.normal(size=(count, net.layers[-1])).astype(net.dtype)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("layers", [(7, 20, 33, 2), (1, 1, 1), (3, 16, 2), (5, 17, 1, 64, 3)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_outputs_are_those_of_the_formula(norm, layers, dtype, tolerance, activation):
    net = network(norm, layers, dtype=dtype, activation=activation)
    X, _ = rows(net)
    expected = reference(net, X)
    np.testing.assert_allclose(
        net.predict(X).reshape(expected.shape), expected, rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_gradients_are_those_of_finite_differences(norm, activation):
    net = network(norm, (4, 9, 6, 2), dtype="float64", activation=activation, l2=0.1)
    X, y = rows(net, 15)
    _, grads = net.loss_and_grads(X, y)
    for array, gradient in zip(net.params, grads, strict=True):
        for i in np.ndindex(array.shape):
            before = array[i]
            array[i] = before + 1e-6
            up = net.loss(X, y)
            array[i] = before - 1e-6
            down = net.loss(X, y)
            array[i] = before
            assert gradient[i] == pytest.approx((up - down) / 2e-6, abs=1e-8)


def test_the_penalty_is_on_weights_alone():
    net = network("layer", dtype="float64", l2=0.5)
    X, y = rows(net)
    plain = sc.MLP(net.layers, activation="tanh", norm="layer", dtype="float64")
    plain.theta[:] = net.theta
    squares = sum((array**2).sum() for name, array in net.named_params.items() if name.endswith("weight"))
    assert net.loss(X, y) - plain.loss(X, y) == pytest.approx(0.25 * squares, rel=1e-12)


@pytest.mark.parametrize("norm", [None, *NORMS])
def test_parameters_are_views_by_name_in_their_order(norm):
    net = sc.MLP([3, 5, 2], norm=norm)
    extra = {None: [], "layer": ["0.gain", "0.shift"], "rms": ["0.gain"]}[norm]
    assert list(net.named_params) == ["0.weight", "0.bias", *extra, "1.weight", "1.bias"]
    assert [array.shape for array in net.params] == [(3, 5), (5,), *[(5,)] * len(extra), (5, 2), (2,)]
    for array, same in zip(net.params, net.named_params.values(), strict=True):
        assert array is same
        assert array.base is net.theta
    np.testing.assert_array_equal(np.concatenate([array.ravel() for array in net.params]), net.theta)
    if norm:
        assert (net.named_params["0.gain"] == 1).all()


def test_weights_start_as_those_of_a_network_without_norm():
    plain, normed = sc.MLP([3, 5, 2], seed=4), sc.MLP([3, 5, 2], seed=4, norm="layer")
    for name, array in plain.named_params.items():
        np.testing.assert_array_equal(array, normed.named_params[name])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_training_has_the_same_bits_for_every_number_of_threads(norm, dropout):
    thetas = set()
    for threads in (1, 2, 5):
        net = network(norm, dropout=dropout, activation=["gelu", "relu"])
        X, y = rows(net, 230)
        net.fit(X, y, optimizer=sc.Adam(lr=0.01), batch_size=64, epochs=4, n_threads=threads)
        thetas.add(net.theta.tobytes())
    assert len(thetas) == 1


@pytest.mark.parametrize("norm", NORMS)
def test_a_batch_of_several_pieces_has_the_same_bits_for_every_number_of_threads(norm):
    """More rows than are held at once, with dropout, a penalty and a tensor that is left as it is."""
    thetas = set()
    for threads in (1, 2, 5):
        net = network(norm, dropout=0.3, activation=["gelu", "relu"], l2=0.01)
        X, y = rows(net, 5_000)
        frozen, gain = net.named_params["1.weight"].copy(), net.named_params["0.gain"].copy()
        optimizer = sc.Adam([{"params": "1.weight", "lr": 0.0}], lr=0.01)
        net.fit(X, y, optimizer=optimizer, batch_size=None, epochs=3, n_threads=threads)
        np.testing.assert_array_equal(net.named_params["1.weight"], frozen)
        assert abs(net.named_params["0.gain"] - gain).max() > 0.01
        thetas.add(net.theta.tobytes())
    assert len(thetas) == 1


@pytest.mark.parametrize("norm", NORMS)
def test_training_is_the_loop_of_ones_own(norm):
    net, own = (network(norm, dtype="float64") for _ in range(2))
    X, y = rows(net)
    net.fit(X, y, optimizer=sc.Adam(lr=0.01), batch_size=None, epochs=20)
    optimizer = sc.Adam(own.params, lr=0.01)
    for _ in range(20):
        optimizer.step(own.loss_and_grads(X, y)[1])
    np.testing.assert_allclose(net.theta, own.theta, rtol=1e-10)
    assert abs(net.theta - network(norm, dtype="float64").theta).max() > 0.05


@pytest.mark.parametrize("norm", NORMS)
def test_normalised_networks_learn(norm):
    rng = np.random.default_rng(0)
    X = (1000 * rng.normal(size=(400, 4)) + 5000).astype(np.float32)
    y = np.sign(X[:, 0] - X[:, 1]).astype(np.float32)
    net = sc.MLP([4, 32, 16, 1], norm=norm, seed=0)
    net.fit(X, y, optimizer=sc.Adam(lr=0.01), epochs=60, batch_size=50)
    assert net.loss(X, y) < 0.15  # 1 without learning


def test_lbfgs_trains_them():
    net = network("layer", dtype="float64")
    X, y = rows(net)
    before = net.loss(X, y)
    net.fit(X, y, optimizer=sc.LBFGS(), epochs=50)
    assert net.loss(X, y) < 0.1 * before


@pytest.mark.parametrize("norm", NORMS)
def test_a_copy_goes_on_as_the_original(norm):
    net = network(norm)
    X, y = rows(net)
    net.fit(X, y, optimizer=sc.Adam(lr=0.01), epochs=2)
    others = [pickle.loads(pickle.dumps(net)), copy.deepcopy(net)]
    for each in (net, *others):
        each.fit(X, y, epochs=2)
    for other in others:
        assert other.norm == norm
        assert other.theta.tobytes() == net.theta.tobytes()
        assert other.predict(X).tobytes() == net.predict(X).tobytes()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_onnx_computes_the_same(norm, loss):
    onnxruntime = pytest.importorskip("onnxruntime")
    net = network(norm, activation=["silu", "relu"], loss=loss)
    X, _ = rows(net)
    session = onnxruntime.InferenceSession(sc.exchange.to_onnx(net).SerializeToString())
    np.testing.assert_allclose(session.run(None, {"X": X})[0], net.predict(X), rtol=2e-5, atol=2e-5)


def test_torch_has_them_in_modules_of_their_own():
    net = network("layer", (3, 5, 4, 2))
    state = sc.exchange.to_torch(net)
    names = ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias", "4.weight", "4.bias"]
    assert list(state) == [*names, "6.weight", "6.bias"]
    assert state["0.weight"].shape == (5, 3)
    np.testing.assert_array_equal(state["1.weight"], net.named_params["0.gain"])
    np.testing.assert_array_equal(state["4.bias"], net.named_params["1.shift"])
    other = sc.MLP(net.layers, activation="tanh", norm="layer", seed=9)
    sc.exchange.load_torch(other, state)
    assert other.theta.tobytes() == net.theta.tobytes()


def test_a_norm_of_torch_without_bias_is_that_of_the_root_mean_square():
    net = network("rms", (3, 5, 2))
    state = sc.exchange.to_torch(net)
    assert list(state) == ["0.weight", "0.bias", "1.weight", "3.weight", "3.bias"]
    other = sc.MLP(net.layers, norm="rms")
    sc.exchange.load_torch(other, state)
    assert other.theta.tobytes() == net.theta.tobytes()
    before = other.theta.copy()
    with pytest.raises(ValueError, match="biases of module '1' must be None: it has none, got an array"):
        sc.exchange.load_torch(other, {**state, "1.bias": np.ones(5)})
    with pytest.raises(ValueError, match="must have weights of 2 layers, got 3"):
        sc.exchange.load_torch(sc.MLP([3, 5, 2]), state)
    np.testing.assert_array_equal(other.theta, before)


def test_what_does_not_fit_is_named_as_in_the_state():
    net = network("layer", (3, 5, 2))
    state, before = sc.exchange.to_torch(net), net.theta.copy()
    for change, words in [
        ({"1.weight": np.ones(4)}, r"weights of module '1' must be of shape \(5,\), got \(4,\)"),
        ({"3.bias": np.ones(4)}, r"biases of module '3' must be of shape \(2,\), got \(4,\)"),
        ({"1.running_mean": np.ones(5)}, r"got '1' with '1\.running_mean': a batch norm"),
        ({"4.weight": np.ones(4)}, r"weights of 3 modules \(linear layers and norms\), got 4: 0, 1, 3, 4"),
    ]:
        with pytest.raises(ValueError, match=words):
            sc.exchange.load_torch(net, {**state, **change})
        np.testing.assert_array_equal(net.theta, before)


@pytest.mark.parametrize("norm", NORMS)
def test_safetensors_keep_them(norm, tmp_path):
    pytest.importorskip("safetensors")
    net = network(norm)
    sc.exchange.save_safetensors(net, tmp_path / "net.safetensors")
    other = sc.exchange.load_safetensors(tmp_path / "net.safetensors")
    X, _ = rows(net)
    assert other.norm == norm
    assert other.predict(X).tobytes() == net.predict(X).tobytes()


def test_summary_and_repr_tell():
    net = sc.MLP([3, 5, 2], norm="layer", dropout=0.5)
    text = str(net.summary())
    assert "layer norm, relu, dropout 0.5" in text
    # 3 * 5 weights and 5 biases, gains and shifts each; then 5 * 2 and 2.
    assert [line.split()[-3] for line in text.splitlines()[2:4]] == ["30", "12"]
    assert "norm='layer'" in repr(net)
    assert "norm" not in repr(sc.MLP([3, 5, 2]))


def test_another_name_is_refused():
    with pytest.raises(ValueError, match='norm must be None or one of layer, rms, got "batch"'):
        sc.MLP([3, 5, 2], norm="batch")


def test_rows_that_overflow_are_refused():
    net = sc.MLP([2, 4, 1], norm="rms", dtype="float64")
    X, before = np.full((8, 2), 1e200), net.theta.copy()
    with pytest.raises(sc.NonFiniteError):
        net.fit(X, np.ones(8), optimizer="adam")
    np.testing.assert_array_equal(net.theta, before)

"""What each layer makes of rows: against NumPy, and to the bits of predictions."""

import math
import threading

import numpy as np
import pytest

import schuss as sc


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# Written from the papers.
FORMULAS = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z < 0, 0.01 * z, z),
    "elu": lambda z: np.where(z < 0, np.expm1(z), z),
    "selu": lambda z: 1.0507009873554805 * np.where(z < 0, 1.6732632423543772 * np.expm1(z), z),
    "gelu": lambda z: z * 0.5 * (1 + np.vectorize(math.erf)(z / np.sqrt(2))),
    "silu": lambda z: z * sigmoid(z),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "softplus": lambda z: np.log1p(np.exp(z)),
}
LINKS = {
    "mse": lambda z: z,
    "binary_cross_entropy": sigmoid,
    "poisson": np.exp,
    "cross_entropy": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
}
TOLERANCES = {"float32": 2e-5, "float64": 1e-12}


def network(layers=(5, 17, 9, 3), **options):
    net = sc.MLP(list(layers), **{"activation": "tanh", "seed": 1, **options})
    random = np.random.default_rng(2)
    net.theta[:] += random.normal(0, 0.2, net.theta.size)
    return net


def rows(net, count=33):
    return np.random.default_rng(3).normal(0, 1, (count, net.layers[0])).astype(net.dtype)


def by_hand(net, X):
    """Preactivations and activations of each layer, in float64."""
    named = {name: np.asarray(array, np.float64) for name, array in net.named_params.items()}
    a, layers = np.asarray(X, np.float64), []
    for layer in range(len(net.layers) - 1):
        z = a @ named[f"{layer}.weight"] + named[f"{layer}.bias"]
        if layer == len(net.layers) - 2:
            return [*layers, (z, LINKS[net.objective](z))]
        if net.norm == "layer":
            z = z - z.mean(axis=1, keepdims=True)
        if net.norm:
            z = z / np.sqrt((z**2).mean(axis=1, keepdims=True) + 1e-5) * named[f"{layer}.gain"]
        if net.norm == "layer":
            z = z + named[f"{layer}.shift"]
        a = FORMULAS[net.activations[layer]](z)
        layers.append((z, a))
    return None


def check(net, X):
    found, expected = net.forward_layers(X), by_hand(net, X)
    assert [layer.name for layer in found] == [str(number) for number in range(len(net.layers) - 1)]
    tolerance = TOLERANCES[net.dtype.name]
    for layer, (z, a) in zip(found, expected, strict=True):
        assert layer.z.dtype == layer.a.dtype == net.dtype
        np.testing.assert_allclose(layer.z, z, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(layer.a, a, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("norm", [None, "layer", "rms"])
@pytest.mark.parametrize("activation", sc.ACTIVATIONS)
def test_layers_are_those_of_the_formulas(activation, norm, dtype):
    net = network(activation=activation, norm=norm, dtype=dtype)
    check(net, rows(net))


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("loss", LINKS)
@pytest.mark.parametrize("layers", [(4, 3), (3, 1, 2), (6, 40, 2)])
def test_the_last_layer_is_the_link_of_the_loss(layers, loss, dtype):
    net = network(layers, loss=loss, dtype=dtype)
    check(net, rows(net))


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("norm", [None, "layer"])
@pytest.mark.parametrize("loss", LINKS)
@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_outputs_and_logits_have_the_bits_of_predictions_for_every_number_of_threads(
    count, loss, norm, dtype
):
    net = network(
        (13, 70, 33, 10), loss=loss, norm=norm, dtype=dtype, activation=["gelu", "selu"], dropout=0.5
    )
    X = rows(net, count)
    for n_threads in (None, 1, 3):
        *hidden, output = net.forward_layers(X, n_threads=n_threads)
        np.testing.assert_array_equal(output.z, net.logits(X))
        np.testing.assert_array_equal(output.a, net.predict(X))
        assert [layer.a.shape for layer in hidden] == [(count, 70), (count, 33)]


def test_hidden_layers_have_the_bits_of_a_network_that_ends_there():
    net = network((13, 70, 33, 10), dtype="float32")
    X = rows(net, 500)
    first = net.forward_layers(X)[0]
    shorter = sc.MLP([13, 70, 1], activation="tanh")
    shorter.params[0][:], shorter.params[1][:] = net.params[0], net.params[1]
    np.testing.assert_array_equal(shorter.forward_layers(X)[0].a, first.a)
    np.testing.assert_array_equal(network((13, 70), seed=1).predict(X).shape, first.z.shape)
    only = sc.MLP([13, 70])
    only.params[0][:], only.params[1][:] = net.params[0], net.params[1]
    np.testing.assert_array_equal(only.predict(X), first.z)


def test_sparse_rows_give_the_bits_of_their_zeros():
    sparse = pytest.importorskip("scipy.sparse")
    net = network((40, 20, 3))
    X = rows(net, 200) * (np.random.default_rng(0).random((200, 40)) < 0.1)
    for given, dense in zip(net.forward_layers(sparse.csr_array(X)), net.forward_layers(X), strict=True):
        np.testing.assert_array_equal(given.z, dense.z)
        np.testing.assert_array_equal(given.a, dense.a)


def test_a_layer_unpacks_into_name_preactivations_and_activations():
    net = network((2, 3, 1), activation="relu")
    for name, z, a in net.forward_layers([[1.0, 2.0], [0.5, -1.0]]):
        assert name in ("0", "1")
        assert z.shape == a.shape == (2, 3 if name == "0" else 1)


def test_what_is_wrong_is_refused():
    net = network()
    with pytest.raises(ValueError, match=r"X must be of shape \(n_samples, 5\), got \(2, 4\)"):
        net.forward_layers(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="n_threads must be an integer of at least 1, got 0"):
        net.forward_layers(rows(net), n_threads=0)


def test_a_network_that_another_thread_trains_is_refused():
    net = network((5, 8, 1), loss="mse")
    X, errors = rows(net), []

    def ask(info):
        def call():
            try:
                net.forward_layers(X)
            except RuntimeError as error:
                errors.append(str(error))

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        return True

    net.fit(X, X[:, 0], callbacks=ask)
    assert len(errors) == 1

"""Weights and biases drawn for the rows that a network will see."""

import copy

import numpy as np
import pytest

import schuss as sc
from schuss.embeddings import Category, Periodic, PiecewiseLinear

RNG = np.random.default_rng(0)
X = RNG.normal([0, 5, -100, 0.01], [1, 3, 20, 1e-4], size=(600, 4))


def network(**options):
    options = {"dtype": "float64", "seed": 3, "activation": ["selu", "relu"]} | options
    return sc.MLP([4, 30, 20, 3], **options)


def selu(z):
    return 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))


ACTIVATIONS = [selu, lambda z: np.maximum(z, 0), None]


@pytest.mark.parametrize("rows", [1, 7, 600])
def test_it_is_the_published_one(rows):
    """The whole of it again in NumPy, unit by unit, with the same random numbers."""
    rng, h, x = np.random.default_rng([11, 0xDA7A]), X[:rows], X[:rows]
    net = network().init_from_data(x, seed=11)
    for layer, act in enumerate(ACTIVATIONS):
        weight = np.empty(net.named_params[f"{layer}.weight"].shape)
        bias, normal = np.empty(weight.shape[1]), rng.normal(size=weight.shape)
        drawn, shares = (
            rng.integers(rows, size=(5, len(bias))),
            rng.exponential(size=(5, len(bias))),
        )
        for unit in range(len(bias)):
            ntk = h @ normal[:, unit] / np.sqrt(h.shape[1])
            deviation = np.sqrt(np.mean((ntk - ntk.mean()) ** 2))
            if rows == 1 or deviation == 0:
                deviation = 1
            weight[:, unit] = normal[:, unit] / np.sqrt(h.shape[1]) / deviation
            corners = h[drawn[:, unit]] @ weight[:, unit]
            bias[unit] = -(shares[:, unit] @ corners) / shares[:, unit].sum()
        np.testing.assert_allclose(net.named_params[f"{layer}.weight"], weight, rtol=1e-9)
        np.testing.assert_allclose(net.named_params[f"{layer}.bias"], bias, rtol=1e-7, atol=1e-9)
        h = h @ weight + bias
        h = h if act is None else act(h)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_unit_has_deviation_one_and_bends_amid_the_data(dtype):
    net = network(dtype=dtype, activation="mish").init_from_data(X)
    for layer, (_, z, _) in enumerate(net.forward_layers(X)):
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=2e-3 if dtype == "float32" else 1e-11)
        # The bias is minus a mean of z, so z has both signs: else the unit would be linear, or dead.
        assert (z.min(axis=0) < 0).all()
        assert (z.max(axis=0) > 0).all()
        assert np.abs(net.named_params[f"{layer}.bias"]).min() > 0
    # Of many units: a mean of five with such weights has a third of the variance of one.
    wide = sc.MLP([4, 4000, 1], dtype="float64").init_from_data(X)
    middle = -wide.named_params["0.bias"] - X.mean(axis=0) @ wide.named_params["0.weight"]
    assert middle.var() == pytest.approx(1 / 3, rel=0.1)
    assert abs(middle.mean()) < 0.05


def test_bits_depend_on_the_seed_alone():
    nets = [network(dtype="float32").init_from_data(X, n_threads=threads) for threads in (1, 2, 3, 8)]
    assert all(np.array_equal(net.theta, nets[0].theta) for net in nets)
    assert np.array_equal(network(dtype="float32").init_from_data(X, seed=3).theta, nets[0].theta)
    assert not np.array_equal(network(dtype="float32").init_from_data(X, seed=4).theta, nets[0].theta)
    # Not on what it was before.
    again = nets[1]
    again.fit(X, X[:, :3], epochs=1)
    assert np.array_equal(again.init_from_data(X).theta, nets[0].theta)


def test_of_many_rows_some_are_enough():
    many = np.random.default_rng(5).normal(size=(9000, 4))
    many[:, 0] *= 3
    net = network().init_from_data(many)
    assert not np.array_equal(net.theta, network().init_from_data(many[:4000]).theta)
    assert np.allclose(net.forward_layers(many)[0].z.std(axis=0), 1, rtol=0.06)


def test_what_comes_before_the_first_layer_is_as_it_was():
    embeddings = [
        Periodic([0], 4, 2),
        PiecewiseLinear.from_quantiles(X, [1]),
        Category(3, 5, 2),
    ]
    net = network(embeddings=embeddings, input_scale=True, parametric=True, dropout=0.5)
    net.named_params["input.scale"][:] = np.linspace(0.5, 2, 10)
    net.named_params["0.alpha"][:] = 0.3
    before = {name: array.copy() for name, array in net.named_params.items()}
    rows = X.copy()
    rows[:, 3] = np.arange(len(X)) % 5
    net.init_from_data(rows)
    for name, array in net.named_params.items():
        drawn = name in {f"{layer}.{kind}" for layer in range(3) for kind in ("weight", "bias")}
        assert np.array_equal(array, before[name]) != drawn, name
    for _, z, _ in net.forward_layers(rows):
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-10)


def test_sparse_rows_are_as_dense_ones():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    dense = np.where(np.abs(X) > 1, X, 0)[np.arange(5000) % 600]
    net = network().init_from_data(scipy_sparse.csr_array(dense))
    assert np.array_equal(net.theta, network().init_from_data(dense).theta)


def test_units_that_see_one_number_only_stay_finite():
    net = network().init_from_data(np.ones((50, 4)))
    assert np.isfinite(net.theta).all()
    assert net.named_params["0.weight"].std() == pytest.approx(0.5, rel=0.3)
    net = network().init_from_data(np.zeros((1, 4)))
    assert not net.named_params["0.bias"].any()


def test_units_that_are_dead_or_linear_otherwise_bend():
    one_sided = []
    for net in (network(), network().init_from_data(X)):
        z = net.forward_layers(X)[0].z
        one_sided.append(int(((z > 0).all(axis=0) | (z < 0).all(axis=0)).sum()))
    assert one_sided[1] == 0 < 20 < one_sided[0]


@pytest.mark.parametrize(
    ("options", "rows", "arguments", "match"),
    [
        ({"norm": "layer"}, X, {}, "without a norm, got one with norm='layer'"),
        ({}, X[:0], {}, "X must be finite rows.*got no rows"),
        ({}, np.where(X > 5, np.nan, X), {}, "X must be finite rows.*got NaN"),
        ({}, X[:, :3], {}, r"X must be of shape \(n_samples, 4\)"),
        ({}, X, {"seed": -1}, "seed must be"),
        ({}, X, {"n_threads": 0}, "n_threads must be"),
        ({"dtype": "float32"}, np.full((3, 4), 3e38) * [[1], [-1], [1]], {}, "layer 0 is not finite"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_changes(options, rows, arguments, match):
    net = network(**options)
    before = net.theta.copy()
    with pytest.raises(ValueError, match=match):
        net.init_from_data(rows, **arguments)
    assert np.array_equal(net.theta, before)


def test_levels_that_there_are_not_are_refused():
    net = network(embeddings=Category(3, 5, 2))
    before = net.theta.copy()
    with pytest.raises(ValueError, match="0 to 4"):
        net.init_from_data(X)
    assert np.array_equal(net.theta, before)


def test_a_read_only_network_is_refused():
    net = network()
    net.theta.flags.writeable = False
    with pytest.raises(ValueError, match="theta must be writable"):
        net.init_from_data(X)
    copy.deepcopy(net).init_from_data(X)

"""Broken lines of single columns: edges, files, what is refused, and what is far beyond all edges."""

import copy
import json
import pickle

import numpy as np
import pytest

import schuss as sc
from schuss.embeddings import Category, Periodic, PiecewiseLinear, plain, rebuilt

EDGES = [[-1.0, 0.0, 0.25, 2.0], [0.0, 1.0]]
LINES = PiecewiseLinear([2, 0], EDGES, width=2)


def rows(n=200, dtype=np.float32):
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(dtype)
    return x, np.abs(x[:, 2]) + x[:, 0]


def network(embeddings=LINES, **options):
    return sc.MLP([3, 8, 1], embeddings=embeddings, seed=2, **options)


def test_the_tensors_are_those_of_the_docstring():
    shapes = {name: array.shape for name, array in network().named_params.items()}
    assert shapes["input.0.weight"] == (2, 4)
    assert shapes["input.0.bias"] == (4,)
    assert shapes["0.weight"] == (7, 8)


def test_a_network_starts_with_its_columns_as_they_are():
    net, (x, _) = network(dtype="float64"), rows(dtype=np.float64)
    p = net.named_params
    assert not p["input.0.weight"].any()
    assert not p["input.0.bias"].any()
    # Column 2 first, with its two functions, then column 0 with its own, then column 1.
    z = x[:, [2, 0, 1]] @ p["0.weight"][[0, 3, 6]] + p["0.bias"]
    np.testing.assert_allclose(net.forward_layers(x)[0].z, z, rtol=1e-12, atol=1e-14)


def test_a_weight_is_how_much_a_function_rises_in_a_bin():
    net = network(dtype="float64")
    p = net.named_params
    p["input.0.weight"][0, :3] = [1.0, -2.0, 3.0]
    p["0.weight"][...] = 0
    p["0.weight"][1, 0] = 1  # only the first function of column 2
    x = np.zeros((9, 3))
    x[:, 2] = [-2, -1, -0.5, 0, 0.125, 0.25, 1.125, 2, 3.75]
    # Below the first edge and above the last one it goes on as in the bins beside them.
    z = [-1, 0, 0.5, 1, 0, -1, 0.5, 2, 5]
    np.testing.assert_allclose(net.forward_layers(x)[0].z[:, 0], z, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_are_those_of_the_paper_without_the_equal_ones(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(500, 4)) ** 3
    x[:, 1] = rng.integers(0, 5, 500)
    x[::3, 2] = 0
    x[::7, 3] = np.nan
    x[3, 0] = np.inf
    made = PiecewiseLinear.from_quantiles(x, [3, 0, 1, 2], bins=20, width=4)
    assert (made.columns, made.width) == ((3, 0, 1, 2), 4)
    for column, edges in zip(made.columns, made.edges, strict=True):
        values = x[np.isfinite(x[:, column]), column]
        expected = sorted({np.float32(np.quantile(values, k / 20)) for k in range(21)})
        assert list(edges) == [float(edge) for edge in expected]
    assert len(made.edges[2]) <= 8
    assert len(made.edges[1]) == 21 > len(made.edges[3])


def test_it_learns_a_jump_that_a_network_without_does_not():
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (3000, 1)).astype(np.float32)
    y = np.floor(8 * x[:, 0]) % 3
    errors = []
    for embeddings in ((), PiecewiseLinear.from_quantiles(x, [0])):
        net = sc.MLP([1, 32, 1], embeddings=embeddings)
        net.fit(x, y, optimizer=sc.Adam(lr=0.01), epochs=40, batch_size=64)
        errors.append(net.loss(x, y))
    assert errors[1] < 0.08 < 0.3 < errors[0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_survives_files_pickles_and_copies(dtype, tmp_path):
    net, (x, y) = network([LINES, Periodic([1], 3, 1)], dtype=dtype), rows()
    net.fit(x, y, optimizer=sc.Adam(ema=0.9), epochs=2)
    net.save(tmp_path / "net.npz")
    for other in (sc.MLP.load(tmp_path / "net.npz"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert other.embeddings == net.embeddings
        assert hash(other.embeddings) == hash(net.embeddings)
        assert np.array_equal(other.predict(x), net.predict(x))
        other.fit(x, y, epochs=2, seed=1)
        again = copy.deepcopy(net)
        again.fit(x, y, epochs=2, seed=1)
        assert np.array_equal(other.theta, again.theta)


def test_they_are_plain_data():
    all_of_them = (LINES, Category(1, 4), Periodic([3]))
    assert rebuilt(json.loads(json.dumps(plain(all_of_them)))) == all_of_them


def test_arrays_of_edges_are_taken():
    assert PiecewiseLinear(np.array([2, 0]), [np.array(of) for of in EDGES], width=2) == LINES
    assert PiecewiseLinear([0], np.array([[0, 1, 2]])).edges == ((0.0, 1.0, 2.0),)


def test_its_text_is_short():
    text = repr(network(PiecewiseLinear([0], [np.linspace(-1, 2, 49)])))
    assert "PiecewiseLinear(columns=(0,), bins=(48 from -1 to 2), width=3)" in text


def test_a_checkpoint_goes_on_with_the_same_edges_only(tmp_path):
    (x, y), path = rows(), tmp_path / "run.npz"
    whole = network()
    whole.fit(x, y, optimizer=sc.Adam(), epochs=4, checkpoint=path, checkpoint_every=2)
    begun = network()
    begun.fit(x, y, optimizer=sc.Adam(), epochs=2, checkpoint=path)
    resumed = network()
    resumed.fit(x, y, optimizer=sc.Adam(), epochs=4, checkpoint=path, resume=True, n_threads=2)
    assert np.array_equal(resumed.theta, whole.theta)
    # Both say "3 from -1 to 2" of themselves.
    other = network(PiecewiseLinear([2, 0], [[-1.0, 0.0, 0.5, 2.0], EDGES[1]], width=2))
    assert repr(other) == repr(whole)
    with pytest.raises(ValueError, match=r"checkpoint.*the edges"):
        other.fit(x, y, optimizer=sc.Adam(), epochs=4, checkpoint=path, resume=True)


def test_a_gradient_that_overflows_far_beyond_the_edges_changes_nothing():
    # Both rows have come through their narrow bin 3e37 times, though all else is small.
    x = np.ones((2, 1), np.float32)
    net = sc.MLP([1, 1], embeddings=PiecewiseLinear([0], [[0.0, 3e-38]], width=1))
    net.named_params["0.weight"][:] = [[0], [100]]
    before = net.theta.copy()
    y = np.array([1.0, 1.0])
    # 3e37 * 100, twice, is beyond float32, though predictions are 0 as weights are.
    assert net.loss(x, y) == 1.0
    with pytest.raises(sc.NonFiniteError):
        net.fit(x, y, optimizer=sc.SGD(lr=1e-30), epochs=1)
    assert np.array_equal(net.theta, before)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_makes_the_prediction_so(number):
    net, (x, _) = network(activation="identity"), rows(3)
    net.theta[:] = 0.5
    x[1, 2] = number
    finite = np.isfinite(net.predict(x))
    assert finite.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: PiecewiseLinear([], []), ValueError, "columns must be at least one"),
        (lambda: PiecewiseLinear([0], []), ValueError, "edges must be of 1 columns.*of 0"),
        (lambda: PiecewiseLinear([0, 1], [[0, 1]]), ValueError, "edges must be of 2 columns.*of 1"),
        (lambda: PiecewiseLinear([0], [[0]]), ValueError, "at least 2 numbers.*column 0"),
        (lambda: PiecewiseLinear([0], [0, 1]), ValueError, "edges"),
        (lambda: PiecewiseLinear([0], [["a", "b"]]), TypeError, "edges must be an array of real numbers"),
        (lambda: PiecewiseLinear([4], [[0, 1, 1]]), ValueError, "increasing.*1.0 before 1.0 for column 4"),
        (lambda: PiecewiseLinear([4], [[1, 0]]), ValueError, "increasing.*1.0 before 0.0"),
        (lambda: PiecewiseLinear([4], [[0, np.nan, 1]]), ValueError, "finite.*0.0 before nan"),
        (lambda: PiecewiseLinear([4], [[0, np.inf]]), ValueError, "finite"),
        (lambda: PiecewiseLinear([4], [[1, 1 + 1e-9]]), ValueError, "as float32 too"),
        (lambda: PiecewiseLinear([4], [[0, 1e-40]]), ValueError, "as float32 too"),
        (lambda: PiecewiseLinear([4], [[-3e38, 3e38]]), ValueError, "as float32 too"),
        (lambda: PiecewiseLinear([0], [[0, 1]], width=0), ValueError, "width must be"),
        (lambda: PiecewiseLinear.from_quantiles(np.ones((4, 2)), [1]), ValueError, "two values in column 1"),
        (lambda: PiecewiseLinear.from_quantiles(np.eye(4), [4]), ValueError, "columns must be below 4"),
        (lambda: PiecewiseLinear.from_quantiles(np.eye(4), [0], bins=0), ValueError, "bins must be"),
        (lambda: PiecewiseLinear.from_quantiles(np.ones(4), [0]), ValueError, "X must be of shape"),
        (lambda: PiecewiseLinear.from_quantiles([[np.nan]], [0]), ValueError, "two values in column 0"),
    ],
)
def test_bad_ones_are_refused(make, error, match):
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (([0], [], 1), "edges must be those of 1 columns, got those of 0"),
        (([0], [[1.0]], 1), "edges must be at least 2 of each column, got 1 of column 0"),
        (([0], [[]], 1), "edges must be at least 2"),
        (([0], [[0.0, float("nan")]], 1), "edges must be finite and increasing"),
        (([0], [[0.0, 1.0]], 0), "embeddings must be of a positive width"),
    ],
)
def test_the_core_refuses_them_too(given, match):
    with pytest.raises(ValueError, match=match):
        sc._schuss.Network(widths=[1, 1], activations=[], loss="mse", embeddings=[given])

"""Sparse rows train and predict as the same rows with their zeros, without ever being filled with them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

import schuss as sc

FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]


def table(rows=150, columns=40, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < 0.1)
    return X.astype(dtype), rng.integers(0, 3, rows)


def broken(**parts):
    """A CSR matrix whose arrays were replaced behind SciPy's back."""
    X = sparse.csr_matrix(table()[0])
    for name, value in parts.items():
        setattr(X, name, value)
    return X


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [[], [2], [30, 8]])
@pytest.mark.parametrize("options", [{}, {"dropout": 0.2}, {"l2": 0.1}])
def test_training_gives_the_bits_of_the_dense_rows(dtype, hidden, options):
    X, y = table(dtype=dtype)
    weight = np.random.default_rng(1).random(len(y))
    trained = []
    for rows in (X, sparse.csr_array(X)):
        net = sc.MLP(
            [X.shape[1], *hidden, 3], loss="cross_entropy", dtype=dtype, **(options if hidden else {})
        )
        history = net.fit(
            rows, y, sample_weight=weight, batch_size=16, epochs=3, validation_data=(rows, y), n_threads=2
        )
        trained.append((net.theta, history["loss"], history["val_loss"], net.predict(rows), net.logits(rows)))
    for dense, from_sparse in zip(*trained, strict=True):
        np.testing.assert_array_equal(dense, from_sparse)


@pytest.mark.parametrize("optimizer", [sc.SGD(lr=0.1, clip_norm=0.1), sc.LBFGS()])
def test_so_do_a_clipped_and_a_full_batch(optimizer):
    X, y = table(5000)  # more rows than pass at once
    trained = []
    for rows in (X, sparse.csr_matrix(X)):
        net = sc.MLP([X.shape[1], 12, 3], loss="cross_entropy")
        net.fit(rows, y, optimizer=optimizer, batch_size=None, epochs=3)
        loss, grads = net.loss_and_grads(rows, y)
        trained.append([net.theta, loss, net.loss(rows, y), *grads])
    for dense, from_sparse in zip(*trained, strict=True):
        np.testing.assert_array_equal(dense, from_sparse)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("units", range(1, 7))
def test_so_does_one_column_before_few_units(units, dtype):
    X, y = table(300, dtype=dtype)
    X = np.ascontiguousarray(X[:, :1])
    grads = []
    for rows in (X, sparse.csr_array(X)):
        net = sc.MLP([1, units, 3], loss="cross_entropy", dtype=dtype)
        grads.append(net.loss_and_grads(rows, y)[1])
    for dense, from_sparse in zip(*grads, strict=True):
        np.testing.assert_array_equal(dense, from_sparse)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_every_format_and_dtype_is_taken_and_left_alone(name, kind):
    X, y = table(dtype="float64")
    X = X.round()
    net = sc.MLP([X.shape[1], 5, 3], loss="cross_entropy")
    net.fit(X, y, epochs=1)
    for dtype in ("float32", "float64", "int64"):
        rows = getattr(sparse, f"{name}_{kind}")(X.astype(dtype))
        before = rows.copy()
        np.testing.assert_array_equal(net.predict(rows), net.predict(X))
        assert rows.dtype == dtype
        assert (rows != before).nnz == 0


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_unsorted_and_repeated_indices_are_summed_in_a_copy(dtype):
    parts = [1.0, 2.0, 3.0, 4.0, 5.0], np.array([3, 0, 3, 2, 1], dtype), np.array([0, 3, 3, 5], dtype)
    X = sparse.csr_matrix(tuple(map(np.array, parts)), shape=(3, 4))
    X.indices, X.indptr = X.indices.astype(dtype), X.indptr.astype(dtype)
    net = sc.MLP([4, 6, 1])
    expected = net.predict(np.array([[2.0, 0, 0, 4], [0, 0, 0, 0], [0, 5, 4, 0]]))
    np.testing.assert_array_equal(net.predict(X), expected)
    assert X.indices.tolist() == [3, 0, 3, 2, 1]


def test_blocks_may_be_sparse():
    X, y = table()
    trained = []
    for rows in (X, sparse.csr_array(X)):
        net = sc.MLP([X.shape[1], 5, 3], loss="cross_entropy")
        net.fit(lambda rows=rows: iter([(rows[:90], y[:90]), (rows[90:], y[90:])]), epochs=2)
        trained.append(net.theta)
    np.testing.assert_array_equal(*trained)


@pytest.mark.parametrize("blocks", [False, True])
def test_a_matrix_without_entries_is_rows_of_zeros(blocks):
    y, trained = np.arange(10.0), []
    for rows in (np.zeros((10, 5)), sparse.csr_array((10, 5))):
        net, model = sc.MLP([5, 4, 1]), sc.MLPRegressor(hidden_layer_sizes=4, max_iter=2, random_state=0)
        if blocks:
            net.fit(lambda rows=rows: iter([(rows[:4], y[:4]), (rows[4:], y[4:])]), epochs=2)
            model.partial_fit(rows, y).partial_fit(rows, y)
        else:
            net.fit(rows, y, epochs=2)
            with pytest.warns(ConvergenceWarning):
                model.fit(rows, y)
        trained.append([net.theta, net.predict(rows), model.predict(rows), *model.coefs_])
    for dense, compressed in zip(*trained, strict=True):
        np.testing.assert_array_equal(dense, compressed)


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ({"indices": np.full(604, 40, np.int32)}, "indices from 0 to 39, got 40 to 40"),
        ({"indices": np.full(604, -1, np.int32)}, "indices from 0 to 39, got -1 to -1"),
        ({"indices": np.zeros(3, np.int32)}, "as many indices as data"),
        ({"indptr": np.arange(1, 152, dtype=np.int32)}, "begins with 0"),
        ({"indptr": np.zeros(3, np.int32)}, "indptr of 151 numbers"),
        ({"indptr": np.r_[0, 5, 4, np.full(148, 9)].astype(np.int32)}, "never falls"),
        ({"indptr": np.r_[np.zeros(150), 10**6].astype(np.int32)}, "up to 604, its data, got 1000000"),
        (
            {"_has_canonical_format": True, "_has_sorted_indices": True, "indices": np.zeros(604, np.int32)},
            "increase",
        ),
    ],
)
@pytest.mark.parametrize("estimator", [False, True])
def test_a_broken_matrix_is_refused(parts, match, estimator):
    y = table()[1]
    assert len(broken().data) == 604
    if estimator:
        with pytest.raises(ValueError, match=match):
            sc.MLPClassifier(4, max_iter=1).fit(broken(**parts), y)
        return
    net = sc.MLP([40, 4, 3], loss="cross_entropy")
    before = net.theta.copy()
    with pytest.raises(ValueError, match=match):
        net.fit(broken(**parts), y)
    with pytest.raises(ValueError, match=match):
        net.predict(broken(**parts))
    np.testing.assert_array_equal(net.theta, before)


def test_what_is_wrong_is_named():
    X, y = table()
    net = sc.MLP([40, 4, 3], loss="cross_entropy")
    with pytest.raises(ValueError, match=r"X must be of shape \(n_samples, 40\), got \(150, 39\)"):
        net.fit(sparse.csr_array(X[:, 1:]), y)
    with pytest.raises(ValueError, match="y must have 150 rows"):
        net.fit(sparse.csr_array(X), y[1:])
    with pytest.raises(TypeError, match="complex"):
        net.fit(sparse.csr_array(X.astype(complex)), y)
    X[3, 4] = np.nan
    with pytest.raises(sc.NonFiniteError, match="X has NaN"):
        net.fit(sparse.csr_array(X), y)
    with pytest.raises(ValueError, match="NaN"):
        sc.MLPClassifier(4).fit(sparse.csr_array(X), y)


def test_numbers_beyond_float32_are_refused_as_dense_ones_are():
    X, y = table(dtype="float64")
    X[3, 4] = -1e39
    net = sc.MLP([40, 4, 3], loss="cross_entropy")
    before = net.theta.copy()
    for rows in (X, sparse.csr_array(X), sparse.coo_array(X)):
        for call in (net.predict, lambda rows: net.fit(rows, y), lambda rows: net.loss(rows, y)):
            with pytest.raises(ValueError, match=r"^X must be within the range of float32, got .* 1e\+39"):
                call(rows)
    np.testing.assert_array_equal(net.theta, before)
    assert np.isfinite(sc.MLP([40, 4, 3], dtype="float64").predict(sparse.csr_array(X))).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"solver": "lbfgs", "tol": 1e-3}])
def test_an_estimator_gives_the_bits_of_the_dense_rows(dtype, options):
    X, y = table(300, dtype=dtype)
    y_val = y[:50]
    models = []
    for rows in (X, sparse.csr_matrix(X)):
        model = sc.MLPClassifier((9,), max_iter=4, random_state=0, **options)
        held_out = {} if options else {"X_val": rows[:50], "y_val": y_val}
        models.append(model.fit(rows, y, **held_out))
    for name in ("coefs_", "intercepts_", "validation_scores_", "validation_loss_curve_"):
        for dense, from_sparse in zip(*(getattr(model, name) or () for model in models), strict=True):
            np.testing.assert_array_equal(dense, from_sparse)
    assert models[1].coefs_[0].dtype == dtype
    rows = sparse.csc_array(X)
    np.testing.assert_array_equal(models[0].predict_proba(X), models[1].predict_proba(rows))
    assert models[0].score(X, y) == models[1].score(rows, y)


def test_partial_fit_and_the_regressor_take_sparse_rows():
    X, y = table(dtype="float64")
    models = []
    for rows in (X, sparse.csr_array(X)):
        model = sc.MLPRegressor(hidden_layer_sizes=(9,), random_state=0)
        for start in (0, 50, 100):
            model.partial_fit(rows[start : start + 50], y[start : start + 50])
        models.append(model)
    np.testing.assert_array_equal(models[0].predict(X), models[1].predict(sparse.coo_array(X)))


# The process's own figures: 200,000 x 20,000, of which 0.05 per cent are filled; with zeros 16 GB.
SCRIPT = """
import numpy as np
import schuss as sc
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

def kilobytes(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))

def make(rows, columns, filled):
    rng = np.random.default_rng(0)
    indices = rng.integers(0, columns // filled, rows * filled, np.int32)
    indices += np.tile(np.arange(filled, dtype=np.int32) * np.int32(columns // filled), rows)
    data = rng.random(rows * filled, np.float32)
    return sparse.csr_array((data, indices, np.arange(0, rows * filled + 1, filled)), shape=(rows, columns))

layers, rows = {arguments!r}
small = make(8, 20, 2)
sc.MLPRegressor(max_iter=1).fit(small, np.arange(8.0))  # threads, lazy imports
sc.MLP([20, 3, 1]).fit(small, np.zeros(8), epochs=1, n_threads=2)

before = kilobytes("VmRSS")
X, y = make(rows, layers[0], 10), np.zeros(rows, np.float32)
net = sc.MLP(layers)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
net.fit(X, y, epochs=1, n_threads=2)
net.predict(X)
print(1024 * (kilobytes("VmHWM") - before))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's /proc")
def test_memory_is_that_of_data_and_parameters():
    layers, rows = [20_000, 256, 1], 200_000
    script = SCRIPT.format(arguments=(layers, rows))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    params = (layers[0] + 1) * layers[1] + layers[1] + 1
    data = rows * 10 * (4 + 4) + (rows + 1) * 8
    # Adam: parameters, gradient, two slots. Targets, order and predictions are small change.
    expected = data + 4 * 4 * params
    assert expected > 90e6
    assert int(done.stdout) == pytest.approx(expected, rel=0.15)

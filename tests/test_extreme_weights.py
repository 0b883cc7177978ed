"""Weights of rows count in relation to each other, whatever their size."""

import numpy as np
import pytest

import schuss as sc

SIZES = [1e-300, 1e-44, 1e-38, 1e-30, 1.0, 1e30, 1e36, 1e38, 1e300]


def rows(dtype="float32", n=60):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 4)).astype(dtype)
    return X, X[:, 0] - X[:, 1], rng.uniform(0.5, 2.0, n)


def fitted(size, dtype, loss="mse", **options):
    X, y, weights = rows(dtype)
    net = sc.MLP([4, 6, 1], dtype=dtype, loss=loss, seed=1)
    power = 2.0 ** np.round(np.log2(size))
    history = net.fit(
        X, y, sample_weight=weights * power, optimizer=sc.SGD(lr=0.05), batch_size=20, epochs=3, **options
    )
    return net, history


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_a_mean_loss_does_not_depend_on_the_size_of_the_weights(size, dtype):
    (plain, expected), (net, history) = fitted(1.0, dtype), fitted(size, dtype)
    np.testing.assert_allclose(net.theta, plain.theta, rtol=1e-5)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-6)
    assert np.abs(net.theta - sc.MLP([4, 6, 1], dtype=dtype, seed=1).theta).max() > 0.01
    X, y, weights = rows(dtype)
    for f in (net.loss, lambda *a, **k: net.loss_and_grads(*a, **k)[0]):
        np.testing.assert_allclose(
            f(X, y, sample_weight=weights * size), f(X, y, sample_weight=weights), rtol=1e-6
        )


@pytest.mark.parametrize("size", [1e-30, 1e-10, 1e10, 1e25])
def test_a_sum_follows_the_weights(size):
    X, y, weights = rows()
    net = sc.MLP([4, 6, 1], loss="sse", seed=1)
    loss, grads = net.loss_and_grads(X, y, sample_weight=weights)
    of_size, scaled = net.loss_and_grads(X, y, sample_weight=weights * size)
    np.testing.assert_allclose(of_size, loss * size, rtol=1e-5)
    for a, b in zip(grads, scaled, strict=True):
        np.testing.assert_allclose(
            b.astype(np.float64), a.astype(np.float64) * size, rtol=1e-4, atol=1e-6 * size
        )
    np.testing.assert_allclose(net.loss(X, y, sample_weight=weights * size), loss * size, rtol=1e-5)


def test_a_sum_that_no_float32_can_hold_is_refused():
    X, y, weights = rows()
    net = sc.MLP([4, 6, 1], loss="sse", seed=1)
    before = net.theta.copy()
    with pytest.raises(sc.NonFiniteError, match="step 1"):
        net.fit(X, y, sample_weight=weights * 1e60, optimizer=sc.SGD(), epochs=1)
    assert (net.theta == before).all()


@pytest.mark.parametrize("size", [1e-37, 1e37])
def test_weights_of_classes_and_rows_of_estimators(size):
    X, y, weights = rows(n=80)
    labels = (y > 0).astype(int)
    options = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0, "alpha": 0.0, "tol": 0.0}
    fits = []
    for factor in (1.0, size):
        model = sc.MLPClassifier(**options, class_weight={0: factor, 1: 2 * factor})
        with pytest.warns(UserWarning, match="iterations|converge"):
            fits.append(np.concatenate([c.ravel() for c in model.fit(X, labels).coefs_]))
    np.testing.assert_allclose(fits[1], fits[0], rtol=1e-4, atol=1e-6)
    # A penalty counts beside weights: with huge ones it is as nothing.
    fits = []
    for factor, alpha in ((1.0, 0.0), (1e37, 1.0)):
        model = sc.MLPRegressor(**{**options, "alpha": alpha})
        with pytest.warns(UserWarning, match="iterations|converge"):
            fits.append(np.concatenate([c.ravel() for c in model.fit(X, y, weights * factor).coefs_]))
    np.testing.assert_allclose(fits[1], fits[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("row", range(6))
def test_rows_that_hold_all_the_weight_are_named(row):
    X, y, weights = rows(n=50)
    only = np.zeros(50)
    only[row] = weights[row]
    model = sc.MLPRegressor(hidden_layer_sizes=(4,), early_stopping=True, random_state=3)
    with pytest.raises(ValueError, match="sample_weight must leave some weight to the rows that"):
        model.fit(X, y, sample_weight=only)


def test_weights_that_are_not_finite_are_refused():
    X, y, weights = rows()
    for bad in (np.inf, np.nan, -1.0):
        weights[3] = bad
        with pytest.raises(ValueError, match="sample_weight must be finite"):
            sc.MLP([4, 6, 1]).fit(X, y, sample_weight=weights)


def test_a_skipped_batch_counts_neither_by_loss_nor_by_weight():
    X, y, weights = rows(n=60)
    X[25] = np.inf
    X = X.astype(np.float32)
    net = sc.MLP([4, 6, 1], seed=1)
    options = {"batch_size": 20, "epochs": 1, "shuffle": False}
    history = net.fit(X, y, sample_weight=weights, optimizer=sc.SGD(lr=1e-30, nonfinite="skip"), **options)
    fine = np.r_[0:20, 40:60]
    expected = sc.MLP([4, 6, 1], seed=1).loss(X[fine], y[fine], sample_weight=weights[fine])
    assert net.optimizer.skipped_steps == 1
    np.testing.assert_allclose(history["loss"][0], expected, rtol=1e-6)


@pytest.mark.filterwarnings("error", "ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", [sc.MLPRegressor, sc.MLPClassifier])
def test_the_sum_of_weights_may_be_beyond_float64(kind, early_stopping, solver):
    X, y, weights = rows(n=100)
    y = y > 0 if kind is sc.MLPClassifier else y
    options = {"hidden_layer_sizes": 5, "solver": solver, "max_iter": 6, "random_state": 0, "alpha": 0.0}
    options |= {"early_stopping": early_stopping and solver == "adam"}
    plain = kind(**options).fit(X, y, sample_weight=weights)
    model = kind(**options).fit(X, y, sample_weight=weights * 2.0**1022)
    for one, other in zip(plain.coefs_, model.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    if options["early_stopping"]:
        np.testing.assert_allclose(plain.validation_scores_, model.validation_scores_, rtol=1e-5, atol=1e-7)

"""What a training leaves behind when its numbers become too large, and what it says."""

import contextlib

import numpy as np
import pytest

import schuss as sc


def rows(n=64, scale=1.0, dtype="float32"):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 5)).astype(dtype)
    return (scale * X).astype(dtype), X[:, 0] - X[:, 1]


def net(dtype="float32", **options):
    return sc.MLP([5, 8, 6, 1], seed=1, dtype=dtype, **options)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_inputs_that_are_not_scaled_leave_finite_weights_and_good_advice(threads):
    X, y = rows(scale=1e12)
    model = net()
    with pytest.raises(
        sc.NonFiniteError, match=r"step \d+ \(epoch \d\); nothing.*lr may be too large, or scale X, .* 4e\+12"
    ):
        model.fit(X, y, optimizer=sc.SGD(lr=0.1), epochs=5, batch_size=16, n_threads=threads)
    assert np.isfinite(model.theta).all()


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_parameters_that_are_not_finite_to_begin_with_are_to_blame(optimizer):
    model = net()
    model.params[2][0] = np.nan
    with pytest.raises(sc.NonFiniteError, match=r": theta has NaN or infinity in it$"):
        model.fit(*rows(scale=1e12), optimizer=optimizer, epochs=1)


@pytest.mark.parametrize("optimizer", [sc.SGD, sc.Adam, sc.RMSprop, sc.Lion, sc.LAMB])
@pytest.mark.parametrize("threads", [1, 3])
def test_one_epoch_with_a_rate_beyond_measure(optimizer, threads):
    X, y = rows()
    model = net()
    with contextlib.suppress(sc.NonFiniteError):
        model.fit(X, y, optimizer=optimizer(lr=1e38), epochs=1, batch_size=16, n_threads=threads)
    assert np.isfinite(model.theta).all()


def test_the_layer_is_named_and_the_step_is_counted():
    X, y = rows()
    model = net()
    # The loss is finite; the update of the output's bias is not.
    model.theta[...] = 0.0
    before = model.theta.copy()
    with pytest.raises(
        sc.NonFiniteError, match=r"^the update of 2\.bias has .* at step 1 \(epoch 1\); nothing was changed"
    ):
        model.fit(X, y + 1e5, optimizer=sc.SGD(lr=1e38), batch_size=None, epochs=1)
    assert model.theta.tobytes() == before.tobytes()
    model = sc.MLP([5, 1])
    model.theta[...] = 0.0
    with pytest.raises(sc.NonFiniteError, match=r"^the gradient of 0\.weight has .* at step 1 \(epoch 1\)"):
        model.fit(X * 1e30, y + 1e10, optimizer=sc.SGD(lr=1e-3), batch_size=None, epochs=1)
    assert not model.theta.any()


def test_the_epoch_is_that_of_the_fit_also_with_callbacks_and_blocks():
    X, y = rows()
    X[40] = np.inf
    seen = []
    for how in ({}, {"callbacks": lambda info: None}):
        model = net()
        model.fit(X[:32], y[:32], epochs=3, batch_size=16)
        with pytest.raises(sc.NonFiniteError, match=r"the loss.*\(epoch 1\)"):
            model.fit(X, y, epochs=3, batch_size=16, shuffle=False, optimizer=sc.Adam(), **how)
        seen.append(model.theta.tobytes())
    assert seen[0] == seen[1]
    model = net()
    epoch = 0

    def blocks():
        nonlocal epoch
        epoch += 1
        yield (X, y) if epoch == 2 else (X[:32], y[:32])

    with pytest.raises(sc.NonFiniteError, match=r"\(epoch 2\)"):
        model.fit(blocks, epochs=3, batch_size=16, shuffle=False)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_biases_are_bounded_as_weights_are(threads):
    """Inputs of zeros: only biases learn."""
    X, y = np.zeros((64, 5), np.float32), np.full(64, -4e37, np.float32)
    model = net(loss="sse")
    before = model.theta.copy()
    with pytest.raises(sc.NonFiniteError, match=r"2\.bias"):
        model.fit(X, y, optimizer=sc.SGD(lr=1e-3), batch_size=None, epochs=1, n_threads=threads)
    assert model.theta.tobytes() == before.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("epochs", [1, 2])
def test_huge_weights_with_a_penalty_are_refused_by_all_workers_or_none(threads, epochs):
    """Weights that no row sees, so large that their penalty's gradient overflows."""
    X, y = rows()
    X[:, 4] = 0.0
    model = net(l2=10.0)
    model.params[0][4] = 2e38
    before = model.theta.copy()
    with pytest.raises(sc.NonFiniteError, match=r"the gradient of 0\.weight .* at step 1 "):
        model.fit(X, y, optimizer=sc.SGD(lr=1e-3), batch_size=16, epochs=epochs, n_threads=threads)
    assert model.theta.tobytes() == before.tobytes()
    assert model.optimizer.step_count == 0


@pytest.mark.parametrize("l2", [1e-4, 1.0, 100.0])
@pytest.mark.parametrize("optimizer", [sc.SGD, sc.Adam])
def test_a_penalty_that_is_bounded_by_what_weights_were_gives_the_same_bits(l2, optimizer):
    """The norm of the gradient, known, takes the other path through a step: nothing may differ."""
    X, y = rows()
    ends = []
    for options in ({}, {"clip_norm": 1e30}):
        model = net(l2=l2)
        model.fit(X, y, optimizer=optimizer(lr=1e-3, **options), epochs=20, batch_size=16, n_threads=2)
        ends.append(model.theta.tobytes())
    assert ends[0] == ends[1]


def test_ignore_checks_nothing_with_clipping_too():
    X, y = rows()
    X[3] = np.nan
    for options in ({}, {"clip_norm": 1.0}, {"clip_tensor_norm": 1.0}):
        model = net()
        model.fit(X, y, optimizer=sc.SGD(lr=0.1, nonfinite="ignore", **options), epochs=1, batch_size=16)
        assert model.optimizer.skipped_steps == 0
        assert model.optimizer.step_count == 4
        assert np.isnan(model.theta).any()


@pytest.mark.parametrize("threads", [1, 3])
def test_clipping_in_a_fit_takes_norms_whose_squares_overflow(threads):
    X, y = rows(dtype="float64")
    model = net("float64", loss="mae")
    before = model.theta.copy()
    model.fit(
        X * 1e200, y, optimizer=sc.SGD(lr=1.0, clip_norm=1e-3), batch_size=None, epochs=1, n_threads=threads
    )
    moved = np.linalg.norm(model.theta - before)
    np.testing.assert_allclose(moved, 1e-3, rtol=1e-6)


def test_lbfgs_accepts_no_point_that_is_not_finite():
    """A bias of minus infinity behind a ReLU gives a finite loss."""

    def fun(x):
        value = float(np.exp(np.minimum(x[0], 0.0))) if np.isfinite(x[0]) else 0.0
        return value, np.array([value])

    result = sc.minimize(fun, [0.0], jac=True, optimizer=sc.LBFGS(), max_steps=50)
    assert np.isfinite(result.x).all()


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e100, 1e200, 1e300])
def test_minimize_with_huge_and_tiny_functions(size):
    def fun(x):
        d = x - np.array([1.0, -2.0])
        return float(size * (d @ d) / 8), size * d / 4

    options = {"tolerance_grad": 0.0}
    result = sc.minimize(fun, [3.0, 3.0], jac=True, optimizer=sc.LBFGS(**options), max_steps=200)
    np.testing.assert_allclose(result.x, [1.0, -2.0], rtol=1e-3)
    result = sc.minimize(fun, [3.0, 3.0], jac=True, optimizer=sc.Adam(lr=0.1), max_steps=300)
    assert np.isfinite(result.x).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", sc.LOSSES)
def test_extreme_predictions_and_targets_give_a_loss_or_an_error(loss, dtype):
    largest = float(np.finfo(dtype).max)
    counts = loss in ("cross_entropy", "binary_cross_entropy", "poisson")
    for bias in (0.0, 700.0, -700.0, 1e5, -1e5, largest / 2, -largest / 2):
        model = sc.MLP([2, 2], loss=loss, dtype=dtype)
        model.params[0][...] = 0.0
        model.params[1][...] = [bias, 0.0]
        for target in (0.0, 1.0) if counts else (0.0, 1e15, largest / 4):
            X = np.ones((3, 2), dtype)
            y = np.zeros(3, int) if loss == "cross_entropy" else np.full((3, 2), target, dtype)
            value = model.loss(X, y)
            assert not np.isnan(value), (bias, target)
            before = model.theta.copy()
            try:
                model.fit(X, y, optimizer=sc.SGD(lr=1e-3), epochs=1)
            except sc.NonFiniteError:
                assert model.theta.tobytes() == before.tobytes()
            else:
                assert np.isfinite(model.theta).all()


def test_a_minimisation_that_diverges_ends_with_what_it_has():
    for optimizer in (sc.SGD(lr=1e300), sc.SGD(lr=100.0), sc.Adam(lr=1e305)):
        with np.errstate(over="ignore"):
            result = sc.minimize(
                lambda x: (float(x @ x), 2 * x), [1.0, -2.0], jac=True, optimizer=optimizer, max_steps=500
            )
        assert result.reason == "not_finite"
        assert not result.success
        assert np.isfinite(result.x).all()
        assert result.fun <= 5.0

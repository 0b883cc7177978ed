"""Training a network with L-BFGS, all rows at a time."""

import pickle
import signal
import threading

import numpy as np
import pytest

import schuss as sc


def curve(n=200, dtype=np.float64):
    X = np.linspace(-2, 2, n, dtype=dtype)[:, None]
    return X, np.sin(2 * X[:, 0])


def net(**options):
    return sc.MLP([1, 12, 1], **{"activation": "tanh", "dtype": "float64", "l2": 1e-2} | options)


@pytest.mark.parametrize("optimizer", [sc.LBFGS(tolerance_grad=1e-6), "lbfgs"])
def test_lbfgs_arrives_where_the_gradient_vanishes(optimizer):
    X, y = curve()
    model = net()
    history = model.fit(X, y, optimizer=optimizer, epochs=3000)
    assert history.stopped == "converged"
    _, grads = model.loss_and_grads(X, y)
    assert max(abs(grad).max() for grad in grads) < 1e-5
    # Each step descends, and the loss is that of the parameters after it.
    assert np.all(np.diff(history["loss"]) < 1e-14)
    assert history["loss"][-1] == pytest.approx(model.loss(X, y), rel=1e-13)
    assert history["loss"][-1] < 0.1


def test_it_finds_the_least_squares():
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(50, 4)), rng.normal(size=(4, 2))
    model = sc.MLP([4, 2], dtype="float64")
    model.fit(X, X @ w + [1, -2], optimizer=sc.LBFGS(), epochs=100)
    np.testing.assert_allclose(model.params[0], w, atol=1e-6)
    np.testing.assert_allclose(model.params[1], [1, -2], atol=1e-6)


def test_float32_and_class_indices_and_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5)).astype(np.float32)
    classes = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
    weights = np.where(classes == 2, 0, 1.0)
    model = sc.MLP([5, 16, 3], loss="cross_entropy", l2=1e-3)
    model.fit(X, classes, sample_weight=weights, optimizer=sc.LBFGS(), epochs=200)
    found = model.predict(X).argmax(axis=1)
    assert (found == classes)[weights > 0].mean() > 0.95
    assert (found == 2).sum() == 0


def test_validation_target_and_callbacks():
    X, y = curve()
    seen = []

    def watch(info):
        assert info.loss == pytest.approx(info.net.loss(X, y), rel=1e-13)
        assert info.val_loss == info.net.loss(X[::2], y[::2])
        assert info.lr is None
        seen.append(info.epoch)
        return info.epoch == 5

    model = net()
    options = {"optimizer": sc.LBFGS(), "validation_data": (X[::2], y[::2])}
    history = model.fit(X, y, epochs=50, callbacks=[watch], **options)
    assert seen == [1, 2, 3, 4, 5]
    assert history.stopped == "callback"
    assert history.epochs == 5
    assert sorted(history) == ["loss", "seconds", "val_loss"]
    target = model.loss(X, y) / 2
    history = model.fit(X, y, epochs=500, target_loss=target, **options)
    assert history.stopped == "target_loss"
    assert history["loss"][-1] <= target < history["loss"][-2]
    assert model.fit(X, y, epochs=3).stopped == "epochs"
    assert isinstance(model.optimizer, sc.LBFGS)


def test_a_callback_may_change_the_parameters():
    X, y = curve()
    model = net()

    def jump(info):
        if info.epoch == 10:
            info.net.theta[:] = 0.1

    history = model.fit(X, y, optimizer=sc.LBFGS(), epochs=40, callbacks=[jump])
    fresh = net()
    fresh.theta[:] = 0.1
    assert fresh.fit(X, y, optimizer=sc.LBFGS(), epochs=30)["loss"] == history["loss"][10:]


@pytest.mark.parametrize("optimizer", [sc.LBFGS(tolerance_grad=0, tolerance_change=0), sc.SGD(lr=1e-9)])
def test_max_time_ends_training(optimizer):
    X, y = curve(20_000)
    model = net(activation="gelu")
    history = model.fit(X, y, optimizer=optimizer, epochs=10**8, max_time=0.2)
    assert history.stopped == "max_time"
    with pytest.raises(ValueError, match="max_time must be a positive number"):
        model.fit(X, y, max_time=0)


def test_max_time_ends_training_on_blocks():
    X, y = curve(50_000)

    def blocks():
        while True:
            yield X, y

    model = net()
    start = model.theta.copy()
    assert model.fit(blocks, max_time=0.2).stopped == "max_time"
    assert not np.array_equal(model.theta, start)


def test_ctrl_c_keeps_the_last_step():
    X, y = curve(5000)
    model = net()

    def watch(info):
        if info.epoch == 3:
            threading.Timer(0.01, signal.raise_signal, [signal.SIGINT]).start()

    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, optimizer=sc.LBFGS(10, 0, 0), epochs=10**8, callbacks=[watch])
    assert model.history.stopped == "interrupted"
    assert model.history.epochs >= 3
    # Where the signal came between a step and its record, the parameters are one step ahead.
    assert model.loss(X, y) <= model.history["loss"][-1] * (1 + 1e-13)


def test_one_seed_gives_one_result_for_any_number_of_threads():
    X, y = curve(3000)
    models = [net() for _ in range(2)]
    for model, n_threads in zip(models, (1, 2), strict=True):
        model.fit(X, y, optimizer=sc.LBFGS(), epochs=20, n_threads=n_threads)
    np.testing.assert_array_equal(models[0].theta, models[1].theta)


def test_what_it_cannot_do_it_refuses():
    X, y = curve()
    model = net()
    start = model.theta.copy()
    with pytest.raises(ValueError, match='batch_size must be None or "auto" with LBFGS: all rows, got 32'):
        model.fit(X, y, optimizer="lbfgs", batch_size=32)
    with pytest.raises(TypeError, match="X must be an array with LBFGS"):
        model.fit(lambda: iter([(X, y)]), optimizer=sc.LBFGS())
    with pytest.raises(ValueError, match="dropout must be 0 with LBFGS"):
        net(dropout=0.5).fit(X, y, optimizer=sc.LBFGS())
    with pytest.raises(sc.NonFiniteError, match="X has NaN"):
        model.fit(np.where(X > 1, np.nan, X), y, optimizer=sc.LBFGS())
    np.testing.assert_array_equal(model.theta, start)


def test_a_network_goes_on_after_a_pickle_and_with_another_optimizer():
    X, y = curve()
    model = net()
    first = model.fit(X, y, optimizer=sc.LBFGS(history_size=5), epochs=20)["loss"][-1]
    again = pickle.loads(pickle.dumps(model))
    assert again.optimizer == sc.LBFGS(history_size=5)
    assert again.fit(X, y, epochs=20)["loss"][-1] < first
    assert len(model.fit(X, y, optimizer="adam", epochs=2)["loss"]) == 2

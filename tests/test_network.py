"""The network: gradients against finite differences, training against a float64 rewrite, and its use."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import schuss as sc
from schuss._registry import LOSSES

RNG = np.random.default_rng(0)


def targets(loss: str, rows: int, outputs: int, dtype: str = "float64") -> np.ndarray:
    rng = np.random.default_rng(rows + outputs)
    kind = LOSSES[loss].targets
    if kind == "classes":
        return rng.integers(0, outputs, rows)
    if kind == "unit":
        return rng.integers(0, 2, (rows, outputs)).astype(dtype)
    if kind == "counts":
        return rng.poisson(2.0, (rows, outputs)).astype(dtype)
    return rng.normal(size=(rows, outputs)).astype(dtype)


@pytest.mark.parametrize("extra", ["plain", "l2", "weights", "dropout"])
@pytest.mark.parametrize("loss", sc.LOSSES)
@pytest.mark.parametrize("activation", sc.ACTIVATIONS)
def test_gradients_are_central_differences(activation: str, loss: str, extra: str) -> None:
    """Every activation with every loss, in float64, to 1e-6 relative, all weights and biases."""
    net = sc.MLP(
        [3, 5, 4, 3],
        activation=activation,
        loss=loss,
        dtype="float64",
        seed=3,
        l2=0.3 if extra == "l2" else 0.0,
        dropout=0.4 if extra == "dropout" else 0.0,
    )
    net.theta += np.random.default_rng(1).normal(scale=0.1, size=net.theta.size)  # biases are not zero
    X = np.random.default_rng(2).normal(size=(12, 3))
    y = targets(loss, 12, 3)
    weight = np.random.default_rng(4).uniform(0.5, 2.0, 12) if extra == "weights" else None
    settings = {"sample_weight": weight, "dropout_seed": 7 if extra == "dropout" else None}
    _, grads = net.loss_and_grads(X, y, **settings)
    flat = np.concatenate([g.ravel() for g in grads])
    step = 1e-5
    slopes = np.empty_like(flat)
    for i in range(flat.size):
        at = net.theta[i]
        net.theta[i] = at + step
        above, _ = net.loss_and_grads(X, y, **settings)
        net.theta[i] = at - step
        below, _ = net.loss_and_grads(X, y, **settings)
        net.theta[i] = at
        slopes[i] = (above - below) / (2 * step)
    # Central differences of a loss near 1 are good to about 1e-16 / 1e-5 = 1e-11.
    np.testing.assert_allclose(flat, slopes, rtol=1e-6, atol=2e-9)
    assert np.abs(flat).max() > 1e-3


def forward(net: sc.MLP, X: np.ndarray) -> np.ndarray:
    """The logits, rewritten with NumPy in float64, for tanh networks."""
    a = X.astype(np.float64)
    layers = [p.astype(np.float64) for p in net.params]
    for W, b in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        a = np.tanh(a @ W + b)
    return a @ layers[-2] + layers[-1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forward_propagation_against_numpy(dtype: str) -> None:
    X = RNG.normal(size=(50, 6)).astype(dtype)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    for loss, link in {
        "mse": lambda z: z,
        "cross_entropy": lambda z: np.exp(z) / np.exp(z).sum(axis=1, keepdims=True),
        "binary_cross_entropy": lambda z: 1 / (1 + np.exp(-z)),
        "poisson": np.exp,
    }.items():
        net = sc.MLP([6, 20, 9, 4], activation="tanh", loss=loss, dtype=dtype)
        z = forward(net, X)
        np.testing.assert_allclose(net.logits(X), z, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(net.predict(X), link(z), rtol=tolerance, atol=tolerance)
        assert net.predict(X).dtype == dtype


ROW_LOSSES = {
    "mse": lambda z, y: ((z - y) ** 2).mean(axis=1),
    "sse": lambda z, y: ((z - y) ** 2).sum(axis=1),
    "mae": lambda z, y: np.abs(z - y).mean(axis=1),
    "huber": lambda z, y: np.where(np.abs(z - y) <= 1, (z - y) ** 2 / 2, np.abs(z - y) - 0.5).mean(axis=1),
    "log_cosh": lambda z, y: np.log(np.cosh(z - y)).mean(axis=1),
    "quantile": lambda z, y: np.abs(z - y).mean(axis=1) / 2,
    "cross_entropy": lambda z, y: np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y],
    "binary_cross_entropy": lambda z, y: (np.log1p(np.exp(z)) - y * z).mean(axis=1),
    "poisson": lambda z, y: (np.exp(z) - y * z).mean(axis=1),
}


def test_losses_against_numpy() -> None:
    X = RNG.normal(size=(40, 5))
    weight = RNG.uniform(0.1, 3.0, 40)
    for loss in sc.LOSSES:
        net = sc.MLP([5, 8, 3], activation="tanh", loss=loss, dtype="float64", l2=0.2)
        y = targets(loss, 40, 3)
        penalty = 0.1 * sum((W**2).sum() for W in net.params[::2])
        rows = ROW_LOSSES[loss](forward(net, X), y)
        plain, weighted = (
            (rows.mean(), weight @ rows / weight.sum())
            if LOSSES[loss].is_mean
            else (rows.sum(), weight @ rows)
        )
        assert net.loss(X, y) == pytest.approx(plain + penalty, rel=1e-12)
        assert net.loss(X, y, sample_weight=weight) == pytest.approx(weighted + penalty, rel=1e-12)


@pytest.mark.parametrize("batch_size", [None, 1, 7, 64])
def test_training_is_the_loop_that_users_would_write(batch_size: int | None) -> None:
    """Unshuffled, `fit` does what `loss_and_grads` and `Optimizer.step` do in a loop."""
    X, y = RNG.normal(size=(30, 4)), RNG.normal(size=(30, 2))
    weight = RNG.uniform(0.5, 1.5, 30)
    net, loop = (sc.MLP([4, 7, 2], activation="silu", dtype="float64", l2=0.01) for _ in range(2))
    optimizer = sc.Adam(lr=0.01, clip_norm=0.5)
    history = net.fit(
        X, y, optimizer=optimizer, batch_size=batch_size, epochs=5, shuffle=False, sample_weight=weight
    )
    bound = sc.Adam(loop.params, lr=0.01, clip_norm=0.5)
    size = batch_size or len(X)
    for epoch in range(5):
        total = 0.0
        for start in range(0, len(X), size):
            part = slice(start, start + size)
            loss, grads = loop.loss_and_grads(X[part], y[part], sample_weight=weight[part])
            total += loss * weight[part].sum()
            bound.step(grads)
        assert history["loss"][epoch] == pytest.approx(total / weight.sum(), rel=1e-12)
    np.testing.assert_allclose(net.theta, loop.theta, rtol=1e-12, atol=1e-14)
    assert net.optimizer is not None
    assert net.optimizer.step_count == bound.step_count


ALONE = [
    sc.LAMB(weight_decay=0.01),
    sc.Prodigy(),
    sc.Adam(lr=0.01, accumulate=3),
    sc.LAMB(lr=0.01, accumulate=2, clip_norm=0.5, nonfinite="skip"),
    sc.SGD(lr=0.1, momentum=0.9, clip_tensor_norm=0.05),
]


@pytest.mark.parametrize("optimizer", ALONE, ids=repr)
def test_steps_that_workers_cannot_share_are_those_of_the_loop(optimizer: sc.Optimizer) -> None:
    """Rules that pass twice over the parameters, gathered gradients, clips by tensor."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 4)), rng.normal(size=(40, 2))
    loop, *nets = (sc.MLP([4, 7, 2], dtype="float64", l2=0.01) for _ in range(4))
    bound = optimizer.bind(loop.params)
    for _ in range(5):
        for start in range(0, 40, 8):
            bound.step(loop.loss_and_grads(X[start : start + 8], y[start : start + 8])[1])
    for n_threads, net in enumerate(nets, start=1):
        # In two fits: what was gathered in the first waits for the second.
        net.fit(X, y, optimizer=optimizer, batch_size=8, epochs=2, shuffle=False, n_threads=n_threads)
        history = net.fit(X, y, batch_size=8, epochs=3, shuffle=False, n_threads=n_threads)
        np.testing.assert_allclose(net.theta, loop.theta, rtol=1e-12, atol=1e-14)
        assert net.theta.tobytes() == nets[0].theta.tobytes()
        assert net.optimizer.step_count == bound.step_count
        assert history["lr"][-1] == bound.lr


@pytest.mark.parametrize(("rule", "accumulate"), [(sc.LAMB, 1), (sc.Adam, 2)])
@pytest.mark.parametrize("bad", [np.nan, 1e300])
def test_such_steps_are_left_out_where_not_finite(rule: type, accumulate: int, bad: float) -> None:
    X, y = RNG.normal(size=(24, 4)), RNG.normal(size=24)
    X[17, 2] = bad
    options = {"batch_size": 4, "shuffle": False}
    optimizer = rule(accumulate=accumulate)
    net, short = (sc.MLP([4, 7, 1], dtype="float64") for _ in range(2))
    short.fit(X[:16], y[:16], optimizer=optimizer, epochs=1, **options)
    with pytest.raises(sc.NonFiniteError, match="step"):
        net.fit(X, y, optimizer=optimizer, epochs=1, **options)
    assert net.theta.tobytes() == short.theta.tobytes()
    assert net.optimizer.step_count == short.optimizer.step_count
    net = sc.MLP([4, 7, 1], dtype="float64")
    net.fit(X, y, optimizer=rule(accumulate=accumulate, nonfinite="skip"), epochs=2, **options)
    assert net.optimizer.skipped_steps == 2
    assert np.isfinite(net.theta).all()


def test_one_long_fit_is_two_short_ones() -> None:
    X, y = RNG.normal(size=(100, 4)), RNG.normal(size=100)
    long, short = sc.MLP([4, 16, 1], dropout=0.2), sc.MLP([4, 16, 1], dropout=0.2)
    long.fit(X, y, batch_size=16, epochs=6)
    short.fit(X, y, batch_size=16, epochs=2)
    short.fit(X, y, batch_size=16, epochs=4)
    assert long.theta.tobytes() == short.theta.tobytes()


@pytest.mark.parametrize("callbacks", [(), (lambda info: None,)], ids=["alone", "watched"])
@pytest.mark.parametrize(
    ("layers", "batch_size"), [([8, 32, 32, 1], 32), ([54, 256, 256, 7], 100), ([3, 1, 1000], 1)]
)
def test_bits_do_not_depend_on_threads_or_callbacks(
    layers: list[int], batch_size: int, callbacks: tuple
) -> None:
    loss = "cross_entropy" if layers[-1] == 7 else "mse"
    X, y = RNG.normal(size=(210, layers[0])), targets(loss, 210, layers[-1])
    results = set()
    for n_threads in (None, 1, 2, 3, 4, 8):
        net = sc.MLP(layers, loss=loss, dropout=0.1)
        net.fit(X, y, batch_size=batch_size, epochs=3, n_threads=n_threads, callbacks=callbacks)
        results.add(net.theta.tobytes())
    assert len(results) == 1


def test_history_records_every_epoch() -> None:
    X, y = RNG.normal(size=(60, 3)), RNG.normal(size=60)
    net = sc.MLP([3, 8, 1])
    schedule = sc.schedules.exponential(0.1, rate=0.5, decay_steps=6)
    history = net.fit(X, y, optimizer=sc.SGD(lr=schedule), batch_size=10, epochs=4, validation_data=(X, y))
    assert [len(history[name]) for name in ("loss", "val_loss", "lr", "seconds")] == [4] * 4
    assert history["lr"] == [schedule(step) for step in (5, 11, 17, 23)]
    assert history["val_loss"][-1] == pytest.approx(net.loss(X, y), rel=1e-6)
    assert history["seconds"] == sorted(history["seconds"])
    assert history.stopped == "epochs"


def test_stops_at_a_target_and_for_callbacks() -> None:
    X = np.linspace(-1, 1, 50)[:, None]
    y = 2 * X[:, 0]
    net = sc.MLP([1, 1])
    history = net.fit(X, y, optimizer=sc.SGD(lr=0.1), batch_size=5, epochs=1000, target_loss=1e-4)
    assert history.stopped == "target_loss"
    assert history["loss"][-1] <= 1e-4 < history["loss"][-2]
    blocks = sc.blocks.from_arrays(X, y)
    for source, optimizer in (((X, y), sc.SGD(lr=0.1)), ((blocks,), sc.SGD(lr=0.1)), ((X, y), sc.LBFGS())):
        fit = partial(sc.MLP([1, 1]).fit, *source, optimizer=optimizer)
        target = fit(epochs=3)["loss"][-1]
        fit = partial(sc.MLP([1, 1]).fit, *source, optimizer=optimizer)
        # A loss that is exactly the target has come to it.
        assert fit(epochs=9, target_loss=target).epochs == 3
    seen = []

    def third(info: sc.TrainingInfo) -> bool:
        seen.append((info.epoch, info.loss, info.net.optimizer.step_count))
        return info.epoch == 3

    def second(info: sc.TrainingInfo) -> None:
        if info.epoch == 2:
            raise StopIteration

    before = net.optimizer.step_count
    assert net.fit(X, y, batch_size=5, epochs=10, callbacks=[third]).stopped == "callback"
    assert [epoch for epoch, *_ in seen] == [1, 2, 3]
    assert seen[0][2] == before + 10
    assert len(net.fit(X, y, epochs=10, callbacks=[second])["loss"]) == 2


def test_a_callback_may_change_learning_rate_and_parameters() -> None:
    X, y = RNG.normal(size=(40, 2)), RNG.normal(size=40)
    net = sc.MLP([2, 4, 1])

    def halve_and_clip(info: sc.TrainingInfo) -> None:
        info.net.optimizer.lr = info.lr / 2
        np.clip(info.net.theta, -0.5, 0.5, out=info.net.theta)

    history = net.fit(X, y, optimizer=sc.SGD(lr=0.8), epochs=4, callbacks=[halve_and_clip])
    assert history["lr"] == [0.8, 0.4, 0.2, 0.1]
    assert np.abs(net.theta).max() <= 0.5


class Source:
    """Blocks of unequal size."""

    def __init__(self, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> None:
        self.cuts = [0, 10, 35, 36, len(X)]
        self.parts = (X, y) if weight is None else (X, y, weight)
        self.n_blocks = 4
        self.order: list[int] = []

    def read(self, i: int) -> tuple[np.ndarray, ...]:
        self.order.append(i)
        return tuple(part[self.cuts[i] : self.cuts[i + 1]] for part in self.parts)


def test_blocks_are_read_in_a_new_order_each_epoch_and_all_learned_from(tmp_path: Path) -> None:
    X = RNG.normal(size=(80, 3))
    y = X @ [1.0, -2.0, 0.5]
    source = Source(X, y)
    net = sc.MLP([3, 1], dtype="float64")
    history = net.fit(source, optimizer=sc.SGD(lr=0.1), batch_size=8, epochs=30)
    orders = {tuple(source.order[i : i + 4]) for i in range(0, 120, 4)}
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len(orders) > 10
    np.testing.assert_allclose(net.params[0][:, 0], [1.0, -2.0, 0.5], atol=1e-6)
    assert history["loss"][-1] < 1e-10

    np.save(tmp_path / "x.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    net, again = sc.MLP([3, 1]), sc.MLP([3, 1])
    net.fit(mapped, y, epochs=3)
    again.fit(X.astype(np.float32), y, epochs=3)
    assert net.theta.tobytes() == again.theta.tobytes()


@pytest.mark.parametrize("small", [0, 7])
def test_all_digits_of_a_seed_count(small: int) -> None:
    X, large = np.random.default_rng(0).normal(size=(64, 4)), 2**64 + small

    def theta_of(seed: int, **options: Any) -> np.ndarray:
        net = sc.MLP([4, 8, 1], dropout=0.5)
        net.fit(X, X[:, 0], epochs=2, batch_size=16, seed=seed, **options)
        return net.theta

    assert np.array_equal(theta_of(large), theta_of(large))
    assert not np.array_equal(theta_of(small), theta_of(large))
    net = sc.MLP([4, 8, 1], dropout=0.5)
    kept, others = (net.loss_and_grads(X, X[:, 0], dropout_seed=seed)[0] for seed in (small, large))
    assert kept != others


def test_the_seed_of_a_fit_decides_the_order_of_blocks_and_without_shuffling_it_is_their_own() -> None:
    X, y = RNG.normal(size=(80, 3)), RNG.normal(size=80)

    def order_of(own_seed: int, **options: object) -> list[int]:
        source = Source(X, y)
        sc.MLP([3, 1], seed=own_seed).fit(source, epochs=5, **options)
        return source.order

    assert order_of(0) == order_of(7, seed=0)
    assert order_of(0) != order_of(0, seed=7)
    assert order_of(0, shuffle=False) == [0, 1, 2, 3] * 5


def test_the_loss_of_blocks_is_that_of_all_rows() -> None:
    X, y, weight = RNG.normal(size=(80, 3)), RNG.normal(size=80), RNG.uniform(size=80)
    for loss in ("mse", "sse"):
        net = sc.MLP([3, 4, 1], loss=loss, dtype="float64")
        still = sc.SGD(lr=0.0)
        whole = net.fit(X, y, optimizer=still, epochs=1, sample_weight=weight)["loss"][0]
        read = net.fit(Source(X, y, weight), optimizer=still, epochs=1)["loss"][0]
        called = net.fit(lambda: iter([(X, y, weight)]), optimizer=still, epochs=1)["loss"][0]
        assert read == pytest.approx(whole, rel=1e-12)
        assert called == pytest.approx(whole, rel=1e-12)


def test_online_learning_keeps_parameters_and_optimizer_only() -> None:
    X, y = RNG.normal(size=(20, 2)), RNG.normal(size=20)
    net = sc.MLP([2, 3, 1], dtype="float64")
    bound = None
    for i in range(20):  # one new row at a time, as it arrives
        net.fit(
            X[i : i + 1], y[i : i + 1], optimizer=sc.SGD(lr=0.01, momentum=0.9) if i == 0 else None, epochs=1
        )
        bound = bound or net.optimizer
    assert net.optimizer is bound
    assert bound.step_count == 20
    loop = sc.MLP([2, 3, 1], dtype="float64")
    other = sc.SGD(loop.params, lr=0.01, momentum=0.9)
    for i in range(20):
        other.step(loop.loss_and_grads(X[i : i + 1], y[i : i + 1])[1])
    np.testing.assert_allclose(net.theta, loop.theta, rtol=1e-12)


def test_weights_count_like_repetition() -> None:
    X, y = RNG.normal(size=(15, 3)), RNG.normal(size=15)
    counts = RNG.integers(0, 4, 15)
    counts[0] = 1
    weighted, repeated = (sc.MLP([3, 6, 1], dtype="float64") for _ in range(2))
    weighted.fit(X, y, sample_weight=counts, batch_size=None, epochs=20, shuffle=False)
    repeated.fit(X.repeat(counts, axis=0), y.repeat(counts), batch_size=None, epochs=20, shuffle=False)
    np.testing.assert_allclose(weighted.theta, repeated.theta, rtol=1e-9)


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    net = sc.MLP([1, 4000, 1], activation="identity", dropout=0.25, dtype="float64")
    net.params[0][:], net.params[2][:] = 1.0, 1.0 / 4000
    X = np.ones((1, 1))
    kept = [net.loss_and_grads(X, [0.0], dropout_seed=seed)[0] ** 0.5 * 0.75 for seed in range(30)]
    # Each is a mean of 4000 Bernoulli(0.75): deviation 0.0068; their mean 0.00125.
    assert abs(np.mean(kept) - 0.75) < 0.006
    assert 0.003 < np.std(kept) < 0.012
    assert net.predict(X)[0] == pytest.approx(1.0)


def test_bad_arguments_name_themselves_and_change_nothing() -> None:
    X, y = RNG.normal(size=(10, 2)), RNG.normal(size=10)
    net = sc.MLP([2, 3, 1])
    net.fit(X, y, epochs=1)
    before, optimizer, history = net.theta.tobytes(), net.optimizer, net.history
    fine = {"X": X, "y": y}
    for change, error, words in [
        ({"X": X[0]}, ValueError, r"X must be of shape \(n_samples, 2\)"),
        ({"X": X[:, :1]}, ValueError, "X must be of shape"),
        ({"X": X.astype(complex)}, TypeError, "X must be an array of real numbers, got dtype complex"),
        ({"X": X.astype(str)}, TypeError, "X must be"),
        ({"y": y[:3]}, ValueError, "y must have 10 rows"),
        ({"y": np.ones((10, 2))}, ValueError, "y must be of shape"),
        ({"y": None}, TypeError, "y must be given"),
        ({"X": X[:0], "y": y[:0]}, ValueError, "at least one row"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": 2.5}, TypeError, "batch_size"),
        ({"epochs": -1}, ValueError, "epochs"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"seed": -1}, ValueError, "seed"),
        ({"optimizer": "adamm"}, ValueError, "optimizer must be one of .*lbfgs, got 'adamm'"),
        ({"optimizer": sc.Adam}, TypeError, r"or its name, got the class: did you mean Adam\(\)\?"),
        ({"optimizer": 3}, TypeError, "optimizer"),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight must be of shape"),
        ({"sample_weight": -np.ones(10)}, ValueError, "sample_weight"),
        ({"sample_weight": np.full(10, np.nan)}, ValueError, "sample_weight"),
        ({"y": [[1.0], [1.0, 2.0]]}, ValueError, "y must be an array, got list"),
        ({"validation_data": (X, y[:2])}, ValueError, "validation_data: y"),
        (
            {"validation_data": (X,)},
            TypeError,
            r"validation_data must be a tuple \(X, y\) or .*, got 1 of them",
        ),
        ({"validation_data": X}, TypeError, r"validation_data must be a tuple \(X, y\) or .*, got ndarray"),
        ({"validation_data": (X, None)}, TypeError, "validation_data: y must be given, got None"),
        ({"max_time": "long"}, TypeError, "max_time must be a number, got 'long'"),
        ({"max_time": 0}, ValueError, "max_time must be a positive number"),
        ({"target_loss": "low"}, TypeError, "target_loss must be a number, got 'low'"),
        ({"callbacks": 5}, TypeError, "callbacks must be functions, got 5"),
    ]:
        with pytest.raises(error, match=words):
            net.fit(**{**fine, **change})
        assert net.theta.tobytes() == before
        assert net.optimizer is optimizer
        assert net.history is history
    for arguments, words in [
        ({"layers": [3]}, "layers"),
        ({"layers": [3, 0, 1]}, "layers"),
        ({"activation": "relux"}, "activation must be one of identity"),
        ({"activation": "ReLU"}, 'got "ReLU": did you mean "relu"[?]$'),
        ({"loss": "bce"}, 'got "bce": did you mean "binary_cross_entropy"[?]$'),
        ({"loss": "crossentropy"}, 'got "crossentropy": did you mean "cross_entropy"[?]$'),
        ({"activation": ["relu", "relu"]}, "activation"),
        ({"loss": "l2"}, "loss must be one of"),
        ({"dropout": 1.0}, "dropout"),
        ({"l2": -1.0}, "l2"),
        ({"l2": float("nan")}, "l2"),
    ]:
        with pytest.raises(ValueError, match=words):
            sc.MLP(**{"layers": [2, 3, 1], **arguments})
    for arguments, words in [
        ({"layers": 5}, "layers must be integers, the widths from inputs to outputs, got 5"),
        ({"activation": 5}, "activation must be a name, or names for the hidden layers, got 5"),
        ({"activation": None}, "activation must be a name, or names for the hidden layers, got None"),
        ({"dropout": None}, "dropout must be a number, or numbers for the hidden layers, got None"),
        ({"dropout": np.array(0.5)}, "dropout must be a number, or numbers for the hidden layers, got array"),
        ({"l2": "x"}, "l2 must be a number, got 'x'"),
        ({"l2": None}, "l2 must be a number, got None"),
        ({"loss": None}, "loss must be one of mse, .*, got None"),
        ({"norm": 5}, "norm must be one of None, layer, rms, got 5"),
        ({"dtype": "int32"}, "dtype must be float32 or float64, got 'int32'"),
        ({"dtype": "foo"}, "dtype must be float32 or float64, got 'foo'"),
        ({"dtype": None}, "dtype must be float32 or float64, got None"),
    ]:
        with pytest.raises(TypeError, match=words):
            sc.MLP(**{"layers": [2, 3, 1], **arguments})
    for ask in (net.loss, net.loss_and_grads, lambda *rows: net.fit(lambda: [rows])):
        with pytest.raises(TypeError, match="y must be given, got None"):
            ask(X, None)
    for ask in (net.loss, net.loss_and_grads, lambda X, y, **options: net.predict(X, **options)):
        for threads, error in {0: ValueError, -1: ValueError, 2.5: TypeError}.items():
            with pytest.raises(error, match="n_threads must be an integer"):
                ask(X, y, n_threads=threads)
    for source in (lambda: 5, lambda: [(X,)], lambda: [X]):
        with pytest.raises(TypeError, match=r"X must return an iterator|a block must be a tuple"):
            net.fit(source)
    assert net.theta.tobytes() == before
    used = iter([(X, y)])
    with pytest.raises(
        ValueError, match="got none in epoch 2: a callable must return a new iterator each time"
    ):
        sc.MLP(net.layers).fit(lambda: used, epochs=2)
    classifier = sc.MLP([2, 3], loss="cross_entropy")
    for labels in ([0, 3], [-1, 0], [0.5, 1.0], [[0, 1], [1, 0]]):
        with pytest.raises((ValueError, TypeError), match="class indices"):
            classifier.fit(X[:2], labels)


def test_callbacks_that_a_call_does_not_run_are_refused() -> None:
    async def asleep(info: sc.TrainingInfo) -> None:
        raise AssertionError

    async def steps(info: sc.TrainingInfo) -> AsyncIterator[int]:
        yield info.epoch

    def epochs(info: sc.TrainingInfo) -> Iterator[int]:
        yield info.epoch

    class Watch:
        async def __call__(self, info: sc.TrainingInfo) -> None:
            raise AssertionError

    X, net = np.eye(4), sc.MLP([4, 3, 1])
    for callback in (asleep, steps, Watch(), partial(asleep), Watch().__call__):
        with pytest.raises(TypeError, match="callbacks must be run by a call, got the asynchronous function"):
            net.fit(X, X[0], callbacks=[print, callback])
    with pytest.raises(TypeError, match="callbacks must be run by a call, got the generator function"):
        net.fit(X, X[0], callbacks=epochs)
    assert net.fit(X, X[0], epochs=1, callbacks=partial(print, end="")).stopped == "epochs"


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_nan_is_refused_with_the_last_finished_step_kept(n_threads: int, clip_norm: float | None) -> None:
    X, y = RNG.normal(size=(40, 2)), RNG.normal(size=40)
    X[27] = np.nan
    net, healthy = sc.MLP([2, 9, 1]), sc.MLP([2, 9, 1])
    settings = {"batch_size": 10, "shuffle": False, "epochs": 1, "n_threads": n_threads}
    with pytest.raises(sc.NonFiniteError, match=r"loss.*step 3.*X has NaN"):
        net.fit(X, y, optimizer=sc.Adam(clip_norm=clip_norm), **settings)
    healthy.fit(X[:20], y[:20], optimizer=sc.Adam(clip_norm=clip_norm), **settings)
    assert net.theta.tobytes() == healthy.theta.tobytes()
    assert net.optimizer.step_count == 2
    skipping = sc.MLP([2, 9, 1])
    skipping.fit(X, y, optimizer=sc.Adam(nonfinite="skip", clip_norm=clip_norm), **settings)
    assert np.isfinite(skipping.theta).all()
    assert (skipping.optimizer.step_count, skipping.optimizer.skipped_steps) == (3, 1)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
def test_ctrl_c_keeps_the_last_finished_step() -> None:
    X, y = RNG.normal(size=(2000, 20)), RNG.normal(size=2000)
    net = sc.MLP([20, 64, 1])
    pressed = []

    def press() -> None:
        time.sleep(0.3)
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y, epochs=10**6)
    stopped_after = time.perf_counter() - pressed[0]
    thread.join()
    assert stopped_after < 30  # a hang, not a speed, would fail here
    assert net.history.stopped == "interrupted"
    done = len(net.history["loss"])
    assert done > 0
    again = sc.MLP([20, 64, 1])
    again.fit(X, y, epochs=done)
    assert net.optimizer.step_count >= again.optimizer.step_count
    assert np.isfinite(net.theta).all()
    net.fit(X, y, epochs=1)


def test_other_threads_run_meanwhile() -> None:
    X, y = RNG.normal(size=(4000, 50)), RNG.normal(size=4000)
    ticks = 0
    running = True

    def count() -> None:
        nonlocal ticks
        while running:
            ticks += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    start = ticks
    sc.MLP([50, 256, 256, 1]).fit(X, y, epochs=20)
    seen = ticks - start
    running = False
    thread.join()
    assert seen > 10


def test_two_fits_at_once_give_what_they_give_alone() -> None:
    X, y = RNG.normal(size=(500, 20)), RNG.normal(size=500)
    nets = [sc.MLP([20, 128, 1], seed=seed) for seed in range(4)]
    threads = [
        threading.Thread(target=net.fit, args=(X, y), kwargs={"epochs": 5, "n_threads": 2}) for net in nets
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, net in enumerate(nets):
        alone = sc.MLP([20, 128, 1], seed=seed)
        alone.fit(X, y, epochs=5)
        assert net.theta.tobytes() == alone.theta.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loop_may_keep_the_vector_of_the_gradient(dtype: str) -> None:
    X, y = RNG.normal(size=(30, 3)).astype(dtype), RNG.normal(size=30).astype(dtype)
    net = sc.MLP([3, 8, 1], dtype=dtype)
    loss, grads = net.loss_and_grads(X, y)
    out = np.full(net.theta.size, np.nan, dtype)
    for _ in range(2):
        again, views = net.loss_and_grads(X, y, out=out)
        assert again == loss
        assert out.tobytes() == grads[0].base.tobytes()
        assert [view.shape for view in views] == [param.shape for param in net.params]
        assert all(view.base is out for view in views)


@pytest.mark.parametrize(
    ("out", "error", "says"),
    [
        (lambda net: np.zeros(net.theta.size - 1, net.dtype), ValueError, "out must"),
        (lambda net: np.zeros(net.theta.size), TypeError, "out must"),
        (lambda net: [0.0] * net.theta.size, TypeError, "out must"),
        (lambda net: np.zeros((net.theta.size, 2), net.dtype)[:, 0], ValueError, "out must"),
        (lambda net: np.broadcast_to(np.float32(0), net.theta.shape), ValueError, "out must"),
        (lambda net: net.theta, ValueError, "out must have memory of its own"),
    ],
    ids=["shorter", "float64", "list", "strided", "read-only", "theta"],
)
def test_what_cannot_hold_the_gradient_is_refused(out: Any, error: Any, says: str) -> None:
    net = sc.MLP([3, 8, 1])
    before = net.theta.tobytes()
    with pytest.raises(error, match=says):
        net.loss_and_grads(np.ones((5, 3), np.float32), np.ones(5), out=out(net))
    assert net.theta.tobytes() == before


def test_a_gradient_does_not_go_where_the_indices_of_sparse_rows_are() -> None:
    net, X = sc.MLP([3, 4, 1]), scipy.sparse.csr_array(np.ones((7, 3), np.float32))
    for name in ("indices", "indptr"):
        memory = np.zeros(21, np.int32)
        memory[: getattr(X, name).size] = getattr(X, name)
        setattr(X, name, memory[: getattr(X, name).size])
        with pytest.raises(ValueError, match="out must have memory of its own, got some of X's"):
            net.loss_and_grads(X, np.ones(7), out=memory.view(np.float32))


@pytest.mark.parametrize("name", ["X", "y", "sample_weight", "sparse X"])
def test_a_gradient_does_not_go_where_the_rows_are(name: str) -> None:
    net, memory = sc.MLP([3, 4, 1]), np.ones(21, np.float32)
    rows: dict[str, Any] = {"X": np.ones((7, 3), np.float32), "y": np.ones(7), "sample_weight": np.ones(7)}
    if name == "sparse X":
        rows["X"] = scipy.sparse.csr_array(rows["X"])
        rows["X"].data = memory
    else:
        rows[name] = memory.reshape(7, 3) if name == "X" else memory[:7]
    whose = name.removeprefix("sparse ")
    with pytest.raises(ValueError, match=f"out must have memory of its own, got some of {whose}'s"):
        net.loss_and_grads(**rows, out=memory)
    assert (memory == 1).all()


def test_many_threads_may_ask_one_network_at_once() -> None:
    net = sc.MLP([20, 200, 200, 1])
    X, y = RNG.normal(size=(3000, 20)).astype(np.float32), RNG.normal(size=3000).astype(np.float32)
    loss, outputs = net.loss(X, y), net.predict(X).tobytes()
    loss_too, grads = net.loss_and_grads(X, y)
    failures: list[object] = []

    def ask(turn: int) -> None:
        try:
            for i in range(6):
                if (turn + i) % 3 == 0:
                    assert net.loss(X, y) == loss
                elif (turn + i) % 3 == 1:
                    assert net.predict(X).tobytes() == outputs
                else:
                    again, slopes = net.loss_and_grads(X, y)
                    assert again == loss_too
                    assert slopes[0].base.tobytes() == grads[0].base.tobytes()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(turn,)) for turn in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_parameters_in_read_only_memory_can_be_asked_but_not_trained() -> None:
    X, y = RNG.normal(size=(10, 2)), RNG.normal(size=10)
    net, frozen = (sc.MLP([2, 3, 1]) for _ in range(2))
    for each in (net, frozen):
        each.fit(X, y, epochs=1)
    for array in (frozen.theta, *frozen.params):
        array.setflags(write=False)
    assert frozen.predict(X).tobytes() == net.predict(X).tobytes()
    assert frozen.loss(X, y) == net.loss(X, y)
    (loss, grads), (expected, slopes) = frozen.loss_and_grads(X, y), net.loss_and_grads(X, y)
    assert loss == expected
    assert grads[0].base.tobytes() == slopes[0].base.tobytes()
    history, optimizer = frozen.history, frozen.optimizer
    for chosen in (None, "adam", "lbfgs"):
        with pytest.raises(ValueError, match="theta must be writable to be trained, got a read-only array"):
            frozen.fit(X, y, optimizer=chosen)
    assert frozen.history is history
    assert frozen.optimizer is optimizer
    assert frozen.theta.tobytes() == net.theta.tobytes()


def test_shapes_of_predictions_follow_the_targets() -> None:
    X = RNG.normal(size=(6, 2))
    flat, column = sc.MLP([2, 1]), sc.MLP([2, 1])
    flat.fit(X, np.zeros(6), epochs=1)
    column.fit(X, np.zeros((6, 1)), epochs=1)
    assert flat.predict(X).shape == (6,)
    assert column.predict(X).shape == (6, 1)
    assert sc.MLP([2, 3], loss="cross_entropy").predict(X).shape == (6, 3)
    assert flat.predict(X[:0]).shape == (0,)


def test_params_are_views_of_theta_and_survive_pickling() -> None:
    net = sc.MLP([3, 4, 2])
    assert all(np.shares_memory(p, net.theta) for p in net.params)
    assert [p.shape for p in net.params] == [(3, 4), (4,), (4, 2), (2,)]
    copy = pickle.loads(pickle.dumps(net))
    assert copy.theta.tobytes() == net.theta.tobytes()
    copy.params[0][:] = 7.0
    assert (copy.theta[:12] == 7.0).all()
    X = RNG.normal(size=(5, 3))
    assert not np.array_equal(copy.predict(X), net.predict(X))


def test_summary_counts_the_parameters() -> None:
    net = sc.MLP([784, 256, 128, 10], loss="cross_entropy")
    assert net.theta.size == 235_146
    assert "235,146" in net.summary()
    assert "softmax" in net.summary()


@pytest.mark.parametrize("rows", [1, 2, 7, 100])
@pytest.mark.parametrize("layers", [[1, 1], [1, 1, 1], [2, 1, 1], [1, 1, 1, 1], [3, 1, 2, 1]])
def test_layers_of_one_unit_predict_what_numpy_says(layers, rows):
    net = sc.MLP(layers, activation="tanh", dtype="float64", seed=3)
    X = np.linspace(-1, 1, rows * layers[0]).reshape(rows, layers[0])
    out = X
    for i in range(0, len(net.params), 2):
        out = out @ net.params[i] + net.params[i + 1]
        out = np.tanh(out) if i + 2 < len(net.params) else out
    np.testing.assert_allclose(net.predict(X), out[:, 0], rtol=1e-13)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_workers_end_together_when_the_target_is_reached(n_threads):
    X = np.random.default_rng(0).normal(size=(200, 64)).astype(np.float32)
    net = sc.MLP([64, 100, 1])
    for _ in range(300):  # each time a worker might leave before the others
        history = net.fit(X, X[:, 0], batch_size=200, epochs=2, target_loss=1e9, n_threads=n_threads)
        assert history.stopped == "target_loss"


OTHERS = {
    "a recipe": lambda net: sc.Adam(lr=0.1),
    "those of another network": lambda net: sc.Adam(sc.MLP([5, 5, 5]).params),
    "copies": lambda net: sc.Adam(copy.deepcopy(list(net.params))),
    "another order": lambda net: sc.Adam([net.params[i] for i in (2, 3, 0, 1)]),
    "some": lambda net: sc.Adam(net.params[:2]),
    "another dtype": lambda net: sc.Adam(sc.MLP([5, 5, 5], dtype="float64").params),
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_optimizer_of_other_arrays_is_refused_and_nothing_changes(name: str) -> None:
    X = np.random.default_rng(0).normal(size=(20, 5))
    net = sc.MLP([5, 5, 5])
    history = net.fit(X, X, epochs=1)
    before, net.optimizer = net.theta.copy(), OTHERS[name](net)
    got = "a recipe" if name == "a recipe" else "one of other arrays"
    says = f"optimizer must be bound to the parameters of this network, net.params, got {got}"
    with pytest.raises(ValueError, match=says):
        net.fit(X, X, epochs=1)
    assert net.history is history
    assert np.array_equal(net.theta, before)

    def exchange(info: sc.TrainingInfo) -> None:
        net.optimizer = OTHERS[name](net)

    with pytest.raises(ValueError, match=says):
        net.fit(X, X, optimizer="sgd", epochs=2, callbacks=exchange)
    assert len(net.history["loss"]) == 1
    net.optimizer = sc.Adam(net.params)
    assert net.fit(X, X, epochs=1).stopped == "epochs"
    assert net.optimizer.step_count == 1


def test_classes_that_change_during_a_training_are_those_that_it_began_with() -> None:
    X = np.random.default_rng(0).normal(size=(40, 4))
    y = np.arange(40, dtype=np.uint32) % 3

    def trained(lr: Any) -> np.ndarray:
        net = sc.MLP([4, 5, 3], loss="cross_entropy")
        net.fit(X, labels, optimizer=sc.SGD(lr=lr), batch_size=10, epochs=2)
        return net.theta

    def spoil(step: int) -> float:
        labels[:] = 99
        return 0.1

    labels = y.copy()
    expected = trained(0.1)
    np.testing.assert_array_equal(trained(spoil), expected)


@pytest.mark.parametrize("of_blocks", [False, True])
@pytest.mark.parametrize("loss", ["mse", "sse"])
def test_steps_that_are_left_out_have_no_loss(loss: str, of_blocks: bool) -> None:
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.ones(40)
    optimizer = sc.SGD(lr=0.01, nonfinite="skip")

    def fitted(spoilt: int, first: int = 0) -> sc.History:
        net, rows = sc.MLP([3, 4, 1], loss=loss, l2=0.1, dtype="float64"), X.copy()
        rows[:spoilt] = np.nan
        pieces = [(rows[start:stop], y[start:stop]) for start, stop in ((first, 20), (20, 40))]
        given: Any = (lambda: iter(pieces),) if of_blocks else (rows[first:], y[first:])
        return net.fit(*given, optimizer=optimizer, batch_size=10, epochs=2, shuffle=False, target_loss=0.0)

    np.testing.assert_allclose(fitted(10)["loss"], fitted(0, first=10)["loss"], rtol=1e-13)
    assert np.isfinite(fitted(20)["loss"]).all()
    none = fitted(40)
    assert np.isnan(none["loss"]).all()
    assert none.stopped == "epochs"


def on_a_line(array: np.ndarray) -> bool:
    return array.ctypes.data % 64 == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layers", [[3, 2, 1], [40, 300, 2], [100, 1000, 10]], ids=str)
def test_parameters_begin_with_a_cache_line_also_those_of_copies(
    layers: list[int], dtype: str, tmp_path: Path
) -> None:
    net = sc.MLP(layers, dtype=dtype, loss="cross_entropy" if layers[-1] > 1 else "mse")
    net.save(tmp_path / "net")
    copies = [net, copy.deepcopy(net), pickle.loads(pickle.dumps(net)), sc.MLP.load(tmp_path / "net")]
    assert all(on_a_line(each.theta) and each.params[0].base is each.theta for each in copies)
    X, y = RNG.standard_normal((20, layers[0])).astype(dtype), np.arange(20) % 2
    classifier = sc.MLPClassifier(tuple(layers[1:-1]), max_iter=2).partial_fit(X, y, classes=[0, 1])
    assert on_a_line(classifier.coefs_[0])
    assert on_a_line(classifier.partial_fit(X, y).coefs_[0])

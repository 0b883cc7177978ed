"""Gradients of many rows in float32 are those of float64 to nearly all digits, whatever is summed."""

import numpy as np
import pytest
import scipy.sparse

import schuss as sc

SIZES = [4096, 100_000, 1_000_000]


def pair(rows, layers=(3, 4, 1), **options):
    """The same network in both precisions, and rows whose terms all have one sign: nothing cancels."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 1.5, (rows, layers[0])).astype(np.float32)
    nets = [
        sc.MLP(list(layers), dtype=dtype, seed=1, activation="softplus", **options)
        for dtype in ("float32", "float64")
    ]
    nets[1].theta[...] = nets[0].theta
    # A residual of 0.1 in every row.
    y = nets[1].predict(X.astype(np.float64)).reshape(rows, -1) - 0.1
    return nets, X, y


def error(grads, exact):
    return max(np.abs(g - e).max() / np.abs(e).max() for g, e in zip(grads, exact, strict=True))


@pytest.mark.parametrize("rows", SIZES)
def test_gradients_with_a_constant_residual(rows):
    (single, double), X, y = pair(rows)
    _, grads = single.loss_and_grads(X, y)
    loss, exact = double.loss_and_grads(X.astype(np.float64), y)
    # What is held at once is one chain, longer batches are sums of short ones: in one chain, 1e-3 at 100,000.
    tolerance = 1e-4 if rows == 4096 else 2e-5
    assert error(grads, exact) < tolerance
    np.testing.assert_allclose(single.loss(X, y), loss, rtol=1e-5)
    # The bias of the output alone: the sum of a constant.
    assert abs(grads[-1][0] - exact[-1][0]) < tolerance * abs(exact[-1][0])


@pytest.mark.parametrize("options", [{"norm": "layer"}, {"norm": "rms"}, {"l2": 0.1}, {"loss": "sse"}])
def test_gains_shifts_and_penalties_too(options):
    (single, double), X, y = pair(100_000, **options)
    exact = double.loss_and_grads(X.astype(np.float64), y)[1]
    assert error(single.loss_and_grads(X, y)[1], exact) < 3e-5


def test_sparse_rows_have_the_same_gradient():
    (single, _), X, y = pair(20_000, layers=(6, 8, 2))
    X[:, ::2] = 0.0
    dense = single.loss_and_grads(X, y)
    sparse = single.loss_and_grads(scipy.sparse.csr_array(X), y)
    assert dense[0] == sparse[0]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(dense[1], sparse[1], strict=True))


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_do_not_change_the_bits_of_long_sums(threads):
    (single, _), X, y = pair(30_000, layers=(3, 40, 7))
    y = np.repeat(y[:, :1], 7, axis=1)
    one, several = (single.loss_and_grads(X, y, n_threads=n) for n in (1, threads))
    assert one[0] == several[0]
    assert one[1][0].base.tobytes() == several[1][0].base.tobytes()
    thetas = []
    for n in (1, threads):
        net = sc.MLP([3, 40, 7], seed=1)
        net.fit(X, y, optimizer=sc.Adam(), batch_size=9000, epochs=1, n_threads=n)
        thetas.append(net.theta.tobytes())
    assert thetas[0] == thetas[1]


def test_a_step_of_training_takes_that_gradient():
    (single, double), X, y = pair(100_000)
    start = single.theta.astype(np.float64)
    exact = double.loss_and_grads(X.astype(np.float64), y)[1][0].base
    single.fit(X, y, optimizer=sc.SGD(lr=1.0), batch_size=None, epochs=1)
    moved = start - single.theta
    assert np.abs(moved - exact).max() < 2e-5 * np.abs(exact).max()


def test_norms_of_gradients_and_weights_of_rows_are_summed_in_double_precision():
    p, g = np.zeros(3_000_000, np.float32), np.full(3_000_000, 0.1, np.float32)
    sc.SGD(p, lr=1.0, clip_norm=1.0).step(g)
    np.testing.assert_allclose(p, -1 / np.sqrt(3e6), rtol=1e-6)
    X = np.ones((1_000_000, 1), np.float32)
    net = sc.MLP([1, 1], seed=0)
    net.theta[...] = 0.0
    weights = np.full(1_000_000, 0.1)
    np.testing.assert_allclose(net.loss(X, X * 3, sample_weight=weights), 9.0, rtol=1e-6)

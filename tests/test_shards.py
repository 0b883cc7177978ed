"""`MLP.fit(n_shards=k)`: bits that are those of k for any number of threads, numbers that are a batch's."""

import itertools

import numpy as np
import pytest
import scipy.sparse

import schuss as sc

RNG = np.random.default_rng(0)
ROWS = 300  # batches of 64: the last one has 44 rows, and of 37: 4 rows, fewer than there are shards
X = RNG.normal(size=(ROWS, 6))
Y = np.tanh(X[:, :1]) + 0.1 * RNG.normal(size=(ROWS, 1))
LABELS = RNG.integers(0, 3, ROWS)
WEIGHTS = RNG.uniform(0, 2, ROWS)
CATEGORIES = np.column_stack([RNG.integers(0, 5, ROWS), X[:, 1:]]).astype(float)

# What the network is made with, and what it is trained with.
CASES = {
    "plain": ({}, {}),
    "dropout": ({"dropout": 0.3}, {}),
    "weights": ({}, {"sample_weight": WEIGHTS}),
    "tiny weights": ({}, {"sample_weight": WEIGHTS * 1e-200}),
    "l2": ({"l2": 0.1}, {}),
    "clip_norm": ({}, {"optimizer": sc.Adam(lr=0.01, clip_norm=0.05)}),
    "lamb": ({"l2": 0.01}, {"optimizer": sc.LAMB(lr=0.01)}),
    "accumulate": ({}, {"optimizer": sc.Adam(lr=0.01, accumulate=2)}),
    "ignore": ({}, {"optimizer": sc.SGD(lr=0.1, nonfinite="ignore")}),
    "frozen": ({}, {"optimizer": sc.Adam([{"params": "0.*", "lr": 0.0}], lr=0.01)}),
    "classes": ({"loss": "cross_entropy", "label_smoothing": 0.1}, {}),
    "sum": ({"loss": "sse"}, {"optimizer": sc.SGD(lr=1e-3)}),
    "norm": ({"norm": "layer", "parametric": True, "input_scale": True}, {}),
    "embeddings": ({"embeddings": [sc.embeddings.Category(0, 5, 2), sc.embeddings.Periodic([1, 2])]}, {}),
    "sparse": ({}, {"sparse": True}),
    "all rows": ({"dropout": 0.2}, {"batch_size": None, "epochs": 5}),
    "everything": (
        {"dropout": 0.3, "l2": 0.1, "loss": "cross_entropy", "norm": "rms"},
        {"sample_weight": WEIGHTS, "optimizer": sc.LAMB(lr=0.01, clip_norm=0.1)},
    ),
}


def trained(made, fit, dtype="float32", **how):
    classes = made.get("loss") == "cross_entropy"
    net = sc.MLP([6, 11, 7, 3 if classes else 1], seed=1, dtype=dtype, activation="tanh", **made)
    settings = {"optimizer": sc.Adam(lr=0.01), "batch_size": 37, "epochs": 2, **fit, **how}
    inputs = CATEGORIES if "embeddings" in made else X
    if settings.pop("sparse", False):
        inputs = scipy.sparse.csr_array(np.where(np.abs(X) > 1, X, 0))
    net.fit(inputs, LABELS if classes else Y, **settings)
    return net


@pytest.mark.parametrize("n_shards", [2, 3, 8])
@pytest.mark.parametrize("case", CASES)
def test_bits_are_those_of_the_shards_for_every_number_of_threads(case, n_shards):
    for dtype in ("float32", "float64"):
        one, *others = (trained(*CASES[case], dtype, n_shards=n_shards, n_threads=n) for n in (1, 2, 3, 4))
        for other in others:
            assert other.theta.tobytes() == one.theta.tobytes()
            assert other.history["loss"] == one.history["loss"]


@pytest.mark.parametrize("n_shards", [2, 8, 37, 100])
@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_one_shard(case, n_shards):
    """Also with dropout, whose masks are those of the rows' places in the whole batch."""
    one, several = (trained(*CASES[case], "float64", n_shards=n) for n in (1, n_shards))
    np.testing.assert_allclose(several.theta, one.theta, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(several.history["loss"], one.history["loss"], rtol=1e-10)
    assert several.theta.tobytes() != one.theta.tobytes()


def shards_of(rows, n_shards):
    cuts = [rows * shard // n_shards for shard in range(n_shards + 1)]
    return [slice(*pair) for pair in itertools.pairwise(cuts)]


def tree_sum(nodes):
    while len(nodes) > 1:
        pairs = [nodes[i : i + 2] for i in range(0, len(nodes), 2)]
        nodes = [pair[0] + pair[1] if len(pair) == 2 else pair[0] for pair in pairs]
    return nodes[0]


@pytest.mark.parametrize("n_shards", [2, 3, 5, 8, 13])
def test_the_bits_are_those_of_a_tree_of_the_gradients_of_shards(n_shards):
    """Of a loss that is a sum, `loss_and_grads` of a shard's rows is the shard's gradient, to the bit."""
    x, y = X.astype(np.float32), Y.astype(np.float32)
    net = sc.MLP([6, 11, 7, 1], loss="sse", seed=1)
    loop = sc.MLP([6, 11, 7, 1], loss="sse", seed=1)
    optimizer = sc.SGD(loop.params, lr=1e-3)
    net.fit(x, y, optimizer=sc.SGD(lr=1e-3), batch_size=64, n_shards=n_shards, epochs=1, shuffle=False)
    total = 0.0
    for start in range(0, ROWS, 64):
        rows = slice(start, min(start + 64, ROWS))
        parts = [
            loop.loss_and_grads(x[rows][part], y[rows][part])
            for part in shards_of(rows.stop - rows.start, n_shards)
        ]
        total += sum(loss for loss, _ in parts)
        sums = tree_sum([np.concatenate([g.ravel() for g in grads]) for _, grads in parts])
        sizes = np.cumsum([p.size for p in loop.params])[:-1]
        optimizer.step([g.reshape(p.shape) for g, p in zip(np.split(sums, sizes), loop.params, strict=True)])
    assert net.theta.tobytes() == loop.theta.tobytes()
    assert net.history["loss"][0] == pytest.approx(total, rel=1e-12)


def model(params, n_shards, loss, weight, l2, clip_norm, lr, dtype):
    """An epoch of gradient descent in shards, in NumPy and that dtype: parameters."""
    params = [p.astype(dtype) for p in params]
    matrices, biases = params[::2], params[1::2]
    for start in range(0, ROWS, 64):
        rows = np.arange(start, min(start + 64, ROWS))
        nodes = []
        for part in shards_of(len(rows), n_shards):
            taken = rows[part]
            a = [X[taken].astype(dtype)]
            for W, b in zip(matrices[:-1], biases[:-1], strict=True):
                a.append(np.tanh(a[-1] @ W + b))
            z = a[-1] @ matrices[-1] + biases[-1]
            if loss == "mse":
                delta = 2 * (z - Y[taken])
            else:
                delta = np.exp(z - z.max(axis=1, keepdims=True))
                delta /= delta.sum(axis=1, keepdims=True)
                delta[np.arange(len(taken)), LABELS[taken]] -= 1
            delta = (delta * weight[taken, None]).astype(dtype)
            grads = []
            for layer in reversed(range(len(matrices))):
                grads[:0] = [a[layer].T @ delta, delta.sum(axis=0)]
                delta = (delta @ matrices[layer].T) * (1 - a[layer] ** 2)
            nodes.append(np.concatenate([g.ravel() for g in grads]))
        gradient = tree_sum(nodes) / weight[rows].sum()
        decayed = [p if p.ndim == 2 else np.zeros_like(p) for p in params]
        gradient += l2 * np.concatenate([p.ravel() for p in decayed])
        gradient *= min(1, clip_norm / np.linalg.norm(gradient))
        theta = np.concatenate([p.ravel() for p in params]) - lr * gradient
        sizes = np.cumsum([p.size for p in params])[:-1]
        params = [t.reshape(p.shape) for t, p in zip(np.split(theta, sizes), params, strict=True)]
        matrices, biases = params[::2], params[1::2]
    return np.concatenate([p.ravel() for p in params])


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("clip_norm", [0.3, 1e9])
@pytest.mark.parametrize("n_shards", [2, 8, 60])
def test_against_numpy(loss, weighted, clip_norm, n_shards):
    weight = WEIGHTS if weighted else np.ones(ROWS)
    for dtype, tolerance in (("float64", 1e-11), ("float32", 2e-5)):
        net = sc.MLP(
            [6, 11, 7, 3 if loss == "cross_entropy" else 1], activation="tanh", loss=loss, dtype=dtype
        )
        net.l2 = 0.05
        expected = model(net.params, n_shards, loss, weight, 0.05, clip_norm, 0.5, np.float64)
        moved = np.abs(net.theta - expected).max()
        net.fit(
            X,
            LABELS if loss == "cross_entropy" else Y,
            optimizer=sc.SGD(lr=0.5, clip_norm=clip_norm),
            sample_weight=WEIGHTS if weighted else None,
            batch_size=64,
            n_shards=n_shards,
            epochs=1,
            shuffle=False,
        )
        assert moved > 0.1
        np.testing.assert_allclose(net.theta, expected, rtol=0, atol=tolerance)


def test_rounded_factors_go_through_shards_too():
    try:
        nets = [trained({"precision": "bfloat16"}, {}, n_shards=4, n_threads=n) for n in (1, 3)]
    except ValueError as error:
        pytest.skip(str(error))
    assert nets[0].theta.tobytes() == nets[1].theta.tobytes()


def test_shards_of_more_rows_than_are_held_at_once():
    x = RNG.normal(size=(20_000, 4))
    y = x[:, 0] * x[:, 1]

    def net(n_shards, n_threads, dtype):
        net = sc.MLP([4, 8, 1], seed=0, dtype=dtype, dropout=0.1)
        net.fit(x, y, optimizer=sc.Adam(), batch_size=None, n_shards=n_shards, epochs=3, n_threads=n_threads)
        return net.theta

    for dtype in ("float32", "float64"):
        assert net(3, 1, dtype).tobytes() == net(3, 4, dtype).tobytes()
    np.testing.assert_allclose(net(3, 2, "float64"), net(1, 2, "float64"), rtol=1e-9)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_nan_is_refused_with_the_last_finished_step_kept(n_threads):
    x = X.copy()
    x[150] = np.nan  # step 3 of batches of 64, in the third shard
    nets = [sc.MLP([6, 11, 1], seed=1) for _ in range(2)]
    fit = {"batch_size": 64, "n_shards": 8, "shuffle": False, "n_threads": n_threads}
    with pytest.raises(sc.NonFiniteError, match=r"the loss has NaN .* at step 3 \(epoch 1\)"):
        nets[0].fit(x, Y, optimizer=sc.Adam(), **fit)
    nets[1].fit(X[:128], Y[:128], optimizer=sc.Adam(), epochs=1, **fit)
    assert nets[0].theta.tobytes() == nets[1].theta.tobytes()
    assert nets[0].optimizer.step_count == nets[1].optimizer.step_count == 2


def test_blocks_and_records_of_steps_go_through_shards_too():
    blocks = [(X[start : start + 100], Y[start : start + 100]) for start in range(0, ROWS, 100)]

    def net(n_shards, n_threads):
        net = sc.MLP([6, 11, 1], seed=1, dtype="float64")
        fit = {"batch_size": 30, "epochs": 2, "optimizer": sc.Adam(), "record": "step"}
        net.fit(lambda: iter(blocks), n_shards=n_shards, n_threads=n_threads, **fit)
        return net

    one, two, whole = net(4, 1), net(4, 3), net(1, 1)
    assert one.theta.tobytes() == two.theta.tobytes() != whole.theta.tobytes()
    np.testing.assert_array_equal(one.history.steps["loss"], two.history.steps["loss"])
    np.testing.assert_allclose(one.history.steps["loss"], whole.history.steps["loss"], rtol=1e-9)


def test_a_checkpoint_keeps_the_number_of_shards(tmp_path):
    fit = {"optimizer": sc.Adam(), "batch_size": 64, "checkpoint_every": 1}

    def run(epochs, n_shards, path, n_threads=1, resume=True):
        net = sc.MLP([6, 11, 1], seed=1, dropout=0.2)
        net.fit(
            X, Y, epochs=epochs, n_shards=n_shards, checkpoint=path, resume=resume, n_threads=n_threads, **fit
        )
        return net

    path = tmp_path / "run.ckpt"
    whole = run(4, 3, tmp_path / "whole.ckpt")
    run(2, 3, path)
    saved = path.read_bytes()
    for other in (1, 4):
        with pytest.raises(ValueError, match=f"n_shards is {other} here, and 3 in"):
            run(4, other, path)
    assert path.read_bytes() == saved
    assert run(4, 3, path, n_threads=3).theta.tobytes() == whole.theta.tobytes()
    one = tmp_path / "one.ckpt"
    run(2, 1, one)
    with pytest.raises(ValueError, match="n_shards is 3 here, and 1 in"):
        run(4, 3, one)


def test_time_that_is_over_ends_it_within_a_step():
    x = np.zeros((40_000, 200), np.float32)
    net = sc.MLP([200, 400, 400, 1], seed=0)
    before = net.theta.copy()
    history = net.fit(
        x, x[:, 0], batch_size=None, n_shards=4, max_time=0.05, optimizer=sc.Adam(), n_threads=2
    )
    assert history.stopped == "max_time"
    np.testing.assert_array_equal(net.theta, before)
    assert net.optimizer.step_count == 0


def test_what_cannot_work_is_refused():
    net = sc.MLP([6, 11, 1], seed=1)
    before = net.theta.copy()
    for wrong, message in {0: "at least 1, got 0", 2**16 + 1: "at most 65536, got 65537"}.items():
        with pytest.raises(ValueError, match=f"n_shards must be an integer of {message}"):
            net.fit(X, Y, n_shards=wrong)
    for wrong in (2.5, "2", None, True):
        with pytest.raises(TypeError, match="n_shards must be an integer"):
            net.fit(X, Y, n_shards=wrong)
    with pytest.raises(ValueError, match="n_shards must be 1 with LBFGS, got 2"):
        net.fit(X, Y, optimizer=sc.LBFGS(), n_shards=2)
    np.testing.assert_array_equal(net.theta, before)
    assert net.history is None

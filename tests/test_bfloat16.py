"""`precision="bfloat16"`: products of rounded factors, against NumPy, and what has to know of it."""

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import schuss as sc

try:
    sc._schuss.check_precision("bfloat16")
    MISSING = None
except ValueError as error:
    MISSING = str(error)

needs_bfloat16 = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")
THREADS = (1, 2, 3, 5, 8)


def rounded(x):
    """To the nearest bfloat16, of two to the even one, by the bits of float32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    bits = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)


def truncated(x):
    return (np.ascontiguousarray(x, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def product(a, b, round_off=rounded):
    return round_off(a).astype(np.float64) @ round_off(b).astype(np.float64)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def net_of(layers, **options):
    return sc.MLP(layers, precision="bfloat16", **options)


def classes_of(rows, inputs, seed=0):
    """Rows of three classes that a small network can tell apart."""
    X = drawn(rows, inputs, seed=seed)
    return X, (np.abs(X[:, 0]) + X[:, 1] ** 2 > 1).astype(int) + (X[:, 2] > 0.5)


@needs_bfloat16
@pytest.mark.parametrize("rows", [1, 2, 13, 100])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (7, 5), (64, 33), (501, 70), (300, 1), (1100, 3)])
def test_a_product_is_that_of_rounded_factors(rows, inputs, outputs):
    net = net_of([inputs, outputs], seed=1)
    X, (W, b) = drawn(rows, inputs), net.params
    b[:] = drawn(outputs, seed=2)
    out = net.predict(X).reshape(rows, outputs)
    # What adding in float32 may lose.
    allowed = 4e-7 * np.sqrt(inputs) * (product(np.abs(X), np.abs(W)) + np.abs(b))
    off = {
        name: np.abs(out - b - product(X, W, how))
        for name, how in {"rounded": rounded, "truncated": truncated, "as they are": lambda x: x}.items()
    }
    assert (off["rounded"] <= allowed).all()
    if rows * inputs > 100:
        assert (off["truncated"] > allowed).mean() > 0.9
        assert (off["as they are"] > allowed).mean() > 0.5


def numpy_gradient(net, X, y, round_off=rounded):
    """The gradient of a ReLU network's mean cross-entropy, or mean square, product by product."""

    def times(a, b):
        return product(a, b, round_off).astype(np.float32)

    weights, biases, kept = net.params[::2], net.params[1::2], [X]
    for W, b in zip(weights, biases, strict=True):
        z = times(kept[-1], W) + b
        kept.append(np.maximum(z, 0) if W is not weights[-1] else z)
    z = kept[-1].astype(np.float64)
    if net.objective == "cross_entropy":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        delta = (e / e.sum(axis=1, keepdims=True) - np.eye(z.shape[1])[y]) / len(X)
    else:
        delta = 2 * (z - y) / z.size
    delta, grads = delta.astype(np.float32), []
    for W, a in zip(weights[::-1], kept[-2::-1], strict=True):
        grads = [times(a.T, delta), delta.astype(np.float64).sum(axis=0), *grads]
        delta = times(delta, W.T) * (a > 0)
    return grads


@needs_bfloat16
@pytest.mark.parametrize("rows", [1, 2, 7, 64, 131])
@pytest.mark.parametrize(
    ("layers", "loss"), [([13, 40, 33, 5], "cross_entropy"), ([20, 64, 2], "mse"), ([9, 33, 1], "mse")]
)
def test_the_gradient_is_that_of_rounded_factors(layers, loss, rows):
    net = net_of(layers, loss=loss, seed=3)
    X = drawn(rows, layers[0], seed=4)
    y = np.arange(rows) % layers[-1] if loss == "cross_entropy" else drawn(rows, layers[-1], seed=5)
    _, grads = net.loss_and_grads(X, y)
    for how, is_right in ((rounded, True), (truncated, False), (lambda x: x, False)):
        wanted = numpy_gradient(net, X, y, how)
        # Biases are sums of what is not rounded once more.
        for g, w in zip(grads[::2], wanted[::2], strict=True):
            off = np.linalg.norm(g - w) / np.linalg.norm(w)
            assert off < 2e-4 if is_right else off > 4e-4


@needs_bfloat16
@pytest.mark.parametrize("batch_size", [1, 7, 33, 128])
def test_the_same_bits_for_every_number_of_threads(batch_size):
    X, y = classes_of(131, 9)
    trained = []
    for threads in THREADS:
        net = net_of([9, 40, 17, 3], loss="cross_entropy", norm="layer", dropout=0.2, l2=1e-3)
        net.fit(X, y, batch_size=batch_size, epochs=2, validation_data=(X, y), n_threads=threads)
        loss, grads = net.loss_and_grads(X, y, n_threads=threads)
        got = (
            net.theta,
            grads[0].base,
            net.predict(X, n_threads=threads),
            [loss, net.loss(X, y, n_threads=threads)],
        )
        trained.append([np.asarray(part).tobytes() for part in got] + [str(net.history["val_loss"])])
    assert all(other == trained[0] for other in trained)


@needs_bfloat16
def test_a_row_is_predicted_the_same_alone():
    net, X = net_of([30, 50, 20, 2]), drawn(200, 30)
    together = net.predict(X)
    assert all((net.predict(X[i : i + 1]) == together[i]).all() for i in range(200))


@needs_bfloat16
@pytest.mark.parametrize("optimizer", [sc.Adam(lr=0.01), sc.SGD(lr=0.1, momentum=0.9), sc.LBFGS()])
def test_training_reaches_the_score_of_float32(optimizer):
    (X, y), (Xt, yt) = classes_of(2000, 6), classes_of(2000, 6, seed=1)
    scores = {}
    for precision in ("float32", "bfloat16"):
        net = sc.MLP([6, 64, 32, 3], loss="cross_entropy", precision=precision)
        before = net.loss(X, y)
        net.fit(X, y, optimizer=optimizer, epochs=30)
        scores[precision] = (net.predict(Xt).argmax(axis=1) == yt).mean()
        assert net.loss(X, y) < before / 3
    assert scores["bfloat16"] > 0.85
    assert abs(scores["bfloat16"] - scores["float32"]) < 0.025


@needs_bfloat16
def test_sparse_inputs_are_multiplied_as_they_are():
    sparse = pytest.importorskip("scipy.sparse")
    X, net = drawn(50, 40), net_of([40, 3])
    W, b = net.params
    off = np.abs(net.predict(sparse.csr_matrix(X)) - (X.astype(np.float64) @ W + b))
    assert off.max() < 1e-5 < np.abs(net.predict(X) - (X.astype(np.float64) @ W + b)).max()


@needs_bfloat16
def test_numbers_that_are_infinite_when_rounded_change_nothing():
    net = net_of([3, 8, 1])
    X, y = drawn(20, 3), drawn(20)
    X[7, 1] = np.finfo(np.float32).max
    before = net.theta.copy()
    with pytest.raises(sc.NonFiniteError):
        net.fit(X, y, batch_size=20, epochs=1)
    assert (net.theta == before).all()


@needs_bfloat16
def test_it_is_kept_wherever_a_network_goes(tmp_path):
    net = net_of([5, 8, 2], loss="cross_entropy")
    X, y = drawn(30, 5), np.arange(30) % 2
    net.fit(X, y, epochs=1)
    net.save(tmp_path / "net.npz")
    assert copy.copy(net).precision == "bfloat16"
    copies = copy.deepcopy(net), pickle.loads(pickle.dumps(net)), sc.MLP.load(tmp_path / "net.npz")
    for other in copies:
        assert other.precision == "bfloat16"
        assert (other.predict(X) == net.predict(X)).all()
        other.fit(X, y, epochs=1)
    assert len({other.theta.tobytes() for other in copies}) == 1
    assert "precision='bfloat16'" in repr(net)
    assert "bfloat16 products" in net.summary()
    for dtype in ("float32", "float64"):
        plain = sc.MLP([5, 8, 2], dtype=dtype)
        assert plain.precision == dtype
        assert "precision" not in repr(plain)
        assert "products" not in plain.summary()


@needs_bfloat16
def test_a_file_of_safetensors_keeps_it(tmp_path):
    pytest.importorskip("safetensors")
    net, X = net_of([20, 30, 2]), drawn(10, 20)
    sc.exchange.save_safetensors(net, tmp_path / "net")
    loaded = sc.exchange.load_safetensors(tmp_path / "net")
    assert loaded.precision == "bfloat16"
    assert (loaded.predict(X) == net.predict(X)).all()


@needs_bfloat16
def test_it_can_be_set_and_is_live():
    net, X = net_of([20, 30, 2]), drawn(10, 20)
    there = net.predict(X)
    net.precision = "float32"
    plain = sc.MLP([20, 30, 2])
    assert (net.predict(X) == plain.predict(X)).all()
    assert not (net.predict(X) == there).all()
    net.precision = "bfloat16"
    assert (net.predict(X) == there).all()
    net.precision = None
    assert net.precision == "float32"
    with pytest.raises(
        ValueError, match="precision must be None or 'float32' or 'bfloat16' with dtype float32"
    ):
        net.precision = "float64"
    assert net.precision == "float32"


@needs_bfloat16
def test_a_checkpoint_of_another_precision_is_refused(tmp_path):
    X, y, file = drawn(40, 3), drawn(40), tmp_path / "run"
    net_of([3, 4, 1]).fit(X, y, epochs=2, checkpoint=file)
    other = sc.MLP([3, 4, 1])
    with pytest.raises(ValueError, match="precision='bfloat16'"):
        other.fit(X, y, epochs=4, checkpoint=file, resume=True)
    resumed, whole = net_of([3, 4, 1]), net_of([3, 4, 1])
    resumed.fit(X, y, epochs=4, checkpoint=file, resume=True)
    whole.fit(X, y, epochs=4)
    assert (resumed.theta == whole.theta).all()


@needs_bfloat16
def test_a_checkpoint_keeps_what_a_callback_has_set(tmp_path):
    X, y, file = drawn(40, 3), drawn(40), tmp_path / "run"

    def switch(info):
        if info.epoch == 2:
            info.net.precision = "float32"

    whole, resumed = net_of([3, 4, 1]), net_of([3, 4, 1])
    whole.fit(X, y, epochs=6, callbacks=switch)
    net_of([3, 4, 1]).fit(X, y, epochs=3, callbacks=switch, checkpoint=file)
    resumed.fit(X, y, epochs=6, callbacks=switch, checkpoint=file, resume=True)
    assert resumed.precision == "float32"
    assert (resumed.theta == whole.theta).all()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (
            {"precision": "bfloat16", "dtype": "float64"},
            ValueError,
            "precision must be None or 'float64' with dtype",
        ),
        (
            {"precision": "float32", "dtype": "float64"},
            ValueError,
            "precision must be None or 'float64' with dtype",
        ),
        (
            {"precision": "float64"},
            ValueError,
            "precision must be None or 'float32' or 'bfloat16' with dtype float32",
        ),
        ({"precision": "float16"}, ValueError, "precision must be None or one of float32, float64, bfloat16"),
        ({"precision": 16}, TypeError, "precision must be one of None, float32, float64, bfloat16, got 16"),
        ({"precision": np.float32}, TypeError, "precision must be one of None"),
    ],
)
def test_other_precisions_are_refused_by_name(options, error, words):
    with pytest.raises(error, match=words):
        sc.MLP([2, 2], **options)


ELSEWHERE = """
import pickle, sys, numpy as np, schuss as sc
folder, X, y = sys.argv[1], np.ones((4, 3), np.float32), np.zeros(4, np.float32)
loaded = sc.MLP.load(folder + "/net.npz")
with open(folder + "/net.pickle", "rb") as file:
    pickled = pickle.load(file)

def refused(work):
    try:
        work()
    except ValueError as error:
        assert "precision" in str(error) and "AVX512_BF16" in str(error) and "AVX2" in str(error), error
    else:
        raise AssertionError("not refused")

refused(lambda: sc.MLP([3, 5, 1], precision="bfloat16"))
for net in (loaded, pickled):
    assert net.precision == "bfloat16" and "bfloat16" in repr(net) and net.summary()
    assert (net.named_params["0.weight"] == np.load(folder + "/weight.npy")).all()
    history, theta = net.history, net.theta.copy()
    for work in (
        lambda: net.predict(X), lambda: net.loss(X, y),
        lambda: net.loss_and_grads(X, y), lambda: net.fit(X, y),
        lambda: setattr(net, "precision", "bfloat16"), lambda: net.fit(X, y, optimizer=sc.LBFGS()),
    ):
        refused(work)
    assert net.history is history and net.optimizer is None and (net.theta == theta).all()
    net.save(folder + "/again.npz")
    net.precision = "float32"
    net.fit(X, y, epochs=1)
print("done")
"""


@needs_bfloat16
def test_elsewhere_it_is_read_but_not_computed_with(tmp_path):
    net = net_of([3, 5, 1])
    net.save(tmp_path / "net.npz")
    (tmp_path / "net.pickle").write_bytes(pickle.dumps(net))
    np.save(tmp_path / "weight.npy", net.params[0])
    environment = {**os.environ, "SCHUSS_SIMD": "avx2"}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr


@needs_bfloat16
@pytest.mark.filterwarnings("ignore:.*(reached|converge)")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_estimators_train_with_it(solver):
    pytest.importorskip("sklearn")
    from sklearn.base import clone

    X, y = classes_of(600, 6)
    options = {"hidden_layer_sizes": (32,), "solver": solver, "random_state": 0, "max_iter": 60, "tol": 0.0}
    options["learning_rate_init"] = 0.01
    plain = sc.MLPClassifier(**options).fit(X, y)
    model = clone(sc.MLPClassifier(precision="bfloat16", **options)).fit(X.astype(np.float64), y)
    assert model.precision == "bfloat16"
    assert {coef.dtype for coef in model.coefs_} == {np.dtype(np.float32)}
    assert model.score(X, y) > 0.9
    assert not (model.coefs_[0] == plain.coefs_[0]).all()
    assert abs(model.score(X, y) - plain.score(X, y)) < 0.04
    there = model.predict_proba(X)
    assert (pickle.loads(pickle.dumps(model)).predict_proba(X) == there).all()
    exact = model.set_params(precision=None).predict_proba(X)
    assert 0 < np.abs(exact - there).max() < 0.3
    early = sc.MLPRegressor(precision="bfloat16", early_stopping=True, max_iter=3, random_state=0)
    assert np.isfinite(early.fit(X, X[:, 0]).predict(X)).all()


@pytest.mark.filterwarnings("ignore:.*(reached|converge)")
def test_estimators_train_in_the_precision_that_is_asked_for():
    pytest.importorskip("sklearn")
    X, y = classes_of(60, 6)
    for given in (np.float32, np.float64):
        for precision, wanted in ((None, given), ("float32", np.float32), ("float64", np.float64)):
            model = sc.MLPClassifier(precision=precision, max_iter=2, warm_start=True).fit(X.astype(given), y)
            assert model.coefs_[0].dtype == wanted
    with pytest.raises(ValueError, match="precision must be one of float64 parameters"):
        model.set_params(precision="float32").fit(X, y)
    for wrong in ("half", 3):
        with pytest.raises(ValueError, match="precision"):
            sc.MLPRegressor(precision=wrong).fit(X, y)

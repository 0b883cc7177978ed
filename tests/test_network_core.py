"""The core behind `MLP`: what is passed by name, and the record of an epoch."""

import threading
import time
import weakref

import numpy as np
import pytest

import schuss as sc
from schuss import _schuss

X, Y = np.ones((6, 2), np.float32), np.ones((6, 1), np.float32)
SPEC = {"widths": [2, 3, 1], "activations": ["tanh"], "loss": "mse"}
OPTIONS = {"epochs": 3, "first_epoch": 0, "shuffle": True, "seed": 0}


def fit(on_epoch=None, validation=None, **options):
    net = sc.MLP([2, 3, 1], activation="tanh")
    optimizer = sc.SGD(lr=0.05).bind(net.params)
    core = _schuss.Network(**SPEC)
    return core.fit(net.theta, optimizer, (X, Y, None), validation, {**OPTIONS, **options}, on_epoch)[:3]


def test_each_epoch_is_one_record_for_the_callback_and_in_the_result():
    seen = []
    records, stop, error = fit(seen.append, validation=(X, Y, None))
    assert (stop, error) == ("epochs", None)
    assert [repr(record) for record in seen] == [repr(record) for record in records]
    assert [record.number for record in records] == [1, 2, 3]
    assert all(record.val_loss < record.loss for record in records)
    assert all((record.lr, record.penalty) == (0.05, 0.0) for record in records)
    assert 0 < records[0].seconds < records[2].seconds
    with pytest.raises(AttributeError):
        records[0].loss = 0.0


def test_without_validation_there_is_no_validation_loss():
    records, _, _ = fit()
    assert records[0].val_loss is None


def test_a_callback_stops_by_returning_true():
    records, stop, _ = fit(lambda record: record.number == 2)
    assert (len(records), stop) == (2, "callback")


@pytest.mark.parametrize(("raised", "why"), [(KeyboardInterrupt, "interrupted"), (RuntimeError, "error")])
def test_an_exception_comes_back_with_the_records(raised, why):
    def fails(record):
        raise raised

    records, stop, error = fit(fails)
    assert (len(records), stop, type(error)) == (1, why, raised)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epoch": 3}, "unexpected argument 'epoch'"),
        ({"epochs": None}, "argument 'epochs' is missing"),
        ({"seed": "x"}, "argument 'seed': "),
    ],
)
def test_options_that_are_misspelt_missing_or_of_another_type_are_named(options, words):
    with pytest.raises(TypeError, match=words):
        fit(**options)


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ({"droput": [0.1]}, TypeError, "unexpected argument 'droput'"),
        ({"loss": None}, TypeError, "argument 'loss' is missing"),
        ({"l2": "x"}, TypeError, "argument 'l2': "),
        ({"loss": "hinge"}, ValueError, 'loss must be one of .*mse.*, got "hinge"$'),
        ({"activations": ["tan"]}, ValueError, 'activation must be one of .*tanh.*, got "tan"'),
        ({"activations": []}, ValueError, r"activation must be of shape \[1\], got shape \[0\]"),
        ({"dropout": [1.0]}, ValueError, "dropout must be at least 0 and below 1, got 1"),
        ({"l2": -1.0}, ValueError, "l2 must be finite and not negative, got -1"),
        ({"widths": [2]}, ValueError, "layers must be at least two widths"),
        ({"output_weights": [1.0, 1.0]}, ValueError, "output_weights must be of shape"),
        ({"output_weights": [-1.0]}, ValueError, "output_weights must be finite and not negative"),
    ],
)
def test_a_network_says_what_it_cannot_be(spec, error, words):
    with pytest.raises(error, match=words):
        _schuss.Network(**{**SPEC, **spec})


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (np.zeros(12, np.float32), ValueError, r"of shape \[13\], got shape \[12\]"),
        (np.zeros(13, np.float16), TypeError, "a vector of the network's dtype.* got an array of float16"),
        ([0.0], TypeError, "a vector of the network's dtype.* got <class 'list'>"),
        (np.zeros(26, np.float32)[::2], ValueError, "C-contiguous, got another layout"),
    ],
)
def test_vectors_that_do_not_fit_are_named(bad, error, words):
    core, theta, rows = _schuss.Network(**SPEC), np.zeros(13, np.float32), (X, Y, None)
    with pytest.raises(error, match=f"out must be {words}"):
        core.loss_and_grads(theta, rows, bad, None, None)
    if getattr(bad, "dtype", None) == np.float32:
        for ask in (
            lambda: core.loss_and_grads(bad, rows, theta, None, None),
            lambda: core.loss(bad, rows, None),
            lambda: core.predict(bad, X, False, None),
        ):
            with pytest.raises(error, match=f"theta must be {words}"):
                ask()


def test_a_gradient_is_not_written_over_the_parameters_or_what_is_read_only():
    core, theta = _schuss.Network(**SPEC), np.zeros(13, np.float32)
    with pytest.raises(RuntimeError, match="out is in use"):
        core.loss_and_grads(theta, (X, Y, None), theta, None, None)
    fixed = np.zeros(13, np.float32)
    fixed.setflags(write=False)
    with pytest.raises(ValueError, match="out must be writable, got a read-only array"):
        core.loss_and_grads(theta, (X, Y, None), fixed, None, None)


def misaligned(array):
    """The same numbers, at an odd address."""
    memory = np.zeros(array.nbytes + 1, np.uint8)
    memory[1:] = np.frombuffer(array.tobytes(), np.uint8)
    moved = memory[1:].view(array.dtype).reshape(array.shape)
    assert not moved.flags.aligned
    return moved


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_arrays_at_odd_addresses_are_taken_as_others_are():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)).astype(np.float32), rng.normal(size=(40, 1)).astype(np.float32)
    weight = rng.uniform(size=40).astype(np.float32)
    nets = [sc.MLP([3, 4, 1], seed=0) for _ in range(2)]
    for net, given in zip(nets, [(x, y, weight), tuple(map(misaligned, (x, y, weight)))], strict=True):
        net.fit(*given[:2], sample_weight=given[2], epochs=2, batch_size=8)
    np.testing.assert_array_equal(nets[0].theta, nets[1].theta)
    np.testing.assert_array_equal(nets[0].predict(x), nets[0].predict(misaligned(x)))
    assert nets[0].loss(misaligned(x), misaligned(y)) == nets[0].loss(x, y)
    labels = y[:, 0] > 0
    models = [sc.MLPClassifier((4,), max_iter=3, random_state=0).fit(X, labels) for X in (x, misaligned(x))]
    np.testing.assert_array_equal(models[0].predict_proba(misaligned(x)), models[1].predict_proba(x))
    with pytest.raises(ValueError, match="X must be aligned"):
        _schuss.Network(**{**SPEC, "widths": [3, 4, 1]}).predict(nets[0].theta, misaligned(x), False, 1)


@pytest.mark.parametrize("what", ["predict", "loss", "loss_and_grads", "forward_layers"])
def test_arrays_that_are_worked_on_cannot_be_resized_meanwhile(what):
    net = sc.MLP([64, 512, 512, 1], seed=0)
    x = np.random.default_rng(0).normal(size=(30_000, 64)).astype(np.float32)
    y = np.zeros((30_000, 1), np.float32)
    given = (x,) if what in ("predict", "forward_layers") else (x, y)
    out = np.empty_like(net.theta)
    options = {"out": out} if what == "loss_and_grads" else {}
    arrays = [*given, *options.values()]
    seen, ended = [0] * len(arrays), threading.Event()

    def look():
        while not ended.is_set():
            # NumPy resizes no array that has a weak reference.
            seen[:] = map(max, seen, map(weakref.getweakrefcount, arrays))
            time.sleep(0.001)

    looks = threading.Thread(target=look)
    looks.start()
    try:
        getattr(net, what)(*given, **options)
    finally:
        ended.set()
        looks.join()
    assert min(seen) > 0, seen
    assert list(map(weakref.getweakrefcount, arrays)) == [0] * len(arrays)


def test_a_vector_for_gradients_that_is_not_aligned_is_refused_by_name():
    net = sc.MLP([3, 4, 1], seed=0)
    x = np.ones((5, 3), np.float32)
    before = net.theta.copy()
    with pytest.raises(ValueError, match="out must be aligned, got an array that is not aligned in memory"):
        net.loss_and_grads(x, x[:, :1], out=misaligned(net.theta.copy()))
    np.testing.assert_array_equal(net.theta, before)

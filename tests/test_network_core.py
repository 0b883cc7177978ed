"""The core behind `MLP`: what is passed by name, and the record of an epoch."""

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

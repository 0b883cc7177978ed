"""The core keeps the best epoch by itself: the same as by coming back to Python after each."""

import numpy as np
import pytest

import schuss as sc
from schuss import _schuss

RNG = np.random.default_rng(2)
X = RNG.normal(size=(150, 4)).astype(np.float32)
CLASSES = ((X[:, 0] + 0.8 * RNG.normal(size=150) > 0) + (X[:, 1] > 0.5)).astype(np.uint32)
WEIGHTS = RNG.uniform(0.5, 2.0, 50).astype(np.float32)
LEARNT, HELD = slice(0, 100), slice(100, 150)


def network(**options):
    return sc.MLP([4, 48, 3], **{"loss": "cross_entropy", "seed": 3, **options})


def fit(net, **options):
    held = (X[HELD], CLASSES[HELD], WEIGHTS)
    given = {"optimizer": sc.Adam(lr=0.03), "epochs": 80, "batch_size": 16, "validation_data": held}
    return net.fit(X[LEARNT], CLASSES[LEARNT], **given | options)


def in_core(best, threads=1, epochs=60, net=None, **options):
    """A training in the core alone: the parameters after each epoch, its records, and why it stopped."""
    net = net or network()
    optimizer, after = sc.Adam(lr=0.03).bind(net.params), []
    settings = {"epochs": epochs, "first_epoch": 0, "shuffle": True, "seed": 0, "batch_size": 16}
    records, stop, error, *_ = net._core.fit(
        net.theta,
        optimizer,
        (X[LEARNT], CLASSES[LEARNT], None),
        (X[HELD], CLASSES[HELD], WEIGHTS),
        {**settings, "threads": threads, "best": best, **options},
        lambda record: after.append(net.theta.copy()) or False,
    )
    assert error is None
    return after, records, stop


def looked_for(**options):
    best = _schuss.Best(**options)
    best.theta = np.empty_like(network().theta)
    return best


@pytest.mark.parametrize("restore", [True, False])
@pytest.mark.parametrize("threads", [1, 3])
def test_it_is_the_same_as_one_epoch_at_a_time(restore, threads):
    options = {"early_stopping": True, "patience": 5, "restore_best": restore, "n_threads": threads}
    alone, watched = network(), network()
    expected = fit(watched, callbacks=lambda info: False, **options)
    history = fit(alone, **options)
    for name in ("loss", "val_loss", "lr"):
        assert history[name] == expected[name]
    assert history.best_epoch == expected.best_epoch == int(np.argmin(history["val_loss"])) + 1
    assert history.stopped == expected.stopped == "converged"
    assert alone.theta.tobytes() == watched.theta.tobytes()


def test_python_is_not_asked_after_each_epoch(monkeypatch):
    net, calls = network(), []
    core = net._core

    class Counting:
        def fit(self, *args):
            calls.append(args)
            return core.fit(*args)

        def __getattr__(self, name):
            return getattr(core, name)

    net.__dict__["_core"] = Counting()
    history = fit(net, early_stopping=True, patience=5)
    assert history.epochs > 5
    assert len(calls) == 1


def test_a_goal_comes_before_the_end_of_patience():
    plain = fit(network(), early_stopping=True, patience=3)
    last = plain["loss"][-1]
    assert min(plain["loss"][:-1]) > last
    assert fit(network(), early_stopping=True, patience=3, target_loss=last).stopped == "target_loss"


def test_a_network_whose_validation_is_not_finite_has_no_best_epoch():
    net, plain = (sc.MLP([4, 3, 1], seed=1) for _ in range(2))
    for one in (net, plain):
        one.params[0][:] *= 100
    far = (np.full((2, 4), 3e38), [1.0, 2.0])
    options = {"optimizer": sc.SGD(lr=1e-9), "epochs": 9, "validation_data": far}
    history = net.fit(X, X[:, 0], early_stopping=True, patience=4, **options)
    assert not np.isfinite(history["val_loss"]).any()
    assert (history.best_epoch, history.epochs, history.stopped) == (None, 4, "converged")
    plain.fit(X, X[:, 0], **options | {"epochs": 4})
    assert net.theta.tobytes() == plain.theta.tobytes()


@pytest.mark.parametrize("patience", [2**62, 1])
def test_any_patience_will_do(patience):
    history = fit(network(), early_stopping=True, patience=patience, epochs=30)
    assert history.epochs == (30 if patience > 1 else history.best_epoch + 1)


class TestErrors:
    @pytest.mark.parametrize("threads", [1, 2, 3])
    def test_the_rate_of_errors_is_one_minus_the_accuracy(self, threads):
        best = looked_for(criterion="error_rate")
        after, records, _ = in_core(best, threads)
        net, rates = network(), []
        for theta in after:
            net.theta[:] = theta
            rates.append(1 - net.score(X[HELD], CLASSES[HELD], sample_weight=WEIGHTS))
        np.testing.assert_allclose([record.val_error for record in records], rates, rtol=1e-6, atol=1e-12)
        assert best.epoch == int(np.argmin(rates)) + 1
        assert best.score == records[best.epoch - 1].val_error == min(r.val_error for r in records)
        assert best.theta.tobytes() == after[best.epoch - 1].tobytes()

    def test_labels_of_a_row_count_as_one(self):
        net = sc.MLP([4, 5, 2], loss="binary_cross_entropy", seed=1)
        labels = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(np.float32)
        settings = {"epochs": 3, "first_epoch": 0, "shuffle": True, "seed": 0, "batch_size": 16}
        best = _schuss.Best(criterion="error_rate")
        rows = (X, labels, None)
        optimizer = sc.Adam(lr=0.03).bind(net.params)
        records, *_ = net._core.fit(net.theta, optimizer, rows, rows, {**settings, "best": best})
        assert records[-1].val_error == pytest.approx(1 - net.score(X, labels), abs=1e-12)
        assert 0 < records[-1].val_error < 1

    def test_of_equal_epochs_the_first_or_the_latest(self):
        after, records, _ = in_core(None)
        assert records[0].val_error is None
        for latest in (False, True):
            best = looked_for(criterion="error_rate", latest=latest)
            _, records, _ = in_core(best)
            rates = np.array([record.val_error for record in records])
            equal = np.flatnonzero(rates == rates.min()) + 1
            assert len(equal) > 1
            assert best.epoch == equal[-1 if latest else 0]
            assert best.theta.tobytes() == after[best.epoch - 1].tobytes()

    def test_it_takes_classes(self):
        net = sc.MLP([4, 3, 1])
        best, rows = _schuss.Best(criterion="error_rate"), (X, X[:, :1].copy(), None)
        settings = {"epochs": 1, "first_epoch": 0, "shuffle": True, "seed": 0, "best": best}
        optimizer = sc.SGD(lr=0.1).bind(net.params)
        with pytest.raises(ValueError, match='criterion must be "loss" with mse, which has no classes'):
            net._core.fit(net.theta, optimizer, rows, rows, settings)
        with pytest.raises(ValueError, match="best must be given with some to judge epochs by"):
            net._core.fit(net.theta, optimizer, rows, None, settings)
        with pytest.raises(ValueError, match='criterion must be "loss" or "error_rate", got "auc"'):
            _schuss.Best(criterion="auc")


def test_patience_may_grow_with_the_best_epoch():
    _, records, _ = in_core(None)
    losses = [record.val_loss for record in records]
    bests = [int(np.argmin(losses[:epoch])) + 1 for epoch in range(1, 61)]
    for factor, plus in ((1, 3), (2, 5), (3, 0)):
        ends = [epoch for epoch, best in enumerate(bests, 1) if epoch > factor * best + plus]
        found = looked_for(patience=(factor, plus))
        _, records, stop = in_core(found)
        assert len(records) == (ends[0] if ends else 60)
        assert stop == ("converged" if ends else "epochs")
        assert found.epoch == bests[len(records) - 1]


def test_a_training_in_parts_finds_the_same():
    whole, parts = looked_for(), looked_for()
    _, records, _ = in_core(whole, epochs=12)
    net, scores = network(), []
    optimizer = sc.Adam(lr=0.03).bind(net.params)
    settings = {"epochs": 4, "shuffle": True, "seed": 0, "batch_size": 16, "best": parts}
    learnt, held = (X[LEARNT], CLASSES[LEARNT], None), (X[HELD], CLASSES[HELD], WEIGHTS)
    for first in (0, 4, 8):
        more, *_ = net._core.fit(
            net.theta, optimizer, learnt, held, {**settings, "first_epoch": first, "epochs_before": first}
        )
        scores += [record.val_loss for record in more]
    assert scores == [record.val_loss for record in records]
    assert (parts.epoch, parts.score) == (whole.epoch, whole.score)
    assert parts.theta.tobytes() == whole.theta.tobytes()

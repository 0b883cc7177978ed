"""Smoothed labels are what a network learns from; what it is measured by are labels as they are."""

import copy
import pickle

import numpy as np
import pytest

import schuss as sc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
CLASSES = RNG.integers(0, 3, 60)
FLAGS = RNG.random((60, 3)) < 0.4
WEIGHTS = RNG.uniform(0.5, 2.0, 60)
TARGETS = {"cross_entropy": CLASSES, "binary_cross_entropy": FLAGS}

both = pytest.mark.parametrize("loss", TARGETS)


def network(loss, **options):
    given = {"activation": "tanh", "dtype": "float64", "seed": 1, "label_smoothing": 0.2, **options}
    return sc.MLP([4, 7, 3], loss=loss, **given)


def objective(loss, z, share):
    """The weighted mean of the rows' losses, from the formula."""
    if loss == "cross_entropy":
        q = (1 - share) * np.eye(3)[CLASSES] + share / 3
        rows = -(q * (z - np.log(np.exp(z).sum(axis=1, keepdims=True)))).sum(axis=1)
    else:
        q = np.where(FLAGS, 1 - share / 2, share / 2)
        rows = -(q * np.log(1 / (1 + np.exp(-z))) + (1 - q) * np.log(1 / (1 + np.exp(z)))).mean(axis=1)
    return np.average(rows, weights=WEIGHTS)


@both
@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_loss_and_gradient_are_those_of_the_formula(loss, share):
    net, y = network(loss, label_smoothing=share, l2=0.1), TARGETS[loss]
    penalty = 0.05 * sum((w**2).sum() for w in net.params[::2])
    value, grads = net.loss_and_grads(X, y, sample_weight=WEIGHTS)
    assert value == pytest.approx(objective(loss, net.logits(X), share) + penalty, rel=1e-13)
    # What is measured has labels as they are.
    hard = objective(loss, net.logits(X), 0.0) + penalty
    assert net.loss(X, y, sample_weight=WEIGHTS) == pytest.approx(hard, rel=1e-13)
    gradient, theta, h = np.concatenate([g.ravel() for g in grads]), net.theta.copy(), 1e-5
    for i in range(theta.size):
        ends = []
        for step in (h, -h):
            net.theta[:] = theta
            net.theta[i] += step
            ends.append(net.loss_and_grads(X, y, sample_weight=WEIGHTS)[0])
        assert gradient[i] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-6, abs=1e-9)


@both
def test_training_is_a_loop_on_the_smoothed_loss(loss):
    net, loop = network(loss), network(loss)
    y, options = TARGETS[loss], {"optimizer": sc.SGD(lr=0.3), "batch_size": None, "epochs": 3}
    history = net.fit(X, y, validation_data=(X, y), metrics="accuracy", **options)
    optimizer, losses, hard = sc.SGD(lr=0.3).bind(loop.params), [], []
    for _ in range(3):
        value, grads = loop.loss_and_grads(X, y)
        optimizer.step(grads)
        losses.append(value)
        hard.append(loop.loss(X, y))
    np.testing.assert_allclose(net.theta, loop.theta, rtol=1e-12)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-12)
    np.testing.assert_allclose(history["val_loss"], hard, rtol=1e-12)
    assert net.evaluate(X, y)["loss"] == net.loss(X, y)
    assert history["val_loss"][-1] != pytest.approx(history["loss"][-1], rel=1e-3)


@both
def test_none_is_the_same_bits_as_before_there_was_any_and_threads_change_none(loss):
    def trained(threads=1, **options):
        net = sc.MLP([4, 40, 3], loss=loss, seed=1, **options)
        net.fit(X, TARGETS[loss], epochs=5, batch_size=16, n_threads=threads)
        return net.theta.tobytes()

    assert trained() == trained(label_smoothing=0.0) != trained(label_smoothing=0.2)
    assert trained(label_smoothing=0.2) == trained(2, label_smoothing=0.2) == trained(3, label_smoothing=0.2)


@both
def test_it_lives_wherever_the_network_does(loss, tmp_path):
    net = network(loss)
    assert "label_smoothing=0.2" in repr(net)
    assert f"loss: {loss}, label smoothing: 0.2" in str(net.summary())
    net.save(tmp_path / "net")
    others = (pickle.loads(pickle.dumps(net)), copy.deepcopy(net), sc.MLP.load(tmp_path / "net"))
    want = net.loss_and_grads(X, TARGETS[loss])[0]
    for other in others:
        assert other.label_smoothing == 0.2
        assert other.loss_and_grads(X, TARGETS[loss])[0] == want
    net.label_smoothing = 0
    assert "smoothing" not in repr(net) + str(net.summary())
    assert net.loss_and_grads(X, TARGETS[loss])[0] == pytest.approx(net.loss(X, TARGETS[loss]), rel=1e-14)
    assert want != net.loss(X, TARGETS[loss])


def test_a_training_goes_on_with_what_a_callback_has_set(tmp_path):
    def change(info):
        if info.epoch == 2:
            info.net.label_smoothing = 0.3

    def trained(*epochs):
        for count in epochs:
            net = network("cross_entropy", label_smoothing=0.0)
            net.fit(
                X, CLASSES, epochs=count, callbacks=change, checkpoint=tmp_path / str(epochs), resume=True
            )
        return net

    whole, resumed = trained(6), trained(3, 6)
    assert whole.label_smoothing == resumed.label_smoothing == 0.3
    assert whole.theta.tobytes() == resumed.theta.tobytes()


@pytest.mark.parametrize("loss", [loss for loss in sc.LOSSES if loss not in TARGETS])
def test_losses_without_labels_refuse_it(loss):
    words = f"label_smoothing must be 0 for {loss}, whose targets are not labels, got 0.1"
    with pytest.raises(ValueError, match=words):
        sc.MLP([4, 3], loss=loss, label_smoothing=0.1)
    net = sc.MLP([4, 3], loss=loss)
    with pytest.raises(ValueError, match=words):
        net.label_smoothing = 0.1
    assert net.label_smoothing == 0.0


@pytest.mark.parametrize("share", [-0.1, 1.0, 2])
def test_a_share_is_below_one(share):
    with pytest.raises(ValueError, match=r"label_smoothing must be .*got"):
        sc.MLP([4, 3], loss="cross_entropy", label_smoothing=share)

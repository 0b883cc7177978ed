"""Dropout that follows a schedule: each step of a `fit` has a rate of its own, checkpoints or not."""

import copy
import pickle

import numpy as np
import pytest

import schuss as sc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
Y = X[:, 0]
S = sc.schedules


def network(dropout, **options):
    return sc.MLP([4, 30, 20, 1], dropout=dropout, **{"seed": 2, "activation": "tanh", **options})


def fit(net, **options):
    return net.fit(X, Y, **{"optimizer": sc.Adam(lr=0.01), "epochs": 6, "batch_size": 20, **options})


def test_each_step_has_the_rate_of_its_place_in_the_training():
    # 50 rows by 20: 3 steps an epoch, 18 in all.
    scheduled, stepwise = network(S.flat_cos(0.4)), network(0.0)
    fit(scheduled)
    rates = S.flat_cos(0.4, total_steps=18)(np.arange(18))
    assert len(set(rates)) > 5
    optimizer = sc.Adam(lr=0.01).bind(stepwise.params)
    settings = {"shuffle": True, "seed": 2, "batch_size": 20, "epochs": 1}
    position = None
    rows = (X.astype(np.float32), Y.astype(np.float32)[:, None], None)
    for epoch in range(6):
        for step in range(3):
            # A core that has the rate of this step alone, and is stopped behind it.
            stepwise.dropout = float(rates[3 * epoch + step])
            given = {**settings, "first_epoch": epoch, "start": position, "rest_seconds": 0.0}
            *_, position, _ = stepwise._core.fit(stepwise.theta, optimizer, rows, None, given)
            position = position if position[0] else None
    assert stepwise.theta.tobytes() == scheduled.theta.tobytes()


def test_it_counts_batches_also_where_their_gradients_are_accumulated():
    nets = [network(S.flat_cos(0.4, total_steps=total)) for total in (None, 18)]
    for net in nets:
        fit(net, optimizer=sc.Adam(lr=0.01, accumulate=4))
    assert nets[0].theta.tobytes() == nets[1].theta.tobytes()


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_no_bit(threads):
    rates = [S.flat_cos(0.4), S.linear(0.1, final=0.5)]
    one, more = network(rates), network(rates)
    fit(one, n_threads=1)
    fit(more, n_threads=threads)
    assert one.theta.tobytes() == more.theta.tobytes()


def test_a_constant_schedule_is_the_number_and_others_are_not():
    def trained(dropout):
        net = network(dropout)
        fit(net)
        return net.theta.tobytes()

    assert trained(S.constant(0.3)) == trained(0.3) == trained([S.constant(0.3), 0.3])
    assert trained(S.flat_cos(0.3)) == trained(S.flat_cos(0.3, total_steps=18)) != trained(0.3)
    assert trained(S.linear(0.0, final=0.3)) != trained(0.0)


def test_a_training_goes_on_from_its_checkpoint_at_the_same_rate(tmp_path):
    whole, parts = network(S.flat_cos(0.4)), network(S.flat_cos(0.4))
    fit(whole)
    saving = {"checkpoint": tmp_path / "run", "checkpoint_every": 1}

    def interrupt(info):
        if info.epoch == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(parts, **saving, callbacks=interrupt)
    again = network(S.flat_cos(0.4))
    fit(again, **saving, resume=True)
    assert again.theta.tobytes() == whole.theta.tobytes()
    with pytest.raises(ValueError, match="the network is"):
        fit(network(0.4), **saving, resume=True)


def test_it_lives_wherever_the_network_does(tmp_path):
    rates = [S.warmup(S.flat_cos(0.3), 2), 0.1]
    net = network(rates)
    assert net.dropout == rates
    assert "dropout warmup(schedule=flat_cos(lr=0.3" in str(net.summary())
    net.save(tmp_path / "net")
    others = (pickle.loads(pickle.dumps(net)), copy.deepcopy(net), sc.MLP.load(tmp_path / "net"))
    fit(net)
    for other in others:
        assert other.dropout == rates
        fit(other)
        assert other.theta.tobytes() == net.theta.tobytes()
    net.dropout = 0.5
    assert net.dropout == [0.5, 0.5]
    net.dropout = S.flat_cos(0.3)
    assert net.dropout == [S.flat_cos(0.3)] * 2
    np.testing.assert_array_equal(net.predict(X), net.predict(X))


@pytest.mark.parametrize(
    ("dropout", "words"),
    [
        (S.plateau(0.1), "dropout must be a number, or a schedule of closed form .* got plateau"),
        (S.step(0.1, 5, factor=2.0), "dropout must be .* got step with factor=2"),
        (S.warmup(lambda step: 0.1, 3), "dropout must be .* got a function"),
        (S.flat_cos(1.0), "dropout must be at least 0 and below 1, got 1"),
        (S.linear(0.1, final=1.5), "dropout must be at least 0 and below 1, got 1.5"),
    ],
)
def test_what_cannot_be_a_rate_at_every_step_is_refused(dropout, words):
    net = network(0.2)
    for use in (lambda: network(dropout), lambda: setattr(net, "dropout", dropout)):
        with pytest.raises(ValueError, match=words):
            use()
    assert net.dropout == [0.2, 0.2]


def test_a_function_is_no_rate():
    with pytest.raises(TypeError, match="dropout must be a number, or numbers for the hidden layers"):
        network(lambda step: 0.1)


def test_where_there_is_no_place_in_a_training_it_is_refused():
    net = network(S.flat_cos(0.3))
    with pytest.raises(ValueError, match="dropout must be numbers where X is a source of blocks"):
        net.fit(lambda: iter([(X, Y)]), epochs=2)
    with pytest.raises(ValueError, match="dropout must be 0 with LBFGS"):
        net.fit(X, Y, optimizer="lbfgs")
    with pytest.raises(ValueError, match="dropout_seed must be None where dropout follows a schedule"):
        net.loss_and_grads(X, Y, dropout_seed=1)
    with pytest.raises(ValueError, match="warmup_steps must be fewer than the 18 steps"):
        fit(network(S.warmup(S.flat_cos(0.3), 18)))
    assert net.history is None
    assert net.optimizer is None
    net.loss_and_grads(X, Y)

"""Schedules without a length of their own, in trainings of a network that go on."""

import copy
import io
import pickle

import numpy as np
import pytest

import schuss as sc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 3))
y = X[:, 0]
STEPS = 5
SCHEDULE = sc.schedules.cosine(0.01, warmup_steps=7)


def trained(optimizer, epochs=2):
    net = sc.MLP([3, 4, 1], dtype="float64")
    net.fit(X, y, optimizer=optimizer, batch_size=10, epochs=epochs)
    return net


def rates(schedule, first, last):
    whole = schedule.with_length(STEPS * last)
    return [whole(STEPS * epoch - 1) for epoch in range(first + 1, last + 1)]


def stored(net):
    file = io.BytesIO()
    net.save(file)
    file.seek(0)
    return sc.MLP.load(file)


COPIES = {
    "itself": lambda net: net,
    "copied": copy.deepcopy,
    "pickled": lambda net: pickle.loads(pickle.dumps(net)),
    "stored": stored,
}


@pytest.mark.parametrize("name", COPIES)
def test_a_fit_that_goes_on_makes_them_longer(name):
    net = COPIES[name](trained(sc.Adam(lr=SCHEDULE)))
    for done, epochs in ((2, 1), (3, 4)):
        before = net.theta.copy()
        history = net.fit(X, y, batch_size=10, epochs=epochs)
        np.testing.assert_allclose(history["lr"], rates(SCHEDULE, done, done + epochs))
        assert not np.array_equal(net.theta, before)
        net = COPIES[name](net)


def test_those_of_groups_and_of_weight_decay_too():
    decay, of_group = sc.schedules.flat_cos(0.1), sc.schedules.linear(0.1)
    recipe = sc.AdamW([{"params": "*.bias", "lr": of_group}], lr=1e-3, weight_decay=decay)
    net = trained(recipe)
    net.fit(X, y, batch_size=10, epochs=3)
    rest, biases = net.optimizer.__reduce__()[2]["param_groups"]
    assert rest["weight_decay"] == biases["weight_decay"] == decay.with_length(25)
    assert biases["lr"] == of_group.with_length(25)


def lengths(net):
    return {
        (number, name): value.__reduce__()[1][2]
        for number, group in enumerate(net.optimizer.__reduce__()[2]["param_groups"])
        for name, value in group.items()
        if isinstance(value, sc.schedules.Schedule)
    }


@pytest.mark.parametrize("name", ["linear", "cosine", "one_cycle", "coslog"])
@pytest.mark.parametrize("how", [{}, {"n_shards": 2}, {"validation_split": 0.2}])
def test_gradients_that_are_only_collected_are_no_steps(name, how):
    schedule = getattr(sc.schedules, name)(0.01)
    net = sc.MLP([3, 4, 1])
    net.fit(X, y, optimizer=sc.Adam(lr=schedule, accumulate=4), batch_size=8, epochs=8, **how)
    steps = net.optimizer.step_count
    assert steps == (10 if "validation_split" in how else 14)
    assert net.history["lr"][-1] == schedule.with_length(steps)(steps - 1)
    assert net.optimizer.lr == schedule.with_length(1)(1)


@pytest.mark.parametrize("name", COPIES)
def test_those_that_were_collected_before_count_in_a_fit_that_goes_on(name):
    groups = [{"params": "*.bias", "lr": sc.schedules.linear(0.1)}]
    recipe = sc.AdamW(
        groups, lr=sc.schedules.cosine(0.01), weight_decay=sc.schedules.cosine(0.1), accumulate=4
    )
    net = trained(recipe, epochs=1)
    for epochs, total in ((1, 2), (2, 5), (3, 8)):  # of 10, 20 and 35 gradients
        net = COPIES[name](net)
        net.fit(X, y, batch_size=10, epochs=epochs)
        assert set(lengths(net).values()) == {total}, (epochs, total)
        assert len(lengths(net)) == 4
    assert (net.optimizer.step_count, net.optimizer.lr) == (8, 0.0)
    assert lengths(trained(net.optimizer, epochs=1)) == lengths(trained(recipe, epochs=1))


def test_what_has_a_length_or_was_set_since_stays():
    fixed = sc.schedules.linear(0.01, total_steps=12)
    net = trained(sc.Adam(lr=fixed))
    history = net.fit(X, y, batch_size=10, epochs=2)
    np.testing.assert_allclose(history["lr"], [fixed(14), fixed(19)])
    net = trained(sc.Adam(lr=SCHEDULE))
    net.optimizer.lr = 0.5
    assert net.fit(X, y, batch_size=10, epochs=2)["lr"] == [0.5, 0.5]
    net.optimizer.lr = fixed
    assert net.fit(X, y, batch_size=10, epochs=1)["lr"] == [0.0]


def test_blocks_of_which_nobody_knows_the_number_are_refused():
    net = trained(sc.Adam(lr=SCHEDULE))
    before = copy.deepcopy(net)
    with pytest.raises(ValueError, match="optimizer must have total_steps in its schedules where"):
        net.fit(lambda: iter([(X, y)]), batch_size=10)
    with pytest.raises(
        ValueError, match="optimizer must have total_steps in its schedules where X is a source"
    ):
        net.fit(lambda: iter([(X, y)]), batch_size=10, optimizer=sc.Adam(lr=SCHEDULE))
    assert net.optimizer.step_count == before.optimizer.step_count
    np.testing.assert_array_equal(net.fit(X, y)["lr"], before.fit(X, y)["lr"])


@pytest.mark.parametrize(
    "recipe", [sc.Adam(lr=SCHEDULE), sc.Adam(lr=sc.schedules.one_cycle(0.01), accumulate=4)]
)
@pytest.mark.parametrize("anew", [True, False], ids=["by another network", "by the network that was cut off"])
def test_a_fit_that_goes_on_is_resumed_with_the_same_length(tmp_path, recipe, anew):
    saving = {"checkpoint": tmp_path / "fit.ckpt", "checkpoint_every": 1, "resume": True}
    whole, cut = trained(recipe), trained(recipe)
    whole.fit(X, y, batch_size=10, epochs=4)

    def stops(info):
        if info.epoch == 2:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut.fit(X, y, batch_size=10, epochs=4, callbacks=stops, **saving)
    again = trained(recipe) if anew else cut
    history = again.fit(X, y, batch_size=10, epochs=4, **saving)
    assert history["lr"] == whole.history["lr"]
    np.testing.assert_array_equal(again.theta, whole.theta)


def test_an_optimizer_at_work_bound_to_other_arrays_begins_anew():
    first = sc.Adam(lr=SCHEDULE, weight_decay=sc.schedules.cosine(0.5)).bind(np.zeros(1), total_steps=10)
    for _ in range(10):
        first.step(np.ones(1))
    p, q = np.zeros(1), np.zeros(1)
    again = first.bind(p, total_steps=100)
    new = sc.Adam(lr=SCHEDULE, weight_decay=sc.schedules.cosine(0.5)).bind(q, total_steps=100)
    for _ in range(100):
        assert again.lr == new.lr
        again.step(np.ones(1))
        new.step(np.ones(1))
        assert p == q
    first.lr = sc.schedules.cosine(0.5, total_steps=4)
    assert first.bind(p, total_steps=100).lr == 0.5
    with pytest.raises(ValueError, match="total_steps must be the number of steps"):
        sc.Adam(lr=SCHEDULE).bind(p, total_steps=10).bind(q)


def test_an_optimizer_at_work_brings_no_memory_of_results_along():
    first = sc.SGD(np.zeros(1), lr=sc.schedules.plateau(1.0, factor=0.5, patience=0))
    for result in (1.0, 2.0, 3.0, 4.0):
        first.tell(result)
    assert first.lr == 0.125
    second = first.bind(np.zeros(1))
    assert second.lr == 1.0
    second.tell(2.0)  # better than nothing, worse than what the first one was told
    assert (first.lr, second.lr) == (0.125, 1.0)
    found = sc.minimize(lambda p: ((p - 3) ** 2).sum(), [0.0], optimizer=first, maxiter=3)
    assert found.path[1, 0] == pytest.approx(6.0)  # a rate of 1 goes as far beyond


def test_a_network_trained_with_anothers_optimizer_has_rates_of_its_own_length():
    net = trained(sc.Adam(lr=SCHEDULE), epochs=4)
    other, new = trained(net.optimizer, epochs=6), trained(sc.Adam(lr=SCHEDULE), epochs=6)
    assert other.history["lr"] == new.history["lr"]
    for each in (other, new):
        each.fit(X, y, batch_size=10, epochs=2)
    assert other.history["lr"] == new.history["lr"] == rates(SCHEDULE, 6, 8)
    np.testing.assert_array_equal(other.theta, new.theta)

"""What is set on a network, an optimizer, a record or a result works everywhere, or is refused in words."""

import copy
import pickle

import numpy as np
import pytest

import schuss as sc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = X @ [1.0, -2.0, 0.5]


def network(**options):
    return sc.MLP([3, 4, 1], activation="tanh", **{"seed": 0, "dropout": 0.1, **options})


def looks(net):
    """All that a network shows or does: what one look finds, every other must find too."""
    rows = net.predict(X)
    own = copy.deepcopy(net)
    own.fit(X, Y, epochs=2, optimizer=sc.SGD(lr=0.1), batch_size=8, seed=0)
    loss, grads = net.loss_and_grads(X, Y)
    shown = repr(net), str(net.summary()), net.l2, list(net.dropout), list(net.layers), list(net.activations)
    return shown, rows.tobytes(), net.loss(X, Y), loss, grads[0].tobytes(), own.theta.tobytes()


def seen_everywhere(net):
    """The same by way of pickle, copies, and a new network that is told the same."""
    here = looks(net)
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net), copy.copy(net)):
        assert looks(other) == here
    return here


@pytest.mark.parametrize(
    ("name", "value"),
    [("l2", 0.5), ("dropout", 0.6), ("dropout", [0.25])],
)
def test_what_may_be_set_is_as_if_it_had_been_given(name, value):
    net = network()
    before = looks(net)
    setattr(net, name, value)
    assert seen_everywhere(net) == looks(network(**{name: value}))
    assert looks(net) != before


def test_a_shallow_copy_shares_theta_alone():
    net = network()
    net.fit(X, Y, epochs=2, optimizer=sc.Adam())
    other, steps = copy.copy(net), net.optimizer.step_count
    net.fit(X, Y, epochs=3)
    assert other.theta is net.theta
    assert (other.history.epochs, other.optimizer.step_count) == (2, steps)
    other.fit(X, Y, epochs=1)
    assert other.predict(X).tobytes() == net.predict(X).tobytes()


def test_theta_is_copied_into_and_stays_the_vector_that_params_are_views_of():
    net, other = network(), network(seed=1)
    theta, weight = net.theta, net.params[0]
    net.theta = other.theta.tolist()
    assert net.theta is theta
    assert net.params[0] is weight
    assert np.shares_memory(theta, weight)
    assert seen_everywhere(net) == looks(other)
    net.theta *= 0.5
    assert net.theta is theta
    np.testing.assert_array_equal(weight, other.params[0] / 2)
    net.params[0] *= 2
    net.named_params["0.weight"] += 1
    np.testing.assert_array_equal(weight, other.params[0] + 1)


@pytest.mark.parametrize(
    ("name", "value", "error", "words"),
    [
        ("theta", np.zeros(3), ValueError, r"theta must be of shape \(21,\), got \(3,\)"),
        ("theta", np.full(21, np.nan), ValueError, "theta must be finite"),
        ("theta", "x", TypeError, "theta must be an array of real numbers"),
        ("l2", -1, ValueError, "l2 must be finite and not negative, got -1"),
        ("l2", "5", TypeError, "l2 must be a number, got '5'"),
        ("dropout", 1.0, ValueError, "dropout must be at least 0 and below 1"),
        ("dropout", [0.1, 0.1], ValueError, "dropout must be one value or 1"),
        ("params", [], AttributeError, r"net.params\[0\]\[:\] = W"),
        ("named_params", {}, AttributeError, r"net.params\[0\]\[:\] = W"),
        ("loss", "mse", AttributeError, "loss cannot be set: it is a method of MLP"),
        ("objective", "mae", AttributeError, r"make a new MLP\(loss=...\)"),
        ("layers", [3, 5, 1], AttributeError, "a network keeps its structure; make a new MLP"),
        ("activations", ["relu"], AttributeError, "a network keeps its structure"),
        ("norm", "layer", AttributeError, "a network keeps its structure"),
        ("dtype", np.float64, AttributeError, r"MLP\(dtype=...\)"),
        ("seed", 3, AttributeError, r"fit\(seed=...\)"),
        ("learning_rate", 0.1, AttributeError, "net.optimizer.lr"),
        ("dropuot", 0.1, AttributeError, "did you mean 'dropout'"),
        ("optimizer", "adam", TypeError, "optimizer must be an optimizer of net.params"),
        ("history", [], TypeError, "history must be a History"),
    ],
)
def test_what_would_be_ignored_is_refused_and_changes_nothing(name, value, error, words):
    net = network()
    before, state = looks(net), dict(vars(net))
    with pytest.raises(error, match=words):
        setattr(net, name, value)
    assert looks(net) == before
    assert all(vars(net)[key] is value for key, value in state.items())


def test_entries_of_lists_that_are_views_or_structure_stay():
    net = network()
    before = looks(net)
    for change, words in [
        (lambda: net.params.__setitem__(0, np.ones((3, 4), np.float32)), r"net.params\[0\]\[:\] = W"),
        (lambda: net.params.__setitem__(slice(None), []), "write into them"),
        (lambda: net.params.append(1), "write into them"),
        (lambda: net.params.pop(), "write into them"),
        (lambda: net.params.__iadd__([1]), "write into them"),
        (lambda: net.named_params.__setitem__("0.weight", 1), "write into them"),
        (lambda: net.named_params.__setitem__("x", None), "write into them"),
        (lambda: net.named_params.update({}), "write into them"),
        (lambda: net.named_params.pop("0.weight"), "write into them"),
        (lambda: net.layers.__setitem__(1, 9), "make a new MLP"),
        (lambda: net.activations.__setitem__(0, "relu"), "make a new MLP"),
        (lambda: net.dropout.__setitem__(0, 0.5), "net.dropout = "),
        (lambda: net.params.sort(), "write into them"),
    ]:
        with pytest.raises(TypeError, match=words):
            change()
    assert looks(net) == before
    for name in ("l2", "theta", "params", "optimizer"):
        with pytest.raises(AttributeError, match=f"{name} cannot be deleted"):
            delattr(net, name)
    # They are lists and dicts all the same, and their copies are plain ones.
    assert isinstance(net.params, list)
    assert isinstance(net.named_params, dict)
    for again in (copy.copy(net.params), copy.deepcopy(net.params), pickle.loads(pickle.dumps(net.params))):
        assert type(again) is list
        assert len(again) == 4
    assert type(copy.deepcopy(net.named_params)) is dict


def test_a_subclass_may_keep_what_it_likes_under_names_of_its_own():
    class Own(sc.MLP):
        note = "nothing yet"

    net = Own([3, 4, 1])
    net.note, net.scale = "seen", 2.0
    assert copy.deepcopy(net).scale == 2.0
    assert net.note == "seen"
    with pytest.raises(AttributeError, match="it is a method"):
        net.predict = None
    net.l2 = 0.5
    assert looks(net)[0][2] == 0.5


def test_the_penalty_set_in_a_callback_counts_from_the_next_epoch_on():
    def trained(optimizer, change, epochs):
        net = network(dropout=0.0)
        net.fit(X, Y, epochs=epochs, optimizer=optimizer, batch_size=None, callbacks=change)
        return net

    def change(info):
        if info.epoch == 3:
            info.net.l2 = 0.3

    for optimizer in (sc.SGD(lr=0.05), sc.LBFGS()):
        net = trained(optimizer, change, 60)
        assert net.l2 == 0.3
        # At rest under the new penalty, not under the old one.
        if isinstance(optimizer, sc.LBFGS):
            assert max(abs(g).max() for g in net.loss_and_grads(X, Y)[1]) < 1e-3
        other = trained(optimizer, (), 60)
        assert np.linalg.norm(net.theta) < np.linalg.norm(other.theta)


def test_dropout_set_in_a_callback_of_lbfgs_is_refused():
    def change(info):
        info.net.dropout = 0.5

    with pytest.raises(ValueError, match="dropout must be 0 with LBFGS"):
        network(dropout=0.0).fit(X, Y, optimizer="lbfgs", epochs=5, callbacks=change)


@pytest.mark.parametrize("place", ["rows", "blocks", "averaged"])
@pytest.mark.parametrize("other", [None, sc.LBFGS()])
def test_an_optimizer_without_a_rate_set_in_a_callback_is_refused(place, other):
    def change(info):
        info.net.optimizer = other

    data = (lambda: [(X, Y)],) if place == "blocks" else (X, Y)
    options = {"averaged": place == "averaged", "optimizer": sc.SGD(lr=0.01, ema=0.9)}
    with pytest.raises(TypeError, match=r"optimizer must be an optimizer of net.params.*from a callback"):
        network(dropout=0.0).fit(*data, epochs=5, callbacks=change, **options)


def test_another_optimizer_set_in_a_callback_of_lbfgs_is_refused():
    def change(info):
        info.net.optimizer = sc.SGD(info.net.params, lr=0.1)

    with pytest.raises(ValueError, match="optimizer must stay as it is while LBFGS trains, got SGD"):
        network(dropout=0.0).fit(X, Y, optimizer="lbfgs", epochs=5, callbacks=change)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("learning_rate", "did you mean 'lr'"),
        ("weight_decay", r"opt.param_groups\[0\]\['weight_decay'\]"),
        ("momentum", r"opt.param_groups\[0\]\['momentum'\]"),
        ("something", "SGD has no attribute 'something'"),
    ],
)
def test_an_optimizer_takes_no_attribute_that_it_would_ignore(name, words):
    w = np.ones(2)
    for optimizer in (sc.SGD(w, lr=0.1, momentum=0.5), sc.SGD(lr=0.1)):
        with pytest.raises(AttributeError, match=words):
            setattr(optimizer, name, 0.5)
        with pytest.raises(AttributeError, match=words):
            getattr(optimizer, name)
        with pytest.raises(AttributeError, match=r"not writable|read-only|can(no|')t"):
            optimizer.step_count = 5
        optimizer.lr = 0.25
        assert optimizer.lr == 0.25


@pytest.mark.parametrize("make", [lambda: sc.schedules.cosine(0.1, 10), sc.LBFGS, sc.History])
def test_recipes_schedules_and_records_take_no_attributes(make):
    with pytest.raises(AttributeError):
        make().learning_rate = 1
    history = pickle.loads(pickle.dumps(sc.History()))
    history.append(loss=1.0)
    assert copy.deepcopy(history)["loss"] == [1.0]


def test_attributes_of_a_result_are_its_items():
    result = sc.minimize(lambda x: (x**2).sum(), [1.0])
    result.x = np.zeros(1)
    assert result["x"] is result.x
    result.note = "mine"
    assert result["note"] == "mine"
    assert "note" in repr(result)
    del result.note
    assert "note" not in result

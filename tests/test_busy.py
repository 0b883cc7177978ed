"""One model, several callers: who comes second is refused by name, before anything changes."""

import copy
import io
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import schuss as sc

X = np.random.default_rng(0).standard_normal((2000, 8), np.float32)
y = X[:, 0].copy()


class Held:
    """A fit in another thread, which is in its callback while this is entered."""

    def __init__(self, fit):
        self.fit, self.inside, self.go_on = fit, threading.Event(), threading.Event()

    def wait(self, _):
        self.inside.set()
        assert self.go_on.wait(60)

    def __enter__(self):
        self.thread = threading.Thread(target=self.fit, args=(self.wait,))
        self.thread.start()
        assert self.inside.wait(60)

    def __exit__(self, *_):
        self.go_on.set()
        self.thread.join()


def fit_of(net):
    return lambda callback: net.fit(X, y, epochs=1, callbacks=callback)


USES = {
    "fit": lambda net: net.fit(X, y, epochs=1, optimizer="sgd"),
    "predict": lambda net: net.predict(X),
    "logits": lambda net: net.logits(X[:1]),
    "loss": lambda net: net.loss(X, y),
    "loss_and_grads": lambda net: net.loss_and_grads(X, y),
    "set theta": lambda net: setattr(net, "theta", np.zeros_like(net.theta)),
    "set the optimizer": lambda net: setattr(net, "optimizer", sc.SGD(net.params)),
    "set the history": lambda net: setattr(net, "history", None),
    "pickle": pickle.dumps,
    "copy": copy.deepcopy,
    "save": lambda net: net.save(io.BytesIO()),
    "to_torch": sc.exchange.to_torch,
    "load_torch": lambda net: sc.exchange.load_torch(net, sc.exchange.to_torch(sc.MLP([8, 16, 1]))),
    "save_safetensors": lambda net: sc.exchange.save_safetensors(net, io.BytesIO()),
    "to_onnx": sc.exchange.to_onnx,
}
# What changes it.
CHANGES = {"fit", "load_torch", "set theta", "set the optimizer", "set the history"}


@pytest.mark.parametrize("name", USES)
def test_a_network_that_another_thread_trains_is_refused_by_name(name):
    net = sc.MLP([8, 16, 1])
    with Held(fit_of(net)):
        optimizer, history, theta = net.optimizer, net.history, net.theta.copy()
        with pytest.raises(RuntimeError, match="this MLP is already training, in another thread"):
            USES[name](net)
        assert net.optimizer is optimizer
        assert net.history is history
        np.testing.assert_array_equal(net.theta, theta)
    assert net.history.stopped == "epochs"
    USES[name](net)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("theta", np.zeros(161, np.float32)),
        ("l2", 0.5),
        ("dropout", 0.25),
        ("label_smoothing", 0.0),
        ("precision", "float32"),
        ("optimizer", None),
        ("history", None),
    ],
)
def test_attributes_of_a_network_are_not_set_while_another_thread_trains_it(name, value):
    net = sc.MLP([8, 16, 1])
    with Held(fit_of(net)):
        before = np.copy(net.theta) if name == "theta" else getattr(net, name)
        with pytest.raises(RuntimeError, match="this MLP is already training, in another thread"):
            setattr(net, name, value)
        assert np.array_equal(getattr(net, name), before)
    assert net.history.stopped == "epochs"
    setattr(net, name, value)


THETA_AS = {
    "X of predict": lambda theta: sc.MLP([len(theta), 2, 1]).predict(theta[None]),
    "X of loss": lambda theta: sc.MLP([len(theta), 2, 1]).loss(theta[None], [[0.0]]),
    "y": lambda theta: sc.MLP([2, 2, len(theta)]).loss(np.zeros((1, 2), np.float32), theta[None]),
    "sample_weight": lambda theta: sc.MLP([1, 2, 1]).loss(
        np.zeros((len(theta), 1), np.float32), np.zeros(len(theta)), sample_weight=theta
    ),
}


@pytest.mark.parametrize("use", THETA_AS)
def test_an_array_that_is_being_trained_is_refused_by_name_as_data_of_another_network(use):
    net = sc.MLP([8, 16, 1])
    net.theta = np.abs(net.theta)

    def lr(step):
        with pytest.raises(RuntimeError, match=f"^{use.split()[0]} is in use by a call that has not ended"):
            THETA_AS[use](net.theta)
        return 0.0

    net.fit(X, y, epochs=1, optimizer=sc.SGD(lr=lr), batch_size=len(X))
    THETA_AS[use](net.theta)


def test_a_callback_uses_its_network_and_others_but_does_not_fit_it():
    net, other = sc.MLP([8, 16, 1]), sc.MLP([8, 4, 1])
    params = [np.ones(3)]
    optimizer = sc.SGD(params, lr=1.0)
    calls = []

    def callback(info):
        calls.append(info.epoch)
        for name, use in USES.items():
            if name not in CHANGES:
                use(info.net)
        other.fit(X, y, epochs=1)
        other.predict(X)
        optimizer.step([np.ones(3)])
        history = net.history
        with pytest.raises(RuntimeError, match="already training, in the fit that this call comes from"):
            info.net.fit(X, y, epochs=1, optimizer="sgd")
        assert net.history is history

    net.fit(X, y, epochs=3, callbacks=callback)
    assert calls == [1, 2, 3]
    assert type(net.optimizer) is sc.Adam
    assert optimizer.step_count == 3
    alone = sc.MLP([8, 16, 1])
    alone.fit(X, y, epochs=3)
    np.testing.assert_array_equal(net.theta, alone.theta)


def test_readers_share_a_network():
    net = sc.MLP([8, 64, 1])
    expected = [net.predict(X), net.loss(X, y), net.loss_and_grads(X, y)[0]]
    uses = [lambda: net.predict(X), lambda: net.loss(X, y), lambda: net.loss_and_grads(X, y)[0]]
    with ThreadPoolExecutor(6) as threads:
        for result, number in [(threads.submit(uses[i % 3]), i % 3) for i in range(300)]:
            np.testing.assert_array_equal(result.result(), expected[number])


class Boom(Exception):
    pass


def boom(*_):
    raise Boom("on purpose")


class BadBlocks:
    n_blocks = 2

    def read(self, number):
        return boom() if number else (X, y)


FAILURES = {
    "callback": {"callbacks": boom},
    "schedule": {"optimizer": sc.Adam(lr=boom)},
    "late schedule": {"optimizer": sc.Adam(lr=lambda step: boom() if step > 20 else 0.1)},
    "bar": {"progress": True},
}


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("name", [*FAILURES, "blocks"])
def test_an_exception_of_user_code_reaches_the_user_and_the_network_goes_on(
    name, n_threads, monkeypatch, capsys
):
    net = sc.MLP([8, 16, 1])
    rows = (BadBlocks(),) if name == "blocks" else (X, y)
    if name == "bar":
        import sys

        monkeypatch.setattr(sys.stderr, "write", boom)
        monkeypatch.setattr(sys.stdout, "write", boom)
    with pytest.raises(Boom) as caught:
        net.fit(*rows, epochs=5, n_threads=n_threads, shuffle=False, **FAILURES.get(name, {}))
    assert "boom" in [entry.name for entry in caught.traceback]
    monkeypatch.undo()
    assert net.history.stopped == "error"
    net.fit(X, y, epochs=2, optimizer="adam", n_threads=n_threads)
    assert net.history.epochs == 2


@pytest.fixture(params=["MLPRegressor", "MLPClassifier"])
def estimator(request):
    pytest.importorskip("sklearn")
    model = getattr(sc, request.param)(hidden_layer_sizes=4, max_iter=1, random_state=0)
    return model, (y > 0 if request.param == "MLPClassifier" else y)


@pytest.mark.filterwarnings("ignore:.*Maximum iterations")
def test_an_estimator_that_another_thread_fits_is_refused_by_name(estimator):
    model, target = estimator
    model.fit(X, target)
    coefs = [coef.copy() for coef in model.coefs_]

    def fit(callback):
        model.set_params(callbacks=callback)
        model.fit(X, target)

    with Held(fit):
        name = type(model).__name__
        uses = [lambda: model.fit(X, target), lambda: model.predict(X), lambda: model.score(X, target)]
        uses.append(lambda: model.partial_fit(X, target))
        uses.append(lambda: sc.exchange.to_torch(model))
        uses.append(lambda: sc.exchange.to_sklearn(model))
        for use in uses:
            with pytest.raises(RuntimeError, match=f"this {name} is already training, in another thread"):
                use()
    assert model.n_iter_ == 1
    for coef, before in zip(model.coefs_, coefs, strict=True):
        np.testing.assert_array_equal(coef, before)
    model.set_params(callbacks=()).fit(X, target)


@pytest.mark.filterwarnings("ignore:.*Maximum iterations")
def test_an_estimators_callback_may_use_it_but_not_fit_it(estimator):
    model, target = estimator
    seen = []

    def callback(fitted):
        seen.append(fitted.predict(X).shape)
        pickle.loads(pickle.dumps(fitted.set_params(callbacks=()))).predict(X)
        for method in (fitted.fit, fitted.partial_fit):
            with pytest.raises(RuntimeError, match="already training, in the fit that this call comes from"):
                method(X, target)

    model.set_params(callbacks=callback, max_iter=2).fit(X, target)
    assert seen == [(2000,)] * 2
    assert model.n_iter_ == 2


@pytest.mark.filterwarnings("ignore:.*Maximum iterations")
def test_of_four_threads_that_fit_an_estimator_each_fits_it_whole_or_not_at_all(estimator):
    model, target = estimator
    model.set_params(max_iter=5)

    def fit(_):
        try:
            model.fit(X, target)
            return "fitted"
        except RuntimeError as error:
            return str(error)

    with ThreadPoolExecutor(4) as threads:
        outcomes = [*threads.map(fit, range(40))]
    assert "fitted" in outcomes
    assert all(outcome == "fitted" or "already training" in outcome for outcome in outcomes)
    assert model.n_iter_ == model.history_.epochs == len(model.loss_curve_) == 5

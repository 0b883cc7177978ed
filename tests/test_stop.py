"""One vocabulary for why something ended, and every ending uses it."""

import copy
import json
import pickle

import numpy as np
import pytest

import schuss as sc
from schuss import Stop, _schuss

X = np.linspace(-1, 1, 60)[:, None]
Y = X[:, 0] ** 2


def net(**options):
    return sc.MLP([1, 4, 1], activation="tanh", **options)


def test_python_and_rust_have_the_same_reasons():
    assert tuple(stop.value for stop in Stop) == _schuss.STOPS


@pytest.mark.parametrize("stop", Stop)
def test_a_reason_is_its_string(stop):
    assert isinstance(stop, str)
    assert stop == stop.value
    assert {stop.value: 1}[stop] == 1
    assert (str(stop), repr(stop), f"{stop:>12}") == (stop.value, repr(stop.value), f"{stop.value:>12}")
    assert json.loads(json.dumps({"why": stop})) == {"why": stop.value}
    assert all(same is stop for same in (Stop(stop.value), pickle.loads(pickle.dumps(stop)), copy.copy(stop)))


def fails(*_):
    raise RuntimeError("a mistake of the caller's")


def blocks_that_fail():
    yield X, Y
    fails()


class Unreadable:
    n_blocks = 3
    read = fails


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        ((X, Y), {"callbacks": fails}),
        ((X, Y), {"callbacks": fails, "optimizer": "lbfgs"}),
        ((blocks_that_fail,), {}),
        ((fails,), {}),
        ((Unreadable(),), {}),
        ((lambda: iter([(X, Y)]),), {"callbacks": fails}),
        ((X, Y), {"optimizer": sc.SGD(lr=fails)}),
    ],
    ids=["callback", "callback of L-BFGS", "a block", "blocks", "read", "callback of blocks", "schedule"],
)
def test_after_any_error_in_a_fit_the_history_says_so(arguments, keywords):
    model = net()
    with pytest.raises(RuntimeError, match="a mistake of the caller's"):
        model.fit(*arguments, **keywords)
    assert model.history.stopped is Stop.ERROR


@pytest.mark.parametrize("keywords", [{}, {"optimizer": "lbfgs"}])
def test_the_progress_bar_may_fail_too(keywords, monkeypatch):
    monkeypatch.setattr("schuss.history._losses", fails)
    model = net()
    with pytest.raises(RuntimeError, match="a mistake of the caller's"):
        model.fit(X, Y, progress=True, **keywords)
    assert model.history.stopped is Stop.ERROR


@pytest.mark.parametrize("keywords", [{}, {"optimizer": "lbfgs"}, {"batch_size": 7, "epochs": 3}])
def test_rows_that_are_not_finite_are_an_error(keywords):
    model = net()
    with pytest.raises(sc.NonFiniteError, match="y has NaN"):
        model.fit(X, np.where(Y > 0.9, np.nan, Y), **keywords)
    assert model.history.stopped is Stop.ERROR


@pytest.mark.parametrize("source", [(X, Y), (lambda: iter([(X, Y)]),)])
def test_an_interrupt_by_a_callback_is_an_interrupt(source):
    def interrupts(_):
        raise KeyboardInterrupt

    model = net()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*source, callbacks=interrupts)
    assert model.history.stopped is Stop.INTERRUPTED
    assert model.history.epochs == 1


def test_what_a_fit_refuses_leaves_the_last_history():
    model = net()
    history = model.fit(X, Y, epochs=1)
    for keywords in ({"target_loss": "small"}, {"batch_size": 0}, {"max_time": -1}, {"n_threads": 1.5}):
        with pytest.raises((TypeError, ValueError), match=next(iter(keywords))):
            model.fit(X, Y, **keywords)
    assert model.history is history
    assert history.stopped is Stop.EPOCHS


def bowl(x):
    return float(x @ x), 2 * x


def nowhere_lower(x):
    """A gradient that points the wrong way."""
    return float(x @ x), -2 * x


def cliff(x):
    return (float(x @ x) if abs(x[0]) > 0.5 else np.nan), 2 * x


def interrupted(calls=[]):  # noqa: B006
    calls.append(1)
    if len(calls) == 3:
        raise KeyboardInterrupt


ENDINGS = {
    "converged": (bowl, {"optimizer": sc.SGD(lr=0.1)}, 0),
    "epochs": (bowl, {"max_steps": 3}, 1),
    "callback": (bowl, {"callback": lambda x: True}, 2),
    "max_time": (bowl, {"max_time": 0}, 3),
    "not_finite": (cliff, {"optimizer": sc.SGD(lr=0.1)}, 4),
    "no_descent": (nowhere_lower, {"optimizer": sc.LBFGS()}, 5),
    "interrupted": (bowl, {"callback": lambda x: interrupted()}, 6),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_minimisation_has_its_reason_beside_number_and_words(name):
    fun, keywords, status = ENDINGS[name]
    result = sc.minimize(fun, [1.0, 2.0], jac=True, **keywords)
    assert isinstance(result.reason, Stop)
    assert (result.reason, result.status, result.success) == (name, status, status == 0)
    assert result.message.endswith(".")


def test_estimators_speak_it_too():
    pytest.importorskip("sklearn")
    model = sc.MLPRegressor(hidden_layer_sizes=4, solver="lbfgs", max_iter=200, max_fun=3)
    with pytest.warns(match="max_fun is reached"):
        model.fit(X, Y)
    assert model.history_.stopped is Stop.EVALUATIONS
    model.set_params(max_time=1e-9, solver="adam").fit(X, Y)
    assert model.history_.stopped is Stop.MAX_TIME

"""Functions of the user see denormal numbers as everywhere else, and so does the thread after each call."""

import threading

import numpy as np
import pytest

import schuss as sc

TINY = np.full(3, 5e-324)


def denormals_exist():
    half = float(np.finfo(np.float64).tiny) / 2.0
    return bool((TINY > 0).all() and (TINY * 1.0 > 0).all() and half > 0)


@pytest.fixture(autouse=True)
def afterwards():
    yield
    assert denormals_exist()


def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((64, 3)).astype(np.float32)
    return X, X[:, 0]


class Notes:
    def __init__(self):
        self.seen = []

    def __call__(self, *_):
        self.seen.append(denormals_exist())

    def check(self):
        assert self.seen
        assert all(self.seen)


@pytest.mark.parametrize("threads", [1, 3])
def test_callbacks_and_schedules_of_a_fit(threads):
    X, y = rows()
    callback, schedule = Notes(), Notes()

    def lr(step):
        schedule()
        return 0.01

    net = sc.MLP([3, 4, 1])
    net.fit(X, y, optimizer=sc.Adam(lr=lr), callbacks=callback, epochs=3, n_threads=threads)
    callback.check()
    schedule.check()


def test_what_the_core_calls_after_each_epoch():
    X, y = rows()
    notes = Notes()
    net = sc.MLP([3, 4, 1])
    optimizer = sc.Adam().bind(net.params)
    options = {"epochs": 3, "first_epoch": 0, "shuffle": True, "seed": 0}
    net._core.fit(net.theta, optimizer, (X, y[:, None].copy(), None), None, options, notes)
    notes.check()
    assert len(notes.seen) == 3


def test_signal_handlers_run_within_a_fit():
    import signal

    X, y = rows()
    notes = Notes()
    before = signal.signal(signal.SIGALRM, notes)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        sc.MLP([3, 4, 1]).fit(X, y, epochs=100_000, max_time=0.5, batch_size=1)
    finally:
        signal.signal(signal.SIGALRM, before)
    notes.check()


def test_schedules_of_a_step_and_functions_of_a_minimisation():
    schedule, fun = Notes(), Notes()
    p = np.ones(5)

    def lr(step):
        schedule()
        return 0.1

    sc.SGD(p, lr=lr, clip_norm=1.0).step(p.copy())

    def f(x):
        fun()
        return float(x @ x), 2 * x

    for optimizer in (sc.SGD(lr=lr), sc.LBFGS()):
        sc.minimize(f, np.ones(3), jac=True, optimizer=optimizer, max_steps=4)
    schedule.check()
    fun.check()


def test_callbacks_of_estimators_and_sources_of_blocks():
    X, y = rows()
    callback, source = Notes(), Notes()
    with pytest.warns(UserWarning, match="iterations|converge"):
        sc.MLPRegressor(hidden_layer_sizes=(3,), max_iter=3, callbacks=[lambda info: callback()]).fit(X, y)

    def blocks():
        for part in range(2):
            source()
            yield X[part * 32 : part * 32 + 32], y[part * 32 : part * 32 + 32]

    sc.MLP([3, 4, 1]).fit(blocks, epochs=2)
    callback.check()
    source.check()


def test_also_where_a_call_fails_and_on_other_threads():
    X, y = rows()

    def fails(*_):
        raise RuntimeError("on purpose")

    def work():
        with pytest.raises(RuntimeError, match="on purpose"):
            sc.MLP([3, 4, 1]).fit(X, y, callbacks=fails)
        with pytest.raises(RuntimeError, match="on purpose"):
            sc.SGD(np.ones(3), lr=fails).step(np.ones(3))
        with pytest.raises(sc.NonFiniteError):
            sc.SGD(np.ones(3)).step(np.full(3, np.nan))
        seen.append(denormals_exist())

    seen = []
    work()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True, True]

"""Ctrl-C and a notebook's stop button, which is the same signal, leave a model that can be used."""

import os
import signal
import threading

import numpy as np
import pytest

import schuss as sc

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2000, 20))
y = X[:, 0] + 0.1 * RNG.normal(size=2000)


class Press:
    """Ctrl-C as soon as training is under way, and has been for a moment."""

    def __init__(self, under_way):
        self.under_way = under_way
        self.thread = threading.Thread(target=self.press, daemon=True)
        self.over = threading.Event()

    def press(self):
        while not self.under_way():
            if self.over.wait(0.001):
                return
        if not self.over.wait(0.2):
            os.kill(os.getpid(), signal.SIGINT)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


@pytest.mark.parametrize("progress", [False, True])
def test_a_network_predicts_and_goes_on(progress, capsys):
    net = sc.MLP([20, 32, 1], dtype="float64")
    start = net.theta.copy()
    with Press(lambda: not np.array_equal(net.theta, start)), pytest.raises(KeyboardInterrupt):
        net.fit(X, y, epochs=10**6, progress=progress)
    assert net.history.stopped == "interrupted"
    assert net.history.epochs > 0
    assert np.mean((net.predict(X) - y) ** 2) < np.var(y)
    assert "interrupted" in net.history._repr_html_()
    before = net.optimizer.step_count
    net.fit(X, y, epochs=2, batch_size=100)
    assert net.optimizer.step_count == before + 40


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"progress": True}])
def test_an_estimator_is_fitted_with_what_it_has_learned(options, capsys):
    pytest.importorskip("sklearn")
    endless = {"max_iter": 10**6, "n_iter_no_change": 10**6}
    model = sc.MLPRegressor(hidden_layer_sizes=32, warm_start=True, random_state=0, **endless, **options)
    under_way = Press(lambda: hasattr(model, "history_") and model.history_.epochs)
    with under_way, pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    assert model.history_.stopped == "interrupted"
    assert model.score(X, y) > 0.5
    done = model.history_.epochs
    assert done > 0
    assert 0 <= model.n_iter_ - done <= 1  # one more where the signal came between an epoch and its entry
    model.set_params(max_iter=2)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X, y)
    assert model.history_.epochs == done + 2

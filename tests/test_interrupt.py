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


def assert_books_are_even(model, steps_per_epoch):
    """Each epoch whose updates are all in the weights is in all books, and no other."""
    curves = [model.loss_curve_, *model.history_.values()]
    if model.validation_scores_ is not None:
        curves += [model.validation_scores_, model.validation_loss_curve_]
    assert {len(curve) for curve in curves} == {model.n_iter_}
    assert model.t_ == model.n_iter_ * model.batch_size * steps_per_epoch
    assert model._optimizer.state["step_count"] // steps_per_epoch == model.n_iter_


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"progress": True}])
def test_an_estimator_is_fitted_with_what_it_has_learned(options, capsys):
    pytest.importorskip("sklearn")
    endless = {"max_iter": 10**6, "n_iter_no_change": 10**6, "batch_size": 200}
    model = sc.MLPRegressor(hidden_layer_sizes=32, warm_start=True, random_state=0, **endless, **options)
    under_way = Press(lambda: hasattr(model, "history_") and model.history_.epochs)
    with under_way, pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    assert model.history_.stopped == "interrupted"
    assert model.score(X, y) > 0.5
    done = model.history_.epochs
    assert done > 0
    assert_books_are_even(model, steps_per_epoch=9 if model.early_stopping else 10)
    model.set_params(max_iter=2)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X, y)
    assert model.history_.epochs == done + 2


@pytest.mark.parametrize("place", ["append", "_enter", "_look_at", "_count_improvement"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_amid_the_books_leaves_them_even(place, solver, monkeypatch):
    training = pytest.importorskip("schuss.estimators._training").Training
    owner = sc.History if place == "append" else training
    plain, calls = getattr(owner, place), []

    def interrupted(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            if place == "append":
                plain(self, loss=0.0)  # a part of it
            raise KeyboardInterrupt
        return plain(self, *arguments, **options)

    monkeypatch.setattr(owner, place, interrupted)
    watched = {"X_val": X[:200], "y_val": y[:200]} if place == "_look_at" else {}
    model = sc.MLPRegressor(hidden_layer_sizes=8, solver=solver, batch_size=200, warm_start=True, tol=0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y, **watched)
    # The books of L-BFGS are written amid its search: what was not entered is not a step.
    assert model.n_iter_ == (4 if place == "_count_improvement" or solver == "adam" else 3)
    if solver == "adam":
        assert_books_are_even(model, steps_per_epoch=10)
    assert len(model.loss_curve_) == model.history_.epochs == model.n_iter_
    assert model.history_.stopped == "interrupted"

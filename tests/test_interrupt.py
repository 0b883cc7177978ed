"""Ctrl-C and a notebook's stop button, which is the same signal, leave a model that can be used."""

import os
import signal
import sys
import threading
import warnings

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
    assert model._optimizer.saved["step_count"] // steps_per_epoch == model.n_iter_


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


class PressAt:
    """Ctrl-C when a line of the estimators' code is about to run, once training is under way."""

    def __init__(self, code, line, under_way):
        self.code, self.line, self.under_way, self.pressed = code, line, under_way, False

    def __call__(self, frame, event, _):
        if event == "call":
            return self if frame.f_code is self.code else None
        if event == "line" and frame.f_lineno == self.line and not self.pressed and self.under_way():
            self.pressed = True
            raise KeyboardInterrupt
        return self


def lines_of_a_training():
    """Every line that may run after an epoch, with the function that has it."""
    pytest.importorskip("sklearn")
    from schuss.estimators import _full_batch, _held_out, _listeners, _mini_batches, _record, _training

    for kind in (
        _training.Training,
        _full_batch.FullBatch,
        _mini_batches.MiniBatches,
        _held_out.HeldOut,
        _listeners.Listeners,
        _record.Best,
        _record.Record,
    ):
        for name, function in vars(kind).items():
            code = getattr(getattr(function, "fget", function), "__code__", None)
            if code is not None and name not in ("__init__", "run", "_not_entered", "close"):
                yield from ((code, line) for _, _, line in code.co_lines() if line)


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_at_any_line_leaves_the_books_even(watched, solver):
    places = sorted(set(lines_of_a_training()), key=lambda place: (place[0].co_name, place[1]))
    rows = slice(0, 60)
    validation = {"X_val": X[60:80], "y_val": y[60:80]} if watched else {}
    reached = 0
    for code, line in places:
        model = sc.MLPRegressor(hidden_layer_sizes=3, solver=solver, batch_size=20, max_iter=6, tol=0)
        model.set_params(callbacks=lambda _: None if watched else (), n_iter_no_change=10**6)
        before = sys.gettrace()
        press = PressAt(code, line, lambda model=model: getattr(model, "n_iter_", 0) == 2)
        sys.settrace(press)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(X[rows], y[rows], **validation)
        finally:
            sys.settrace(before)
        if not press.pressed:
            continue
        reached += 1
        place = f"{code.co_name}, line {line}"
        assert model.history_.stopped == "interrupted", place
        curves = [model.loss_curve_, *model.history_.values()]
        curves += [model.validation_scores_, model.validation_loss_curve_] if watched else []
        assert {len(curve) for curve in curves} == {model.n_iter_}, place
        assert model.history_["loss"] == model.loss_curve_, place
        assert model.loss_ == model.loss_curve_[-1], place
        assert model.t_ == 60 * model.n_iter_, place
        if solver == "adam":
            assert model._optimizer.saved["step_count"] // 3 == model.n_iter_, place
    assert reached > 20


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_amid_a_row_of_the_history_takes_it_away(solver, monkeypatch):
    pytest.importorskip("sklearn")
    plain, calls = sc.History.append, []

    def interrupted(self, **row):
        calls.append(1)
        if len(calls) == 4:
            plain(self, loss=0.0)  # a part of it
            raise KeyboardInterrupt
        return plain(self, **row)

    monkeypatch.setattr(sc.History, "append", interrupted)
    model = sc.MLPRegressor(hidden_layer_sizes=8, solver=solver, batch_size=200, warm_start=True, tol=0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    assert model.n_iter_ == 4
    assert model.history_["loss"] == model.loss_curve_
    assert model.history_.stopped == "interrupted"

"""Ctrl-C while Python code looks at an epoch: what has been learnt is in the checkpoint."""

import sys
from contextlib import nullcontext
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import schuss as sc
from schuss._run import Run

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
y = X[:, 0] - X[:, 1]


class Pressed:
    """Something that is called once an epoch, and Ctrl-C in one of these calls."""

    def __init__(self, at=None):
        self.at, self.calls = at, 0

    def __call__(self, *_):
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt


class Score(Pressed):
    """A score that is one of the estimator."""

    def __call__(self, estimator, X, y):
        super().__call__()
        return float(estimator.coefs_[0][0, 0])


ESTIMATORS = {
    "adam": {},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.01},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e9, "n_iter_no_change": 1},
    "plateau": {"schedule": sc.schedules.plateau(0.01, patience=0, threshold=0.5)},
    "best": {"restore_best": True},
    "lbfgs": {"solver": "lbfgs", "tol": 0.0},
}


@pytest.mark.filterwarnings("ignore:.*interrupted by user", "ignore:.*converge")
@pytest.mark.parametrize("where", ["callback", "scorer"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_goes_on_with_the_epoch(tmp_path, name, where):
    pytest.importorskip("sklearn")
    options = {
        "hidden_layer_sizes": 3,
        "max_iter": 6,
        "batch_size": 20,
        "random_state": 0,
        **ESTIMATORS[name],
    }

    def fitted(press=None, **saving):
        callback = Pressed(press if where == "callback" else None)
        model = sc.MLPRegressor(**options, callbacks=callback)
        model.set_params(scoring=Score(press if where == "scorer" else None))
        return model.fit(X, y, X_val=X[:20], y_val=y[:20], **saving)

    whole = fitted()
    saving = {"checkpoint": tmp_path / "fit.ckpt", "checkpoint_every": 10**6, "resume": True}
    assert fitted(3, **saving).history_.stopped == "interrupted"
    assert (tmp_path / "fit.ckpt").exists()
    resumed = fitted(**saving)
    columns = [name for name in whole.history_ if name != "seconds"]
    for column in columns:
        np.testing.assert_array_equal(resumed.history_[column], whole.history_[column])
    for one, other in zip(whole.coefs_, resumed.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


class Source:
    """Rows in blocks."""

    n_blocks = 2

    def read(self, number):
        part = slice(number * 30, number * 30 + 30)
        return X[part], y[part]


PATHS = {
    "rows": {"X": X, "y": y, "batch_size": 20},
    "averaged": {"X": X, "y": y, "batch_size": 20, "averaged": True, "optimizer": sc.Adam(lr=0.01, ema=0.9)},
    "plateau": {
        "X": Source(),
        "batch_size": 20,
        "optimizer": sc.Adam(lr=sc.schedules.plateau(0.01, patience=0, threshold=0.5)),
    },
    "blocks": {"X": Source(), "batch_size": 20},
    "lbfgs": {"X": X, "y": y, "optimizer": sc.LBFGS()},
}


@pytest.mark.parametrize("where", ["callback", "metric", "validation"])
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("name", PATHS)
def test_a_network_goes_on_with_the_epoch(tmp_path, monkeypatch, name, early, where):
    options = {"epochs": 6, "validation_data": (X[:20], y[:20]), **PATHS[name]}
    if early:
        options |= {"early_stopping": True, "patience": 3}
    look = sc.MLP._look

    def fitted(press=None, **saving):
        pressed = Pressed(press)

        def error(y, predicted):
            if where == "metric":
                pressed()
            return float(np.abs(y - predicted).max())

        def called(info):
            if where == "callback":
                pressed()

        def looked(*given):
            if where == "validation":
                pressed()
            return look(*given)

        monkeypatch.setattr(sc.MLP, "_look", looked)
        net = sc.MLP([4, 3, 1], dtype="float64")
        metrics = error if where == "metric" or name in ("rows", "averaged") else ()
        interrupted = pytest.raises(KeyboardInterrupt) if press else nullcontext()
        with interrupted:
            net.fit(**options, metrics=metrics, callbacks=called, **saving)
        return net, pressed.calls

    whole, calls = fitted()
    if calls < 5:
        pytest.skip("the core looks itself")
    saving = {"checkpoint": tmp_path / "fit.ckpt", "checkpoint_every": 10**6, "resume": True}
    fitted(3, **saving)
    assert (tmp_path / "fit.ckpt").exists()
    fitted(2, **saving)
    resumed, _ = fitted(**saving)
    for column in whole.history:
        if column != "seconds":
            np.testing.assert_array_equal(resumed.history[column], whole.history[column])
    np.testing.assert_array_equal(resumed.theta, whole.theta)
    assert resumed.history.stopped == whole.history.stopped
    assert resumed.history.best_epoch == whole.history.best_epoch


def interrupted_within(saving, at, **options):
    """A network that Ctrl-C has left while a metric looked at that epoch, and one that went on from there."""

    def fitted(press=None):
        pressed = Pressed(press)

        def largest(y, predicted):
            pressed()
            return float(np.abs(y - predicted).max())

        net = sc.MLP([4, 3, 1], dtype="float64")
        with pytest.raises(KeyboardInterrupt) if press else nullcontext():
            net.fit(X, y, metrics=largest, resume=True, **options | (saving if press else saving | resuming))
        return net

    resuming = options.pop("resuming", {})
    return fitted(at), fitted()


@pytest.mark.parametrize("optimizer", [sc.Adam(), sc.LBFGS()])
def test_the_last_epoch_is_looked_at_again(tmp_path, optimizer):
    whole = sc.MLP([4, 3, 1], dtype="float64")
    whole.fit(X, y, optimizer=optimizer, epochs=4)
    interrupted, resumed = interrupted_within(
        {"checkpoint": tmp_path / "fit.ckpt"}, 4, optimizer=optimizer, epochs=4
    )
    assert len(interrupted.history["loss"]) == 4
    assert resumed.history["loss"] == whole.history["loss"]
    assert len(resumed.history["largest"]) == 4
    np.testing.assert_array_equal(resumed.theta, whole.theta)


def test_a_rest_to_be_saved_is_not_the_end(tmp_path):
    whole = sc.MLP([4, 3, 1], dtype="float64")
    whole.fit(X, y, batch_size=20, epochs=5)
    saving = {"checkpoint": tmp_path / "fit.ckpt", "checkpoint_every": 1e-9}
    _, resumed = interrupted_within(saving, 2, batch_size=20, epochs=5)
    assert resumed.history.stopped == "epochs"
    assert resumed.history["loss"] == whole.history["loss"]
    np.testing.assert_array_equal(resumed.theta, whole.theta)


@pytest.mark.parametrize(("target", "stopped"), [(None, "epochs"), (0.0, "epochs"), (1e9, "target_loss")])
def test_a_target_that_is_another_now_ends_it_or_not(tmp_path, target, stopped):
    saving = {"checkpoint": tmp_path / "fit.ckpt", "target_loss": 1e9}
    _, resumed = interrupted_within(saving, 1, epochs=3, resuming={"target_loss": target})
    assert resumed.history.stopped == stopped
    assert resumed.history.epochs == (3 if stopped == "epochs" else 1)


def test_a_callback_of_lbfgs_that_changes_the_loss_may_be_interrupted(tmp_path):
    def fitted(interrupts=False, **saving):
        def called(info):
            if info.epoch == 3:
                info.net.l2 = 0.1
                if interrupts:
                    raise KeyboardInterrupt

        net = sc.MLP([4, 3, 1], dtype="float64")
        with pytest.raises(KeyboardInterrupt) if interrupts else nullcontext():
            net.fit(X, y, optimizer=sc.LBFGS(), epochs=6, callbacks=called, **saving)
        return net

    whole = fitted()
    saving = {"checkpoint": tmp_path / "fit.ckpt", "resume": True}
    fitted(True, **saving)
    resumed = fitted(**saving)
    assert resumed.history["loss"] == whole.history["loss"]
    np.testing.assert_array_equal(resumed.theta, whole.theta)


@pytest.mark.parametrize("at", [2, 3, 4])
@pytest.mark.parametrize("name", ["rows", "averaged", "plateau", "blocks"])
def test_ctrl_c_as_the_core_comes_to_its_end(tmp_path, monkeypatch, name, at):
    train = Run._train

    def fitted(at=None, **saving):
        calls = iter(range(1, 1000))

        def trained(*given, **options):
            records, stop, error = train(*given, **options)
            return records, stop, KeyboardInterrupt() if next(calls) == at else error

        monkeypatch.setattr(Run, "_train", trained)
        net = sc.MLP([4, 3, 1], dtype="float64")
        validation = {"validation_data": (X[:20], y[:20]), "restore_best": True}
        with pytest.raises(KeyboardInterrupt) if at else nullcontext():
            net.fit(**PATHS[name], **validation, epochs=6, record="step", **saving)
        return net

    whole = fitted()
    saving = {"checkpoint": tmp_path / "fit.ckpt", "checkpoint_every": 1, "resume": True}
    fitted(at, **saving)
    resumed = fitted(**saving)
    for column in set(whole.history) - {"seconds"}:
        assert resumed.history[column] == whole.history[column]
    assert len(resumed.history.steps["step"]) == len(whole.history.steps["step"])
    assert resumed.history.best_epoch == whole.history.best_epoch
    np.testing.assert_array_equal(resumed.theta, whole.theta)


def test_ctrl_c_amid_looks_at_the_average_leaves_what_is_trained():
    files = {"_run.py", "_averages.py", "contextlib.py", "_looks.py", "_watch.py"}
    options = {"epochs": 1, "batch_size": 20, "optimizer": sc.Adam(lr=0.1, ema=0.9), "metrics": "r2"}
    options |= {"validation_data": (X[:20], y[:20]), "restore_best": True}
    trained = sc.MLP([4, 3, 1], dtype="float64")
    trained.fit(X, y, **options | {"restore_best": False})

    def interrupted(at):
        """Whether Ctrl-C came as a function was called or left, of which the looks have more than so many."""
        events, net = [], sc.MLP([4, 3, 1], dtype="float64")

        def trace(frame, event, _):
            frame.f_trace_lines = False
            if frame.f_code.co_name == "_after_epoch" or events:
                if Path(frame.f_code.co_filename).name in files:
                    events.append(event)
                if len(events) == at:
                    raise KeyboardInterrupt
            if frame.f_code.co_name == "_after_epoch" and event == "return":
                sys.settrace(None)
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            net.fit(X, y, averaged=True, **options)
        except KeyboardInterrupt:
            sys.settrace(before)
            np.testing.assert_array_equal(net.theta, trained.theta)
            return True
        finally:
            sys.settrace(before)
        return False

    assert next(at for at in count(1) if not interrupted(at)) > 20


@pytest.mark.parametrize("options", [{"target_loss": 1.0}, {"early_stopping": True, "patience": 1}])
def test_ctrl_c_after_the_last_epoch_that_there_should_be(tmp_path, monkeypatch, options):
    train = Run._train
    options = options | {"validation_data": (X[:20], y[:20]), "optimizer": sc.Adam(lr=0.3), "epochs": 100}

    def interrupted(*given, **options):
        records, stop, error = train(*given, **options)
        if stop in ("target_loss", "converged"):  # the core says Ctrl-C then, and nothing else
            return records, sc.Stop("interrupted"), KeyboardInterrupt()
        return records, stop, error

    def fitted(**saving):
        net = sc.MLP([4, 3, 1], dtype="float64")
        net.fit(X, y, batch_size=20, **options, **saving)
        return net

    whole, saving = fitted(), {"checkpoint": tmp_path / "fit.ckpt", "resume": True}
    monkeypatch.setattr(Run, "_train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fitted(**saving)
    monkeypatch.setattr(Run, "_train", train)
    resumed = fitted(**saving)
    assert resumed.history.stopped == whole.history.stopped
    assert resumed.history["loss"] == whole.history["loss"]
    np.testing.assert_array_equal(resumed.theta, whole.theta)

"""A run that was stopped and resumes from its checkpoint ends with the bits of one that was never stopped."""

import copy
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse

import schuss as sc
from schuss import _checkpoint

RNG = np.random.default_rng(0)
X = RNG.normal(size=(600, 8)).astype(np.float32)
Y = (X[:, 0] ** 2 + X[:, 1]).astype(np.float32)
LABELS = (Y > 0.5).astype(int) + (Y > 1.5)


class Killed(BaseException):
    """As if the process had ended here."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.ckpt"


@pytest.fixture
def killed_after_saving(monkeypatch):
    """Ends the process, so to speak, after every second time that something was saved."""
    saves = []
    save = _checkpoint.Checkpoint.save

    def save_and_die(self, state):
        save(self, state)
        saves.append(state)
        if len(saves) % 2 == 0:
            raise Killed

    monkeypatch.setattr(_checkpoint.Checkpoint, "save", save_and_die)
    return saves


def until_done(run):
    """Start it again and again; how often that took, and what came of it."""
    for attempt in range(1, 500):
        try:
            return attempt, run(attempt)
        except Killed:
            continue
    pytest.fail("it never ends")


def same_history(a, b):
    assert list(a) == list(b)
    assert a.stopped == b.stopped
    for name in set(a) - {"seconds"}:
        np.testing.assert_array_equal(a[name], b[name])
    assert np.all(np.diff(b["seconds"]) >= 0)


def same_state(a, b):
    a, b = a.state_dict(), b.state_dict()
    np.testing.assert_equal(a, b)


class Blocks:
    """Rows that are read block by block."""

    n_blocks = 5

    def read(self, i):
        return X[i::5], Y[i::5]


OPTIMIZERS = {
    "adam": lambda: sc.Adam(lr=0.01),
    "schedule": lambda: sc.SGD(lr=sc.schedules.one_cycle(0.02, total_steps=60), momentum=0.9, nesterov=True),
    "plateau": lambda: sc.Adam(lr=sc.schedules.plateau(0.05, patience=1)),
    "average": lambda: sc.AdamW(lr=0.01, accumulate=3, ema=0.9, lookahead=5),
    "clipped": lambda: sc.RMSprop(lr=0.01, clip_norm=0.1, nonfinite="skip"),
    "groups": lambda: sc.Adam([{"params": "*.bias", "lr": 0.1}, {"params": "0.*", "lr": 0.0}], lr=0.01),
    "schedule-free": lambda: sc.ScheduleFreeAdamW(lr=0.01, warmup_steps=7),
    "prodigy": lambda: sc.Prodigy(),
    "lbfgs": lambda: sc.LBFGS(),
}


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_network(path, killed_after_saving, name, every):
    def run(threads, **saving):
        net = sc.MLP([8, 16, 1], dtype="float64", dropout=0.0 if name == "lbfgs" else 0.2, l2=1e-3, seed=3)
        batch_size = None if name == "lbfgs" else 50
        options = {"batch_size": batch_size, "epochs": 9, "validation_data": (X[:100], Y[:100])}
        history = net.fit(X, Y, optimizer=OPTIMIZERS[name](), n_threads=threads, **options, **saving)
        return net, history

    net, history = run(1)
    saving = {"checkpoint": path, "checkpoint_every": every, "resume": True}
    attempts, (resumed, resumed_history) = until_done(lambda attempt: run(attempt % 3 + 1, **saving))
    assert attempts >= 2
    np.testing.assert_array_equal(resumed.theta, net.theta)
    same_history(history, resumed_history)
    if name != "lbfgs":
        same_state(net.optimizer, resumed.optimizer)
    # What continues without a checkpoint does so from the same place.
    for trained in (net, resumed):
        trained.fit(X, Y, batch_size=None if name == "lbfgs" else 50, epochs=2)
    np.testing.assert_array_equal(resumed.theta, net.theta)


@pytest.mark.parametrize("source", ["rows", "blocks", "windows", "iterator"])
def test_within_an_epoch(path, killed_after_saving, source):
    rows, targets = np.tile(X, (100, 1)), np.tile(Y, 100)

    def run(threads, **saving):
        # An epoch takes longer than the clock is left alone (30 ms), on the fastest machine as well.
        net = sc.MLP([8, 256, 256, 1], seed=3, dropout=0.1)
        data = {
            "rows": (rows, targets),
            "blocks": (Large(), None),
            "windows": (sc.blocks.from_arrays(rows, targets, block_rows=15_000, window=2), None),
            "iterator": (lambda: iter([(rows, targets)] * 2), None),
        }[source]
        optimizer = sc.Adam(lr=sc.schedules.cosine(1e-3, total_steps=8000))
        history = net.fit(*data, optimizer=optimizer, batch_size=32, epochs=2, n_threads=threads, **saving)
        return net, history

    class Large:
        n_blocks = 2

        def read(self, i):
            return rows, targets

    net, history = run(2)
    saving = {"checkpoint": path, "checkpoint_every": 0.01, "resume": True}
    attempts, (resumed, resumed_history) = until_done(lambda attempt: run(attempt % 3 + 1, **saving))
    assert attempts >= 2
    within = [state for state in killed_after_saving if state["progress"]["position"] is not None]
    assert within, "nothing was saved within an epoch"
    np.testing.assert_array_equal(resumed.theta, net.theta)
    same_history(history, resumed_history)


@pytest.mark.parametrize("source", ["rows", "blocks"])
@pytest.mark.parametrize("shape", [(600,), (600, 1)])
def test_the_form_of_the_targets_outlasts_the_end(path, source, shape):
    def run():
        net = sc.MLP([8, 4, 1], seed=3)
        targets = Y.reshape(shape)
        data = (X, targets) if source == "rows" else (sc.blocks.from_arrays(X, targets, block_rows=250),)
        ends = {"target_loss": 1e9} if source == "rows" else {}
        net.fit(*data, batch_size=100, epochs=3, checkpoint=path, resume=True, **ends)
        return net.predict(X)

    first = run()
    assert first.shape == shape
    np.testing.assert_array_equal(run(), first)


def test_blocks_of_several_epochs(path, killed_after_saving):
    def run(threads, **saving):
        net = sc.MLP([8, 16, 1], seed=3)
        history = net.fit(Blocks(), optimizer="adam", batch_size=16, epochs=7, n_threads=threads, **saving)
        return net, history

    net, history = run(1)
    saving = {"checkpoint": path, "checkpoint_every": 1e-9, "resume": True}
    attempts, (resumed, resumed_history) = until_done(lambda attempt: run(attempt % 3 + 1, **saving))
    assert attempts > 10
    np.testing.assert_array_equal(resumed.theta, net.theta)
    same_history(history, resumed_history)


ESTIMATORS = {
    "adam": {"hidden_layer_sizes": (16,), "max_iter": 12},
    "early stopping": {
        "early_stopping": True,
        "max_iter": 40,
        "n_iter_no_change": 3,
        "learning_rate_init": 0.05,
    },
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.5,
        "tol": 0.1,
        "max_iter": 30,
    },
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1, "max_iter": 12},
    "best": {"restore_best": True, "learning_rate_init": 0.05, "max_iter": 12, "dropout": 0.2},
    "schedule": {"schedule": sc.schedules.cosine(0.01, total_steps=30), "clip_norm": 1.0, "max_iter": 12},
    "groups": {"optimizer": sc.AdamW([{"params": "*.bias", "lr": 0.1}], lr=0.01), "max_iter": 12},
    "callback": {"callbacks": lambda estimator: estimator.n_iter_ >= 9, "max_iter": 12},
    "lbfgs": {"solver": "lbfgs", "max_iter": 15},
    "lbfgs, few evaluations": {"solver": "lbfgs", "max_fun": 20, "tol": 0.0},
}


def fitted(options, threads=1, rows=(X, LABELS), **saving):
    return sc.MLPClassifier(**{"random_state": 1, **options}, n_threads=threads).fit(*rows, **saving)


def same_estimator(a, b):
    for one, other in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        np.testing.assert_array_equal(one, other)
    same_history(a.history_, b.history_)
    for attribute in ("n_iter_", "t_", "loss_", "best_loss_", "loss_curve_", "validation_scores_"):
        np.testing.assert_equal(getattr(a, attribute), getattr(b, attribute))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator(path, killed_after_saving, name, every):
    options = ESTIMATORS[name]
    whole = fitted(options)
    saving = {"checkpoint": path, "checkpoint_every": every, "resume": True}
    attempts, resumed = until_done(lambda attempt: fitted(options, attempt % 3 + 1, **saving))
    assert attempts >= 2
    same_estimator(whole, resumed)
    # And once more, of a training that is done.
    same_estimator(whole, until_done(lambda _: fitted(options, **saving))[1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("watches", [False, True])
def test_an_estimator_within_an_epoch(path, killed_after_saving, watches):
    rows = np.tile(X, (150, 1)), np.tile(LABELS, 150)
    # As above: an epoch of more than 30 ms.
    options = {"hidden_layer_sizes": (256, 256), "batch_size": 32, "max_iter": 2, "early_stopping": watches}
    whole = fitted(options, rows=rows)
    saving = {"rows": rows, "checkpoint": path, "checkpoint_every": 0.01, "resume": True}
    attempts, resumed = until_done(lambda attempt: fitted(options, attempt % 3 + 1, **saving))
    assert attempts >= 2
    assert any(state["position"] is not None for state in killed_after_saving)
    same_estimator(whole, resumed)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_estimator_without_a_seed_finds_it_in_the_checkpoint(path, tmp_path, killed_after_saving):
    options = {"random_state": None, "early_stopping": True, "max_iter": 12}
    with pytest.raises(Killed):
        fitted(options, checkpoint=path, checkpoint_every=1)
    ends = []
    for every in (1, 5):
        twin = tmp_path / f"{every}.ckpt"
        twin.write_bytes(path.read_bytes())
        saving = {"checkpoint": twin, "checkpoint_every": every, "resume": True}
        ends.append(until_done(lambda _, saving=saving: fitted(options, **saving))[1])
    same_estimator(*ends)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", [{}, {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1}])
def test_a_copy_made_in_a_callback_goes_on_with_the_state_of_the_optimizer(options):
    copies = []
    whole = fitted({**options, "max_iter": 8, "callbacks": lambda model: copies.append(copy.deepcopy(model))})
    twin = copies[2]
    twin.set_params(warm_start=True, max_iter=5, callbacks=None).fit(X, LABELS)
    for one, other in zip(whole.coefs_, twin.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


def rosenbrock(x):
    steps = x[1:] - x[:-1] ** 2
    gradient = np.zeros_like(x)
    gradient[:-1] = -400 * x[:-1] * steps - 2 * (1 - x[:-1])
    gradient[1:] += 200 * steps
    return float((100 * steps**2 + (1 - x[:-1]) ** 2).sum()), gradient


class Mortal:
    """A function that dies now and then."""

    def __init__(self, error, lives):
        self.error, self.lives = error, lives

    def __call__(self, x):
        self.lives -= 1
        if self.lives < 0:
            raise self.error
        return rosenbrock(x)


MINIMISERS = {
    "lbfgs": {"optimizer": sc.LBFGS()},
    "lbfgs by steps": {"optimizer": sc.LBFGS(), "min_step": 0.01},
    "adam": {"optimizer": sc.Adam(lr=sc.schedules.cosine(0.1, total_steps=120))},
    "plateau": {"optimizer": sc.SGD(lr=sc.schedules.plateau(1e-3, patience=2), momentum=0.9)},
    "gathered": {"optimizer": sc.SGD(lr=sc.schedules.plateau(1e-3, patience=2), accumulate=4)},
    "gathered, as long as it is": {"optimizer": sc.SGD(lr=sc.schedules.linear(1e-3), accumulate=4)},
    "bounds": {"optimizer": sc.Adam(lr=0.05), "bounds": [(-2, 0.5)] * 6},
    "no record": {"optimizer": "adam", "record": False},
    "starts": {"optimizer": sc.Adam(lr=0.05), "starts": [np.zeros(6), np.full(6, 2.0)], "n_threads": 1},
}


@pytest.mark.parametrize("error", [Killed, KeyboardInterrupt])
@pytest.mark.parametrize("name", MINIMISERS)
def test_minimize(path, name, error):
    options = {"jac": True, "max_steps": 120, **MINIMISERS[name]}
    start = np.linspace(-1, 1.3, 6)
    whole = sc.minimize(rosenbrock, start, **options)
    lives = np.random.default_rng(1)

    def run(attempt):
        mortal = Mortal(error, lives.integers(1, 25))
        result = sc.minimize(mortal, start, **options, checkpoint=path, checkpoint_every=3, resume=True)
        if result.reason == "interrupted" or mortal.lives < 0:
            raise Killed
        return result

    def attempt_again(attempt):
        try:
            return run(attempt)
        except KeyboardInterrupt:  # before the start was evaluated
            raise Killed from None

    attempts, resumed = until_done(attempt_again)
    assert attempts >= 2
    for a, b in zip(whole.get("runs", [whole]), resumed.get("runs", [resumed]), strict=True):
        for field in (
            "x",
            "fun",
            "jac",
            "nit",
            "nfev",
            "njev",
            "path",
            "path_fun",
            "message",
            "reason",
            "status",
        ):
            np.testing.assert_equal(b[field], a[field], err_msg=field)


def test_ctrl_c_in_a_callback_of_minimize_loses_nothing(path):
    start, calls = np.linspace(-1, 1.3, 6), []
    options = {"jac": True, "optimizer": sc.Adam(lr=0.02), "max_steps": 40}

    def draws(_):
        calls.append(None)
        if len(calls) == 17:
            raise KeyboardInterrupt

    first = sc.minimize(rosenbrock, start, **options, callback=draws, checkpoint=path)
    assert (first.reason, first.nit) == ("interrupted", 17)
    resumed = sc.minimize(rosenbrock, start, **options, callback=draws, checkpoint=path, resume=True)
    assert len(calls) == 40
    whole = sc.minimize(rosenbrock, start, **options)
    np.testing.assert_array_equal(resumed.path, whole.path)
    assert resumed.fun == whole.fun


def test_more_steps_and_more_epochs_than_at_first(path):
    start = np.linspace(-1, 1.3, 6)
    options = {"jac": True, "optimizer": sc.Adam(lr=0.02), "checkpoint": path, "resume": True}
    sc.minimize(rosenbrock, start, max_steps=40, **options)
    result = sc.minimize(rosenbrock, start, max_steps=90, **options)
    whole = sc.minimize(rosenbrock, start, jac=True, optimizer=sc.Adam(lr=0.02), max_steps=90)
    np.testing.assert_array_equal(result.path, whole.path)
    path.unlink()
    for epochs in (3, 8):
        net = sc.MLP([8, 16, 1])
        net.fit(X, Y, optimizer="adam", epochs=epochs, checkpoint=path, resume=True)
    whole = sc.MLP([8, 16, 1])
    whole.fit(X, Y, optimizer="adam", epochs=8)
    np.testing.assert_array_equal(net.theta, whole.theta)
    assert net.history["loss"] == whole.history["loss"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("limit", "run"),
    [
        ("epochs", lambda most, **saving: sc.MLP([8, 4, 1]).fit(X, Y, epochs=most, **saving)),
        (
            "epochs",
            lambda most, **saving: sc.MLP([8, 4, 1]).fit(X, Y, optimizer="lbfgs", epochs=most, **saving),
        ),
        ("epochs", lambda most, **saving: sc.MLP([8, 4, 1]).fit(Blocks(), epochs=most, **saving)),
        ("max_iter", lambda most, **saving: fitted({"max_iter": most}, **saving)),
        ("max_iter", lambda most, **saving: fitted({"max_iter": most, "solver": "lbfgs"}, **saving)),
        (
            "max_steps",
            lambda most, **saving: sc.minimize(
                rosenbrock, np.zeros(2), jac=True, starts=[np.ones(2)], max_steps=most, **saving
            ),
        ),
        (
            "maxiter",
            lambda most, **saving: sc.minimize(rosenbrock, np.zeros(2), jac=True, maxiter=most, **saving),
        ),
    ],
)
def test_fewer_steps_or_epochs_than_are_done_are_refused(path, limit, run):
    run(5, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=rf"{limit} must be at least 5, which are done in .*, got 3"):
        run(3, checkpoint=path, resume=True)
    assert path.read_bytes() == before
    run(5, checkpoint=path, resume=True)


CALLS = {
    "MLP.fit": lambda **saving: sc.MLP([8, 4, 1]).fit(X, Y, epochs=1, **saving),
    "MLPClassifier.fit": lambda **saving: fitted({"max_iter": 1}, **saving),
    "MLPRegressor.fit": lambda **saving: sc.MLPRegressor(max_iter=1).fit(X, Y, **saving),
    "minimize": lambda **saving: sc.minimize(rosenbrock, np.zeros(2), jac=True, max_steps=1, **saving),
}


@pytest.mark.parametrize("ends", ["early", "target"])
def test_a_training_that_is_saved_all_the_time_ends_where_it_should(path, ends):
    def fitted(**saving):
        net = sc.MLP([8, 4, 1], dtype="float64")
        options = {"target_loss": 1.5} if ends == "target" else {"early_stopping": True, "patience": 1}
        rows = {"validation_data": (X[:20], Y[:20]), "optimizer": sc.Adam(lr=0.3), "batch_size": 100}
        net.fit(X, Y, epochs=200, **rows, **options, **saving)
        return net

    whole, net = fitted(), fitted(checkpoint=path, checkpoint_every=1e-9)
    assert whole.history.epochs < 200
    same_history(net.history, whole.history)
    np.testing.assert_array_equal(net.theta, whole.theta)


@pytest.mark.parametrize("optimizer", [sc.Adam(), sc.LBFGS()])
@pytest.mark.parametrize("stopped", ["epochs", "target_loss"])
def test_a_training_that_is_done_may_be_looked_at_before_it_gets_more_epochs(path, optimizer, stopped):
    def fitted(epochs, target_loss=None, **saving):
        net = sc.MLP([8, 4, 1], dtype="float64")
        net.fit(X, Y, optimizer=optimizer, epochs=epochs, target_loss=target_loss, **saving)
        return net

    whole = fitted(9)
    first = (4, None) if stopped == "epochs" else (9, whole.history["loss"][3])
    for arguments in (first, first, (9,)):
        net = fitted(*arguments, checkpoint=path, resume=True)
        assert net.history.stopped == (stopped if arguments == first else "epochs")
    same_history(net.history, whole.history)
    np.testing.assert_array_equal(net.theta, whole.theta)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("saving", "error", "words"),
    [
        ({"resume": True}, ValueError, "resume must be False without a checkpoint"),
        ({"checkpoint_every": 5.0}, ValueError, "checkpoint_every must be None without a checkpoint"),
        ({"checkpoint": 5}, TypeError, "checkpoint must be a path or None, got 5"),
        ({"checkpoint": "here", "checkpoint_every": True}, TypeError, "checkpoint_every must be seconds"),
        ({"checkpoint": "here", "checkpoint_every": 0}, ValueError, "checkpoint_every must be .* at least 1"),
        ({"checkpoint": "here", "checkpoint_every": -1.0}, ValueError, "checkpoint_every must be a positive"),
        (
            {"checkpoint": "here", "checkpoint_every": np.nan},
            ValueError,
            "checkpoint_every must be a positive",
        ),
        ({"checkpoint": "here", "checkpoint_every": "1"}, TypeError, "checkpoint_every must be .*'1'"),
        ({"checkpoint": "here", "resume": "yes"}, TypeError, "resume must be True or False, got 'yes'"),
        ({"checkpoint": "nowhere/here"}, FileNotFoundError, "checkpoint must be in a folder that exists"),
        (
            {"checkpoint": "a\0b"},
            ValueError,
            "checkpoint must be a path of characters that names of files may",
        ),
        ({"checkpoint": "."}, IsADirectoryError, "checkpoint must be a file"),
    ],
)
def test_what_is_no_checkpoint_is_refused(name, saving, error, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=words):
        CALLS[name](**saving)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.skipif(os.name == "nt", reason="links and permissions are of another kind")
def test_a_file_that_could_not_be_replaced_in_the_end_is_refused_at_once(name, tmp_path, monkeypatch):
    kept, link = tmp_path / "kept", tmp_path / "link"
    link.symlink_to(tmp_path / "missing" / "run.ckpt")
    with pytest.raises(FileNotFoundError, match="checkpoint must be in a folder that exists"):
        CALLS[name](checkpoint=link)
    kept.mkdir()
    (kept / "run.ckpt").touch()
    link.unlink()
    link.symlink_to(kept / "run.ckpt")
    # Root may write everything: as it is for others.
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(kept.resolve()) and may(path, mode))
    for path in (kept / "run.ckpt", link):
        with pytest.raises(PermissionError, match="checkpoint must be in a folder that can be written"):
            CALLS[name](checkpoint=path)
    assert (kept / "run.ckpt").read_bytes() == b""


def test_a_source_of_another_number_of_blocks_is_another(path):
    class Fewer(Blocks):
        n_blocks = 4

    sc.MLP([8, 4, 1]).fit(Blocks(), epochs=2, checkpoint=path)
    with pytest.raises(ValueError, match="the checksum of the rows is '4 blocks' here, and '5 blocks' in "):
        sc.MLP([8, 4, 1]).fit(Fewer(), epochs=4, checkpoint=path, resume=True)


def test_a_checkpoint_of_something_else_is_refused_by_name(path):
    def fit(layers=(8, 16, 1), optimizer=sc.Adam, seed=0, rows=(X, Y), **options):
        net = sc.MLP(layers, seed=seed)
        before = net.theta.copy()
        try:
            net.fit(*rows, optimizer=optimizer(), epochs=2, checkpoint=path, **options)
        except ValueError:
            np.testing.assert_array_equal(net.theta, before)
            assert net.history is None
            assert net.optimizer is None
            raise

    fit()
    whole = path.read_bytes()
    for words, options in {
        "the network is .*17": {"layers": (8, 17, 1)},
        "optimizer is 'SGD": {"optimizer": sc.SGD},
        "seed is 1 here, and 0": {"seed": 1},
        "batch_size is 64 here, and 128": {"batch_size": 64},
        "shuffle is False": {"shuffle": False},
        "the checksum of the rows": {"rows": (X, -Y)},
        "the checksum of validation_data": {"validation_data": (X, Y)},
    }.items():
        with pytest.raises(ValueError, match=f"checkpoint must be a file of the same run: {words}"):
            fit(resume=True, **options)
    with pytest.raises(ValueError, match=r"is a file of the kind 'MLP\.fit'"):
        CALLS["minimize"](checkpoint=path, resume=True)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=f"{re.escape(str(path))} is damaged"):
        fit(resume=True)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="no file of schuss"):
        fit(resume=True)


FORMS = {
    "random_state": (0, np.int64(0)),
    "alpha": (1e-3, np.float64(1e-3)),
    "target_weights": ([1, 2], (1, 2), np.array([1, 2])),
    "dropout": ([0.5], (0.5,), np.array([0.5])),
    "class_weight": ({0: 1, 1: 2}, {1: 2, np.int64(0): np.int32(1)}),
}


def fitted_with(name, value, **saving):
    options = {"hidden_layer_sizes": 4, "max_iter": 1, "random_state": 0, name: value}
    if name == "class_weight":
        return sc.MLPClassifier(**options).fit(X, (Y > 0).astype(int), **saving)
    outputs = np.size(value) if name == "target_weights" else 2
    return sc.MLPRegressor(**options).fit(X, X[:, np.arange(outputs) % 8], **saving)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", FORMS)
def test_all_forms_of_a_parameter_are_the_same(path, name):
    first, *others = FORMS[name]
    whole = fitted_with(name, first, checkpoint=path)
    for other in others:
        again = fitted_with(name, other, checkpoint=path, resume=True)
        np.testing.assert_array_equal(again.coefs_[0], whole.coefs_[0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_generator_of_random_numbers_must_be_where_it_was(path):
    whole = fitted_with("random_state", np.random.RandomState(0), checkpoint=path)
    again = fitted_with("random_state", np.random.RandomState(0), checkpoint=path, resume=True)
    np.testing.assert_array_equal(again.coefs_[0], whole.coefs_[0])
    moved, half = np.random.RandomState(0), np.random.RandomState(0)
    moved.randint(2)
    half.standard_normal()  # which has another one in store
    half.set_state((*np.random.RandomState(0).get_state()[:3], *half.get_state()[3:]))
    words = (
        r"random_state is 'RandomState\(MT19937\) whose state has the checksum \w{8}' here, and 'RandomState"
    )
    for other in (np.random.RandomState(1), moved, half):
        before = other.get_state(legacy=False)
        with pytest.raises(ValueError, match=words):
            fitted_with("random_state", other, checkpoint=path, resume=True)
        np.testing.assert_equal(other.get_state(legacy=False), before)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("first", "other", "words"),
    [
        (
            np.array([1, 0.123456789]),
            np.array([1, 0.1234567891]),
            r"'\(1.0, 0.1234567891\)' here, and '\(1.0, ",
        ),
        (
            np.ones(1100),
            np.r_[np.ones(500), 2, np.ones(599)],
            r"\.\.\..*1\.0, 2\.0, 1\.0.* here, and \.\.\..*1\.0",
        ),
    ],
    ids=["digits", "many"],
)
def test_of_arrays_every_number_and_every_digit_counts(path, first, other, words):
    fitted_with("target_weights", first, checkpoint=path)
    with pytest.raises(ValueError, match=f"target_weights is {words}") as refused:
        fitted_with("target_weights", other, checkpoint=path, resume=True)
    assert len(str(refused.value)) < 600 + len(str(path))


def test_a_checkpoint_of_another_minimisation_is_refused_by_name(path):
    def distance(x, rows):
        return float(((rows - x) ** 2).mean()), 2 * (x - rows.mean())

    first = {"fun": rosenbrock, "x0": [-1.0, 1.0], "jac": True, "max_steps": 3, "checkpoint": path}
    on_rows = {**first, "fun": distance, "x0": [0.0], "data": np.arange(8.0), "batch_size": 2}
    for options, others in (
        (
            first,
            {
                "the checksum of the starting points": {"x0": [-1.0, 0.0]},
                "optimizer is 'Adam": {"optimizer": "adam"},
                "jac is 'callable'": {"jac": lambda x: rosenbrock(x)[1]},
                "the checksum of bounds": {"bounds": [(-2, 2)] * 2},
                "min_step is 0.01 here, and 0.001": {"min_step": 0.01},
                "record is False": {"record": False},
            },
        ),
        (
            on_rows,
            {
                "the checksum of data": {"data": np.arange(1.0, 9.0)},
                "batch_size is 4 here, and 2": {"batch_size": 4},
                "seed is 1 here, and 0": {"seed": 1},
            },
        ),
    ):
        sc.minimize(**options)
        for words, other in others.items():
            with pytest.raises(ValueError, match=f"checkpoint must be a file of the same run: {words}"):
                sc.minimize(**options | other, resume=True)


def test_settings_that_a_callback_changes_are_kept(path, killed_after_saving):
    def less(info):
        if info.epoch == 3:
            info.net.l2, info.net.dropout = 0.5, 0.3

    def run(attempt, **saving):
        net = sc.MLP([8, 16, 1], l2=0.0)
        net.fit(X, Y, optimizer="adam", epochs=8, callbacks=less, n_threads=attempt % 3 + 1, **saving)
        return net

    whole = run(1)
    _, net = until_done(lambda n: run(n, checkpoint=path, checkpoint_every=1, resume=True))
    np.testing.assert_array_equal(net.theta, whole.theta)
    assert (net.l2, net.dropout) == (0.5, [0.3])


SET_BY_CALLBACKS = {
    "cosine": ("lr", sc.schedules.cosine(0.02, total_steps=40)),
    "plateau": ("lr", sc.schedules.plateau(0.02, patience=0, threshold=0.9)),
    "constant": ("lr", 0.004),
    "decay": ("weight_decay", sc.schedules.flat_cos(0.1, 60)),
}


@pytest.mark.parametrize("before", [0.01, sc.schedules.cosine(0.01), sc.schedules.plateau(0.01, patience=2)])
@pytest.mark.parametrize("name", SET_BY_CALLBACKS)
def test_schedules_that_a_callback_sets_are_kept(path, killed_after_saving, name, before):
    option, value = SET_BY_CALLBACKS[name]

    def callback(info):
        if info.epoch == 2:
            info.net.optimizer.param_groups[0][option] = value

    def run(saving):
        net = sc.MLP([8, 4, 1], seed=0)
        optimizer = sc.AdamW(lr=before)
        net.fit(X, Y, optimizer=optimizer, epochs=7, batch_size=50, seed=0, callbacks=callback, **saving)
        return net

    straight = run({})
    attempts, net = until_done(lambda _: run({"checkpoint": path, "checkpoint_every": 1, "resume": True}))
    assert attempts > 3
    np.testing.assert_array_equal(net.theta, straight.theta)
    same_history(net.history, straight.history)
    assert net.optimizer.__reduce__()[2]["param_groups"] == straight.optimizer.__reduce__()[2]["param_groups"]


def test_a_function_that_a_callback_sets_cannot_be_kept(path):
    def callback(info):
        info.net.optimizer.lr = lambda step: 0.01

    net = sc.MLP([8, 4, 1], seed=0)
    with pytest.raises(TypeError, match=r"param_groups\[0\]\['lr'\] must be a number or a schedule"):
        net.fit(X, Y, epochs=3, callbacks=callback, checkpoint=path)
    # One that is given is no part of the file: it is given again.
    net.fit(X, Y, optimizer=sc.Adam(lr=lambda step: 0.01), epochs=3, checkpoint=path)


def test_an_error_leaves_the_last_checkpoint(path):
    def fail(info):
        if info.epoch == 3:
            raise RuntimeError("on purpose")

    net = sc.MLP([8, 16, 1])
    with pytest.raises(RuntimeError, match="on purpose"):
        net.fit(X, Y, optimizer="adam", epochs=5, callbacks=fail, checkpoint=path, checkpoint_every=1)
    resumed = sc.MLP([8, 16, 1])
    resumed.fit(X, Y, optimizer="adam", epochs=5, checkpoint=path, resume=True)
    whole = sc.MLP([8, 16, 1])
    whole.fit(X, Y, optimizer="adam", epochs=5)
    np.testing.assert_array_equal(resumed.theta, whole.theta)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
def test_ctrl_c_saves_the_last_finished_step(path):
    rows, targets = np.tile(X, (150, 1)), np.tile(Y, 150)

    def run(**saving):
        net = sc.MLP([8, 128, 128, 1])
        net.fit(rows, targets, optimizer="adam", batch_size=32, epochs=1, **saving)
        return net

    whole = run()
    pid = os.getpid()
    command = [
        sys.executable,
        "-c",
        f"import os, signal, time; time.sleep(0.3); os.kill({pid}, signal.SIGINT)",
    ]

    def again_and_again():
        while True:
            path.unlink(missing_ok=True)
            run(checkpoint=path)

    with subprocess.Popen(command), pytest.raises(KeyboardInterrupt):
        again_and_again()
    if not path.exists():
        pytest.skip("it came between two trainings")
    np.testing.assert_array_equal(run(checkpoint=path, resume=True).theta, whole.theta)


def test_sparse_rows_are_told_from_others(tmp_path):
    sparse = scipy.sparse.csr_array(np.where(np.random.default_rng(0).random((200, 5)) > 0.5, 1.0, 0.0))
    y = sparse.sum(axis=1)
    file = tmp_path / "a.checkpoint"
    whole, first, then = (sc.MLP([5, 8, 1], seed=0) for _ in range(3))
    whole.fit(sparse, y, epochs=4)
    first.fit(sparse, y, epochs=2, checkpoint=file)
    then.fit(sparse, y, epochs=4, checkpoint=file, resume=True)
    assert np.array_equal(then.theta, whole.theta)
    with pytest.raises(ValueError, match="the rows"):
        then.fit(2 * sparse, y, epochs=4, checkpoint=file, resume=True)

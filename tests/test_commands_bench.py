"""The commands of the benchmarks: what they refuse, what they keep, and who takes part."""

import importlib
import json
import sys
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

BENCHES = Path(__file__).parents[1] / "benches"

pytestmark = pytest.mark.skipif(not BENCHES.exists(), reason="reads the benchmarks")


@pytest.fixture
def command(monkeypatch):
    """A function that imports a script or a module of the benchmarks."""
    monkeypatch.syspath_prepend(BENCHES)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(BENCHES) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


class Here:
    """Work that is submitted is done at once, and counted."""

    def __init__(self):
        self.count = 0

    def submit(self, work, *arguments):
        future, self.count = Future(), self.count + 1
        try:
            future.set_result(work(*arguments))
        except ImportError as error:
            future.set_exception(error)
        return future


def test_who_is_not_installed_takes_no_part_in_quality(command, monkeypatch, capsys):
    quality = command("quality")

    def absent(task, seed):
        raise ImportError("No module named 'torch'")

    monkeypatch.setitem(quality.CONTENDERS, "torch", absent)
    monkeypatch.setattr(quality, "REST", 0)
    rows = np.random.default_rng(0).standard_normal((200, 3)).astype(np.float32)
    task = quality.Task("task", (4,), 20, 1e-2, 2, -1e9, rows, rows[:, 0].copy(), rows, rows[:, 0].copy())
    quality.measure(task, {"schuss": Here(), "torch": Here()}, 2)
    told = capsys.readouterr()
    assert told.err == "torch takes no part: No module named 'torch'\n"
    assert [line.split()[0] for line in told.out.splitlines()[3:]] == ["schuss"]


def test_a_stored_fit_counts_for_its_versions_and_its_machine(command, monkeypatch, tmp_path):
    pytest.importorskip("sklearn")
    estimators, file = command("estimators"), tmp_path / "fits.json"
    monkeypatch.setattr(estimators, "ProcessPoolExecutor", lambda *_: Here())

    def counted():
        runs = estimators.Runs(file)
        assert runs.of("schuss", "digits", lambda seed: seed, 7) == 7
        return runs.pools["schuss"].count

    assert [counted(), counted()] == [1, 0]
    monkeypatch.setattr(estimators, "fingerprint", lambda: "another")
    assert [counted(), counted()] == [1, 0]
    monkeypatch.setattr(estimators.machine, "short", lambda found: "another machine")
    assert [counted(), counted()] == [1, 0]
    assert len(json.loads(file.read_text())) == 3


def test_the_fingerprint_is_that_of_the_code(command, tmp_path):
    fingerprint = command("schuss_bench.build").fingerprint
    (tmp_path / "_core.abi3.so").write_bytes(b"machine code")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.py").write_text("a = 1")
    first = fingerprint(tmp_path)
    (tmp_path / "deep" / "a.pyi").write_text("a: int")
    assert fingerprint(tmp_path) == first
    (tmp_path / "deep" / "a.py").write_text("a = 2")
    assert fingerprint(tmp_path) != first
    assert fingerprint() == fingerprint()


def started(command, monkeypatch, name, *arguments):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    command(name).main()


@pytest.mark.parametrize("name", ["bench", "scale", "compare", "processes", "quality", "blocks"])
def test_no_turn_is_refused(command, monkeypatch, capsys, name):
    pytest.importorskip("matplotlib")
    other = ["other"] if name == "compare" else []
    for rounds in ("0", "-1", "few"):
        with pytest.raises(SystemExit, match="2"):
            started(command, monkeypatch, name, *other, f"--rounds={rounds}")
        assert f"--rounds: there must be at least one, not {rounds}" in capsys.readouterr().err


def test_another_build_must_be_built_and_rows_must_be_known(command, monkeypatch, tmp_path, capsys):
    package = tmp_path / "python" / "schuss"
    package.mkdir(parents=True)
    (package / "_schuss.pyi").touch()
    for more, why in (
        (None, "no built extension"),
        ("_schuss.abi3.so", "no case is called tarin; known are"),
    ):
        if more:
            (package / more).touch()
        with pytest.raises(SystemExit, match="2"):
            started(command, monkeypatch, "compare", tmp_path, "tarin")
        assert why in capsys.readouterr().err


def instead_of_measuring(command, monkeypatch, after, how):
    """Rows of made-up times, until after some of them something comes in between."""
    measure, done = command("schuss_bench.measure"), []

    def row(case, *_):
        if len(done) == after:
            raise how
        done.append(case.name)
        return measure.Result(case, {name: [1e-3] for name in case.contenders})

    monkeypatch.setattr(measure, "_measure", row)
    monkeypatch.setattr(
        measure.subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError("cargo"))
    )
    return done


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("estimators", "--seeds=1", "--seeds: there must be at least two, not 1"),
        ("precisions", "--seeds=1", "--seeds: there must be at least two, not 1"),
        ("precisions", "--epochs=0", "--epochs: there must be at least one, not 0"),
        ("precisions", "houses", "no task is called houses; known are fashion, housing"),
        ("blocks", "--gb=-1", "--gb: it must be a finite number above 0, not -1"),
        ("blocks", "--gb=nan", "--gb: it must be a finite number above 0, not nan"),
        ("blocks", "--memory-gb=much", "--memory-gb: it must be a finite number above 0, not much"),
        ("blocks", "--processes=0", "--processes: there must be at least one, not 0"),
        ("blocks", "--threads=0", "--threads: there must be at least one, not 0"),
        ("blocks", "--batch-size=0", "--batch-size: there must be at least one, not 0"),
        ("blocks", "--window=0", "--window: there must be at least one, not 0"),
        ("blocks", "--widths=0", "--widths: there must be at least one, not 0"),
        ("blocks", "--folder=nowhere", "--folder: there is no folder nowhere"),
        ("tabular_memory", "--rows=0", "--rows: there must be at least one, not 0"),
        ("tabular_memory", "--columns=1", "--columns: there must be at least two, not 1"),
        ("tabular_memory", "--categories=-1", "--categories: there must be none or more, not -1"),
        ("tabular_memory", "--categories=51", "--categories: 51 of 50 columns are too many"),
        ("tabular_memory", "--seconds=-1", "--seconds: it must be a finite number of at least 0, not -1"),
        ("tabular", "--seeds=0", "--seeds: there must be at least one, not 0"),
        ("tabular", "--threads=0", "--threads: there must be at least one, not 0"),
    ],
)
def test_numbers_that_nothing_can_be_done_with_are_refused(
    command, monkeypatch, tmp_path, capsys, name, arguments, why
):
    for needed in ("matplotlib", "pandas", "sklearn"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        started(command, monkeypatch, name, arguments)
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("name", ["bench", "scale"])
@pytest.mark.parametrize("how", [KeyboardInterrupt(), MemoryError()])
def test_rows_are_kept_whatever_comes_after_them(command, monkeypatch, tmp_path, capsys, name, how):
    pytest.importorskip("matplotlib")
    done = instead_of_measuring(command, monkeypatch, 2, how)
    file, picture = tmp_path / "a" / "b" / "run.json", tmp_path / "c" / "d" / "run.png"
    arguments = name, "--json", file, "--chart", picture
    with pytest.raises((SystemExit, MemoryError)) as ended:
        started(command, monkeypatch, *arguments)
    run = json.loads(file.read_text())
    assert [row["name"] for row in run["rows"]] == done == ["sgd1", "tiny"]
    assert run["failures"] == {"the machine's peak": "cargo"}
    if isinstance(how, KeyboardInterrupt):
        assert ended.value.code == 130
        assert picture.exists()
        told = capsys.readouterr()
        assert "interrupted: 2 of" in told.err
        assert "32 network, 8 inputs" in told.out or "8-32-1" in told.out


@pytest.mark.parametrize("name", ["bench", "scale"])
def test_what_is_stored_stays_where_nothing_was_measured(command, monkeypatch, tmp_path, name):
    pytest.importorskip("matplotlib")
    instead_of_measuring(command, monkeypatch, 0, KeyboardInterrupt())
    file = tmp_path / "run.json"
    file.write_text("an earlier run")
    with pytest.raises(SystemExit, match="130"):
        started(command, monkeypatch, name, "--json", file)
    assert file.read_text() == "an earlier run"


@pytest.mark.parametrize("name", ["bench", "scale"])
def test_a_picture_of_nothing_is_an_error(command, monkeypatch, tmp_path, capsys, name):
    pytest.importorskip("matplotlib")
    file, picture = tmp_path / "run.json", tmp_path / "run.png"
    file.write_text('{"rows": []}')
    with pytest.raises(SystemExit, match="2"):
        started(command, monkeypatch, name, "--redraw", file, "--chart", picture)
    assert f"{file} has no " in capsys.readouterr().err
    assert not picture.exists()


@pytest.mark.parametrize("name", ["bench", "scale", "processes"])
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rows": 3, "parts": []}', "[3]"])
def test_a_file_without_a_run_is_an_error(command, monkeypatch, tmp_path, capsys, name, content):
    pytest.importorskip("matplotlib")
    file = tmp_path / "run.json"
    file.write_text(content)
    redraw = ("--redraw", "--json", file) if name == "processes" else ("--redraw", file)
    with pytest.raises(SystemExit, match="2"):
        started(command, monkeypatch, name, *redraw)
    assert f"{file} has no stored run" in capsys.readouterr().err


def test_a_run_of_another_command_is_an_error(command, monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    file, picture = tmp_path / "run.json", tmp_path / "run.png"
    file.write_text('{"rows": [{"section": "train", "microseconds": {"schuss": 1.0}}]}')
    with pytest.raises(SystemExit, match="2"):
        started(command, monkeypatch, "scale", "--redraw", file, "--chart", picture)
    assert f"{file} has no network" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "3"])
def test_a_file_without_fits_is_an_error(command, monkeypatch, tmp_path, capsys, content):
    pytest.importorskip("sklearn")
    file = tmp_path / "fits.json"
    file.write_text(content)
    with pytest.raises(SystemExit, match="2"):
        started(command, monkeypatch, "estimators", "digits", "--json", file)
    assert f"{file} has no stored fits" in capsys.readouterr().err
    assert file.read_text() == content


def test_fits_that_are_stored_outlive_an_interrupt(command, cut_off_writes, monkeypatch, tmp_path):
    pytest.importorskip("sklearn")
    estimators, file = command("estimators"), tmp_path / "fits.json"
    monkeypatch.setattr(estimators, "ProcessPoolExecutor", lambda *_: Here())
    estimators.Runs(file).of("schuss", "digits", lambda seed: seed, 7)
    whole = file.read_text()

    cut_off_writes()
    with pytest.raises(KeyboardInterrupt):
        estimators.Runs(file).of("schuss", "cancer", lambda seed: seed, 7)
    assert file.read_text() == whole


def test_a_limit_of_the_blas_is_none_of_schuss(command, monkeypatch):
    pytest.importorskip("sklearn")
    from threadpoolctl import threadpool_info, threadpool_limits

    estimators, seen = command("estimators"), []

    class Model:
        def fit(self, X, y):
            seen.append({each["user_api"]: each["num_threads"] for each in threadpool_info()})

        def score(self, X, y):
            return 1.0

    monkeypatch.setattr(estimators, "model_of", lambda *_: Model())
    monkeypatch.setattr(estimators, "REST", 0)
    task = estimators.TASKS["digits"]()
    with threadpool_limits(3, user_api="openmp"):
        estimators.one("schuss", task, (4,), 0, 1)
    assert seen[0]["openmp"] == 3
    assert seen[0].get("blas", 1) == 1


def test_the_numbers_of_a_full_run_are_kept_beside_its_picture(command, monkeypatch, tmp_path):
    pytest.importorskip("matplotlib")
    bench = command("bench")
    monkeypatch.setattr(bench, "PICTURE", tmp_path / "docs" / "bench.png")
    monkeypatch.setattr(bench, "STORED", tmp_path / "docs" / "_data" / "bench.json")
    instead_of_measuring(command, monkeypatch, None, None)
    started(command, monkeypatch, "bench", "--json", tmp_path / "run.json")
    assert bench.PICTURE.exists()
    assert bench.STORED.read_text() == (tmp_path / "run.json").read_text()
    bench.STORED.unlink()
    for less in ("train", "--quick", "--rounds=2"):
        started(command, monkeypatch, "bench", "--json", tmp_path / "run.json", less)
        assert not bench.STORED.exists()

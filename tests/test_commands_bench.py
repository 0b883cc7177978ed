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

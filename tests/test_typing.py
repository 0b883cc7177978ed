"""The script that type checkers read is one that runs."""

import importlib.util
import re
from pathlib import Path

import pytest

import schuss as sc
from schuss import typing

SCRIPT = Path(__file__).parent / "typing" / "user_script.py"


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("user_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "part",
    [
        "optimizers",
        "optimizers_kept",
        "schedules",
        "minimise",
        "network",
        "network_used",
        "blocks",
        "estimators",
        "estimators_for_tables",
    ],
)
def test_what_the_checkers_accept_runs(script, part, capsys):
    getattr(script, part)()


@pytest.mark.filterwarnings("ignore")
def test_what_needs_other_packages_runs_where_they_are(script, tmp_path):
    pytest.importorskip("matplotlib").use("agg")
    for package in ("PIL", "pandas", "onnx", "safetensors"):
        pytest.importorskip(package)
    script.pictures(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"race.gif", "net.safetensors"}


def test_what_needs_dask_runs_where_it_is(script, capsys):
    pytest.importorskip("distributed")
    script.on_a_cluster()
    assert "n_shards=4" in capsys.readouterr().out


def test_every_public_name_is_in_the_script():
    words = set(re.findall(r"\w+", SCRIPT.read_text()))
    for module in (sc, sc.schedules, sc.embeddings, sc.blocks, sc.plots, sc.exchange, typing):
        assert set(module.__all__) - {"__version__"} - words == set(), module


@pytest.mark.parametrize(
    "kind", [sc.Optimizer, sc.MLP, sc.History, sc.LayerOutputs, sc.TrainingInfo, sc.schedules.Schedule]
)
def test_every_method_is_in_the_script(kind):
    ours = [each for each in kind.__mro__ if each.__module__.startswith("schuss")]
    names = {name for each in ours for name in vars(each) if not name.startswith("_")}
    refused = {name for name in names if getattr(kind, name) is getattr(kind, "_refuse", None)}
    assert names - refused - set(re.findall(r"\.(\w+)", SCRIPT.read_text())) == set()

"""The script that type checkers read is one that runs."""

import ast
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

import schuss as sc
from schuss import _schuss, typing

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


def defaults_of_stub(function):
    """The arguments of a function in a stub that have a default written out."""
    names = [each.arg for each in function.args.posonlyargs + function.args.args]
    pairs = list(zip(reversed(names), reversed(function.args.defaults), strict=False))
    pairs += zip((each.arg for each in function.args.kwonlyargs), function.args.kw_defaults, strict=True)
    found = {name: default.value for name, default in pairs if isinstance(default, ast.Constant)}
    return {name: value for name, value in found.items() if value is not ...}


def test_the_stub_of_the_core_has_its_defaults():
    # Stubtest looks at no `__new__` of a compiled class.
    stub = ast.parse((Path(sc.__file__).parent / "_schuss.pyi").read_text(encoding="utf-8"))
    checked = 0
    for kind in (node for node in stub.body if isinstance(node, ast.ClassDef)):
        for function in (node for node in kind.body if isinstance(node, ast.FunctionDef)):
            of_class = getattr(_schuss, kind.name)
            made = of_class if function.name == "__new__" else getattr(of_class, function.name)
            for name, value in defaults_of_stub(function).items():
                default = inspect.signature(made).parameters[name].default
                assert (default, type(default)) == (value, type(value)), (kind.name, function.name, name)
                checked += 1
    assert checked > 10

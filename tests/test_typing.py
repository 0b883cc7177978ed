"""The script that type checkers read is one that runs."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "typing" / "user_script.py"


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("sklearn")
    spec = importlib.util.spec_from_file_location("user_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("part", ["optimizers", "schedules", "minimise", "network", "estimators"])
def test_what_the_checkers_accept_runs(script, part, capsys):
    getattr(script, part)()


def test_every_public_name_is_in_the_script():
    import schuss

    text = SCRIPT.read_text()
    classes = {name for name in schuss.__all__ if isinstance(getattr(schuss, name), type)}
    assert {name for name in classes if f"sc.{name}" not in text and f"{name}(" not in text} == set()

"""What every test has."""

import importlib
import os
import signal
import sys
from pathlib import Path

import pytest

# In CI, which installs all that the extra `test` names, what is missing is an error and not a test less.
if os.environ.get("ALL_INSTALLED"):
    skips = pytest.importorskip

    def importorskip(module, *arguments, **options):
        importlib.import_module(module.partition(".")[0])
        return skips(module, *arguments, **options)

    pytest.importorskip = importorskip


def pytest_configure():
    """Listen to Ctrl-C, which tests send: a shell has told what it starts in the background not to."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    """Of more than twenty pyplot warns, which is an error."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture
def cut_off_writes(monkeypatch):
    """Called, it has Ctrl-C come amid the next text that is written to a path."""

    def cut_off(path, text, **_):
        with path.open("w") as half:
            half.write(text[:5])
        raise KeyboardInterrupt

    return lambda: monkeypatch.setattr(Path, "write_text", cut_off)

"""What every test has."""

import sys

import pytest


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    """Of more than twenty pyplot warns, which is an error."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")

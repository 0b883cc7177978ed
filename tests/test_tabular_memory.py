"""A fit on a large table takes the table, its numbers once more, and little besides."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

SCRIPT = Path(__file__).parents[1] / "benches" / "tabular_memory.py"

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's /proc"),
    pytest.mark.skipif(not SCRIPT.exists(), reason="runs a benchmark"),
]


@pytest.mark.parametrize(
    ("kind", "form", "categories", "most"),
    [
        ("classifier", "array", 0, 2.5),
        ("regressor", "frame", 0, 2.5),
        # Means of the target are columns of their own, of both kinds.
        ("classifier", "frame", 10, 2.9),
    ],
)
def test_the_peak_memory_of_a_fit(kind, form, categories, most):
    table = ["--rows", "400000", "--categories", str(categories), "--seconds", "1"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *table, "--kinds", kind, "--forms", form],
        capture_output=True,
        text=True,
        check=True,
    )
    times = float(re.search(r"([\d.]+) times the table of 80 MB", done.stdout)[1])
    assert 1.9 < times < most

"""The examples run as users run them, and reach what they promise."""

import gzip
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import schuss

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(script, *arguments):
    command = [sys.executable, EXAMPLES / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_california_housing_beats_its_references(tmp_path):
    pytest.importorskip("sklearn")
    printed = run("california_housing.py", tmp_path)
    error = {
        name.strip(): float(dollars.replace(",", ""))
        for name, dollars in re.findall(r"^(\S.*?) +\$([\d,]+) ", printed, re.MULTILINE)
    }
    # On this split scikit-learn's MLP with its defaults gets 54,211 from plainly scaled columns.
    assert error["schuss.MLP"] < 48_000 < error["linear regression"] < error["the mean training price"]
    assert (tmp_path / "california_housing.png").read_bytes().startswith(b"\x89PNG")


def write_idx(path, values):
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(gzip.compress(bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()))


def test_fashion_mnist_reads_its_files_and_learns(tmp_path):
    rng = np.random.default_rng(0)
    for part, rows in (("train", 3000), ("t10k", 500)):
        labels = rng.integers(0, 10, rows).astype(np.uint8)
        images = rng.integers(0, 100, (rows, 28, 28)).astype(np.uint8)
        images[np.arange(rows), labels] += 100  # class k has a bright row k
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", labels)
    printed = run("fashion_mnist.py", tmp_path)
    assert float(re.search(r"test accuracy ([\d.]+)", printed)[1]) > 0.95


def test_fashion_mnist_says_which_file_is_missing(tmp_path):
    command = [sys.executable, EXAMPLES / "fashion_mnist.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{tmp_path}/train-images-idx3-ubyte.gz is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_optimizer_has_its_path(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run("optimizer_paths.py", tmp_path)
    names = {
        name.split(",")[0] for name in re.findall(r"^(?:Rosenbrock|a ravine) +(\S+)", printed, re.MULTILINE)
    }
    assert names == {table["name"] for table in schuss.optimizers.rules()}
    losses = re.findall(r"^(Rosenbrock|a ravine) .* loss (\S+)$", printed, re.MULTILINE)
    # The starts have 24 and 37.
    assert all(float(loss) < (5 if surface == "Rosenbrock" else 1) for surface, loss in losses)
    assert 20_000 < (tmp_path / "optimizer_paths.png").stat().st_size < 200_000


def test_four_optimizers_find_the_same_line(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run("quantile_lines.py", tmp_path)
    ends = re.findall(r"^(\S+) +start (\S+), slope (\S+), loss (\S+)$", printed, re.MULTILINE)
    assert [name for name, *_ in ends] == ["SGD", "momentum", "RMSprop", "Adam"]
    losses = [float(loss) for *_, loss in ends]
    # The line at the start has 1.96, one of no slope through the median 0.44, the best one 0.3044.
    assert max(losses) < 0.38
    assert min(losses) < 0.306
    assert 20_000 < (tmp_path / "quantile_lines.png").stat().st_size < 200_000


def test_the_lecture_prints_its_numbers_and_draws(tmp_path):
    pytest.importorskip("matplotlib")
    printed = run("lecture.py", tmp_path)
    assert "slope 1.034400, intercept  0.038000" in printed
    assert "slope 2.0789" in printed
    truth = [60_000, 70_000, 600_000, 450_000]
    for regime in ("whole", "row by row", "by twos"):
        prices = re.search(rf"{regime} .*epochs: (.*)", printed)[1]
        predicted = [float(price.replace(",", "")) for price in re.split(r",\s+", prices)]
        np.testing.assert_allclose(predicted, truth, atol=1000)
    pictures = sorted(path.name for path in tmp_path.iterdir())
    assert pictures == ["lecture_learning_rates.png", "lecture_optimizers.png"]


def test_every_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    run("plots.py", tmp_path)
    drawn = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    source = (EXAMPLES / "plots.py").read_text()
    for name in schuss.plots.__all__:
        assert f"plots.{name}(" in source or name == "loss_surface", name
    assert "plots_animate.gif" in drawn
    assert len(drawn) >= 14
    assert all(8_000 < size < 500_000 for size in drawn.values()), drawn

"""A fit needs what the documentation says: data, parameters, gradient, optimizer state, one batch."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's /proc")

# The process's own figures, before the data is made and at their highest.
SCRIPT = """
import numpy as np
import schuss as sc

def kilobytes(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))

layers, rows, batch_size, optimizer, dtype = {arguments!r}
small = np.zeros((8, 2), dtype)
sc.MLP([2, 3, 1], dtype=dtype).fit(small, small[:, 0], epochs=1, n_threads=2)  # threads, lazy imports

before = kilobytes("VmRSS")
X = np.random.default_rng(0).standard_normal((rows, layers[0]), np.float32).astype(dtype, copy=False)
y = np.zeros((rows, layers[-1]), dtype)
net = sc.MLP(layers, dtype=dtype)
# From here on, the highest is the fit's: making initial weights takes memory of its own for a moment.
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
net.fit(X, y, optimizer=optimizer, batch_size=batch_size, epochs=1, n_threads=2)
print(1024 * (kilobytes("VmHWM") - before))
"""

CASES = {
    # layers, rows, batch, optimizer, its slots, dtype: what most of the memory is
    "data": ([500, 64, 1], 100_000, 100, "adam", 2, "float32"),
    "parameters": ([500, 5000, 2000, 1], 300, 100, "adam", 2, "float32"),
    "parameters, one slot": ([500, 5000, 2000, 1], 300, 100, "adagrad", 1, "float32"),
    "parameters, float64": ([500, 5000, 1000, 1], 300, 100, "adam", 2, "float64"),
    "activations": ([20, 2040, 2040, 1], 4000, 4000, "adam", 2, "float32"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_peak_memory_of_a_fit_is_what_it_has_to_hold(case):
    layers, rows, batch, optimizer, slots, dtype = CASES[case]
    script = SCRIPT.format(arguments=(layers, rows, batch, optimizer, dtype))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    params = sum((a + 1) * b for a, b in itertools.pairwise(layers))
    data = rows * (layers[0] + layers[-1])
    # Each layer's values, and the gradients of the hidden ones.
    activations = batch * (sum(layers) + sum(layers[1:-1]) + layers[-1])
    size = 4 if dtype == "float32" else 8
    expected = size * (data + params * (1 + 1 + slots) + activations)
    assert expected > 100e6  # else the interpreter's own memory would blur the figure
    assert int(done.stdout) == pytest.approx(expected, rel=0.1)

"""Fits that share the machine, with other work or with each other: all finish, with the same bits as alone.

The limits are there to end a hang, two orders of magnitude above what the work takes.
"""

import contextlib
import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest

import schuss as sc

LIMIT = 300  # seconds
BURN = "while True: pass"


def fitted(seed, n_threads):
    """The parameters of a network after a fit of some hundred steps with two or more meetings each."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((4000, 20), np.float32)
    net = sc.MLP([20, 64, 64, 1], seed=seed)
    net.fit(X, X[:, 0] * X[:, 1], batch_size=64, epochs=5, n_threads=n_threads)
    return net.theta


@contextlib.contextmanager
def every_core_busy():
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
        assert all(burner.poll() is None for burner in burners)  # they did burn until here
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def fitted_in_two_threads(n_threads):
    with ThreadPoolExecutor(2) as pool:
        return [*pool.map(fitted, range(2), [n_threads] * 2)]


def in_a_process(call):
    """The array that a call of a function of this module returns, in a process, where a hang can be ended."""
    # By way of memory: NumPy cannot save an array to a pipe.
    script = (
        "import io, sys, test_busy_machine as t, numpy as np; file = io.BytesIO(); "
        f"np.save(file, t.{call}); sys.stdout.buffer.write(file.getvalue())"
    )
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=here, stdout=subprocess.PIPE, timeout=LIMIT, check=True
    )
    return np.load(io.BytesIO(done.stdout))


def test_a_fit_finishes_while_others_burn_every_core():
    with every_core_busy():
        theta = in_a_process("fitted(0, 4)")
    np.testing.assert_array_equal(theta, fitted(0, 1))


@pytest.mark.parametrize("n_threads", [None, 2, 5])
def test_fits_in_two_python_threads_finish_with_the_bits_of_one_after_the_other(n_threads):
    together = in_a_process(f"fitted_in_two_threads({n_threads})")
    np.testing.assert_array_equal(together, [fitted(seed, 1) for seed in range(2)])


def test_eight_fits_in_worker_processes_finish_with_the_bits_of_one_after_the_other():
    # This process has a team of its own by now, as in a notebook.
    alone = [fitted(seed, 2) for seed in range(8)]
    together = joblib.Parallel(n_jobs=8, backend="loky", timeout=LIMIT)(
        joblib.delayed(fitted)(seed, 2) for seed in range(8)
    )
    for theta, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(theta, expected)

"""Many threads, forked children, worker processes and many calls: in short what tests/soak does for long."""

import gc
import os
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import torture

pytest.importorskip("sklearn")


def test_eight_threads_at_once_on_own_and_on_shared_objects():
    torture.in_a_process("on_own_and_shared_objects(25)")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_that_are_forked_while_threads_step_do_everything():
    torture.in_a_process("children(10)")


@pytest.mark.parametrize("method", ["spawn", "loky"])
def test_worker_processes_do_what_this_one_does(method):
    expected = torture.fitted(5, n_threads=2).theta
    if method == "spawn":
        with get_context("spawn").Pool(2) as pool:
            thetas = [net.theta for net in pool.map_async(torture.fitted, [5] * 4).get(300)]
    else:
        joblib = pytest.importorskip("joblib")
        jobs = joblib.Parallel(n_jobs=2, backend="loky", timeout=300)
        thetas = [net.theta for net in jobs(joblib.delayed(torture.fitted)(5) for _ in range(4))]
    for theta in thetas:
        np.testing.assert_array_equal(theta, expected)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")
def test_many_fits_and_steps_leave_nothing_behind():
    def some():
        for number in range(60):
            torture.fitted(number, epochs=1, n_threads=1 + number % 4)
        torture.stepped(2000, 50)
        gc.collect()

    some()
    before = torture.resources()
    some()
    torture.assert_flat(before, torture.resources())

"""Threads, forks, worker processes and exits, as long as there is time."""

import os
import sys
from multiprocessing import get_context
from pathlib import Path

import joblib
import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1]))

import torture
from test_exit import exit_amid_work


def test_eight_threads_do_a_thousand_calls_each(soak):
    seed = 0
    while soak.goes_on():
        counts = eval(torture.in_a_process(f"on_own_and_shared_objects(1000, seed={seed})", 3600))
        seed += 1
        for name, number in counts.items():
            soak.count(name, number)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_two_hundred_children_are_forked_while_threads_step(soak):
    while soak.goes_on():
        torture.in_a_process("children(200)", 3600)
        soak.count("children", 200)


@pytest.mark.parametrize("method", ["spawn", "loky"])
def test_worker_processes(soak, method):
    expected = torture.fitted(5).theta
    while soak.goes_on():
        if method == "spawn":
            with get_context("spawn").Pool(4) as pool:
                nets = pool.map_async(torture.fitted, [5] * 40).get(600)
        else:
            nets = joblib.Parallel(n_jobs=4, backend="loky", timeout=600)(
                joblib.delayed(torture.fitted)(5) for _ in range(40)
            )
        for net in nets:
            np.testing.assert_array_equal(net.theta, expected)
        soak.count("fits", len(nets))


def test_exits_amid_the_work_of_daemon_threads(soak):
    seed = 1000
    while soak.goes_on():
        exit_amid_work(seed)
        seed += 1
        soak.count("exits")

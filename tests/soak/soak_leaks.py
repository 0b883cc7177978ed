"""10,000 fits and 1,000,000 steps: memory, threads and open files stay as they are."""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest

import schuss as sc

sys.path.append(str(Path(__file__).parents[1]))

import torture

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")


def flat(soak, what, work, times, warm_up):
    """Does the work so often, and looks at what the process has every now and then."""
    for number in range(warm_up):
        work(number)
    gc.collect()
    before = torture.resources()
    for number in range(times):
        work(number)
        soak.count(what)
        if number % (times // 10) == 0:
            gc.collect()
            torture.assert_flat(before, torture.resources())
    gc.collect()
    torture.assert_flat(before, torture.resources())


def test_ten_thousand_fits(soak):
    X, y = torture.X[:100], torture.y[:100]
    kinds = [
        {},
        {"n_threads": 3},
        {"validation_data": (X, y)},
        {"callbacks": lambda info: None},
        {"optimizer": "lbfgs"},
        {"optimizer": sc.SGD(lr=lambda step: 0.01)},
    ]

    def fit(number):
        options = {"batch_size": "auto" if number % 6 == 4 else 20, "epochs": 1, **kinds[number % 6]}
        sc.MLP([12, 8, 1], seed=number).fit(X, y, **options)

    flat(soak, "fits", fit, 10_000, 1000)


def test_a_million_steps(soak):
    params = [np.ones((4, 5)), np.ones(5)]
    optimizers = [sc.Adam(params), sc.SGD(params, clip_norm=1.0), sc.Adam(params, lr=lambda step: 1e-3)]
    large = sc.Adam([np.ones(70_000, np.float32)])
    gradient = [np.ones(70_000, np.float32)]

    def steps(number):
        for _ in range(100):
            optimizers[number % 3].step(params)
        large.step(gradient)
        soak.count("steps", 101)

    flat(soak, "rounds", steps, 10_000, 500)


def test_gradients_and_predictions(soak):
    net = torture.fitted()

    def call(number):
        rows = torture.X[: 1 + number % 700]
        net.predict(rows)
        net.loss_and_grads(rows, torture.y[: len(rows)], n_threads=1 + number % 5)

    flat(soak, "calls", call, 50_000, 2000)

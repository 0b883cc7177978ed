"""Trainings whose parameters must stay the same bits: this records them, `test_bits.py` compares.

    SCHUSS_SIMD=avx2 python tests/bits.py > tests/golden/bits.json

The level is fixed: AVX-512 begins quotients with an estimate, in which makes of processor may differ; AVX2
has none.
"""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
import scipy.sparse

import schuss as sc


def _rows(inputs, outputs, rows, dtype="float32", classes=False):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((rows, inputs)).astype(dtype)
    if classes:
        return X, rng.integers(0, outputs, rows)
    return X, (np.tanh(X[:, :1]) + 0.1 * rng.standard_normal((rows, outputs))).astype(dtype)


def _fitted(layers, rows, optimizer, fit=None, sparse=False, **options):
    classes = options.get("loss") == "cross_entropy"
    X, y = _rows(layers[0], layers[-1], rows, options.get("dtype", "float32"), classes)
    if sparse:
        X = scipy.sparse.csr_array(np.where(np.abs(X) > 1.0, X, 0))
    nets = []
    for threads in (1, 3):
        net = sc.MLP(layers, seed=3, **options)
        net.fit(
            X, y, optimizer=optimizer, **{"epochs": 3, "batch_size": 32, "n_threads": threads, **(fit or {})}
        )
        nets.append(net)
    assert nets[0].theta.tobytes() == nets[1].theta.tobytes(), "the number of threads"
    return nets[0].theta


def _weighted():
    weights = np.random.default_rng(2).uniform(0, 2, 200)
    return _fitted([9, 20, 7, 3], 200, sc.Adam(), {"sample_weight": weights}, loss="cross_entropy")


def _estimator():
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils._testing import ignore_warnings

    X, y = _rows(12, 4, 300, "float64", True)
    model = sc.MLPClassifier((16, 8), max_iter=5, random_state=0, early_stopping=True, n_threads=2)
    ignore_warnings(model.fit, category=ConvergenceWarning)(X, y)
    return np.concatenate(
        [part.ravel() for pair in zip(model.coefs_, model.intercepts_, strict=True) for part in pair]
    )


def _rosenbrock(optimizer, steps):
    def fun(x):
        a, b = x
        slope = [-2 * (1 - a) - 400 * a * (b - a * a), 200 * (b - a * a)]
        return (1 - a) ** 2 + 100 * (b - a * a) ** 2, np.array(slope)

    return sc.minimize(fun, [-1.2, 1.0], jac=True, optimizer=optimizer, max_steps=steps).path


CASES = {
    "tiny": lambda: _fitted([8, 32, 32, 1], 300, sc.Adam(lr=0.01)),
    "tab": lambda: _fitted(
        [54, 256, 256, 7], 600, sc.Adam(), {"batch_size": 256, "epochs": 2}, loss="cross_entropy"
    ),
    "wide": lambda: _fitted(
        [784, 1024, 1024, 10], 300, sc.Adam(), {"batch_size": 256, "epochs": 1}, loss="cross_entropy"
    ),
    "sparse": lambda: _fitted([50, 30, 4], 200, sc.Adam(), sparse=True, loss="cross_entropy"),
    "dropout": lambda: _fitted(
        [10, 30, 20, 1], 200, sc.Adam(), dropout=[0.2, 0.5], activation=["relu", "silu"]
    ),
    "l2": lambda: _fitted([10, 30, 20, 2], 200, sc.SGD(lr=0.05, momentum=0.9), l2=0.01, activation="tanh"),
    "weights": _weighted,
    "lamb": lambda: _fitted([10, 30, 20, 2], 200, sc.LAMB(lr=0.01), activation="gelu"),
    "lbfgs": lambda: _fitted(
        [6, 15, 1], 200, sc.LBFGS(), {"epochs": 20, "batch_size": None}, dtype="float64", activation="tanh"
    ),
    "float64": lambda: _fitted(
        [7, 33, 17, 2], 150, sc.RMSprop(clip_norm=0.5), dtype="float64", activation="elu"
    ),
    "long_batch": lambda: _fitted(
        [3, 8, 1], 9000, sc.SGD(lr=0.1), {"batch_size": None}, activation="sigmoid"
    ),
    "accumulate": lambda: _fitted([5, 9, 1], 120, sc.AdamW(accumulate=2, ema=0.9), activation="mish"),
    "estimator": _estimator,
    "minimize": lambda: _rosenbrock(sc.Adam(lr=0.05), 100),
    "minimize_lbfgs": lambda: _rosenbrock(sc.LBFGS(), 40),
}


def digest(name: str) -> str:
    return hashlib.sha256(np.ascontiguousarray(CASES[name]()).tobytes()).hexdigest()


if __name__ == "__main__":
    json.dump({name: digest(name) for name in sys.argv[1:] or CASES}, sys.stdout, indent=1)
    print()

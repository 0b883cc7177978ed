"""Made-up data of a case, the same for every contender."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cases import Case


def rows(case: Case, dtype: str = "float32") -> tuple[NDArray, NDArray]:
    """The rows of an epoch: inputs, and classes or values."""
    rng = np.random.default_rng(0)
    count = case.batch * case.steps
    X = rng.standard_normal((count, case.layers[0]), np.float32).astype(dtype, copy=False)
    if case.classes:
        return X, rng.integers(0, case.layers[-1], count)
    return X, rng.standard_normal(count, np.float32).astype(dtype, copy=False)


def inputs(case: Case) -> NDArray:
    """The rows of one prediction."""
    return np.random.default_rng(0).standard_normal((case.batch, case.layers[0]), np.float32)


def batches(case: Case) -> list[tuple[NDArray, NDArray]]:
    """Some batches, cut beforehand."""
    X, y = rows(case)
    cuts = [slice(i * case.batch, (i + 1) * case.batch) for i in range(case.steps_per_run)]
    return [(X[cut], y[cut]) for cut in cuts]


def weights(case: Case) -> list[tuple[NDArray, NDArray]]:
    """Weights and biases of a network, (inputs, outputs) and (outputs,)."""
    rng = np.random.default_rng(1)
    return [
        (rng.standard_normal((a, b), np.float32) * np.float32((2 / a) ** 0.5), np.zeros(b, np.float32))
        for a, b in zip(case.layers, case.layers[1:], strict=False)
    ]


def tensors(case: Case) -> tuple[list[NDArray], list[NDArray]]:
    """Parameters and gradients for an optimizer."""
    rng = np.random.default_rng(2)
    count, size = case.tensors
    params = [rng.standard_normal(size, np.float32) for _ in range(count)]
    return params, [rng.standard_normal(size, np.float32) for _ in range(count)]

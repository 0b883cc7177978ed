"""Plain NumPy, with its own BLAS; for predictions the better of one thread and all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import data, openblas
from ..cases import Case
from ..openblas import best
from ..timing import Run, repeat

VERSION = f"numpy {np.__version__}{openblas.kernels()}"


def prepare(case: Case, variant: str) -> Run:
    return (optimize if case.section == "optimizer" else predict)(case)


def optimize(case: Case) -> Run:
    """Written without temporary arrays."""
    params, grads = data.tensors(case)
    return repeat({"adam": adam, "momentum": momentum, "rmsprop": rmsprop}[case.rule](params, grads))


def adam(params, grads, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8) -> Callable[[], None]:
    state = [(np.zeros_like(p), np.zeros_like(p), np.empty_like(p), np.empty_like(p)) for p in params]
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        rate = np.float32(lr / (1 - beta1**count))
        root = np.float32((1 - beta2**count) ** -0.5)
        for p, g, (m, v, a, b) in zip(params, grads, state, strict=True):
            np.multiply(g, 1 - beta1, out=a)
            np.multiply(m, beta1, out=m)
            np.add(m, a, out=m)
            np.multiply(g, g, out=a)
            np.multiply(a, 1 - beta2, out=a)
            np.multiply(v, beta2, out=v)
            np.add(v, a, out=v)
            np.sqrt(v, out=a)
            np.multiply(a, root, out=a)
            np.add(a, eps, out=a)
            np.multiply(m, rate, out=b)
            np.divide(b, a, out=b)
            np.subtract(p, b, out=p)

    return step


def momentum(params, grads, lr=1e-3, beta=0.9) -> Callable[[], None]:
    state = [(np.zeros_like(p), np.empty_like(p)) for p in params]

    def step() -> None:
        for p, g, (m, a) in zip(params, grads, state, strict=True):
            np.multiply(m, beta, out=m)
            np.add(m, g, out=m)
            np.multiply(m, lr, out=a)
            np.subtract(p, a, out=p)

    return step


def rmsprop(params, grads, lr=1e-3, beta=0.99, eps=1e-8) -> Callable[[], None]:
    state = [(np.zeros_like(p), np.empty_like(p), np.empty_like(p)) for p in params]

    def step() -> None:
        for p, g, (v, a, b) in zip(params, grads, state, strict=True):
            np.multiply(g, g, out=a)
            np.multiply(a, 1 - beta, out=a)
            np.multiply(v, beta, out=v)
            np.add(v, a, out=v)
            np.sqrt(v, out=a)
            np.add(a, eps, out=a)
            np.multiply(g, lr, out=b)
            np.divide(b, a, out=b)
            np.subtract(p, b, out=p)

    return step


def predict(case: Case) -> Run:
    X, layers = data.inputs(case), data.weights(case)

    def forward() -> np.ndarray:
        out = X
        for weight, bias in layers[:-1]:
            out = out @ weight
            out += bias
            np.maximum(out, 0, out=out)
        weight, bias = layers[-1]
        out = out @ weight
        out += bias
        if case.classes:
            out -= out.max(axis=1, keepdims=True)
            np.exp(out, out=out)
            out /= out.sum(axis=1, keepdims=True)
        return out

    return best(forward)

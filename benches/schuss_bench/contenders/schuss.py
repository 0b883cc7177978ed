"""schuss."""

from __future__ import annotations

from functools import partial

import numpy as np

import schuss as sc

from .. import data
from ..cases import EPOCHS, Case
from ..timing import Run, repeat

VERSION = f"schuss {sc.__version__}"
# The peers' formula: epsilon beside the root of the corrected second moment.
ADAM = sc.Adam(lr=1e-3, convention="torch")


def prepare(case: Case, variant: str) -> Run:
    if case.section == "scale":
        return train(case, "float32", int(variant) if variant else None)
    if case.section in EPOCHS:
        return train(case, variant or case.dtype)
    return {"optimizer": optimize, "predict": predict, "one_row": predict, "loop": loop}[case.section](case)


def network(case: Case, precision: str = "float32") -> sc.MLP:
    # Parameters stay in float32 where products are in bfloat16.
    settings = {"precision": precision} if precision == "bfloat16" else {"dtype": precision}
    return sc.MLP(case.layers, loss="cross_entropy" if case.classes else "mse", **settings)


def train(case: Case, precision: str, n_threads: int | None = None) -> Run:
    X, y = data.rows(case, "float32" if precision == "bfloat16" else precision)
    net = network(case, precision)
    net.fit(X, y, optimizer=ADAM, batch_size=case.batch, epochs=1, n_threads=n_threads)

    def run(epochs: int) -> float:
        seconds = net.fit(X, y, batch_size=case.batch, epochs=1 + epochs, n_threads=n_threads)["seconds"]
        return seconds[-1] - seconds[0]

    return run


def optimize(case: Case) -> Run:
    params, grads = data.tensors(case)
    recipe = {
        "adam": ADAM,
        "momentum": sc.SGD(lr=1e-3, momentum=0.9, convention="torch"),
        "rmsprop": sc.RMSprop(lr=1e-3, convention="torch"),
    }[case.rule]
    optimizer = recipe.bind(params)
    return repeat(partial(optimizer.step, grads))


def predict(case: Case) -> Run:
    net, X = network(case), data.inputs(case)
    return repeat(lambda: net.predict(X))


def loop(case: Case) -> Run:
    net, batches = network(case), data.batches(case)
    optimizer = sc.Adam(net.params, lr=1e-3, convention="torch")
    out = np.empty_like(net.theta)

    def epoch() -> None:
        for X, y in batches:
            _, grads = net.loss_and_grads(X, y, out=out)
            optimizer.step(grads)

    return repeat(epoch)

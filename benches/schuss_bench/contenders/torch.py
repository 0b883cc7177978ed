"""torch: eager or compiled, fused Adam, tensors made beforehand; the better of one thread and all.

In bfloat16 under its autocast, with parameters in float32.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from .. import data
from ..cases import EPOCHS, Case
from ..machine import one_or_all
from ..timing import Run, fastest, repeat

VERSION = f"torch {torch.__version__.split('+')[0]}"


def prepare(case: Case, variant: str) -> Run:
    if case.section == "optimizer":
        return optimize(case, variant)
    if case.section in ("predict", "one_row"):
        return predict(case)
    run = train if case.section in EPOCHS else loop
    if case.section == "scale":
        return with_threads(run(case, ""), int(variant))
    return best(run(case, variant))


def with_threads(work: Callable[[], object], threads: int) -> Run:
    run = repeat(work)

    def limited(times: int) -> float:
        torch.set_num_threads(threads)
        return run(times)

    return limited


def best(work: Callable[[], object]) -> Run:
    return fastest([with_threads(work, threads) for threads in one_or_all()])


def model_of(case: Case) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in zip(case.layers, case.layers[1:], strict=False):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def tensors_of(case: Case, X, y) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(X), torch.from_numpy(y if case.classes else y[:, None])


def stepper(case: Case, variant: str) -> Callable[[torch.Tensor, torch.Tensor], None]:
    model = model_of(case)
    if variant == "compile":
        model = torch.compile(model)
    loss = nn.CrossEntropyLoss() if case.classes else nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    cast = (
        partial(torch.autocast, "cpu", torch.bfloat16) if case.dtype == "bfloat16" else contextlib.nullcontext
    )

    def step(X: torch.Tensor, y: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        with cast():
            value = loss(model(X), y)
        value.backward()
        optimizer.step()

    return step


def train(case: Case, variant: str) -> Callable[[], None]:
    X, y = tensors_of(case, *data.rows(case))
    step = stepper(case, variant)

    def epoch() -> None:
        order = torch.randperm(len(X))
        # Gathered at once: two calls instead of two for each step.
        for X_batch, y_batch in zip(X[order].split(case.batch), y[order].split(case.batch), strict=True):
            step(X_batch, y_batch)

    return epoch


def loop(case: Case, variant: str) -> Callable[[], None]:
    batches = [tensors_of(case, X, y) for X, y in data.batches(case)]
    step = stepper(case, variant)

    def epoch() -> None:
        for X, y in batches:
            step(X, y)

    return epoch


def optimize(case: Case, variant: str) -> Run:
    params, grads = data.tensors(case)
    params = [nn.Parameter(torch.from_numpy(p)) for p in params]
    for param, grad in zip(params, grads, strict=True):
        param.grad = torch.from_numpy(grad)
    way = {"foreach": variant == "foreach"} | ({"fused": True} if variant == "fused" else {})
    optimizer = {
        "adam": lambda: torch.optim.Adam(params, lr=1e-3, **way),
        "momentum": lambda: torch.optim.SGD(params, lr=1e-3, momentum=0.9, **way),
        "rmsprop": lambda: torch.optim.RMSprop(params, lr=1e-3, **way),
    }[case.rule]()
    return best(optimizer.step)


def predict(case: Case) -> Run:
    model, X = model_of(case).eval(), torch.from_numpy(data.inputs(case))

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            out = model(X)
            return out.softmax(1) if case.classes else out

    return best(forward)

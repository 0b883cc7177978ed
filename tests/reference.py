"""What every rule means: a plain NumPy rewrite in float64, from the formulas and not from the library.

`trajectory` runs a rule with everything that can surround it. A rule is a function of one tensor:
``rule(p, g, state, lr, t, **options) -> new p``, where `state` is a dict of its own for each tensor and t
counts from 1.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def sgd(p, g, state, lr, t, *, momentum, dampening, nesterov, first_step, lr_inside):
    dampening = momentum if dampening is None else dampening
    if momentum == 0:
        return p - lr * (g if first_step == "gradient" and t == 1 else (1 - dampening) * g)
    fresh = (1 - dampening) * g * (lr if lr_inside else 1)
    if t == 1:
        state["v"] = (g * (lr if lr_inside else 1)) if first_step == "gradient" else fresh
    else:
        state["v"] = momentum * state["v"] + fresh
    update = momentum * state["v"] + fresh if nesterov else state["v"]
    return p - update * (1 if lr_inside else lr)


def adagrad(p, g, state, lr, t, *, eps, eps_in_sqrt, initial_accumulator_value, lr_decay):
    state["s"] = state.get("s", initial_accumulator_value) + g**2
    lr = lr / (1 + (t - 1) * lr_decay)
    return p - lr * g / (np.sqrt(state["s"] + eps) if eps_in_sqrt else np.sqrt(state["s"]) + eps)


def rmsprop(
    p, g, state, lr, t, *, beta, eps, eps_in_sqrt, centered, momentum, nesterov, lr_inside, bias_correction
):
    state["v"] = beta * state.get("v", 0) + (1 - beta) * g**2
    state["a"] = beta * state.get("a", 0) + (1 - beta) * g
    correction = 1 - beta**t if bias_correction else 1
    square = state["v"] / correction
    if centered:
        square = np.maximum(square - (state["a"] / correction) ** 2, 0)
    x = g / (np.sqrt(square + eps) if eps_in_sqrt else np.sqrt(square) + eps)
    x = lr * x if lr_inside else x
    if momentum:
        state["b"] = momentum * state.get("b", 0) + x
        x = momentum * state["b"] + x if nesterov else state["b"]
    return p - (x if lr_inside else lr * x)


def adam(
    p,
    g,
    state,
    lr,
    t,
    *,
    betas,
    eps,
    eps_in_sqrt,
    eps_hat,
    eps_root,
    bias_correction,
    amsgrad,
    amsgrad_corrected,
):
    b1, b2 = betas
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["v"] = b2 * state.get("v", 0) + (1 - b2) * g**2
    c1, c2 = (1 - b1**t, 1 - b2**t) if bias_correction else (1, 1)
    inner_c2 = 1 if eps_hat else c2
    square = state["v"] / inner_c2
    if amsgrad and amsgrad_corrected:
        square = state["max"] = np.maximum(state.get("max", 0), square)
    elif amsgrad:
        state["max"] = np.maximum(state.get("max", 0), state["v"])
        square = state["max"] / inner_c2
    root = np.sqrt(square + eps_root + eps) if eps_in_sqrt else np.sqrt(square + eps_root) + eps
    if eps_hat:
        return p - lr * np.sqrt(c2) / c1 * state["m"] / root
    return p - lr * (state["m"] / c1) / root


RULES: dict[str, Callable] = {
    "SGD": sgd,
    "Adagrad": adagrad,
    "RMSprop": rmsprop,
    "Adam": adam,
    "AdamW": adam,
}


def trajectory(
    rule: str,
    start: Sequence[np.ndarray],
    grads: Sequence[Sequence[np.ndarray]],
    lr: Callable[[int], float],
    options: dict[str, Any],
) -> list[list[np.ndarray]]:
    """The parameters after each step.

    Parameters
    ----------
    rule : str
        Class name.
    start : list of arrays
        Parameters before the first step.
    grads : list of lists of arrays
        For each step a gradient for each tensor.
    lr : callable
        Learning rate of the step that comes after that many others.
    options : dict
        Every option of the class.
    """
    own = dict(options)
    decay, weight_decay = own.pop("decay"), own.pop("weight_decay")
    clip_norm, clip_eps = own.pop("clip_norm"), own.pop("clip_eps")
    maximize = own.pop("maximize")
    own.pop("nonfinite")
    params = [np.array(p, np.float64) for p in start]
    states: list[dict[str, Any]] = [{} for _ in params]
    rows = []
    for t, step in enumerate(grads, start=1):
        gs = [np.array(g, np.float64) * (-1 if maximize else 1) for g in step]
        if clip_norm is not None:
            norm = np.sqrt(sum(np.sum(g**2) for g in gs))
            gs = [g * min(1, clip_norm / (norm + clip_eps)) for g in gs]
        rate = lr(t - 1)
        for i, (p, g) in enumerate(zip(params, gs, strict=True)):
            if decay == "coupled":
                g = g + weight_decay * p
            elif decay == "decoupled":
                p = p * (1 - rate * weight_decay)
            else:
                p = p * (1 - weight_decay)
            params[i] = RULES[rule](p, g, states[i], rate, t, **own)
        rows.append([p.copy() for p in params])
    return rows

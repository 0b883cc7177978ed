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
        return p - lr * (g if first_step == "gradient" else (1 - dampening) * g)
    fresh = (1 - dampening) * g * (lr if lr_inside else 1)
    if t == 1:
        state["v"] = (g * (lr if lr_inside else 1)) if first_step == "gradient" else fresh
    else:
        state["v"] = momentum * state.get("v", 0) + fresh
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
    square = state["v"] / c2
    if amsgrad and amsgrad_corrected:
        square = state["max"] = np.maximum(state.get("max", 0), square)
    elif amsgrad:
        state["max"] = np.maximum(state.get("max", 0), state["v"])
        square = state["max"] / c2
    if eps_hat:
        square = square * c2
    root = np.sqrt(square + eps_root + eps) if eps_in_sqrt else np.sqrt(square + eps_root) + eps
    if eps_hat:
        return p - lr * np.sqrt(c2) / c1 * state["m"] / root
    return p - lr * (state["m"] / c1) / root


def adadelta(p, g, state, lr, t, *, rho, eps):
    state["v"] = rho * state.get("v", 0) + (1 - rho) * g**2
    delta = np.sqrt(state.get("u", 0) + eps) / np.sqrt(state["v"] + eps) * g
    state["u"] = rho * state.get("u", 0) + (1 - rho) * delta**2
    return p - lr * delta


def adamax(p, g, state, lr, t, *, betas, eps, eps_in_max):
    b1, b2 = betas
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    size = np.abs(g) + (eps if eps_in_max else 0)
    state["u"] = np.maximum(b2 * state.get("u", 0), size)
    return p - lr / (1 - b1**t) * state["m"] / (state["u"] + (0 if eps_in_max else eps))


def nadam(p, g, state, lr, t, *, betas, eps, momentum_decay):
    b1, b2 = betas

    def momentum(k):
        return b1 if momentum_decay is None else b1 * (1 - 0.5 * 0.96 ** (k * momentum_decay))

    state["product"] = state.get("product", 1.0) * momentum(t)
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["v"] = b2 * state.get("v", 0) + (1 - b2) * g**2
    product, following = state["product"], momentum(t + 1)
    mixed = (1 - momentum(t)) / (1 - product) * g + following / (1 - product * following) * state["m"]
    return p - lr * mixed / (np.sqrt(state["v"] / (1 - b2**t)) + eps)


def radam(p, g, state, lr, t, *, betas, eps, eps_root, eps_hat, threshold):
    b1, b2 = betas
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["v"] = b2 * state.get("v", 0) + (1 - b2) * g**2
    c2 = 1 - b2**t
    mhat = state["m"] / (1 - b1**t)
    limit = 2 / (1 - b2) - 1
    r = limit - 2 * t * b2**t / c2
    if r <= threshold:
        return p - lr * mhat
    trust = np.sqrt((r - 4) * (r - 2) * limit / ((limit - 4) * (limit - 2) * r))
    if eps_hat:
        return p - lr * trust * mhat * np.sqrt(c2) / (np.sqrt(state["v"] + eps_root) + eps)
    return p - lr * trust * mhat / (np.sqrt(state["v"] / c2 + eps_root) + eps)


def rprop(p, g, state, lr, t, *, etas, step_sizes, late):
    size, previous = state.get("size", np.full_like(p, lr)), state.get("previous", np.zeros_like(p))
    same = np.sign(g * previous)
    factor = np.select([same > 0, same < 0], [etas[1], etas[0]], 1.0)
    size = np.where((same == 0) & late, size, np.clip(size * factor, *step_sizes))
    g = np.where(same < 0, 0, g)
    if late:
        update = np.where(same < 0, 0, previous)
        state["previous"] = size * np.sign(g)
    else:
        update = size * np.sign(g)
        state["previous"] = g
    state["size"] = size
    return p - update


def lion(p, g, state, lr, t, *, betas):
    m = state.get("m", 0)
    state["m"] = betas[1] * m + (1 - betas[1]) * g
    return p - lr * np.sign(betas[0] * m + (1 - betas[0]) * g)


def adan(p, g, state, lr, t, *, betas, beta3, eps, eps_root, small_change):
    b1, b2 = betas
    change = g - state.get("g", g)
    ahead = 1 - b2 if small_change else b2
    state["g"] = g
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["v"] = b2 * state.get("v", 0) + (1 - b2) * change
    state["n"] = beta3 * state.get("n", 0) + (1 - beta3) * (g + ahead * change) ** 2
    u = state["m"] / (1 - b1**t) + ahead * state["v"] / (1 - b2**t)
    return p - lr * u / (np.sqrt(state["n"] / (1 - beta3**t) + eps_root) + eps)


def adabelief(p, g, state, lr, t, *, betas, eps, eps_root):
    b1, b2 = betas
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["s"] = b2 * state.get("s", 0) + (1 - b2) * (g - state["m"]) ** 2 + eps_root
    return p - lr * state["m"] / (1 - b1**t) / (np.sqrt(state["s"] / (1 - b2**t)) + eps)


def yogi(p, g, state, lr, t, *, betas, eps, eps_root, initial_accumulator_value):
    b1, b2 = betas
    state["m"] = b1 * state.get("m", initial_accumulator_value) + (1 - b1) * g
    v = state.get("v", initial_accumulator_value)
    state["v"] = v - (1 - b2) * np.sign(v - g**2) * g**2
    return p - lr * state["m"] / (1 - b1**t) / (np.sqrt(state["v"] / (1 - b2**t) + eps_root) + eps)


def lamb(p, g, state, lr, t, *, betas, eps, eps_root, weight_decay):
    b1, b2 = betas
    state["m"] = b1 * state.get("m", 0) + (1 - b1) * g
    state["v"] = b2 * state.get("v", 0) + (1 - b2) * g**2
    u = state["m"] / (1 - b1**t) / (np.sqrt(state["v"] / (1 - b2**t) + eps_root) + eps) + weight_decay * p
    norms = np.sqrt(np.sum(p**2)), np.sqrt(np.sum(u**2))
    return p - lr * (norms[0] / norms[1] if all(norms) else 1) * u


def schedule_free(
    y, u, state, lr, t, weight_decay, b, weight_power, warmup_steps, warmup_from_one, plain_average
):
    """The part that both rules share; u is the step's direction."""

    def warmed(steps):
        return lr if warmup_steps is None else lr * min(1, steps / warmup_steps)

    z, x = state.get("z", y), state.get("x", y)
    state["largest"] = max(state.get("largest", 0), warmed(t))
    weight = 1 if plain_average else state["largest"] ** weight_power
    state["total"] = state.get("total", 0) + weight
    state["z"] = z - warmed(t if warmup_from_one else t - 1) * (u + weight_decay * y)
    share = weight / state["total"]
    # x is what it has to be for y, which a decay outside may have changed.
    x = (y - (1 - b) * z) / b
    state["x"] = (1 - share) * x + share * state["z"]
    return b * state["x"] + (1 - b) * state["z"]


def schedule_free_sgd(p, g, state, lr, t, *, momentum, weight_decay, **options):
    return schedule_free(p, g, state, lr, t, weight_decay, momentum, **options)


def schedule_free_adamw(p, g, state, lr, t, *, betas, eps, weight_decay, **options):
    state["v"] = betas[1] * state.get("v", 0) + (1 - betas[1]) * g**2
    u = g / (np.sqrt(state["v"] / (1 - betas[1] ** t)) + eps)
    return schedule_free(p, u, state, lr, t, weight_decay, betas[0], **options)


def prodigy(
    ps, gs, states, lr, t, *, betas, beta3, eps, d0, d_coef, bias_correction, safeguard_warmup, weight_decays
):
    """Of all tensors at once: the first state also holds what they share."""
    (b1, b2), shared = betas, states[0]
    b3 = np.sqrt(b2) if beta3 is None else beta3
    d = shared.get("d", d0)
    rate = d * lr * (np.sqrt(1 - b2**t) / (1 - b1**t) if bias_correction else 1)
    along = total = 0.0
    for p, g, state in zip(ps, gs, states, strict=True):
        start = state.setdefault("start", p)
        state["m"] = b1 * state.get("m", 0) + (1 - b1) * d * g
        state["v"] = b2 * state.get("v", 0) + (1 - b2) * (d * g) ** 2
        state["s"] = b3 * state.get("s", 0) + d / d0 * (d if safeguard_warmup else rate) * g
        along += np.sum(g * (start - p))
        total += np.sum(np.abs(state["s"]))
    shared["r"] = b3 * shared.get("r", 0) + d / d0 * rate * along
    shared["d"] = max(d, d_coef * shared["r"] / total) if total > 0 else d
    return [
        p - rate * (np.divide(s["m"], np.sqrt(s["v"]) + shared["d"] * eps) + decay * p)
        for p, s, decay in zip(ps, states, weight_decays, strict=True)
    ]


RULES: dict[str, Callable] = {
    "SGD": sgd,
    "Adagrad": adagrad,
    "RMSprop": rmsprop,
    "Adam": adam,
    "AdamW": adam,
    "Adadelta": adadelta,
    "Adamax": adamax,
    "NAdam": nadam,
    "RAdam": radam,
    "Rprop": rprop,
    "Lion": lion,
    "Adan": adan,
    "AdaBelief": adabelief,
    "Yogi": yogi,
    "LAMB": lamb,
    "ScheduleFreeSGD": schedule_free_sgd,
    "ScheduleFreeAdamW": schedule_free_adamw,
    "Prodigy": prodigy,
}

# Rules whose formula has a place for weight decay.
DECAY_THEMSELVES = ("LAMB", "ScheduleFreeSGD", "ScheduleFreeAdamW", "Prodigy")


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
    maximize, lr_factor = own.pop("maximize"), own.pop("lr_factor")
    clip_value, clip_tensor_norm = own.pop("clip_value"), own.pop("clip_tensor_norm")
    where, accumulate = own.pop("decay_where"), int(own.pop("accumulate"))
    lookahead, alpha = own.pop("lookahead"), own.pop("lookahead_alpha")
    for name in ("nonfinite", "ema", "ema_start", "swa_start"):
        own.pop(name)
    inside = rule in DECAY_THEMSELVES and own.pop("decay_in_update", True)
    if rule == "Prodigy":  # the authors' `decouple`
        inside = decay == "decoupled"
    grads = [
        [
            np.mean([step[i] for step in grads[k : k + accumulate]], axis=0, dtype=np.float64)
            for i in range(len(start))
        ]
        for k in range(0, len(grads) - accumulate + 1, accumulate)
    ]
    params = [np.array(p, np.float64) for p in start]
    states: list[dict[str, Any]] = [{} for _ in params]
    if rule.startswith("ScheduleFree"):
        states = [{"z": p} for p in params]
    rows = []
    for t, step in enumerate(grads, start=1):
        gs = [np.array(g, np.float64) * (-1 if maximize else 1) for g in step]
        if clip_tensor_norm is not None:
            norms = [np.sqrt(np.sum(g**2)) for g in gs]
            gs = [
                g * min(1, clip_tensor_norm / max(n + clip_eps, 1e-300))
                for g, n in zip(gs, norms, strict=True)
            ]
        if clip_norm is not None:
            norm = np.sqrt(sum(np.sum(g**2) for g in gs))
            gs = [g * min(1, clip_norm / (norm + clip_eps)) for g in gs]
        if clip_value is not None:
            gs = [np.clip(g, -clip_value, clip_value) for g in gs]
        rate = lr(t - 1) * lr_factor
        for i, (p, g) in enumerate(zip(params, gs, strict=True)):
            strength = 0.0 if inside or (where == "matrices" and p.ndim < 2) else weight_decay
            if decay == "coupled":
                g = g + strength * p
            elif decay == "decoupled":
                p = p * (1 - rate * strength)
            else:
                p = p * (1 - strength)
            params[i], gs[i] = p, g
        if rule == "Prodigy":
            strengths = [weight_decay * (inside and (where == "everywhere" or p.ndim >= 2)) for p in params]
            params = prodigy(params, gs, states, rate, t, weight_decays=strengths, **own)
        for i, (p, g) in enumerate(zip(params, gs, strict=True)):
            strength = 0.0 if not inside or (where == "matrices" and p.ndim < 2) else weight_decay
            more = {"weight_decay": strength} if rule in DECAY_THEMSELVES else {}
            if rule != "Prodigy":
                params[i] = RULES[rule](p, g, states[i], rate, t, **own, **more)
            if lookahead is not None:
                slow = states[i].setdefault("slow", np.array(start[i], np.float64))
                if t % lookahead == 0:
                    params[i] = states[i]["slow"] = slow + alpha * (params[i] - slow)
        rows.append([p.copy() for p in params])
    return rows

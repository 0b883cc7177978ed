"""Makes trajectories.npz with the real torch, optax and Keras.

Run by hand when a case is added (the peers are needed here only, never by the tests)::

    python -m venv peers && peers/bin/pip install --no-deps -r benches/peers.txt
    peers/bin/python tests/golden/make.py

The gradients do not depend on the parameters, so a difference in a trajectory is a difference in the rule
and nothing else. They are those of plain descent on an ill-conditioned quadratic, with noise and a few exact
zeros; start and gradients are float32 numbers in both precisions.
"""

import functools
import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np
import optax
import torch

from cases import CASES, Case

# The peers' names for what schuss calls otherwise; a pair of betas is two keywords in two of them.
CLASSES = {
    "torch": {},
    "optax": {
        **{
            rule: rule.lower()
            for rule in ("SGD", "Adagrad", "RMSprop", "Adam", "AdamW", "Adadelta", "Adamax")
        },
        **{
            rule: rule.lower()
            for rule in ("NAdam", "RAdam", "Rprop", "Lion", "Adan", "AdaBelief", "Yogi", "LAMB")
        },
        "ScheduleFreeSGD": "contrib.schedule_free_sgd",
        "ScheduleFreeAdamW": "contrib.schedule_free_adamw",
        "Prodigy": "contrib.prodigy",
    },
    "keras": {"NAdam": "Nadam", "LAMB": "Lamb"},
}
OPTIONS = {
    "torch": {"beta": "alpha"},
    "optax": {"lr": "learning_rate", "beta": "decay", "d0": "estim_lr0", "d_coef": "estim_lr_coef"},
    "keras": {"lr": "learning_rate", "beta": "rho", "eps": "epsilon", "clip_norm": "global_clipnorm"},
}
BETAS = {"optax": ("b1", "b2"), "keras": ("beta_1", "beta_2")}

STEPS = 60
SHAPES = {"w": (2, 3), "b": (5,)}
# Every early step, where the rules differ most, then every tenth.
KEPT = [1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 40, 50, 60]
# The step after which torch's state is kept.
MOVED_AT = 20


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Start (n,) and gradients (STEPS, n) over both tensors laid end to end."""
    rng = np.random.default_rng(2026)
    n = sum(int(np.prod(shape)) for shape in SHAPES.values())
    start, target = rng.normal(size=n), rng.normal(size=n)
    curvature = np.logspace(-2, 1, n)
    t = np.arange(STEPS)[:, None]
    gap = (start - target) * (1 - 0.05 * curvature) ** t
    grads = curvature * gap + 0.2 * np.sqrt(curvature) * rng.normal(size=(STEPS, n))
    grads[rng.random(grads.shape) < 0.03] = 0.0
    grads[0, 3] = 0.0
    return np.float32(start), np.float32(grads)


def spelled(case: Case) -> tuple[str, dict]:
    """The peer's class or function, and its keywords; what is separate there (clipping, EMA) stays ours."""
    options = {}
    for name, value in case.options.items():
        if name == "betas" and case.library in BETAS and case.rule != "Prodigy":
            options.update(zip(BETAS[case.library], value, strict=True))
        else:
            options[OPTIONS[case.library].get(name, name)] = value
    return CLASSES[case.library].get(case.rule, case.rule), options


def split(flat: np.ndarray) -> dict[str, np.ndarray]:
    """The named tensors of a flat vector."""
    tensors, begin = {}, 0
    for name, shape in SHAPES.items():
        size = int(np.prod(shape))
        tensors[name] = flat[begin : begin + size].reshape(shape).copy()
        begin += size
    return tensors


def join(tensors) -> np.ndarray:
    """The flat vector of tensors in the order of SHAPES."""
    return np.concatenate([np.asarray(tensor).ravel() for tensor in tensors])


def run_torch(case: Case, start: np.ndarray, grads: np.ndarray, states: dict | None = None):
    # Some state is kept in torch's default dtype, whatever the parameters are.
    torch.set_default_dtype(torch.float64 if start.dtype == np.float64 else torch.float32)
    params = [torch.nn.Parameter(torch.from_numpy(tensor)) for tensor in split(start).values()]
    name, options = spelled(case)
    clip_norm, ema = options.pop("clip_norm", None), options.pop("ema", None)
    optimizer = getattr(torch.optim, name)(params, foreach=False, **options)
    average = None
    if ema is not None:
        module = torch.nn.ParameterList(params)
        average = torch.optim.swa_utils.AveragedModel(
            module, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(ema)
        )
        # The first update is the copy: taken before the first step, so that the average starts as the start.
        average.update_parameters(module)
    for row in grads:
        for param, grad in zip(params, split(row).values(), strict=True):
            param.grad = torch.from_numpy(grad)
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(params, clip_norm)
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= case.lr_factor
        if average is not None:
            average.update_parameters(module)
        if states is not None:
            state = optimizer.state_dict()
            arrays = {
                index: {
                    name: None if value is None else value.ravel().tolist() for name, value in entry.items()
                }
                for index, entry in state["state"].items()
            }
            states[f"{case.name}-{start.dtype}"] = {**state, "state": arrays}
        shown = params if average is None else list(average.module.parameters())
        yield join([param.detach().numpy() for param in shown])


def torch_states(start: np.ndarray, grads: np.ndarray) -> dict[str, dict]:
    """What each torch optimizer's ``state_dict()`` is after MOVED_AT steps, arrays as flat lists."""
    states = {}
    for case in (case for case in CASES if case.moves):
        steps = run_torch(case, start, grads, states)
        for _ in range(MOVED_AT):
            next(steps)
    return states


def run_optax(case: Case, start: np.ndarray, grads: np.ndarray):
    jax.config.update("jax_enable_x64", start.dtype == np.float64)
    name, options = spelled(case)
    clip_norm, ema = options.pop("clip_norm", None), options.pop("ema", None)
    if options.pop("amsgrad", False):
        name = "amsgrad"
    if name == "contrib.schedule_free_sgd" and "momentum" in options:
        options["b1"] = options.pop("momentum")
    if case.lr_factor != 1:
        # optax's own schedules compute in float32 whatever the parameters are.
        first = options["learning_rate"]
        options["learning_rate"] = lambda count: first * case.lr_factor ** count.astype(start.dtype)
    transform = functools.reduce(getattr, name.split("."), optax)(**options)
    if clip_norm is not None:
        transform = optax.chain(optax.clip_by_global_norm(clip_norm), transform)
    params = jax.tree.map(jax.numpy.asarray, split(start))
    state = transform.init(params)
    update = jax.jit(transform.update)
    average = None if ema is None else optax.ema(ema, debias=True)
    average_state = average.init(params) if average else None
    for row in grads:
        step, state = update(jax.tree.map(jax.numpy.asarray, split(row)), state, params)
        params = optax.apply_updates(params, step)
        shown = params
        if case.label == "average":
            shown = optax.contrib.schedule_free_eval_params(state, params)
        if average:
            shown, average_state = average.update(params, average_state)
        yield join([shown[name] for name in SHAPES])


def run_keras(case: Case, start: np.ndarray, grads: np.ndarray):
    jax.config.update("jax_enable_x64", start.dtype == np.float64)
    keras.config.set_floatx(start.dtype.name)
    name, options = spelled(case)
    ema = options.pop("ema", None)
    if ema is not None:
        options |= {"use_ema": True, "ema_momentum": ema}
    if case.lr_factor != 1:
        schedule = keras.optimizers.schedules.ExponentialDecay
        options["learning_rate"] = schedule(options["learning_rate"], 1, case.lr_factor)
    optimizer = getattr(keras.optimizers, name)(**options)
    variables = [keras.Variable(tensor, dtype=start.dtype.name) for tensor in split(start).values()]
    optimizer.build(variables)
    for row in grads:
        optimizer.apply([jax.numpy.asarray(grad) for grad in split(row).values()], variables)
        shown = variables if ema is None else optimizer._model_variables_moving_average
        yield join([variable.numpy() for variable in shown])


def main() -> None:
    start, grads = problem()
    data = {
        "versions": np.array([f"{peer.__name__} {peer.__version__}" for peer in (torch, optax, jax, keras)]),
        "start": start,
        "grads": grads,
        "kept": np.array(KEPT),
    }
    runners = {"torch": run_torch, "optax": run_optax, "keras": run_keras}
    for dtype in (np.float64, np.float32):
        for case in CASES:
            path = list(runners[case.library](case, start.astype(dtype), grads.astype(dtype)))
            assert path[0].dtype == dtype, case.name
            assert np.all(np.isfinite(path)), case.name
            data[f"{case.name}-{dtype.__name__}"] = np.stack([path[step - 1] for step in KEPT])
    states = [torch_states(start.astype(dtype), grads.astype(dtype)) for dtype in (np.float64, np.float32)]
    data["torch_states"] = np.array(json.dumps(states[0] | states[1]))
    target = Path(__file__).with_name("trajectories.npz")
    np.savez_compressed(target, **data)
    print(f"{len(CASES)} cases, {target.stat().st_size / 1024:.0f} KB: {target}")


if __name__ == "__main__":
    main()

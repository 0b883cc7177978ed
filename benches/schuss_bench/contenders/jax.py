"""jax with optax: a whole epoch, step or prediction in one jitted function, compiled before the clock."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .. import data
from ..cases import EPOCHS, Case
from ..timing import Run, repeat

VERSION = f"jax {jax.__version__}, optax {optax.__version__}"
ADAM = optax.adam(1e-3)
RULES = {"adam": ADAM, "momentum": optax.sgd(1e-3, momentum=0.9), "rmsprop": optax.rmsprop(1e-3, decay=0.99)}


def prepare(case: Case, variant: str) -> Run:
    # As many threads as its process had processors when it started: see `worker.held_on`.
    if case.section in EPOCHS:
        return train(case)
    return {"optimizer": optimize, "predict": predict, "one_row": predict, "loop": loop}[case.section](case)


def logits(params, X):
    for weight, bias in params[:-1]:
        X = jax.nn.relu(X @ weight + bias)
    weight, bias = params[-1]
    return X @ weight + bias


def objective(params, X, y):
    z = logits(params, X)
    if jnp.issubdtype(y.dtype, jnp.integer):
        return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()
    return jnp.mean((z[:, 0] - y) ** 2)


def step(params, state, X, y):
    updates, state = ADAM.update(jax.grad(objective)(params, X, y), state, params)
    return optax.apply_updates(params, updates), state


@partial(jax.jit, donate_argnums=(0, 1), static_argnums=5)
def epoch_of(params, state, X, y, order, batch):
    """A whole epoch: the rows in their new order, then a step for each batch."""
    X, y = X[order].reshape(-1, batch, X.shape[1]), y[order].reshape(-1, batch)
    (params, state), _ = jax.lax.scan(
        lambda carry, rows: (step(*carry, *rows), None), (params, state), (X, y)
    )
    return params, state


def start(case: Case):
    params = jax.tree.map(jnp.asarray, data.weights(case))
    return params, ADAM.init(params)


def train(case: Case) -> Run:
    X, y = map(jnp.asarray, data.rows(case))
    params, state = start(case)
    rng = np.random.default_rng(0)

    def epoch() -> None:
        nonlocal params, state
        order = rng.permutation(len(X)).astype(np.int32)  # several times faster than jax.random's sort
        params, state = jax.block_until_ready(epoch_of(params, state, X, y, order, case.batch))

    return repeat(epoch)


def loop(case: Case) -> Run:
    batches = [tuple(map(jnp.asarray, rows)) for rows in data.batches(case)]
    params, state = start(case)
    jitted = jax.jit(step, donate_argnums=(0, 1))

    def epoch() -> None:
        nonlocal params, state
        for X, y in batches:
            params, state = jitted(params, state, X, y)
        jax.block_until_ready((params, state))

    return repeat(epoch)


def optimize(case: Case) -> Run:
    params, grads = jax.tree.map(jnp.asarray, data.tensors(case))
    rule = RULES[case.rule]
    state = rule.init(params)

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(params, state, grads):
        updates, state = rule.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    def once() -> None:
        nonlocal params, state
        params, state = jax.block_until_ready(update(params, state, grads))

    return repeat(once)


def predict(case: Case) -> Run:
    params, X = jax.tree.map(jnp.asarray, data.weights(case)), jnp.asarray(data.inputs(case))

    @jax.jit
    def forward(params, X):
        z = logits(params, X)
        return jax.nn.softmax(z) if case.classes else z

    return repeat(lambda: jax.block_until_ready(forward(params, X)))

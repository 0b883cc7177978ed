"""The pieces of RealMLP beside its authors' own code: forward, gradients, and the first steps of a training.

The data and the script that made it are in ``golden/``. There, as here: numbers with waves (PBLD), a category
with a table, learnt scales, dense layers in NTK parametrisation, learnt activations, label smoothing, the
schedules coslog4 and flat_cos, Adam with factors for each kind of parameter, and decay.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import schuss as sc
from schuss.embeddings import Category, Periodic

DATA = np.load(Path(__file__).parent / "golden" / "realmlp.npz")
BATCH, STEPS = 16, 24
NUMBERS, LEVELS, FREQUENCIES, WIDTH, TABLE = 3, 11, 6, 3, 4
LR, DECAY = {"class": 0.04, "reg": 0.2}, 0.02
# What the rate of each kind of parameter is multiplied with; those of the input's waves and table besides.
FACTORS = {"scale": 6.0, "bias": 0.1, "alpha": 0.1, "weight": 1.0}
# Theirs: the sums of all columns, then the columns themselves, then the table's; ours: column by column.
ORDER = [
    place
    for column in range(NUMBERS)
    for place in (NUMBERS * WIDTH + column, *range(column * WIDTH, (column + 1) * WIDTH))
] + list(range(NUMBERS * (WIDTH + 1), NUMBERS * (WIDTH + 1) + TABLE))
TASKS = ["class", "reg"]


def rows(task):
    x = np.hstack([DATA[f"{task}/x_cont"], DATA[f"{task}/x_cat"]])
    return x, DATA[f"{task}/y"][:, 0]


def network(task):
    outputs, options = (
        (3, {"loss": "cross_entropy", "label_smoothing": 0.1}) if task == "class" else (1, {"loss": "mse"})
    )
    net = sc.MLP(
        [NUMBERS + 1, 7, 5, outputs],
        activation="selu" if task == "class" else "mish",
        parametric=True,
        input_scale=True,
        embeddings=[Periodic(range(NUMBERS), FREQUENCIES, WIDTH), Category(NUMBERS, LEVELS, TABLE)],
        dtype="float64",
        **options,
    )
    net.theta[:] = ours(net, task, "start", "values")
    return net


def ours(net, task, label, of):
    """Their parameters as those of a network here; or their gradients, which scale the other way."""
    flat, theirs, start = DATA[f"{task}/{label}"], {}, 0
    for name, shape in json.loads(str(DATA[f"{task}/shapes"])).items():
        size = int(np.prod(shape))
        theirs[name] = flat[start : start + size].reshape(shape)
        start += size
    assert start == flat.size
    found = {
        "input.0.frequency": theirs["/plr/weight_1"][:, 0],
        "input.0.phase": theirs["/plr/bias_1"][:, 0],
        "input.0.weight": theirs["/plr/weight_2"].transpose(0, 2, 1).reshape(-1, FREQUENCIES),
        "input.0.bias": theirs["/plr/bias_2"],
        "input.1.table": theirs["/tfms/emb"],
    }
    for layer, name in enumerate(("first", "middle", "last")):
        place = f"/net/{name}_layer/layer-{layer}/"
        weight = theirs[place + "weight"]
        if layer == 0:
            found["input.scale"] = theirs[place + "scale"][:, ORDER]
            weight = weight[ORDER]
        root = np.sqrt(len(weight))
        found[f"{layer}.weight"] = weight / root if of == "values" else weight * root
        found[f"{layer}.bias"] = theirs[place + "bias"]
        if layer < 2:
            found[f"{layer}.alpha"] = theirs[place + "act"]
    assert list(net.named_params) == [name for name in net.named_params if name in found]
    return np.concatenate([found[name].ravel() for name in net.named_params])


def optimizer(net, task):
    """AdamW whose rates, decays and eps are those of NTK parametrisation, in the standard one.

    Their code multiplies the decay, `lr` included, with the squares of its factors.
    """
    groups = []
    for name, parameters in net.named_params.items():
        kind, lr, decay, eps = name.rpartition(".")[2], LR[task], DECAY, 1e-8
        if name.startswith("input.0"):
            factor = 0.1
        elif kind == "table":
            factor = 1.0
        else:
            factor = FACTORS[kind]
            if kind == "bias":
                decay = 0.0
            if kind == "weight":
                root = np.sqrt(len(parameters))
                lr, decay, eps = lr / root, decay * root, eps * root
        groups.append(
            {
                "params": name,
                "lr": sc.schedules.coslog4(lr * factor, STEPS),
                "weight_decay": sc.schedules.flat_cos(decay * factor, STEPS) if decay else 0.0,
                "eps": eps,
            }
        )
    return sc.AdamW(groups, betas=(0.9, 0.95))


def close(got, expected, tolerance=1e-11):
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("task", TASKS)
def test_the_way_forward_is_theirs(task):
    net, (x, _) = network(task), rows(task)
    close(net.logits(x[:BATCH]).reshape(BATCH, -1), DATA[f"{task}/logits"], 1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_loss_and_gradients_are_theirs(task):
    net, (x, y) = network(task), rows(task)
    loss, grads = net.loss_and_grads(x[:BATCH], y[:BATCH])
    assert loss == pytest.approx(DATA[f"{task}/loss"][0], rel=1e-12)
    close(np.concatenate([g.ravel() for g in grads]), ours(net, task, "gradient", "gradients"))


@pytest.mark.parametrize("task", TASKS)
def test_the_schedules_are_theirs(task):
    for name in ("coslog4", "flat_cos"):
        schedule = getattr(sc.schedules, name)(1.0, STEPS)
        np.testing.assert_allclose(
            [schedule(step) for step in range(STEPS)], DATA[f"{task}/{name}"], rtol=0, atol=1e-14
        )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kept", DATA["kept"].tolist())
@pytest.mark.parametrize("task", TASKS)
def test_the_training_is_theirs(task, kept, threads):
    net, (x, y) = network(task), rows(task)
    start = net.theta.copy()
    losses, options = [], {"batch_size": BATCH, "shuffle": False, "n_threads": threads, "record": "step"}
    # Whole epochs, of three steps each, then a part of one.
    for epochs, count in ((kept // 3, len(x)), (1, kept % 3 * BATCH)):
        if epochs and count:
            chosen = optimizer(net, task) if not losses else None
            history = net.fit(x[:count], y[:count], optimizer=chosen, epochs=epochs, **options)
            losses.extend(history.steps["loss"])
    close(losses, DATA[f"{task}/loss"][:kept], 1e-10)
    end = ours(net, task, kept, "values")
    # The first step has the rate 0, the later ones move all there is by far more than what is allowed.
    assert np.array_equal(end, start) == (kept == 1)
    close(net.theta, end, 1e-9)


@pytest.mark.parametrize("task", TASKS)
def test_their_start_has_the_deviation_that_init_from_data_gives(task):
    net, (x, _) = network(task), rows(task)
    for start in (lambda net: net, lambda net: net.init_from_data(x)):
        layers = start(net).forward_layers(x)
        for layer in layers:
            np.testing.assert_allclose(layer.z.std(axis=0), 1, rtol=1e-12)

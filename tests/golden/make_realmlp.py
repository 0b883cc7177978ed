"""Makes realmlp.npz: the first steps of small RealMLPs by their authors' own code, in float64.

Run by hand (the peer is needed here only, never by the tests)::

    python -m venv peer && peer/bin/pip install pytabkit==1.7.3
    peer/bin/python tests/golden/make_realmlp.py

Network, initial values, label smoothing, schedules, factors of learning rate and decay, and Adam are those of
pytabkit's defaults, RealMLP-TD, but for sizes, the seed, and dropout, whose random numbers are torch's. Rows
are as after preprocessing, and come in the same order in each epoch.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from pytabkit.models.data.data import DictDataset, TensorInfo
from pytabkit.models.nn_models.base import set_hp_context
from pytabkit.models.nn_models.models import NNFactory
from pytabkit.models.optim.optimizers import AdamOptimizer
from pytabkit.models.sklearn.default_params import DefaultParams
from pytabkit.models.training.coord import HyperparamManager
from pytabkit.models.training.metrics import cross_entropy, mse
from pytabkit.models.training.scheduling import LearnerProgress

# Labels are made float32 there before they are smoothed, whatever the default type is.
torch.Tensor.float = torch.Tensor.double

NUMBERS, LEVELS, CLASSES = 3, 11, 3
ROWS, BATCH, EPOCHS = 48, 16, 8
# Steps after which the parameters are kept: the first has the learning rate 0.
KEPT = [1, 2, 3, 24]
SMALL = {
    "hidden_sizes": [7, 5],
    "plr_hidden_1": 6,
    "embedding_size": 4,
    "tfms": ["embedding"],
    "p_drop": 0.0,
    "normalize_output": False,
    "clamp_output": False,
}
TASKS = {"class": DefaultParams.RealMLP_TD_CLASS, "reg": DefaultParams.RealMLP_TD_REG}


def data(task: str) -> dict[str, torch.Tensor]:
    """Rows with numbers, a category, and a target."""
    rng = np.random.default_rng(7)
    x, codes = rng.normal(size=(ROWS, NUMBERS)), rng.integers(0, LEVELS, (ROWS, 1))
    if task == "class":
        y = (x[:, :1] > 0).astype(np.int64) + (codes > 5)
    else:
        y = np.sin(2 * x[:, :1]) + 0.1 * codes
    return {"x_cont": torch.from_numpy(x), "x_cat": torch.from_numpy(codes), "y": torch.from_numpy(y)}


def infos(task: str) -> dict[str, TensorInfo]:
    """What pytabkit wants to know of these."""
    target = TensorInfo(cat_sizes=[CLASSES]) if task == "class" else TensorInfo(feat_shape=[1])
    return {
        "x_cont": TensorInfo(feat_shape=[NUMBERS]),
        "x_cat": TensorInfo(cat_sizes=[LEVELS]),
        "y": target,
    }


def made(task: str) -> dict[str, np.ndarray]:
    """A training, step by step."""
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(3)
    config = {**TASKS[task], **SMALL}
    manager = HyperparamManager(**config)
    tensors, criterion = data(task), cross_entropy if task == "class" else mse
    rows = DictDataset(tensors, infos(task))
    with set_hp_context(manager), torch.no_grad():
        layer = NNFactory(**config).create(rows.tensor_infos).fit(rows)
        model = layer.stack([layer])
    model.train()
    parameters = {str(p.context.scope): p for p in model.parameters()}
    optimizer = AdamOptimizer([{"params": [p]} for p in model.parameters()], manager)
    learner = SimpleNamespace(progress=LearnerProgress())
    learner.progress.max_epochs = EPOCHS
    kept = {f"{task}/{name}": tensor.numpy() for name, tensor in tensors.items()}
    shapes = {name: list(p.shape[1:]) for name, p in parameters.items()}
    kept[f"{task}/shapes"] = np.array(json.dumps(shapes))
    losses, rates, decays, steps = [], [], [], ROWS // BATCH * EPOCHS

    def keep(label, values):
        kept[f"{task}/{label}"] = np.concatenate([value.detach().numpy().ravel() for value in values])

    keep("start", parameters.values())
    for step in range(steps):
        manager.update_hypers(learner)
        first = step * BATCH % ROWS
        batch = {name: tensor[None, first : first + BATCH] for name, tensor in tensors.items()}
        output = model(batch)
        loss = criterion(output["x_cont"], output["y"]).sum()
        loss.backward()
        if step == 0:
            kept[f"{task}/logits"] = output["x_cont"].detach().numpy()[0].copy()
            keep("gradient", [p.grad for p in parameters.values()])
        losses.append(loss.item())
        optimizer.step(loss=loss)
        rates.append(manager.get_hyper_sched_values()["lr"][""])
        decays.append(manager.get_hyper_sched_values()["wd"][""])
        optimizer.zero_grad()
        learner.progress.epoch_float = (step + 1) * BATCH / ROWS
        if step + 1 in KEPT:
            keep(step + 1, parameters.values())
    kept |= {f"{task}/loss": losses, f"{task}/coslog4": rates, f"{task}/flat_cos": decays}
    return kept


if __name__ == "__main__":
    all_of_them = {name: array for task in TASKS for name, array in made(task).items()}
    for name, array in all_of_them.items():
        print(name, np.shape(array))
    np.savez_compressed(Path(__file__).parent / "realmlp.npz", kept=KEPT, **all_of_them)

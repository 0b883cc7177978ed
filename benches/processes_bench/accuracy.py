"""What larger batches and fewer meetings cost in accuracy, on scikit-learn's digits; in one process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import schuss as sc

EPOCHS, SEEDS, BATCH, ROWS = 5, 10, 32, 1024
BATCHES = (BATCH, 4 * BATCH, 16 * BATCH)
RATES = {"Adam": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2), "LAMB": (1e-2, 2e-2, 4e-2, 8e-2, 0.16)}
PROCESSES = (2, 4, 8)
MEETINGS = {"every step": 1, "every 4 steps": 4, "every 16 steps": 16, "once an epoch": None}


class Task:
    """Rows to learn from, to choose a rate by, and to score at the end; another cut for each seed."""

    def __init__(self, seed: int) -> None:
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        order = np.random.default_rng(seed).permutation(len(X))
        X, y = (X[order] / 16).astype(np.float32), y[order]
        self.seed = seed
        cuts = (0, ROWS), (ROWS, 1400), (1400, len(X))
        self.train, self.choose, self.test = ((X[a:b], y[a:b]) for a, b in cuts)

    def network(self) -> sc.MLP:
        return sc.MLP([64, 64, 64, 10], loss="cross_entropy", seed=self.seed)


Training = Callable[[Task, float], sc.MLP]


def measure(quick: bool) -> dict:
    tasks = [Task(seed) for seed in range(2 if quick else SEEDS)]
    whole = {
        name: [best(rates, one_process(name, batch), tasks) for batch in BATCHES]
        for name, rates in RATES.items()
    }
    averaging = {
        name: [best(RATES["Adam"], averaged(count, every), tasks) for count in PROCESSES]
        for name, every in MEETINGS.items()
    }
    facts = {"epochs": EPOCHS, "seeds": len(tasks)}
    facts |= {"batches": list(BATCHES), "processes": list(PROCESSES)}
    return {**facts, "optimizers": whole, "averaging": averaging}


def best(rates: tuple[float, ...], train: Training, tasks: list[Task]) -> dict:
    """The score on the last rows, with the learning rate that is best on the second ones."""
    found = {}
    for lr in rates:
        nets = [train(task, lr) for task in tasks]
        chosen = np.mean([net.score(*task.choose) for net, task in zip(nets, tasks, strict=True)])
        found[lr] = chosen, [net.score(*task.test) for net, task in zip(nets, tasks, strict=True)]
    lr = max(found, key=lambda lr: found[lr][0])
    scores = found[lr][1]
    error = np.std(scores, ddof=1) / len(scores) ** 0.5
    return {"lr": lr, "score": float(np.mean(scores)), "error": float(error)}


def one_process(name: str, batch: int) -> Training:
    def train(task: Task, lr: float) -> sc.MLP:
        net, steps = task.network(), EPOCHS * -(-len(task.train[0]) // batch)
        optimizer = getattr(sc, name)(lr=sc.schedules.cosine(lr, steps))
        net.fit(*task.train, optimizer=optimizer, batch_size=batch, epochs=EPOCHS, n_threads=1)
        return net

    return train


def averaged(processes: int, every: int | None) -> Training:
    """Each process has rows of its own; all take the mean of their parameters after some steps, or an epoch.

    A process takes batches of its part of 32 rows, with an Adam of its own.
    """
    batch = BATCH // processes
    steps = EPOCHS * (ROWS // BATCH)

    def train(task: Task, lr: float) -> sc.MLP:
        X, y = task.train
        nets = [task.network() for _ in range(processes)]
        optimizers = [sc.Adam(lr=sc.schedules.cosine(lr, steps)) for _ in nets]
        rng, own = np.random.default_rng(task.seed), np.arange(len(X)).reshape(processes, -1)
        rows = batch * every if every else own.shape[1]
        settings = {"batch_size": batch, "epochs": 1, "shuffle": False, "n_threads": 1}
        for _ in range(EPOCHS):
            order = np.array([rng.permutation(mine) for mine in own])
            for first in range(0, own.shape[1], rows):
                for number, net in enumerate(nets):
                    part = order[number, first : first + rows]
                    optimizer = optimizers[number] if net.history is None else None
                    net.fit(X[part], y[part], optimizer=optimizer, **settings)
                mean = np.mean([net.theta for net in nets], axis=0)
                for net in nets:
                    net.theta[:] = mean
        return nets[0]

    return train

"""Seconds of training until a score is reached on unseen data: schuss, torch and scikit-learn side by side.

    make quality                            both tasks
    make quality ARGS="housing --rounds 5"  one of them

fashion   accuracy 0.88 on the test images of Fashion-MNIST, 784-256-128-10
housing   RMSE 50,000 dollars on a fifth of California housing, prepared as in examples/california_housing.py

All train the same layers with the same batches and Adam at the same constant rate, in turns, each with a new
seed, one library at a time in its own process, after a rest (the threads of others spin on for a while).
torch and scikit-learn have one thread or all, whichever takes less time. The clock runs while they train, not
while they are scored, which is after every epoch. The figures are medians. Who is not installed is left out.

Fashion-MNIST is not part of this repository: --data or the variable FASHION_MNIST names the folder of its
four files.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import numpy as np
from numpy.typing import NDArray
from schuss_bench import machine
from schuss_bench.commands import at_least_one
from schuss_bench.timing import fastest, repeat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))


@dataclass(frozen=True)
class Task:
    """What to learn, how, and when it is learnt."""

    name: str
    hidden: tuple[int, ...]
    batch: int
    lr: float
    most_epochs: int
    target: float  # accuracy, at least; for a regression the negative RMSE
    X: NDArray[np.float32]
    y: NDArray
    X_test: NDArray[np.float32]
    y_test: NDArray
    classes: int = 0  # 0 for a regression
    spread: float = 1.0  # standard deviation of the prices, in dollars

    @property
    def layers(self) -> list[int]:
        return [self.X.shape[1], *self.hidden, self.classes or 1]

    def score(self, predicted: NDArray) -> float:
        if self.classes:
            return float(np.mean(predicted.argmax(axis=1) == self.y_test))
        return -self.spread * float(np.sqrt(np.mean((predicted.ravel() - self.y_test) ** 2)))


def fashion(folder: Path | None) -> Task:
    import fashion_mnist

    given = folder or os.environ.get("FASHION_MNIST")
    folder = Path(given) if given else fashion_mnist.FOLDER
    try:
        (X, y), (X_test, y_test) = (fashion_mnist.load(folder, part) for part in ("train", "t10k"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error.filename} is missing: name the folder of Fashion-MNIST's four .gz files with --data"
        ) from None
    return Task("fashion", (256, 128), 128, 1e-3, 30, 0.88, X, y, X_test, y_test, classes=10)


def housing(_: Path | None) -> Task:
    import pandas as pd
    from california_housing import HERE, TARGET, prepare
    from sklearn.model_selection import train_test_split

    table = pd.read_csv(HERE / "data" / "california_housing" / "housing.csv.gz")
    train, test = train_test_split(table, test_size=0.2, random_state=0)
    columns = prepare()
    X, X_test = (
        np.ascontiguousarray(part, np.float32)
        for part in (columns.fit_transform(train), columns.transform(test))
    )
    mean, spread = train[TARGET].mean(), train[TARGET].std()
    y, y_test = (((part[TARGET].to_numpy() - mean) / spread).astype(np.float32) for part in (train, test))
    return Task("housing", (128, 64), 256, 3e-3, 100, -50_000, X, y, X_test, y_test, spread=spread)


TASKS = {"fashion": fashion, "housing": housing}

Epochs = tuple[Callable[[], object], Callable[[], NDArray]]
"""Trains one epoch; predicts the test rows."""


def with_schuss(task: Task, seed: int) -> Epochs:
    import schuss as sc

    net = sc.MLP(task.layers, loss="cross_entropy" if task.classes else "mse", seed=seed)
    net.fit(task.X[: task.batch], task.y[: task.batch], optimizer=sc.Adam(lr=task.lr), epochs=0)
    return (
        lambda: net.fit(task.X, task.y, batch_size=task.batch, epochs=1),
        lambda: net.predict(task.X_test),
    )


def with_sklearn(task: Task, seed: int) -> Epochs:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    model = (MLPClassifier if task.classes else MLPRegressor)(
        hidden_layer_sizes=task.hidden,
        batch_size=task.batch,
        learning_rate_init=task.lr,
        alpha=0,
        random_state=seed,
    )
    if task.classes:
        classes = np.arange(task.classes)
        return (
            lambda: model.partial_fit(task.X, task.y, classes=classes),
            lambda: model.predict_proba(task.X_test),
        )
    return lambda: model.partial_fit(task.X, task.y), lambda: model.predict(task.X_test)


def with_torch(task: Task, seed: int) -> Epochs:
    import torch
    from torch import nn

    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in zip(task.layers, task.layers[1:], strict=False):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    loss = nn.CrossEntropyLoss() if task.classes else nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=task.lr, fused=True)
    X, X_test = torch.from_numpy(task.X), torch.from_numpy(task.X_test)
    y = torch.from_numpy(task.y if task.classes else task.y[:, None])

    def epoch() -> None:
        order = torch.randperm(len(X))
        for X_batch, y_batch in zip(X[order].split(task.batch), y[order].split(task.batch), strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss(model(X_batch), y_batch).backward()
            optimizer.step()

    def predict() -> NDArray:
        with torch.inference_mode():
            return model(X_test).numpy()

    return epoch, predict


CONTENDERS = {"schuss": with_schuss, "torch": with_torch, "sklearn": with_sklearn}
REST = 0.3  # seconds before each run
STEPS = 50  # by which threads are chosen


def set_threads(contender: str, threads: int) -> None:
    """For all that follows in this process; schuss chooses by itself."""
    if contender == "torch":
        import torch

        torch.set_num_threads(threads)
    elif contender == "sklearn":
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)


def best_threads(contender: str, task: Task) -> int:
    """The number of threads that takes less time; imports and first calls are made here as well."""
    rows = slice(STEPS * task.batch)
    some = replace(task, X=task.X[rows], y=task.y[rows])

    def way(threads: int):
        train, _ = CONTENDERS[contender](some, 0)

        def turn(times: int) -> float:
            set_threads(contender, threads)
            return repeat(train)(times)

        return turn

    ways = {way(threads): threads for threads in machine.one_or_all()}
    return ways[fastest(list(ways))]


def run(contender: str, task: Task, seed: int, threads: int) -> tuple[float, int, float]:
    """Seconds and epochs until the target, and the score then; infinity where it is not reached."""
    train, predict = CONTENDERS[contender](task, seed)
    set_threads(contender, threads)
    sleep(REST)
    seconds, score = 0.0, -np.inf
    for epoch in range(1, task.most_epochs + 1):
        start = perf_counter()
        train()
        seconds += perf_counter() - start
        score = task.score(predict())
        if score >= task.target:
            return seconds, epoch, score
    return np.inf, task.most_epochs, score


Pools = dict[str, ProcessPoolExecutor]


def threads_of(task: Task, pools: Pools) -> dict[str, int]:
    """For each contender that can take part the number of threads."""
    found = {}
    for contender, pool in pools.items():
        try:
            found[contender] = pool.submit(best_threads, contender, task).result()
        except ImportError as error:
            print(f"{contender} takes no part: {error}", file=sys.stderr)
    return found


def measure(task: Task, pools: Pools, rounds: int) -> None:
    """Run and print one task."""
    threads = threads_of(task, pools)
    runs: dict[str, list] = {contender: [] for contender in threads}
    for seed in range(rounds):
        for contender, results in runs.items():
            results.append(pools[contender].submit(run, contender, task, seed, threads[contender]).result())
    goal = f"accuracy {task.target:.2f}" if task.classes else f"RMSE {-task.target:,.0f}"
    shape = "-".join(map(str, task.layers))
    print(f"\n{task.name}: {goal}, {len(task.X):,} rows, {shape}, batches of {task.batch}, Adam {task.lr:g}")
    print(f"{'':10}{'seconds':>10}{'epochs':>8}{'score':>10}{'not reached':>13}{'threads':>9}")
    for contender, results in runs.items():
        seconds, epochs, score = (median(values) for values in zip(*results, strict=True))
        missed = sum(np.isinf(result[0]) for result in results)
        shown = f"{score:.4f}" if task.classes else f"{-score:,.0f}"
        told = f"{contender:10}{seconds:10.2f}{epochs:8.0f}{shown:>10}{missed:>8} of {len(results)}"
        print(f"{told}{'its own' if contender == 'schuss' else threads[contender]:>9}")


def parser_of_tasks(description: str | None) -> argparse.ArgumentParser:
    """What asks for tasks, and where their data are."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", help="fashion, housing; both where none are given")
    parser.add_argument("--data", type=Path, help="the folder of Fashion-MNIST")
    return parser


def main() -> None:
    parser = parser_of_tasks(__doc__)
    parser.add_argument("--rounds", type=at_least_one, default=3, help="runs of each library (%(default)s)")
    options = parser.parse_args()
    unknown = [name for name in options.tasks if name not in TASKS]
    if unknown:
        parser.error(f"no task is called {', '.join(unknown)}; known are {', '.join(TASKS)}")

    load = machine.load_text(machine.load_average())
    print("\n".join([machine.short(machine.describe()), *load]))
    # Fresh interpreters, one for each library, for all runs.
    context = multiprocessing.get_context("spawn")
    pools = {name: ProcessPoolExecutor(1, context) for name in CONTENDERS}
    for name in options.tasks or TASKS:
        try:
            task = TASKS[name](options.data)
        except FileNotFoundError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        measure(task, pools, options.rounds)
    for pool in pools.values():
        pool.shutdown()


if __name__ == "__main__":
    main()

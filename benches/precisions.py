"""What bfloat16 products do to the score on unseen data, and to the time: both precisions, several seeds.

    python benches/precisions.py [fashion housing] [--seeds 5] [--epochs 10] [--data FOLDER]

The tasks of `quality.py`: the same layers, batches and Adam. For each precision it prints the mean of the
scores (accuracy; RMSE in dollars), their spread over the seeds (standard deviation) and the seconds of
training; then the difference of the means beside its standard error, which is what noise alone would do. The
precisions take turns, so that a machine that slows down slows both.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from time import perf_counter

import numpy as np
from quality import TASKS, Task, parser_of_tasks
from schuss_bench.commands import at_least, at_least_one

import schuss as sc

PRECISIONS = ("float32", "bfloat16")


def run(task: Task, precision: str, seed: int) -> tuple[float, float]:
    """The score after the last epoch, and the seconds of training."""
    loss = "cross_entropy" if task.classes else "mse"
    net = sc.MLP(task.layers, loss=loss, seed=seed, precision=precision)
    start = perf_counter()
    net.fit(task.X, task.y, optimizer=sc.Adam(lr=task.lr), batch_size=task.batch, epochs=task.most_epochs)
    seconds = perf_counter() - start
    return abs(task.score(net.predict(task.X_test))), seconds


def compare(task: Task, seeds: int) -> None:
    """Run and print one task."""
    shape, digits = "-".join(map(str, task.layers)), 4 if task.classes else 0
    what = "accuracy" if task.classes else "RMSE"
    print(f"\n{task.name}: {shape}, {task.most_epochs} epochs, batches of {task.batch}, {seeds} seeds")
    print(f"{'':10}{what:>12}{'spread':>10}{'seconds':>10}")
    runs = {precision: [] for precision in PRECISIONS}
    for seed in range(seeds):
        for precision in PRECISIONS:
            runs[precision].append(run(task, precision, seed))
    scores = {precision: np.array(results)[:, 0] for precision, results in runs.items()}
    for precision, of_all in scores.items():
        seconds = np.median([seconds for _, seconds in runs[precision]])
        print(f"{precision:10}{of_all.mean():12,.{digits}f}{of_all.std(ddof=1):10,.{digits}f}{seconds:10.2f}")
    apart = scores["bfloat16"].mean() - scores["float32"].mean()
    error = np.sqrt(sum(of_all.var(ddof=1) for of_all in scores.values()) / seeds)
    print(f"{'apart':10}{apart:12,.{digits}f}   standard error {error:,.{digits}f}")


def main() -> None:
    parser = parser_of_tasks(__doc__)
    parser.add_argument("--seeds", type=at_least(2), default=5, help="at least 2 (%(default)s)")
    parser.add_argument("--epochs", type=at_least_one, default=10, help="(%(default)s)")
    options = parser.parse_args()
    unknown = [name for name in options.tasks if name not in TASKS]
    if unknown:
        parser.error(f"no task is called {', '.join(unknown)}; known are {', '.join(TASKS)}")
    for name in options.tasks or TASKS:
        try:
            task = TASKS[name](options.data)
        except FileNotFoundError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        compare(replace(task, most_epochs=options.epochs), options.seeds)


if __name__ == "__main__":
    main()

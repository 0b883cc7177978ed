"""scikit-learn's estimators and schuss's, same data, same parameters: score and seconds of `fit`.

    make estimators                          all sets, 10 seeds
    make estimators ARGS="digits adult --quick"

In turns, each library in a process of its own and after a rest (the threads of a BLAS spin on for a
while and would slow down what comes next), with a new seed each time for the split, the weights and the
order of rows: mean and standard deviation of the score on unseen rows (accuracy or R2), medians of the
seconds. The scores count as the same where their mean difference is below three standard errors.
scikit-learn's BLAS has one thread or all, whichever takes less time for the first epochs of a set.

digits, cancer, diabetes    scikit-learn's own, 3/4 of the rows to learn from, default parameters
housing                     California housing as in the examples, 20 epochs at most
adult                       Census income, one-hot columns, 10 epochs at most
fashion                     10,000 images of Fashion-MNIST, float32, 10 epochs at most

adult and Fashion-MNIST are not part of this repository: the variables ADULT and FASHION_MNIST name the
folders of their published files, and without these the sets are left out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import NamedTuple

import numpy as np
import sklearn
from numpy.typing import NDArray
from schuss_bench import machine
from schuss_bench.build import fingerprint
from schuss_bench.commands import at_least, store
from schuss_bench.openblas import limited, with_threads
from schuss_bench.timing import fastest
from sklearn import datasets, neural_network
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import schuss

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))


class Task(NamedTuple):
    """Rows to split anew with each seed, and what differs from the estimators' defaults."""

    kind: str
    X: NDArray
    y: NDArray
    train_size: float | int = 0.75
    options: dict | None = None


def folder(variable: str) -> Path:
    """Where data lies that is not part of the repository."""
    path = Path(os.environ.get(variable, ""))
    if not os.environ.get(variable) or not path.is_dir():
        raise FileNotFoundError(f"the variable {variable} must name its folder")
    return path


def bundled(load: Callable, kind: str) -> Task:
    X, y = load(return_X_y=True)
    return Task(kind, X, y if kind == "MLPClassifier" else (y - y.mean()) / y.std())


def as_numbers(table) -> NDArray:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        remainder=OneHotEncoder(sparse_output=False),
    )
    return columns.fit_transform(table)


def housing() -> Task:
    import pandas as pd
    from california_housing import HERE, TARGET

    table = pd.read_csv(HERE / "data" / "california_housing" / "housing.csv.gz")
    y = table.pop(TARGET).to_numpy()
    return Task("MLPRegressor", as_numbers(table), (y - y.mean()) / y.std(), options={"max_iter": 20})


def adult() -> Task:
    import pandas as pd

    file = folder("ADULT") / "adult.data"
    table = pd.read_csv(file, header=None, skipinitialspace=True)
    y = table.pop(14).to_numpy()
    return Task("MLPClassifier", as_numbers(table), y, options={"max_iter": 10})


def fashion() -> Task:
    import fashion_mnist

    X, y = fashion_mnist.load(folder("FASHION_MNIST"), "train")
    return Task("MLPClassifier", X[:20_000], y[:20_000], 10_000, {"max_iter": 10})


TASKS = {
    "digits": lambda: bundled(datasets.load_digits, "MLPClassifier"),
    "cancer": lambda: bundled(datasets.load_breast_cancer, "MLPClassifier"),
    "diabetes": lambda: bundled(datasets.load_diabetes, "MLPRegressor"),
    "housing": housing,
    "adult": adult,
    "fashion": fashion,
}
WIDTHS = [(64,), (256,), (256, 128)]
REST = 0.3  # seconds before each fit
LIBRARIES = {"scikit-learn": neural_network, "schuss": schuss}


def rows_of(task: Task, seed: int) -> list[NDArray]:
    """Inputs to learn from and to score on, then what they are to give."""
    X, X_test, *targets = train_test_split(task.X, task.y, train_size=task.train_size, random_state=seed)
    scaler = StandardScaler().fit(X)
    return [scaler.transform(X), scaler.transform(X_test), *targets]


def model_of(library: str, task: Task, widths: tuple[int, ...], seed: int, **others):
    warnings.simplefilter("ignore", ConvergenceWarning)
    options = (task.options or {}) | others
    return getattr(LIBRARIES[library], task.kind)(hidden_layer_sizes=widths, random_state=seed, **options)


def best_threads(task: Task, widths: tuple[int, ...]) -> int:
    """The number of BLAS threads with which scikit-learn takes less time, by its first two epochs."""
    X, _, y, _ = rows_of(task, 0)
    model = model_of("scikit-learn", task, widths, 0, max_iter=2)
    ways = {with_threads(lambda: model.fit(X, y), threads): threads for threads in machine.one_or_all()}
    return ways[fastest(list(ways))]


def one(library: str, task: Task, widths: tuple[int, ...], seed: int, threads: int) -> tuple[float, float]:
    """Score on unseen rows and seconds of one fit; so many threads are for a BLAS alone."""
    X, X_test, y, y_test = rows_of(task, seed)
    model = model_of(library, task, widths, seed)
    sleep(REST)
    with limited(threads):
        start = perf_counter()
        model.fit(X, y)
        seconds = perf_counter() - start
    return model.score(X_test, y_test), seconds


class Runs:
    """The single runs, of which a file may have some: of this machine, and of these versions."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.known = json.loads(file.read_text()) if file and file.exists() else {}
        if not isinstance(self.known, dict):
            raise ValueError("an object of fits is expected")
        context = multiprocessing.get_context("spawn")
        self.pools = {library: ProcessPoolExecutor(1, context) for library in LIBRARIES}
        self.machine = machine.short(machine.describe())
        versions = {"scikit-learn": sklearn.__version__, "schuss": fingerprint()}
        self.versions = {library: f"{library} {version}" for library, version in versions.items()}

    def of(self, library: str, what: str, work: Callable, *arguments):
        """What that library's process finds, or has found before."""
        key = f"{what}, {self.versions[library]}, {self.machine}"
        if key not in self.known:
            self.known[key] = self.pools[library].submit(work, *arguments).result()
            if self.file:
                store(self.known, self.file)
        return self.known[key]


def measured(runs: Runs, name: str, task: Task, widths: tuple[int, ...], seeds: int) -> str:
    """A line of the table."""
    label = f"{name} {'-'.join(map(str, widths))}"
    threads = runs.of("scikit-learn", f"{label}, threads", best_threads, task, widths)
    found: dict[str, list[tuple[float, float]]] = {library: [] for library in LIBRARIES}
    for seed in range(seeds):
        for library, results in found.items():
            blas = f", {threads} BLAS threads" if library == "scikit-learn" else ""
            given = library, task, widths, seed, threads
            results.append(runs.of(library, f"{label} {seed}{blas}", one, *given))
    return f"{row(label, found)}{threads:9}"


def row(name: str, runs: dict[str, list[tuple[float, float]]]) -> str:
    """One line of the table."""
    cells, seconds, scores = "", [], []
    for of_library in runs.values():
        scores.append(np.array([score for score, _ in of_library]))
        seconds.append(median(time for _, time in of_library))
        cells += f"{scores[-1].mean():9.4f} ±{scores[-1].std(ddof=1):7.4f}{seconds[-1]:8.3f}s"
    difference = scores[1] - scores[0]
    same = abs(difference.mean()) <= 3 * difference.std(ddof=1) / len(difference) ** 0.5
    verdict = "same" if same else "DIFFERS"
    return f"{name:20}{cells}{seconds[0] / seconds[1]:7.1f}x{difference.mean():+9.4f} {verdict:7}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="set", help=", ".join(TASKS))
    parser.add_argument("--quick", action="store_true", help="the same as --seeds 2")
    parser.add_argument("--seeds", type=at_least(2), default=10, help="at least 2 (%(default)s)")
    parser.add_argument(
        "--json", type=Path, help="file of the single runs; those that it has are not repeated"
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.sets if name not in TASKS]
    if unknown:
        parser.error(f"no set is called {', '.join(unknown)}; known are {', '.join(TASKS)}")
    load = machine.load_text(machine.load_average())
    try:
        runs = Runs(arguments.json)
    except (OSError, ValueError) as error:
        parser.error(f"{arguments.json} has no stored fits: {error}")
    print("\n".join([runs.machine, *load]))
    head = f"{'':20}{'scikit-learn':>27}{'schuss':>27}{'times':>8}{'difference':>12}"
    print(f"{head}{'BLAS threads':>17}")
    for name in arguments.sets or TASKS:
        try:
            task = TASKS[name]()
        except FileNotFoundError as error:
            print(f"{name:20}left out: {error}")
            continue
        for widths in WIDTHS:
            seeds = 2 if arguments.quick else arguments.seeds
            print(measured(runs, name, task, widths, seeds), flush=True)


if __name__ == "__main__":
    main()

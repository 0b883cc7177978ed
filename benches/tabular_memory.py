"""The memory of a fit of schuss's estimators for tables, beside that of the table.

    python benches/tabular_memory.py                    1,000,000 rows of 50 numbers of float32
    python benches/tabular_memory.py --rows 200000      a smaller one
    python benches/tabular_memory.py --seconds 0        as long as the estimators take by themselves
    python benches/tabular_memory.py --categories 5     so many of the columns are of 300 levels

Each fit, of the classifier and of the regressor, on an array and on a data frame of pandas, is a process of
its own. What it has at most while it fits is divided by the size of the table, which is in it already and
counts; a small fit before has brought the libraries in. Needs Linux.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import numpy as np
from schuss_bench.commands import at_least, at_least_one, not_negative
from tabular_bench import memory

KINDS, FORMS = ("classifier", "regressor"), ("array", "frame")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=at_least_one, default=1_000_000, help="(%(default)s)")
    parser.add_argument("--columns", type=at_least(2), default=50, help="(%(default)s)")
    parser.add_argument("--categories", type=at_least(0), default=0, help="of these (%(default)s)")
    parser.add_argument(
        "--seconds", type=not_negative, default=20.0, help="of each fit, 0 for no limit (%(default)s)"
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        measure(options)
        return
    if options.categories > options.columns:
        parser.error(f"--categories: {options.categories} of {options.columns} columns are too many")
    if sys.platform != "linux":
        parser.error(f"only Linux tells the peak of memory from a moment on, not {sys.platform}")
    for kind in options.kinds:
        for form in options.forms:
            chosen = ["--worker", "--kinds", kind, "--forms", form]
            if subprocess.run([sys.executable, __file__, *sys.argv[1:], *chosen]).returncode:
                sys.exit(f"{kind}, {form}: this fit has failed")


def measure(options: argparse.Namespace) -> None:
    """Fit once, and print a line."""
    (kind,), (form,) = options.kinds, options.forms
    fit(kind, *table(form, 500, 3, 1), 0)
    given = table(form, options.rows, options.columns, options.categories)
    size = 4 * options.rows * options.columns
    before = memory.resident()
    memory.forget_peak()
    model = fit(kind, *given, options.seconds)
    ratio = 1 + (memory.peak() - before) / size
    told = f"{ratio:.2f} times the table of {size / 1e6:.0f} MB, {len(model.leaderboard_)} members"
    print(f"{kind} on {options.rows:,} x {options.columns} as {form}: {told}", flush=True)


def table(form: str, rows: int, columns: int, categories: int) -> tuple:
    """Numbers of float32 with names of levels as the last columns, and what is to be predicted."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, columns), dtype=np.float32)
    for place in range(columns - categories, columns):
        X[:, place] = rng.integers(300, size=rows)
    numbers = X[:, 0] + np.sin(3 * X[:, 1]) + rng.standard_normal(rows, dtype=np.float32)
    if form == "array":
        return X, numbers, range(columns - categories, columns)
    import pandas as pd

    names = [f"x{place}" for place in range(columns)]
    return pd.DataFrame(X, columns=names), numbers, names[columns - categories :]


def fit(kind: str, X, numbers, categories, seconds: float):
    """An estimator after its fit."""
    from schuss import TabularClassifier, TabularRegressor

    options = {"random_state": 0, "max_time": seconds or None, "categorical_features": list(categories)}
    if kind == "regressor":
        return TabularRegressor(**options).fit(X, numbers)
    return TabularClassifier(**options).fit(X, (numbers > 0).astype(np.int64))


if __name__ == "__main__":
    main()

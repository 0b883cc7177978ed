"""scikit-learn's estimators and schuss's, same data, same parameters: score and seconds of `fit`.

    .venv-bench/bin/python benches/estimators.py [--quick] [digits cancer diabetes]

In turns, with a new seed each time for the split, the weights and the order of rows: mean and standard
deviation of the score on a quarter of the rows, medians of the seconds.
"""

from __future__ import annotations

import argparse
import warnings
from statistics import median
from time import perf_counter

import numpy as np
from sklearn import datasets, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import schuss

SETS = {
    "digits": (datasets.load_digits, "MLPClassifier"),
    "cancer": (datasets.load_breast_cancer, "MLPClassifier"),
    "diabetes": (datasets.load_diabetes, "MLPRegressor"),
}
WIDTHS = [(64,), (256,)]


def one(library: object, kind: str, X: np.ndarray, y: np.ndarray, widths: tuple[int, ...], seed: int):
    """Score on unseen rows and seconds of one fit."""
    X, X_test, y, y_test = train_test_split(X, y, random_state=seed)
    scaler = StandardScaler().fit(X)
    model = getattr(library, kind)(hidden_layer_sizes=widths, random_state=seed)
    X, X_test = scaler.transform(X), scaler.transform(X_test)
    start = perf_counter()
    model.fit(X, y)
    return perf_counter() - start, model.score(X_test, y_test)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="set", help=", ".join(SETS))
    parser.add_argument("--quick", action="store_true", help="2 seeds instead of 10")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"{'':24}{'scikit-learn':>26}{'schuss':>26}{'times':>8}")
    for name in arguments.sets or SETS:
        load, kind = SETS[name]
        X, y = load(return_X_y=True)
        if kind == "MLPRegressor":
            y = (y - y.mean()) / y.std()
        for widths in WIDTHS:
            rows = []
            for seed in range(2 if arguments.quick else 10):
                rows.append([one(library, kind, X, y, widths, seed) for library in (neural_network, schuss)])
            cells, seconds = "", []
            for both in zip(*rows, strict=True):
                scores = [score for _, score in both]
                seconds.append(median(time for time, _ in both))
                cells += f"{np.mean(scores):9.4f} +-{np.std(scores):7.4f}{seconds[-1]:7.3f}s"
            print(f"{name + ' ' + str(widths):24}{cells}{seconds[0] / seconds[1]:7.1f}x", flush=True)


if __name__ == "__main__":
    main()

"""schuss's estimators for tables, given the data frame as it is."""

from __future__ import annotations

import schuss
from schuss import TabularClassifier, TabularRegressor

VERSION = f"schuss {schuss.__version__}"


def make(task: str, X, seed: int, threads: int, **options):
    model = TabularRegressor if task == "regression" else TabularClassifier
    return model(random_state=seed, n_threads=threads, **options)

"""schuss's estimators for tables, given the data frame as it is."""

from __future__ import annotations

from dataclasses import replace

from schuss_bench.build import fingerprint

import schuss
from schuss import TabularClassifier, TabularRegressor
from schuss.tables import _base

VERSION, BUILD = f"schuss {schuss.__version__}", fingerprint()
DRAW, RACED = _base.draw, _base.raced


def make(task: str, X, seed: int, threads: int, *, recipe=None, tries=True, **options):
    """The estimator; in an ablation, members have what `recipe` has, and without `tries` none is tried."""
    _base.draw = (lambda *given, **facts: replace(DRAW(*given, **facts), **recipe)) if recipe else DRAW
    _base.raced = RACED if tries else lambda recipes, keep, *_: list(recipes[:keep])
    model = TabularRegressor if task == "regression" else TabularClassifier
    return model(random_state=seed, n_threads=threads, **options)

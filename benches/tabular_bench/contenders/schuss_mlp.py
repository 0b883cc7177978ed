"""schuss's MLP in a careful pipeline of one's own: standardised, one-hot, the target standardised."""

from __future__ import annotations

from schuss_bench.build import fingerprint
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import schuss

from . import frames

VERSION, BUILD = f"schuss {schuss.__version__}", fingerprint()


def make(task: str, X, seed: int, threads: int, **options):
    """`options` replace those of the network."""
    network = {
        "hidden_layer_sizes": (256, 256),
        "optimizer": schuss.AdamW(lr=1e-3),
        "dropout": 0.1,
        "early_stopping": True,
        "scoring": "loss",
        "random_state": seed,
        "n_threads": threads,
    } | options
    if task != "regression":
        return make_pipeline(frames.as_numbers(X), schuss.MLPClassifier(**network))
    model = make_pipeline(frames.as_numbers(X), schuss.MLPRegressor(**network))
    return TransformedTargetRegressor(model, transformer=StandardScaler())

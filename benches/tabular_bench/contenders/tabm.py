"""TabM with the defaults of pytabkit, on the CPU. Missing numbers are filled and marked, as for RealMLP."""

from __future__ import annotations

from importlib.metadata import version

from pytabkit import TabM_D_Classifier, TabM_D_Regressor
from sklearn.pipeline import make_pipeline

from . import frames

VERSION = f"pytabkit {version('pytabkit')}"


def make(task: str, X, seed: int, threads: int):
    model = TabM_D_Regressor if task == "regression" else TabM_D_Classifier
    return make_pipeline(
        frames.filled(X), model(device="cpu", random_state=seed, n_threads=threads, verbosity=0)
    )

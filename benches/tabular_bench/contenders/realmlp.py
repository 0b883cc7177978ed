"""RealMLP-TD-S of pytabkit, on the CPU. It refuses missing numbers: they are filled and marked."""

from __future__ import annotations

from importlib.metadata import version

from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor
from sklearn.pipeline import make_pipeline

from . import frames

VERSION = f"pytabkit {version('pytabkit')}"


def make(task: str, X, seed: int, threads: int):
    model = RealMLP_TD_S_Regressor if task == "regression" else RealMLP_TD_S_Classifier
    return make_pipeline(
        frames.filled(X), model(device="cpu", random_state=seed, n_threads=threads, verbosity=0)
    )

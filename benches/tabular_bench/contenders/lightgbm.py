"""LightGBM with its defaults, told which columns are categories."""

from __future__ import annotations

import lightgbm
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from . import frames

VERSION = f"LightGBM {lightgbm.__version__}"


def as_categories(X: pd.DataFrame) -> pd.DataFrame:
    """Text as pandas' categories, and names without the brackets and colons that it refuses."""
    X = frames.with_days(X).astype(dict.fromkeys(frames.text_columns(X), "category"))
    return X.set_axis([f"x{i}" for i in range(X.shape[1])], axis="columns")


def make(task: str, X, seed: int, threads: int):
    model = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
    return make_pipeline(
        FunctionTransformer(as_categories), model(random_state=seed, n_jobs=threads, verbose=-1)
    )

"""CatBoost with its defaults, told which columns are categories."""

from __future__ import annotations

import catboost
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from . import frames

VERSION = f"CatBoost {catboost.__version__}"


def make(task: str, X, seed: int, threads: int):
    model = catboost.CatBoostRegressor if task == "regression" else catboost.CatBoostClassifier
    return make_pipeline(
        FunctionTransformer(frames.with_filled_text),
        model(
            cat_features=frames.text_columns(X),
            random_seed=seed,
            thread_count=threads,
            verbose=False,
            allow_writing_files=False,
        ),
    )

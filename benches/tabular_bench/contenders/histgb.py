"""scikit-learn's gradient boosting with its defaults, told which columns are categories.

It takes 255 values of a category at most: of more, the rarest are one.
"""

from __future__ import annotations

import numpy as np
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from . import frames

VERSION = f"scikit-learn {sklearn.__version__}"


def make(task: str, X, seed: int, threads: int):
    """The number of threads is OpenMP's, which the process was started with."""
    text = frames.text_columns(X)
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=254)
    model = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    return make_pipeline(
        FunctionTransformer(frames.with_days),
        ColumnTransformer([("text", codes, text)], remainder="passthrough"),
        model(categorical_features=range(len(text)), random_state=seed),
    )

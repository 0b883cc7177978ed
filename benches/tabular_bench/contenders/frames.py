"""What a careful user does to a data frame before a library that cannot do it itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler


def text_columns(X: pd.DataFrame) -> list[str]:
    """The columns that are neither numbers nor dates."""
    kinds = pd.api.types
    return [
        name
        for name in X
        if not kinds.is_datetime64_any_dtype(X[name])
        and (kinds.is_bool_dtype(X[name]) or not kinds.is_numeric_dtype(X[name]))
    ]


def with_days(X: pd.DataFrame) -> pd.DataFrame:
    """Dates as days since 1970."""
    dates = X.select_dtypes("datetime")
    days = {name: (dates[name] - pd.Timestamp(0)) / pd.Timedelta(days=1) for name in dates}
    return X.assign(**days)


def with_filled_text(X: pd.DataFrame) -> pd.DataFrame:
    """Missing text as a category of its own."""
    X, text = with_days(X), text_columns(X)
    return X.assign(**{name: X[name].astype(object).fillna("missing").astype(str) for name in text})


def with_filled_numbers(X: pd.DataFrame, medians: pd.Series, gaps: list[str]) -> pd.DataFrame:
    """Missing numbers as the median; a column for each of `gaps` says where."""
    X = with_filled_text(X)
    marks = {f"{name} missing": X[name].isna().astype(float) for name in gaps}
    return X.fillna(dict(medians)).assign(**marks)


def filled(X: pd.DataFrame) -> FunctionTransformer:
    """For libraries that take text but no missing numbers; medians and gaps are those of `X`."""
    numbers = with_days(X).drop(columns=text_columns(X))
    gaps = [name for name in numbers if numbers[name].isna().any()]
    return FunctionTransformer(with_filled_numbers, kw_args={"medians": numbers.median(), "gaps": gaps})


def as_numbers(X: pd.DataFrame) -> Pipeline:
    """For networks: numbers standardised, missing ones filled and marked, categories one-hot."""
    text = text_columns(X)
    numbers = [name for name in X if name not in text]
    columns = ColumnTransformer(
        [
            (
                "numbers",
                make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
                numbers,
            ),
            ("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32), text),
        ]
    )
    return make_pipeline(FunctionTransformer(with_days), columns)

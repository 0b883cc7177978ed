"""Tables as the ONNX model of an estimator takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import shown


def onnx_inputs(model: Any, X: Any) -> dict[str, NDArray[Any]]:
    """A table as the inputs of the model that `to_onnx` makes of an estimator for tables.

    Parameters
    ----------
    model : TabularClassifier or TabularRegressor
        The fitted estimator.
    X : data frame, Arrow table, array or list of rows, of shape (n_samples, n_features)
        What its `predict` takes.

    Returns
    -------
    dict of str to ndarray
        A vector for each column that the estimator has not dropped: ``session.run(None, onnx_inputs(model,
        X))``. It is also what to compare with where the columns come from elsewhere.

    Raises
    ------
    TypeError, ValueError
        If the model is none of these or not fitted, or as `predict` raises them.
    """
    if not hasattr(model, "ensemble_"):
        raise TypeError(
            f"model must be a fitted TabularClassifier or TabularRegressor, got {shown(model)}; "
            "other models take X as one array of float32"
        )
    from ..tables._reading import read_table
    from ._onnx_columns import input_names, output_names

    table = read_table(X)
    columns = model.encoder_.matched(table)
    names = input_names(model.encoder_, output_names(model))
    return {
        names[feature.place]: _values(feature, columns[feature.place], table.n_rows)
        for feature in model.encoder_.features
    }


def _is_broken(text: str | None) -> bool:
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        return True
    return False


def _values(feature: Any, column: Any, n_rows: int) -> NDArray[Any]:
    from ..tables._categories import plain
    from ..tables._dates import moments_of
    from ..tables._values import key_of
    from ._onnx_columns import text_of_missing, text_of_unseen

    values = column.read(0, n_rows)
    if feature.kind == "category":
        texts = [key_of(value, feature.has_zones) for value in plain(values, feature.has_zones)]
        missing, other = text_of_missing(feature), text_of_unseen(feature)
        # A text that stands for a missing value elsewhere is none here: it is one that was never seen.
        written = {None: missing, missing: other}
        # So is one that ONNX cannot have: of bytes that are not UTF-8.
        written |= dict.fromkeys(filter(_is_broken, texts), other)
        return np.array([written.get(text, text) for text in texts], dtype=object)
    if feature.kind == "number":
        return np.asarray(feature.numbers(values, column.name))
    moments = moments_of(values, column.name, feature.day_first, feature.zone)
    return np.asarray((moments - np.datetime64(0, "us")) / np.timedelta64(1, "s"))

"""Whether numbers are of a size that a network can learn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._warn import warn

# Weights start at about 1 and move by about the learning rate a step: further than this they do not come.
LARGE = 1e3
# Rows that are looked at.
ROWS = 1000

HINT_X = "scale X, with sklearn.preprocessing.StandardScaler or (X - X.mean(axis=0)) / X.std(axis=0)"
HINT_Y = "scale y, with sklearn.compose.TransformedTargetRegressor or (y - y.mean()) / y.std()"


def warn_of_scale(x: Any, targets: Any | None, names: Sequence[int] = ()) -> None:
    """Warn of inputs, or targets, that are so large that a training cannot work, and name the remedy.

    Parameters
    ----------
    x : ndarray, Sparse or SciPy sparse matrix
        The inputs.
    targets : ndarray or None
        The targets, where the outputs are to come near them as they are.
    names : sequence of int
        Columns of `x` whose numbers are names.
    """
    with np.errstate(all="ignore"):
        found = [
            _of_columns("X", x, HINT_X, names),
            None if targets is None else _of_columns("y", targets, HINT_Y),
        ]
    for message in filter(None, found):
        warn(message)


def _of_columns(name: str, numbers: Any, hint: str, names: Sequence[int] = ()) -> str | None:
    if hasattr(numbers, "indptr"):  # the numbers that are there, as one column
        numbers = numbers.data
    if not numbers.size:
        return None
    some = numbers[:: max(len(numbers) // ROWS, 1)]
    some = some.reshape(len(some), -1).astype(np.float64)
    sizes = np.sqrt(np.mean(some**2, axis=0))
    sizes = np.where(np.isfinite(sizes), sizes, 0.0)
    sizes[[name for name in names if name < sizes.size]] = 0.0
    column = int(sizes.argmax())
    if sizes[column] < LARGE:
        return None
    where = name if sizes.size == 1 else f"column {column} of {name}"
    mean, std = some[:, column].mean(), some[:, column].std()
    size = f"a mean of {mean:.3g} and a standard deviation of {std:.3g}"
    return f"{where} has {size}, which a network hardly learns: {hint}"

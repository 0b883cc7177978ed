"""Numbers of other programs, looked at before anything is changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._checks import shown

Array = NDArray[Any]

# What kinds of dtypes are, in words.
_WORDS = {"f": "floating-point numbers", "fc": "floating-point or complex numbers", "fiu": "real numbers"}


def numbers_of(place: str, value: Any, kinds: str = "f") -> Array:
    """An array of finite floating-point numbers, from an array or a tensor on the CPU.

    `kinds` are those of the dtypes that are accepted: "f" for floating-point numbers, "fc" for complex ones
    as well, "fiu" for integers.
    """
    arrays = value if isinstance(value, list | tuple) else (value,)
    if any(isinstance(each, np.ma.MaskedArray) for each in arrays):
        raise TypeError(f"{place} must be an array without a mask, got a masked array")
    if hasattr(value, "detach"):  # a parameter of torch that requires gradients is no array yet
        value = value.detach()
    try:
        array = np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    except Exception as error:  # whatever a foreign object raises
        expected = "an array or a tensor on the CPU"
        raise TypeError(f"{place} must be {expected}, got {shown(value)}: {error}") from error
    if array.dtype.kind not in kinds:
        got = f"dtype {array.dtype}" if isinstance(value, np.ndarray) else shown(value)
        raise TypeError(f"{place} must be an array of {_WORDS[kinds]}, got {got}")
    if not np.isfinite(array).all():
        raise ValueError(f"{place} must be finite, got NaN or infinity")
    return array


def converted(place: str, array: Array, dtype: np.dtype[Any]) -> Array:
    """The numbers in another precision, which must have them."""
    with np.errstate(over="ignore"):
        new = array.astype(dtype)
    if not np.isfinite(new).all():
        raise ValueError(f"{place} must fit into {dtype}, got {np.abs(array).max()}")
    return new

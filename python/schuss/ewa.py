"""The exponentially weighted average of a series."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _schuss
from ._arrays import numbers
from ._checks import check_flag, check_number

__all__ = ["ewa"]


def ewa(series: ArrayLike, beta: float = 0.9, bias_correction: bool = False) -> NDArray[np.float64]:
    """Exponentially weighted average of a series.

    ``V_t = beta * V_(t-1) + (1 - beta) * theta_t`` with ``V_0 = 0``; with `bias_correction` divided by
    ``1 - beta**t``. The average is over about ``1 / (1 - beta)`` values: momentum and Adam's moments are such
    averages of gradients.

    Parameters
    ----------
    series : array_like of float
        theta_1, theta_2, ...: one dimension, in any unit.
    beta : float, default 0.9
        Weight of the past, in [0, 1).
    bias_correction : bool, default False
        Correct the first averages for having started at zero.

    Returns
    -------
    ndarray of float64
        V_1, V_2, ..., in the unit of `series`.

    Raises
    ------
    TypeError, ValueError
        If `series` is not numbers in one dimension, `beta` not in [0, 1), or `bias_correction` not True or
        False.

    Examples
    --------
    >>> ewa([10.0, 10.0, 10.0])
    array([1.  , 1.9 , 2.71])
    >>> ewa([10.0, 10.0, 10.0], bias_correction=True)
    array([10., 10., 10.])
    """
    averages = np.array(numbers("series", series, np.dtype(np.float64)))
    if np.ndim(series) != 1:
        raise ValueError(f"series must have one dimension, got shape {np.shape(series)}")
    _schuss.ewa_in_place(averages, check_number("beta", beta), check_flag("bias_correction", bias_correction))
    return averages

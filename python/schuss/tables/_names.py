"""Names of columns at fit and at predict, by scikit-learn's rules and in its words, for any table."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def argument(name: str) -> Iterator[None]:
    """Errors of what is read within say of which argument it is."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{name}: {error}") from error


def check_names(estimator: str, fitted: Sequence[str] | None, given: Sequence[str] | None) -> None:
    """Refuse names in another order, and warn where only one of the two tables had any.

    That the names are the same ones has been checked where columns were found by them.
    """
    if fitted is None and given is not None:
        said = f"X has feature names, but {estimator} was fitted without feature names"
        warnings.warn(said, UserWarning, stacklevel=4)
    elif fitted is not None and given is None:
        said = f"X does not have valid feature names, but {estimator} was fitted with feature names"
        warnings.warn(said, UserWarning, stacklevel=4)
    elif fitted != given:
        raise ValueError(
            "The feature names should match those that were passed during fit.\n"
            "Feature names must be in the same order as they were in fit.\n"
        )

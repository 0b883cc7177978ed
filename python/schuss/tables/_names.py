"""What columns are called at fit and at predict, by scikit-learn's rules and in its words, for any table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .._warn import warn
from ._values import family, key_of, text_of

MATCH = "The feature names should match those that were passed during fit."


@contextmanager
def argument(name: str) -> Iterator[None]:
    """Errors of what is read within say of which argument it is."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{name}: {error}") from error


@lru_cache(maxsize=10_000, typed=True)
def called(label: Any) -> str:
    """A label of a column as text: a string itself, and what is none the same in every type and in a file."""
    if isinstance(label, str):
        return text_of(label)
    if isinstance(label, tuple):
        parts = (repr(text_of(each)) if isinstance(each, str) else called(each) for each in label)
        return f"({', '.join(parts)})"
    key = None if family(type(label)) is None else key_of(label)
    return str(label) if key is None else key


class Headings(NamedTuple):
    """What the columns of a table are called.

    Attributes
    ----------
    names : list of str or None
        Where all are strings.
    labels : list of str or None
        Else the labels of a frame or a mapping as texts, empty for an array. None where there are names, and
        where old files do not say.
    """

    names: list[str] | None
    labels: list[str] | None

    @property
    def texts(self) -> list[str] | None:
        """One or the other."""
        return self.labels if self.names is None else self.names

    @property
    def are_places(self) -> bool:
        """Whether nobody has named them: an array, or a frame of 0, 1, ..."""
        return self.names is None and self.labels == [str(place) for place in range(len(self.labels or []))]


def headings_of(labels: Sequence[Any]) -> Headings:
    """The headings of columns with these labels."""
    texts = [called(label) for label in labels]
    return Headings(texts, None) if all(isinstance(label, str) for label in labels) else Headings(None, texts)


def paired(fitted: Headings, given: Headings, count: int) -> tuple[list[str], list[str]] | None:
    """What both tables call their columns, where these are found by it; None where they are by their places.

    Names that are not those of `fit` are refused; their order is free.
    """
    own, got = fitted.texts, given.texts
    if own is None or not got:
        return None
    own = own or [str(place) for place in range(count)]
    if sorted(own) != sorted(got):
        unnamed = given.are_places and (fitted.names is not None or fitted.are_places)
        if unnamed or fitted.labels == [] or (fitted.are_places and given.names is not None):
            return None
        check_same(own, got)
    return own, got


def check_same(expected: Sequence[str], got: Sequence[str]) -> None:
    """Refuse names that are not those of `fit`, in scikit-learn's words."""
    unseen = sorted(set(got) - set(expected))
    lost = sorted(set(expected) - set(got))
    if not unseen and not lost:
        return
    lines = [MATCH]
    for head, names in (
        ("Feature names unseen at fit time:", unseen),
        ("Feature names seen at fit time, yet now missing:", lost),
    ):
        if names:
            lines += [head, *(f"- {name}" for name in names[:5]), *(["- ..."] if len(names) > 5 else [])]
    raise ValueError("\n".join(lines) + "\n")


def check_names(estimator: str, fitted: Headings, given: Headings, count: int, any_order: bool) -> None:
    """Refuse names that are others or in another order, and warn where only one of the two tables had any."""
    pair = paired(fitted, given, count)
    # Labels of a mapping say what its values are, as names do.
    says = given.names is not None or (any_order and fitted.labels is not None and not given.are_places)
    if pair is not None:
        if pair[0] != pair[1] and not any_order:
            raise ValueError(f"{MATCH}\nFeature names must be in the same order as they were in fit.\n")
    elif fitted.names is None and says:
        said = f"X has feature names, but {estimator} was fitted without feature names"
        warn(said)
    elif fitted.names is not None and given.names is None:
        said = f"X does not have valid feature names, but {estimator} was fitted with feature names"
        warn(said)


# Rows


def has_names(row: Any) -> bool:
    """Whether a row has its values by name: mappings, and what a data frame or a database gives for one."""
    return isinstance(row, Mapping) or (hasattr(row, "keys") and getattr(row, "ndim", 1) == 1)


def in_order(row: Any, fitted: Headings, count: int) -> list[Any]:
    """The values of a row with names, where the columns of `fit` had none that are strings."""
    values = list(row.values() if isinstance(row, Mapping) else row)
    given = headings_of(list(row.keys()))
    pair = paired(fitted, given, count)
    if pair is None:
        if fitted.labels is not None and not given.are_places:
            said = "a row has names, but the table of fit had none: its values are taken in their order"
            warn(said)
        return values
    of = dict(zip(pair[1], values, strict=True))
    return [of[name] for name in pair[0]]


def by_fields(row: Any, names: Sequence[str]) -> Any:
    """The values of a record of NumPy or of a named tuple in the order of these names."""
    if isinstance(row, np.void) and row.dtype.names is not None:
        check_same(names, row.dtype.names)
        return [row[name] for name in names]
    fields = getattr(row, "_fields", None) if isinstance(row, tuple) else None
    if fields is None:
        return row
    of = dict(zip(fields, row, strict=True))
    if of.keys() >= set(names):
        return [of[name] for name in names]
    # pandas calls columns _1, _2, ... by their places where their names are none of Python.
    if len(of) == len(names) and any(
        field in names and names.index(field) != place for place, field in enumerate(fields)
    ):
        check_same(names, fields)
    return row

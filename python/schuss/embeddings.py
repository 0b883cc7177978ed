"""What a network makes of single columns before its first layer.

A column is a number or a category. A number as it is lets the first layer bend the function only where its
units do; `Periodic` gives it waves of many lengths besides, with which irregular functions of one column
are learnt in few epochs. A category is a number that says which: `Category` gives each level a few numbers
of its own, which are learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ._checks import check_count, check_number, check_sequence, shown

__all__ = ["Category", "Periodic"]


@dataclass(frozen=True)
class Periodic:
    """Waves of numbers: each column is kept, and joined by a few weighted sums of its own waves.

    Of a number x come ``[x, W h + c]`` with ``h = cos(2 pi f x + p)``: frequencies f, phases p, weights W
    and biases c of each column are its own, and are learnt.

    Parameters
    ----------
    columns : sequence of int
        The columns of X, standardised or the like.
    frequencies : int, default 16
        Waves of each column.
    width : int, default 3
        Sums of each column, beside the column itself.
    sigma : float, default 0.1
        The deviation of the initial frequencies, in periods in a unit of X: the larger, the more irregular
        are the functions that are learnt first. It is the parameter to tune, from 0.01 to 10.

    Notes
    -----
    It is the PBLD embedding of D. Holzmueller, L. Grinsztajn and I. Steinwart, "Better by Default", NeurIPS
    2024, arXiv:2407.04491, without an activation; after Y. Gorishniy, I. Rubachev and A. Babenko, "On
    Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022. Initial frequencies are
    normal, phases uniform from -pi to pi, weights and biases uniform up to ``1 / sqrt(frequencies)``.

    Its tensors are called ``"input.0.frequency"`` and ``"input.0.phase"``, of shape (columns, frequencies),
    ``"input.0.weight"``, of shape (columns * width, frequencies), and ``"input.0.bias"``; 0 is the place of
    the embedding among those of the network.
    """

    columns: Sequence[int]
    frequencies: int = 16
    width: int = 3
    sigma: float = 0.1

    def __post_init__(self) -> None:
        columns = check_sequence("columns", self.columns, "integers, numbers of columns")
        self._set("columns", tuple(check_count("columns", column, least=0) for column in columns))
        if not self.columns:
            raise ValueError("columns must be at least one column, got none")
        self._set("frequencies", check_count("frequencies", self.frequencies))
        self._set("width", check_count("width", self.width))
        self._set("sigma", check_number("sigma", self.sigma, above=0))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def _core(self) -> tuple[Any, ...]:
        return list(self.columns), self.frequencies, self.width, self.sigma


@dataclass(frozen=True)
class Category:
    """A table with a row for each level of a category.

    Parameters
    ----------
    column : int
        The column of X, with whole numbers from 0 to ``levels - 1``.
    levels : int
        How many levels there are, up to 2**24.
    width : int, default 8
        Numbers of each level.

    Notes
    -----
    C. Guo and F. Berkhahn, "Entity Embeddings of Categorical Variables", 2016, arXiv:1604.06737. Initial
    values are normal with deviation 1. The tensor is called ``"input.0.table"``, of shape (levels, width);
    0 is the place of the embedding among those of the network.
    """

    column: int
    levels: int
    width: int = 8

    def __post_init__(self) -> None:
        for name, least in (("column", 0), ("levels", 1), ("width", 1)):
            object.__setattr__(self, name, check_count(name, getattr(self, name), least=least))

    @property
    def _core(self) -> tuple[Any, ...]:
        return self.column, self.levels, self.width


Embedding = Periodic | Category
_KINDS: dict[str, type[Periodic | Category]] = {"periodic": Periodic, "category": Category}


def embeddings_of(given: Any) -> tuple[Embedding, ...]:
    """The embeddings of a network; the core knows which columns there are."""
    if isinstance(given, Embedding):
        given = (given,)
    found = check_sequence("embeddings", given, "schuss.embeddings.Periodic or Category")
    for each in found:
        if not isinstance(each, Embedding):
            raise TypeError(
                f"embeddings must be of schuss.embeddings.Periodic or Category, got {shown(each)}"
            )
    return tuple(found)


def plain(embeddings: Sequence[Embedding]) -> list[dict[str, Any]]:
    """Embeddings as JSON may have them."""
    names = {kind: name for name, kind in _KINDS.items()}
    return [
        {"kind": names[type(each)]} | {name: _listed(value) for name, value in asdict(each).items()}
        for each in embeddings
    ]


def rebuilt(given: Sequence[dict[str, Any]]) -> tuple[Embedding, ...]:
    """The embeddings that `plain` has made data of."""
    return tuple(_KINDS[each["kind"]](**{k: v for k, v in each.items() if k != "kind"}) for each in given)


def categories(embeddings: Sequence[Embedding]) -> list[int]:
    """The columns whose numbers are names."""
    return [each.column for each in embeddings if isinstance(each, Category)]


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

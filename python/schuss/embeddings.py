"""What a network makes of single columns before its first layer.

A column is a number or a category. A number as it is lets the first layer bend the function only where its
units do; `Periodic` gives it waves of many lengths besides, with which irregular functions of one column
are learnt in few epochs, and `PiecewiseLinear` functions that bend where the data has its quantiles. A
category is a number that says which: `Category` gives each level a few numbers of its own, which are learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._arrays import numbers
from ._checks import check_count, check_number, check_sequence, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self

__all__ = ["Category", "Periodic", "PiecewiseLinear"]

# Of so many periods in a unit, float32 tells none from the next.
_MOST_SIGMA = 1e8


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

    Raises
    ------
    TypeError, ValueError
        If `columns` are no numbers of columns, or none, `frequencies` or `width` no integer of at least 1, or
        `sigma` not positive, or above 1e8.

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
        _set(self, "columns", _columns_of(self.columns))
        _set(self, "frequencies", check_count("frequencies", self.frequencies))
        _set(self, "width", check_count("width", self.width))
        _set(self, "sigma", check_number("sigma", self.sigma, above=0))
        if self.sigma > _MOST_SIGMA:
            raise ValueError(f"sigma must be at most {_MOST_SIGMA}, got {shown(self.sigma)}")

    @property
    def _core(self) -> tuple[Any, ...]:
        return list(self.columns), self.frequencies, self.width, self.sigma


@dataclass(frozen=True, repr=False)
class PiecewiseLinear:
    """Broken lines of numbers: each column is kept, and joined by a few functions that bend at given edges.

    Of a number x come ``[x, W u + c]``, where u says how far x has come through each bin of its column:
    ``u[j] = clip((x - e[j]) / (e[j + 1] - e[j]), 0, 1)``, but without an end below the first edge and above
    the last one. So u is 1 for all bins below x, 0 for all above it, and a share for its own; weights W and
    biases c are learnt, the edges e stay.

    Parameters
    ----------
    columns : sequence of int
        The columns of X.
    edges : sequence of sequences of float
        Of each of these columns the edges of its bins, at least two in increasing order; quantiles of the
        data as a rule, see `from_quantiles`.
    width : int, default 3
        Functions of each column, beside the column itself.

    Raises
    ------
    TypeError, ValueError
        If `columns` are no numbers of columns, or none, `edges` are not of as many columns, or those of one
        are not at least two numbers, finite and increasing, as float32 too; if `width` is no integer of at
        least 1.

    Notes
    -----
    It is the piecewise linear encoding of Y. Gorishniy, I. Rubachev and A. Babenko, "On Embeddings for
    Numerical Features in Tabular Deep Learning", NeurIPS 2022, arXiv:2203.05556, with weights and biases that
    start at 0, as in their later work: a network starts with its columns as they are, and bends from there.

    Its tensors are called ``"input.0.weight"``, of shape (width, bins of all columns, one column's after the
    other's), and ``"input.0.bias"``, of shape (columns * width,); 0 is the place of the embedding among those
    of the network. A weight is how much a function rises from one edge to the next.
    """

    columns: Sequence[int]
    edges: Sequence[Sequence[float]]
    width: int = 3

    def __post_init__(self) -> None:
        _set(self, "columns", _columns_of(self.columns))
        given = check_sequence("edges", self.edges, "sequences of numbers, one for each column")
        if len(given) != len(self.columns):
            raise ValueError(
                f"edges must be of {len(self.columns)} columns, as columns are, got those of {len(given)}"
            )
        of_columns = zip(self.columns, given, strict=True)
        _set(self, "edges", tuple(_edges_of(column, edges) for column, edges in of_columns))
        _set(self, "width", check_count("width", self.width))

    def __repr__(self) -> str:
        bins = ", ".join(f"{len(edges) - 1} from {edges[0]:.4g} to {edges[-1]:.4g}" for edges in self.edges)
        return f"PiecewiseLinear(columns={self.columns}, bins=({bins}), width={self.width})"

    @classmethod
    def from_quantiles(cls, X: ArrayLike, columns: Sequence[int], *, bins: int = 48, width: int = 3) -> Self:
        """With edges that cut the rows of each column into bins of about as many rows.

        Parameters
        ----------
        X : array of shape (n_samples, n_inputs)
            The rows to learn from. Numbers that are missing or infinite are left out.
        columns : sequence of int
            The columns.
        bins : int, default 48
            The most bins of a column. Where one value is many rows, several quantiles are the same, and there
            are fewer.
        width : int, default 3
            Functions of each column.

        Returns
        -------
        PiecewiseLinear
            Its edges are quantiles, interpolated linearly and rounded to float32.

        Raises
        ------
        TypeError, ValueError
            If `X` is no array of two axes of real numbers, has not these columns, or one of them has fewer
            than two values; if `bins` or `width` is no integer of at least 1.

        Examples
        --------
        >>> import numpy as np
        >>> from schuss.embeddings import PiecewiseLinear
        >>> X = np.array([[0.0], [0.0], [1.0], [2.0], [4.0]])
        >>> PiecewiseLinear.from_quantiles(X, [0], bins=4).edges
        ((0.0, 1.0, 2.0, 4.0),)
        """
        x = numbers("X", X, np.dtype(np.float64))
        if x.ndim != 2:
            raise ValueError(f"X must be of shape (n_samples, n_inputs), got {x.shape}")
        columns = _columns_of(columns)
        shares = np.linspace(0, 1, check_count("bins", bins) + 1)
        edges = []
        for column in columns:
            if column >= x.shape[1]:
                raise ValueError(f"columns must be below {x.shape[1]}, the columns of X, got {column}")
            values = x[np.isfinite(x[:, column]), column]
            if not values.size or values.min() == values.max():
                raise ValueError(
                    f"X must have at least two values in column {column}, got {np.unique(values).size}"
                )
            edges.append(np.unique(np.quantile(values, shares).astype(np.float32)).tolist())
        return cls(columns, edges, width)

    @property
    def _core(self) -> tuple[Any, ...]:
        return list(self.columns), [list(edges) for edges in self.edges], self.width


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

    Raises
    ------
    TypeError, ValueError
        If `column` is no number of a column, or `levels` or `width` no integer of at least 1; by `schuss.MLP`
        where it has not so many columns, or there are too many levels.

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


Embedding = Periodic | PiecewiseLinear | Category
_KINDS: dict[str, type[Embedding]] = {
    "periodic": Periodic,
    "piecewise_linear": PiecewiseLinear,
    "category": Category,
}
_EXPECTED = "of schuss.embeddings.Periodic, PiecewiseLinear or Category"


def embeddings_of(given: Any) -> tuple[Embedding, ...]:
    """The embeddings of a network; the core knows which columns there are."""
    if isinstance(given, Embedding):
        given = (given,)
    found = check_sequence("embeddings", given, _EXPECTED.removeprefix("of "))
    for each in found:
        if not isinstance(each, Embedding):
            raise TypeError(f"embeddings must be {_EXPECTED}, got {shown(each)}")
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


def levels(embeddings: Sequence[Embedding]) -> tuple[tuple[int, int], ...]:
    """The columns whose numbers are names, each with how many there are."""
    return tuple((each.column, each.levels) for each in embeddings if isinstance(each, Category))


def categories(embeddings: Sequence[Embedding]) -> list[int]:
    """Those columns alone."""
    return [column for column, _ in levels(embeddings)]


def edges(embeddings: Sequence[Embedding]) -> list[NDArray[np.float64]]:
    """The edges of all columns that have bins."""
    return [np.array(of) for each in embeddings if isinstance(each, PiecewiseLinear) for of in each.edges]


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _set(embedding: Any, name: str, value: Any) -> None:
    object.__setattr__(embedding, name, value)


def _columns_of(given: Any) -> tuple[int, ...]:
    """Numbers of columns, at least one."""
    columns = check_sequence("columns", given, "integers, numbers of columns")
    if not columns:
        raise ValueError("columns must be at least one column, got none")
    return tuple(check_count("columns", column, least=0) for column in columns)


def _edges_of(column: int, given: Any) -> tuple[float, ...]:
    """The edges of a column's bins: of a network in float32, too, each bin has numbers in it."""
    edges = numbers("edges", given, np.dtype(np.float64))
    if edges.ndim != 1 or edges.size < 2:
        raise ValueError(
            f"edges must be at least 2 numbers for each column, got shape {edges.shape} for column {column}"
        )
    with np.errstate(all="ignore"):
        widths = np.diff(edges.astype(np.float32))
    good = np.isfinite(widths) & (widths >= np.finfo(np.float32).tiny)
    if not good.all():
        at = int(np.argmin(good))
        raise ValueError(
            "edges must be finite and increasing, as float32 too, "
            f"got {edges[at]} before {edges[at + 1]} for column {column}"
        )
    return tuple(edges.tolist())

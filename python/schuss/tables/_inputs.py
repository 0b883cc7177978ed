"""From an encoded table to what a network takes: numbers in its range, target means, indicators, codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import shown
from .._workers import each_of
from ._encoder import TableEncoder
from ._scaling import BLOCK, MOST_ROWS, Quantiles, blocks_of, smooth_clip, spread_over
from ._screening import parts_of, rows_to_ask, telling
from ._target_means import TargetMeans

Array = NDArray[Any]
Floats32 = NDArray[np.float32]

# Fewer levels than this are learnt well enough from their rows: their means tell nothing new.
MANY_LEVELS = 9
# Rows that are worth a thread's turn.
LEAST_BLOCK = 1024


class Inputs:
    """What the rows that are learnt from say of the columns, for one fold.

    Parameters
    ----------
    encoder : TableEncoder
        What has made the encoded table.
    scaling : {"clip", "quantile", "screened"}
        What numbers are given after their robust scale; "screened" is "quantile", of those columns alone that
        `screen` leaves.

    Attributes
    ----------
    values, plain, codes : ndarray of int
        The encoded columns that are numbers on a scale, indicators, and codes of categories.
    levels : tuple of int
        Codes of each category.
    many : list of int
        The places among them of those with means of the target.
    encoded : int
        How many columns the encoder makes.
    """

    def __init__(self, encoder: TableEncoder, scaling: str) -> None:
        self._roles = np.array(encoder.roles)
        self._sizes = dict(
            zip(np.flatnonzero(self._roles == "category"), encoder.category_sizes, strict=True)
        )
        self.scaling, self.encoded = scaling, len(self._roles)
        self.quantiles: Quantiles | None = None
        self.means: TargetMeans | None = None
        self._take(np.arange(self.encoded))

    def _take(self, columns: Array) -> None:
        self.values, self.plain, self.codes = (columns[np.isin(columns, each)] for each in self._of_kinds())
        self.levels = tuple(self._sizes[column] for column in self.codes.tolist())
        self.many = [place for place, size in enumerate(self.levels) if size > MANY_LEVELS]

    def _of_kinds(self) -> tuple[Array, Array, Array]:
        """All encoded columns that are numbers on a scale, indicators, and codes."""
        kinds = ("value",), ("missing", "apart"), ("category",)
        values, plain, codes = (np.flatnonzero(np.isin(self._roles, each)) for each in kinds)
        return values, plain, codes

    @property
    def places(self) -> tuple[Array, Array, Array]:
        """Which of all numbers, of all indicators and of all codes are taken."""
        taken = self.values, self.plain, self.codes
        values, plain, codes = (np.searchsorted(*each) for each in zip(self._of_kinds(), taken, strict=True))
        return values, plain, codes

    @property
    def is_whole(self) -> bool:
        """Whether all columns are taken."""
        return len(self.values) + len(self.plain) + len(self.codes) == self.encoded

    def screen(
        self,
        x: Floats32,
        rows: Array,
        y: Array,
        n_classes: int | None,
        weights: Array | None,
        copies: Array | None,
    ) -> None:
        """Leave out the columns that tell nothing of the target by themselves; all stay where none tells.

        What columns tell together only, this misses: it is for some members of an ensemble.
        """
        asked = rows_to_ask(len(rows), copies)
        x, y = x[rows[asked]], y[asked]
        columns = [
            x[:, column].astype(np.intp) if role == "category" else parts_of(x[:, column])
            for column, role in enumerate(self._roles)
        ]
        kept = telling(columns, y, n_classes, None if weights is None else weights[asked])
        if kept.any():
            self._take(np.flatnonzero(kept))

    def fit(
        self,
        x: Floats32,
        rows: Array,
        y: Array,
        n_classes: int | None,
        weights: Array | None,
        copies: Array | None,
        seed: int,
    ) -> None:
        """Learn from some rows of an encoded table, whose targets, weights and numbers of copies are given.

        The means of the target for these rows, each made without the row's own, are written behind the
        encoded columns, where `transform` finds them.
        """
        if self.scaling != "clip" and len(self.values):
            some = rows[spread_over(len(rows), MOST_ROWS)]
            self.quantiles = Quantiles.of_columns(x[some, column] for column in self.values)
        if not self.many or len(rows if copies is None else np.unique(copies)) < 2:
            return
        self.means = TargetMeans([self.levels[place] for place in self.many], seed=seed)
        codes = (x[rows, column] for column in self.codes[self.many])
        place = self.encoded
        for means in self.means.fit_columns(codes, y, n_classes, weights, copies):
            x[rows, place : place + means.shape[1]] = means
            place += means.shape[1]

    def transform(
        self,
        x: Floats32,
        rows: Array | None = None,
        out: Floats32 | None = None,
        learnt: bool = False,
        threads: int = 1,
    ) -> Floats32:
        """The inputs of an encoded table, or of some of its rows; those that are `learnt` from are told.

        They are the same to the bit for any number of threads.

        `out` may have the memory of the first rows of `x`, where `rows` ascend: what is written is behind
        what is read.
        """
        rows = np.arange(len(x)) if rows is None else rows
        out = np.empty((len(rows), self.width), np.float32) if out is None else out
        # What threads hold at once is not more than one alone would.
        length = max(BLOCK // threads, LEAST_BLOCK)
        # Rows are copied as they are drawn: nothing is written to them before.
        parts = ((part, x[rows[part]]) for part in blocks_of(len(rows), length))

        def write(drawn: tuple[slice, Floats32]) -> None:
            part, some = drawn
            if self.means is None:
                means = some[:, :0]
            elif learnt:
                means = some[:, self.encoded : self.encoded + self.numbers - len(self.values)]
            else:
                means = self.means.transform(some[:, self.codes[self.many]])
            self._write(some, means, out[part])

        each_of(parts, write, min(threads, -(-len(rows) // length)))
        return out

    def _write(self, x: Floats32, means: Floats32, out: Floats32) -> None:
        numbers = len(self.values)
        part = out[:, :numbers]
        part[...] = x[:, self.values]
        if self.quantiles is None:
            smooth_clip(part, part)
        else:
            self.quantiles.transform(part, part)
        plain = numbers + means.shape[1]
        smooth_clip(means, out[:, numbers:plain])
        codes = plain + len(self.plain)
        out[:, plain:codes] = x[:, self.plain]
        out[:, codes:] = x[:, self.codes]

    @classmethod
    def most(cls, encoder: TableEncoder, n_classes: int | None) -> int:
        """How many inputs there may be of what an encoder makes: more than that, for means of the target."""
        many = len(cls(encoder, "clip").many)
        return encoder.width + many * (1 if n_classes in (None, 2) else n_classes)

    @property
    def numbers(self) -> int:
        """How many of the inputs are numbers on a scale."""
        width = 0 if self.means is None else sum(table.shape[1] for table in self.means.tables)
        return len(self.values) + width

    @property
    def width(self) -> int:
        """How many inputs there are."""
        return self.numbers + len(self.plain) + len(self.codes)

    def get_state(self) -> dict[str, Any]:
        """What `from_state` makes it of, beside the encoder."""
        return {
            "scaling": self.scaling,
            "columns": None if self.is_whole else np.sort([*self.values, *self.plain, *self.codes]),
            "quantiles": None if self.quantiles is None else self.quantiles.get_state(),
            "means": None if self.means is None else self.means.get_state(),
        }

    @classmethod
    def from_state(cls, encoder: TableEncoder, state: Mapping[str, Any]) -> Inputs:
        """The inputs whose state this is; they give the same bits."""
        inputs = cls(encoder, state["scaling"])
        if state.get("columns") is not None:  # earlier versions took all
            inputs._take(_places(state["columns"], inputs.encoded))
        if state["quantiles"] is not None:
            inputs.quantiles = Quantiles.from_state(state["quantiles"])
            if len(inputs.quantiles.knots) != len(inputs.values):
                raise ValueError(f"state must have quantiles of {len(inputs.values)} columns")
        if state["means"] is not None:
            inputs.means = TargetMeans.from_state(state["means"])
            if [len(table) for table in inputs.means.tables] != [inputs.levels[each] for each in inputs.many]:
                raise ValueError("state must have means for the levels of the encoder's categories")
        return inputs


def _places(columns: Any, count: int) -> Array:
    """Some of so many columns, in their order."""
    places = np.asarray(columns)
    ascend = places.ndim == 1 and len(places) > 0 and bool((np.diff(places) > 0).all())
    if places.dtype.kind not in "iu" or not ascend or places[0] < 0 or places[-1] >= count:
        raise ValueError(f"state must have some of {count} columns, in order, got {shown(columns)}")
    return places.astype(np.intp)

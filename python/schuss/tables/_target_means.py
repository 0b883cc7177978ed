"""What the target is on average for each level of a category, without a row ever seeing its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .._checks import check_count, check_seed

Floats = np.ndarray[Any, np.dtype[np.float64]]
Floats32 = np.ndarray[Any, np.dtype[np.float32]]

LEAST_STRENGTH = 1.0  # in rows: a level that was seen once has at most half of its own mean


class TargetMeans:
    """Smoothed means of the target for the levels of categories, as numbers.

    The mean of a level with `n` rows is `(sum of targets + a * mean of all) / (n + a)`. The strength `a` is
    the empirical Bayes estimate, the variance within levels by the variance between their true means (method
    of moments), at least one row. Where levels do not differ more than by chance, all get the mean of all.
    New rows take the means over all training rows. Training rows take those over the other folds (mean,
    strength and all), so that a row's own target is not in its number. At the end, numbers are centred and
    scaled by the spread of the means over the training rows, two constants for each column.

    Parameters
    ----------
    sizes : sequence of int
        The number of codes of each category, 0 included: `TableEncoder.category_sizes`, or some of them.
    n_folds : int, default 5
    seed : int, default 0
        Of the folds.
    """

    tables: list[Floats32]

    def __init__(self, sizes: Sequence[int], n_folds: int = 5, seed: int = 0) -> None:
        self.sizes = [check_count("sizes", size) for size in sizes]
        self.n_folds = check_count("n_folds", n_folds, least=2)
        self.seed = check_seed("seed", seed)

    def fit_transform(
        self,
        codes: np.ndarray[Any, Any],
        y: np.ndarray[Any, Any],
        n_classes: int | None = None,
        weights: np.ndarray[Any, Any] | None = None,
        copies: np.ndarray[Any, Any] | None = None,
    ) -> Floats32:
        """Learn the means, and give those of the training rows.

        `codes` has a column for each category. `y` is a regression's target, better standardised, or with
        `n_classes` the class of each row, as 0, 1, ...: then each class has a column, two of them share one.
        Rows whose numbers in `copies` are the same are in one fold.
        """
        self._check(codes)
        parts = [*self.fit_columns(codes.T, y, n_classes, weights, copies)]
        return np.concatenate(parts, axis=1) if parts else np.empty((len(codes), 0), dtype=np.float32)

    def fit_columns(
        self,
        columns: Iterable[np.ndarray[Any, Any]],
        y: np.ndarray[Any, Any],
        n_classes: int | None = None,
        weights: np.ndarray[Any, Any] | None = None,
        copies: np.ndarray[Any, Any] | None = None,
    ) -> Iterator[Floats32]:
        """The same for one category after the other, each when it is asked for."""
        targets, n_rows = _targets(y, n_classes), len(y)
        weights = np.ones(n_rows) if weights is None else np.asarray(weights, dtype=np.float64)
        numbers = np.arange(n_rows) if copies is None else np.unique(copies, return_inverse=True)[1].ravel()
        count = int(numbers.max()) + 1
        folds = (np.random.default_rng(self.seed).permutation(count) % min(self.n_folds, count))[numbers]
        n_outputs = len(targets)
        self.tables = []
        for codes, size in zip(columns, self.sizes, strict=True):
            own = codes.astype(np.intp)
            out = np.empty((n_rows, n_outputs), dtype=np.float32)
            table = np.zeros((size, n_outputs), dtype=np.float32)
            for output, target in enumerate(targets):
                sums = _sums(own, folds, target, weights, size)
                means, prior = _smoothed(sums.sum(axis=1))
                spread = float(np.sqrt(np.average((means[own] - prior) ** 2, weights=weights)))
                scale = 1 / spread if spread > 1e-12 else 0.0
                table[:, output] = (means - prior) * scale
                # Summed anew for each fold: a difference would keep a trace of what was taken away.
                kept = (np.delete(sums, fold, axis=1) for fold in range(sums.shape[1]))
                others = np.stack([_smoothed(each.sum(axis=1))[0] for each in kept])
                out[:, output] = (others[folds, own] - prior) * scale
            self.tables.append(table)
            yield out

    def transform(self, codes: np.ndarray[Any, Any]) -> Floats32:
        """The means of new rows; the columns of one category stand together."""
        self._check(codes)
        parts = [table[codes[:, place].astype(np.intp)] for place, table in enumerate(self.tables)]
        return np.concatenate(parts, axis=1) if parts else np.empty((len(codes), 0), dtype=np.float32)

    def _check(self, codes: np.ndarray[Any, Any]) -> None:
        if codes.ndim != 2 or codes.shape[1] != len(self.sizes):
            raise ValueError(f"codes must have {len(self.sizes)} columns, got shape {codes.shape}")

    def get_state(self) -> dict[str, Any]:
        """What `from_state` makes it of: settings, and a table for each category."""
        return {"sizes": self.sizes, "n_folds": self.n_folds, "seed": self.seed, "tables": self.tables}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TargetMeans:
        """The means whose state this is."""
        means = cls(state["sizes"], state["n_folds"], state["seed"])
        means.tables = [np.asarray(table, dtype=np.float32) for table in state["tables"]]
        return means


def _targets(y: np.ndarray[Any, Any], n_classes: int | None) -> list[Floats]:
    if n_classes is None:
        return [np.asarray(y, dtype=np.float64)]
    classes = [1] if n_classes == 2 else range(n_classes)
    return [(y == each).astype(np.float64) for each in classes]


def _sums(
    codes: np.ndarray[Any, Any], folds: np.ndarray[Any, Any], target: Floats, weights: Floats, size: int
) -> Floats:
    """Weights, targets and squared targets: an array of three, folds and levels."""
    n_folds = int(folds.max()) + 1
    where = folds * size + codes
    columns = (weights, weights * target, weights * target**2)
    sums = [np.bincount(where, weights=column, minlength=n_folds * size) for column in columns]
    return np.stack(sums).reshape(3, n_folds, size).astype(np.float64, copy=False)


def _smoothed(sums: Floats) -> tuple[Floats, float]:
    """The mean of each level, drawn to the mean of all, which is given as well."""
    counts, totals, squares = sums
    seen = counts > 0
    n_rows, n_levels = float(counts[seen].sum()), int(seen.sum())
    if not n_levels:
        return np.zeros(len(counts)), 0.0
    prior = float(totals[seen].sum() / n_rows)
    means = np.where(seen, totals / np.where(seen, counts, 1), prior)
    strength = _strength(counts[seen], means[seen] - prior, float(squares[seen].sum()) - n_rows * prior**2)
    if not np.isfinite(strength):
        return np.full(len(counts), prior), prior
    return (counts * means + strength * prior) / (counts + strength), prior


def _strength(counts: Floats, apart: Floats, total: float) -> float:
    """How many rows of the mean of all a level is given: the variance within by that between."""
    n_rows, n_levels = float(counts.sum()), len(counts)
    between = float(np.sum(counts * apart**2))
    freedom = n_rows - n_levels
    room = n_rows - float(np.sum(counts**2)) / n_rows
    if freedom <= 0 or room <= 0:
        return np.inf
    within = max(total - between, 0.0) / freedom
    variance = (between - (n_levels - 1) * within) / room
    return max(within / variance, LEAST_STRENGTH) if variance > 0 else np.inf

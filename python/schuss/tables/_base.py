"""What the two estimators for tables share: reading, the ensemble and its choice, reports."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..estimators._threads import limit
from . import _crew
from ._encoder import TableEncoder
from ._ensemble import Ensemble, Member, outputs_of
from ._folds import fold_of_each, held_out
from ._inputs import Inputs
from ._leaderboard import Leaderboard, line_of
from ._member import Layout, Rows, Trained, train
from ._metrics import Metric
from ._plan import HOLDOUT, PRESETS, plan_for
from ._recipe import Recipe, draw
from ._selection import greedy

if TYPE_CHECKING:
    from typing_extensions import Self

Array: TypeAlias = NDArray[Any]
# Fewer rows than this are all learnt from, and choose as well: there is nothing to hold out.
FEWEST = 10


class BaseTabular(BaseEstimator):
    """An ensemble of small networks on a table as it is."""

    preset: str
    max_time: float | None
    n_members: int | None
    n_folds: int | None
    eval_metric: str | None
    columns: Mapping[Any, str] | None
    categorical_features: Any
    progress: bool
    random_state: Any
    n_threads: int | None

    n_features_in_: int
    encoder_: TableEncoder
    ensemble_: Ensemble
    leaderboard_: Leaderboard

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "preset": [StrOptions(set(PRESETS))],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "n_members": [Interval(Integral, 1, None, closed="left"), None],
        "n_folds": [Interval(Integral, 1, None, closed="left"), None],
        "columns": [Mapping, None],
        "categorical_features": ["array-like", None],
        "progress": ["boolean"],
        "random_state": ["random_state"],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    # What the two kinds differ in.

    @abstractmethod
    def _learn_target(self, y: Any) -> Array:
        """The targets of training as networks take them; remembers what they are."""

    @abstractmethod
    def _as_target(self, y: Any) -> Array:
        """Other targets, likewise."""

    @property
    @abstractmethod
    def _n_classes(self) -> int | None:
        """None where a number is predicted."""

    @abstractmethod
    def _metric(self) -> tuple[str, Metric]:
        """What members are chosen by."""

    @abstractmethod
    def _finish(self, predictions: Array, y: Array, weights: Array | None) -> None:
        """Look at what the ensemble says of rows that it has not learnt from."""

    def _fit(self, X: Any, y: Any, X_val: Any, y_val: Any, sample_weight: Any) -> Self:
        self._validate_params()
        if (X_val is None) != (y_val is None):
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"X_val and y_val must be given together, got no {missing}")
        begin, rng = perf_counter(), check_random_state(self.random_state)
        seed = int(rng.randint(2**31 - 1))
        encoder = TableEncoder(self.columns, self.categorical_features).fit(X)
        encoded, targets = encoder.transform(X), self._learn_target(y)
        validate_data(self, X, skip_check_array=True)
        self.n_features_in_ = encoder.n_features_in
        if len(targets) != len(encoded):
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: X has {len(encoded)}, y {len(targets)}"
            )
        weights = self._weights(encoded, targets, sample_weight)
        given = None
        if X_val is not None:
            given = Rows(encoder.transform(X_val), self._as_target(y_val), None)
            if len(given.x) != len(given.y) or not len(given.y):
                raise ValueError(
                    f"X_val and y_val must have as many rows, got {len(given.x)} and {len(given.y)}"
                )
        self.encoder_ = encoder
        return self._train(Rows(encoded, targets, weights), given, seed, begin)

    def _weights(self, encoded: Array, targets: Array, sample_weight: Any) -> Array | None:
        if sample_weight is None:
            return None
        weights = _check_sample_weight(sample_weight, encoded, dtype=np.float64, ensure_non_negative=True)
        if not weights.any():
            raise ValueError("sample_weight must be positive for some rows, got only zeros")
        return np.asarray(weights, dtype=np.float32)

    def _train(self, rows: Rows, given: Rows | None, seed: int, begin: float) -> Self:
        roles = self.encoder_.roles
        numbers = roles.count("value")
        shape = len(rows.x), numbers, len(roles) - numbers
        plan = plan_for(shape, self.preset, self.n_members, self.n_folds)
        n_classes = self._n_classes
        splits = _splits(rows, given, plan.folds, n_classes, seed)
        recipes = [
            draw(number, seed, n_rows=len(rows.x), epochs=plan.epochs, batch_size=plan.batch_size)
            for number in range(plan.members)
        ]
        prepared = _Prepared(self.encoder_, rows, given, splits, n_classes, seed)
        # Members one after the other, each in all its folds: where time ends, those that are whole count.
        tasks = [(member, fold) for member in range(len(recipes)) for fold in range(len(splits))]
        left = None if self.max_time is None else self.max_time - (perf_counter() - begin)
        threads = min(self.n_threads or limit(), limit())
        with _Progress(self.progress, len(tasks)) as progress:
            results = _crew.run(
                [partial(prepared.train, recipes[member], fold) for member, fold in tasks],
                threads,
                left,
                lambda _, trained: progress.add(trained.val_loss),
            )
        self._choose(recipes, prepared, dict(zip(tasks, results, strict=True)))
        return self

    def _choose(
        self,
        recipes: Sequence[Recipe],
        prepared: _Prepared,
        results: Mapping[tuple[int, int], Trained | None],
    ) -> None:
        name, metric = self._metric()
        folds = range(len(prepared.splits))
        of_each = [[results[number, fold] for fold in folds] for number in range(len(recipes))]
        whole = [number for number, trained in enumerate(of_each) if all(trained)]
        if not whole:
            # Too little time for one member in all its folds: what there is of it.
            whole = [0]
        out_of_fold = [prepared.predictions(recipes[n], of_each[n]) for n in whole]
        rows = prepared.chosen_by(of_each[whole[0]])
        y, weights = rows.y, rows.weights

        def score(predictions: Array) -> float:
            return metric(self._of_metric(y), self._unit(predictions), weights)

        shares = greedy(out_of_fold, score)
        members, lines = [], []
        for number, share, predictions in zip(whole, shares, out_of_fold, strict=True):
            trained = [each for each in of_each[number] if each is not None]
            lines.append(line_of(number, recipes[number], trained, score(predictions), float(share)))
            if share > 0:
                inputs = [
                    prepared.inputs[recipes[number].scaling, fold]
                    for fold in folds
                    if of_each[number][fold] is not None
                ]
                members.append(
                    Member(recipes[number], [each.network for each in trained], inputs, float(share))
                )
        self.ensemble_ = Ensemble(members, self._n_classes)
        together = sum(share * each for share, each in zip(shares, out_of_fold, strict=True))
        self._finish(np.asarray(together), y, weights)
        self.leaderboard_ = Leaderboard(lines, name, score(np.asarray(together)))

    def _of_metric(self, y: Array) -> Array:
        """Targets as the metric takes them."""
        return y

    def _unit(self, predictions: Array) -> Array:
        """Predictions as the metric takes them."""
        return predictions

    def _said(self, X: Any) -> Array:
        """What the ensemble says of a table."""
        check_is_fitted(self)
        encoded = self.encoder_.transform(X)
        validate_data(self, X, skip_check_array=True, reset=False)
        return self.ensemble_.predict(encoded, min(self.n_threads or limit(), limit()))

    @property
    def report_(self) -> Any:
        """What was done to each column."""
        check_is_fitted(self)
        return self.encoder_.report

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


def _splits(
    rows: Rows, given: Rows | None, folds: int, n_classes: int | None, seed: int
) -> list[tuple[Array, Array] | None]:
    """For each fold the rows that are learnt from and those that choose; None for all, and others that were given."""
    if given is not None:
        return [None]
    count, rng = len(rows.x), np.random.default_rng([seed, 2])
    codes = None if n_classes is None else rows.y
    if count < FEWEST:
        every = np.arange(count)
        return [(every, every)]
    if folds == 1:
        held = held_out(count, codes, HOLDOUT, rng)
        return [(np.flatnonzero(~held), np.flatnonzero(held))]
    fold = fold_of_each(count, codes, folds, rng)
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(folds)]


class _Prepared:
    """The inputs of each fold and scaling, made once, and members trained on them."""

    def __init__(
        self,
        encoder: TableEncoder,
        rows: Rows,
        given: Rows | None,
        splits: Sequence[tuple[Array, Array] | None],
        n_classes: int | None,
        seed: int,
    ) -> None:
        self.encoder, self.rows, self.given, self.splits = encoder, rows, given, splits
        self.n_classes, self.seed = n_classes, seed
        self.inputs: dict[tuple[str, int], Inputs] = {}
        self._made: dict[tuple[str, int], tuple[Rows, Rows]] = {}
        for scaling in ("clip", "quantile"):
            for fold in range(len(splits)):
                self._make(scaling, fold)

    def _make(self, scaling: str, fold: int) -> None:
        learnt, chosen = self._parts(fold)
        inputs = Inputs(self.encoder, scaling)
        made = inputs.fit(learnt.x, learnt.y, self.n_classes, learnt.weights, self.seed)
        self.inputs[scaling, fold] = inputs
        self._made[scaling, fold] = (
            Rows(made, self._as_core(learnt.y), learnt.weights),
            Rows(inputs.transform(chosen.x), self._as_core(chosen.y), chosen.weights),
        )

    def _parts(self, fold: int) -> tuple[Rows, Rows]:
        split = self.splits[fold]
        if split is None:
            assert self.given is not None
            return self.rows, self.given
        return _taken(self.rows, split[0]), _taken(self.rows, split[1])

    def _as_core(self, y: Array) -> Array:
        """Targets as a network's loss takes them."""
        return y.astype(np.float32) if self.n_classes in (None, 2) else y

    def train(self, recipe: Recipe, fold: int, max_time: float | None, stop: StopFlag) -> Trained:
        """Train a member on a fold."""
        learnt, chosen = self._made[recipe.scaling, fold]
        inputs = self.inputs[recipe.scaling, fold]
        numbers = inputs.numbers
        outputs = 1 if self.n_classes in (None, 2) else self.n_classes
        losses = {None: "mse", 2: "binary_cross_entropy"}
        assert outputs is not None
        layout = Layout(
            numbers, len(inputs.plain), inputs.levels, outputs, losses.get(self.n_classes, "cross_entropy")
        )
        return train(recipe, layout, learnt, chosen, max_time, stop)

    def chosen_by(self, trained: Sequence[Trained | None]) -> Rows:
        """The rows that choose, in the order of `predictions`."""
        parts = [self._parts(fold)[1] for fold, each in enumerate(trained) if each is not None]
        weights = [part.weights for part in parts if part.weights is not None]
        return Rows(
            np.empty((0, 0)),
            np.concatenate([part.y for part in parts]),
            np.concatenate(weights) if weights else None,
        )

    def predictions(self, recipe: Recipe, trained: Sequence[Trained | None]) -> Array:
        """What the networks of a member say of the rows that they have not learnt from, fold after fold."""
        return np.concatenate(
            [
                outputs_of(each.network, self._made[recipe.scaling, fold][1].x, self.n_classes, None)
                for fold, each in enumerate(trained)
                if each is not None
            ]
        )


def _taken(rows: Rows, chosen: Array) -> Rows:
    return Rows(rows.x[chosen], rows.y[chosen], None if rows.weights is None else rows.weights[chosen])


class _Progress:
    """A bar that moves with each network that is trained, with the best validation loss so far."""

    def __init__(self, shows: bool, total: int) -> None:
        self.bar: Any = None
        self.best = float("inf")
        if shows:
            from .._extras import needed

            with needed("progress=True", "tqdm", "notebook"):
                from tqdm.auto import tqdm
            self.bar = tqdm(total=total, unit="network")

    def __enter__(self) -> _Progress:
        return self

    def add(self, val_loss: float) -> None:
        """One network more."""
        self.best = min(self.best, val_loss)
        if self.bar is not None:
            self.bar.set_postfix(val_loss=f"{self.best:.4g}", refresh=False)
            self.bar.update()

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

"""What the two estimators for tables share: reading, the ensemble and its choice, reports."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._checks import check_threads
from .._extras import needed
from ..estimators._refusal import state_of
from ..estimators._threads import limit
from ..history import History, plain, rebuilt, tqdm_bar, tqdm_class
from ..typing import ColumnKind, PresetName
from . import _crew
from ._counted import counted, learning_from, own_order, scaled
from ._encoder import TableEncoder
from ._ensemble import Ensemble, Member
from ._folds import copies_of
from ._inputs import Inputs
from ._leaderboard import Leaderboard, line_of
from ._member import Rows, Trained
from ._metrics import Metric
from ._names import argument, check_names
from ._plan import PRESETS, Shape, plan_for
from ._prepared import Prepared, splits_of, taken_of
from ._race import raced, trials_of
from ._reading import Table, are_records, read_table
from ._recipe import Recipe, draw
from ._saved import Saved
from ._saving import Saving, SavingGiven
from ._selection import PICK_TIME, greedy
from ._target import vector

if TYPE_CHECKING:
    from typing_extensions import Self

Array: TypeAlias = NDArray[Any]


# The part of the time after which no more inputs are made than those there are, where it is limited.
PREPARE_TIME = 0.5


class _Number(Interval):
    """A number that is not True or False, which Python takes for 1 and 0."""

    def is_satisfied_by(self, val: Any) -> bool:
        return not isinstance(val, bool | np.bool_) and super().is_satisfied_by(val)


class BaseTabular(Saved, BaseEstimator):
    """An ensemble of small networks on a table as it is."""

    preset: PresetName
    max_time: float | None
    n_members: int | None
    n_folds: int | None
    eval_metric: Any
    columns: Mapping[Any, ColumnKind] | None
    categorical_features: Any
    progress: bool
    random_state: Any
    n_threads: int | None

    n_features_in_: int
    feature_names_in_: Array
    encoder_: TableEncoder
    ensemble_: Ensemble
    leaderboard_: Leaderboard
    history_: dict[int, list[History]]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "preset": [StrOptions(set(PRESETS))],
        "max_time": [_Number(Real, 0, None, closed="neither"), None],
        "n_members": [_Number(Integral, 1, None, closed="left"), None],
        "n_folds": [_Number(Integral, 1, None, closed="left"), None],
        "columns": [Mapping, None],
        "categorical_features": ["array-like", None],
        "progress": ["boolean"],
        "random_state": [_Number(Integral, 0, 2**32 - 1, closed="both"), np.random.RandomState, None],
        "n_threads": [_Number(Integral, 1, None, closed="left"), None],
    }

    def __getstate__(self) -> dict[str, Any]:
        # Savers that know dicts would take a history for a plain one.
        state = dict(super().__getstate__())
        return state | {"history_": _each(plain, self.history_)} if "history_" in state else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "history_" in state:
            state = state | {"history_": _each(_history_of, state["history_"])}
        super().__setstate__(state)

    # What the two kinds differ in.

    @abstractmethod
    def _learn_target(self, y: Any) -> Array:
        """The targets of training as networks take them; remembers what they are."""

    def _look_at(self, weightless: Array) -> None:
        """Targets of rows of weight 0, which nothing is learnt from."""
        return

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

    def _class_factors(self, targets: Array, weights: Array | None) -> Array | None:
        """What multiplies the weights of each class; None for nothing."""
        return None

    def _fit(self, X: Any, y: Any, X_val: Any, y_val: Any, sample_weight: Any, given: SavingGiven) -> Self:
        self._validate_params()
        if (X_val is None) != (y_val is None):
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"X_val and y_val must be given together, got no {missing}")
        if X_val is not None and (self.n_folds or 1) > 1:
            raise ValueError(f"n_folds must be None or 1 where X_val is given, got {self.n_folds}")
        # What fails, or is interrupted, leaves a former fit as it was.
        fitted = copy(self)
        rows_val, state = None if X_val is None else (X_val, y_val), state_of(self.random_state)
        try:
            fitted._learn((X, y, sample_weight), rows_val, given)
        except BaseException:
            if state is not None:
                self.random_state.set_state(state)
            raise
        self.__dict__ = fitted.__dict__
        return self

    def _learn(
        self, learnt: tuple[Any, Any, Any], rows_val: tuple[Any, Any] | None, given: SavingGiven
    ) -> None:
        begin, rng = perf_counter(), check_random_state(self.random_state)
        seed = int(rng.randint(2**31 - 1))
        saving = Saving.of(given, f"{type(self).__name__}.fit", self.get_params(deep=False), seed)

        def is_late() -> bool:
            # Members of a fit that may go on keep their numbers: they need all that others need.
            if self.max_time is None or saving.is_on:
                return False
            return perf_counter() - begin > self.max_time * PREPARE_TIME

        prepared, candidates, keep = self._prepare(learnt, rows_val, saving, is_late)
        self._train(prepared, candidates, keep, begin, saving)

    def _prepare(
        self,
        learnt: tuple[Any, Any, Any],
        rows_val: tuple[Any, Any] | None,
        saving: Saving,
        is_late: Callable[[], bool],
    ) -> tuple[Prepared, list[Recipe], int]:
        """The rows as members take them, the recipes to try, and how many of them to train."""
        seed = saving.seed
        X, y, sample_weight = learnt
        table, labels = read_table(X), vector(y)
        if len(labels) != table.n_rows:
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: "
                f"X has {table.n_rows}, y {len(labels)}"
            )
        taken, weights = counted(sample_weight, table.n_rows)
        with learning_from(taken, table.n_rows) as weightless:
            without, labels = labels[weightless], labels if taken is None else labels[taken]
            table = table if taken is None else table.take(taken)
            encoder = TableEncoder(self.columns, self.categorical_features).fit(table)
            targets = self._learn_target(labels)
        self._look_at(without)
        encoder._owner = type(self).__name__
        self.encoder_, self.n_features_in_ = encoder, encoder.n_features_in
        self.__dict__.pop("feature_names_in_", None)
        if encoder.feature_names_in is not None:
            self.feature_names_in_ = np.array(encoder.feature_names_in, dtype=object)
        encoded = self._encoded(table)
        factors = self._class_factors(targets, weights)
        rows = Rows(encoded, targets, _weights(weights, factors, targets))
        if (order := own_order(encoded[:, : encoder.width], targets, rows.weights)) is not None:
            rows = taken_of(rows, order)
        rows = replace(rows, copies=copies_of(rows.x[:, : encoder.width]))
        given = None if rows_val is None else self._given(*rows_val, factors)
        saving.expect_rows(rows, given)
        roles = encoder.roles
        numbers, n_rows = roles.count("value"), len(rows.x)
        shape = Shape(n_rows, numbers, len(roles) - numbers, _rarer(targets, self._n_classes))
        plan = plan_for(shape, self.preset, self.n_members, self.n_folds)
        budget = {"n_rows": n_rows, "epochs": plan.epochs, "batch_size": plan.batch_size}
        candidates = [draw(number, seed, **budget) for number in range(plan.candidates)]
        drawn = {each.scaling for each in candidates}
        # The last one is made in place, and needs all columns; screened ones may be those of quantiles.
        scalings = [each for each in ("quantile", "screened", "clip") if each in drawn]
        splits = splits_of(rows, given, plan.folds, self._n_classes, seed)
        threads = self._threads()
        prepared = Prepared(encoder, rows, given, splits, self._n_classes, seed, scalings, threads, is_late)
        candidates = [each for each in candidates if each.scaling in prepared.scalings]
        return prepared, candidates, plan.members

    def _encoded(self, table: Table) -> Array:
        """A table as numbers, with room for the inputs that are made of them."""
        room = Inputs.most(self.encoder_, self._n_classes)
        out = np.empty((table.n_rows, room), dtype=np.float32)
        # A checksum of the rows takes in that room.
        out[:, self.encoder_.width :] = 0
        return self.encoder_.write(table, out)

    def _given(self, X_val: Any, y_val: Any, factors: Array | None) -> Rows:
        """The rows that are given to choose."""
        with argument("X_val"):
            x = self._encoded(read_table(X_val))
        with argument("y_val"):
            y = self._as_target(y_val)
        if len(x) != len(y):
            raise ValueError(f"X_val and y_val must have as many rows, got {len(x)} and {len(y)}")
        if factors is not None and not factors[y].any():
            raise ValueError("y_val must have rows that class_weight gives a weight, got only those of 0")
        return Rows(x, y, _weights(None, factors, y))

    def _train(
        self, prepared: Prepared, candidates: list[Recipe], keep: int, begin: float, saving: Saving
    ) -> None:
        threads = self._threads()

        def left() -> float | None:
            return None if self.max_time is None else self.max_time - (perf_counter() - begin)

        if (seconds := left()) is not None and seconds > 0 and not saving.is_on:
            prepared.thin(candidates[0], seconds)
        count = len(prepared.splits)
        total = trials_of(len(candidates), keep) + min(keep, len(candidates)) * count
        with saving.kept(), _progress(self.progress, total, saving.done) as add:

            def tried(number: int, trained: Trained) -> None:
                saving.add_trial(number, trained)
                add(trained)

            recipes = raced(
                candidates,
                keep,
                lambda recipe, *ends: prepared.train(recipe, 0, *ends),
                threads,
                left(),
                saving.losses,
                tried,
            )
            # Members one after the other, each in all its folds: where time ends, those that are whole count.
            # By their numbers among all: a fit that goes on may choose others, once all trials are done.
            numbers = [candidates.index(recipe) for recipe in recipes]
            places = [(number, fold) for number in numbers for fold in range(count)]
            open_ = [place for place in places if place not in saving.trained]

            def made(number: int, trained: Trained) -> None:
                saving.add(open_[number], trained)
                add(trained)

            results = _crew.run(
                [partial(prepared.train, candidates[number], fold) for number, fold in open_],
                threads,
                left(),
                made,
            )
        of_place = saving.trained | dict(zip(open_, results, strict=True))
        results = [of_place[place] for place in places]
        # A training that ended before its first epoch did is none.
        learnt = [None if each is None or each.best_epoch == 0 else each for each in results]
        if not any(learnt):
            learnt[0] = prepared.train_little(recipes[0])
        self._choose(
            recipes, prepared, [learnt[first : first + count] for first in range(0, len(learnt), count)]
        )

    def _choose(
        self, recipes: Sequence[Recipe], prepared: Prepared, of_each: Sequence[Sequence[Trained | None]]
    ) -> None:
        name, metric = self._metric()
        whole = [number for number, trained in enumerate(of_each) if all(trained)]
        if not whole:
            # Too little time for one member in all its folds: the one with the most of them.
            whole = [max(range(len(of_each)), key=lambda number: sum(map(bool, of_each[number])))]
        threads = self._threads()
        out_of_fold = [prepared.predictions(recipes[n], of_each[n], threads) for n in whole]
        rows = prepared.chosen_by(of_each[whole[0]])
        y, weights = rows.y, rows.weights

        def score(predictions: Array) -> float:
            return metric(self._of_metric(y), self._unit(predictions), weights)

        shares = greedy(out_of_fold, score, None if self.max_time is None else self.max_time * PICK_TIME)
        members, lines = [], []
        self.history_ = {}
        for number, share, predictions in zip(whole, shares, out_of_fold, strict=True):
            recipe = recipes[number]
            trained = [(fold, each) for fold, each in enumerate(of_each[number]) if each is not None]
            networks = [each for _, each in trained]
            lines.append(line_of(number, recipe, networks, score(predictions), float(share)))
            self.history_[number] = [each.history for each in networks]
            if share > 0:
                inputs = [prepared.inputs[recipe.scaling, fold] for fold, _ in trained]
                members.append(Member(recipe, [each.network for each in networks], inputs, float(share)))
        self.ensemble_ = Ensemble(members, self._n_classes)
        together = np.asarray(sum(share * each for share, each in zip(shares, out_of_fold, strict=True)))
        self._finish(together, y, weights)
        self.leaderboard_ = Leaderboard(lines, name, score(together))

    def _threads(self) -> int:
        """How many threads it may use."""
        # It may have been set since the fit, which looked at it.
        return min(check_threads(self.n_threads) or limit(), limit())

    def _of_metric(self, y: Array) -> Array:
        """Targets as the metric takes them."""
        return y

    def _unit(self, predictions: Array) -> Array:
        """Predictions as the metric takes them."""
        return predictions

    def _said(self, X: Any) -> Array:
        """What the ensemble says of a table."""
        check_is_fitted(self)
        table, encoder = read_table(X), self.encoder_
        encoded = encoder.transform(table)
        any_order = isinstance(X, Mapping) or are_records(X)
        names = encoder.headings, table.headings
        check_names(type(self).__name__, *names, encoder.n_features_in, any_order)
        return self.ensemble_.predict(encoded, self._threads())

    def _said_of_row(self, row: Any) -> Array:
        """What the ensemble says of one row, as of a table with that row alone."""
        if not hasattr(self, "ensemble_"):
            check_is_fitted(self)
        encoded = np.empty(self.encoder_.width, dtype=np.float32)
        self.encoder_.encode_row(row, encoded)
        return self.ensemble_.of_row(encoded)

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


def _each(make: Callable[[Any], Any], histories: Mapping[int, Sequence[Any]]) -> dict[int, list[Any]]:
    return {number: [make(history) for history in of_folds] for number, of_folds in histories.items()}


def _history_of(saved: Any) -> History:
    """A history of its plain data; a pickle of an earlier version has itself."""
    return saved if isinstance(saved, History) else rebuilt(**saved)


def _rarer(targets: Array, n_classes: int | None) -> int | None:
    """The rows of the rarer one of two classes."""
    return int(np.bincount(targets, minlength=2).min()) if n_classes == 2 else None


def _weights(weights: Array | None, factors: Array | None, targets: Array) -> Array | None:
    """Weights of rows times those of their classes."""
    if factors is None:
        return None if weights is None else weights.astype(np.float32)
    of_classes = factors[targets]
    product = scaled(of_classes if weights is None else weights * of_classes)
    return None if product is None else product.astype(np.float32)


@contextmanager
def _progress(shows: bool, total: int, done: int = 0) -> Iterator[Callable[[Trained], None]]:
    """A bar that moves with each network that is tried or trained, with the best validation loss so far."""
    if not shows:
        yield lambda trained: None
        return
    with needed("progress=True", "tqdm", "notebook"):
        tqdm = tqdm_class()
    best = float("inf")
    with tqdm_bar(tqdm, total, "network") as bar:
        bar.update(done)

        def add(trained: Trained) -> None:
            nonlocal best
            best = min(best, trained.val_loss)
            bar.set_postfix(val_loss=f"{best:.4g}", refresh=False)
            bar.update()

        yield add

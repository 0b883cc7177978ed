"""What the members of an ensemble are trained on: the rows of each fold as networks take them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._schuss import StopFlag
from ._encoder import TableEncoder
from ._ensemble import outputs_of
from ._folds import fold_of_each, held_out
from ._inputs import Inputs
from ._member import Layout, Rows, Trained, train
from ._plan import HOLDOUT
from ._recipe import Recipe
from ._scaling import blocks_of

Array = NDArray[Any]
# Fewer rows than this are all learnt from, and choose as well: there is nothing to hold out.
FEWEST = 10
# What one network learns where there is no time for anything: at most so many rows, in about so many steps.
LEAST_ROWS, LEAST_STEPS = 8192, 256
# And fewer where they are wide: so many inputs of rows, with each row as often as it is learnt from.
LEAST_INPUTS = 2**24
# Fewer rows than this are all learnt from; more, as many as a network can learn from in the first part of the
# time, in its own epochs or at least so many.
FEW_ROWS, FIRST_TIME, FIRST_EPOCHS = 100_000, 0.5, 4


def splits_of(
    rows: Rows, given: Rows | None, folds: int, n_classes: int | None, seed: int
) -> list[tuple[Array, Array] | None]:
    """For each fold the rows that are learnt from and those that choose.

    None stands for all rows, and others that were given to choose.
    """
    if given is not None:
        return [None]
    count, rng = len(rows.x), np.random.default_rng([seed, 2])
    codes = None if n_classes is None else rows.y
    different = count if rows.copies is None else int(rows.copies.max()) + 1
    if different < FEWEST:
        every = np.arange(count)
        return [(every, every)]
    if folds == 1:
        held = held_out(count, codes, HOLDOUT, rng, rows.copies)
        return [(np.flatnonzero(~held), np.flatnonzero(held))]
    folds = min(folds, different // 2)
    fold = fold_of_each(count, codes, folds, rng, rows.copies)
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(folds)]


class Prepared:
    """The inputs of each fold and scaling, made once, and members trained on them.

    Where it `is_late` after some of them, the others are left out: `scalings` are those whose folds are all
    made, or the first one, with as many `splits` as there was time for. The encoded tables of `rows` and
    `given` are its own: inputs take their place.
    """

    def __init__(
        self,
        encoder: TableEncoder,
        rows: Rows,
        given: Rows | None,
        splits: Sequence[tuple[Array, Array] | None],
        n_classes: int | None,
        seed: int,
        scalings: Iterable[str],
        threads: int = 1,
        is_late: Callable[[], bool] = lambda: False,
    ) -> None:
        self.encoder, self.rows, self.given, self.splits = encoder, rows, given, splits
        self.n_classes, self.seed, self._threads = n_classes, seed, threads
        self._check_weights()
        self.inputs: dict[tuple[str, int], Inputs] = {}
        self._made: dict[tuple[str, int], tuple[Rows, Rows]] = {}
        *others, last = [(scaling, fold) for scaling in scalings for fold in range(len(splits))]
        for place in others:
            self._make(*place)
            if is_late():
                break
        else:
            # Nobody looks at the encoded table any more, which is as large as what is made of it.
            self._make(*last, in_place=True)
        first, made = others[0][0] if others else last[0], len(self._made)
        self.splits = splits[:made]
        self.scalings = {first, *(scaling for scaling, fold in self._made if fold == len(splits) - 1)}
        self.rows, self.given = _without_x(rows), None if given is None else _without_x(given)

    def _check_weights(self) -> None:
        """Refuse folds in which no row has a weight: nothing is to be learnt there, or to choose by."""
        for fold in range(len(self.splits)):
            for rows, some in self._parts(fold):
                if rows.weights is not None and not rows.weights[some].any():
                    which = "sample_weight" if self.n_classes is None else "sample_weight or class_weight"
                    raise ValueError(
                        f"{which} must give weight to rows of every fold, got one where all weights are 0, "
                        "or so small beside the largest one that float32 has them as 0"
                    )

    def _make(self, scaling: str, fold: int, in_place: bool = False) -> None:
        (learnt, of_learnt), (chosen, of_chosen) = self._parts(fold)
        inputs, y = Inputs(self.encoder, scaling), learnt.y[of_learnt]
        weights, copies = _some_of(learnt.weights, of_learnt), _some_of(learnt.copies, of_learnt)
        if scaling == "screened":
            inputs.screen(learnt.x, of_learnt, y, self.n_classes, weights, copies)
            if inputs.is_whole and ("quantile", fold) in self.inputs:
                self.inputs[scaling, fold] = self.inputs["quantile", fold]
                self._made[scaling, fold] = self._made["quantile", fold]
                return
        inputs.fit(learnt.x, of_learnt, y, self.n_classes, weights, copies, self.seed)
        self.inputs[scaling, fold] = inputs
        x, count = learnt.x, len(of_learnt)
        made_of = partial(inputs.transform, threads=self._threads)
        fits = in_place and inputs.width == x.shape[1]
        if fits and chosen is not learnt:
            made = made_of(x, of_learnt, x, learnt=True)
            other = made_of(chosen.x, of_chosen, chosen.x)
        elif fits and count + len(of_chosen) == len(x):
            # The rows that choose come after those that are learnt from.
            kept = x[of_chosen]
            made = made_of(x, of_learnt, x[:count], learnt=True)
            other = made_of(kept, out=x[count:])
        else:
            made = made_of(x, of_learnt, learnt=True)
            other = made_of(chosen.x, of_chosen)
        self._made[scaling, fold] = (
            Rows(made, self._as_core(y), weights),
            Rows(other, self._as_core(chosen.y[of_chosen]), _some_of(chosen.weights, of_chosen)),
        )

    def _parts(self, fold: int) -> tuple[tuple[Rows, Array], tuple[Rows, Array]]:
        """What is learnt from and what chooses: encoded rows, and which of them."""
        split = self.splits[fold]
        if split is None:
            assert self.given is not None
            return (self.rows, np.arange(len(self.rows.x))), (self.given, np.arange(len(self.given.x)))
        return (self.rows, split[0]), (self.rows, split[1])

    def _as_core(self, y: Array) -> Array:
        """Targets as a network's loss takes them."""
        return y.astype(np.float32) if self.n_classes in (None, 2) else y

    def train(self, recipe: Recipe, fold: int, max_time: float | None, stop: StopFlag) -> Trained:
        """Train a member on a fold."""
        return train(recipe, self._layout(recipe, fold), *self._made[recipe.scaling, fold], max_time, stop)

    def thin(self, recipe: Recipe, seconds: float) -> None:
        """Leave out rows where one network would have no time to learn from all, by what some of them take.

        Rows that choose stay.
        """
        if all(len(learnt.x) < FEW_ROWS for learnt, _ in self._made.values()):
            return
        learnt, _ = self._made[recipe.scaling, 0]
        some = _some(learnt, min(LEAST_ROWS, self._most(recipe)), np.random.default_rng([self.seed, 4]))
        begin = perf_counter()
        train(replace(recipe, epochs=1), self._layout(recipe, 0), some, some, None, StopFlag())
        speed = len(some.x) / (perf_counter() - begin)
        epochs = min(recipe.epochs, FIRST_EPOCHS)
        most = max(int(seconds * FIRST_TIME * speed / epochs), len(some.x))
        kept: dict[int, Rows] = {}
        for place, (rows, chosen) in self._made.items():
            if id(rows) not in kept:
                kept[id(rows)] = _thinned(rows, most, np.random.default_rng([self.seed, 5]))
            self._made[place] = kept[id(rows)], chosen

    def _most(self, recipe: Recipe) -> int:
        """How many rows are few, by their width."""
        return max(LEAST_INPUTS // self.inputs[recipe.scaling, 0].width, 256)

    def train_little(self, recipe: Recipe) -> Trained:
        """Train a member on a few rows of the first fold: a moment, whatever the table."""
        rng = np.random.default_rng([self.seed, 3])
        most = self._most(recipe)
        learnt, chosen = (_some(rows, min(LEAST_ROWS, most), rng) for rows in self._made[recipe.scaling, 0])
        epochs = -(-min(LEAST_STEPS * recipe.batch_size, most) // len(learnt.x))
        recipe = replace(recipe, epochs=min(epochs, recipe.epochs))
        return train(recipe, self._layout(recipe, 0), learnt, chosen, None, StopFlag())

    def _layout(self, recipe: Recipe, fold: int) -> Layout:
        inputs = self.inputs[recipe.scaling, fold]
        outputs = 1 if self.n_classes in (None, 2) else self.n_classes
        losses = {None: "mse", 2: "binary_cross_entropy"}
        assert outputs is not None
        loss = losses.get(self.n_classes, "cross_entropy")
        return Layout(inputs.numbers, len(inputs.plain), inputs.levels, outputs, loss)

    def chosen_by(self, trained: Sequence[Trained | None]) -> Rows:
        """The rows that choose, in the order of `predictions`."""
        parts = [self._parts(fold)[1] for fold, each in enumerate(trained) if each is not None]
        weights = [_some_of(rows.weights, chosen) for rows, chosen in parts]
        given = [each for each in weights if each is not None]
        return Rows(
            np.empty((0, 0)),
            np.concatenate([rows.y[chosen] for rows, chosen in parts]),
            np.concatenate(given) if given else None,
        )

    def predictions(self, recipe: Recipe, trained: Sequence[Trained | None], threads: int) -> Array:
        """What the networks of a member say of the rows that they have not learnt from, fold after fold."""
        return np.concatenate(
            [
                outputs_of(each.network, self._made[recipe.scaling, fold][1].x, self.n_classes, threads)
                for fold, each in enumerate(trained)
                if each is not None
            ]
        )


def _without_x(rows: Rows) -> Rows:
    return replace(rows, x=np.empty((len(rows.x), 0)))


def _some_of(values: Array | None, chosen: Array) -> Array | None:
    return None if values is None else values[chosen]


def taken_of(rows: Rows, chosen: Array) -> Rows:
    """Some of the rows."""
    weights, copies = _some_of(rows.weights, chosen), _some_of(rows.copies, chosen)
    return Rows(rows.x[chosen], rows.y[chosen], weights, copies)


def _thinned(rows: Rows, most: int, rng: np.random.Generator) -> Rows:
    """As many of the rows, in their order and in the same memory, which is most of what a fit has."""
    if len(rows.x) <= most:
        return rows
    taken = _drawn(rows, most, rng)
    for part in blocks_of(len(taken)):
        rows.x[part] = rows.x[taken[part]]
    return Rows(rows.x[: len(taken)], rows.y[taken], _some_of(rows.weights, taken))


def _some(rows: Rows, most: int, rng: np.random.Generator) -> Rows:
    if len(rows.x) <= most:
        return rows
    return taken_of(rows, _drawn(rows, most, rng))


def _drawn(rows: Rows, most: int, rng: np.random.Generator) -> Array:
    """Which rows are taken, in their order: of those without a weight none, nothing is learnt from them."""
    if rows.weights is None:
        return np.sort(rng.choice(len(rows.x), most, replace=False))
    weighty = np.flatnonzero(rows.weights)
    return np.sort(rng.choice(weighty, min(most, len(weighty)), replace=False))

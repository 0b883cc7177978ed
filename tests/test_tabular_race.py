"""Which recipes are trained in earnest."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from schuss import History
from schuss.tables import _plan, _race, _recipe
from schuss.tables._member import Trained


def recipes(count=12, epochs=40):
    return [_recipe.draw(n, 0, n_rows=1000, epochs=epochs, batch_size=32) for n in range(count)]


def race(losses, keep, max_time=None, threads=2):
    given, seen = recipes(len(losses)), {}

    def train(recipe, left, stop):
        number = [each.seed for each in given].index(recipe.seed)
        seen[number] = recipe.epochs
        history = History()
        history.append(val_loss=losses[number])
        history.best_epoch = 1 if losses[number] < np.inf else None
        return Trained(None, history)

    done = []
    kept = _race.raced(given, keep, train, threads, max_time, {}, lambda _, each: done.append(each))
    assert sorted(each.history["val_loss"][0] for each in done) == sorted(losses[n] for n in seen)
    return given, seen, kept


def test_the_best_of_all_are_kept_in_their_own_order():
    losses = [0.5, 0.1, 0.9, 0.3, 0.2, 0.8]
    given, seen, kept = race(losses, 3)
    assert kept == [given[1], given[3], given[4]]
    assert seen == {n: max(round(each.epochs * _race.TRIAL_EPOCHS), 1) for n, each in enumerate(given)}


def test_ties_go_to_the_first_and_those_without_an_epoch_are_last():
    given, _, kept = race([np.inf, 0.3, 0.3, 0.3], 2)
    assert kept == [given[1], given[2]]


def test_nothing_is_tried_where_all_are_kept():
    given, seen, kept = race([0.1, 0.2], 2)
    assert (kept, seen) == (given, {})


def test_without_time_the_first_ones_are_kept():
    given, _, kept = race([0.3, 0.2, 0.1], 2, max_time=1e-12)
    assert kept == given[:2]


@pytest.mark.parametrize("preset", list(_plan.PRESETS))
def test_plans_keep_their_budget_where_they_can(preset):
    for rows in (2, 100, 1000, 11_999, 12_000, 50_000, 1_000_000):
        for columns in ((5, 0), (30, 10), (200, 50)):
            plan = _plan.plan_for(_plan.Shape(rows, *columns), preset, None, None)
            assert plan.candidates == _plan.CANDIDATES * plan.members >= _plan.CANDIDATES
            assert 1 <= plan.folds <= max(rows // 2, 1)
            allowed = _plan.PRESETS[preset] * (_plan.ON_TABLE + _plan.ON_ROW * rows)
            least = plan.members <= 3 and plan.folds <= 3
            assert least or plan.operations(rows, *columns) <= allowed


def test_what_is_given_is_kept():
    plan = _plan.plan_for(_plan.Shape(1_000_000, 200, 0), "quick", 7, 4)
    assert (plan.members, plan.folds) == (7, 4)


def test_recipes_depend_on_seed_and_number_alone_and_spread_over_their_ranges():
    many = recipes(64)
    assert many == recipes(64)
    assert len({each.seed for each in many}) == 64
    shares = np.sort(np.log([each.sigma for each in many]))
    # Evenly: no gap of more than a tenth of the range.
    assert np.diff(shares).max() < 0.1 * np.log(10.0 / 0.03)
    assert shares[0] < np.log(0.06)
    assert shares[-1] > np.log(5)


def test_what_is_known_is_not_tried_again():
    given, seen = recipes(4), []

    def train(recipe, left, stop):
        seen.append(recipe.seed)
        history = History()
        history.append(val_loss=0.2)
        history.best_epoch = 1
        return Trained(None, history)

    done = []
    kept = _race.raced(given, 2, train, 1, None, {0: 0.3, 2: 0.1}, lambda number, _: done.append(number))
    assert seen == [given[1].seed, given[3].seed]
    assert done == [1, 3]
    assert kept == [given[1], given[2]]

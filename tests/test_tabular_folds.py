"""Which rows of a table are learnt from, and which choose: no copy on both sides, each class on both."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("narwhals")

from hypothesis import example, given, settings
from hypothesis import strategies as st

import schuss as sc
from schuss.tables._counted import counted
from schuss.tables._folds import copies_of, fold_of_each, held_out
from schuss.tables._plan import Shape, plan_for
from schuss.tables._prepared import splits_of
from schuss.tables._target_means import TargetMeans

RNG = np.random.default_rng(0)


def repeated(rows, times, columns=4):
    """Numbers, each row so many times, in any order, and which row each is a copy of."""
    x = RNG.normal(size=(rows, columns)).astype(np.float32)
    of = RNG.permutation(np.repeat(np.arange(rows), times))
    return x[of], of


def test_rows_that_are_drawn_again_are_copies():
    x, of = repeated(100, 5)
    copies = copies_of(x)
    same = of[:, None] == of
    np.testing.assert_array_equal(copies[:, None] == copies, same)
    # One column is enough to tell rows apart.
    x[:, 1:] = np.trunc(x[:, 1:])
    np.testing.assert_array_equal(copies_of(x)[:, None] == copies_of(x), same)


@pytest.mark.parametrize(
    "x",
    [
        np.empty((0, 3), np.float32),
        np.empty((50, 0), np.float32),
        np.ones((50, 2), np.float32),
        RNG.normal(size=(500, 3)).astype(np.float32),
        RNG.integers(0, 4, size=(1000, 3)).astype(np.float32),
        RNG.integers(18, 98, size=(1000, 1)).astype(np.float32) / np.float32(14.3),
        (RNG.poisson(9, size=(1000, 2)) * [1, 0.01]).astype(np.float32),
        # A few equal rows among many.
        np.concatenate([repeated(5, 4)[0], RNG.normal(size=(500, 4)).astype(np.float32)]),
    ],
    ids=["no rows", "no columns", "constant", "all different", "levels", "ages", "counts", "a few"],
)
def test_rows_that_are_equal_by_chance_are_not(x):
    assert copies_of(x) is None


@pytest.mark.parametrize(("values", "are_copies"), [(40, False), (60, True)])
def test_what_tells_copies_has_a_value_for_more_than_half_of_the_rows(values, are_copies):
    place = np.arange(100)
    x = np.column_stack([RNG.normal(size=values)[place % values], place // values])
    assert (copies_of(np.repeat(x, 5, axis=0).astype(np.float32)) is not None) == are_copies


@pytest.mark.parametrize("classes", [None, 1, 2])
def test_folds_do_not_follow_the_order_of_rows(classes):
    codes = None if classes is None else np.arange(3000) // 5 % classes
    fold = fold_of_each(3000, codes, 5, np.random.default_rng(0))
    # Any two rows are in one fold with a chance of a fifth, however far they are from each other.
    for lag in range(1, 21):
        assert abs(np.mean(fold[lag:] == fold[:-lag]) - 1 / 5) < 0.05


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(10, 60),
    times=st.integers(1, 6),
    folds=st.integers(2, 8),
    classes=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_copies_are_in_one_fold_and_folds_have_their_share(rows, times, folds, classes, seed):
    rng = np.random.default_rng(seed)
    copies = rng.permutation(np.repeat(np.arange(rows), times))
    codes = rng.integers(0, classes, rows)[copies]
    fold = fold_of_each(len(copies), codes, folds, rng, copies)
    of_row = [set(fold[copies == row]) for row in range(rows)]
    assert all(len(each) == 1 for each in of_row)
    sizes = np.bincount([min(each) for each in of_row], minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    for code in range(classes):
        of_class = np.bincount(fold[codes == code], minlength=folds) // times
        assert of_class.max() - of_class.min() <= 1


@settings(deadline=None, max_examples=100)
@given(
    counts=st.lists(st.integers(1, 15), min_size=1, max_size=3),
    many=st.integers(100, 130),
    times=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@example(counts=[1], many=109, times=1, seed=0)  # the one is in the fold that is held out
@example(counts=[1], many=109, times=3, seed=0)
def test_a_class_is_on_both_sides_however_rare(counts, many, times, seed):
    codes = np.repeat(np.arange(len(counts) + 1), [many, *counts])
    copies = None if times == 1 else np.repeat(np.arange(len(codes)), times)
    codes = np.repeat(codes, times)
    held = held_out(len(codes), codes, 1 / 10, np.random.default_rng(seed), copies)
    assert abs(held.sum() / times - len(codes) / times / 10) <= 1 + len(counts)
    for code, count in enumerate(counts, 1):
        chosen = held[codes == code].sum() // times
        assert chosen == 0 if count == 1 else 0 < chosen < count
    if copies is not None:
        assert all(len(set(held[copies == row])) == 1 for row in set(copies))


def test_weights_that_are_counts_put_no_row_on_both_sides(monkeypatch):
    rows_of, splits = [], []

    def seen(rows, *rest):
        # Inputs will take their place.
        rows_of.extend(row.tobytes() for row in rows.x)
        splits.extend(splits_of(rows, *rest))
        return splits

    monkeypatch.setattr("schuss.tables._base.splits_of", seen)
    X, y = RNG.normal(size=(60, 3)), RNG.integers(0, 2, 60)
    weights = RNG.integers(1, 6, 60)
    sc.TabularClassifier("quick", n_members=1, n_threads=1).fit(X, y, sample_weight=weights)
    assert len(rows_of) == weights.sum()
    assert len(splits) == 3
    for learnt, chosen in splits:
        assert not {rows_of[row] for row in learnt} & {rows_of[row] for row in chosen}


def test_a_table_of_few_different_rows_has_no_more_folds():
    X, y = np.repeat(RNG.normal(size=(12, 2)), 8, axis=0), np.tile(np.repeat([0, 1], 8), 6)
    model = sc.TabularClassifier("quick", n_members=1, n_folds=20, n_threads=1).fit(X, y)
    assert len(model.history_[0]) == 6


def test_means_of_the_target_do_not_know_it_from_copies():
    codes = np.repeat(np.arange(1, 41), 6)[:, None].astype(np.float32)
    y = np.repeat(RNG.normal(size=40), 6)
    copies = np.repeat(np.arange(40), 6)
    known = TargetMeans([41]).fit_transform(codes, y)[:, 0]
    assert np.corrcoef(known, y)[0, 1] > 0.99
    # A level that has one row tells nothing of it.
    unknown = TargetMeans([41]).fit_transform(codes, y, copies=copies)[:, 0]
    assert abs(np.corrcoef(unknown, y)[0, 1]) < 0.5


def test_what_divides_all_weights_says_nothing():
    weights = RNG.integers(1, 9, 150)
    for factor in (2, 7, 10**6):
        for ours, theirs in zip(counted(weights, 150), counted(factor * weights, 150), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    rows, of_rows = counted(np.full(5, 2.0**60), 5)
    assert rows is None
    assert of_rows is None


def test_a_rare_class_has_folds():
    for rows in (15_000, 50_000):
        assert plan_for(Shape(rows, 10, 0, 99), "balanced", None, None).folds > 1
    for shape in (Shape(15_000, 10, 0, 100), Shape(15_000, 10, 0), Shape(60_000, 10, 0, 9)):
        assert plan_for(shape, "balanced", None, None).folds == 1
    assert plan_for(Shape(15_000, 10, 0, 9), "balanced", None, 1).folds == 1

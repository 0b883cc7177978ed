"""Targets, weights and validation rows that cannot be learnt from, and what each error says."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from tabular_cases import BOTH, classifier, numeric, regressor, target_of

X, CLASSES, NUMBERS = numeric(40)
DATES = np.array(["2024-01-01", "2024-02-01"], "M8[D]")[CLASSES]
GAP = np.where(np.arange(40) == 3, np.datetime64("NaT"), DATES)

NO_COLUMN = "y must be an array, a list or a column of a data frame, got"
BAD_FOR_BOTH = {
    "a number": (5, TypeError, f"{NO_COLUMN} 5"),
    "a text": ("x" * 40, TypeError, f"{NO_COLUMN} 'xxx"),
    "a mapping": (dict.fromkeys(range(40)), TypeError, f"{NO_COLUMN} {{0: None"),
    "a set": (set(range(40)), TypeError, f"{NO_COLUMN} {{0, 1"),
    "complex": (NUMBERS + 1j, ValueError, "Complex data not supported: y has complex128"),
    "infinity": ([np.inf, *CLASSES[1:]], ValueError, "Input y contains infinity .* in 1 rows"),
    "several columns": (np.eye(2)[CLASSES], ValueError, r"shape \(40, 2\): for several targets, fit an"),
    "ragged": ([[1], [2, 3]] * 20, ValueError, r"y must have single values, got \[1\]"),
    "masked": (
        np.ma.masked_array(CLASSES, np.arange(40) < 3),
        ValueError,
        "y contains NaN: in 3 of 40 rows the target is missing",
    ),
}


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("name", BAD_FOR_BOTH)
def test_what_is_no_target_is_refused(make, name):
    y, error, match = BAD_FOR_BOTH[name]
    with pytest.raises(error, match=match):
        make().fit(X, y)


@pytest.mark.parametrize("make", BOTH)
def test_a_sparse_target_is_refused(make):
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"y must be dense, got a sparse csr_matrix: y.toarray\(\).ravel\(\)"):
        make().fit(X, sparse.csr_matrix(CLASSES[:, None]))


@pytest.mark.parametrize("make", BOTH)
def test_a_mask_that_hides_nothing_is_none(make):
    y = target_of(make(), CLASSES, NUMBERS)
    np.testing.assert_array_equal(
        make().fit(X, np.ma.masked_array(y)).predict(X), make().fit(X, y).predict(X)
    )


def test_what_classes_may_not_be():
    with pytest.raises(ValueError, match="y contains NaN: in 1 of 40 rows"):
        classifier().fit(X, GAP)
    lists = np.fromiter(([each] for each in CLASSES.tolist()), object, 40)
    with pytest.raises(TypeError, match=r"y must have classes that are text, .*, got \[[01]\], of list"):
        classifier().fit(X, lists)


def test_dates_are_classes():
    model = classifier().fit(X, DATES)
    assert model.classes_.dtype == DATES.dtype
    assert set(model.predict(X)) <= set(DATES)


def test_what_a_regression_has_no_number_of():
    with pytest.raises(
        ValueError, match=r"numbers for a regression, got '0', which is text: y.astype\(float"
    ):
        regressor().fit(X, np.arange(40).astype(str))
    with pytest.raises(ValueError, match=r"regression, got np.datetime64\('2024"):
        regressor().fit(X, DATES)
    # The value that is none, not the first one.
    with pytest.raises(ValueError, match="regression, got 'many'"):
        regressor().fit(X, [None, 1.0, "many", *NUMBERS[3:]])
    with pytest.raises(ValueError, match="y contains NaN: in 1 of 40 rows"):
        regressor().fit(X, [None, *(CLASSES[1:] == 1).tolist()])


def test_truth_is_0_and_1_to_a_regression_whatever_it_comes_in():
    expected = regressor().fit(X, CLASSES == 1).predict(X)
    objects = (CLASSES == 1).astype(object)
    np.testing.assert_array_equal(regressor().fit(X, objects).predict(X), expected)


def test_the_error_of_a_transform_names_the_parameter():
    with pytest.raises(ValueError, match='target_transform="log" needs a target above 0'):
        regressor(target_transform="log").fit(X, NUMBERS)


def test_ranks_need_a_target_that_varies():
    for size in (1e-310, 5e-324):
        with pytest.raises(ValueError, match='target_transform="quantile" needs a target that varies more'):
            regressor(target_transform="quantile").fit(X, NUMBERS * size)
    assert regressor(target_transform="quantile").fit(X, NUMBERS * 0).predict(X).tolist() == [0.0] * len(X)


@pytest.mark.parametrize("transform", [None, "quantile"])
@pytest.mark.parametrize(("size", "far"), [(1.0, 1e50), (1e-290, 1e200)])
def test_targets_that_choose_may_not_be_out_of_reach(transform, size, far):
    model = regressor(target_transform=transform, n_folds=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="y_val: y is too far from the targets of fit: "):
            model.fit(X, NUMBERS * size, X, NUMBERS * far)


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_the_score_of_targets_of_any_size(size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = regressor().fit(X, NUMBERS * size)
    assert model.leaderboard_.score / size == pytest.approx(regressor().fit(X, NUMBERS).leaderboard_.score)


def test_a_class_for_each_row_is_told():
    with pytest.warns(UserWarning, match="y has 40 classes in 40 rows: a regressor predicts numbers"):
        classifier(n_members=1).fit(X, np.arange(40))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier(n_members=1).fit(X, np.arange(40) // 2)


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ({0: 1, 7: 2}, r"class_weight must have classes of y, \[0, 1\], got 7"),
        ({"0": 1}, r"class_weight must have classes of y, \[0, 1\], got '0'"),
        ({0: -1}, r"class_weight\[0\] must be a number of at least 0, got -1"),
        ({1: np.nan}, r"class_weight\[1\] must be a number of at least 0, got nan"),
        ({0: np.inf}, "class_weight must be finite, and positive for some class of y"),
        ({0: 0, 1: 0}, "class_weight must be finite, and positive for some class of y"),
        ({0: "a"}, r"class_weight\[0\] must be a number, got 'a'"),
    ],
)
def test_weights_of_classes_that_cannot_be_are_refused(weights, match):
    with pytest.raises((TypeError, ValueError), match=match):
        classifier(class_weight=weights).fit(X, CLASSES)


def test_a_class_that_the_rows_do_not_have_may_have_a_weight():
    y = np.where(CLASSES, "yes", "no")
    one = classifier(class_weight={"yes": 3, "no": 1, "perhaps": 9}).fit(X, y)
    other = classifier(class_weight={"yes": 3}).fit(X, y)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    dates = classifier(class_weight={np.datetime64("2024-02-01"): 3}).fit(X, DATES)
    np.testing.assert_array_equal(dates.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize(
    ("weights", "match"),
    [
        (["a"] * 40, "sample_weight must be numbers, got text"),
        (np.ones(40) + 1j, "sample_weight must be real numbers"),
        (np.ones(40).astype("M8[s]"), "sample_weight must be numbers, got dates"),
        (np.ones(40).astype("m8[s]"), "sample_weight must be numbers, got durations"),
        (
            np.ma.masked_array(np.ones(40), np.arange(40) < 3),
            "sample_weight .* without masked elements, got 3",
        ),
        (np.inf, "sample_weight must be finite and not negative, got inf"),
        ("balanced", "sample_weight must be array-like"),
        (np.full(40, np.nan), "sample_weight contains NaN"),
        (np.full(40, np.inf), "sample_weight contains infinity"),
        (np.ones((40, 1)), "[Ss]ample.weights? must be 1D"),
    ],
)
def test_weights_of_rows_that_cannot_be_are_refused(make, weights, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make().fit(X, target_of(make(), CLASSES, NUMBERS), sample_weight=weights)


def test_weights_of_any_size_are_weights():
    weights = np.linspace(0.1, 1, 40)
    expected = regressor().fit(X, NUMBERS, sample_weight=weights).predict(X)
    huge = regressor().fit(X, NUMBERS, sample_weight=weights * 1e308).predict(X)
    np.testing.assert_allclose(huge, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"X_val": np.where(X > 9, X, np.inf), "y_val": CLASSES}, "X_val: column 0 of X contains infinity"),
        ({"X_val": X[:, :2], "y_val": CLASSES}, "X_val: X has 2 features"),
        ({"X_val": X, "y_val": CLASSES + 5}, "y_val: y must have classes that were in fit, got [56]"),
        ({"X_val": X[:0], "y_val": []}, r"X_val: X has 0 sample\(s\)"),
        ({"X_val": X, "y_val": 3}, "y_val: y must be an array"),
    ],
)
def test_errors_of_rows_that_choose_say_so(given, match):
    with pytest.raises((TypeError, ValueError), match=match):
        classifier(n_folds=None).fit(X, CLASSES, **given)


def test_rows_that_choose_must_count():
    model = classifier(n_folds=None, class_weight={1: 0})
    with pytest.raises(ValueError, match="y_val must have rows that class_weight gives a weight"):
        model.fit(X, CLASSES, X[CLASSES == 1], CLASSES[CLASSES == 1])


def test_labels_of_another_type_are_refused_by_the_name_of_their_argument():
    model = classifier(n_folds=None)
    said = r"y must have labels of the type that classes_ has, \[0, 1\], got '[01]', of str$"
    with pytest.raises(TypeError, match=f"^y_val: {said}"):
        model.fit(X, CLASSES, X, CLASSES.astype(str))
    model.fit(X, CLASSES, X, CLASSES.astype(float))
    with pytest.raises(TypeError, match=f"^{said}"):
        model.score(X, CLASSES.astype(str))
    assert model.score(X, CLASSES == 1) == model.score(X, CLASSES.astype(float)) > 0.5

"""Tables that are hardly any: a clear error or a right answer, and a former fit stays."""

import re
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.utils._param_validation import InvalidParameterError

from tabular_cases import BOTH, classifier, numeric, regressor, said, target_of

X, CLASSES, NUMBERS = numeric(40)


def pair(make, rows=40):
    model = make()
    return model, target_of(model, CLASSES, NUMBERS)[:rows].copy()


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("rows", [2, 5, 9, 10, 12])
def test_few_rows_are_learnt_from(make, rows):
    model = make(n_folds=None)
    y = target_of(model, np.arange(rows) % 2, np.linspace(0, 1, rows))
    table = np.column_stack([np.asarray(y, dtype=float), np.arange(rows)])
    model.fit(table, y)
    assert np.isfinite(said(model, table)).all()
    assert model.score(table, y) > 0.4


@pytest.mark.parametrize("make", BOTH)
def test_one_row_is_refused(make):
    model, y = pair(make, 1)
    with pytest.raises(ValueError, match="1 sample"):
        model.fit(X[:1], y)


def test_one_class_is_refused_by_name():
    with pytest.raises(ValueError, match="at least 2 classes, got only one class, 'a'"):
        classifier().fit(X, ["a"] * 40)
    with pytest.raises(ValueError, match="only one class"):
        classifier().fit(X, CLASSES, sample_weight=(CLASSES == 0).astype(float))


THREE = np.array(list("abc") * 30)


def test_a_class_without_weight_is_warned_of():
    table = numeric(90)[0]
    for kinds in (THREE, THREE.astype(object), np.where(THREE == "c", None, THREE)):
        words = r"y has \['c'\] in rows of sample_weight 0 alone: classes_ has no such class"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = classifier().fit(table, kinds, sample_weight=(THREE != "c").astype(float))
        assert list(model.classes_) == ["a", "b"]
        # What is missing is no class.
        assert [str(each.message) for each in caught if "sample_weight" in str(each.message)] == (
            [words.replace("\\", "")] if kinds[2] else []
        )
        assert all(each.filename == __file__ for each in caught)


@pytest.mark.filterwarnings("ignore:y has")
def test_rows_without_weight_are_named_where_the_others_are_too_few():
    table = numeric(90)[0]
    words = "got only one class, 'a'; fit learns from the 30 of 90 rows with sample_weight above 0"
    with pytest.raises(ValueError, match=f"y must have at least 2 classes, {words}"):
        classifier().fit(table, THREE, sample_weight=THREE == "a")
    words = "X has 1 sample, .* fit learns from the 1 of 90 rows with sample_weight above 0"
    for make in BOTH:
        with pytest.raises(ValueError, match=words):
            make().fit(table, np.arange(90) % 2, sample_weight=np.arange(90) == 7)
    weights, words = (THREE != "c").astype(float), "y_val: y must have classes that were in fit"
    with pytest.raises(ValueError, match=f"{words} with a sample_weight above 0, got 'c'$"):
        classifier(n_folds=1).fit(table, THREE, table, THREE, sample_weight=weights)
    with pytest.raises(ValueError, match=f"{words}, got 'd'$"):
        classifier(n_folds=1).fit(table, THREE, table, ["d"] * 90, sample_weight=weights)
    with pytest.raises(ValueError, match=r"X_val: .*as input$"):
        classifier(n_folds=1).fit(table, THREE, table[:, :2], THREE, sample_weight=weights)
    # Where all rows count there is nothing to say.
    with pytest.raises(ValueError, match=r"only one class, 'a'$"):
        classifier().fit(table, ["a"] * 90, sample_weight=np.arange(90) % 2 + 1)


def test_a_constant_target_is_predicted():
    model = regressor().fit(X, np.full(40, 7.25))
    np.testing.assert_array_equal(model.predict(X + 1), np.full(40, 7.25))


@pytest.mark.parametrize("rows", [30, 90])
def test_classes_with_one_row_have_a_place(rows):
    table, y, _ = numeric(rows)
    y = y.astype(object)
    y[3], y[7] = "lonely", "single"
    model = classifier(n_folds=3).fit(table, [str(each) for each in y])
    probabilities = model.predict_proba(table)
    assert list(model.classes_) == ["0", "1", "lonely", "single"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert np.isfinite(model.leaderboard_.score)


@pytest.mark.parametrize("metric", ["roc_auc", "error_rate", "log_loss"])
def test_a_class_that_is_in_no_held_out_row_can_be_scored(metric):
    table, y, _ = numeric(60)
    y[3] = 2
    model = classifier(eval_metric=metric, n_folds=1).fit(table, y)
    assert 0 <= model.leaderboard_.score < 20


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("nothing", [np.nan, 3.0])
def test_columns_without_values_or_of_one_are_dropped_and_told(make, nothing):
    model, y = pair(make)
    table = np.column_stack([X, np.full(40, nothing)])
    model.fit(table, y)
    assert model.report_[-1].kind == "dropped"
    changed = table.copy()
    changed[:, -1] = 5
    np.testing.assert_array_equal(said(model, changed), said(model, table))
    with pytest.raises(ValueError, match="no column that tells its rows apart"):
        make().fit(np.full((40, 2), nothing), y)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("dtype", ["M8[ns]", "m8[ns]", object, "f8"])
def test_numbers_none_of_which_is_there_are_missing_whatever_their_dtype(make, dtype):
    model, y = pair(make)
    table = {"a": X[:, 0], "b": X[:, 1]}
    model.fit(table, y)
    missing = {"a": X[:3, 0], "b": np.full(3, None).astype(dtype)}
    np.testing.assert_array_equal(said(model, missing), said(model, missing | {"b": [np.nan] * 3}))
    with pytest.raises(ValueError, match="column 'b' of X must have numbers, got dates"):
        said(model, missing | {"b": np.array(["NaT", "NaT", "2020-01-01"], "M8[ns]")})


@pytest.mark.parametrize("make", BOTH)
def test_ten_thousand_categories(make):
    rng = np.random.default_rng(0)
    levels = rng.permutation(np.repeat(np.arange(10_000), 2))
    number = rng.normal(size=20_000)
    signal = number + np.where(levels < 5000, -1.0, 1.0)
    table = {"level": [f"level {each}" for each in levels], "number": number}
    model = make(n_members=1, n_folds=1)
    y = target_of(model, signal > 0, signal)
    model.fit(table, y)
    assert model.encoder_.category_sizes == [10_001]
    # Each level is there twice only, and of some both rows are held out; still they tell.
    assert model.score(table, y) > (0.75 if make is classifier else 0.5)
    new = {"level": ["never seen", None], "number": [0.5, 0.5]}
    assert np.isfinite(said(model, new)).all()


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (lambda t: t | {"b": [*t["b"][:-1], np.inf]}, "column 'b' of X contains infinity"),
        (
            lambda t: t | {"b": [*t["b"][:-1], "tall"]},
            "column 'b' of X has .*different kinds.*'tall'",
        ),
        (lambda t: t | {"b": [*t["b"][:-1], [1, 2]]}, r"column 'b' of X .*\[1, 2\]"),
        (lambda t: t | {"b": t["b"][:-1]}, "columns of one length"),
        (lambda t: t | {"b": [f"The {i}th of them said something new" for i in range(40)]}, "free text"),
    ],
)
def test_columns_that_cannot_be_read_are_named(make, spoilt, message):
    model, y = pair(make)
    table = {"a": list(X[:, 0]), "b": list(X[:, 1])}
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(spoilt(table), y)
    assert not hasattr(model, "encoder_")


@pytest.mark.parametrize("make", BOTH)
def test_infinity_at_predict_is_refused_and_missing_values_are_not(make):
    model, y = pair(make)
    model.fit(X, y)
    spoilt = X.copy()
    spoilt[3, 1] = -np.inf
    with pytest.raises(ValueError, match="column 1 of X contains infinity"):
        model.predict(spoilt)
    assert np.isfinite(said(model, np.full((2, 3), np.nan))).all()
    assert np.isfinite(said(model, np.full((2, 3), 1e30))).all()


@pytest.mark.parametrize("make", BOTH)
def test_names_that_are_there_twice_are_refused(make):
    pandas = pytest.importorskip("pandas")
    model, y = pair(make)
    with pytest.raises(ValueError, match="more than one 'a'"):
        model.fit(pandas.DataFrame(X, columns=["a", "b", "a"]), y)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("place", ["y", "y_val"])
def test_a_target_with_gaps_is_refused(make, place):
    model, y = pair(make)
    model.set_params(n_folds=None)
    gaps = y.astype(float)
    gaps[4] = np.nan
    given = {"y": gaps} if place == "y" else {"y": y, "X_val": X, "y_val": gaps}
    with pytest.raises(ValueError, match="y contains NaN: in 1 of 40 rows"):
        model.fit(X, **given)


def test_targets_of_the_wrong_kind_are_refused():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        classifier().fit(X, NUMBERS)
    with pytest.raises(ValueError, match="y must have numbers for a regression, got 'a'"):
        regressor().fit(X, ["a", "b"] * 20)
    with pytest.raises(ValueError, match="y contains infinity"):
        regressor().fit(X, [np.inf, *NUMBERS[1:]])
    with pytest.raises(ValueError, match="y must have classes that were in fit, got 5"):
        classifier(n_folds=1).fit(X, CLASSES, X, np.full(40, 5))


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "fastest"}, "preset"),
        ({"n_members": 0}, "n_members"),
        ({"n_folds": 0}, "n_folds"),
        ({"max_time": 0}, "max_time"),
        ({"eval_metric": "accuracy"}, "eval_metric"),
        ({"n_threads": 0}, "n_threads"),
        ({"columns": {9: "number"}}, "columns"),
        ({"columns": {0: "numbers"}}, "did you mean 'number'"),
        ({"categorical_features": ["a"]}, "categorical_features has the name 'a'"),
    ],
)
def test_options_that_cannot_be_are_named(make, options, message):
    model, y = pair(make)
    with pytest.raises((ValueError, TypeError), match=message):
        model.set_params(**options).fit(X, y)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "two"])
def test_a_number_of_threads_that_is_none_is_refused_by_predict_as_well(make, value):
    model, y = pair(make)
    model.set_params(preset="quick", n_members=1, n_folds=1).fit(X, y)
    with pytest.raises((TypeError, ValueError), match=f"^n_threads must be an integer.*, got {value!r}$"):
        model.set_params(n_threads=value).predict(X)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("value", [True, False, np.True_])
@pytest.mark.parametrize("option", ["max_time", "n_members", "n_folds", "random_state", "n_threads"])
def test_truth_is_no_number(make, value, option):
    model, y = pair(make)
    what = "a float in the range (0.0, inf)" if option == "max_time" else "an int in the range ["
    with pytest.raises(
        InvalidParameterError, match=f"^The '{option}' parameter of Tab.* must be {re.escape(what)}"
    ):
        model.set_params(**{option: value}).fit(X, y)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("value", [np.inf, np.nan, -1.0])
def test_there_is_no_end_but_a_number_of_seconds(make, value):
    model, y = pair(make)
    with pytest.raises(
        InvalidParameterError, match=r"'max_time' .* a float in the range \(0.0, inf\) or None"
    ):
        model.set_params(max_time=value).fit(X, y)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_val": X}, "together, got no y_val"),
        ({"y_val": NUMBERS}, "together, got no X_val"),
        ({"X_val": X[:3], "y_val": CLASSES}, "as many rows, got 3 and 40"),
        ({"X_val": X[:, :2], "y_val": CLASSES}, "expecting 3 features"),
        ({"sample_weight": np.zeros(40)}, "positive for some rows|at least one non-zero"),
        ({"sample_weight": np.full(40, -1.0)}, "[Nn]egative"),
        ({"sample_weight": np.ones(39)}, "39"),
    ],
)
def test_what_else_is_given_to_fit_is_checked(make, given, message):
    model = make(n_folds=None)
    with pytest.raises(ValueError, match=message):
        model.fit(X, target_of(model, CLASSES, NUMBERS), **given)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("folds", [1, 3])
@pytest.mark.parametrize("few", [1, 2])
def test_weights_that_leave_a_fold_without_any_are_named(make, folds, few):
    model, y = pair(make)
    which = "sample_weight or class_weight" if make is classifier else "sample_weight"
    weights = np.full(40, 1e-30)
    weights[:few] = 1e30
    with pytest.raises(ValueError, match=f"^{which} must give weight to rows of every fold, got one"):
        model.set_params(n_folds=folds).fit(X, y, sample_weight=weights)
    assert not hasattr(model, "ensemble_")
    # Of different size, but some of each in every part.
    weights[::2] = 1e30
    assert np.isfinite(said(model.fit(X, y, sample_weight=weights), X)).all()


def test_classes_without_weight_that_leave_a_fold_without_any_are_named():
    y = np.repeat([0, 1], [38, 2])
    for given in ({0: 0, 1: 1}, {0: 1e-300, 1: 1e300}):
        with pytest.raises(
            ValueError, match=r"^sample_weight or class_weight must give weight to rows of every"
        ):
            classifier(n_folds=3, class_weight=given).fit(X, y)


@pytest.mark.parametrize("make", BOTH)
def test_folds_and_given_rows_exclude_each_other(make):
    model, y = pair(make)
    with pytest.raises(ValueError, match="n_folds must be None or 1 where X_val is given, got 2"):
        model.fit(X, y, X, y)


@pytest.mark.parametrize("make", BOTH)
def test_lengths_must_agree(make):
    model, y = pair(make)
    with pytest.raises(ValueError, match="X has 40, y 39"):
        model.fit(X, y[:39])


@pytest.mark.parametrize("make", BOTH)
def test_a_fit_that_fails_leaves_the_last_one(make):
    model, y = pair(make)
    model.fit({"a": X[:, 0], "b": X[:, 1]}, y)
    before, facts = said(model, {"a": X[:, 0], "b": X[:, 1]}), dict(vars(model))
    for bad in (np.full((40, 3), np.inf), X[:7], [["text of one kind"]] * 40):
        with pytest.raises((ValueError, TypeError)):
            model.fit(bad, y)
    assert vars(model) == facts
    np.testing.assert_array_equal(said(model, {"a": X[:, 0], "b": X[:, 1]}), before)


@pytest.mark.parametrize("make", BOTH)
def test_sparse_tables_and_complex_numbers_are_refused(make):
    sparse = pytest.importorskip("scipy.sparse")
    model, y = pair(make)
    with pytest.raises(TypeError, match="X must be dense"):
        model.fit(sparse.csr_array(X), y)
    with pytest.raises(ValueError, match="Complex data not supported"):
        model.fit(X + 1j, y)


def beside(column):
    return pytest.importorskip("pandas").DataFrame({"number": X[:, 0], "text": column})


WARNINGS = {
    "a column-vector": lambda: classifier().fit(X, CLASSES[:, None]),
    "a regressor predicts": lambda: classifier().fit(X, np.arange(len(X)) // 1.5),
    "may be numbers": lambda: classifier().fit(beside([f"{i}.5 kg" for i in range(len(X))]), CLASSES),
    "are taken as one": lambda: classifier().fit(beside(2**60 + np.arange(len(X)) % 3), CLASSES),
    "was in fit": lambda: classifier().fit(beside(CLASSES.astype(str)), CLASSES).score(beside("c"), CLASSES),
    "valid feature names": lambda: regressor().fit(beside(NUMBERS), NUMBERS).score(X[:, :2], NUMBERS),
}


@pytest.mark.parametrize("message", WARNINGS)
def test_warnings_name_the_line_of_the_user(message):
    with pytest.warns(UserWarning, match=f"(?i){message}") as told:
        WARNINGS[message]()
    assert {warning.filename for warning in told} == {__file__}

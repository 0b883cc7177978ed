"""What is said of a single row, a mapping or a sequence, is what is said of a table with it, to the bit."""

import pickle

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")
import pandas as pd
from sklearn.exceptions import NotFittedError

import schuss as sc
from mixed_table import labels, numbers, table
from schuss.tables import Ensemble
from schuss.tables._dates import PARTS, parts_of_one

LITTLE = {"preset": "quick", "n_members": 3, "n_folds": 2, "random_state": 0}
FRAME, NEW = table(300, 0), table(120, 1)
NEW.loc[:4, ["size", "town", "when"]] = None
NEW.loc[5:9, ["town", "kind"]] = "never seen"
NEW.loc[10, "size"], NEW.loc[11, "size"] = 1e250, -1e250


def rows_of(frame):
    """Each row as a mapping, and as a sequence."""
    for row in frame.to_dict("records"):
        yield row
        yield list(row.values())
        yield pd.Series(row, dtype=object)


@pytest.mark.parametrize("classes", [["no", "yes"], [3, 1, 2], [False, True]])
def test_a_classifier_says_the_same(classes):
    model = sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, classes))
    probabilities, said = model.predict_proba(NEW), model.predict(NEW)
    assert np.ptp(probabilities[:, 0]) > 0.3
    for place, row in enumerate(rows_of(NEW)):
        got = model.predict_proba_one(row)
        assert got.shape == (len(classes),)
        assert got.tobytes() == probabilities[place // 3].tobytes()
        assert model.predict_one(row) == said[place // 3]


@pytest.mark.parametrize("transform", [None, "log", "quantile"])
def test_a_regressor_says_the_same(transform):
    model = sc.TabularRegressor(**LITTLE, target_transform=transform).fit(FRAME, np.exp(numbers(FRAME)))
    expected = model.predict(NEW).tolist()
    assert np.ptp(expected) > 1
    for place, row in enumerate(rows_of(NEW)):
        got = model.predict_one(row)
        assert type(got) is float
        assert got == expected[place // 3]


@pytest.fixture(scope="module")
def one():
    return sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, ["no", "yes"]))


@pytest.mark.parametrize("scaling", ["clip", "quantile", "screened"])
def test_each_scaling_and_the_means_of_levels_take_part(scaling):
    model = sc.TabularRegressor(**LITTLE | {"n_members": 8, "random_state": 3}).fit(FRAME, numbers(FRAME))
    members = [each for each in model.ensemble_.members if each.recipe.scaling == scaling]
    assert members
    assert all(inputs.means is not None for member in members for inputs in member.inputs)
    alone = Ensemble(members, None)
    encoded = model.encoder_.transform(NEW)
    expected = alone.predict(encoded, None)
    assert np.ptp(expected) > 0.5
    assert [alone.of_row(row)[0] for row in encoded] == expected.tolist()


@pytest.mark.parametrize("columns", [["town", "kind"], ["size"], ["when"]])
def test_columns_of_one_kind(columns):
    model = sc.TabularRegressor(**LITTLE).fit(FRAME[columns], numbers(FRAME))
    expected = model.predict(NEW[columns]).tolist()
    assert [model.predict_one(row) for row in NEW[columns].to_dict("records")] == expected


def test_one_that_was_loaded_or_copied_says_the_same(one, tmp_path):
    row = NEW.to_dict("records")[20]
    expected = one.predict_proba_one(row).tobytes()
    one.save(tmp_path / "model")
    for same in (pickle.loads(pickle.dumps(one)), sc.TabularClassifier.load(tmp_path / "model")):
        assert "of_row" not in vars(same.ensemble_)
        assert same.predict_proba_one(row).tobytes() == expected


def test_after_another_fit_it_says_what_was_learnt_then():
    model = sc.TabularRegressor(**LITTLE)
    row = NEW.to_dict("records")[30]
    for sign in (1, -1):
        model.fit(FRAME, sign * numbers(FRAME))
        assert model.predict_one(row) == model.predict(NEW)[30]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": "large"}, "column 'size' of X must have numbers, got 'large'"),
        ({"size": np.inf}, "column 'size' of X contains infinity"),
        ({"when": "soon"}, "column 'when' of X must have dates"),
        ({"more": 1}, "feature names should match"),
    ],
)
def test_what_is_wrong_is_refused_by_name(one, change, words):
    row = NEW.to_dict("records")[0] | change
    with pytest.raises(ValueError, match=words):
        one.predict_proba_one(row)
    with pytest.raises(ValueError, match=words):
        one.predict_one(row)


def test_rows_that_are_too_short_are_refused(one):
    with pytest.raises(ValueError, match="a row must have 10 values by name or in order"):
        one.predict_one([1, 2])


def test_a_row_of_a_frame_has_its_names():
    model = sc.TabularRegressor(**LITTLE).fit(FRAME, numbers(FRAME))
    expected = model.predict(NEW)
    for place in range(len(NEW)):
        assert model.predict_one(NEW.iloc[place]) == expected[place]
        assert model.predict_one(NEW.iloc[place, ::-1]) == expected[place]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict_one(NEW.iloc[0].rename({"size": "sise"}))
    with pytest.raises(ValueError, match="by name or in order, got a DataFrame of shape"):
        model.predict_one(NEW.head(NEW.shape[1]))


def test_what_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        sc.TabularClassifier().predict_proba_one({"a": 1})
    with pytest.raises(NotFittedError):
        sc.TabularRegressor().predict_one({"a": 1})


def test_parts_of_one_date_are_the_bits_of_those_of_many():
    rng = np.random.default_rng(0)
    anywhere = rng.integers(-(10**17), 10**17, 5000)
    hours = rng.integers(-60 * 365 * 24, 80 * 365 * 24, 5000) * 3600_000_000
    moments = np.concatenate([anywhere, hours]).astype("M8[us]")
    many = np.array([PARTS[part](moments) for part in PARTS]).T
    assert np.array([parts_of_one(moment, PARTS) for moment in moments]).tobytes() == many.tobytes()


@pytest.mark.parametrize(
    "row", [5, None, "x" * len(FRAME.columns), set(FRAME.columns), b"x" * len(FRAME.columns)]
)
def test_what_is_no_row_is_refused(one, row):
    with pytest.raises(
        ValueError, match=f"a row must have {len(FRAME.columns)} values by name or in order, got"
    ):
        one.predict_one(row)


def test_a_table_is_no_row(one):
    with pytest.raises(ValueError, match=r"got a DataFrame of shape \(1, \d+\); predict takes tables"):
        one.predict_one(NEW.iloc[:1])
    with pytest.raises(NotFittedError, match="not fitted yet"):
        sc.TabularClassifier().predict_one(NEW.iloc[0])


@pytest.mark.parametrize("fitted_on", [lambda X: X, pd.DataFrame])
def test_rows_with_names_of_columns_that_have_none(fitted_on):
    X = np.random.default_rng(0).normal(size=(80, 3))
    model = sc.TabularRegressor(**LITTLE).fit(fitted_on(X), X[:, 0] - X[:, 2])
    want = model.predict(fitted_on(X[:1]))[0]
    values = X[0].tolist()
    rows = [values, X[0], pd.Series(values), pd.Series(values, index=["a", "b", "c"])]
    for row in [*rows, dict(enumerate(values)), dict(zip("abc", values, strict=True))]:
        assert model.predict_one(row) == want
    with pytest.raises(ValueError, match="a row must have 3 values"):
        model.predict_one(pd.Series(values[:2]))

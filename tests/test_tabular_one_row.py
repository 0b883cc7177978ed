"""What is said of a single row, a mapping or a sequence, is what is said of a table with it, to the bit."""

import enum
import json
import pickle

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")
import pandas as pd
from sklearn.exceptions import NotFittedError

import schuss as sc
from mixed_table import labels, numbers, table
from schuss.tables import Ensemble, TableEncoder
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


def test_another_name_in_place_of_a_dropped_column_is_refused(one):
    assert "same" not in one.encoder_.output_names
    row = FRAME.iloc[0].rename({"same": "sane"})
    for given in (row, row.to_dict()):
        with pytest.raises(ValueError, match=r"unseen at fit time:\n- sane\nFeature .* missing:\n- same"):
            one.predict_one(given)


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
    turned = dict(reversed([*enumerate(values)]))
    for row in [values, X[0], pd.Series(values), dict(enumerate(values)), turned, pd.Series(turned)]:
        assert model.predict_one(row) == want
    for row in [pd.Series(values, index=["a", "b", "c"]), dict(zip("abc", values, strict=True))]:
        with pytest.warns(UserWarning, match="a row has names, but the table of fit had none") as told:
            assert model.predict_one(row) == want
        assert told[0].filename == __file__
    with pytest.raises(ValueError, match="a row must have 3 values"):
        model.predict_one(pd.Series(values[:2]))


LABELS = {
    "integers": [30, 10, 20],
    "places in another order": [1, 2, 0],
    "tuples": [("a", "x"), ("a", "y"), ("b", 1)],
    "fractions": [0.5, 2.5, 3.0],
    "dates": [pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01"), pd.Timestamp("2022-01-01 10:00")],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_that_are_no_strings_are_names_of_values_as_well(labels, tmp_path):
    X = np.random.default_rng(0).normal(size=(80, 3))
    frame = pd.DataFrame(X, columns=pd.Index(labels, tupleize_cols=False))
    model = sc.TabularRegressor(**LITTLE).fit(frame, X[:, 0] - X[:, 2])
    want = model.predict(frame)
    assert not hasattr(model, "feature_names_in_")
    model.save(tmp_path / "model")
    for same in (model, sc.TabularRegressor.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        row = frame.iloc[0]
        for one in (row, row[::-1], row.to_dict(), row[::-1].to_dict(), row.tolist()):
            assert same.predict_one(one) == want[0]
        assert same.predict(X).tolist() == want.tolist()
        turned = frame.iloc[:, ::-1]
        for given in ({label: turned[label] for label in turned}, turned.to_dict("records")):
            assert same.predict(given).tolist() == want.tolist()
        with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
            same.predict(frame.iloc[:, ::-1])
        for other in ([30, 10, 21], ["p", "q", "r"], [("a", "x"), ("a", "y"), ("b", 2)]):
            with pytest.raises(ValueError, match=r"unseen at fit time:\n(.*\n)*.*yet now missing:"):
                same.predict(frame.set_axis(pd.Index(other, tupleize_cols=False), axis=1))
            with pytest.raises(ValueError, match=r"unseen at fit time:\n(.*\n)*.*yet now missing:"):
                same.predict_one(dict(zip(other, X[0], strict=True)))


def test_integers_that_json_has_made_text_of_are_the_same_names():
    X = np.random.default_rng(0).normal(size=(80, 3))
    frame = pd.DataFrame(X, columns=[30, 10, 20])
    model = sc.TabularRegressor(**LITTLE).fit(frame, X[:, 0] - X[:, 2])
    assert model.predict_one(json.loads(json.dumps(frame.iloc[0, ::-1].to_dict()))) == model.predict(frame)[0]
    assert model.predict(frame.rename(columns=str)).tolist() == model.predict(frame).tolist()


def test_a_frame_whose_columns_are_numbered_takes_no_others():
    X = np.random.default_rng(0).normal(size=(80, 3))
    frame = pd.DataFrame(X)
    model = sc.TabularRegressor(**LITTLE).fit(frame, X[:, 0] - X[:, 2])
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(frame[[2, 1, 0]])
    with pytest.raises(ValueError, match="unseen at fit time:\n- 3\n- 4"):
        model.predict(frame.set_axis([2, 3, 4], axis=1))
    with pytest.raises(ValueError, match=r"X has 2 features, but .* is expecting 3"):
        model.predict(frame[[0, 1]])
    with pytest.warns(UserWarning, match="X has feature names, but TabularRegressor was fitted without"):
        model.predict({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]})


def test_an_array_has_places_only():
    X = np.random.default_rng(0).normal(size=(80, 3))
    model = sc.TabularRegressor(**LITTLE).fit(X, X[:, 0] - X[:, 2])
    want = model.predict(X).tolist()
    assert model.predict(pd.DataFrame(X, columns=[7, 8, 9])).tolist() == want
    assert model.predict({2: X[:, 2], 0: X[:, 0], 1: X[:, 1]}).tolist() == want
    with pytest.warns(UserWarning, match="X has feature names, but TabularRegressor was fitted without"):
        assert model.predict({7: X[:, 0], 8: X[:, 1], 9: X[:, 2]}).tolist() == want
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(pd.DataFrame(X)[[2, 1, 0]])


def test_states_of_earlier_versions_take_columns_by_their_places():
    X = np.random.default_rng(0).normal(size=(80, 3))
    frame = pd.DataFrame(X, columns=[30, 10, 20])
    encoder = TableEncoder().fit(frame)
    state = encoder.get_state()
    assert state.pop("labels") == ["30", "10", "20"]
    old = TableEncoder.from_state(state)
    assert old.transform(frame).tobytes() == encoder.transform(frame).tobytes()
    assert old.transform(frame.set_axis([1, 0, 2], axis=1)).tobytes() == encoder.transform(frame).tobytes()


NAMED = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)), columns=["a", "b", "count"])


@pytest.fixture(scope="module")
def named():
    return sc.TabularRegressor(**LITTLE).fit(NAMED, NAMED["a"] - NAMED["count"])


@pytest.mark.parametrize("order", [["a", "b", "count"], ["count", "b", "a"]])
def test_records_and_named_tuples_have_names(named, order):
    frame, want = NAMED[order], named.predict(NAMED)
    assert named.predict_one(next(frame.itertuples(index=False))) == want[0]
    assert named.predict_one(next(frame.itertuples())) == want[0]
    assert named.predict_one(next(frame.itertuples(index=False, name=None))) != want[0] or order[0] == "a"
    assert named.predict_one(frame.to_records(index=False)[0]) == want[0]
    array = np.array([tuple(row) for row in frame.to_numpy()], dtype=[(name, "f8") for name in order])
    assert named.predict_one(array[0]) == want[0]
    for records in (frame.to_records(), frame.rename(columns={"a": "A"}).to_records(index=False)):
        with pytest.raises(ValueError, match=r"unseen at fit time:\n- (index|A)\n"):
            named.predict_one(records[0])


def test_names_that_pandas_gives_to_places_are_places():
    columns = ["a", "room size", "_b"]
    frame = NAMED.set_axis(columns, axis=1)
    model = sc.TabularRegressor(**LITTLE).fit(frame, frame["a"] - frame["_b"])
    row = next(frame.itertuples(index=False))
    assert row._fields == ("a", "_1", "_2")
    assert model.predict_one(row) == model.predict(frame)[0]
    with pytest.raises(ValueError, match="yet now missing:\n- _b\n- room size"):
        model.predict_one(next(frame[["room size", "a", "_b"]].itertuples(index=False)))
    with pytest.raises(ValueError, match="a row must have 3 values"):
        model.predict_one(next(frame.itertuples()))


class Colour(str, enum.Enum):
    RED, GREEN, BLUE = "red", "green", "dark blue"


class Count(enum.IntEnum):
    NONE, ONE, MORE = 0, 1, 5


class Loud(str):
    """A text that writes itself in another way, as others of an Enum do."""

    def __str__(self):
        return f"<{super().__str__()}>"

    __format__ = __repr__ = __str__


@pytest.mark.parametrize("of", [Colour, Loud, np.str_, lambda text: np.bytes_(text.encode())])
def test_texts_of_other_classes_are_the_texts_that_they_are(of):
    rng = np.random.default_rng(0)
    colours = rng.choice([each.value for each in Colour], 80).tolist()
    counts = rng.choice([each.value for each in Count], 80).tolist()
    y = np.array(colours) == "red"
    table = {"colour": colours, "count": counts, "written": [f"{each}.5" for each in counts]}
    given = {
        "colour": list(map(of, colours)),
        "count": list(map(Count, counts)),
        "written": [of(each) if of is not Colour else each for each in table["written"]],
    }
    model = sc.TabularClassifier(**LITTLE).fit(table, y)
    expected = model.predict_proba(table)
    assert np.ptp(expected[:, 0]) > 0.3
    assert model.predict_proba(given).tobytes() == expected.tobytes()
    for place in range(20):
        row = {name: values[place] for name, values in given.items()}
        assert model.predict_proba_one(row).tobytes() == expected[place].tobytes()
    same = sc.TabularClassifier(**LITTLE).fit(given, y)
    assert same.encoder_.get_state() == model.encoder_.get_state()
    assert same.predict_proba(table).tobytes() == expected.tobytes()


def test_columns_that_members_of_an_enum_name_are_called_by_their_text():
    table = {name: [1.0, 2.0, 4.0] for name in Colour}
    assert TableEncoder().fit(table).feature_names_in == [each.value for each in Colour]
    assert TableEncoder().fit({(name, 1): [1.0, 2.0] for name in Colour}).labels_in[0] == "('red', 1)"

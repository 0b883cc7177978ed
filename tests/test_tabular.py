"""The estimators for tables: the same bits, whatever carries the table and how many threads there are."""

import copy
import datetime
import io
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tabular_cases import BOTH, classifier, fruit, numeric, regressor, said, target_of

TABLE, LABELS, NUMBERS = fruit()


def fitted(make, **options):
    model = make(**options)
    return model.fit(TABLE, target_of(model, LABELS, NUMBERS))


@pytest.mark.parametrize("make", BOTH)
def test_it_learns(make):
    model = fitted(make, n_members=4)
    table, labels, numbers = fruit(seed=1)
    assert model.score(table, target_of(model, labels, numbers)) > 0.8


@pytest.mark.parametrize("make", BOTH)
def test_any_number_of_threads_gives_the_same_bits(make):
    one, two, four = (fitted(make, n_members=4, n_threads=n) for n in (1, 2, 4))
    np.testing.assert_array_equal(said(one, TABLE), said(two, TABLE))
    np.testing.assert_array_equal(said(one, TABLE), said(four, TABLE))


@pytest.mark.parametrize("make", BOTH)
def test_a_seed_gives_the_same_bits_and_another_one_others(make):
    first, again, other = fitted(make), fitted(make), fitted(make, random_state=1)
    np.testing.assert_array_equal(said(first, TABLE), said(again, TABLE))
    assert not np.array_equal(said(first, TABLE), said(other, TABLE))


def test_a_random_state_is_taken_and_moves_on():
    state = np.random.RandomState(0)
    model = regressor(random_state=state)
    first = said(model.fit(TABLE, NUMBERS), TABLE)
    second = said(model.fit(TABLE, NUMBERS), TABLE)
    assert not np.array_equal(first, second)
    same = fitted(regressor, random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(first, said(same, TABLE))


@pytest.mark.parametrize("make", BOTH)
def test_the_order_of_few_rows_makes_no_difference(make):
    order = np.random.default_rng(5).permutation(len(LABELS))
    table = {name: column[order] for name, column in TABLE.items()}
    model = make()
    model.fit(table, target_of(model, LABELS, NUMBERS)[order])
    np.testing.assert_array_equal(said(model, TABLE), said(fitted(make), TABLE))


@pytest.mark.parametrize("make", BOTH)
def test_the_order_of_equal_rows_with_their_weights_makes_no_difference(make):
    X, classes, numbers = (np.concatenate([part, part]) for part in numeric(60))
    rng = np.random.default_rng(6)
    weights, order = rng.uniform(0.1, 2, 120), rng.permutation(120)
    first, second = make(), make()
    y = target_of(first, classes, numbers)
    first.fit(X, y, sample_weight=weights)
    second.fit(X[order], y[order], sample_weight=weights[order])
    np.testing.assert_array_equal(said(first, X), said(second, X))


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
)
def test_copies_say_the_same(make, copied):
    model = fitted(make)
    other = copied(model)
    np.testing.assert_array_equal(said(other, TABLE), said(model, TABLE))
    assert repr(other.leaderboard_) == repr(model.leaderboard_)
    assert repr(other.report_) == repr(model.report_)


@pytest.mark.parametrize("make", BOTH)
def test_a_clone_is_unfitted_and_learns_the_same(make):
    model = fitted(make)
    other = clone(model)
    with pytest.raises(NotFittedError):
        other.predict(TABLE)
    other.fit(TABLE, target_of(model, LABELS, NUMBERS))
    np.testing.assert_array_equal(said(other, TABLE), said(model, TABLE))


def as_pandas(table):
    return pytest.importorskip("pandas").DataFrame(table)


def as_pandas_nullable(table):
    return as_pandas(table).convert_dtypes()


def as_pandas_category(table):
    return as_pandas(table).astype({"colour": "category"})


def as_polars(table):
    columns = {name: list(column) if column.dtype == object else column for name, column in table.items()}
    return pytest.importorskip("polars").DataFrame(columns, nan_to_null=True)


def as_arrow(table):
    return pytest.importorskip("pyarrow").table(as_pandas(table))


def as_records(table):
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def as_objects(table):
    return np.array([list(row) for row in zip(*table.values(), strict=True)], dtype=object)


def as_rows(table):
    return [list(row) for row in zip(*table.values(), strict=True)]


CARRIERS = [as_pandas, as_pandas_nullable, as_pandas_category, as_polars, as_arrow, as_records, as_objects]
CARRIERS += [as_rows]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_whatever_carries_the_table_gives_the_same_bits(carrier):
    table = carrier(TABLE)
    model = classifier().fit(table, LABELS)
    expected = fitted(classifier)
    np.testing.assert_array_equal(said(model, table), said(expected, TABLE))
    if carrier not in (as_objects, as_rows):
        assert list(model.feature_names_in_) == list(TABLE)
        # A table of one kind may be fitted, and another predicted.
        np.testing.assert_array_equal(said(expected, table), said(expected, TABLE))
        np.testing.assert_array_equal(said(model, TABLE), said(expected, TABLE))
        backwards = {name: TABLE[name] for name in reversed(TABLE)}
        np.testing.assert_array_equal(said(model, backwards), said(expected, TABLE))
        np.testing.assert_array_equal(said(model, as_records(backwards)), said(expected, TABLE))
    assert model.n_features_in_ == 4


@pytest.mark.parametrize("carrier", [as_pandas, as_polars, as_arrow])
@pytest.mark.parametrize("make", BOTH)
def test_a_target_may_be_a_column_of_any_frame(carrier, make):
    model = make()
    target = target_of(model, LABELS, NUMBERS)
    column = carrier({"target": np.asarray(target)})["target"]
    model.fit(TABLE, column)
    np.testing.assert_array_equal(said(model, TABLE), said(fitted(make), TABLE))


def test_names_are_forgotten_by_a_fit_without_any():
    model = classifier().fit(TABLE, LABELS)
    assert hasattr(model, "feature_names_in_")
    model.fit(as_objects(TABLE), LABELS)
    assert not hasattr(model, "feature_names_in_")


def test_names_that_are_missing_or_new_are_named():
    pandas = pytest.importorskip("pandas")
    model = classifier().fit(pandas.DataFrame(TABLE), LABELS)
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- weight\n.*missing:\n- size"):
        model.predict(pandas.DataFrame(TABLE).rename(columns={"size": "weight"}))
    with pytest.raises(ValueError, match="same order"):
        model.predict(pandas.DataFrame(TABLE)[["colour", "size", "day", "washed"]])
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- weight"):
        model.predict({"weight" if name == "size" else name: column for name, column in TABLE.items()})
    words = "X has 3 features, but TabularClassifier is expecting 4 features"
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    for same in (model, pickle.loads(pickle.dumps(model)), type(model).load(file)):
        with pytest.raises(ValueError, match=words):
            same.predict(np.ones((2, 3)))
    with pytest.raises(ValueError, match=f"X_val: {words}"):
        classifier(n_folds=1).fit(TABLE, LABELS, np.ones((2, 3)), LABELS[:2])


@pytest.mark.parametrize("carrier", [as_pandas, as_polars, as_arrow])
def test_a_table_of_one_kind_and_one_of_the_other_is_warned_of(carrier):
    frame, rows = carrier(TABLE), as_objects(TABLE)
    named, nameless = classifier().fit(frame, LABELS), classifier().fit(rows, LABELS)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        named.predict(rows)
    with pytest.warns(UserWarning, match="X has feature names, but TabularClassifier was fitted without"):
        nameless.predict(frame)


def test_one_row_of_a_mapping_is_predicted_as_among_others():
    model = fitted(classifier)
    one = model.predict_proba({name: column[3] for name, column in TABLE.items()})
    np.testing.assert_allclose(one[0], model.predict_proba(TABLE)[3], rtol=1e-6)


def test_it_is_a_step_of_a_pipeline_with_outputs_of_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(TABLE)
    pipeline = make_pipeline(FunctionTransformer(), classifier()).set_output(transform="pandas")
    pipeline.fit(frame, LABELS)
    np.testing.assert_array_equal(pipeline.predict_proba(frame), said(fitted(classifier), TABLE))


def test_searches_and_cross_validation_take_it():
    X, _, y = numeric(90)
    search = GridSearchCV(regressor(), {"n_members": [1, 2]}, cv=2).fit(X, y)
    assert search.best_params_["n_members"] in (1, 2)
    assert (cross_val_score(regressor(), X, y, cv=2) > 0.2).all()


def test_weights_are_routed():
    X, _, y = numeric(60)
    weights = np.linspace(0.1, 3, 60)
    with sklearn.config_context(enable_metadata_routing=True):
        model = regressor().set_fit_request(sample_weight=True)
        routed = make_pipeline(FunctionTransformer(), model).fit(X, y, sample_weight=weights)
    direct = regressor().fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(routed.predict(X), direct.predict(X))
    assert not np.array_equal(direct.predict(X), regressor().fit(X, y).predict(X))


@pytest.mark.parametrize("make", BOTH)
def test_weights_of_zero_leave_rows_out_and_whole_ones_repeat_them(make):
    X, classes, numbers = numeric(80, classes=3)
    model = make()
    y = target_of(model, classes, numbers)
    weights = np.random.default_rng(3).integers(0, 3, 80)
    model.fit(X, y, sample_weight=weights)
    repeated = make().fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_array_equal(said(model, X), said(repeated, X))
    # Halves of them are no counts, but what was left out stays out.
    X[weights == 0] = np.nan
    halved = make().fit(X, y, sample_weight=weights / 2)
    known = weights > 0
    direct = make().fit(X[known], y[known], sample_weight=weights[known] / 2)
    np.testing.assert_array_equal(said(halved, X[known]), said(direct, X[known]))
    assert not is_classifier(model) or not np.array_equal(said(halved, X), said(model, X))


def test_equal_weights_are_none_in_tables_of_any_size():
    X, _, y = numeric(1200)
    options = {"n_members": 1, "n_folds": 1}
    plain, weighted = regressor(**options), regressor(**options)
    plain.fit(X, y)
    weighted.fit(X, y, sample_weight=np.full(1200, 2.5))
    np.testing.assert_array_equal(plain.predict(X), weighted.predict(X))


@pytest.mark.parametrize("weight", [1, 2, 7])
def test_equal_whole_weights_are_none_in_small_tables(weight):
    X, classes, _ = numeric(100)
    plain = classifier().fit(X, classes)
    weighted = classifier().fit(X, classes, sample_weight=np.full(100, weight))
    np.testing.assert_array_equal(weighted.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("transform", [None, "log", "quantile"])
def test_members_are_judged_by_targets_outside_of_the_range_of_training_as_they_are(transform):
    X = np.random.default_rng(0).uniform(1, 3, size=(300, 2))
    y = X[:, 0] * 10
    few = y < 20
    model = regressor(target_transform=transform, eval_metric="mae", n_members=1, n_folds=1)
    model.fit(X[few], y[few], X[~few], y[~few])
    mae = np.abs(model.predict(X[~few]) - y[~few]).mean()
    assert mae > 3
    np.testing.assert_allclose(model.leaderboard_.score, mae, rtol=1e-6)


def test_levels_without_rows_are_like_the_mean_of_the_others():
    rng = np.random.default_rng(0)
    kind, size = rng.choice(list("aab"), 400), rng.normal(size=400)
    model = regressor().fit({"kind": kind, "size": size}, size + 3.0 * (kind == "a"))
    for member in model.ensemble_.members:
        for network in member.networks:
            (table,) = [each for name, each in network.named_params.items() if name.endswith("table")]
            low, high = table[1:].min(axis=0), table[1:].max(axis=0)
            assert ((low <= table[0]) & (table[0] <= high)).all()
    a, b = (model.predict({"kind": [kind] * 400, "size": size}).mean() for kind in ("a", "b"))
    with pytest.warns(UserWarning, match="column 'kind' of X has only values of which none was in fit"):
        c = model.predict({"kind": ["never seen"] * 400, "size": size}).mean()
    assert b < c < a


def test_weights_move_what_is_learnt():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.where(rng.random(300) < 0.5, 1.0, 0.0)
    low = regressor().fit(X, y, sample_weight=np.where(y == 1, 0.1, 1.0)).predict(X).mean()
    high = regressor().fit(X, y, sample_weight=np.where(y == 1, 1.0, 0.1)).predict(X).mean()
    assert low < 0.25 < 0.75 < high


@pytest.mark.parametrize("weight", ["balanced", {"rare": 9.0, "common": 1.0}])
def test_weights_of_classes_are_those_of_rows(weight):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = np.where(rng.random(200) < 0.1, "rare", "common")
    plain = classifier().fit(X, y).predict_proba(X)[:, 1].mean()
    model = classifier(class_weight=weight).fit(X, y)
    assert plain < 0.2 < 0.3 < model.predict_proba(X)[:, 1].mean()
    share = (y == "rare").mean()
    factors = {"rare": 0.5 / share, "common": 0.5 / (1 - share)} if weight == "balanced" else weight
    by_rows = classifier().fit(X, y, sample_weight=[factors[each] / 16 for each in y])
    np.testing.assert_allclose(by_rows.predict_proba(X), model.predict_proba(X), atol=2e-3)


def test_balanced_weights_count_the_rows_weights():
    X, y, _ = numeric(60)
    weights = np.random.default_rng(0).integers(1, 4, 60)
    weighted = classifier(class_weight="balanced").fit(X, y, sample_weight=weights)
    repeated = classifier(class_weight="balanced").fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


def test_weights_that_balance_the_classes_leave_nothing_to_be_balanced():
    X, _, numbers = numeric(60)
    y = (numbers > np.sort(numbers)[49]).astype(int)
    weights = np.where(y == 1, 5 * 0.37, 0.37)
    model, plain = classifier(class_weight="balanced"), classifier()
    model.fit(X, y, sample_weight=weights)
    plain.fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-3)


def test_a_frame_shows_itself():
    model = fitted(classifier)
    assert "TabularClassifier" in model._repr_html_()
    assert "<table>" in model.leaderboard_._repr_html_()
    assert "log_loss" in repr(model.leaderboard_)
    frame = pytest.importorskip("pandas") and model.leaderboard_.to_frame()
    assert list(frame["score"]) == sorted(frame["score"])


def test_the_history_of_each_network_is_kept():
    X, _, numbers = numeric(90)
    model = regressor(n_members=3, n_folds=2).fit(X, numbers)
    assert model.history_.keys() == {line["member"] for line in model.leaderboard_}
    for line in model.leaderboard_:
        of_folds = model.history_[line["member"]]
        assert len(of_folds) == 2
        assert line["epoch"] == np.mean([each.best_epoch for each in of_folds])
        for each in of_folds:
            assert {"loss", "val_loss", "lr", "seconds"} <= each.keys()
            assert each["val_loss"][each.best_epoch - 1] == min(each["val_loss"])


def test_classes_that_are_dates_have_the_weights_of_equal_dates():
    table, labels, _ = fruit()
    days = np.where(labels == "ripe", np.datetime64("2020-01-01"), np.datetime64("2021-01-01"))
    weights = {np.datetime64("2020-01-01"): 1.0, np.datetime64("2021-01-01"): 50.0}
    written = {datetime.date(2020, 1, 1): 1.0, datetime.date(2021, 1, 1): 50.0}
    plain, numpys, pythons = (
        classifier(class_weight=given).fit(table, days).predict_proba(table)
        for given in (None, weights, written)
    )
    np.testing.assert_array_equal(numpys, pythons)
    assert not np.array_equal(plain, pythons)

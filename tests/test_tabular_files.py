"""Estimators for tables that are saved and loaded are the same; damaged files are refused by name."""

import io
import random

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")
from sklearn.exceptions import NotFittedError

import schuss as sc
from damage import ARCHIVES, BYTES
from mixed_table import labels, numbers, table
from savers import by_skops

LITTLE = {"preset": "quick", "n_members": 2, "n_folds": 2, "random_state": 0}
FRAME, NEW = table(240, 0), table(60, 1)
CLASSES = {
    "texts": ["no", "yes"],
    "whole numbers": [3, -1, 2**40],
    "truth": [False, True],
    "bytes": [b"no", b"yes"],
    "bytes that are no text": [b"\xe8", b"\xe9", b"\xef\xbf\xbd"],
    "bytes as objects": np.array([b"no", b"yes"], dtype=object),
    "days": np.array(["2020-01-01", "2021-12-31"], "M8[D]"),
    "objects": np.array(["no", "yes", "perhaps"], dtype=object),
    "whole numbers as objects": np.array([3, 1, 2**60 + 1], dtype=object),
    "whole numbers of more than 64 bits": np.array([3, -(2**70)], dtype=object),
}
if hasattr(getattr(np, "dtypes", None), "StringDType"):
    CLASSES["texts of any length"] = np.array(["no", "yes"], dtype=np.dtypes.StringDType())


def saved(model):
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    return file


@pytest.fixture(scope="module")
def classifier():
    return sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, ["no", "perhaps", "yes"]))


@pytest.fixture(scope="module")
def regressor():
    return sc.TabularRegressor(**LITTLE, target_transform="log").fit(FRAME, np.exp(numbers(FRAME)))


def check_same(same, model, rows):
    assert type(same) is type(model)
    assert repr(same) == repr(model)
    assert vars(same).keys() == vars(model).keys()  # nothing that was learnt is left behind
    assert same.predict(rows).tolist() == model.predict(rows).tolist()
    assert same.predict(rows).dtype == model.predict(rows).dtype
    assert same.n_features_in_ == model.n_features_in_
    assert getattr(same, "feature_names_in_", np.array([])).tolist() == list(
        getattr(model, "feature_names_in_", [])
    )
    assert repr(same.report_) == repr(model.report_)
    assert repr(same.leaderboard_) == repr(model.leaderboard_)
    assert list(same.leaderboard_) == list(model.leaderboard_)
    assert same.history_ == model.history_
    assert saved(same).getvalue() == saved(model).getvalue()


@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES)
def test_a_classifier_comes_back_the_same(classes):
    model = sc.TabularClassifier(**LITTLE, eval_metric="error_rate")
    model.fit(FRAME, labels(FRAME, classes))
    same = sc.TabularClassifier.load(saved(model))
    check_same(same, model, NEW)
    assert same.classes_.dtype == model.classes_.dtype
    assert same.classes_.tolist() == model.classes_.tolist()
    assert same.temperature_ == model.temperature_ != 1
    assert same.predict_proba(NEW).tobytes() == model.predict_proba(NEW).tobytes()


@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES)
def test_labels_are_scored_as_they_are_learnt(classes):
    y = labels(FRAME, classes)
    model = sc.TabularClassifier(**LITTLE).fit(FRAME, y)
    weights = np.arange(len(y))
    right = np.array([a == b for a, b in zip(model.predict(FRAME).tolist(), y.tolist(), strict=True)])
    assert model.score(FRAME, y) == right.mean() > 0.5
    np.testing.assert_allclose(model.score(FRAME, y, weights), np.average(right, weights=weights), rtol=1e-15)


@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES)
def test_a_classifier_comes_back_the_same_from_skops(classes):
    model = sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, classes))
    same = by_skops(model)
    check_same(same, model, NEW)
    row = dict(NEW.iloc[0])
    assert same.predict_proba([row]).tobytes() == model.predict_proba([row]).tobytes()


def test_a_regressor_comes_back_the_same_from_skops(regressor):
    check_same(by_skops(regressor), regressor, NEW)


@pytest.mark.parametrize("transform", [None, "log", "quantile"])
def test_a_regressor_comes_back_the_same(transform):
    model = sc.TabularRegressor(**LITTLE, target_transform=transform)
    model.fit(FRAME, np.exp(numbers(FRAME)))
    check_same(sc.TabularRegressor.load(saved(model)), model, NEW)


def test_parameters_of_every_kind_come_back_and_fit_the_same_again():
    parameters = {
        **LITTLE,
        "columns": {"grade": "number", "count": "drop"},
        "categorical_features": np.array(["town", "kind"]),
        "class_weight": {"no": 1.0, "yes": 2.0},
        "random_state": np.random.RandomState(3),
        "max_time": 100.0,
        "n_threads": 1,
    }
    y = labels(FRAME, ["no", "yes"])
    model = sc.TabularClassifier(**parameters).fit(FRAME, y)
    same = sc.TabularClassifier.load(saved(model))
    assert same.columns == model.columns
    assert same.class_weight == model.class_weight
    assert same.categorical_features.tolist() == ["town", "kind"]
    again = [each.fit(FRAME, y).predict_proba(NEW).tobytes() for each in (model, same)]
    assert again[0] == again[1]


def names_of_categories():
    """The names of some columns, in what gives them."""
    import pandas as pd

    names = ["town", "kind"]
    forms = [np.array(names, dtype=object), tuple(names), range(2, 4), pd.Index(names), pd.Series(names)]
    forms.append(pd.array([name in names for name in FRAME], "boolean"))
    if hasattr(getattr(np, "dtypes", None), "StringDType"):
        forms.append(np.array(names, dtype=np.dtypes.StringDType()))
    return forms


@pytest.mark.parametrize("names", names_of_categories(), ids=lambda names: type(names).__name__)
def test_names_in_any_form_are_saved(names):
    model = sc.TabularRegressor(**LITTLE, categorical_features=names).fit(FRAME, numbers(FRAME))
    same = sc.TabularRegressor.load(saved(model))
    assert list(same.categorical_features) == list(names)
    said = model.predict(NEW).tobytes()
    assert same.predict(NEW).tobytes() == said
    assert same.fit(FRAME, numbers(FRAME)).predict(NEW).tobytes() == said


def test_tables_without_names_and_without_categories():
    rows = np.random.default_rng(0).normal(size=(120, 3))
    model = sc.TabularRegressor(**LITTLE).fit(rows, rows[:, 0] ** 2)
    same = sc.TabularRegressor.load(saved(model))
    check_same(same, model, rows)
    assert not hasattr(same, "feature_names_in_")


def test_it_is_written_to_a_path_and_readable_without_schuss(classifier, tmp_path):
    path = tmp_path / "model.npz"
    for _ in range(2):
        classifier.save(path)
    check_same(sc.TabularClassifier.load(str(path)), classifier, NEW)
    assert list(tmp_path.iterdir()) == [path]
    with np.load(path, allow_pickle=False) as file:
        assert file["target/classes"].tolist() == ["no", "perhaps", "yes"]
        assert file["parameters/preset"].item() == "quick"


def test_networks_keep_what_they_share(classifier):
    same = sc.TabularClassifier.load(saved(classifier))

    def shared(model):
        return [[id(each) for each in member.inputs] for member in model.ensemble_.members]

    def pattern(ids):
        first = sorted({each for row in ids for each in row}, key=[e for row in ids for e in row].index)
        return [[first.index(each) for each in row] for row in ids]

    assert pattern(shared(same)) == pattern(shared(classifier))


def test_what_is_not_fitted_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        sc.TabularRegressor().save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_code_cannot_be_saved_and_is_named(classifier, tmp_path):
    import copy

    model = copy.copy(classifier)
    model.columns = {"size": print}
    (tmp_path / "model").write_bytes(b"old")
    with pytest.raises(TypeError, match="parameters/columns/size must be"):
        model.save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == b"old"


def test_other_files_are_refused_by_name(classifier, tmp_path):
    path = tmp_path / "file"
    classifier.save(path)
    with pytest.raises(ValueError, match="file is a file of the kind 'tabular classifier', and 'tabular reg"):
        sc.TabularRegressor.load(path)
    with pytest.raises(ValueError, match="file is a file of the kind 'tabular classifier', and 'network'"):
        sc.MLP.load(path)
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="file is no file of schuss"):
        sc.TabularClassifier.load(path)
    with pytest.raises(FileNotFoundError):
        sc.TabularClassifier.load(tmp_path / "missing")


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_damage_is_refused_or_without_effect(kind, request):
    model = request.getfixturevalue(kind)
    content, rng = saved(model).getvalue(), random.Random(0)
    expected = model.predict(NEW).tobytes()
    refused = 0
    for _ in range(60):
        damaged = rng.choice([*BYTES, *ARCHIVES])(content, rng, [content])
        said = None
        try:
            loaded = type(model).load(io.BytesIO(damaged))
        except ValueError as error:
            said = str(error)
        if said is None:
            assert loaded.predict(NEW).tobytes() == expected
        else:
            assert said.startswith("file ")
            refused += 1
    assert refused > 30


def first_network(tree):
    return tree["ensemble"]["members"][0]["networks"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tree: tree["parameters"].update(n_moons=2), "n_moons"),
        (lambda tree: tree["learnt"].update(fit=1), "there is no 'fit'"),
        (lambda tree: tree["encoder"].update(n_features=2), "places of 2 columns"),
        (lambda tree: tree["encoder"]["features"].pop(), "inputs"),
        (lambda tree: first_network(tree).update(theta=np.zeros(3, np.float32)), "theta must be"),
        (lambda tree: first_network(tree).update(inputs=99), "index"),
        (lambda tree: tree["ensemble"]["members"][0]["recipe"].update(moons=1), "moons"),
        (lambda tree: tree["ensemble"].pop("members"), "members"),
        (lambda tree: tree.update(leaderboard=None), "None"),
        (lambda tree: tree["ensemble"]["inputs"][0].update(means={}), "sizes"),
    ],
)
def test_what_a_later_version_may_write_is_refused(classifier, monkeypatch, change, words):
    import copy

    from schuss.tables import _saved

    tree = copy.deepcopy(_saved._tree_of(classifier))
    change(tree)
    monkeypatch.setattr(_saved, "_tree_of", lambda model: tree)
    with pytest.raises(ValueError, match=f"file has no estimator that this schuss knows: .*{words}"):
        sc.TabularClassifier.load(saved(classifier))

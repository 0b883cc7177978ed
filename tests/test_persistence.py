"""Saved estimators come back the same and go on where they were."""

import io
import pickle

import numpy as np
import pytest

import schuss as sc
from savers import by_skops

joblib = pytest.importorskip("joblib")
make_pipeline = pytest.importorskip("sklearn.pipeline").make_pipeline
StandardScaler = pytest.importorskip("sklearn.preprocessing").StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
LABELS = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.4, 0.4])]
OPTIONS = {"max_iter": 5, "warm_start": True, "random_state": 0}


def by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


MODELS = {
    "classifier": (sc.MLPClassifier(8, **OPTIONS), LABELS),
    "labels": (sc.MLPClassifier(8, activation="gelu", **OPTIONS), (X[:, :3] > 0).astype(int)),
    "early": (sc.MLPClassifier((8, 5), early_stopping=True, class_weight="balanced", **OPTIONS), LABELS),
    "regressor": (sc.MLPRegressor("huber", (8,), solver="sgd", learning_rate="adaptive", **OPTIONS), X[:, 0]),
    "targets": (sc.MLPRegressor(hidden_layer_sizes=8, dropout=0.2, **OPTIONS), X[:, :2]),
    "optimizer": (sc.MLPClassifier(8, optimizer=sc.SGD(lr=0.1, momentum=0.5), **OPTIONS), LABELS),
    "pipeline": (make_pipeline(StandardScaler(), sc.MLPRegressor(hidden_layer_sizes=8, **OPTIONS)), X[:, 0]),
}


@pytest.mark.parametrize("save_and_load", [by_pickle, by_joblib, by_skops])
def test_a_recipe_of_lbfgs_is_saved_alone_and_in_an_estimator(save_and_load):
    recipe = sc.LBFGS(history_size=7, tolerance_grad=1e-3, c1=1e-3)
    assert save_and_load(recipe) == recipe
    model = sc.MLPRegressor(hidden_layer_sizes=4, optimizer=recipe, max_iter=5, random_state=0).fit(
        X, X[:, 0]
    )
    same = save_and_load(model)
    assert same.optimizer == recipe
    np.testing.assert_array_equal(same.predict(X), model.predict(X))


@pytest.mark.parametrize("save_and_load", [by_pickle, by_joblib, by_skops])
@pytest.mark.parametrize("name", MODELS)
def test_a_saved_estimator_is_the_same_and_goes_on_as_if_nothing_had_happened(save_and_load, name):
    model, y = MODELS[name]
    model.fit(X, y)
    same = save_and_load(model)
    assert repr(same.get_params()) == repr(model.get_params())
    np.testing.assert_array_equal(same.predict(X), model.predict(X))
    last, same_last = (m[-1] if name == "pipeline" else m for m in (model, same))
    assert dict(same_last.history_) == dict(last.history_)
    assert same_last.history_._repr_html_() == last.history_._repr_html_()
    model.fit(X, y)
    same.fit(X, y)
    for one, other in zip(
        (*last.coefs_, *last.intercepts_), (*same_last.coefs_, *same_last.intercepts_), strict=True
    ):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("save_and_load", [by_pickle, by_joblib, by_skops])
def test_an_estimator_that_is_not_fitted_yet_is_saved_too(save_and_load):
    model = sc.MLPClassifier((8, 5), activation=["gelu", "tanh"], dropout=[0.1, 0.2])
    assert save_and_load(model).get_params() == model.get_params()


RECIPES = {
    "none yet": None,
    "adam": sc.Adam(lr=0.05, weight_decay=0.1),
    "schedule": sc.SGD(lr=sc.schedules.cosine(0.1), momentum=0.9),
    "lbfgs": sc.LBFGS(history_size=3),
}


@pytest.mark.parametrize("save_and_load", [by_pickle, by_joblib, by_skops])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_saved_network_is_the_same_and_goes_on_as_if_nothing_had_happened(save_and_load, recipe):
    net = sc.MLP([4, 6, 1], norm="layer", embeddings=[sc.embeddings.Periodic([1], 2, 3)], seed=1)
    given = {} if recipe == "none yet" else {"optimizer": RECIPES[recipe], "epochs": 3}
    if given:
        net.fit(X, X[:, 0], validation_data=(X, X[:, 0]), record="step", **given)
    same = save_and_load(net)
    assert repr(same) == repr(net)
    assert repr(same.optimizer) == repr(net.optimizer)
    assert repr(same.history) == repr(net.history)
    if given:
        assert repr(same.history.steps) == repr(net.history.steps)
    for each in (net, same):
        each.fit(X, X[:, 0], epochs=2)
    assert same.theta.tobytes() == net.theta.tobytes()
    with pytest.raises(TypeError, match="layers cannot be changed"):
        same.layers[0] = 5


@pytest.mark.parametrize("save_and_load", [by_pickle, by_joblib, by_skops])
def test_a_saved_optimizer_is_the_same(save_and_load):
    recipe = sc.SGD(lr=0.3, momentum=0.5, clip_norm=1.0)
    assert repr(save_and_load(recipe)) == repr(recipe)
    one = sc.Adam([np.ones(3)], lr=sc.schedules.cosine(0.1, 9))
    one.step([np.array([1.0, -2.0, 0.5])])
    same = save_and_load(one)
    assert repr(same) == repr(one)
    for each in (one, same):
        each.step([np.array([0.5, 1.0, -1.0])])
    ours, theirs = (each.param_groups[0]["params"][0] for each in (one, same))
    assert ours.tobytes() == theirs.tobytes()


def test_the_fitted_state_is_arrays_and_plain_objects():
    model = sc.MLPClassifier(8, max_iter=300, tol=0.01, random_state=0).fit(X, LABELS)
    # A file of the standard pickle protocol that names nothing of the extension module.
    assert b"_schuss" not in pickle.dumps(model)

"""Fits that continue are one long fit, to the last bit."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

import schuss as sc
from schuss import MLPClassifier, MLPRegressor
from schuss.estimators._optimizer_state import OptimizerState

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module", params=[MLPClassifier, MLPRegressor])
def problem(request):
    load = load_breast_cancer if request.param is MLPClassifier else load_diabetes
    X, y = load(return_X_y=True)
    return request.param, StandardScaler().fit_transform(X), y


def parameters(model):
    return np.concatenate([part.ravel() for part in (*model.coefs_, *model.intercepts_)])


WAYS = [
    {"solver": "sgd", "learning_rate_init": 1e-4},
    {"solver": "sgd", "learning_rate_init": 1e-4, "learning_rate": "invscaling"},
    # The loss stalls all the time, before and after the break.
    {
        "solver": "sgd",
        "learning_rate_init": 1e-4,
        "learning_rate": "adaptive",
        "tol": 1e9,
        "n_iter_no_change": 1,
    },
    {"solver": "adam", "early_stopping": True, "restore_best": False, "n_iter_no_change": 99},
    {"solver": "sgd", "learning_rate_init": 1e-4, "early_stopping": True, "restore_best": False, "tol": 0},
    {"schedule": sc.schedules.cosine(0.01, total_steps=30), "dropout": 0.3},
    {"optimizer": sc.AdamW(lr=sc.schedules.cosine(0.01, total_steps=99)), "clip_norm": 1.0},
    {"optimizer": "rmsprop", "learning_rate": "invscaling", "shuffle": False},
]


@pytest.mark.parametrize("options", WAYS, ids=lambda options: "-".join(map(str, options)))
def test_a_shallow_copy_goes_on_from_where_it_was_made(problem, options):
    kind, X, y = problem
    options = {"hidden_layer_sizes": 8, "random_state": 0, "batch_size": 100, **options}
    model = kind(max_iter=3, warm_start=True, **options).fit(X, y)
    shallow, deep = copy.copy(model), copy.deepcopy(model)
    model.fit(X, y)
    for name in ("loss_curve_", "validation_scores_", "validation_loss_curve_"):
        assert getattr(shallow, name) == getattr(deep, name)
    for each in (shallow, deep):
        each.fit(X, y)
    np.testing.assert_array_equal(parameters(shallow), parameters(deep))
    assert shallow.loss_curve_ == deep.loss_curve_


@pytest.mark.parametrize("options", WAYS, ids=lambda options: "-".join(map(str, options)))
def test_two_warm_fits_are_one_long_one(problem, options):
    kind, X, y = problem
    options = {"hidden_layer_sizes": 8, "random_state": 0, "batch_size": 100, **options}
    long = kind(max_iter=7, **options).fit(X, y)
    short = kind(max_iter=3, warm_start=True, **options).fit(X, y)
    short = pickle.loads(pickle.dumps(short)).set_params(max_iter=4).fit(X, y)
    np.testing.assert_array_equal(parameters(short), parameters(long))
    assert short.loss_curve_ == long.loss_curve_
    assert short.validation_scores_ == long.validation_scores_
    assert short.history_["lr"] == long.history_["lr"]
    assert short.t_ == long.t_


def test_adaptation_goes_on_after_the_break(problem):
    kind, X, y = problem
    options = {"hidden_layer_sizes": 8, "random_state": 0, "warm_start": True, **WAYS[2]}
    model = kind(max_iter=3, **options).fit(X, y)
    # Else the test above would prove nothing for it.
    rates = model.set_params(max_iter=4).fit(X, y).history_["lr"]
    assert rates[0] > rates[3] > rates[6]


@pytest.mark.parametrize("options", [WAYS[1], WAYS[5], WAYS[6]], ids=["invscaling", "schedule", "recipe"])
def test_partial_fits_are_a_fit(problem, options):
    kind, X, y = problem
    options = {"hidden_layer_sizes": 8, "random_state": 0, "batch_size": 100, **options}
    whole = kind(max_iter=4, **options).fit(X, y)
    parts = kind(**options)
    for _ in range(4):
        parts = parts.partial_fit(X, y, **({"classes": [0, 1]} if kind is MLPClassifier else {}))
    np.testing.assert_array_equal(parameters(parts), parameters(whole))
    assert parts.loss_curve_ == whole.loss_curve_


def test_recipes_are_parameters_like_others(problem):
    kind, X, y = problem
    recipes = [sc.SGD(lr=1e-7), sc.AdamW(lr=sc.schedules.cosine(0.05, total_steps=60)), "nadam", sc.LBFGS()]
    model = kind(hidden_layer_sizes=8, max_iter=10, random_state=0)
    search = GridSearchCV(model, {"optimizer": recipes}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.cv_results_["rank_test_score"][0] == 4
    copied = clone(search.best_estimator_)
    assert copied.optimizer == search.best_params_["optimizer"]
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(X), search.best_estimator_.predict(X))


OPEN = {
    "schedule": {"schedule": sc.schedules.cosine(0.01, warmup_steps=8)},
    "recipe": {"optimizer": sc.AdamW(lr=sc.schedules.linear(0.01))},
    "group": {"optimizer": sc.AdamW([{"params": "*.bias", "lr": sc.schedules.one_cycle(0.02)}], lr=0.01)},
    "schedule of a recipe": {"optimizer": sc.Adam(), "schedule": sc.schedules.flat_cos(0.01)},
}


@pytest.mark.parametrize("name", OPEN)
def test_a_schedule_without_a_length_is_refused_where_no_end_is_known(problem, name):
    kind, X, y = problem
    which = "schedule" if name.startswith("schedule") else "optimizer"
    classes = {"classes": [0, 1]} if kind is MLPClassifier else {}
    model = kind(hidden_layer_sizes=4, **OPEN[name])
    with pytest.raises(
        ValueError, match=f"{which} must have total_steps in partial_fit, .* got .*total_steps=None"
    ):
        model.partial_fit(X, y, **classes)
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize("name", OPEN)
def test_a_schedule_without_a_length_is_as_long_as_all_warm_fits(problem, name):
    kind, X, y = problem
    options = {"hidden_layer_sizes": 4, "random_state": 0, "batch_size": 100, "warm_start": True}
    model = kind(max_iter=3, **options, **OPEN[name]).fit(X, y)
    before = model.coefs_[0].copy()
    steps = -(-len(X) // 100)
    model.set_params(max_iter=4).fit(X, y)
    assert not np.array_equal(model.coefs_[0], before)
    schedule = OPEN[name].get("schedule")
    if name == "recipe":
        schedule = sc.schedules.linear(0.01)
    if schedule is not None:
        expected = schedule.with_length(7 * steps)
        np.testing.assert_allclose(model.history_["lr"][3:], [expected(steps * n - 1) for n in range(4, 8)])


@pytest.mark.parametrize("of", ["schedule", "optimizer"])
def test_it_is_as_long_as_the_steps_of_an_optimizer_that_accumulates(problem, of):
    kind, X, y = problem
    schedule = sc.schedules.linear(0.01)
    recipe = sc.SGD(lr=schedule if of == "optimizer" else 0.5, accumulate=4)
    options = {"hidden_layer_sizes": 4, "random_state": 0, "batch_size": 100, "warm_start": True}
    model = kind(max_iter=3, optimizer=recipe, schedule=schedule if of == "schedule" else None, **options)
    batches = -(-len(X) // 100)
    for done, epochs in ((0, 3), (3, 7)):
        model.set_params(max_iter=epochs - done).fit(X, y)
        rate = schedule.with_length(epochs * batches // 4)
        expected = [rate((n * batches - 1) // 4) for n in range(done + 1, epochs + 1)]
        np.testing.assert_allclose(model.history_["lr"][done:], expected, rtol=1e-12)


GROUPS = {
    "frozen": ([{"params": "0.*", "lr": 0.0}], True),
    "by its factor": ([{"params": "0.*", "lr_factor": 0.0}], True),
    "with a schedule": ([{"params": "*.bias", "lr": sc.schedules.linear(0.01, total_steps=40)}], False),
    "with a number": ([{"params": "*.bias", "lr": 1e-3}], False),
}


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("own", [0.5, sc.schedules.constant(0.5)])
def test_a_schedule_leaves_groups_their_own_rates(problem, name, own):
    kind, X, y = problem
    groups, frozen = GROUPS[name]
    schedule = sc.schedules.cosine(0.01, total_steps=40)
    options = {
        "hidden_layer_sizes": 4,
        "random_state": 0,
        "batch_size": 100,
        "warm_start": True,
        "max_iter": 2,
    }
    want = kind(optimizer=sc.Adam(groups, lr=schedule), **options).fit(X, y)
    got = kind(optimizer=sc.Adam(groups, lr=own), schedule=schedule, **options).fit(X, y)
    for _ in range(2):
        np.testing.assert_array_equal(parameters(got), parameters(want))
        before = [got.coefs_[0].copy(), got.intercepts_[0].copy()]
        got.fit(X, y)
        want.fit(X, y)
        assert np.array_equal(got.coefs_[0], before[0]) == frozen
        assert np.array_equal(got.intercepts_[0], before[1]) == frozen


def test_a_schedule_that_no_group_would_follow_is_refused(problem):
    kind, X, y = problem
    recipe = sc.Adam([{"params": "*", "lr": 0.1}], lr=0.2)
    model = kind(hidden_layer_sizes=4, optimizer=recipe, schedule=sc.schedules.constant(0.1))
    with pytest.raises(ValueError, match=r"schedule must be None where all groups of optimizer have .* got"):
        model.fit(X, y)
    assert not hasattr(model, "coefs_")


def test_partial_fit_has_no_best_to_go_back_to():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    noise = rng.normal(size=200)
    model = MLPRegressor(hidden_layer_sizes=4, restore_best=True, random_state=0)
    model.partial_fit(X, X[:, 0])
    for target in (5 * noise, 10 * noise):
        before = parameters(model)
        model.partial_fit(X, target)
        assert not np.array_equal(parameters(model), before)
    # And the fit after it begins with none.
    model.set_params(warm_start=True, max_iter=3).fit(X, 10 * noise)
    assert model.best_loss_ == min(model.loss_curve_[-3:])


def test_a_warm_fit_that_is_judged_otherwise_begins_without_a_best(problem):
    kind, X, y = problem
    options = {"hidden_layer_sizes": 4, "random_state": 0, "early_stopping": True, "warm_start": True}
    model = kind(max_iter=5, scoring=lambda *_: 1e9, **options).fit(X, y)
    for change in ({"scoring": "loss"}, {"scoring": None}):
        before = parameters(model)
        model.set_params(**change).fit(X, y)
        assert not np.array_equal(parameters(model), before)
        assert model.best_validation_score_ == max(model.validation_scores_[-model.n_iter_ :])
    # The same rows and the same score: as scikit-learn does, the best of all fits.
    model.fit(X, y)
    assert model.best_validation_score_ == max(model.validation_scores_[-model.n_iter_ - 5 :])
    model.set_params(scoring="loss").fit(X, y, X_val=X[:50], y_val=y[:50])
    model.fit(X, y, X_val=X[50:], y_val=y[50:])
    assert model.best_validation_score_ == max(model.validation_scores_[-model.n_iter_ :])


def test_the_best_epoch_is_none_of_a_fit_that_was_judged_otherwise():
    rng = np.random.default_rng(0)
    X, scores = rng.normal(size=(60, 3)), iter([0.5, 0.7, 0.7, 0.7, 0.6, 0.7, 0.7, 0.8, 0.8, 0.8, 0.8, 0.7])
    options = {"max_iter": 3, "random_state": 0, "early_stopping": True, "warm_start": True, "tol": 0}
    model = MLPRegressor("squared_error", 4, scoring=lambda *_: next(scores), **options)
    best = []
    for held_out in (slice(0, 20), *[slice(20, 40)] * 3):
        model.fit(X, X[:, 0], X_val=X[held_out], y_val=X[held_out, 0])
        best.append(model.history_.best_epoch)
    # An equal score of the first fit, with other rows, is no rival; that of the third is one to the last.
    assert best == [2, 4, 8, 8]


def test_the_history_says_how_the_last_fit_ended_and_nothing_while_it_runs():
    rng = np.random.default_rng(0)
    X, seen = rng.normal(size=(60, 3)), []

    def look(model):
        seen.append((model.history_.stopped, model.history_.best_epoch))

    options = {"max_iter": 2, "random_state": 0, "warm_start": True, "callbacks": look}
    model = MLPRegressor("squared_error", 4, restore_best=True, **options).fit(X, X[:, 0])
    assert (model.history_.stopped, model.history_.best_epoch) == ("epochs", 2)
    model.set_params(restore_best=False).fit(X, X[:, 0])
    assert (model.history_.stopped, model.history_.best_epoch) == ("epochs", None)
    assert seen == [(None, None)] * 4


def test_a_warm_fit_of_other_rows_begins_without_a_best(problem):
    kind, X, y = problem
    options = {"hidden_layer_sizes": 4, "random_state": 0, "restore_best": True, "warm_start": True}
    model = kind(max_iter=5, **options).fit(X, y)
    best = model.best_loss_
    assert model.fit(X, y).best_loss_ <= best
    model.fit(X[::-1], y)
    assert model.best_loss_ == min(model.loss_curve_[-5:])


MEANT_OTHERWISE = {
    "d0": (sc.Prodigy(), sc.Prodigy(d0=1e-3)),
    "lr_inside": (
        sc.SGD(lr=0.01, momentum=0.9, lr_inside=False),
        sc.SGD(lr=0.01, momentum=0.9, lr_inside=True),
    ),
    "initial_accumulator_value": (sc.Adagrad(lr=0.01), sc.Adagrad(lr=0.01, initial_accumulator_value=0.5)),
    "betas of averages": (sc.ScheduleFreeAdamW(lr=0.01), sc.ScheduleFreeAdamW(lr=0.01, betas=(0.8, 0.99))),
    "a started average": (sc.Adam(lr=0.01, swa_start=2), sc.Adam(lr=0.01, swa_start=3)),
}


@pytest.mark.parametrize("name", MEANT_OTHERWISE)
def test_options_that_state_depends_on_start_the_optimizer_afresh(problem, name):
    kind, X, y = problem
    first, second = MEANT_OTHERWISE[name]
    model = kind(hidden_layer_sizes=4, random_state=0, max_iter=3, warm_start=True, optimizer=first).fit(X, y)
    without = pickle.loads(pickle.dumps(model))
    without._optimizer = OptimizerState()
    for each in (model, without):
        each.set_params(optimizer=second).fit(X, y)
    np.testing.assert_array_equal(parameters(model), parameters(without))


def test_other_options_act_on_the_old_state(problem):
    kind, X, y = problem
    model = kind(
        hidden_layer_sizes=4, random_state=0, max_iter=3, warm_start=True, optimizer=sc.Adam(lr=0.01)
    )
    model.fit(X, y).set_params(optimizer=sc.Adam(lr=0.01, betas=(0.8, 0.99))).fit(X, y)
    steps = -(-len(X) // min(200, len(X)))
    assert model._optimizer.saved["step_count"] == 6 * steps


def test_a_plateau_goes_on_and_another_schedule_begins(problem):
    kind, X, y = problem
    # No loss is better by so much: the rate falls with each epoch.
    falling = partial(sc.schedules.plateau, patience=0, threshold=0.999, factor=0.5)
    options = {"hidden_layer_sizes": 4, "random_state": 0, "warm_start": True}
    model = kind(max_iter=3, optimizer=sc.Adam(lr=0.1), **options).fit(X, y)
    rates = model.set_params(optimizer=sc.Adam(lr=falling(0.01))).fit(X, y).history_["lr"][-3:]
    assert rates[0] == 0.01 > rates[2]
    assert model.fit(X, y).history_["lr"][-3] < rates[2]
    model.set_params(optimizer=sc.Adam(lr=falling(0.01), weight_decay=1e-4)).fit(X, y)
    assert model.history_["lr"][-3] < rates[2] / 4
    model.set_params(optimizer=sc.Adam(lr=falling(0.02))).fit(X, y)
    assert model.history_["lr"][-3] == 0.02


def with_dtypes(model, of_weights, of_biases):
    model.coefs_ = [part.astype(of_weights) for part in model.coefs_]
    model.intercepts_ = [part.astype(of_biases) for part in model.intercepts_]
    return model


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("dtypes", [("f4", "f4"), ("f4", "f8"), ("f8", "f4")], ids=str)
@pytest.mark.parametrize("options", [WAYS[0], {"solver": "adam"}, {"optimizer": "prodigy"}], ids=str)
def test_a_fit_goes_on_with_its_state_in_another_precision(problem, options, dtypes, method):
    kind, X, y = problem
    options = {"hidden_layer_sizes": 8, "random_state": 0, "max_iter": 3, "warm_start": True, **options}
    model, same = kind(**options).fit(X, y), kind(**options).fit(X, y)
    getattr(with_dtypes(model, *dtypes), method)(X, y)
    getattr(same, method)(X, y)
    # All of one precision, that of predictions before.
    expected = np.result_type(*dtypes)
    assert {part.dtype for part in (*model.coefs_, *model.intercepts_)} == {expected}
    np.testing.assert_allclose(parameters(model), parameters(same), rtol=1e-4, atol=1e-5)


def test_a_state_beyond_another_precision_starts_afresh(problem):
    kind, X, y = problem
    options = {"hidden_layer_sizes": 8, "random_state": 0, "max_iter": 3, "warm_start": True}
    model, afresh = (with_dtypes(kind(**options).fit(X, y), "f4", "f4") for _ in range(2))
    model._optimizer.saved["state"]["v"][0][:] = 1e200
    afresh._optimizer.saved = None
    np.testing.assert_array_equal(parameters(model.fit(X, y)), parameters(afresh.fit(X, y)))

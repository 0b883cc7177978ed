"""What the estimators promise besides what scikit-learn's own tests hold them to."""

import inspect
import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from joblib import Parallel, delayed, parallel_config
from scipy import sparse
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import compute_sample_weight

import schuss as sc
from schuss import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # Of scikit-learn before 1.8 with a SciPy that is newer.
    pytest.mark.filterwarnings("ignore:scipy.optimize:DeprecationWarning"),
]
# Their networks have weights of rows and the poisson loss since 1.7.
THEIRS_WEIGH = "sample_weight" in inspect.signature(neural_network.MLPRegressor.fit).parameters


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:500] / 16, y[:500]


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


@pytest.fixture(scope="module")
def two_targets():
    X, Y = make_regression(200, 6, n_targets=2, noise=5, random_state=0)
    return X, Y / Y.std(axis=0)


def parameters(model):
    return np.concatenate([part.ravel() for part in (*model.coefs_, *model.intercepts_)])


# The same numbers as scikit-learn's, wherever rows are not shuffled.

SAME = [
    {"solver": "adam", "batch_size": 64},
    {"solver": "adam", "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-4, "alpha": 0.3},
    {"solver": "sgd", "learning_rate_init": 0.01, "batch_size": 100},
    {"solver": "sgd", "learning_rate_init": 0.01, "nesterovs_momentum": False, "batch_size": 100},
    {"solver": "sgd", "learning_rate_init": 0.1, "momentum": 0},
    {"solver": "sgd", "learning_rate_init": 0.05, "learning_rate": "invscaling", "power_t": 0.3},
    {
        "solver": "sgd",
        "learning_rate_init": 0.2,
        "learning_rate": "adaptive",
        "tol": 1e-2,
        "n_iter_no_change": 2,
    },
    {"solver": "adam", "activation": "logistic", "early_stopping": True, "n_iter_no_change": 3},
    {"solver": "adam", "activation": "tanh", "hidden_layer_sizes": (20, 10)},
]


@pytest.mark.parametrize("options", SAME, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("data", ["cancer", "digits", "diabetes", "two_targets"])
def test_without_shuffling_all_is_as_scikit_learn_has_it(data, options, request):
    X, y = request.getfixturevalue(data)
    name = "MLPRegressor" if data in ("diabetes", "two_targets") else "MLPClassifier"
    options = {"hidden_layer_sizes": 16, "max_iter": 30, "shuffle": False, "random_state": 3} | options
    theirs = getattr(neural_network, name)(**options).fit(X, y)
    ours = getattr(sc, name)(**options).fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.out_activation_ == theirs.out_activation_
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-6)
    np.testing.assert_allclose(parameters(ours), parameters(theirs), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
    if options.get("early_stopping"):
        np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-5)
        assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_)


# L-BFGS over all rows.


@pytest.mark.parametrize("options", [{"solver": "lbfgs"}, {"optimizer": "lbfgs"}, {"optimizer": sc.LBFGS()}])
def test_lbfgs_ends_no_higher_than_scikit_learns(diabetes, options):
    options = options | {"hidden_layer_sizes": 6, "alpha": 10, "max_iter": 2000, "random_state": 0}
    ours = MLPRegressor(activation="tanh", **options).fit(*diabetes)
    options = {name: options[name] for name in options if name != "optimizer"} | {"solver": "lbfgs"}
    theirs = neural_network.MLPRegressor(activation="tanh", **options).fit(*diabetes)
    assert ours.history_.stopped == "converged"
    assert ours.loss_ < theirs.loss_ * 1.001
    assert ours.loss_ == ours.loss_curve_[-1] == ours.best_loss_
    assert ours.n_iter_ == len(ours.loss_curve_) == ours.history_.epochs


def test_lbfgs_finds_the_one_minimum_that_scikit_learns_finds(digits):
    # Without hidden layers there is only one.
    X, y = digits
    options = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 1, "max_iter": 1000, "random_state": 1}
    weights = {"sample_weight": np.linspace(0, 2, 500)} if THEIRS_WEIGH else {}
    theirs = neural_network.MLPClassifier(tol=1e-8, **options).fit(X, y, **weights)
    ours = MLPClassifier(tol=1e-8, **options).fit(X, y, **weights)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-7)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], atol=1e-3)


def test_lbfgs_watches_stops_and_restores(cancer):
    X, y = cancer
    options = {"solver": "lbfgs", "hidden_layer_sizes": 20, "random_state": 0, "tol": 0, "alpha": 0}
    watched = {"X_val": X[:150], "y_val": y[:150]}
    model = MLPClassifier(early_stopping=True, n_iter_no_change=5, scoring="loss", **options)
    model.fit(X[150:], y[150:], **watched)
    assert model.history_.stopped == "converged"
    best = int(np.argmin(model.validation_loss_curve_))
    assert best < model.n_iter_ - 1
    probability = model.predict_proba(X[:150])[range(150), y[:150]]
    assert -np.log(probability).mean() == pytest.approx(model.validation_loss_curve_[best])
    # Without rows to watch it learns from all, as scikit-learn's; as an optimizer it holds rows out.
    all_rows, no_stop = (
        MLPClassifier(early_stopping=e, max_iter=9, **options).fit(X, y) for e in (True, False)
    )
    np.testing.assert_array_equal(parameters(all_rows), parameters(no_stop))
    held_out = MLPClassifier(early_stopping=True, optimizer="lbfgs", **options).fit(X, y)
    assert len(held_out.validation_scores_) == held_out.n_iter_
    seen = []
    model = MLPClassifier(callbacks=lambda model: seen.append(model.loss_) or len(seen) == 3, **options)
    model.fit(X, y)
    assert (seen, model.history_.stopped) == (model.loss_curve_, "callback")


def test_lbfgs_says_why_it_has_not_converged(cancer):
    for limit, why in [({"max_iter": 2}, "max_iter is reached"), ({"max_fun": 3}, "max_fun is reached")]:
        with pytest.warns(ConvergenceWarning, match=why):
            MLPClassifier(8, solver="lbfgs", random_state=0, **limit).fit(*cancer)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropout": 0.1}, "dropout must be 0 with L-BFGS"),
        ({"clip_norm": 1.0}, "schedule and clip_norm must be None with L-BFGS"),
        ({"schedule": sc.schedules.cosine(0.1, total_steps=9)}, "schedule and clip_norm must be None"),
    ],
)
def test_lbfgs_refuses_what_it_cannot_do(cancer, options, message):
    for chosen in ({"solver": "lbfgs"}, {"optimizer": "lbfgs"}):
        with pytest.raises(ValueError, match=message):
            MLPClassifier(8, **chosen, **options).fit(*cancer)
    assert not hasattr(MLPClassifier(optimizer=sc.LBFGS()), "partial_fit")


@pytest.mark.skipif(not THEIRS_WEIGH, reason="scikit-learn before 1.7")
def test_poisson_loss_is_scikit_learns_with_weights(diabetes):
    X, y = diabetes
    y, weights = np.round(np.exp(y)), np.linspace(0, 2, len(y))
    options = {
        "loss": "poisson",
        "hidden_layer_sizes": 5,
        "max_iter": 10,
        "shuffle": False,
        "random_state": 0,
    }
    options["batch_size"] = len(y)
    theirs = neural_network.MLPRegressor(**options).fit(X, y, sample_weight=weights)
    ours = MLPRegressor(**options).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)


# Continuing.


@pytest.mark.parametrize("options", [{}, {"solver": "sgd", "learning_rate": "invscaling"}, {"dropout": 0.2}])
def test_two_warm_fits_are_one_long_one(cancer, options):
    long = MLPClassifier(8, max_iter=6, random_state=0, **options).fit(*cancer)
    short = MLPClassifier(8, max_iter=3, random_state=0, warm_start=True, **options).fit(*cancer)
    short = pickle.loads(pickle.dumps(short)).fit(*cancer)
    np.testing.assert_array_equal(parameters(short), parameters(long))
    assert short.loss_curve_ == long.loss_curve_
    assert short.history_["loss"] == short.loss_curve_


def test_partial_fits_are_a_fit(cancer):
    whole = MLPClassifier(8, max_iter=4, random_state=0).fit(*cancer)
    parts = MLPClassifier(8, random_state=0)
    for _ in range(4):
        parts.partial_fit(*cancer, classes=[0, 1])
    np.testing.assert_array_equal(parameters(parts), parameters(whole))


def test_a_changed_learning_rate_counts_when_a_fit_continues(cancer):
    model = MLPClassifier(8, max_iter=2, random_state=0, warm_start=True).fit(*cancer)
    model.set_params(learning_rate_init=1e-12).fit(*cancer)
    before = parameters(model).copy()
    np.testing.assert_allclose(parameters(model.fit(*cancer)), before, atol=1e-9)


# What scikit-learn's do not have.


def test_class_weight_is_a_weight_of_rows(cancer):
    X, y = cancer
    weighted = MLPClassifier(8, max_iter=5, random_state=0, class_weight={0: 3.0, 1: 0.5}).fit(X, y)
    by_hand = MLPClassifier(8, max_iter=5, random_state=0).fit(X, y, sample_weight=np.where(y == 0, 3.0, 0.5))
    np.testing.assert_array_equal(parameters(weighted), parameters(by_hand))
    both = MLPClassifier(8, max_iter=5, random_state=0, class_weight="balanced").fit(X, y, np.arange(len(y)))
    product = compute_sample_weight("balanced", y) * np.arange(len(y))
    by_hand = MLPClassifier(8, max_iter=5, random_state=0).fit(X, y, product)
    np.testing.assert_array_equal(parameters(both), parameters(by_hand))


def test_validation_rows_of_ones_own(diabetes):
    X, y = diabetes
    model = MLPRegressor(
        hidden_layer_sizes=16, max_iter=50, random_state=0, early_stopping=True, n_iter_no_change=4
    )
    weights = np.linspace(1, 2, 100)
    model.fit(X[100:], y[100:], X_val=X[:100], y_val=y[:100], sample_weight_val=weights)
    assert max(model.validation_scores_) == model.best_validation_score_
    # The best epoch is what is kept.
    assert model.score(X[:100], y[:100], weights) == pytest.approx(model.best_validation_score_)
    best = int(np.argmax(model.validation_scores_))
    residuals = (model.predict(X[:100]) - y[:100]) ** 2
    assert model.validation_loss_curve_[best] == pytest.approx(0.5 * np.average(residuals, weights=weights))
    assert len(model.history_["val_loss"]) == len(model.history_["score"]) == model.n_iter_
    with pytest.raises(ValueError, match="X_val and y_val must be given both"):
        model.fit(X, y, X_val=X)


@pytest.mark.parametrize(
    "scoring", ["roc_auc", "loss", lambda model, X, y: -model.predict_proba(X)[:, 1].mean()]
)
def test_scoring_of_choice(cancer, scoring):
    X, y = cancer
    model = MLPClassifier(8, max_iter=15, random_state=0, early_stopping=True, scoring=scoring, tol=0).fit(
        X, y
    )
    assert model.best_validation_score_ == max(model.validation_scores_)
    if scoring == "loss":
        np.testing.assert_allclose(model.validation_scores_, -np.array(model.validation_loss_curve_))


def test_restore_best_without_early_stopping(cancer):
    X, y = cancer
    options = {"learning_rate_init": 1.0, "max_iter": 12, "random_state": 0, "n_iter_no_change": 100}
    last = MLPClassifier(4, **options).fit(X, y, X_val=X[:99], y_val=y[:99])
    best = MLPClassifier(4, **options, restore_best=True).fit(X, y, X_val=X[:99], y_val=y[:99])
    assert last.validation_scores_ == best.validation_scores_
    assert best.score(X[:99], y[:99]) == max(best.validation_scores_)
    assert last.score(X[:99], y[:99]) == last.validation_scores_[-1]


LOSSES = {
    "absolute_error": lambda r: np.abs(r),
    "huber": lambda r: np.where(np.abs(r) <= 0.3, r * r / 2, 0.3 * (np.abs(r) - 0.15)),
    "quantile": lambda r: np.where(r > 0, 0.1 * r, -0.9 * r),
    "log_cosh": lambda r: np.log(np.cosh(r)),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_more_losses(two_targets, loss):
    X, Y = two_targets
    model = MLPRegressor(loss, 8, alpha=0, delta=0.3, quantile=0.9, max_iter=3, random_state=0)
    model.fit(X, Y, X_val=X, y_val=Y)
    residuals = model.predict(X) - Y
    assert model.validation_loss_curve_[-1] == pytest.approx(LOSSES[loss](residuals).mean())


def test_the_quantile_is_one(diabetes):
    X, y = diabetes
    for level in (0.1, 0.9):
        model = MLPRegressor("quantile", 8, quantile=level, max_iter=300, random_state=0, batch_size=50).fit(
            X, y
        )
        assert abs(np.mean(y <= model.predict(X)) - level) < 0.05


def test_targets_with_weights(two_targets):
    X, Y = two_targets
    options = {"max_iter": 60, "random_state": 0, "learning_rate_init": 0.01}
    errors = []
    for weights in ([1, 0.01], [0.01, 1]):
        residuals = (
            MLPRegressor(hidden_layer_sizes=2, target_weights=weights, **options).fit(X, Y).predict(X) - Y
        )
        errors.append((residuals**2).mean(axis=0))
    assert errors[0][0] < errors[1][0]
    assert errors[1][1] < errors[0][1]
    with pytest.raises(ValueError, match="target_weights must be 2 numbers"):
        MLPRegressor(target_weights=[1, 2, 3]).fit(X, Y)


@pytest.mark.parametrize("activation", [*sc.ACTIVATIONS, "logistic", ["gelu", "tanh"]])
def test_every_activation_also_per_layer(cancer, activation):
    model = MLPClassifier((12, 6), activation, learning_rate_init=0.01, max_iter=40, random_state=0).fit(
        *cancer
    )
    assert model.score(*cancer) > 0.9
    with pytest.raises(ValueError, match="activation must be one value or 2, one for each"):
        MLPClassifier((12, 6), ["relu"]).fit(*cancer)


def test_dropout_is_for_training_only(cancer):
    X, _ = cancer
    model = MLPClassifier((32, 16), dropout=[0.5, 0.1], max_iter=20, random_state=0).fit(*cancer)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    plain = MLPClassifier((32, 16), max_iter=20, random_state=0).fit(*cancer)
    assert model.loss_ > plain.loss_


@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop", sc.Adagrad(lr=0.05), sc.SGD(lr=0.1, momentum=0.9)])
def test_any_optimizer(cancer, optimizer):
    model = MLPClassifier(8, optimizer=optimizer, max_iter=30, random_state=0).fit(*cancer)
    assert model.score(*cancer) > 0.9


def test_any_schedule_and_clipping(cancer):
    schedule = sc.schedules.cosine(0.1, total_steps=30)
    model = MLPClassifier(8, solver="sgd", schedule=schedule, max_iter=10, batch_size=200, random_state=0)
    model.fit(*cancer)
    np.testing.assert_allclose(model.history_["lr"], [schedule(step) for step in range(2, 30, 3)])
    options = {
        "solver": "sgd",
        "momentum": 0,
        "alpha": 0,
        "max_iter": 1,
        "random_state": 0,
        "batch_size": 569,
    }
    free, clipped = (MLPClassifier(8, clip_norm=norm, **options) for norm in (None, 1e-3))
    start = neural_network.MLPClassifier(8, learning_rate_init=1e-300, **options).fit(*cancer)
    moves = [np.linalg.norm(parameters(model.fit(*cancer)) - parameters(start)) for model in (free, clipped)]
    assert moves[1] == pytest.approx(1e-3 * 1e-3, rel=1e-3)
    assert moves[0] > 10 * moves[1]


def test_plateau_goes_by_held_out_rows(cancer):
    X, y = cancer
    model = MLPClassifier(
        32,
        max_iter=60,
        schedule=sc.schedules.plateau(0.02, factor=0.5, patience=3),
        random_state=0,
        n_iter_no_change=99,
    ).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    # The training loss falls throughout, the validation loss does not.
    best, waited, lr = np.inf, 0, [0.02]
    for loss in model.validation_loss_curve_:
        better = loss < best * (1 - 1e-4)
        best, waited = (loss, 0) if better else (best, waited + 1)
        lr.append(lr[-1])
        if waited > 3:
            lr[-1], waited = lr[-1] / 2, 0
    assert lr[-1] < 0.02
    np.testing.assert_allclose(model.history_["lr"], lr[:-1])


def test_progress_is_shown_or_not(cancer, capfd):
    MLPClassifier(4, max_iter=3, progress=True, random_state=0).fit(*cancer)
    assert "3/3" in capfd.readouterr().err
    MLPClassifier(4, max_iter=3, random_state=0).fit(*cancer)
    assert capfd.readouterr() == ("", "")


def test_max_time_ends_a_fit(cancer):
    model = MLPClassifier(8, max_iter=10**9, max_time=0.2, n_iter_no_change=np.inf).fit(*cancer)
    assert model.history_.stopped == "max_time"


def test_callbacks_see_the_fit_and_stop_it(cancer):
    X, y = cancer
    seen = []

    def callback(model):
        seen.append((model.n_iter_, model.loss_, model.score(X, y)))
        return len(seen) == 3

    model = MLPClassifier(8, max_iter=50, callbacks=[callback], random_state=0).fit(X, y)
    assert [n for n, _, _ in seen] == [1, 2, 3]
    assert model.loss_curve_ == [loss for _, loss, _ in seen]
    assert model.history_.stopped == "callback"


def test_ctrl_c_leaves_a_usable_model(cancer):
    def interrupt(model):
        if model.n_iter_ == 2:
            raise KeyboardInterrupt

    model = MLPClassifier(8, callbacks=interrupt)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(*cancer)
    assert model.predict(cancer[0]).shape == cancer[1].shape
    assert model.n_iter_ == 2


def test_threads_keep_to_what_their_surroundings_leave(cancer):
    from schuss.estimators._threads import limit

    assert limit() >= 1
    with parallel_config("threading", n_jobs=2):
        assert Parallel()(delayed(limit)() for _ in range(2)) == [1, 1]
    code = "from schuss.estimators._threads import limit; print(limit())"
    one = os.environ | {"OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, "-c", code], env=one, capture_output=True, text=True)
    assert run.stdout.strip() == "1", run.stderr


def test_the_number_of_threads_does_not_show(digits):
    models = [MLPClassifier(64, max_iter=3, random_state=0, n_threads=n).fit(*digits) for n in (1, 2)]
    np.testing.assert_array_equal(*map(parameters, models))


def test_sparse_rows_are_dense_rows(digits):
    X, y = digits
    models = [MLPClassifier(8, max_iter=3, random_state=0).fit(rows, y) for rows in (X, sparse.csr_matrix(X))]
    np.testing.assert_array_equal(*map(parameters, models))
    np.testing.assert_array_equal(models[0].predict_proba(X), models[1].predict_proba(sparse.csc_array(X)))


def test_a_model_is_plain_arrays_and_pickles_small(digits):
    X, y = digits
    model = MLPClassifier(32, max_iter=3, random_state=0).fit(X, y)
    assert all(type(part) is np.ndarray for part in (*model.coefs_, *model.intercepts_))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    # Weights, and twice as many numbers of Adam's.
    assert len(pickle.dumps(model)) < 3.2 * parameters(model).nbytes + 10_000


def test_weights_come_from_scikit_learn_and_go_there(digits):
    X, y = digits
    theirs = neural_network.MLPClassifier(16, max_iter=5, random_state=0).fit(X, y)
    ours = MLPClassifier(16, max_iter=1).fit(X, y)
    ours.coefs_, ours.intercepts_ = theirs.coefs_, theirs.intercepts_
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-12)


def test_in_a_pipeline_with_clone_and_history(diabetes):
    model = make_pipeline(StandardScaler(), MLPRegressor(max_iter=5, early_stopping=True))
    fitted = clone(model).fit(*diabetes)
    assert "<svg" in fitted[-1].history_._repr_html_()


def test_import_schuss_does_not_need_scikit_learn():
    code = "import sys; sys.modules['sklearn'] = None; import schuss; schuss.MLP([1, 1])"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_no_warning_but_the_known_ones(cancer):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        MLPClassifier(8, max_iter=3, early_stopping=True).fit(*cancer).predict_proba(cancer[0])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "kind", ["two classes", "ten classes", "labels", "one target", "two targets", "flat"]
)
def test_the_watched_score_is_that_of_score(kind, weighted, digits, diabetes):
    X, y = digits if kind in ("two classes", "ten classes", "labels") else diabetes
    y = {
        "two classes": lambda: np.where(y > 4, "b", "a"),
        "labels": lambda: np.stack([y > 4, y % 2 == 0], axis=1).astype(int),
        "two targets": lambda: np.stack([y, np.ones(len(y))], axis=1),
        "flat": lambda: np.ones(len(y)),
    }.get(kind, lambda: y)()
    rows, held_out = slice(0, 300), slice(300, 400)
    weight = {"sample_weight": np.linspace(0, 1, 100)} if weighted else {}
    watched = {"sample_weight_val": weight["sample_weight"]} if weighted else {}
    model = (MLPClassifier if X is digits[0] else MLPRegressor)(
        max_iter=2, random_state=0, restore_best=False
    )
    model.fit(X[rows], y[rows], X_val=X[held_out], y_val=y[held_out], **watched)
    assert model.validation_scores_[-1] == pytest.approx(
        model.score(X[held_out], y[held_out], **weight), rel=1e-12, abs=1e-12
    )

"""The fitted attributes while an estimator trains: what its callbacks see, what subclasses make of them."""

import copy

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network

import schuss as sc
from schuss import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 4))
y = np.where(X[:, 0] > 0, "up", "down")
SOLVERS = [{"solver": "adam"}, {"solver": "sgd", "early_stopping": True}, {"solver": "lbfgs"}]


@pytest.mark.parametrize("options", SOLVERS, ids=lambda options: options["solver"])
def test_a_copy_that_a_callback_makes_stays_as_it_is(options):
    made = []

    def keep(model):
        made.append((copy.copy(model), copy.deepcopy(model), model.predict_proba(X)))

    model = MLPClassifier(5, max_iter=4, random_state=0, tol=0, callbacks=keep, **options).fit(X, y)
    for shallow, deep, before in made:
        for name in ("coefs_", "intercepts_"):
            for ours, theirs, last in zip(*(getattr(m, name) for m in (shallow, deep, model)), strict=True):
                np.testing.assert_array_equal(ours, theirs)
                assert not np.shares_memory(ours, last)
        np.testing.assert_array_equal(shallow.predict_proba(X), before)
        assert shallow.n_iter_ == len(shallow.loss_curve_) == deep.n_iter_


@pytest.mark.parametrize("options", SOLVERS, ids=lambda options: options["solver"])
def test_a_callback_sees_the_attributes_of_its_epoch(options):
    seen = []

    def look(model):
        curves = [model.loss_curve_, model.history_["loss"]]
        if model.validation_scores_ is not None:
            curves += [model.validation_scores_, model.validation_loss_curve_]
            assert model.best_validation_score_ == max(model.validation_scores_)
        else:
            assert model.best_loss_ == min(model.loss_curve_)
        assert {len(curve) for curve in curves} == {model.n_iter_}
        assert model.loss_ == model.loss_curve_[-1] == model.history_["loss"][-1]
        assert model.t_ == model.n_iter_ * (90 if model.early_stopping else 100)
        assert model.history_.stopped is None
        seen.append((model.n_iter_, model.predict_proba(X)))

    model = MLPClassifier(5, max_iter=4, random_state=0, tol=0, callbacks=look, restore_best=False, **options)
    model.fit(X, y)
    assert [epoch for epoch, _ in seen] == [1, 2, 3, 4]
    assert not np.array_equal(seen[0][1], seen[1][1])
    np.testing.assert_array_equal(seen[-1][1], model.predict_proba(X))


ADAPTIVE = {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e9, "n_iter_no_change": 1, "max_iter": 5}
SCHEDULE = sc.schedules.cosine(0.1)
SCHEDULED = {
    "schedule": sc.SGD(lr=SCHEDULE),
    "callable": sc.SGD(lr=lambda step: 0.1 / (step + 1)),
    "all groups": sc.SGD([{"params": "*.weight", "lr": SCHEDULE}, {"params": "*.bias", "lr": SCHEDULE}]),
    "own group": sc.SGD([{"params": "*.bias", "lr": 0.1}], lr=SCHEDULE),
}


@pytest.mark.parametrize("learning_rate", ["adaptive", "invscaling"])
@pytest.mark.parametrize("name", SCHEDULED)
def test_a_schedule_of_an_optimizer_is_not_adapted_and_stalls_as_one_of_the_estimator(
    name, learning_rate, capsys
):
    options = {"tol": 1e9, "n_iter_no_change": 3, "max_iter": 20, "random_state": 0, "verbose": True}
    models = [
        MLPClassifier(5, optimizer=SCHEDULED[name], learning_rate=each, **options).fit(X, y)
        for each in ("constant", learning_rate)
    ]
    assert "Setting" not in capsys.readouterr().out
    assert [model.history_.stopped for model in models] == ["converged"] * 2
    assert models[0].loss_curve_ == models[1].loss_curve_


def test_groups_with_a_rate_of_their_own_adapt_beside_schedules():
    recipe = sc.SGD([{"params": "*.weight", "lr": SCHEDULE}], lr=0.1)
    models = [
        MLPClassifier(5, optimizer=recipe, random_state=0, **ADAPTIVE | {"learning_rate": each})
        for each in ("adaptive", "constant")
    ]
    biases = [model.fit(X, y).intercepts_[0] for model in models]
    assert [model.n_iter_ for model in models] == [5, 3]
    assert not np.array_equal(*biases)


def test_a_group_with_a_rate_of_its_own_learns_beside_a_rate_of_zero():
    recipe = sc.SGD([{"params": "*.weight", "lr": 0.1}], lr=0.0)
    options = {"optimizer": recipe, "random_state": 0, "tol": 1e9, "max_iter": 9}
    short, long = (MLPClassifier(5, n_iter_no_change=stalled, **options).fit(X, y) for stalled in (1, 4))
    assert short.n_iter_ < long.n_iter_
    np.testing.assert_array_equal(short.intercepts_[0], long.intercepts_[0])
    assert not np.array_equal(short.coefs_[0], long.coefs_[0])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_epochs_that_are_exactly_as_good_are_counted_as_scikit_learn_does(early_stopping):
    # Steps that move nothing.
    options = {"solver": "sgd", "learning_rate_init": 1e-300, "shuffle": False, "batch_size": 50}
    options |= {"n_iter_no_change": 2, "max_iter": 7, "early_stopping": early_stopping, "random_state": 0}
    for tol, epochs in ((0.0, 7), (1e-9, 4)):
        for model in (MLPClassifier, neural_network.MLPClassifier):
            # Labels are numbers: scikit-learn 1.6 stops early with no others.
            assert model(5, tol=tol, **options).fit(X, X[:, 0] > 0).n_iter_ == epochs


STALLING = {"tol": 1e9, "n_iter_no_change": 2, "max_iter": 9}


@pytest.mark.parametrize("options", [ADAPTIVE, STALLING], ids=["adapts", "ends"])
def test_callbacks_are_called_after_an_epoch_in_which_training_stalls_too(options):
    epochs = []
    model = MLPClassifier(5, random_state=0, callbacks=lambda model: epochs.append(model.n_iter_), **options)
    model.fit(X, y)
    assert epochs == list(range(1, model.n_iter_ + 1))
    if options is STALLING:
        assert model.n_iter_ == 4  # the first one always improves
        assert model.history_.stopped == "converged"


def test_a_recipe_of_lbfgs_ends_where_it_stalls_whatever_the_learning_rate():
    options = {"optimizer": sc.LBFGS(), "early_stopping": True, "learning_rate": "adaptive"}
    model = MLPClassifier(5, random_state=0, tol=1e9, n_iter_no_change=2, **options).fit(X, y)
    assert model.n_iter_ == 4  # the first one always improves
    assert model.history_.stopped == "converged"


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_fit_goes_on_where_the_last_one_stopped_early_and_this_one_does_not(solver):
    model = MLPRegressor(hidden_layer_sizes=5, max_iter=3, warm_start=True, early_stopping=True)
    model.fit(X, X[:, 0])
    assert model.best_loss_ is None
    model.set_params(early_stopping=False, solver=solver).fit(X, X[:, 0])
    assert model.best_loss_ == min(model.loss_curve_[3:])
    assert len(model.loss_curve_) == model.history_.epochs == 6


@pytest.mark.parametrize("options", SOLVERS, ids=lambda options: options["solver"])
def test_an_error_of_a_callback_leaves_the_epochs_before_it(options):
    def fails(model):
        if model.n_iter_ == 2:
            raise RuntimeError("no more")

    model = MLPClassifier(5, max_iter=4, tol=0, random_state=0, callbacks=fails, **options)
    with pytest.raises(RuntimeError, match="no more"):
        model.fit(X, y)
    assert model.history_.stopped == "error"
    assert len(model.loss_curve_) == model.history_.epochs == model.n_iter_ == 2
    assert model.score(X, y) > 0.2


@pytest.mark.parametrize("options", [{"optimizer": sc.SGD(lr=1e300)}, {"solver": "lbfgs"}], ids=str)
def test_what_is_not_finite_says_so_in_the_history_too(options):
    model = MLPRegressor(hidden_layer_sizes=5, random_state=0, **options)
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        model.fit(1e200 * X, 1e300 * X[:, 0])
    assert model.history_.stopped == "not_finite"


# L-BFGS that ends before its first iteration.
AT_ONCE = {"content": {"tol": 100.0}, "one evaluation": {"max_fun": 1}}


@pytest.mark.parametrize("options", AT_ONCE.values(), ids=AT_ONCE)
@pytest.mark.parametrize("rows", [{}, {"sample_weight": np.arange(1.0, 101)}], ids=["alike", "weighed"])
def test_lbfgs_without_an_iteration_has_the_loss_where_it_is(options, rows):
    target, alpha = np.c_[X[:, 0], X[:, 1] ** 2], 0.5
    model = MLPRegressor("squared_error", 5, solver="lbfgs", alpha=alpha, random_state=0, **options)
    model.fit(X, target, **rows)
    weight = rows.get("sample_weight", np.ones(100))
    squares = np.average((model.predict(X) - target) ** 2, axis=0, weights=weight).mean() / 2
    penalty = alpha / 2 * sum((coef**2).sum() for coef in model.coefs_) / weight.sum()
    assert model.n_iter_ == 0
    assert model.loss_ == model.best_loss_ == pytest.approx(squares + penalty, rel=1e-12)
    assert model.loss_curve_ == []
    assert model.history_.epochs == 0


def test_a_warm_fit_without_an_iteration_has_the_loss_on_its_rows():
    model = MLPRegressor("squared_error", 5, solver="lbfgs", random_state=0, max_iter=5, warm_start=True).fit(
        X, X[:, 0]
    )
    before, curve = model.loss_, list(model.loss_curve_)
    model.set_params(tol=1e9).fit(2 * X, 3 + X[:, 0])
    same = MLPRegressor("squared_error", 5, solver="lbfgs", random_state=0, warm_start=True, tol=1e9).fit(
        X, X[:, 0]
    )
    same.coefs_, same.intercepts_ = model.coefs_, model.intercepts_
    assert model.loss_ == same.fit(2 * X, 3 + X[:, 0]).loss_ > before == model.best_loss_
    assert model.loss_curve_ == curve


@pytest.mark.parametrize("early_stopping", [False, True])
def test_without_an_iteration_the_best_score_is_that_where_it_is(early_stopping):
    options = {"solver": "lbfgs", "random_state": 0, "tol": 100.0, "early_stopping": early_stopping}
    model = MLPRegressor("squared_error", 5, **options).fit(X, X[:, 0], X_val=X[:50], y_val=X[:50, 1])
    assert model.best_validation_score_ == pytest.approx(model.score(X[:50], X[:50, 1]), rel=1e-12)
    assert model.best_loss_ == (None if early_stopping else model.loss_)
    assert model.validation_scores_ == model.validation_loss_curve_ == []
    assert model.history_.stopped == "converged"


@pytest.mark.parametrize("options", AT_ONCE.values(), ids=AT_ONCE)
def test_a_fit_without_an_iteration_is_resumed_to_the_same(options, tmp_path):
    given = {"X_val": X[:50], "y_val": X[:50, 1], "checkpoint": tmp_path / "fit"}
    options = {"solver": "lbfgs", "random_state": 0, "early_stopping": True, "max_iter": 9, **options}
    whole = MLPRegressor("squared_error", 5, **options).fit(X, X[:, 0], **given)
    again = MLPRegressor("squared_error", 5, **options).fit(X, X[:, 0], resume=True, **given)
    assert (again.loss_, again.best_validation_score_) == (whole.loss_, whole.best_validation_score_)
    # A training that goes on knows nothing of that.
    options["max_fun"] = 15
    on = MLPRegressor("squared_error", 5, **options).fit(X, X[:, 0], resume=True, **given)
    straight = MLPRegressor("squared_error", 5, **options).fit(X, X[:, 0], X_val=X[:50], y_val=X[:50, 1])
    assert on.loss_curve_ == straight.loss_curve_
    assert on.best_validation_score_ == straight.best_validation_score_
    np.testing.assert_array_equal(on.coefs_[0], straight.coefs_[0])


class Shares(MLPClassifier):
    """Keeps some of the fitted attributes elsewhere, as a class that ships its curve to a server would."""

    def __init__(self, max_iter=10, early_stopping=False):
        super().__init__(max_iter=max_iter, early_stopping=early_stopping, random_state=0)

    @property
    def loss_curve_(self):
        return list(self.kept_curve)

    @loss_curve_.setter
    def loss_curve_(self, curve):
        self.kept_curve = tuple(curve)

    @property
    def n_iter_(self):
        return self.kept_epochs

    @n_iter_.setter
    def n_iter_(self, epochs):
        self.kept_epochs = int(epochs)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_subclass_may_have_properties_for_fitted_attributes(early_stopping):
    plain = MLPClassifier(max_iter=10, early_stopping=early_stopping, random_state=0).fit(X, y)
    shares = Shares(early_stopping=early_stopping).fit(X, y)
    assert shares.kept_epochs == shares.n_iter_ == plain.n_iter_
    assert shares.kept_curve == tuple(plain.loss_curve_)
    assert not {"loss_curve_", "n_iter_"} & vars(shares).keys()


def test_the_curve_of_an_earlier_fit_is_not_written_into():
    model = MLPClassifier(5, max_iter=3, random_state=0).fit(X, y)
    curve, history = model.loss_curve_, model.history_
    model.fit(X, y)
    assert len(curve) == history.epochs == 3
    assert model.loss_curve_ is not curve


def test_the_settings_of_a_training_cannot_be_changed():
    from schuss.estimators._settings import Settings

    model = MLPClassifier(5, max_iter=1, random_state=0).fit(X, y)
    settings = Settings.of(model, stops_early=False)
    with pytest.raises(AttributeError):
        settings.tol = 1.0

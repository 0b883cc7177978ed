"""The field's other names of activations and losses, and the options of an optimizer in a search."""

import numpy as np
import pytest

import schuss as sc
from schuss._registry import ACTIVATION_ALIASES, LOSS_ALIASES

X = np.random.default_rng(0).normal(size=(120, 3))
Y = X[:, 0] - X[:, 1] ** 2


@pytest.mark.parametrize(("other", "name"), ACTIVATION_ALIASES.items())
def test_an_activation_by_another_name_is_the_same(other, name):
    nets = [sc.MLP([3, 5, 1], activation=given) for given in (other, name)]
    for net in nets:
        net.fit(X, Y, epochs=3)
        assert net.activations == [name]
    assert np.array_equal(nets[0].theta, nets[1].theta)


@pytest.mark.parametrize(("other", "name"), LOSS_ALIASES.items())
def test_a_loss_by_another_name_is_the_same(other, name):
    nets = [sc.MLP([3, 5, 1], loss=given) for given in (other, name)]
    for net in nets:
        net.fit(X, Y, epochs=3)
        assert net.objective == name
    assert np.array_equal(nets[0].theta, nets[1].theta)


@pytest.mark.filterwarnings("ignore:.*Maximum iterations")
class TestEstimators:
    pytest.importorskip("sklearn")
    from schuss import estimators

    @pytest.mark.parametrize(
        ("options", "same"),
        [
            ({"loss": "mse"}, {"loss": "squared_error"}),
            ({"loss": "mae"}, {"loss": "absolute_error"}),
            ({"loss": "l1"}, {"loss": "absolute_error"}),
            ({"activation": "swish"}, {"activation": "silu"}),
            ({"activation": "linear"}, {"activation": "identity"}),
        ],
    )
    def test_other_names_are_the_same(self, options, same):
        fitted = [
            self.estimators.MLPRegressor(hidden_layer_sizes=4, max_iter=3, random_state=0, **given).fit(X, Y)
            for given in (options, same)
        ]
        assert np.array_equal(fitted[0].predict(X), fitted[1].predict(X))

    def test_the_mean_squared_error_leaves_as_scikit_learns(self):
        model = self.estimators.MLPRegressor(hidden_layer_sizes=4, max_iter=3, random_state=0, loss="mse")
        theirs = sc.exchange.to_sklearn(model.fit(X, Y))
        np.testing.assert_allclose(theirs.predict(X), model.predict(X), rtol=1e-6, atol=1e-6)

    def test_a_search_sets_options_of_copies_of_the_recipe(self):
        search = pytest.importorskip("sklearn.model_selection").GridSearchCV
        recipe = sc.Adam(lr=0.5)
        model = self.estimators.MLPRegressor(
            hidden_layer_sizes=4, max_iter=3, random_state=0, optimizer=recipe
        )
        found = search(model, {"optimizer__lr": [0.1, 0.01], "optimizer__eps": [1e-6]}, cv=2).fit(X, Y)
        best = found.best_estimator_.optimizer
        assert best.lr == found.best_params_["optimizer__lr"]
        assert best.param_groups[0]["eps"] == 1e-6
        assert repr(recipe) == repr(model.optimizer) == "Adam(lr=0.5)"

    @pytest.mark.parametrize("optimizer", [None, "adamw", sc.LBFGS()])
    def test_options_of_an_optimizer_need_one_that_has_them(self, optimizer):
        model = self.estimators.MLPClassifier(optimizer=optimizer)
        with pytest.raises(ValueError, match=r"optimizer__lr needs an optimizer that has it, such as"):
            model.set_params(alpha=0.5, optimizer__lr=0.1)
        assert model.alpha == 0.0001
        model.set_params(optimizer=sc.Adam(), optimizer__lr=0.1)
        assert repr(model.optimizer) == "Adam(lr=0.1)"


class TestOptionsByName:
    def test_are_those_of_the_recipe(self):
        recipe = sc.SGD(lr=0.1, momentum=0.5)
        assert recipe.get_params() == {
            name: value
            for name, value in dict(recipe.param_groups[0]).items()
            if name not in ("params", "name")
        }
        assert recipe.set_params(lr=0.2, momentum=0.9) is recipe
        assert repr(recipe) == repr(sc.SGD(lr=0.2, momentum=0.9))

    @pytest.mark.parametrize("options", [{"lr": 0.3, "momentums": 1}, {"lr": 0.3, "momentum": 2.0}])
    def test_nothing_changes_where_one_is_refused(self, options):
        recipe = sc.SGD(lr=sc.schedules.cosine(0.1, 10), momentum=0.5)
        before = repr(recipe)
        with pytest.raises(ValueError, match="momentum"):
            recipe.set_params(**options)
        assert repr(recipe) == before

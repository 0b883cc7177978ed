"""What an optimizer was made with: asked for, and set again."""

import numpy as np
import pytest

import schuss as sc

S = sc.schedules


def refuses(*arguments):
    raise RuntimeError("asked")


RECIPES = {
    "open": lambda: sc.Adam(lr=S.cosine(0.1)),
    "function": lambda: sc.SGD(lr=refuses, momentum=0.9),
    "decay": lambda: sc.AdamW(weight_decay=S.flat_cos(0.1), lr=S.warmup(refuses, 3)),
    "mask": lambda: sc.AdamW(decay_where=refuses),
    "booleans": lambda: sc.AdamW(decay_where=[True, False]),
    "groups": lambda: sc.SGD(
        [{"params": "*.bias", "weight_decay": 0.0, "lr": 0.3}, {"params": "a", "momentum": 0.5}],
        lr=S.cosine(0.1),
        weight_decay=0.1,
        swa_start=3,
    ),
    "decay in update": lambda: sc.ScheduleFreeSGD(decay_in_update=False, decay="independent"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_what_get_params_says_changes_nothing(name):
    recipe, same = RECIPES[name](), RECIPES[name]()
    params = recipe.get_params()
    assert recipe.set_params(**params) is recipe
    assert recipe == same
    assert repr(recipe) == repr(same)
    recipe.set_params(**{**params, "clip_value": 3.0})
    assert recipe == same.set_params(clip_value=3.0)


@pytest.mark.parametrize("name", RECIPES)
def test_get_params_says_what_was_given(name):
    recipe = RECIPES[name]()
    params = recipe.get_params()
    assert list(params) == [key for key in recipe.param_groups[0] if key not in ("params", "name")]
    if name == "function":
        assert params["lr"] is refuses
    if name == "mask":
        assert params["decay_where"] is refuses
    if name == "open":
        assert params["lr"] == S.cosine(0.1)
    if name == "decay":
        assert params["lr"] == S.warmup(refuses, 3)
        assert params["weight_decay"] == S.flat_cos(0.1)


def test_only_what_is_another_is_set_in_the_groups():
    recipe = sc.SGD([{"params": "a", "lr": 0.3, "momentum": 0.5}], lr=0.1)
    recipe.set_params(lr=0.1, momentum=0.9)
    assert [group["lr"] for group in recipe.param_groups] == [0.1, 0.3]
    assert [group["momentum"] for group in recipe.param_groups] == [0.9, 0.9]
    with pytest.raises(TypeError, match="nesterov must be True or False, got 0"):
        recipe.set_params(nesterov=0)


@pytest.mark.parametrize("kind", [sc.MLPClassifier, sc.MLPRegressor])
def test_estimators_keep_their_recipe_and_call_no_function(kind):
    model = kind(optimizer=RECIPES["groups"]())
    assert model.set_params(**model.get_params()).optimizer == RECIPES["groups"]()
    model = kind(optimizer=sc.SGD(lr=refuses))
    assert model.get_params()["optimizer__lr"] is refuses
    assert "refuses" in model._repr_html_()


def test_what_torch_cannot_compute_is_not_exported():
    w = np.ones(2)
    optimizer = sc.NAdam([w], convention="optax")
    optimizer.step([np.ones(2)])
    with pytest.raises(ValueError, match="momentum_decay must be a number, as torch has it, got None"):
        optimizer.to_torch_state()

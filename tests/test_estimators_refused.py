"""A fit that is refused leaves its estimator as it was."""

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")
from scipy import sparse

import schuss as sc
from schuss import MLPClassifier, MLPRegressor, TabularRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = X[:, :2]
LABELS = np.where(X[:, 0] > 0, "up", "down")
CLASSES = np.arange(60) % 3
SEVERAL = np.eye(3, dtype=int)[CLASSES]
OPTIONS = {"hidden_layer_sizes": 5, "max_iter": 2, "random_state": 0}


def classifier(**options):
    return MLPClassifier(**OPTIONS, **options).fit(X, LABELS)


def regressor(**options):
    return MLPRegressor(**OPTIONS, **options).fit(X, Y)


def refit(**change):
    return lambda model: model.set_params(**change).fit(X, Y if isinstance(model, MLPRegressor) else LABELS)


def of_classes(**options):
    return MLPClassifier(**OPTIONS, **options).fit(X, CLASSES)


def of_several(**options):
    return MLPClassifier(**OPTIONS, **options).fit(X, SEVERAL)


# Who refuses, what, and in which words: an indicator matrix has the classes 0, 1 and 2 to scikit-learn, too.
OTHER_SHAPES = {
    "more to watch": (
        regressor,
        lambda model: model.fit(X, Y[:, 0], X_val=X, y_val=Y),
        r"y_val must have as many columns as y, which has 1, got 2",
    ),
    "less to watch": (
        regressor,
        lambda model: model.fit(X, Y, X_val=X, y_val=Y[:, 0]),
        r"y_val must have as many columns as y, which has 2, got 1",
    ),
    "columns to watch": (
        of_classes,
        lambda model: model.fit(X, CLASSES, X_val=X, y_val=SEVERAL),
        r"X_val and y_val: y must be of shape \(n_samples,\) .* got \(60, 3\)",
    ),
    "columns to watch beside two classes": (
        classifier,
        lambda model: model.fit(X, CLASSES > 0, X_val=X, y_val=SEVERAL[:, :2]),
        r"X_val and y_val: y must be of shape \(n_samples,\) .* got \(60, 2\)",
    ),
    "classes to watch": (
        of_several,
        lambda model: model.fit(X, SEVERAL, X_val=X, y_val=CLASSES),
        r"X_val and y_val: y must be of shape \(n_samples, 3\) .* got \(60,\)",
    ),
    "a piece of columns": (
        of_classes,
        lambda model: model.partial_fit(X, SEVERAL),
        r"^y must be of shape \(n_samples,\) .* got \(60, 3\)",
    ),
    "a piece of sparse columns": (
        of_classes,
        lambda model: model.partial_fit(X, sparse.csr_array(SEVERAL)),
        r"^y must be of shape \(n_samples,\) .* got \(60, 3\)",
    ),
    "a piece of classes": (
        of_several,
        lambda model: model.partial_fit(X, CLASSES),
        r"^y must be of shape \(n_samples, 3\) .* got \(60,\)",
    ),
    "a piece of fewer columns": (
        of_several,
        lambda model: model.partial_fit(X, SEVERAL[:, :2]),
        r"^y must be of shape \(n_samples, 3\) .* got \(60, 2\)",
    ),
    "going on with columns": (
        lambda: of_classes(warm_start=True),
        lambda model: model.fit(X, SEVERAL),
        r"^y must be of shape \(n_samples,\) .* got \(60, 3\)",
    ),
    "going on with classes": (
        lambda: of_several(warm_start=True),
        lambda model: model.fit(X, CLASSES),
        r"^y must be of shape \(n_samples, 3\) .* got \(60,\)",
    ),
}

REFUSED = {
    "columns of y": (regressor, lambda model: model.partial_fit(X, Y[:, 0])),
    "columns of X": (regressor, lambda model: model.fit(X[:, :3], Y, sample_weight=np.full(60, -1.0))),
    "other layers": (regressor, refit(hidden_layer_sizes=9, activation="tanh", warm_start=True)),
    "labels": (classifier, lambda model: model.fit(X, RNG.integers(3, size=60), X_val=X)),
    "too few to hold out": (classifier, refit(early_stopping=True, validation_fraction=0.01)),
    "no such group": (regressor, refit(optimizer=sc.SGD([{"params": "*.nothing", "lr": 1.0}]))),
    "no length": (classifier, lambda model: refit_in_part(model, sc.schedules.cosine(0.1))),
    "scoring": (classifier, lambda model: refit_weighted(model)),
    **{f"shape of {name}": case[:2] for name, case in OTHER_SHAPES.items()},
}


def refit_in_part(model, schedule):
    model.set_params(schedule=schedule, activation="tanh").partial_fit(X, LABELS)


def refit_weighted(model):
    model.set_params(scoring=lambda est, X, y: 0.0, early_stopping=True)
    model.fit(X, LABELS, sample_weight=np.ones(60))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_changes_nothing(name):
    make, refused = REFUSED[name]
    model = make()
    fitted = {name: value for name, value in vars(model).items() if name.endswith("_") or name[0] == "_"}
    twin, out = copy.deepcopy(fitted), model.predict(X)
    with pytest.raises(ValueError):  # noqa: PT011
        refused(model)
    for name, value in fitted.items():
        assert vars(model)[name] is value or name in ("_optimizer", "_split_state")
        assert (
            pickle.dumps(vars(model)[name]) == pickle.dumps(copy.deepcopy(twin[name]))
            or name == "_label_binarizer"
        )
    assert set(vars(model)) == set(vars(make()))
    np.testing.assert_array_equal(model.predict(X), out)


@pytest.mark.parametrize("name", OTHER_SHAPES)
def test_targets_of_another_shape_are_refused_by_name(name):
    make, refused, words = OTHER_SHAPES[name]
    with pytest.raises(ValueError, match=words):
        refused(make())


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_what_is_refused_at_first_leaves_nothing(kind):
    model = kind(**OPTIONS, early_stopping=True, validation_fraction=0.01)
    before = set(vars(model))
    with pytest.raises(ValueError, match=r"validation set is too small|test_size = 1"):
        model.fit(X, X[:, 0] > 0)
    assert set(vars(model)) == before


def test_a_first_piece_that_is_refused_has_no_say_in_the_classes():
    model = MLPClassifier(**OPTIONS)
    with pytest.raises(ValueError, match="has classes not in"):
        model.partial_fit(X, LABELS, classes=["left", "right"])
    assert not hasattr(model, "classes_")
    model.partial_fit(X, LABELS, classes=["up", "down"])
    assert list(model.classes_) == ["down", "up"]


def test_a_refused_fit_goes_on_as_if_it_had_not_been():
    models = [regressor(warm_start=True) for _ in range(2)]
    with pytest.raises(ValueError, match="nothing"):
        models[0].set_params(optimizer=sc.SGD([{"params": "*.nothing", "lr": 1.0}])).fit(X, Y)
    models[0].set_params(optimizer=None)
    for one, other in zip(*[model.fit(X, Y).coefs_ for model in models], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "classes", [[], "ab", 3, [0, 1, np.nan], ["a", None], [[0, 1], [2, 3]], ["a", 3]], ids=repr
)
def test_what_are_no_classes_of_pieces_is_said_of_the_classes(classes):
    model = MLPClassifier(**OPTIONS)
    with pytest.raises((TypeError, ValueError), match=r"^(classes: |Input classes contains NaN: in 1 of )"):
        model.partial_fit(np.zeros((4, 2)), [0, 1, 0, 1], classes=classes)
    assert not hasattr(model, "classes_")
    model.partial_fit(np.zeros((4, 2)), [0, 1, 0, 1], classes=[0, 1])
    with pytest.raises((TypeError, ValueError), match=r"^(`?classes|Input classes contains NaN)"):
        model.partial_fit(np.zeros((4, 2)), [0, 1, 0, 1], classes=classes)


@pytest.mark.parametrize("table", [False, True])
def test_what_is_refused_moves_no_generator(table):
    generator = np.random.RandomState(0)
    make = TabularRegressor if table else MLPRegressor
    more = {"preset": "quick"} if table else {"early_stopping": True, "validation_fraction": 0.001}
    rows = np.arange(60.0)[:, None]
    with pytest.raises(ValueError, match=r"y|validation"):
        make(random_state=generator, **more).fit(rows, np.full(60, np.nan) if table else rows[:, 0])
    assert generator.randint(10**9) == np.random.RandomState(0).randint(10**9)

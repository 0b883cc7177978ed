"""What an estimator must not pass over in silence: divergence, scores that say nothing, dates, masks."""

import copy
import importlib
import pickle
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.neural_network._base import ACTIVATIONS

import schuss as sc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = X @ [1.0, -2.0, 0.5]
C = (Y > 0).astype(int)


def regressor(**options):
    return sc.MLPRegressor(**{"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0, **options})


def classifier(**options):
    return sc.MLPClassifier(**{"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0, **options})


def quietly(fit, *args, **rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fit(*args, **rows)


class Explodes:
    """A learning rate that is sound for some epochs, and then far too large."""

    def __init__(self, sound):
        self.sound = sound

    def __call__(self, step):
        return 0.01 if step < self.sound else 1e30


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"restore_best": True}])
def test_divergence_is_told_where_the_best_epoch_is_kept(options):
    model = regressor(
        solver="sgd", schedule=Explodes(12), batch_size=10, max_iter=50, n_iter_no_change=50, **options
    )
    with pytest.warns(ConvergenceWarning, match=r"Training diverged after \d+ epoch.*scale X"):
        model.fit(X, Y)
    assert model.history_.stopped == "not_finite"
    assert np.isfinite(model.predict(X)).all()
    scores = model.history_["score" if "early_stopping" in options else "loss"]
    assert model.history_.epochs >= 2
    assert np.isfinite(scores[0])


def test_divergence_without_a_best_epoch_is_an_error():
    for options in ({}, {"early_stopping": True}, {"restore_best": True}):
        model = regressor(solver="sgd", learning_rate_init=1e30, max_iter=30, **options)
        with pytest.raises(ValueError, match="non-finite parameter weights"):
            model.fit(X * 1e200, Y)


@pytest.mark.parametrize("rows", [1, 8])
def test_held_out_rows_on_which_r2_says_nothing_are_scored_by_their_loss(rows):
    model = regressor(early_stopping=True, max_iter=40, learning_rate_init=0.01, n_iter_no_change=40)
    # What the model comes to predict there.
    goal = quietly(copy.copy(model).set_params(early_stopping=False).fit, X, Y).predict(X[:rows]).mean()
    quietly(model.fit, X, Y, X_val=X[:rows], y_val=np.full(rows, goal))
    assert model.validation_scores_ == [-loss for loss in model.validation_loss_curve_]
    # The best epoch is that of the least loss, not the first.
    best = int(np.argmin(model.validation_loss_curve_))
    assert best > 0
    assert model.best_validation_score_ == -model.validation_loss_curve_[best]


def test_a_score_that_is_not_a_number_is_refused_where_it_would_decide():
    def nothing(estimator, X, y):
        return np.nan

    with pytest.raises(ValueError, match="scoring must give a number on the held-out rows, got nan"):
        regressor(early_stopping=True, scoring=nothing).fit(X, Y)
    # Where it is only looked at, it is recorded.
    model = quietly(regressor(scoring=nothing, restore_best=False).fit, X, Y, X_val=X[:5], y_val=Y[:5])
    assert np.isnan(model.history_["score"]).all()


@pytest.mark.parametrize("make", [regressor, classifier])
@pytest.mark.parametrize(
    "text", [list, np.array, lambda words: np.array(words, object), lambda w: np.array(w, "S")]
)
def test_weights_in_words_are_no_numbers(make, text):
    words = text(["1.0"] * 60)
    with pytest.raises(TypeError, match="sample_weight must be numbers, got text"):
        make().fit(X, C, sample_weight=words)
    with pytest.raises(TypeError, match="sample_weight_val must be numbers, got text"):
        make().fit(X, C, X_val=X, y_val=C, sample_weight_val=words)


@pytest.mark.parametrize(
    ("coefs", "intercepts", "error", "words"),
    [
        (lambda w: w[:-1], None, ValueError, "intercepts_ must be 1 arrays, as coefs_ are, got 2"),
        (lambda w: [w[0][:, :3], w[1]], None, ValueError, r"intercepts_\[0\] .* of shape \(3,\), got \(4,\)"),
        (lambda w: [w[0], w[1][:3]], None, ValueError, r"coefs_\[1\] of the model must have 4 rows, got 3"),
        (lambda w: [w[0][:1], w[1]], None, ValueError, r"coefs_\[0\] of the model must have 3 rows, got 1"),
        (lambda w: [w[0] * 1j, w[1]], None, TypeError, r"coefs_\[0\] .* real numbers .*, got complex128"),
        (None, lambda b: None, TypeError, "intercepts_ of the model must be a list of arrays, got None"),
    ],
)
def test_parameters_that_are_no_layers_are_named(coefs, intercepts, error, words):
    model = quietly(regressor(hidden_layer_sizes=4).fit, X, Y)
    if coefs is not None:
        model.coefs_ = coefs(model.coefs_)
    if intercepts is not None:
        model.intercepts_ = intercepts(model.intercepts_)
    with pytest.raises(error, match=words):
        model.predict(X)
    if "must have 3 rows" not in words:  # which a fit that continues says of all layers
        with pytest.raises(error, match=words):
            model.partial_fit(X, Y)


def test_parameters_may_be_lists():
    model = quietly(regressor(hidden_layer_sizes=4).fit, X, Y)
    expected = model.predict(X)
    model.coefs_ = [weights.tolist() for weights in model.coefs_]
    np.testing.assert_array_equal(model.predict(X), expected)


@pytest.mark.parametrize("make", [regressor, classifier])
@pytest.mark.parametrize("unit", ["M8[D]", "m8[s]", "M8[ns]"])
def test_dates_are_no_numbers(make, unit):
    pandas = pytest.importorskip("pandas")
    dates = np.arange(60).astype(unit)
    for given in (dates, pandas.Series(dates.astype(unit[0] + "8[ns]"))):
        if make is regressor:
            with pytest.raises(TypeError, match=r"y must be numbers, got (dates|durations)"):
                make().fit(X, given)
        with pytest.raises(TypeError, match=r"sample_weight must be numbers, got (dates|durations)"):
            make().fit(X, C, sample_weight=given)
    with pytest.raises(TypeError, match=r"X must be numbers, got (dates|durations)"):
        make().fit(np.column_stack([dates, dates]), C)
    frame = pandas.DataFrame({"speed": Y, "when": dates.astype(unit[0] + "8[ns]")})
    with pytest.raises(TypeError, match=r"X must be numbers, got (dates|durations) in column 'when'"):
        make().fit(frame, C)


@pytest.mark.parametrize("make", [regressor, classifier])
def test_a_mask_is_not_dropped(make):
    mask = np.zeros(60, bool)
    mask[3] = True
    masked_X = np.ma.masked_array(X, np.broadcast_to(mask[:, None], X.shape))
    masked_y, masked_weight = np.ma.masked_array(C, mask), np.ma.masked_array(np.ones(60), mask)
    fitted = quietly(make().fit, X, C)
    for name, call in [
        ("X", lambda: make().fit(masked_X, C)),
        ("y", lambda: make().fit(X, masked_y)),
        ("X", lambda: make().fit(list(masked_X), C)),
        ("X", lambda: fitted.predict(list(masked_X))),
        ("sample_weight", lambda: make().fit(X, C, sample_weight=masked_weight)),
        ("X_val", lambda: make().fit(X, C, X_val=masked_X, y_val=C)),
        ("y_val", lambda: make().fit(X, C, X_val=X, y_val=masked_y)),
        ("sample_weight_val", lambda: make().fit(X, C, X_val=X, y_val=C, sample_weight_val=masked_weight)),
        ("X", lambda: make().partial_fit(masked_X, C, **({"classes": [0, 1]} if make is classifier else {}))),
        ("X", lambda: fitted.predict(masked_X)),
    ]:
        with pytest.raises(ValueError, match=rf"{name}\b.*must be an array without masked elements, got"):
            call()
    # A mask that hides nothing is none.
    same = quietly(make().fit, np.ma.masked_array(X, False), C)
    np.testing.assert_array_equal(same.predict(X), fitted.predict(X))


def test_weights_must_be_left_on_both_sides_of_the_split():
    weight = np.zeros(60)
    random = np.random.RandomState(0)
    for row in random.permutation(60)[:12]:
        weight[:] = 0
        weight[row] = 1
        with pytest.raises(ValueError, match="sample_weight must leave some weight to the rows that"):
            regressor(early_stopping=True).fit(X, Y, sample_weight=weight)
    with pytest.raises(ValueError, match="sample_weight_val"):
        regressor().fit(X, Y, X_val=X[:5], y_val=Y[:5], sample_weight_val=np.zeros(5))


ONES = np.ones(60)
# A share of a tenth has none of them.
TWO = (np.arange(60) < 2).astype(int)
# Who is at fault where no weight is left: the arguments that were given.
WITHOUT_WEIGHT = [
    ({0: 0, 1: 1}, TWO, None, "class_weight must leave some weight to the rows that"),
    ({0: 0, 1: 1}, TWO, ONES, "sample_weight and class_weight must leave some weight to"),
    ({0: 1e-320, 1: 1e-320}, C, None, "class_weight must not be so small that alpha"),
    (None, C, ONES * 1e-320, "sample_weight must not be so small that alpha"),
    ({0: 0, 1: 0}, C, None, "class_weight must be finite, .* got class_weight={0: 0, 1: 0}"),
    ({0: 0, 1: 1}, C, 1.0 - C, "sample_weight and class_weight must be finite, .* not zero for all"),
]


@pytest.mark.parametrize(("class_weight", "y", "sample_weight", "words"), WITHOUT_WEIGHT)
def test_the_weights_that_are_at_fault_are_named(class_weight, y, sample_weight, words):
    model = classifier(class_weight=class_weight, early_stopping=y is TWO)
    with pytest.raises(ValueError, match=f"^{words}"):
        model.fit(X, y, sample_weight=sample_weight)


class WithProperties(sc.MLPRegressor):
    """One that keeps what is fitted elsewhere, and counts."""

    @property
    def coefs_(self):
        if not hasattr(self, "_kept"):
            raise AttributeError("not fitted")
        return self._kept

    @coefs_.setter
    def coefs_(self, value):
        self._kept = value
        self._times = getattr(self, "_times", 0) + 1

    @property
    def loss_curve_(self):
        return self._curve

    @loss_curve_.setter
    def loss_curve_(self, value):
        self._curve = value


def test_fitted_attributes_may_be_properties_of_a_subclass():
    options = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0, "warm_start": True}
    own, plain = WithProperties(**options), sc.MLPRegressor(**options)
    for _ in range(2):
        for model in (own, plain):
            quietly(model.fit, X, Y)
        assert own.loss_curve_ == plain.loss_curve_
        np.testing.assert_array_equal(own.coefs_[0], plain.coefs_[0])
    assert "coefs_" not in vars(own)
    assert "loss_curve_" not in vars(own)
    assert own._times == 2
    for again in (pickle.loads(pickle.dumps(own)), copy.deepcopy(own)):
        np.testing.assert_array_equal(again.predict(X), own.predict(X))
        quietly(again.partial_fit, X, Y)
        assert len(again.loss_curve_) == len(own.loss_curve_) + 1


def test_what_was_fitted_is_used_whatever_is_set_since():
    model = quietly(regressor(activation="tanh").fit, X, Y)
    before = model.predict(X)
    model.set_params(activation="relu")
    np.testing.assert_array_equal(model.predict(X), before)
    # A fit that goes on takes the new options, and so does what it predicts from then on.
    model.set_params(loss="poisson")
    quietly(model.partial_fit, X, np.abs(Y))
    assert model.out_activation_ == "exp"
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    np.testing.assert_allclose(
        model.predict(X), np.exp(hidden @ model.coefs_[1] + model.intercepts_[1])[:, 0], rtol=1e-12
    )


@pytest.mark.parametrize("name", ["identity", "relu", "tanh", "logistic", "exp", "softmax"])
def test_outputs_may_be_given_any_activation_that_scikit_learn_has(name):
    if name not in ACTIVATIONS:
        pytest.skip("this version of scikit-learn does not have it")
    targets = np.c_[Y, -Y]
    theirs = quietly(MLPRegressor(hidden_layer_sizes=4, max_iter=3, random_state=0).fit, X, targets)
    for dtype in (np.float64, np.float32):
        model = quietly(regressor().fit, X.astype(dtype), targets)
        model.coefs_ = theirs.coefs_ = [part.astype(dtype) for part in theirs.coefs_]
        model.intercepts_ = theirs.intercepts_ = [part.astype(dtype) for part in theirs.intercepts_]
        model.out_activation_ = theirs.out_activation_ = name
        found, expected = model.predict(X.astype(dtype)), theirs.predict(X.astype(dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("name", ["gelu", None, ["relu"]])
def test_an_activation_of_outputs_that_is_none_is_named(name):
    model = quietly(regressor().fit, X, Y)
    model.out_activation_ = name
    with pytest.raises(
        ValueError, match=r"^out_activation_ of the model must be one of \['identity', .*, got "
    ):
        model.predict(X)


def test_a_fit_that_goes_on_keeps_its_precision():
    model = quietly(regressor(warm_start=True).fit, X.astype(np.float32), Y)
    quietly(model.fit, X, Y)
    assert {part.dtype for part in (*model.coefs_, *model.intercepts_)} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: regressor(solver="adamw").fit(X, Y), ValueError, "For this one give optimizer='adamw'"),
        (lambda: regressor(solver="adamw2").fit(X, Y), ValueError, "Got 'adamw2' instead.$"),
        (lambda: regressor(hidden_layer_sizes={4, 3}).fit(X, Y), TypeError, "hidden_layer_sizes must be int"),
        (
            lambda: regressor(hidden_layer_sizes=True).fit(X, Y),
            TypeError,
            "'hidden_layer_sizes' parameter of MLPRegressor must be a number. Got True",
        ),
        (lambda: regressor(hidden_layer_sizes=2**64).fit(X, Y), ValueError, "hidden_layer_sizes must be an"),
        (lambda: regressor(hidden_layer_sizes=2**40).fit(X, Y), MemoryError, "hidden_layer_sizes must fit"),
        (lambda: classifier(class_weight={5: 1.0}).fit(X, C), ValueError, "class_weight"),
        (lambda: classifier(class_weight={0: "a"}).fit(X, C), ValueError, "class_weight"),
        (lambda: classifier().fit(X, np.array(["a", 1] * 30, object)), TypeError, "y must be labels"),
        (lambda: regressor().fit(X, Y, X_val=X[:5], y_val=np.full(5, np.nan)), ValueError, "y_val"),
        (lambda: classifier().fit(X, C, X_val=X[:5], y_val=np.full(5, 7)), ValueError, "y_val"),
        (lambda: regressor().fit(X, Y, sample_weight=np.full(60, np.nan)), ValueError, "sample_weight"),
        (lambda: classifier().fit(X, np.where(C, np.nan, 0.0)), ValueError, "y contains NaN"),
    ],
)
def test_refusals_name_what_was_meant(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_numbers_too_large_for_the_core_mean_without_end():
    model = regressor(max_iter=2**64, n_iter_no_change=2**64, batch_size=60, max_time=0.05).fit(X, Y)
    assert model.history_.stopped == "max_time"
    model = quietly(regressor(max_fun=2**64, solver="lbfgs").fit, X, Y)
    assert model.n_iter_ == 3


def test_a_rate_that_falls_below_all_numbers_is_zero():
    model = quietly(regressor(solver="sgd", learning_rate="invscaling", power_t=1e3).fit, X, Y)
    assert model.history_["lr"] == [0.001, 0.0, 0.0]


def test_the_column_that_holds_text_is_named():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"speed": Y, "colour": ["red", "blue"] * 30})
    with pytest.raises(ValueError, match=r"X, column 'colour': could not convert string to float: 'red'"):
        regressor().fit(frame, Y)
    with pytest.raises(ValueError, match=r"OneHotEncoder before the network; schuss\.TabularClassifier and"):
        regressor().fit(frame, Y)
    quietly(regressor().fit, pandas.get_dummies(frame), Y)


def test_names_of_columns_are_to_blame_where_they_are():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"speed": Y, 1: ["red", "blue"] * 30})
    model = quietly(regressor().fit, X, Y)
    for call in (lambda: regressor().fit(frame, Y), lambda: model.predict(frame)):
        with pytest.raises(TypeError, match=r"^Feature names are only supported if all input features have"):
            call()


@pytest.mark.parametrize("make", [classifier, regressor])
def test_mappings_are_no_arrays(make):
    y = C if make is classifier else Y
    model = quietly(make().fit, X, y)
    words = "must be array-like, with a row for each sample, got mappings: "
    for rows in ({"speed": X[:, 0]}, [{"speed": 1.0}] * 60):
        for call in (lambda rows=rows: make().fit(rows, y), lambda rows=rows: model.predict(rows)):
            with pytest.raises(TypeError, match=rf"^X {words}.*: pandas\.DataFrame\(X\) is; schuss"):
                call()
    with pytest.raises(TypeError, match=f"^y {words}"):
        make().fit(X, dict(enumerate(y)))
    with pytest.raises(TypeError, match=f"^sample_weight {words}"):
        make().fit(X, y, sample_weight=dict(enumerate(y)))


def missing_labels():
    names = ["a", "b", None] * 20
    found = {
        "objects": np.array(names, dtype=object),
        "list": names,
        "list with NaN": ["a", "b", np.nan] * 20,
        "column": np.array(names, dtype=object)[:, None],
    }
    if pandas := find("pandas"):
        found["string"] = pandas.Series(names, dtype="string")
        found["category"] = pandas.Series(names, dtype="category")
        found["boolean"] = pandas.Series([True, False, None] * 20, dtype="boolean")
        found["NA"] = pandas.Series(["a", "b", pandas.NA] * 20, dtype=object)
    if polars := find("polars"):
        found["polars"] = polars.Series(names)
    if pyarrow := find("pyarrow"):
        found["arrow"] = pyarrow.array(names)
        found["dictionary"] = pyarrow.chunked_array([names]).dictionary_encode()
    return found


def find(library):
    try:
        return importlib.import_module(library)
    except ImportError:
        return None


@pytest.mark.parametrize("kind", missing_labels())
def test_labels_that_are_missing_are_said_to_be(kind):
    y, words = missing_labels()[kind], "^Input y contains NaN: in 20 of 60 rows a label is missing$"
    with pytest.raises(ValueError, match=words):
        classifier().fit(X, y)
    with pytest.raises(ValueError, match=words):
        classifier().partial_fit(X, y, classes=["a", "b"])
    with pytest.raises(ValueError, match=r"^Input classes contains NaN: in 1 of 3 rows a label is missing$"):
        classifier().partial_fit(X, ["a", "b"] * 30, classes=["a", "b", None])


def test_missing_values_are_refused_with_what_helps():
    gaps = np.where(X > 1.0, np.nan, X)
    words = r"^Input X contains NaN: missing values need sklearn\.impute\.SimpleImputer .* TabularRegressor"
    with pytest.raises(ValueError, match=words):
        regressor().fit(gaps, Y)
    with pytest.raises(ValueError, match=words):
        quietly(regressor().fit, X, Y).predict(gaps)


@pytest.mark.parametrize(
    ("make", "X", "y", "words"),
    [
        (classifier, X, np.array([np.nan, "a"] * 30, dtype=object), "^Input y contains NaN: in 30 of 60"),
        (classifier, X, [[1], [1, 2]] * 30, "^y: setting an array element with a sequence"),
        (classifier, [[1], [1, 2]] * 30, C, "^X: setting an array element with a sequence"),
        (regressor, X, X[:, :, None], "^y: Found array with dim 3"),
        (regressor, X[:, :, None], Y, "^X: Found array with dim 3"),
        (regressor, X, ["a"] * 60, "^y must be numbers: could not convert string to float"),
        (regressor, [["a"]] * 60, ["a"] * 60, "^X: could not convert string to float"),
    ],
)
def test_inputs_or_targets_are_named_whichever_is_at_fault(make, X, y, words):
    with pytest.raises(ValueError, match=words):
        make().fit(X, y)

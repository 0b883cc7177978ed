"""What estimators make of inputs and options at the edge: refused with the reason, or done right."""

import enum
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from scipy import sparse
from sklearn import config_context, neural_network
from sklearn.datasets import load_breast_cancer, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.metrics import accuracy_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from schuss import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
QUICK = {"hidden_layer_sizes": 8, "max_iter": 4, "random_state": 0}


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


async def later(model):
    raise AssertionError


def weights_of(model):
    return np.concatenate([part.ravel() for part in (*model.coefs_, *model.intercepts_)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_layer_sizes": (8.5,)}, "hidden_layer_sizes must be an integer, got 8.5"),
        ({"hidden_layer_sizes": "8"}, "hidden_layer_sizes"),
        ({"scoring": "acuracy"}, "acuracy"),
        ({"callbacks": ["print"]}, "callbacks must be functions, got 'print'"),
        ({"callbacks": later}, "callbacks must be run by a call, got the asynchronous function"),
        ({"dropout": ["a"]}, "dropout must be numbers for the hidden layers, got 'a'"),
        ({"dropout": [0.1, 0.2]}, "dropout must be one value or 1"),
        ({"activation": [None]}, "activation must be names for the hidden layers, got None"),
        ({"class_weight": {0: -1}}, "class_weight must be finite, not negative"),
        ({"class_weight": {0: 0, 1: 0}}, "class_weight must be .* not zero for all rows"),
        ({"class_weight": {7: 1}}, "are not in class_weight"),
        ({"class_weight": [{0: 1}]}, "class_weight must be a dict"),
    ],
)
def test_a_bad_option_is_refused_before_training(cancer, options, message):
    model = MLPClassifier(**QUICK | options)
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(*cancer)
    assert not hasattr(model, "coefs_")


def test_weights_whose_sum_makes_the_penalty_infinite_are_refused_by_name(cancer):
    X, y = cancer
    tiny = np.full(len(y), 1e-320)
    with pytest.raises(ValueError, match=r"sample_weight must not be so small that alpha \(0.0001\)"):
        MLPClassifier(max_iter=1).fit(X, y, sample_weight=tiny)
    # Without a penalty only their ratios count.
    fitted = [MLPClassifier(max_iter=2, alpha=0.0, random_state=0).fit(X, y, w).coefs_ for w in (tiny, None)]
    for of_tiny, of_all in zip(*fitted, strict=True):
        np.testing.assert_allclose(of_tiny, of_all, rtol=1e-3, atol=1e-5)


def test_weights_of_targets_must_be_numbers(cancer):
    with pytest.raises(ValueError, match="target_weights must be 1 numbers"):
        MLPRegressor(target_weights=["a"]).fit(*cancer)


def test_options_of_layers_may_be_arrays(cancer):
    given = {"activation": np.array(["gelu", "tanh"]), "dropout": np.array([0.1, 0.2], np.float32)}
    arrays = MLPClassifier(**QUICK | {"hidden_layer_sizes": np.array([8, 4])} | given).fit(*cancer)
    lists = {"activation": ["gelu", "tanh"], "dropout": [float(rate) for rate in given["dropout"]]}
    same = MLPClassifier(**QUICK | {"hidden_layer_sizes": (8, 4)} | lists).fit(*cancer)
    np.testing.assert_array_equal(weights_of(arrays), weights_of(same))


def test_numbers_that_are_no_classes_are_refused_in_a_line(cancer):
    X, _ = cancer
    with pytest.raises(ValueError, match=r"^Unknown label type: continuous") as refused:
        MLPClassifier(**QUICK).fit(X, X[:, 0])
    assert "\n" not in str(refused.value)


# Weights.


def test_class_weights_hold_in_rows_without_some_class(cancer):
    X, y = cancer
    model = MLPClassifier(class_weight={0: 5}, **QUICK).partial_fit(X, y, classes=[0, 1])
    same = MLPClassifier(**QUICK).partial_fit(X, y, sample_weight=np.where(y, 1.0, 5.0), classes=[0, 1])
    np.testing.assert_array_equal(weights_of(model), weights_of(same))
    model.partial_fit(X[y == 1], y[y == 1])
    same.partial_fit(X[y == 1], y[y == 1])
    np.testing.assert_array_equal(weights_of(model), weights_of(same))


def test_balance_cannot_be_told_from_some_rows(cancer):
    with pytest.raises(ValueError, match="compute_class_weight"):
        MLPClassifier(class_weight="balanced").partial_fit(*cancer, classes=[0, 1])


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_labels_have_weights_column_by_column(form):
    X, y = make_multilabel_classification(100, n_classes=3, random_state=0)
    y[:, 2] = 0  # nobody has the last label
    model = MLPClassifier(class_weight=[{0: 1, 1: 3}, {0: 2}, {1: 5}], **QUICK).fit(X, form(y))
    by_hand = np.where(y[:, 0], 3.0, 1.0) * np.where(y[:, 1], 1.0, 2.0)
    same = MLPClassifier(**QUICK).fit(X, y, by_hand)
    np.testing.assert_array_equal(weights_of(model), weights_of(same))
    with pytest.raises(ValueError, match="class_weight must be a list of 3 dicts"):
        MLPClassifier(class_weight=[{1: 2}]).fit(X, y)


def test_a_batch_that_weighs_nothing_teaches_nothing(cancer):
    X, y = cancer
    weight = np.r_[np.ones(100), np.zeros(100)]
    options = QUICK | {"solver": "sgd", "momentum": 0, "shuffle": False, "batch_size": 100}
    model = MLPClassifier(**options).fit(X[:200], y[:200], weight)
    same = MLPClassifier(**options).fit(X[:100], y[:100])
    np.testing.assert_array_equal(weights_of(model), weights_of(same))
    assert model.loss_curve_ == same.loss_curve_


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csr_array, sparse.csc_array])
def test_sparse_labels_are_predicted_as_scikit_learn_has_them(form):
    X, y = make_multilabel_classification(100, n_classes=3, random_state=0)
    model, theirs = (each(**QUICK).fit(X, form(y)) for each in (MLPClassifier, neural_network.MLPClassifier))
    found, dense = model.predict(X), MLPClassifier(**QUICK).fit(X, y)
    assert type(found) is type(theirs.predict(X))
    assert found.dtype == theirs.predict(X).dtype
    np.testing.assert_array_equal(found.toarray(), dense.predict(X))
    assert isinstance(dense.predict(X), np.ndarray)
    for scored in (y, form(y)):
        assert model.score(X, scored) == dense.score(X, y)


@pytest.mark.parametrize("form", [sparse.dok_matrix, sparse.dok_array])
def test_a_dictionary_of_keys_is_a_sparse_matrix_and_no_mapping(form):
    X, y = make_multilabel_classification(100, n_classes=3, random_state=0)
    models = []
    for of in (form, np.asarray):
        model = MLPClassifier(**QUICK).fit(of(X), of(y), X_val=of(X[:20]), y_val=of(y[:20]))
        models.append(model.partial_fit(of(X), of(y)))
    np.testing.assert_array_equal(*map(weights_of, models))
    np.testing.assert_array_equal(models[0].predict_proba(form(X)), models[1].predict_proba(X))
    assert models[0].validation_scores_ == models[1].validation_scores_


def test_sparse_labels_are_held_out_and_come_in_pieces():
    X, y = make_multilabel_classification(100, n_classes=3, random_state=0)
    options = QUICK | {"early_stopping": True, "scoring": "f1_macro"}
    model, dense = (MLPClassifier(**options).fit(X, form(y)) for form in (sparse.csr_array, np.asarray))
    assert model.validation_scores_ == dense.validation_scores_
    model, dense = MLPClassifier(**QUICK), MLPClassifier(**QUICK)
    for rows in (slice(0, 50), slice(50, 100)):
        model.partial_fit(X[rows], sparse.csr_array(y[rows]), classes=[0, 1, 2])
        dense.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    np.testing.assert_array_equal(model.predict(X).toarray(), dense.predict(X))


# How labels may be written that hold at once: what is not zero is on.
ON = {
    "masks": lambda y: (255 * y).astype(np.uint8),
    "floats": lambda y: 2.0 * y,
    "negative": lambda y: -y,
    "sparse": lambda y: sparse.csr_array(255 * y),
}


@pytest.mark.parametrize("written", ON.values(), ids=ON)
@pytest.mark.parametrize(
    "options", [{}, {"class_weight": "balanced"}, {"class_weight": [{0: 2}] * 3}], ids=str
)
def test_labels_are_on_where_they_are_not_zero(written, options):
    X, y = make_multilabel_classification(100, n_classes=3, random_state=0)
    options = QUICK | options | {"early_stopping": True}
    model, same = (
        MLPClassifier(**options).fit(X, of(y), X_val=X[:50], y_val=of(y[:50])) for of in (written, np.asarray)
    )
    np.testing.assert_array_equal(weights_of(model), weights_of(same))
    assert model.loss_curve_ == same.loss_curve_
    assert model.validation_scores_ == same.validation_scores_
    assert model.validation_loss_curve_ == same.validation_loss_curve_
    # Scores compare what is predicted, 0 and 1, with what they are given: as scikit-learn has it.
    theirs = accuracy_score(written(y), model.predict(X))
    assert model.score(X, written(y)) == theirs


def test_labels_of_pieces_are_on_where_they_are_not_zero():
    X, y = make_multilabel_classification(100, n_classes=3, random_state=0)
    model, same = (
        MLPClassifier(**QUICK).partial_fit(X, on * y, classes=[0, 1, 2]).partial_fit(X, on * y)
        for on in (255, 1)
    )
    np.testing.assert_array_equal(weights_of(model), weights_of(same))


def test_labels_of_minus_one_and_one_are_all_on_as_in_scikit_learn():
    X, y = make_multilabel_classification(100, n_classes=3, random_state=0)
    model, same = (MLPClassifier(**QUICK).fit(X, labels) for labels in (2 * y - 1, np.ones_like(y)))
    np.testing.assert_array_equal(weights_of(model), weights_of(same))


def test_weights_of_labels_at_once_are_of_off_and_on():
    X, y = make_multilabel_classification(100, n_classes=3, random_state=0)
    with pytest.raises(ValueError, match="class_weight must have weights of 0, off, and 1, on, got"):
        MLPClassifier(class_weight=[{0: 1, 255: 3}] * 3, **QUICK).fit(X, 255 * y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
@pytest.mark.parametrize("columns", [1, 3])
def test_a_regressor_takes_sparse_targets(columns):
    X, y = make_multilabel_classification(100, n_classes=3, random_state=0)
    y = y[:, :columns]
    models = [MLPRegressor(**QUICK).fit(X, form(y)) for form in (np.asarray, sparse.csr_array)]
    np.testing.assert_array_equal(*(model.predict(X) for model in models))


# Precision.


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_model_keeps_its_precision_when_its_training_goes_on(cancer, dtype):
    X, y = cancer
    other = np.float32 if dtype == np.float64 else np.float64
    models = [MLPClassifier(warm_start=True, **QUICK).fit(X.astype(dtype), y) for _ in range(2)]
    models[0].fit(X.astype(np.float32).astype(dtype), y)
    models[1].fit(X.astype(np.float32).astype(other), y)
    models[1].partial_fit(X.astype(other), y)
    models[0].partial_fit(X.astype(other).astype(dtype), y)
    assert models[1].coefs_[0].dtype == dtype
    np.testing.assert_array_equal(*map(weights_of, models))


def test_held_out_rows_may_have_another_precision(cancer):
    X, y = cancer
    X = X.astype(np.float32)
    curves = [
        MLPClassifier(**QUICK).fit(X, y, X_val=X[:50].astype(dtype), y_val=y[:50]).validation_loss_curve_
        for dtype in (np.float32, np.float64)
    ]
    assert curves[0] == curves[1]


BEYOND = r"must be within the range of float32, got numbers as large as 1e\+39"


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_rows_beyond_the_precision_of_a_model_are_not_predicted(cancer, form):
    X, y = cancer
    X = X.astype(np.float32)
    classifier, regressor = MLPClassifier(**QUICK).fit(X, y), MLPRegressor(**QUICK).fit(X, y)
    beyond = X[:3].astype(np.float64)
    beyond[1, 2] = -1e39
    asked = (classifier.predict, classifier.predict_proba, classifier.predict_log_proba, regressor.predict)
    for ask in asked:
        with pytest.raises(ValueError, match=f"^X {BEYOND}"):
            ask(form(beyond))
    for score in (classifier.score, regressor.score):
        with pytest.raises(ValueError, match=f"^X {BEYOND}"):
            score(form(beyond), y[:3])


def test_targets_beyond_the_precision_of_the_rows_are_refused(cancer):
    X, y = cancer
    X, beyond = X.astype(np.float32), np.where(y, 1e39, 0.0)
    model = MLPRegressor(**QUICK)
    with pytest.raises(ValueError, match=f"^y {BEYOND}"):
        model.fit(X, beyond)
    with pytest.raises(ValueError, match=f"^y {BEYOND}"):
        model.partial_fit(X, beyond)
    with pytest.raises(ValueError, match=f"^X_val and y_val: y {BEYOND}"):
        model.fit(X, y, X_val=X, y_val=beyond)
    assert not hasattr(model, "coefs_")


# What is fitted, and what is asked of the next fit.


def test_options_of_the_next_fit_do_not_change_predictions(cancer):
    X, y = cancer
    model = MLPClassifier(**QUICK, dropout=[0.1]).fit(X, y)
    before = model.predict_proba(X)
    model.set_params(hidden_layer_sizes=(3, 3), dropout=[0.1, 0.2], alpha=1)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    counts = MLPRegressor(**QUICK, loss="poisson").fit(X, y)
    before = counts.predict(X)
    counts.set_params(loss="huber", target_weights=[1, 2])
    np.testing.assert_array_equal(counts.predict(X), before)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_warnings_name_the_line_of_the_user(cancer, solver):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MLPClassifier(**QUICK | {"max_iter": 2}, solver=solver, batch_size=10_000).fit(*cancer)
    assert len(caught) == (2 if solver == "adam" else 1)
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_warnings_of_a_column_name_the_line_of_the_user(cancer, kind, method):
    X, y = cancer
    options = {"classes": [0, 1]} if (kind, method) == (MLPClassifier, "partial_fit") else {}
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed") as told:
        getattr(kind(**QUICK), method)(X, y[:, None], **options)
    assert {warning.filename for warning in told} == {__file__}


def test_warnings_name_the_line_of_the_user_through_what_scikit_learn_calls(cancer):
    with pytest.warns(ConvergenceWarning) as told:
        cross_val_score(Pipeline([("net", MLPClassifier(**QUICK))]), *cancer, cv=2)
    assert len(told) == 2
    assert {warning.filename for warning in told} == {__file__}


@pytest.mark.parametrize("labels", [[3.0], ["no", "yes"], [True, False], [-1, 1], ["a", "b", "c"]])
def test_predictions_are_labels_as_given(cancer, labels):
    X, _ = cancer
    y = np.asarray(labels)[np.arange(len(X)) % len(labels)]
    model = MLPClassifier(**QUICK).fit(X, y)
    found = model.predict(X)
    assert found.dtype == y.dtype
    probability = model.predict_proba(X)
    if len(labels) > 1:
        np.testing.assert_array_equal(found, model.classes_[probability.argmax(axis=1)])
    else:
        assert set(found) == {3.0}


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_without_hidden_layers_the_start_is_scikit_learns_too(cancer, activation, solver):
    X, y = cancer
    for name in ("MLPClassifier", "MLPRegressor"):
        options = {"hidden_layer_sizes": (), "activation": activation, "solver": solver, "random_state": 0}
        options |= {"shuffle": False, "max_iter": 4, "learning_rate_init": 0.001}
        theirs = getattr(neural_network, name)(**options).fit(X, y)
        ours = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name](**options).fit(X, y)
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
        np.testing.assert_allclose(weights_of(ours), weights_of(theirs), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("yes", [True, np.True_, np.bool_(True)])
def test_any_truth_of_a_callback_ends_the_training(cancer, yes):
    model = MLPClassifier(**QUICK, callbacks=[lambda model: None, lambda model: yes, lambda model: "no"])
    assert model.fit(*cancer).n_iter_ == 1


def test_a_pipeline_passes_weights_and_its_own_transform_of_validation_rows():
    X, y = load_breast_cancer(return_X_y=True)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    train, held = slice(0, 400), slice(400, None)
    options = {"hidden_layer_sizes": 8, "max_iter": 5, "random_state": 0}
    scaler = StandardScaler().fit(X[train])
    validation = {"y_val": y[held], "sample_weight_val": weight[held]}
    alone = MLPClassifier(**options).fit(
        scaler.transform(X[train]),
        y[train],
        weight[train],
        X_val=scaler.transform(X[held]),
        **validation,
    )
    with config_context(enable_metadata_routing=True):
        asks = dict.fromkeys(("sample_weight", "X_val", "y_val", "sample_weight_val"), True)
        model = MLPClassifier(**options).set_fit_request(**asks)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = Pipeline([("scale", scaler), ("mlp", model)], transform_input=["X_val"])
        pipeline.fit(X[train], y[train], sample_weight=weight[train], X_val=X[held], **validation)
    assert weights_of(pipeline["mlp"]).tobytes() == weights_of(alone).tobytes()
    assert pipeline["mlp"].validation_loss_curve_ == alone.validation_loss_curve_


@pytest.mark.filterwarnings("error", "ignore:.*Maximum iterations")
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])
def test_numbers_of_numpys_small_types_are_numbers(kind, solver):
    """60 rows are more than a uint8 can be negative, and 200 epochs of 8 steps more than it holds."""
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 3))
    y = X[:, 0] > 0 if kind is MLPClassifier else X[:, 0]
    numbers = {
        "hidden_layer_sizes": 5,
        "batch_size": 8,
        "max_iter": 200,
        "n_iter_no_change": 3,
        "max_fun": 250,
        "random_state": 1,
        "n_threads": 2,
    }
    small = kind(solver=solver, **{name: np.uint8(value) for name, value in numbers.items()}).fit(X, y)
    plain = kind(solver=solver, **numbers).fit(X, y)
    assert small.n_iter_ == plain.n_iter_
    for one, other in zip(small.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "two"])
def test_a_number_of_threads_that_is_none_is_refused_by_predict_as_well(kind, value):
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = kind(hidden_layer_sizes=4, max_iter=300).fit(X, X[:, 0] > 0)
    with pytest.raises((TypeError, ValueError), match=f"^n_threads must be an integer.*, got {value!r}$"):
        model.set_params(n_threads=value).predict(X)


HOURS = np.datetime64("2020-01-01", "ms") + np.arange(60) * np.timedelta64(1, "h")
TIMES = {
    "dates": HOURS,
    "days": HOURS.astype("M8[D]"),
    "durations": HOURS - HOURS[0],
    "times of day": [moment.time() for moment in HOURS.tolist()],
}


def columns_of(library, kind):
    """A frame with such a column beside one of numbers, and the column alone."""
    frame = {"when": TIMES[kind], "number": np.arange(60.0)}
    if library == "polars":
        polars = pytest.importorskip("polars")
        return polars.DataFrame(frame), polars.Series(TIMES[kind])
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.table(frame), pyarrow.table(frame)["when"]


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
@pytest.mark.parametrize("kind", TIMES)
def test_times_of_polars_and_arrow_are_refused_as_those_of_pandas_are(library, kind):
    frame, alone = columns_of(library, kind)
    what = "durations" if kind == "durations" else "dates"
    y = np.arange(60.0)
    model = MLPRegressor(**QUICK)
    with pytest.raises(TypeError, match=f"^X must be numbers, got {what} in column 'when'$"):
        model.fit(frame, y)
    with pytest.raises(TypeError, match=f"^y must be numbers, got {what}$"):
        model.fit(y[:, None], alone)
    with pytest.raises(TypeError, match=f"^sample_weight must be numbers, got {what}"):
        model.fit(y[:, None], y, alone)
    model.fit(np.stack([y, y], axis=1), y)
    with pytest.raises(TypeError, match=f"^X must be numbers, got {what} in column 'when'$"):
        model.predict(frame)


@pytest.mark.parametrize("given", [list, lambda rows: np.array(rows, dtype=object)], ids=["list", "objects"])
def test_numpys_own_times_among_objects_are_refused(given):
    rows = given([[np.timedelta64(day, "D")] for day in range(60)])
    with pytest.raises(TypeError, match=r"^X must be numbers, got durations$"):
        MLPRegressor(**QUICK).fit(rows, np.arange(60.0))


def test_counts_may_be_written_as_text():
    X, y = np.arange(60.0)[:, None] / 60, np.arange(60) % 4
    plain = MLPRegressor(loss="poisson", **QUICK).fit(X, y)
    text = MLPRegressor(loss="poisson", **QUICK).fit(X, y.astype(str))
    np.testing.assert_array_equal(weights_of(plain), weights_of(text))
    with pytest.raises(ValueError, match="out of the valid range of the loss 'poisson'"):
        MLPRegressor(loss="poisson", **QUICK).fit(X, (y - 1).astype(str))


def test_a_missing_date_is_no_class():
    y = np.where(np.arange(60) % 3, HOURS.astype("M8[Y]"), np.datetime64("NaT"))
    X = np.arange(60.0)[:, None]
    with pytest.raises(ValueError, match=r"^Input y contains NaN: a missing date is no class$"):
        MLPClassifier(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match=r"^Input classes contains NaN: a missing date is no class$"):
        MLPClassifier(**QUICK).partial_fit(X, y[:3], classes=np.unique(y))


class Answer(str, enum.Enum):
    NO, YES = "no", "of course"


def test_objects_of_an_enum_of_text_are_learnt_as_their_text(cancer):
    X, y = cancer
    texts = np.where(y, "of course", "no")
    members = np.array(list(map(Answer, texts)), dtype=object)
    plain = MLPClassifier(**QUICK, early_stopping=True).fit(X, texts)
    model = MLPClassifier(**QUICK, early_stopping=True).fit(X, members)
    np.testing.assert_array_equal(weights_of(model), weights_of(plain))
    assert model.classes_.tolist() == ["no", "of course"]
    assert model.score(X, members) == model.score(X, texts) > 0.5
    piece = MLPClassifier(**QUICK).partial_fit(X, members, classes=np.array(list(Answer), dtype=object))
    assert piece.classes_.tolist() == ["no", "of course"]

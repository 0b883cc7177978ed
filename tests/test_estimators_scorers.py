"""Scorers that look at held-out rows."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.metrics import make_scorer, max_error

from schuss import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
LABELS = np.where(X[:, 0] > 0, "up", "down")
OPTIONS = {"hidden_layer_sizes": 5, "max_iter": 3, "random_state": 0, "early_stopping": True}


def plain(estimator, X, y):
    return float((estimator.predict(X) == y).mean())


def matches(y, predicted):
    return float((y == predicted).mean())


@pytest.mark.parametrize("scoring", [plain, make_scorer(matches)])
def test_a_scorer_without_weights_goes_with_weights_of_classes(scoring):
    model = MLPClassifier(**OPTIONS, class_weight="balanced", scoring=scoring).fit(X, LABELS)
    assert len(model.validation_scores_) == model.n_iter_


@pytest.mark.parametrize("held_out", [False, True])
def test_a_scorer_without_weights_does_not_go_with_weights_of_rows(held_out):
    model = MLPRegressor(**OPTIONS, scoring=make_scorer(max_error, greater_is_better=False))
    given = {"sample_weight": np.ones(60)}
    if held_out:
        given = {"X_val": X, "y_val": X[:, 0], "sample_weight_val": np.ones(60)}
    with pytest.raises(ValueError, match="scoring must accept sample_weight where that is given, got"):
        model.fit(X, X[:, 0], **given)
    # Those of rows that it does not look at do not matter.
    model.fit(X, X[:, 0], sample_weight=np.ones(60), X_val=X, y_val=X[:, 0])


def test_a_scorer_with_weights_gets_them():
    seen = []

    def scoring(estimator, X, y, sample_weight=None):
        seen.append(sample_weight)
        return 0.0

    weights = RNG.uniform(1, 2, 60)
    MLPClassifier(**OPTIONS, scoring=scoring).fit(X, LABELS, sample_weight=weights)
    assert all(np.isin(given, weights).all() for given in seen)
    MLPClassifier(**OPTIONS, scoring=scoring, class_weight={"up": 2, "down": 3}).fit(X, LABELS)
    assert set(seen[-1]) == {2, 3}


def test_a_scorer_whose_arguments_are_not_known_gets_weights():
    class Opaque:
        __signature__ = "like that of a function of C"

        def __call__(self, estimator, X, y, sample_weight):
            return float(sample_weight.sum())

    model = MLPClassifier(**OPTIONS, scoring=Opaque()).fit(X, LABELS, sample_weight=np.full(60, 2.0))
    assert model.validation_scores_ == [12.0] * 3


def test_a_scorer_of_rows_that_came_in_a_frame_says_nothing_of_their_names():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X).add_prefix("x")
    # A warning would be an error here.
    named, plain = (MLPClassifier(**OPTIONS, scoring="accuracy").fit(rows, LABELS) for rows in (frame, X))
    assert named.validation_scores_ == plain.validation_scores_


def test_a_score_that_is_no_number_is_what_is_wrong_but_where_training_diverges():
    def scoring(estimator, X, y):
        return float("nan")

    with pytest.raises(ValueError, match="scoring must give a number on the held-out rows, got nan from"):
        MLPRegressor(**OPTIONS, scoring=scoring).fit(X, X[:, 0])
    model = MLPRegressor(**OPTIONS, scoring=scoring, activation="identity", solver="sgd")
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        model.set_params(learning_rate_init=1e200).fit(X, X[:, 0])


def test_a_look_does_not_pickle_the_estimator():
    class Heavy(MLPClassifier):
        def __getstate__(self):
            raise AssertionError

    model = Heavy(**OPTIONS, scoring="accuracy").fit(X, LABELS)
    assert len(model.validation_scores_) == 3


@pytest.mark.parametrize("given", [None, "high"])
def test_what_a_scorer_gives_must_be_a_number(given):
    words = f"scoring must give a number on the held-out rows, got {given!r} from"
    with pytest.raises(TypeError, match=words):
        MLPClassifier(**OPTIONS, scoring=lambda estimator, X, y: given).fit(X, LABELS)


@pytest.mark.parametrize("options", [{}, {"sharded": True, "n_shards": 2}], ids=["as a whole", "in shards"])
def test_rows_of_only_one_class_are_scored_as_score_does(options):
    model = MLPClassifier(**OPTIONS, **options).fit(X, np.zeros(60, int))
    assert model.predict_proba(X)[:, 1].max() > 0.5  # which stands for no class
    assert model.validation_scores_ == [model.score(X, np.zeros(60, int))] * 3 == [1.0] * 3

"""scikit-learn's callback protocol: a fit is a task, and each of its epochs one below it."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9")

from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from schuss import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Listener:
    """Remembers what it is told; asks to stop after some epochs."""

    def __init__(self, epochs=None):
        self.epochs = epochs
        self.events, self.scores, self.given = [], [], []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.events.append(f"begin {context.task_name}")
        self.given.append((X, y))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        if fitted_estimator is None:
            return None
        self.metadata = metadata
        self.scores.append(fitted_estimator.score(X, y))
        self.last = fitted_estimator
        return context.task_name == "epoch" and len(self.scores) == self.epochs


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 5))
    return X, np.where(X[:, 0] * X[:, 1] > 0, "up", "down")


SOLVERS = [{"solver": "adam"}, {"solver": "sgd", "early_stopping": True}, {"solver": "lbfgs"}]


@pytest.mark.parametrize("options", SOLVERS, ids=lambda options: options["solver"])
def test_each_epoch_is_a_task(data, options):
    listener = Listener()
    model = MLPClassifier(8, max_iter=4, random_state=0, **options).set_callbacks(listener).fit(*data)
    assert model.n_iter_ == 4
    assert listener.events == [
        "setup",
        "begin fit",
        *["begin epoch", "end epoch"] * 4,
        "end fit",
        "teardown",
    ]
    # The copies that the listener has seen are those of their epochs.
    assert listener.scores[-1] == listener.scores[-2] == model.score(*data)
    assert len(listener.given[0][0]) == len(data[0])
    assert set(listener.given[0][1]) == {"up", "down"}


@pytest.mark.parametrize("options", SOLVERS, ids=lambda options: options["solver"])
def test_a_callback_changes_nothing_and_may_stop(data, options):
    alone = MLPClassifier(8, max_iter=5, random_state=0, **options).fit(*data)
    watched = clone(alone).set_callbacks(Listener()).fit(*data)
    assert all(np.array_equal(a, b) for a, b in zip(alone.coefs_, watched.coefs_, strict=True))
    listener = Listener(epochs=2)
    stopped = clone(alone).set_callbacks(listener).fit(*data)
    assert stopped.n_iter_ == 2
    assert stopped.history_.stopped == "callback"
    assert listener.events.count("begin epoch") == listener.events.count("end epoch") == 2


def test_a_copy_that_was_handed_out_stays_as_it_was(data):
    listener = Listener(epochs=1)
    model = MLPClassifier(8, max_iter=9, random_state=0, warm_start=True).set_callbacks(listener).fit(*data)
    copy, before = listener.last, listener.last.predict_proba(data[0])
    model.set_callbacks().fit(*data)
    assert np.array_equal(copy.predict_proba(data[0]), before)
    assert not np.array_equal(model.predict_proba(data[0]), before)


def test_an_epoch_that_fails_is_closed_and_callbacks_are_torn_down(data):
    class Fails(Listener):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("no more")

    listener = Fails()
    with pytest.raises(RuntimeError, match="no more"):
        MLPClassifier(8).set_callbacks(listener).fit(*data)
    assert listener.events[-1] == "teardown"


def test_weights_and_frames(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    listener = Listener()
    frame = pandas.DataFrame(X, columns=list("abcde"))
    weight = np.linspace(0.5, 1.5, len(X))
    model = MLPClassifier(4, max_iter=2, random_state=0, class_weight="balanced").set_callbacks(listener)
    model.fit(frame, y, sample_weight=weight)
    assert listener.metadata == {"sample_weight": weight}
    assert list(model.feature_names_in_) == list("abcde")


def test_scikit_learns_own_callbacks(data):
    X, y = data[0], data[0][:, 0]
    monitor = ScoringMonitor(scoring="r2")
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=0).set_callbacks(monitor).fit(X, y)
    scores = [row["r2"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 3
    assert scores[-1] == model.score(X, y)


def test_inside_a_pipeline_and_a_search(data):
    listener = Listener()
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(4, max_iter=2, random_state=0))
    pipeline[-1].set_callbacks(listener)
    GridSearchCV(pipeline, {"mlpclassifier__alpha": [0, 1]}, cv=2).fit(*data)
    # Four fits and the last on all rows, each with two epochs.
    assert listener.events.count("setup") == listener.events.count("teardown") == 5
    assert listener.events.count("end epoch") == 10


def test_a_model_with_callbacks_can_be_pickled(data):
    model = MLPClassifier(4, max_iter=2).set_callbacks(ScoringMonitor(scoring="accuracy")).fit(*data)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(data[0]), model.predict(data[0]))

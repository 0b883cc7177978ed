"""`fit(comm=...)` of the estimators: several processes end with what one process has."""

import hashlib
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, mean_poisson_deviance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import schuss as sc
from schuss._draw import draw_of
from schuss._peers import peers_of
from schuss._sharded import Share
from test_distributed import LABELS, WEIGHTS, X, Y, launched, of_rank, together

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TARGETS = np.tanh(X[:, :2])
WATCHED = {"X_val": X[:80], "y_val": Y[:80]}
# Parameters of the estimator, y, and what else `fit` is given.
CASES = {
    "plain": ({}, Y, {}),
    "float32": ({"precision": "float32", "dropout": 0.2}, LABELS, {}),
    "two classes": ({"early_stopping": True}, LABELS > 0, {"sample_weight": WEIGHTS}),
    "early stopping": (
        {"early_stopping": True, "max_iter": 60, "n_iter_no_change": 2, "dropout": 0.3},
        LABELS,
        {},
    ),
    "class weights": ({"class_weight": "balanced", "optimizer": sc.LAMB(lr=0.01)}, LABELS, {}),
    "rows to watch": ({"restore_best": True, "scoring": "r2", "shuffle": False}, Y, WATCHED),
    "plateau": ({"optimizer": "sgd", "schedule": sc.schedules.plateau(0.3, patience=1)}, Y, WATCHED),
    "adaptive": ({"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1}, Y, {}),
    "invscaling": ({"solver": "sgd", "learning_rate": "invscaling", "batch_size": 20}, TARGETS, {}),
    "converges": ({"n_iter_no_change": 2, "tol": 0.05, "max_iter": 50}, Y, {}),
    "threads": ({"n_threads": 2, "callbacks": lambda model: model.n_iter_ == 3, "n_shards": 5}, Y, {}),
}


def fitted(case, comm=None, n_shards=8, X=X, **parameters):
    made, y, given = CASES[case]
    kind = sc.MLPRegressor if y.dtype == np.float64 else sc.MLPClassifier
    start = {"hidden_layer_sizes": (11, 7), "activation": "tanh", "batch_size": 37, "max_iter": 5}
    start |= {"learning_rate_init": 0.01, "random_state": 3}
    model = kind(**{**start, "n_shards": n_shards, **made, **parameters})
    return model.fit(X, y, comm=comm, **given)


def sha(model):
    return hashlib.sha256(b"".join(part.tobytes() for part in model.coefs_ + model.intercepts_)).hexdigest()


def outcome(model):
    """All that fitting has made of an estimator, but for the time that it took."""
    history = {name: values for name, values in model.history_.items() if name != "seconds"}
    own = {"coefs_", "intercepts_", "history_", "_random_state", "_split_state", "_optimizer", "_best_theta"}
    own |= {"_label_binarizer", "classes_"} | set(model.get_params())
    rest = {name: repr(value) for name, value in vars(model).items() if name not in own}
    return sha(model), repr(history), model.history_.stopped, model.history_.best_epoch, rest


@pytest.mark.parametrize("case", CASES)
def test_ranks_end_with_what_one_process_has(case):
    expected = outcome(fitted(case))
    assert len(fitted(case).loss_curve_) > 1
    for size in (1, 2, 3, 5):
        results = together(size, lambda comm: outcome(fitted(case, comm)))
        assert results == [expected] * size, size


SORTED = np.sort(LABELS)
TOGETHER = np.stack([SORTED > 1, LABELS > 0], axis=1).astype(int)
WORDS = np.array(["no", "perhaps", "yes"], object)[SORTED]
STOPS = {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 30}
# Of these every process needs to know something of the rows of others.
OWN_CASES = {
    "labels that others lack": ({"class_weight": "balanced"}, WORDS, {"sample_weight": WEIGHTS}),
    "labels that end": ({"class_weight": {0: 0.0, 2: 3.0}, **STOPS}, SORTED, {}),
    "several labels": (
        {"class_weight": "balanced", **STOPS},
        TOGETHER,
        {},
    ),
    "labels that are on at 255": ({"class_weight": "balanced", **STOPS}, 255 * TOGETHER, {}),
    "two classes in order": (STOPS, np.where(SORTED > 0, "b", "a"), {}),
    "rows of no weight": ({"alpha": 0.1, **STOPS}, LABELS, {"sample_weight": np.repeat([0.0, 1.0], 150)}),
    "all rows": ({"batch_size": "auto", **STOPS}, Y, {}),
    "large batches": ({"batch_size": 200, "validation_fraction": 0.3, **STOPS}, Y, {}),
    "r2 of several": ({"solver": "sgd", **STOPS}, TARGETS, {"sample_weight": WEIGHTS}),
    "loss of few": ({"validation_fraction": 0.02, "scoring": "loss", **STOPS}, TARGETS, {}),
    "counts": ({"loss": "poisson", **STOPS}, LABELS.astype(float), {"sample_weight": WEIGHTS}),
    "one target": (STOPS, np.ones(300), {}),
}
CASES_AND_OWN = CASES | OWN_CASES


def own_part(comm, n_rows, batch_size, n_shards=8):
    """The rows of a process; all of them where it is alone."""
    if comm is None:
        return slice(None)
    return sc.distributed.rows(n_rows, comm, n_shards=n_shards, batch_size=batch_size)


def fitted_from_own(case, comm=None, n_shards=8, X=X, **parameters):
    """Fitted with shards that have rows of their own."""
    made, y, given = CASES_AND_OWN[case]
    batch_size = {"auto": 200}.get(size := made.get("batch_size", 37), size)
    part = own_part(comm, len(y), batch_size, made.get("n_shards", n_shards))
    given = {name: value[part] if name == "sample_weight" else value for name, value in given.items()}
    kind = sc.MLPRegressor if y.dtype == np.float64 else sc.MLPClassifier
    start = {"hidden_layer_sizes": (11, 7), "activation": "tanh", "batch_size": 37, "max_iter": 5}
    start |= {"learning_rate_init": 0.01, "random_state": 3, "n_shards": n_shards, "sharded": True}
    return kind(**{**start, **made, **parameters}).fit(X[part], y[part], comm=comm, **given)


@pytest.mark.parametrize("case", CASES_AND_OWN)
def test_ranks_with_their_own_rows_end_with_what_one_process_has(case):
    expected = outcome(fitted_from_own(case))
    for size in (2, 3, 5):
        assert together(size, lambda comm: outcome(fitted_from_own(case, comm))) == [expected] * size, size


def test_how_many_rows_shards_hold_out():
    # Of 6 rows one shard would have to give one that it has not.
    for case, held in {"all rows": 30, "large batches": 90, "r2 of several": 30, "loss of few": 7}.items():
        model = fitted_from_own(case)
        assert model.t_ == model.n_iter_ * (300 - held)


@pytest.mark.parametrize("case", ["two classes in order", "counts"])
def test_scores_of_rows_held_out_by_shards_are_those_of_the_rows(case):
    _, y, given = OWN_CASES[case]
    model = fitted_from_own(case)
    # The draw once more, by its definition.
    share = Share(0, 8, 8, 37)
    whole, left = share.pieces(300), share.pieces(270)
    held = [stop - start - (end - begin) for (start, stop), (begin, end) in zip(whole, left, strict=True)]
    random = model._split_state
    marks = draw_of("", 0.1, 300, share.pieces, int(random.randint(2**63, dtype=np.uint64))).marks(0, 300)
    assert [marks[start:stop].sum() for start, stop in whole] == held
    own = {name: weights[marks] for name, weights in given.items()}
    best = model.history_.best_epoch - 1
    assert model.score(X[marks], y[marks], **own) == pytest.approx(model.validation_scores_[best], rel=1e-12)
    if case == "counts":
        loss = mean_poisson_deviance(y[marks], model.predict(X[marks]), **own) / 2
    else:
        loss = log_loss(y[marks], model.predict_proba(X[marks]))
    assert loss == pytest.approx(model.validation_loss_curve_[best], rel=1e-12)


@pytest.mark.parametrize("kind", ["frame", "sparse", "sparse labels"])
def test_own_rows_of_other_kinds(kind):
    def fit(comm):
        part = own_part(comm, 300, 50)
        if kind == "frame":
            inputs = pd.DataFrame(X, columns=list("abcdef")).iloc[part]
        else:
            inputs = scipy.sparse.csr_array(np.where(np.abs(X) > 1, X, 0))[part]
        targets = scipy.sparse.csr_matrix(TOGETHER)[part] if kind == "sparse labels" else WORDS[part]
        model = sc.MLPClassifier(9, n_shards=8, sharded=True, batch_size=50, random_state=0, **STOPS)
        model.fit(inputs, targets, comm=comm)
        return outcome(model), scipy.sparse.issparse(model.predict(inputs))

    expected = fit(None)
    assert expected[1] == (kind == "sparse labels")
    assert together(3, fit) == [expected] * 3


def test_own_rows_and_a_fit_that_continues(tmp_path):
    def twice(comm):
        part = own_part(comm, 300, 37)
        model = fitted_from_own("early stopping", comm, warm_start=True)
        return outcome(model.fit(X[part], LABELS[part], comm=comm))

    assert together(3, twice) == [twice(None)] * 3

    def run(comm, epochs, path):
        part = own_part(comm, 300, 16)
        model = sc.MLPRegressor("mse", 11, early_stopping=True, dropout=0.2, n_shards=8, random_state=1)
        model.set_params(max_iter=epochs, batch_size=16, sharded=True)
        saving = {"checkpoint": tmp_path / path, "checkpoint_every": 1, "resume": True}
        return outcome(model.fit(X[part], Y[part], comm=comm, **saving))

    whole = run(None, 5, "whole")
    together(2, lambda comm: run(comm, 2, "run"))
    assert run(None, 3, "run") != whole
    assert together(4, lambda comm: run(comm, 5, "run")) == [whole] * 4


def refusal_of_own(comm, rows=slice(None), y=LABELS, **given):
    part = own_part(comm, 300, 37)
    weight = given.pop("sample_weight", WEIGHTS)
    fit = {"sample_weight": None if weight is None else weight[part][rows]}
    x = given.pop("X", X)
    model = sc.MLPClassifier(**{"batch_size": 37, "n_shards": 8, "sharded": True, "max_iter": 2, **given})
    try:
        model.fit(x[part][rows], y[part][rows], comm=comm, **fit)
    except (TypeError, ValueError, RuntimeError) as error:
        return str(error)


OWN_REFUSED = {
    "X must have 110 rows on rank 1, those from 102 to 212 of 290": {"rows": slice(10, None)},
    "sample_weight must be of about 1": {"sample_weight": WEIGHTS * 1e300},
    "Input X contains NaN": {"X": np.where(X > 2, np.nan, X)},
    "y must be labels of one kind": {"y": np.array([1, "a"] * 150, object)},
}


@pytest.mark.parametrize("words", OWN_REFUSED)
def test_what_one_rank_refuses_of_its_own_rows_the_others_learn(words):
    results = together(3, lambda comm: refusal_of_own(comm, **of_rank(OWN_REFUSED[words], {}, comm)))
    assert results[1].startswith(words), results
    assert all("rank" in results[rank] for rank in (0, 2)), results


OWN_DIFFERENT = {
    "the shape of X": {"X": X[:, :5]},
    "the dtype of X": {"X": X.astype("f")},
    "the names of its columns": {"X": pd.DataFrame(X, columns=list("abcdef"))},
    "the shape of y": {"y": np.stack([LABELS > 0, LABELS > 1], axis=1).astype(int)},
    "the kind of y": {"y": LABELS.astype("U1")},
    "sample_weight": {"sample_weight": None},
    "n_shards": {"n_shards": 9},
    "batch_size": {"batch_size": 64},
    "alpha": {"alpha": 0.1},
    "class_weight": {"class_weight": "balanced"},
    "early_stopping": {"early_stopping": True},
}


@pytest.mark.parametrize("name", OWN_DIFFERENT)
def test_own_rows_that_do_not_go_together_are_refused(name):
    results = together(3, lambda comm: refusal_of_own(comm, **of_rank(OWN_DIFFERENT[name], {}, comm)))
    words = f"every process must call fit with the same arguments: {name} is "
    assert results == [results[0]] * 3
    assert results[0].startswith(words)
    assert "on rank 1, and" in results[0]


def test_labels_of_two_kinds_are_refused_by_all():
    others = {"y": np.array(["a", "b", "c"], object)[LABELS]}
    start = {"y": LABELS.astype(object)}
    results = together(3, lambda comm: refusal_of_own(comm, **of_rank(others, start, comm)))
    assert results == [results[0]] * 3
    assert results[0].startswith("y must be labels of one kind, which can be sorted: ")


def test_ranks_of_which_some_have_all_rows_are_refused():
    results = together(3, lambda comm: refusal_of_own(comm, **of_rank({"sharded": False}, {}, comm)))
    assert results == [results[0]] * 3
    assert results[0].startswith("every process must call fit with the same arguments: what rank 1 is about")


OWN_REFUSED_BY_ALL = {
    'scoring must be None or "loss" where each': {"scoring": "roc_auc", "early_stopping": True},
    "The validation set is too small": {"early_stopping": True, "validation_fraction": 0.0},
    "validation_fraction must leave rows": {"early_stopping": True, "validation_fraction": 0.999},
    "sample_weight and class_weight must leave": {"class_weight": {0: 0, 1: 0, 2: 0}},
    "Unknown label type": {"y": X[:, 0]},
    "comm must be None with L-BFGS": {"solver": "lbfgs", "n_shards": 1, "sharded": False},
    "sharded must be False with L-BFGS": {"solver": "lbfgs", "n_shards": 1},
}


@pytest.mark.parametrize("words", OWN_REFUSED_BY_ALL)
def test_what_all_refuse_of_own_rows(words):
    results = together(3, lambda comm: refusal_of_own(comm, **OWN_REFUSED_BY_ALL[words]))
    assert results == [results[0]] * 3
    assert results[0].startswith(words), results


def test_shards_change_the_last_bits_only():
    one, eight = (fitted("plain", n_shards=n_shards) for n_shards in (1, 8))
    assert sha(one) != sha(eight)
    assert sha(one) == sha(fitted("plain", n_shards=1, n_threads=2))
    assert sha(eight) == sha(fitted("plain", n_shards=8, n_threads=2))
    np.testing.assert_allclose(one.coefs_[0], eight.coefs_[0], rtol=1e-6)
    part = {"hidden_layer_sizes": 11, "solver": "sgd", "learning_rate_init": 0.5}
    one, eight = (sc.MLPRegressor(n_shards=n, random_state=0, **part).partial_fit(X, Y) for n in (1, 8))
    assert sha(one) != sha(eight)
    np.testing.assert_allclose(one.coefs_[0], eight.coefs_[0], rtol=1e-6)


def test_a_fit_that_continues_goes_on_where_the_first_has_ended():
    def twice(comm):
        model = fitted("early stopping", comm, warm_start=True)
        return outcome(model.fit(X, LABELS, comm=comm))

    assert together(3, twice) == [twice(None)] * 3


def test_without_a_random_state_all_take_the_first_ranks():
    one, two, three = together(3, lambda comm: outcome(fitted("early stopping", comm, random_state=None)))
    assert one == two == three
    assert one[0] != together(1, lambda comm: sha(fitted("early stopping", comm, random_state=None)))[0]


def test_the_first_rank_saves_and_any_number_of_ranks_goes_on(tmp_path):
    def run(comm, epochs, path):
        model = sc.MLPRegressor(
            hidden_layer_sizes=11, early_stopping=True, dropout=0.2, n_shards=6, random_state=1
        )
        model.set_params(max_iter=epochs, batch_size=16)
        model.fit(X, Y, comm=comm, checkpoint=tmp_path / path, checkpoint_every=1, resume=True)
        return outcome(model)

    whole = run(None, 5, "whole")
    together(2, lambda comm: run(comm, 2, "run"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "whole"]
    assert run(None, 3, "run") != whole
    assert together(4, lambda comm: run(comm, 5, "run")) == [whole] * 4


def test_what_the_first_rank_says_and_sees_counts():
    def fit(comm):
        rank, told = comm.Get_rank(), []

        def stops(model):
            told.append(model.n_iter_)
            return model.n_iter_ == 4 - rank

        def scorer(model, X, y):
            return float(-rank * model.n_iter_)  # gets worse on all ranks but the first

        given = {"early_stopping": True, "n_iter_no_change": 1, "scoring": "neg_root_mean_squared_error"}
        own = fitted("plain", comm, **{**given, "callbacks": stops})
        best = fitted("rows to watch", comm, scoring=Same(scorer), restore_best=True)
        return told, own.history_.stopped, best.validation_scores_, sha(best)

    results = together(3, fit)
    assert results == [results[0]] * 3
    assert results[0][:3] == ([1, 2, 3, 4], "callback", [0.0] * 5)


class Same:
    """A scorer that is called the same in every process."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *given):
        return self.function(*given)

    def __repr__(self):
        return "a scorer"


def test_the_first_ranks_time_counts():
    def fit(comm):
        limit = {"max_time": 0.3} if comm.Get_rank() == 0 else {}
        endless = {"max_iter": 10**6, "n_iter_no_change": np.inf, "random_state": 0}
        model = sc.MLPRegressor(hidden_layer_sizes=(200, 200), n_shards=4, **endless, **limit)
        model.fit(X, Y, comm=comm, **WATCHED)
        return outcome(model)

    one, two = together(2, fit)
    assert one == two
    assert one[2] == "max_time"


def test_only_the_first_rank_prints_and_warns(capsys):
    def fit(comm):
        fitted("plain", comm, verbose=True)

    with pytest.warns(ConvergenceWarning) as told:
        assert together(3, fit) == [None] * 3
    assert len(told) == 1
    assert capsys.readouterr().out.count("Iteration 1,") == 1


def test_the_warning_names_the_line_of_the_user():
    with pytest.warns(ConvergenceWarning) as told:
        sc.MLPRegressor(hidden_layer_sizes=3, max_iter=2).fit(X, Y)
    assert told[0].filename == __file__


def test_searches_and_pipelines_hand_the_communicator_on():
    def search(comm):
        model = make_pipeline(
            StandardScaler(), sc.MLPRegressor(hidden_layer_sizes=5, max_iter=3, random_state=0, n_shards=4)
        )
        grid = GridSearchCV(model, {"mlpregressor__alpha": [1e-4, 1.0]}, cv=2)
        grid.fit(X, Y, mlpregressor__comm=comm)
        return grid.best_score_, sha(grid.best_estimator_[-1]), repr(grid.cv_results_["mean_test_score"])

    assert together(2, search) == [search(None)] * 2


def test_nothing_of_the_communicator_is_kept():
    def fit(comm):
        model = fitted("plain", comm)
        copied = pickle.loads(pickle.dumps(clone(model).set_params(n_shards=2)))
        return sha(pickle.loads(pickle.dumps(model))) == sha(model), copied.get_params()["n_shards"]

    assert together(2, fit) == [(True, 2)] * 2


DIFFERENT = {
    "alpha": lambda comm: {"alpha": of_rank(1e-3, 1e-4, comm)},
    "n_shards": lambda comm: {"n_shards": of_rank(6, 8, comm)},
    "max_iter": lambda comm: {"max_iter": of_rank(6, 8, comm)},
    "random_state": lambda comm: {"random_state": of_rank(None, 1, comm)},
    r"random_state is RandomState\(MT19937\) whose state": lambda comm: {
        "random_state": np.random.RandomState(comm.Get_rank())
    },
    "the checksum of the rows": lambda comm: {"X": X + of_rank(1e-3, 0, comm)},
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_ranks_that_were_told_different_things_are_refused(name):
    def fit(comm):
        with pytest.raises(ValueError, match=f"same arguments: {name} .* on rank 1, and .* on rank 0"):
            fitted("plain", comm, **DIFFERENT[name](comm))
        return True

    assert together(2, fit) == [True] * 2


def test_models_that_began_with_another_seed_are_refused():
    def fit(comm):
        model = fitted("plain", random_state=comm.Get_rank())
        model.set_params(random_state=3, warm_start=True)
        with pytest.raises(ValueError, match=r"same arguments: the seed is .* on rank 1, and .* on rank 0"):
            model.fit(X, Y, comm=comm)
        return True

    assert together(2, fit) == [True] * 2


def refusal(comm, **parameters):
    try:
        fitted("plain", comm, **parameters)
    except (TypeError, ValueError, RuntimeError) as error:
        return str(error)


REFUSED = {
    "The 'alpha' parameter of MLPRegressor must be": {"alpha": -1},
    "hidden_layer_sizes must be > 0": {"hidden_layer_sizes": (3, 0)},
    "Found input variables with inconsistent numbers": {"X": X[:9]},
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_one_rank_refuses_the_others_learn(words):
    other, refused, third = together(3, lambda comm: refusal(comm, **of_rank(REFUSED[words], {}, comm)))
    assert refused.startswith(words)
    assert other == third
    assert re.fullmatch(r"the training could not begin on rank 1: \w+Error: " + re.escape(refused), other)


def test_a_refusal_of_any_length_and_script_reaches_the_others():
    def begin(comm):
        with peers_of(comm) as peers:
            if comm.Get_rank() == 1:
                raise ValueError("\N{SNOWBOARDER}" * 2000)
            peers.begin({})

    other, refused = together(2, begin)
    assert len(str(refused)) == 2000
    assert str(other).startswith("the training could not begin on rank 1: ValueError: \N{SNOWBOARDER}")


def test_what_all_refuse_is_raised_by_all():
    too_small = {"early_stopping": True, "validation_fraction": 0.001}
    alone = refusal(None, **too_small)
    assert alone.startswith("The validation set is too small")
    assert together(3, lambda comm: refusal(comm, **too_small)) == [alone] * 3


def test_what_cannot_work_is_refused():
    for kind in (sc.MLPClassifier, sc.MLPRegressor):
        for wrong in (0, 2**16 + 1, 1.5, True, None, "8"):
            with pytest.raises(ValueError, match="'n_shards' parameter of MLP"):
                kind(n_shards=wrong).fit(X, LABELS)
    for given in ({"solver": "lbfgs"}, {"optimizer": sc.LBFGS()}):
        with pytest.raises(ValueError, match="n_shards must be 1 with L-BFGS, got 8"):
            fitted("plain", **given)
        together_refused = together(2, lambda comm, given=given: refusal(comm, n_shards=1, **given))
        assert together_refused == ["comm must be None with L-BFGS, got one of 2 processes"] * 2
    with pytest.raises(TypeError, match="comm must be None or a communicator, such as mpi4py's"):
        fitted("plain", comm="world")
    with pytest.raises(TypeError, match="unexpected keyword argument 'comm'"):
        sc.MLPRegressor().partial_fit(X, Y, comm=None)
    words = "n_shards must be at least the number of processes, 3, got 2"
    assert together(3, lambda comm: refusal(comm, n_shards=2)) == [words] * 3


def test_an_error_within_ends_all(capfd):
    def fit(comm):
        def fails(model):
            if comm.Get_rank() == 1 and model.n_iter_ == 2:
                raise KeyError("of the user's")

        fitted("early stopping", comm, callbacks=fails)

    results = together(3, fit)
    assert all(isinstance(result, SystemExit) for result in results), results
    assert "rank 1 of 3 ends the training of all:" in capfd.readouterr().err


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("rank", [0, 1])
def test_an_interrupt_that_others_do_not_learn_of_ends_all(capfd, rank, sharded):
    def fit(comm):
        def interrupts(model):
            if comm.Get_rank() == rank:
                raise KeyboardInterrupt

        part = sc.distributed.rows(len(X), comm, n_shards=3, batch_size=200) if sharded else slice(None)
        model = sc.MLPClassifier((5,), n_shards=3, sharded=sharded, callbacks=interrupts, random_state=0)
        model.fit(X[part], LABELS[part], comm=comm)

    results = together(3, fit)
    assert all(isinstance(result, SystemExit) for result in results), results
    assert f"rank {rank} of 3 ends the training of all:" in capfd.readouterr().err


def test_numbers_that_are_not_finite_end_all_with_the_same_words():
    def fit(comm):
        with np.errstate(all="ignore"):
            return refusal(comm, solver="sgd", learning_rate_init=1e300)

    alone = fit(None)
    assert alone.startswith("Solver produced non-finite parameter weights")
    assert together(3, fit) == [alone] * 3


@pytest.mark.parametrize("size", [1, 2, 3])
def test_processes_of_mpi_end_with_the_bits_of_one(size):
    script = """
        import warnings
        import test_distributed_estimators as mine

        warnings.simplefilter("ignore")
        for case in mine.CASES:
            say(case, mine.sha(mine.fitted(case, comm)))
    """
    result, said = launched(size, script)
    assert result.returncode == 0, result.stderr
    assert said == [[[case, sha(fitted(case))] for case in CASES]] * size


def test_ctrl_c_of_one_process_ends_all_after_the_same_step():
    script = """
        import test_distributed_estimators as mine

        def interrupts(model):
            if rank == 1 and model.n_iter_ == 1:
                threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

        endless = dict(max_iter=10**7, n_iter_no_change=float("inf"), callbacks=interrupts)
        model = mine.fitted("plain", comm, **endless)
        say(model.history_.stopped, model.n_iter_, model._optimizer.saved["step_count"], mine.sha(model))
    """
    result, said = launched(2, script)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("Training interrupted by user.") == 1
    assert len(said) == 2
    assert said[0] == said[1]
    assert said[0][0][0] == "interrupted"

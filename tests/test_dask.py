"""`schuss.dask`: what a cluster trains is what one process trains, also where workers are killed."""

import os
import signal
import threading

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import schuss as sc
from test_distributed_estimators import sha

pytest.importorskip("dask.array")
pytest.importorskip("distributed")
import dask
import dask.array as da
import distributed

import schuss.dask as sd

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(900, 6))
Y = np.tanh(X[:, :2])
LABELS = np.digitize(X[:, 0] * X[:, 1], [-0.3, 0.3])
WORDS = np.array(["no", "perhaps", "yes"], object)[LABELS]
WEIGHTS = RNG.integers(0, 3, 900).astype(float)
SERIES = "abcdef"


def cluster(n_workers, **given):
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "threads_per_worker": 1}
    local |= {"silence_logs": 50, "scheduler_kwargs": {"dashboard": False}, "protocol": "tcp://"}
    return distributed.LocalCluster(n_workers=n_workers, **{**local, **given})


@pytest.fixture(scope="module")
def client():
    with cluster(2) as two, distributed.Client(two) as client:
        yield client


def array(rows, size=170):
    return da.from_array(rows, chunks=(size, *rows.shape[1:]))


CASES = {
    "plain": ({}, LABELS, None),
    "words": ({"class_weight": "balanced"}, WORDS, None),
    "two classes": ({"class_weight": {0: 1.0, 1: 0.0}}, (LABELS > 0).astype(int), WEIGHTS),
    "many parameters": ({"hidden_layer_sizes": (200, 150), "max_iter": 1}, LABELS, None),
    "several labels": ({"dropout": 0.3}, np.stack([LABELS > 0, LABELS > 1], axis=1).astype(int), None),
    "numbers": ({"precision": "float32", "optimizer": sc.LAMB(lr=0.01)}, Y, WEIGHTS),
    "poisson": ({"loss": "poisson", "clip_norm": 0.1}, LABELS.astype(float), None),
    "early stopping": ({"early_stopping": True, "n_iter_no_change": 2, "max_iter": 8}, LABELS, None),
    "loss of numbers": ({"early_stopping": True, "scoring": "loss", "shuffle": False}, Y[:, 0], None),
    "score of numbers": ({"early_stopping": True, "n_iter_no_change": 2, "max_iter": 8}, Y, None),
}
KINDS = {False: (sc.MLPRegressor, sd.DaskMLPRegressor), True: (sc.MLPClassifier, sd.DaskMLPClassifier)}


def models(case, **more):
    """The estimator that trains alone, and the other one."""
    made, y, _ = CASES[case]
    start = {
        "hidden_layer_sizes": (11, 7),
        "activation": "tanh",
        "batch_size": 400,
        "learning_rate_init": 0.01,
    }
    given = {"max_iter": 3, "random_state": 3, **start, **made, **more}
    alone, together = KINDS[y.dtype != np.float64]
    return alone(n_shards=8, sharded=True, **given), together(n_shards=8, **given)


def alone(case, **more):
    _, y, weight = CASES[case]
    return models(case, **more)[0].fit(X, y, weight)


def together(case, size=170, **more):
    _, y, weight = CASES[case]
    model = models(case, **more)[1]
    return model.fit(array(X, size), array(y, 300), None if weight is None else array(weight))


def assert_alike(model, expected, rtol=0.0):
    assert sha(model) == sha(expected)
    for curve in ("loss_curve_", "validation_scores_", "validation_loss_curve_"):
        if getattr(expected, curve) is not None:
            np.testing.assert_allclose(getattr(model, curve), getattr(expected, curve), rtol=rtol)
    names = ("n_iter_", "t_", "n_outputs_", "n_features_in_", "out_activation_", "n_layers_")
    assert [getattr(model, name) for name in names] == [getattr(expected, name) for name in names]
    assert model.history_.stopped == expected.history_.stopped
    assert model.history_.best_epoch == expected.history_.best_epoch


@pytest.mark.parametrize("case", CASES)
def test_a_cluster_ends_with_the_bits_of_one_process(client, case):
    expected = alone(case)
    model = together(case)
    assert_alike(model, expected)
    assert sha(together(case, size=1000)) == sha(expected)  # one partition
    _, y, weight = CASES[case]
    assert np.array_equal(model.predict(X), expected.predict(X))
    lazy = model.predict(array(X, 50))
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == expected.predict(X).dtype
    assert np.array_equal(lazy.compute(), expected.predict(X))
    score = model.score(array(X), array(y), None if weight is None else array(weight))
    assert score == pytest.approx(expected.score(X, y, weight), rel=1e-6 if case == "numbers" else 1e-12)


FEW = np.where(np.abs(X) > 1, X, 0)


def sparse(size=170, kind=scipy.sparse.csr_array):
    return array(FEW, size).map_blocks(kind)


@pytest.mark.parametrize("case", ["early stopping", "numbers", "two classes"])
def test_sparse_blocks_stay_sparse(client, case, tmp_path):
    _, y, weight = CASES[case]
    expected = models(case)[0].fit(scipy.sparse.csr_array(FEW), y, weight)
    assert sha(expected) == sha(models(case)[0].fit(FEW, y, weight))
    weight = None if weight is None else array(weight)
    for size, kind in ((170, scipy.sparse.csr_matrix), (400, scipy.sparse.coo_array)):
        model = models(case)[1].fit(sparse(size, kind), array(y, size), weight)
        assert_alike(model, expected)
    assert np.array_equal(model.predict(sparse()).compute(), expected.predict(FEW))
    rows = sparse(), array(y, 170), None if weight is None else weight.rechunk(170)
    assert model.score(*rows) == pytest.approx(expected.score(FEW, y, CASES[case][2]), rel=1e-6)


def test_sparse_blocks_are_told_apart_however_they_are_cut(client, tmp_path):
    def fit(epochs, size, kind=scipy.sparse.csr_array, X=FEW):
        model = models("plain", max_iter=epochs)[1]
        saving = {"checkpoint": tmp_path / "run", "checkpoint_every": 1, "resume": True}
        return model.fit(array(X, size).map_blocks(kind), array(LABELS, size), **saving)

    fit(2, 170)
    assert sha(fit(3, 400)) == sha(models("plain")[0].fit(FEW, LABELS))
    rows = models("plain")[1]._rows((sparse(), array(LABELS, 170), None), incremental=False, first=True)
    assert [len(part.x.data) for part in client.gather(rows.parts)] == [
        np.count_nonzero(FEW[start : start + 170]) for start in range(0, 900, 170)
    ]
    other = FEW.copy()
    other[555, np.flatnonzero(other[555])[0]] += 1
    moved = FEW.copy()
    moved[[100, 101]] = moved[[101, 100]]
    for X in (other, moved):
        with pytest.raises(ValueError, match="the checksum of the rows"):
            fit(4, 170, X=X)
    some = da.concatenate([sparse(900)[:450], array(FEW)[450:]])
    with pytest.raises(TypeError, match="X must have blocks of one kind, got sparse matrices and others"):
        sd.DaskMLPClassifier().fit(some.rechunk({0: 450}), array(LABELS, 450))


@pytest.mark.parametrize("threads", [1, 3])
def test_bits_do_not_depend_on_threads(threads):
    some = cluster(1, threads_per_worker=threads, processes=False)
    with some, distributed.Client(some):
        for case in ("early stopping", "numbers"):
            assert_alike(together(case), alone(case))


def test_data_frames_of_any_partitions(client):
    dd = pytest.importorskip("dask.dataframe")
    table = pd.DataFrame(X, columns=list(SERIES)).assign(y=WORDS, weight=WEIGHTS)
    frame = dd.from_pandas(table, npartitions=7)
    frame = frame[frame["a"] < 1.0]  # of unknown length
    rows = table[table["a"] < 1.0]
    _, model = models("words")
    model.fit(frame[list(SERIES)], frame["y"], frame["weight"])
    expected = models("words")[0].fit(rows[list(SERIES)], rows["y"], rows["weight"])
    assert_alike(model, expected)
    assert list(model.feature_names_in_) == list(SERIES)
    chances = model.predict_proba(frame[list(SERIES)])
    assert isinstance(chances, da.Array)
    assert np.array_equal(chances.compute(), expected.predict_proba(rows[list(SERIES)]))
    assert np.array_equal(model.predict(frame[list(SERIES)]).compute(), expected.predict(rows[list(SERIES)]))
    logarithms = model.predict_log_proba(frame[list(SERIES)]).compute()
    assert np.array_equal(logarithms, expected.predict_log_proba(rows[list(SERIES)]))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("bacdef")]).compute()
    with pytest.raises(ValueError, match="as many rows in each partition, got"):
        model.fit(frame[list(SERIES)], dd.from_pandas(table["y"], npartitions=7))


@pytest.mark.parametrize("dtype", ["Int64", "Int8", "boolean", "Float64"])
def test_labels_that_may_be_missing_are_those_of_one_process(client, dtype):
    frames = pytest.importorskip("dask.dataframe")
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": pd.Series(X[:, 0] > 0).astype(dtype)})
    rows = frames.from_pandas(table, npartitions=3)
    how = {"max_iter": 2, "n_shards": 2, "random_state": 0}
    expected = sc.MLPClassifier(sharded=True, **how).fit(table[["a", "b"]], table["y"])
    model = sd.DaskMLPClassifier(client=client, **how).fit(rows[["a", "b"]], rows["y"])
    assert model.classes_.dtype == expected.classes_.dtype
    found = model.predict(rows[["a", "b"]])
    assert found.dtype == found.compute().dtype == expected.classes_.dtype
    np.testing.assert_array_equal(found, expected.predict(table[["a", "b"]]))
    assert model.score(rows[["a", "b"]], rows["y"]) == expected.score(table[["a", "b"]], table["y"])


def test_rows_to_watch_here_and_there(client):
    watched = X[:200], LABELS[:200]
    expected = models("plain", restore_best=True)[0].fit(X, LABELS, X_val=watched[0], y_val=watched[1])
    for held_out in (watched, [array(each) for each in watched]):
        model = models("plain", restore_best=True)[1]
        model.fit(array(X), array(LABELS), X_val=held_out[0], y_val=held_out[1])
        # Sums over the pieces of a collection round otherwise.
        assert_alike(model, expected, rtol=0.0 if held_out is watched else 1e-10)


def test_nothing_of_the_rows_comes_to_the_client(client, monkeypatch):
    gathered = []
    gather = client.gather
    monkeypatch.setattr(client, "gather", lambda tasks: gathered.append(gather(tasks)) or gathered[-1])
    together("early stopping", random_state=0)
    assert len(gathered) > 20
    few = 1000  # rows that are looked at before the training
    assert max(np.size(each) for found in gathered for each in flat(found)) <= max(few, 11 * 6 + 7 * 11 + 99)


def flat(found):
    for each in found:
        yield from flat(each) if isinstance(each, tuple | list) else [each]


@pytest.mark.skipif(os.name == "nt", reason="kills the POSIX way")
def test_workers_that_are_killed_cost_no_bit():
    expected = alone("early stopping", max_iter=9, n_iter_no_change=20)
    with cluster(4) as some, distributed.Client(some) as client:
        assert_alike(together("early stopping", max_iter=9, n_iter_no_change=20), expected)
        killed = client.run(os.getpid)

        def listen(model):
            if model.n_iter_ in (2, 5):  # between two steps, and amid one
                pid = killed.popitem()[1]
                seconds = 0.0 if model.n_iter_ == 2 else 0.03
                threading.Timer(seconds, os.kill, (pid, signal.SIGKILL)).start()

        model = together("early stopping", max_iter=9, n_iter_no_change=20, callbacks=listen)
        assert len(killed) == 2
    assert_alike(model, expected)


def test_a_training_goes_on_from_its_checkpoint_with_other_workers(client, tmp_path):
    expected = alone("early stopping", max_iter=6, n_iter_no_change=9)

    def fit(epochs, size):
        model = models("early stopping", max_iter=epochs, n_iter_no_change=9)[1]
        saving = {"checkpoint": tmp_path / "run", "checkpoint_every": 1, "resume": True}
        return model.fit(array(X, size), array(LABELS, size), **saving)

    fit(3, 170)
    with cluster(1, processes=False) as other, distributed.Client(other):
        model = fit(6, 400)
    assert_alike(model, expected)
    with pytest.raises(ValueError, match="the checksum of the rows"):
        models("early stopping", max_iter=9, n_iter_no_change=9)[1].fit(
            array(X[::-1]), array(LABELS[::-1]), checkpoint=tmp_path / "run", resume=True
        )


def test_it_is_an_estimator(client):
    model = sd.DaskMLPClassifier(32, client=client, max_iter=5)
    assert "sharded" not in model.get_params()
    assert model.get_params()["client"] is client
    assert clone(model).client is client
    assert clone(model).get_params() == model.get_params()
    assert isinstance(model, sc.MLPClassifier)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(TypeError, match="unexpected keyword argument 'hidden'"):
        sd.DaskMLPClassifier(hidden=3)
    fitted = together("plain", warm_start=True)
    again = fitted.fit(array(X), array(LABELS))
    twice = alone("plain", warm_start=True).fit(X, LABELS)
    assert_alike(again, twice)


def test_a_fitted_one_can_be_kept(client):
    import pickle

    model = together("plain").set_params(client=client)
    kept = pickle.loads(pickle.dumps(model))
    assert kept.client is None
    assert np.array_equal(kept.predict(X), model.predict(X))


def test_progress_and_callbacks_are_the_clients(client, capsys):
    seen = []
    together("plain", verbose=True, callbacks=lambda model: seen.append(model.n_iter_) or len(seen) == 2)
    assert seen == [1, 2]
    assert capsys.readouterr().out.count("Iteration ") == 2


REFUSED = {
    "X must be a dask array or data frame, got an array": {"X": X},
    "y must be a dask array or data frame, got [1, 2]": {"y": [1, 2]},
    "X and y must have the same partitions, got 6 and 5": {"y": array(LABELS[:800])},
    "X must have one or two dimensions, got 3": {"X": da.zeros((900, 2, 2))},
    "Input X contains NaN": {"X": array(np.where(np.arange(900)[:, None] == 777, np.nan, X))},
    "sample_weight must be finite and not negative": {"sample_weight": -array(WEIGHTS)},
    "sample_weight must be finite, not all zero": {"sample_weight": 0 * array(WEIGHTS)},
    "sample_weight must be numbers, got dates": {"sample_weight": array(WEIGHTS.astype("M8[D]"))},
    "sample_weight must be numbers, got text": {"sample_weight": array(np.array(["1.0"] * 900))},
    "sample_weight must have one dimension, got 2": {"sample_weight": array(WEIGHTS[:, None])},
    "class_weight must be finite, not negative": {"class_weight": {0: -1.0, 1: 5.0, 2: 1.0}},
    "class_weight must be finite, not negative, and": {"class_weight": {0: 1.0, 1: 1.0, 2: np.inf}},
    "class_weight must be finite, not negative, and not": {"class_weight": {0: np.nan, 1: 1.0, 2: 1.0}},
    "class_weight must be of about 1 on a cluster": {"class_weight": {0: 1.0, 1: 1e290, 2: 1.0}},
    "Unknown label type": {"y": array(X[:, 0])},
    "y must be labels of one kind, which can be sorted": {"y": array(np.array([1, "a"] * 450, object))},
    "Input y contains NaN: in ": {"y": array(np.array(["a", "b", None] * 300, object))},
    'scoring must be None or "loss" on a cluster, got': {"scoring": "roc_auc"},
    "solver and optimizer must not be L-BFGS on a cluster": {"solver": "lbfgs"},
    "The 'n_shards' parameter of DaskMLPClassifier must be": {"n_shards": 1},
    "The validation set is too small": {"early_stopping": True, "validation_fraction": 0.0},
    "client must be a distributed.Client or None, got 'here'": {"client": "here"},
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_work_is_refused(client, words):
    rows = {"X": array(X), "y": array(LABELS), "sample_weight": None}
    given = {name: value for name, value in REFUSED[words].items() if name not in rows}
    rows |= {name: value for name, value in REFUSED[words].items() if name in rows}
    with pytest.raises((TypeError, ValueError)) as raised:
        sd.DaskMLPClassifier(**given).fit(**rows)
    assert str(raised.value).startswith(words), raised.value


GIVEN = {"X": X, "y": LABELS, "sample_weight": np.ones(900)}


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("watched", [False, True])
def test_a_mask_is_not_dropped(client, watched, name):
    def rows_with(mask):
        given = np.ma.masked_array(GIVEN[name], np.zeros(GIVEN[name].shape, bool))
        if mask:
            given[700] = np.ma.masked
        rows = {each: array(rows) for each, rows in (GIVEN | {name: given}).items()}
        if not watched:
            return rows
        return {"X": array(X), "y": array(LABELS), **{f"{each}_val": part for each, part in rows.items()}}

    prefix = "X_val, y_val: " if watched else ""
    for make in (sd.DaskMLPClassifier, sd.DaskMLPRegressor):
        with pytest.raises(
            ValueError, match=f"^{prefix}{name} must be an array without masked elements, got"
        ):
            make(max_iter=1).fit(**rows_with(True))
    # A mask that hides nothing is none.
    sd.DaskMLPClassifier(max_iter=1).fit(**rows_with(False))
    if watched:
        return
    fitted = sd.DaskMLPRegressor(max_iter=1).fit(array(X), array(LABELS))
    with pytest.raises(ValueError, match=f"^{name} must be an array without masked elements, got"):
        fitted.score(**rows_with(True))


def test_weights_of_labels_that_hold_at_once_are_refused_alike(client):
    y = np.stack([LABELS > 0, LABELS > 1], axis=1).astype(int)
    given = {"class_weight": [{0: 1.0, 1: 1.0}, {0: 1.0, 1: -2.0}], "max_iter": 1}
    for model, rows in ((sd.DaskMLPClassifier, (array(X), array(y))), (sc.MLPClassifier, (X, y))):
        with pytest.raises(
            ValueError, match="class_weight must be finite, not negative, and not zero for all"
        ):
            model(**given).fit(*rows)


def test_weights_of_a_data_frame_are_refused_before_anything_is_computed(client):
    dd = pytest.importorskip("dask.dataframe")
    frame = dd.from_pandas(pd.DataFrame(X, columns=list(SERIES)).assign(y=LABELS, weight=WEIGHTS), 3)

    def fails(part):
        raise AssertionError("a partition was computed")

    frame = frame.map_partitions(fails, meta=frame._meta)
    for weight in (frame[["weight"]], frame[["weight"]].values):
        with pytest.raises(ValueError, match="sample_weight must have one dimension, got 2"):
            sd.DaskMLPClassifier().fit(frame[list(SERIES)], frame["y"], weight)


def test_a_score_leaves_the_estimator_as_it_was(client):
    model = sd.DaskMLPRegressor(max_iter=1, hidden_layer_sizes=(4,)).fit(array(X), array(Y[:, 0]))
    before = dict(vars(model))
    with pytest.raises(ValueError, match="y must have 1 column, as what is learnt from, got 2"):
        model.score(array(X), array(Y))
    assert vars(model) == before
    assert model.predict(X).shape == (900,)
    two = sd.DaskMLPRegressor(max_iter=1, hidden_layer_sizes=(4,))
    with pytest.raises(
        ValueError, match="X_val, y_val: y must have 2 columns, as what is learnt from, got 1"
    ):
        two.fit(array(X), array(Y), X_val=array(X), y_val=array(Y[:, 0]))
    assert not hasattr(two, "n_outputs_")


@pytest.mark.parametrize("case", ["plain", "words", "two classes", "several labels"])
def test_labels_that_are_not_known_are_not_predicted(client, case):
    _, y, _ = CASES[case]
    model, expected = together(case, max_iter=1), alone(case, max_iter=1)
    others = {"words": "never", "several labels": 1 - LABELS[300:, None] % 2}
    other = y.copy()
    other[300:] = others.get(case, LABELS[300:] + 2)
    assert 0 < model.score(array(X), array(other)) == pytest.approx(expected.score(X, other), rel=1e-12)
    weight = np.where(np.arange(900) < 340, 0.0, WEIGHTS)  # two partitions weigh nothing
    score = model.score(array(X), array(other), array(weight))
    assert score == pytest.approx(expected.score(X, other, weight), rel=1e-12)
    columns = 2 if case == "several labels" else 1
    with pytest.raises(ValueError, match=f"^y must have {columns} column.*, as what is learnt from, got 3"):
        model.score(array(X), array(np.zeros((900, 3), int)))
    with pytest.raises(ValueError, match="X has 5 features, but"):
        model.score(array(X[:, :5]), array(y))


KINDS_OF_LABELS = {
    "numbers beside text": (LABELS, LABELS.astype(str)),
    "numbers beside text in objects": (LABELS.astype(object), WORDS),
    "bytes beside text": (LABELS.astype("S"), LABELS.astype(str)),
    "dates beside numbers": (np.full(900, np.datetime64("2020-01-01")), LABELS),
}


@pytest.mark.parametrize("kinds", KINDS_OF_LABELS)
def test_labels_of_two_kinds_in_partitions_are_refused(client, kinds):
    first, second = (dask.delayed(labels[:450]) for labels in KINDS_OF_LABELS[kinds])
    y = da.concatenate([da.from_delayed(each, (450,), dtype=object) for each in (first, second)])
    with pytest.raises(TypeError, match=r"^y must be labels of one kind, which can be sorted: "):
        sd.DaskMLPClassifier().fit(array(X, 450), y)


def test_what_is_wrong_with_rows_to_watch_names_them(client):
    model = models("words")[1]
    frame = pd.DataFrame(X, columns=list(SERIES))
    dd = pytest.importorskip("dask.dataframe")
    for held_out in (
        {"X_val": array(X), "y_val": array(np.where(WORDS == "no", "never", WORDS))},
        {"X_val": array(X), "y_val": array(LABELS)},
        {"X_val": array(np.where(X > 2, np.nan, X)), "y_val": array(WORDS)},
        {"X_val": array(X[:, :5]), "y_val": array(WORDS)},
    ):
        with pytest.raises(ValueError, match=r"^X_val, y_val: "):
            model.fit(array(X), array(WORDS), **held_out)
    given = dd.from_pandas(frame, npartitions=3), dd.from_pandas(pd.Series(WORDS), npartitions=3)
    with pytest.raises(ValueError, match=r"^X_val, y_val: The feature names should match"):
        model.fit(*given, X_val=given[0][list("bacdef")], y_val=given[1])


def test_an_empty_partition_has_no_weight(client):
    model = models("plain", max_iter=1)[1].fit(array(X), array(LABELS))
    left = array(np.arange(900) >= 170)  # none of the first partition
    rows = [array(each)[left] for each in (X, LABELS, np.zeros(900))]
    for look in (model.score, model.fit):
        with pytest.raises(ValueError, match=r"sample_weight must be .* got numbers from 0\.0 to 0\.0"):
            look(*rows)


def test_rows_without_columns_are_not_predicted(client):
    for case, methods in (("plain", ("predict", "predict_proba")), ("numbers", ("predict",))):
        model = together(case, max_iter=1)
        for method in methods:
            for rows, number in ((array(X[:, 0]), 1), (array(X[:, :, None]), 3)):
                with pytest.raises(ValueError, match=f"^X must have two dimensions, got {number}$"):
                    getattr(model, method)(rows)


@pytest.mark.parametrize("make", [sd.DaskMLPClassifier, sd.DaskMLPRegressor])
def test_one_that_is_not_fitted_says_so(client, make):
    methods = {"predict", "predict_proba", "predict_log_proba", "score"} & set(dir(make))
    assert len(methods) >= 2
    for method in sorted(methods):
        for rows, y in ((X, LABELS), (array(X), array(LABELS))):
            with pytest.raises(NotFittedError, match=f"This {make.__name__} instance is not fitted yet"):
                getattr(make(), method)(rows, *([y] if method == "score" else []))


def test_without_a_client_it_says_where_to_get_one(monkeypatch):
    def no_client():
        raise ValueError("No global client found and no address provided")

    monkeypatch.setattr("schuss.dask._cluster.get_client", no_client)
    with pytest.raises(ValueError, match=r"client must be given .* distributed.Client\(\)"):
        sd.DaskMLPClassifier().fit(array(X), array(LABELS))


@pytest.mark.parametrize("is_sparse", [False, True])
def test_the_checksum_of_rows_is_that_of_their_parts_and_overflows_in_silence(is_sparse):
    from schuss._data import Rows
    from schuss._sparse import compressed
    from schuss.dask import _parts

    x = RNG.normal(size=(70_000, 3)).astype(np.float32)
    given = compressed("X", scipy.sparse.csr_matrix(x), x.dtype) if is_sparse else x
    rows = Rows(given, np.arange(70_000, dtype=np.float32)[:, None], None)
    multipliers = RNG.integers(1, 2**63, 16, dtype=np.uint64)
    with np.errstate(all="raise"):
        whole = _parts.checksum(rows, 5, multipliers)
        cuts = [(0, 10), (10, 66_000), (66_000, 70_000)]
        parts = [_parts.checksum(_parts.cut(rows, a, b), 5 + a, multipliers) for a, b in cuts]
    assert whole == sum(parts) % 2**64


def test_a_clone_keeps_what_it_asks_of_metadata():
    with config_context(enable_metadata_routing=True):
        model = sd.DaskMLPClassifier().set_fit_request(sample_weight=True)
        assert clone(model).get_metadata_routing().fit.requests["sample_weight"] is True

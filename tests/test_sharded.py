"""`MLP.fit(sharded=True)`: shards with rows of their own, in one process, in several, and elsewhere."""

import numpy as np
import pytest
import scipy.sparse

import schuss as sc
from schuss import _schuss
from schuss._attributes import core_of
from schuss._collector import Collector, rows_elsewhere
from schuss._draw import draw_of
from schuss._sharded import Share
from test_distributed import CASES, LABELS, WEIGHTS, Communicator, World, X, Y, together

ROWS = len(X)
NEED_ALL_ROWS = {"metrics", "validation_split"}
COLLECTED = [case for case, (_, fit) in CASES.items() if not NEED_ALL_ROWS & fit.keys()]


def pieces(rows, batch_size, n_shards):
    """Of each shard the rows, and of each batch the rows that it takes of each, by the definition."""
    shares = []
    for start in range(0, rows, batch_size):
        cuts = [min(batch_size, rows - start) * shard // n_shards for shard in range(n_shards + 1)]
        shares.append(np.diff(cuts))
    ends = np.cumsum(np.sum(shares, axis=0))
    return np.split(np.arange(rows), ends[:-1]), shares


def batches(rows, batch_size, n_shards):
    """The rows of each batch, without shuffling."""
    own, shares = pieces(rows, batch_size, n_shards)
    places = np.zeros(n_shards, int)
    for of_batch in shares:
        yield np.concatenate([piece[at : at + n] for piece, at, n in zip(own, places, of_batch, strict=True)])
        places += of_batch


@pytest.mark.parametrize("n_shards", [1, 2, 5, 8])
@pytest.mark.parametrize("batch_size", [37, 64, None])
def test_without_shuffling_it_is_a_training_with_the_rows_in_that_order(n_shards, batch_size):
    order = np.concatenate(list(batches(ROWS, batch_size or ROWS, n_shards)))
    assert sorted(order) == list(range(ROWS))
    how = {"batch_size": batch_size, "n_shards": n_shards, "shuffle": False, "epochs": 3}
    for made in ({"dropout": 0.3}, {"l2": 0.1, "dtype": "float64"}):
        nets = [sc.MLP([6, 11, 7, 1], seed=1, **made) for _ in range(2)]
        one = nets[0].fit(X, Y, sample_weight=WEIGHTS, sharded=True, **how)
        two = nets[1].fit(X[order], Y[order], sample_weight=WEIGHTS[order], **how)
        assert np.array_equal(nets[0].theta, nets[1].theta)
        assert one["loss"] == two["loss"]


def test_each_epoch_has_a_new_order_within_the_shards():
    own, shares = pieces(ROWS, 37, 5)
    # Sums of different powers say how many rows of each shard a step has.
    weight = np.empty(ROWS)
    for shard, rows in enumerate(own):
        weight[rows] = 100.0**shard
    net = sc.MLP([6, 5, 1], seed=0, dtype="float64")
    history = net.fit(
        X, Y, sample_weight=weight, batch_size=37, n_shards=5, sharded=True, record="step", epochs=2
    )
    expected = [float(of_batch @ 100.0 ** np.arange(5)) for of_batch in shares]
    assert history.steps["weight"].tolist() == expected * 2
    # Now each row has a weight of its own: which rows a step has is another set in each epoch and each seed.
    sums = []
    for seed in (0, 0, 1):
        net = sc.MLP([6, 5, 1], seed=0, dtype="float64")
        how = {"batch_size": 37, "n_shards": 5, "sharded": True, "record": "step", "epochs": 2, "seed": seed}
        history = net.fit(X, Y, sample_weight=1 + np.arange(ROWS) ** 2.0, **how)
        sums.append(np.split(history.steps["weight"], 2))
    assert np.array_equal(sums[0], sums[1])
    assert not np.isclose(sums[0][0], sums[0][1]).any()
    assert not np.isclose(sums[0], sums[2]).any()
    assert np.allclose(np.sum(sums, axis=-1), np.sum(1 + np.arange(ROWS) ** 2.0))


def trained(case, comm=None, n_shards=8, **how):
    made, fit = CASES[case]
    outputs = 3 if made.get("loss") == "cross_entropy" else 1
    net = sc.MLP([6, 11, 7, outputs], seed=1, activation="tanh", **made)
    settings = {"batch_size": 37, "epochs": 3, "n_shards": n_shards, "sharded": True, **fit, **how}
    part = slice(None)
    if comm is not None:
        part = sc.distributed.rows(ROWS, comm, n_shards=n_shards, batch_size=settings["batch_size"])
    weights = settings.pop("sample_weight", None)
    weights = None if weights is None else weights[part]
    inputs, targets = settings.pop("X", X), settings.pop("y", LABELS if outputs == 3 else Y)
    history = net.fit(inputs[part], targets[part], sample_weight=weights, comm=comm, **settings)
    columns = {name: values for name, values in history.items() if name != "seconds"}
    return net.theta.tobytes(), net.optimizer.step_count, columns, history.stopped, history.best_epoch


@pytest.mark.parametrize("case", CASES)
def test_processes_with_their_own_rows_have_the_bits_of_one(case):
    one = trained(case)
    for size in (2, 3, 4):
        assert together(size, lambda comm: trained(case, comm)) == [one] * size
    assert together(5, lambda comm: trained(case, comm, n_shards=5)) == [trained(case, n_shards=5)] * 5


def largest(targets, predictions):
    """A metric that is no mean."""
    return float(np.abs(targets - predictions).max())


NUMBERS = ["r2", "mse", "rmse", "mae", largest]
# What is looked at of rows that are held out, or learnt from.
LOOKED_AT = {
    "numbers": ({}, {"metrics": NUMBERS, "validation_split": 0.2, "sample_weight": WEIGHTS}),
    "sums": (
        {"loss": "sse", "l2": 0.1},
        {"metrics": "mse", "validation_split": 0.2, "sample_weight": WEIGHTS},
    ),
    "penalty": ({"l2": 0.1, "norm": "layer"}, {"validation_split": 0.2, "restore_best": True}),
    "per weight": ({"l2": 0.1, "_l2_per_weight": True}, {"validation_split": 0.2}),
    "classes": (
        {"loss": "cross_entropy", "label_smoothing": 0.1},
        {"metrics": "accuracy", "validation_split": 0.2},
    ),
    "all rows": ({}, {"batch_size": None, "metrics": "r2", "validation_split": 0.2}),
    "averaged": ({}, {"validation_split": 0.2, "averaged": True, "metrics": NUMBERS}),
    "column": ({}, {"y": Y[:, None], "metrics": [largest, "mae"], "validation_split": 0.1}),
    "given": ({}, {"validation_data": (X[:50], Y[:50]), "metrics": NUMBERS}),
}


@pytest.mark.parametrize("case", LOOKED_AT)
def test_what_is_looked_at_does_not_depend_on_the_processes(case, monkeypatch):
    made, fit = LOOKED_AT[case]
    monkeypatch.setitem(CASES, case, (made, {"optimizer": sc.AdamW(lr=0.01, ema=0.9), **fit}))
    one = trained(case)
    assert "val_loss" in one[2]
    for size in (2, 3, 8):
        assert together(size, lambda comm: trained(case, comm)) == [one] * size


@pytest.mark.parametrize("case", [case for case in LOOKED_AT if case not in ("averaged", "given")])
def test_what_is_found_shard_by_shard_is_what_all_rows_have(case):
    made, fit = LOOKED_AT[case]
    fit = {"batch_size": 37, **fit}
    weights, y = fit.pop("sample_weight", None), fit.pop("y", None)
    outputs = 3 if made.get("loss") == "cross_entropy" else 1
    y = y if y is not None else LABELS if outputs == 3 else Y
    net = sc.MLP([6, 11, outputs], seed=1, dtype="float64", **made)
    history = net.fit(X, y, sample_weight=weights, epochs=1, n_shards=8, sharded=True, **fit)
    share = Share(0, 8, 8, fit["batch_size"])
    marks = draw_of("", fit["validation_split"], ROWS, share.pieces, 1).marks(0, ROWS)
    assert 0 < marks.sum() < ROWS / 3
    for prefix, which in (("val_", marks), ("", ~marks)):
        own = {} if weights is None else {"sample_weight": weights[which]}
        expected = net.evaluate(X[which], y[which], metrics=fit.get("metrics", ()), **own)
        loss = expected.pop("loss")
        if prefix:
            assert history["val_loss"][0] == pytest.approx(loss, rel=1e-12)
        assert {name: history[prefix + name][0] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_a_checkpoint_goes_on_with_rows_held_out_by_any_number_of_processes(tmp_path):
    how = {"epochs": 6, "validation_split": 0.2, "early_stopping": True, "metrics": "r2", "patience": 5}
    whole = trained("dropout", **how)
    saves = {"checkpoint": tmp_path / "run", "checkpoint_every": 1, "resume": True}
    trained("dropout", **{**how, "epochs": 2}, **saves)
    together(2, lambda comm: trained("dropout", comm, **{**how, "epochs": 4}, **saves))
    assert together(3, lambda comm: trained("dropout", comm, **how, **saves)) == [whole] * 3
    with pytest.raises(ValueError, match="the rows"):
        trained("dropout", **{**how, "validation_split": 0.3}, **saves)


def test_rows_that_are_held_out_are_not_learnt_from():
    learnt = []
    for spoilt in (False, True):
        share = Share(0, 8, 8, 37)
        marks = draw_of("", 0.2, ROWS, share.pieces, 1).marks(0, ROWS)
        y = np.where(marks & spoilt, 1e3, Y)
        learnt.append(trained("plain", validation_split=0.2, y=y))
    assert learnt[0][0] == learnt[1][0]
    assert learnt[0][2]["loss"] == learnt[1][2]["loss"]
    assert learnt[0][2]["val_loss"] != learnt[1][2]["val_loss"]


def test_the_first_ranks_time_ends_what_all_look_at():
    def work(comm):
        limit = {"max_time": 0.3} if comm.Get_rank() == 0 else {}
        how = {"epochs": 10**6, "validation_split": 0.9, "metrics": "r2", **limit}
        return [each for each in trained("plain", comm, **how) if not isinstance(each, dict)]

    one, other = together(2, work)
    assert one == other
    assert one[2] == "max_time"


def test_sparse_rows_of_each_process():
    sparse = scipy.sparse.csr_array(np.where(np.abs(X) > 1, X, 0))
    one = trained("dropout", X=sparse)
    assert together(3, lambda comm: trained("dropout", comm, X=sparse)) == [one] * 3


def test_validation_data_and_early_stopping():
    validation = X[:50], np.random.default_rng(1).normal(size=50)
    how = {"validation_data": validation, "early_stopping": True, "patience": 2, "epochs": 60}
    one = trained("plain", **how)
    assert one[3] is sc.Stop.CONVERGED
    assert together(3, lambda comm: trained("plain", comm, **how)) == [one] * 3


def test_a_checkpoint_goes_on_with_any_number_of_processes(tmp_path):
    whole = trained("dropout", epochs=6)
    for first in (None, 2, 3):
        file = tmp_path / f"{first}.checkpoint"
        saves = {"checkpoint": file, "checkpoint_every": 1}
        begin = {"epochs": 3, **saves}
        if first is None:
            trained("dropout", **begin)
        else:
            together(first, lambda comm: trained("dropout", comm, **begin))  # noqa: B023
        saved = file.read_bytes()
        for then in (None, 2, 4):
            file.write_bytes(saved)
            goes_on = {"epochs": 6, "resume": True, **saves}
            if then is None:
                results = [trained("dropout", **goes_on)]
            else:
                results = together(then, lambda comm: trained("dropout", comm, **goes_on))  # noqa: B023
            assert {result[:2] for result in results} == {whole[:2]}
    with pytest.raises(ValueError, match="the rows"):
        trained("dropout", epochs=6, resume=True, checkpoint=file, X=X + 1)


def test_what_cannot_work_is_refused(monkeypatch):
    net = sc.MLP([6, 11, 1], seed=1)

    def refused(comm, rows=75, **how):
        before = net.theta.copy()
        try:
            sc.MLP([6, 11, 1], seed=1).fit(X[:rows], Y[:rows], comm=comm, n_shards=4, sharded=True, **how)
        finally:
            assert np.array_equal(net.theta, before)

    def errors(work, size=2):
        return {f"{type(error).__name__}: {error}" for error in together(size, work)}

    (said,) = errors(lambda comm: refused(comm, validation_split=0.999))
    assert said == "ValueError: validation_split must leave rows to learn from, got 0.999 of 150"
    (said,) = errors(lambda comm: refused(comm, validation_split=2))
    assert said.startswith("ValueError: validation_split must be a share of the rows below 1")
    none = {
        "sample_weight": np.where(draw_of("", 0.1, 150, Share(0, 4, 4, 128).pieces, 1).marks(0, 150), 0, 1)
    }
    (said,) = errors(
        lambda comm: refused(
            comm, validation_split=0.1, **{n: w[75 * comm.Get_rank() :][:75] for n, w in none.items()}
        )
    )
    assert said == "ValueError: validation_split leaves no weight in the rows to validate with"
    monkeypatch.setattr("schuss._peers.MOST_TOLD", 100)
    (said,) = errors(lambda comm: refused(comm, metrics=["r2", largest]))
    assert "more than 100 rows of their own: a function is told all predictions, got largest for 150" in said
    told = errors(lambda comm: refused(comm, **({"sample_weight": WEIGHTS[:75]} if comm.Get_rank() else {})))
    (said,) = told
    assert "sample_weight is given on rank 1, and not given on rank 0" in said
    (said,) = errors(lambda comm: refused(comm, sample_weight=WEIGHTS[:75] * 1e-200))
    assert "sample_weight must be of about 1" in said
    said = errors(lambda comm: refused(comm, rows=76 - comm.Get_rank()))
    assert any("X must have 75 rows on rank 0, those from 0 to 75 of 151" in each for each in said), said
    assert len(said) == 2
    assert all("rank" in each for each in said)
    (said,) = {
        str(error) for error in together(2, lambda comm: net.fit(lambda: [(X, Y)], comm=comm, n_shards=2))
    }
    assert "unless sharded is True" in said
    with pytest.raises(TypeError, match="sharded must be True or False"):
        net.fit(X, Y, sharded=1)


@pytest.mark.parametrize("name", ["X", "y"])
def test_all_processes_learn_whose_rows_have_nan(name):
    def work(comm):
        part = sc.distributed.rows(ROWS, comm, n_shards=4, batch_size=64)
        rows = {"X": X[part].copy(), "y": Y[part].copy()}
        if comm.Get_rank() == 1:
            rows[name][5:] = np.nan
        how = {"batch_size": 64, "n_shards": 4, "sharded": True, "optimizer": sc.Adam()}
        with pytest.raises(sc.NonFiniteError) as caught:
            sc.MLP([6, 5, 1], seed=1).fit(**rows, comm=comm, **how)
        return str(caught.value).rpartition(": ")[2]

    its = f"{name} has NaN or infinity in it"
    assert together(3, work) == [f"{its} on rank 1", its, f"{its} on rank 1"]


def test_a_process_may_be_left_without_rows():
    def work(comm):
        part = slice(None) if comm is None else sc.distributed.rows(3, comm, n_shards=3, batch_size=16)
        net = sc.MLP([6, 5, 1], seed=1)
        how = {"n_shards": 3, "sharded": True, "batch_size": 16, "validation_split": 0.3, "metrics": "r2"}
        history = net.fit(X[:3][part], Y[:3][part], sample_weight=1 + WEIGHTS[:3][part], comm=comm, **how)
        return net.theta.tobytes(), history["val_loss"], history["r2"]

    assert sum(end > start for start, end in Share(0, 3, 3, 16).pieces(2)) == 2
    assert together(3, work) == [work(None)] * 3


def test_processes_that_are_about_to_do_different_things_are_refused():
    words = "every process must call fit with the same arguments: "
    for other in ({"sharded": False}, {"validation_split": 0.1}, {"metrics": "r2"}, {"batch_size": 64}):

        def fit(comm, other=other):
            net = sc.MLP([6, 11, 1], seed=1)
            own = other if comm.Get_rank() == 1 else {}
            net.fit(X[:75], Y[:75], comm=comm, **{"n_shards": 4, "sharded": True, "epochs": 2, **own})

        results = together(2, fit)
        assert [type(error) for error in results] == [ValueError] * 2, results
        assert str(results[0]) == str(results[1])
        assert str(results[0]).startswith(words)


def test_a_metric_that_fails_in_one_process_ends_all(capfd):
    def work(comm):
        def fails(targets, predictions):
            if comm.Get_rank() == 1:
                raise KeyError("of the user's")
            return 0.0

        trained("plain", comm, metrics=fails)

    results = together(3, work)
    assert all(isinstance(result, SystemExit) for result in results), results
    assert "rank 1 of 3 ends the training of all:" in capfd.readouterr().err


def test_which_rows_a_process_needs():
    comms = [Communicator(World(3), rank) for rank in range(3)]
    own, _ = pieces(1000, 64, 8)
    parts = [sc.distributed.rows(1000, comm, n_shards=8, batch_size=64) for comm in comms]
    of_ranks = [own[:3], own[3:6], own[6:]]
    for part, shards in zip(parts, of_ranks, strict=True):
        assert np.arange(1000)[part].tolist() == np.concatenate(shards).tolist()
    assert sc.distributed.rows(10, comms[1], n_shards=3, batch_size=None) == slice(3, 6)
    with pytest.raises(ValueError, match="n_shards must be at least the number of processes, 3, got 2"):
        sc.distributed.rows(10, comms[0], n_shards=2)
    with pytest.raises(TypeError, match="comm must be a communicator"):
        sc.distributed.rows(10, None, n_shards=2)
    with pytest.raises(ValueError, match="n_rows must be"):
        sc.distributed.rows(0, comms[0], n_shards=3)
    # In every process, not in those alone that would have none.
    for comm in comms:
        with pytest.raises(ValueError, match=r"n_rows must be enough for each of 3 processes to .* got 2"):
            sc.distributed.rows(2, comm, n_shards=9)


class Read:
    """Blocks that are read by number, which notes what is read."""

    def __init__(self, sizes):
        self.ends = np.cumsum(sizes)
        self.n_blocks = len(sizes)

    def read(self, number):
        end = self.ends[number]
        start = end - np.diff(self.ends, prepend=0)[number]
        return X[start:end], Y[start:end], WEIGHTS[start:end]


def iterated():
    for start in (0, 100, 250):
        yield X[start : start + 100], Y[start : start + 100]


SOURCES = {
    "windows": lambda: sc.blocks.from_arrays(X, Y, sample_weight=WEIGHTS, block_rows=31, window=3),
    "one block": lambda: sc.blocks.from_arrays(X, Y, block_rows=1000),
    "rows": lambda: sc.blocks.from_arrays(X, Y, block_rows=7, window=1),
    "read": lambda: Read([100, 3, 150, 47]),
    "iterated": lambda: iterated,
}


@pytest.mark.parametrize("source", SOURCES)
def test_processes_read_their_part_of_each_window(source, tmp_path):
    def of_blocks(comm=None, **how):
        net = sc.MLP([6, 11, 7, 1], seed=1, dropout=0.2)
        settings = {"batch_size": 32, "epochs": 3, "n_shards": 8, "sharded": True, **how}
        history = net.fit(SOURCES[source](), comm=comm, **settings)
        return net.theta.tobytes(), history["loss"], history.stopped

    one = of_blocks()
    for size in (2, 3):
        assert together(size, of_blocks) == [one] * size
    file = tmp_path / "a.checkpoint"
    together(2, lambda comm: of_blocks(comm, epochs=2, checkpoint=file))
    results = together(3, lambda comm: of_blocks(comm, checkpoint=file, resume=True))
    assert {result[0] for result in results} == {one[0]}


def test_a_process_reads_no_block_that_it_does_not_need(monkeypatch):
    blocks = sc.blocks.from_arrays(X, Y, block_rows=30, window=10)
    seen = []
    read = type(blocks._source)._fill
    monkeypatch.setattr(
        type(blocks._source),
        "_fill",
        lambda self, number, *rest: seen.append(number) or read(self, number, *rest),
    )
    ((everywhere, (x, y)),) = blocks.parts(range(10), 0, "float64", lambda rows: (45, 125))
    assert everywhere == ROWS
    assert sorted(seen) == [1, 2, 3, 4]
    assert np.array_equal(x, X[45:125])
    assert np.array_equal(y, Y[45:125])


def test_a_source_that_fails_in_one_process_ends_all():
    def work(comm):
        def source():
            yield X[:100], Y[:100]
            if comm.Get_rank() == 1:
                raise OSError("the disk is gone")
            yield X[100:], Y[100:]

        sc.MLP([6, 5, 1]).fit(source, comm=comm, n_shards=2, sharded=True, epochs=2)

    results = together(2, work)
    assert isinstance(results[1], SystemExit)
    assert results[0] is not None


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([100, 99], "the next one has 99 rows on rank 1, and 100 on rank 0"),
        ([100], "the next one has 0 rows on rank 1, and 100 on rank 0"),
        ([100, 100, 100], "the next one has 100 rows on rank 1, and 0 on rank 0"),
    ],
)
def test_processes_with_blocks_of_their_own_are_refused(sizes, words):
    def work(comm):
        source = Read([100, 100] if comm.Get_rank() == 0 else sizes)
        blocks = source if len(sizes) == 2 else lambda: map(source.read, range(source.n_blocks))
        sc.MLP([6, 5, 1], seed=1).fit(blocks, comm=comm, n_shards=2, sharded=True, shuffle=False)

    results = together(2, work)
    assert [str(error) for error in results] == [str(results[0])] * 2
    assert isinstance(results[0], ValueError)
    assert str(results[0]).startswith("X must give the same blocks in every process")
    assert str(results[0]).endswith(words)


def test_processes_whose_targets_have_another_form_are_refused():
    def of_blocks(comm):
        form = (-1,) if comm.Get_rank() == 0 else (-1, 1)
        blocks = [(X[:100], Y[:100].reshape(form))] * 2
        sc.MLP([6, 5, 1], seed=1).fit(lambda: iter(blocks), comm=comm, n_shards=2, sharded=True)

    def of_rows(comm):
        rows = sc.distributed.rows(len(X), comm=comm, n_shards=2)
        form = (-1,) if comm.Get_rank() == 0 else (-1, 1)
        mine = X[rows], Y[rows].reshape(form)
        sc.MLP([6, 5, 1], seed=1).fit(*mine, comm=comm, n_shards=2, sharded=True)

    for work, words in (
        (of_blocks, "the next one has 2 dimensions of y on rank 1, and 1 on rank 0"),
        (of_rows, "the number of dimensions of y is 2 on rank 1, and 1 on rank 0"),
    ):
        for error in together(2, work):
            assert isinstance(error, ValueError)
            assert words in str(error)


def test_processes_with_another_number_of_blocks_are_refused():
    def work(comm):
        blocks = Read([100] * (1 + comm.Get_rank()))
        sc.MLP([6, 5, 1], seed=1).fit(blocks, comm=comm, n_shards=2, sharded=True)

    words = "the checksum of the rows is 2 blocks on rank 1, and 1 blocks on rank 0"
    assert all(str(error).endswith(words) for error in together(2, work))


def test_processes_with_files_of_their_own_are_refused(tmp_path):
    for rank in range(2):
        np.save(tmp_path / f"X{rank}.npy", X[150 * rank :][:150])

    def work(comm):
        blocks = sc.blocks.from_arrays(tmp_path / f"X{comm.Get_rank()}.npy", Y[:150])
        sc.MLP([6, 5, 1], seed=1).fit(blocks, comm=comm, n_shards=2, sharded=True)

    words = "every process must call fit with the same arguments: the checksum of the rows is "
    assert all(str(error).startswith(words) for error in together(2, work))


def test_the_rows_of_a_process_may_weigh_nothing():
    weights = np.where(np.arange(ROWS) < 160, 0.0, WEIGHTS)  # all of the first of two, and of three
    for more in ({}, {"validation_split": 0.2}):
        fit = {"sample_weight": weights, "metrics": "r2", **more}
        one = trained("plain", **fit)
        for size in (2, 3):
            assert together(size, lambda comm, fit=fit: trained("plain", comm, **fit)) == [one] * size
    before = sc.MLP([6, 11, 7, 1], seed=1, activation="tanh").theta.copy()

    def refused(comm):
        net = sc.MLP([6, 11, 7, 1], seed=1, activation="tanh")
        part = sc.distributed.rows(ROWS, comm, n_shards=8)
        with pytest.raises(ValueError, match=r"^sample_weight must leave some weight to the rows, got none$"):
            net.fit(X[part], Y[part], sample_weight=Y[part] * 0, comm=comm, n_shards=8, sharded=True)
        return np.array_equal(net.theta, before)

    assert together(2, refused) == [True] * 2


def test_max_time_ends_all_processes_within_an_epoch_of_blocks():
    def work(comm):
        def source():
            while True:
                yield X, Y

        net = sc.MLP([6, 5, 1])
        history = net.fit(source, comm=comm, n_shards=2, sharded=True, epochs=2, max_time=0.3)
        return net.theta.tobytes(), history.stopped

    one, other = together(2, work)
    assert one == other
    assert one[1] is sc.Stop.MAX_TIME


def collector_of(net, groups, rows, settings, again=False):
    """Computes groups of shards here."""
    n_shards = groups[-1][1]

    def compute(theta, options):
        def group(start, stop):
            share = Share(start, stop, n_shards, settings["batch_size"])
            core = core_of(net._structure())
            part = rows.cut(*share.rows(rows.n_rows))
            return core.shard_sums(theta, part.arrays, options | {"part": (start, stop), "threads": 1})

        results = [group(*each) for each in reversed(groups)][::-1]
        if again:
            for one, two in zip(results, [group(*each) for each in groups], strict=True):
                assert np.array_equal(one[0], two[0])
                assert one[1] == two[1]
        return lambda: results

    def checksum():
        shares = [Share(*group, n_shards, settings["batch_size"]) for group in groups]
        return sum(share.checksum(rows.cut(*share.rows(rows.n_rows)), rows.n_rows) for share in shares)

    return Collector(groups, compute, checksum)


@pytest.mark.parametrize("case", [*COLLECTED, "scheduled dropout"])
def test_what_is_collected_has_the_bits_of_one_process(case, tmp_path):
    made, fit = CASES.get(case, ({"dropout": sc.schedules.flat_cos(0.4)}, {}))
    settings = {"batch_size": 37, "epochs": 3, "n_shards": 8, "sharded": True, **fit}
    weights = settings.pop("sample_weight", None)

    def network():
        return sc.MLP([6, 11, 7, 1], seed=1, activation="tanh", **made)

    one = network()
    file = tmp_path / "a.checkpoint"
    history = one.fit(X, Y, sample_weight=weights, checkpoint=file, **settings)
    rows = sc._data.rows_to_fit(one._takes, X, Y, weights)
    for groups in ([(0, 8)], [(0, 3), (3, 8)], [(n, n + 1) for n in range(8)]):
        net = network()
        comm = collector_of(net, groups, rows, settings, again=len(groups) == 2)
        here = rows_elsewhere(net._takes, ROWS, flat=True)
        got = net.fit(here, comm=comm, **settings)
        assert np.array_equal(net.theta, one.theta)
        assert got["loss"] == history["loss"]
        assert net.optimizer.step_count == one.optimizer.step_count
    # The checkpoint is that of one process.
    net = network()
    got = net.fit(here, comm=comm, checkpoint=file, resume=True, **settings)
    assert np.array_equal(net.theta, one.theta)
    assert got["loss"] == history["loss"]


def test_who_computes_groups_may_fail():
    net = sc.MLP([6, 11, 7, 1], seed=1)
    rows = sc._data.rows_to_fit(net._takes, X, Y)
    settings = {"batch_size": 37, "epochs": 3, "n_shards": 4, "sharded": True}
    works = collector_of(net, [(0, 2), (2, 4)], rows, settings)
    steps = []

    def compute(theta, options):
        steps.append(options["start"][0])
        if len(steps) == 5:
            raise RuntimeError("nobody is left")
        return works._compute(theta, options)

    comm = Collector(works.groups, compute, works._checksum)
    with pytest.raises(RuntimeError, match="nobody is left"):
        net.fit(rows_elsewhere(net._takes, ROWS, flat=True), comm=comm, **settings)
    assert net.optimizer.step_count == 4
    assert steps == [0, 37, 74, 111, 148]
    with pytest.raises(ValueError, match="part"):
        net._core.shard_sums(
            net.theta, rows.arrays, {"epochs": 1, "first_epoch": 0, "shuffle": False, "seed": 0, "shards": 4}
        )


def test_losses_that_are_not_finite_end_it():
    for case in ("raise", "skip"):
        net = sc.MLP([6, 11, 7, 1], seed=1)
        spoilt = np.where(np.arange(ROWS) == 250, np.inf, Y)
        rows = sc._data.rows_to_fit(net._takes, X, spoilt)
        settings = {"batch_size": 37, "epochs": 1, "n_shards": 4, "sharded": True}
        comm = collector_of(net, [(0, 2), (2, 4)], rows, settings)
        here = rows_elsewhere(net._takes, ROWS, flat=True)
        optimizer = sc.SGD(lr=0.01, nonfinite=case)
        if case == "raise":
            with pytest.raises(_schuss.NonFiniteError):
                net.fit(here, comm=comm, optimizer=optimizer, **settings)
        else:
            net.fit(here, comm=comm, optimizer=optimizer, **settings)
            assert net.optimizer.skipped_steps == 1
        assert np.isfinite(net.theta).all()

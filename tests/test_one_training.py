"""One training has one checksum of its parameters: in one process, in several of MPI's, on a Dask cluster."""

import csv
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

import schuss as sc
from test_distributed import launched
from test_distributed_estimators import sha

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Sending large graph"),
]

ADULT = Path(__file__).parent / "data/adult/adult.data.gz"
PICTURES = Path(__file__).parents[1] / "examples/data/fashion_mnist"
TABLES = ("adult", "clothes")
SHARDS, BATCH = 8, 500
# What the estimators are made with; of the network, how it is made and how it is trained.
TASKS = {
    "plain": ({}, {}, {}),
    "dropout": ({"dropout": 0.2}, {"dropout": 0.2}, {}),
    "weights": ({"class_weight": "balanced"}, {}, {"weights": True}),
    "l2": ({"alpha": 1.0}, {"l2": 1e-3}, {}),
    "lamb": ({"optimizer": sc.LAMB(lr=0.01)}, {}, {"optimizer": sc.LAMB(lr=0.01)}),
    "clip_norm": ({"clip_norm": 0.1}, {}, {"optimizer": sc.Adam(lr=1e-3, clip_norm=0.1)}),
    "held out": ({"early_stopping": True, "dropout": 0.1}, {"dropout": 0.1}, {"validation_split": 0.1}),
    "blocks": (None, {"dropout": 0.1}, {"blocks": True}),
}


def adult():
    """Persons: numbers on one scale, a column for each word, and whether somebody earns more than 50,000."""
    with gzip.open(ADULT, "rt") as file:
        columns = np.array([row for row in csv.reader(file, skipinitialspace=True) if row]).T
    found = []
    for column in columns[:-1]:
        words = np.unique(column)
        if all(word.isdigit() for word in words):
            numbers = column.astype(float)
            found.append((numbers - numbers.mean()) / numbers.std())
        else:
            found += [column == word for word in words]
    return np.stack(found, axis=1).astype(np.float32), columns[-1]


def clothes():
    """Pictures of clothes, and of which of ten kinds they are."""

    def read(name, header):
        with gzip.open(PICTURES / f"train-{name}-ubyte.gz") as file:
            return np.frombuffer(file.read(header + 784 * 1000), np.uint8, offset=header)

    x = read("images-idx3", 16).reshape(-1, 784) / np.float32(255)
    return x, read("labels-idx1", 8)[: len(x)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both tables, in files that all processes can read."""
    if not PICTURES.exists():
        pytest.skip("reads the pictures of the examples")
    folder = tmp_path_factory.mktemp("rows")
    for table, (x, y) in {"adult": adult(), "clothes": clothes()}.items():
        classes = np.unique(y, return_inverse=True)[1]
        columns = {"x": x, "y": y, "classes": classes, "weight": np.linspace(0.5, 2, len(x))}
        for name, array in columns.items():
            np.save(folder / f"{table}.{name}.npy", array)
    return folder


def files(folder, table, task, classes="y"):
    """Of inputs, targets and weights; the latter for one of the tasks."""
    names = ("x", classes, "weight") if task == "weights" else ("x", classes)
    return [f"{folder}/{table}.{name}.npy" for name in names]


def part_of(comm, rows):
    if comm is None:
        return slice(None)
    return sc.distributed.rows(rows, comm, n_shards=SHARDS, batch_size=BATCH)


def parameters(task):
    made = {"hidden_layer_sizes": (24,), "batch_size": BATCH, "max_iter": 2, "random_state": 5}
    return {**made, "learning_rate_init": 0.01, "n_shards": SHARDS, **TASKS[task][0]}


def by_estimator(folder, table, task, comm=None, n_threads=1):
    """The checksum of what an estimator learns, from rows that other processes do not have."""
    given = [np.load(file, mmap_mode="r") for file in files(folder, table, task)]
    part = part_of(comm, len(given[0]))
    model = sc.MLPClassifier(sharded=True, n_threads=n_threads, **parameters(task))
    return sha(model.fit(*(each[part] for each in given), comm=comm))


def by_network(folder, table, task, comm=None, n_threads=1, *, sharded=True):
    """The same of a network; `sharded`: whether each process has rows of its own, or all have all of them."""
    _, made, fit = TASKS[task]
    given = files(folder, table, task, "classes")
    x, y, *weight = (np.load(file, mmap_mode="r") for file in given)
    net = sc.MLP([x.shape[1], 32, int(y.max()) + 1], loss="cross_entropy", seed=3, **made)
    how = {"optimizer": sc.Adam(lr=1e-3), "batch_size": BATCH, "epochs": 2, "n_shards": SHARDS, "comm": comm}
    how |= {"sharded": sharded, "n_threads": n_threads, **fit}
    how.pop("weights", None)
    if how.pop("blocks", False):
        net.fit(sc.blocks.from_arrays(*given, block_rows=130, window=4), **how)
    else:
        part = part_of(comm if sharded else None, len(x))
        net.fit(x[part], y[part], sample_weight=weight[0][part] if weight else None, **how)
    return hashlib.sha256(net.theta.tobytes()).hexdigest()


def checksums(folder, comm=None, n_threads=1):
    """Of every training."""
    found = {}
    for table in TABLES:
        for task, (estimator, _, fit) in TASKS.items():
            if estimator is not None:
                found[f"estimator, {table}, {task}"] = by_estimator(folder, table, task, comm, n_threads)
            for sharded in (True,) if "blocks" in fit else (False, True):
                checksum = by_network(folder, table, task, comm, n_threads, sharded=sharded)
                found[f"network, {table}, {task}, {sharded}"] = checksum
    return found


@pytest.fixture(scope="module")
def alone(folder):
    """What one process learns."""
    found = checksums(folder)
    assert len(set(found.values())) == len(found)
    return found


def test_threads_of_one_process(folder, alone):
    assert checksums(folder, n_threads=2) == alone


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_processes_of_mpi(folder, alone, size):
    script = """
        import warnings
        import test_one_training as mine

        warnings.simplefilter("ignore")
        for n_threads in (1, 2):
            say(mine.checksums(os.environ["ROWS"], comm, n_threads))
    """
    result, said = launched(size, script, ROWS=str(folder))
    assert result.returncode == 0, result.stderr
    assert said == [[[alone]] * 2] * size


@pytest.mark.parametrize(("workers", "threads"), [(1, 2), (2, 1), (4, 1)])
def test_workers_of_a_dask_cluster(folder, alone, workers, threads):
    da, distributed = (pytest.importorskip(name) for name in ("dask.array", "distributed"))
    from schuss.dask import DaskMLPClassifier
    from test_dask import cluster

    found = {}
    with cluster(workers, threads_per_worker=threads) as some, distributed.Client(some) as client:
        for table in TABLES:
            for task in (task for task in TASKS if TASKS[task][0] is not None):
                given = [np.load(file) for file in files(folder, table, task)]
                rows = [da.from_array(each, chunks=(370, *each.shape[1:])) for each in given]
                model = DaskMLPClassifier(client=client, **parameters(task)).fit(*rows)
                found[f"estimator, {table}, {task}"] = sha(model)
    assert found == {name: checksum for name, checksum in alone.items() if name in found}
    assert len(found) == 14

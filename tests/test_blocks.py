"""Rows that are read in blocks are learnt from as rows in memory are, in an order of the seed alone."""

import pickle
import re
from itertools import chain

import numpy as np
import pytest

import schuss as sc

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.standard_normal((1200, 5)).astype(np.float32)
NUMBERS = (X[:, 0] ** 2 + X[:, 1]).astype(np.float32)
LABELS = (NUMBERS > 0.5).astype(np.int64) + (NUMBERS > 1.5)
WEIGHTS = RNG.uniform(size=1200)
FOLDER = "rows"


def parquet(tmp_path, y, weight, dtype=np.float32):
    """The rows in three files, with row groups of 50 rows."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    folder = tmp_path / FOLDER
    folder.mkdir(exist_ok=True)
    targets = {"y": y} if y.ndim == 1 else {f"y{j}": y[:, j] for j in range(y.shape[1])}
    weights = {} if weight is None else {"weight": weight}
    columns = {**targets, **{f"x{j}": X[:, j].astype(dtype) for j in range(5)}, **weights}
    for part in range(3):
        rows = slice(400 * part, 400 * part + 400)
        table = pa.table({name: column[rows] for name, column in columns.items()})
        pq.write_table(table, folder / f"part{part}.parquet", row_group_size=50)
    target = "y" if y.ndim == 1 else list(targets)
    return {"target": target, "sample_weight": None if weight is None else "weight"}, folder


def blocks_of(kind, tmp_path, y, weight, window):
    if kind == "parquet":
        options, folder = parquet(tmp_path, y, weight)
        return sc.blocks.from_parquet(folder, **options, window=window)
    given = [X, y] if weight is None else [X, y, weight]
    if kind == "npy":
        given = [tmp_path / f"{name}.npy" for name in ("X", "y", "weight")][: len(given)]
        for path, array in zip(given, [X, y, weight], strict=False):
            np.save(path, array)
    if kind == "memmap":
        for number, array in enumerate(given):
            np.save(tmp_path / f"{number}.npy", array)
            given[number] = np.load(tmp_path / f"{number}.npy", mmap_mode="r")
    return sc.blocks.from_arrays(*given, block_rows=50, window=window)


CASES = {
    "numbers": ("mse", NUMBERS, None, 1),
    "classes": ("cross_entropy", LABELS, None, 3),
    "weights": ("cross_entropy", LABELS, WEIGHTS, 3),
    "two targets": ("mse", np.column_stack([NUMBERS, -NUMBERS]), WEIGHTS.astype(np.float32), 2),
    "yes or no": ("binary_cross_entropy", NUMBERS > 0.5, None, 1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["parquet", "npy", "memmap"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_rows_in_the_same_order_give_the_same_bits(tmp_path, case, kind, dtype):
    loss, y, weight, outputs = CASES[case]
    given = (X, y.astype(np.float32) if y.dtype == bool else y)

    def trained(*source, **options):
        net = sc.MLP([5, 16, outputs], loss=loss, dtype=dtype, seed=1)
        history = net.fit(*source, epochs=3, batch_size=40, optimizer="adam", shuffle=False, **options)
        return net, history

    net, history = trained(*given, sample_weight=weight)
    # 8 blocks of 50 rows are 10 batches of 40.
    read, of_blocks = trained(blocks_of(kind, tmp_path, y, weight, 8))
    assert read.theta.tobytes() == net.theta.tobytes()
    np.testing.assert_allclose(of_blocks["loss"], history["loss"], rtol=1e-6)


@pytest.mark.parametrize("weight", [None, WEIGHTS])
@pytest.mark.parametrize("loss", ["sse", "mse"])
def test_an_epoch_of_blocks_has_the_penalty_once(loss, weight):
    def trained(*source, **options):
        net = sc.MLP([5, 16, 1], loss=loss, l2=2.0, dtype="float64", seed=1)
        return net.fit(*source, epochs=3, batch_size=40, optimizer="adam", shuffle=False, **options)

    parts = [slice(start, start + 400) for start in range(0, 1200, 400)]
    weights = np.ones(1200) if weight is None else weight
    of_blocks = trained(lambda: ((X[part], NUMBERS[part], weights[part]) for part in parts))
    history = trained(X, NUMBERS, sample_weight=weight)
    np.testing.assert_allclose(of_blocks["loss"], history["loss"], rtol=1e-10)


@pytest.mark.parametrize("kind", ["parquet", "npy"])
def test_a_shuffled_training_has_the_blocks_of_each_window_from_the_seed(tmp_path, kind):
    epochs = iter(range(3))
    parts = [np.arange(start, start + 50) for start in range(0, 1200, 50)]

    def windows():
        order = np.random.default_rng([7, next(epochs)]).permutation(24)
        for start in range(0, 24, 5):
            rows = np.concatenate([parts[i] for i in order[start : start + 5]])
            yield X[rows], LABELS[rows], WEIGHTS[rows]

    def trained(source):
        net = sc.MLP([5, 16, 3], loss="cross_entropy", dropout=0.2, seed=7)
        return net, net.fit(source, epochs=3, batch_size=32)

    expected, history = trained(windows)
    net, of_blocks = trained(blocks_of(kind, tmp_path, LABELS, WEIGHTS, 5))
    assert net.theta.tobytes() == expected.theta.tobytes()
    assert of_blocks["loss"] == history["loss"]


def rows_seen(blocks, seed, epochs, shuffle=True):
    """The rows of each epoch in the order of the windows, as `MLP.fit` takes them."""
    seen = [[]]

    def note(x):
        seen[-1].append(x[:, 0].astype(int).tolist())
        return x

    blocks._transform = note
    net = sc.MLP([1, 1], seed=seed)
    # A rate of zero: the numbers are those of the rows.
    net.fit(
        blocks,
        epochs=epochs,
        optimizer=sc.SGD(lr=0.0),
        shuffle=shuffle,
        callbacks=lambda info: seen.append([]),
    )
    return seen[:-1]


def test_rows_of_a_window_have_another_order_each_epoch():
    net = sc.MLP([5, 1], seed=0)
    blocks = sc.blocks.from_arrays(X[:40], NUMBERS[:40], window=1)
    # A rate of zero: the loss of a row tells which one it is.
    history = net.fit(blocks, epochs=3, batch_size=1, optimizer=sc.SGD(lr=0.0), record="step")
    epochs = history.steps["loss"].reshape(3, 40)
    for epoch in (0, 1):
        assert not np.array_equal(epochs[epoch], epochs[epoch + 1])
        np.testing.assert_array_equal(np.sort(epochs[epoch]), np.sort(epochs[epoch + 1]))


@settings(max_examples=40, deadline=None)
@given(
    cuts=strategies.lists(strategies.integers(1, 12), min_size=1, max_size=8),
    block_rows=strategies.integers(1, 8),
    window=strategies.integers(1, 6),
    seed=strategies.integers(0, 2**32),
    shuffle=strategies.booleans(),
)
def test_each_row_comes_once_an_epoch_in_an_order_of_the_seed_alone(cuts, block_rows, window, seed, shuffle):
    def source():
        rows = np.arange(sum(cuts), dtype=np.float32)[:, None]
        pieces = np.split(rows, np.cumsum(cuts)[:-1])
        return sc.blocks.from_arrays(pieces, np.zeros(sum(cuts)), block_rows=block_rows, window=window)

    blocks = source()
    epochs = rows_seen(blocks, seed, 3, shuffle)
    for windows in epochs:
        assert sorted(chain(*windows)) == list(range(sum(cuts)))
        assert len(windows) == -(-blocks.n_blocks // window)
        assert all(len(rows) <= window * block_rows for rows in windows)
    assert rows_seen(source(), seed, 3, shuffle) == epochs
    if not shuffle:
        assert list(chain(*epochs[0])) == list(range(sum(cuts)))
        assert epochs[1:] == epochs[:-1]
    elif blocks.n_blocks > 8:
        assert epochs[0] != epochs[1] or epochs[1] != epochs[2]


@settings(max_examples=25, deadline=None)
@given(count=strategies.integers(1, 30), window=strategies.integers(1, 40), first=strategies.integers(0, 32))
def test_windows_may_begin_anywhere(count, window, first):
    numbers = np.arange(count * 2, dtype=np.float64)
    blocks = sc.blocks.from_arrays(numbers[:, None], numbers, block_rows=2, window=window)
    order = np.random.default_rng(count).permutation(blocks.n_blocks)
    every = [y.tolist() for _, y in blocks.windows(order)]
    assert [y.tolist() for _, y in blocks.windows(order, first)] == every[first:]


@pytest.mark.parametrize(
    ("order", "first", "words"),
    [
        ([0, -1], 0, "a number in order must be an integer of at least 0, got -1"),
        ([0, 10], 0, "a number in order must be an integer of at most 9, got 10"),
        ([0, 1.7], 0, "a number in order must be an integer, got 1.7"),
        (3, 0, "order must be the numbers of blocks, got 3"),
        ([0], -1, "first must be an integer of at least 0, got -1"),
        ([0], 0.5, "first must be an integer, got 0.5"),
    ],
)
def test_blocks_that_are_not_there_are_refused_at_once(order, first, words):
    blocks = sc.blocks.from_arrays(np.zeros((20, 1)), np.zeros(20), block_rows=2)
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(words)}$"):
        blocks.windows(order, first)
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(words)}$"):
        blocks.parts(order, first, "float64", lambda rows: (0, rows))


def test_iteration_gives_all_rows_in_their_order(tmp_path):
    for kind in ("parquet", "npy", "memmap"):
        blocks = blocks_of(kind, tmp_path, LABELS, WEIGHTS, 7)
        assert (blocks.n_rows, blocks.n_columns, blocks.n_blocks, blocks.window) == (1200, 5, 24, 7)
        x, y, weight = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(y, LABELS)
        np.testing.assert_array_equal(weight, WEIGHTS)
        assert (x.dtype, y.dtype, weight.dtype) == (np.float32, np.int64, np.float64)
        np.testing.assert_array_equal(blocks.read(3)[0], X[150:200])
        assert "1200 rows of 5 columns in 24 blocks, 7 to a window" in repr(blocks)


def test_what_reads_survives_pickling(tmp_path):
    blocks = blocks_of("parquet", tmp_path, LABELS, None, 7)
    next(iter(blocks))
    copied = pickle.loads(pickle.dumps(blocks))
    assert copied.identity == blocks.identity
    np.testing.assert_array_equal(copied.read(23)[0], X[1150:])


def test_inputs_are_transformed_on_the_way(tmp_path):
    def standardised(x):
        return (x - x_mean) / x_std

    x_mean, x_std = X.mean(axis=0), X.std(axis=0)
    blocks = blocks_of("npy", tmp_path, NUMBERS, None, 6)
    scaled = sc.blocks.from_arrays(
        tmp_path / "X.npy", tmp_path / "y.npy", block_rows=50, window=6, transform=standardised
    )
    nets = [sc.MLP([5, 8, 1]) for _ in range(2)]
    nets[0].fit(scaled, epochs=2)
    rows = (X - x_mean) / x_std
    nets[1].fit(sc.blocks.from_arrays(rows, NUMBERS, block_rows=50, window=6), epochs=2)
    assert nets[0].theta.tobytes() == nets[1].theta.tobytes()
    assert blocks.read(0)[0].tobytes() == X[:50].tobytes()


def test_the_default_window_holds_128_mib_at_most():
    def blocks(rows, columns):
        inputs = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (rows, columns), (0, 0))
        return sc.blocks.from_arrays(inputs, np.zeros(rows))

    of_mb = blocks(2_000_000, 128)
    assert (of_mb.n_blocks, of_mb.window) == (-(-2_000_000 // 8192), 32)
    assert blocks(10, 3).window == 1
    assert blocks(4, 2**26).window == 1


class Chunked:
    """What h5py and Zarr give, as far as it matters: slices, and chunks."""

    def __init__(self, array, chunk):
        self._array = array
        self.shape, self.dtype, self.chunks = array.shape, array.dtype, (chunk, *array.shape[1:])

    def __getitem__(self, rows):
        assert rows.start % self.chunks[0] == 0  # each chunk is read once
        return self._array[rows]


def test_arrays_in_chunks_are_read_by_whole_chunks():
    blocks = sc.blocks.from_arrays(Chunked(X, 70), Chunked(NUMBERS, 10), block_rows=140)
    np.testing.assert_array_equal(np.concatenate([x for x, _ in blocks]), X)
    rows = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (50_000, 100), (0, 0))
    blocks = sc.blocks.from_arrays(Chunked(rows, 3000), np.zeros(50_000))
    assert blocks.read(0)[0].shape == (12_000, 100)
    assert blocks.n_blocks == 5


def test_targets_may_be_cut_in_other_places_than_inputs(tmp_path):
    for number in range(3):
        np.save(tmp_path / f"X{number}.npy", X[400 * number : 400 * number + 400].astype("f8"))
    blocks = sc.blocks.from_arrays(tmp_path, [LABELS[:1000].astype("i1"), LABELS[1000:]], block_rows=150)
    assert blocks.n_blocks == 9
    np.testing.assert_array_equal(np.concatenate([x for x, _ in blocks]), X)
    np.testing.assert_array_equal(np.concatenate([y for _, y in blocks]), LABELS)


@pytest.mark.parametrize("loss", ["mse", "poisson"])
def test_blocks_whose_rows_weigh_nothing_teach_nothing(loss):
    weights = np.where(np.arange(1200) < 400, 0.0, 1.0)

    def trained(*given):
        net = sc.MLP([5, 8, 1], loss=loss, seed=0)
        blocks = sc.blocks.from_arrays(*given, block_rows=200, window=1)
        return net.fit(blocks, optimizer=sc.SGD(lr=0.01), epochs=2, shuffle=False, batch_size=50), net

    history, net = trained(X, abs(NUMBERS), weights)
    expected, other = trained(X[400:], abs(NUMBERS)[400:], weights[400:])
    np.testing.assert_array_equal(net.theta, other.theta)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-12)
    with pytest.raises(ValueError, match="a row that weighs something"):
        trained(X, abs(NUMBERS), np.zeros(1200))


def test_arrays_in_chunks_are_cut_where_their_chunks_are():
    da = pytest.importorskip("dask.array")
    blocks = sc.blocks.from_arrays(da.from_array(X, chunks=(300, 5)), NUMBERS)
    assert blocks.n_rows == 1200
    np.testing.assert_array_equal(np.concatenate([rows[0] for rows in blocks]), X)


def hidden(array):
    """The array with what is at its end hidden."""
    mask = np.zeros(array.shape, bool)
    mask[-1] = True
    return np.ma.masked_array(array, mask)


GIVEN = {"X": X, "y": NUMBERS, "sample_weight": WEIGHTS}


@pytest.mark.parametrize("name", GIVEN)
def test_a_mask_is_not_dropped(name):
    masked = hidden(GIVEN[name])
    for one in (masked, [GIVEN[name][:-1], masked[-1:]]):
        with pytest.raises(ValueError, match=f"^{name} must be an array without masked elements, got"):
            sc.blocks.from_arrays(**GIVEN | {name: one})
    # A mask that hides nothing is none.
    blocks = sc.blocks.from_arrays(**GIVEN | {name: np.ma.masked_array(GIVEN[name])})
    expected = sc.blocks.from_arrays(**GIVEN).read(0)
    np.testing.assert_array_equal(np.column_stack(blocks.read(0)), np.column_stack(expected))


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("kind", ["dask", "slices"])
def test_a_mask_that_rows_bring_is_not_dropped(kind, name):
    masked = hidden(GIVEN[name])
    if kind == "dask":
        masked = pytest.importorskip("dask.array").from_array(masked, chunks=(400, *masked.shape[1:]))
    else:
        masked = Chunked(masked, 400)
    blocks = sc.blocks.from_arrays(**GIVEN | {name: masked}, block_rows=400, window=1)
    net = sc.MLP([5, 4, 1])
    with pytest.raises(ValueError, match=f"{name}: rows 800 to 1200 must be an array without masked"):
        net.fit(blocks, epochs=1, shuffle=False)


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("reads", [False, True])
def test_a_mask_in_a_block_is_not_dropped(reads, name):
    class Source:
        n_blocks = 1

        def read(self, number):
            return tuple((GIVEN | {name: hidden(GIVEN[name])}).values())

    source = Source() if reads else lambda: iter([Source().read(0)])
    with pytest.raises(ValueError, match=f"a block: {name} must be an array without masked elements"):
        sc.MLP([5, 4, 1]).fit(source, epochs=1)


class Tensor:
    """What PyTorch gives, as far as it matters: a dtype that NumPy does not know."""

    def __init__(self, array):
        self._array, self.shape, self.dtype = array, array.shape, "torch.int64"

    def __getitem__(self, rows):
        return Tensor(self._array[rows])

    def __array__(self, dtype=None, copy=None):
        return self._array


def columns_of_others(values):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    return [pd.Series(values, dtype="Int64"), pl.Series(values), Tensor(values)]


def test_what_has_a_dtype_of_its_own_is_taken_as_fit_takes_it():
    expected = sc.MLP([5, 4, 3], loss="cross_entropy")
    expected.fit(sc.blocks.from_arrays(X, LABELS), epochs=1)
    for labels in columns_of_others(LABELS):
        blocks = sc.blocks.from_arrays(X, labels, block_rows=100)
        assert blocks.read(0)[1].dtype == np.int64
        net = sc.MLP([5, 4, 3], loss="cross_entropy")
        net.fit(sc.blocks.from_arrays(X, labels), epochs=1)
        assert net.theta.tobytes() == expected.theta.tobytes()


def test_what_is_missing_in_a_column_is_refused_by_its_row():
    pd = pytest.importorskip("pandas")
    blocks = sc.blocks.from_arrays(X, pd.Series([1] * 1199 + [None], dtype="Int64"))
    with pytest.raises(ValueError, match="y: row 1199 must be finite, got"):
        blocks.read(0)
    words = pd.Series(["a"] * 1200, dtype="string")
    with pytest.raises(TypeError, match="y: y must be of real numbers, got dtype object"):
        sc.blocks.from_arrays(X, words)


class Told:
    """An array that says what it is, and gives something else."""

    def __init__(self, says, gives):
        self.shape, self.dtype, self.gives = says.shape, says.dtype, gives

    def __getitem__(self, rows):
        return self.gives(rows)


@pytest.mark.parametrize(
    ("name", "gives", "kind"),
    [
        ("y", lambda rows: LABELS[rows] + 0.7, "float64"),
        ("y", lambda rows: np.where(LABELS[rows] > 0, np.nan, 0.0), "float64"),
        ("X", lambda rows: X[rows] * 1j, "complex64"),
        ("X", lambda rows: X[rows].astype("U9"), "<U9"),
        ("X", lambda rows: np.full(X[rows].shape, np.datetime64("2020-01-01")), r"datetime64\[D\]"),
    ],
)
def test_rows_of_another_kind_than_their_array_are_refused(name, gives, kind):
    given = {"X": X, "y": LABELS}
    given[name] = Told(given[name], gives)
    blocks = sc.blocks.from_arrays(**given, block_rows=100)
    with pytest.raises(TypeError, match=f"^{name}: rows 100 to 200 must be of .*, got {kind}$"):
        blocks.read(1)


def test_rows_that_find_no_memory_say_so():
    def gives(rows):
        raise MemoryError

    with pytest.raises(MemoryError):
        sc.blocks.from_arrays(Told(X, gives), LABELS).read(0)


def test_rows_whose_number_nobody_knows_are_refused():
    da = pytest.importorskip("dask.array")
    some = da.from_array(X, chunks=(300, 5))
    with pytest.raises(ValueError, match="X must be arrays whose number of rows is known, got"):
        sc.blocks.from_arrays(some[some[:, 0] > 0], NUMBERS)

"""Files of rows that are missing, damaged, cut or changed: an error names the file, and nothing is lost."""

import errno
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import schuss as sc
from schuss.blocks import _row_groups

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.standard_normal((600, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
FILES = 6


def columns_of(number):
    rows = slice(100 * number, 100 * number + 100)
    return {"y": Y[rows], **{f"x{j}": X[rows, j] for j in range(3)}}


def write(path, columns, **options):
    pq.write_table(pa.table(columns), path, **{"row_group_size": 40, "write_page_checksum": True, **options})


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    for number in range(FILES):
        write(folder / f"{number}.parquet", columns_of(number))
    return folder


def read(path, **options):
    return sc.blocks.from_parquet(path, **{"target": "y", "window": 2, **options})


def cut(path):
    path.write_bytes(path.read_bytes()[:-300])


def garbage(path):
    path.write_bytes(b"x" * 1000)


def empty(path):
    path.write_bytes(b"")


def without_a_column(path):
    write(path, {name: column for name, column in columns_of(2).items() if name != "x1"})


def with_text(path):
    write(path, {**columns_of(2), "x1": [str(x) for x in range(100)]})


def with_other_targets(path):
    write(path, {**columns_of(2), "y": np.linspace(0, 1, 100)})


def two_of_a_name(path):
    arrays = [pa.array(column) for column in [*columns_of(2).values(), X[:100, 0]]]
    pq.write_table(pa.Table.from_arrays(arrays, names=["y", "x0", "x1", "x2", "x1"]), path)


SEEN_AT_ONCE = {
    "missing": (os.remove, FileNotFoundError, "the file is missing"),
    "cut": (cut, ValueError, "the file is damaged"),
    "garbage": (garbage, ValueError, "the file is damaged"),
    "empty": (empty, ValueError, "the file is damaged"),
    "a column is missing": (
        without_a_column,
        ValueError,
        "there must be one column 'x1', got none among 'y'",
    ),
    "two of a name": (two_of_a_name, ValueError, "there must be one column 'x1', got 2"),
    "text": (with_text, TypeError, "column 'x1' must be of numbers or of booleans, got string"),
    "other targets": (with_other_targets, ValueError, "targets must be whole numbers as in the files before"),
}


@pytest.mark.parametrize("case", SEEN_AT_ONCE)
def test_what_is_wrong_with_a_file_as_a_whole_is_said_at_once(folder, case):
    change, kind, message = SEEN_AT_ONCE[case]
    bad = folder / "2.parquet"
    files = [folder / f"{number}.parquet" for number in range(FILES)]
    change(bad)
    with pytest.raises(kind, match=re.escape(message)) as caught:
        read(files)
    assert str(caught.value).startswith(str(bad))


def damaged_page(path):
    content = bytearray(path.read_bytes())
    # Near the beginning there are the pages of the first row group.
    content[300] ^= 0xFF
    path.write_bytes(content)


def with_one(name, value):
    """Another value in row 45, which is row 5 of row group 1, and all else as it is."""

    def change(path):
        columns = columns_of(2)
        values = columns[name].tolist()
        values[45] = value
        write(path, {**columns, name: values})

    return change


def of_other_length(path):
    write(path, {name: column[:90] for name, column in columns_of(2).items()})


def turned_round(path):
    write(path, {name: column[::-1] for name, column in columns_of(2).items()})


CHANGED = "the file has changed: it had "
SEEN_WHEN_READ = {
    "damaged page": (damaged_page, ValueError, "row group 0 cannot be read, the file is damaged"),
    "null": (with_one("x1", None), ValueError, "column 'x1' must be without nulls, got 1 in row group 1"),
    "null target": (
        with_one("y", None),
        ValueError,
        "column 'y' must be without nulls, got 1 in row group 1",
    ),
    "NaN": (
        with_one("x1", np.nan),
        ValueError,
        "column 'x1' must be finite, got nan in row 5 of row group 1",
    ),
    "too large": (with_one("x1", 1e300), ValueError, "column 'x1' must be within the range of float32"),
}
CHANGED_MEANWHILE = {
    **{name: case for name, case in SEEN_AT_ONCE.items() if name != "two of a name"},
    **{name: (change, ValueError, CHANGED) for name, (change, _, _) in SEEN_WHEN_READ.items()},
    "other numbers": (with_one("x1", 0.5), ValueError, CHANGED),
    "other order": (turned_round, ValueError, CHANGED),
    "other length": (of_other_length, ValueError, "the file has changed: it had 100 rows in 3 row groups"),
}


def trained(source, **options):
    net = sc.MLP([3, 16, 2], loss="cross_entropy", dropout=0.1, seed=3)
    history = net.fit(source, **{"epochs": 4, "batch_size": 16, **options})
    return net, history


@pytest.mark.parametrize("case", SEEN_WHEN_READ)
def test_what_is_wrong_with_rows_is_said_when_they_are_read(folder, case):
    change, kind, message = SEEN_WHEN_READ[case]
    bad = folder / "2.parquet"
    change(bad)
    blocks = read(folder)
    with pytest.raises(kind, match=re.escape(message)) as caught:
        trained(blocks)
    assert str(caught.value).startswith(str(bad))


@pytest.mark.parametrize("case", CHANGED_MEANWHILE)
def test_a_file_that_changes_meanwhile_is_named_and_nothing_is_lost(folder, tmp_path, case):
    change, kind, message = CHANGED_MEANWHILE[case]
    bad, saved = folder / "2.parquet", tmp_path / "run.ckpt"
    kept = shutil.copy(bad, tmp_path / "kept")

    def spoil(info):
        if info.epoch == 2:
            change(bad)

    expected, history = trained(read(folder))
    saving = {"checkpoint": saved, "checkpoint_every": 1000.0}
    with pytest.raises(kind, match=re.escape(message)) as caught:
        trained(read(folder), callbacks=spoil, **saving)
    assert str(caught.value).startswith(str(bad))
    # The file is put right: the training goes on from the window before the bad one.
    shutil.copy(kept, bad)
    windows = []
    resumed, again = trained(read(folder, transform=lambda x: windows.append(1) or x), resume=True, **saving)
    assert resumed.theta.tobytes() == expected.theta.tobytes()
    assert again["loss"] == history["loss"]
    assert len(windows) < 2 * 9 + 1


def test_a_file_that_changes_while_it_is_open_is_looked_at_again(folder):
    bad, seen = folder / "2.parquet", []

    def spoil(x):
        seen.append(len(x))
        if len(seen) == 2:
            of_other_length(bad)
        return x

    # One file, whose row groups are windows.
    blocks = read(bad, window=1, transform=spoil)
    with pytest.raises(
        ValueError, match=r"2\.parquet: the file has changed: it had 100 rows in 3 row groups"
    ):
        list(blocks)
    assert seen == [40, 40]


def test_a_file_may_be_written_anew_with_the_same_in_it(folder):
    def again(info):
        for number in range(FILES):
            write(folder / f"{number}.parquet", columns_of(number))

    expected, _ = trained(read(folder))
    net, _ = trained(read(folder), callbacks=again)
    assert net.theta.tobytes() == expected.theta.tobytes()


def test_files_may_lie_elsewhere_when_a_training_goes_on_but_must_be_the_same(folder, tmp_path):
    saving = {"checkpoint": tmp_path / "run.ckpt", "checkpoint_every": 1}
    expected, _ = trained(read(folder))
    trained(read(folder), epochs=2, **saving)
    moved = shutil.move(folder, tmp_path / "moved")
    for changed in ({"window": 3}, {"columns": ["x1", "x0", "x2"]}):
        with pytest.raises(ValueError, match="rows"):
            trained(read(moved, **changed), resume=True, **saving)
    resumed, _ = trained(read(moved), resume=True, **saving)
    assert resumed.theta.tobytes() == expected.theta.tobytes()


class TestArguments:
    def test_a_folder_is_all_its_files_but_for_notes(self, folder):
        (folder / "_SUCCESS").write_text("")
        (folder / "_old").mkdir()
        garbage(folder / "_old" / "1.parquet")
        garbage(folder / ".3.parquet")
        (folder / "sub").mkdir()
        shutil.move(folder / "5.parquet", folder / "sub" / "5.parquet")
        for given in (folder, str(folder), [*(folder / f"{i}.parquet" for i in range(5)), folder / "sub"]):
            blocks = read(given)
            assert (blocks.n_rows, blocks.n_blocks) == (600, 18)
            np.testing.assert_array_equal(np.concatenate([x for x, _ in blocks]), X)

    @pytest.mark.skipif(os.name == "nt", reason="links are of another kind")
    def test_linked_folders_and_files_are_as_good_as_others(self, folder, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        shutil.move(folder / "5.parquet", elsewhere)
        shutil.move(folder / "1.parquet", tmp_path)
        (folder / "1.parquet").symlink_to(tmp_path / "1.parquet")
        (folder / "linked").symlink_to(elsewhere)
        # Neither what leads back, nor what leads nowhere, nor a folder that is called as files are.
        (elsewhere / "back").symlink_to(folder)
        (folder / "itself").symlink_to(folder)
        (folder / "nowhere.parquet").symlink_to(tmp_path / "nothing")
        (folder / "folder.parquet").mkdir()
        np.testing.assert_array_equal(np.concatenate([x for x, _ in read(folder)]), X)

    def test_columns_are_taken_in_the_order_given(self, folder):
        x, _ = read(folder, columns=("x2", "x0")).read(1)
        np.testing.assert_array_equal(x, X[40:80, [2, 0]])
        _, y = read(folder, target=["x1", "y"], columns=["x2"]).read(1)
        np.testing.assert_array_equal(y, np.column_stack([X[40:80, 1], Y[40:80]]))
        assert y.dtype == np.float32

    def test_the_index_of_pandas_is_no_input(self, tmp_path):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"a": X[:, 0], "y": Y, "a.b": X[:, 1]}, index=np.arange(600) * 7)
        frame.to_parquet(tmp_path / "frame.parquet", row_group_size=90)
        x, y = read(tmp_path, window=100).read(6)
        np.testing.assert_array_equal(x, X[540:, :2])
        np.testing.assert_array_equal(y, Y[540:])

    @pytest.mark.parametrize("kind", ["bool", "int8", "uint64", "float16", "float64", "int64"])
    def test_numbers_of_every_type(self, tmp_path, kind):
        numbers = np.arange(100).astype(kind)
        write(tmp_path / "a.parquet", {"x": numbers, "y": numbers, "w": numbers})
        x, y, weight = next(iter(read(tmp_path, sample_weight="w", window=9)))
        np.testing.assert_array_equal(x[:, 0], numbers.astype(np.float32))
        np.testing.assert_array_equal(weight, numbers.astype(np.float64))
        np.testing.assert_array_equal(y, numbers)
        assert y.dtype == (np.float32 if kind in ("uint64", "float16", "float64") else np.int64)

    def test_more_columns_and_files_than_are_open_at_a_time(self, tmp_path):
        rows = RNG.standard_normal((140, 70)).astype(np.float32)
        for number in range(70):
            part = rows[2 * number : 2 * number + 2]
            write(tmp_path / f"{number:02}.parquet", {f"{j}": part[:, j] for j in range(70)})
        blocks = read(tmp_path, target="3", window=50)
        others = np.delete(np.arange(70), 3)
        for _ in range(2):
            x = np.concatenate([x for x, _ in blocks])
            np.testing.assert_array_equal(x, rows[:, others])

    @pytest.mark.parametrize(
        ("options", "kind", "message"),
        [
            ({"target": "z"}, ValueError, "0.parquet: there must be one column 'z', got none"),
            ({"target": 3}, TypeError, "target must be names of columns, got 3"),
            ({"target": []}, ValueError, "target must be at least one name"),
            (
                {"columns": ["x0", "x0"]},
                ValueError,
                "columns must be different names of columns, got 'x0' twice",
            ),
            (
                {"columns": ["x0", "y"]},
                ValueError,
                "columns must be without the targets and the weights, got 'y'",
            ),
            ({"columns": "x0"}, TypeError, "columns must be names of columns, got 'x0'"),
            ({"columns": ["x0", 1]}, TypeError, "columns must be names of columns, got 1 among them"),
            (
                {"target": ["y", "x0", "x1", "x2"]},
                ValueError,
                "columns of inputs must be there besides y, x0",
            ),
            ({"sample_weight": 1}, TypeError, "sample_weight must be the name of a column, got 1"),
            ({"window": 0}, ValueError, "window must be an integer of at least 1, got 0"),
            ({"transform": 1}, TypeError, "transform must be a function"),
        ],
    )
    def test_what_is_not_accepted(self, folder, options, kind, message):
        with pytest.raises(kind, match=re.escape(message)):
            read(folder, **options)

    def test_what_are_no_paths(self, folder, tmp_path):
        (tmp_path / "empty").mkdir()
        for given, kind, message in (
            (3, TypeError, "paths must be a path or a sequence of paths, got 3"),
            ([folder, 3], TypeError, "got 3 among them"),
            ([], ValueError, "paths must be at least one path, got none"),
            ("a\0b", ValueError, "paths must be a path of characters that names of files may have"),
            (
                [folder, "\ud800"],
                ValueError,
                "paths must be a path of characters that names of files may have",
            ),
            (tmp_path / "empty", FileNotFoundError, "must have files *.parquet in it"),
            (tmp_path / "none", FileNotFoundError, "none: the file is missing"),
        ):
            with pytest.raises(kind, match=re.escape(message)):
                read(given)

    def test_rows_must_be_there(self, tmp_path):
        write(tmp_path / "a.parquet", {"x": np.zeros(0), "y": np.zeros(0)})
        with pytest.raises(ValueError, match=r"a\.parquet: the files must have at least one row"):
            read(tmp_path)

    def test_weights_may_not_be_negative(self, tmp_path):
        write(tmp_path / "a.parquet", {"x": np.zeros(50), "y": np.zeros(50), "w": np.linspace(1, -1, 50)})
        with pytest.raises(
            ValueError, match=r"a\.parquet: column 'w' must be finite and not negative, got -0"
        ):
            list(read(tmp_path, sample_weight="w"))


def headed(shape, version=1):
    """The file with a header that says so."""

    def change(path):
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
        length = len(header).to_bytes(2 if version == 1 else 4, "little")
        path.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + header + X.tobytes())

    return change


def in_place(change):
    """The file with other numbers, and the rest of it as it is."""

    def written(path):
        rows = np.load(path, mmap_mode="r+")
        rows[...] = change(rows.copy())
        rows.flush()
        os.utime(path)

    return written


class TestNpy:
    @pytest.fixture
    def paths(self, tmp_path):
        np.save(tmp_path / "X.npy", X)
        np.save(tmp_path / "y.npy", Y)
        return tmp_path / "X.npy", tmp_path / "y.npy"

    @staticmethod
    def read(paths, *more, **options):
        return sc.blocks.from_arrays(*paths, *more, **{"block_rows": 40, "window": 2, **options})

    @pytest.mark.parametrize(
        ("change", "kind", "message"),
        [
            (os.remove, FileNotFoundError, "the file is missing"),
            (cut, ValueError, "the file is cut, 300 bytes are missing at its end"),
            (garbage, ValueError, "it cannot be read, the file is damaged"),
            (empty, ValueError, "it cannot be read, the file is damaged"),
            (lambda path: np.save(path, X.T.copy().T), ValueError, "save it in C order"),
            (
                lambda path: np.save(path, X.astype(complex)),
                TypeError,
                "must be of real numbers, got dtype complex",
            ),
            (lambda path: np.save(path, X[0]), ValueError, "X must have 2 dimensions, got shape (3,)"),
            (lambda path: np.save(path, np.array([None])), TypeError, "got dtype object"),
            (headed("(-600, 3)"), ValueError, "damaged: there is no shape (-600, 3)"),
            (headed("(600, True)"), ValueError, "damaged: there is no shape (600, True)"),
            (headed("(600, 3)", version=4), ValueError, "damaged: there is no version 4.0 of the format"),
            (headed(f"({'-' * 9000}1,)"), ValueError, "damaged: the header is not that of an array"),
        ],
    )
    def test_what_is_wrong_with_a_file_is_said_at_once(self, paths, change, kind, message):
        change(paths[0])
        with pytest.raises(kind, match=re.escape(message)) as caught:
            self.read(paths)
        assert str(caught.value).startswith(str(paths[0]))

    @pytest.mark.parametrize(
        ("change", "kind", "message"),
        [
            (os.remove, FileNotFoundError, "the file is missing"),
            (cut, ValueError, "the file has changed: it had 7328 bytes, and has 7028 of them"),
            (garbage, ValueError, "the file is damaged"),
            (
                lambda path: np.save(path, X[:300]),
                ValueError,
                "the file has changed: it had float32 of shape (600, 3)",
            ),
            (
                lambda path: np.save(path, np.asfortranarray(X)),
                ValueError,
                "and has float32 of shape (600, 3), column by column",
            ),
            (lambda path: np.save(path, X * 2), ValueError, "it had 7328 bytes, and has others"),
            (in_place(lambda rows: rows[::-1]), ValueError, "it had 7328 bytes, and has others"),
        ],
    )
    def test_a_file_that_changes_meanwhile_is_named_and_nothing_is_lost(
        self, paths, tmp_path, change, kind, message
    ):
        saving = {"checkpoint": tmp_path / "run.ckpt", "checkpoint_every": 1000.0}
        expected, _ = trained(self.read(paths))
        with pytest.raises(kind, match=re.escape(message)) as caught:
            trained(self.read(paths), callbacks=lambda info: change(paths[0]), **saving)
        assert str(caught.value).startswith(str(paths[0]))
        np.save(paths[0], X)
        resumed, _ = trained(self.read(paths), resume=True, **saving)
        assert resumed.theta.tobytes() == expected.theta.tobytes()

    def test_a_file_may_be_written_anew_or_lie_elsewhere_with_the_same_in_it(self, paths, tmp_path):
        expected, _ = trained(self.read(paths))
        net, _ = trained(self.read(paths), callbacks=lambda info: np.save(paths[0], X))
        assert net.theta.tobytes() == expected.theta.tobytes()
        pickled = pickle.loads(pickle.dumps(self.read(paths)))
        shutil.copy(paths[0], tmp_path / "copy")
        os.replace(tmp_path / "copy", paths[0])
        net, _ = trained(pickled)
        assert net.theta.tobytes() == expected.theta.tobytes()

    def test_other_dtypes_are_converted(self, tmp_path):
        for dtype in (">f4", "<f8", "float16", "int16", "bool"):
            np.save(tmp_path / "X.npy", (X * 10).astype(dtype))
            x, _ = self.read((tmp_path / "X.npy", Y)).read(1)
            np.testing.assert_array_equal(x, (X * 10).astype(dtype)[40:80].astype(np.float32))
        np.save(tmp_path / "X.npy", X * np.float64(1e300))
        with pytest.raises(ValueError, match=r"X\.npy: numbers must be within the range of float32, got"):
            self.read((tmp_path / "X.npy", Y)).read(1)

    def test_what_is_not_accepted(self, paths):
        sparse = pytest.importorskip("scipy.sparse")
        for given, kind, message in (
            ((X, Y[:10]), ValueError, "y must have 600 rows as X has, got 10"),
            ((X, Y, np.ones(3)), ValueError, "sample_weight must have 600 rows as X has, got 3"),
            ((X, Y, -np.ones(600)), ValueError, "sample_weight: row 0 must be finite and not negative, got"),
            ((X[:0], Y[:0]), ValueError, "X must have at least one row, got none"),
            ((X.tolist(), Y), TypeError, "X must be arrays or paths of .npy files, got ["),
            (([], Y), ValueError, "X must be at least one array or path, got none"),
            (([X, X[:, :2]], Y), ValueError, "X must be of shape (n, 3) as X, got (600, 2)"),
            ((X, [Y, X[:, 0]]), ValueError, "y must be whole numbers or not as y, got float32"),
            ((sparse.csr_matrix(X), Y), TypeError, "got a sparse matrix"),
        ):
            with pytest.raises(kind, match=re.escape(message)):
                list(self.read(given))
        with pytest.raises(ValueError, match="block_rows must be an integer of at least 1, got 0"):
            self.read(paths, block_rows=0)


def test_what_the_system_says_is_passed_on_with_the_name(folder, monkeypatch):
    blocks = read(folder)

    def broken(path, **options):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "stat", broken)
    with pytest.raises(OSError, match=r"0\.parquet: it cannot be read: .*Input/output error") as caught:
        blocks.read(0)
    assert caught.value.errno == errno.EIO


def test_without_pyarrow_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r'pip install "schuss\[parquet\]"'):
        read(folder)


def test_a_file_that_may_not_be_read(folder):
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("everything may be read here")
    Path(folder / "1.parquet").chmod(0)
    with pytest.raises(PermissionError, match=r"1\.parquet: the file may not be read"):
        read(folder)


def test_so_many_files_stay_open_as_were_read_last(folder, monkeypatch):
    opened, open_file = [], _row_groups.open_file

    def noted(path):
        opened.append((Path(path).stem, open_file(path)))
        return opened[-1][1]

    blocks = read(folder)
    monkeypatch.setattr(_row_groups, "OPEN", 2)
    monkeypatch.setattr(_row_groups, "open_file", noted)
    with blocks._source.opened() as fill:
        for number in (0, 1, 0, 2, 0, 3):
            rows = 40
            assert blocks._source.sizes[3 * number] == rows
            fill(3 * number, blocks._source.allocate(rows, np.dtype(np.float32)), lambda: False)
            assert sum(not file.closed for _, file in opened) <= 2
        # The first one is in use all the time.
        assert [name for name, _ in opened] == ["0", "1", "2", "3"]
    assert all(file.closed for _, file in opened)


def test_a_file_that_has_lost_a_byte_is_refused_at_once(tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, X)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"X\.npy: the file is cut, 1 bytes are missing at its end"):
        sc.blocks.from_arrays(path, Y)


def test_a_row_group_of_many_rows_and_columns_is_read_whole(tmp_path):
    x, path = RNG.standard_normal((9001, 40)).astype(np.float32), tmp_path / "rows.parquet"
    columns = {"y": np.arange(9001), **{f"x{j}": x[:, j] for j in range(40)}}
    write(path, columns, row_group_size=9001)
    ((inputs, targets),) = read(path, window=1)
    np.testing.assert_array_equal(inputs, x)
    np.testing.assert_array_equal(targets, np.arange(9001))


def test_a_file_of_objects_is_not_called_cut(tmp_path):
    path = tmp_path / "y.npy"
    np.save(path, np.array([1, 2, None] * 30, dtype=object))
    with pytest.raises(TypeError, match="y must be of real numbers, got dtype object"):
        sc.blocks.from_arrays(np.zeros((90, 2)), path)

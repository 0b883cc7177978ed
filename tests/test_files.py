"""Files are whole or as they were, and what is damaged is refused."""

import errno
import gzip
import io
import mmap
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest

from schuss._files import read_archive, read_tree, replacing, write_archive, write_tree, writing

TREE = {
    "none": None,
    "flags": [True, False],
    "integers": (0, -1, 2**63, -(2**80), 10**5000),
    "floats": [0.1, -0.0, 5e-324, float("inf"), float("nan"), 1.7976931348623157e308],
    "texts": ["", "ends in nothing\0", "\N{GREEK SMALL LETTER ALPHA}", "\ud800"],
    "empty": {"dict": {}, "list": [], "tuple": ()},
    "nested": {"a/b": {"c": np.arange(6.0).reshape(2, 3)}, "a": {"b/c": np.arange(2)}, "": {"": 1}, "..": 2},
    "keys": {1: "one", (2, "two"): [None, {"x": (np.ones(1, np.float16),)}]},
    "scalars": [np.float32(0.1), np.int8(-3), np.bool_(True)],
    "arrays": [
        np.array(2.5),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(10.0)[::3],
        np.empty((0, 3), np.complex64),
        np.array(["a", "long text"]),
        np.arange(3, dtype=">i4"),
        np.array([np.nan, -0.0, np.inf], np.float16),
    ],
}


def same(one, other):
    """Whether two trees are equal in every type and every bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray | np.generic):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    return repr(one) == repr(other) if isinstance(one, float) else one == other


class TestTrees:
    def test_they_come_back_exactly(self, tmp_path):
        write_tree(tmp_path / "tree", "any", TREE)
        assert same(read_tree(tmp_path / "tree", "any"), TREE)
        assert not same(read_tree(tmp_path / "tree", "any"), {**TREE, "none": 0.0})  # it can tell

    def test_the_same_content_is_the_same_file_in_a_stream_too(self, tmp_path):
        write_tree(tmp_path / "tree", "any", TREE)
        stream = io.BytesIO()
        write_tree(stream, "any", TREE)
        assert stream.getvalue() == (tmp_path / "tree").read_bytes()
        stream.seek(0)
        assert same(read_tree(stream, "any"), TREE)

    def test_streams_may_take_and_give_a_part_at_a_time(self):
        class Slow(io.RawIOBase):
            def __init__(self):
                self.content = io.BytesIO()
                self.seek, self.tell = self.content.seek, self.content.tell

            def readable(self):
                return True

            writable = seekable = readable

            def write(self, data):
                return self.content.write(bytes(data)[:1000])

            def readinto(self, target):
                return self.content.readinto(memoryview(target)[:3])

        whole, stream = io.BytesIO(), Slow()
        write_tree(whole, "any", TREE)
        write_tree(stream, "any", TREE)
        with writing(stream) as file:
            assert file.write(bytes(5000)) == 5000
        assert stream.content.getvalue() == whole.getvalue() + bytes(5000)
        stream.content.truncate(len(whole.getvalue()))
        stream.seek(0)
        assert same(read_tree(stream, "any"), TREE)

    def test_streams_that_cannot_go_back_are_written_to(self):
        class Writer:
            def __init__(self):
                self.content = b""

            def write(self, data):
                self.content += data

        content, writer = io.BytesIO(), Writer()
        with gzip.open(content, "wb") as stream:
            write_tree(stream, "any", TREE)
        write_tree(writer, "any", TREE)
        content.seek(0)
        with gzip.open(content) as stream:
            assert same(read_tree(stream, "any"), TREE)
        assert same(read_tree(io.BytesIO(writer.content), "any"), TREE)

    def test_streams_that_do_not_say_whether_they_seek_are_read_where_they_can(self, tmp_path):
        class Reader:
            def read(self, size=-1):
                return b""

        write_tree(tmp_path / "tree", "any", TREE)
        with (
            open(tmp_path / "tree", "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        ):
            assert same(read_tree(mapped, "any"), TREE)
        with pytest.raises(TypeError, match="file must be a path or a binary file that can seek, got <"):
            read_tree(Reader(), "any")

    def test_numpy_alone_reads_it(self, tmp_path):
        write_tree(tmp_path / "tree", "any", {"lr": 0.1, "groups": [{"betas": (0.9, 0.99)}], "m": np.ones(2)})
        with np.load(tmp_path / "tree") as file:
            assert {name: file[name].tolist() for name in file.files if not name.startswith("schuss/")} == {
                "lr": 0.1,
                "groups/0/betas": [0.9, 0.99],
                "m": [1, 1],
            }

    def test_what_cannot_be_kept_is_named_and_nothing_is_written(self, tmp_path):
        path, loop = tmp_path / "tree", []
        loop.append(loop)
        for value, error, words in [
            (lambda lr: lr, TypeError, "part/f must be an array, a number, .*got <function"),
            (b"bytes", TypeError, "part/f must be"),
            (np.array([None]), TypeError, "part/f must be an array of numbers or text, got dtype object"),
            (np.ma.array([1], mask=[True]), TypeError, "part/f must be an array without a mask"),
            (np.datetime64("2020-01-01"), TypeError, "part/f must be a number or text"),
            (loop, ValueError, "nested at most 50 deep"),
        ]:
            with pytest.raises(error, match=words):
                write_tree(path, "any", {"part": {"f": value}})
        assert not list(tmp_path.iterdir())


class TestRefusal:
    def test_other_files_and_kinds_are_named(self, tmp_path):
        path = tmp_path / "file"
        write_archive(path, "optimizer", {"a": np.ones(2)})
        with pytest.raises(ValueError, match="file is a file of the kind 'optimizer', and 'network'"):
            read_archive(path, "network")
        for content in (b"", b"hello", np.ones(3).tobytes()):
            path.write_bytes(content)
            with pytest.raises(ValueError, match="file is no file of schuss"):
                read_archive(path, "optimizer")
        np.savez(tmp_path / "other.npz", a=np.ones(2))
        with pytest.raises(ValueError, match=r"other\.npz is no file of schuss"):
            read_archive(tmp_path / "other.npz", "optimizer")
        assert list(read_archive(tmp_path / "other.npz", "optimizer", unmarked=True)) == ["a"]

    def test_the_version_is_of_one_size_and_read_in_any(self, tmp_path, monkeypatch):
        write_archive(tmp_path / "file", "optimizer", {"a": np.ones(2)})
        with np.load(tmp_path / "file") as members:
            assert members["schuss/version"].dtype == np.int64
        # As where NumPy's own integers are of 32 bits.
        monkeypatch.setattr("schuss._files._archive.np.int64", np.int32)
        write_archive(tmp_path / "other", "optimizer", {"a": np.ones(2)})
        monkeypatch.undo()
        assert (tmp_path / "other").read_bytes() != (tmp_path / "file").read_bytes()
        np.testing.assert_array_equal(read_archive(tmp_path / "other", "optimizer")["a"], np.ones(2))

    def test_a_newer_version_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setattr("schuss._files._archive.VERSION", 2)
        write_archive(tmp_path / "file", "optimizer", {"a": np.ones(2)})
        monkeypatch.undo()
        with pytest.raises(ValueError, match="file was written by a newer schuss"):
            read_archive(tmp_path / "file", "optimizer")

    @pytest.mark.parametrize("version", [0, -1, "1", 1.0])
    def test_there_are_versions_from_1_on(self, tmp_path, monkeypatch, version):
        monkeypatch.setattr("schuss._files._archive.np.int64", None)
        monkeypatch.setattr("schuss._files._archive.VERSION", version)
        write_archive(tmp_path / "file", "optimizer", {"a": np.ones(2)})
        monkeypatch.undo()
        with pytest.raises(ValueError, match=f"file is damaged: there is no version {version!r} of"):
            read_archive(tmp_path / "file", "optimizer")

    @pytest.mark.parametrize("path", ["a\0b", b"a\0b", "\ud800"])
    def test_what_no_file_can_be_called_is_no_path(self, path):
        for use in (lambda: read_archive(path, "any"), lambda: write_archive(path, "any", {})):
            with pytest.raises(ValueError, match="file must be a path of characters that names of files may"):
                use()

    def test_a_name_in_bytes_promises_another_kind_of_file_too(self, tmp_path):
        with pytest.raises(ValueError, match=r"file must not end in \.onnx"):
            write_archive(os.fsencode(tmp_path / "file.onnx"), "any", {})
        assert list(tmp_path.iterdir()) == []

    def test_what_the_system_refuses_stays_its_own(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="missing"):
            read_archive(tmp_path / "missing", "any")
        with pytest.raises(FileNotFoundError, match=r"'[^']*missing/file'"):
            write_archive(tmp_path / "missing" / "file", "any", {})
        for use in (lambda path: read_archive(path, "any"), lambda path: write_archive(path, "any", {})):
            with pytest.raises(IsADirectoryError):
                use(tmp_path)
            with pytest.raises(TypeError, match="file must be a path or a binary file, got 3"):
                use(3)
            with pytest.raises(TypeError, match="file must be a path or a binary file"):
                use(io.StringIO())

    def test_a_header_cannot_ask_for_memory(self, tmp_path):
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }\n"
        member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        with zipfile.ZipFile(tmp_path / "file", "w") as archive:
            archive.writestr("a.npy", member)
        with pytest.raises(ValueError, match="damaged: 'a': 0 bytes are not an array of shape"):
            read_archive(tmp_path / "file", "any", unmarked=True)

    def test_what_was_joined_or_changed_by_others_is_refused(self, tmp_path):
        path = tmp_path / "file"
        write_archive(path, "any", {"a": np.ones(2), "b": np.zeros(2)})
        content = path.read_bytes()
        path.write_bytes(content + content)
        with pytest.raises(
            ValueError, match="file is damaged, or more than one archive: there is something in"
        ):
            read_archive(path, "any")
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(path, "w") as new:
            parts = {name: old.read(name) for name in old.namelist()}
            for name, other in zip(sorted(parts), ["b.npy", "a.npy", *sorted(parts)[2:]], strict=True):
                new.writestr(name, parts[other])
        with pytest.raises(ValueError, match="checksum"):
            read_archive(path, "any")

    def test_2000_flips_and_truncations_are_refused_or_make_no_difference(self):
        stream = io.BytesIO()
        write_tree(stream, "any", TREE)
        content, rng, refused, same_content = stream.getvalue(), random.Random(0), 0, 0
        for number in range(2000):
            damaged = bytearray(content)
            if number % 4:
                damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            else:
                del damaged[rng.randrange(len(damaged)) :]
            try:
                assert same(read_tree(io.BytesIO(damaged), "any"), TREE)
            except ValueError as error:
                refused += str(error).startswith("file ")
            else:
                same_content += 1
        assert refused + same_content == 2000
        assert refused > 1500


class TestReplacing:
    def test_permissions_and_links_stay(self, tmp_path):
        path, link = tmp_path / "file", tmp_path / "link"
        path.write_bytes(b"old")
        path.chmod(0o640)
        link.symlink_to("file")
        with replacing(link) as stream:
            stream.write(b"new")
            assert path.read_bytes() == b"old"
        assert link.is_symlink()
        assert path.read_bytes() == b"new"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert sorted(tmp_path.iterdir()) == [path, link]

    def test_a_new_file_has_the_permissions_of_any_new_file(self, tmp_path):
        with replacing(tmp_path / "one"):
            pass
        (tmp_path / "other").touch()
        assert (tmp_path / "one").stat().st_mode == (tmp_path / "other").stat().st_mode

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
    def test_a_file_that_may_not_be_written_is_not_replaced(self, tmp_path):
        (tmp_path / "file").touch(0o400)
        with pytest.raises(PermissionError, match="file"), replacing(tmp_path / "file"):
            pass

    def test_a_device_is_not_replaced(self):
        with replacing(os.devnull) as stream:
            stream.write(b"gone")
        assert not stat.S_ISREG(os.stat(os.devnull).st_mode)

    @pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError("no")])
    def test_an_exception_leaves_the_old_file_alone(self, tmp_path, error):
        path = tmp_path / "file"
        path.write_bytes(b"old")

        def write():
            with replacing(path) as stream:
                stream.write(b"new")
                raise error

        with pytest.raises(type(error), match="file" if isinstance(error, OSError) else None):
            write()
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]

    def test_what_a_killed_process_has_left_is_cleared_away_but_not_what_is_being_written(self, tmp_path):
        path = tmp_path / "file"
        code = (
            "import os, sys; from schuss._files import replacing\n"
            "with replacing(sys.argv[1]): os.kill(os.getpid(), 9)"
        )
        subprocess.run([sys.executable, "-c", code, path], check=False)
        assert [left.name for left in tmp_path.iterdir()] == [".file.0.schuss-tmp"]
        with replacing(path) as one:
            one.write(b"first")
            with replacing(path) as other:
                other.write(b"second")
            assert path.read_bytes() == b"second"
        assert path.read_bytes() == b"first"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_long_name_has_a_temporary_file_too(self, tmp_path):
        path = tmp_path / ("\N{GREEK SMALL LETTER ALPHA}" * 127)
        with replacing(path) as stream:
            stream.write(b"new")
        assert path.read_bytes() == b"new"

    def test_threads_that_write_the_same_file_leave_one_of_their_files(self, tmp_path):
        path = tmp_path / "file"

        def write(letter):
            for _ in range(50):
                with replacing(path) as stream:
                    stream.write(letter * 5000)
                    stream.write(letter * 5000)
                assert path.read_bytes() in [other * 10000 for other in (b"a", b"b", b"c")]

        threads = [threading.Thread(target=write, args=[letter]) for letter in (b"a", b"b", b"c")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(path.read_bytes()) == 10000
        assert list(tmp_path.iterdir()) == [path]

    def test_a_full_disk_leaves_the_old_file_alone(self, tmp_path):
        """The limit of a process on the size of its files is as good as a full disk."""
        path = tmp_path / "file"
        write_archive(path, "any", {"a": np.ones(10)})
        old = path.read_bytes()
        code = (
            "import sys, signal, resource, numpy as np; from schuss._files import write_archive\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "for size in range(0, 200_000, 5_000):\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))\n"
            "    try: write_archive(sys.argv[1], 'any', {str(i): np.zeros(2500) for i in range(10)})\n"
            "    except OSError as error: assert (error.errno, error.filename) == (27, sys.argv[1]), error\n"
            "    else: sys.exit('written')\n"
        )
        run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
        assert (run.returncode, run.stderr) == (0, "")
        assert path.read_bytes() == old
        assert list(tmp_path.iterdir()) == [path]

    def test_a_kill_at_any_moment_leaves_a_whole_file(self, tmp_path):
        """A process writes 0, 1, 2, ... until it is killed: what is there is the last or the next one."""
        path, rng, seen = tmp_path / "file", random.Random(0), set()
        code = (
            "import sys, numpy as np; from schuss._files import write_archive\n"
            "for number in range(10**6):\n"
            "    arrays = {'a': np.full(100_000, number), 'b': np.full(9, number)}\n"
            "    write_archive(sys.argv[1], 'any', arrays)\n"
            "    print(number, flush=True)\n"
        )
        for _ in range(12):
            process = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            lines = process.communicate()[0].split(b"\n")[:-1]  # a part of a line does not count
            last = int(lines[-1]) if lines else 0
            arrays = read_archive(path, "any")
            number = arrays["b"][0]
            assert last <= number <= last + 1
            assert (arrays["a"] == number).all()
            seen.add(number)
            assert len(list(tmp_path.iterdir())) <= 2
        assert len(seen) > 1

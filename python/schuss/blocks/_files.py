"""Files by name: where they are, what is wrong with them, and what tells them from others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO

from .._checks import check_sequence, shown
from .._files import path_of

# Of a file's bytes: pieces that are looked at, and how long they are.
SAMPLES, SAMPLE = 8, 4096


def files_of(name: str, given: Any, suffix: str) -> list[str]:
    """The paths of files: one, several, or all with a suffix in a folder and below it, sorted."""
    expected = "a path or a sequence of paths"
    paths = [given] if isinstance(given, str | os.PathLike) else check_sequence(name, given, expected)
    files: list[str] = []
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"{name} must be {expected}, got {shown(path)} among them")
        files += _below(name, path, suffix) if os.path.isdir(path) else [os.fsdecode(path_of(path, name))]
    if not files:
        raise ValueError(f"{name} must be at least one path, got none")
    return files


def _below(name: str, folder: Any, suffix: str) -> list[str]:
    top = Path(os.fsdecode(folder))
    found = [path for path in sorted(_inside(top)) if fnmatch(path.name, f"*{suffix}") and path.is_file()]
    if not found:
        raise FileNotFoundError(f"{name} must have files *{suffix} in it where it is a folder, got {top}")
    return [str(path) for path in found]


def _inside(folder: Path, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """What is in a folder and below it, in linked folders too, but for those that it lies in itself."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for path in folder.iterdir():
        if path.name[0] in "._":  # notes of the programs that write such folders
            continue
        if path.is_dir():
            yield from _inside(path, (*above, real))
        else:
            yield path


@contextmanager
def named(path: str, what: str) -> Iterator[None]:
    """Have what is wrong with a file say which file it is."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: the file is missing") from error
    except PermissionError as error:
        raise PermissionError(f"{path}: the file may not be read: {brief(error)}") from error
    except MemoryError:
        raise
    except Exception as error:
        if (
            isinstance(error, OSError) and error.errno is not None
        ):  # of the system, and not of pyarrow's reading
            raise OSError(error.errno, f"{path}: {what} cannot be read: {brief(error)}") from error
        raise ValueError(f"{path}: {what} cannot be read, the file is damaged: {brief(error)}") from error


class Traces:
    """What tells a file from one that takes its place: when and where it was written, and some of its bytes.

    The same bytes may be there anew, be it from a copy, and another process may find them elsewhere.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with named(path, "it"), open(path, "rb") as file:
            # In this order: what is written meanwhile has another stamp the next time.
            self._stamp, self._bytes = stamp_of(file.fileno()), _sample(file)

    def change_in(self, file: BinaryIO) -> str:
        """What is wrong with what is open now in its place, in words; empty where it has the same bytes."""
        stamp = stamp_of(file.fileno())
        if stamp == self._stamp:
            return ""
        now = _sample(file)
        if now == self._bytes:
            self._stamp = stamp
            return ""
        (then, _), (length, _) = self._bytes, now
        what = "others" if length == then else f"{length} of them"
        return f"the file has changed: it had {then} bytes, and has {what}"


def stamp_of(file: str | int) -> tuple[int, ...]:
    """What is another one when a file, by its path or descriptor, has been written again."""
    state = os.stat(file)
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _sample(file: BinaryIO) -> tuple[int, bytes]:
    """How long a file is, and a digest of pieces that are spread over it."""
    length = file.seek(0, os.SEEK_END)
    pieces = hashlib.sha256()
    for number in range(SAMPLES):
        file.seek(max(length - SAMPLE, 0) * number // (SAMPLES - 1))
        pieces.update(file.read(SAMPLE))
    return length, pieces.digest()


def brief(error: BaseException) -> str:
    """The first words of an error, on one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:197]}..."


def digest(*parts: Any) -> str:
    """A short name of things that are written alike where they are alike."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

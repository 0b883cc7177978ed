"""Arrays by name in an ``.npz`` file with a kind, a version and a checksum.

`numpy.load` reads it, without pickle. Three members more make it ours: ``schuss/kind`` says what it is,
``schuss/version`` in which version of the format, and ``schuss/checksum`` is the SHA-256 of all others.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from gzip import GzipFile
from typing import IO, Any, cast
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from . import _npy
from ._replacing import File, describe, reading, writing

VERSION = 1

_OURS = "schuss/"
_KIND, _VERSION, _CHECKSUM = (f"{_OURS}{name}" for name in ("kind", "version", "checksum"))
_SUFFIX = ".npy"
# Who writes the files that these endings promise.
_OTHERS = {".onnx": "to_onnx", ".safetensors": "save_safetensors"}


def write_archive(file: File, kind: str, arrays: Mapping[str, Any]) -> None:
    """Write arrays of numbers or text by their names; a file of that path is replaced at once."""
    _check_ending(file)
    members = {name: _plain(name, array) for name, array in arrays.items()}
    if taken := [name for name in (_KIND, _VERSION, _CHECKSUM) if name in members]:
        raise ValueError(f"names must be others than {taken[0]!r}, which the file itself has")
    # Of one size on every system: the checksum is of it, too.
    members |= {_KIND: np.array(kind), _VERSION: np.array(VERSION, np.int64)}
    members[_CHECKSUM] = np.array(checksum(members))
    with writing(file) as stream, ZipFile(_goes_on(stream), "w", ZIP_STORED) as archive:
        for name in sorted(members):
            # Without a date: the same content is the same file.
            info = ZipInfo(name + _SUFFIX)
            info.external_attr = 0o600 << 16
            with archive.open(info, "w", force_zip64=True) as member:
                _npy.write(member, members[name])


def read_archive(file: File, kind: str, *, unmarked: bool = False) -> dict[str, NDArray[Any]]:
    """Read what `write_archive` has written.

    Parameters
    ----------
    file : str, path or binary file
        A stream is read from its position.
    kind : str
        What it must be.
    unmarked : bool
        Whether an ``.npz`` file without kind, version and checksum is accepted too.

    Raises
    ------
    ValueError
        If it is another file, of another kind, written by a newer version, or damaged.
    """
    name = describe(file)
    with reading(file) as stream:
        start = stream.tell()
        beginning = stream.read(4)
        stream.seek(start)
        if beginning != b"PK\x03\x04":
            raise ValueError(f"{name} is no file of schuss: a file of the kind {kind!r} is needed")
        with _naming_damage(name):
            members = _members(stream, start)
    if members is None:
        raise ValueError(
            f"{name} is damaged, or more than one archive: there is something in front of the one at its end"
        )
    whole = {name: array for name, array in members.items() if name != _CHECKSUM}
    marks = {mark: members.pop(mark, None) for mark in (_KIND, _VERSION, _CHECKSUM)}
    if all(mark is None for mark in marks.values()):
        if unmarked:
            return members
        raise ValueError(f"{name} is no file of schuss: a file of the kind {kind!r} is needed")
    if any(mark is None or mark.ndim for mark in marks.values()):
        raise ValueError(f"{name} is damaged: it does not say what it is")
    found, version, noted = (mark.item() for mark in marks.values() if mark is not None)
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"{name} is damaged: there is no version {version!r} of the format")
    if version > VERSION:
        raise ValueError(f"{name} was written by a newer schuss, in version {version!r} of the format")
    if noted != checksum(whole):
        raise ValueError(f"{name} is damaged: its checksum is not that of its content")
    if found != kind:
        raise ValueError(f"{name} is a file of the kind {found!r}, and {kind!r} is needed")
    return members


def _check_ending(file: File) -> None:
    """Refuse a path that says that something else is in the file."""
    is_path = isinstance(file, str | bytes | os.PathLike)
    ending = os.path.splitext(describe(file))[1].lower() if is_path else ""
    if ending in _OTHERS:
        raise ValueError(
            f"file must not end in {ending}, since it becomes a .npz file; "
            f"schuss.exchange.{_OTHERS[ending]} writes that kind, got {describe(file)}"
        )


def _goes_on(stream: Any) -> IO[bytes]:
    """What an archive can be written to; it seeks back to note the length of a member, where it can."""
    # A file of gzip says that it can.
    if isinstance(stream, GzipFile) or not hasattr(stream, "tell"):
        return cast("IO[bytes]", _Onwards(stream))
    archive: IO[bytes] = stream
    return archive


class _Onwards:
    """A stream that is only written to, whose `write` need return nothing."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._write, self.flush = stream.write, getattr(stream, "flush", _nothing)

    def write(self, data: bytes) -> int:
        self._write(data)
        return len(data)


def _nothing() -> None:
    pass


def _plain(name: str, array: Any) -> NDArray[Any]:
    """An array as it may be in a file."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} must be an array without a mask, got a masked array")
    plain = np.asarray(array, order="C")
    if plain.dtype.kind not in _npy.KINDS or not plain.dtype.itemsize:
        raise TypeError(f"{name} must be an array of numbers or text, got dtype {plain.dtype}")
    return plain


def checksum(members: Mapping[str, NDArray[Any]]) -> str:
    """The SHA-256 of names, dtypes, shapes and numbers, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(members):
        array = np.asarray(members[name], order="C")
        digest.update(json.dumps([name, array.dtype.str, list(array.shape)]).encode() + b"\n")
        if array.size:
            digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _members(stream: IO[bytes], start: int) -> dict[str, NDArray[Any]] | None:
    """All arrays of an archive that begins where the stream is; None where it begins elsewhere."""
    stream.seek(0, os.SEEK_END)
    end = stream.tell()
    members: dict[str, NDArray[Any]] = {}
    with ZipFile(stream) as archive:
        infos = archive.infolist()
        if min((info.header_offset for info in infos), default=start) != start:
            return None
        if sum(info.file_size for info in infos) > end - start:
            raise ValueError("its parts are larger than it is itself")
        for info in infos:
            if info.compress_type != ZIP_STORED or info.file_size != info.compress_size:
                raise ValueError(f"{info.filename!r} is compressed")
            name = info.filename.removesuffix(_SUFFIX)
            if name in members:
                raise ValueError(f"{name!r} is in it twice")
            try:
                with archive.open(info) as member:
                    members[name] = _npy.read(member, info.file_size)
            except ValueError as error:
                raise ValueError(f"{name!r}: {error}") from error
    return members


@contextmanager
def _naming_damage(name: str) -> Iterator[None]:
    """Whatever a reader stumbles over becomes one kind of error; what the system refuses stays its own."""
    try:
        yield
    except MemoryError:
        raise
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the file's start, for instance
            raise
        raise ValueError(f"{name} is damaged: {error}") from error
    except Exception as error:
        raise ValueError(f"{name} is damaged: {error or type(error).__name__}") from error

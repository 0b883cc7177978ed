"""Writing that replaces a file at once: a crash or a full disk leaves the old file or the new one."""

from __future__ import annotations

import errno
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from os import PathLike
from typing import IO, Any, TypeAlias

from .._checks import shown

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

File: TypeAlias = str | PathLike[str] | IO[bytes]
Path: TypeAlias = str | bytes | PathLike[str]

# Where nobody can remove or rename a file that is open: there is no need of locks.
_WINDOWS = os.name == "nt"
# Not every file system can be asked to write through.
_CANNOT_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM}


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A binary stream whose content becomes the file when the block ends, and not before.

    It is a temporary file in the same folder, ``.<name>.<number>.schuss-tmp``: written through to the disk,
    then renamed. Where the block raises, it is removed and the file is as it was. What a killed process has
    left is removed by the next one that writes the same file; a lock tells it from what another process is
    writing. A symbolic link stays one, and a file that is replaced hands on its permissions.
    """
    target = os.path.realpath(os.fsdecode(path_of(path)))
    old = _status(target)
    if old is not None and stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if old is not None and not stat.S_ISREG(old.st_mode):  # a device or a pipe has no content to lose
        with _naming(path), open(target, "wb") as device:
            yield device
        return
    if old is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
    with _naming(path), _renamed(target, old) as stream:
        yield stream
    _sync_folder(os.path.dirname(target))


@contextmanager
def _renamed(target: str, old: os.stat_result | None) -> Iterator[IO[bytes]]:
    """A temporary file that gets the target's name at the end, or is removed."""
    descriptor, temporary = _temporary(target, 0o666 if old is None else stat.S_IMODE(old.st_mode))
    stream: IO[bytes] = os.fdopen(descriptor, "w+b")
    try:
        yield stream
        if old is not None:
            _hand_on(old, stream.fileno())
        stream.flush()
        _sync(stream.fileno())
        if _WINDOWS:
            stream.close()
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            stream.close()
        with suppress(OSError):
            os.unlink(temporary)
        raise
    # The lock ends here, when the temporary name is gone.
    stream.close()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """What the system refuses names the file that the caller knows, and not the temporary one or none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


@contextmanager
def writing(file: File) -> Iterator[IO[bytes]]:
    """`replacing` where `file` is a path; a stream is taken as it is."""
    if isinstance(file, str | bytes | PathLike):
        with replacing(file) as stream:
            yield stream
    elif isinstance(file, io.RawIOBase):  # it may take a part of what it is given
        buffered = io.BufferedWriter(file)
        try:
            yield buffered
        finally:
            buffered.detach()
    else:
        yield _stream(file, "write")


@contextmanager
def reading(file: File) -> Iterator[IO[bytes]]:
    """The opened file where `file` is a path; a stream is taken as it is, and must be able to seek."""
    if isinstance(file, str | bytes | PathLike):
        with _naming(file), open(path_of(file), "rb") as opened:
            yield opened
    else:
        stream = _stream(file, "read")
        if not hasattr(file, "seekable") and hasattr(file, "seek"):
            # As of older versions of Python memory that is mapped, and files that are spooled.
            yield io.BytesIO(stream.read())
            return
        if not hasattr(file, "seekable") or not stream.seekable():
            raise TypeError(f"file must be a path or a binary file that can seek, got {shown(file)}")
        if not isinstance(file, io.RawIOBase):
            yield stream
            return
        buffered = io.BufferedReader(file)  # it may give less than it is asked for
        try:
            yield buffered
        finally:
            buffered.detach()


def describe(file: File) -> str:
    """How messages call a file."""
    if isinstance(file, str | bytes | PathLike):
        return os.fsdecode(os.fspath(file))
    name = getattr(file, "name", None)
    return name if isinstance(name, str) and name else "file"


def path_of(path: Path, name: str = "file") -> str | bytes:
    """A path that the system can be asked for; `name` is what an error calls it."""
    given: str | bytes = os.fspath(path)
    try:
        if b"\0" not in os.fsencode(given):
            return given
    except UnicodeEncodeError:
        pass
    accepted = "a path of characters that names of files may have"
    raise ValueError(f"{name} must be {accepted}, got {shown(given)}")


def _stream(file: Any, method: str) -> IO[bytes]:
    if isinstance(file, io.TextIOBase) or not hasattr(file, method):
        raise TypeError(f"file must be a path or a binary file, got {shown(file)}")
    stream: IO[bytes] = file
    return stream


def _temporary(target: str, mode: int) -> tuple[int, str]:
    """A new file that is locked, beside the target."""
    folder, name = os.path.split(target)
    if len(os.fsencode(name)) > 200:  # there is a limit to names
        name = f"{name[:40]}-{zlib.crc32(os.fsencode(name)):08x}"
    # Only whoever holds the lock of such a file removes or renames it.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    for number in count():
        temporary = os.path.join(folder, f".{name}.{number}.schuss-tmp")
        _remove_if_left(temporary)
        try:
            descriptor = os.open(temporary, flags, mode)
        except FileExistsError:
            continue
        if not _lock(descriptor, wait=True) or _is_at(descriptor, temporary):
            return descriptor, temporary
        os.close(descriptor)
    raise AssertionError("numbers do not end")


def _remove_if_left(temporary: str) -> None:
    """Remove a temporary file that nobody is writing any more."""
    if _WINDOWS:
        with suppress(OSError):
            os.unlink(temporary)
        return
    try:
        descriptor = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    try:
        if _lock(descriptor, wait=False) and _is_at(descriptor, temporary):
            with suppress(OSError):
                os.unlink(temporary)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    """Whether the lock could be had; it ends with the descriptor, also where the process is killed."""
    with suppress(AttributeError, OSError):  # no locks here, or another one has it
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return True
    return False


def _is_at(descriptor: int, path: str) -> bool:
    there = _status(path, follow=False)
    return there is not None and os.path.samestat(there, os.fstat(descriptor))


def _status(path: str, follow: bool = True) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=follow)
    except FileNotFoundError:
        return None


def _hand_on(old: os.stat_result, descriptor: int) -> None:
    """Give a new file the owner and the permissions of the old one, as far as one may."""
    if _WINDOWS:
        return
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(OSError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    with suppress(OSError):
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def _sync_folder(folder: str) -> None:
    """Write through the new name; where that cannot be done, the file is whole all the same."""
    if _WINDOWS:
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""One array as NumPy's own ``.npy`` format has it, read with suspicion."""

from __future__ import annotations

import re
import struct
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

# Numbers and text: nothing that would need pickle, nothing without a fixed size.
KINDS = "biufcSU"

_MAGIC = b"\x93NUMPY"
# What NumPy writes, letter by letter; Python is not asked to evaluate what stands in a file.
_HEADER = re.compile(
    r"\{'descr': '([<>|][" + KINDS + r"]\d{1,12})', 'fortran_order': (True|False), "
    r"'shape': \((|\d{1,19},|\d{1,19}(?:, \d{1,19})+)\), \} *\n"
)
_CHUNK = 2**20


def write(stream: IO[bytes], array: NDArray[Any]) -> None:
    """Write an array with its header."""
    np.lib.format.write_array(stream, array, allow_pickle=False)


def read(stream: IO[bytes], size: int) -> NDArray[Any]:
    """Read an array from a stream of `size` bytes; nothing is allocated that those cannot fill."""
    start = _exactly(stream, 8)
    if start[:6] != _MAGIC or start[6] not in (1, 2):
        raise ValueError("there is no array")
    width = 2 if start[6] == 1 else 4
    (length,) = struct.unpack("<H" if width == 2 else "<I", _exactly(stream, width))
    size -= 8 + width + length
    if size < 0:
        raise ValueError("the header is longer than the file")
    header = _HEADER.fullmatch(_exactly(stream, length).decode("latin1"))
    if header is None:
        raise ValueError("the header is not that of an array of numbers")
    dtype = np.dtype(header[1])
    shape = tuple(int(length) for length in header[3].split(",") if length)
    if not dtype.itemsize or prod(shape) * dtype.itemsize != size:
        raise ValueError(f"{size} bytes are not an array of shape {shape} and dtype {dtype}")
    array = np.empty(shape[::-1] if header[2] == "True" else shape, dtype)
    if size:
        _fill(stream, array.reshape(-1).view(np.uint8).data)
    return array.T if header[2] == "True" else array


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError("it ends too early")
    return data


def _fill(stream: IO[bytes], target: memoryview) -> None:
    for start in range(0, len(target), _CHUNK):
        part = target[start : start + _CHUNK]
        part[:] = _exactly(stream, len(part))

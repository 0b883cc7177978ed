"""Rows in every form that data comes in, and which of them mean the same."""

import sys

import numpy as np

from .values import SCALARS, pandas

try:
    import scipy.sparse as sparse
except ImportError:
    sparse = None
try:
    import polars
except ImportError:
    polars = None


class Like:
    """Any object that NumPy can make an array of."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array if dtype is None else self.array.astype(dtype)


class Own(np.ndarray):
    """A subclass without a meaning of its own."""


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def spread(array):
    return np.repeat(array, 2, axis=0)[::2]


def changed(array, value, dtype=None):
    array = array.astype(dtype or array.dtype)
    array[(1,) + (0,) * (array.ndim - 1)] = value
    return array


LITTLE = sys.byteorder == "little"
# The same numbers in another form: the result must be the same to the last bit.
SAME = {
    "a list": lambda a: a.tolist(),
    "a tuple": lambda a: tuple(map(tuple, a.tolist())) if a.ndim > 1 else tuple(a.tolist()),
    "in Fortran order": np.asfortranarray,
    "strided": spread,
    "reversed": lambda a: a[::-1].copy()[::-1],
    "in this byte order, by name": lambda a: a.view(a.dtype.newbyteorder("<" if LITTLE else ">")),
    "in the other byte order": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "float64": lambda a: a.astype(np.float64),
    "float32": lambda a: a.astype(np.float32),
    "float16": lambda a: a.astype(np.float16),
    "long double": lambda a: a.astype(np.longdouble),
    "read-only": read_only,
    "a subclass": lambda a: a.view(Own),
    "array-like": Like,
    "masked nowhere": lambda a: np.ma.masked_array(a, False),
    "a memoryview": lambda a: memoryview(np.ascontiguousarray(a)),
}
FRAMES, BAD_FRAMES = {}, {}
if pandas is not None:

    def frame(a):
        if a.ndim == 1:
            return pandas.Series(a)
        return pandas.DataFrame({f"c{i}": a[:, i] for i in range(a.shape[1])})

    FRAMES = {
        "a frame": frame,
        "a nullable frame": lambda a: frame(a.astype(float)).astype("Float64"),
    }
    try:
        import pyarrow

        FRAMES[f"a frame of pyarrow {pyarrow.__name__}"] = lambda a: frame(a.astype(float)).astype(
            "double[pyarrow]"
        )
    except ImportError:
        pass
    BAD_FRAMES = {
        "a frame of text": lambda a: frame(a.astype(str)),
        "a frame of dates": lambda a: frame(a.astype("M8[s]").astype("M8[ns]")),
        "a frame of categories": lambda a: frame(np.where(a > 0, "a", "b")).astype("category"),
        "a frame of periods": lambda a: pandas.Series(pandas.period_range("2020", periods=len(a))),
    }
if polars is not None:
    FRAMES["a polars frame"] = lambda a: polars.DataFrame(a) if a.ndim > 1 else polars.Series(a)

# Legal for some purposes: NaN may be predicted, and shows in a training.
DOUBTFUL = {
    "NaN": lambda a: changed(a, np.nan, np.float64),
    "infinite": lambda a: changed(a, np.inf, np.float64),
    "an array of Python's numbers": lambda a: a.astype(object),
    "of booleans": lambda a: a > 0,
    "of int64": lambda a: a.astype(np.int64),
    "of uint8": lambda a: np.abs(a).astype(np.uint8),
    "huge": lambda a: changed(a, 1e38, np.float64),
    "tiny": lambda a: changed(a, 1e-320, np.float64),
}
WRONG = {
    "of text": lambda a: a.astype(str),
    "of bytes": lambda a: a.astype("S8"),
    "of objects": lambda a: changed(a, None, object),
    "of lists": lambda a: (
        changed(a.astype(object), [1], object) if a.ndim == 1 else np.array([[[1]] * 3] * 4, object)
    ),
    "complex": lambda a: a + 1j,
    "of dates": lambda a: a.astype("M8[s]"),
    "of durations": lambda a: a.astype("m8[s]"),
    "of records": lambda a: np.zeros(a.shape, [("a", "f4")]),
    "masked": lambda a: np.ma.masked_array(a, a == a.flat[0]),
    "masked everywhere": lambda a: np.ma.masked_array(a, True),
    "ragged": lambda a: [[1.0, 2.0], [3.0]] * (len(a) // 2),
    "a dict": lambda a: dict(enumerate(a.tolist())),
    "a generator": lambda a: (row for row in a),
    "a map": lambda a: map(float, a.ravel()),
    "of four dimensions": lambda a: a.reshape(*a.shape, *[1] * (4 - a.ndim)),
    "without rows": lambda a: a[:0],
    "beyond float32": lambda a: changed(a, 1e300, np.float64),
}


def forms(sound, *, also=None, wrong=(), doubtful=()):
    """Values and what is known of them: for an array of one or two dimensions."""
    values, known = dict(SCALARS), {}

    def add(table, legal):
        for kind, make in table.items():
            values[f"data {kind}"] = lambda make=make: make(sound.copy())
            known[f"data {kind}"] = legal

    add({"as it is": lambda a: a, **SAME, **FRAMES}, True)
    add(DOUBTFUL, None)
    add({**WRONG, **BAD_FRAMES}, False)
    add(also or {}, True)
    add(dict(wrong), False)
    add(dict(doubtful), None)
    return values, known


def sparse_forms():
    """Sparse matrices: sound ones, and others."""
    if sparse is None:
        return {}, {}
    sound = {
        f"{name} matrix": getattr(sparse, f"{name}_matrix")
        for name in ("csr", "csc", "coo", "bsr", "dok", "lil")
    }
    sound |= {"csr array": sparse.csr_array, "csr of int64 indices": _long_indices}
    wrong = {
        "sparse and complex": lambda a: sparse.csr_matrix(a + 1j),
        "sparse and broken": _broken,
        "sparse of other columns": lambda a: sparse.csr_matrix(a[:, :-1]),
    }
    return sound, wrong


def _long_indices(a):
    matrix = sparse.csr_matrix(a)
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    return matrix


def _broken(a):
    matrix = sparse.csr_matrix(a)
    matrix.indices[0] = 99
    return matrix

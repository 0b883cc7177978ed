"""Values of every kind that comes to an argument, right or wrong; each is made anew for each cell."""

import datetime
import decimal
import enum
import fractions
import pathlib

import numpy as np

try:
    import pandas
except ImportError:
    pandas = None


class Colour(enum.Enum):
    RED = 1


class Opaque:
    """What has no use here."""

    def __repr__(self):
        return "Opaque()"


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no text")


class Truthless:
    """As arrays are: neither true nor false, and equal to nothing in particular."""

    def __bool__(self):
        raise ValueError("neither")

    def __eq__(self, other):
        return np.array([True, False])

    __hash__ = None


class Index:
    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


def inside_itself():
    own = []
    own.append(own)
    return own


def nested(depth):
    own = []
    for _ in range(depth):
        own = [own]
    return own


def masked_scalar():
    return np.ma.masked_array(0.5, True)


def _constants():
    """Those that nothing can change."""
    numbers = [0, 1, -1, 2, 3, 5, 2.9, 3.0, 0.5, 0.25, 0.0, -0.0, -0.5, 1e-320, 1e-9, 1e308, -1e308]
    numbers += [float("inf"), float("-inf"), float("nan"), 2**31, 2**32, 2**40, 2**62, 2**63 - 1, 2**63]
    numbers += [2**64 - 1, 2**64, 2**65 + 3, -(2**31), -(2**63), -(2**64), 10**400, -(10**400), 10**5000]
    switches = [None, True, False, np.True_, np.False_]
    scalars = [np.int8(3), np.int64(2), np.int64(-3), np.uint8(4), np.uint64(2**64 - 1), np.float16(0.5)]
    scalars += [np.float32(0.5), np.float64(0.5), np.float64("nan"), np.float32("inf"), np.longdouble(0.5)]
    odd = [
        1j,
        0.5 + 0j,
        np.complex64(0.5),
        "x",
        "",
        "0.5",
        "3",
        "adam",
        "mse",
        "no",
        "auto",
        "x" * 10_000,
        b"x",
        b"",
    ]
    odd += [
        b"\x01\x02",
        Ellipsis,
        NotImplemented,
        int,
        float,
        len,
        print,
        slice(3),
        np.float32,
        np.dtype("f4"),
    ]
    odd += [
        datetime.date(2020, 1, 1),
        datetime.timedelta(3),
        np.datetime64("2020-01-01"),
        np.datetime64("NaT"),
    ]
    odd += [np.timedelta64(3, "D"), np.timedelta64("NaT"), decimal.Decimal("0.5"), fractions.Fraction(1, 2)]
    odd += [
        pathlib.Path("x"),
        Colour.RED,
        Colour,
        np.ma.masked,
        range(3),
        range(0),
        frozenset({1, 2}),
        (),
        (0.5,),
    ]
    odd += [(0.5, 0.25), (0.5, "x"), (0.5, None), (True, False), (1, 2, 3), np.str_("x"), np.bytes_(b"x"), np]
    if pandas is not None:
        odd += [pandas.NA, pandas.NaT, pandas.Timestamp("2020-01-01"), pandas.Timedelta(3)]
    return [*numbers, *switches, *scalars, *odd]


_MADE = {
    "a 0-d array of 0.5": lambda: np.array(0.5),
    "a 0-d array of 3": lambda: np.array(3),
    "a 0-d array of True": lambda: np.array(True),
    "a 0-d array of text": lambda: np.array("x"),
    "a 0-d masked array": masked_scalar,
    "an array of one number": lambda: np.array([0.5]),
    "an array of two numbers": lambda: np.array([0.5, 0.25]),
    "an empty array": lambda: np.array([]),
    "a 2-d array": lambda: np.full((2, 2), 0.5),
    "an array of text": lambda: np.array(["a", "b"]),
    "an array of objects": lambda: np.array([None, "a"], object),
    "an array of records": lambda: np.zeros(2, [("a", float)]),
    "a bytearray": lambda: bytearray(b"\x01\x02"),
    "a memoryview": lambda: memoryview(b"\x01\x02"),
    "[]": list,
    "[1]": lambda: [1],
    "[0.5]": lambda: [0.5],
    "[0.5, 0.25]": lambda: [0.5, 0.25],
    "[[0.5], [0.25]]": lambda: [[0.5], [0.25]],
    "['x', 'y']": lambda: ["x", "y"],
    "[None]": lambda: [None],
    "['relu']": lambda: ["relu"],
    "[-1]": lambda: [-1],
    "[2**64]": lambda: [2**64],
    "[nan]": lambda: [float("nan")],
    "[True]": lambda: [True],
    "ragged lists": lambda: [[1, 2], [3]],
    "{}": dict,
    "{'a': 1}": lambda: {"a": 1},
    "set()": set,
    "{1, 2}": lambda: {1, 2},
    "a generator": lambda: (0.5 for _ in range(2)),
    "an iterator": lambda: iter([1, 2]),
    "an object": object,
    "an opaque object": Opaque,
    "an unprintable object": Unprintable,
    "a truthless object": Truthless,
    "an index": lambda: Index(3),
    "a lambda of nothing": lambda: lambda: 0.5,
    "a lambda of one": lambda: lambda step: 0.5,
    "a lambda that gives text": lambda: lambda step: "x",
    "a list inside itself": inside_itself,
    "a list nested 100,000 deep": lambda: nested(100_000),
}
if pandas is not None:
    _MADE["a frame"] = lambda: pandas.DataFrame({"a": [0.5, 0.25]})
    _MADE["a series"] = lambda: pandas.Series([0.5, 0.25])


def _name(value):
    """What a cell is called by: the same in every process."""
    if callable(value) or isinstance(value, type(np)):
        return f"{type(value).__name__} {getattr(value, '__name__', '')}"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 70:
        return f"an int of {value.bit_length()} bits"
    return f"{type(value).__name__} {repr(value)[:40]}"


SCALARS = {}
for _number, _value in enumerate(_constants()):
    _key = _name(_value)
    SCALARS[_key if _key not in SCALARS else f"{_key} ({_number})"] = lambda value=_value: value
SCALARS |= _MADE

"""Tables that cannot be read are refused, and the error names the column."""

import datetime
import json
from decimal import Decimal

import numpy as np
import pytest

from schuss.tables import TableEncoder

GOOD = {"a": np.array([1.0, 2.0, 3.0]), "b": ["x", "y", "x"]}


def refused(error, match, X, **options):
    with pytest.raises(error, match=match):
        TableEncoder(**options).fit(X)


PROSE = [f"The {i}th house stands on a hill and has a garden of its own." for i in range(20)]

BAD = {
    "one row": (
        {"a": [1.0], "b": ["x"]},
        ValueError,
        r"1 sample, .*: a is dropped: a single value; b is dropped: a single level",
    ),
    "all missing": (
        {"a": [None, None]},
        ValueError,
        r"no column that tells its rows apart: a is dropped: all missing",
    ),
    "all constant": (
        {"a": [3, 3], "b": ["x", "x"]},
        ValueError,
        "a is dropped: a single value; b is dropped",
    ),
    "infinity": ({"a": [1.0, np.inf, 2.0]}, ValueError, r"column 'a' of X contains infinity \(inf\)"),
    "minus infinity": (np.array([[1.0], [-np.inf]]), ValueError, r"column 0 of X contains infinity \(-inf\)"),
    "infinity among objects": (
        {"a": [1, float("inf"), "2"]},
        ValueError,
        "column 'a' of X contains infinity",
    ),
    "too large": ({"a": [1.0, 1e305]}, ValueError, r"column 'a' of X contains a number too large .*1e\+305"),
    "numbers and text": (
        {"a": [1, "two", 3.5]},
        ValueError,
        r"'a' .* different kinds \(a number and text, such as 'two'\)",
    ),
    "dates and text": (
        {"a": [datetime.date(2024, 1, 1), "x"]},
        ValueError,
        r"\(a date and text, such as 'x'\)",
    ),
    "dates and numbers": ({"a": [datetime.date(2024, 1, 1), 5]}, ValueError, r"\(a date and a number\)"),
    "free text": ({"a": PROSE}, ValueError, r"column 'a' of X is free text.*say columns=\{...: 'drop'\}"),
    "a list in a cell": (
        {"a": [[1], [2]]},
        TypeError,
        r"'a' of X has \[1\], of list: .*argument must be a string",
    ),
    "a dict in a cell": (
        np.array([[{}, 1]], object),
        TypeError,
        "column 0 .*argument must be a string.* or a real number",
    ),
    "complex": (np.ones((3, 2), complex), ValueError, "Complex data not supported"),
    "records": (np.zeros(3, [("a", "f8")]).reshape(3, 1), TypeError, "must hold single values"),
    "a record array": (
        np.zeros(3, [("a", "f8")]),
        TypeError,
        r"must hold single values.*pandas.DataFrame\(X\)",
    ),
    "a number beyond floats": (
        {"a": [1, -(10**400)]},
        ValueError,
        r"column 'a' of X contains a number too large to compute with \(-1.79769e\+308\)",
    ),
    "complex objects": ({"a": [1j, 2j]}, TypeError, "argument must be .*a real number; convert it"),
    "one dimension": (np.ones(3), ValueError, "Reshape your data"),
    "three dimensions": (np.ones((3, 2, 1)), ValueError, "must have 2 dimensions, .*got 3"),
    "a list of numbers": ([1, 2, 3], ValueError, "Reshape your data"),
    "a string": ("abc", ValueError, "Reshape your data"),
    "a number": (5, TypeError, "X must be a data frame"),
    "nothing": (None, TypeError, "X must be a data frame"),
    "no rows": (
        np.empty((0, 3)),
        ValueError,
        r"0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 1 is required",
    ),
    "no columns": (
        np.empty((3, 0)),
        ValueError,
        r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required",
    ),
    "no list": ([], ValueError, r"0 sample\(s\)"),
    "ragged rows": ([[1, 2], [3]], ValueError, "rows of one length, got 1 to 2"),
    "ragged columns": ({"a": [1, 2], "b": [3]}, ValueError, "columns of one length"),
    "a scalar column": ({"a": [1, 2], "b": 3}, ValueError, "columns of one length"),
    "ragged records": ([{"a": 1}, {"b": 1}], ValueError, "row 1 differs in 'a', 'b'"),
    "names of two types": ({"a": [1, 2], 3: [3, 4]}, TypeError, "all strings"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_refused(name):
    X, error, match = BAD[name]
    refused(error, match, X)


def test_sparse_matrices_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    refused(TypeError, "X must be dense, got a sparse csr_matrix", sparse.csr_matrix(np.eye(3)))


def test_duplicated_names_are_refused_by_name():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(np.eye(3), columns=["a", "b", "a"])
    refused(ValueError, "a name of its own for each column, got more than one 'a'", frame)
    pa = pytest.importorskip("pyarrow")
    refused(
        ValueError, "got more than one 'a'", pa.Table.from_arrays([pa.array([1, 2])] * 2, names=["a", "a"])
    )


def test_one_column_of_pandas_is_no_table():
    pd = pytest.importorskip("pandas")
    refused(ValueError, "Reshape your data", pd.Series([1, 2, 3]))


def test_frames_that_are_lazy_are_refused():
    pl = pytest.importorskip("polars")
    refused(TypeError, r"got a LazyFrame: X.collect\(\)", pl.LazyFrame({"a": [1, 2]}))


def test_nested_columns_of_frames_are_refused():
    pl = pytest.importorskip("polars")
    for values in (
        [[1], [2]],
        [{"x": 1}, {"x": 2}],
        pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)),
    ):
        frame = pl.DataFrame({"a": values, "b": [1, 2]})
        refused(TypeError, "column 'a' of X has .*argument must be", frame)
        assert TableEncoder({"a": "drop"}).fit_transform(frame).shape == (2, 1)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"columns": {"d": "number"}}, "columns has 'd', which is no column of X"),
        ({"columns": {"a": "numbre"}}, r"must be one of number, .* got 'numbre': did you mean 'number'\?"),
        ({"columns": {7: "number"}}, "names or places of the 2 columns of X, got 7"),
        ({"columns": {True: "number"}}, "names or places"),
        ({"columns": {"b": "number"}}, "column 'b' of X must have numbers, got 'x'"),
        ({"columns": {"b": "date"}}, "column 'b' of X must have dates such as 2024-05-31, got 'x'"),
        ({"columns": {"c": "date"}}, "dates such as 2024-05-31, got '01/02/2024'"),
        ({"columns": {"a": "date"}}, "column 'a' of X has numbers, and no unit"),
        ({"categorical_features": [True]}, "must have 2 entries, one for each column, got 1"),
        ({"categorical_features": ["c"]}, "categorical_features has 'c'"),
        ({"categorical_features": [0.5]}, "names or places of the 2 columns"),
        ({"columns": {"a": "number"}, "categorical_features": ["a"]}, "categorical_features has it as well"),
        (
            {"columns": {"a": "category", 0: "number"}},
            "columns has one column as 'a' and 0, 'category' and 'number'",
        ),
    ],
)
def test_wishes_that_cannot_be_are_refused(options, match):
    X = GOOD | {"c": ["01/02/2024", "03/04/2024", None]} if "c" in options.get("columns", {}) else GOOD
    refused(ValueError, match, X, **options)


def test_wishes_of_other_types_are_refused():
    refused(TypeError, "columns must be a mapping", GOOD, columns=["a"])
    refused(TypeError, "categorical_features must be a list", GOOD, categorical_features=3)
    refused(ValueError, "the columns of X have no names", np.eye(3), columns={"a": "number"})
    with pytest.raises(ValueError, match="max_levels"):
        TableEncoder(max_levels=1)
    with pytest.raises(ValueError, match="min_count"):
        TableEncoder(min_count=0)


def test_dates_are_no_numbers():
    dates = {"a": np.array(["2024-01-01", "2024-01-02"], "datetime64[D]")}
    refused(ValueError, "column 'a' of X has dates, which are no numbers", dates, columns={"a": "number"})


def test_mixed_columns_are_read_where_the_user_says_how():
    encoder = TableEncoder({"a": "category"}).fit({"a": [1, "two", 1, "two"]})
    assert encoder.transform({"a": ["1", "two", 3]})[:, 0].tolist() == [1, 2, 0]
    prose = TableEncoder({"a": "drop"}).fit({"a": PROSE, "b": list(range(20))})
    assert prose.output_names == ["b"]


@pytest.mark.parametrize(
    "value",
    ["1e400", Decimal("1e400"), 10**400],
    ids=["text", "decimal", "int"],
)
def test_numbers_that_are_too_large_are_not_called_infinite(value):
    table = {"a": [1, 2, 3, value], "b": [1.0, 2.0, 3.0, 4.0]}
    with pytest.raises(ValueError, match="column 'a' of X contains a number too large to compute with"):
        TableEncoder().fit(table)


def test_numbers_of_other_libraries_are_read():
    values = [Decimal("sNaN"), Decimal(1), Decimal("2.5"), Decimal("NaN")]
    assert TableEncoder().fit({"a": values}).output_names == ["a", "a is missing"]
    pl = pytest.importorskip("polars")
    wide = pl.DataFrame({"a": pl.Series([1, 2, None], dtype=pl.Int128)})
    assert TableEncoder().fit(wide).output_names == ["a", "a is missing"]


def test_a_batch_of_arrow_is_a_table():
    pa = pytest.importorskip("pyarrow")
    batch = pa.record_batch({"a": pa.array([1.0, None, 3.0]), "b": pa.array(["x", "y", "x"])})
    table = pa.Table.from_batches([batch])
    encoder = TableEncoder().fit(table)
    np.testing.assert_array_equal(encoder.transform(batch), encoder.transform(table))


# At predict


def at_predict(match, X, error=ValueError):
    encoder = TableEncoder().fit(GOOD)
    with pytest.raises(error, match=match):
        encoder.transform(X)
    out = np.zeros(encoder.width, np.float32)
    if isinstance(X, dict):
        with pytest.raises(error, match=match):
            encoder.encode_row({name: values[0] for name, values in X.items()}, out)
        assert not out.any()


def test_names_must_be_those_of_fit():
    at_predict("yet now missing:\n- b", {"a": [1.0]})
    at_predict("unseen at fit time:\n- c", {"a": [1.0], "b": ["x"], "c": [1]})
    at_predict("unseen at fit time:\n- c\n.*yet now missing:\n- b", {"a": [1.0], "c": ["x"]})


def test_arrays_must_have_as_many_columns():
    at_predict("X has 3 features, but TableEncoder is expecting 2 features as input", np.ones((1, 3)))
    at_predict("X has 1 features", [[1.0]])
    encoder = TableEncoder().fit(GOOD)
    with pytest.raises(ValueError, match="a row must have 2 values by name or in order, got"):
        encoder.encode_row([1.0], np.zeros(2, np.float32))


def test_values_must_be_of_the_kind_that_they_were():
    at_predict("column 'a' of X must have numbers, got 'many'", {"a": ["many"], "b": ["x"]})
    at_predict("column 'a' of X contains infinity", {"a": [np.inf], "b": ["x"]})
    at_predict("column 'a' of X must have numbers, got", {"a": [[1, 2]], "b": ["x"]})
    date = datetime.datetime(2024, 1, 1)
    at_predict("column 'a' of X must have numbers, got", {"a": [date], "b": ["x"]})
    at_predict(r"column 'b' of X must have levels, got \[1\]", {"a": [1.0], "b": [[1]]}, TypeError)


def test_dates_must_stay_dates():
    encoder = TableEncoder().fit({"a": ["2024-01-01", "2024-02-01"]})
    for value in (5.0, "soon", "2024-02-30"):
        with pytest.raises(ValueError, match="column 'a' of X must have dates such as 2024-05-31, got"):
            encoder.transform({"a": [value]})
        with pytest.raises(ValueError, match="column 'a' of X must have dates"):
            encoder.encode_row({"a": value}, np.zeros(encoder.width, np.float32))


def test_what_was_dropped_may_be_anything():
    encoder = TableEncoder().fit({"a": [1, 2, 3], "b": ["x", "x", "x"]})
    assert encoder.transform({"a": [1, 2], "b": [np.inf, None]}).shape == (2, 1)


@pytest.mark.parametrize("unit", ["ns", "us", "D"])
def test_dates_in_a_column_of_numbers_are_refused(unit):
    pd = pytest.importorskip("pandas")
    encoder = TableEncoder().fit({"n": [1.5, 2.5, 3.5, 4.5]})
    dates = np.array(["2024-01-01", "2024-02-01", "NaT"], f"M8[{unit}]")
    for table in ({"n": dates}, pd.DataFrame({"n": pd.Series(dates)})):
        with pytest.raises(ValueError, match="column 'n' of X must have numbers, got"):
            encoder.transform(table)


@pytest.mark.parametrize("unit", ["M", "Y"])
@pytest.mark.parametrize("wrap", [np.asarray, list])
def test_durations_without_a_length_are_refused_by_name(unit, wrap):
    months = np.array([1, 2, 3, 1, 2, 3], f"m8[{unit}]")
    given = {"a": wrap(months), "b": list(range(6))}
    refused(ValueError, "column 'a' of X (has durations in months or years|must have numbers, got)", given)
    encoder = TableEncoder({"a": "category"}).fit(given)
    assert encoder.transform(given)[:, -1].tolist() == [1, 2, 3, 1, 2, 3]
    days = TableEncoder().fit({"a": months.astype(int).astype("m8[D]")})
    with pytest.raises(
        ValueError, match=r"column 'a' of X (has durations in months or years|must have numbers)"
    ):
        days.transform({"a": given["a"]})


DAY = datetime.timedelta(days=1)
MEASURED = {
    "durations": [DAY, 2 * DAY, None, 4 * DAY],
    "times of day": [datetime.time(1), datetime.time(2), None, datetime.time(4)],
    "numbers": [1.0, 2, None, "4"],
}


@pytest.mark.parametrize("fitted", MEASURED)
@pytest.mark.parametrize("given", MEASURED)
def test_numbers_and_durations_do_not_stand_for_each_other(fitted, given):
    encoder = TableEncoder().fit({"a": MEASURED[fitted]})
    encoder = TableEncoder.from_state(json.loads(json.dumps(encoder.get_state())))
    values = MEASURED[given]
    out = np.zeros(encoder.width, np.float32)
    for nothing in ([None], [np.nan], ["?"], np.array([np.nan]), np.array(["NaT"], "m8[s]")):
        assert encoder.transform({"a": nothing})[0, -1] == 1
        encoder.encode_row([nothing[0]], out)
        assert out[-1] == 1
    if fitted == given:
        assert encoder.transform({"a": values})[:, -1].tolist() == [0, 0, 1, 0]
        return
    arrays = {"durations": np.array([1, 2], "m8[h]"), "numbers": np.array([1, 2])}
    for column in (values, values[::-1], arrays.get(given, values)):
        with pytest.raises(ValueError, match=f"column 'a' of X must have {fitted}, as in fit, got (a |text)"):
            encoder.transform({"a": column})
        with pytest.raises(ValueError, match=f"column 'a' of X must have {fitted}, as in fit, got (a |text)"):
            encoder.encode_row([column[0]], out)
    old = encoder.get_state()
    del old["features"][0]["measure"]
    assert TableEncoder.from_state(old).transform({"a": values}).shape == (4, 2)


@pytest.mark.parametrize("least", [2**63, 10**18])
def test_whole_numbers_that_float64_does_not_tell_apart_are_warned_of(least):
    ids = [least + number % 5 for number in range(40)]
    for column in (np.array(ids, np.uint64), ids, [None, *ids[1:]], [Decimal(each) for each in ids]):
        table = {"a": column, "b": list(range(40))}
        with pytest.warns(
            UserWarning, match="column 'a' of X has numbers that differ by less than float64 tells"
        ):
            TableEncoder().fit(table)
        TableEncoder({"a": "category"}).fit(table)
    TableEncoder().fit({"a": np.full(40, least, np.uint64), "b": list(range(40))})


def test_columns_of_which_no_value_was_seen_are_warned_of():
    words = {"a": ["yes", "no"] * 100, "b": list(range(200))}
    rare = words | {"a": [*["yes", "no"] * 95, *map(str, range(10))]}
    said = "column 'a' of X has only values of which none was in fit"
    state = TableEncoder().fit(rare).get_state()
    for feature in state["features"]:
        feature.pop("rare_levels", None)
    old = TableEncoder.from_state(state)  # which does not say what was rare
    encoders = [
        (TableEncoder().fit(words), 10, ""),
        (TableEncoder().fit(rare), 10, ""),
        (old, 100, " or was rare there"),
    ]
    for encoder, few, words_ in encoders:
        encoder.transform({"a": ["YES", "NO"] * (few // 2) + [None] * 300, "b": [0] * (few + 300)})
        encoder.transform({"a": ["YES"] * few + ["no"], "b": [0] * (few + 1)})
        encoder.transform({"a": [None] * 200, "b": [0] * 200})
        with pytest.warns(UserWarning, match=f"^{said}{words_}, such as 'YES'"):
            encoder.transform({"a": [None, *["YES", "NO"] * few], "b": [0] * (2 * few + 1)})
    # What one rare level does is looked at on purpose; one that was never seen is told from it.
    encoder = TableEncoder().fit(rare)
    for each in (encoder, old):
        each.transform({"a": ["7"] * 200, "b": [0] * 200})
        with pytest.warns(UserWarning, match=f"{said} or was rare there, such as '7'"):
            each.transform({"a": ["7", "YES"] * 51, "b": [0] * 102})
    for table in (words, rare):
        with pytest.warns(UserWarning, match=f"{said}, such as 'YES'"):
            TableEncoder().fit(table).transform({"a": ["YES"] * 11, "b": [0] * 11})
    out = np.zeros(encoder.width, np.float32)
    encoder.encode_row({"a": "YES", "b": 0}, out)

"""Tables of every library, and of none, give the same bits; columns are of the kind that they say."""

import datetime
import json
import re
from contextlib import nullcontext
from decimal import Decimal

import numpy as np
import pytest

from schuss.tables import TableEncoder

ROWS = 40


def columns(seed=0):
    """A table as lists, with missing values as None."""
    rng = np.random.default_rng(seed)

    def sparse(values):
        lost = rng.random(ROWS) < 0.2
        return [None if gone else value for value, gone in zip(values, lost, strict=True)]

    day = datetime.datetime(2021, 3, 1, 6, 30)
    return {
        "price": rng.lognormal(3, 1, ROWS).tolist(),
        "rooms": sparse(rng.integers(1, 9, ROWS).tolist()),
        "gain": [0.0] * 30 + rng.lognormal(8, 1, 10).tolist(),
        "city": sparse(rng.choice(["Bern", "Chur", "Zug"], ROWS).tolist()),
        "new": sparse((rng.random(ROWS) < 0.4).tolist()),
        "sold": sparse([day + datetime.timedelta(hours=int(h)) for h in rng.integers(0, 20_000, ROWS)]),
    }


def expected():
    return TableEncoder().fit_transform(columns())


def as_pandas(data):
    return pytest.importorskip("pandas").DataFrame(data)


def as_nullable(data):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(data)
    return frame.astype({"rooms": "Int64", "price": "Float64", "new": "boolean", "city": "string"})


def as_category(data):
    frame = as_pandas(data)
    return frame.astype({"city": "category", "new": "category"})


def as_object(data):
    return as_pandas(data).astype(object)


def as_pyarrow_backed(data):
    pytest.importorskip("pyarrow")
    return as_pandas(data).convert_dtypes(dtype_backend="pyarrow")


def as_polars(data):
    return pytest.importorskip("polars").DataFrame(data)


def as_polars_categorical(data):
    pl = pytest.importorskip("polars")
    return pl.DataFrame(data).with_columns(pl.col("city").cast(pl.Categorical), pl.col("rooms").cast(pl.Int8))


def as_polars_enum(data):
    pl = pytest.importorskip("polars")
    return pl.DataFrame(data).with_columns(pl.col("city").cast(pl.Enum(["Zug", "Bern", "Chur"])))


def as_arrow(data):
    return pytest.importorskip("pyarrow").table(data)


def as_arrow_dictionary(data):
    pa = pytest.importorskip("pyarrow")
    table = pa.table(data)
    return table.set_column(3, "city", table["city"].dictionary_encode())


def as_records(data):
    return [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]


def as_rows(data):
    return [list(row) for row in zip(*data.values(), strict=True)]


def as_array(data):
    return np.array(as_rows(data), dtype=object)


def as_columns(data):
    return {
        "price": np.array(data["price"]),
        "rooms": np.array(data["rooms"], dtype=float),
        "gain": tuple(data["gain"]),
        "city": data["city"],
        "new": np.array(data["new"], dtype=object),
        "sold": np.array(data["sold"], dtype="datetime64[ms]"),
    }


def as_pandas_series(data):
    frame = as_category(data)
    return {name: frame[name] for name in frame}


def as_pandas_arrays(data):
    return {name: series.array for name, series in as_pandas_series(data).items()}


def as_polars_series(data):
    return as_polars_enum(data).to_dict()


def as_arrow_columns(data):
    table = as_arrow_dictionary(data)
    return dict(zip(table.column_names, table.columns, strict=True))


def as_arrow_arrays(data):
    return {name: column.combine_chunks() for name, column in as_arrow_columns(data).items()}


FORMS = [
    as_pandas,
    as_nullable,
    as_category,
    as_object,
    as_pyarrow_backed,
    as_polars,
    as_polars_categorical,
    as_polars_enum,
    as_arrow,
    as_arrow_dictionary,
    as_records,
    as_rows,
    as_array,
    as_columns,
    as_pandas_series,
    as_pandas_arrays,
    as_polars_series,
    as_arrow_columns,
    as_arrow_arrays,
]


def same_bits(got, want):
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert got.tobytes() == want.tobytes()


@pytest.mark.parametrize("form", FORMS)
def test_the_same_table_in_any_form_gives_the_same_bits(form):
    same_bits(TableEncoder().fit_transform(form(columns())), expected())


@pytest.mark.parametrize("form", FORMS)
def test_a_table_may_have_another_form_at_predict(form):
    encoder = TableEncoder().fit(columns())
    same_bits(encoder.transform(form(columns())), expected())
    other = TableEncoder().fit(form(columns()))
    same_bits(other.transform(as_pandas(columns())), expected())


def test_the_array_is_contiguous_and_has_numbers_first():
    encoder = TableEncoder().fit(columns())
    array = encoder.transform(columns())
    assert array.flags.c_contiguous
    assert encoder.roles == sorted(encoder.roles, key=lambda role: role == "category")
    assert encoder.roles.count("category") == 2
    assert encoder.n_numbers + 2 == encoder.width == array.shape[1] == len(encoder.output_names)
    assert set(encoder.origins.tolist()) == set(range(6))
    assert encoder.category_sizes == [4, 3]


def test_arrays_of_numbers_need_no_narwhals(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "narwhals", None)
    X = np.random.default_rng(0).standard_normal((20, 3))
    assert TableEncoder().fit_transform(X).shape == (20, 3)
    pd = pytest.importorskip("pandas")
    with pytest.raises(
        ImportError, match=r"reading a DataFrame needs narwhals: pip install \"schuss\[sklearn\]\""
    ):
        TableEncoder().fit(pd.DataFrame(X))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint8", ">f8", "bool"])
def test_arrays_of_any_number(dtype):
    X = np.random.default_rng(0).integers(0, 2, (50, 3)).astype(dtype)
    encoder = TableEncoder().fit(X)
    array = encoder.transform(X)
    if dtype == "bool":
        assert encoder.category_sizes == [3, 3, 3]
    else:
        same_bits(array, TableEncoder().fit_transform(X.astype(float)))
        same_bits(TableEncoder().fit_transform(np.asfortranarray(X)), array)
        same_bits(TableEncoder().fit_transform(X.tolist()), array)


def test_masked_values_are_missing():
    X = np.random.default_rng(0).standard_normal((30, 2))
    mask = np.random.default_rng(1).random((30, 2)) < 0.3
    same_bits(
        TableEncoder().fit_transform(np.ma.array(X, mask=mask)),
        TableEncoder().fit_transform(np.where(mask, np.nan, X)),
    )


@pytest.mark.parametrize("dtype", ["m8[ns]", "m8[s]", "M8[ns]", "M8[D]"])
def test_masked_dates_and_durations_are_missing(dtype):
    step = 86_400 * 10**9 if dtype == "M8[ns]" else 1
    X = (np.random.default_rng(0).integers(0, 10**4, (30, 2)) * step).astype(dtype)
    mask = np.random.default_rng(1).random((30, 2)) < 0.3
    masked = np.ma.array(X, mask=mask)
    missing = np.where(mask, np.array("NaT", dtype), X)
    encoder = TableEncoder().fit(missing)
    same_bits(encoder.transform(masked), encoder.transform(missing))
    same_bits(TableEncoder().fit_transform(masked), encoder.transform(missing))
    assert not np.isnat(masked.data).any()


def test_durations_in_nanoseconds_are_the_same_in_any_form():
    pd = pytest.importorskip("pandas")
    duration = pd.to_timedelta(np.arange(20) * 123_457, unit="ns")
    frame = pd.DataFrame({"duration": duration, "other": range(20)})
    encoder = TableEncoder().fit(frame)
    array = encoder.transform(frame)
    for form in (frame.to_dict("records"), {name: frame[name].to_numpy() for name in frame}):
        same_bits(encoder.transform(form), array)
    out = np.empty(encoder.width, np.float32)
    for place, row in enumerate(frame.to_dict("records")):
        encoder.encode_row(row, out)
        same_bits(out, array[place])


def test_decimals_durations_and_times_of_day_are_numbers():
    n = 20
    table = {
        "decimal": [Decimal(i) / 4 for i in range(n)],
        "duration": [datetime.timedelta(hours=6 * i) for i in range(n)],
        "time": [datetime.time(i, 15) for i in range(n)],
    }
    encoder = TableEncoder().fit(table)
    assert [line.kind for line in encoder.report] == ["number"] * 3
    quarters = np.arange(n) / 4
    want = TableEncoder().fit_transform(np.column_stack([quarters, quarters, np.arange(n) + 0.25]))
    same_bits(encoder.transform(table), want)


def kind(values, **options):
    return TableEncoder(**options).fit({"x": values, "other": list(range(len(values)))}).report[0].kind


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 4], "number"),
        ([1.5, None, 2.5, 3.0], "number"),
        ([True, False, None, True], "category"),
        (["a", "b", "a", "b"], "category"),
        (["1", "2", "1", "2"], "category"),  # text on purpose
        (["1", "2", "?", "2"], "number"),  # text because of the mark
        (["+1", "-2", "+1", "-2"], "category"),
        (["1.5", "2", "1", "2"], "number"),
        (["01", "02", "01", "?"], "category"),  # codes
        (["2024-01-05", "2024-02-29", None, "2023-12-31"], "date"),
        (["2024-01-05 10:00", "2024-02-29T11:30:15.5", "2023-12-31", ""], "date"),
        (["2024-13-05", "2024-02-29", "2024-13-05", "2024-02-29"], "category"),  # there is no 13th month
        (["05.01.2024", "29.02.2024", "1.2.2024", None], "date"),
        (["05/01/2024", "29/02/2024", "", "1/2/2024 10:30"], "date"),
        (["01/05/2024", "02/29/2024", "12/31/2023", "?"], "date"),
        (["2024/05/31", "2024.5.1", "2024-1-5", None], "date"),
        (["31 May 2024", "May 31, 2024", "31-jan-2024 9:05", "1MAR2024"], "date"),
        (["5/31/2024 2:05 PM", "5/1/2024 12:30 AM", "?", None], "date"),
        (["31.12.2024 8:00", "1.2.2024 18:30:15", "unknown", None], "date"),
        (["31 Smarch 2024", "1 May 2024"] * 2, "category"),
        (["5/31/2024 13:05 PM", "5/1/2024 1:05 AM"] * 2, "category"),
        (["1", "2", "unknown", "2"], "number"),
        (["missing", "unknown", "missing", "unknown"], "category"),
        (["01/05/2024", "02/05/2024"] * 2, "category"),  # which one is the day?
        (["31/12/2024", "12/31/2024"] * 2, "category"),
        ([datetime.date(2024, 1, 5), None, datetime.date(2025, 1, 5), None], "date"),
        ([1, "2", "3", 4.0], "number"),
        ([True, "unknown", True, "unknown"], "category"),
        ([5, 5, 5, 5], "dropped"),
        ([None, None, None, None], "dropped"),
        ([np.nan, np.nan, np.nan, np.nan], "dropped"),
        (["a", "a", "a", "a"], "dropped"),
        (["a", "b", "c", "d"], "dropped"),  # no level is there twice
        ([datetime.date(2024, 1, 5)] * 4, "dropped"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*text that may be:UserWarning")
def test_kinds_that_values_say(values, expected):
    assert kind(values) == expected


@pytest.mark.parametrize(
    ("rows", "levels", "words", "letters", "is_free"),
    [
        (10, 10, 6, 1, True),
        (10, 10, 5, 1, False),
        (10, 10, 1, 60, True),
        (10, 10, 1, 59, False),
        (9, 9, 6, 60, False),
        (20, 10, 6, 1, True),
        (21, 10, 6, 1, False),
    ],
)
def test_free_text_is_of_many_words_or_long_and_differs_in_half_of_the_rows(
    rows, levels, words, letters, is_free
):
    texts = [" ".join([letter * letters] * words) for letter in "abcdefghij"[:levels]]
    with pytest.raises(ValueError, match="free text") if is_free else nullcontext():
        kind([texts[row % levels] for row in range(rows)])


@pytest.mark.parametrize(
    ("values", "done"),
    [
        (
            ["01/05/2024", "02/05/2024"],
            "text that may be dates, but nothing tells the day from the month; 2 levels",
        ),
        (["1,5", "2,25"], "text that may be numbers, but a comma can be two things; 2 levels"),
        (["$1.50", "$2"], "text that may be numbers, such as '$1.50', which is not read as one; 2 levels"),
        (["7", "15 %"], "text that may be numbers, such as '15 %', which is not read as one; 2 levels"),
        (
            ["1,250.5", "900"],
            "text that may be numbers, such as '1,250.5', which is not read as one; 2 levels",
        ),
        (["-€3", "4 €"], "text that may be numbers, such as '-€3', which is not read as one; 2 levels"),
        *(
            (
                [one, other],
                f"text that may be numbers, such as {min(one, other)!r}, which is not read as one; 2 levels",
            )
            for one, other in (
                ("12 345", "1 234.5"),
                ("12\u202f345", "900"),
                ("1\u2009000", "2\u2009000"),
                ("1\u00a0000", "2\u00a0000"),
                ("1.234,50", "99,5"),
                ("(12.30)", "5.10"),
                ("USD 12.30", "USD -4"),
                ("12.30 EUR", "1,000 EUR"),
                ("12.3 kg", "11 kg"),
                ("1.5k", "2M"),
                ("\u22120.5", "\u22121.25"),
            )
        ),
        *(
            (
                [one, other],
                f"text that may be dates, such as {min(one, other)!r}, which is not read as one; 2 levels",
            )
            for one, other in (
                ("31.05.24", "01.06.24"),
                ("05/31/24", "06/01/24 10:30"),
                ("31-May-24", "1 Jun 24"),
                ("20240531", "20240601"),
                ("2024-05", "2024-06"),
            )
        ),
    ],
)
def test_what_could_not_be_told_is_warned_of_and_in_the_report(values, done):
    table = {"x": values * 2, "other": [1, 2, 3, 4]}
    why = re.escape(done.removesuffix("; 2 levels"))
    with pytest.warns(
        UserWarning, match=f"^column 'x' of X has {why}, and is a category: clean or convert it, or"
    ):
        report = TableEncoder().fit(table).report
    assert report[0].kind == "category"
    assert report[0].done == done
    # Who says it means it.
    assert TableEncoder({"x": "category"}).fit(table).report[0].kind == "category"
    with pytest.warns(UserWarning, match=", and is dropped: clean or convert it"):
        TableEncoder().fit({"x": [f"{place} %" for place in range(4)], "other": [1, 2, 3, 4]})


NUMBERS = [f"{number / 8}" for number in range(40)]
DATES = [f"2024-{month:02}-{day:02}" for month in range(1, 11) for day in (1, 9, 17, 25)]


@pytest.mark.parametrize("odd", ["unknwon", "<1", "12.5 (e)", "inf", "1,5 m"])
def test_numbers_but_for_a_few_texts_are_warned_of(odd):
    table = {"x": [*NUMBERS, odd], "other": list(range(41))}
    said = (
        f"column 'x' of X has text that reads as numbers but for {odd!r}, and is dropped: clean or convert it"
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(said)}"):
        TableEncoder().fit(table)
    twice = {"x": [*NUMBERS, odd] * 2, "other": list(range(82))}
    with pytest.warns(UserWarning, match=f"{re.escape(odd)}', and is a category: "):
        report = TableEncoder().fit(twice).report
    assert report[0].done.startswith(f"text that reads as numbers but for {odd!r}; 41 levels")
    with pytest.raises(ValueError, match=f"column 'x' of X must have numbers, got '{re.escape(odd)}'"):
        TableEncoder({"x": "number"}).fit(table)
    for wish in ("category", "drop"):
        TableEncoder({"x": wish}).fit(twice)


def test_which_text_is_shown_does_not_depend_on_the_order_of_rows():
    done = []
    for values in ([*NUMBERS[:38], "zzzz", "zzz"], ["zzz", *NUMBERS[:38], "zzzz"]):
        with pytest.warns(UserWarning, match="numbers but for 'zzz'"):
            done.append(TableEncoder().fit({"x": values * 2, "other": list(range(80))}).report[0].done)
    assert done[0] == done[1]


@pytest.mark.parametrize("odd", ["soon", "0000-00-01", "2024-02-30", "2024-13-01"])
def test_dates_but_for_a_few_texts_are_warned_of(odd):
    table = {"x": [*DATES, odd], "other": list(range(41))}
    said = f"column 'x' of X has text that reads as dates but for {odd!r}, and is dropped"
    with pytest.warns(UserWarning, match=f"^{re.escape(said)}"):
        TableEncoder().fit(table)
    with pytest.raises(ValueError, match=f"column 'x' of X must have dates .*, got '{odd}'"):
        TableEncoder({"x": "date"}).fit(table)


def test_many_numbers_with_one_unit_are_warned_of():
    for unit, warns in (("kg", True), (" \u00b0C", True), ("", False)):
        values = [f"{number}{unit}" for number in range(10, 30)] * 2
        if not warns:
            assert kind(values) == "category"
            continue
        with pytest.warns(UserWarning, match="text that may be numbers, such as '10"):
            assert kind(values) == "category"


CODES = {
    "names of rows": [f"A{number}" for number in range(1000, 1040)],
    "orders": [f"order-{number}" for number in range(40)],
    "codes of numbers and letters": [*map(str, range(30)), *("A1", "B2", "C3", "D4")],
    "departments": [*(f"{number:02}" for number in range(1, 96)), "2A", "2B"],
    "flats": [f"{number}{letter}" for number in range(10) for letter in "abc"],
    "times": [f"{hour}:30" for hour in range(24)],
    "addresses": [f"{number} {street}" for number in range(10) for street in ("Elm", "Oak")],
    "seasons": ["2019-20", "2020-21", "2021-22"],
    "versions": ["1.0.2", "1.2.3", "2.0.0"],
    "telephones": [f"0{number} 123 456" for number in range(40, 60)],
    "other eight digits": [f"2024{number}" for number in range(4000, 4030)],
}


@pytest.mark.parametrize("values", CODES.values(), ids=CODES)
@pytest.mark.parametrize("times", [1, 2])
def test_codes_are_not_warned_of(values, times):
    assert kind(values * times) == ("dropped" if times == 1 else "category")


MISSING = [
    "n.a.",
    "N.A.",
    "--",
    "#DIV/0!",
    "#VALUE!",
    "#REF!",
    "#NAME?",
    "#N/A",
    "*",
    "TBD",
    "nil",
    "missing",
]


@pytest.mark.parametrize("mark", [*MISSING, "unknown", "(blank)", "-nan", " ", "1.#IND"])
def test_what_stands_for_missing_is_missing(mark):
    for texts in (NUMBERS, DATES, [str(number) for number in range(40)]):
        encoder = TableEncoder().fit({"x": [*texts, mark]})
        assert encoder.roles[-1] == "missing"
        array = encoder.transform({"x": [*texts, mark]})
        same_bits(array, encoder.transform({"x": [*texts, None]}))
        out = np.empty(encoder.width, np.float32)
        encoder.encode_row([mark], out)
        same_bits(out, array[-1])
    # Among words it is one of them.
    encoder = TableEncoder().fit({"x": ["a", "b", mark] * 3})
    assert encoder.transform({"x": ["a", mark, None]})[:, 0].tolist() == [
        1 + (mark < "a"),
        1 + 2 * (mark > "b"),
        0,
    ]


@pytest.mark.parametrize(
    "written",
    [
        *("%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d%b%Y", "%b %d, %Y", "%B %d %Y"),
        *("%m/%d/%Y %I:%M %p", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M:%S", "%d %b %Y %I:%M%p"),
    ],
)
def test_dates_are_read_as_they_are_written(written):
    moments = [
        datetime.datetime(2023, 12, 31, 0, 5) + datetime.timedelta(hours=13 * step) for step in range(60)
    ]
    if "%M" not in written:
        moments = [moment.replace(hour=0, minute=0) for moment in moments]
    if ":%S" in written:
        moments = [moment.replace(second=7) for moment in moments]
    encoder = TableEncoder().fit({"x": moments})
    assert encoder.report[0].kind == "date"
    texts = [moment.strftime(written) for moment in moments]
    short = [re.sub(r"(?<!:)\b0(?=\d)", "", text) for text in texts]  # as spreadsheets write them
    for given in (texts, short, [text.upper() for text in texts]):
        again = TableEncoder().fit({"x": given})
        same_bits(again.transform({"x": given}), encoder.transform({"x": moments}))
        out = np.empty(again.width, np.float32)
        again.encode_row([given[-1]], out)
        same_bits(out, again.transform({"x": given})[-1])


@pytest.mark.parametrize("values", [["75001", "01234"], ["a", "1.5"], ["10-20", "20-30"], ["5 kg", "6 kg"]])
def test_texts_that_are_codes_or_words_are_not_warned_of(values):
    assert TableEncoder().fit({"x": values * 2, "other": [1, 2, 3, 4]}).report[0].kind == "category"


def test_columns_of_nothing_are_dropped_in_every_dtype():
    n = 4
    table = {
        "none": [None] * n,
        "nan": np.full(n, np.nan),
        "nat": np.full(n, "NaT", "datetime64[s]"),
        "text": ["?"] * n,
        "row": np.arange(n),
    }
    report = TableEncoder({"text": "number"}).fit(table).report
    assert [line.missing for line in report] == [1, 1, 1, 1, 0]
    assert [line.done for line in report][:4] == ["dropped: all missing"] * 4


def test_arrays_of_text_have_their_numbers_as_text():
    X = np.array([["1", "a"], ["2", "b"], ["3", "a"], ["4", "b"]])
    tables = [X, X.tolist(), X.astype(bytes)]
    if hasattr(getattr(np, "dtypes", None), "StringDType"):
        tables.append(X.astype(np.dtypes.StringDType()))
    for table in tables:
        encoder = TableEncoder().fit(table)
        assert [line.kind for line in encoder.report] == ["number", "category"]
        same_bits(encoder.transform(table), encoder.transform(X))


@pytest.mark.parametrize("wish", ["category", "number"])
def test_kinds_are_what_the_user_says(wish):
    assert kind([8001, 8002, 8001, 8002], columns={"x": wish}) == wish
    assert kind(["8001", "8002", "8001", "8002"], columns={"x": wish}) == wish
    assert kind([True, False, True, False], columns={"x": wish}) == wish
    assert kind([1, 2, 3, 4], columns={"x": "drop"}) == "dropped"
    assert kind(["2024-01-01", "2024-01-02"] * 2, columns={"x": "category"}) == "category"


@pytest.mark.parametrize("given", [["x"], [0], [-2], [True, False], np.array([True, False]), np.array([0])])
def test_categorical_features_as_in_scikit_learn(given):
    assert kind([1, 2, 1, 2], categorical_features=given) == "category"
    assert kind([1, 2, 1, 2], categorical_features="from_dtype") == "number"


def test_pandas_places_and_numbers_for_names():
    pd = pytest.importorskip("pandas")
    X = np.random.default_rng(0).standard_normal((10, 3))
    same_bits(TableEncoder().fit_transform(pd.DataFrame(X)), TableEncoder().fit_transform(X))
    encoder = TableEncoder({2: "drop"}).fit(pd.DataFrame(X))
    assert encoder.feature_names_in is None
    assert encoder.width == 2


@pytest.mark.parametrize("form", ["frame", "mapping", "records"])
def test_integers_that_columns_are_called_are_names(form):
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(np.random.default_rng(0).integers(0, 3, (60, 4)))[[1, 2, 3]]
    if form == "mapping":
        table = {name: list(table[name]) for name in table}
    elif form == "records":
        table = table.to_dict("records")
    for options in ({"columns": {1: "category"}}, {"categorical_features": [np.int64(1)]}):
        encoder = TableEncoder(**options).fit(table)
        assert [line.kind for line in encoder.report] == ["category", "number", "number"]
    for options in ({"columns": {0: "drop"}}, {"categorical_features": [-1]}):
        with pytest.raises(
            ValueError, match=rf"{next(iter(options))} has .* no column of X: they are called \[1, 2, 3\]"
        ):
            TableEncoder(**options).fit(table)
    # True and False are no names.
    encoder = TableEncoder(categorical_features=[False, True, False]).fit(table)
    assert [line.kind for line in encoder.report] == ["number", "category", "number"]


@pytest.mark.parametrize("names", [[("a", 1), ("a", 2)], [0.5, 1.5], [np.datetime64("2024-01-01"), 7]])
def test_any_label_of_a_column_may_be_wished_for(names):
    table = dict(zip(names, [[1, 2, 1, 2], [1, 2, 3, 4]], strict=True))
    for options in ({"columns": {names[0]: "category"}}, {"categorical_features": [names[0]]}):
        assert [line.kind for line in TableEncoder(**options).fit(table).report] == ["category", "number"]
    for options in ({"columns": {0: "category"}}, {"categorical_features": [0]}):
        assert [line.kind for line in TableEncoder(**options).fit(table).report] == ["category", "number"]


def test_pandas_dtypes_without_a_name_elsewhere():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "interval": pd.cut(np.arange(12), 3),
            "sparse": pd.arrays.SparseArray([0.0, 1.0, 2.0] * 4),
            "zone": pd.date_range("2024-01-01", periods=12, freq="7h", tz="Europe/Zurich"),
        }
    )
    encoder = TableEncoder().fit(frame)
    assert [line.kind for line in encoder.report] == ["category", "number", "date"]
    wall = frame.assign(zone=frame["zone"].dt.tz_localize(None))
    same_bits(encoder.transform(frame), TableEncoder().fit_transform(wall))
    rows = [
        encoder.encode_row(row, out := np.empty(encoder.width, np.float32)) or out
        for row in frame.to_dict("records")
    ]
    same_bits(np.stack(rows), encoder.transform(frame))


def in_zones(library, zone):
    """The same moments on the clock of a zone, None for none, beside a number."""
    rng = np.random.default_rng(0)
    moments = np.datetime64("2024-03-20", "us") + rng.integers(0, 40 * 24 * 60, 60) * np.timedelta64(1, "m")
    pd = pytest.importorskip("pandas")
    dates = pd.Series(moments).dt.tz_localize("UTC")
    dates = dates.dt.tz_localize(None) if zone is None else dates.dt.tz_convert(zone)
    dates[::7] = None
    if library in ("polars", "pyarrow"):
        pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
        array = pa.array(dates.dt.tz_localize(None) if zone is None else dates.dt.tz_convert("UTC"))
        array = array if zone is None else array.cast(pa.timestamp("us", zone))
        table = pa.table({"when": array, "row": range(60)})
        return table if library == "pyarrow" else pl.from_arrow(table)
    if library == "texts":
        dates = [None if each is pd.NaT else each.isoformat() for each in dates]
    if library == "objects":
        dates = [None if each is pd.NaT else each.to_pydatetime() for each in dates]
    if library == "texts of UTC":
        dates = [None if each is pd.NaT else f"{each.tz_convert('UTC'):%Y-%m-%dT%H:%M:%SZ}" for each in dates]
    frame = {"when": dates, "row": list(range(60))}
    return pd.DataFrame(frame) if library == "pandas" else frame


LIBRARIES = ["pandas", "polars", "pyarrow", "objects", "texts", "texts of UTC"]
ZONES = ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Zurich"]


@pytest.mark.parametrize("fitted", ["UTC", "Asia/Tokyo", "Europe/Zurich"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_same_moments_in_another_zone_are_the_same(fitted, library):
    frame = in_zones("pandas", fitted)
    encoder = TableEncoder().fit(frame)
    assert encoder.report[0].done.endswith(f"on the clock of {fitted}, indicator of missing")
    array = encoder.transform(frame)
    again = TableEncoder.from_state(json.loads(json.dumps(encoder.get_state())))
    for zone in ZONES:
        given = in_zones(library, zone)
        same_bits(again.transform(given), array)
        out = np.empty(encoder.width, np.float32)
        if isinstance(given, dict):
            for place, row in enumerate(as_records(given)):
                again.encode_row(row, out)
                same_bits(out, array[place])


@pytest.mark.parametrize("fitted", ["UTC", "Europe/Zurich"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_moments_that_are_levels_are_the_same_in_another_zone(fitted, library):
    if library.startswith("texts"):
        return  # whose levels are what is written
    wish = {"when": "category"}
    encoder = TableEncoder(wish, min_count=1).fit(in_zones("pandas", fitted))
    array = encoder.transform(in_zones("pandas", fitted))
    again = TableEncoder.from_state(json.loads(json.dumps(encoder.get_state())))
    for zone in ZONES:
        given = in_zones(library, zone)
        same_bits(TableEncoder(wish, min_count=1).fit_transform(given), array)
        same_bits(again.transform(given), array)
        frame = in_zones("pandas", zone)
        out = np.empty(encoder.width, np.float32)
        for place, row in enumerate(frame.to_dict("records")):
            again.encode_row(row, out)
            same_bits(out, array[place])
        same_bits(again.transform(frame.assign(when=frame["when"].astype("category"))), array)
    # A clock without a zone shows another moment.
    with pytest.warns(UserWarning, match="column 'when' of X has only values of which none was in fit"):
        assert set(again.transform(in_zones(library, None))[:, -1]) == {0.0}


def test_states_of_earlier_versions_have_levels_on_their_own_clocks():
    frame = in_zones("pandas", "Asia/Tokyo")
    wall = frame.assign(when=frame["when"].dt.tz_localize(None))
    encoder = TableEncoder({"when": "category"}, min_count=1).fit(wall)
    state = encoder.get_state()
    for feature in state["features"]:
        feature.pop("has_zones", None)
    old = TableEncoder.from_state(state)
    for given in (frame, wall, frame.astype(object)):
        same_bits(old.transform(given), encoder.transform(wall))


def test_the_first_and_last_moments_are_levels_in_any_zone():
    ends = [
        datetime.datetime.min.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=9))),
        datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-9))),
    ]
    assert TableEncoder({"when": "category"}).fit({"when": ends * 2}).category_sizes == [3]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("zone", ["UTC", "+09:00"])
def test_dates_of_any_form_have_a_zone(library, zone):
    if library in ("polars", "texts of UTC") and zone != "UTC":
        return  # it has no such zones
    fitted = in_zones(library, zone)
    encoder = TableEncoder().fit(fitted)
    assert encoder.features[0].zone == zone
    wall = in_zones("pandas", zone).assign(when=lambda frame: frame["when"].dt.tz_localize(None))
    same_bits(encoder.transform(fitted), TableEncoder().fit_transform(wall))
    for other in ("UTC", "-03:30", "Europe/Zurich"):
        same_bits(encoder.transform(in_zones("pandas", other)), encoder.transform(fitted))


@pytest.mark.parametrize("library", LIBRARIES[:-1])
def test_dates_with_a_zone_and_dates_without_are_not_mixed(library):
    for zone, other in ((None, "Asia/Tokyo"), ("Asia/Tokyo", None)):
        encoder = TableEncoder().fit(in_zones("pandas", zone))
        words = "without a time zone, as in fit, got " if zone is None else r"as in fit \(Asia/Tokyo\), got "
        given = in_zones(library, other)
        with pytest.raises(ValueError, match=f"column 'when' of X must have dates .*{words}"):
            encoder.transform(given)
        if isinstance(given, dict):
            with pytest.raises(ValueError, match=f"column 'when' of X must have dates .*{words}"):
                encoder.encode_row(as_records(given)[1], np.empty(encoder.width, np.float32))
    pd = pytest.importorskip("pandas")
    nothing = pd.DataFrame({"when": pd.to_datetime([None, None]), "row": 0})
    assert encoder.transform(nothing)[:, encoder.output_names.index("when is missing")].tolist() == [1, 1]


def in_summer_time(form):
    """Moments on clocks that are put forward on the way, and the same ones on that of UTC."""
    pd = pytest.importorskip("pandas")
    utc = pd.date_range("2024-03-30", periods=20, freq="5h", tz="UTC")
    local = utc.tz_convert("Europe/Berlin")
    if form == "dateutil":
        tz = pytest.importorskip("dateutil.tz")
        return [each.to_pydatetime().astimezone(tz.gettz("Europe/Berlin")) for each in local], utc
    offsets = [datetime.datetime.fromisoformat(each.isoformat()) for each in local]
    if form == "texts":
        return [str(each) for each in offsets], utc
    # Neither all text nor all of one zone.
    return offsets if form == "objects" else [*offsets[:10], *map(str, local[10:])], utc


@pytest.mark.parametrize("form", ["texts", "objects", "both", "dateutil"])
def test_dates_of_several_zones_are_put_on_the_clock_of_utc(form):
    dates, utc = in_summer_time(form)
    encoder = TableEncoder().fit({"when": dates})
    assert encoder.report[0].done.endswith("on the clock of UTC")
    array = TableEncoder().fit_transform({"when": utc})
    again = TableEncoder.from_state(json.loads(json.dumps(encoder.get_state())))
    for given in (dates, utc, utc.tz_convert("Asia/Tokyo"), list(map(str, utc))):
        same_bits(again.transform({"when": given}), array)
    out = np.empty(encoder.width, np.float32)
    for place, date in enumerate(dates):
        encoder.encode_row([date], out)
        same_bits(out, array[place])
    naive = "column 'when' of X must have dates with a time zone, as in fit"
    for given in (utc.tz_localize(None), [*dates, str(dates[0])[:10]]):
        with pytest.raises(ValueError, match=naive):
            encoder.transform({"when": given})
    with pytest.raises(ValueError, match=naive):
        encoder.encode_row([datetime.datetime(2024, 3, 31)], out)


def test_an_offset_that_somebody_has_named_is_that_offset():
    _, utc = in_summer_time("texts")
    zone = datetime.timezone(datetime.timedelta(hours=1), "EST")  # which is five hours behind elsewhere
    encoder = TableEncoder().fit({"when": [each.to_pydatetime().astimezone(zone) for each in utc]})
    assert encoder.report[0].done.endswith("on the clock of +01:00")
    array = TableEncoder().fit_transform({"when": [str(each) for each in utc.tz_convert("Etc/GMT-1")]})
    same_bits(encoder.transform({"when": utc}), array)


@pytest.mark.parametrize("naive", ["2024-03-31", datetime.date(2024, 3, 31), datetime.datetime(2024, 3, 31)])
@pytest.mark.parametrize("form", ["texts", "objects"])
def test_dates_of_which_some_have_a_zone_are_refused(form, naive):
    dates = [*in_summer_time(form)[0], naive]
    words = (
        "column 'when' of X must have dates that all have a time zone, or none that has one, "
        r"got '2024-03-30 01:00:00\+01:00' and '2024-03-31"
    )
    with pytest.raises(ValueError, match=words):
        TableEncoder().fit({"when": dates})
    # What is missing has no clock, whatever its type; what is no date is called that.
    gaps = [*dates[:-1], None, np.datetime64("NaT"), "n.a."]
    assert TableEncoder().fit_transform({"when": gaps})[-4:, -1].tolist() == [0, 1, 1, 1]
    with pytest.raises(ValueError, match="column 'when' of X must have dates such as"):
        TableEncoder({"when": "date"}).fit({"when": [*dates[:-1], "banana"]})


def test_states_of_earlier_versions_read_dates_on_their_own_clocks():
    frame = in_zones("pandas", "UTC")
    encoder = TableEncoder().fit(frame)
    state = encoder.get_state()
    for feature in state["features"]:
        feature.pop("zone", None)
    old = TableEncoder.from_state(state)
    wall = frame.assign(when=frame["when"].dt.tz_localize(None))
    for given in (frame, wall, wall.assign(when=wall["when"].dt.tz_localize("Asia/Tokyo"))):
        same_bits(old.transform(given), encoder.transform(frame))


def test_a_zone_that_is_not_known_here_is_named():
    encoder = TableEncoder().fit(in_zones("pandas", "UTC"))
    state = encoder.get_state()
    state["features"][0]["zone"] = "Moon/Base"
    with pytest.raises(ValueError, match="column 'when' of X needs the time zone Moon/Base"):
        TableEncoder.from_state(state).transform(in_zones("objects", "Asia/Tokyo"))


def test_tables_longer_than_a_block():
    rng = np.random.default_rng(0)
    n = 40_000
    table = {
        "a": rng.standard_normal(n),
        "b": rng.choice(["x", "y", "z"], n),
        "c": [None] * (n - 2) + ["u", "u"],
    }
    encoder = TableEncoder().fit(table)
    array = encoder.transform(table)
    some = slice(16_000, 17_000)
    same_bits(array[some], encoder.transform({name: values[some] for name, values in table.items()}))
    assert array[-1].tolist()[1:] != array[0].tolist()[1:]


def long_ids(kind, ids):
    """A table of one column."""
    if kind == "masked":
        return {"id": np.ma.array([each or 0 for each in ids], mask=[each is None for each in ids])}
    if kind == "Decimal":
        return {"id": [None if each is None else Decimal(each) for each in ids]}
    if kind.startswith("polars"):
        pl = pytest.importorskip("polars")
        dtypes = {"Int128": pl.Int128, "Decimal": pl.Decimal(38, 0), "cents": pl.Decimal(38, 2)}
        return pl.DataFrame({"id": pl.Series(ids, dtype=pl.Int64).cast(dtypes.get(kind[7:], pl.Int64))})
    pd = pytest.importorskip("pandas")
    if "arrow" in kind:
        pytest.importorskip("pyarrow")
    if kind.startswith("category"):
        return pd.DataFrame({"id": pd.Categorical(pd.array(ids, kind[9:]))})
    return pd.DataFrame({"id": pd.array(ids, kind)})


@pytest.mark.parametrize(
    "kind",
    [
        *("Int64", "UInt64", "int64[pyarrow]", "category Int64", "category int64[pyarrow]"),
        *("masked", "Decimal", "polars", "polars Int128", "polars Decimal", "polars cents"),
    ],
)
@pytest.mark.parametrize("least", [2**53, 2**60])
def test_long_whole_numbers_keep_their_digits_where_others_are_missing(kind, least):
    ids = [least + number % 3 for number in range(60)]
    frame, holey = (long_ids(kind, given) for given in (ids, [None, *ids[1:]]))
    encoder = TableEncoder(columns={"id": "category"}).fit(frame)
    assert encoder.category_sizes == [4]
    np.testing.assert_array_equal(encoder.transform(holey)[1:], encoder.transform(frame)[1:])
    assert encoder.transform(holey)[0, 0] == 0
    assert TableEncoder(columns={"id": "category"}).fit(holey).category_sizes == [4]
    # Called the same in any form.
    np.testing.assert_array_equal(encoder.transform({"id": ids}), encoder.transform(frame))
    nothing = long_ids(kind, [None] * 60)
    assert not encoder.transform(nothing).any()


def graded(library):
    """A frame of a column of grades, and it as a mapping of its columns."""
    grades, price = [1, 2, None] * 5, [float(number) for number in range(15)]
    if library == "pandas":
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame({"grade": pd.Categorical(grades), "price": price})
        return frame, [{name: frame[name] for name in frame}, {name: frame[name].array for name in frame}]
    if library == "polars":
        pl = pytest.importorskip("polars")
        frame = pl.DataFrame({"grade": ["a", "b", None] * 5, "price": price})
        frame = frame.with_columns(pl.col("grade").cast(pl.Categorical))
        return frame, [frame.to_dict()]
    pa = pytest.importorskip("pyarrow")
    frame = pa.table({"grade": pa.array(grades).dictionary_encode(), "price": price})
    columns = dict(zip(frame.column_names, frame.columns, strict=True))
    return frame, [columns, {name: column.combine_chunks() for name, column in columns.items()}]


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_of_a_mapping_have_the_kinds_that_they_have_in_a_frame(library):
    frame, mappings = graded(library)
    encoder = TableEncoder().fit(frame)
    kinds = [line.kind for line in encoder.report]
    assert kinds == ["category", "number"]
    for mapping in mappings:
        assert [line.kind for line in TableEncoder().fit(mapping).report] == kinds
        same_bits(encoder.transform(mapping), encoder.transform(frame))


def test_what_a_mask_hides_among_texts_is_missing():
    table = {"a": np.ma.array(["x", "y", "x"] * 5, mask=[False, True, False] * 5)}
    encoder = TableEncoder().fit(table)
    assert encoder.features[0].levels == ["x"]
    assert encoder.transform(table)[:3, 0].tolist() == [1, 0, 1]


def test_arrows_times_of_day_in_nanoseconds_are_read_and_dropped():
    pa = pytest.importorskip("pyarrow")
    fine = pa.array([1, 3_600_000_000_007, None, 86_399_999_999_999], pa.time64("ns"))
    numbers = pa.array([0.5, 1.0, 2.0, 4.0])
    read = TableEncoder().fit(pa.table({"when": fine, "number": numbers}))
    coarse = pa.table({"when": fine.cast(pa.time64("us"), safe=False), "number": numbers})
    np.testing.assert_array_equal(
        read.transform(pa.table({"when": fine, "number": numbers})),
        TableEncoder().fit(coarse).transform(coarse),
    )
    TableEncoder({"when": "drop"}).fit(pa.table({"when": fine, "number": numbers}))


@pytest.mark.parametrize("form", ["rows", "array", "objects", "records", "mapping"])
def test_whole_numbers_are_numbers_where_there_is_nothing_but_text(form):
    rows = [[str(7 * number % 90), "ab"[number % 2]] for number in range(90)]
    made = {
        "rows": rows,
        "array": np.array(rows),
        "objects": np.array(rows, dtype=object),
        "records": [{"amount": amount, "letter": letter} for amount, letter in rows],
        "mapping": {"amount": [row[0] for row in rows], "letter": [row[1] for row in rows]},
    }[form]
    assert TableEncoder().fit(made).report[0].kind == "number"

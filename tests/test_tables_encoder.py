"""What the encoder makes of each kind of column, against the formulas in NumPy."""

import copy
import datetime
import json
import pickle
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schuss.tables import ColumnReport, TableEncoder
from schuss.tables._values import key_of


def encoded(values, **options):
    """The outputs of one column, and what they are."""
    encoder = TableEncoder(**options).fit({"x": values})
    return encoder, encoder.transform({"x": values})


# Numbers

finite = st.floats(-1e9, 1e9).map(lambda x: round(x, 3))


@pytest.mark.parametrize("sources", [2, 3])
def test_the_quartiles_of_many_rows_are_those_of_all_sources_in_turns(sources):
    n = sources * 100_000
    x = np.arange(n) % sources * 10 + np.random.default_rng(0).random(n)
    _, found = encoded(x)
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(found[:, 0], (x - middle) / (high - low), atol=1)


@settings(deadline=None)
@given(st.lists(finite, min_size=2, max_size=60))
def test_numbers_are_scaled_by_median_and_quartiles(values):
    x = np.array(values)
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75])
    if x.min() == x.max():
        with pytest.raises(ValueError, match="no column that tells its rows apart"):
            encoded(values)
        return
    if high == low:
        others = x[x != middle]
        first, last = np.quantile(others, [0.25, 0.75])
        scale = max(last - first, np.median(np.abs(others - middle)) / 2)
    else:
        scale = high - low
    encoder, array = encoded(values)
    np.testing.assert_allclose(
        array[:, 0], (x - middle) / scale, rtol=1e-5, atol=1e-5 * np.abs(x / scale).max()
    )
    apart = bool(high == low and len(np.unique(others)) > 1 and len(others) >= 0.01 * len(x))
    assert encoder.roles == ["value"] + ["apart"] * apart
    if apart:
        assert (array[:, 1] == (x != middle)).all()


def test_rare_ones_are_two():
    array = encoded([0.0] * 9 + [1.0])[1]
    assert array.shape == (10, 1)
    assert set(array[:, 0].tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("others", [5, 9, 10])
def test_a_usual_value_with_few_others_has_no_indicator(others):
    values = np.zeros(1000)
    values[:others] = np.arange(1, others + 1)
    encoder, array = encoded(values)
    assert encoder.roles == ["value"] + ["apart"] * (others >= 10)  # one percent
    assert np.ptp(array[:others, 0]) > 1  # told apart all the same


def test_rare_ones_are_two_in_a_table_of_any_length():
    values = np.zeros(200_000)
    values[1::1000] = 1
    array = encoded(values)[1]
    np.testing.assert_array_equal(array, 2 * values[:, None])


def rounded(seed=0, usual=0.1):
    """Mostly one value that float32 rounds, with gaps."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(200) < 0.85, usual, rng.exponential(size=200))
    values[::9] = np.nan
    return values


FORMS_OF_NUMBERS = {
    "float64": lambda x: x,
    "float32": lambda x: x.astype(np.float32),
    "text": lambda x: ["" if value != value else str(value) for value in x.tolist()],
    "text of float32": lambda x: ["" if value != value else str(value) for value in x.astype(np.float32)],
    "objects": lambda x: [None if value != value else np.float32(value) for value in x.tolist()],
}


@pytest.mark.parametrize("fitted", FORMS_OF_NUMBERS)
@pytest.mark.parametrize("given", FORMS_OF_NUMBERS)
@pytest.mark.parametrize("usual", [0.1, -1 / 3, 12.7])
def test_the_usual_value_is_the_same_in_every_precision(fitted, given, usual):
    fitted, given = FORMS_OF_NUMBERS[fitted], FORMS_OF_NUMBERS[given]
    values = rounded(usual=usual)
    encoder = TableEncoder().fit({"x": fitted(values)})
    assert encoder.roles == ["value", "apart", "missing"]
    cells = given(values)
    array = encoder.transform({"x": cells})
    assert array[:, 1].tolist() == ((values != usual) & ~np.isnan(values)).tolist()
    np.testing.assert_allclose(array, encoder.transform({"x": fitted(values)}), atol=1e-5)
    rows = np.stack([encode(encoder, {"x": cell}) for cell in cells])
    assert rows.tobytes() == array.tobytes()


def test_a_usual_value_in_two_precisions_is_one():
    values = rounded(usual=0.1)
    mixed = np.concatenate([values, values.astype(np.float32)])
    encoder, array = encoded(mixed)
    known = ~np.isnan(mixed)
    assert encoder.roles == ["value", "apart", "missing"]
    assert array[:, 1].tolist() == ((abs(mixed - 0.1) > 1e-8) & known).tolist()
    alone = encoded(np.tile(values, 2))[1]
    np.testing.assert_allclose(array, alone, atol=1e-5)
    # Of more rows than are put in order as well.
    many = np.tile(mixed, 500)
    assert encoded(many)[0].roles == encoder.roles


def test_numbers_that_float32_has_as_one_are_told_apart_by_their_values():
    values = 1.7e9 + np.repeat([0.0, 1.0, 2.0, 3.0], [60, 20, 10, 10])
    encoder, array = encoded(values)
    assert encoder.roles == ["value"]
    np.testing.assert_allclose(np.diff(np.unique(array[:, 0])), 0.8, rtol=1e-6)


def test_missing_numbers_are_the_median_with_an_indicator():
    values = [1.0, None, 3.0, 4.0, np.nan]
    encoder, array = encoded(values)
    assert encoder.roles == ["value", "missing"]
    assert encoder.output_names == ["x", "x is missing"]
    np.testing.assert_allclose(array[:, 0], np.array([-2, 0, 0, 1, 0]) / 1.5, rtol=1e-6)
    assert array[:, 1].tolist() == [0, 1, 0, 0, 1]


def test_numbers_missing_only_at_predict_are_the_median():
    encoder = TableEncoder().fit({"x": [1.0, 2.0, 3.0]})
    assert encoder.transform({"x": [None, np.nan, 2.0]}).tolist() == [[0], [0], [0]]


def test_a_constant_that_may_be_missing_keeps_its_indicator():
    encoder, array = encoded([7, None, 7, 7])
    assert encoder.roles == ["missing"]
    assert array[:, 0].tolist() == [0, 1, 0, 0]
    assert encoder.transform({"x": [8]}).tolist() == [[0]]


def test_scaling_is_made_in_double_precision():
    x = 1.7e9 + np.arange(100.0)
    array = encoded(x)[1]
    np.testing.assert_allclose(np.diff(array[:, 0]), 1 / 49.5, rtol=1e-4)


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1e100, 1e300])
def test_numbers_of_any_size_come_out_finite(size):
    x = np.array([-1.0, -0.5, 0.25, 1.0]) * size
    array = encoded(x)[1]
    np.testing.assert_allclose(array, encoded(x / size)[1], rtol=1e-6)
    far = TableEncoder().fit({"x": [0.0, 1.0, 2.0]}).transform({"x": [1e300, -1e300]})
    assert far.tolist() == [[np.float32(1e18)], [np.float32(-1e18)]]


# Categories


def test_codes_are_by_frequency_then_by_name():
    values = [*"bbaaccc", None]
    encoder, array = encoded(values)
    assert array[:, 0].tolist() == [3, 3, 2, 2, 1, 1, 1, 0]
    assert encoder.category_sizes == [4]
    assert array.dtype == np.float32


def test_rare_levels_and_those_never_seen_share_the_last_code():
    encoder, array = encoded(list("aaabbbcdef"), min_count=2)
    assert encoder.category_sizes == [4]
    assert array[:, 0].tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert encoder.transform({"x": ["new", "a", "f", None]})[:, 0].tolist() == [3, 1, 3, 0]


def test_without_rare_levels_what_was_never_seen_is_zero():
    encoder, _ = encoded(list("aabb"))
    assert encoder.transform({"x": ["new", "a", None]})[:, 0].tolist() == [0, 1, 0]


def test_a_single_rare_level_keeps_its_code():
    encoder, array = encoded(list("aabbc"))
    assert array[:, 0].tolist() == [1, 1, 2, 2, 3]
    assert encoder.transform({"x": ["new"]})[:, 0].tolist() == [0]


def test_more_levels_than_the_most_are_pooled():
    values = [f"{i:03}" for i in range(100) for _ in range(100 - i)]
    encoder, array = encoded(values, max_levels=10)
    assert encoder.category_sizes == [11]
    assert array[:, 0].max() == 10
    assert array[values.index("008"), 0] == 9
    assert array[values.index("009"), 0] == 10


def test_ten_thousand_levels():
    values = [f"id-{i}" for i in range(10_000)] * 2
    encoder, array = encoded(values)
    assert encoder.category_sizes == [10_001]
    assert len(np.unique(array)) == 10_000
    assert (array[:10_000] == array[10_000:]).all()


def test_names_of_rows_are_dropped_with_a_word():
    n = 60
    table = {"name": [f"Ann {i}" for i in range(n - 2)] + ["Bo", "Bo"], "age": list(range(n))}
    encoder = TableEncoder().fit(table)
    assert encoder.output_names == ["age"]
    assert str(encoder.report[0].done) == "dropped: 59 levels, nearly all of one row"


ALIKE = [
    ([1, 2, 3], ["1", "2", "3"]),
    ([1.0, 2.0, 3.0], [1, 2, 3]),
    ([0.1, 0.2, 0.3], np.array([0.1, 0.2, 0.3], np.float32)),
    ([True, False, True], [1, 0, 1]),
    ([True, False, True], ["True", "False", "True"]),
    (["1", "0", "1"], [True, False, True]),
    ([True, False, True], ["true", "false", "true"]),
    (["TRUE", "FALSE", "TRUE"], ["true", "false", "true"]),
    (["FALSE", "TRUE", "FALSE"], [0.0, 1.0, 0.0]),
    (["a", "b", "c"], np.array(["a", "b", "c"])),
    (["a", "b", "c"], [b"a", b"b", b"c"]),
    (
        np.array(["2024-01-01", "2024-01-02"], "datetime64[D]"),
        [datetime.datetime(2024, 1, 1), datetime.date(2024, 1, 2)],
    ),
]


@pytest.mark.parametrize(("fitted", "given"), [*ALIKE, *((b, a) for a, b in ALIKE)])
def test_levels_match_in_another_dtype(fitted, given):
    encoder = TableEncoder({"x": "category"}).fit({"x": list(fitted) * 2})
    want = encoder.transform({"x": fitted})
    assert want.min() >= 1
    assert encoder.transform({"x": given}).tolist() == want.tolist()
    rows = [encode(encoder, {"x": value}) for value in given]
    assert np.array(rows).tolist() == want.tolist()


@pytest.mark.parametrize("mixed", [[True, 1, 1.0, "x"], [1, np.True_, "True", "x"], ["1", "True", True, 1]])
def test_true_beside_1_is_a_level_of_its_own(mixed):
    """Equal as they are, and with one hash; the order of the rows does not count."""
    encoder = TableEncoder({"x": "category"}).fit({"x": mixed * 2})
    backwards = TableEncoder({"x": "category"}).fit({"x": mixed[::-1] * 2})
    assert encoder.get_state() == backwards.get_state()
    given = [True, 1, "True", "1", 1.0, np.True_]
    codes = encoder.transform({"x": given})[:, 0].tolist()
    assert codes == encoder.transform({"x": given[::-1]})[::-1, 0].tolist()
    assert codes[0] == codes[2] == codes[5] != codes[1] == codes[3] == codes[4]
    assert [encode(encoder, {"x": value})[0] for value in given] == codes


@pytest.mark.parametrize("form", [list, np.array, lambda x: np.array(x, object)])
def test_bytes_that_are_no_text_are_levels_of_their_own(form):
    column = form([b"caf\xe9", b"caf\xe8", b"caf\xc3\xa9", b"caf\\xe9"] * 2)
    encoder = TableEncoder({"x": "category"}).fit({"x": column})
    again = TableEncoder.from_state(json.loads(json.dumps(encoder.get_state())))
    codes = again.transform({"x": column})[:, 0].tolist()
    assert sorted(codes[:4]) == [1, 2, 3, 4]
    assert [encode(again, {"x": value})[0] for value in column] == codes
    assert again.transform({"x": [b"caf\xea", "caf\ufffd"]})[:, 0].tolist() == [0, 0]


def test_categories_of_pandas_match_text():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"x": pd.Categorical(["b", "a", "a", None], categories=["b", "a", "unused"])})
    encoder = TableEncoder().fit(frame)
    assert encoder.category_sizes == [3]  # a category that no row has is none
    assert encoder.transform({"x": ["a", "b", None, "unused"]})[:, 0].tolist() == [1, 2, 0, 0]


# Dates


def test_dates_have_the_parts_that_vary():
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=17 * i) for i in range(60)]
    encoder, array = encoded(days)
    assert encoder.output_names == [
        f"x: {part}" for part in ("days", "year", "month", "weekday", "sin of the year", "cos of the year")
    ]

    def scaled(x):
        low, middle, high = np.quantile(x, [0.25, 0.5, 0.75])
        return (x - middle) / (high - low)

    angle = [(day.timetuple().tm_yday - 1) * 2 * np.pi / 365.2425 for day in days]
    parts = [
        [day.toordinal() for day in days],
        [day.year for day in days],
        [day.month for day in days],
        [day.weekday() for day in days],
        np.sin(angle),
        np.cos(angle),
    ]
    for place, part in enumerate(parts):
        want = scaled(np.array(part, float)) if place < 4 else part
        np.testing.assert_allclose(array[:, place], want, rtol=1e-5, atol=1e-6)


def test_hours_where_they_vary():
    start = datetime.datetime(1965, 5, 3, 12)
    encoder, array = encoded([start + datetime.timedelta(minutes=30 * i) for i in range(20)])
    assert [name[3:] for name in encoder.output_names] == ["days", "hour", "sin of the day", "cos of the day"]
    np.testing.assert_allclose(np.diff(array[:, 1]), 0.5 / 4.75, rtol=1e-5)
    angle = 2 * np.pi * (12 + 0.5 * np.arange(20)) / 24
    np.testing.assert_allclose(array[:, 2:], np.column_stack([np.sin(angle), np.cos(angle)]), atol=1e-6)


def test_noon_and_midnight_have_one_sine():
    moments = [datetime.datetime(2024, 1, 1, 12 * (i % 2)) for i in range(20)]
    encoder, array = encoded(moments)
    # In floating point that of pi is 1e-16.
    assert "x: sin of the day" not in encoder.output_names
    place = encoder.output_names.index("x: cos of the day")
    np.testing.assert_array_equal(array[:, place], [1, -1] * 10)


@pytest.mark.parametrize("style", ["{d}.{m}.{y}", "{d:02}/{m:02}/{y}", "{m}/{d}/{y}", "{m:02}-{d:02}-{y}"])
def test_dates_with_the_year_last_are_read_in_the_order_of_fit(style):
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=19 * i) for i in range(40)]
    texts = [style.format(d=day.day, m=day.month, y=day.year) for day in days]
    encoder, array = encoded(texts)
    assert array.tobytes() == encoded(days)[1].tobytes()
    assert "first" in encoder.report[0].done
    early = days.index(min(day for day in days if day.day <= 12))
    for again in (encoder, TableEncoder.from_state(encoder.get_state())):
        assert again.transform({"x": [texts[early]]}).tobytes() == array[early].tobytes()
        assert encode(again, [texts[early]]).tobytes() == array[early].tobytes()


def test_missing_dates_have_an_indicator():
    values = ["2020-01-01", None, "2020-06-01", "2021-01-01"]
    encoder, array = encoded(values)
    assert encoder.roles[-1] == "missing"
    assert array[:, -1].tolist() == [0, 1, 0, 0]
    assert not array[1, :-1].any()


# Rows, state, report


def mixed(n=50):
    rng = np.random.default_rng(3)
    pick = lambda values: [values[i] for i in rng.integers(0, len(values), n)]  # noqa: E731
    return {
        "a": rng.standard_normal(n).tolist(),
        "b": pick([1, 2, 3, None]),
        "c": pick([0.0, 0.0, 0.0, 0.0, 0.0, 2.5, 7.0]),
        "d": pick(["x", "y", None]),
        "e": pick([True, False]),
        "f": pick(["2020-01-01 10:00", "2023-07-01 11:30", None]),
        "g": ["same"] * n,
        "h": pick(["1.5", "2.5", "?"]),
    }


def encode(encoder, row):
    out = np.full(encoder.width, np.nan, np.float32)
    encoder.encode_row(row, out)
    return out


def test_one_row_has_the_bits_of_the_table():
    table = mixed()
    encoder = TableEncoder().fit(table)
    array = encoder.transform(table)
    for place, row in enumerate(zip(*table.values(), strict=True)):
        assert encode(encoder, dict(zip(table, row, strict=True))).tobytes() == array[place].tobytes()
        assert encode(encoder, row).tobytes() == array[place].tobytes()
        assert encoder.transform([row]).tobytes() == array[place].tobytes()
        assert encoder.transform(dict(zip(table, row, strict=True))).tobytes() == array[place].tobytes()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e30, 1e30), st.integers(-(2**60), 2**60)), min_size=1))
def test_one_row_of_any_number_has_the_bits_of_the_table(values):
    encoder = TableEncoder().fit({"x": [0.1, 0.1, 0.1, 0.1, 0.1, 7.3, 1.9, None]})
    rows = np.stack([encode(encoder, [value]) for value in values])
    assert rows.tobytes() == encoder.transform({"x": values}).tobytes()


def test_rows_do_not_depend_on_each_other():
    table = mixed()
    encoder = TableEncoder().fit(table)
    order = np.random.default_rng(0).permutation(50)
    moved = {name: [values[i] for i in order] for name, values in table.items()}
    assert encoder.transform(moved).tobytes() == encoder.transform(table)[order].tobytes()
    assert TableEncoder().fit(moved).get_state() == encoder.get_state()  # nor does fit on their order


def on_two_clocks(make):
    zones = [datetime.timezone(datetime.timedelta(hours=hours)) for hours in (1, 2)]
    return [make(hour).replace(tzinfo=zone) for hour, zone in zip((12, 13), zones, strict=True)]


TWINS = {
    "whole numbers": [2**60, 2.0**60],
    "numbers": [10**17, Decimal("1e17"), 1e17],
    "huge numbers": [1e305, int(1e305)],
    "truth": [1, True],
    "moments": on_two_clocks(lambda hour: datetime.datetime(2024, 1, 1, hour)),
    "times": on_two_clocks(datetime.time),
    "durations": [np.timedelta64(1, "Y"), np.timedelta64(12, "M")],
}


@pytest.mark.parametrize("twins", TWINS.values(), ids=list(TWINS))
def test_equal_values_have_each_their_own_code(twins):
    assert all(value == twins[0] for value in twins)
    for first in twins:
        encoder = TableEncoder(columns={"c": "category"}).fit({"c": [first] * 4 + [5] * 3})
        alone = [encode(encoder, [value])[0] for value in twins]
        for step in (1, -1):
            assert encoder.transform({"c": twins[::step]})[:, 0].tolist() == alone[::step]
        sizes = {
            TableEncoder(columns={"c": "category"}).fit({"c": [*twins[::step] * 2, 5, 5]}).category_sizes[0]
            for step in (1, -1)
        }
        assert sizes == {2 + len({key_of(value) for value in twins})}


@pytest.mark.parametrize("twins", ["whole numbers", "numbers", "huge numbers"])
def test_equal_numbers_are_one_level(twins):
    assert len({key_of(value) for value in TWINS[twins]}) == 1


def test_state_goes_through_json():
    table = mixed()
    encoder = TableEncoder().fit(table)
    again = TableEncoder.from_state(json.loads(json.dumps(encoder.get_state())))
    assert again.transform(table).tobytes() == encoder.transform(table).tobytes()
    assert again.get_state() == encoder.get_state()
    assert again.report == encoder.report
    for name in ("n_numbers", "category_sizes", "output_names", "roles", "feature_names_in", "width"):
        assert getattr(again, name) == getattr(encoder, name), name
    assert again.origins.tolist() == encoder.origins.tolist()


def test_copies_and_pickles_give_the_same_bits_and_hold_no_rows():
    table = {"x": np.random.default_rng(0).standard_normal(10_000), "c": ["a", "b"] * 5000}
    encoder = TableEncoder().fit(table)
    dump = pickle.dumps(encoder)
    assert len(dump) < 2000
    for again in (pickle.loads(dump), copy.deepcopy(encoder)):
        assert again.transform(table).tobytes() == encoder.transform(table).tobytes()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"n_features": 3}, "names and places of 3 columns"),
        ({"names": ["a"]}, "names and places of 8 columns"),
        ({"places": 8}, "names and places of 8 columns"),
        ({"scale": [float("nan"), 1.0, False]}, "finite scales"),
        ({"parts": {"moon": [0.0, 1.0, False]}}, "parts of dates that are known, got .'moon'"),
    ],
)
def test_states_that_cannot_be_are_refused(change, match):
    state = TableEncoder().fit(mixed()).get_state()
    for name, value in change.items():
        if name in state:
            state[name] = value
        elif name == "places":
            state["features"][0]["place"] = value
        else:
            next(each for each in state["features"] if name in each)[name] = value
    with pytest.raises(ValueError, match=match):
        TableEncoder.from_state(state)


def test_the_report_says_what_was_done():
    report = TableEncoder({"b": "category"}).fit(mixed()).report
    text = repr(report)
    lines = text.splitlines()
    assert lines[0].split() == ["column", "kind", "inputs", "missing", "what", "was", "done"]
    assert [line.split()[0] for line in lines[1:]] == list("abcdefgh")
    assert report[1].kind == "category"
    assert "as asked; 3 levels" in text
    assert "dropped: a single level" in text
    assert "'?' is missing" in text
    assert sum(line.inputs for line in report) == TableEncoder({"b": "category"}).fit(mixed()).width
    assert "<td>g</td>" in report._repr_html_()
    pytest.importorskip("pandas")
    frame = report.to_frame()
    assert list(frame["column"]) == list("abcdefgh")
    assert frame.shape == (8, 5)


def test_columns_of_frames_are_found_by_name():
    table = mixed()
    encoder = TableEncoder().fit(table)
    turned = dict(reversed(table.items()))
    assert encoder.transform(turned).tobytes() == encoder.transform(table).tobytes()


def test_numbers_may_come_as_text():
    encoder = TableEncoder().fit({"x": [1.0, 2.0, 4.0]})
    want = encoder.transform({"x": [1.0, 2.5, np.nan]}).tolist()
    assert encoder.transform({"x": ["1", " 2.5", "?"]}).tolist() == want
    assert encoder.transform({"x": np.array(["1", "2.5", ""])}).tolist() == want


def test_a_line_of_the_report_is_one_whatever_the_column_is_called():
    report = TableEncoder().fit({"a\nb\t": [1.0, 2.0, 4.0], "c": [1.0, 2.0, 5.0]}).report
    first = repr(report).splitlines()
    assert len(first) == 3
    assert first[1].startswith(r"a\nb\t  number")


@pytest.mark.parametrize(
    ("share", "words"), [(0.0, ""), (0.0001, "<0.1%"), (0.5, "50.0%"), (0.9996, ">99.9%"), (1.0, "100.0%")]
)
def test_a_column_with_few_values_is_not_all_missing(share, words):
    assert ColumnReport("a", "number", 1, share, "").cells()[3] == words

"""Whatever the cells of a table are: it is read, the same by row and by table, or refused by name."""

import datetime
import json
import tracemalloc
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schuss.tables import TableEncoder
from schuss.tables._scaling import Quantiles, smooth_clip

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400) | st.integers(-5, 5),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(
        ["", "?", "1", "01", "2.5", "nan", "inf", "2024-02-30", "2024-01-05", "5/1/2024", "13.1.2024"]
    ),
    st.binary(max_size=3),
    st.dates() | st.datetimes() | st.times() | st.timedeltas(),
    st.decimals(allow_nan=False, allow_infinity=False, places=2),
    st.fractions(),
    st.complex_numbers(),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(
        [np.float32(0.1), np.int8(3), np.bool_(True), np.datetime64("2024-01-01"), np.timedelta64(3, "D")]
    ),
)
COLUMNS = st.one_of(
    st.lists(CELLS, min_size=2, max_size=8),
    *(
        st.lists(st.none() | cells, min_size=2, max_size=12)
        for cells in (
            st.booleans(),
            st.integers(-3, 3),
            st.floats(allow_nan=True, allow_infinity=False, width=32),
            st.text("ab1 .", max_size=2),
            st.datetimes(),
            st.dates(),
            st.timedeltas(),
            st.decimals(-100, 100, places=2),
            st.sampled_from(["1.5", "2", "?", "1e3"]),
            st.sampled_from(["01.02.2024", "13.2.2024", "2024-01-01"]),
        )
    ),
)


@settings(max_examples=100, deadline=None)
@given(COLUMNS, st.sampled_from([None, "number", "category", "date"]))
def test_any_column_is_read_or_refused_by_name(cells, wish):
    table = {"x": cells, "row": list(range(len(cells)))}
    try:
        encoder = TableEncoder(None if wish is None else {"x": wish}).fit(table)
    except (TypeError, ValueError) as error:
        assert "column 'x' of X" in str(error)  # noqa: PT017
        return
    array = encoder.transform(table)
    assert np.isfinite(array).all()
    for place, size in enumerate(encoder.category_sizes, encoder.n_numbers):
        codes = array[:, place]
        assert (codes == np.rint(codes)).all()
        assert codes.min() >= 0
        assert codes.max() < size
    again = TableEncoder.from_state(json.loads(json.dumps(encoder.get_state())))
    out = np.empty(encoder.width, np.float32)
    for place, cell in enumerate(cells):
        again.encode_row({"x": cell, "row": place}, out)
        assert out.tobytes() == array[place].tobytes()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["number", "category", "date"]), st.lists(CELLS, min_size=1, max_size=4))
def test_any_cell_at_predict_is_read_or_refused_by_name(kind, cells):
    fitted = {
        "number": [1.5, 2.5, 4.0],
        "category": ["a", "b", "a"],
        "date": ["2024-01-01", "2024-02-01", "2024-03-05"],
    }
    encoder = TableEncoder().fit({"x": fitted[kind]})
    out = np.empty(encoder.width, np.float32)
    for cell in cells:
        try:
            array = encoder.transform({"x": [cell]})
        except (TypeError, ValueError) as error:
            assert "column 'x' of X" in str(error)  # noqa: PT017
            with pytest.raises(type(error), match="column 'x' of X"):
                encoder.encode_row({"x": cell}, out)
            continue
        assert np.isfinite(array).all()
        encoder.encode_row({"x": cell}, out)
        assert out.tobytes() == array[0].tobytes()


def test_all_decimals_and_fractions_are_the_numbers_that_they_are():
    decimals = TableEncoder().fit_transform({"x": [Decimal("0.25"), Decimal("0.5"), Decimal("2")]})
    assert decimals.tobytes() == TableEncoder().fit_transform({"x": [0.25, 0.5, 2.0]}).tobytes()


@pytest.mark.parametrize("form", ["array", "pandas", "polars"])
def test_a_table_costs_one_copy_of_it_in_float32(form):
    X = np.random.default_rng(0).standard_normal((200_000, 16)).astype(np.float32)
    X[::7, 3] = np.nan
    X[:, 5] = X[:, 5] > 1
    size = X.nbytes
    if form == "pandas":
        X = pytest.importorskip("pandas").DataFrame(X, columns=[f"c{place}" for place in range(16)])
    if form == "polars":
        X = pytest.importorskip("polars").DataFrame(X)
    TableEncoder().fit(X[:100])  # imports
    tracemalloc.start()
    try:
        encoder = TableEncoder().fit(X)
        array = encoder.transform(X)
        Quantiles().fit(array).transform(array, out=array)
        smooth_clip(array, out=array)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert array.shape == (200_000, 17)
    # A column as float64 and its copies, of 16, beside the result.
    assert peak < 1.4 * size


def test_days_before_the_calendar_and_after_it():
    dates = [datetime.date(1, 1, 1), datetime.date(1969, 12, 31), datetime.date(9999, 12, 31), None]
    encoder = TableEncoder().fit({"x": dates})
    array = encoder.transform({"x": np.array(dates, "datetime64[D]")})
    assert array.tobytes() == encoder.transform({"x": dates}).tobytes()
    assert (np.diff(array[:3, 0]) > 0).all()

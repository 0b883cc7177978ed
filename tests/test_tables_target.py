"""Targets as numbers and back, and their means by level."""

import datetime
import enum
import json
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schuss.tables._target import ClassTarget, RegressionTarget
from schuss.tables._target_means import TargetMeans

# Regression


@pytest.mark.parametrize("transform", [None, "log", "quantile", "auto"])
def test_targets_are_standardised_and_come_back(transform):
    y = np.random.default_rng(0).lognormal(2, 1, 500)
    target = RegressionTarget(transform)
    z = target.fit_transform(y)
    assert target.chosen == {"auto": "log"}.get(transform, transform)
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=1e-12)
    np.testing.assert_allclose(
        target.inverse(z), y, rtol=1e-3 if transform == "quantile" else 1e-12, atol=0.05
    )
    if transform is None:
        np.testing.assert_allclose(z, (y - y.mean()) / y.std(), rtol=1e-12)
    if transform == "log":
        np.testing.assert_allclose(z, (np.log(y) - np.log(y).mean()) / np.log(y).std(), rtol=1e-12)


@pytest.mark.parametrize("transform", [None, "log", "quantile"])
def test_predictions_stay_in_the_range_of_the_targets(transform):
    y = np.random.default_rng(0).lognormal(2, 1, 500)
    target = RegressionTarget(transform).fit(y)
    assert target.inverse([-1e30, 1e30, -np.inf, np.inf]).tolist() == [y.min(), y.max()] * 2


def test_auto_takes_the_logarithm_only_of_what_is_skewed():
    rng = np.random.default_rng(0)
    for y, chosen in [
        (rng.lognormal(0, 1, 1000), "log"),
        (rng.lognormal(0, 1, 1000) - 0.5, None),  # not positive
        (rng.uniform(1, 2, 1000), None),
        (-rng.lognormal(0, 1, 1000) + 1e6, None),  # skewed to the other side
        (np.exp(rng.lognormal(0, 1, 1000)), None),  # skewed after it as well
        (np.full(10, 3.0), None),
    ]:
        assert RegressionTarget("auto").fit(y).chosen == chosen


def test_a_target_of_one_value_is_predicted():
    target = RegressionTarget("auto")
    assert target.fit_transform([0.1] * 7).tolist() == [0.0] * 7
    assert target.inverse(np.array([-3.0, 5.0])).tolist() == [0.1, 0.1]


@pytest.mark.parametrize("size", [1e-300, 1e200, 1e299])
def test_targets_of_any_size(size):
    y = np.array([1.0, 2.0, 4.0])
    z = RegressionTarget().fit_transform(y * size)
    np.testing.assert_allclose(z, RegressionTarget().fit_transform(y), rtol=1e-9)


@pytest.mark.parametrize("transform", [None, "log", "quantile", "auto"])
def test_the_state_of_a_regression_target(transform):
    y = np.random.default_rng(0).lognormal(2, 1, 200)
    target = RegressionTarget(transform).fit(y)
    again = RegressionTarget.from_state(target.get_state())
    assert again.transform(y).tobytes() == target.transform(y).tobytes()
    z = np.linspace(-3, 3, 50)
    assert again.inverse(z).tobytes() == target.inverse(z).tobytes()


def series():
    """A regression's target in other forms."""
    forms = [
        [1.5, 2.5, 4.0],
        (1.5, 2.5, 4.0),
        np.array([[1.5], [2.5], [4.0]]),
        np.array([1.5, 2.5, 4.0], object),
    ]
    try:
        import pandas as pd

        forms += [pd.Series(forms[0]), pd.Series(forms[0], dtype="Float64"), pd.DataFrame({"y": forms[0]})]
    except ImportError:
        pass
    try:
        import polars as pl

        forms += [pl.Series(forms[0])]
    except ImportError:
        pass
    try:
        import pyarrow as pa

        forms += [pa.chunked_array([forms[0]]), pa.array(forms[0])]
    except ImportError:
        pass
    return forms


@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.parametrize("y", series(), ids=lambda y: type(y).__module__ + type(y).__name__)
def test_targets_in_any_form(y):
    want = RegressionTarget().fit_transform(np.array([1.5, 2.5, 4.0]))
    assert RegressionTarget().fit_transform(y).tobytes() == want.tobytes()


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([1.0, np.nan, None], "Input y contains NaN: in 2 of 3 rows"),
        ([1.0, np.inf, -np.inf], "Input y contains infinity .* in 2 rows"),
        ([1.0, 1e301], "too large"),
        (["a", "b"], "y must have numbers for a regression, got 'a'"),
        ([1.0, "b"], "y must have numbers"),
        (np.ones((3, 2)), r"y must have 1 dimension, got shape \(3, 2\)"),
        ([], "at least 1 value"),
        (None, "requires y to be passed, but the target y is None"),
        (np.array(["2024-01-01"], "datetime64[D]"), "y must have numbers"),
    ],
)
def test_bad_targets_of_a_regression(y, match):
    with pytest.raises(ValueError, match=match):
        RegressionTarget().fit(y)


HUGE = "y contains a number too large to compute with: it must be within 1e[+]300, got "


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([1.0, 2e300, -3e305], rf"{HUGE}2e\+300 in 2 rows"),
        ([1, 10**400], f"{HUGE}an integer of 1329 bits in 1 rows"),
        (np.array([1, Decimal("-1e400")], object), rf"{HUGE}Decimal\('-1E\+400'\) in 1 rows"),
        ([1.0, 2e300, np.inf], "Input y contains infinity .* in 1 rows"),
        (np.array([1, Decimal("inf")], object), "Input y contains infinity .* in 1 rows"),
        (np.array([1, np.longdouble("1e400")]), HUGE if np.isfinite(np.longdouble("1e400")) else "Input y"),
    ],
    ids=["float64", "whole", "decimal", "infinite", "infinite decimal", "longdouble"],
)
def test_targets_that_are_too_large_are_not_called_infinite(y, match):
    with pytest.raises(ValueError, match=f"^{match}"):
        RegressionTarget().fit(y)


def test_transforms_that_cannot_be():
    with pytest.raises(ValueError, match=r'transform="log" needs a target above 0, got 0'):
        RegressionTarget("log").fit([0.0, 1.0])
    with pytest.raises(ValueError, match="above 0, as it was in fit, got -1"):
        RegressionTarget("log").fit([0.5, 1.0]).transform([-1.0])
    with pytest.raises(ValueError, match="None or one of log, quantile, auto, got 'sqrt'"):
        RegressionTarget("sqrt")


# Classes


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (["no", "yes", "no"], ["no", "yes"]),
        ([3, 1, 3], [1, 3]),
        ([1.0, 0.0, 1.0], [0.0, 1.0]),
        ([True, False, True], [False, True]),
        (np.array(["no", "yes", "no"], object), ["no", "yes"]),
        (np.array([True, False], object), [False, True]),
    ],
)
def test_classes_are_sorted(y, classes):
    target = ClassTarget()
    codes = target.fit_transform(y)
    assert target.classes.tolist() == classes
    assert target.inverse(codes).tolist() == list(y)
    assert target.transform(y).tolist() == codes.tolist()
    again = ClassTarget.from_state(json.loads(json.dumps(target.get_state())))
    assert again.classes.dtype == target.classes.dtype
    assert again.transform(y).tolist() == codes.tolist()


@pytest.mark.parametrize(
    ("y", "dtype"),
    [
        (np.array([0, 1], object), np.int64),
        (np.array([np.int8(1), 2], object), np.int64),
        (np.array([2**60, 2**60 + 1], object), np.int64),
        (np.array([0, 2**64 - 1], object), np.uint64),
        ([1, 2**63], np.uint64),
        (np.array([-1, 2**63], object), object),
        ([-(2**70), 2**70, 2**70 + 1], object),
    ],
)
def test_whole_numbers_are_classes_in_all_their_digits(y, dtype):
    target = ClassTarget()
    assert target.fit_transform(y).tolist() == list(range(len(y)))
    assert target.classes.dtype == dtype
    assert target.classes.tolist() == list(y)
    assert target.transform(y).tolist() == list(range(len(y)))
    assert all(isinstance(each, int) for each in target.classes.tolist())


@pytest.mark.skipif(not hasattr(getattr(np, "dtypes", None), "StringDType"), reason="NumPy 2 has it")
@pytest.mark.parametrize("nothing", [np.nan, None])
def test_texts_of_any_length_are_texts(nothing):
    dtype = np.dtypes.StringDType(na_object=nothing)
    target = ClassTarget()
    assert target.fit_transform(np.array(["b", "a", "b"], dtype=dtype)).tolist() == [1, 0, 1]
    assert target.classes.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="y contains NaN: in 1 of 3 rows"):
        ClassTarget().fit(np.array(["b", nothing, "a"], dtype=dtype))
    with pytest.raises(ValueError, match="y must have numbers for a regression, got '1', which is text"):
        RegressionTarget().fit(np.array(["1", "2"], dtype=dtype))


def test_classes_of_frames():
    pd = pytest.importorskip("pandas")
    for y in (
        pd.Series(["b", "a", "b"], dtype="category"),
        pd.Series(["b", "a", "b"], dtype="string"),
        pd.Series(["b", "a", "b"], dtype=object),
    ):
        target = ClassTarget()
        assert target.fit_transform(y).tolist() == [1, 0, 1]
        assert target.transform(["a", "b"]).tolist() == [0, 1]
    nullable = ClassTarget().fit(pd.Series([2, 1, 2], dtype="Int64"))
    assert nullable.classes.tolist() == [1, 2]
    pl = pytest.importorskip("polars")
    wide = ClassTarget().fit(pl.Series([2, 1, 2]).cast(pl.Int128))
    assert wide.classes.tolist() == [1, 2]


def test_moments_with_a_zone_are_no_classes():
    pd, pl, pa = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    y = pd.Series(pd.to_datetime(["2024-06-01", "2024-01-01"]).tz_localize("Europe/Berlin"))
    for moments in (y, pl.from_pandas(y), pa.array(y), pa.chunked_array([pa.array(y)])):
        with pytest.raises(TypeError, match=r"y must have classes that are text, .* datetime64 .*2024"):
            ClassTarget().fit(moments)


NO_CLASSES = {
    "date": [datetime.date(2024, 1, 1), datetime.date(2025, 1, 1)],
    "datetime": [datetime.datetime(2024, 1, 1), datetime.datetime(2025, 1, 1)],
    "timedelta": [datetime.timedelta(1), datetime.timedelta(2)],
    "timedelta64": [np.timedelta64(1, "D"), np.timedelta64(2, "D")],
    "bytes": [b"a", b"a\0"],
    "tuple": [(1,), (2,)],
    "void": np.array([b"a", b"b"], "V1"),
}


@pytest.mark.parametrize("kind", NO_CLASSES)
def test_what_is_no_class_is_refused_by_its_type(kind):
    y = NO_CLASSES[kind]
    if isinstance(y, list):
        y = np.fromiter(y, dtype=object, count=2)
    accepted = "text, bytes, True and False, whole numbers, or datetime64 or timedelta64 of NumPy"
    helps = r"y\.astype\(str\) makes text of them"
    with pytest.raises(
        TypeError, match=f"y must have classes that are {accepted}, got .*, of {kind}: {helps}"
    ):
        ClassTarget().fit(y)


def test_intervals_are_no_classes_and_their_texts_are():
    pd = pytest.importorskip("pandas")
    y = pd.Series(pd.cut([1.0, 2.0, 3.0, 4.0], 2))
    with pytest.raises(TypeError, match=r"of Interval: y\.astype"):
        ClassTarget().fit(y)
    assert ClassTarget().fit_transform(y.astype(str)).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("of", [bytes, np.bytes_])
def test_objects_of_bytes_are_bytes_of_numpy(of):
    target = ClassTarget()
    y = np.array([of(b"no"), of(b"yes"), of(b"no")], dtype=object)
    assert target.fit_transform(y).tolist() == [0, 1, 0]
    assert target.classes.dtype == "S3"
    assert target.transform(y).tolist() == [0, 1, 0]


@pytest.mark.parametrize("values", [[True, 0], [True, 2.0], ["a", b"b"], ["a", 1]])
def test_classes_of_several_types_are_refused(values):
    kinds = ", ".join(sorted(type(value).__name__ for value in values))
    with pytest.raises(TypeError, match=rf"classes of one type, got {kinds}: y\.astype\(str\) makes"):
        ClassTarget().fit(np.array(values, object))


@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.parametrize("known", [["a", "b", "b"], [1, 2, 2]])
def test_what_is_missing_in_a_dictionary_of_arrow_is_missing(known):
    pa = pytest.importorskip("pyarrow")
    gaps = pa.chunked_array([[known[0], None], known]).dictionary_encode()
    for y in (gaps, gaps.combine_chunks(), pa.table({"y": gaps}), pa.table({"y": gaps}).to_batches()[0]):
        with pytest.raises(ValueError, match="y contains NaN: in 1 of"):
            ClassTarget().fit(y)
        if known[0] == 1:
            with pytest.raises(ValueError, match="y contains NaN: in 1 of"):
                RegressionTarget().fit(y)
    whole = pa.chunked_array([known, known]).dictionary_encode()
    for y in (whole, whole.combine_chunks(), pa.table({"y": whole})):
        target = ClassTarget()
        assert target.fit_transform(y).tolist() == [0, 1, 1] * 2
        assert target.classes.tolist() == known[:2]


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([1, 1, 1], "at least 2 classes, got only one class, 1"),
        (["a", None, "b"], "Input y contains NaN: in 1 of 3 rows"),
        ([1.0, np.nan, 0.0], "Input y contains NaN: in 1 of 3 rows"),
        ([0.5, 1.2, 3.4], "Unknown label type: continuous"),
        ([0.0, np.inf], "Input y contains infinity"),
    ],
)
def test_bad_classes(y, match):
    with pytest.raises(ValueError, match=match):
        ClassTarget().fit(y)


def test_classes_without_an_order():
    class Size(enum.Enum):
        SMALL, LARGE = 1, 2

    with pytest.raises(TypeError, match=r"y must have classes that are .*, of Size: y\.astype"):
        ClassTarget().fit([Size.SMALL, Size.LARGE])


class Answer(str, enum.Enum):
    NO, YES = "no", "of course"


@pytest.mark.parametrize("form", [list, lambda y: np.array(y, object)])
def test_members_of_an_enum_of_text_are_the_classes_that_they_are_equal_to(form):
    texts = ["no", "of course", "no"]
    members = form([Answer(text) for text in texts])
    target = ClassTarget()
    assert target.fit_transform(members).tolist() == [0, 1, 0]
    assert target.classes.tolist() == texts[:2]
    assert set(map(type, target.classes.tolist())) == {str}
    for learnt, other in ((members, texts), (texts, members)):
        assert ClassTarget().fit(learnt).transform(other).tolist() == [0, 1, 0]


def test_classes_never_seen():
    with pytest.raises(ValueError, match="classes that were in fit, got 'c'"):
        ClassTarget().fit(["a", "b"]).transform(["a", "c"])


# Means by level


def levels(n=600, n_levels=20, seed=0, effect=0.3):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, n_levels, n)
    y = effect * rng.standard_normal(n_levels)[codes] + rng.standard_normal(n)
    return codes[:, None].astype(np.float32), (y - y.mean()) / y.std()


def by_hand(codes, y, size):
    """The smoothed means, as they are written: loops over levels."""
    prior, rows = y.mean(), len(y)
    groups = [y[codes == code] for code in range(size)]
    seen = [group for group in groups if len(group)]
    within = sum(((group - group.mean()) ** 2).sum() for group in seen) / (rows - len(seen))
    between = sum(len(group) * (group.mean() - prior) ** 2 for group in seen)
    room = rows - sum(len(group) ** 2 for group in seen) / rows
    variance = (between - (len(seen) - 1) * within) / room
    if variance <= 0:
        return np.full(size, prior), prior
    strength = max(within / variance, 1)
    return np.array([(group.sum() + strength * prior) / (len(group) + strength) for group in groups]), prior


@pytest.mark.parametrize("effect", [0.2, 0.5, 3])
def test_new_rows_have_the_smoothed_means_of_all_training_rows(effect):
    codes, y = levels(effect=effect)
    means = TargetMeans([25])
    means.fit_transform(codes, y)
    want, prior = by_hand(codes[:, 0], y, 25)
    got = means.transform(np.arange(25.0)[:, None])[:, 0]
    spread = np.sqrt(((want[codes[:, 0].astype(int)] - prior) ** 2).mean())
    np.testing.assert_allclose(got, (want - prior) / spread, rtol=1e-5, atol=1e-6)
    assert not got[20:].any()  # never seen


def test_training_rows_have_the_means_of_the_other_folds():
    codes, y = levels()
    means = TargetMeans([20], n_folds=4, seed=7)
    got = means.fit_transform(codes, y)[:, 0]
    folds = np.random.default_rng(7).permutation(len(y)) % 4
    want, prior = by_hand(codes[:, 0], y, 20)
    spread = np.sqrt(((want[codes[:, 0].astype(int)] - prior) ** 2).mean())
    for fold in range(4):
        own = folds == fold
        others, _ = by_hand(codes[~own, 0], y[~own], 20)
        np.testing.assert_allclose(
            got[own], (others[codes[own, 0].astype(int)] - prior) / spread, rtol=1e-4, atol=1e-5
        )


def test_no_row_sees_its_own_target():
    codes, y = levels()
    means = TargetMeans([20])
    first = means.fit_transform(codes, y)
    centre, spread = constants(first, codes, y)
    for row in (0, 17, 333):
        other = y.copy()
        other[row] += 2
        second = TargetMeans([20]).fit_transform(codes, other)
        a, b = constants(second, codes, other)
        # Centre and scale, the two numbers that know all targets, are undone.
        np.testing.assert_allclose(second[row] * b + a, first[row] * spread + centre, rtol=1e-3, atol=1e-5)
        assert abs(second[row] - first[row]).max() > 0


def constants(_, codes, y):
    means, prior = by_hand(codes[:, 0], y, 20)
    return prior, np.sqrt(((means[codes[:, 0].astype(int)] - prior) ** 2).mean())


def test_levels_of_one_row_each_tell_nothing():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(100)
    means = TargetMeans([101])
    assert not means.fit_transform(np.arange(1, 101.0)[:, None], y).any()


def test_levels_without_influence_are_drawn_to_the_mean():
    rng = np.random.default_rng(0)
    codes, y = rng.integers(0, 200, 2000)[:, None], rng.standard_normal(2000)
    out = TargetMeans([200]).fit_transform(codes, y)[:, 0]
    assert abs(np.corrcoef(out, y)[0, 1]) < 0.1 or not out.any()


@pytest.mark.parametrize(("n_classes", "columns"), [(2, 1), (3, 3)])
def test_classes_have_a_column_each_and_two_share_one(n_classes, columns):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (500, 2))
    classes = (codes[:, 0] + (rng.random(500) < 0.3)) % n_classes
    means = TargetMeans([4, 4])
    out = means.fit_transform(codes, classes, n_classes)
    assert out.shape == (500, 2 * columns)
    for output in range(columns):
        one_class = (classes == (1 if n_classes == 2 else output)).astype(float)
        same = TargetMeans([4, 4]).fit_transform(codes, one_class)
        assert out[:, output].tobytes() == same[:, 0].tobytes()
        assert out[:, columns + output].tobytes() == same[:, 1].tobytes()


def test_weights_are_as_many_rows():
    codes, y = levels(100, 5)
    counts = np.random.default_rng(1).integers(1, 5, 100)
    repeated, weighted = TargetMeans([5]), TargetMeans([5])
    repeated.fit_transform(np.repeat(codes, counts, axis=0), np.repeat(y, counts))
    weighted.fit_transform(codes, y, weights=counts)
    rows = np.arange(5.0)[:, None]
    assert repeated.transform(rows).any()
    np.testing.assert_allclose(weighted.transform(rows), repeated.transform(rows), rtol=1e-5)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5)), min_size=1, max_size=40))
def test_means_are_finite_and_seeded(rows):
    codes = np.array([[code] for code, _ in rows])
    y = np.array([value for _, value in rows])
    means = TargetMeans([4], seed=3)
    out = means.fit_transform(codes, y)
    assert np.isfinite(out).all()
    assert out.tobytes() == TargetMeans([4], seed=3).fit_transform(codes, y).tobytes()
    again = TargetMeans.from_state(means.get_state())
    assert again.transform(codes).tobytes() == means.transform(codes).tobytes()


def test_codes_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"codes must have 2 columns, got shape \(3, 1\)"):
        TargetMeans([4, 4]).fit_transform(np.zeros((3, 1)), np.zeros(3))


def test_the_order_of_rows_does_not_change_a_bit():
    rng = np.random.default_rng(0)
    y = rng.lognormal(sigma=8, size=500) * rng.choice([-1, 1], 500)
    targets = [RegressionTarget().fit(rng.permutation(y)) for _ in range(5)]
    assert len({(target.mean, target.std) for target in targets}) == 1


DAYS = np.array(["2020-01-01", "2021-01-01", "2020-01-01"], "M8[D]")


@pytest.mark.parametrize(
    ("learnt", "other"),
    [
        (DAYS.astype("M8[ns]"), DAYS.astype("M8[us]")),
        (DAYS, DAYS.astype("M8[ns]")),
        (DAYS - DAYS[0], (DAYS - DAYS[0]).astype("m8[ns]")),
        (np.array([True, False, True]), np.array([1, 0, 1])),
        (np.array([1, 0, 1]), np.array([True, False, True])),
        (np.array([1.0, 0.0, 1.0]), np.array([True, False, True])),
    ],
    ids=["ns-us", "D-ns", "durations", "flags-numbers", "numbers-flags", "floats-flags"],
)
def test_equal_labels_of_another_dtype_are_known(learnt, other):
    target = ClassTarget().fit(learnt)
    np.testing.assert_array_equal(target.transform(other), target.transform(learnt))
    odd = other[:1] + np.timedelta64(7, "D") if other.dtype.kind in "mM" else np.array([7])
    with pytest.raises(ValueError, match=r"^y must have classes that were in fit, got "):
        target.transform(odd)


TYPES = {
    "whole numbers": [0, 1],
    "text": ["0", "1"],
    "truth": [False, True],
    "words of truth": ["False", "True"],
    "bytes": [b"0", b"1"],
    "moments": np.array([0, 1], "M8[ns]"),
    "durations": np.array([0, 1], "m8[ns]"),
    "long whole numbers": np.array([-(2**70), 1], object),
}
LIKE_NUMBERS = {"whole numbers", "truth", "long whole numbers"}


@pytest.mark.parametrize("learnt", TYPES)
@pytest.mark.parametrize("other", TYPES)
def test_labels_of_another_type_are_refused(learnt, other):
    target = ClassTarget().fit(TYPES[learnt])
    of_text = {"text", "words of truth"}
    if learnt == other or {learnt, other} <= LIKE_NUMBERS or {learnt, other} <= of_text:
        target.codes_of(TYPES[other])
        return
    with pytest.raises(
        TypeError, match=r"^y must have labels of the type that classes_ has, \[.*, got .*, of "
    ):
        target.codes_of(TYPES[other])


@pytest.mark.parametrize("of", [np.int8, np.uint64, np.float32, object, bool, Decimal])
def test_labels_that_are_equal_numbers_are_the_same(of):
    other = np.array(list(map(of, [0, 1, 1])), object) if of is Decimal else np.array([0, 1, 1]).astype(of)
    for classes in ([0, 1], [0.0, 1.0], [False, True]):
        assert ClassTarget().fit(classes).transform(other).tolist() == [0, 1, 1]

"""ONNX models of estimators for tables say of columns as they are what the estimators say."""

import enum
import io

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")
pytest.importorskip("onnx")
import onnx
import pandas as pd

import schuss as sc
from mixed_table import labels, numbers, table
from schuss.exchange import onnx_inputs, to_onnx
from schuss.exchange._graph import Graph, Value
from schuss.exchange._onnx_calendar import Calendar
from schuss.exchange._onnx_ensemble import _in_unit
from schuss.tables._dates import PARTS
from schuss.tables._target import RegressionTarget

onnxruntime = pytest.importorskip("onnxruntime")

LITTLE = {"preset": "quick", "n_members": 2, "n_folds": 2, "random_state": 0}
FRAME, NEW = table(300, 0), table(200, 1)
LEVELS = {
    "float32": np.array([0.1, 0.2, 0.3], np.float32),
    "float64": np.array([0.1, 1 / 3, 1e300]),
    "durations": np.array([1, 90, 86_400], "m8[s]"),
    "durations of nanoseconds": np.array([1, 90, 86_400], "m8[s]").astype("m8[ns]"),
    "dates": np.array(["2024-01-01", "2024-02-01"], "M8[s]"),
    "large integers": np.array([2**60 + 1, 2**60 + 2]),
}


def run(made, feeds):
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def by_hand(frame):
    """The mixed table as somebody would send it from elsewhere."""
    texts = {name: frame[name].astype(object) for name in ("town", "kind", "grade", "flag")}
    floats = {name: frame[name].astype(float) for name in ("size", "count", "mostly")}
    floats["written"] = frame["written"].replace("?", "nan").astype(float)
    floats["when"] = (frame["when"] - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
    feeds = {name: values.to_numpy() for name, values in floats.items()}
    for name, values in texts.items():
        feeds[name] = np.array(["" if pd.isna(value) else str(value) for value in values], dtype=object)
    return feeds


def odd(frame):
    """What was not there in `fit`: gaps and levels in every column, numbers and dates far away."""
    frame = frame.copy()
    frame["count"] = frame["count"].astype(float)
    frame["grade"] = frame["grade"].astype(object)
    frame["flag"] = frame["flag"].astype(object)
    for place, name in enumerate(frame.columns.drop("same")):
        frame.loc[place, name] = None
    frame.loc[20:29, ["town", "kind", "grade"]] = "never seen"
    frame.loc[30, "size"] = 1e250
    frame.loc[31, "size"] = -1e250
    frame.loc[32:34, "when"] = [pd.Timestamp(day) for day in ("1901-03-01", "2000-02-29", "2199-12-31 23:59")]
    return frame


def check(model, frame, feeds=None):
    out = run(to_onnx(model), onnx_inputs(model, frame) if feeds is None else feeds)
    expected = model.predict(frame)
    if hasattr(model, "classes_"):
        probabilities = model.predict_proba(frame)
        assert out["probabilities"].dtype == np.float32
        np.testing.assert_allclose(out["probabilities"], probabilities, rtol=0, atol=1e-5)
        assert np.ptp(probabilities[:, 0]) > 0.3
        assert out["label"].tolist() == expected.tolist()
    else:
        assert out["prediction"].shape == expected.shape
        np.testing.assert_allclose(out["prediction"], expected, rtol=1e-5, atol=1e-5 * np.std(expected))
        assert np.ptp(expected) > 0.5


CLASSES = {
    "two texts": ["no", "yes"],
    "three texts": ["high", "low", "middle"],
    "whole numbers": [-4, 0, 7, 9],
    "truth": [False, True],
}
TRANSFORMS = [None, "log", "quantile", "auto"]


@pytest.fixture(scope="module", params=CLASSES.values(), ids=CLASSES)
def classifier(request):
    return sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, request.param))


@pytest.fixture(scope="module", params=TRANSFORMS)
def regressor(request):
    model = sc.TabularRegressor(**LITTLE, target_transform=request.param)
    return model.fit(FRAME, np.exp(numbers(FRAME)))


class TestClassifier:
    def test_rows_like_those_of_fit(self, classifier):
        check(classifier, NEW)

    def test_columns_given_by_hand(self, classifier):
        check(classifier, NEW, by_hand(NEW))

    def test_gaps_unseen_levels_and_far_values(self, classifier):
        check(classifier, odd(NEW))


class TestRegressor:
    def test_rows_like_those_of_fit(self, regressor):
        check(regressor, NEW)

    def test_columns_given_by_hand(self, regressor):
        check(regressor, NEW, by_hand(NEW))

    def test_gaps_unseen_levels_and_far_values(self, regressor):
        check(regressor, odd(NEW))

    def test_it_stays_within_the_targets(self):
        model = sc.TabularRegressor(**LITTLE).fit(FRAME, numbers(FRAME))
        frame = FRAME.assign(size=1e6)
        out = run(to_onnx(model), onnx_inputs(model, frame))["prediction"]
        assert out.max() <= numbers(FRAME).max()
        np.testing.assert_allclose(out, model.predict(frame), rtol=1e-5)


class TestTinyNumbers:
    """Onnxruntime takes what float32 has as 0 for nothing to add."""

    @pytest.mark.parametrize("usual", [0.0, 0.6])
    def test_in_a_column(self, usual):
        rng = np.random.default_rng(0)
        size = np.where(rng.random(300) < usual, 3.0, rng.normal(3, 1, 300))
        frame = pd.DataFrame({"size": size * 1e-60})
        regressor = sc.TabularRegressor(**LITTLE).fit(frame, size)
        assert ("apart" in regressor.encoder_.roles) == (usual > 0)
        check(regressor, frame)
        check(sc.TabularClassifier(**LITTLE).fit(frame, size > 3.1), frame)

    def test_in_the_target(self):
        model = sc.TabularRegressor(**LITTLE).fit(FRAME, numbers(FRAME) * 1e-60)
        out = run(to_onnx(model), onnx_inputs(model, NEW))["prediction"]
        np.testing.assert_allclose(out * 1e60, model.predict(NEW) * 1e60, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("ends", [10, 1])
def test_beyond_the_last_knots_a_target_goes_on_as_in_predict(ends):
    """Knots are of some of many rows, and the range is of all of them; of one value there is one knot."""
    seen = np.exp(np.random.default_rng(0).normal(size=200)) if ends > 1 else np.ones(20)
    target = RegressionTarget("quantile").fit(seen)
    target.low, target.high = seen.min() - ends, seen.max() + ends
    mean = np.linspace(-8, 8, 101)[:, None]
    expected = target.inverse(mean)[:, 0]
    if ends > 1:
        is_beyond = (expected < seen.min()) | (expected > seen.max())
        assert (is_beyond & (expected > target.low) & (expected < target.high)).sum() > 10
    graph = Graph(["mean", "prediction"])
    outputs = _in_unit(graph, "mean", target)
    made = graph.model("target", [Value("mean", onnx.TensorProto.DOUBLE, [1])], outputs)
    np.testing.assert_allclose(run(made, {"mean": mean})["prediction"], expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("part", PARTS)
def test_the_calendar_is_numpys(part):
    rng = np.random.default_rng(0)
    first, last = (np.datetime64(day, "us") for day in ("0001-01-01", "9999-12-31"))
    days = np.arange("1890-01-01", "2110-01-01", dtype="M8[D]").astype("M8[us]")
    moments = np.concatenate([days, days - np.timedelta64(1, "s"), days + np.timedelta64(18, "h")])
    anywhere = rng.integers(first.astype(int), last.astype(int), 20_000).astype("M8[us]")
    moments = np.concatenate([moments, anywhere, [first, last]])
    seconds = (moments - np.datetime64(0, "us")) / np.timedelta64(1, "s")
    graph = Graph(["seconds", "part"])
    value = Value(Calendar(graph, "seconds").part(part), onnx.TensorProto.DOUBLE, [])
    made = graph.model("calendar", [Value("seconds", onnx.TensorProto.DOUBLE, [])], {"part": value})
    got, expected = run(made, {"seconds": seconds})["part"], PARTS[part](moments)
    # Seconds have microseconds, of thousands of years, to 4e-6.
    exact = part in ("year", "month", "weekday")
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=0 if exact else 2e-8)
    assert np.isnan(run(made, {"seconds": np.array([np.nan])})["part"]).all()


@pytest.fixture(scope="module")
def one():
    return sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, ["no", "yes"]))


class TestInputs:
    def test_each_column_that_was_not_dropped_has_one_by_its_name(self, one):
        made = to_onnx(one)
        given = {each.name: each.type.tensor_type.elem_type for each in made.graph.input}
        assert list(given) == list(FRAME.columns.drop("same"))
        texts = [name for name, kind in given.items() if kind == 8]
        assert texts == ["town", "kind", "grade", "flag"]
        assert {given[name] for name in given if name not in texts} == {11}  # float64

    @pytest.mark.parametrize("rows", [0, 1, 5000])
    def test_any_number_of_rows(self, one, rows):
        feeds = onnx_inputs(one, table(max(rows, 1), 3))
        feeds = {name: values[:rows] for name, values in feeds.items()}
        out = run(to_onnx(one), feeds)
        assert out["probabilities"].shape == (rows, 2)
        assert out["label"].shape == (rows,)

    def test_columns_without_names_are_called_by_their_places(self):
        rows = np.random.default_rng(0).normal(size=(150, 3))
        rows[:, 1] = 1
        model = sc.TabularRegressor(**LITTLE).fit(rows, rows[:, 0] * rows[:, 2])
        assert [each.name for each in to_onnx(model).graph.input] == ["x0", "x2"]
        check(model, rows, {"x0": rows[:, 0], "x2": rows[:, 2]})

    def test_categories_alone(self):
        frame = FRAME[["town", "kind"]]
        model = sc.TabularClassifier(**LITTLE).fit(frame, labels(FRAME, ["a", "b"]))
        out = run(to_onnx(model), onnx_inputs(model, NEW[["town", "kind"]]))
        np.testing.assert_allclose(
            out["probabilities"], model.predict_proba(NEW[["town", "kind"]]), atol=1e-5
        )

    @pytest.mark.parametrize("values", LEVELS.values(), ids=LEVELS)
    def test_categories_that_are_no_text(self, values):
        def given(frame):
            return frame[["size"]].assign(level=np.resize(values, len(frame)))

        signal = FRAME["size"].fillna(0) + 20 * (given(FRAME)["level"] == values[1])
        options = {"columns": {"level": "category"}}
        model = sc.TabularClassifier(**LITTLE, **options).fit(given(FRAME), signal > 60)
        assert model.encoder_.category_sizes == [len(values) + 1]
        check(model, given(NEW))
        rows = given(NEW).to_dict("records")
        np.testing.assert_array_equal(
            [model.predict_proba_one(row) for row in rows], model.predict_proba(given(NEW))
        )

    @pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float64", "float32")])
    def test_the_usual_value_is_the_same_in_every_precision(self, dtypes):
        def given(frame, dtype):
            return (frame[["size", "mostly"]] + {"size": 0.0, "mostly": 0.1}).astype(dtype)

        fitted, given_ = dtypes
        usual = (FRAME["mostly"] == 0).to_numpy()
        model = sc.TabularClassifier(**LITTLE).fit(given(FRAME, fitted), usual)
        assert "apart" in model.encoder_.roles
        frame = given(NEW, given_)
        check(model, frame)
        assert (model.predict(frame) == (NEW["mostly"] == 0)).mean() > 0.9
        feeds = {name: given(NEW, "float64")[name].to_numpy() for name in frame}
        check(model, frame, feeds)

    def test_a_level_without_letters_is_not_what_is_missing(self):
        def given(frame):
            return frame.assign(town=frame["town"].replace(["town 0", "town 1"], ""))

        model = sc.TabularClassifier(**LITTLE).fit(given(FRAME), labels(FRAME, ["no", "yes"]))
        towns = onnx_inputs(model, given(NEW))["town"].tolist()
        assert "" in towns
        assert "<missing>" in towns
        check(model, given(NEW))

    def test_a_level_without_letters_that_was_never_seen_is_not_what_is_missing(self):
        model = sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, ["no", "yes"]))
        town = next(each for each in model.encoder_.features if each.label == "town")
        assert "" not in town.codes
        assert town.unseen != 0
        empty = NEW.assign(town="")
        assert set(onnx_inputs(model, empty)["town"]) == {"<unseen>"}
        with pytest.warns(UserWarning, match="column 'town' of X has only values of which none was in fit"):
            check(model, empty)

    def test_levels_that_leave_no_word_for_missing_are_refused(self):
        kinds = FRAME["kind"].replace({"a": "", "b": "<missing>"})
        model = sc.TabularClassifier(**LITTLE).fit(FRAME.assign(kind=kinds), labels(FRAME, ["no", "yes"]))
        with pytest.raises(ValueError, match="column 'kind' must have levels other than '' and '<missing>'"):
            to_onnx(model)

    def test_dates_of_another_zone_are_moved_to_that_of_fit(self):
        def given(frame, zone):
            return frame[["size", "when"]].assign(
                when=frame["when"].dt.tz_localize("UTC").dt.tz_convert(zone)
            )

        late = FRAME["when"].dt.hour > 15
        model = sc.TabularClassifier(**LITTLE).fit(given(FRAME, "UTC"), late)
        for zone in ("UTC", "Asia/Tokyo"):
            check(model, given(NEW, zone))
        want, got = (onnx_inputs(model, given(NEW, zone))["when"] for zone in ("UTC", "Asia/Tokyo"))
        assert want.tobytes() == got.tobytes()

    def test_moments_that_are_levels_are_the_same_in_another_zone(self):
        days = np.datetime64("2024-03-30", "us") + np.arange(3) * np.timedelta64(1, "D")

        def given(frame, zone):
            when = pd.Series(np.resize(days, len(frame))).dt.tz_localize("UTC").dt.tz_convert(zone)
            return frame[["size"]].assign(when=when)

        second = np.arange(len(FRAME)) % 3 == 1
        options = {"columns": {"when": "category"}}
        model = sc.TabularClassifier(**LITTLE, **options).fit(given(FRAME, "Europe/Berlin"), second)
        for zone in ("Europe/Berlin", "UTC", "Asia/Tokyo"):
            check(model, given(NEW, zone))
            check(model, given(NEW, zone).astype(object))
            assert (model.predict(given(NEW, zone)) == (np.arange(len(NEW)) % 3 == 1)).all()

    def test_dates_of_several_zones_are_on_the_clock_of_utc(self):
        def given(frame, zone):
            dates = frame["when"].dt.tz_localize("UTC").dt.tz_convert(zone)
            return frame[["size"]].assign(when=dates.astype(str))

        late = FRAME["when"].dt.hour > 15
        model = sc.TabularClassifier(**LITTLE).fit(given(FRAME, "Europe/Berlin"), late)
        assert "on the clock of UTC" in model.report_[1].done
        for zone in ("UTC", "Europe/Berlin"):
            check(model, given(NEW, zone))
        want, got = (onnx_inputs(model, given(NEW, zone))["when"] for zone in ("UTC", "Europe/Berlin"))
        assert want.tobytes() == got.tobytes()

    def test_bytes_that_are_no_text_were_never_seen_or_are_refused(self, one):
        def given(frame, *values):
            return frame.assign(town=np.resize(np.array(values, object), len(frame)))

        odd_bytes = given(NEW, b"\xe9", b"town 1", b"\xe8")
        assert onnx_inputs(one, odd_bytes)["town"][:3].tolist() == ["<unseen>", "town 1", "<unseen>"]
        check(one, odd_bytes)
        model = sc.TabularClassifier(**LITTLE).fit(given(FRAME, b"\xe9", b"\xe8"), labels(FRAME, ["a", "b"]))
        with pytest.raises(ValueError, match="column 'town' has a level that is no text"):
            to_onnx(model)

    def test_members_of_an_enum_are_their_text(self, one):
        towns = NEW["town"].dropna().unique().tolist()
        town = enum.Enum("Town", {f"TOWN_{place}": text for place, text in enumerate(towns)}, type=str)
        given = [town(text) if text in towns else None for text in NEW["town"]]
        members = NEW.assign(town=pd.Series(given, dtype=object))
        want, got = (onnx_inputs(one, frame)["town"].tolist() for frame in (NEW, members))
        assert want == got
        assert set(map(type, got)) == {str}

    def test_truth_may_be_numbers(self, one):
        texts = by_hand(NEW)
        numbers = texts | {"flag": np.where(texts["flag"] == "True", "1", "0").astype(object)}
        want, got = (run(to_onnx(one), feeds)["probabilities"] for feeds in (texts, numbers))
        assert want.tobytes() == got.tobytes()

    def test_names_like_those_within_the_graph(self):
        names = {"size": "constant_0", "count": "gemm_3", "town": "X", "kind": "unsqueeze_0"}
        model = sc.TabularRegressor(**LITTLE).fit(FRAME.rename(columns=names), numbers(FRAME))
        check(model, NEW.rename(columns=names))

    @pytest.mark.parametrize("name", ["label", "probabilities", "prediction", ""])
    def test_a_name_that_an_output_has_or_none_is_that_of_the_place(self, name):
        names = {"size": name, "town": "x0", "kind": "x0_"}
        frame, new = FRAME.rename(columns=names), NEW.rename(columns=names)
        for make, y in (
            (sc.TabularClassifier, labels(FRAME, ["no", "yes"])),
            (sc.TabularRegressor, numbers(FRAME)),
        ):
            model = make(**LITTLE).fit(frame, y)
            outputs = {each.name for each in to_onnx(model).graph.output}
            given = [each.name for each in to_onnx(model).graph.input]
            assert given[0] == (name if name and name not in outputs else "x0__")
            assert given[1:] == list(frame.columns.drop("same"))[1:]
            assert list(onnx_inputs(model, new)) == [
                given[feature.place] for feature in model.encoder_.features
            ]
            check(model, new)


class TestModels:
    def test_it_is_written_to_a_file(self, one, tmp_path):
        made = to_onnx(one, tmp_path / "model.onnx")
        assert (tmp_path / "model.onnx").read_bytes() == made.SerializeToString()

    def test_of_one_that_was_loaded_it_is_the_same(self, one):
        file = io.BytesIO()
        one.save(file)
        file.seek(0)
        same = sc.TabularClassifier.load(file)
        assert to_onnx(same).SerializeToString() == to_onnx(one).SerializeToString()

    def test_a_temperature_is_part_of_it(self, one):
        import copy

        cold = copy.copy(one)
        cold.temperature_ = 0.25
        check(cold, NEW)
        assert np.abs(cold.predict_proba(NEW) - one.predict_proba(NEW)).max() > 0.1

    def test_what_is_not_fitted_is_refused(self):
        words = "model must be an MLP or a fitted .*TabularRegressor, got .*TabularClassifier"
        with pytest.raises(TypeError, match=words):
            to_onnx(sc.TabularClassifier())
        for model in (sc.TabularClassifier(), sc.MLP([2, 1])):
            with pytest.raises(TypeError, match="model must be a fitted TabularClassifier or TabularReg"):
                onnx_inputs(model, NEW)

    def test_a_table_without_its_columns_is_refused(self, one):
        with pytest.raises(ValueError, match="feature names should match"):
            onnx_inputs(one, NEW.drop(columns="size"))

    def test_classes_in_another_order_of_bytes(self):
        check(sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, np.array([2.0, 3.0], ">f4"))), NEW)

    def test_classes_that_onnx_has_not_are_refused(self):
        days = np.array(["2020-01-01", "2021-01-01"], "M8[D]")
        model = sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, days))
        with pytest.raises(ValueError, match="classes must be integers, booleans, texts"):
            to_onnx(model)

    @pytest.mark.parametrize("dtype", ["S", object])
    def test_classes_of_bytes_must_be_texts(self, dtype, tmp_path):
        texts = np.array([b"low", "h\N{LATIN SMALL LETTER O WITH DIAERESIS}chst".encode()], dtype)
        model = sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, texts))
        got = run(to_onnx(model), onnx_inputs(model, NEW))["label"]
        assert got.tolist() == [each.decode() for each in model.predict(NEW).tolist()]
        others = np.array([b"low", b"h\xf6chst"], dtype)
        model = sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, others))
        with pytest.raises(ValueError, match=r"classes must be integers, .*can't decode byte 0xf6"):
            to_onnx(model, tmp_path / "model.onnx")
        assert not list(tmp_path.iterdir())

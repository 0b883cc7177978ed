"""Columns that tell nothing of the target: found as by the textbook, and left out by some members."""

import io
import pickle

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")
import pandas as pd
from scipy import stats
from sklearn.metrics import log_loss

import schuss as sc
from mixed_table import labels, numbers, table
from schuss.tables import TableEncoder
from schuss.tables._inputs import Inputs
from schuss.tables._screening import _above_chance, parts_of, rows_to_ask, telling

RNG = np.random.default_rng(0)
LITTLE = {"preset": "quick", "n_members": 4, "n_folds": 2, "random_state": 0}


def with_noise(rows, seed):
    """The mixed table among columns of every kind that mean nothing."""
    rng, frame = np.random.default_rng([seed, 1]), table(rows, seed)
    for place in range(20):
        frame.insert(place, f"number {place}", rng.normal(size=rows))
    frame.loc[rng.random(rows) < 0.3, "number 3"] = np.nan
    for place, levels in enumerate((3, 5, 40)):
        frame[f"word {place}"] = rng.choice([f"word {number}" for number in range(levels)], rows)
    return frame


FRAME, NEW = with_noise(600, 0), with_noise(120, 1)
NEW.loc[:4, ["size", "town", "number 3", "word 2"]] = None


@pytest.mark.parametrize("levels", [2, 5, 60])
def test_what_is_above_chance_is_what_the_analysis_of_variance_says(levels):
    groups, y = RNG.integers(0, levels, 3000), RNG.normal(size=3000)
    for effect in (0.0, 0.1, 0.3):
        target = y + effect * RNG.normal(size=levels)[groups]
        target -= target.mean()
        f = stats.f_oneway(*(target[groups == level] for level in np.unique(groups))).statistic
        freedom = levels - 1
        ours = stats.norm.sf(_above_chance(groups, target, np.ones(3000)))
        assert ours == pytest.approx(stats.chi2.sf(f * freedom, freedom), rel=0.1, abs=1e-4)


def test_weights_are_numbers_of_rows_and_their_unit_says_nothing():
    groups, y, counts = RNG.integers(0, 4, 500), RNG.normal(size=500), RNG.integers(1, 4, 500)
    y += 0.1 * groups
    y -= np.average(y, weights=counts)
    every = np.repeat(np.arange(500), counts)
    left = {len(rows): len(rows) - 4 for rows in (y, every)}
    # But for the degrees of freedom within the levels, which are those of the rows that there are.
    within = left[500] / left[len(every)]
    ours = _above_chance(groups, y, counts.astype(float))
    spread = 2 / 27
    share = (_above_chance(groups[every], y[every], np.ones(len(every))) * spread**0.5 + 1 - spread) ** 3
    assert ours == pytest.approx(((share * within) ** (1 / 3) - (1 - spread)) / spread**0.5)
    columns = [groups, RNG.integers(0, 4, 500)]
    for unit in (1e-30, 1.0, 1e30):
        np.testing.assert_array_equal(telling(columns, y, None, unit * counts), [True, False])


@pytest.mark.parametrize("n_classes", [None, 2, 4])
def test_of_many_columns_that_mean_nothing_one_passes(n_classes):
    passed = []
    for _ in range(40):
        y = RNG.normal(size=400) if n_classes is None else RNG.integers(0, n_classes, 400)
        columns = [parts_of(column) for column in RNG.normal(size=(60, 400))]
        passed.append(telling(columns, y, n_classes, None).sum())
    assert 0.6 < np.mean(passed) < 1.6


def test_two_classes_are_one_target():
    y = RNG.integers(0, 2, 400)
    effects = np.linspace(0, 0.5, 400)[:, None]
    columns = [parts_of(column) for column in RNG.normal(size=(400, 400)) + effects * y]
    told = telling(columns, y, 2, None)
    np.testing.assert_array_equal(told, telling(columns, y, None, None))
    # With a second one, less would pass.
    assert told.sum() > telling([*columns, *columns], y, None, None)[:400].sum()


@pytest.mark.parametrize("n_classes", [None, 2, 4])
def test_what_tells_something_is_found(n_classes):
    x = RNG.normal(size=(2000, 5))
    signal = np.abs(x[:, 0]) + (x[:, 1] > 1) + 0.5 * RNG.normal(size=2000)
    y = (
        signal
        if n_classes is None
        else np.searchsorted(np.quantile(signal, np.arange(1, n_classes) / n_classes), signal)
    )
    told = telling([parts_of(column) for column in x.T], y, n_classes, None)
    np.testing.assert_array_equal(told[:2], [True, True])
    assert told[2:].sum() <= 1


def test_degenerate_columns():
    y = RNG.normal(size=20)
    one, own = np.zeros(20, int), np.arange(20)
    # One level says nothing, a level for each row cannot be told from anything.
    np.testing.assert_array_equal(telling([one, own], y, None, None), [False, True])
    np.testing.assert_array_equal(telling([own % 2], np.zeros(20), None, None), [False])
    np.testing.assert_array_equal(telling([own % 2], own % 2, 2, None), [True])
    np.testing.assert_array_equal(parts_of(np.ones(9, np.float32)), np.ones(9))


def test_of_copies_one_is_asked():
    copies = np.repeat(np.arange(50), 3)
    asked = rows_to_ask(150, copies)
    np.testing.assert_array_equal(copies[asked], np.arange(50))
    assert len(rows_to_ask(100_000, None)) <= 16_384


def test_of_rows_in_turns_all_are_asked():
    asked = rows_to_ask(32_768, None)
    assert abs(np.mean(asked % 2) - 0.5) < 0.05


def test_quantiles_of_rows_in_turns_are_those_of_all(monkeypatch):
    monkeypatch.setattr("schuss.tables._inputs.MOST_ROWS", 500)
    x = np.arange(1000) % 2 * 100 + RNG.random(1000)
    encoder = TableEncoder().fit({"x": x})
    encoded, inputs = encoder.transform({"x": x}), Inputs(encoder, "quantile")
    inputs.fit(encoded, np.arange(1000), x, None, None, None, 0)
    made = inputs.transform(encoded)[:, 0]
    assert np.mean(made[::2]) == pytest.approx(-0.8, abs=0.3)
    assert np.mean(made[1::2]) == pytest.approx(0.8, abs=0.3)


def screened(y, n_classes=None, weights=None, times=1):
    encoder = TableEncoder().fit(FRAME)
    x = np.zeros((len(FRAME), Inputs.most(encoder, n_classes)), np.float32)
    x[:, : encoder.width] = encoder.transform(FRAME)
    inputs, rows = Inputs(encoder, "screened"), np.repeat(np.arange(len(FRAME)), times)
    weights = None if weights is None else weights[rows]
    inputs.screen(x, rows, y[rows], n_classes, weights, None if times == 1 else rows)
    return encoder, x, rows, inputs


def test_inputs_have_the_columns_that_tell():
    y = numbers(FRAME)
    encoder, x, rows, inputs = screened(y)
    assert not inputs.is_whole
    assert len(inputs.values) < 8
    inputs.fit(x, rows, y, None, None, None, 0)
    made = inputs.transform(x, rows, learnt=True)
    assert made.shape == (600, inputs.width)
    kept = np.sort([*inputs.values, *inputs.plain, *inputs.codes])
    assert len(kept) < encoder.width / 2
    again = Inputs.from_state(encoder, inputs.get_state())
    np.testing.assert_array_equal(
        again.transform(x[:, : encoder.width]), inputs.transform(x[:, : encoder.width])
    )
    for columns in (kept[::-1], [*kept, encoder.width], kept.astype(float), [[0]], []):
        with pytest.raises(ValueError, match=r"state must have some of \d+ columns"):
            Inputs.from_state(encoder, inputs.get_state() | {"columns": columns})


def test_copies_are_asked_with_their_own_weights():
    y, are_odd = numbers(FRAME), np.arange(600) % 2 == 1
    y[are_odd] = 1e4 * RNG.normal(size=300)
    alone, copied = (screened(y, weights=~are_odd * 1.0, times=times)[3] for times in (1, 2))
    assert not alone.is_whole
    for ours, theirs in zip(copied.places, alone.places, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_quantiles_are_those_of_all_rows_in_whatever_order_they_are(monkeypatch):
    monkeypatch.setattr("schuss.tables._inputs.MOST_ROWS", 100)
    x = np.arange(1000.0)
    encoder = TableEncoder().fit({"x": x})
    encoded, inputs = encoder.transform({"x": x}), Inputs(encoder, "quantile")
    inputs.fit(encoded, np.arange(1000), x, None, None, None, 0)
    made = inputs.transform(encoded)[:, 0]
    assert np.median(made) == pytest.approx(0, abs=0.05)
    assert np.mean(made) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("levels", "many"), [(8, []), (9, [0])])
def test_categories_of_nine_levels_and_more_have_means(levels, many):
    words = [f"word {number % levels}" for number in range(200)]
    assert Inputs(TableEncoder().fit({"x": words}), "clip").many == many


def test_where_nothing_tells_anything_all_stay():
    _, _, _, inputs = screened(np.resize([0.0, 1.0, 1.0, 0.0], 600) * 0)
    assert inputs.is_whole


@pytest.fixture(scope="module")
def classifier():
    return sc.TabularClassifier(**LITTLE).fit(FRAME, labels(FRAME, ["no", "yes", "maybe"]))


@pytest.fixture(scope="module")
def regressor():
    return sc.TabularRegressor(**LITTLE).fit(FRAME, numbers(FRAME))


@pytest.fixture(params=["classifier", "regressor"])
def model(request):
    model = request.getfixturevalue(request.param)
    members = [each for each in model.ensemble_.members if each.recipe.scaling == "screened"]
    assert members
    assert not any(inputs.is_whole for each in members for inputs in each.inputs)
    return model


def said(model, frame):
    return model.predict_proba(frame) if hasattr(model, "classes_") else model.predict(frame)


def test_files_and_copies_say_the_same(model):
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    for again in (type(model).load(file), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(said(again, NEW), said(model, NEW))


def test_a_row_says_the_same(model):
    one = model.predict_proba_one if hasattr(model, "classes_") else model.predict_one
    got = np.array([one(row) for row in NEW.to_dict("records")])
    np.testing.assert_array_equal(got, said(model, NEW))


def test_onnx_says_the_same(model):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    made = sc.exchange.to_onnx(model).SerializeToString()
    session = runtime.InferenceSession(made, providers=["CPUExecutionProvider"])
    name = "probabilities" if hasattr(model, "classes_") else "prediction"
    (got,) = session.run([name], sc.exchange.onnx_inputs(model, NEW))
    np.testing.assert_allclose(got, said(model, NEW), rtol=1e-5, atol=1e-5)


def test_columns_that_mean_nothing_cost_little():
    rng = np.random.default_rng(3)
    X = pd.DataFrame(rng.normal(size=(3000, 60)).astype(np.float32)).add_prefix("x")
    y = rng.random(3000) < 1 / (1 + np.exp(2 - 4 * (X["x0"] > 0)))
    model = sc.TabularClassifier("quick", random_state=0).fit(X[:600], y[:600])
    noise = log_loss(y[600:], 1 / (1 + np.exp(2 - 4 * (X["x0"][600:] > 0))))
    assert log_loss(y[600:], model.predict_proba(X[600:])[:, 1]) < noise + 0.04


def test_what_is_told_is_computed_without_the_threads_of_blas():
    class Summed(np.ndarray):
        def __matmul__(self, other):
            raise AssertionError("a product of many rows is one on threads")

    rng = np.random.default_rng(0)
    columns, y = [rng.integers(4, size=16_000) for _ in range(3)], rng.standard_normal(16_000)
    told = telling(columns, y + (columns[1] == 2), None, rng.random(16_000).view(Summed))
    assert told[1]

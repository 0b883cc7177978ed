"""What the estimators for tables choose, compute and report, once more in NumPy and scikit-learn."""

import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import metrics
from sklearn.base import is_classifier
from sklearn.inspection import PartialDependenceDisplay, permutation_importance

from schuss.tables import TableEncoder, _base, _counted, _folds, _inputs, _metrics, _prepared, _selection
from schuss.tables._reading import read_table
from tabular_cases import BOTH, classifier, fruit, numeric, regressor, said, target_of

RNG = np.random.default_rng(0)


def probabilities(rows, classes, rng=RNG):
    raw = rng.random((rows, classes))
    return raw / raw.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("weights", [None, RNG.random(60) + 0.1])
@pytest.mark.parametrize("classes", [2, 4])
def test_scores_of_classes_are_scikit_learns(classes, weights):
    y, p = np.arange(60) % classes, probabilities(60, classes)
    loss = metrics.log_loss(y, p, sample_weight=weights)
    assert _metrics.log_loss(y, p, weights) == pytest.approx(loss)
    wrong = 1 - metrics.accuracy_score(y, p.argmax(axis=1), sample_weight=weights)
    assert _metrics.error_rate(y, p, weights) == pytest.approx(wrong)
    several = {"multi_class": "ovr"} if classes > 2 else {}
    scores = p[:, 1] if classes == 2 else p
    # scikit-learn has no weights for several classes: each of them against the others is one call.
    areas = [metrics.roc_auc_score(y == each, p[:, each], sample_weight=weights) for each in range(classes)]
    area = np.mean(areas) if several else areas[1]
    if weights is None:
        assert area == pytest.approx(metrics.roc_auc_score(y, scores, **several))
    assert _metrics.one_minus_auc(y, p, weights) == pytest.approx(1 - area)


@pytest.mark.parametrize("weights", [None, RNG.random(60) + 0.1])
def test_scores_of_numbers_are_scikit_learns(weights):
    y, p = RNG.normal(size=(2, 60))
    mse = metrics.mean_squared_error(y, p, sample_weight=weights)
    assert _metrics.rmse(y, p, weights) == pytest.approx(mse**0.5)
    mae = metrics.mean_absolute_error(y, p, sample_weight=weights)
    assert _metrics.mae(y, p, weights) == pytest.approx(mae)


def test_greedy_selection_is_that_of_the_paper():
    rng = np.random.default_rng(1)
    y = rng.normal(size=50)
    predictions = [y + scale * rng.normal(size=50) for scale in (1.0, 1.1, 0.9, 3.0, 1.05)]

    def score(p):
        return float(np.sqrt(np.mean((y - p) ** 2)))

    bag, best = [], (np.inf, None)
    for _ in range(_selection.PICKS):
        trials = [score(np.mean([predictions[i] for i in [*bag, each]], axis=0)) for each in range(5)]
        bag.append(int(np.argmin(trials)))
        if min(trials) < best[0] - 1e-12:
            best = (min(trials), list(bag))
    shares = _selection.greedy(predictions, score)
    np.testing.assert_allclose(shares, np.bincount(best[1], minlength=5) / len(best[1]))
    assert score(sum(w * p for w, p in zip(shares, predictions, strict=True))) < min(map(score, predictions))
    assert shares[3] < 0.1


def test_greedy_selection_breaks_ties_for_the_first_and_can_take_one_alone():
    y = np.array([0.0, 1.0])

    def score(p):
        return float(np.abs(y - p).sum())

    np.testing.assert_array_equal(_selection.greedy([y, y, y + 1], score), [1, 0, 0])
    np.testing.assert_array_equal(_selection.greedy([y + 3.0], score), [1])


def test_greedy_selection_keeps_the_first_of_equally_good_means():
    members = [np.array([1.0]), np.array([0.0])]
    np.testing.assert_array_equal(_selection.greedy(members, lambda p: float(p[0] > 0.5)), [0, 1])


def test_picks_end_with_their_time_and_one_member_is_picked_once():
    y, asked = np.array([0.0, 1.0]), []

    def score(p):
        asked.append(p)
        return float(np.abs(y - p).sum())

    np.testing.assert_array_equal(_selection.greedy([y + 1, y - 0.5], score, 1e-9), [0, 1])
    assert len(asked) == 2
    np.testing.assert_array_equal(_selection.greedy([y + 1, y - 0.5], score, 60.0), [1 / 3, 2 / 3])
    asked.clear()
    np.testing.assert_array_equal(_selection.greedy([y + 1], score), [1])
    assert len(asked) == 1


def test_what_is_not_a_number_chooses_nothing():
    y = np.array([0.0, 1.0])

    def score(p):
        return float(np.abs(y - p).sum()) if p[0] < 5 else np.nan

    np.testing.assert_array_equal(_selection.greedy([y + 9, y + 3, y], score), [0, 0, 1])
    with pytest.raises(ValueError, match="eval_metric must be a number for some of the members, got nan for"):
        _selection.greedy([y + 9, y + 8], score)


@pytest.mark.filterwarnings("error")
def test_a_class_of_no_weight_is_not_in_the_area():
    y, p = np.arange(60) % 3, probabilities(60, 3)
    weights = np.where(y == 2, 0.0, 1.0)
    assert _metrics.one_minus_auc(y, p, weights) == _metrics.one_minus_auc(y[y < 2], p[y < 2])
    assert _metrics.one_minus_auc(y, p, np.where(y == 2, 1.0, 0.0)) == 0.5
    X, labels, _ = numeric(120, classes=3)
    model = classifier(n_members=4, class_weight={2: 0}, eval_metric="roc_auc").fit(X, labels)
    assert all(0 < line["score"] < 0.5 for line in model.leaderboard_)
    assert 0 < model.leaderboard_.score <= min(line["score"] for line in model.leaderboard_)


@pytest.mark.parametrize("true", [0.7, 1.0, 1.6])
def test_the_temperature_is_the_best_of_a_grid(true):
    rng = np.random.default_rng(0)
    rows = 8_000
    p = probabilities(rows, 3, rng)
    y = (rng.random(rows)[:, None] > np.cumsum(_selection.heated(p, true), axis=1)).sum(axis=1).clip(0, 2)

    def score(q):
        return metrics.log_loss(y, q)

    found = _selection.temperature(p, score, 1e12)
    grid = np.exp(np.linspace(np.log(0.5), np.log(2), 71))
    assert found == pytest.approx(grid[np.argmin([score(_selection.heated(p, t)) for t in grid])], rel=0.02)
    assert found == pytest.approx(true, rel=0.08)
    # With few rows it stays near to 1.
    assert abs(np.log(_selection.temperature(p, score, 200.0))) == pytest.approx(abs(np.log(found)) / 2)


def test_heat_divides_logits():
    p = probabilities(20, 4)
    raised = p ** (1 / 1.7)
    np.testing.assert_allclose(
        _selection.heated(p, 1.7), raised / raised.sum(axis=1, keepdims=True), rtol=1e-12
    )
    np.testing.assert_allclose(_selection.heated(np.array([[1.0, 0.0]]), 0.5), [[1, 0]], atol=1e-50)


@pytest.mark.parametrize("codes", [None, np.repeat([0, 1, 2], [71, 23, 7])])
@pytest.mark.parametrize("folds", [2, 5])
def test_folds_are_of_one_size_and_have_their_share_of_each_class(codes, folds):
    fold = _folds.fold_of_each(101, codes, folds, np.random.default_rng(0))
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.sum() == 101
    assert len(sizes) == folds
    assert np.ptp(sizes) <= 1
    for code in range(3) if codes is not None else ():
        assert np.ptp(np.bincount(fold[codes == code], minlength=folds)) <= 1


@pytest.mark.parametrize("folds", [1, 4])
@pytest.mark.parametrize("classes", [None, 3])
def test_the_parts_of_rows_are_disjoint_and_complete(folds, classes):
    y = np.arange(90) % 3
    rows = _base.Rows(np.zeros((90, 1), np.float32), y, None)
    splits = _prepared.splits_of(rows, None, folds, classes, 0)
    assert len(splits) == folds
    held = [held for _, held in splits]
    for learnt, chosen in splits:
        np.testing.assert_array_equal(np.sort(np.concatenate([learnt, chosen])), np.arange(90))
    if folds > 1:
        np.testing.assert_array_equal(np.sort(np.concatenate(held)), np.arange(90))
    else:
        assert len(held[0]) == pytest.approx(90 / 10, abs=1)


def test_rows_that_count():
    rows, weights = _counted.counted([0, 2, 1, 0], 4)
    assert rows.tolist() == [1, 1, 2]
    assert weights is None
    rows, weights = _counted.counted([0, 0.5, 1, 0], 4)
    assert rows.tolist() == [1, 2]
    np.testing.assert_allclose(weights, [2 / 3, 4 / 3])
    rows, weights = _counted.counted([1, 2, 1e300], 3)
    assert rows is None
    assert weights.mean() == pytest.approx(1)
    assert np.isfinite(weights).all()
    rows, weights = _counted.counted([1e308, 1.5e308, 0.5e308], 3)
    np.testing.assert_allclose(weights, [1, 1.5, 0.5])
    # Counts make a thousand rows, and no more.
    rows, weights = _counted.counted([*[1] * 998, 2], 999)
    np.testing.assert_array_equal(rows, [*range(999), 998])
    assert weights is None
    rows, weights = _counted.counted([*[1] * 998, 3], 999)
    assert rows is None
    np.testing.assert_allclose(weights, np.array([*[1] * 998, 3]) * 999 / 1001)


def out_of_fold(model, X, y, **options):
    """Predictions of each member for rows that it has not learnt from, by the model's own networks."""
    prepared = []
    whole = _base.Prepared

    class Spied(whole):
        def __init__(self, encoder, rows, given, *args):
            # What networks learn from takes the place of the encoded rows.
            kept = [each and replace(each, x=each.x.copy()) for each in (rows, given)]
            super().__init__(encoder, rows, given, *args)
            prepared.append((self, *kept))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_base, "Prepared", Spied)
        model.fit(X, y, **options)
    ((seen, learnt, given),) = prepared
    targets, found = [], {id(member): [] for member in model.ensemble_.members}
    for fold, split in enumerate(seen.splits):
        rows = given if split is None else _prepared.taken_of(learnt, split[1])
        targets.append(rows.y)
        for member in model.ensemble_.members:
            p = member.networks[fold].predict(member.inputs[fold].transform(rows.x))
            found[id(member)].append(np.column_stack([1 - p, p]) if seen.n_classes == 2 else p)
    return np.concatenate(targets), [np.concatenate(each) for each in found.values()]


@pytest.mark.parametrize("scaling", ["clip", "quantile"])
@pytest.mark.parametrize("n_classes", [None, 2, 3])
def test_what_is_made_in_place_is_what_is_made_elsewhere(scaling, n_classes):
    rows = 40_000
    table, _, _ = fruit(rows)
    rng = np.random.default_rng(1)
    table["town"] = rng.choice([f"town {number}" for number in range(20)], rows)
    y = rng.normal(size=rows) if n_classes is None else rng.integers(0, n_classes, rows)
    encoder = TableEncoder().fit(table)
    x = np.empty((rows, _inputs.Inputs.most(encoder, n_classes)), np.float32)
    encoder.write(read_table(table), x)
    fold = rng.integers(0, 3, rows)
    split = np.flatnonzero(fold != 1), np.flatnonzero(fold == 1)
    given = _base.Rows(x, y, None)
    seen = _prepared.Prepared(encoder, given, None, [split], n_classes, 0, [scaling], threads=3)
    learnt, chosen = seen._made[scaling, 0]
    assert np.shares_memory(learnt.x, x)
    assert np.shares_memory(chosen.x, x)
    inputs, encoded = _inputs.Inputs(encoder, scaling), encoder.transform(table)
    encoded = np.column_stack([encoded, np.zeros((rows, x.shape[1] - encoder.width), np.float32)])
    inputs.fit(encoded, split[0], y[split[0]], n_classes, None, None, 0)
    assert inputs.numbers > len(inputs.values)
    np.testing.assert_array_equal(learnt.x, inputs.transform(encoded, split[0], learnt=True))
    np.testing.assert_array_equal(chosen.x, inputs.transform(encoder.transform(table), split[1]))
    # Their own targets are not in the means of rows that are learnt from.
    own = inputs.transform(encoded, split[0])
    assert not np.array_equal(learnt.x, own)
    np.testing.assert_array_equal(learnt.x[:, : len(inputs.values)], own[:, : len(inputs.values)])


@pytest.mark.parametrize("folds", [1, 3])
@pytest.mark.parametrize("make", [classifier, regressor, partial(classifier, eval_metric="error_rate")])
def test_the_leaderboard_has_the_metric_of_rows_not_learnt_from(make, folds):
    X, classes, numbers = numeric(150, classes=3 if folds == 3 else 2)
    model = make(n_members=3, n_folds=folds)
    y, p = out_of_fold(model, X, target_of(model, classes, numbers))
    if is_classifier(model):
        score = _metrics.CLASSIFICATION[model.leaderboard_.metric]
    else:
        unit = model._target.inverse
        y, p, score = unit(y), [unit(each) for each in p], _metrics.rmse
    lines = {line["member"]: line for line in model.leaderboard_ if line["weight"] > 0}
    for member, (number, line) in zip(p, sorted(lines.items()), strict=True):
        assert line["score"] == pytest.approx(score(y, member), rel=1e-5), number
    weights = [line["weight"] for _, line in sorted(lines.items())]
    if is_classifier(model):
        together = sum(w * each for w, each in zip(weights, p, strict=True))
        assert model.leaderboard_.score == pytest.approx(score(y, together), rel=1e-5)
        assert model.leaderboard_.score <= min(line["score"] for line in model.leaderboard_) + 1e-6


def test_members_are_asked_on_as_many_threads_as_are_allowed(monkeypatch):
    seen, whole = set(), _prepared.outputs_of

    def outputs_of(network, x, n_classes, threads):
        seen.add(threads)
        return whole(network, x, n_classes, threads)

    monkeypatch.setattr(_prepared, "outputs_of", outputs_of)
    X, classes, _ = numeric(60)
    classifier(n_threads=1).fit(X, classes)
    assert seen == {1}


def test_rows_that_are_given_choose():
    X, classes, _ = numeric(120)
    other, other_classes, _ = numeric(80, seed=1)
    model = classifier(n_folds=None)
    y, p = out_of_fold(model, X, classes, X_val=other, y_val=other_classes)
    np.testing.assert_array_equal(y, other_classes)
    weights = [member.weight for member in model.ensemble_.members]
    together = sum(w * each for w, each in zip(weights, p, strict=True))
    assert model.leaderboard_.score == pytest.approx(metrics.log_loss(y, together), rel=1e-5)
    np.testing.assert_allclose(said(model, other), _selection.heated(together, model.temperature_), rtol=1e-5)


@pytest.mark.parametrize("make", BOTH)
def test_the_ensemble_is_the_weighted_mean_of_its_members(make):
    table, labels, numbers = fruit()
    model = make(n_members=4, n_folds=3)
    model.fit(table, target_of(model, labels, numbers))
    encoded = model.encoder_.transform(table)
    total = 0.0
    for member in model.ensemble_.members:
        assert len(member.networks) == 3
        for network, inputs in zip(member.networks, member.inputs, strict=True):
            p = np.asarray(network.predict(inputs.transform(encoded)), dtype=float)
            total = total + member.weight / 3 * (np.column_stack([1 - p, p]) if is_classifier(model) else p)
    assert sum(member.weight for member in model.ensemble_.members) == pytest.approx(1)
    if is_classifier(model):
        total = _selection.heated(total, model.temperature_)
        np.testing.assert_array_equal(model.predict(table), model.classes_[total.argmax(axis=1)])
        np.testing.assert_allclose(model.predict_log_proba(table), np.log(total), rtol=1e-5)
    else:
        total = model._target.inverse(total)
    np.testing.assert_allclose(said(model, table), total, rtol=1e-5)


def test_the_metric_changes_the_choice():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(150, 2))
    y = (X[:, 0] + 1.5 * rng.normal(size=150) > 0).astype(int)
    chosen = {
        name: tuple(line["weight"] for line in sorted(fit.leaderboard_, key=lambda line: line["member"]))
        for name in ("log_loss", "error_rate", "roc_auc")
        for fit in [classifier(n_members=6, eval_metric=name).fit(X, y)]
    }
    assert len(set(chosen.values())) == 3
    noise = X[:, 0] + rng.standard_t(1.5, size=150)
    regressors = [regressor(n_members=6, eval_metric=name).fit(X, noise) for name in (None, "rmse", "mae")]
    default, rmse, mae = ([line["weight"] for line in fit.leaderboard_] for fit in regressors)
    assert default == rmse != mae


@pytest.mark.parametrize("transform", ["log", "quantile", "auto"])
def test_a_skewed_target_is_learnt_by_its_logarithm_or_ranks(transform):
    X, _, signal = numeric(300)
    y = np.exp(2 * signal)
    model = regressor(target_transform=transform).fit(X, y)
    assert model._target.chosen == ("quantile" if transform == "quantile" else "log")
    plain = regressor().fit(X, y)
    error = [np.abs(np.log(each.predict(X)) - np.log(y)).mean() for each in (model, plain)]
    assert error[0] < error[1]
    assert (model.predict(X * 100) >= y.min()).all()
    assert (model.predict(X * 100) <= y.max()).all()


@pytest.mark.parametrize("folds", [1, 2, 4])
def test_members_and_folds_are_as_many_as_asked(folds):
    X, classes, _ = numeric(60)
    model = classifier(n_members=3, n_folds=folds).fit(X, classes)
    assert len(model.leaderboard_) == 3
    assert all(len(member.networks) == folds for member in model.ensemble_.members)


def test_kinds_of_columns_can_be_chosen():
    table, labels, _ = fruit()
    table["code"] = np.arange(200) % 4
    by_name = classifier(columns={"code": "category", "day": "drop"}).fit(table, labels)
    kinds = {line.column: line.kind for line in by_name.report_}
    assert kinds == {
        "size": "number",
        "colour": "category",
        "day": "dropped",
        "washed": "category",
        "code": "category",
    }
    as_features = classifier(columns={"day": "drop"}, categorical_features=["code"]).fit(table, labels)
    np.testing.assert_array_equal(said(as_features, table), said(by_name, table))


def test_members_differ():
    X, _, numbers = numeric(60)
    model = regressor(n_members=6, n_folds=1).fit(X, numbers)
    for one, other in itertools.combinations(model.leaderboard_, 2):
        assert (one["sigma"], one["lr"], one["weight_decay"]) != (
            other["sigma"],
            other["lr"],
            other["weight_decay"],
        )


@pytest.mark.filterwarnings("ignore")
def test_importance_and_partial_dependence_are_scikit_learns():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("matplotlib").use("agg")
    table, labels, _ = fruit(300)
    frame = pandas.DataFrame(table)
    model = classifier().fit(frame, labels)
    importance = permutation_importance(model, frame, labels, n_repeats=2, random_state=0).importances_mean
    assert set(frame.columns[np.argsort(importance)[-2:]]) == {"size", "colour"}
    # Its grid is made of values, and gaps are none.
    whole = frame.dropna()
    shown = PartialDependenceDisplay.from_estimator(
        model, whole, ["size", "colour"], categorical_features=["colour"], grid_resolution=5, subsample=50
    )
    average = shown.pd_results[0]["average"][0]
    assert average[-1] > average[0] + 0.2

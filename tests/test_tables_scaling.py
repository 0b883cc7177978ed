"""Clipping and quantiles of scaled numbers."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schuss import _workers
from schuss._workers import each_of
from schuss.tables import TableEncoder, _scaling
from schuss.tables._inputs import Inputs
from schuss.tables._scaling import Quantiles, smooth_clip, spread_over


def normal(n=3000, columns=2, seed=0):
    return np.random.default_rng(seed).standard_normal((n, columns)).astype(np.float32)


def test_smooth_clip_is_its_formula():
    u = 5 * normal()
    x = u.astype(np.float64)
    np.testing.assert_allclose(smooth_clip(u), x / np.sqrt(1 + (x / 3) ** 2), rtol=1e-6)


def test_smooth_clip_of_the_largest_numbers():
    u = np.array([[1e18, -1e18, 0.0]], np.float32)
    assert smooth_clip(u).tolist() == [[3.0, -3.0, 0.0]]


@pytest.mark.parametrize("n", [1, 5, 16_384, 40_000])
def test_in_place_and_by_rows_the_bits_are_the_same(n):
    u = normal(n)
    quantiles = Quantiles().fit(u)
    for function in (smooth_clip, quantiles.transform):
        want = function(u)
        own = u.copy()
        assert function(own, out=own) is own
        assert own.tobytes() == want.tobytes()
        middle = slice(n // 3, n // 3 + 7)
        assert function(u[middle]).tobytes() == want[middle].tobytes()
        view = np.zeros((n, 5), np.float32)
        view[:, 1:3] = u
        function(view[:, 1:3], out=view[:, 1:3])
        assert view[:, 1:3].tobytes() == want.tobytes()
        assert not view[:, [0, 3, 4]].any()


@pytest.mark.parametrize("n", [30, 300, 3000, 50_000])
def test_scores_are_normal_whatever_the_column(n):
    rng = np.random.default_rng(1)
    u = np.column_stack([rng.lognormal(0, 2, n), rng.uniform(size=n), rng.standard_cauchy(n)]).astype(
        np.float32
    )
    scores = Quantiles().fit(u).transform(u)
    # Ranks in the middle of their share, by an independent table of the normal distribution.
    ndtri = pytest.importorskip("scipy.special").ndtri
    for place in range(3):
        ranks = (np.argsort(np.argsort(u[:, place])) + 0.5) / n
        np.testing.assert_allclose(scores[:, place], ndtri(ranks), atol=0.5 if n < 1000 else 0.3)
        assert abs(scores[:, place] - ndtri(ranks)).mean() < (0.12 if n < 1000 else 0.02)


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=200))
def test_equal_values_stay_together_and_in_order(values):
    u = np.array(values, np.float32)[:, None]
    scores = Quantiles().fit(u).transform(u)
    order = np.argsort(u[:, 0], kind="stable")
    assert (np.diff(scores[order, 0]) >= 0).all()
    for value in set(values):
        assert len(set(scores[u[:, 0] == value, 0].tolist())) == 1
    assert np.isfinite(scores).all()


def test_a_value_with_many_rows_is_in_the_middle_of_them():
    u = np.array([0.0] * 800 + [1.0] * 200, np.float32)[:, None]
    scores = Quantiles().fit(u).transform(u)
    ndtri = pytest.importorskip("scipy.special").ndtri
    np.testing.assert_allclose(scores[[0, -1], 0], ndtri([0.4, 0.9]), rtol=1e-6)


def test_the_order_of_rows_does_not_matter():
    u = normal()
    moved = u[np.random.default_rng(0).permutation(len(u))]
    for a, b in zip(Quantiles().fit(u).knots, Quantiles().fit(moved).knots, strict=True):
        assert a[0].tobytes() == b[0].tobytes()
        assert a[1].tobytes() == b[1].tobytes()


@pytest.mark.parametrize("n", [1, 255, 256, 1000, 20_000])
@pytest.mark.parametrize("levels", [None, 1, 7])
def test_scores_are_those_of_interp_which_is_asked_in_order(monkeypatch, n, levels):
    rng, interp, asked = np.random.default_rng(n), np.interp, []
    seen, u = rng.lognormal(size=(5000, 1)), rng.lognormal(size=(n, 1))
    if levels is not None:
        seen, u = np.minimum(seen // 1, levels), u // 1
    seen, u = (
        seen.astype(np.float32),
        np.where(rng.random((n, 1)) < 0.1, np.float32(-0.0), u).astype(np.float32),
    )
    quantiles = Quantiles().fit(seen)
    want = interp(u[:, 0], *quantiles.knots[0]).astype(np.float32)
    monkeypatch.setattr(_scaling.np, "interp", lambda x, *knots: asked.append(x) or interp(x, *knots))
    assert quantiles.transform(u).tobytes() == want.tobytes()
    assert asked
    assert n < 256 or all((np.diff(x) >= 0).all() for x in asked)


@pytest.mark.parametrize("scaling", ["quantile", "clip"])
@pytest.mark.parametrize("threads", [2, 5, 40])
def test_inputs_made_by_several_threads_have_the_same_bits(scaling, threads):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30_000, 4)), rng.standard_normal(30_000)
    X[:, 3] = rng.integers(50, size=len(X))
    encoder = TableEncoder({3: "category"}).fit(X)
    x = np.zeros((len(X), Inputs.most(encoder, None)), np.float32)
    x[:, : encoder.width] = encoder.transform(X)
    rows = np.flatnonzero(rng.random(len(X)) < 0.7)
    inputs = Inputs(encoder, scaling)
    inputs.fit(x, rows, y[rows], None, None, None, 0)
    for learnt in (True, False):
        want = inputs.transform(x, rows, learnt=learnt)
        assert inputs.transform(x, rows, learnt=learnt, threads=threads).tobytes() == want.tobytes()
        own = x.copy()
        inputs.transform(own, rows, own[: len(rows)], learnt, threads)
        assert own[: len(rows)].tobytes() == want.tobytes()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_each_item_is_drawn_once_and_the_first_error_ends_all(count):
    seen = []
    each_of(iter(range(1000)), seen.append, count)
    assert sorted(seen) == list(range(1000))

    def work(item):
        seen.append(item)
        raise OSError("broken")

    seen.clear()
    with pytest.raises(OSError, match="broken"):
        each_of(iter(range(1000)), work, count)
    assert len(seen) <= count

    def breaks():
        yield 1
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        each_of(breaks(), lambda item: None, count)


def test_where_the_system_has_no_threads_the_caller_does_all(monkeypatch):
    class Refused(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_workers, "Thread", Refused)
    seen = []
    each_of(iter(range(100)), seen.append, 4)
    assert seen == list(range(100))


def test_beyond_what_was_seen_scores_are_the_last_ones():
    u = normal()
    quantiles = Quantiles().fit(u)
    ends = quantiles.transform(np.array([u.min(0), u.min(0) - 100, u.max(0), u.max(0) + 100]))
    assert (ends[0] == ends[1]).all()
    assert (ends[2] == ends[3]).all()
    assert (ends[2] > 3).all()


def test_indicators_are_skipped():
    u = normal(columns=3)
    quantiles = Quantiles().fit(u, skip=[False, True, False])
    scores = quantiles.transform(u)
    assert scores[:, 1].tobytes() == u[:, 1].tobytes()
    assert (scores[:, 0] != u[:, 0]).any()
    again = Quantiles.from_state(quantiles.get_state())
    assert again.transform(u).tobytes() == scores.tobytes()
    with pytest.raises(ValueError, match="skip must have 3 entries, one for each column, got 2"):
        Quantiles().fit(u, skip=[True, False])
    with pytest.raises(ValueError, match="u must have 3 columns, got 2"):
        quantiles.transform(u[:, :2])


def test_a_table_of_many_rows_is_ranked_by_some_of_them():
    n = 300_000
    u = np.random.default_rng(0).permutation(n).astype(np.float32)[:, None]
    scores = Quantiles().fit(u).transform(u)
    ndtri = pytest.importorskip("scipy.special").ndtri
    inner = (u[:, 0] > 0.01 * n) & (u[:, 0] < 0.99 * n)
    np.testing.assert_allclose(scores[inner, 0], ndtri((u[inner, 0] + 0.5) / n), atol=0.02)


@pytest.mark.parametrize(("rows", "most"), [(0, 5), (1, 5), (5, 5), (6, 5), (10, 5), (11, 5), (1000, 7)])
def test_some_of_many_rows_are_spread_evenly(rows, most):
    some = spread_over(rows, most)
    assert len(some) <= most
    length = -(-rows // most)
    np.testing.assert_array_equal(np.unique(some // max(length, 1)), np.arange(len(some)))
    assert len(some) == 0 or some[-1] < rows <= length * len(some)


@pytest.mark.parametrize("sources", [2, 3, 5])
def test_of_sources_in_turns_all_are_ranked(sources):
    n = sources * 100_000
    u = (np.arange(n) % sources * 10 + np.random.default_rng(0).random(n)).astype(np.float32)[:, None]
    scores = Quantiles().fit(u).transform(u)[:, 0]
    ndtri = pytest.importorskip("scipy.special").ndtri
    ranks = (u[:, 0].argsort().argsort() + 0.5) / n
    inner = (ranks > 0.01) & (ranks < 0.99)
    np.testing.assert_allclose(scores[inner], ndtri(ranks[inner]), atol=0.05)

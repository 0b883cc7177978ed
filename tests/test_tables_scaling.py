"""Clipping and quantiles of scaled numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

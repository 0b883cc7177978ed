"""Rows that shards hold out: how many of each, and which, whoever asks for which of them."""

import numpy as np
import pytest

from schuss._draw import draw_of
from schuss._sharded import Share


def draw(n_rows, share=0.1, n_shards=8, batch_size=37, seed=0):
    return draw_of("validation_split", share, n_rows, Share(0, n_shards, n_shards, batch_size).pieces, seed)


@pytest.mark.parametrize("n_shards", [1, 3, 8, 64])
@pytest.mark.parametrize("batch_size", [1, 5, 37, 1000, None])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_each_shard_is_left_with_what_it_has_of_the_others(n_shards, batch_size, share):
    n_rows = 1003
    of = draw(n_rows, share, n_shards, batch_size)
    marks = of.marks(0, n_rows)
    count = int(marks.sum())
    assert round(share * n_rows) <= count <= round(share * n_rows) + min(batch_size or n_rows, n_shards)
    pieces = Share(0, n_shards, n_shards, batch_size).pieces
    left = [int((~marks[start:stop]).sum()) for start, stop in pieces(n_rows)]
    assert left == [stop - start for start, stop in pieces(n_rows - count)]
    assert [int(marks[start:stop].sum()) for start, stop in pieces(n_rows)] == list(of.held)


def test_whoever_asks_for_some_rows_is_told_the_same():
    of, rng = draw(1000), np.random.default_rng(0)
    marks = of.marks(0, 1000)
    for start, stop in [(0, 0), (999, 1000), *np.sort(rng.integers(0, 1001, (50, 2))).tolist()]:
        assert np.array_equal(of.marks(start, stop), marks[start:stop])


def test_every_row_may_be_drawn_and_seeds_draw_others():
    often = sum(draw(1000, seed=seed).marks(0, 1000).astype(int) for seed in range(400))
    assert often.min() > 15
    assert often.max() < 75
    assert often.sum() == 40_000
    # No pattern within shards: each has a draw of its own.
    marks = draw(800, n_shards=8, batch_size=8).marks(0, 800).reshape(8, 100)
    assert len({tuple(row) for row in marks.tolist()}) == 8


def test_what_is_drawn_stays_the_same_for_ever():
    expected = [9, 10, 29, 33, 48, 58, 62, 76, 83, 92]
    assert np.flatnonzero(draw(100, n_shards=4, batch_size=10, seed=5).marks(0, 100)).tolist() == expected


def test_no_rows_to_learn_from_are_refused():
    for share, n_rows in ((0.9999, 100), (0.5, 1)):
        with pytest.raises(ValueError, match=f"validation_split must leave rows to learn from, got {share}"):
            draw(n_rows, share)
    assert not draw(100, 0.0).marks(0, 100).any()

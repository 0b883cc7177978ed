"""Rows that are held out one by one: where a row is decides, and not who has it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Numbers that the generator draws at a time.
AT_ONCE = 4


def are_drawn(start: int, stop: int, share: float, seed: int) -> NDArray[np.bool_]:
    """Which of consecutive rows belong to a random share of all."""
    generator = np.random.Philox(key=seed)
    skipped = start % AT_ONCE
    generator.advance(start // AT_ONCE)
    numbers = generator.random_raw(skipped + stop - start)[skipped:]
    return np.asarray(numbers < np.uint64(min(int(share * 2.0**64), 2**64 - 1)))


def seed_of_rows(random: np.random.RandomState) -> int:
    """The seed that an estimator's random state gives."""
    return int(random.randint(2**63, dtype=np.uint64))

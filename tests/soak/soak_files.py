"""Damaged files and changed states, for every loader, as long as there is time."""

import random
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))

import damage
from test_loaders import FILES, STATES, loader_of


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_is_refused_or_the_same(soak, kind):
    loader, seed = loader_of(kind, FILES), 0
    while soak.goes_on():
        seed += 1
        try:
            soak.count(damage.check_file(loader, random.Random(seed)))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error


@pytest.mark.parametrize("kind", STATES)
def test_a_changed_state_is_taken_over_or_refused_as_a_whole(soak, kind):
    loader, seed = loader_of(kind, STATES), 0
    while soak.goes_on():
        seed += 1
        try:
            soak.count(damage.check_state(loader, random.Random(seed)))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error

"""Optimizers used at random, each beside a model in plain NumPy and a twin that is never saved or copied."""

import itertools
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from state_machine import Machine


def test_optimizers_used_at_random_are_their_models(soak):
    for seed in itertools.count(1000):
        if not soak.goes_on():
            break
        machine = Machine(seed)
        try:
            for _ in range(250):
                machine.act()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, after {machine.counts}") from error
        soak.count("lives")
        for what, number in machine.counts.items():
            soak.count(what, number)

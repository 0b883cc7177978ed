"""Random lives of an optimizer, compared with a model after each act; `make soak` goes on for longer."""

import pytest

from state_machine import Machine


@pytest.mark.parametrize("seed", range(24))
def test_an_optimizer_used_at_random_is_its_model(seed):
    machine = Machine(seed)
    for _ in range(60):
        machine.act()

"""However a training diverges, the parameters are the last finite ones, for every number of threads."""

import pytest

import divergence

MANY = divergence.combinations()


@pytest.mark.parametrize("part", range(8))
def test_parameters_and_state_stay_finite(part):
    for combination in MANY[part:1600:8]:
        divergence.check(combination, *divergence.fit(combination))


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_the_number_of_threads_changes_neither_bits_nor_messages(threads):
    for combination in MANY[:120]:
        (one, ended), (several, other) = (divergence.fit(combination, n) for n in (1, threads))
        assert one.theta.tobytes() == several.theta.tobytes(), combination
        assert type(ended) is type(other)
        if isinstance(ended, Exception):
            assert str(ended) == str(other)

"""Every loader refuses what is damaged, or gives the same content; `make soak` goes on for longer."""

import random

import pytest

import damage

FILES = {
    "optimizer": damage.OptimizerFile,
    "optimizer without checksum": lambda: damage.OptimizerFile(with_checksum=False),
    "network": damage.NetworkFile,
    "safetensors": lambda: damage.SafetensorsFile(is_new=True),
    "safetensors into a network": lambda: damage.SafetensorsFile(is_new=False),
}
STATES = {
    "state dict": damage.StateDict,
    "network's pickle": damage.NetworkState,
    "optimizer's pickle": damage.OptimizerState,
    "torch's state": damage.TorchState,
    "torch's weights": damage.TorchWeights,
}


def loader_of(kind, makers):
    if "safetensors" in kind:
        pytest.importorskip("safetensors")
    return makers[kind]()


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_is_refused_or_the_same(kind):
    loader, rng = loader_of(kind, FILES), random.Random(0)
    results = [damage.check_file(loader, rng) for _ in range(400)]
    assert results.count("refusals") > 300


@pytest.mark.parametrize("kind", STATES)
def test_a_changed_state_is_taken_over_or_refused_as_a_whole(kind):
    loader, rng = loader_of(kind, STATES), random.Random(0)
    results = [damage.check_state(loader, rng) for _ in range(400)]
    assert results.count("refusals") > 150

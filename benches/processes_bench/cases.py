"""What is measured: networks, batches, and the networks between processes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from schuss_bench.cases import Case

SHARDS = 8
LAYERS = {
    "small": (16, 64, 64, 1),
    "tab": (54, 256, 256, 7),
    "fmnist": (784, 256, 128, 10),
    "wide": (784, 1024, 1024, 10),
}
# Batch and steps of an epoch.
BATCHES = {
    "small": ((128, 512), (2048, 128)),
    "tab": ((256, 128), (2048, 32)),
    "fmnist": ((128, 128), (1024, 32)),
    "wide": ((256, 32), (1024, 8)),
}
# Whose steps are also taken over slower networks.
OVER_NETWORKS = (("small", 2048), ("fmnist", 1024), ("wide", 1024))


def case(name: str, batch: int, steps: int) -> Case:
    # "scale" is a section whose contenders do whole epochs.
    return Case("scale", name, (), LAYERS[name], batch, steps)


def all_cases() -> list[Case]:
    return [case(name, batch, steps) for name in BATCHES for batch, steps in BATCHES[name]]


def parameters(layers: tuple[int, ...] | list[int]) -> int:
    return sum((a + 1) * b for a, b in pairwise(layers))


def share(shards: int, size: int) -> int:
    """The most shards that one of so many processes has."""
    return -(-shards // size)


@dataclass(frozen=True)
class Link:
    """The network between any two processes."""

    milliseconds: float  # of delay, one way
    gigabits: float  # a second, each way

    def __str__(self) -> str:
        rate = f"{self.gigabits:g} Gbit/s" if self.gigabits >= 1 else f"{1000 * self.gigabits:g} Mbit/s"
        return f"{rate}, {self.milliseconds:g} ms"


LINKS = [Link(0.1, 10), Link(0.5, 10), Link(0.1, 1), Link(0.5, 1), Link(2, 1), Link(0.5, 0.1)]

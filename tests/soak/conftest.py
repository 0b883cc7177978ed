"""What all long runs share: for how long each of them goes on, and a report of what it has done."""

import os
import random
import time

import pytest


class Soak:
    """The time of one long run, and its counts."""

    def __init__(self, name, seconds):
        self.name = name
        # Another run each time, and one that can be had again.
        self.seed = int(os.environ.get("SOAK_SEED") or random.randrange(2**32))
        self.end = time.monotonic() + seconds
        self.counts = {}

    def goes_on(self):
        return time.monotonic() < self.end

    def count(self, what, by=1):
        self.counts[what] = self.counts.get(what, 0) + by


@pytest.fixture
def soak(request):
    """Ask it whether to go on, and for a seed; both its seed and its counts are printed."""
    run = Soak(request.node.name, float(os.environ.get("SOAK_SECONDS", "60")))
    print(f"\n{run.name}: SOAK_SEED={run.seed}", flush=True)
    yield run
    print(f"\n{run.name}: " + ", ".join(f"{number:,} {what}" for what, number in run.counts.items()))

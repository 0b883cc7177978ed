"""What all long runs share: for how long each of them goes on, and a report of what it has done."""

import os
import time

import pytest


class Soak:
    """The time of one long run, and its counts."""

    def __init__(self, name, seconds):
        self.name = name
        self.end = time.monotonic() + seconds
        self.counts = {}

    def goes_on(self):
        return time.monotonic() < self.end

    def count(self, what, by=1):
        self.counts[what] = self.counts.get(what, 0) + by


@pytest.fixture
def soak(request):
    """Ask it whether to go on; its counts are printed at the end."""
    run = Soak(request.node.name, float(os.environ.get("SOAK_SECONDS", "60")))
    yield run
    print(f"\n{run.name}: " + ", ".join(f"{number:,} {what}" for what, number in run.counts.items()))

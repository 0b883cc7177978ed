"""How a piece of work is timed."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

Run = Callable[[int], float]
"""Does a piece of work so many times, after once unclocked, and returns the seconds."""


def repeat(work: Callable[[], object]) -> Run:
    def run(times: int) -> float:
        work()  # wakes threads and fills caches that another contender has used meanwhile
        start = perf_counter()
        for _ in range(times):
            work()
        return perf_counter() - start

    return run


def times_for(run: Run, seconds: float) -> int:
    """How often the work fits into so many seconds, at least once."""
    once = run(1)
    if once < seconds / 10:
        some = max(1, int(seconds / 10 / max(once, 1e-7)))
        once = run(some) / some
    return max(1, round(seconds / once))


def fastest(runs: list[Run], turns: int = 5) -> Run:
    """The one of several ways to do the same work with the smallest median of some turns, all warm."""
    for run in runs:
        run(1)
    seconds = [[run(1) for run in runs] for _ in range(turns)]
    medians = [median(of_run) for of_run in zip(*seconds, strict=True)]
    return runs[medians.index(min(medians))]

"""NumPy's OpenBLAS: which kernels it has, and its threads.

The environment may choose other kernels than the processor's best.
"""

from __future__ import annotations

from collections.abc import Callable

from threadpoolctl import threadpool_info, threadpool_limits

from . import machine
from .timing import Run, fastest, repeat


def kernels() -> str:
    """The name of the processors that they are for, as the end of a version; nothing without OpenBLAS."""
    cores = [each["architecture"] for each in threadpool_info() if each["internal_api"] == "openblas"]
    return f" with OpenBLAS for {cores[0]}" if cores else ""


def limited(threads: int) -> threadpool_limits:
    """So many threads for the BLAS alone: schuss's estimators go by OpenMP's number, which stays as it is."""
    return threadpool_limits(threads, user_api="blas")


def with_threads(work: Callable[[], object], threads: int) -> Run:
    run = repeat(work)

    def timed(times: int) -> float:
        with limited(threads):
            return run(times)

    return timed


def best(work: Callable[[], object]) -> Run:
    """The work with one thread or with all, whichever takes less time."""
    return fastest([with_threads(work, threads) for threads in machine.one_or_all()])

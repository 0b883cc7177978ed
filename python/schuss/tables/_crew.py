"""Members trained side by side, each on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from time import perf_counter
from typing import Any, TypeVar

from .._schuss import StopFlag

Result = TypeVar("Result")


def run(
    tasks: Sequence[Callable[[float | None, StopFlag], Result]],
    threads: int,
    max_time: float | None,
    done: Callable[[int, Result], Any],
) -> list[Result | None]:
    """The results of tasks in their order, whichever ends first; None for those that had no time.

    Each is called with the seconds that are left, and a flag that is set where it is to end early: on
    Ctrl-C, and where another one has raised, whose exception is raised at once.
    """
    begin, stop = perf_counter(), StopFlag()
    results: list[Result | None] = [None] * len(tasks)

    def left() -> float | None:
        return None if max_time is None else max_time - (perf_counter() - begin)

    def work(number: int) -> Result | None:
        seconds = left()
        if stop.is_set() or (seconds is not None and seconds <= 0):
            return None
        return tasks[number](seconds, stop)

    pool = ThreadPoolExecutor(max(min(threads, len(tasks)), 1))
    try:
        futures = {pool.submit(work, number): number for number in range(len(tasks))}
        waiting = set(futures)
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                number, result = futures[future], future.result()
                results[number] = result
                if result is not None:
                    done(number, result)
    finally:
        stop.set()
        # Where it ends early, the core sees the flag within some milliseconds.
        pool.shutdown(cancel_futures=True)
    return results

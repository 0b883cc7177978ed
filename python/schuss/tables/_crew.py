"""Members trained side by side, each on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
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
    Ctrl-C, and where another one has raised, whose exception is raised when all have ended.
    """
    begin, stop = perf_counter(), StopFlag()
    results: list[Result | None] = [None] * len(tasks)

    def left() -> float | None:
        return None if max_time is None else max_time - (perf_counter() - begin)

    def work(number: int) -> Result | None:
        seconds = left()
        # The first one learns at least something, however little time there is.
        if stop.is_set() or (seconds is not None and seconds <= 0 and number > 0):
            return None
        return tasks[number](None if seconds is None else max(seconds, 0.001), stop)

    with ThreadPoolExecutor(max(min(threads, len(tasks)), 1)) as pool:
        futures: dict[Future[Result | None], int] = {}
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
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return results

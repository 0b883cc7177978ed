"""Members trained side by side, each on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from time import perf_counter
from typing import Any, TypeVar

from .._schuss import StopFlag
from .._workers import heard, workers

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
    ready: SimpleQueue[tuple[int, Result | None, BaseException | None]] = SimpleQueue()

    def left() -> float | None:
        return None if max_time is None else max_time - (perf_counter() - begin)

    def work_on(number: int) -> None:
        result, error = None, None
        try:
            seconds = left()
            if not stop.is_set() and (seconds is None or seconds > 0):
                result = tasks[number](seconds, stop)
        except BaseException as raised:
            error = raised
        ready.put((number, result, error))

    def work() -> None:
        while (number := waiting.get()) is not None:
            work_on(number)

    if not tasks:
        return results
    count = max(min(threads, len(tasks)), 1)
    waiting: SimpleQueue[int | None] = SimpleQueue()
    for each in [*range(len(tasks)), *[None] * count]:
        waiting.put(each)
    # Where it ends early, the core sees the flag within some milliseconds.
    with workers(work, count, stop.set) as started:
        for place in range(len(tasks)):
            if not started:
                work_on(place)
            number, result, error = heard(ready)
            if error is not None:
                raise error
            results[number] = result
            if result is not None:
                done(number, result)
    return results

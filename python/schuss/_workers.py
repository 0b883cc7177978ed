"""Threads that one call starts, and that end with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def workers(work: Callable[[], object], count: int, end: Callable[[], object]) -> Iterator[None]:
    """Have a function called on so many threads, or as many as the system gives, and wait for them.

    They are daemons where the caller is one: for others, and for an executor's always, Python waits before it
    exits. They have the caller's context, such as `numpy.errstate`.

    Parameters
    ----------
    work : callable
        What each thread calls; it raises nothing.
    count : int
        How many threads, at least 1.
    end : callable
        Tells them to end; called when the block is left, in whatever way.
    """
    threads: list[Thread] = []
    try:
        for _ in range(count):
            thread = Thread(target=copy_context().run, args=(work,), name="schuss-worker")
            threads.append(thread)
            try:
                thread.start()
            except RuntimeError:  # the system has no more to give
                if len(threads) == 1:
                    raise
                break
        yield
    finally:
        end()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


def heard(items: SimpleQueue[T]) -> T:
    """The next item, waited for in a way that Ctrl-C ends."""
    while True:
        # Without a limit, Ctrl-C would not be heard on Windows.
        with suppress(Empty):
            return items.get(timeout=0.1)

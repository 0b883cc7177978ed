"""Threads that one call starts, and that end with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def workers(work: Callable[[], object], count: int, end: Callable[[], object]) -> Iterator[int]:
    """Have a function called on so many threads, or as many as the system gives, and wait for them.

    How many these are is what the block gets: where there are none, it does the work itself.

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
                break
        yield sum(thread.ident is not None for thread in threads)
    finally:
        end()
        for thread in threads:
            if thread.ident is not None:
                thread.join()


def each_of(items: Iterator[T], work: Callable[[T], object], count: int) -> None:
    """Have a function called with each item, on so many threads, of which the caller is one.

    One thread at a time draws an item, in their order: what an iterator does before it yields one is done
    when those before it have been drawn. The first exception ends all, and is raised.

    Parameters
    ----------
    items : iterator
        Drawn from until it ends.
    work : callable
        What is called with each, on any thread.
    count : int
        How many threads, at least 1.
    """
    lock, end = Lock(), Event()
    errors: list[BaseException] = []

    def draw() -> None:
        try:
            while not end.is_set():
                with lock:
                    try:
                        item = next(items)
                    except StopIteration:
                        return
                work(item)
        except BaseException as error:
            errors.append(error)
            end.set()

    with workers(draw, count - 1, end.set):
        draw()
    if errors:
        raise errors[0]


def heard(items: SimpleQueue[T]) -> T:
    """The next item, waited for in a way that Ctrl-C ends."""
    while True:
        # Without a limit, Ctrl-C would not be heard on Windows.
        with suppress(Empty):
            return items.get(timeout=0.1)

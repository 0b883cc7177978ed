"""What an iterator gives, made by a thread that stays one item ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import TypeVar

from .._workers import heard

T = TypeVar("T")


class _End:
    """What the thread says last: that there are no more items, or why."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(make: Callable[[Callable[[], bool]], Iterator[T]]) -> Iterator[T]:
    """Items that a thread makes: the next one while the present one is worked with, and no more.

    Whoever leaves the iteration, in whatever way, closes it: the thread ends then. What it raises is raised
    here, after the items that were made before. Where the system gives no thread, they are made here.

    Parameters
    ----------
    make : callable
        Gives the iterator; called with a function that says whether to stop, to ask between pieces of work.
    """
    items: SimpleQueue[T | _End] = SimpleQueue()
    stopped, wanted = Event(), Semaphore(1)

    def work() -> None:
        try:
            made = make(stopped.is_set)
            while wanted.acquire() and not stopped.is_set():
                # Nothing here keeps the item: it is memory that the next but one will need.
                items.put(next(made))
        except StopIteration:
            items.put(_End())
        except BaseException as error:
            items.put(_End(error))

    # A daemon if the present thread is one: Python waits for the others before it exits.
    thread = Thread(target=work, name="schuss-blocks")
    try:
        try:
            thread.start()
        except RuntimeError:  # the system has none to give: each item is made when it is asked for
            yield from make(stopped.is_set)
            return
        while True:
            item = heard(items)
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            wanted.release()
            yield item
    finally:
        stopped.set()
        wanted.release()
        if thread.ident is not None:
            thread.join()

"""What an iterator gives, made by a thread that stays one item ahead."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Event, Thread, current_thread
from typing import Any, Generic, TypeAlias, TypeVar

from .._workers import heard

T = TypeVar("T")

Make: TypeAlias = Callable[[Callable[[], bool]], Iterator[T]]


class _End:
    """What the thread says last: that there are no more items, or why."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(make: Make[T]) -> Iterator[T]:
    """Items that a thread makes: the next one while the present one is worked with, and no more.

    Whoever leaves the iteration, in whatever way, closes it: the thread ends then, or when Python exits. What
    it raises is raised here, after the items that were made before. Where the system gives no thread, they
    are made here.

    Parameters
    ----------
    make : callable
        Gives the iterator; called with a function that says whether to stop, to ask between pieces of work.

    Raises
    ------
    RuntimeError
        In a process that was forked meanwhile, which has no such thread, and where Python has begun to exit.
    """
    maker = _Maker(make)
    try:
        try:
            maker.start()
        except RuntimeError:  # the system has none to give: each item is made when it is asked for
            yield from make(maker.stopped.is_set)
            return
        while True:
            item = maker.next()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        maker.end()


class _Maker(Generic[T]):
    """The thread, and what is said to it and by it."""

    def __init__(self, make: Make[T]) -> None:
        self.stopped = Event()
        self._make, self._home = make, os.getpid()
        self._items: SimpleQueue[T | _End] = SimpleQueue()
        # Whether another item is wanted: no lock is held, which a finalizer or a fork might find taken.
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        # A daemon: for others Python waits before it finalizes an iterator that nobody has closed.
        self._thread = Thread(target=self._work, name="schuss-blocks", daemon=True)

    def start(self) -> None:
        """Begin, with one item."""
        self._thread.start()
        if not current_thread().daemon:
            _MAKERS[self._thread] = self
        self._wanted.put(True)

    def next(self) -> T | _End:
        """The next item, or the end; from now on the one after it is made."""
        if os.getpid() != self._home or self.stopped.is_set():
            why = "Python exits" if os.getpid() == self._home else "this process was forked meanwhile"
            raise RuntimeError(f"an iterator over blocks cannot go on without its thread: {why}")
        item = heard(self._items)
        self._wanted.put(True)
        return item

    def end(self) -> None:
        """Have it end, and wait for that, unless this is it: the garbage collector runs in any thread."""
        self.stopped.set()
        self._wanted.put(False)
        if self._thread.ident is not None and self._thread is not current_thread():
            self._thread.join()
        _MAKERS.pop(self._thread, None)

    def _work(self) -> None:
        try:
            made = self._make(self.stopped.is_set)
            while self._wanted.get() and not self.stopped.is_set():
                # Nothing here keeps the item: it is memory that the next but one will need.
                self._items.put(next(made))
        except StopIteration:
            self._items.put(_End())
        except BaseException as error:
            self._items.put(_End(error))


# Those at work, but for daemons', whom nobody waits for.
_MAKERS: dict[Thread, _Maker[Any]] = {}


@atexit.register
def _end_all() -> None:
    """While all threads still run: one that was ended amid what it reads could take the process with it."""
    for maker in list(_MAKERS.values()):
        maker.end()

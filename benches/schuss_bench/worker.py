"""A process for each library: their thread pools never meet, and who has no turn sleeps."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import traceback
from multiprocessing.connection import Connection

from . import machine
from .cases import Case
from .timing import times_for


class Failed(Exception):
    """A contender cannot take part."""


def process_of(case: Case, contender: str) -> tuple[str, int | None]:
    """The name of the process that a contender works in, and on how many processors it is held.

    One process serves all contenders of a library; but jax has as many threads as it sees processors when it
    starts, so that each number of threads needs a process of its own.
    """
    library, _, variant = contender.partition("-")
    if case.section == "scale" and library == "jax" and variant:
        return contender, int(variant)
    return library, None


class Worker:
    """A library in its own process, on all or on some processors. Use as a context manager."""

    def __init__(self, library: str, processors: int | None = None) -> None:
        self.library = library
        # Fresh interpreters: a fork would inherit the threads' locks but not the threads.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, library, processors), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def version(self) -> str:
        return self._ask("version")

    def prepare(self, contender: str, case: Case, seconds: float) -> None:
        """Makes everything ready and warm for turns of about so many seconds."""
        self._ask("prepare", contender, case, seconds)

    def turn(self, contender: str) -> float:
        """The seconds that one run took on average."""
        return self._ask("turn", contender)

    def _ask(self, *request):
        try:
            self._pipe.send(request)
            answer, error = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(1)
            raise Failed(
                f"the process of {self.library} has ended (exit code {self._process.exitcode})"
            ) from None
        if error:
            raise Failed(error)
        return answer

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_) -> None:
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.terminate()


def held_on(processors: int | None, usable: list[int], at_once: int) -> list[int]:
    """The processors that a library's process is held on; none where it may use all.

    Most libraries count the processors that they see, and know of no limit to a container's time: all of them
    see as many as threads can run at once.
    """
    few = processors or at_once
    return machine.spread(usable)[:few] if few < len(usable) else []


def _serve(pipe: Connection, library: str, processors: int | None) -> None:
    if held := held_on(processors, machine.usable_cpus(), machine.threads(machine.describe())):
        # Before the library is imported. Systems without this call have no such contenders and no limit.
        os.sched_setaffinity(0, held)
    runs, current = {}, None
    while True:
        try:
            request, *arguments = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            module = importlib.import_module(f"{__package__}.contenders.{library}")
            answer = None
            if request == "version":
                answer = module.VERSION
            elif request == "prepare":
                contender, case, seconds = arguments
                if case != current:
                    runs, current = {}, case  # the memory of the last case is free again
                run = module.prepare(case, contender.partition("-")[2])
                runs[contender] = run, times_for(run, seconds)
            else:
                run, times = runs[arguments[0]]
                answer = run(times) / times
            pipe.send((answer, None))
        except KeyboardInterrupt:
            return
        except Exception as error:
            traceback.print_exc()
            pipe.send((None, repr(error)))

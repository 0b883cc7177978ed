"""A process for each library: their thread pools never meet, and who has no turn sleeps."""

from __future__ import annotations

import importlib
import multiprocessing
import traceback
from multiprocessing.connection import Connection

from .cases import Case
from .timing import times_for


class Failed(Exception):
    """A contender cannot take part."""


class Worker:
    """A library in its own process. Use as a context manager."""

    def __init__(self, library: str) -> None:
        self.library = library
        # Fresh interpreters: a fork would inherit the threads' locks but not the threads.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, library), daemon=True)
        self._process.start()
        theirs.close()

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
        except (EOFError, BrokenPipeError):
            raise Failed(f"the process of {self.library} has ended") from None
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


def _serve(pipe: Connection, library: str) -> None:
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

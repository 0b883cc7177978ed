"""Takes the measurements: contenders take turns, and a row's figure is the median of its turns."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from . import machine
from .cases import Case
from .worker import Failed, Worker, process_of

ROOT = Path(__file__).resolve().parents[2]
PAUSE = 0.1  # seconds until the spinning threads of the last contender sleep


@dataclass
class Result:
    """One row, measured: seconds per step or call in each turn of each contender."""

    case: Case
    turns: dict[str, list[float]] = field(default_factory=dict)

    def seconds(self, contender: str) -> float | None:
        turns = self.turns.get(contender)
        return median(turns) if turns else None

    @property
    def peers(self) -> dict[str, float]:
        """The medians of all but schuss."""
        return {name: median(turns) for name, turns in self.turns.items() if name != "schuss" and turns}

    @property
    def fastest_peer(self) -> str | None:
        return min(self.peers, key=self.peers.__getitem__, default=None)

    @property
    def ratio(self) -> float | None:
        """How many times as fast as the fastest peer schuss is."""
        schuss, peer = self.seconds("schuss"), self.fastest_peer
        return self.peers[peer] / schuss if schuss and peer else None


@dataclass
class Session:
    """One run of the benchmark: the rows, and what they were measured on."""

    results: list[Result] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    peak: dict = field(default_factory=dict)  # empty where it could not be measured
    failures: dict[str, str] = field(default_factory=dict)
    started: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M:%S"))
    load: float | None = field(default_factory=machine.load_average)
    machine: dict = field(default_factory=machine.describe)
    interrupted: bool = False

    @contextlib.contextmanager
    def failing(self, label: str, contender: str) -> Iterator[None]:
        """Notes that a contender cannot take part, instead of ending everything."""
        try:
            yield
        except Failed as failure:
            self.failures[f"{label} {contender}"] = str(failure)

    def watch_peak(self) -> None:
        """Measures the peak again and keeps the best: other work on the machine can only lower it."""
        command = ["cargo", "bench", "--quiet", "--no-default-features", "--bench", "peak"]
        try:
            peak = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            self.failures["the machine's peak"] = str(error)
            return
        for dtype in ("float32", "float64"):
            for cores, rate in self.peak.get(dtype, {}).items():
                peak[dtype][cores] = max(rate, peak[dtype][cores])
        self.peak = peak


class Workers(contextlib.ExitStack):
    """The processes, each started when it is first needed, and again where one has died."""

    def __init__(self) -> None:
        super().__init__()
        self._workers: dict[str, Worker] = {}

    def of(self, case: Case, contender: str) -> Worker:
        name, processors = process_of(case, contender)
        if name not in self._workers or not self._workers[name].alive:
            self._workers[name] = self.enter_context(Worker(contender.partition("-")[0], processors))
        return self._workers[name]


def run(
    cases: list[Case], rounds: int, seconds: float, keep: Callable[[Session], object] = lambda session: None
) -> Session:
    """Measures the cases, one after the other, until Ctrl-C; what there is is kept after each of them."""
    session = Session()
    try:
        session.watch_peak()
        with Workers() as workers:
            for number, case in enumerate(cases, 1):
                label = f"[{number}/{len(cases)}] {case.section}/{case.name}"
                print(label, end=" ", file=sys.stderr, flush=True)
                session.results.append(_measure(case, rounds, seconds, workers, session))
                print(file=sys.stderr)
                keep(session)
                session.watch_peak()
    except KeyboardInterrupt:
        session.interrupted = True
        print(f"\ninterrupted: {len(session.results)} of {len(cases)} rows are there", file=sys.stderr)
    return session


def _measure(case: Case, rounds: int, seconds: float, workers: Workers, session: Session) -> Result:
    label, result = f"{case.section}/{case.name}", Result(case)
    prepared: dict[str, Worker] = {}

    def ready(contender: str) -> Worker:
        worker = workers.of(case, contender)
        if prepared.get(contender) is not worker:  # the first, or one in the place of one that has died
            worker.prepare(contender, case, seconds)
            prepared[contender] = worker
        return worker

    for contender in case.contenders:
        with session.failing(label, contender):
            worker = ready(contender)
            session.versions.setdefault(worker.library, worker.version())
            result.turns[contender] = []
    for _ in range(rounds):
        for contender, turns in result.turns.items():
            if f"{label} {contender}" in session.failures:
                continue
            time.sleep(PAUSE)
            with session.failing(label, contender):
                turns.append(ready(contender).turn(contender) / case.steps_per_run)
        print(".", end="", file=sys.stderr, flush=True)
    return result

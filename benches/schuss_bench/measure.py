"""Takes the measurements: contenders take turns, and a row's figure is the median of its turns."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from .cases import Case
from .worker import Failed, Worker

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
    peak: dict = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    started: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M:%S"))
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    machine: str = field(default_factory=lambda: _machine())

    def watch_peak(self) -> None:
        """Measures the peak again and keeps the best: other work on the machine can only lower it."""
        command = ["cargo", "bench", "--quiet", "--no-default-features", "--bench", "peak"]
        peak = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
        for dtype in ("float32", "float64"):
            for cores, rate in self.peak.get(dtype, {}).items():
                peak[dtype][cores] = max(rate, peak[dtype][cores])
        self.peak = peak


def run(cases: list[Case], rounds: int, seconds: float) -> Session:
    """Measures the cases, one after the other."""
    session = Session()
    session.watch_peak()
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for number, case in enumerate(cases, 1):
            label = f"{case.section}/{case.name}"
            print(f"[{number}/{len(cases)}] {label}", end=" ", file=sys.stderr, flush=True)
            result = Result(case)
            for contender in case.contenders:
                library = contender.partition("-")[0]
                try:
                    if library not in workers:
                        workers[library] = stack.enter_context(Worker(library))
                        session.versions[library] = workers[library].version()
                    workers[library].prepare(contender, case, seconds)
                    result.turns[contender] = []
                except Failed as failure:
                    session.failures[f"{label} {contender}"] = str(failure)
            for _ in range(rounds):
                for contender, turns in result.turns.items():
                    time.sleep(PAUSE)
                    turns.append(workers[contender.partition("-")[0]].turn(contender) / case.steps_per_run)
                print(".", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
            session.results.append(result)
            session.watch_peak()
    return session


def _machine() -> str:
    """The processor's name."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

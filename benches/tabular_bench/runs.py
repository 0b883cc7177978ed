"""The runs: which there are to do, which are done, and a file of JSON lines that keeps them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from schuss_bench.commands import write

HERE = Path(__file__).resolve().parent
# Every library that counts its threads by itself reads one of these when it starts.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")


PLACE = ("table", "contender", "variant", "seed", "threads")


@dataclass(frozen=True)
class Job:
    """One run to do; the variant is the contender's own, with these options, in an ablation."""

    table: str
    contender: str
    seed: int
    threads: int
    variant: str = ""
    machine: str = ""
    options: dict = field(default_factory=dict, compare=False)

    @property
    def key(self) -> tuple:
        return key(asdict(self))

    def __str__(self) -> str:
        variant = f" ({self.variant})" if self.variant else ""
        return f"{self.table}, {self.contender}{variant}, seed {self.seed}"


class Failed(Exception):
    """A run has not come to its end."""


def place(run: dict) -> tuple:
    """Where a run stands in a report, which is of one machine."""
    return tuple(run[name] for name in PLACE)


def key(run: dict) -> tuple:
    """What makes a later run replace another."""
    return *place(run), run["machine"]


def who(run: dict) -> tuple:
    """What has changed where a run is to be done anew. Runs from before builds were noted have none."""
    return run["version"], run.get("build")


def stored(file: Path) -> list[dict]:
    """The runs of a file; of those that it has twice the later, of a line that was cut off nothing."""
    found = {}
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            run = json.loads(line)
        except ValueError:
            continue
        found[key(run)] = run
    return list(found.values())


def forget(file: Path, jobs: list[Job]) -> None:
    """Takes the runs of these jobs out of the file."""
    unwanted = {job.key for job in jobs}
    kept = [json.dumps(run) for run in stored(file) if key(run) not in unwanted]
    write(file, "".join(f"{line}\n" for line in kept))


def one(job: Job, folder: Path | None) -> dict:
    """What the worker tells of one run."""
    return ask({**asdict(job), "folder": str(folder) if folder else None}, job.threads)


def about(contender: str) -> dict:
    """The version of a contender and, of schuss, its build; or why it is `missing`."""
    return ask({"contender": contender}, 1)


def ask(request: dict, threads: int) -> dict:
    """The answer of a process of its own."""
    # The folder stays as it is: paths that were given may be relative to it.
    modules = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    environment = os.environ | dict.fromkeys(THREADS, str(threads)) | {"PYTHONPATH": modules}
    process = subprocess.run(
        [sys.executable, "-m", f"{__package__}.worker", json.dumps(request)],
        env=environment,
        capture_output=True,
        text=True,
    )
    lines = process.stdout.strip().splitlines()
    if process.returncode or not lines:
        reason = (process.stderr.strip().splitlines() or ["no output"])[-1]
        raise Failed(f"exit code {process.returncode}: {reason}")
    try:
        return json.loads(lines[-1])
    except json.JSONDecodeError:
        raise Failed(f"no answer, but: {lines[-1][:200]}") from None


def run_all(jobs: list[Job], file: Path, folder: Path | None, say: Callable[[str], None]) -> int:
    """Does the jobs whose runs the file does not have, and appends each when it has come to its end.

    A run by another version, or by another build of schuss, counts for nothing here. Returns how many failed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    there = present(jobs, say)
    done = {key(run): who(run) for run in stored(file)}
    old = sum(job.key in done and done[job.key] != there.get(job.contender, done[job.key]) for job in jobs)
    if old:
        say(f"{old} stored runs are of another version or build, and are done anew")
    failed = 0
    for number, job in enumerate(jobs, 1):
        if job.contender not in there or done.get(job.key) == there[job.contender]:
            continue
        try:
            figures = one(job, folder)
        except Failed as error:
            say(f"{job}: FAILED, {error}")
            failed += 1
            continue
        date = datetime.now().astimezone().isoformat(timespec="seconds")
        identity = {name: value for name, value in asdict(job).items() if name != "options"}
        append(file, {**identity, **figures, "date": date})
        told = ", ".join(f"{name} {value:.4g}" for name, value in figures["scores"].items())
        say(f"{number} of {len(jobs)}: {job}: {told}; {figures['seconds']:.1f} s")
    return failed


def present(jobs: list[Job], say: Callable[[str], None]) -> dict[str, tuple]:
    """The contenders that can take part, and who they are."""
    found = {}
    for contender in dict.fromkeys(job.contender for job in jobs):
        try:
            told = about(contender)
        except Failed as error:
            told = {"missing": str(error)}
        if "missing" in told:
            say(f"{contender} is left out: {told['missing']}")
        else:
            found[contender] = who(told)
    return found


def append(file: Path, run: dict) -> None:
    """A line of its own, also after one that was cut off."""
    text = file.read_bytes() if file.exists() else b""
    with file.open("a") as lines:
        lines.write("\n" * (bool(text) and not text.endswith(b"\n")) + json.dumps(run) + "\n")


def jobs_of(
    names: list[str],
    contenders: list[str],
    seeds: int,
    threads: int,
    variants: dict[str, dict] | None = None,
    machine: str = "",
) -> Iterator[Job]:
    """Seed by seed, so that a run that is interrupted has something of every table."""
    for seed in range(seeds):
        for table in names:
            for contender in contenders:
                for variant, options in (variants or {"": {}}).items():
                    yield Job(table, contender, seed, threads, variant, machine, options)

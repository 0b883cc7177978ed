"""The measurements, each part by itself; what belongs together takes turns."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from importlib import metadata
from statistics import median

import schuss

from . import launch
from .cases import LINKS, OVER_NETWORKS, SHARDS, Link, all_cases, case, parameters, share

SIZES = (2, 3, 4)
PROBED = {"size": 2, "probe": True}
TOO_LONG = 1.0  # seconds of a step that is left out
LIBRARIES = ("numpy", "torch", "mpi4py", "mpich", "openmpi")


def work(
    name: str, batch: int, epoch: int, seconds: float, n_shards: int = SHARDS, n_threads: int = 1
) -> dict:
    facts = {"n_shards": n_shards, "n_threads": n_threads, "seconds": seconds}
    return {"name": name, "batch": batch, "epoch": epoch, **facts}


def in_turns(contenders: dict[str, Callable[[], list[float]]], rounds: int) -> tuple[dict, dict]:
    """The medians of what contenders return, row by row; and why some could not take part."""
    turns: dict[str, list[list[float]]] = {name: [] for name in contenders}
    failures: dict[str, str] = {}
    for _ in range(rounds):
        for name, contender in contenders.items():
            if name in failures:
                continue
            try:
                turns[name].append(contender())
            except launch.Failed as failure:
                failures[name] = str(failure)
            print(".", end="", file=sys.stderr, flush=True)
    medians = {name: [median(row) for row in zip(*of, strict=True)] for name, of in turns.items() if of}
    return medians, failures


def found_in(failures: dict[str, str], name: str, size: int, request: dict, link: Link | None = None) -> dict:
    """What so many processes found; nothing, and why, where they cannot take part."""
    try:
        return launch.run("of_schuss", size, request, link)
    except launch.Failed as failure:
        failures[name] = str(failure)
        return {}


def steps(rounds: int, seconds: float) -> dict:
    """Threads, processes and torch on this machine."""
    cases = all_cases()

    def ours(size: int, n_threads: int = 1) -> list[float]:
        works = [work(of.name, of.batch, of.steps, seconds, n_threads=n_threads) for of in cases]
        return launch.run("of_schuss", size, {"size": size, "work": works})["seconds"]

    def part(size: int) -> list[float]:
        """What one of so many processes computes, by one that is alone."""
        mine = share(SHARDS, size)
        works = [work(of.name, of.batch * mine // SHARDS, of.steps, seconds, mine) for of in cases]
        return launch.run("of_schuss", 1, {"size": 1, "work": works})["seconds"]

    def torch() -> list[float]:
        works = [work(of.name, of.batch, of.steps, seconds) for of in cases]
        return launch.run("of_torch", 2, {"work": works})["seconds"]

    contenders: dict[str, Callable[[], list[float]]] = {
        "1 thread": lambda: ours(1),
        "2 threads": lambda: ours(1, 2),
        **{f"{size} processes": lambda size=size: ours(size) for size in SIZES},
        "torch": torch,
        **{f"part of {size}": lambda size=size: part(size) for size in SIZES},
    }
    medians, failures = in_turns(contenders, rounds)
    rows = [
        {
            "name": of.name,
            "layers": list(of.layers),
            "batch": of.batch,
            "seconds": {name: of_all[number] for name, of_all in medians.items()},
        }
        for number, of in enumerate(cases)
    ]
    return {"rows": rows, **found_in(failures, "messages", 2, PROBED), "failures": failures}


def shards(rounds: int, seconds: float) -> dict:
    """What the number of shards costs."""
    name, batch, epoch = "fmnist", 1024, 32

    def of(size: int) -> list[float]:
        counts = [count for count in (1, 2, 4, 8) if count >= size]
        works = [work(name, batch, epoch, seconds, count) for count in counts]
        return launch.run("of_schuss", size, {"size": size, "work": works})["seconds"]

    medians, failures = in_turns({"1": lambda: of(1), "2": lambda: of(2)}, rounds)
    return {"name": name, "batch": batch, "seconds": medians, "failures": failures}


def networks(rounds: int, seconds: float) -> dict:
    """The same steps where messages take longer."""
    links, failures = [], {}
    for link in LINKS:
        facts = {"milliseconds": link.milliseconds, "gigabits": link.gigabits, "rows": []}
        facts |= found_in(failures, str(link), 2, PROBED, link)
        if str(link) in failures:
            continue
        for size in SIZES:
            facts["rows"] += _over(link, size, rounds, seconds, failures)
        links.append(facts)
    return {"links": links, "failures": failures}


def _over(link: Link, size: int, rounds: int, seconds: float, failures: dict[str, str]) -> list[dict]:
    cases = [case(name, batch, 8) for name, batch in OVER_NETWORKS]
    takes = [2 * share(size, 2) * 32e-9 * parameters(of.layers) / link.gigabits for of in cases]
    cases = [of for of, bound in zip(cases, takes, strict=True) if bound < TOO_LONG]
    works = [work(of.name, of.batch, of.steps, seconds) for of in cases]
    contenders = {
        "schuss": lambda: launch.run("of_schuss", size, {"size": size, "work": works}, link)["seconds"]
    }
    if size == 2:
        contenders["torch"] = lambda: launch.run("of_torch", size, {"work": works}, link)["seconds"]
    medians, failed = in_turns(contenders, rounds)
    failures |= {f"{link}, {size} processes, {name}": why for name, why in failed.items()}
    return [
        {
            "name": of.name,
            "batch": of.batch,
            "size": size,
            "seconds": {name: of_all[number] for name, of_all in medians.items()},
        }
        for number, of in enumerate(cases)
    ]


def memory(rounds: int, seconds: float) -> dict:
    """The peak of each process beside its rows, four times its parameters, and a batch."""
    request = {"name": "wide", "batch": 256, "epoch": 64}
    of = case(request["name"], request["batch"], request["epoch"])
    rows, failures = [], {}
    for n_shards in (2, SHARDS):
        for processes in (1, *SIZES):
            if processes <= n_shards:
                asked = {"size": processes, "memory": {**request, "n_shards": n_shards}}
                found = found_in(failures, f"{n_shards} shards, {processes} processes", processes, asked)
                facts = {"processes": processes, "n_shards": n_shards}
                rows += [{**facts, "held": found["memory"]}] if found else []
    # Inputs, and what each layer and its derivative leave.
    batch = 4 * of.batch * (of.layers[0] + 2 * sum(of.layers[1:]))
    sizes = {"gradient": 4 * parameters(of.layers), "batch": batch}
    return {"name": of.name, **sizes, "rows": rows, "failures": failures}


def started() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def versions() -> dict[str, str]:
    """Of the libraries that take part, as far as they are installed."""
    found = {"schuss": schuss.__version__}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name).partition("+")[0]
    return found

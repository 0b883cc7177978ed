"""Training over several processes: beside threads and torch, over slower networks, and a model of it.

    make processes                        everything: some twenty minutes on two cores
    make processes ONLY="steps memory"    some of steps, shards, networks, memory, accuracy
    make processes ARGS=--quick           fewer and shorter turns
    make processes ARGS=--docs            and writes tables and picture into docs/scale.md
    make processes ARGS="--redraw --docs" these once more, from the stored run

steps       one process with one thread and with two, 2 to 4 processes with one thread each over MPI, and
            torch's DistributedDataParallel over gloo in 2 processes: the same network, batches and Adam
shards      what their number costs
networks    the same over networks with a delay and a rate: each process in a network namespace of its own
            (Linux), joined by a switch that delays packets; root or not, where users may have namespaces
memory      the peak of each process beside its rows, four times the parameters and a batch
accuracy    larger batches with LAMB and Adam, and averages of parameters, on scikit-learn's digits

Whoever has a turn starts anew; a figure is the median of the turns. What is not installed does not take
part, and the run says so. Parts that are not measured stay as they were in the stored run, each with the
machine and the versions that it was measured with.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from processes_bench import accuracy, chart, measure, report
from schuss_bench import commands, machine
from schuss_bench.commands import at_least_one, store

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/scale.md"
PICTURE, STORED = ROOT / "docs/images/scale.png", ROOT / "docs/_data/scale.json"
PARTS = ("steps", "shards", "networks", "memory", "accuracy")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="processes.py [part ...] [options]",
    )
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all where none are given"
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns: a rough impression")
    parser.add_argument("--rounds", type=at_least_one, default=5, help="turns (%(default)s)")
    parser.add_argument(
        "--docs", action="store_true", help="writes docs/scale.md, its picture and its numbers"
    )
    parser.add_argument("--redraw", action="store_true", help="measures nothing")
    parser.add_argument(
        "--json", type=Path, default=ROOT / "out/processes.json", help="the run is stored here"
    )
    options = parser.parse_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}; known are {', '.join(PARTS)}")
    run = stored(parser, options.json, options.redraw)
    # Before the first part: the others would find the load of those before them.
    load = machine.load_average()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    for part in [] if options.redraw else options.parts or PARTS:
        measured(part, run, options, load)
        store(run, options.json)
    say(run)
    if options.docs:
        publish(run)


def stored(parser: argparse.ArgumentParser, path: Path, needed: bool) -> dict:
    """The run of a file, whose parts may be of several machines and days; none where there is no file."""
    run = commands.stored(parser, path, "parts", dict) if needed or path.exists() else {"parts": {}}
    if silent := [name for name, part in run["parts"].items() if "machine" not in part]:
        parser.error(f"{path} does not say on which machine it has measured {', '.join(silent)}: remove it")
    return run


def publish(run: dict) -> None:
    """Writes the page, its picture and its numbers."""
    store(run, STORED)
    PAGE.write_text(report.filled(PAGE.read_text(), run))
    if not chart.draw(run, PICTURE):
        print(f"{PICTURE} stays as it was: it shows steps and networks, both measured", file=sys.stderr)


def measured(part: str, run: dict, options: argparse.Namespace, load: float | None) -> None:
    print(part, end=" ", file=sys.stderr, flush=True)
    rounds, seconds = (1, 0.05) if options.quick else (options.rounds, 0.3)
    facts = {"started": measure.started(), "machine": machine.describe(), "versions": measure.versions()}
    facts |= {"load_average": load, "quick": options.quick}
    measures = {
        name: partial(getattr(measure, name), rounds, seconds) for name in PARTS if name != "accuracy"
    }
    measures["accuracy"] = partial(accuracy.measure, options.quick)
    try:
        run["parts"][part] = {**facts, **measures[part]()}
    except ImportError as error:
        print(f"left out: {error}", end="", file=sys.stderr)
    print(file=sys.stderr)


def say(run: dict) -> None:
    for names, where in report.machines(run):
        print("\n".join([f"{', '.join(names)}:", *machine.text(where)]))
    for part, found in run["parts"].items():
        for who, why in found.get("failures", {}).items():
            print(f"{part}: {who} failed: {why.splitlines()[-1]}")
    print("\nMicroseconds of a step, where a table does not say otherwise.")
    for name, table in report.tables(run).items():
        print(f"\n{name}\n{table}")


if __name__ == "__main__":
    main()

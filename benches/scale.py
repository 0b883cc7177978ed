"""How training scales with threads on this machine: a table, out/scale.json and out/scale.png.

    make scale                                  every network: some ten minutes on two cores
    make scale ONLY="small tab"                 some of sgd1, tiny, small, tab, fmnist, wide, huge
    make scale ONLY=tab ARGS=--quick            fewer and shorter turns
    make scale ARGS="--redraw out/scale.json"   the picture once more, from a stored run

schuss with n_threads = 1, 2, 4, ... up to the processors, with more than there are, and with None, its own
choice; beside torch with as many threads, and jax in processes that may use as many processors, since it has
no setting of its own. All take turns, as in `make bench`; a figure is the median of the turns.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from schuss_bench import machine, measure, report, scale_chart, scaling
from schuss_bench.commands import INTERRUPTED, at_least_one, store, stored

OUT = Path(__file__).resolve().parent.parent / "out"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="scale.py [network ...] [options]",
    )
    parser.add_argument("networks", nargs="*", help="all where none are given")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns: a rough impression")
    parser.add_argument(
        "--rounds", type=at_least_one, default=7, help="turns of each contender (%(default)s)"
    )
    parser.add_argument("--json", type=Path, default=OUT / "scale.json")
    parser.add_argument("--chart", type=Path, default=OUT / "scale.png")
    parser.add_argument("--redraw", type=Path, metavar="JSON", help="only the picture, from a stored run")
    options = parser.parse_args()
    if options.redraw:
        if not scale_chart.draw(stored(parser, options.redraw, "rows", list), options.chart):
            parser.error(f"{options.redraw} has no network that schuss has trained with one thread")
        print(options.chart, file=sys.stderr)
        return
    cpus = machine.threads(machine.describe())
    try:
        selected = scaling.cases(options.networks, cpus, pinned=hasattr(os, "sched_setaffinity"))
    except ValueError as error:
        parser.error(str(error))
    rounds, seconds = (3, 0.05) if options.quick else (options.rounds, 0.25)

    options.json.parent.mkdir(parents=True, exist_ok=True)
    keep = partial(keep_rows, cpus, options.json)
    session = measure.run(selected, rounds, seconds, keep)
    if not session.results:
        sys.exit(INTERRUPTED)
    run = scaling.as_json(session, cpus)
    print("\n".join([*report.where(session), *scaling.text(run), *report.failed(session)]))
    store(run, options.json)
    drawn = scale_chart.draw(run, options.chart)
    print(f"\nAlso in {options.json}" + (f" and {options.chart}" if drawn else ""), file=sys.stderr)
    if session.interrupted:
        sys.exit(INTERRUPTED)


def keep_rows(cpus: int, path: Path, session: measure.Session) -> None:
    store(scaling.as_json(session, cpus), path)


if __name__ == "__main__":
    main()

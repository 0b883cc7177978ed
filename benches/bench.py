"""schuss beside its peers, on this machine: a table, out/bench.json and docs/bench.png.

    make bench                                  every row, some 20 minutes
    make bench ONLY="train"                     a section: train, float64, bfloat16, optimizer, predict, ...
    make bench ONLY="fmnist tab"                rows of that name in every section
    make bench ONLY="train/tab" ARGS="--quick"  one row, fewer and shorter turns
    make bench ARGS="--redraw out/bench.json"   docs/bench.png once more, from a stored run

Each library works in its own process and all take turns, row by row: first unclocked until everything is
compiled and warm, then seven turns, each of them one unclocked run and as many clocked ones as fit into a
quarter of a second. The figure is the median of the turns. All train with the same layers, batches, dtype,
Adam, and rows shuffled anew each epoch; each peer in its best form, which `schuss_bench/contenders` shows.
Each row is stored once it is there; the numbers of a full run are docs/_data/bench.json as well.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from schuss_bench import cases, chart, measure, report
from schuss_bench.commands import INTERRUPTED, at_least_one, store, stored

ROOT = Path(__file__).resolve().parent.parent
PICTURE, STORED = ROOT / "docs" / "bench.png", ROOT / "docs" / "_data" / "bench.json"
ROUNDS = 7  # of a full run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="bench.py [row ...] [options]",
    )
    parser.add_argument("rows", nargs="*", help="sections, names or section/name; all where none are given")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns: a rough impression")
    parser.add_argument(
        "--rounds", type=at_least_one, default=ROUNDS, help="turns of each contender (%(default)s)"
    )
    parser.add_argument("--compile", action="store_true", help="torch.compile as well; needs a C++ compiler")
    parser.add_argument("--json", type=Path, default=ROOT / "out" / "bench.json")
    parser.add_argument(
        "--chart", type=Path, default=None, help="default: docs/bench.png after a full run, else none"
    )
    parser.add_argument("--redraw", type=Path, metavar="JSON", help="only the picture, from a stored run")
    options = parser.parse_args()
    if options.redraw:
        redraw(parser, options.redraw, options.chart or PICTURE)
        return
    try:
        selected = cases.select(options.rows)
    except ValueError as error:
        parser.error(str(error))
    if options.compile:
        selected = [_with_compile(case) for case in selected]
    rounds, seconds = (3, 0.05) if options.quick else (options.rounds, 0.25)

    options.json.parent.mkdir(parents=True, exist_ok=True)
    session = measure.run(selected, rounds, seconds, lambda rows: store(report.as_json(rows), options.json))
    if not session.results:
        sys.exit(INTERRUPTED)
    print(report.text(session))
    run = report.as_json(session)
    store(run, options.json)
    full = not (options.rows or session.interrupted) and rounds >= ROUNDS
    picture = options.chart or (PICTURE if full else None)
    drawn = picture is not None and chart.draw(run, picture)
    if drawn and full and picture == PICTURE:
        store(run, STORED)  # whoever has the picture can draw it again
    print(f"\nAlso in {options.json}" + (f" and {picture}" if drawn else ""), file=sys.stderr)
    if session.interrupted:
        sys.exit(INTERRUPTED)


def redraw(parser: argparse.ArgumentParser, path: Path, picture: Path) -> None:
    if not chart.draw(stored(parser, path, "rows", list), picture):
        parser.error(f"{path} has no row that the picture shows: {', '.join(chart.TITLES)}")
    print(picture, file=sys.stderr)


def _with_compile(case: cases.Case) -> cases.Case:
    if "torch" not in case.contenders or case.section not in ("train", "loop"):
        return case
    return dataclasses.replace(case, contenders=(*case.contenders, "torch-compile"))


if __name__ == "__main__":
    main()

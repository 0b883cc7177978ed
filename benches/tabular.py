"""schuss's estimators for tables beside boosted trees and other networks: error, seconds and memory.

    make tabular                                          every table, every contender, five seeds
    make tabular ONLY="adult titanic" ARGS="--seeds 1"    some tables, one seed
    make tabular ONLY=shipped ARGS="--with schuss lightgbm"
    make tabular ARGS=--ablation                          what each piece of schuss's estimator brings
    make tabular ARGS=--report                            runs nothing, shows what is there

Each run, of one contender with one seed on one table, is a process of its own, and a line of
out/tabular.jsonl when it has come to its end: an interrupted benchmark goes on where it stopped. What another
machine, another version or another build of schuss has done is done anew; `--fresh` does all selected runs
anew. What counts is each contender's error divided by that of CatBoost with the same
seed; `docs/tabular.md` says how.

Three tables are files of this project. The variable TABLES names the folder of the other seventeen, one
folder for each, with their published files; without it they are left out.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from schuss_bench import machine
from schuss_bench.commands import at_least_one
from tabular_bench import ablation, chart, report, runs, tables
from tabular_bench.contenders import CONTENDERS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tabular.md"
PICTURE = ROOT / "docs" / "images" / "tabular.png"
GROUPS = {"shipped": tuple(tables.SHIPPED), "external": tuple(tables.EXTERNAL)}
FULL = 5  # seeds


def parser_of_arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="tabular.py [table ...]",
    )
    parser.add_argument("tables", nargs="*", help=f"{', '.join(GROUPS)}, {', '.join(tables.NAMES)}")
    parser.add_argument(
        "--with", nargs="+", dest="contenders", metavar="contender", help=", ".join(CONTENDERS)
    )
    parser.add_argument("--seeds", type=at_least_one, default=FULL, help="how many, from 0 on (%(default)s)")
    parser.add_argument(
        "--threads", type=at_least_one, help="of each contender; default: as many as can run at once"
    )
    parser.add_argument("--data", type=Path, help="the folder of the tables, instead of the variable TABLES")
    parser.add_argument("--file", type=Path, default=ROOT / "out" / "tabular.jsonl")
    parser.add_argument("--fresh", action="store_true", help="forget the stored ones of the selected runs")
    parser.add_argument("--ablation", action="store_true", help="variants of schuss instead of contenders")
    parser.add_argument(
        "--report", action="store_true", help="only show the stored ones of the selected runs"
    )
    parser.add_argument("--machine", help="whose runs --report shows, where the file has those of several")
    parser.add_argument(
        "--docs", action="store_true", help="write tables and picture into docs, as a full run does"
    )
    return parser


def select(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[str]:
    """The tables to run, of those that are there."""
    names = [name for word in options.tables for name in GROUPS.get(word, (word,))]
    if unknown := [name for name in names if name not in tables.NAMES]:
        parser.error(
            f"no table is called {', '.join(unknown)}; known are {', '.join((*GROUPS, *tables.NAMES))}"
        )
    if unknown := [name for name in options.contenders or () if name not in CONTENDERS]:
        parser.error(f"no contender is called {', '.join(unknown)}; known are {', '.join(CONTENDERS)}")
    if options.machine and not options.report:
        parser.error("--machine chooses what --report shows; runs are done on this machine")
    try:
        there = tables.available(options.data)
    except FileNotFoundError as error:
        parser.error(str(error))
    if absent := [name for name in names or tables.NAMES if name not in there]:
        tell(f"left out, since the folder of the tables has no {', '.join(absent)} (the variable TABLES)")
    return [name for name in there if name in (names or there)]


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Run, and report."""
    parser = parser_of_arguments()
    options = parser.parse_args()
    names = select(parser, options)
    described = machine.describe()
    here, threads = machine.short(described), options.threads or machine.threads(described)
    contenders = [ablation.CONTENDER] if options.ablation else options.contenders or list(CONTENDERS)
    variants = ablation.VARIANTS if options.ablation else None
    jobs = list(runs.jobs_of(names, contenders, options.seeds, threads, variants, here))
    if options.fresh and not options.report:
        runs.forget(options.file, jobs)
    failed = 0 if options.report else runs.run_all(jobs, options.file, options.data, tell)
    found = shown(parser, options, jobs, here)
    place = place_of(found, threads)
    text = report.of_ablation(found) if options.ablation else report.of_contenders(found)
    text = f"{place[0].upper()}{place[1:]}.\n\n{text}"
    print(text)
    every = not (options.tables or options.contenders or options.report) and len(names) == len(tables.NAMES)
    if options.docs or (every and options.seeds >= FULL and not failed):
        publish(found, place, text, options.ablation)
    if failed:
        sys.exit(f"{failed} runs have failed")


def shown(
    parser: argparse.ArgumentParser, options: argparse.Namespace, jobs: list[runs.Job], here: str
) -> list[dict]:
    """The stored runs of these jobs: of this machine, or for a report of the one that has done them."""
    wanted = {runs.place(vars(job)) for job in jobs}
    found = [run for run in runs.stored(options.file) if runs.place(run) in wanted]
    machines = dict.fromkeys(run["machine"] for run in found)
    if options.report and not options.machine and len(machines) > 1:
        parser.error(
            f"{options.file} has runs of several machines: --machine chooses of {'; '.join(machines)}"
        )
    of_one = options.machine or (next(iter(machines), here) if options.report else here)
    found = [run for run in found if run["machine"] == of_one]
    if not found:
        parser.exit(1, "none of these runs is there\n")
    return found


def place_of(found: list[dict], threads: int) -> str:
    """Where and when, from the first run to the last."""
    days = sorted({run["date"][:10] for run in found})
    builds = {run.get("build") for run in found if run["contender"].startswith("schuss")}
    several = f"; schuss in {len(builds)} builds" if len(builds) > 1 else ""
    when = " to ".join(dict.fromkeys((days[0], days[-1])))
    return f"{found[0]['machine']}; {threads} thread{'s' * (threads > 1)}; {when}{several}"


def publish(found: list[dict], place: str, text: str, of_pieces: bool) -> None:
    """Write the tables, and the picture of contenders, into the documentation."""
    if not of_pieces and chart.draw(found, place, PICTURE):
        text = f"![Error against seconds](images/{PICTURE.name})\n\n{text}"
        tell(f"the picture is {PICTURE}")
    report.write(PAGE, "ablation" if of_pieces else "results", text)
    tell(f"the tables are also in {PAGE}")


if __name__ == "__main__":
    main()

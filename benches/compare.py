"""This build beside another one, such as the same library before a change: no row may have become slower.

    make compare WITH=../other                    every row; ../other is a checkout in which schuss is built
    make compare WITH=../other ONLY="train loop"  sections, names or section/name, as for make bench

Both run in processes of their own and take turns, row by row. The figures are medians of each one's turns,
and the median of the ratios of turns that followed each other: what slows the machine for a while slows both.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from schuss_bench import cases, measure
from schuss_bench.commands import at_least_one
from schuss_bench.worker import Failed, Worker

HERE = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("rows", nargs="*", help="sections, names or section/name; all where none are given")
    parser.add_argument("--rounds", type=at_least_one, default=15, help="turns of each (%(default)s)")
    options = parser.parse_args()
    if not any([*options.other.glob(f"python/schuss/_schuss*.{kind}")] for kind in ("so", "pyd")):
        parser.error(
            f"there is no built extension in {options.other}/python/schuss: make develop builds it there"
        )
    try:
        selected = [case for case in cases.select(options.rows) if "schuss" in case.contenders]
    except ValueError as error:
        parser.error(str(error))
    with build(options.other) as other, build(HERE) as this:
        print(f"{other.version()} of {options.other.resolve()} beside {this.version()} of {HERE}")
        print(f"{'row':<24}{'other us':>12}{'this us':>12}{'this / other':>14}")
        for case in selected:
            row = f"{case.section}/{case.name}"
            try:
                before, after = turns(case, other, this, options.rounds)
            except Failed as failure:
                print(f"{row:<24} left out: {failure}", flush=True)
                continue
            ratio = median(b / a for a, b in zip(before, after, strict=True))
            print(f"{row:<24}{median(before):>12,.2f}{median(after):>12,.2f}{ratio:>14.3f}", flush=True)


@contextlib.contextmanager
def build(checkout: Path) -> Iterator[Worker]:
    """A process that imports the package of a checkout."""
    # A new process takes over the path of the one that starts it.
    before = list(sys.path)
    sys.path.insert(0, str(checkout.resolve() / "python"))
    try:
        worker = Worker("schuss")
    finally:
        sys.path[:] = before
    with worker:
        yield worker


def turns(case: cases.Case, other: Worker, this: Worker, rounds: int) -> tuple[list[float], list[float]]:
    """Microseconds of each turn."""
    workers, results = (other, this), ([], [])
    for worker in workers:
        worker.prepare("schuss", case, 0.25)
    for number in range(rounds):
        # Whoever is first has no advantage over all turns.
        for place in (0, 1) if number % 2 else (1, 0):
            time.sleep(measure.PAUSE)
            results[place].append(workers[place].turn("schuss") / case.steps_per_run * 1e6)
    return results


if __name__ == "__main__":
    main()

"""schuss's estimators for tables beside boosted trees, on hundreds of small tables that chose nothing.

    make many-tables                                     600 tables, of which some 400 are of use
    make many-tables ARGS="--tables 100 --with schuss lightgbm"
    make many-tables ARGS=--report                       runs nothing, shows what is there

All contenders learn a table one after the other, in this process; a line of out/many_tables.jsonl for each
table says how it went, and an interrupted benchmark goes on where it stopped. Each error counts as a share of
that of a model that knows the target alone, plus 0.02: else tables whose target can be computed from a column
would decide over all others. What counts is the quotient with CatBoost's; `docs/tabular.md` has the results.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import warnings
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from schuss_bench import machine
from schuss_bench.commands import at_least_one
from tabular_bench import many, report, scores
from tabular_bench.contenders import CONTENDERS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tabular.md"
USUAL = ("schuss", "schuss-quick", "catboost", "lightgbm", "histgb")
BASE = "catboost"
# Of a model that knows the target alone: an error that is smaller hardly matters.
LEAST = 0.02


def modules(names: list[str]) -> dict[str, tuple[Any, dict]]:
    """The contenders that can be had, with their options."""
    found = {}
    for name in names:
        file, options = CONTENDERS[name]
        try:
            found[name] = importlib.import_module(f"tabular_bench.contenders.{file}"), options
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return found


def learnt(module: Any, options: dict, split: many.Split, threads: int) -> dict[str, Any]:
    """Errors, seconds and CPU seconds of one fit."""
    wall, cpu = perf_counter(), process_time()
    model = module.make(split.task, split.X_train, 0, threads, **options)
    model.fit(split.X_train, split.y_train)
    took = {"seconds": perf_counter() - wall, "cpu_seconds": process_time() - cpu}
    predicted = np.ravel(model.predict(split.X_test))
    if split.task == "regression":
        return {**scores.of_values(split.y_test, predicted), **took}
    classes, proba = np.asarray(model.classes_).astype(str), model.predict_proba(split.X_test)
    # CatBoost has labels like numbers in the order of these.
    order = np.argsort(classes)
    return {**scores.of_classes(split.y_test, classes[order], proba[:, order], predicted), **took}


def error(run: dict, table: dict) -> float:
    """The error of a run as a share of that of a model that knows the target alone, plus the least."""
    names = scores.ERRORS[table["task"]]
    shares = [run[name] / max(table["dummy"][name], 1e-12) + LEAST for name in names]
    return scores.geometric_mean(shares)


def stored(file: Path, about: dict[str, Any]) -> dict[str, dict]:
    """What is there of these contenders, on this machine."""
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return {line["table"]: line for line in lines if line["about"] == about}


def text_of(tables: list[dict], names: list[str]) -> str:
    """Errors beside the base's: of all tables that all have learnt, by task and by size."""
    tables = [each for each in tables if "failed" not in each]
    groups = {
        "all tables": tables,
        "regressions": [each for each in tables if each["task"] == "regression"],
        "classifications": [each for each in tables if each["task"] != "regression"],
        "below 150 rows": [each for each in tables if each["rows"] < 150],
        "150 to 500": [each for each in tables if 150 <= each["rows"] < 500],
        "500 and more": [each for each in tables if each["rows"] >= 500],
    }
    lines = []
    for name in names:
        ratios = {each["table"]: error(each[name], each) / error(each[BASE], each) for each in tables}
        means = [
            f"{scores.geometric_mean([ratios[each['table']] for each in group]):.3f}" if group else "-"
            for group in groups.values()
        ]
        middle = f"{np.median(list(ratios.values())):.3f}" if ratios else "-"
        good = f"{np.mean([ratio <= 1 for ratio in ratios.values()]):.0%}"
        took = [f"{sum(each[name][kind] for each in tables):,.0f}" for kind in ("seconds", "cpu_seconds")]
        lines.append([name, *means, middle, good, *took])
    head = [f"{title} ({len(group)})" for title, group in groups.items()]
    return report.table(["contender", *head, "median", "at most 1.00", "seconds", "CPU seconds"], lines)


def main() -> None:
    """Run, and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", type=at_least_one, default=600, help="how many to look at (%(default)s)")
    parser.add_argument(
        "--with", nargs="+", dest="contenders", default=list(USUAL), choices=CONTENDERS, metavar="contender"
    )
    parser.add_argument("--threads", type=at_least_one, help="default: as many as can run at once")
    parser.add_argument("--file", type=Path, default=ROOT / "out" / "many_tables.jsonl")
    parser.add_argument("--report", action="store_true", help="only show what is stored")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/tabular.md")
    options = parser.parse_args()
    described = machine.describe()
    threads = options.threads or machine.threads(described)
    contenders = modules(list(dict.fromkeys([*options.contenders, BASE])))
    if BASE not in contenders:
        parser.error(f"{BASE} must be installed: the errors of others are divided by its own")
    versions = {name: getattr(module, "BUILD", module.VERSION) for name, (module, _) in contenders.items()}
    about = {"machine": machine.short(described), "threads": threads, "versions": versions}
    tables = stored(options.file, about)
    warnings.simplefilter("ignore")
    if not options.report:
        options.file.parent.mkdir(exist_ok=True)
        for name, split in many.loaded(options.tables):
            if name not in tables:
                tables[name] = run(name, split, contenders, about, options.file)
    if all("failed" in line for line in tables.values()):
        parser.exit(
            1, "none of these tables was learnt by all of them, on this machine and with these builds\n"
        )
    text = f"{about['machine']}; {threads} threads.\n\n{text_of(list(tables.values()), list(contenders))}"
    failed = [line["failed"] for line in tables.values() if "failed" in line]
    if failed:
        counts = ", ".join(f"{name} on {failed.count(name)}" for name in dict.fromkeys(failed))
        text += f"\n\nTables on which a contender failed are left out: {counts}."
    print(text)
    if options.docs:
        report.write(PAGE, "many", text)


def run(name: str, split: many.Split, contenders: dict, about: dict[str, Any], file: Path) -> dict:
    """All contenders on a table, as a line of the file; one on which somebody fails compares nobody."""
    line = {
        "table": name,
        "about": about,
        "task": split.task,
        "rows": len(split.X_train),
        "dummy": many.dummy_error(split),
    }
    for called, (module, given) in contenders.items():
        try:
            line[called] = learnt(module, given, split, about["threads"])
        except Exception as reason:
            line |= {"failed": called, "reason": str(reason)}
            break
    with file.open("a") as out:
        out.write(json.dumps(line) + "\n")
    figures = [f"{error(line[called], line):.3f}" for called in contenders if called in line]
    print(name, *figures, line.get("reason", ""), file=sys.stderr, flush=True)
    return line


if __name__ == "__main__":
    main()

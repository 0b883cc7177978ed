"""One run, of a table, a contender and a seed, in a process of its own; its last line has the figures.

    python -m tabular_bench.worker '{"table": "adult", "contender": "catboost", ...}'

Imports and reading the table are not clocked. Memory is what the process has at most while it fits and
predicts, above what it had when everything was imported: the table counts.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from time import perf_counter, process_time

from . import memory, scores, tables
from .contenders import CONTENDERS


def cpu_seconds() -> float:
    """Of all threads, and of processes that have ended."""
    times = os.times()
    return process_time() + times.children_user + times.children_system


def run(job: dict) -> dict:
    """The figures of one run, without a table only who runs; or `missing`: why the contender is not there."""
    file, options = CONTENDERS[job["contender"]]
    try:
        module = importlib.import_module(f"{__package__}.contenders.{file}")
    except ImportError as error:
        return {"missing": str(error)}
    about = {"version": module.VERSION} | ({"build": module.BUILD} if hasattr(module, "BUILD") else {})
    if "table" not in job:
        return about
    imported = memory.resident()
    table = tables.load(job["table"], job["folder"], job["seed"])
    memory.forget_peak()
    wall, cpu = perf_counter(), cpu_seconds()
    model = module.make(table.task, table.X_train, job["seed"], job["threads"], **options | job["options"])
    model.fit(table.X_train, table.y_train)
    fitted, cpu = perf_counter(), cpu_seconds() - cpu
    predicted = model.predict(table.X_test)
    if table.task == "regression":
        end = perf_counter()
        found = scores.of_values(table.y_test, predicted)
    else:
        proba = model.predict_proba(table.X_test)
        end = perf_counter()
        found = scores.of_classes(table.y_test, model.classes_, proba, predicted)
    return {
        "task": table.task,
        "test_rows": len(table.X_test),
        "scores": found,
        "seconds": fitted - wall,
        "cpu_seconds": cpu,
        "predict_seconds": end - fitted,
        "memory_bytes": max(memory.peak() - imported, 0),
        **about,
    }


def main() -> None:
    warnings.simplefilter("ignore")
    figures = run(json.loads(sys.argv[1]))
    sys.stdout.flush()
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()

"""Stored runs as tables in Markdown, for the terminal and for the page of the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

from .contenders import CONTENDERS
from .scores import geometric_mean, ratio
from .tables import NAMES

BASE = "catboost"
SCORES = {"rmse": "RMSE", "r2": "R2", "error_rate": "error rate", "log_loss": "log-loss", "auc": "AUC"}

Runs = list[dict]


def of_contenders(found: Runs) -> str:
    """Errors beside CatBoost's, the scores themselves, and who made them."""
    by = groups(found, "contender")
    parts = [
        _summary({name: by[name] for name in _order(by)}, by.get(BASE, []), "contender"),
        f"Errors, CatBoost's being 1:\n\n{_errors(by)}" if BASE in by else "",
        f"The scores:\n\n{_scores(by)}",
        "; ".join(dict.fromkeys(run["version"] for run in found)) + ".",
    ]
    return "\n\n".join(part for part in parts if part)


def of_ablation(found: Runs) -> str:
    """Variants beside the whole."""
    by = groups(found, "variant")
    named = {name or "the whole": runs for name, runs in by.items()}
    return _summary(named, by.get("", []), "variant")


def ratios(runs: Runs, base: Runs) -> dict[str, float]:
    """For each table the median, over the seeds, of the error divided by the base's with that seed."""
    others = {_place(run): run for run in base}
    found: dict[str, list[float]] = {}
    for run in runs:
        if other := others.get(_place(run)):
            found.setdefault(run["table"], []).append(ratio(run, other))
    return {name: median(values) for name, values in found.items()}


def totals(runs: Runs) -> dict[str, float]:
    """Seconds and CPU seconds of all tables, of each the median over the seeds; the largest memory."""
    by = groups(runs, "table").values()
    return {
        "seconds": sum(_middle(of_table, "seconds") for of_table in by),
        "cpu_seconds": sum(_middle(of_table, "cpu_seconds") for of_table in by),
        "memory_bytes": max(_middle(of_table, "memory_bytes") for of_table in by),
    }


def write(page: Path, name: str, text: str) -> None:
    """Puts the text between the two marks of that name in a page."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    old = page.read_text()
    if old.count(start) != 1 or old.count(end) != 1:
        raise ValueError(f"{page} must have the lines {start.strip()!r} and {end!r} once each")
    before, rest = old.split(start)
    page.write_text(f"{before}{start}\n{text.strip()}\n\n{end}{rest.split(end)[1]}")


def _summary(by: dict[str, Runs], base: Runs, title: str) -> str:
    head = [
        title,
        "tables",
        "seeds",
        "error",
        "at most 1.00",
        "worst",
        "seconds",
        "CPU seconds",
        "memory, MB",
    ]
    lines = []
    for name, runs in by.items():
        relative, total = ratios(runs, base), totals(runs)
        worst = max(relative, key=relative.__getitem__, default="")
        lines.append(
            [
                name,
                str(len(groups(runs, "table"))),
                str(len(groups(runs, "seed"))),
                f"{geometric_mean(list(relative.values())):.3f}" if relative else "-",
                f"{sum(value <= 1 for value in relative.values())} of {len(relative)}" if relative else "-",
                f"{relative[worst]:.2f} ({worst})" if relative else "-",
                f"{total['seconds']:,.1f}",
                f"{total['cpu_seconds']:,.1f}",
                f"{total['memory_bytes'] / 1e6:,.0f}",
            ]
        )
    return table(head, lines)


def _errors(by: dict[str, Runs]) -> str:
    relative = {name: ratios(by[name], by[BASE]) for name in _order(by)}
    lines = [
        [name, *(f"{of[name]:.3f}" if name in of else "-" for of in relative.values())]
        for name in NAMES
        if any(name in of for of in relative.values())
    ]
    return table(["table", *relative], lines)


def _scores(by: dict[str, Runs]) -> str:
    columns = {name: groups(by[name], "table") for name in _order(by)}
    lines = []
    for name in NAMES:
        runs = [of[name] for of in columns.values() if name in of]
        for score in [score for score in SCORES if runs and score in runs[0][0]["scores"]]:
            values = [_middle(of.get(name, []), score, _of_scores) for of in columns.values()]
            lines.append(
                [name, SCORES[score], *("-" if value is None else _short(value) for value in values)]
            )
    return table(["table", "score", *columns], lines)


def table(head: list[str], lines: Iterable[list[str]]) -> str:
    """A table in Markdown, whose columns also stand below each other."""
    rows = [head, *lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    )


def _order(by: dict[str, Runs]) -> list[str]:
    return [name for name in CONTENDERS if name in by]


def groups(runs: Runs, name: str) -> dict[str, Runs]:
    found: dict[str, Runs] = {}
    for run in runs:
        found.setdefault(run[name], []).append(run)
    return found


def _place(run: dict) -> tuple:
    return run["table"], run["seed"], run["threads"]


def _of_scores(run: dict, name: str) -> float:
    return run["scores"][name]


def _middle(runs: Runs, name: str, value: Callable[[dict, str], float] = dict.__getitem__):
    return median(value(run, name) for run in runs) if runs else None


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"

"""The measurements as text and as JSON."""

from __future__ import annotations

from itertools import groupby
from statistics import median

from . import machine
from .cases import SECTIONS
from .measure import Result, Session


def text(session: Session) -> str:
    """Everything, as tables."""
    lines = [*where(session), "Microseconds per step or call, the median of alternating turns."]
    for section, results in groupby(session.results, key=lambda result: result.case.section):
        results = list(results)
        names = list(dict.fromkeys(name for result in results for name in result.case.contenders))
        rate = "GB/s" if section == "optimizer" else "GFLOP/s"
        head = [
            "name",
            "shape",
            "rows",
            *names,
            "fastest peer / schuss",
            "goal",
            rate,
            "% of 1 core",
            "% of all",
        ]
        lines += ["", SECTIONS[section], *table(head, [_row(result, names, session) for result in results])]
    return "\n".join([*lines, *failed(session)])


def where(session: Session) -> list[str]:
    """The machine, what it can do and what else it was doing, and the libraries."""
    peak = session.peak
    return [
        f"{session.started}",
        *machine.text(session.machine),
        *(
            f"FMA peak {dtype}: {peak[dtype]['one core']:.0f} GFLOP/s on one core, "
            f"{peak[dtype]['all cores']:.0f} on all {peak['cores']}, with {peak['simd']}"
            for dtype in ("float32", "float64")
            if dtype in peak
        ),
        f"Libraries: {'; '.join(session.versions.values())}",
        *machine.load_text(session.load),
    ]


def failed(session: Session) -> list[str]:
    """Who could not take part, and why."""
    lines = [f"{who} failed: {why}" for who, why in session.failures.items()]
    return ["", *lines] if lines else []


def as_json(session: Session) -> dict:
    """Everything, as plain data."""
    return {
        **circumstances(session),
        "rows": [
            {
                "section": result.case.section,
                "name": result.case.name,
                "layers": list(result.case.layers),
                "batch": result.case.batch,
                "tensors": list(result.case.tensors),
                "dtype": result.case.dtype,
                "microseconds": {name: 1e6 * median(turns) for name, turns in result.turns.items() if turns},
                "turns_microseconds": {
                    name: [1e6 * t for t in turns] for name, turns in result.turns.items()
                },
                "fastest_peer": result.fastest_peer,
                "ratio": result.ratio,
                "goal_ratio": result.case.goal_on(session.machine["make"]),
                "goal_microseconds": result.case.goal_us,
                **_rates(result, session.peak),
            }
            for result in session.results
        ],
    }


def circumstances(session: Session) -> dict:
    """All but the rows."""
    return {
        "started": session.started,
        "machine": session.machine,
        "load_average": session.load,
        "peak_gflops": session.peak,
        "versions": session.versions,
        "failures": session.failures,
    }


def _rates(result: Result, peak: dict) -> dict:
    """What schuss makes of the machine."""
    case, seconds = result.case, result.seconds("schuss")
    if not seconds:
        return {}
    if case.section == "optimizer":
        return {"gigabytes_per_second": case.traffic / seconds / 1e9}
    rate = case.flops / seconds / 1e9
    if case.dtype not in peak:
        return {"gflops": rate}
    return {
        "gflops": rate,
        "percent_of_one_core": 100 * rate / peak[case.dtype]["one core"],
        "percent_of_all_cores": 100 * rate / peak[case.dtype]["all cores"],
    }


def _row(result: Result, names: list[str], session: Session) -> list[str]:
    case, rates = result.case, _rates(result, session.peak)
    seconds = [result.seconds(name) for name in names]
    ratio = case.goal_on(session.machine["make"])
    goal = f"{ratio:g}x" if ratio else f"{case.goal_us:g} us" if case.goal_us else ""
    return [
        case.name,
        case.shape,
        f"{case.batch:,}" if case.batch else "",
        *(microseconds(value) if value else "-" for value in seconds),
        f"{result.ratio:.2f}x" if result.ratio else "-",
        goal,
        *(f"{value:.0f}" if value >= 10 else f"{value:.2g}" for value in rates.values()),
    ]


def microseconds(seconds: float) -> str:
    """As a table has them, without the unit."""
    value = 1e6 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(head: list[str], rows: list[list[str]], left: int = 2) -> list[str]:
    """Lines whose cells stand below each other; so many columns are of words, the others of numbers."""
    width = max(map(len, rows), default=len(head))
    head, rows = head[:width], [row + [""] * (width - len(row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(n) if i < left else cell.rjust(n)
            for i, (cell, n) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    ]

"""The measurements as text and as JSON."""

from __future__ import annotations

from itertools import groupby

from .cases import SECTIONS
from .measure import Result, Session


def text(session: Session) -> str:
    """Everything, as tables."""
    peak = session.peak
    lines = [
        f"{session.machine}, {peak['cores']} cores, {peak['simd']}, {session.started}",
        *(
            f"FMA peak {dtype}: {peak[dtype]['one core']:.0f} GFLOP/s on one core, "
            f"{peak[dtype]['all cores']:.0f} on all"
            for dtype in ("float32", "float64")
        ),
        "; ".join(session.versions.values()),
        f"Load average when it began: {session.load:.1f}"
        + " (other work ran just before, or still runs)" * (session.load > 0.5),
        "Microseconds per step or call, the median of alternating turns.",
    ]
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
        lines += ["", SECTIONS[section], *_table(head, [_row(result, names, peak) for result in results])]
    for what, failure in session.failures.items():
        lines += ["", f"{what} failed: {failure}"]
    return "\n".join(lines)


def as_json(session: Session) -> dict:
    """Everything, as plain data."""
    return {
        "started": session.started,
        "machine": session.machine,
        "load_average": session.load,
        "peak_gflops": session.peak,
        "versions": session.versions,
        "failures": session.failures,
        "rows": [
            {
                "section": result.case.section,
                "name": result.case.name,
                "layers": list(result.case.layers),
                "batch": result.case.batch,
                "tensors": list(result.case.tensors),
                "dtype": result.case.dtype,
                "microseconds": {name: 1e6 * result.seconds(name) for name in result.turns},
                "turns_microseconds": {
                    name: [1e6 * t for t in turns] for name, turns in result.turns.items()
                },
                "fastest_peer": result.fastest_peer,
                "ratio": result.ratio,
                "goal_ratio": result.case.goal,
                "goal_microseconds": result.case.goal_us,
                **_rates(result, session.peak),
            }
            for result in session.results
        ],
    }


def _rates(result: Result, peak: dict) -> dict:
    """What schuss makes of the machine."""
    case, seconds = result.case, result.seconds("schuss")
    if not seconds:
        return {}
    if case.section == "optimizer":
        return {"gigabytes_per_second": case.traffic / seconds / 1e9}
    rate = case.flops / seconds / 1e9
    return {
        "gflops": rate,
        "percent_of_one_core": 100 * rate / peak[case.dtype]["one core"],
        "percent_of_all_cores": 100 * rate / peak[case.dtype]["all cores"],
    }


def _row(result: Result, names: list[str], peak: dict) -> list[str]:
    case, rates = result.case, _rates(result, peak)
    seconds = [result.seconds(name) for name in names]
    goal = f"{case.goal:g}x" if case.goal else f"{case.goal_us:g} us" if case.goal_us else ""
    return [
        case.name,
        case.shape,
        f"{case.batch:,}" if case.batch else "",
        *(_microseconds(value) if value else "-" for value in seconds),
        f"{result.ratio:.2f}x" if result.ratio else "-",
        goal,
        *(f"{value:.0f}" if value >= 10 else f"{value:.2g}" for value in rates.values()),
    ]


def _microseconds(seconds: float) -> str:
    value = 1e6 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    width = max(map(len, rows))
    head, rows = head[:width], [row + [""] * (width - len(row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(n) if i < 2 else cell.rjust(n)
            for i, (cell, n) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    ]

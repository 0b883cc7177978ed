"""A training history as HTML for notebooks: a curve in hand-made SVG and a table, nothing to load."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 480, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 24, 36
# Column, colour and dash of each curve: told apart without colour too, and on dark pages.
CURVES = (("loss", "#2f7fc1", "none"), ("val_loss", "#e07b28", "5 3"))
ROWS = 12
LARGEST = sys.float_info.max


def history_html(columns: Mapping[str, Sequence[float]], epochs: int, stopped: str | None) -> str:
    """The HTML of a history with these columns of `epochs` values each."""
    ending = f", stopped: {escape(stopped)}" if stopped and stopped != "epochs" else ""
    head = f"<b>History</b>: {epochs} epoch{'' if epochs == 1 else 's'}{ending}"
    if not epochs:
        return f"<div>{head}</div>"
    return (
        f"<div>{head}<br>{_svg(columns, epochs)}"
        f"<details><summary>values</summary>{_table(columns, epochs)}</details></div>"
    )


def _svg(columns: Mapping[str, Sequence[float]], epochs: int) -> str:
    curves = [(name, columns[name], colour, dash) for name, colour, dash in CURVES if name in columns]
    finite = [v for _, values, _, _ in curves for v in values if math.isfinite(v)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    log = low > 0 and high > 10 * low
    if low == high:
        margin = abs(low) / 10 or 1.0
        low, high = max(low - margin, -LARGEST), min(high + margin, LARGEST)
    # Between the largest numbers of both signs there is more than the largest number.
    unit = 1.0 if high - low <= LARGEST else 0.25

    def scale(value: float) -> float:
        return math.log10(value) if log else value * unit

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((epoch - 1) / (epochs - 1) if epochs > 1 else 0.5)

    def y(value: float) -> float:
        share = (scale(value) - scale(low)) / (scale(high) - scale(low))
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" style="max-width:100%;height:auto" role="img" '
        'aria-label="loss by epoch" '
        'font-family="sans-serif" font-size="11" fill="currentColor">'
    ]
    ticks = _log_ticks(low, high) if log else _ticks(low, high, 6)
    # As many digits as tell neighbours apart, within reason.
    digits = next((d for d in range(4, 12) if len({f"{tick:.{d}g}" for tick in ticks}) == len(ticks)), 12)
    for tick in ticks:
        parts.append(
            f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="currentColor" opacity="0.15"/>'
            f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.{digits}g}</text>'
        )
    for tick in _epoch_ticks(epochs):
        parts.append(f'<text x="{x(tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">epoch</text>')
    for i, (name, values, colour, dash) in enumerate(curves):
        style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        at = LEFT + 100 * i
        parts.append(
            f'<path d="{_path([(x(e), y(v)) if math.isfinite(v) else None for e, v in _thin(values)])}" '
            f'{style} stroke-linejoin="round" stroke-linecap="round"/>'
            f'<path d="M{at} 10h24" {style}/><text x="{at + 30}" y="14">{escape(name)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """An SVG path through the points, interrupted at None. A lone point becomes a short dash."""
    path, pen_down = [], False
    for i, point in enumerate(points):
        if point is None:
            pen_down = False
            continue
        path.append(f"{'L' if pen_down else 'M'}{point[0]:.1f} {point[1]:.1f}")
        if not pen_down and (i + 1 == len(points) or points[i + 1] is None):
            path.append("m-2 0h4")
        pen_down = True
    return "".join(path)


def _thin(values: Sequence[float]) -> list[tuple[int, float]]:
    """Epoch and value, no more of them than the picture has columns; the last is kept."""
    step = -(-len(values) // (WIDTH - LEFT - RIGHT))
    first = (len(values) - 1) % step
    return [(i + 1, values[i]) for i in range(first, len(values), step)]


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from low to high, no more steps of them than `most`."""
    rough = (high - low) / most
    if not 0 < rough < math.inf:
        return [low, high]
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((m for m in (1, 2, 5, 10) if m * power >= rough), default=10)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, with 2 and 5 times them where there is room, from low to high."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = (1, 2, 5) if high <= 100 * low else (1,)
    every = max(1, len(decades) // 6)
    # Read as text, the power of ten above all numbers is infinite, and no error.
    ticks = (float(f"{m}e{d}") for d in decades[::every] for m in marks)
    return [tick for tick in ticks if low <= tick <= high]


def _epoch_ticks(epochs: int) -> list[int]:
    if epochs <= 6:
        return list(range(1, epochs + 1))
    inner = [round(t) for t in _ticks(1, epochs, 4)]
    room = epochs / 12
    return [1, *(t for t in inner if t - 1 > room and epochs - t > room), epochs]


def _table(columns: Mapping[str, Sequence[float]], epochs: int) -> str:
    """The first and last epochs; a long history is cut in the middle."""
    shown: list[int | None] = list(range(epochs))
    if epochs > ROWS:
        shown = [*shown[: ROWS // 2], None, *shown[-ROWS // 2 :]]
    rows = [
        "".join(f"<td>{cell}</td>" for cell in (i + 1, *(f"{values[i]:.5g}" for values in columns.values())))
        if i is not None
        else "<td>&#8943;</td>" * (1 + len(columns))
        for i in shown
    ]
    head = "".join(f"<th>{escape(name)}</th>" for name in ("epoch", *columns))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<table style="text-align:right"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

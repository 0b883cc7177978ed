"""A network as a table of its layers, in text and in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from ._registry import LOSSES

if TYPE_CHECKING:
    from .network import MLP

COLUMNS = ("layer", "weights", "activation", "parameters", "memory")


class Summary(str):
    """A table that reads as text in a terminal and shows itself as HTML in a notebook."""

    __slots__ = ("html",)
    html: str

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html


def summary_of(net: MLP) -> Summary:
    """The table of a network: a row per layer, and their sum."""
    rows = []
    names = [*net.activations, LOSSES[net.objective].link]
    for number, name in enumerate(names, 1):
        inputs, outputs = net.layers[number - 1], net.layers[number]
        rate = net.dropout[number - 1] if number < len(names) else 0.0
        after = f"{name}, dropout {rate:g}" if rate else name
        count = (inputs + 1) * outputs
        rows.append((str(number), f"{inputs} x {outputs}", after, f"{count:,}", _size(count, net)))
    loss = f"loss: {net.objective}" + (f", l2: {net.l2:g}" if net.l2 else "")
    total = ("sum", net.dtype.name, loss, f"{net.theta.size:,}", _size(net.theta.size, net))
    summary = Summary(_text(rows, total))
    summary.html = _html(rows, total)
    return summary


def _size(count: int, net: MLP) -> str:
    size = float(count * net.dtype.itemsize)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} GB"


def _text(rows: Sequence[tuple[str, ...]], total: tuple[str, ...]) -> str:
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, total, strict=True)]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

    def line(cells: tuple[str, ...]) -> str:
        left = [cell.ljust(width) for cell, width in zip(cells[:3], widths, strict=False)]
        right = [cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True)]
        return "  ".join([*left, *right])

    return "\n".join([line(COLUMNS), rule, *map(line, rows), rule, line(total)])


def _html(rows: Sequence[tuple[str, ...]], total: tuple[str, ...]) -> str:
    def row(tag: str, cells: tuple[str, ...]) -> str:
        sides = ("left", "left", "left", "right", "right")
        texts = (cell.replace(" x ", " \N{MULTIPLICATION SIGN} ") for cell in map(escape, cells))
        pairs = zip(sides, texts, strict=True)
        return "<tr>" + "".join(f'<{tag} style="text-align:{s}">{t}</{tag}>' for s, t in pairs) + "</tr>"

    body = "".join(row("td", cells) for cells in rows)
    head, foot = row("th", COLUMNS), row("th", total)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"

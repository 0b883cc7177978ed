"""A network as a table of its layers, in text and in HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ._schuss import TensorInfo

COLUMNS = ("layer", "weights", "activation", "parameters", "memory")


class Summary(str):
    """A table that reads as text in a terminal and shows itself as HTML in a notebook."""

    __slots__ = ("html",)
    html: str

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.html


def summary_of(net: Any, tensors: Iterable[TensorInfo], link: str) -> Summary:
    """The table of a network with those tensors and that link: a row per layer, and their sum."""
    shapes = list(pairwise(net.layers))
    counts = [0] * len(shapes)
    for tensor in tensors:
        counts[tensor.layer] += prod(tensor.shape)
    norms, activations = [net.norm] * (len(shapes) - 1) + [None], [*net.activations, link]
    columns = zip(shapes, norms, activations, [*net.dropout, 0.0], counts, strict=True)
    rows, dtype = [], net.dtype
    for number, ((inputs, outputs), norm, activation, rate, count) in enumerate(columns, 1):
        steps = (f"{norm} norm" if norm else "", activation, _dropout(rate))
        after = ", ".join(filter(None, steps))
        rows.append((str(number), f"{inputs} x {outputs}", after, f"{count:,}", _size(count, dtype)))
    total = sum(counts)
    objective = f"loss: {net.objective}"
    for name, value in (("label smoothing", net.label_smoothing), ("l2", net.l2)):
        objective += f", {name}: {value:g}" if value else ""
    numbers = dtype.name if net.precision == dtype.name else f"{dtype.name}, {net.precision} products"
    foot = ("sum", numbers, objective, f"{total:,}", _size(total, dtype))
    summary = Summary(_text(rows, foot))
    summary.html = _html(rows, foot)
    return summary


def _dropout(rate: Any) -> str:
    """What is said of a layer's dropout: nothing where there is none."""
    return f"dropout {rate:g}" if isinstance(rate, float) and rate else f"dropout {rate!r}" if rate else ""


def _size(count: int, dtype: np.dtype[Any]) -> str:
    size = float(count * dtype.itemsize)
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

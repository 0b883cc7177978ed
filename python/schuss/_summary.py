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
    tensors = list(tensors)
    # What goes into the first layer may be more than the inputs.
    inputs = next(tensor.shape[0] for tensor in tensors if tensor.layer == 0)
    shapes = list(pairwise([inputs, *net.layers[1:]]))
    counts, before = [0] * len(shapes), 0
    for tensor in tensors:
        if tensor.layer is None:
            before += prod(tensor.shape)
        else:
            counts[tensor.layer] += prod(tensor.shape)
    norms, activations = [net.norm] * (len(shapes) - 1) + [None], [*net.activations, link]
    columns = zip(shapes, norms, activations, [*net.dropout, 0.0], counts, strict=True)
    rows, dtype = [], net.dtype
    if net.embeddings or net.input_scale:
        stages = [type(each).__name__.lower() for each in net.embeddings] + ["scale"] * net.input_scale
        what, size = ", ".join(dict.fromkeys(stages)), _size(before, dtype)
        rows.append(("inputs", f"{net.layers[0]} x {inputs}", what, f"{before:,}", size))
    for number, ((inputs, outputs), norm, activation, rate, count) in enumerate(columns, 1):
        activation = (
            f"parametric {activation}" if net.parametric and number <= len(net.activations) else activation
        )
        steps = (f"{norm} norm" if norm else "", activation, _dropout(rate))
        after = ", ".join(filter(None, steps))
        rows.append((str(number), f"{inputs} x {outputs}", after, f"{count:,}", _size(count, dtype)))
    total = before + sum(counts)
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
        if size < 999.5:  # what is rounded to 1000 would be written as 1e+03
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB" if size < 999.5 else f"{size:,.0f} GB"


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

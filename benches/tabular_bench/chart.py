"""Stored runs as a picture: the error of each contender against the seconds that all tables took it."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

import matplotlib

from .report import BASE, groups, ratios, totals
from .scores import geometric_mean

matplotlib.use("agg")  # a file, not a window
import matplotlib.pyplot as plt
from matplotlib.ticker import NullFormatter

DPI = 200
# Colours that everybody can tell apart (Okabe and Ito's), one for each kind; a shape for each contender.
SCHUSS, TREES, NETWORKS = "#d55e00", "#0072b2", "#009e73"
STYLES = {
    "schuss": (SCHUSS, "o"),
    "schuss-quick": (SCHUSS, "<"),
    "schuss-best": (SCHUSS, "*"),
    "schuss-mlp": (SCHUSS, "x"),
    "catboost": (TREES, "s"),
    "lightgbm": (TREES, "D"),
    "histgb": (TREES, "P"),
    "sklearn-mlp": (NETWORKS, "v"),
    "realmlp-td-s": (NETWORKS, "^"),
    "tabm": (NETWORKS, "X"),
}


def draw(found: list[dict], place: str, path: Path) -> bool:
    """A point for each contender that has all tables of CatBoost. False where there are none."""
    by = groups(found, "contender")
    base = by.get(BASE, [])
    tables = set(groups(base, "table"))
    points = {}
    for name, runs in by.items():
        relative = ratios(runs, base)
        if tables and set(relative) == tables:
            points[name] = (totals(runs)["seconds"], geometric_mean(list(relative.values())))
    if not points:
        return False
    fig, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
    axes.axhline(1, color="#bbbbbb", lw=1, ls="--")
    for name in [name for name in STYLES if name in points]:
        colour, marker = STYLES[name]
        axes.plot(*points[name], marker, color=colour, ms=9, mew=1.8 if marker == "x" else 0, label=name)
    axes.set_xscale("log")
    axes.margins(x=0.15, y=0.12)
    axes.xaxis.set_major_formatter("{x:g} s")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("error, CatBoost's being 1", fontsize=9)
    axes.tick_params(labelsize=8.5)
    axes.grid(color="#ececec", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    title = f"Geometric mean of the errors on {len(tables)} tables, against the seconds of training on all"
    axes.set_title(f"{title}\n{place}", fontsize=11)
    versions = "; ".join(dict.fromkeys(run["version"] for run in found))
    fig.supxlabel(f"lower and further left is better\n{fill(versions, 120)}", fontsize=8, color="#444444")
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=DPI)
    plt.close(fig)
    return True

"""The model beside the measurements, and what it says of many processes, as a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from . import model, report

matplotlib.use("agg")  # a file, not a window
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

# Colours that everybody can tell apart (Okabe and Ito's).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = {2: "o", 3: "^", 4: "s"}
DPI = 160


def draw(run: dict, path: Path) -> bool:
    """False where the run has not all that is needed."""
    parts = run["parts"]
    if not {"steps", "networks"} <= set(parts):
        return False
    found, worlds = report.predicted(parts), report.worlds(parts)
    if not found or not worlds:
        return False
    fig, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8), layout="constrained")
    _measured(left, found)
    _many(right, worlds)
    for axes in (left, right):
        axes.grid(color="#ececec", lw=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=DPI)
    plt.close(fig)
    return True


def _measured(axes: Axes, found: list[dict]) -> None:
    links = list(dict.fromkeys(str(row["link"]) for row in found))
    for row in found:
        colour = COLOURS[links.index(str(row["link"]))]
        point = 1e3 * row["seconds"]["schuss"], 1e3 * row["predicted"]
        axes.plot(*point, MARKERS[row["size"]], color=colour, ms=6, alpha=0.85)
    of_all = [1e3 * each for row in found for each in (row["predicted"], row["seconds"]["schuss"])]
    ends = [0.7 * min(of_all), 1.5 * max(of_all)]
    axes.plot(ends, ends, color="#888888", lw=1, zorder=0)
    for number, link in enumerate(links):
        axes.plot([], [], "o", color=COLOURS[number], label=link)
    for size, marker in MARKERS.items():
        axes.plot([], [], marker, color="#888888", label=f"{size} processes")
    axes.set(xscale="log", yscale="log", xlabel="measured, ms", ylabel="model, ms", xlim=ends, ylim=ends)
    axes.set_title("A step over networks of several speeds", loc="left", fontsize=11, fontweight="bold")
    axes.legend(fontsize=8.5, frameon=False)


def _many(axes: Axes, worlds: list[report.World]) -> None:
    ranks = np.unique(np.geomspace(1, 1024, 60).round().astype(int))
    styles = {"10 Gbit/s, 0.1 ms": "-", "1 Gbit/s, 0.5 ms": "--"}
    names = list(dict.fromkeys(world.name for world in worlds))
    for name, link, wire, work, size in worlds:
        alone = work.seconds(1024)
        shares = [100 * alone / (alone + model.exchange(int(p), size, wire)) for p in ranks]
        axes.plot(ranks, shares, styles[link], color=COLOURS[names.index(name)], label=f"{name}; {link}")
    axes.set(xscale="log", xlabel="processes", ylabel="% of a step in which they compute", ylim=(0, 102))
    axes.set_xticks([1, 4, 16, 64, 256, 1000], ["1", "4", "16", "64", "256", "1,000"])
    axes.xaxis.minorticks_off()
    axes.set_title("By the model, 1,024 rows for each process", loc="left", fontsize=11, fontweight="bold")
    axes.legend(fontsize=8.5, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))

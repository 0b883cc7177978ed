"""A stored run of `scale.py` as a picture: steps a second by number of threads, schuss's with one being 1."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

import matplotlib

from . import machine
from .scaling import CHOSEN
from .words import NAMES, STYLES, network

matplotlib.use("agg")  # a file, not a window
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

COLUMNS, DPI = 2, 200


def draw(run: dict, path: Path) -> bool:
    """A field for each network. False where none was measured."""
    rows = [row for row in run["rows"] if row["section"] == "scale"]  # and none of `bench.py`
    nets = [net for net in rows if "1" in net["microseconds"].get("schuss", {})]
    if not nets:
        return False
    lines = -(-(len(nets) + 1) // COLUMNS)  # one field is for the legend
    fig, grid = plt.subplots(
        lines, COLUMNS, figsize=(8, 1.6 + 2.5 * lines), squeeze=False, layout="constrained"
    )
    fields = list(grid.flat)
    for axes, net in zip(fields, nets, strict=False):
        _field(axes, net, run["cpus"])
    for axes in fields[len(nets) :]:
        axes.axis("off")
    fields[len(nets)].legend(*fields[0].get_legend_handles_labels(), loc="center", fontsize=10, frameon=False)
    subtitle = f"{machine.short(run['machine'])}; float32; {run['started'][:10]}"
    fig.suptitle(
        f"Training steps a second, as multiples of schuss's with one thread\n{subtitle}", fontsize=11
    )
    libraries = "; ".join(version for name, version in run["versions"].items() if name in STYLES)
    fig.supxlabel(f"threads\n{fill(libraries, 110)}", fontsize=8, color="#444444")
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=DPI)
    plt.close(fig)
    return True


def _field(axes: Axes, net: dict, cpus: int) -> None:
    times = net["microseconds"]
    one = times["schuss"]["1"]
    counts = sorted(int(count) for count in times["schuss"] if count != CHOSEN)
    best = [min(count, cpus) for count in counts]
    axes.plot(counts, best, "--", color="#bbbbbb", lw=1, label="as many times as threads")
    axes.axvspan(cpus * 1.1, counts[-1] * 1.3, color="#f0f0f0", lw=0, label="more threads than processors")
    for name in [name for name in STYLES if name in times]:
        colour, marker = STYLES[name]
        points = sorted((int(count), one / time) for count, time in times[name].items() if count != CHOSEN)
        axes.plot(
            *zip(*points, strict=True), f"{marker}-", color=colour, ms=6, lw=1.4, label=NAMES.get(name, name)
        )
    if chosen := times["schuss"].get(CHOSEN):
        colour = STYLES["schuss"][0]
        axes.axhline(one / chosen, color=colour, lw=1, ls=":", label="schuss, n_threads=None")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(0.85, counts[-1] * 1.3)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(counts, map(str, counts), fontsize=8.5)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}x")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", labelsize=8.5)
    axes.grid(axis="y", color="#ececec", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(network(net), fontsize=9.5, fontweight="bold", loc="left")

"""A stored run of `bench.py` as a picture: for each row how many times schuss's time the others take."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from textwrap import fill

import matplotlib

from . import machine
from .words import NAMES, STYLES, duration, network

matplotlib.use("agg")  # a file, not a window
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

TITLES = {
    "train": "Training, when the library does the epochs: one step takes …",
    "loop": "Training in a Python loop of your own: one step takes …",
    "predict": "Predicting many rows: one call takes …",
    "one_row": "Predicting a single row: one call takes …",
}
WIDTH, DPI = (
    8,
    200,
)  # inches: a README shows 100 of their points a line, so that nothing may be below 8 points


def draw(run: dict, path: Path) -> bool:
    """Draws the rows of `report.as_json`. False where nothing was measured that the picture shows."""
    rows = [row for row in run["rows"] if row["section"] in TITLES and "schuss" in row["microseconds"]]
    sections = [(section, list(rows)) for section, rows in groupby(rows, key=lambda row: row["section"])]
    if not sections:
        return False
    sections.sort(key=lambda section: list(TITLES).index(section[0]))
    heights = [len(rows) + 1.2 for _, rows in sections]
    fig, all_axes = plt.subplots(
        len(sections),
        figsize=(WIDTH, 1.8 + 0.36 * sum(heights)),
        height_ratios=heights,
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for axes, (section, rows) in zip(all_axes[:, 0], sections, strict=True):
        _section(axes, TITLES[section], rows)
    bottom = all_axes[-1, 0]
    bottom.xaxis.set_major_formatter("{x:g}x")
    bottom.xaxis.set_minor_formatter(NullFormatter())
    bottom.set_xlabel("… this many times as long as with schuss (logarithmic)", fontsize=9)
    _words(
        fig, run, [name for name in STYLES if any(name in row["microseconds"] for row in rows_of(sections))]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, dpi=DPI)
    plt.close(fig)
    return True


def rows_of(sections: list[tuple[str, list[dict]]]) -> list[dict]:
    return [row for _, rows in sections for row in rows]


def _section(axes: Axes, title: str, rows: list[dict]) -> None:
    for place, row in enumerate(rows):
        times = row["microseconds"]
        ratios = {name: times[name] / times["schuss"] for name in STYLES if name in times}
        axes.plot(
            [min(ratios.values()), max(ratios.values())], [place, place], color="#c8c8c8", lw=1.2, zorder=1
        )
        for name, ratio in ratios.items():
            colour, marker = STYLES[name]
            # schuss above the others: where one is as fast, both are seen.
            order, size = (4, 6) if name == "schuss" else (3, 7.5)
            axes.plot(ratio, place, marker, color=colour, ms=size, mec="white", mew=0.6, zorder=order)
    axes.axvline(1, color=STYLES["schuss"][0], lw=0.9, alpha=0.5, zorder=0)
    axes.set_xscale("log")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), map(network, rows), fontsize=9)
    axes.tick_params(axis="x", labelsize=9)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#ececec", lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(title, fontsize=9.5, fontweight="bold", loc="left", x=0)
    right = axes.twinx()
    right.set_ylim(axes.get_ylim())
    right.set_yticks(range(len(rows)), [_beside(row) for row in rows], fontsize=9)
    right.tick_params(axis="y", length=0)
    right.spines[:].set_visible(False)


def _beside(row: dict) -> str:
    """schuss's time, and how many times as long the fastest other takes."""
    return f"{duration(row['microseconds']['schuss'])}  ({row['ratio']:.2f}x)" if row["ratio"] else ""


def _words(fig: plt.Figure, run: dict, names: list[str]) -> None:
    """Title, subtitle, legend and caption."""
    versions = run["versions"]
    subtitle = f"{machine.short(run['machine'])}; float32; {run['started'][:10]}"
    fig.suptitle(f"How long other libraries take, in multiples of schuss's time\n{subtitle}", fontsize=11)
    handles = [
        plt.Line2D([], [], color=colour, marker=marker, ls="", ms=7, label=NAMES.get(name, name))
        for name, (colour, marker) in STYLES.items()
        if name in names
    ]
    # The largest networks come last and have the smallest ratios: below on the right is room.
    fig.axes[0].legend(handles=handles, loc="lower right", fontsize=9, framealpha=1)
    libraries = "; ".join(versions[name] for name in names if name in versions)
    right = "On the right: schuss's own time, and in brackets how many times that the fastest other takes."
    fig.supxlabel(f"{right}\n{fill(libraries, 110)}", fontsize=8, color="#444444")

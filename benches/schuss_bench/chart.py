"""The training rows as a picture."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from .measure import Session

matplotlib.use("agg")  # a file, not a window
import matplotlib.pyplot as plt

COLOURS = {"schuss": "#c1272d", "jax": "#9aa5b1", "torch": "#6b7785", "sklearn": "#c9d1d9"}


def draw(session: Session, path: Path) -> bool:
    """Each network's time per step, schuss = 1. False where no training row was measured."""
    results = [r for r in session.results if r.case.section == "train" and r.seconds("schuss")]
    if not results:
        return False
    names = [name for name in COLOURS if any(name in r.turns for r in results)]
    fig, axes = plt.subplots(figsize=(9, 0.8 + 0.75 * len(results)), layout="constrained")
    height = 0.8 / len(names)
    for i, name in enumerate(names):
        places = [row + height * (i - (len(names) - 1) / 2) for row in range(len(results))]
        times = [r.seconds(name) or float("nan") for r in results]
        lengths = [t / r.seconds("schuss") for t, r in zip(times, results, strict=True)]
        bars = axes.barh(places, lengths, height, left=0, color=COLOURS[name], label=session.versions[name])
        labels = ["" if t != t else f"{_time(t)}" for t in times]
        axes.bar_label(bars, labels, padding=3, fontsize=7)
    axes.set_yticks(
        range(len(results)),
        [f"{r.case.name}\n{r.case.shape}, batch {r.case.batch}" for r in results],
        fontsize=8,
    )
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter("{x:g}x")
    axes.set_xlabel(
        "time of a training step (shuffle, forward, backward, Adam) relative to schuss (log scale)"
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.set_title(f"{session.machine}, {session.peak['cores']} cores, float32", fontsize=9)
    path.parent.mkdir(exist_ok=True)
    fig.savefig(path, dpi=150)
    plt.close(fig)
    return True


def _time(seconds: float) -> str:
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"

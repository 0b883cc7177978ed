"""The paths of all optimizers on two surfaces: the picture in docs/optimizers.md.

Run: python examples/optimizer_paths.py [folder for the picture]
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

import schuss as sc

mpl.use("Agg")

STEPS = 200
LEARNING_RATES = [digit * 10.0**power for power in range(-4, 0) for digit in (1, 2, 5)]

# Rules that are alike share a panel.
FAMILIES = {
    "one rate for all parameters": {
        "SGD": sc.SGD(),
        "SGD, momentum": sc.SGD(momentum=0.9),
        "SGD, Nesterov": sc.SGD(momentum=0.9, nesterov=True),
        "ScheduleFreeSGD": sc.ScheduleFreeSGD(),
    },
    "a rate for each parameter": {
        "Adagrad": sc.Adagrad(),
        "Adadelta": sc.Adadelta(eps=0.01),
        "RMSprop": sc.RMSprop(),
        "Rprop": sc.Rprop(),
        "Lion": sc.Lion(),
    },
    "Adam and its kin": {
        "Adam": sc.Adam(),
        "AdamW": sc.AdamW(weight_decay=0.1),
        "Adamax": sc.Adamax(),
        "NAdam": sc.NAdam(),
        "RAdam": sc.RAdam(betas=(0.9, 0.99)),
    },
    "and their children": {
        "AdaBelief": sc.AdaBelief(),
        "Yogi": sc.Yogi(),
        "LAMB": sc.LAMB(),
        "ScheduleFreeAdamW": sc.ScheduleFreeAdamW(),
        "Prodigy": sc.Prodigy(d0=0.01),
    },
}
_NAMED = {type(recipe).__name__ for family in FAMILIES.values() for recipe in family.values()}
FAMILIES["and their children"] |= {
    rule["name"]: getattr(sc, rule["name"])() for rule in sc.optimizers.rules() if rule["name"] not in _NAMED
}


def rosenbrock(p):
    """A curved valley between steep walls, its lowest point at (1, 1); and its gradient."""
    x, y = p
    bend = y - x**2
    return (1 - x) ** 2 + 100 * bend**2, np.array([-2 * (1 - x) - 400 * x * bend, 200 * bend])


def ravine(p):
    """A quadratic twenty times as steep along one axis as along the other, turned; and its gradient."""
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    hessian = turn @ np.diag([1.0, 20.0]) @ turn.T
    return p @ hessian @ p / 2, hessian @ p


# Function, start, optimum, ranges of the axes.
SURFACES = {
    "Rosenbrock": (rosenbrock, (-1.2, 1.0), (1.0, 1.0), ((-1.7, 1.5), (-0.5, 2.3))),
    "a ravine": (ravine, (-3.2, 1.2), (0.0, 0.0), ((-3.8, 1.4), (-1.9, 2.6))),
}
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e6a700", "#56b4e9", "#555555"]


def path(fun, start, recipe, lr):
    """The points that a rule visits; of a schedule-free one those that it would predict with."""
    p = np.array(start)
    recipe.lr = lr
    optimizer = recipe.bind([p])
    averages = repr(recipe).startswith("ScheduleFree")
    points = [p.copy()]
    while len(points) <= STEPS and np.abs(p).max() < 10:
        optimizer.step([fun(p)[1]])
        points.append(optimizer.averaged_params()[0] if averages else p.copy())
    return np.array(points)


def best_path(fun, start, recipe, ranges):
    """The path with the least loss, on average over the steps, that stays in the picture; and its rate."""
    low, high = np.transpose(ranges)
    paths = [(path(fun, start, recipe, lr), lr) for lr in LEARNING_RATES]
    inside = [(points, lr) for points, lr in paths if (points > low).all() and (points < high).all()]
    return min(inside, key=lambda found: np.mean([fun(point)[0] for point in found[0]]))


def draw_surface(ax, fun, ranges):
    x, y = (np.linspace(*side, 241) for side in ranges)
    z = np.array([[fun(np.array([a, b]))[0] for a in x] for b in y])
    levels = np.quantile(z, np.linspace(0, 1, 16)[1:-1] ** 1.3)
    ax.contour(x, y, z, levels=levels, colors="0.8", linewidths=0.8)


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "docs" / "images")
    size = {"figsize": (14, 7.4), "layout": "constrained"}
    figure, rows = plt.subplots(2, len(FAMILIES), sharex="row", sharey="row", **size)
    for axes, (title, (fun, start, optimum, ranges)) in zip(rows, SURFACES.items(), strict=True):
        for ax, rules in zip(axes, FAMILIES.values(), strict=True):
            draw_surface(ax, fun, ranges)
            for color, (name, recipe) in zip(COLORS, rules.items(), strict=False):
                points, lr = best_path(fun, start, recipe, ranges)
                print(f"{title:10} {name:18} lr {lr:<6g} loss {fun(points[-1])[0]:.2g}")
                ax.plot(*points.T, color=color, linewidth=1.5, alpha=0.9, label=f"{name} {lr:g}")
                ax.plot(*points[-1], "o", color=color, markersize=5, markeredgecolor="white", zorder=4)
            ax.plot(*start, "o", color="black", markersize=7, markerfacecolor="white", zorder=5)
            ax.plot(*optimum, "*", color="black", markersize=13, markeredgecolor="white", zorder=6)
            ax.set(xlim=ranges[0], ylim=ranges[1], xticks=[], yticks=[])
            ax.legend(loc="upper right", fontsize=8, framealpha=0.9, borderpad=0.4, labelspacing=0.25)
        axes[0].set_ylabel(title, fontsize=12)
    for ax, family in zip(rows[0], FAMILIES, strict=True):
        ax.set_title(family, fontsize=12)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "optimizer_paths.png", dpi=90)
    # A palette is enough for lines, and a third of the size.
    with Image.open(folder / "optimizer_paths.png") as image:
        image.convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE).save(
            folder / "optimizer_paths.png", optimize=True
        )
    print(folder / "optimizer_paths.png")


if __name__ == "__main__":
    main()

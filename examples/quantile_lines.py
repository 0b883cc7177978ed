"""Draw the picture of the README: four optimizers on the way to one line, and three such lines.

The data are the 20,640 districts of California housing (1990 census): the median house value over the
median income.

Run: python examples/quantile_lines.py [folder]
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image

import schuss as sc

matplotlib.use("agg")  # a file, not a window
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter

HERE = Path(__file__).parent
INCOME, VALUE = np.loadtxt(
    HERE / "data" / "california_housing" / "housing.csv.gz",
    delimiter=",",
    skiprows=1,
    usecols=(7, 8),
    unpack=True,
)
VALUE /= 100_000
SHARES = np.array([0.1, 0.5, 0.9])
# Each from the same start, with a rate that suits it.
RACERS = {
    "SGD": sc.SGD(lr=0.05),
    "momentum": sc.SGD(lr=0.05, momentum=0.9),
    "RMSprop": sc.RMSprop(lr=0.02),
    "Adam": sc.Adam(lr=0.05),
}
COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]
START, STEPS = (2.5, 0.9), 200


def loss_and_gradient(start, slope, share):
    """The mean quantile loss of the line start + slope * income, and its gradient by both."""
    error = start + slope * INCOME[:, None] - VALUE[:, None]
    gradient = (error > 0) - share
    by_slope = (gradient * INCOME[:, None]).mean(axis=0)
    return (gradient * error).mean(axis=0), [gradient.mean(axis=0), by_slope]


def lines():
    """Start and slope of the line that each of the shares lies below."""
    start, slope = np.zeros(3), np.zeros(3)
    opt = sc.Adam([start, slope], lr=sc.schedules.cosine(0.1, total_steps=500))
    for _ in range(500):
        opt.step(loss_and_gradient(start, slope, SHARES)[1])
    return start, slope


def path(recipe):
    """Where an optimizer goes to find the middle line."""
    start, slope = np.array([START[0]]), np.array([START[1]])
    opt = recipe.bind([start, slope])
    points = [START]
    for _ in range(STEPS):
        opt.step(loss_and_gradient(start, slope, 0.5)[1])
        points.append((start[0], slope[0]))
    return np.array(points)


def draw_race(ax, best):
    """The loss of the middle line over its two numbers, and the ways down."""
    sides = np.linspace(-0.6, 2.9, 60), np.linspace(-0.3, 1.0, 60)
    loss = [[loss_and_gradient(a, b, 0.5)[0][0] for a in sides[0]] for b in sides[1]]
    levels = np.quantile(loss, np.linspace(0, 1, 16)[1:-1] ** 1.5)
    ax.contour(*sides, loss, levels=levels, colors="0.8", linewidths=0.8)
    for color, (name, recipe) in zip(COLORS, RACERS.items(), strict=True):
        points = path(recipe)
        value = loss_and_gradient(*points[-1], 0.5)[0][0]
        print(f"{name:9} start {points[-1][0]:.2f}, slope {points[-1][1]:.2f}, loss {value:.4f}")
        ax.plot(*points.T, color=color, linewidth=1.8, label=name)
        ax.plot(*points[-1], "o", color=color, markeredgecolor="white", zorder=4)
    ax.plot(*START, "o", color="black", markersize=8, markerfacecolor="white", zorder=5)
    ax.plot(*best, "*", color="black", markersize=15, markeredgecolor="white", zorder=6)
    ax.set(
        xlabel="start of the line",
        ylabel="slope of the line",
        title=f"four optimizers, one loss, {STEPS} steps",
    )
    ax.legend(loc="lower left")


def draw_lines(ax, start, slope):
    """The districts, and the lines that a tenth, half and nine tenths of them lie below."""
    ax.plot(INCOME, VALUE, ",", color="0.55", alpha=0.5)
    x = np.array([0.5, 8.0])
    for color, share, a, b in zip(COLORS, SHARES, start, slope, strict=False):
        ax.plot(x, a + b * x, color=color, linewidth=2.2)
        ax.annotate(f"{share:.0%} below", (8.1, a + b * 8), color=color, va="center", annotation_clip=False)
    ax.set(xlim=(0.5, 8), ylim=(0, 5.4))
    ax.set(xlabel="median income, 1,000 $", ylabel="median house value, 1,000 $")
    ax.set_title(f"three such lines, {len(INCOME):,} districts")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{10 * x:.0f}"))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.0f}"))


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "docs" / "images")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    start, slope = lines()
    draw_race(left, (start[1], slope[1]))
    draw_lines(right, start, slope)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "quantile_lines.png"
    figure.savefig(picture, dpi=120)
    # A palette is enough for lines, and a third of the size.
    with Image.open(picture) as image:
        image.convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE).save(picture, optimize=True)


if __name__ == "__main__":
    main()

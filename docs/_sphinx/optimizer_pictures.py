"""The path of each optimizer on a small surface, and its loss by step beside plain gradient descent."""

from functools import cache
from pathlib import Path

import optimizer_paths as paths
from matplotlib import pyplot as plt

import schuss
from schuss import plots

FUN, START, OPTIMUM, RANGES = paths.SURFACES["a ravine"]
RECIPES = {name: recipe for family in paths.FAMILIES.values() for name, recipe in family.items()}


@cache
def runs(name):
    """The paths of a rule's picture by their labels: its variants, and gradient descent to compare with."""
    if name == "LBFGS":
        result = schuss.minimize(FUN, START, jac=True, optimizer=schuss.LBFGS(), max_steps=paths.STEPS)
        return {"LBFGS": result.path, **plain()}
    found = {}
    for label, recipe in RECIPES.items():
        if type(recipe).__name__ == name:
            points, lr = paths.best_path(FUN, START, recipe, RANGES)
            found[f"{label}, lr {lr:g}"] = points
    return found if name == "SGD" else found | plain()


@cache
def plain():
    """Gradient descent without momentum."""
    points, lr = paths.best_path(FUN, START, schuss.SGD(), RANGES)
    return {f"SGD, lr {lr:g}": points}


def caption(name):
    """What the picture shows."""
    steps = f"Up to {paths.STEPS} steps" if name == "LBFGS" else f"{paths.STEPS} steps"
    rate = "" if name == "LBFGS" else " Each learning rate is the best of 1, 2 and 5 times powers of ten."
    return (
        f"{steps} without noise in a ravine that is twenty times as steep across as along, from\n"
        f"{START} to the lowest point at {OPTIMUM}.{rate}\n"
        "What it shows is how the rule moves; how well it trains a network is another question."
    )


def draw(name, file):
    """Draw the picture, unless it is there and newer than what it is made of."""
    made_of = [Path(source) for source in (paths.__file__, plots.__file__, __file__, schuss._schuss.__file__)]
    if file.exists() and all(file.stat().st_mtime > source.stat().st_mtime for source in made_of):
        return
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    plots.loss_surface(FUN, RANGES, runs(name), ax=left)
    left.plot(*OPTIMUM, "k+", markersize=9, zorder=3)
    plots.loss_by_step(FUN, runs(name), ax=right)
    figure.savefig(file, dpi=150)
    plt.close(figure)

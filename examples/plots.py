"""Every picture of schuss.plots, as docs/plots.md shows them.

Run: python examples/plots.py [folder for the pictures]
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

import schuss as sc


def valley(p):
    """A narrow valley, and its gradient."""
    x, y = p
    return 0.05 * x**2 + y**2, np.array([0.1 * x, 2 * y])


def himmelblau(p):
    """Four equally deep valleys, and its gradient."""
    x, y = p
    a, b = x**2 + y - 11, x + y**2 - 7
    return a**2 + b**2, np.array([4 * x * a + 2 * b, 2 * a + 4 * y * b])


def waves(w):
    """One weight, two valleys."""
    return float((0.05 * w**2 + np.sin(w)).sum()), 0.1 * w + np.cos(w)


def runs(fun, start, recipes, steps=60):
    """The results of minimising a function by different recipes."""
    return {
        name: sc.minimize(fun, start, jac=True, optimizer=recipe, max_steps=steps, min_step=0)
        for name, recipe in recipes.items()
    }


IN_VALLEY = runs(
    valley,
    [-8.0, 1.5],
    {
        "gradient descent": sc.SGD(lr=0.85),
        "momentum": sc.SGD(lr=0.85, momentum=0.8),
        "RMSProp": sc.RMSprop(lr=0.2),
        "Adam": sc.Adam(lr=0.4),
    },
)


def moons():
    """Two half moons of points."""
    random = np.random.default_rng(0)
    angle = np.pi * random.random(400)
    y = np.arange(400) % 2
    X = np.column_stack([np.cos(angle) + y, np.sin(angle) * (1 - 2 * y) + 0.4 * y])
    return X + 0.15 * random.normal(size=X.shape), y


def figure(rows=1, columns=1, size=(6.4, 4.4), **options):
    """A figure and its axes, in a list."""
    made, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **options)
    return made, list(axes.ravel())


def loss_curve():
    made, (ax,) = figure()
    # What has gathered speed rolls over the hill.
    recipes = {"momentum": sc.SGD(lr=3.0, momentum=0.9), "gradient descent": sc.SGD(lr=0.3)}
    sc.plots.loss_curve(waves, (-6.0, 7.0), runs(waves, [6.5], recipes, 40), ax=ax)
    return made


def paths():
    made, (ax,) = figure()
    sc.plots.paths(valley, IN_VALLEY, ax=ax)
    return made


def surface():
    made, (ax,) = figure(size=(6.4, 5.2), subplot_kw={"projection": "3d"})
    recipes = {"gradient descent": sc.SGD(lr=0.005), "Adam": sc.Adam(lr=0.2)}
    sc.plots.surface(himmelblau, ((-5, 5), (-5, 5)), runs(himmelblau, [-0.3, -1.0], recipes), ax=ax)
    return made


def loss_by_step():
    made, (ax,) = figure()
    sc.plots.loss_by_step(valley, IN_VALLEY, ax=ax)
    return made


def learning_rates():
    made, (*over_weight, _, _, _, _) = figure(2, 4, size=(11, 6))
    sc.plots.learning_rates(axes=over_weight)
    grid = over_weight[0].get_gridspec()
    for ax in made.axes[4:]:
        ax.remove()
    sc.plots.learning_rates(ax=made.add_subplot(grid[1, :]))
    return made


def schedules():
    made, (ax,) = figure(size=(7.5, 4.4))
    sc.plots.schedules(ax=ax)
    return made


def ewa():
    made, (weights, averages) = figure(1, 2, size=(11, 4.2))
    sc.plots.ewa(beta=[0.9, 0.5], steps=15, ax=weights)
    days = np.arange(120)
    series = 12 - 8 * np.cos(2 * np.pi * days / 120) + 2 * np.random.default_rng(0).normal(size=120)
    sc.plots.ewa(series, beta=0.9, ax=averages)
    return made


def batch_regimes():
    made, axes = figure(1, 3, size=(11, 3.8))
    sc.plots.batch_regimes(axes=axes)
    return made


def batch_regimes_by_second():
    made, (ax,) = figure()
    sc.plots.batch_regimes(ax=ax)
    return made


def activations():
    made, (ax,) = figure()
    sc.plots.activations(ax=ax)
    return made


def layers():
    made, (before, after, gradients) = figure(1, 3, size=(11, 3.8))
    X, y = moons()
    net = sc.MLP([2, 64, 64, 64, 1], activation="sigmoid", loss="binary_cross_entropy", seed=0)
    sc.plots.layer_activations(net, X, before, preactivations=True)
    sc.plots.layer_activations(net, X, after)
    sc.plots.layer_gradients(net, X, y, gradients)
    return made


def decision_boundary():
    made, (before, after) = figure(1, 2, size=(10, 4.2))
    X, y = moons()
    net = sc.MLP([2, 32, 1], activation="tanh", loss="binary_cross_entropy", seed=0)
    for epochs, ax in ((2, before), (60, after)):
        net.fit(X, y, optimizer=sc.Adam(lr=0.03), batch_size=20, epochs=epochs)
        sc.plots.decision_boundary(net, X, y, ax=ax)
        ax.set_title(f"after {epochs} epochs", fontsize="medium")
    return made


def learning_curve():
    made, (ax,) = figure()
    X, y = moons()
    net = sc.MLP([2, 64, 1], loss="binary_cross_entropy", seed=0)
    options = {"optimizer": sc.Adam(lr=0.02), "batch_size": 20, "epochs": 200}
    history = net.fit(X[:200], y[:200], validation_data=(X[200:], y[200:]), early_stopping=True, **options)
    sc.plots.learning_curve(history, ax=ax)
    return made


PICTURES = {
    each.__name__: each
    for each in (
        loss_curve,
        paths,
        surface,
        loss_by_step,
        learning_rates,
        schedules,
        ewa,
        batch_regimes,
        batch_regimes_by_second,
        activations,
        layers,
        decision_boundary,
        learning_curve,
    )
}


def main() -> None:
    mpl.use("agg")
    root = Path(__file__).parent.parent
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "out"
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        path = folder / f"plots_{name}.png"
        draw().savefig(path, dpi=72)
        plt.close("all")
        print(f"Drawn: {path}")
    race = sc.plots.animate(valley, IN_VALLEY, seconds=5)
    path = folder / "plots_animate.gif"
    race.save(path, dpi=72)
    print(f"Drawn: {path}")


if __name__ == "__main__":
    main()

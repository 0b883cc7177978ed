"""What are optimizers? The lecture's two worked examples and its pictures: see docs/lecture.md.

Run: python examples/lecture.py [folder for the pictures]
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

import schuss as sc
from schuss import plots

SIZES = np.array([0.6, 0.8, 1.1])  # shoe sizes
HEIGHTS = np.array([1.1, 1.2, 2.1])

# area, rooms, distance from the station, city, price
HOUSES = [
    (32, 3, 5, "Amiens", 60_000),
    (25, 1, 8, "Lille", 70_000),
    (80, 4, 10, "Versailles", 600_000),
    (55, 3, 10, "Nice", 450_000),
]


def ssr(p):
    """Sum of squared residuals of height = slope * size + intercept, and its gradient."""
    slope, intercept = p
    residual = HEIGHTS - (slope * SIZES + intercept)
    return (residual**2).sum(), np.array([(-2 * SIZES * residual).sum(), (-2 * residual).sum()])


def himmelblau(p):
    """Four equally deep valleys, and its gradient."""
    x, y = p
    a, b = x**2 + y - 11, x + y**2 - 7
    return a**2 + b**2, np.array([4 * x * a + 2 * b, 2 * a + 4 * y * b])


def line_fit():
    print("A line through three points: height = slope * size + intercept")
    result = sc.minimize(
        ssr, [1.0, 0.0], jac=True, optimizer=sc.SGD(lr=0.01), max_steps=100_000, min_step=1e-8
    )
    for step in (0, 1, 10, 100, 1000, result.nit):
        slope, intercept = result.path[step]
        value = result.path_fun[step]
        print(f"  step {step:6,}: slope {slope:.6f}, intercept {intercept:9.6f}, SSR {value:.6f}")
    print(f"  {result.message}")


def house_prices():
    print("\nFour houses and a network: the table whole, row by row, and in mini-batches of two")
    cities = sorted({city for *_, city, _ in HOUSES})
    numbers = np.array([house[:3] for house in HOUSES], float)
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    # A city is no number: one column per city, 1 where the house stands.
    columns = np.array([[city == known for known in cities] for *_, city, _ in HOUSES], float)
    X, y = np.hstack([numbers, columns]), np.array([price for *_, price in HOUSES]) / 100_000
    for name, batch_size in (("whole", None), ("row by row", 1), ("by twos", 2)):
        net = sc.MLP([7, 8, 1], activation="tanh", seed=0)
        history = net.fit(
            X, y, optimizer=sc.Adam(lr=0.01), batch_size=batch_size, epochs=3000, target_loss=1e-5
        )
        prices = ", ".join(f"{100_000 * price:8,.0f}" for price in net.predict(X))
        print(f"  {name:10}  {net.optimizer.step_count:5,} steps in {history.epochs:4} epochs: {prices}")
    print(f"  {'in truth':39}{', '.join(f'{price:8,}' for *_, price in HOUSES)}")


def draw_learning_rates():
    """One weight, four learning rates."""
    intercept = -0.265789

    def loss(slope):
        value, gradient = ssr([slope[0], intercept])
        return value, gradient[:1]

    # Where the curve is a parabola a * (w - w0)^2, steps of 1 / a cross the minimum to the same height.
    bounce = 1 / (SIZES**2).sum()
    rates = {"too small": 0.01, "right": 0.1, "bouncing": bounce, "diverging": 1.05 * bounce}
    figure, axes = plt.subplots(1, 5, figsize=(15, 3.4), layout="constrained")
    plots.learning_rates(loss, [0.6], rates, axes=axes[:4])
    plots.learning_rates(loss, [0.6], rates, ax=axes[4])
    for ax in axes[:4]:
        ax.set(xlabel="slope", ylabel="SSR")
    axes[4].set(ylabel="SSR")
    return figure


def draw_optimizers():
    """Two weights, and the paths of the lecture's optimizers over two surfaces."""
    figure, axes = plt.subplots(2, 2, figsize=(12, 9), layout="constrained")
    problems = [
        ("sum of squared residuals of the line", ssr, [1.0, 0.0], ((0.8, 2.4), (-0.6, 0.8)), 0.02, 200),
        ("Himmelblau's four valleys", himmelblau, [0.3, -1.4], ((-5, 5), (-5, 5)), 0.002, 150),
    ]
    for (surface, curve), (title, fun, start, bounds, rate, steps) in zip(axes, problems, strict=True):
        recipes = {
            "gradient descent": sc.SGD(lr=rate),
            "momentum": sc.SGD(lr=4 * rate, momentum=0.9),
            "AdaGrad": sc.Adagrad(lr=0.5),
            "RMSProp": sc.RMSprop(lr=0.03),
            "Adam": sc.Adam(lr=0.1),
        }
        paths = {
            name: sc.minimize(fun, start, jac=True, optimizer=recipe, max_steps=steps, min_step=1e-6).path
            for name, recipe in recipes.items()
        }
        plots.loss_surface(fun, bounds, paths, ax=surface)
        plots.loss_by_step(fun, paths, ax=curve)
        surface.set(title=title)
        curve.set(ylabel="loss")
    axes[0, 0].set(xlabel="slope", ylabel="intercept")
    return figure


def main() -> None:
    mpl.use("agg")
    root = Path(__file__).parent.parent
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "out"
    folder.mkdir(parents=True, exist_ok=True)
    line_fit()
    house_prices()
    print()
    for name, draw in (("learning_rates", draw_learning_rates), ("optimizers", draw_optimizers)):
        path = folder / f"lecture_{name}.png"
        draw().savefig(path, dpi=72)
        print(f"Drawn: {path}")


if __name__ == "__main__":
    main()

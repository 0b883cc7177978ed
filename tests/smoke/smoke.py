"""What an installation must do with nothing but NumPy: tools/try_wheel.py runs it in an empty environment.

It imports no test tools: what it needs besides NumPy would hide what schuss needs.
"""

import importlib.metadata
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import schuss as sc


def the_package_is_that_of_this_environment():
    assert Path(sc.__file__).is_relative_to(sys.prefix), sc.__file__
    assert sc.__version__ == importlib.metadata.version("schuss")
    assert [name for name in ("sklearn", "scipy", "pandas", "matplotlib") if find_spec(name)] == []


def an_optimizer_steps_by_its_formula():
    for dtype in (np.float32, np.float64):
        w, b = np.array([1.0, -2.0], dtype), np.zeros((), dtype)
        sc.SGD([w, b], lr=0.5).step([np.array([2.0, 4.0], dtype), dtype(-1)])
        assert w.tolist() == [0.0, -4.0]
        assert b == 0.5

    w = np.array([1.0, -2.0])
    sc.Adam([w], lr=0.1).step([np.array([3.0, -0.01])])
    np.testing.assert_allclose(w, [0.9, -1.9], atol=1e-6)  # the first step is lr times the sign


def an_optimizer_continues_from_its_file(folder):
    def run(steps, w, opt):
        for _ in range(steps):
            opt.step([2 * w])
        return w

    whole = np.array([3.0, -1.0])
    run(10, whole, sc.AdamW([whole], lr=0.1))
    half = np.array([3.0, -1.0])
    opt = sc.AdamW([half], lr=0.1)
    run(5, half, opt)
    opt.save(folder / "state.npz")
    other = sc.AdamW([half], lr=0.1)
    other.load(folder / "state.npz")
    assert run(5, half, other).tobytes() == whole.tobytes()


def a_function_is_minimised():
    def rosenbrock(p):
        x, y = p
        gradient = [-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)]
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2, np.array(gradient)

    result = sc.minimize(rosenbrock, [-1.2, 1.0], jac=True, optimizer=sc.LBFGS(), max_steps=200)
    assert result.success, result
    np.testing.assert_allclose(result.x, [1, 1], atol=1e-3)


def a_network_learns_with_any_number_of_threads_and_keeps(folder):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(2000, 2)).astype(np.float32)
    y = (np.hypot(X[:, 0], X[:, 1]) < 0.7).astype(np.int64)
    nets = []
    for threads in (1, 2):
        net = sc.MLP([2, 32, 2], activation="relu", loss="cross_entropy", seed=0)
        history = net.fit(X, y, optimizer=sc.Adam(lr=0.01), epochs=20, n_threads=threads)
        assert history["loss"][-1] < 0.3 < history["loss"][0]
        nets.append(net)
    predicted = nets[0].predict(X)
    assert (predicted.argmax(axis=1) == y).mean() > 0.95
    assert predicted.tobytes() == nets[1].predict(X).tobytes()

    nets[0].save(folder / "net.npz")
    assert sc.MLP.load(folder / "net.npz").predict(X).tobytes() == predicted.tobytes()


def said(wrong):
    """The error of what must not work."""
    try:
        wrong()
    except (ValueError, ImportError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def what_is_wrong_or_missing_is_said():
    error = said(lambda: sc.Adam([np.zeros(2)], lr=-1))
    assert error.startswith("ValueError: lr"), error
    error = said(lambda: sc.MLP([2, 1]).predict(np.zeros((3, 5))))
    assert error.startswith("ValueError: X"), error
    error = said(lambda: sc.MLPClassifier)
    assert error.startswith("ImportError: schuss.MLPClassifier needs scikit-learn"), error


def main():
    the_package_is_that_of_this_environment()
    an_optimizer_steps_by_its_formula()
    a_function_is_minimised()
    what_is_wrong_or_missing_is_said()
    with tempfile.TemporaryDirectory() as name:
        an_optimizer_continues_from_its_file(Path(name))
        a_network_learns_with_any_number_of_threads_and_keeps(Path(name))
    print(f"schuss {sc.__version__} works on Python {sys.version.split()[0]}, NumPy {np.__version__}")


if __name__ == "__main__":
    main()

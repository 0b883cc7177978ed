"""The lecture "What are optimizers?", row by row: its formulas and its numbers, written out by hand."""

import numpy as np
import pytest

import schuss as sc

SHOES = np.array([0.6, 0.8, 1.1])
HEIGHTS = np.array([1.1, 1.2, 2.1])

# area, rooms, distance from the station, city, price
HOUSES = [
    (32, 3, 5, "Amiens", 60_000),
    (25, 1, 8, "Lille", 70_000),
    (80, 4, 10, "Versailles", 600_000),
    (55, 3, 10, "Nice", 450_000),
]


def line_ssr(p):
    """SSR of height = slope * size + intercept and its gradient, as the lecture writes them."""
    slope, intercept = p
    residual = HEIGHTS - (slope * SHOES + intercept)
    return (residual**2).sum(), np.array([(-2 * SHOES * residual).sum(), (-2 * residual).sum()])


def line_net():
    """The line as a network without hidden layers, at slope 1 and intercept 0."""
    net = sc.MLP([1, 1], loss="sse", dtype="float64")
    net.theta[:] = [1, 0]
    return net


def noisy_plane(rows=256):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 5))
    return X, X @ np.arange(1.0, 6.0) + rng.normal(size=rows)


def follow(optimizer, rule, *, steps=30):
    """Feeds the same gradients to an optimizer on one array and to `rule`, and compares after each step.

    `rule(t, g)` returns what the lecture subtracts from the parameter in step t.
    """
    rng = np.random.default_rng(1)
    ours, expected = np.ones(7), np.ones(7)
    optimizer = optimizer.bind(ours)
    for t in range(1, steps + 1):
        g = rng.normal(size=7)
        optimizer.step(g)
        expected -= rule(t, g)
        np.testing.assert_allclose(ours, expected, rtol=1e-13, atol=1e-14)


def test_row_01_gradient_descent():
    net = line_net()
    net.fit(SHOES[:, None], HEIGHTS, optimizer=sc.SGD(lr=0.01), batch_size=None, epochs=1)
    assert net.optimizer.step_count == 1
    np.testing.assert_allclose(net.theta, np.array([1, 0]) - 0.01 * line_ssr([1, 0])[1], rtol=1e-14)


def test_row_02_stochastic_gradient_descent():
    net = line_net()
    net.fit(SHOES[:, None], HEIGHTS, optimizer=sc.SGD(lr=0.01), batch_size=1, epochs=1, shuffle=False)
    assert net.optimizer.step_count == 3
    # Nothing about the samples is kept, and a new one is simply added later.
    assert net.optimizer.state_dict()["state"] == {}
    net.fit([[0.9]], [1.5], batch_size=1, epochs=1)
    assert net.optimizer.step_count == 4
    p = np.array([1.0, 0.0])
    for x, h in [*zip(SHOES, HEIGHTS, strict=True), (0.9, 1.5)]:
        residual = h - (p[0] * x + p[1])
        p -= 0.01 * -2 * residual * np.array([x, 1])
    np.testing.assert_allclose(net.theta, p, rtol=1e-14)


def test_row_03_mini_batch_gradient_descent():
    X, y = noisy_plane()
    losses = {}
    for batch_size in (None, 16, 1):
        net = sc.MLP([5, 1], dtype="float64")
        net.theta[:] = 0
        history = net.fit(X, y, optimizer=sc.SGD(lr=0.05), batch_size=batch_size, epochs=20)
        assert net.optimizer.step_count == 20 * len(X) // (batch_size or len(X))
        losses[batch_size] = np.array(history["loss"])
    best = np.linalg.lstsq(np.c_[X, np.ones(len(X))], y, rcond=None)[1][0] / len(X)
    # Faster than the whole data set per step: at the optimum while that is still on its way.
    assert losses[16][4] < 1.2 * best < losses[None][4]
    # Steadier than one sample per step.
    assert losses[16][10:].std() < 0.2 * losses[1][10:].std()


def test_row_04_momentum():
    v = np.zeros(7)

    def rule(t, g):
        v[:] = 0.9 * v + (1 - 0.9) * g
        return 0.05 * v

    follow(sc.SGD(lr=0.05, momentum=0.9), rule)


def test_row_05_adagrad():
    s = np.zeros(7)

    def rule(t, g):
        s[:] = s + g**2
        return 0.05 * g / np.sqrt(1e-3 + s)

    follow(sc.Adagrad(lr=0.05, eps=1e-3), rule)


def test_row_06_rmsprop():
    s = np.zeros(7)

    def rule(t, g):
        s[:] = 0.9 * s + (1 - 0.9) * g**2
        return 0.001 * g / np.sqrt(1e-3 + s)

    # lr = 0.001 and beta = 0.9 are the lecture's, and the defaults.
    follow(sc.RMSprop(eps=1e-3), rule)


def test_row_07_adam():
    m, v = np.zeros(7), np.zeros(7)

    def rule(t, g):
        m[:] = 0.9 * m + (1 - 0.9) * g
        v[:] = 0.999 * v + (1 - 0.999) * g**2
        return 0.05 * (m / (1 - 0.9**t)) / (1e-8 + np.sqrt(v / (1 - 0.999**t)))

    follow(sc.Adam(lr=0.05), rule)


def test_row_08_adam_uncorrected():
    m, v = np.zeros(7), np.zeros(7)

    def rule(t, g):
        m[:] = 0.9 * m + (1 - 0.9) * g
        v[:] = 0.999 * v + (1 - 0.999) * g**2
        return 0.05 * m / np.sqrt(1e-3 + v)

    follow(sc.Adam(lr=0.05, eps=1e-3, eps_in_sqrt=True, bias_correction=False), rule)


def test_row_09_bias_correction():
    series = np.random.default_rng(2).normal(15, 5, size=200)
    V, expected, corrected = 0.0, [], []
    for t, theta in enumerate(series, start=1):
        V = 0.9 * V + (1 - 0.9) * theta
        expected.append(V)
        corrected.append(V / (1 - 0.9**t))
    np.testing.assert_allclose(sc.ewa(series, beta=0.9), expected, rtol=1e-14)
    np.testing.assert_allclose(sc.ewa(series, beta=0.9, bias_correction=True), corrected, rtol=1e-14)
    # What it is for: the first values are averages of something else than nothing.
    assert corrected[0] == pytest.approx(series[0])
    assert expected[0] == pytest.approx(0.1 * series[0])


def test_row_10_weights_of_the_average():
    # The weight of theta_t in V_100 is V_100 of a series that is 1 at t and 0 elsewhere.
    weights = [sc.ewa(np.arange(1, 101) == t, beta=0.9)[-1] for t in (100, 99, 98)]
    np.testing.assert_allclose(weights, [0.1, 0.09, 0.081], rtol=1e-14)
    series = np.random.default_rng(3).normal(size=100)
    V = sc.ewa(series, beta=0.9)
    unrolled = 0.1 * series[99] + 0.09 * series[98] + 0.081 * series[97] + 0.729 * V[96]
    np.testing.assert_allclose(V[99], unrolled, rtol=1e-13)


@pytest.mark.parametrize("batch_size", [None, 1])
def test_row_11_schedules(batch_size):
    schedule = sc.schedules.inverse_time(0.1, rate=0.5, decay_steps=10)
    net = line_net()
    net.fit(SHOES[:, None], HEIGHTS, optimizer=sc.SGD(lr=schedule), batch_size=batch_size, epochs=20)
    lrs = np.array(net.history["lr"])
    assert (np.diff(lrs) < 0).all()
    # The rate of an epoch's last step; steps are counted from 0.
    last = np.arange(1, 21) * (1 if batch_size is None else 3) - 1
    np.testing.assert_allclose(lrs, 0.1 / (1 + 0.5 * last / 10), rtol=1e-14)
    # And these rates are what the steps were made with.
    if batch_size is None:
        p = np.array([1.0, 0.0])
        for lr in lrs:
            p -= lr * line_ssr(p)[1]
        np.testing.assert_allclose(net.theta, p, rtol=1e-12)


def test_row_12_learning_rate_sensitivity():
    def parabola(x):
        return (x**2).sum(), 2 * x

    def path(lr):
        return sc.minimize(parabola, [1.0], jac=True, optimizer=sc.SGD(lr=lr), max_steps=50).path[:, 0]

    assert path(0.001)[-1] > 0.9  # too small: hardly anywhere after 50 steps
    assert len(path(0.3)) < 15  # sensible: stops by itself
    # Too large: across the minimum and back, for ever; larger still: away from it.
    np.testing.assert_array_equal(path(1.0), (-1.0) ** np.arange(51))
    assert (np.diff(np.abs(path(1.1))) > 0).all()


def test_row_13_stopping_rule_of_gradient_descent():
    recipe = sc.SGD(lr=0.01)
    by_step = sc.minimize(line_ssr, [1.0, 0.0], jac=True, optimizer=recipe, max_steps=10_000)
    sizes = [0.01 * np.linalg.norm(line_ssr(p)[1]) for p in by_step.path]
    assert by_step.success
    assert sizes[-1] <= 0.001 < min(sizes[:-1])
    by_number = sc.minimize(line_ssr, [1.0, 0.0], jac=True, optimizer=recipe, min_step=1e-9)
    assert not by_number.success
    assert by_number.nit == 1000


def test_row_14_stopping_rule_of_training():
    def fit(**keywords):
        return line_net().fit(SHOES[:, None], HEIGHTS, optimizer=sc.SGD(lr=0.1), batch_size=None, **keywords)

    by_number = fit(epochs=7)
    assert (by_number.stopped, by_number.epochs) == ("epochs", 7)
    by_loss = fit(epochs=1000, target_loss=0.2)
    assert by_loss.stopped == "target_loss"
    assert by_loss["loss"][-1] <= 0.2 < min(by_loss["loss"][:-1])


def test_row_15_any_loss_function():
    # The sum of absolute errors, softened: neither a square nor anything that the library knows.
    def loss(p):
        residual = p[0] * SHOES + p[1] - HEIGHTS
        root = np.sqrt(residual**2 + 1e-4)
        slope = residual / root
        return root.sum(), np.array([(slope * SHOES).sum(), slope.sum()])

    result = sc.minimize(
        loss, [1.0, 0.0], jac=True, optimizer=sc.SGD(lr=0.005), max_steps=50_000, min_step=1e-8
    )
    assert result.success
    # The line of least absolute error through three points passes (almost) through two of them.
    errors = np.sort(np.abs(result.x[0] * SHOES + result.x[1] - HEIGHTS))
    assert errors[1] < 0.02 < errors[2]


@pytest.mark.parametrize("n", [1, 10, 100_000])
def test_row_16_any_number_of_parameters(n):
    centre = np.linspace(-1, 1, n)
    result = sc.minimize(
        lambda x: (((x - centre) ** 2).sum(), 2 * (x - centre)),
        np.zeros(n),
        jac=True,
        optimizer=sc.SGD(lr=0.3),
    )
    assert result.success
    np.testing.assert_allclose(result.x, centre, atol=2e-3)


def test_row_17_line_fit():
    start = np.array([1.0, 0.0])
    np.testing.assert_allclose(line_ssr(start)[1], [-3.44, -3.8], rtol=1e-14)

    # By minimize.
    recipe = sc.SGD(lr=0.01)
    result = sc.minimize(line_ssr, start, jac=True, optimizer=recipe, max_steps=100_000, min_step=1e-9)
    np.testing.assert_allclose(result.path[1], [1.0344, 0.038], rtol=1e-14)
    np.testing.assert_allclose(result.x, [2.078947, -0.265789], atol=1e-6)

    # By an optimizer and a loop.
    slope, intercept = np.array(1.0), np.array(0.0)
    optimizer = sc.SGD({"slope": slope, "intercept": intercept}, lr=0.01)
    for step in range(30_000):
        residual = HEIGHTS - (slope * SHOES + intercept)
        grads = {"slope": (-2 * SHOES * residual).sum(), "intercept": (-2 * residual).sum()}
        if step == 0:
            np.testing.assert_allclose([grads["intercept"], grads["slope"]], [-3.8, -3.44], rtol=1e-14)
        optimizer.step({name: np.asarray(grad) for name, grad in grads.items()})
        if step == 0:
            np.testing.assert_allclose([slope, intercept], [1.0344, 0.038], rtol=1e-14)
    np.testing.assert_allclose([slope, intercept], [2.078947, -0.265789], atol=1e-6)

    # By a network of one neuron.
    net = line_net()
    _, (slope, intercept) = net.loss_and_grads(SHOES[:, None], HEIGHTS)
    np.testing.assert_allclose([slope.item(), intercept.item()], [-3.44, -3.8], rtol=1e-14)
    net.fit(SHOES[:, None], HEIGHTS, optimizer=recipe, batch_size=None, epochs=1)
    np.testing.assert_allclose(net.theta, [1.0344, 0.038], rtol=1e-14)
    net.fit(SHOES[:, None], HEIGHTS, batch_size=None, epochs=30_000)
    np.testing.assert_allclose(net.theta, [2.078947, -0.265789], atol=1e-6)


def small_net():
    """2 inputs, 3 hidden neurons, 1 output, with its parameters by name."""
    net = sc.MLP([2, 3, 1], activation="tanh", loss="mse", dtype="float64", seed=1)
    rng = np.random.default_rng(4)
    net.theta[:] = rng.normal(size=net.theta.size)
    return net, rng.normal(size=(8, 2)), rng.normal(size=8)


def test_row_18_forward_propagation():
    net, X, _ = small_net()
    W1, b1, W2, b2 = net.params
    for row, predicted in zip(X, net.predict(X), strict=True):
        hidden = []
        for neuron in range(3):
            preactivation = sum(row[i] * W1[i, neuron] for i in range(2)) + b1[neuron]
            hidden.append(np.tanh(preactivation))
        output = sum(hidden[i] * W2[i, 0] for i in range(3)) + b2[0]
        assert predicted == pytest.approx(output, rel=1e-13)


def backpropagation(net, X, y):
    """Mean squared error and its gradients by the chain rule, from the output layer back."""
    W1, b1, W2, b2 = net.params
    hidden = np.tanh(X @ W1 + b1)
    error = (hidden @ W2 + b2)[:, 0] - y
    d_output = 2 * error[:, None] / len(X)
    d_hidden = d_output @ W2.T * (1 - hidden**2)
    return (error**2).mean(), [X.T @ d_hidden, d_hidden.sum(0), hidden.T @ d_output, d_output.sum(0)]


def test_row_19_loss_and_backpropagation():
    net, X, y = small_net()
    loss, grads = net.loss_and_grads(X, y)
    expected_loss, expected = backpropagation(net, X, y)
    assert loss == pytest.approx(expected_loss, rel=1e-13)
    for grad, by_hand in zip(grads, expected, strict=True):
        np.testing.assert_allclose(grad, by_hand, rtol=1e-12, atol=1e-14)


def test_row_20_training_a_network():
    net, X, y = small_net()
    by_hand, _, _ = small_net()
    optimizer = sc.Adam(by_hand.params, lr=0.05)
    losses = []
    for _ in range(50):
        loss, grads = backpropagation(by_hand, X, y)  # forward, loss, backpropagation
        optimizer.step(grads)
        losses.append(loss)
    history = net.fit(X, y, optimizer=sc.Adam(lr=0.05), batch_size=None, epochs=50)
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-9)
    np.testing.assert_allclose(net.theta, by_hand.theta, rtol=1e-9, atol=1e-11)
    assert losses[-1] < 0.1 * losses[0]


def house_table():
    """Inputs, scaled, with one column per city, and prices in 100 000."""
    cities = sorted({city for *_, city, _ in HOUSES})
    numbers = np.array([house[:3] for house in HOUSES], float)
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    one_hot = np.array([[city == known for known in cities] for *_, city, _ in HOUSES], float)
    return np.hstack([numbers, one_hot]), np.array([price for *_, price in HOUSES]) / 1e5


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_row_21_house_prices(batch_size):
    X, y = house_table()
    assert X.shape == (4, 7)
    net = sc.MLP([7, 8, 1], activation="tanh", loss="mse", seed=0)
    history = net.fit(X, y, optimizer=sc.Adam(lr=0.01), batch_size=batch_size, epochs=3000, target_loss=1e-6)
    assert history.stopped == "target_loss"
    assert net.optimizer.step_count == history.epochs * {None: 1, 1: 4, 2: 2}[batch_size]
    prices = 1e5 * net.predict(X)
    np.testing.assert_allclose(prices, [60_000, 70_000, 600_000, 450_000], atol=500)


def test_row_22_pictures(tmp_path):
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot as plt

    from schuss import plots

    figure, axes = plt.subplots(1, 3)
    recipes = {"SGD": sc.SGD(lr=0.01), "Adam": sc.Adam(lr=0.1)}
    paths = {
        name: sc.minimize(line_ssr, [1.0, 0.0], jac=True, optimizer=recipe, max_steps=50).path
        for name, recipe in recipes.items()
    }
    plots.loss_curve(lambda x: (x**2).sum(), (-2, 2), {"SGD": np.linspace(2, 0, 9)}, ax=axes[0])
    plots.loss_surface(line_ssr, ((0.5, 3), (-1, 1)), paths, ax=axes[1])
    plots.loss_by_step(line_ssr, paths, ax=axes[2])
    for ax, names in zip(axes, [{"SGD"}, {"SGD", "Adam"}, {"SGD", "Adam"}], strict=True):
        labels = {line.get_label(): line for line in ax.get_lines()}
        assert names <= set(labels)
    # The path is drawn where the optimizer went, the loss as the function gives it.
    drawn = {line.get_label(): line.get_xydata() for line in axes[1].get_lines()}
    np.testing.assert_allclose(drawn["Adam"], paths["Adam"])
    drawn = {line.get_label(): line.get_ydata() for line in axes[2].get_lines()}
    np.testing.assert_allclose(drawn["SGD"], [line_ssr(p)[0] for p in paths["SGD"]])
    figure.savefig(tmp_path / "pictures.png")
    plt.close(figure)
    assert (tmp_path / "pictures.png").stat().st_size > 10_000

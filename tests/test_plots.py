import math

import numpy as np
import pytest

import schuss as sc
from schuss import History, plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")


def lines_of(ax):
    return {line.get_label(): line.get_xydata().tolist() for line in ax.get_lines()}


def bowl(x):
    return np.sum(x**2)


class TestLearningCurve:
    def history(self, **columns):
        history = History()
        for values in zip(*columns.values(), strict=True):
            history.append(**dict(zip(columns, values, strict=True)))
        return history

    def test_draws_both_losses_against_the_epoch(self):
        ax = plt.figure().add_subplot()
        history = self.history(loss=[4.0, 2.0, 0.1], val_loss=[5.0, 3.0, 2.0], lr=[0.1, 0.1, 0.1])
        assert history.plot(ax=ax) is ax
        assert lines_of(ax) == {
            "loss": [[1, 4.0], [2, 2.0], [3, 0.1]],
            "val_loss": [[1, 5.0], [2, 3.0], [3, 2.0]],
        }
        assert ax.get_yscale() == "log"

    def test_makes_a_figure_of_its_own(self):
        ax = self.history(loss=[3.0, 2.0]).plot()
        assert ax.figure.number in plt.get_fignums()
        assert ax.get_yscale() == "linear"

    @pytest.mark.parametrize("epochs", [1, 2, 3])
    def test_few_epochs_are_not_divided(self, epochs):
        ax = self.history(loss=[2.0] * epochs).plot()
        low, high = ax.get_xlim()
        assert [tick for tick in ax.get_xticks() if low <= tick <= high] == list(range(1, epochs + 1))

    def test_a_logarithm_hides_no_loss_that_is_there_already(self):
        ax = self.history(loss=[-3.0, -2.0]).plot()
        assert self.history(loss=[3.0, 0.01]).plot(ax).get_yscale() == "linear"
        ax = self.history(loss=[3.0, 2.0]).plot()
        ax.axhline(0)
        assert self.history(loss=[3.0, 0.01]).plot(ax).get_yscale() == "log"

    def test_a_logarithm_that_would_hide_what_comes_is_given_up(self):
        ax = self.history(loss=[100.0, 1.0, 0.1]).plot()
        self.history(loss=[-1.0, -2.0, -3.0]).plot(ax)
        assert ax.get_yscale() == "linear"
        low, high = ax.get_ylim()
        assert low < -3
        assert high > 100

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("loss", [[1.0, 1e150, 1.7e308], [1e250, 2.0, 1e-300], [1e-320, 1.0]])
    def test_losses_that_leave_the_numbers_leave_the_picture(self, loss):
        ax = self.history(loss=loss).plot()
        ax.figure.canvas.draw()
        low, high = ax.get_ylim()
        assert low < np.median(loss) <= 1.1 * high
        assert np.log10(high) - np.log10(low) > 100

    def test_without_losses_is_empty(self):
        assert lines_of(History().plot()) == {}

    def test_the_losses_of_steps_end_with_their_epoch(self):
        net, X = sc.MLP([1, 1], seed=0), np.arange(10.0)[:, None] / 10
        history = net.fit(X, X, batch_size=4, epochs=2, record="step", callbacks=lambda info: info.epoch == 2)
        lines = lines_of(history.plot())
        assert list(lines) == ["loss", "loss of each step"]
        at, losses = np.transpose(lines["loss of each step"])
        np.testing.assert_allclose(at, [1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2])
        assert losses.tolist() == history.steps["loss"].tolist()

    @pytest.mark.parametrize("loss", ["sse", "squared_error"])
    def test_the_losses_of_steps_are_as_high_as_that_of_their_epoch(self, loss):
        net, X = sc.MLP([1, 1], loss=loss, seed=0, dtype="float64"), np.arange(10.0)[:, None] / 10
        history = net.fit(X, X**2, optimizer=sc.SGD(lr=0.01), batch_size=4, epochs=2, record="step")
        losses = np.array(lines_of(history.plot())["loss of each step"])[:, 1]
        means = np.average(losses.reshape(2, 3), axis=1, weights=[4, 4, 2])
        np.testing.assert_allclose(means, history["loss"])

    @pytest.mark.filterwarnings("error")
    def test_a_batch_without_weight_has_no_height(self):
        net, X = sc.MLP([1, 1], loss="sse", l2=0.1, seed=0), np.arange(8.0)[:, None] / 8
        weight = [0, 0, 1, 1, 1, 1, 1, 1]
        given = {"batch_size": 2, "epochs": 1, "shuffle": False, "record": "step"}
        history = net.fit(X, X, sample_weight=weight, optimizer=sc.SGD(lr=0.01), **given)
        losses = np.array(lines_of(history.plot())["loss of each step"])[:, 1]
        assert np.isfinite(losses).tolist() == [False, True, True, True]

    def test_of_an_epoch_that_was_not_finished_too(self):
        history = self.history(loss=[8.0])
        columns = {"step": [1, 2, 3], "epoch": [1, 1, 2], "loss": [5.0, 3.0, 2.0], "lr": [1.0] * 3}
        history._restore(dict(history), columns | {"weight": [4, 4, 4], "seconds": [0.1, 0.2, 0.3]})
        assert [loss for _, loss in lines_of(history.plot())["loss of each step"]] == [10, 6, 4]

    @pytest.mark.parametrize("options", [{"batch_size": None}, {"optimizer": "lbfgs"}, {"epochs": 0}])
    def test_steps_that_are_epochs_are_not_drawn_twice(self, options):
        net, X = sc.MLP([1, 1], seed=0), np.arange(10.0)[:, None] / 10
        history = net.fit(X, X, **{"epochs": 3, **options}, record="step")
        assert "loss of each step" not in lines_of(history.plot())


class TestLossByStep:
    def test_follows_the_loss_of_each_path(self):
        ax = plots.loss_by_step(bowl, {"slow": [[3.0, 0.0], [2.0, 1.0]], "fast": [[3.0, 0.0], [0.0, 0.0]]})
        assert lines_of(ax) == {"slow": [[0, 9.0], [1, 5.0]], "fast": [[0, 9.0], [1, 0.0]]}

    def test_takes_a_function_that_returns_its_gradient_too(self):
        ax = plots.loss_by_step(lambda x: (bowl(x), 2 * x), {"path": [[3.0], [1.0]]})
        assert lines_of(ax) == {"path": [[0, 9.0], [1, 1.0]]}

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (1, 1)])
    def test_the_function_gets_what_it_got_in_the_run(self, shape, dtype):
        def fun(x):
            assert (x.shape, x.dtype) == (shape, dtype)
            return float((np.cos(x) * np.arange(1.0, 1 + x.size).reshape(shape)).sum())

        run = sc.minimize(fun, np.ones(shape, dtype), max_steps=3, min_step=0)
        for path in (run, run.path):
            (losses,) = lines_of(plots.loss_by_step(fun, {"path": path})).values()
            assert [loss for _, loss in losses] == run.path_fun.tolist()

    def test_a_function_may_return_a_list_with_its_gradient(self):
        ax = plots.loss_by_step(lambda x: [bowl(x), 2 * x], {"path": [[3.0], [1.0]]})
        assert lines_of(ax) == {"path": [[0, 9.0], [1, 1.0]]}

    @pytest.mark.parametrize("fun", [lambda x: None, lambda x: x, lambda x: ("low", x), lambda x: ()])
    def test_a_function_that_gives_no_number_is_refused(self, fun):
        with pytest.raises(TypeError, match="fun must return a number, or a tuple that begins with one, got"):
            plots.loss_by_step(fun, {"path": [[3.0, 0.0], [1.0, 0.0]]})


def spoils(x):
    x -= 1.0
    return float((x**2).sum())


@pytest.mark.parametrize("draw", [plots.loss_by_step, plots.paths, plots.surface, plots.animate])
def test_a_function_that_works_in_place_leaves_the_paths_as_they_are(draw):
    run = sc.minimize(spoils, [3.0, -1.0], max_steps=4)
    before = run.path.copy()
    draw(spoils, paths={"run": run})
    assert run.path.tolist() == before.tolist()


class TestFunctionsOfAnyShape:
    """What `minimize` takes can be drawn."""

    @pytest.mark.parametrize("draw", [plots.paths, plots.animate])
    def test_of_a_number(self, draw):
        run = sc.minimize(lambda x: math.cos(x), 1.0, max_steps=5)
        draw(lambda x: math.cos(x), {"run": run})

    def test_learning_rates_of_a_number(self):
        for given in ({}, {"axes": [plt.figure().add_subplot()]}):
            plots.learning_rates(lambda x: math.cos(x), 1.0, [0.1], steps=3, **given)

    @pytest.mark.parametrize("draw", [plots.paths, plots.surface, plots.animate])
    def test_of_a_matrix(self, draw):
        def fun(x):
            assert x.shape == (2, 1)
            assert x.dtype == np.float32
            return float((x.T @ x).item())

        draw(fun, paths={"run": sc.minimize(fun, np.ones((2, 1), np.float32), max_steps=5)})

    def test_batch_regimes_of_one_that_returns_an_array(self):
        def fun(x, rows):
            return (rows * x**2).mean(keepdims=True)

        ax = plots.batch_regimes(fun, [1.0], np.ones(4), batch_sizes=[None], steps=3)
        assert len(lines_of(ax)) == 2


def fails(x):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("draw", "given"),
    [
        (plots.loss_curve, {"bounds": (-1, 1)}),
        (plots.loss_surface, {"bounds": ((-1, 1), (-1, 1))}),
        (plots.surface, {"bounds": ((-1, 1), (-1, 1))}),
        (plots.paths, {"paths": {"path": [[1.0, 2.0]]}}),
    ],
)
def test_a_function_that_fails_leaves_no_empty_figure(draw, given):
    plt.close("all")
    with pytest.raises(ZeroDivisionError):
        draw(fails, **given)
    assert plt.get_fignums() == []


class TestLossCurve:
    def test_draws_the_loss_over_the_bounds_and_the_steps_on_it(self):
        ax = plots.loss_curve(bowl, (-2.0, 4.0), {"path": [3.0, -1.0]})
        curve, path = ax.get_lines()
        x, y = curve.get_data()
        assert (x[0], x[-1]) == (-2, 4)
        np.testing.assert_allclose(y, x**2)
        assert path.get_xydata().tolist() == [[3, 9], [-1, 1]]
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["path"]

    @pytest.mark.parametrize("height", [1.0, np.nan])
    def test_what_leaves_the_bounds_does_not_stretch_a_flat_loss(self, height):
        assert plots.loss_curve(lambda x: height, (-1.0, 1.0), {"path": [0.0, 5.0]}).get_xlim() == (-1, 1)

    def test_without_paths_there_is_no_legend(self):
        assert plots.loss_curve(bowl, (-1, 1)).get_legend() is None


class TestLossSurface:
    def test_contours_go_where_the_loss_is_equal(self):
        ax = plots.loss_surface(bowl, ((-1, 1), (-1, 1)))
        lines = ax.collections[-1]
        circles = [path for path in lines.get_paths() if len(path.vertices)]
        assert len(circles) > 10
        for path in circles[5:10]:
            radius = np.hypot(*path.vertices.T)
            assert np.ptp(radius) < 0.02

    def test_the_first_parameter_is_across_and_the_path_ends_in_a_star(self):
        ax = plots.loss_surface(bowl, ((-2, 3), (-1, 1)), {"path": [[2.0, 1.0], [0.5, 0.25]]})
        assert ax.get_xlim() == (-2, 3)
        assert ax.get_ylim() == (-1, 1)
        path, star = ax.get_lines()
        assert path.get_xydata().tolist() == [[2, 1], [0.5, 0.25]]
        assert star.get_xydata().tolist() == [[0.5, 0.25]]

    def test_a_flat_loss_has_no_contours(self):
        ax = plots.loss_surface(lambda x: 1.0, ((-1, 1), (-1, 1)))
        assert len(ax.collections) == 0

    def test_neither_has_one_that_is_nowhere_finite(self):
        ax = plots.loss_surface(lambda x: np.nan, ((-1, 1), (-1, 1)))
        assert len(ax.collections) == 0


PATHS = {"a": [[1.0, 0.5], [0.5, 0.2]], "b": [[-1.0, 0.5], [0.1, 0.2]]}
BOX = ((-2, 2), (-2, 2))


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.loss_surface(bowl, BOX, PATHS, ax),
        lambda ax: plots.animate(bowl, PATHS, BOX, ax, frames=2),
        lambda ax: plots.loss_curve(bowl, (-2, 2), {"a": [1.0, 0.5], "b": [2.0, 0.5]}, ax),
        lambda ax: plots.loss_by_step(bowl, PATHS, ax),
        lambda ax: plots.ewa(beta=[0.5, 0.9], ax=ax),
        lambda ax: plots.ewa([1.0, 2.0, 3.0], beta=[0.5, 0.9], ax=ax),
        lambda ax: plots.activations(["relu", "tanh"], ax=ax),
        lambda ax: plots.batch_regimes(steps=5, ax=ax),
        lambda ax: plots.batch_regimes(steps=5, axes=[ax, *(plt.figure().add_subplot() for _ in "ab")]),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_what_is_drawn_twice_on_the_same_axes_is_told_apart(draw):
    ax = plt.figure().add_subplot()
    draw(ax)
    draw(ax)
    seen = [line for line in ax.get_lines() if len(line.get_xdata()) > 1 and line.get_label() != "_target"]
    looks = [(x.get_color(), x.get_linestyle(), x.get_marker(), x.get_fillstyle()) for x in seen]
    assert len(set(looks)) == len(looks)


def test_paths_in_space_that_are_drawn_twice_are_told_apart():
    ax = plots.surface(bowl, BOX, PATHS)
    plots.surface(bowl, BOX, PATHS, ax)
    lines = [line for line in ax.get_lines() if line.get_label() in PATHS]
    assert len({line.get_color() for line in lines}) == 4


def test_bars_of_batch_regimes_stand_beside_those_that_are_there():
    axes = plt.figure().subplots(1, 3)
    for sizes in ([None, 1], [8, 16]):
        plots.batch_regimes(steps=5, batch_sizes=sizes, axes=list(axes))
    for ax in axes[1:]:
        assert len({bar.get_x() for bar in ax.patches}) == 4
        assert len({bar.get_facecolor() for bar in ax.patches}) == 4
        names = ["all rows", "one row", "batches of 8", "batches of 16"]
        assert [label.get_text().replace("\n", " ") for label in ax.get_xticklabels()] == names


def test_schedules_of_one_name_are_all_drawn():
    ax = sc.plots.schedules([lambda t: 0.1, lambda t: 0.1 * 0.99**t, lambda t: 0.2], steps=20)
    labels = [line.get_label() for line in ax.get_lines()]
    assert labels == ["<lambda>", "<lambda> (2)", "<lambda> (3)"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.loss_by_step(bowl, {f"optimizer {k}": [[k], [0.5]] for k in range(30)}),
        lambda: plots.learning_rates(rates=np.linspace(0.01, 1, 30).tolist()),
        lambda: plots.ewa(beta=np.linspace(0, 0.9, 15)),
        lambda: plots.loss_surface(bowl, paths={f"number {k}": [[k, 0], [0, 1]] for k in range(30)}),
    ],
)
def test_many_names_leave_the_axes_their_size_and_fit_beside_each_other(draw):
    ax = draw()
    ax.figure.canvas.draw()
    assert ax.get_position().height > 0.8
    assert len(ax.get_legend().get_texts()) == 30
    assert ax.get_legend().get_window_extent().height < ax.get_window_extent().height


def test_names_with_an_underscore_are_in_the_legend():
    ax = plots.loss_by_step(bowl, {"_a": [[1.0]], "b": [[1.0]]})
    assert [text.get_text().strip() for text in ax.get_legend().get_texts()] == ["_a", "b"]


def test_on_dark_paper_nothing_is_black():
    with plt.style.context("dark_background"):
        ax = plots.loss_by_step(bowl, {f"optimizer {k}": [[k + 1.0], [0.5]] for k in range(7)})
        history = History()
        history.append(loss=1.0)
        history.best_epoch = 1
        best = history.plot()
    for line in (*ax.get_lines(), *best.get_lines()):
        assert max(matplotlib.colors.to_rgb(line.get_color())) > 0.4

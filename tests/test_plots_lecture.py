"""The lecture's pictures: the numbers in what is drawn are those of the formulas and of real runs."""

import itertools

import numpy as np
import pytest

import schuss as sc
from schuss import plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")


def named(ax):
    return {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}


def panels(count):
    return list(plt.figure().subplots(1, count, squeeze=False)[0])


class TestLearningRates:
    def test_each_curve_is_a_run_of_gradient_descent(self):
        ax = plots.learning_rates(steps=12)
        rates = {"too small": 0.02, "right": 0.3, "bouncing": 1.0, "diverging": 1.06}
        assert list(named(ax)) == [f"{name}: lr = {lr:g}" for name, lr in rates.items()]
        for line, lr in zip(named(ax).values(), rates.values(), strict=True):
            w = (1 - 2 * lr) ** np.arange(13)
            np.testing.assert_allclose(line.get_ydata(), w**2 + 0.1, rtol=1e-12)

    def test_do_what_their_names_say(self):
        small, right, bouncing, diverging = (
            line.get_ydata() for line in named(plots.learning_rates(steps=30)).values()
        )
        assert right[-1] < 0.1001 < 0.15 < small[-1] < small[0]
        np.testing.assert_allclose(bouncing, 1.1)
        assert (np.diff(diverging) > 0).all()

    def test_over_the_weight_the_steps_cross_the_minimum(self):
        axes = panels(4)
        assert plots.learning_rates(axes=axes, steps=5) == axes
        signs = [np.sign(ax.get_lines()[1].get_xdata()).tolist() for ax in axes]
        assert signs == [[1] * 6, [1] * 6, [1, -1] * 3, [1, -1] * 3]
        assert axes[1].get_title() == "right: lr = 0.3"
        for ax in axes:
            # The curve goes beyond the start, and as far on the other side of the minimum.
            curve, steps = (line.get_xdata() for line in ax.get_lines()[:2])
            assert min(curve) < -steps[0] < steps[0] < max(curve)

    def test_takes_functions_with_and_without_gradient(self):
        def bowl(w):
            return float(((w - 3) ** 2).sum())

        plain = plots.learning_rates(bowl, [0.0, 1.0], [0.1, 0.6], steps=4)
        both = plots.learning_rates(lambda w: (bowl(w), 2 * (w - 3)), [0.0, 1.0], [0.1, 0.6], steps=4)
        assert list(named(plain)) == ["lr = 0.1", "lr = 0.6"]
        for one, other in zip(named(plain).values(), named(both).values(), strict=True):
            np.testing.assert_allclose(one.get_ydata(), other.get_ydata(), atol=1e-6)

    @pytest.mark.filterwarnings("error")
    def test_a_rate_that_diverges_at_once_is_drawn(self):
        assert list(named(plots.learning_rates(rates=[1e300]))) == ["lr = 1e+300"]

    def test_each_rate_has_all_its_steps(self):
        ax = plots.learning_rates(rates=[0, 0.1, 0.5], steps=20)
        assert [len(line.get_xdata()) for line in ax.get_lines()] == [21] * 3
        assert set(ax.get_lines()[0].get_ydata()) == {1.1}

    def test_rates_that_look_alike_are_all_drawn(self):
        lines = named(plots.learning_rates(rates=[0.1, 0.1000001, 0.3]))
        assert list(lines) == ["lr = 0.1", "lr = 0.1 (2)", "lr = 0.3"]
        assert len(plots.learning_rates(rates=[0.1, 0.1], axes=panels(2))) == 2

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"fun": lambda w: 0.0}, "x0 and rates must be given with a function of your own"),
            ({"rates": []}, "rates must have at least one learning rate"),
            ({"rates": [-1.0]}, "rates must be a number of at least 0"),
            ({"rates": [0.1, np.inf]}, "rates must be finite numbers, got inf"),
            ({"axes": panels(3)}, "axes must be 4 axes, one for each learning rate, got 3"),
            ({"axes": panels(4), "ax": panels(1)[0]}, "axes must not be given beside ax"),
            ({"axes": panels(4), "x0": [1.0, 2.0]}, "axes must be None with 2 weights"),
        ],
    )
    def test_what_is_wrong_is_refused(self, given, words):
        with pytest.raises(ValueError, match=words):
            plots.learning_rates(**given)


class TestSchedules:
    def test_a_curve_is_the_schedule(self):
        cosine = sc.schedules.cosine(0.1, total_steps=50, warmup_steps=5)
        ax = plots.schedules({"cosine": cosine, "own": lambda step: 1 / (1 + step), "fixed": 0.05}, steps=50)
        steps = np.arange(50)
        lines = named(ax)
        np.testing.assert_array_equal(lines["cosine"].get_xydata(), np.column_stack([steps, cosine(steps)]))
        np.testing.assert_allclose(lines["own"].get_ydata(), 1 / (1 + steps))
        np.testing.assert_array_equal(lines["fixed"].get_ydata(), np.full(50, 0.05))

    def test_by_default_there_is_one_of_each_kind_that_falls(self):
        for steps in (1, 2, 3, 10, 100):
            lines = named(plots.schedules(steps=steps))
            assert len(lines) == 7
            assert all(len(line.get_ydata()) == steps for line in lines.values())
        looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines.values()}
        assert len(looks) == 7
        assert len({look[0] for look in looks}) == len({look[1:] for look in looks}) == 7

    def test_one_alone_or_a_list_is_called_by_what_it_is(self):
        schedule = sc.schedules.exponential(0.1, 0.5)
        assert list(named(plots.schedules(schedule))) == [repr(schedule)]
        assert list(named(plots.schedules([schedule, 0.1]))) == [repr(schedule), "0.1"]

    @pytest.mark.parametrize("wrong", [-0.1, lambda step: -0.1])
    def test_a_negative_rate_is_refused(self, wrong):
        with pytest.raises(ValueError, match=r"schedules must be a number of at least 0, got -0.1"):
            plots.schedules(wrong)

    @pytest.mark.parametrize(
        "wrong", [np.inf, 1e308, lambda step: np.inf if step else 1.0, sc.schedules.constant(1e308)]
    )
    def test_a_rate_that_no_axis_has_room_for_is_refused(self, wrong):
        with pytest.raises(
            ValueError, match=r"schedules must be numbers of at most 1e\+300, got (inf|1e\+308)"
        ):
            plots.schedules([0.1, wrong])

    def test_axes_with_schedules_on_them_get_further_ones_in_other_colours(self):
        ax = plots.schedules({"a": 0.1})
        plots.schedules({"b": 0.2}, ax=ax)
        assert len({line.get_color() for line in named(ax).values()}) == 2


class TestEwa:
    @pytest.mark.parametrize("steps", [1, 5, 100])
    def test_the_weights_of_the_past_are_those_of_the_formula(self, steps):
        plain, corrected = named(plots.ewa(beta=0.9, steps=steps)).values()
        expected = 0.1 * 0.9 ** np.arange(steps)
        np.testing.assert_array_equal(plain.get_xdata(), np.arange(steps))
        np.testing.assert_allclose(plain.get_ydata(), expected)
        np.testing.assert_allclose(corrected.get_ydata(), expected / (1 - 0.9**steps))
        assert corrected.get_ydata().sum() == pytest.approx(1)

    def test_the_weights_are_what_the_average_of_a_series_has(self):
        """Of a series that is 1 once, the last average is the weight of that time."""
        plain, corrected = (line.get_ydata() for line in named(plots.ewa(beta=0.8, steps=10)).values())
        for back in range(10):
            once = np.zeros(10)
            once[9 - back] = 1
            assert sc.ewa(once, 0.8)[-1] == pytest.approx(plain[back])
            assert sc.ewa(once, 0.8, bias_correction=True)[-1] == pytest.approx(corrected[back])

    def test_a_series_is_drawn_with_both_averages(self):
        series = np.random.default_rng(0).normal(20, 3, 40)
        lines = named(plots.ewa(series, beta=[0.5, 0.9]))
        np.testing.assert_array_equal(lines["series"].get_ydata(), series)
        # The first one is V_1.
        assert all(line.get_xdata().tolist() == list(range(1, 41)) for line in lines.values())
        for beta in (0.5, 0.9):
            np.testing.assert_array_equal(lines[f"β = {beta}"].get_ydata(), sc.ewa(series, beta))
            corrected = sc.ewa(series, beta, bias_correction=True)
            np.testing.assert_array_equal(lines[f"β = {beta}, bias corrected"].get_ydata(), corrected)

    def test_what_is_wrong_is_refused(self):
        with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got 1"):
            plots.ewa(beta=1)
        with pytest.raises(ValueError, match=r"series must have one dimension, got shape \(2, 2\)"):
            plots.ewa([[1.0, 2.0], [3.0, 4.0]])


class TestBatchRegimes:
    def small(self):
        random = np.random.default_rng(0)
        X = random.normal(size=(60, 2))
        return X, X @ [1.0, -2.0] + 0.1 * random.normal(size=60)

    def squares(self, w, X, y):
        residual = X @ w - y
        return residual @ residual / len(y), 2 * residual @ X / len(y)

    def test_each_curve_is_the_loss_of_a_run_on_all_rows(self):
        axes, data = panels(3), self.small()
        given = {"batch_sizes": [None, 1, 8], "optimizer": sc.SGD(lr=0.05), "steps": 50}
        assert plots.batch_regimes(self.squares, np.zeros(2), data, **given, axes=axes) == axes
        lines = named(axes[0])
        assert list(lines) == ["all rows", "one row", "batches of 8"]
        for line, size in zip(lines.values(), (None, 1, 8), strict=True):
            run = sc.minimize(
                self.squares,
                np.zeros(2),
                jac=True,
                optimizer=sc.SGD(lr=0.05),
                data=data,
                batch_size=size,
                max_steps=50,
                min_step=0,
            )
            np.testing.assert_array_equal(line.get_xdata(), np.arange(51))
            expected = [self.squares(w, *data)[0] for w in run.path]
            np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-12)
        # The target is 95 percent of the way down.
        (target,) = (line for line in axes[0].get_lines() if line.get_label() == "_target")
        start, lowest = expected[0], min(line.get_ydata().min() for line in lines.values())
        np.testing.assert_allclose(target.get_ydata(), start - 0.95 * (start - lowest), rtol=1e-12)
        for ax in axes[1:]:
            assert len(ax.patches) == 3
            assert len({bar.get_hatch() for bar in ax.patches}) == 3

    def test_the_picture_by_seconds_says_who_reached_the_target_and_who_did_not(self):
        data = self.small()
        ax = plots.batch_regimes(
            self.squares,
            np.zeros(2),
            data,
            batch_sizes=[None, 1],
            steps=3,
            target=0.1,
            optimizer=sc.SGD(lr=0.4),
        )
        assert ax.get_xscale() == "log"
        first, second = named(ax)
        assert "a step" in first
        assert "all rows" in first
        assert "to 0.1" in first
        assert "one row" in second
        run = sc.minimize(
            self.squares,
            np.zeros(2),
            jac=True,
            optimizer=sc.SGD(lr=0.4),
            data=data,
            max_steps=3,
        )
        seconds, losses = named(ax)[first].get_data()
        np.testing.assert_allclose(losses, run.path_fun[1:], rtol=1e-12)
        np.testing.assert_allclose(seconds / seconds[0], [1, 2, 3])
        never = plots.batch_regimes(self.squares, np.zeros(2), data, steps=3, target=-1.0)
        assert all(name.endswith("not reached") for name in named(never))

    @pytest.mark.filterwarnings("ignore:overflow")
    @pytest.mark.filterwarnings("ignore:invalid")
    @pytest.mark.parametrize("sizes", [[1, None], [None, 1]])
    def test_a_run_that_diverges_leaves_the_others_their_target(self, sizes):
        def fun(w, rows):
            loss = w**2 if len(rows) > 1 or w == 1 else w * np.nan
            return loss, 2 * w

        axes = panels(3)
        plots.batch_regimes(fun, 1.0, np.zeros(4), batch_sizes=sizes, steps=50, axes=axes)
        (target,) = (line for line in axes[0].get_lines() if line.get_label() == "_target")
        assert np.isfinite(target.get_ydata()).all()

    def test_many_bars_are_told_apart(self):
        figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained")
        sizes = [None, 1, 2, 4, 8, 16, 32]
        data = self.small()
        plots.batch_regimes(self.squares, np.zeros(2), data, batch_sizes=sizes, steps=20, axes=list(axes))
        figure.canvas.draw()
        for ax in axes[1:]:
            for texts in (ax.get_xticklabels(), ax.texts):
                boxes = [text.get_window_extent() for text in texts]
                assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
            assert all(text.get_window_extent().y1 < ax.get_window_extent().y1 for text in ax.texts)

    def test_a_batch_without_a_gradient_is_no_end(self):
        def hinge(w, rows):
            wrong = rows * w < 1
            return np.where(wrong, 1 - rows * w, 0).mean(), -(rows * wrong).mean()

        axes, rows = panels(3), np.array([1.0, -1.0, 1.0, 1.0])
        plots.batch_regimes(hinge, 2.0, rows, batch_sizes=[1, 2], steps=30, axes=axes)
        assert [line.get_xdata()[-1] for line in named(axes[0]).values()] == [30, 30]
        # Of all rows it is one.
        axes = panels(3)
        plots.batch_regimes(hinge, 2.0, np.ones(4), batch_sizes=[None, 4], steps=30, axes=axes)
        assert [line.get_xdata()[-1] for line in named(axes[0]).values()] == [0, 0]

    def test_a_schedule_takes_its_length_from_the_steps(self):
        optimizer = sc.SGD(lr=sc.schedules.cosine(0.1, warmup_steps=10))
        data = self.small()
        axes, given = panels(3), {"optimizer": optimizer, "batch_sizes": [None], "steps": 40}
        plots.batch_regimes(self.squares, np.zeros(2), data, axes=axes, **given)
        (line,) = named(axes[0]).values()
        assert line.get_xdata()[-1] == 40

    def test_functions_without_a_gradient_do(self):
        data = self.small()
        ax = plots.batch_regimes(
            lambda w, X, y: self.squares(w, X, y)[0], [0.0, 0.0], data, batch_sizes=[8], steps=20
        )
        assert len(named(ax)) == 1

    def test_rows_may_be_lists(self):
        def spread(w, x):
            return float(((x - w) ** 2).mean()), 2 * (w - x.mean())

        ax = plots.batch_regimes(spread, [0.0], [1.0, 2.0, 3.0, 4.0], batch_sizes=[None, 2], steps=5)
        assert len(named(ax)) == 2

    @pytest.mark.parametrize(
        ("given", "error", "words"),
        [
            ({"data": 3}, ValueError, "data must be an array, or a tuple of arrays, with rows, got 3"),
            ({"x0": "a"}, TypeError, "x0 must be an array of real numbers"),
        ],
    )
    def test_what_is_no_array_is_refused(self, given, error, words):
        with pytest.raises(error, match=words):
            plots.batch_regimes(self.squares, **{"x0": [0.0, 0.0], "data": self.small(), **given})

    def test_what_is_wrong_is_refused(self):
        with pytest.raises(ValueError, match="x0 and data must be given with a function of your own"):
            plots.batch_regimes(self.squares)
        with pytest.raises(ValueError, match="x0 must be None without a function of your own"):
            plots.batch_regimes(x0=[0.0, 0.0])
        with pytest.raises(ValueError, match="data must be None without a function of your own"):
            plots.batch_regimes(data=self.small())
        with pytest.raises(ValueError, match="batch_sizes must have at least one"):
            plots.batch_regimes(batch_sizes=[])
        with pytest.raises(ValueError, match="target must be a finite number, got inf"):
            plots.batch_regimes(target=np.inf)
        with pytest.raises(ValueError, match="axes must be three axes"):
            plots.batch_regimes(axes=panels(2))
        with pytest.raises(ValueError, match="axes must not be given beside ax"):
            plots.batch_regimes(axes=panels(3), ax=panels(1)[0])


@pytest.mark.parametrize(("seconds", "words"), [(0.0009996, "1 ms"), (0.9996, "1 s"), (0.0009994, "999 µs")])
def test_times_are_written_without_powers_of_ten(seconds, words):
    assert plots._regimes._time(seconds) == words


class TestActivations:
    @pytest.mark.parametrize("name", sc.ACTIVATIONS)
    def test_values_and_gradients_are_those_of_networks(self, name):
        values, slopes = (line.get_xydata() for line in plots.activations(name, (-3, 3)).get_lines())
        z, a = values.T
        net = sc.MLP([1, 1, 1], activation=name, dtype="float64")
        net.params[0][:] = 1
        hidden, _ = net.forward_layers(z[:, None])
        np.testing.assert_array_equal(a, hidden.a[:, 0])
        # At 0 some have a kink.
        step = 1e-6
        smooth = np.abs(z) > 1e-3
        ahead, behind = (net.forward_layers((z + each)[:, None])[0].a[:, 0] for each in (step, -step))
        np.testing.assert_allclose(slopes[smooth, 1], ((ahead - behind) / (2 * step))[smooth], atol=1e-7)

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("size", [1e16, 1e306])
    def test_huge_preactivations_have_their_gradients(self, size):
        values, slopes = (line.get_ydata() for line in plots.activations("relu", (-size, size)).get_lines())
        np.testing.assert_allclose(values, np.maximum(np.linspace(-size, size, 401), 0), rtol=1e-12)
        assert slopes.tolist() == [0.0] * 201 + [1.0] * 200

    @pytest.mark.filterwarnings("error")
    def test_bounds_that_are_infinitely_far_apart_are_refused(self):
        with pytest.raises(ValueError, match="bounds must be a finite range with low < high, got"):
            plots.activations(bounds=(-1e308, 1e308))

    def test_gradients_may_be_left_out(self):
        assert list(named(plots.activations(["relu", "mish"], gradients=False))) == ["relu", "mish"]

    def test_a_misspelt_name_is_refused(self):
        with pytest.raises(ValueError, match="names must be some of identity, relu"):
            plots.activations(["rleu"])


def test_no_settings_of_matplotlib_are_changed():
    before = dict(matplotlib.rcParams)
    plots.learning_rates()
    plots.schedules()
    plots.ewa()
    plots.activations()
    plots.animate(lambda w: (w**2).sum(), paths={"it": [2.0, 1.0, 0.5]}).to_html()
    plots.surface(lambda p: p[0] * p[1], ((-1, 1), (-1, 1)))
    assert dict(matplotlib.rcParams) == before

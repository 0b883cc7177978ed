"""`schuss.minimize`: test problems, stopping, the forms in which SciPy's users bring functions, L-BFGS."""

import contextvars
import copy
import os
import pickle
import signal
import sys
import threading
import time

import numpy as np
import pytest
import scipy.optimize

import schuss


def rosenbrock(x):
    a, b = 1 - x[0], x[1] - x[0] ** 2
    return a**2 + 100 * b**2, np.array([-2 * a - 400 * x[0] * b, 200 * b])


def beale(x):
    a, b = x
    r = [1.5 - a + a * b, 2.25 - a + a * b**2, 2.625 - a + a * b**3]
    return sum(q**2 for q in r), 2 * np.array(
        [
            sum(q * (b**k - 1) for k, q in enumerate(r, 1)),
            sum(q * k * a * b ** (k - 1) for k, q in enumerate(r, 1)),
        ]
    )


def booth(x):
    r, s = x[0] + 2 * x[1] - 7, 2 * x[0] + x[1] - 5
    return r**2 + s**2, np.array([2 * r + 4 * s, 4 * r + 2 * s])


def matyas(x):
    a, b = x
    return 0.26 * (a**2 + b**2) - 0.48 * a * b, np.array([0.52 * a - 0.48 * b, 0.52 * b - 0.48 * a])


def mccormick(x):
    a, b = x
    slope = np.cos(a + b)
    value = np.sin(a + b) + (a - b) ** 2 - 1.5 * a + 2.5 * b + 1
    return value, np.array([slope + 2 * (a - b) - 1.5, slope - 2 * (a - b) + 2.5])


def himmelblau(x):
    r, s = x[0] ** 2 + x[1] - 11, x[0] + x[1] ** 2 - 7
    return r**2 + s**2, np.array([4 * x[0] * r + 2 * s, 2 * r + 4 * x[1] * s])


def styblinski_tang(x):
    return 0.5 * (x**4 - 16 * x**2 + 5 * x).sum(), 0.5 * (4 * x**3 - 32 * x + 5)


# Name, function, start, the optimum downhill from there, value. Himmelblau has four optima of the same value.
PROBLEMS = [
    ("rosenbrock", rosenbrock, [-1.2, 1.0], [1.0, 1.0], 0.0),
    ("beale", beale, [2.8, 0.35], [3.0, 0.5], 0.0),
    ("booth", booth, [-9.0, -9.0], [1.0, 3.0], 0.0),
    ("matyas", matyas, [-3.0, 3.0], [0.0, 0.0], 0.0),
    ("mccormick", mccormick, [-2.0, 4.0], [-0.54719755, -1.54719755], -1.91322295),
    ("himmelblau", himmelblau, [5.0, -5.0], [3.58442834, -1.84812653], 0.0),
    ("styblinski_tang", styblinski_tang, [-1.0, -2.0, -3.0], [-2.90353403] * 3, -39.16616570 * 3),
]


def bowl(x):
    """Minimum 0 at 3 in every variable."""
    return float(((x - 3) ** 2).sum()), 2 * (x - 3)


@pytest.mark.parametrize(("name", "fun", "start", "optimum", "value"), PROBLEMS, ids=[p[0] for p in PROBLEMS])
class TestProblems:
    def test_gradient_is_right(self, name, fun, start, optimum, value):
        start = np.array(start)
        assert (
            scipy.optimize.check_grad(lambda x: fun(x)[0], lambda x: fun(x)[1], start)
            < 1e-4 * np.abs(fun(start)[1]).max()
        )
        assert np.abs(fun(np.array(optimum))[1]).max() < 1e-6

    def test_lbfgs(self, name, fun, start, optimum, value):
        if name == "mccormick":
            start = [0.0, 0.0]  # below -x for long steps along (-1, -1) the function has no minimum at all
        result = schuss.minimize(fun, start, jac=True, optimizer="lbfgs")
        assert result.success, result.message
        np.testing.assert_allclose(result.x, optimum, atol=1e-6)
        np.testing.assert_allclose(result.fun, value, atol=1e-7)
        assert result.nfev < 60

    def test_adam(self, name, fun, start, optimum, value):
        recipe = schuss.Adam(lr=0.1)
        result = schuss.minimize(fun, start, jac=True, optimizer=recipe, max_steps=20_000, min_step=1e-8)
        assert result.success, result.message
        np.testing.assert_allclose(result.x, optimum, atol=1e-5)
        np.testing.assert_allclose(result.fun, value, atol=1e-7)
        assert recipe.step_count == 0


def test_gradient_descent_solves_the_quadratics():
    for fun, start, optimum in [(booth, [-9.0, -9.0], [1, 3]), (matyas, [-3.0, 3.0], [0, 0])]:
        result = schuss.minimize(
            fun, start, jac=True, optimizer=schuss.SGD(lr=0.1), max_steps=5000, min_step=1e-9
        )
        assert result.success
        np.testing.assert_allclose(result.x, optimum, atol=1e-6)


def test_long_steps_take_himmelblau_to_the_far_optimum():
    result = schuss.minimize(himmelblau, [5.0, -5.0], jac=True, optimizer=schuss.SGD(lr=0.015), min_step=1e-9)
    np.testing.assert_allclose(result.x, [3, 2], atol=1e-8)


class TestStopping:
    def test_small_step_is_the_lecture_rule(self):
        result = schuss.minimize(bowl, [0.0], jac=True, optimizer=schuss.SGD(lr=0.1))
        sizes = 0.1 * np.abs(2 * (result.path[:, 0] - 3))
        assert (sizes[:-1] > 1e-3).all()
        assert sizes[-1] <= 1e-3
        assert (result.success, result.status, result.nit) == (True, 0, len(result.path) - 1)

    def test_default_is_gradient_descent(self):
        result = schuss.minimize(bowl, [0.0], jac=True, max_steps=2)
        np.testing.assert_allclose(result.path[:, 0], [0, 0.06, 0.1188], rtol=1e-14)

    @pytest.mark.parametrize("optimizer", ["lbfgs", schuss.SGD(lr=0.25)])
    def test_a_step_of_exactly_that_size_is_small(self, optimizer):
        how = {"jac": True, "optimizer": optimizer, "max_steps": 3}
        path = schuss.minimize(rosenbrock, [0.5, 0.75], min_step=0, **how).path
        size = float(np.linalg.norm(path[1] - path[0]))
        result = schuss.minimize(rosenbrock, [0.5, 0.75], min_step=size, **how)
        # L-BFGS has made the step, of others it is the one to come.
        assert (result.reason, result.nit) == ("converged", 1 if optimizer == "lbfgs" else 0)

    def test_max_steps(self):
        result = schuss.minimize(bowl, [0.0], jac=True, max_steps=7)
        assert (result.success, result.status, result.nit, result.nfev) == (False, 1, 7, 8)
        assert "7" in result.message
        assert schuss.minimize(bowl, [0.0], jac=True, max_steps=0).x == 0

    def test_scheduled_lr_counts(self):
        recipe = schuss.SGD(lr=lambda step: 0.1 if step < 5 else 1e-6)
        result = schuss.minimize(bowl, [0.0], jac=True, optimizer=recipe)
        assert (result.success, result.nit) == (True, 5)

    @pytest.mark.parametrize(
        "schedule",
        [
            schuss.schedules.warmup(0.1, 1000),
            schuss.schedules.warmup(0.1, 1000, 1e-6),
            schuss.schedules.cyclic(0.1, 1e-4, 500),
            schuss.schedules.join([1e-5, schuss.schedules.cosine(0.1, 500)], [700]),
        ],
    )
    @pytest.mark.parametrize("max_steps", [20_000, sys.maxsize])
    def test_a_schedule_that_still_rises_has_not_arrived(self, schedule, max_steps):
        recipe = schuss.SGD(lr=schedule)
        result = schuss.minimize(bowl, [0.0], jac=True, optimizer=recipe, max_steps=max_steps, min_step=1e-3)
        assert result.success
        largest = max(schedule(step) for step in range(result.nit, 1500))
        assert abs(largest * bowl(result.x)[1]) <= 1e-3

    @pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
    def test_callback_stops(self, optimizer):
        seen = []

        def watch(x):
            seen.append(x)
            return len(seen) == 3

        result = schuss.minimize(rosenbrock, [-1.2, 1.0], jac=True, optimizer=optimizer, callback=watch)
        assert (result.success, result.status, result.nit) == (False, 2, 3)
        np.testing.assert_array_equal(result.path[1:], seen)

    @pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
    def test_callback_with_intermediate_result(self, optimizer):
        def watch(intermediate_result):
            value, gradient = rosenbrock(intermediate_result.x)
            assert intermediate_result.fun == value
            np.testing.assert_array_equal(intermediate_result.jac, gradient)
            if intermediate_result.nit == 4:
                raise StopIteration

        result = schuss.minimize(rosenbrock, [-1.2, 1.0], jac=True, optimizer=optimizer, callback=watch)
        assert (result.status, result.nit) == (2, 4)

    def test_callback_errors_come_through(self):
        with pytest.raises(ZeroDivisionError):
            schuss.minimize(bowl, [0.0], jac=True, callback=lambda x: 1 / 0)

    @pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
    def test_max_time(self, optimizer):
        result = schuss.minimize(rosenbrock, [-1.2, 1.0], jac=True, optimizer=optimizer, max_time=0)
        assert (result.success, result.status, result.nit) == (False, 3, 0)
        np.testing.assert_array_equal(result.x, [-1.2, 1.0])

    @pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
    def test_ctrl_c_keeps_the_best(self, optimizer):
        calls = []

        def fun(x):
            calls.append(x)
            if len(calls) == 6:
                raise KeyboardInterrupt
            return rosenbrock(x)

        result = schuss.minimize(fun, [-1.2, 1.0], jac=True, optimizer=optimizer)
        assert (result.success, result.status) == (False, 6)
        assert result.fun == rosenbrock(result.x)[0] < rosenbrock(np.array([-1.2, 1.0]))[0]

    def test_ctrl_c_before_anything_is_known(self):
        def fun(x):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            schuss.minimize(fun, [0.0], jac=True)

    def test_divergence_ends_with_the_best(self):
        def fun(x):
            return bowl(x) if abs(x[0]) < 1e3 else (np.nan, x * np.nan)

        result = schuss.minimize(fun, [0.0], jac=True, optimizer=schuss.SGD(lr=1.5))
        assert (result.success, result.status) == (False, 4)
        np.testing.assert_array_equal(result.x, [0.0])
        assert np.isnan(result.path_fun[-1])

    @pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
    def test_start_that_is_not_finite(self, optimizer):
        with pytest.raises(schuss.NonFiniteError, match="x0"):
            schuss.minimize(lambda x: (np.inf, x), [1.0], jac=True, optimizer=optimizer)

    def test_best_so_far_is_returned(self):
        # At this rate gradient descent on a bowl jumps from side to side, further each time.
        result = schuss.minimize(bowl, [3.5], jac=True, optimizer=schuss.SGD(lr=1.05), max_steps=10)
        assert result.x == 3.5
        assert result.path_fun[0] == result.path_fun.min()


class TestForms:
    def test_jac_as_function_and_args(self):
        def fun(x, centre, weight):
            return weight * ((x - centre) ** 2).sum()

        def jac(x, centre, weight):
            return weight * 2 * (x - centre)

        result = schuss.minimize(fun, [0.0, 0.0], (4.0, 0.5), jac=jac, optimizer="lbfgs")
        np.testing.assert_allclose(result.x, [4, 4], atol=1e-8)
        assert result.nfev == result.njev

    @pytest.mark.parametrize(
        ("jac", "per_gradient", "tolerance"), [(None, 4, 1e-8), ("3-point", 4, 1e-8), ("2-point", 2, 1e-5)]
    )
    def test_finite_differences(self, jac, per_gradient, tolerance):
        result = schuss.minimize(lambda x: rosenbrock(x)[0], [-1.2, 1.0], jac=jac, max_steps=0)
        exact = rosenbrock(np.array([-1.2, 1.0]))[1]
        np.testing.assert_allclose(result.jac, exact, rtol=tolerance)
        assert result.nfev == 1 + per_gradient

    def test_differences_stay_within_bounds(self):
        def fun(x):
            assert (x >= 0).all(), x
            assert (x <= 2).all(), x
            return (x**1.5).sum()

        for jac in ("2-point", "3-point"):
            result = schuss.minimize(fun, [0.0, 1.0, 2.0], jac=jac, bounds=[(0, 2)] * 3, max_steps=0)
            np.testing.assert_allclose(result.jac, [0, 1.5, 1.5 * 2**0.5], atol=1e-2)

    def test_any_shape_and_precision(self):
        target = np.arange(6, dtype=np.float32).reshape(2, 3)

        def fun(x):
            assert x.shape == (2, 3)
            assert x.dtype == np.float32
            return ((x - target) ** 2).sum(), 2 * (x - target)

        for optimizer in (schuss.SGD(lr=0.2), "lbfgs"):
            result = schuss.minimize(
                fun, np.zeros((2, 3), np.float32), jac=True, optimizer=optimizer, min_step=1e-6
            )
            assert result.x.dtype == result.jac.dtype == np.float32
            np.testing.assert_allclose(result.x, target, atol=1e-5)
            assert result.path.shape == (result.nit + 1, 2, 3)

    def test_a_plain_number(self):
        result = schuss.minimize(lambda x: (x - 3) ** 2, 0.0, optimizer=schuss.SGD(lr=0.2))
        assert result.x.shape == ()
        assert abs(result.x - 3) < 0.01

    def test_nothing_to_do(self):
        result = schuss.minimize(lambda x: (0.0, x), np.empty(0), jac=True)
        assert result.success
        assert result.nit == 0

    def test_the_start_is_left_alone(self):
        start = np.array([1.0, 2.0])
        schuss.minimize(bowl, start, jac=True)
        np.testing.assert_array_equal(start, [1, 2])

    def test_fun_may_keep_and_change_what_it_gets(self):
        def fun(x):
            result = bowl(x)
            x[:] = np.nan
            return result

        np.testing.assert_allclose(schuss.minimize(fun, [0.0, 1.0], jac=True, optimizer="lbfgs").x, 3)

    def test_path_can_be_left_out(self):
        result = schuss.minimize(bowl, [0.0], jac=True, record=False)
        assert result.path is None
        assert result.path_fun is None

    def test_result_is_a_dict_with_attributes(self):
        result = schuss.minimize(bowl, [0.0], jac=True, max_steps=3)
        assert result["nit"] == result.nit == 3
        assert "nit" in dir(result)
        assert "message: " in repr(result)
        with pytest.raises(AttributeError, match="nit"):
            _ = result.hess


class TestBounds:
    def test_projection(self):
        bounds = [(0, 1), (None, 2), (4, None)]
        result = schuss.minimize(bowl, [9.0, 9.0, 9.0], jac=True, optimizer=schuss.SGD(lr=0.1), bounds=bounds)
        assert result.success
        np.testing.assert_array_equal(result.x, [1, 2, 4])
        assert (result.path >= [0, -np.inf, 4]).all()
        assert (result.path <= [1, 2, np.inf]).all()

    def test_scipy_bounds(self):
        bounds = scipy.optimize.Bounds(-1, [1, 5])
        result = schuss.minimize(
            bowl, [0.0, 0.0], jac=True, optimizer=schuss.Adam(lr=0.1), bounds=bounds, min_step=1e-6
        )
        np.testing.assert_allclose(result.x, [1, 3], atol=1e-4)


class TestScipy:
    @pytest.mark.parametrize("jac", [True, None])
    def test_as_method(self, jac):
        fun = rosenbrock if jac else lambda x: rosenbrock(x)[0]
        seen = []
        result = scipy.optimize.minimize(
            fun,
            [-1.2, 1.0],
            jac=jac,
            method=schuss.minimize,
            callback=seen.append,
            options={"optimizer": "lbfgs"},
        )
        assert result.success
        assert len(seen) == result.nit
        np.testing.assert_allclose(result.x, [1, 1], atol=1e-5)

    def test_tol_args_and_bounds(self):
        result = scipy.optimize.minimize(
            lambda x, centre: ((x - centre) ** 2).sum(),
            [0.0, 0.0],
            args=(3.0,),
            jac=lambda x, centre: 2 * (x - centre),
            method=schuss.minimize,
            bounds=[(0, 2), (0, 9)],
            tol=1e-9,
            options={"optimizer": schuss.SGD(lr=0.1)},
        )
        assert result.success
        np.testing.assert_allclose(result.x, [2, 3], atol=1e-8)

    def test_maxiter_best_point_and_several_starts(self):
        """SciPy's name for the steps; a step that overshoots is not the result; starts go through options."""
        result = scipy.optimize.minimize(
            bowl,
            [5.0, 5.0],
            jac=True,
            method=schuss.minimize,
            options={"optimizer": schuss.SGD(lr=1.05), "maxiter": 3, "starts": [[40.0, 40.0]]},
        )
        assert (result.nit, result.status) == (3, 1)
        assert len(result.runs) == 2
        for run in result.runs:
            assert run.fun == run.path_fun[0] < run.path_fun[1]

    def test_batches_and_starts_are_as_without_it(self):
        """What SciPy remembers of a function that returns both is that of another batch, or thread."""
        random = np.random.default_rng(0)
        X = random.normal(size=(40, 3))
        y = X @ [1.0, -2.0, 0.5] + random.normal(size=40)

        def squares(w, X, y):
            residual = X @ w - y
            return residual @ residual / len(y), 2 * residual @ X / len(y)

        def hinge(w, rows):
            wrong = rows * w < 1
            return np.where(wrong, 1 - rows * w, 0).mean(), np.array([-(rows * wrong).mean()])

        for fun, x0, data in (
            (squares, np.zeros(3), (X, y)),
            (hinge, np.array([2.0]), np.array([1.0, 1, -1, 1])),
        ):
            options = {"data": data, "batch_size": 1, "max_steps": 30}
            own = schuss.minimize(fun, x0, jac=True, **options)
            result = scipy.optimize.minimize(fun, x0, jac=True, method=schuss.minimize, options=options)
            np.testing.assert_array_equal(result.path, own.path)
            assert (result.fun, result.nfev) == (own.fun, own.nfev)
            np.testing.assert_array_equal(result.jac, own.jac)

        def slow(x):
            time.sleep(1e-4)
            return bowl(x)

        starts = list(random.normal(size=(7, 2)))
        options = {"starts": starts, "max_steps": 20, "n_threads": 8}
        result = scipy.optimize.minimize(slow, [5.0, 5.0], jac=True, method=schuss.minimize, options=options)
        for run, start in zip(result.runs, [[5.0, 5.0], *starts], strict=True):
            np.testing.assert_array_equal(run.path, schuss.minimize(bowl, start, jac=True, max_steps=20).path)

    def test_constraints_are_refused(self):
        constraint = scipy.optimize.LinearConstraint(np.eye(1), 0, 1)
        with pytest.raises(ValueError, match="constraints"):
            scipy.optimize.minimize(bowl, [0.0], jac=True, method=schuss.minimize, constraints=[constraint])


class TestBest:
    def test_of_equal_points_it_is_the_last(self):
        """A function that cannot tell them apart: the answer is where the rule was met."""

        def far_up(x):
            return 1e10 + float(((x - 3) ** 2).sum()), 2 * (x - 3)

        for optimizer in ("lbfgs", schuss.SGD(lr=0.1)):
            result = schuss.minimize(far_up, [3.0005], jac=True, optimizer=optimizer, min_step=1e-9)
            assert result.success
            np.testing.assert_array_equal(result.x, result.path[-1])
            assert abs(result.x[0] - 3) < 1e-7
            np.testing.assert_array_equal(result.jac, 2 * (result.x - 3))
        recipe = schuss.SGD(lr=0.1)
        result = schuss.minimize(far_up, [3.0005], jac=True, optimizer=recipe, max_steps=2, min_step=0)
        assert (result.reason, result.nit) == ("epochs", 2)
        np.testing.assert_array_equal(result.x, result.path[-1])

    def test_a_point_that_is_higher_by_rounding_is_the_answer(self):
        def far_up(x):
            # One unit in the last place more, anywhere but at the start.
            return 1e10 + 2e-6 * float(x[0] != 3.0005), 2 * (x - 3)

        result = schuss.minimize(far_up, [3.0005], jac=True, optimizer="lbfgs")
        assert result.success
        assert result.fun > 1e10
        np.testing.assert_array_equal(result.x, result.path[-1])

    @pytest.mark.parametrize("name", ["ema", "schedule-free"])
    @pytest.mark.parametrize("batch_size", [None, 2])
    def test_an_average_is_looked_at(self, name, batch_size):
        rows, start = np.random.default_rng(0).normal(size=(50, 2)), np.array([3.0, -3.0])
        # The one goes from side to side.
        recipe = schuss.SGD(lr=0.98, ema=0.9) if name == "ema" else schuss.ScheduleFreeSGD(lr=0.1)
        seen = []

        def mean(x, rows):
            seen.append(rows)
            return ((rows - x) ** 2).sum(axis=1).mean(), 2 * (x - rows.mean(axis=0))

        options = {"data": rows, "batch_size": batch_size, "max_steps": 60, "optimizer": recipe}
        result = schuss.minimize(mean, start, jac=True, min_step=0, **options)
        x = start.copy()
        by_hand = recipe.bind(x)
        for batch in seen[:60]:
            by_hand.step(2 * (x - batch.mean(axis=0)))
        average = by_hand.averaged_params()
        value = mean(average, rows)[0]
        lowest = min(result.path_fun)
        is_lower = value <= lowest
        assert batch_size or is_lower == (name == "ema")
        if batch_size or is_lower:
            np.testing.assert_array_equal(result.x, average)
            assert result.fun == value
            np.testing.assert_array_equal(result.jac, 2 * (average - rows.mean(axis=0)))
        else:
            assert result.fun == lowest
        assert result.nfev == 62

    def test_an_average_with_a_point_that_is_not_finite_does_not_count(self):
        def fun(x, rows):
            return (float(-x) if x < 2 else np.nan), np.array(-1.0)

        result = schuss.minimize(
            fun, 0.0, jac=True, data=np.zeros(10), batch_size=1, optimizer=schuss.SGD(lr=0.9, ema=0.1)
        )
        assert result.reason == "not_finite"
        assert (result.x, result.fun) == (1.8, -1.8)

    def test_a_function_that_is_not_finite_on_all_rows_is_no_success(self):
        rows = np.r_[np.zeros(999), 1.0]

        def fun(x, rows):
            with np.errstate(invalid="ignore"):
                return np.where(rows > 0, np.log(x), x * x).mean(), np.where(rows > 0, 1 / x, 2 * x).mean()

        result = schuss.minimize(
            fun, -1.0, jac=True, data=rows, batch_size=1, max_steps=5, starts=[2.0], n_threads=1
        )
        assert [run.reason for run in result.runs] == ["not_finite", "epochs"]
        assert result.fun == result.runs[1].fun
        assert np.isfinite(result.fun)

    def test_a_number_may_be_that_of_another_library(self):
        class Tensor:
            """As PyTorch's: `size` is a method."""

            def __init__(self, numbers):
                self.numbers = np.asarray(numbers)

            def __array__(self, dtype=None, copy=None):
                return np.array(self.numbers, dtype)

            def size(self):
                return self.numbers.shape

        def fun(x):
            return Tensor(((x - 3) ** 2).sum()), Tensor(2 * (x - 3))

        result = schuss.minimize(fun, [0.0, 1.0], jac=True, optimizer=schuss.SGD(lr=0.1))
        np.testing.assert_allclose(result.x, 3, atol=0.02)
        with pytest.raises(ValueError, match="fun must return one number"):
            schuss.minimize(lambda x: (Tensor([1.0, 2.0]), x), [0.0, 1.0], jac=True)


class TestStarts:
    STARTS = ([3.0, 3.0], [-4.0, 1.0])

    @pytest.mark.parametrize("bounds", [None, [(0, 5), (0, 5)]])
    def test_they_have_the_shape_of_x0(self, bounds):
        for starts in (np.array([1.0, 2.0]), [[1.0, 2.0], [1.0]]):
            with pytest.raises(ValueError, match=r"starts\[[01]\] must have x0's shape \(2,\), got \("):
                schuss.minimize(bowl, [0.0, 0.0], jac=True, starts=starts, bounds=bounds)

    def test_one_where_the_function_is_not_finite_is_named(self):
        with pytest.raises(schuss.NonFiniteError, match=r"at the start: fun\(starts\[0\]\) = nan"):
            schuss.minimize(lambda x: np.sqrt(x) if x > 0 else np.nan, 1.0, starts=[-1.0])

    def test_the_best_of_all(self):
        result = schuss.minimize(
            styblinski_tang, [3.0, -3.0], jac=True, optimizer="lbfgs", starts=self.STARTS
        )
        assert len(result.runs) == 3
        assert result.fun == min(run.fun for run in result.runs)
        for run, start in zip(result.runs, ([3.0, -3.0], *self.STARTS), strict=True):
            np.testing.assert_array_equal(run.path[0], start)
            alone = schuss.minimize(styblinski_tang, start, jac=True, optimizer="lbfgs")
            np.testing.assert_array_equal(run.path, alone.path)

    def test_they_run_at_once(self):
        # Each start waits for the other two: one after the other would break the barrier.
        together = threading.Barrier(3, timeout=20)

        def fun(x):
            together.wait()
            return bowl(x)

        result = schuss.minimize(fun, [0.0, 0.0], jac=True, max_steps=0, starts=self.STARTS, n_threads=3)
        assert [run.nfev for run in result.runs] == [1, 1, 1]

    def test_without_threads_they_run_one_after_the_other(self, monkeypatch):
        def refused(thread):
            raise RuntimeError("can't start new thread")

        def fun(x):
            calls.append(threading.get_ident())
            if len(calls) == limit:
                raise error
            return bowl(x)

        calls, limit, error = [], 0, None
        options = {"jac": True, "max_steps": 10, "starts": self.STARTS}
        expected = schuss.minimize(fun, [0.0, 0.0], **options)
        monkeypatch.setattr(threading.Thread, "start", refused)
        calls.clear()
        result = schuss.minimize(fun, [0.0, 0.0], **options)
        assert set(calls) == {threading.get_ident()}
        for run, other in zip(result.runs, expected.runs, strict=True):
            np.testing.assert_array_equal(run.x, other.x)
        calls, limit, error = [], 5, KeyboardInterrupt
        result = schuss.minimize(fun, [0.0, 0.0], **options)
        assert result.runs[-1].reason is schuss.Stop.INTERRUPTED
        assert (result.runs[-1].nit, len(calls)) == (0, 7)  # each of the others has met its start
        calls, limit, error = [], 5, ZeroDivisionError
        with pytest.raises(ZeroDivisionError):
            schuss.minimize(fun, [0.0, 0.0], **options)
        assert len(calls) == 7

    def test_an_error_in_one_ends_all(self):
        def fun(x):
            if x[0] < -3:
                raise ZeroDivisionError
            time.sleep(1e-3)
            return bowl(x)

        with pytest.raises(ZeroDivisionError):
            schuss.minimize(
                fun, [0.0, 0.0], jac=True, min_step=0, max_steps=10**9, starts=self.STARTS, n_threads=3
            )

    def test_they_have_the_context_of_the_caller(self):
        def fun(x):
            seen.add(context.get())
            return bowl(x)

        context, seen = contextvars.ContextVar("context", default="none"), set()
        context.set("the caller's")
        schuss.minimize(fun, [0.0, 0.0], jac=True, max_steps=3, starts=self.STARTS)
        assert seen == {"the caller's"}

    @pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="confines itself to a core")
    def test_there_is_one_for_each_core_that_may_be_used(self):
        def fun(x):
            seen.add(threading.current_thread())
            time.sleep(1e-3)
            return bowl(x)

        everywhere, seen = os.sched_getaffinity(0), set()
        os.sched_setaffinity(0, {min(everywhere)})
        try:
            schuss.minimize(fun, [0.0, 0.0], jac=True, max_steps=3, starts=self.STARTS)
        finally:
            os.sched_setaffinity(0, everywhere)
        assert len(seen) == 1

    @pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
    def test_what_a_signals_handler_raises_ends_all(self):
        def ends(*_):
            raise SystemExit("asked to end")

        def fun(x):
            time.sleep(1e-3)
            calls.append(x)
            if len(calls) == 300:
                os.kill(os.getpid(), signal.SIGTERM)
            # Where nobody hears of it, the runs end here.
            if time.monotonic() > limit:
                raise TimeoutError
            return bowl(x)

        before, calls, limit = threading.active_count(), [], time.monotonic() + 20
        handler = signal.signal(signal.SIGTERM, ends)
        try:
            with pytest.raises(SystemExit, match="asked to end"):
                schuss.minimize(
                    fun, [0.0, 0.0], jac=True, min_step=0, max_steps=10**9, starts=self.STARTS, n_threads=3
                )
        finally:
            signal.signal(signal.SIGTERM, handler)
        assert time.monotonic() < limit
        assert threading.active_count() == before


async def later(x):
    raise AssertionError


class TestRefusals:
    @pytest.mark.parametrize(
        ("keywords", "error", "words"),
        [
            ({"x0": [np.nan]}, ValueError, "x0 must be finite"),
            ({"x0": [1j]}, TypeError, "x0 must be an array of real"),
            ({"x0": ["a"]}, TypeError, "x0 must be an array of real"),
            ({"starts": [[0.0], [np.inf]]}, ValueError, r"starts\[1\] must be finite"),
            ({"fun": 3}, TypeError, "fun must be callable, got int"),
            ({"fun": bowl, "jac": None}, ValueError, "fun must return"),
            ({"fun": lambda x: 1.0, "jac": True}, TypeError, "value, gradient"),
            ({"fun": lambda x: (1.0, [1.0, 2.0])}, ValueError, r"shape \(1,\), got \(2,\)"),
            ({"fun": lambda x: (1j, [1.0])}, TypeError, "real number"),
            ({"fun": lambda x: (1.0, [1j])}, TypeError, "real numbers"),
            ({"jac": "cs"}, ValueError, "jac must be"),
            ({"optimizer": "adams"}, ValueError, "optimizer must be one of .*adam.*lbfgs, got 'adams'"),
            ({"optimizer": 3}, TypeError, "optimizer must be an optimizer or its name"),
            ({"optimizer": schuss.SGD(maximize=True)}, ValueError, "maximize"),
            ({"min_step": -1}, ValueError, "min_step must be a number of at least 0, got -1"),
            ({"min_step": np.nan}, ValueError, "min_step"),
            ({"min_step": 1, "tol": 1}, ValueError, "tol and min_step"),
            ({"max_steps": -1}, ValueError, "max_steps"),
            ({"max_time": -1}, ValueError, "max_time"),
            ({"n_threads": 0}, ValueError, "n_threads"),
            ({"bounds": [(0, 1), (0, 1)]}, ValueError, "1 pairs, one for each variable, got 2"),
            ({"bounds": [(1, 0)]}, ValueError, "min <= max"),
            (
                {"bounds": [(0, 1)], "optimizer": "lbfgs"},
                ValueError,
                "bounds must be None with LBFGS.*L-BFGS-B",
            ),
            (
                {"bounds": [(0, 1)], "optimizer": schuss.ScheduleFreeAdamW()},
                ValueError,
                "bounds must be None with ScheduleFreeAdamW",
            ),
            (
                {"bounds": [(0, 1)], "optimizer": "schedulefreesgd"},
                ValueError,
                "bounds must be None with ScheduleFreeSGD",
            ),
            ({"callback": 3}, TypeError, "callback must be callable"),
            ({"callback": later}, TypeError, "callback must be run by a call, got the asynchronous function"),
            ({"hess": bowl}, ValueError, "hess must be None"),
        ],
    )
    def test_facts(self, keywords, error, words):
        with pytest.raises(error, match=words):
            schuss.minimize(**{"fun": bowl, "x0": [0.0], "jac": True, **keywords})


class TestLbfgs:
    def test_turns_back_from_the_edge_of_the_domain(self):
        # log is NaN (with NumPy's warning) or -inf outside; steps of length 1 lead there.
        def fun(x):
            with np.errstate(all="ignore"):
                return (x - 0.01 * np.log(x)).sum(), 1 - 0.01 / x

        result = schuss.minimize(fun, [5.0, 40.0], jac=True, optimizer="lbfgs")
        assert result.success
        np.testing.assert_allclose(result.x, 0.01, rtol=1e-5)
        assert np.isfinite(result.path_fun).all()

    def test_hundreds_of_variables_as_fast_as_scipy(self):
        def fun(x):
            a, b = 1 - x[:-1], x[1:] - x[:-1] ** 2
            gradient = np.zeros_like(x)
            gradient[:-1] = -2 * a - 400 * b * x[:-1]
            gradient[1:] += 200 * b
            return (a**2 + 100 * b**2).sum(), gradient

        start = np.tile([-1.2, 1.0], 50)
        ours = schuss.minimize(fun, start, jac=True, optimizer="lbfgs", max_steps=5000)
        options = {"maxiter": 10**5, "maxfun": 10**5, "ftol": 0, "gtol": 1e-8}
        theirs = scipy.optimize.minimize(fun, start, jac=True, method="L-BFGS-B", options=options)
        assert ours.success
        assert ours.nfev < 1.2 * theirs.nfev
        assert (np.diff(ours.path_fun) <= 1e-12).all()

    def test_a_wrong_gradient_is_noticed(self):
        result = schuss.minimize(lambda x: (bowl(x)[0], -bowl(x)[1]), [0.0], jac=True, optimizer="lbfgs")
        assert (result.success, result.status) == (False, 5)
        np.testing.assert_array_equal(result.x, [0.0])

    def test_min_step_is_the_length_of_the_last_step(self):
        result = schuss.minimize(rosenbrock, [-1.2, 1.0], jac=True, optimizer="lbfgs", min_step=0.05)
        lengths = np.linalg.norm(np.diff(result.path, axis=0), axis=1)
        assert lengths[-1] <= 0.05
        assert (lengths[:-1] > 0.05).all()

    def test_recipe(self):
        recipe = schuss.LBFGS(history_size=3, tolerance_grad=1e-3)
        assert repr(recipe).startswith("LBFGS(history_size=3, tolerance_grad=0.001,")
        for twin in (copy.deepcopy(recipe), pickle.loads(pickle.dumps(recipe))):
            assert twin == recipe != schuss.LBFGS()
            assert len({twin, recipe, schuss.LBFGS()}) == 2
        result = schuss.minimize(rosenbrock, [-1.2, 1.0], jac=True, optimizer=recipe)
        assert 1e-8 < np.abs(result.jac).max() <= 1e-3

    @pytest.mark.parametrize(
        "keywords",
        [
            {"history_size": 0},
            {"tolerance_grad": -1.0},
            {"tolerance_change": np.nan},
            {"c1": 0.0},
            {"c2": 1.0},
        ],
    )
    def test_refusals(self, keywords):
        with pytest.raises(ValueError, match=next(iter(keywords))):
            schuss.LBFGS(**keywords)


def test_a_step_is_as_long_as_its_factor_says():
    def slope(x):
        return 0.5 * float(x @ x), x.copy()

    for factor in (1, 100):
        recipe = schuss.SGD(lr=1e-3, lr_factor=factor)
        result = schuss.minimize(slope, [1.0], jac=True, optimizer=recipe, min_step=1e-5, max_steps=20_000)
        assert result.success
        np.testing.assert_allclose(abs(result.x), 1e-2 / factor, rtol=0.12)
    recipe = schuss.SGD(lr=1e-3, lr_factor=0)
    result = schuss.minimize(slope, [1.0], jac=True, optimizer=recipe, max_steps=100)
    assert (result.nit, result.x.tolist()) == (0, [1.0])


def slope_of_one(x):
    return float(x.sum()), np.ones_like(x)


@pytest.mark.parametrize("max_steps", [40, 43])
def test_a_schedule_is_as_long_as_the_steps_of_gathered_gradients(max_steps):
    recipe = schuss.SGD(lr=schuss.schedules.linear(0.1), accumulate=4)
    result = schuss.minimize(slope_of_one, [0.0], jac=True, optimizer=recipe, max_steps=max_steps, min_step=0)
    rates = -np.diff(result.path[:, 0])
    expected = schuss.schedules.linear(0.1, total_steps=10)(np.arange(10))
    np.testing.assert_allclose(rates[rates != 0], expected, rtol=1e-12)
    assert result.nit == max_steps


def test_a_rise_to_come_is_found_among_the_steps_of_gathered_gradients():
    # Each gradient goes the way of the one before; the rate is tiny at first, and so are the steps.
    recipe = schuss.SGD(lr=schuss.schedules.one_cycle(0.1, start=1e-9), accumulate=4)
    result = schuss.minimize(slope_of_one, [0.0], jac=True, optimizer=recipe, max_steps=400, min_step=1e-3)
    rate = schuss.schedules.one_cycle(0.1, total_steps=100, start=1e-9)
    first_small = next(step for step in range(30, 100) if rate(step) <= 1e-3)
    assert (result.reason, result.nit) == ("converged", 4 * first_small)


def test_a_plateau_hears_of_each_point_once():
    def square(x):
        return float((x - 3) ** 2), 2 * (x - 3)

    recipe = schuss.SGD(lr=schuss.schedules.plateau(0.05, factor=0.1, patience=2), accumulate=4)
    result = schuss.minimize(square, 0.0, jac=True, optimizer=recipe, max_steps=400, min_step=1e-6)
    assert abs(result.x - 3) < 1e-3


def test_a_batch_that_is_only_gathered_ends_nothing():
    rows = np.array([2.0, 2.0, -3.0, 2.0])  # the third is a batch without a gradient at the start

    def shifted(x, batch):
        return float(x * (batch + 3).sum()), np.array((batch + 3).sum())

    recipe = schuss.SGD(lr=0.1, accumulate=4)
    how = {"data": rows, "batch_size": 1, "min_step": 1e-3, "max_steps": 9, "optimizer": recipe}
    seeds = [seed for seed in range(20) if schuss.minimize(shifted, 0.0, jac=True, seed=seed, **how).nit < 9]
    firsts = [seed for seed in seeds if schuss.minimize(shifted, 0.0, jac=True, seed=seed, **how).nit % 4]
    assert seeds
    assert not firsts


def test_the_group_that_has_x_decides():
    def value(x):
        return float(x @ x)

    how = {"jac": lambda x: 2 * x, "min_step": 1e-5, "max_steps": 1000}
    grouped = schuss.SGD([{"params": "*", "lr": 0.1}], lr=1e-6)
    want = schuss.minimize(value, [1.0], optimizer=schuss.SGD(lr=0.1), **how)
    got = schuss.minimize(value, [1.0], optimizer=grouped, **how)
    assert want.success
    assert (got.success, got.nit, got.x.tolist()) == (True, want.nit, want.x.tolist())
    uphill = schuss.SGD([{"params": "*", "maximize": True}], lr=0.1)
    with pytest.raises(ValueError, match="optimizer must not maximize"):
        schuss.minimize(value, [1.0], optimizer=uphill, **how)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("unit", [2.0**-10, 2.0**10, 2.0**50])
def test_lbfgs_does_not_depend_on_the_unit_of_the_function(dtype, unit):
    def at(unit):
        curvature = np.array([1, 10, 100, 1000], dtype)
        recipe = schuss.LBFGS(tolerance_grad=0, tolerance_change=0)
        result = schuss.minimize(
            lambda x: (dtype(unit) * 0.5 * np.sum(curvature * x * x), dtype(unit) * curvature * x),
            np.ones(4, dtype),
            jac=True,
            optimizer=recipe,
            max_steps=12,
        )
        return result.x, result.nfev

    (want, evaluations), (got, others) = at(2.0**20), at(2.0**20 * unit)
    assert evaluations == others
    np.testing.assert_array_equal(got, want)

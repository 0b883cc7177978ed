"""Minimising a function of rows by steps that look at some of them."""

import numpy as np
import pytest

import schuss as sc
from schuss._batches import Batches

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 3))
TRUE = np.array([1.0, -2.0, 0.5])
Y = X @ TRUE + 0.1 * RANDOM.normal(size=50)


def squares(w, X, y):
    residual = X @ w - y
    return residual @ residual / len(y), 2 * residual @ X / len(y)


class TestBatches:
    @pytest.mark.parametrize("size", [1, 7, 25, 49])
    def test_an_epoch_takes_each_row_once_in_an_order_of_its_own(self, size):
        batches = Batches((X, np.arange(50)), size, 0)
        per_epoch = -(-50 // size)
        orders = []
        for epoch in range(3):
            parts = [batches.of_step(epoch * per_epoch + batch) for batch in range(per_epoch)]
            assert [len(numbers) for _, numbers in parts[:-1]] == [size] * (per_epoch - 1)
            for rows, numbers in parts:
                np.testing.assert_array_equal(rows, X[numbers])
            orders.append(np.concatenate([numbers for _, numbers in parts]).tolist())
            assert sorted(orders[-1]) == list(range(50))
        assert orders[0] != orders[1] != orders[2]

    def test_a_batch_follows_from_number_and_seed_alone(self):
        forward, backward = Batches(Y, 8, 3), Batches(Y, 8, 3)
        there = [forward.of_step(step)[0] for step in range(20)]
        back = [backward.of_step(step)[0] for step in reversed(range(20))]
        for one, other in zip(there, reversed(back), strict=True):
            np.testing.assert_array_equal(one, other)
        assert not np.array_equal(Batches(Y, 8, 4).of_step(0)[0], there[0])

    @pytest.mark.parametrize("size", [None, 50, 1000])
    def test_all_rows_are_as_they_came(self, size):
        batches = Batches((X, Y), size, 0)
        assert batches.is_whole
        assert batches.of_step(0)[0] is X


@pytest.mark.parametrize("batch_size", [1, 8, 32])
def test_the_path_is_the_loop_that_users_would_write(batch_size):
    run = sc.minimize(
        squares,
        np.zeros(3),
        jac=True,
        optimizer=sc.Adam(lr=0.05),
        data=(X, Y),
        batch_size=batch_size,
        seed=5,
        max_steps=120,
    )
    w, seen = np.zeros(3), []
    optimizer = sc.Adam(w, lr=0.05)
    steps_per_epoch = -(-50 // batch_size)
    for step in range(120):
        epoch, batch = divmod(step, steps_per_epoch)
        order = np.random.default_rng([5, epoch]).permutation(50)
        rows = order[batch * batch_size : (batch + 1) * batch_size]
        loss, gradient = squares(w, X[rows], Y[rows])
        np.testing.assert_array_equal(run.path[step], w)
        seen.append(loss)
        optimizer.step(gradient)
    np.testing.assert_array_equal(run.path_fun[:-1], seen)
    np.testing.assert_array_equal(run.path[-1], w)
    # The last point, though a batch before it may have had a smaller loss.
    np.testing.assert_array_equal(run.x, w)
    loss, gradient = squares(w, X, Y)
    assert run.fun == loss
    np.testing.assert_array_equal(run.jac, gradient)
    assert run.fun > run.path_fun.min()
    assert (run.nit, run.status, run.reason) == (120, 1, "epochs")


def test_all_rows_are_the_function_of_all_rows():
    options = {"jac": True, "optimizer": sc.SGD(lr=0.1), "max_steps": 500}
    given = sc.minimize(squares, np.zeros(3), data=(X, Y), **options)
    plain = sc.minimize(lambda w: squares(w, X, Y), np.zeros(3), **options)
    np.testing.assert_array_equal(given.path, plain.path)
    assert given.success
    assert given.message == plain.message
    np.testing.assert_array_equal(sc.minimize(squares, np.zeros(3), (X, Y), **options).x, plain.x)


@pytest.mark.parametrize("jac", [None, "2-point", "3-point", "callable"])
def test_differences_and_gradients_are_of_the_same_batch(jac):
    exact = sc.minimize(squares, np.zeros(3), jac=True, data=(X, Y), batch_size=4, max_steps=60)
    found = sc.minimize(
        lambda w, X, y: squares(w, X, y)[0],
        np.zeros(3),
        jac=(lambda w, X, y: squares(w, X, y)[1]) if jac == "callable" else jac,
        data=(X, Y),
        batch_size=4,
        max_steps=60,
    )
    np.testing.assert_allclose(found.path, exact.path, atol=1e-6)


def test_further_arguments_come_after_the_rows():
    seen = []

    def fun(w, rows, factor, power):
        seen.append((rows.shape, factor, power))
        return factor * ((w - rows) ** power).mean()

    sc.minimize(fun, 0.0, (3.0, 2), data=Y, batch_size=16, max_steps=1)
    assert set(seen) == {((16,), 3.0, 2), ((50,), 3.0, 2)}


def test_a_batch_without_a_gradient_is_no_end():
    """The loss of a perceptron: rows that are right have none."""
    rows = np.array([1.0, -1.0, 1.0, 1.0])

    def fun(w, rows):
        wrong = rows * w < 1
        return np.where(wrong, 1 - rows * w, 0).mean(), -(rows * wrong).mean()

    options = {"jac": True, "data": rows, "batch_size": 1, "max_steps": 30}
    run = sc.minimize(fun, 2.0, **options)
    assert run.nit == 30
    assert (np.diff(run.path) == 0).any()
    assert sc.minimize(fun, 2.0, min_step=1e-3, **options).nit < 30


def test_a_run_resumes_to_the_same_bits(tmp_path):
    options = {"jac": True, "optimizer": sc.Adam(lr=0.05), "data": (X, Y), "batch_size": 8, "seed": 1}
    whole = sc.minimize(squares, np.zeros(3), max_steps=90, **options)
    file = tmp_path / "run"
    sc.minimize(squares, np.zeros(3), max_steps=37, checkpoint=file, **options)
    rest = sc.minimize(squares, np.zeros(3), max_steps=90, checkpoint=file, resume=True, **options)
    np.testing.assert_array_equal(rest.path, whole.path)
    np.testing.assert_array_equal(rest.path_fun, whole.path_fun)
    assert rest.fun == whole.fun
    assert (rest.nfev, rest.njev) == (whole.nfev, whole.njev)
    for changed in ({"seed": 2}, {"batch_size": 9}, {"data": (X, Y + 1)}):
        given = options | changed
        with pytest.raises(ValueError, match=r"seed|batch_size|data"):
            sc.minimize(squares, np.zeros(3), max_steps=90, checkpoint=file, resume=True, **given)


def test_several_starts_have_the_best_on_all_rows():
    starts = [np.full(3, 5.0), np.full(3, -5.0)]
    run = sc.minimize(
        squares, np.zeros(3), jac=True, starts=starts, data=(X, Y), batch_size=8, max_steps=200, n_threads=2
    )
    assert [each.fun for each in run.runs] == [squares(each.x, X, Y)[0] for each in run.runs]
    assert run.fun == min(each.fun for each in run.runs)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batch_size": 4, "data": None}, "batch_size must be None without data, got 4"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ({"seed": -1}, "seed must be an integer of at least 0, got -1"),
        ({"data": (X, Y[:-1])}, r"data must be arrays of equally many rows, at least one, got \[50, 49\]"),
        ({"data": np.zeros((0, 3))}, r"data must be arrays of equally many rows, at least one, got \[0\]"),
        ({"data": 3.0}, "data must be an array, or a tuple of arrays, with rows, got 3.0"),
        ({"data": ()}, "data must be an array, or a tuple of arrays, with rows"),
        ({"optimizer": sc.LBFGS()}, "batch_size must be None with LBFGS, which looks at all rows, got 8"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_called(wrong, words):
    def fun(*_):
        raise AssertionError("called")

    with pytest.raises(ValueError, match=words):
        sc.minimize(fun, np.zeros(3), **({"data": (X, Y), "batch_size": 8} | wrong))


def test_lbfgs_takes_all_rows():
    run = sc.minimize(squares, np.zeros(3), jac=True, optimizer="lbfgs", data=(X, Y))
    np.testing.assert_allclose(run.x, np.linalg.lstsq(X, Y, rcond=None)[0], rtol=1e-6)


def test_runs_side_by_side_have_batches_of_their_own_epochs():
    class Shared(Batches):
        """After every second look at the order, another run has one of another epoch put there."""

        looks = 0

        @property
        def _order(self):
            order = self.kept
            self.looks += 1
            if self.looks % 2:
                self.kept = 99, np.arange(50)[::-1]
            return order

        @_order.setter
        def _order(self, order):
            self.kept = order

    shared, alone = Shared(Y, 8, 3), Batches(Y, 8, 3)
    for step in range(20):
        np.testing.assert_array_equal(shared.of_step(step)[0], alone.of_step(step)[0])

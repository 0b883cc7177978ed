"""What a network's predictions are measured by, against scikit-learn and plain NumPy."""

import numpy as np
import pytest

import schuss as sc

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 4))
NUMBERS = X @ rng.normal(size=(4, 2)) + rng.normal(size=(300, 2))
CLASSES = rng.integers(0, 3, 300)
WEIGHTS = rng.uniform(0.1, 2, 300)


def seconds(y, predictions):
    return 0.0


def val_error(y, predictions):
    return 0.0


class Unnamed:
    __name__ = 5

    def __call__(self, y, predictions):
        return 0.0


def trained(outputs, y, loss, **options):
    net = sc.MLP([4, 8, outputs], loss=loss, **options)
    net.fit(X, y, epochs=3)
    return net


class TestOfClasses:
    def test_probabilities_and_classes_of_several_classes(self):
        net = trained(3, CLASSES, "cross_entropy")
        proba = net.predict_proba(X)
        assert np.array_equal(proba, net.predict(X))
        classes = net.predict_classes(X)
        assert classes.dtype == np.int64
        assert np.array_equal(classes, proba.argmax(axis=1))

    def test_one_half_is_the_second_of_two_classes(self):
        net = sc.MLP([4, 1], loss="binary_cross_entropy")
        net.theta[:] = 0
        assert (net.predict(X) == 0.5).all()
        assert (net.predict_classes(X) == 1).all()
        assert net.score(X, np.ones(300)) == 1
        assert net.score(X, np.zeros(300)) == 0

    def test_one_output_has_a_column_for_each_of_two_classes(self):
        net = trained(1, CLASSES % 2, "binary_cross_entropy")
        p = net.predict(X)
        assert np.array_equal(net.predict_proba(X), np.column_stack([1 - p, p]))
        assert np.array_equal(net.predict_classes(X), (p >= 0.5).astype(np.int64))

    def test_one_output_of_targets_with_a_column_has_the_same(self):
        net = trained(1, (CLASSES % 2)[:, None], "binary_cross_entropy")
        assert net.predict(X).shape == (300, 1)
        assert net.predict_proba(X).shape == (300, 2)
        assert net.predict_classes(X).shape == (300,)
        assert net.score(X, (CLASSES % 2)[:, None]) == net.score(X, CLASSES % 2)

    def test_labels_have_probabilities_of_their_own(self):
        labels = (NUMBERS > 0).astype(float)
        net = trained(2, labels, "binary_cross_entropy")
        assert np.array_equal(net.predict_proba(X), net.predict(X))
        assert np.array_equal(net.predict_classes(X), (net.predict(X) >= 0.5).astype(np.int64))
        right = (net.predict_classes(X) == labels).all(axis=1)
        assert net.score(X, labels) == right.mean()

    def test_other_losses_have_no_classes(self):
        net = sc.MLP([4, 2])
        for method in (net.predict_proba, net.predict_classes):
            with pytest.raises(ValueError, match=r"needs a loss of classes, 'cross_entropy' or .* is 'mse'"):
                method(X)


class TestAgainstScikitLearn:
    metrics = pytest.importorskip("sklearn.metrics")

    def test_accuracy(self):
        net = trained(3, CLASSES, "cross_entropy")
        for weights in (None, WEIGHTS):
            expected = self.metrics.accuracy_score(CLASSES, net.predict_classes(X), sample_weight=weights)
            assert net.score(X, CLASSES, sample_weight=weights) == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("loss", ["mse", "huber", "sse"])
    def test_of_numbers(self, loss):
        net = trained(2, NUMBERS, loss, dtype="float64")
        for weights in (None, WEIGHTS):
            told = net.evaluate(X, NUMBERS, metrics=["r2", "mse", "rmse", "mae"], sample_weight=weights)
            pair, keys = (NUMBERS, net.predict(X)), {"sample_weight": weights}
            mse = self.metrics.mean_squared_error(*pair, **keys)
            expected = {
                "loss": net.loss(X, NUMBERS, sample_weight=weights),
                "r2": self.metrics.r2_score(*pair, **keys),
                "mse": mse,
                "rmse": np.sqrt(mse),
                "mae": self.metrics.mean_absolute_error(*pair, **keys),
            }
            assert list(told) == list(expected)
            assert told == pytest.approx(expected, rel=1e-12)
            assert net.score(X, NUMBERS, sample_weight=weights) == told["r2"]

    def test_r2_of_equal_targets_is_nan(self):
        net = sc.MLP([4, 1])
        assert np.isnan(net.score(X, np.full(300, 3.0)))


class TestRecorded:
    def test_of_rows_and_validation_data_after_each_epoch(self):
        net = sc.MLP([4, 8, 3], loss="cross_entropy")
        seen = []
        history = net.fit(
            X,
            CLASSES,
            validation_data=(X[:50], CLASSES[:50]),
            metrics=["accuracy"],
            epochs=4,
            callbacks=lambda info: seen.append(
                (info.net.score(X, CLASSES), info.net.score(X[:50], CLASSES[:50]))
            ),
        )
        assert list(zip(history["accuracy"], history["val_accuracy"], strict=True)) == seen

    def test_they_change_no_bit(self):
        nets = [sc.MLP([4, 8, 2]) for _ in range(2)]
        for net, metrics in zip(nets, ([], "mae"), strict=True):
            net.fit(X, NUMBERS, epochs=3, metrics=metrics)
        assert np.array_equal(nets[0].theta, nets[1].theta)

    def test_functions_are_recorded_by_their_name(self):
        def worst(y, predictions):
            assert y.shape == predictions.shape == (300, 2)
            return np.abs(y - predictions).max()

        net = sc.MLP([4, 8, 2])
        history = net.fit(X, NUMBERS, epochs=2, metrics=worst)
        expected = np.abs(NUMBERS.astype(np.float32) - net.predict(X)).max()
        assert history["worst"][-1] == pytest.approx(expected, rel=1e-6)

    def test_of_classes_functions_get_indices(self):
        def share(y, predictions):
            assert y.dtype == np.int64
            assert predictions.shape == (300, 3)
            return (y == 1).mean()

        history = sc.MLP([4, 3], loss="cross_entropy").fit(X, CLASSES, epochs=1, metrics=share)
        assert history["share"] == [(CLASSES == 1).mean()]

    def test_with_lbfgs_and_blocks(self):
        net = sc.MLP([4, 8, 2])
        history = net.fit(X, NUMBERS, optimizer=sc.LBFGS(), epochs=3, metrics="r2")
        assert history["r2"][-1] == net.score(X, NUMBERS)
        blocks = lambda: iter([(X[:100], NUMBERS[:100]), (X[100:], NUMBERS[100:])])  # noqa: E731
        history = net.fit(blocks, epochs=2, optimizer="adam", validation_data=(X, NUMBERS), metrics="r2")
        assert history["val_r2"][-1] == net.score(X, NUMBERS)
        assert "r2" not in history

    @pytest.mark.parametrize(
        ("loss", "metrics", "error", "message"),
        [
            ("mse", "accuracy", ValueError, "must be of r2, mse, rmse, mae with the loss 'mse'"),
            ("mse", "f1", ValueError, "must be of accuracy, r2, mse, rmse, mae, or functions, got 'f1'"),
            ("mse", ["mae", "mae"], ValueError, "different names, got 'mae' twice"),
            ("mse", 3, TypeError, "metrics must be functions or names"),
            ("mse", [3], TypeError, "metrics must be names or functions, got 3"),
            ("mse", lambda y, p: 0.0, ValueError, "functions with a name"),
            ("mse", Unnamed(), ValueError, "functions with a name"),
            ("mse", seconds, ValueError, "called as a column of the history, got 'seconds'"),
            ("mse", val_error, ValueError, "called as a column of the history, got 'val_error'"),
            ("poisson", "accuracy", ValueError, "must be of r2, mse, rmse, mae with the loss 'poisson'"),
            ("cross_entropy", "mae", ValueError, "accuracy or functions with the loss 'cross_entropy'"),
        ],
    )
    def test_what_cannot_be_measured_is_refused(self, loss, metrics, error, message):
        net = sc.MLP([4, 2], loss=loss)
        y = np.zeros(300, int) if loss == "cross_entropy" else np.zeros((300, 2))
        before = net.theta.copy()
        with pytest.raises(error, match=message):
            net.fit(X, y, metrics=metrics)
        with pytest.raises(error, match=message):
            net.evaluate(X, y, metrics=metrics)
        assert np.array_equal(net.theta, before)

    def test_of_blocks_alone_they_are_refused(self):
        with pytest.raises(ValueError, match="metrics need validation_data where X is a source of blocks"):
            sc.MLP([4, 2]).fit(lambda: iter([(X, NUMBERS)]), metrics="r2")

    def test_a_function_may_have_any_name(self):
        def self(y, predicted):
            return 0.5

        assert sc.MLP([4, 2]).fit(X, NUMBERS, epochs=2, metrics=self)["self"] == [0.5, 0.5]

    def test_a_function_that_returns_no_number_is_named(self):
        def nothing(y, predictions):
            return None

        with pytest.raises(TypeError, match="metrics must return a number, got None from"):
            sc.MLP([4, 2]).fit(X, NUMBERS, metrics=nothing)

"""Pictures of networks: training curves, layers, decisions. The numbers are those of the network."""

import itertools
from typing import ClassVar

import numpy as np
import pytest

import schuss as sc
from schuss import plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")

X = np.random.default_rng(0).normal(size=(120, 2))
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)


def chosen(best_epoch, **columns):
    """A history that knows which epoch was the best."""
    history = sc.History()
    for values in zip(*columns.values(), strict=True):
        history.append(**dict(zip(columns, values, strict=True)))
    history.best_epoch = best_epoch
    return history


def named(ax):
    return {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}


def stars(ax):
    return [line.get_xydata().tolist() for line in ax.get_lines() if line.get_marker() == "*"]


class TestBestEpoch:
    LOSSES: ClassVar = {"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [5.0, 3.0, 3.5, 4.0]}

    def test_a_star_is_on_the_validation_loss_that_decided(self):
        ax = plots.learning_curve(chosen(2, **self.LOSSES))
        assert stars(ax) == [[[2, 3.0]]]
        assert [line.get_xdata() for line in ax.get_lines() if line.get_linestyle() == ":"] == [[2, 2]]
        assert ax.texts[0].get_text() == "best, epoch 2: val_loss 3"

    def test_without_validation_it_is_on_the_loss(self):
        assert stars(plots.learning_curve(chosen(4, loss=self.LOSSES["loss"]))) == [[[4, 1.0]]]

    def test_a_score_that_decided_is_drawn_with_its_own_scale(self):
        ax = plots.learning_curve(chosen(3, **self.LOSSES, score=[0.1, 0.5, 0.75, 0.6]))
        (right,) = (other for other in ax.figure.axes if other is not ax)
        assert right.get_ylabel() == "score"
        assert stars(right) == [[[3, 0.75]]]
        assert not stars(ax)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["loss", "val_loss", "score"]

    def test_only_what_has_a_name_is_in_the_legend_beside_a_score(self):
        ax = plt.figure().add_subplot()
        ax.axhline(1)
        for _ in range(2):
            plots.learning_curve(chosen(3, **self.LOSSES, score=[0.1, 0.5, 0.75, 0.6]), ax)
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names == ["loss", "val_loss", "loss", "val_loss", "score", "score"]

    def test_scores_of_two_histories_share_a_scale_and_have_their_own_colours(self):
        ax = plt.figure().add_subplot()
        for _ in range(2):
            plots.learning_curve(chosen(3, **self.LOSSES, score=[0.1, 0.5, 0.75, 0.6]), ax)
        (right,) = (other for other in ax.figure.axes if other is not ax)
        curves = [*named(ax).values(), *(line for line in right.get_lines() if line.get_label() == "score")]
        assert len({line.get_color() for line in curves}) == len(curves)

    def test_a_metric_that_is_called_score_has_not_decided(self):
        scores = {"score": [0.1, 0.5, 0.75, 0.6], "val_score": [0.1, 0.4, 0.2, 0.3]}
        assert stars(plots.learning_curve(chosen(2, **self.LOSSES, **scores))) == [[[2, 3.0]]]

    def test_is_that_of_a_training_that_stopped_early(self):
        net = sc.MLP([2, 32, 1], loss="binary_cross_entropy", seed=0)
        options = {"optimizer": sc.Adam(lr=0.05), "epochs": 200, "batch_size": 8, "patience": 5}
        history = net.fit(X, LABELS, validation_split=0.3, early_stopping=True, **options)
        ax = plots.learning_curve(history)
        assert stars(ax) == [[[history.best_epoch, min(history["val_loss"])]]]

    @pytest.mark.parametrize("early_stopping", [True, False])
    def test_is_the_one_that_an_estimator_ended_with(self, early_stopping):
        pytest.importorskip("sklearn")
        options = {"max_iter": 200, "n_iter_no_change": 5, "learning_rate_init": 0.05, "random_state": 0}
        model = sc.MLPClassifier(
            16, early_stopping=early_stopping, restore_best=True, batch_size=8, **options
        )
        history = model.fit(X, LABELS).history_
        ax = plots.learning_curve(history)
        if early_stopping:
            (right,) = (other for other in ax.figure.axes if other is not ax)
            assert stars(right) == [[[history.best_epoch, max(history["score"])]]]
            assert history["score"].index(max(history["score"])) + 1 == history.best_epoch
        else:
            assert stars(ax) == [[[history.best_epoch, min(history["loss"])]]]
        at_best = sc.MLPClassifier(16, early_stopping=early_stopping, batch_size=8, **options)
        at_best.set_params(max_iter=history.best_epoch, n_iter_no_change=1000, restore_best=False)
        with pytest.warns(UserWarning, match="Maximum iterations"):
            at_best.fit(X, LABELS)
        np.testing.assert_array_equal(at_best.coefs_[0], model.coefs_[0])

    def test_a_history_without_a_best_epoch_has_no_mark(self):
        history = chosen(None, **self.LOSSES, score=[0.1, 0.5, 0.75, 0.6])
        ax = plots.learning_curve(history)
        assert not stars(ax)
        assert len(ax.figure.axes) == 1
        assert len(plots.learning_curve(history, score="score").figure.axes) == 2

    def test_a_history_without_losses_has_no_mark(self):
        assert not plots.learning_curve(chosen(1, accuracy=[0.5])).get_lines()

    def test_a_score_that_is_not_there_is_refused(self):
        with pytest.raises(ValueError, match="score must be one of loss, val_loss, got 'score'"):
            plots.learning_curve(chosen(None, **self.LOSSES), score="score")


class TestLayers:
    def net(self, **options):
        return sc.MLP([2, 30, 20, 1], **{"activation": ["relu", "tanh"], "dtype": "float64"} | options)

    def heights(self, ax, count):
        """The counts of each histogram, the largest of which is 0.9 high."""
        curves = [line.get_ydata() for line in ax.get_lines() if len(line.get_ydata()) > 2]
        assert all(curve[-1] == curve[-2] for curve in curves)  # the right edge of the last bin
        curves = [curve[:-1] for curve in curves]
        return [(curve - (count - 1 - number)) / 0.9 for number, curve in enumerate(curves)]

    def test_histograms_are_those_of_the_activations(self):
        net = self.net()
        ax = plots.layer_activations(net, X)
        labels = [text.get_text() for text in ax.get_yticklabels()]
        assert labels == ["0: relu", "1: tanh", "2: output"]
        assert ax.get_yticks().tolist() == [2, 1, 0]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("activation", "layer")
        layers = net.forward_layers(X)
        everything = np.concatenate([layer.a.ravel() for layer in layers])
        edges = np.linspace(everything.min(), everything.max(), 61)
        for height, layer in zip(self.heights(ax, 3), layers, strict=True):
            counts = np.histogram(layer.a, edges)[0]
            np.testing.assert_allclose(height, counts / counts.max())

    def test_the_last_bin_is_as_wide_as_the_others(self):
        """What saturates is at both ends."""
        net = sc.MLP([2, 50, 1], activation="tanh", seed=0)
        net.params[0][:] *= 1000
        ax = plots.layer_activations(net, X)
        right = max(layer.a.max() for layer in net.forward_layers(X))
        filled = ax.collections[0].get_paths()[0].vertices
        base = filled[:, 1].min()
        tall = filled[filled[:, 1] > base + 0.1]
        assert tall[:, 0].max() - tall[tall[:, 0] > 0][:, 0].min() > 0.01 * (right + 1)

    def test_preactivations_are_those_before(self):
        net = self.net()
        ax = plots.layer_activations(net, X, preactivations=True)
        assert ax.get_xlabel() == "preactivation"
        layers = net.forward_layers(X)
        everything = np.concatenate([layer.z.ravel() for layer in layers])
        edges = np.linspace(everything.min(), everything.max(), 61)
        counts = np.histogram(layers[0].z, edges)[0]
        np.testing.assert_allclose(self.heights(ax, 3)[0], counts / counts.max())

    def test_gradients_are_those_of_the_loss_and_zeros_are_counted(self):
        net = self.net()
        net.named_params["0.bias"][:15] = -100.0  # half of the first layer is dead
        ax = plots.layer_gradients(net, X, LABELS)
        labels = [text.get_text() for text in ax.get_yticklabels()]
        assert labels == ["0.weight\n50% are 0", "1.weight\n50% are 0", "2.weight"]
        gradients = [np.abs(each) for each in net.loss_and_grads(X, LABELS)[1][::2]]
        sizes = [np.log10(each[each > 0]) for each in gradients]
        edges = np.linspace(min(map(np.min, sizes)), max(map(np.max, sizes)), 61)
        for height, size in zip(self.heights(ax, 3), sizes, strict=True):
            counts = np.histogram(size, edges)[0]
            np.testing.assert_allclose(height, counts / counts.max())

    def test_what_is_not_finite_is_counted(self):
        net = self.net()
        net.named_params["0.bias"][:15] = np.inf
        labels = [text.get_text() for text in plots.layer_activations(net, X).get_yticklabels()]
        assert labels[0] == "0: relu\n50% not finite"
        net.theta[:] = np.nan
        labels = [text.get_text() for text in plots.layer_gradients(net, X, LABELS).get_yticklabels()]
        assert labels == [f"{layer}.weight\n100% not finite" for layer in range(3)]

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("weight", [1e308, 1e250, 1.0])
    @pytest.mark.parametrize("rows", [[[-1.0], [0.0], [1.0]], [[1.0]]])
    def test_activations_of_any_size_are_drawn(self, rows, weight):
        net = sc.MLP([1, 2, 1], activation="identity", dtype="float64")
        for array in net.params:
            array[:] = 0
        net.params[0][:] = weight
        ax = plots.layer_activations(net, rows)
        ax.figure.canvas.draw()
        heights = [line.get_ydata() for line in ax.get_lines() if len(line.get_ydata()) == 61]
        assert [np.ptp(each).round(2) for each in heights] == [0.9, 0.9]

    def test_few_zeros_are_not_none_and_many_not_all(self):
        net = sc.MLP([2, 400, 1], dtype="float64")
        for dead, words in ((2, "<1%"), (398, ">99%")):
            net.named_params["0.bias"][:] = 100.0
            net.named_params["0.bias"][:dead] = -100.0
            labels = [text.get_text() for text in plots.layer_gradients(net, X, LABELS).get_yticklabels()]
            assert labels == [f"{layer}.weight\n{words} are 0" for layer in range(2)]

    def test_the_names_of_many_layers_do_not_overlap(self):
        ax = plots.layer_gradients(sc.MLP([2, *[8] * 25, 1]), X, LABELS)
        ax.figure.canvas.draw()
        boxes = [text.get_window_extent() for text in ax.get_yticklabels()]
        assert all(upper.y0 > lower.y1 - 1 for upper, lower in itertools.pairwise(boxes))

    def test_a_network_with_norms_and_sparse_rows(self):
        sparse = pytest.importorskip("scipy.sparse")
        net = self.net(norm="layer")
        plots.layer_activations(net, sparse.csr_array(X))
        labels = [text.get_text() for text in plots.layer_gradients(net, X, LABELS).get_yticklabels()]
        assert [label.split("\n")[0] for label in labels] == ["0.weight", "1.weight", "2.weight"]

    def test_what_is_wrong_is_refused(self):
        with pytest.raises(TypeError, match="net must be an MLP, got"):
            plots.layer_activations("net", X)
        with pytest.raises(ValueError, match="X must have at least one row, got none"):
            plots.layer_activations(self.net(), X[:0])


class TestDecisionBoundary:
    def regions(self, ax):
        """The class of each point of the grid, and the grid."""
        mesh = ax.collections[0]
        corners = mesh.get_coordinates()
        centres = (corners[:-1, :-1] + corners[1:, 1:]) / 2
        return np.asarray(mesh.get_array()).reshape(centres.shape[:2]), centres.reshape(-1, 2)

    def test_regions_are_what_a_network_predicts(self):
        net = sc.MLP([2, 16, 1], activation="tanh", loss="binary_cross_entropy", dtype="float64")
        net.fit(X, LABELS, optimizer=sc.Adam(lr=0.03), batch_size=20, epochs=40)
        ax = plots.decision_boundary(net, X, LABELS, resolution=50)
        found, points = self.regions(ax)
        np.testing.assert_array_equal(found.ravel(), net.predict(points) > 0.5)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("first input", "second input")
        for name in (0, 1):
            np.testing.assert_array_equal(named(ax)[str(name)].get_xydata(), X[name == LABELS])
        assert len({line.get_marker() for line in named(ax).values()}) == 2

    def test_one_half_is_in_the_region_of_the_class_that_the_network_says(self):
        net = sc.MLP([2, 1], loss="binary_cross_entropy")
        net.theta[:] = 0
        found, points = self.regions(plots.decision_boundary(net, X, LABELS, resolution=5))
        np.testing.assert_array_equal(found.ravel(), net.predict_classes(points))

    def test_regions_of_several_classes(self):
        labels = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
        net = sc.MLP([2, 16, 3], loss="cross_entropy", dtype="float64")
        net.fit(X, labels, optimizer=sc.Adam(lr=0.03), epochs=20)
        found, points = self.regions(plots.decision_boundary(net, X, resolution=30))
        np.testing.assert_array_equal(found.ravel(), net.predict(points).argmax(axis=1))

    def test_estimators_have_names_of_classes(self):
        pytest.importorskip("sklearn")
        words = np.array(["no", "yes"])[LABELS]
        model = sc.MLPClassifier(8, max_iter=30, random_state=0, learning_rate_init=0.02, tol=10).fit(
            X, words
        )
        ax = plots.decision_boundary(model, X, words, resolution=30)
        found, points = self.regions(ax)
        np.testing.assert_array_equal(model.classes_[found.ravel()], model.predict(points))
        assert list(named(ax)) == ["no", "yes"]

    @pytest.mark.filterwarnings("error")
    def test_columns_have_their_names_where_the_rows_have(self):
        pandas, linear = pytest.importorskip("pandas"), pytest.importorskip("sklearn.linear_model")
        frame = pandas.DataFrame(X, columns=["a", "b"])
        model = linear.LinearRegression().fit(frame, X[:, 0])
        plots.decision_boundary(model, frame, X[:, 0], resolution=5)

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("library", ["polars", "pyarrow"])
    def test_columns_of_any_library_have_their_names(self, library):
        from sklearn.neural_network import MLPClassifier

        table = pytest.importorskip(library)
        columns = dict(zip(["width", "height"], np.ascontiguousarray(X.T), strict=True))
        rows = table.DataFrame(columns) if library == "polars" else table.table(columns)
        model = MLPClassifier(max_iter=500, hidden_layer_sizes=(4,), random_state=0, solver="lbfgs")
        ax = plots.decision_boundary(model.fit(rows, LABELS), rows, LABELS, resolution=5)
        grid = ax.collections[0].get_array()
        assert grid.size == 25

    def test_classes_need_no_order_and_are_those_of_the_model(self):
        class Model:
            classes_ = ("yes", "no")

            def predict(self, rows):
                return np.where(rows[:, 0] > 0, "yes", words)

        words = "no"
        found, points = self.regions(plots.decision_boundary(Model(), X, resolution=5))
        np.testing.assert_array_equal(found.ravel(), points[:, 0] <= 0)
        words = "maybe"
        with pytest.raises(ValueError, match=r"model must predict its classes, \['yes', 'no'\], got 'maybe'"):
            plots.decision_boundary(Model(), X)

    def test_names_of_classes_are_as_they_are(self):
        linear = pytest.importorskip("sklearn.linear_model")
        words = np.array(["$5-$10", "_none"])[LABELS]
        ax = plots.decision_boundary(linear.LogisticRegression().fit(X, words), X, words, resolution=5)
        assert [line.get_label() for line in ax.get_lines()] == [r"\$5-\$10", " _none"]
        assert len(ax.get_legend().get_texts()) == 2
        words = np.array([r"$\x$", "b"])[LABELS]
        ax = plots.decision_boundary(linear.LogisticRegression().fit(X, words), X, words, resolution=5)
        ax.figure.canvas.draw()

    @pytest.mark.parametrize("height", [3.0, np.nan])
    def test_levels_are_those_of_the_rows_too(self, height):
        class Model:
            def predict(self, X):
                return np.full(len(X), height)

        targets = 10 * X[:, 0]
        ax = plots.decision_boundary(Model(), X, targets, resolution=5)
        low, high = ax.figure.axes[1].get_ylim()
        assert low <= targets.min() < targets.max() <= high < 100

    def test_numbers_have_levels(self):
        net = sc.MLP([2, 8, 1])
        ax = plots.decision_boundary(net, X, X[:, 0], resolution=30)
        assert len(ax.figure.axes) == 2
        np.testing.assert_array_equal(ax.collections[-1].get_offsets(), X)

    @pytest.mark.parametrize(
        ("given", "kind", "words"),
        [
            ({"model": "net"}, TypeError, "model must be an MLP or an estimator with predict"),
            ({"X": X[:, :1]}, ValueError, r"X must be of shape \(n_samples, 2\), got \(120, 1\)"),
            ({"y": LABELS[:5]}, ValueError, "y must have 120 rows as X has, got 5"),
            ({"resolution": 1}, ValueError, "resolution must be an integer of at least 2, got 1"),
            ({"model": sc.MLP([2, 2])}, ValueError, "model must have one output, or classes, got 2 outputs"),
            ({"X": np.full((3, 2), np.nan)}, ValueError, "X must have a row of finite numbers"),
            ({"y": ["a"] * 120}, TypeError, "y must be an array of real numbers"),
            ({"y": np.eye(120)}, ValueError, r"y must be of shape \(n_samples,\), got \(120, 120\)"),
            ({"model": sc.MLP([3, 1])}, ValueError, "model must have two inputs, got 3"),
            (
                {"model": sc.MLP([2, 1], loss="binary_cross_entropy"), "y": 2 * LABELS - 1},
                ValueError,
                r"y must be classes of the model, \[0, 1\], got -1",
            ),
        ],
    )
    def test_what_is_wrong_is_refused(self, given, kind, words):
        with pytest.raises(kind, match=words):
            plots.decision_boundary(**({"model": sc.MLP([2, 1]), "X": X} | given))
        assert not plt.get_fignums()

    @pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
    def test_an_estimator_that_predicts_several_columns_is_refused(self, kind):
        pytest.importorskip("sklearn")
        model = getattr(sc, kind)(max_iter=30, tol=10).fit(X, (X > 0).astype(int))
        with pytest.raises(ValueError, match="model must predict one number or class for each row, got 2"):
            plots.decision_boundary(model, X)


def test_every_function_draws_on_the_axes_that_it_is_given():
    def bowl(p):
        return p[0] ** 2 + p[1] ** 2

    history = sc.History()
    history.append(loss=1.0)
    net = sc.MLP([2, 3, 1])
    path = {"it": [[1.0, 1.0], [0.0, 0.5]]}
    given = {
        "activations": {},
        "animate": {"fun": bowl, "paths": path},
        "batch_regimes": {"steps": 2},
        "decision_boundary": {"model": net, "X": X, "resolution": 5},
        "ewa": {},
        "layer_activations": {"net": net, "X": X},
        "layer_gradients": {"net": net, "X": X, "y": LABELS},
        "learning_curve": {"history": history},
        "learning_rates": {},
        "loss_by_step": {"fun": bowl, "paths": path},
        "loss_curve": {"fun": lambda w: w[0] ** 2, "bounds": (-1, 1)},
        "loss_surface": {"fun": bowl, "paths": path},
        "paths": {"fun": bowl, "paths": path},
        "schedules": {},
        "surface": {"fun": bowl, "paths": path},
    }
    assert set(given) == set(plots.__all__)
    for name, arguments in given.items():
        figure = plt.figure()
        ax = figure.add_subplot(projection="3d" if name == "surface" else None)
        result = getattr(plots, name)(**arguments, ax=ax)
        assert getattr(result, "ax", result) is ax, name
        assert ax.has_data(), name
        figure.canvas.draw()
        with pytest.raises(TypeError, match="ax must be axes of matplotlib"):
            getattr(plots, name)(**arguments, ax=figure)

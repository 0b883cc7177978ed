"""Training curves in scikit-learn's manner, and the table of a network's layers."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import schuss as sc
from schuss import TrainingCurveDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture
def history():
    history = sc.History()
    for loss, val_loss, score in ((4.0, 5.0, -1.0), (2.0, 3.0, 0.5), (0.1, 2.0, 0.75)):
        history.append(loss=loss, val_loss=val_loss, score=score, lr=0.1)
    return history


def curves(display):
    return {line.get_label(): line.get_ydata().tolist() for line in display.lines_}


class TestTrainingCurveDisplay:
    def test_draws_both_losses_and_keeps_what_it_drew(self, history):
        display = TrainingCurveDisplay.from_history(history)
        assert curves(display) == {"loss": history["loss"], "val_loss": history["val_loss"]}
        assert display.lines_[0].get_xdata().tolist() == [1, 2, 3]
        assert display.figure_ is display.ax_.figure
        assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")
        assert display.ax_.get_yscale() == "log"

    def test_draws_other_columns(self, history):
        display = TrainingCurveDisplay.from_history(history, columns=["score"])
        assert curves(display) == {"score": history["score"]}
        assert display.ax_.get_ylabel() == "score"
        assert display.ax_.get_yscale() == "linear"

    def test_several_models_share_axes_under_their_names(self, history):
        first = TrainingCurveDisplay.from_history(history, name="deep", linestyle=":")
        second = TrainingCurveDisplay.from_history(history, ax=first.ax_, name="wide", columns=["loss"])
        assert second.ax_ is first.ax_
        legend = [text.get_text() for text in first.ax_.get_legend().get_texts()]
        assert legend == ["deep: loss", "deep: val_loss", "wide: loss"]
        assert list(curves(second)) == ["wide: loss"]
        assert [line.get_linestyle() for line in (*first.lines_, *second.lines_)] == [":", ":", "-"]

    def test_short_names_of_matplotlib_are_names(self, history):
        display = TrainingCurveDisplay.from_history(history, c="red", ls=":", lw=3)
        for line in display.lines_:
            assert (line.get_color(), line.get_linestyle(), line.get_linewidth()) == ("red", ":", 3)

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"colour": "red"}, TypeError, "line_kw must be options of matplotlib's Axes.plot, got colour"),
            ({"lw": "wide"}, ValueError, "linewidth must be what matplotlib accepts, got 'wide'"),
            ({"color": "redd"}, ValueError, "color must be what matplotlib accepts, got 'redd'"),
        ],
    )
    def test_an_option_that_lines_do_not_have_is_refused_before_anything_is_drawn(
        self, history, options, error, words
    ):
        ax = plt.figure().add_subplot()
        for given in (ax, None):
            before = plt.get_fignums()
            with pytest.raises(error, match=words):
                TrainingCurveDisplay.from_history(history, ax=given, **options)
            assert plt.get_fignums() == before
        assert not ax.lines

    def test_options_of_the_axes_are_passed_on(self, history):
        assert len(TrainingCurveDisplay.from_history(history, scalex=False).lines_) == 2

    def test_plot_draws_again_elsewhere(self, history):
        display = TrainingCurveDisplay.from_history(history, name="deep")
        ax = plt.figure().add_subplot()
        assert display.plot(ax, name="new") is display
        assert display.ax_ is ax
        assert list(curves(display)) == ["new: loss", "new: val_loss"]

    def test_a_history_without_the_columns_is_drawn_empty(self):
        assert TrainingCurveDisplay.from_history(sc.History()).lines_ == []

    def test_takes_a_network(self):
        net = sc.MLP([1, 4, 1])
        net.fit(np.zeros((5, 1)), np.ones(5), epochs=3)
        assert curves(TrainingCurveDisplay.from_estimator(net)) == {"loss": net.history["loss"]}

    def test_finds_the_estimator_inside_pipelines_searches_and_wrappers(self):
        pytest.importorskip("sklearn")
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        model = sc.MLPRegressor(hidden_layer_sizes=4, max_iter=3, tol=0, random_state=0)
        model = TransformedTargetRegressor(
            make_pipeline(StandardScaler(), model), transformer=StandardScaler()
        )
        rng = np.random.default_rng(0)
        with pytest.warns(UserWarning, match="Maximum iterations"):
            search = GridSearchCV(model, {"regressor__mlpregressor__alpha": [0.1]}, cv=2).fit(
                rng.normal(size=(40, 2)), rng.normal(size=40)
            )
        fitted = search.best_estimator_.regressor_[-1]
        assert curves(TrainingCurveDisplay.from_estimator(search)) == {"loss": fitted.loss_curve_}

    @pytest.mark.parametrize("model", [sc.MLP([1, 1]), object()])
    def test_a_model_without_a_training_is_refused(self, model):
        with pytest.raises(TypeError, match=r"estimator must be a fitted .*, got"):
            TrainingCurveDisplay.from_estimator(model)

    def test_what_came_is_said_and_whether_it_is_only_not_fitted(self):
        neural_network = pytest.importorskip("sklearn.neural_network")
        pipeline = pytest.importorskip("sklearn.pipeline")
        theirs = neural_network.MLPRegressor(max_iter=300, tol=0.1).fit([[0.0], [1.0]], [0.0, 1.0])
        for model, got in (
            (sc.MLP([1, 1]), r"MLP\(\[1, 1\].*\), which is not fitted yet"),
            (sc.MLPClassifier(), r"MLPClassifier\(\), which is not fitted yet"),
            (pipeline.make_pipeline(sc.MLPRegressor()), r"MLPRegressor\(\), which is not fitted yet"),
            (theirs, r"MLPRegressor\(.*\)"),
            (sc.History(), "a History, which from_history draws"),
            (3, "3"),
        ):
            with pytest.raises(TypeError, match=f"MLP of schuss, got {got}$"):
                TrainingCurveDisplay.from_estimator(model)

    @pytest.mark.parametrize("record", ["epoch", "step"])
    def test_a_history_has_steps_and_is_no_pipeline(self, record):
        history = sc.MLP([1, 1]).fit(np.zeros((5, 1)), np.ones(5), epochs=1, record=record)
        with pytest.raises(TypeError, match="got a History, which from_history draws"):
            TrainingCurveDisplay.from_estimator(history)


class TestSummary:
    net = sc.MLP([784, 256, 128, 10], loss="cross_entropy", dropout=[0.5, 0], l2=0.01, dtype="float64")

    @pytest.mark.parametrize(("inputs", "words"), [(249_899, "1 MB"), (249_850, "999 kB"), (249, "1 kB")])
    def test_sizes_are_written_without_powers_of_ten(self, inputs, words):
        assert str(sc.MLP([inputs, 1]).summary()).splitlines()[2].endswith(f"  {words}")

    def test_has_a_row_per_layer_and_a_sum(self):
        lines = str(self.net.summary()).splitlines()
        cells = [re.split(r"  +", line.strip()) for line in lines if not line.startswith("---")]
        assert cells == [
            ["layer", "weights", "activation", "parameters", "memory"],
            ["1", "784 x 256", "relu, dropout 0.5", "200,960", "1.61 MB"],
            ["2", "256 x 128", "relu", "32,896", "263 kB"],
            ["3", "128 x 10", "softmax", "1,290", "10.3 kB"],
            ["sum", "float64", "loss: cross_entropy, l2: 0.01", "235,146", "1.88 MB"],
        ]
        assert len({len(line) for line in lines}) == 1

    def test_reads_the_same_when_a_terminal_echoes_it(self):
        assert repr(self.net.summary()) == str(self.net.summary())

    def test_is_a_table_in_a_notebook_as_is_the_network(self):
        html = self.net.summary()._repr_html_()
        rows = [[cell.text for cell in row] for row in ElementTree.fromstring(html).iter("tr")]
        assert len(rows) == 5
        assert rows[1] == ["1", "784 \N{MULTIPLICATION SIGN} 256", "relu, dropout 0.5", "200,960", "1.61 MB"]
        assert self.net._repr_html_() == html

    @pytest.mark.parametrize(
        ("loss", "link"), [("mse", "identity"), ("binary_cross_entropy", "sigmoid"), ("poisson", "exp")]
    )
    def test_names_the_link_of_the_last_layer(self, loss, link):
        assert f"  {link}  " in sc.MLP([3, 2], loss=loss).summary()

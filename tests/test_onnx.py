"""ONNX models predict what the networks and estimators they were made from do."""

import io
import warnings

import numpy as np
import pytest

import schuss as sc
from schuss._registry import LOSSES
from schuss.exchange import to_onnx

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
neural_network = pytest.importorskip("sklearn.neural_network")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 5))
LABELS = {
    "integers": np.array([-3, 7, 40]),
    "strings": np.array(["low", "middle", "high"]),
    "objects": np.array(["low", "middle", "h\N{LATIN SMALL LETTER O WITH DIAERESIS}chst"], dtype=object),
    "floats": np.array([1.0, 2.0, -2.0]),
    "booleans": np.array([False, True]),
}


def run(model, X):
    """The outputs by name, of rows in float32."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X.astype(np.float32)}), strict=True))


def close(got, expected):
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert np.ptp(expected) > 0.01  # the network does something


class TestNetworks:
    @pytest.mark.parametrize("activation", sc.ACTIVATIONS)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_every_activation(self, activation, dtype):
        net = sc.MLP([5, 16, 12, 3], activation=activation, dtype=dtype, seed=1)
        for bias in net.params[1::2]:
            bias[:] = RNG.normal(size=bias.shape)
        far = np.concatenate([X, 30 * X])  # both ends of the activation
        close(run(to_onnx(net), far)["prediction"], net.predict(far))

    @pytest.mark.parametrize("loss", sc.LOSSES)
    @pytest.mark.parametrize("outputs", [2, 1])
    def test_every_link(self, loss, outputs):
        if LOSSES[loss].targets == "classes":
            outputs += 1
        net = sc.MLP([5, 8, outputs], activation=["tanh"], loss=loss, seed=2)
        close(run(to_onnx(net), X)["prediction"], net.predict(X))

    def test_activations_of_their_own_for_each_layer_and_none_at_all(self):
        for net in (sc.MLP([5, 8, 8, 2], activation=["gelu", "tanh"]), sc.MLP([5, 2])):
            close(run(to_onnx(net), X)["prediction"], net.predict(X))

    @pytest.mark.parametrize("norm", ["rms", "layer"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_norm_of_numbers_whose_squares_float32_has_not(self, norm, dtype):
        net = sc.MLP([2, 4, 1], norm=norm, activation="identity", dtype=dtype, seed=0)
        rows = [[1e15, 2e15], [1e19, 2e19], [1e25, 2e25], [1e38, 1e38], [1e6, 1e6 + 1]]
        tiny = [[1e-25, 2e-25], [0, 0]]  # what is divided by is the root of eps alone
        X = np.array(rows + tiny, np.float32)
        got, expected = run(to_onnx(net), X)["prediction"], net.predict(X)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=0)
        assert (np.abs(expected[:5]) > 0.5).all()

    def test_one_output_keeps_its_column_where_it_was_trained_with_one(self):
        net = sc.MLP([5, 8, 1])
        net.fit(X, X[:, :1], epochs=2)
        assert net.predict(X).shape == (60, 1)
        close(run(to_onnx(net), X)["prediction"], net.predict(X))

    @pytest.mark.parametrize("rows", [0, 1, 1000])
    def test_takes_any_number_of_rows(self, rows):
        net = sc.MLP([5, 4, 2])
        assert run(to_onnx(net), np.zeros((rows, 5)))["prediction"].shape == (rows, 2)

    def test_is_written_to_a_file(self, tmp_path):
        net = sc.MLP([5, 4, 2])
        made = to_onnx(net, tmp_path / "net.onnx")
        read = onnx.load(tmp_path / "net.onnx")
        assert read == made
        assert read.producer_name == "schuss"
        to_onnx(net, tmp_path / "net.json")  # as onnx itself does, by the name
        assert (tmp_path / "net.json").read_text().startswith("{")
        assert onnx.load(tmp_path / "net.json") == made
        with io.BytesIO() as stream:
            to_onnx(net, stream)
            assert stream.getvalue() == (tmp_path / "net.onnx").read_bytes()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.onnx"]


class TestEstimators:
    @pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
    def test_a_classifier_gives_labels_and_probabilities(self, labels):
        y = labels[np.digitize(X[:, 0], [-0.4, 0.4][: len(labels) - 1])]
        model = sc.MLPClassifier(8, max_iter=30, learning_rate_init=0.05, random_state=0).fit(X, y)
        out = run(to_onnx(model), X)
        close(out["probabilities"], model.predict_proba(X))
        assert (out["label"] == model.predict(X)).all()
        assert set(out["label"]) == set(labels.tolist())

    def test_a_classifier_of_two_classes(self):
        y = np.where(X[:, 0] > 0, "yes", "no")
        model = sc.MLPClassifier(8, max_iter=30, random_state=0).fit(X, y)
        out = run(to_onnx(model), X)
        close(out["probabilities"], model.predict_proba(X))
        assert (out["label"] == model.predict(X)).all()

    def test_several_labels_at_once(self):
        model = sc.MLPClassifier(8, max_iter=30, random_state=0).fit(X, (X[:, :3] > 0).astype(int))
        out = run(to_onnx(model), X)
        close(out["probabilities"], model.predict_proba(X))
        np.testing.assert_array_equal(out["label"], model.predict(X))

    def test_a_single_class(self):
        model = sc.MLPClassifier(4, max_iter=2, random_state=0).fit(X, np.full(len(X), 7))
        out = run(to_onnx(model), X)
        assert out["probabilities"].shape == model.predict_proba(X).shape
        assert (out["label"] == model.predict(X)).all()

    @pytest.mark.parametrize("loss", ["squared_error", "poisson", "absolute_error", "huber", "quantile"])
    def test_a_regressor_of_every_loss(self, loss):
        model = sc.MLPRegressor(loss, (8, 8), "silu", max_iter=20, random_state=0)
        close(run(to_onnx(model.fit(X, np.abs(X[:, 0]))), X)["prediction"], model.predict(X))

    def test_a_regressor_of_two_targets_in_float32(self):
        model = sc.MLPRegressor(
            hidden_layer_sizes=(8, 4), activation=["gelu", "mish"], max_iter=20, random_state=0
        )
        model.fit(X.astype(np.float32), X[:, :2])
        close(run(to_onnx(model), X)["prediction"], model.predict(X.astype(np.float32)))

    def test_scikit_learns_own(self):
        y = np.digitize(X[:, 0], [-0.4, 0.4])
        classifier = neural_network.MLPClassifier(8, activation="logistic", max_iter=20).fit(X, y)
        close(run(to_onnx(classifier), X)["probabilities"], classifier.predict_proba(X))
        regressor = neural_network.MLPRegressor(hidden_layer_sizes=8, max_iter=20).fit(X, y)
        close(run(to_onnx(regressor), X)["prediction"], regressor.predict(X))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            np.array([1, 2**63 + 5], np.uint64),
            "classes must fit into int64, which ONNX has, got 9223372036854775813",
        ),
        (np.array(["2020-01-01", "2021-01-01"], "M8[D]"), r"classes must be .*, got datetime64\[D\]"),
        (np.array(["a", "\ud800"]), "classes must be .*: .* surrogates not allowed"),
    ],
)
def test_classes_that_onnx_has_not_are_refused(labels, words):
    model = sc.MLPClassifier(4, max_iter=2).fit(X, labels[(X[:, 0] > 0).astype(int)])
    with pytest.raises(ValueError, match=words):
        to_onnx(model)


@pytest.mark.parametrize("value", [1e300, np.nan])
def test_numbers_that_float32_has_not_are_refused(tmp_path, value):
    net = sc.MLP([5, 4, 2], dtype="float64")
    net.params[2][1, 1] = value
    with pytest.raises(ValueError, match="weight of layer 2 must fit into float32"):
        to_onnx(net, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_none_is_refused():
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    for model in (sc.MLPClassifier(), "net"):
        with pytest.raises(TypeError, match=r"model must be an MLP or a fitted .*, got"):
            to_onnx(model)
    with warnings.catch_warnings(), pytest.raises(TypeError, match=r"pipeline\[-1\]"):
        to_onnx(make_pipeline(StandardScaler(), sc.MLPRegressor(max_iter=1)).fit(X, X[:, 0]))


@pytest.mark.filterwarnings("ignore:.*Maximum iterations")
def test_where_a_model_is_or_what_it_lacks_is_said():
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.model_selection import GridSearchCV

    network = sc.MLPRegressor(hidden_layer_sizes=4, max_iter=1)
    search = GridSearchCV(network, {"alpha": [0.1]}, cv=2).fit(X, X[:, 0])
    scaled = TransformedTargetRegressor(network).fit(X, X[:, 0])
    for model, words in (
        (search, "; look in its best_estimator_"),
        (scaled, "; look in its regressor_"),
        (network, r"got MLPRegressor\(.*\), which is not fitted yet"),
        (sc.TabularRegressor(), r"got TabularRegressor\(\), which is not fitted yet"),
    ):
        with pytest.raises(TypeError, match=f"{words}$"):
            to_onnx(model)

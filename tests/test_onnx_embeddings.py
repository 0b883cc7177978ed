"""ONNX models of networks with embeddings, learnt scales and learnt activations predict what these do."""

import numpy as np
import pytest

import schuss as sc
from schuss.embeddings import Category, Periodic, PiecewiseLinear
from schuss.exchange import load_safetensors, load_torch, save_safetensors, to_onnx, to_torch

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 6)).astype(np.float32)
X[:, 1] = RNG.integers(0, 5, len(X))
X[:, 4] = RNG.integers(0, 300, len(X))

WAVES = Periodic([3, 0], frequencies=5, width=2, sigma=1.0)
LEVELS = Category(1, levels=5, width=3), Category(4, levels=300, width=2)
LINES = PiecewiseLinear([5, 3], [[-2, -1, -0.5, 0, 1], np.linspace(-1.5, 1.5, 31)], width=4)
NETWORKS = {
    "waves": {"embeddings": WAVES},
    "levels": {"embeddings": LEVELS[0]},
    "all of them": {"embeddings": [LEVELS[1], WAVES, LEVELS[0]], "input_scale": True, "parametric": True},
    "one wave, one sum": {"embeddings": Periodic([2], frequencies=1, width=1), "input_scale": True},
    "lines": {"embeddings": LINES},
    "lines and levels": {"embeddings": [LEVELS[0], LINES], "input_scale": True},
    "one line": {"embeddings": PiecewiseLinear([0], [[-1, 2]], 1)},
    "nothing is left as it is": {"embeddings": [Periodic([0, 2, 3, 5]), *LEVELS]},
    "scale": {"input_scale": True},
    "alpha after a norm": {"parametric": True, "norm": "layer"},
    "alpha after the other": {"parametric": True, "norm": "rms", "activation": "mish"},
}


def made(dtype="float32", **options):
    """A network whose parameters are no longer the ones that it started with."""
    net = sc.MLP([X.shape[1], 16, 8, 3], **options, dtype=dtype, seed=1)
    rng = np.random.default_rng(2)  # whichever tests run before
    for name, array in net.named_params.items():
        if name.rpartition(".")[2] in ("scale", "alpha", "bias", "gain", "shift") or not array.any():
            array[:] = rng.normal(1, 0.5, array.shape)
    return net


def run(model, rows):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["prediction"], {"X": rows.astype(np.float32)})[0]


def close(got, expected):
    assert got.shape == expected.shape
    # What is left of terms of that size may be small.
    size = max(np.nanmax(np.abs(expected)), 1)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 if size < 10 else 1e-6 * size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", NETWORKS.values(), ids=NETWORKS)
def test_predictions_are_those_of_the_network(options, dtype):
    net = made(dtype, **options)
    expected = net.predict(X)
    assert np.ptp(expected, axis=0).min() > 0.1
    close(run(to_onnx(net), X), expected)


@pytest.mark.parametrize("activation", sc.ACTIVATIONS)
def test_every_activation_is_taken_in_part(activation):
    net = made(parametric=True, activation=activation)
    rows = X / [1, 5, 1, 1, 300, 1]
    close(run(to_onnx(net), rows), net.predict(rows))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_many_turns_leave_the_angle_that_the_network_sees(dtype):
    # Waves alone: numbers of this size would hide them.
    waves = Periodic([0], frequencies=16, width=4, sigma=3.0)
    net = sc.MLP([1, 3], embeddings=waves, dtype=dtype, seed=2)
    net.named_params["0.weight"][0] = 0
    for reach in (10, 1_000, 50_000):
        rows = RNG.uniform(-reach, reach, (500, 1)).astype(np.float32)
        expected = net.predict(rows)
        assert expected.std(axis=0).min() > 0.05
        difference = np.abs(run(to_onnx(net), rows) - expected)
        # A sum that is rounded twice may be off by a last bit of the turns, once in millions.
        assert (difference < 1e-5).mean() > 0.998
        assert difference.max() < 1e-5 * max(reach / 10, 1)


def test_what_is_beyond_all_turns_has_the_angle_zero():
    net = sc.MLP([1, 2], embeddings=Periodic([0], frequencies=4, width=2), seed=3)
    net.named_params["0.weight"][0] = 0
    net.named_params["input.0.frequency"][:] = [1, 1.5, -1, 3]
    # Those of some millions have quarters still.
    rows = np.array([[3e6 + 0.25], [-3.5e6 - 0.5], [3e7], [-1e9], [1e30]], np.float32)
    close(run(to_onnx(net), rows), net.predict(rows))


@pytest.mark.parametrize("rows", [0, 1, 1000])
def test_any_number_of_rows(rows):
    net = made(**NETWORKS["all of them"])
    assert run(to_onnx(net), np.zeros((rows, 6))).shape == (rows, 3)


@pytest.mark.parametrize("code", [5, -1, -5, -0.5, 1.7, 4.5, 1e10, -1e10, 1e30, np.nan, np.inf, -np.inf])
def test_a_level_that_there_is_not_is_refused_as_by_the_network(code):
    net = made(embeddings=LEVELS[0])
    rows = X[:3].copy()
    rows[1, 1] = code
    with pytest.raises(ValueError, match="must be whole numbers from 0 to 4, the levels of the category"):
        net.predict(rows)
    with pytest.raises(Exception, match="out of"):
        run(to_onnx(net), rows)


def test_what_is_missing_stays_missing():
    net = made(embeddings=WAVES)
    rows = X[:2].copy()
    rows[0, 0] = np.nan
    assert np.isnan(net.predict(rows)[0]).all()
    got = run(to_onnx(net), rows)
    assert np.isnan(got[0]).all()
    assert np.isfinite(got[1]).all()


@pytest.mark.parametrize(
    "name", ["input.0.frequency", "input.0.weight", "input.1.table", "input.scale", "0.alpha"]
)
def test_numbers_that_float32_has_not_are_refused(name):
    net = made("float64", embeddings=[WAVES, LEVELS[0]], input_scale=True, parametric=True)
    net.named_params[name][:] = 1e300
    called = "alpha of layer 1" if name == "0.alpha" else name
    with pytest.raises(ValueError, match=f"{called} must fit into float32"):
        to_onnx(net)


@pytest.mark.parametrize("options", list(NETWORKS.values())[:-1], ids=list(NETWORKS)[:-1])
def test_forms_that_have_none_of_it_say_which_have(options, tmp_path):
    net = made(**options)
    words = (
        "model must be a network of dense layers and norms, got one with .*: exchange.to_onnx and net.save"
    )
    with pytest.raises(ValueError, match=words):
        to_torch(net)
    with pytest.raises(ValueError, match=words):
        load_torch(net, {})
    with pytest.raises(ValueError, match=words):
        save_safetensors(net, tmp_path / "net")
    save_safetensors(sc.MLP([6, 16, 8, 3]), tmp_path / "other")
    with pytest.raises(ValueError, match=words):
        load_safetensors(tmp_path / "other", net)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]

"""What a network makes of columns before its first layer: values, gradients, bits, files."""

import copy
import pickle

import numpy as np
import pytest

import schuss as sc
from schuss.embeddings import Category, Periodic, PiecewiseLinear

COLUMNS = 6  # numbers but for column 1 and 4, which are categories
EMBEDDINGS = [Periodic([2, 0], frequencies=5, width=3, sigma=0.7), Category(4, levels=7, width=2)]
LINES = PiecewiseLinear([3, 0, 5], [[-1, 0.5], [-1, -0.25, 0.1, 0.7, 1.5], np.linspace(-2, 2, 41)], width=6)


def rows(n=60, dtype=np.float64, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, COLUMNS))
    x[:, 1], x[:, 4] = rng.integers(0, 3, n), rng.integers(0, 7, n)
    y = np.sin(3 * x[:, 0]) + x[:, 4] * 0.3 + x[:, 5]
    return x.astype(dtype), y.astype(dtype)


def network(**changed):
    options = {"embeddings": EMBEDDINGS, "input_scale": True, "parametric": True, "activation": "mish"}
    options |= {"dtype": "float64", "seed": 3} | changed
    return sc.MLP([COLUMNS, 8, 5, 1], **options)


def embedded(net, x):
    """What goes into the first layer, by the formulas of the docstrings."""
    parts, taken, p = [], set(), net.named_params
    for number, each in enumerate(net.embeddings):
        of = f"input.{number}"
        if isinstance(each, Periodic):
            for place, column in enumerate(each.columns):
                h = np.cos(
                    2 * np.pi * np.outer(x[:, column], p[f"{of}.frequency"][place]) + p[f"{of}.phase"][place]
                )
                sums = slice(place * each.width, (place + 1) * each.width)
                parts += [x[:, [column]], h @ p[f"{of}.weight"][sums].T + p[f"{of}.bias"][sums]]
            taken |= set(each.columns)
        elif isinstance(each, PiecewiseLinear):
            weights = np.split(
                p[f"{of}.weight"], np.cumsum([len(edges) - 1 for edges in each.edges])[:-1], axis=1
            )
            biases = p[f"{of}.bias"].reshape(-1, each.width)
            for column, edges, weight, bias in zip(each.columns, each.edges, weights, biases, strict=True):
                parts += [x[:, [column]], encoded(x[:, column], np.array(edges)) @ weight.T + bias]
            taken |= set(each.columns)
        else:
            parts.append(p[f"{of}.table"][x[:, each.column].astype(int)])
            taken.add(each.column)
    parts.append(x[:, [column for column in range(x.shape[1]) if column not in taken]])
    z = np.hstack(parts)
    return z * p["input.scale"] if net.input_scale else z


def encoded(x, edges):
    """The piecewise linear encoding, case by case as in the paper's equation 1."""
    u = np.empty((len(x), len(edges) - 1))
    for t in range(u.shape[1]):
        left, right = edges[t], edges[t + 1]
        below, above = (x < left) & (t > 0), (x >= right) & (t + 2 < len(edges))
        u[:, t] = np.where(below, 0, np.where(above, 1, (x - left) / (right - left)))
    return u


def mish(z):
    return z * np.tanh(np.log1p(np.exp(z)))


ACTIVATIONS = {"mish": mish, "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}


def predicted(net, x):
    z = embedded(net, x)
    for layer in range(len(net.layers) - 1):
        z = z @ net.named_params[f"{layer}.weight"] + net.named_params[f"{layer}.bias"]
        if layer < len(net.activations):
            a = ACTIVATIONS[net.activations[layer]](z)
            z = z + net.named_params[f"{layer}.alpha"] * (a - z) if net.parametric else a
    return z[:, 0]


VARIANTS = {
    "all": {},
    "tanh": {"activation": "tanh"},
    "relu": {"activation": "relu"},
    "norm": {"norm": "layer"},
    "dropout": {"dropout": 0.3},
    "scale alone": {"embeddings": (), "parametric": False},
    "periodic alone": {
        "embeddings": [Periodic(range(COLUMNS), frequencies=16, width=1)],
        "input_scale": False,
    },
    "lines": {"embeddings": [LINES, Category(1, 3, 2)]},
    "lines alone": {"embeddings": [PiecewiseLinear([2], [[0, 1]], 1)], "input_scale": False},
    "waves and lines": {"embeddings": [PiecewiseLinear([3], [[-1, 0, 1]], 3), Periodic([0, 2], 4, 2)]},
    "many": {
        "embeddings": [Category(1, 3, 4), Periodic([5], 20, 2), Category(4, 7, 1), Periodic([0, 3, 2], 3, 5)]
    },
    "parametric alone": {"embeddings": (), "input_scale": False},
}


def stirred(net, seed=5):
    """With parameters that are not as they start: shares and factors are all 1 then."""
    net.theta += np.random.default_rng(seed).normal(0, 0.1, net.theta.size).astype(net.dtype)
    return net


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "norm"])
def test_predictions_are_those_of_the_formulas(name):
    net, (x, _) = stirred(network(**VARIANTS[name])), rows()
    np.testing.assert_allclose(net.predict(x), predicted(net, x), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", list(VARIANTS))
def test_gradients_are_those_of_central_differences(name):
    net, (x, y) = stirred(network(**VARIANTS[name])), rows()
    options = {"dropout_seed": 11} if net.dropout[0] else {}
    _, grads = net.loss_and_grads(x, y, **options)
    flat = np.concatenate([g.ravel() for g in grads])
    start, step = net.theta.copy(), 1e-6
    for i in range(net.theta.size):
        losses = []
        for side in (1, -1):
            net.theta[:] = start
            net.theta[i] += side * step
            losses.append(net.loss_and_grads(x, y, **options)[0])
        numeric = (losses[0] - losses[1]) / (2 * step)
        assert abs(flat[i] - numeric) <= 1e-6 * max(abs(numeric), 0.01), (i, flat[i], numeric)
    net.theta[:] = start


def trained(threads, dtype="float32", **options):
    net = network(dtype=dtype, **options)
    x, y = rows(500, dtype)
    net.fit(x, y, optimizer=sc.AdamW(lr=0.01), batch_size=64, epochs=5, n_threads=threads)
    return net, x, y


@pytest.mark.parametrize("name", ["all", "many", "dropout", "norm", "lines", "waves and lines"])
def test_bits_do_not_depend_on_threads(name):
    one, x, _ = trained(1, **VARIANTS[name])
    assert np.isfinite(one.theta).all()
    for threads in (2, 3, 8):
        other, _, _ = trained(threads, **VARIANTS[name])
        assert np.array_equal(one.theta, other.theta)
        assert np.array_equal(one.predict(x, n_threads=1), other.predict(x, n_threads=threads))


def test_single_precision_is_near_double():
    net = stirred(network())
    single = network(dtype="float32")
    single.theta[:] = net.theta
    x, y = rows()
    (_, grads), (_, near) = net.loss_and_grads(x, y), single.loss_and_grads(x.astype("f4"), y.astype("f4"))
    for name, a, b in zip(net.named_params, grads, near, strict=True):
        assert np.abs(a - b).max() <= 3e-5 * max(np.abs(a).max(), 1e-2), name


def test_it_learns_what_a_network_without_does_not():
    x, y = rows(2000, np.float32)
    y = np.sin(12 * x[:, 0]) + np.array([3, -2, 1, -4, 0, 2, 5], np.float32)[x[:, 4].astype(int)]
    errors = []
    for embeddings in ((), [Periodic([0], sigma=2.0), Category(4, 7, 4)]):
        net = sc.MLP([COLUMNS, 64, 1], embeddings=embeddings)
        net.fit(x, y, optimizer=sc.Adam(lr=0.01), epochs=30, batch_size=64)
        errors.append(net.loss(x, y))
    assert errors[1] < 0.05 < 0.4 < errors[0]


def test_a_large_batch_in_pieces_has_the_gradient_of_its_rows():
    net, (x, y) = stirred(network()), rows(9000)
    loss, grads = net.loss_and_grads(x, y)
    parts = [net.loss_and_grads(x[i : i + 1000], y[i : i + 1000]) for i in range(0, 9000, 1000)]
    assert loss == pytest.approx(np.mean([part[0] for part in parts]), rel=1e-12)
    for i, grad in enumerate(grads):
        np.testing.assert_allclose(
            grad, np.mean([part[1][i] for part in parts], axis=0), rtol=1e-9, atol=1e-12
        )


def test_it_survives_files_pickles_and_copies(tmp_path):
    net, x, y = trained(1)
    net.save(tmp_path / "net.npz")
    for other in (sc.MLP.load(tmp_path / "net.npz"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert other.embeddings == net.embeddings
        assert (other.input_scale, other.parametric) == (True, True)
        assert np.array_equal(other.predict(x), net.predict(x))
        for each in (other, net):
            each.theta[:] = other.theta
        other.fit(x, y, epochs=1)
        assert list(other.named_params) == list(net.named_params)


def test_groups_select_them_by_name():
    net, (x, y) = network(dtype="float32"), rows(dtype=np.float32)
    before = {name: value.copy() for name, value in net.named_params.items()}
    frozen = sc.Adam([{"params": "input.*", "lr": 0.0}], lr=0.1)
    net.fit(x, y, optimizer=frozen, epochs=2)
    changed = {name for name, value in net.named_params.items() if not np.array_equal(value, before[name])}
    assert changed == {name for name in net.named_params if not name.startswith("input.")}


def test_a_frozen_network_learns_its_embeddings_alone():
    net, (x, y) = network(dtype="float32"), rows(dtype=np.float32)
    before = net.theta.copy()
    net.fit(x, y, optimizer=sc.Adam([{"params": "[0-9]*", "lr": 0.0}], lr=0.1), epochs=2)
    size = sum(value.size for name, value in net.named_params.items() if name.startswith("input."))
    assert np.array_equal(net.theta[size:], before[size:])
    assert not np.array_equal(net.theta[:size], before[:size])


def test_forward_layers_begin_behind_them():
    net, (x, _) = stirred(network()), rows()
    layers = net.forward_layers(x)
    z = embedded(net, x) @ net.named_params["0.weight"] + net.named_params["0.bias"]
    np.testing.assert_allclose(layers[0].z, z, rtol=1e-12, atol=1e-13)
    a = z + net.named_params["0.alpha"] * (mish(z) - z)
    np.testing.assert_allclose(layers[0].a, a, rtol=1e-12, atol=1e-13)


def test_the_summary_counts_all_parameters():
    text = str(network().summary())
    assert "inputs" in text
    assert f"{network().theta.size:,}" in text
    assert "parametric mish" in text


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"embeddings": [Periodic([6])]}, "embeddings.*column 6"),
        ({"embeddings": [Periodic([0]), Category(0, 3)]}, "embeddings.*column 0 twice"),
        ({"embeddings": [Periodic([0, 0])]}, "embeddings.*column 0 twice"),
        ({"embeddings": [Category(0, 2**24 + 1)]}, "embeddings.*levels"),
        ({"embeddings": ["periodic"]}, "embeddings must be of"),
        ({"input_scale": "yes"}, "input_scale must be True or False"),
        ({"parametric": 1}, "parametric must be True or False"),
    ],
)
def test_what_cannot_be_is_refused(options, match):
    with pytest.raises((ValueError, TypeError), match=match):
        sc.MLP([COLUMNS, 4, 1], **options)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Periodic([]), "columns must be at least one"),
        (lambda: Periodic([-1]), "columns must be an integer of at least 0"),
        (lambda: Periodic([0], sigma=0.0), "sigma must be"),
        (lambda: Periodic([0], sigma=1e300), "sigma must be at most"),
        (lambda: Periodic([0], sigma=np.inf), "sigma must be at most"),
        (lambda: Periodic([0], frequencies=0), "frequencies must be"),
        (lambda: Category(0, 0), "levels must be"),
        (lambda: Category("city", 3), "column must be"),
    ],
)
def test_bad_embeddings_are_refused(make, match):
    with pytest.raises((ValueError, TypeError), match=match):
        make()


@pytest.mark.parametrize("code", [-1.0, 7.0, 0.5])
def test_levels_that_are_none_are_refused_before_anything_changes(code):
    net, (x, y) = network(), rows()
    before = net.theta.copy()
    x[17, 4] = code
    for call in (
        lambda: net.fit(x, y),
        lambda: net.predict(x),
        lambda: net.loss(x, y),
        lambda: net.loss_and_grads(x, y),
    ):
        with pytest.raises(ValueError, match=r"X .*0 to 6.*column 4"):
            call()
    assert np.array_equal(net.theta, before)


@pytest.mark.parametrize("optimizer", [sc.Adam(ema=0.9), sc.LBFGS()])
@pytest.mark.parametrize("kind", ["levels", "sparse"])
def test_validation_data_that_is_refused_changes_nothing(optimizer, kind):
    sparse = pytest.importorskip("scipy.sparse")
    net, (x, y) = network(), rows()
    history, own, before = net.fit(x, y, epochs=1), net.optimizer, net.theta.copy()
    bad = x.copy()
    bad[17, 4] = 7
    words = "whole numbers from 0 to 6, the levels of the category, got 7 in column 4"
    if kind == "sparse":
        bad, words = sparse.csr_matrix(x), "dense for a network with embeddings"
    averaged = not isinstance(optimizer, sc.LBFGS)
    options = {"optimizer": optimizer, "averaged": averaged, "validation_data": (bad, y)}
    with pytest.raises(ValueError, match=f"validation_data: X must be {words}"):
        net.fit(x, y, **options)
    if averaged:
        with pytest.raises(ValueError, match=f"validation_data: X must be {words}"):
            net.fit(lambda: [(x, y)], **options)
    with pytest.raises(ValueError, match=f"^X must be {words}"):
        net.fit(bad, y, optimizer=optimizer)
    assert np.array_equal(net.theta, before)
    assert net.history is history
    assert net.optimizer is own


def test_sparse_inputs_and_exports_are_refused():
    sparse = pytest.importorskip("scipy.sparse")
    net, (x, y) = network(), rows()
    with pytest.raises(ValueError, match=r"X must be dense.*embeddings"):
        net.fit(sparse.csr_matrix(x), y)
    with pytest.raises(ValueError, match="embeddings, input_scale, parametric"):
        sc.exchange.to_torch(net)


def test_columns_of_levels_are_not_badly_scaled(recwarn):
    x, y = rows(dtype=np.float32)
    x[:, 4] = np.arange(len(x)) * 1000
    net = sc.MLP([COLUMNS, 4, 1], embeddings=Category(4, levels=60_000, width=1))
    net.fit(x, y, epochs=1)
    assert not recwarn.list

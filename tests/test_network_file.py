"""Networks that are saved and loaded are the same, and go on to the same bits."""

import copy
import io

import numpy as np
import pytest

import schuss as sc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = X[:, :1] ** 2

OPTIMIZERS = {
    "none": None,
    "name": "adam",
    "plateau": sc.Adam(lr=sc.schedules.plateau(0.1, patience=1)),
    "lbfgs": sc.LBFGS(history_size=3),
    "groups": sc.SGD(
        [{"params": "0.*", "lr": 0.0}, {"params": lambda name, array: name.endswith("bias"), "name": "b"}],
        lr=sc.schedules.warmup(sc.schedules.join([0.1, sc.schedules.cosine(0.1, 50)], [20]), 5),
        momentum=0.9,
        ema=0.9,
        decay_where=lambda name, array: array.ndim > 1,
        weight_decay=0.1,
    ),
}


def made(optimizer, dtype="float32"):
    options = {"activation": ["tanh", "gelu"], "norm": "layer", "l2": 1e-3, "seed": 2**70, "dtype": dtype}
    net = sc.MLP([3, 5, 4, 1], dropout=0.0 if isinstance(optimizer, sc.LBFGS) else [0.1, 0.2], **options)
    if optimizer is not None:
        net.fit(X, Y, optimizer=optimizer, epochs=4, validation_data=(X, Y))
    return net


def saved(net):
    file = io.BytesIO()
    net.save(file)
    file.seek(0)
    return file


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_network_comes_back_the_same_and_trains_on_to_the_same_bits(optimizer, dtype):
    net = made(optimizer, dtype)
    same = sc.MLP.load(saved(net))
    assert repr(same.summary()) == repr(net.summary())
    assert same.seed == net.seed
    assert same.theta.tobytes() == net.theta.tobytes()
    assert repr(same.history) == repr(net.history)
    assert same.history is None or dict(same.history) == dict(net.history)
    assert type(same.optimizer) is type(net.optimizer)
    if isinstance(net.optimizer, sc.Optimizer):
        assert repr(same.optimizer.state_dict()) == repr(net.optimizer.state_dict())
    assert saved(same).getvalue() == saved(net).getvalue()
    assert same.predict(X).tobytes() == net.predict(X).tobytes()
    assert same.predict(X).shape == net.predict(X).shape
    for one in (net, same):
        one.fit(X, Y, epochs=4)
    assert same.theta.tobytes() == net.theta.tobytes()


def test_it_is_written_to_a_path_and_replaced(tmp_path):
    path = tmp_path / "net"
    for seed in (1, 2):
        net = sc.MLP([3, 4, 1], seed=seed)
        net.save(path)
        assert sc.MLP.load(str(path)).theta.tobytes() == net.theta.tobytes()
    assert list(tmp_path.iterdir()) == [path]
    with np.load(path, allow_pickle=False) as file:
        assert file["layers"].tolist() == [3, 4, 1]
        assert file["theta"].tobytes() == net.theta.tobytes()


class Own(sc.SGD):
    pass


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (
            sc.Adam(lr=lambda step: 0.1),
            r"param_groups\[0\]\['lr'\] must be a number or a schedule .*<lambda>",
        ),
        (sc.Adam(lr=sc.schedules.warmup(lambda step: 0.1, 3)), r"param_groups\[0\]\['lr'\] must be"),
        (sc.Adam([{"params": "0.*", "lr": lambda step: 0.1}]), r"param_groups\[1\]\['lr'\] must be"),
        (Own(), "optimizer must be of a class of schuss to be saved, got Own"),
    ],
)
def test_code_cannot_be_saved_and_is_named(tmp_path, optimizer, words):
    net = sc.MLP([3, 4, 1])
    net.fit(X, Y, optimizer=optimizer, epochs=1)
    (tmp_path / "net").write_bytes(b"old")
    with pytest.raises(TypeError, match=words):
        net.save(tmp_path / "net")
    assert (tmp_path / "net").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "writer"), [("net.onnx", "to_onnx"), ("net.SafeTensors", "save_safetensors")]
)
def test_a_name_that_promises_another_kind_of_file_is_refused(tmp_path, name, writer):
    with pytest.raises(ValueError, match=rf"file must not end in .*; schuss\.exchange\.{writer} writes that"):
        sc.MLP([3, 4, 1]).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_optimizer_of_other_arrays_is_refused():
    net = made("adam")
    net.optimizer = copy.deepcopy(net.optimizer)
    with pytest.raises(ValueError, match="optimizer must work on the network's own arrays"):
        net.save(io.BytesIO())


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "file"
    made("adam").optimizer.save(path)
    with pytest.raises(ValueError, match="file is a file of the kind 'optimizer', and 'network'"):
        sc.MLP.load(path)
    made("adam").save(path)
    optimizer = sc.Adam(np.ones(3))
    with pytest.raises(ValueError, match="file is a file of the kind 'network', and 'optimizer'"):
        optimizer.load(path)
    with pytest.raises(FileNotFoundError):
        sc.MLP.load(tmp_path / "missing")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"activation": ["soft"] * 2},
            "file has no network that this schuss knows: activation must be one of",
        ),
        ({"theta": np.zeros(68, np.float32)}, "theta must be 67 numbers of float32, got float32 of shape"),
        ({"layers": None}, "layers must be"),
        ({"optimizer": {"class": "Best"}}, "there is no optimizer 'Best'"),
        (
            {"optimizer": {"class": "SGD", "param_groups": [], "selectors": [], "convention": "torch"}},
            "got none",
        ),
        ({"history": {"columns": {"loss": [1.0], "lr": []}, "stopped": None}}, "no network"),
        ({"history": {"columns": [1.0], "stopped": None}}, "no network"),
        ({"history": {"columns": {}, "stopped": None, "steps": 1}}, "no network"),
        ({"embeddings": np.zeros(2)}, "no network"),
        ({"layers": [3, 2**31, 1]}, r"theta must be the parameters of layers \[3, 2147483648, 1\], got 67"),
        ({"layers": [10**12, 1]}, "theta must be the parameters of layers"),
        ({"epochs_done": -1}, "epochs_done must be an integer of at least 0, got -1"),
        ({"epochs_done": 4.0}, "epochs_done must be an integer of at least 0, got 4.0"),
        ({"epochs_done": 2**40}, "epochs_done must be at most"),
        ({"flat_targets": np.ones(2)}, "flat_targets must be True or False"),
        ({"_l2_per_weight": 1}, "_l2_per_weight must be True or False"),
        ({"open_schedules": [1]}, "no network"),
        (
            {"open_schedules": {"total": 3, "groups": 1, "names": ["lr"], "schedules": [0.1]}},
            "open_schedules must be groups, names and schedules",
        ),
        (
            {"open_schedules": {"total": 3, "groups": [0], "names": [], "schedules": []}},
            "open_schedules must be as many groups as names and schedules, got 1, 0 and 0",
        ),
        (
            {"open_schedules": {"total": -3, "groups": [], "names": [], "schedules": []}},
            "total of open_schedules must be an integer of at least 0",
        ),
    ],
)
def test_a_network_of_a_later_version_is_refused(monkeypatch, change, words):
    from schuss import _network_file

    tree_of = _network_file.tree_of
    monkeypatch.setattr(_network_file, "tree_of", lambda net: tree_of(net) | change)
    with pytest.raises(ValueError, match=words):
        sc.MLP.load(saved(made("adam")))

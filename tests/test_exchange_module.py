"""A layer that is the whole module of PyTorch has the keys "weight" and "bias", and no name before them."""

import numpy as np
import pytest

import schuss as sc
from schuss.exchange import load_safetensors, load_torch, save_safetensors, to_torch

STATE = {"weight": (2, 4), "bias": (2,)}


@pytest.mark.parametrize("names", [None, [""]])
def test_it_goes_there_and_back(names):
    net, other = sc.MLP([4, 2], seed=1), sc.MLP([4, 2], seed=5)
    state = to_torch(net, [""])
    assert {name: array.shape for name, array in state.items()} == STATE
    load_torch(other, state, names)
    assert other.theta.tobytes() == net.theta.tobytes()
    other.params[1][:] = 7
    load_torch(other, {"weight": np.ones((2, 4))}, names)
    np.testing.assert_array_equal(other.params[1], np.zeros(2))


@pytest.mark.parametrize("names", [None, [""]])
def test_what_else_there_is_is_named(names):
    net = sc.MLP([4, 2], seed=1)
    state = to_torch(net, [""])
    for key in ("weight_g", ".bias"):
        with pytest.raises(ValueError, match=f"layer norms alone, got '' with '{key}'"):
            load_torch(net, state | {key: np.ones(2)}, names)
    with pytest.raises(ValueError, match=r"state\['weight'\] must be finite"):
        load_torch(net, {"weight": np.full((2, 4), np.nan)}, names)
    with pytest.raises(ValueError, match="must have weights of 2 layers, got 1"):
        load_torch(sc.MLP([4, 3, 2]), state, names)


def test_it_may_be_one_of_several():
    """As in a module that is a layer itself, and has another one."""
    net, other = sc.MLP([4, 3, 2], seed=1), sc.MLP([4, 3, 2], seed=5)
    state = to_torch(net, ["", "head"])
    assert list(state) == ["weight", "bias", "head.weight", "head.bias"]
    load_torch(other, state)
    assert other.theta.tobytes() == net.theta.tobytes()


def test_files_have_it_too(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy")
    net, other, path = sc.MLP([4, 2], seed=1), sc.MLP([4, 2], seed=5), tmp_path / "net.safetensors"
    numpy.save_file(to_torch(net, [""]), path)
    load_safetensors(path, other)
    assert other.theta.tobytes() == net.theta.tobytes()
    save_safetensors(net, path, [""])
    assert set(numpy.load_file(path)) == set(STATE)
    assert load_safetensors(path).theta.tobytes() == net.theta.tobytes()

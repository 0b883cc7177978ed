"""Memory that cannot be had is a MemoryError, and nothing has changed; the process goes on."""

import subprocess
import sys

import numpy as np
import pytest

import schuss as sc

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits the address space as Linux does")

# What a call needs, and the call; `p` and `g` are 64 MB each. The names are what the errors speak of.
TRIES = {
    "slots": ("", "sc.Adam([p])", "the optimizer's state"),
    "slots, bind": ("opt = sc.Adam(ema=0.9)", "opt.bind([p])", "the optimizer's state"),
    "an option that needs a slot": (
        "opt = sc.SGD([p])",
        "opt.param_groups[0]['momentum'] = 0.9",
        "the optimizer's state",
    ),
    "load_state_dict": (
        "opt = sc.SGD([p], momentum=0.9); s = opt.state_dict()",
        "opt.load_state_dict(s)",
        "the optimizer's state",
    ),
    "state_dict": ("opt = sc.SGD([p], momentum=0.9)", "opt.state_dict()", "allocate"),
    "copy": ("import copy; opt = sc.SGD([p], momentum=0.9)", "copy.copy(opt)", "allocate"),
    "averaged_params": ("opt = sc.SGD([p], ema=0.9)", "opt.averaged_params()", "the parameters"),
    "accumulate": ("opt = sc.SGD([p])", "opt.param_groups[0]['accumulate'] = 2", "the optimizer's state"),
    "a gradient that shares memory": ("opt = sc.SGD([p])", "opt.step([p])", "a copy of a gradient"),
    "rows": (
        "opt = sc.SGD([p]); rows = np.arange(len(p), dtype=np.int32)",
        "opt.step([(rows, g)])",
        "a gradient of some rows|allocate",
    ),
    "fit": (
        "net = sc.MLP([1, 2**17, 1]); X = np.ones((5000, 1), np.float32)",
        "net.fit(X, X[:, 0], batch_size=5000, epochs=1)",
        "the memory of a batch",
    ),
    "fit, many rows": (
        "net = sc.MLP([1, 1]); X = np.zeros((2**24, 1), np.float32); y = X[:, 0]",
        "net.fit(X, y, batch_size=1000, epochs=1, n_threads=1)",
        "the order of the rows|allocate",
    ),
    "fit, the gradient": (
        "net = sc.MLP([1, 2**22, 1], seed=0); X = np.ones((2, 1), np.float32)",
        "net.fit(X, X[:, 0], batch_size=1, epochs=1, optimizer=sc.SGD())",
        "the gradient|the memory of|a product|rows",
    ),
    "loss_and_grads": (
        "net = sc.MLP([1, 2**17, 1]); X = np.ones((5000, 1), np.float32)",
        "net.loss_and_grads(X, X[:, 0])",
        "the memory of a batch",
    ),
    "predict": (
        "net = sc.MLP([1, 2**19, 1]); X = np.ones((500, 1), np.float32)",
        "net.predict(X)",
        "the memory of a batch",
    ),
    "predict, its result": (
        "net = sc.MLP([1, 1000]); X = np.ones((10**6, 1), np.float32)",
        "net.predict(X)",
        "allocate",
    ),
    "loss": (
        "net = sc.MLP([1, 2**19, 1]); X = np.ones((500, 1), np.float32)",
        "net.loss(X, X[:, 0])",
        "the memory of a batch",
    ),
    "a network": ("", "sc.MLP([2**14, 2**14])", "allocate|of parameters"),
    "L-BFGS": (
        "f = lambda x: (0.0, x); x = np.ones(2**24)",
        "sc.minimize(f, x, jac=True, optimizer=sc.LBFGS(history_size=10**12))",
        "the search by L-BFGS|allocate|L-BFGS remembers",
    ),
    "a schedule of many steps": (
        "steps = np.arange(2**24)",
        "sc.schedules.constant(0.1)(steps)",
        "allocate|schedule",
    ),
}

SCRIPT = """
import resource
import numpy as np
import schuss as sc

p, g = np.ones(2**24, np.float32), np.ones(2**24, np.float32)
w = np.ones(3)
warm = sc.Adam([w])
warm.step([np.ones(3)])
sc.MLP([2, 3, 1]).fit(np.ones((8, 2), np.float32), np.ones(8, np.float32), epochs=1)
{before}
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
soft, hard = resource.getrlimit(resource.RLIMIT_AS)
for spare in {spares}:
    resource.setrlimit(resource.RLIMIT_AS, (used + spare * 2**20, hard))
    try:
        {call}
        outcome = "done"
    except MemoryError as error:
        outcome = f"MemoryError: {{error}}"
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert (p == 1).all() or outcome == "done"
    print(outcome, flush=True)
warm.step([np.ones(3)])
"""


@pytest.mark.parametrize("name", TRIES)
def test_memory_that_cannot_be_had_is_an_error(name):
    before, call, what = TRIES[name]
    spares = [8, 24, 40, 56, 200]
    script = SCRIPT.format(before=before, call=call, spares=spares)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, *_ = outcomes = done.stdout.splitlines()
    assert len(outcomes) == len(spares)
    assert first.startswith("MemoryError: ")
    assert any(word in first for word in what.split("|")), first


@pytest.mark.parametrize("layers", [[2**40, 2**40], [1, 2**60], [2**62, 2], [2**63 - 1, 2**63 - 1, 1]])
def test_layers_of_any_size_are_an_error(layers):
    with pytest.raises(MemoryError):
        sc.MLP(layers)


def test_the_error_says_what_wanted_how_much():
    script = """
import resource, tempfile
import numpy as np
import schuss as sc

with tempfile.NamedTemporaryFile() as file:
    file.truncate(64 * 2**30)
    p = np.memmap(file.name, np.float32, "r+", shape=(2**34,))
    resource.setrlimit(resource.RLIMIT_AS, (70 * 2**30, 70 * 2**30))
    try:
        sc.Adam([p])
    except MemoryError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "the optimizer's state needs 64.0 GiB of memory, more than there is\n", done.stderr


def test_memory_that_is_not_used_yet_is_not_taken():
    script = """
import tempfile
import numpy as np
import schuss as sc

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

with tempfile.NamedTemporaryFile() as file:
    file.truncate(2**30)
    p = np.memmap(file.name, np.float32, "r+", shape=(2**28,))
    before = resident()
    opt = sc.Adam([p], ema=0.9)
    print(resident() - before < 2**26)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize(("layers", "size"), [([50, 3000, 3000, 1], "34.9 MiB"), ([2**15, 2**15], "4.0 GiB")])
def test_the_size_of_a_network_is_told_in_a_unit_that_fits(monkeypatch, layers, size):
    def no_room(*_):
        raise MemoryError

    monkeypatch.setattr(np, "zeros", no_room)
    with pytest.raises(MemoryError, match=rf"layers must fit in memory, got .*: {size} of parameters"):
        sc.MLP(layers)

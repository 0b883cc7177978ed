"""Damaged files and changed states, for every loader, as long as there is time."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import schuss as sc

sys.path.append(str(Path(__file__).parents[1]))

import damage
from test_loaders import FILES, STATES, loader_of


def go_on(soak, check, loader):
    """Check with one seed after the other; a failure says with which."""
    seed = 0
    while soak.goes_on():
        seed += 1
        try:
            soak.count(check(loader, random.Random(seed)))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_is_refused_or_the_same(soak, kind):
    go_on(soak, damage.check_file, loader_of(kind, FILES))


@pytest.mark.parametrize("kind", STATES)
def test_a_changed_state_is_taken_over_or_refused_as_a_whole(soak, kind):
    go_on(soak, damage.check_state, loader_of(kind, STATES))


KILLED = """
import sys
import schuss as sc

how, path, layers = sys.argv[1], sys.argv[2], [20, 500, 1]
nets = [sc.MLP(layers, seed=seed) for seed in (0, 1)]
X = [[0.5] * 20] * 4
for net in nets:
    net.fit(X, [0.0] * 4, optimizer="adam", epochs=1)
save = {
    "network": lambda net: net.save(path),
    "optimizer": lambda net: net.optimizer.save(path),
    "safetensors": lambda net: sc.exchange.save_safetensors(net, path),
    "onnx": lambda net: sc.exchange.to_onnx(net, path),
}[how]
save(nets[0])
print("ready", flush=True)
while True:
    for net in nets:
        save(net)
"""


@pytest.mark.parametrize("how", ["network", "optimizer", "safetensors", "onnx"])
def test_a_kill_leaves_a_whole_file(soak, how, tmp_path):
    path, rng = tmp_path / "file", random.Random(0)
    while soak.goes_on():
        command = [sys.executable, "-c", KILLED, how, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"ready\n"
            time.sleep(rng.uniform(0, 0.05))
            process.kill()
        if how == "network":
            sc.MLP.load(path)
        elif how == "optimizer":
            sc.Adam([p.copy() for p in sc.MLP([20, 500, 1]).params]).load(path)
        elif how == "safetensors":
            sc.exchange.load_safetensors(path)
        else:
            onnx = pytest.importorskip("onnx")
            onnx.checker.check_model(onnx.load(path), full_check=True)
        assert len(list(tmp_path.iterdir())) <= 2
        soak.count("kills")

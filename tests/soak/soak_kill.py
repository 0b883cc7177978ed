"""Trainings that are killed at random moments, again and again, end with the bits of one that never was."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

PROGRAMS = {
    "network": """
net = sc.MLP([20, 64, 64, 1], dropout=0.1, l2=1e-4, norm="layer")
lr = sc.schedules.one_cycle(1e-2, total_steps=8 * 938)
validation = X[:999], y[:999]
optimizer = sc.AdamW(lr=lr, ema=0.99)
net.fit(X, y, optimizer=optimizer, batch_size=64, epochs=8, validation_data=validation, **saving)
result = net.theta, net.history["loss"], net.history["val_loss"], net.optimizer.state_dict()["state"]["v"][0]
""",
    "blocks": """
class Blocks:
    n_blocks = 6
    def read(self, i):
        return X[i::6], y[i::6]
net = sc.MLP([20, 64, 64, 1], seed=7)
net.fit(Blocks(), optimizer=sc.SGD(lr=1e-2, momentum=0.9), batch_size=32, epochs=8, **saving)
result = net.theta, net.history["loss"]
""",
    "lbfgs": """
net = sc.MLP([20, 48, 1], activation="tanh", seed=7, dtype="float64")
net.fit(X, y, optimizer=sc.LBFGS(), epochs=40, **saving)
result = net.theta, net.history["loss"]
""",
    "estimator": """
warnings.simplefilter("ignore")
options = {"n_threads": saving.pop("n_threads"), "early_stopping": True, "n_iter_no_change": 99}
model = sc.MLPRegressor(hidden_layer_sizes=64, max_iter=14, random_state=3, **options)
model.fit(X, y, **saving)
result = *model.coefs_, model.loss_curve_, model.validation_scores_
""",
    "minimize": """
saving.pop("n_threads")
def fun(x):
    time.sleep(0.0005)
    d = x[1:] - x[:-1] ** 2
    g = np.zeros_like(x)
    g[:-1] = -400 * x[:-1] * d - 2 * (1 - x[:-1])
    g[1:] += 200 * d
    return (100 * d**2 + (1 - x[:-1]) ** 2).sum(), g
options = {"optimizer": sc.Adam(lr=0.01), "max_steps": 2500, "min_step": 0}
r = sc.minimize(fun, np.linspace(-1, 1, 50), jac=True, **options, **saving)
result = r.x, r.path, r.path_fun, [r.nfev, r.nit]
""",
}
PROLOGUE = """
import sys, time, warnings
import numpy as np, schuss as sc
path, out, threads = sys.argv[1:]
rng = np.random.default_rng(0)
X = rng.normal(size=(60000, 20)).astype("f")
y = (np.sin(X[:, 0]) + X[:, 1] ** 2).astype("f")
saving = {"n_threads": int(threads)}
if path:
    saving |= {"checkpoint": path, "checkpoint_every": 0.03, "resume": True}
"""
EPILOGUE = """
np.savez(out, *[np.asarray(part) for part in result])
"""


def start(program, path, out, threads):
    code = PROLOGUE + PROGRAMS[program] + EPILOGUE
    return subprocess.Popen([sys.executable, "-c", code, str(path), str(out), str(threads)])


def results(out):
    with np.load(out) as arrays:
        return [arrays[name] for name in sorted(arrays)]


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.skipif(os.name == "nt", reason="kills the POSIX way")
@pytest.mark.parametrize("program", PROGRAMS)
def test_killed(soak, program):
    """Each run is killed until it is done; `kills` counts how often, `runs` how many were compared."""
    dice = random.Random(program)
    with tempfile.TemporaryDirectory() as folder:
        whole, out, path = (Path(folder, name) for name in ("whole.npz", "out.npz", "run.ckpt"))
        begun = time.monotonic()
        assert start(program, "", whole, 1).wait() == 0
        takes = time.monotonic() - begun
        expected = results(whole)
        while soak.goes_on() or soak.counts.get("runs", 0) == 0:
            path.unlink(missing_ok=True)
            for _ in range(1000):
                child = start(program, path, out, dice.choice([1, 2, 3]))
                try:
                    code = child.wait(dice.uniform(0.3, 0.3 + 0.5 * takes))
                except subprocess.TimeoutExpired:
                    child.send_signal(signal.SIGKILL)
                    child.wait()
                    soak.count("kills")
                    continue
                assert code == 0
                break
            assert same(expected, results(out)), "the bits differ"
            soak.count("runs")
        left = [name for name in os.listdir(folder) if name not in ("whole.npz", "out.npz", "run.ckpt")]
        assert len(left) <= 1, left


def test_damaged(soak):
    """A checkpoint that is flipped or cut anywhere is refused, or is the same; nothing has changed then."""
    import schuss as sc

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 4)), rng.normal(size=200)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.ckpt")

        def fit(epochs):
            net = sc.MLP([4, 8, 1])
            start = net.theta.copy()
            try:
                net.fit(X, y, optimizer="adam", epochs=epochs, checkpoint=path, resume=True)
            except ValueError as error:
                refused = str(error)
            else:
                return net.theta
            assert str(path) in refused
            assert np.array_equal(net.theta, start)
            assert net.history is None
            return None

        fit(2)
        sound = path.read_bytes()
        expected = fit(4)
        done = 0
        while soak.goes_on() or done < 2000:
            damaged = bytearray(sound)
            if rng.random() < 0.3:
                del damaged[rng.integers(len(damaged)) :]
            else:
                damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            theta = fit(4)
            soak.count("refused" if theta is None else "the same")
            assert theta is None or np.array_equal(theta, expected)
            done += 1


@pytest.mark.skipif(os.name == "nt", reason="limits the POSIX way")
def test_disk_full(soak):
    """Where the file cannot grow, the last checkpoint stays, and the training goes on from it later."""
    program = """
import resource, signal, sys
import numpy as np, schuss as sc
path, limit = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
X, y = rng.normal(size=(500, 4)), rng.normal(size=500)
net = sc.MLP([4, 64, 64, 1])
def full(info):
    if info.epoch == 3 and limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    saving = {"checkpoint": path, "checkpoint_every": 1, "resume": True}
    net.fit(X, y, optimizer="adam", epochs=6, callbacks=full, **saving)
except OSError as error:
    print("full", net.history.epochs)
else:
    print(net.theta.tobytes().hex())
"""

    def run(path, limit):
        command = [sys.executable, "-c", program, path, str(limit)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with tempfile.TemporaryDirectory() as folder:
        whole = run(str(Path(folder, "whole.ckpt")), 0)
        path = Path(folder, "run.ckpt")
        dice = random.Random(0)
        while soak.goes_on() or soak.counts.get("full disks", 0) < 10:
            path.unlink(missing_ok=True)
            assert run(str(path), dice.randrange(1, 60_000)).startswith("full")
            assert run(str(path), 0) == whole
            assert os.listdir(folder) in (["whole.ckpt", "run.ckpt"], ["run.ckpt", "whole.ckpt"])
            soak.count("full disks")

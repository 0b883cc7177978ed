"""Trainings of several processes, of which some are killed and some raise, end with the bits of one."""

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

# The tests are no package.
sys.path.insert(0, str(Path(__file__).parents[1]))
from test_distributed import environment, mpiexec

KILLS = 20
END = 20  # seconds in which all end once one has, on a machine that is busy

PROGRAM = """
import hashlib, os, sys, time
from pathlib import Path
import numpy as np, schuss as sc

folder, comm, rank = Path(sys.argv[1]), None, 0
if sys.argv[2] != "alone":
    from mpi4py import MPI
    comm = MPI.COMM_WORLD
    rank = comm.Get_rank()
raises = float(sys.argv[3]) if sys.argv[2] == str(rank) else None
(folder / f"{rank}.part").write_text(str(os.getpid()))
(folder / f"{rank}.part").rename(folder / f"{rank}.pid")

rng = np.random.default_rng(0)
X = rng.normal(size=(20000, 20)).astype("f")
y = (np.sin(X[:, 0]) + X[:, 1] ** 2).astype("f")
begin = time.monotonic()

def callback(info):
    if raises is not None and time.monotonic() - begin > raises:
        raise KeyError("of the user's")

net = sc.MLP([20, 64, 64, 1], dropout=0.1, l2=1e-4, norm="layer", seed=0)
optimizer = sc.LAMB(lr=sc.schedules.cosine(1e-2, 20 * 157), clip_norm=0.1)
saving = {} if comm is None else {"checkpoint": folder / "run", "checkpoint_every": 0.03, "resume": True}
fit = {"optimizer": optimizer, "batch_size": 128, "epochs": 20, "callbacks": callback, "n_shards": 8}
net.fit(X, y, comm=comm, n_threads=1, validation_data=(X[:99], y[:99]), **fit, **saving)
(folder / f"{rank}.sha").write_text(hashlib.sha256(net.theta.tobytes()).hexdigest())
"""


def start(folder, size, who, seconds):
    """Processes of which one raises after so many seconds, if it is named."""
    # Some may have come to the end of a start in which another one was killed.
    for path in (*folder.glob("*.pid"), *folder.glob("*.sha")):
        path.unlink()
    program, *options = mpiexec()
    command = [
        program,
        *(options or ["-print-all-exitcodes"]),
        "-n",
        str(size),
        sys.executable,
        "-m",
        "mpi4py",
        "-c",
        PROGRAM,
    ]
    arguments = [str(folder), str(who), str(seconds)]
    with (folder / "said").open("w") as said:
        return subprocess.Popen([*command, *arguments], env=environment(), stdout=said, stderr=said)


def processes(folder, size, child):
    """The numbers of all processes, once they are there; none where they have ended before."""
    paths = [folder / f"{rank}.pid" for rank in range(size)]
    while not all(path.exists() for path in paths):
        if child.poll() is not None:
            return []
        time.sleep(0.005)
    return [int(path.read_text()) for path in paths]


def is_there(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_one_of_several_is_killed_or_raises(soak):
    dice = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.monotonic()
        subprocess.run([sys.executable, "-c", PROGRAM, name, "alone", "0"], env=environment(), check=True)
        takes = time.monotonic() - begun
        expected = (folder / "0.sha").read_text()
        while soak.goes_on() or soak.counts.get("kills", 0) < KILLS:
            for path in folder.glob("run*"):
                path.unlink()
            while not one_start(soak, folder, dice, takes):
                pass
            assert {path.read_text() for path in folder.glob("*.sha")} == {expected}, "the bits differ"
            soak.count("runs")


def told(said):
    """The ranks that were killed, as mpiexec says."""
    codes = re.search(r"Exit codes: \[.*?\] ([\d,]+)", said)  # MPICH, where it is asked for
    if codes:
        return [rank for rank, code in enumerate(codes[1].split(",")) if code == "9"]
    return [int(rank) for rank in re.findall(r"process rank (\d+) with .* exited on\s+signal 9", said)]


def one_start(soak, folder, dice, takes):
    """Start some processes and end one at a random moment. Whether the training came to its end before."""
    size = dice.randint(2, 4)
    victim, seconds = dice.randrange(size), dice.uniform(0, takes)
    raises = dice.random() < 0.25
    child = start(folder, size, victim if raises else -1, seconds)
    pids = processes(folder, size, child)
    try:
        child.wait(None if raises else seconds)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):  # it has just come to its end
            os.kill(pids[victim], signal.SIGKILL)
            soak.count("kills")
    begin = time.monotonic()
    code = child.wait(END)
    if code == 0:
        assert len(list(folder.glob("*.sha"))) == size
        return True
    said = (folder / "said").read_text()
    while any(map(is_there, pids)):
        assert time.monotonic() - begin < END, "a process is still there"
        time.sleep(0.01)
    if raises:
        assert f"rank {victim} of {size} ends the training of all:" in said
        assert 'KeyError: "of the user\'s"' in said
        assert not list(folder.glob("*.sha"))
        soak.count("errors")
    else:
        # Who reads the memory of a process that has just died is the one that MPI then speaks of.
        named = victim in told(said)
        assert named or "Fatal error in" in said, said
        soak.count("named", named)
    return False

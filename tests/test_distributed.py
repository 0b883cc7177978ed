"""`MLP.fit(comm=...)`: several processes end with the bits of one, or all of them end."""

import hashlib
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import schuss as sc

LIMIT = 60  # seconds, to end a hang

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6))
Y = np.tanh(X[:, 0])
LABELS = RNG.integers(0, 3, 300)
WEIGHTS = RNG.uniform(0, 2, 300)


class World:
    """Threads that are like processes: a communicator for each."""

    def __init__(self, size):
        self.size = size
        self.barrier = threading.Barrier(size, timeout=LIMIT)
        self.channels = {(a, b): queue.Queue() for a in range(size) for b in range(size)}
        self.board = [None] * size


class Communicator:
    """What there is of mpi4py's that is used."""

    def __init__(self, world, rank):
        self.world, self.rank, self.calls = world, rank, 0

    def Get_rank(self):
        return self.rank

    def Get_size(self):
        return self.world.size

    def Alltoallv(self, mine, theirs):
        sent, parts = mine
        assert len(sent)  # no bytes may lie at an address that means something to MPI
        for other, (count, start) in enumerate(zip(*parts, strict=True)):
            self.world.channels[self.rank, other].put(bytes(sent[start : start + count]))
        received, places = theirs
        for other, (count, start) in enumerate(zip(*places, strict=True)):
            data = self.world.channels[other, self.rank].get(timeout=LIMIT)
            received[start : start + count] = memoryview(data).cast(received.format)

    def Bcast(self, data, root):
        if self.rank == root:
            self.world.board[root] = bytes(data)
        self.world.barrier.wait()
        if self.rank != root:
            memoryview(data).cast("B")[:] = self.world.board[root]
        self.world.barrier.wait()

    def Allgather(self, mine, everybody):
        self.calls += 1
        self.world.board[self.rank] = bytes(mine)
        self.world.barrier.wait()
        memoryview(everybody).cast("B")[:] = b"".join(self.world.board)
        self.world.barrier.wait()

    def Abort(self, code):
        self.world.barrier.abort()
        for channel in self.world.channels.values():
            channel.put(b"?")  # of no use to who waits for something
        raise SystemExit(code)


def together(size, work):
    """What `work(comm)` returns or raises on each of so many ranks."""
    world = World(size)
    results = [None] * size

    def run(rank):
        try:
            results[rank] = work(Communicator(world, rank))
        except BaseException as error:
            results[rank] = error
            world.barrier.abort() if isinstance(error, queue.Empty) else None

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * LIMIT)
        assert not thread.is_alive()
    return results


CASES = {
    "plain": ({}, {}),
    "dropout": ({"dropout": 0.3}, {}),
    "weights": ({}, {"sample_weight": WEIGHTS}),
    "l2": ({"l2": 0.1, "dtype": "float64"}, {}),
    "clip_norm": ({}, {"optimizer": sc.Adam(lr=0.01, clip_norm=0.05)}),
    "lamb": ({"l2": 0.01}, {"optimizer": sc.LAMB(lr=0.01)}),
    "classes": ({"loss": "cross_entropy", "norm": "layer"}, {"metrics": "accuracy"}),
    "sum": ({"loss": "sse"}, {"optimizer": sc.SGD(lr=1e-3)}),
    "early stopping": ({}, {"validation_split": 0.3, "early_stopping": True, "patience": 2, "epochs": 30}),
    "steps": ({}, {"record": "step", "n_threads": 2}),
    "all rows": ({}, {"batch_size": None, "epochs": 5}),
    "target": ({}, {"target_loss": 0.3, "epochs": 50}),
    "averaged": ({}, {"averaged": True, "validation_split": 0.3, "optimizer": sc.AdamW(lr=0.01, ema=0.9)}),
    "plateau": ({}, {"optimizer": sc.SGD(lr=sc.schedules.plateau(0.3, patience=1)), "epochs": 8}),
}


def trained(case, **how):
    made, fit = CASES[case]
    outputs = 3 if made.get("loss") == "cross_entropy" else 1
    net = sc.MLP([6, 11, 7, outputs], seed=1, activation="tanh", **made)
    settings = {"optimizer": sc.Adam(lr=0.01), "batch_size": 37, "epochs": 3, **fit, **how}
    net.fit(X, LABELS if outputs == 3 else Y, **settings)
    return net


def outcome(net):
    history = {name: values for name, values in net.history.items() if name != "seconds"}
    return net.theta.tobytes(), history, net.history.stopped, net.history.best_epoch


@pytest.mark.parametrize("case", CASES)
def test_ranks_end_with_the_bits_of_one_process(case):
    for n_shards, sizes in {8: (1, 2, 3, 4, 8), 5: (2, 3), 3: (3,)}.items():
        expected = outcome(trained(case, n_shards=n_shards))
        assert len(expected[1]["loss"]) > 1
        for size in sizes:
            results = together(size, lambda comm, k=n_shards: outcome(trained(case, n_shards=k, comm=comm)))
            assert results == [expected] * size, (n_shards, size)


def test_a_second_fit_goes_on_where_the_first_has_ended():
    def twice(comm):
        net = trained("dropout", n_shards=4, comm=comm)
        net.fit(X, Y, n_shards=4, epochs=2, comm=comm)
        return outcome(net)

    assert together(2, twice) == [twice(None)] * 2


@pytest.mark.parametrize("every", [1, 1e-3], ids=["epoch", "millisecond"])
def test_the_first_rank_saves_and_any_number_of_ranks_goes_on(tmp_path, every):
    def run(comm, epochs, path):
        net = sc.MLP([6, 11, 1], seed=1, dropout=0.2)
        saving = {"checkpoint": path, "checkpoint_every": every, "resume": True}
        net.fit(X, Y, optimizer=sc.Adam(), epochs=epochs, n_shards=6, comm=comm, batch_size=16, **saving)
        return net.theta.tobytes()

    whole = run(None, 5, tmp_path / "whole")
    together(2, lambda comm: run(comm, 2, tmp_path / "run"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "whole"]
    together(3, lambda comm: run(comm, 4, tmp_path / "run"))
    assert run(None, 4, tmp_path / "run") != whole
    assert together(4, lambda comm: run(comm, 5, tmp_path / "run")) == [whole] * 4


def test_what_the_first_rank_says_after_an_epoch_counts():
    def fit(comm):
        told = []
        net = sc.MLP([6, 11, 1], seed=1)
        # All would stop, each after another epoch.
        history = net.fit(
            X,
            Y,
            n_shards=4,
            comm=comm,
            epochs=9,
            optimizer=sc.Adam(),
            callbacks=lambda info: told.append(info.epoch) or info.epoch == 3 - comm.Get_rank(),
        )
        return history.stopped, len(history["loss"]), told

    assert together(3, fit) == [("callback", 3, [1, 2, 3])] * 3


def test_the_first_ranks_time_counts():
    def fit(comm):
        net = sc.MLP([6, 200, 200, 1], seed=1)
        limit = {"max_time": 0.3} if comm.Get_rank() == 0 else {}
        history = net.fit(X, Y, n_shards=4, comm=comm, epochs=10**6, optimizer=sc.Adam(), **limit)
        return history.stopped, net.optimizer.step_count, net.theta.tobytes()

    one, two = together(2, fit)
    assert one == two
    assert one[0] == "max_time"


def test_nan_is_refused_everywhere_with_the_last_finished_step_kept():
    x = X.copy()
    x[250] = np.nan

    def fit(comm):
        net = sc.MLP([6, 11, 1], seed=1)
        with pytest.raises(sc.NonFiniteError, match=r"the loss has NaN .* at step 4"):
            net.fit(x, Y, n_shards=8, comm=comm, batch_size=64, optimizer=sc.Adam(), shuffle=False)
        return net.theta.tobytes(), net.optimizer.step_count, net.history.stopped

    alone = fit(None)
    assert together(3, fit) == [alone] * 3
    assert alone[1:] == (3, "error")

    def skips(comm):
        net = sc.MLP([6, 11, 1], seed=1)
        skip = sc.Adam(nonfinite="skip")
        net.fit(x, Y, n_shards=8, comm=comm, batch_size=64, optimizer=skip, shuffle=False, epochs=2)
        return net.theta.tobytes(), net.optimizer.skipped_steps

    assert together(3, skips) == [skips(None)] * 3


def of_rank(one, others, comm, rank=1):
    return one if comm.Get_rank() == rank else others


DIFFERENT = {
    "batch_size": lambda comm: {"batch_size": of_rank(32, 64, comm)},
    "n_shards": lambda comm: {"n_shards": of_rank(6, 8, comm)},
    "epochs": lambda comm: {"epochs": of_rank(2, 3, comm)},
    "seed": lambda comm: {"seed": of_rank(2, 3, comm)},
    "target_loss": lambda comm: {"target_loss": of_rank(2.0, None, comm)},
    "optimizer": lambda comm: {"optimizer": of_rank(sc.SGD(lr=0.1), sc.Adam(), comm)},
    "the number of dimensions of y": lambda comm: {"y": of_rank(Y.reshape(-1, 1), Y.reshape(-1), comm)},
    "the checksum of the rows": lambda comm: {"X": X + of_rank(1e-3, 0, comm)},
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_ranks_that_were_told_different_things_are_refused_before_anything_changes(name):
    def fit(comm):
        net = sc.MLP([6, 11, 1], seed=1)
        before = net.theta.copy()
        given = {"X": X, "y": Y, "n_shards": 8, "comm": comm, "optimizer": sc.Adam(), **DIFFERENT[name](comm)}
        with pytest.raises(ValueError, match=f"same arguments: {name} is .* on rank 1, and .* on rank 0"):
            net.fit(**given)
        return (net.theta == before).all() and net.history is None

    assert together(3, fit) == [True] * 3


def test_long_arguments_are_shown_where_they_differ():
    def fit(comm):
        schedule = sc.schedules.join([0.1] * 29 + [of_rank(0.25, 0.5, comm)], range(1, 30))
        with pytest.raises(ValueError, match="optimizer is ") as told:
            sc.MLP([6, 11, 1], seed=1).fit(X, Y, n_shards=8, comm=comm, optimizer=sc.Adam(lr=schedule))
        one, other = re.search(r"optimizer is (.*) on rank 1, and (.*) on rank 0$", str(told.value)).groups()
        return "0.25" in one, "0.5" in other, len(one) < 100, one.startswith("..."), len(other) < 100

    assert together(2, fit) == [(True,) * 5] * 2


def test_an_optimizer_that_has_taken_other_steps_is_refused():
    def fit(comm):
        net = sc.MLP([6, 11, 1], seed=1)
        net.fit(X, Y, epochs=2, optimizer=sc.Adam())
        theta = net.theta.copy()
        state = net.optimizer.state_dict()
        if comm.Get_rank() == 1:
            state["state"]["m"][0][0, 0] += 1
        net.optimizer.load_state_dict(state)
        with pytest.raises(ValueError, match=r"the state of the optimizer is .* on rank 1, and .* on rank 0"):
            net.fit(X, Y, n_shards=8, comm=comm)
        return (net.theta == theta).all()

    assert together(2, fit) == [True] * 2


def test_an_option_that_was_set_in_one_process_is_refused():
    def fit(comm):
        net = sc.MLP([6, 11, 1], seed=1)
        net.fit(X, Y, epochs=1, optimizer=sc.Adam())
        net.optimizer.param_groups[0]["lr"] = of_rank(0.02, 0.01, comm)
        with pytest.raises(ValueError, match=r"state of the optimizer is .*0\.02.* rank 1, .*0\.01.* rank 0"):
            net.fit(X, Y, n_shards=8, comm=comm)
        return True

    assert together(2, fit) == [True] * 2


def test_other_parameters_are_refused():
    def fit(comm):
        net = sc.MLP([6, 11, 1], seed=1)
        net.theta[0] += of_rank(1, 0, comm, rank=2)
        with pytest.raises(ValueError, match=r"the parameters is .* on rank 2, and .* on rank 0"):
            net.fit(X, Y, n_shards=8, comm=comm, optimizer=sc.Adam())
        return True

    assert together(3, fit) == [True] * 3


@pytest.mark.parametrize("differs", ["epochs", "the epochs that are done"])
def test_a_resumption_that_is_refused_changes_nothing(tmp_path, differs):
    def begun():
        net = sc.MLP([6, 11, 1], seed=1)
        net.fit(X, Y, optimizer=sc.Adam(), epochs=1, n_shards=4)
        return net

    saving = {"n_shards": 4, "checkpoint_every": 1, "resume": True}
    begun().fit(X, Y, epochs=2, checkpoint=tmp_path / "run", **saving)

    def fit(comm):
        net = begun()
        theta, state = net.theta.copy(), net.optimizer.state_dict()
        history, done = net.history, net._epochs_done
        path = tmp_path / ("other" if differs != "epochs" and comm.Get_rank() == 1 else "run")
        epochs = of_rank(4, 5, comm) if differs == "epochs" else 5
        with pytest.raises(ValueError, match=f"same arguments: {differs} is .* on rank 1, and .* on rank 0"):
            net.fit(X, Y, comm=comm, epochs=epochs, checkpoint=path, **saving)
        assert net.history is history
        assert net._epochs_done == done
        assert str(net.optimizer.state_dict()) == str(state)
        return (net.theta == theta).all()

    assert together(2, fit) == [True] * 2
    # Where all agree, they go on.
    whole = begun()
    whole.fit(X, Y, epochs=5, n_shards=4)

    def resumed(comm):
        net = begun()
        net.fit(X, Y, comm=comm, epochs=5, checkpoint=tmp_path / "run", **saving)
        return net.theta.tobytes()

    assert together(2, resumed) == [whole.theta.tobytes()] * 2


@pytest.mark.parametrize(
    "made", [lambda: sc.MLP([6, 11, 1], seed=1), lambda: sc.MLPRegressor("mse", 11, n_shards=4)]
)
def test_a_checkpoint_that_nobody_would_write_is_refused(tmp_path, made):
    pytest.importorskip("sklearn")

    def fit(comm):
        path = of_rank(tmp_path / "run", None, comm)
        model = made()
        shards = {"n_shards": 4} if isinstance(model, sc.MLP) else {}
        with pytest.raises(
            ValueError, match=r"checkpoint must be given on rank 0, .* got one on rank 1 only"
        ):
            model.fit(X, Y, comm=comm, checkpoint=path, **shards)
        return True

    assert together(3, fit) == [True] * 3
    assert not list(tmp_path.iterdir())


def test_what_one_rank_refuses_the_others_learn():
    def fit(comm):
        net = sc.MLP([6, 11, 1], seed=1)
        try:
            net.fit(X, Y[: of_rank(200, 300, comm)], n_shards=8, comm=comm)
        except (ValueError, RuntimeError) as error:
            return type(error), str(error)

    other, refused, third = together(3, fit)
    assert refused[0] is ValueError
    assert (
        other == third == (RuntimeError, f"the training could not begin on rank 1: ValueError: {refused[1]}")
    )


def test_an_error_within_ends_all(capfd):
    def fit(comm):
        def fails(info):
            if comm.Get_rank() == 1 and info.epoch == 2:
                raise KeyError("of the user's")

        sc.MLP([6, 11, 1], seed=1).fit(X, Y, n_shards=8, comm=comm, optimizer=sc.Adam(), callbacks=fails)

    results = together(3, fit)
    assert all(isinstance(result, SystemExit) for result in results), results
    told = capfd.readouterr().err
    assert "rank 1 of 3 ends the training of all:" in told
    assert 'KeyError: "of the user\'s"' in told
    assert "fails" in told


def ended_by(method, fail):
    """Two ranks, of which the second one's communicator fails in that method after a while: all end."""

    def fit(comm):
        def fails(mine, theirs):
            comm.left -= 1
            if comm.left < 0:
                fail(theirs)
            return works(mine, theirs)

        works, comm.left = getattr(comm, method), 10
        if comm.Get_rank() == 1:
            setattr(comm, method, fails)
        sc.MLP([6, 11, 1], seed=1).fit(X, Y, n_shards=4, comm=comm, optimizer=sc.Adam(), epochs=50)

    results = together(2, fit)
    assert all(isinstance(result, SystemExit) for result in results), results


@pytest.mark.parametrize("method", ["Alltoallv", "Allgather"])
def test_an_error_of_the_communicator_ends_all(capfd, method):
    def fail(_):
        raise OSError("the network is down")

    ended_by(method, fail)
    assert "OSError: the network is down" in capfd.readouterr().err


@pytest.mark.parametrize("kept", [lambda view: view, lambda view: view[:], memoryview, np.asarray])
def test_what_a_communicator_keeps_is_its_own(kept):
    """A slice of the core's memory would be looked at after its end."""
    seen, thetas = [], []

    def fit(comm):
        works = comm.Alltoallv

        def keeps(mine, theirs):
            works(mine, theirs)
            seen.extend((bytes(each[0]), kept(each[0])) for each in (mine, theirs))

        comm.Alltoallv = keeps
        net = sc.MLP([6, 11, 1], seed=1)
        net.fit(X, Y, n_shards=4, comm=comm, optimizer=sc.Adam(), epochs=1)
        thetas.append(net.theta)

    assert together(2, fit) == [None, None]
    assert len(seen) == 24
    for content, view in seen:
        assert bytes(view) == content
        if not memoryview(view).readonly:
            memoryview(view).cast("B")[:1] = b"x"
    np.testing.assert_array_equal(*thetas)


def test_the_memory_that_mpi4py_borrows_is_given_back(monkeypatch):
    kept = []

    def fit(comm):
        monkeypatch.setattr(type(comm), "__module__", "mpi4py.MPI")
        works = comm.Alltoallv
        comm.Alltoallv = lambda mine, theirs: kept.extend([mine[0], theirs[0]]) or works(mine, theirs)
        sc.MLP([6, 11, 1], seed=1).fit(X, Y, n_shards=4, comm=comm, optimizer=sc.Adam(), epochs=1)

    assert together(2, fit) == [None, None]
    assert len(kept) == 24
    for view in kept:
        with pytest.raises(ValueError, match="released"):
            bytes(view)


def test_callbacks_that_do_not_do_the_same_are_found_out():
    def fit(comm):
        def changes(info):
            if comm.Get_rank() == 1 and info.epoch == 2:
                info.net.theta[0] += 1

        net = sc.MLP([6, 11, 1], seed=1)
        with pytest.raises(RuntimeError, match="the parameters on rank 1 are no longer those on rank 0"):
            net.fit(X, Y, n_shards=8, comm=comm, optimizer=sc.Adam(), callbacks=changes)
        return len(net.history["loss"])

    assert together(2, fit) == [2, 2]


def test_many_parameters_are_added_up_in_several_parts():
    def wide(comm=None):
        net = sc.MLP([6, 1100, 1100, 1], seed=1)
        net.fit(X[:8], Y[:8], optimizer=sc.SGD(lr=0.01), n_shards=5, batch_size=4, epochs=1, comm=comm)
        return net.theta.tobytes()

    one = wide()
    assert len(one) > 4 << 20
    assert together(3, wide) == [one] * 3


def test_what_cannot_work_is_refused():
    net = sc.MLP([6, 11, 1], seed=1)
    for wrong in (1, "world", object()):
        with pytest.raises(TypeError, match="comm must be None or a communicator, such as mpi4py's"):
            net.fit(X, Y, comm=wrong)

    def refused(comm, kind, **how):
        blocks = {"X": lambda: iter([(X, Y)]), "y": None}
        with pytest.raises(kind) as raised:
            sc.MLP([6, 11, 1]).fit(**{"X": X, "y": Y, "comm": comm, **(how or blocks)})
        return str(raised.value)

    for kind, how, message in (
        (ValueError, {"n_shards": 2}, "n_shards must be at least the number of processes, 3, got 2"),
        (ValueError, {"n_shards": 4, "optimizer": sc.LBFGS()}, "n_shards must be 1 with LBFGS, got 4"),
        (ValueError, {}, "n_shards must be at least the number of processes, 3, got 1"),
    ):
        results = together(3, lambda comm, kind=kind, how=how: refused(comm, kind, **how))
        assert results == [message] * 3

    def of_blocks(comm):
        with pytest.raises(TypeError, match="X must be an array with comm"):
            sc.MLP([6, 11, 1]).fit(lambda: iter([(X, Y)]), n_shards=4, comm=comm)
        return True

    assert together(2, of_blocks) == [True, True]


# With MPI.

SCRIPT = """
import hashlib, json, os, signal, sys, threading, time
import numpy as np
import schuss as sc
from mpi4py import MPI

comm = MPI.COMM_WORLD
rank = comm.Get_rank()
sys.path.insert(0, os.environ["TESTS"])
import test_distributed as here


def say(*words):
    with open(f"{os.environ['SAID']}/{rank}", "a") as file:
        file.write(json.dumps(words) + "\\n")

"""


def mpiexec():
    """The program of the MPI that mpi4py of this environment has."""
    pytest.importorskip("mpi4py")
    program = Path(sys.executable).parent / "mpiexec"
    if not program.exists():
        pytest.skip("no mpiexec beside this Python")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=LIMIT).stdout
    # Open MPI asks whether that is meant.
    return [str(program), *(["--allow-run-as-root", "--oversubscribe"] if "Open MPI" in version else [])]


def environment():
    package = str(Path(sc.__file__).parents[1])
    ours = {"TESTS": str(Path(__file__).parent), "PYTHONPATH": package}
    # Nothing but this machine.
    local = {"FI_TCP_IFACE": "lo", "HYDRA_IFACE": "lo", "OMPI_MCA_btl_tcp_if_include": "lo"}
    return {**os.environ, **ours, **local}


def launched(size, script, **env):
    """How a script on so many ranks has ended, and what each of them has said."""
    env |= environment()
    command = [*mpiexec(), "-n", str(size), sys.executable, "-m", "mpi4py", "-c"]
    with tempfile.TemporaryDirectory() as said:
        text = SCRIPT + textwrap.dedent(script)
        env["SAID"] = said
        result = subprocess.run([*command, text], capture_output=True, text=True, env=env, timeout=LIMIT)
        lines = [path.read_text().splitlines() for path in sorted(Path(said).iterdir())]
    return result, [[json.loads(line) for line in of_rank] for of_rank in lines]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_processes_of_mpi_end_with_the_bits_of_one(size):
    script = """
        for case in here.CASES:
            net = here.trained(case, n_shards=8, comm=comm)
            say(case, hashlib.sha256(net.theta.tobytes()).hexdigest())
    """
    result, said = launched(size, script)
    assert result.returncode == 0, result.stderr
    alone = [[case, hashlib.sha256(trained(case, n_shards=8).theta.tobytes()).hexdigest()] for case in CASES]
    assert said == [alone] * size


def test_the_scripts_of_the_guide_run(tmp_path):
    page = Path(__file__).parents[1] / "docs/guide/distributed.md"
    if not page.exists():
        pytest.skip("reads the documents")
    scripts = re.findall(r"^```py\n(# \w+\.py\n.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    said = [
        r"loss 0\.0\d\d\d",
        r"(?:Iteration .*\n|Validation score.*\n)+(?:.*Stopping\.\n)?right (?:0\.9\d|1\.00)",
    ]
    for script, expected in zip(scripts, said, strict=True):
        (tmp_path / "train.py").write_text(script)
        command = [*mpiexec(), "-n", "2", sys.executable, "-m", "mpi4py", tmp_path / "train.py"]
        result = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=LIMIT)
        assert re.fullmatch(expected + "\n", result.stdout), result


def test_an_error_of_one_process_ends_all_with_its_traceback():
    script = """
        def fails(info):
            if rank == 1 and info.epoch == 2:
                raise KeyError("of the user's")

        net = sc.MLP([6, 11, 1], seed=1)
        net.fit(here.X, here.Y, n_shards=8, comm=comm, optimizer="adam", callbacks=fails)
        say("not reached")
    """
    result, said = launched(3, script)
    assert result.returncode != 0
    assert said == []
    assert "rank 1 of 3 ends the training of all:" in result.stderr
    assert 'KeyError: "of the user\'s"' in result.stderr


@pytest.mark.parametrize("who", [0, 1])
def test_a_process_that_is_killed_ends_all_and_others_go_on_from_the_checkpoint(tmp_path, who):
    # Within a step that comes soon after, as nobody expects it.
    script = f"""
        def dies(info):
            if rank == {who} and info.epoch == 30 and "DIES" in os.environ:
                threading.Timer(0.002, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()

        net = sc.MLP([6, 11, 1], seed=1, dropout=0.2)
        saving = dict(checkpoint={str(tmp_path / "run")!r}, checkpoint_every=0.001, resume=True)
        net.fit(here.X, here.Y, n_shards=8, comm=comm, optimizer="adam", callbacks=dies, epochs=300, **saving)
        say(hashlib.sha256(net.theta.tobytes()).hexdigest())
    """
    begin = time.monotonic()
    result, said = launched(3, script, DIES="yes")
    assert result.returncode != 0
    assert said == []
    assert time.monotonic() - begin < LIMIT / 2
    net = sc.MLP([6, 11, 1], seed=1, dropout=0.2)
    net.fit(X, Y, n_shards=8, optimizer="adam", epochs=300)
    assert (tmp_path / "run").exists()
    result, said = launched(2, script)
    assert result.returncode == 0, result.stderr
    assert said == [[[hashlib.sha256(net.theta.tobytes()).hexdigest()]]] * 2


def test_ctrl_c_of_one_process_ends_all_after_the_same_step():
    script = """
        net = sc.MLP([6, 50, 1], seed=1)

        def interrupts(info):
            if rank == 1 and info.epoch == 1:
                threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

        try:
            fit = dict(n_shards=8, comm=comm, optimizer="adam", epochs=10**7)
            net.fit(here.X, here.Y, callbacks=interrupts, **fit)
        except KeyboardInterrupt:
            sha = hashlib.sha256(net.theta.tobytes()).hexdigest()
            say(net.history.stopped, net.optimizer.step_count, sha)
    """
    result, said = launched(2, script)
    assert result.returncode == 0, result.stderr
    assert len(said) == 2
    assert said[0] == said[1]
    assert said[0][0][0] == "interrupted"


def test_a_handler_of_ones_own_is_called_and_may_let_the_training_go_on():
    script = """
        called = []
        signal.signal(signal.SIGINT, lambda *what: called.append(what[0]))

        def interrupts(info):
            if rank == 1 and info.epoch < 3:
                os.kill(os.getpid(), signal.SIGINT)

        net = sc.MLP([6, 50, 1], seed=1)
        net.fit(here.X, here.Y, callbacks=interrupts, n_shards=8, comm=comm, epochs=4)
        os.kill(os.getpid(), signal.SIGINT)
        say(rank, net.history.stopped, len(called))
    """
    result, said = launched(2, script)
    assert result.returncode == 0, result.stderr
    assert sorted(words[0] for words in said) == [[0, "epochs", 1], [1, "epochs", 3]]


@pytest.mark.parametrize("method", ["Alltoallv", "Allgather"])
def test_an_error_of_a_communicator_that_holds_on_to_its_memory_is_the_one_that_is_told(capfd, method):
    def fail(theirs):
        held = re.finditer(b".", theirs[0] if method == "Alltoallv" else theirs)
        raise ConnectionError(f"rank 2 is gone, {held} is held")

    ended_by(method, fail)
    told = capfd.readouterr().err
    assert "ConnectionError: rank 2 is gone" in told
    assert "BufferError" not in told


def test_a_network_that_has_learnt_other_epochs_is_refused_everywhere():
    X = np.eye(60, dtype=np.float32)
    y = np.ones(60, np.float32)

    def work(comm):
        net = sc.MLP([60, 1], seed=1)
        if comm.Get_rank() == 0:
            net.fit(X, y, optimizer=sc.SGD(lr=0.0), epochs=3, batch_size=30)
        net.theta[:] = 0
        with pytest.raises(ValueError, match="the epochs that the network has learnt"):
            net.fit(X, y, optimizer=sc.SGD(lr=0.1), epochs=1, batch_size=30, n_shards=2, comm=comm)
        return np.abs(net.theta).max()

    assert together(2, work) == [0, 0]

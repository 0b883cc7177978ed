"""Work for many threads and processes at once, whose results are known, for quick tests and long runs."""

import copy
import os
import pickle
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np

import schuss as sc

X = np.random.default_rng(0).standard_normal((1500, 12), np.float32)
y = X[:, 0] * X[:, 1]


def fitted(seed=0, **options):
    net = sc.MLP([12, 24, 24, 1], seed=seed)
    net.fit(X, y, **{"epochs": 2, "batch_size": 100, **options})
    return net


def stepped(count=3, size=70_000):
    params = [np.full(size, 0.5, np.float32), np.ones(10, np.float32)]
    optimizer = sc.Adam(params)
    for _ in range(count):
        optimizer.step(params)
    return np.concatenate(params)


def minimum():
    return sc.minimize(lambda x: ((x - 3) ** 2).sum(), np.zeros(3), starts=[np.ones(3)], max_steps=20).x


def estimated():
    model = sc.MLPRegressor(hidden_layer_sizes=8, max_iter=2, random_state=0, n_threads=2)
    return model.fit(X, y).coefs_[0]


NET = fitted()
WORK = {
    "fit": lambda: fitted(1, n_threads=2).theta,
    "fit with validation": lambda: fitted(2, validation_data=(X, y), n_threads=3).theta,
    "fit with callbacks": lambda: fitted(3, callbacks=lambda info: info.net.predict(X[:5])).theta,
    "fit by L-BFGS": lambda: fitted(4, optimizer="lbfgs", batch_size="auto", n_threads=2).theta,
    "predict": lambda: NET.predict(X),
    "predict, one row": lambda: NET.predict(X[:1]),
    "loss": lambda: np.array(NET.loss(X, y)),
    "loss_and_grads": lambda: NET.loss_and_grads(X, y, n_threads=2)[1][0].base,
    "step": stepped,
    "small step": lambda: stepped(5, 100),
    "copy": lambda: copy.deepcopy(NET).theta,
    "pickle": lambda: pickle.loads(pickle.dumps(NET)).theta,
    "minimize": minimum,
    "estimator": estimated,
}


def on_own_and_shared_objects(calls, threads=8, seed=0):
    """Threads that do known work, each so many pieces of it in an order of its own, and use shared models.

    Returns how much of it was done, by name. Raises where anything comes out wrong.
    """
    expected = {name: work() for name, work in WORK.items()}
    shared, params = sc.MLP([12, 16, 1]), [np.zeros(70_000, np.float32)]
    optimizer = sc.SGD(params, lr=1.0, momentum=0.0)
    grads = [np.ones(70_000, np.float32)]
    counts, errors, lock = {}, [], threading.Lock()
    uses = {
        "shared fit": lambda: shared.fit(X, y, epochs=1, n_threads=2),
        "shared predict": lambda: shared.predict(X),
        "shared loss_and_grads": lambda: shared.loss_and_grads(X, y),
        "shared pickle": lambda: pickle.dumps(shared),
        "shared step": lambda: optimizer.step(grads),
    }

    def busy(number):
        chance = random.Random(seed * 1000 + number)
        try:
            for _ in range(calls):
                if chance.random() < 0.3:
                    name = chance.choice(list(uses))
                    try:
                        uses[name]()
                    except RuntimeError as refused:
                        if not any(word in str(refused) for word in ("already training", "in use")):
                            raise
                        name = "refusals"
                else:
                    name = chance.choice(list(WORK))
                    np.testing.assert_array_equal(WORK[name](), expected[name], err_msg=name)
                with lock:
                    counts[name] = counts.get(name, 0) + 1
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=busy, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    assert (params[0] == -counts.get("shared step", 0)).all()
    assert optimizer.step_count == counts.get("shared step", 0)
    assert np.isfinite(shared.theta).all()
    return counts


def children(count):
    """Forks so many children while threads work; each of them does all the work once."""
    expected, over = {name: work() for name, work in WORK.items()}, threading.Event()

    def keep_busy(name):
        while not over.is_set():
            WORK[name]()

    names = ("step", "fit", "predict", "loss_and_grads")
    others = [threading.Thread(target=keep_busy, args=(name,)) for name in names]
    for other in others:
        other.start()
    try:
        for number in range(count):
            if (child := os.fork()) == 0:
                same = all(np.array_equal(work(), expected[name]) for name, work in WORK.items())
                os._exit(0 if same else 1)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert status == 0, f"child {number}: {status}"
    finally:
        over.set()
        for other in others:
            other.join()


def resources():
    """Threads, open files, and kilobytes of memory of this process."""
    process = Path("/proc/self")
    memory = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS"))
    return len(os.listdir(process / "task")), len(os.listdir(process / "fd")), int(memory.split()[1])


def assert_flat(before, after):
    """No more threads than one piece of work has, no more files, no more memory than an allocator keeps."""
    assert after[0] <= before[0] + 16, f"threads: {before[0]}, then {after[0]}"
    assert after[1] <= before[1], f"open files: {before[1]}, then {after[1]}"
    assert after[2] <= before[2] + 20_000, f"KB: {before[2]}, then {after[2]}"


def in_a_process(call, limit=600):
    """Calls a function of this module in a process of its own: a hang ends with the stacks of all threads."""
    watchdog = f"import faulthandler; faulthandler.dump_traceback_later({limit}, exit=True)"
    script = f"{watchdog}; import torture; print(torture.{call})"
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{call}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout

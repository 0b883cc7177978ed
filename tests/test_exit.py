"""The interpreter exits while daemon threads are in the middle of calls: it ends quietly, and at once."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("sklearn")

# What threads may be in: work without Python's lock, and Python code that this library calls.
SCRIPT = """
import random, sys, threading, time, warnings
import numpy as np
import schuss as sc
import schuss.estimators
warnings.simplefilter("ignore")
X = np.random.default_rng(0).standard_normal((3000, 16)).astype(np.float32)
y = X[:, 0].copy()
slow = sc.Adam(lr=lambda step: sum([1e-3 / (step + 1) for _ in range(30)]))

def fit(): sc.MLP([16, 64, 64, 1]).fit(X, y, epochs=3, batch_size=64, n_threads=2)
def huge(): sc.MLP([16, 700, 700, 1]).fit(X, y, epochs=10**6, batch_size=None)
def validated(): sc.MLP([16, 8, 1]).fit(X[:100], y[:100], epochs=100, validation_data=(X, y))
def called_back(): sc.MLP([16, 8, 1]).fit(X, y, epochs=100, callbacks=lambda info: None)
def scheduled(): sc.MLP([16, 8, 1]).fit(X, y, epochs=50, batch_size=10, optimizer=slow)
def lbfgs(): sc.MLP([16, 8, 1]).fit(X, y, epochs=50, optimizer="lbfgs")
patient = {"hidden_layer_sizes": 8, "max_iter": 1000, "n_iter_no_change": 1000}
def estimator(): sc.MLPRegressor(**patient).fit(X[:200], y[:200])
net = sc.MLP([16, 64, 1])
def predict(): net.predict(X)
def gradient(): net.loss_and_grads(X, y)
params = [np.ones(65_536, np.float32) for _ in range(4)]
optimizer = sc.Adam(params)
def step(): optimizer.step(params)
few = [np.ones(10)]
with_schedule = slow.bind(few)
def scheduled_step(): with_schedule.step(few)
def minimize(): sc.minimize(lambda x: (x**2).sum(), np.ones(5), optimizer=slow, max_steps=50)

def forever(work):
    while True:
        work()

WORK = [fit, huge, validated, called_back, scheduled, lbfgs, estimator, predict, gradient]
WORK += [step, scheduled_step, minimize]
"""
EXIT = """
chance = random.Random(int(sys.argv[1]))
for work in chance.sample(WORK, 4):
    threading.Thread(target=forever, args=(work,), daemon=True).start()
time.sleep(chance.random() * 0.2)
"""
# Children cost no import: of so many, some are in each moment of a call.
EXITS = """
import os
for number in range(15):
    if not (child := os.fork()):
        for work in (estimator, estimator, predict):
            threading.Thread(target=forever, args=(work,), daemon=True).start()
        time.sleep(random.Random(number).random() * 0.03)
        break
    if status := os.waitpid(child, 0)[1]:
        print(number, status, file=sys.stderr)
"""
LIMIT = 120  # seconds, to end a hang


def run(script, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)


def exit_amid_work(seed):
    """Runs the script, which must end as if nobody had been at work."""
    done = run(SCRIPT + EXIT, str(seed))
    # Threads end with SystemExit, which nobody is told of.
    assert (done.returncode, done.stderr) == (0, ""), f"seed {seed}: {done.returncode}\n{done.stderr}"


@pytest.mark.parametrize("seed", range(8))
def test_an_exit_amid_the_work_of_daemon_threads_is_quiet(seed):
    exit_amid_work(seed)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs to fork")
def test_an_exit_is_quiet_while_numpy_asks_for_memory():
    done = run(SCRIPT + EXITS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("work", ["starts", "table", "blocks"])
def test_an_exit_does_not_wait_for_the_threads_of_a_daemon_threads_call(work):
    script = """
import atexit, sys, threading, time
import numpy as np
import schuss as sc
X = np.random.default_rng(0).standard_normal((3000, 16)).astype(np.float32)
y = X[:, 0].copy()
begun = threading.Event()

def fun(x):
    begun.set()
    return (x**2).sum(), 2 * x

def starts():
    endless = {"min_step": 0, "max_steps": 10**9, "optimizer": sc.Adam(lr=1e-9)}
    sc.minimize(fun, np.ones(2), jac=True, starts=[[2.0, 2.0]] * 3, **endless)

def table():
    from schuss import TabularRegressor
    begun.set()
    TabularRegressor(n_members=50, n_folds=20).fit(X, y)

def blocks():
    begun.set()
    sc.MLP([16, 8, 1]).fit(sc.blocks.from_arrays(X, y, block_rows=100), epochs=10**9)

threading.Thread(target=globals()[sys.argv[1]], daemon=True).start()
begun.wait()
time.sleep(2)
"""
    done = run(script, work)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_exiting_thread_itself_may_work_on():
    script = """
import atexit
import numpy as np

def last():
    net.fit(np.ones((500, 4)), np.ones(500), epochs=2)
    print(net.predict(np.ones((5000, 4))).shape)

atexit.register(last)  # before the library: called after its own
import schuss as sc
net = sc.MLP([4, 64, 64, 1])
"""
    done = run(script)
    assert done.stdout.strip() == "(5000,)"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_was_forked_amid_work_exits_too():
    script = """
import os, sys, threading, time
import numpy as np
import schuss as sc
X = np.random.default_rng(0).standard_normal((3000, 16)).astype(np.float32)
net = sc.MLP([16, 64, 1])

def forever():
    while True:
        net.predict(X)

for _ in range(3):
    threading.Thread(target=forever, daemon=True).start()
time.sleep(0.1)
start = time.monotonic()
child = os.fork()
if child == 0:
    sc.MLP([16, 64, 1]).fit(X, X[:, 0], epochs=1)
    sys.exit(7)
status = os.waitpid(child, 0)[1]
print(os.waitstatus_to_exitcode(status), time.monotonic() - start < 60)
"""
    done = run(script)
    assert done.stdout.split() == ["7", "True"]


def test_a_subinterpreter_that_imports_it_may_live_until_the_end():
    made = run("""
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
inside = f"import sys; sys.path[:] = {sys.path!r}; import schuss; print(schuss.__version__)"
interpreters.run_string(interpreters.create(), inside)
""")
    # Newer versions of Python refuse modules of this kind there.
    assert made.returncode == 0 or "ImportError" in made.stderr

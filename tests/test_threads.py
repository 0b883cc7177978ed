"""The threads of the library: after a fork, where cores come and go, where there are none to have.

The limits are there to end a hang, two orders of magnitude above what the work takes.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import schuss as sc

LIMIT = 300  # seconds
REFUSED = 77  # the exit status of a process that may not do what it is to show
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1

linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")
several_cores = pytest.mark.skipif(CORES < 2, reason="one core needs no threads")

X = np.random.default_rng(0).standard_normal((5000, 16), np.float32)
NET = sc.MLP([16, 64, 64, 1], seed=0)


def predicted(n_threads=None):
    """Large enough for every core: the pool's work."""
    return NET.predict(X, n_threads=n_threads)


def stepped():
    """Large enough for every core: the team's work."""
    params = [np.ones(65_536, np.float32) for _ in range(4)]
    optimizer = sc.Adam(params)
    for _ in range(3):
        optimizer.step(params)
    return params[0]


def fitted():
    net = sc.MLP([16, 64, 64, 1], seed=1)
    net.fit(X[:512], X[:512, 0], batch_size=128, epochs=1, n_threads=2)
    return net.theta


def everything():
    return np.concatenate([predicted().ravel(), stepped(), fitted()])


def pool_threads():
    names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
    return sum(name.startswith("schuss-pool") for name in names)


def in_a_process(function):
    """Calls a function of this module in a process of its own; a hang ends with its children."""
    script = f"import test_threads; test_threads.{function.__name__}()"
    command = [sys.executable, "-W", "ignore", "-c", script]
    with subprocess.Popen(command, cwd=Path(__file__).parent, start_new_session=True) as process:
        try:
            code = process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if code == REFUSED:
        pytest.skip("the system does not let this user do it")
    assert code == 0


def children_of_a_busy_process():
    expected, over = everything(), False

    def keep_busy(work):
        while not over:
            work()

    def child():
        return np.array_equal(everything(), expected)

    with ThreadPoolExecutor(3) as others:
        for work in (predicted, stepped, fitted):
            others.submit(keep_busy, work)
        try:
            for _ in range(50):
                if (process := os.fork()) == 0:
                    os._exit(0 if child() else 1)
                assert os.waitpid(process, 0)[1] == 0
        finally:
            over = True


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_forked_while_other_threads_work_get_the_same_results():
    in_a_process(children_of_a_busy_process)


def grandchild():
    expected = everything()
    if (process := os.fork()) == 0:
        same = np.array_equal(everything(), expected)
        if (process := os.fork()) == 0:
            os._exit(0 if same and np.array_equal(everything(), expected) else 1)
        os._exit(os.waitpid(process, 0)[1])
    assert os.waitpid(process, 0)[1] == 0
    np.testing.assert_array_equal(everything(), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_a_child_works_too_and_so_does_the_parent_afterwards():
    in_a_process(grandchild)


CLONE_NEWPID = 0x20000000


def first_of_a_container_in_a_container():
    """Both have the number 1, and the child inherits what its parent has used."""
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    expected = everything()

    def first(work):
        if unshare(CLONE_NEWPID):
            os._exit(REFUSED)
        if (process := os.fork()) == 0:
            assert os.getpid() == 1
            os._exit(work())
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    def same():
        return 0 if np.array_equal(everything(), expected) else 1

    os._exit(first(lambda: same() or first(same)))


@linux
def test_a_child_with_its_parents_number_has_threads_of_its_own():
    in_a_process(first_of_a_container_in_a_container)


def cores_come_and_go():
    everywhere = os.sched_getaffinity(0)
    expected = predicted(1)
    assert pool_threads() == 0
    one, helpers = {min(everywhere)}, CORES - 1
    for cores, count in ((one, 0), (everywhere, helpers), (one, helpers), (everywhere, helpers)):
        os.sched_setaffinity(0, cores)
        time.sleep(0.15)  # the number of cores may be a tenth of a second old
        np.testing.assert_array_equal(predicted(), expected)
        limit = time.monotonic() + 30
        while pool_threads() < count and time.monotonic() < limit:
            time.sleep(0.01)  # one that nobody has waited for has its name when it first runs
        assert pool_threads() == count


@linux
@several_cores
def test_the_pool_has_a_thread_for_each_core_but_one_and_grows_with_them():
    in_a_process(cores_come_and_go)


def no_thread_to_have():
    import resource

    # A stack of more memory than the process may have: the limit hits threads, and nothing else.
    os.environ["RUST_MIN_STACK"] = str(2**42)
    expected = predicted(1)
    threads = len(os.listdir("/proc/self/task"))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + 2**30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    np.testing.assert_array_equal(predicted(), expected)
    np.testing.assert_array_equal(predicted(4), expected)
    assert len(os.listdir("/proc/self/task")) == threads


@linux
@several_cores
def test_where_the_system_has_no_thread_to_give_the_caller_does_it_alone():
    in_a_process(no_thread_to_have)


@pytest.mark.parametrize("n_threads", [None, 1, 2, 3, 16])
def test_predictions_and_losses_do_not_depend_on_threads(n_threads):
    np.testing.assert_array_equal(predicted(n_threads), predicted(1))
    losses = [NET.loss(X, X[:, 0], n_threads=threads) for threads in (n_threads, 1)]
    assert losses[0] == losses[1]


def test_predictions_of_several_python_threads_at_once_are_those_of_one_after_the_other():
    expected = predicted()
    with ThreadPoolExecutor(8) as threads:
        for result in threads.map(predicted, [None, 1, 2, 3] * 10):
            np.testing.assert_array_equal(result, expected)


def threads_now():
    return len(os.listdir("/proc/self/task"))


def crew_threads():
    names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    return names.count("schuss-team")


def fitted_with(n_threads):
    net = sc.MLP([16, 64, 64, 1], seed=1)
    net.fit(X[:512], X[:512, 0], batch_size=128, epochs=1, n_threads=n_threads)
    return net.theta


@pytest.mark.parametrize("n_threads", [1000, 10**13, 2**62])
def test_a_number_of_threads_that_makes_no_sense_is_as_many_as_do(n_threads):
    expected = fitted_with(1)
    np.testing.assert_array_equal(fitted_with(n_threads), expected)
    np.testing.assert_array_equal(predicted(n_threads), predicted(1))
    assert NET.loss(X, X[:, 0], n_threads=n_threads) == NET.loss(X, X[:, 0], n_threads=1)
    many, one = (NET.loss_and_grads(X, X[:, 0], n_threads=threads) for threads in (n_threads, 1))
    assert many[0] == one[0]
    np.testing.assert_array_equal(many[1][0], one[1][0])
    result = sc.minimize(lambda x: (x**2).sum(), [1.0], starts=[[2.0]] * 50, n_threads=n_threads)
    assert result.fun < 1e-2
    pytest.importorskip("sklearn")
    model = sc.MLPRegressor(hidden_layer_sizes=4, max_iter=2, n_iter_no_change=9, n_threads=n_threads)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(X[:200], X[:200, 0])


def many_numbers():
    expected = fitted_with(1)
    before = threads_now()
    most = max(4 * CORES, 16)
    for n_threads in range(2, 41):
        np.testing.assert_array_equal(fitted_with(n_threads), expected)
        assert crew_threads() <= min(n_threads, most) - 1
    assert threads_now() <= before + most - 1
    deadline = time.monotonic() + 60
    while crew_threads() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert crew_threads() == 0
    np.testing.assert_array_equal(fitted_with(3), expected)


@linux
def test_fits_with_many_numbers_of_threads_share_one_stock_which_ends_when_it_is_idle():
    in_a_process(many_numbers)


def few_threads_to_have():
    import resource

    everything()
    expected = fitted_with(1)
    time.sleep(7)  # until the stock has ended
    os.setuid(54_321)  # whom nobody else is; the limit does not hold for root
    limit = threads_now() + 4
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
    for n_threads in (16, 3, 2, None):
        assert np.array_equal(fitted_with(n_threads), expected)
        assert threads_now() < limit  # others get one, too
    everything()


@linux
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="becomes another user")
def test_a_fit_with_more_threads_than_the_system_gives_leaves_some_to_others():
    in_a_process(few_threads_to_have)


def masks_of_crew():
    tasks = Path("/proc/self/task").iterdir()
    ours = [task.name for task in tasks if (task / "comm").read_text().strip() == "schuss-team"]
    return [os.sched_getaffinity(int(task)) for task in ours]


def started_while_confined():
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everywhere)})
    fitted_with(3)
    assert masks_of_crew() == [{min(everywhere)}] * 2
    os.sched_setaffinity(0, everywhere)
    time.sleep(0.15)  # what is known of the cores may be a tenth of a second old
    fitted_with(3)
    assert masks_of_crew() == [everywhere] * 2


@linux
@several_cores
def test_threads_that_were_started_on_one_core_run_where_their_next_caller_may():
    in_a_process(started_while_confined)


def beside_a_confined_thread():
    everywhere = os.sched_getaffinity(0)
    ends, ready = threading.Event(), threading.Event()

    def confined():
        os.sched_setaffinity(0, {min(everywhere)})
        while not ends.is_set():
            predicted()
            ready.set()

    thread = threading.Thread(target=confined)
    thread.start()
    ready.wait()
    for _ in range(5):
        ready.clear()
        ready.wait()
        stepped()
    ends.set()
    thread.join()
    assert masks_of_crew() == [everywhere] * (CORES - 1)


@linux
@several_cores
def test_the_cores_of_one_thread_are_not_those_of_another():
    in_a_process(beside_a_confined_thread)


def test_the_module_says_that_it_needs_the_lock_of_python():
    # Where nothing is said, pyo3 tells a free-threaded Python that it does not. Others have nobody to tell.
    source = Path(__file__).parents[1] / "src/py/mod.rs"
    if not source.exists():
        pytest.skip("reads the sources")
    assert "#[pymodule(gil_used = true)]" in source.read_text()
    assert getattr(sys, "_is_gil_enabled", lambda: True)()

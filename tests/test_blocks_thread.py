"""The thread that reads ahead: how far, what it raises, and that it ends, however the training does."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
import weakref

import numpy as np
import pytest

import schuss as sc
from schuss.blocks._ahead import ahead

X = np.random.default_rng(0).standard_normal((800, 4)).astype(np.float32)
Y = X[:, 0].copy()


def blocks(transform=None, **options):
    return sc.blocks.from_arrays(X, Y, block_rows=100, window=1, transform=transform, **options)


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "schuss-blocks"]


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert readers() == []


def test_without_a_thread_the_caller_makes_the_items(monkeypatch):
    def refused(thread):
        raise RuntimeError("can't start new thread")

    def transform(X):
        seen.add(threading.get_ident())
        return X

    def broken(X):
        raise ZeroDivisionError

    seen = set()
    expected = sc.MLP([4, 8, 1]).fit(blocks(), epochs=2)
    monkeypatch.setattr(threading.Thread, "start", refused)
    history = sc.MLP([4, 8, 1]).fit(blocks(transform), epochs=2)
    assert history["loss"] == expected["loss"]
    assert seen == {threading.get_ident()}
    with pytest.raises(ZeroDivisionError):
        sc.MLP([4, 8, 1]).fit(blocks(broken), epochs=2)


def test_the_next_item_is_made_while_the_present_one_is_worked_with_and_no_more():
    made = [threading.Event() for _ in range(6)]

    def items(stopped):
        for number, event in enumerate(made):
            event.set()
            yield number

    for number in (iterator := ahead(items)):
        if number == 4:
            break
        assert made[number + 1].wait(10)
        time.sleep(0.01)
        assert not any(event.is_set() for event in made[number + 2 :])
    iterator.close()


def test_what_it_raises_comes_after_the_items_before():
    def items(stopped):
        yield 1
        yield 2
        raise KeyError("gone")

    iterator = ahead(items)
    assert [next(iterator), next(iterator)] == [1, 2]
    with pytest.raises(KeyError, match="gone"):
        next(iterator)
    assert list(ahead(lambda stopped: iter([]))) == []
    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda stopped: 1 / 0))


def test_two_windows_are_in_memory_and_no_more():
    alive, most = [], []

    def note(x):
        time.sleep(0.02)  # until the one before the last has been dropped
        alive.append(weakref.ref(x))
        most.append(sum(each() is not None for each in alive))
        return x

    sc.MLP([4, 4, 1]).fit(blocks(note), epochs=3)
    assert len(most) == 24
    assert max(most) == 2


def slow(x):
    time.sleep(0.05)
    return x


def failing(x):
    failing.calls += 1
    if failing.calls == 5:
        raise ConnectionError("the disk has gone")
    return x


ENDS = {
    "the end": lambda net: net.fit(blocks(), epochs=2),
    "a callback": lambda net: net.fit(blocks(slow), epochs=9, callbacks=lambda info: True),
    "max_time": lambda net: net.fit(blocks(slow), epochs=999, max_time=0.2),
    "target_loss": lambda net: net.fit(blocks(), epochs=9, target_loss=1e9),
}


@pytest.mark.parametrize("name", ENDS)
def test_it_ends_with_the_training(name):
    ENDS[name](sc.MLP([4, 8, 1]))
    assert readers() == []


def test_it_ends_where_reading_fails_and_the_error_comes_as_it_is():
    failing.calls = 0
    net = sc.MLP([4, 8, 1])
    with pytest.raises(ConnectionError, match="the disk has gone"):
        net.fit(blocks(failing), epochs=3)
    assert net.history.stopped == "error"
    assert readers() == []
    # Blocks 1 to 4 have been learnt from.
    expected = sc.MLP([4, 8, 1])
    order = np.random.default_rng([0, 0]).permutation(8)[:4]
    expected.fit(lambda: iter([(X[100 * i :][:100], Y[100 * i :][:100]) for i in order]), epochs=1)
    assert net.theta.tobytes() == expected.theta.tobytes()


def test_it_ends_where_training_fails():
    net = sc.MLP([4, 8, 1])
    with pytest.raises(sc.optimizers.NonFiniteError):
        net.fit(blocks(slow), epochs=3, optimizer=sc.SGD(lr=1e30))
    assert readers() == []
    with pytest.raises(ValueError, match="X must be of shape"):
        sc.MLP([3, 1]).fit(blocks(slow), epochs=3)
    assert readers() == []


def test_it_ends_where_nobody_takes_all():
    iterator = iter(blocks(slow))
    next(iterator)
    assert len(readers()) == 1
    iterator.close()
    assert readers() == []


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("where", ["reading", "training"])
def test_ctrl_c_is_heard_within_a_moment(where):
    if where == "reading":
        source, net, batch_size = blocks(lambda x: slow(slow(x))), sc.MLP([4, 1]), None
    else:
        rows = np.ones((20_000, 4), np.float32)
        source = sc.blocks.from_arrays(rows, rows[:, 0].copy(), block_rows=10_000, window=1)
        net, batch_size = sc.MLP([4, 512, 512, 1]), None
    pressed = []

    def press():
        time.sleep(0.35)
        pressed.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  the thread is part of it
        thread.start()
        net.fit(source, epochs=10_000, batch_size=batch_size)
    assert time.perf_counter() - pressed[0] < 30  # a hang, not a speed, would fail here
    thread.join()
    assert net.history.stopped == "interrupted"
    assert readers() == []


def test_two_trainings_may_share_the_blocks():
    shared, nets = blocks(slow), [sc.MLP([4, 8, 1]) for _ in range(3)]
    threads = [threading.Thread(target=lambda net=net: net.fit(shared, epochs=2)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = sc.MLP([4, 8, 1])
    alone.fit(blocks(), epochs=2)
    assert {net.theta.tobytes() for net in nets} == {alone.theta.tobytes()}


def test_it_ends_where_a_generator_takes_the_blocks_and_its_error_is_kept():
    def narrow():
        for number, (rows, labels) in enumerate(source):
            yield (rows[:, :2] if number == 2 else rows), labels

    source = blocks()
    with pytest.raises(ValueError, match="X must be of shape") as kept:
        sc.MLP([4, 8, 1]).fit(narrow, epochs=1)
    assert readers() == []
    assert kept.value.__traceback__ is not None


def test_it_may_itself_find_that_the_iterator_is_garbage():
    def collect(x):
        if dropped.is_set():
            gc.collect()
            collected.set()
        return x

    class Loader:
        pass

    dropped, collected = threading.Event(), threading.Event()
    loader = Loader()
    loader.itself, loader.iterator = loader, iter(blocks(lambda x: collect(slow(x))))
    next(loader.iterator)
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            dropped.set()
            del loader
            assert collected.wait(60)
            for thread in readers():
                thread.join(60)
    finally:
        gc.enable()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs to fork")
def test_a_forked_child_is_told_that_it_has_no_thread():
    done = run("""
import gc
import os
iterator = iter(blocks)
next(iterator)
child = os.fork()
if child == 0:
    try:
        next(iterator)
    except RuntimeError as error:
        print(error, flush=True)
        os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(list(iterator)))
""")
    told = "an iterator over blocks cannot go on without its thread: this process was forked meanwhile"
    assert done.stdout.splitlines() == [told, "7 7"], done.stderr


LEFT = {
    "an iterator": "iterator = iter(blocks); next(iterator)",
    "an iterator in a cycle": "iterator = iter(blocks); kept = [iterator]; kept.append(kept); next(iterator)",
    "an iterator that an error keeps": """
def narrow():
    iterator = iter(blocks)
    next(iterator)
    1 / 0
narrow()
""",
    "an iterator of an ended thread": """
import threading
thread = threading.Thread(target=lambda: kept.append(iter(blocks)) or next(kept[0]))
kept = []
thread.start()
thread.join()
""",
}


@pytest.mark.parametrize("what", LEFT)
def test_python_exits_where_one_has_left(what):
    done = run(LEFT[what])
    assert done.returncode == ("error" in what), done.stderr
    assert ("ZeroDivisionError" in done.stderr) == ("error" in what), done.stderr


def test_a_training_goes_on_after_the_main_thread_and_at_exit():
    done = run("""
import atexit, threading, time
def fit(where):
    time.sleep(0.2)
    print(where, len(sc.MLP([4, 8, 1]).fit(blocks, epochs=3)["loss"]), flush=True)
atexit.register(fit, "exit")
threading.Thread(target=fit, args=("thread",)).start()
""")
    assert done.stdout.splitlines() == ["thread 3", "exit 3"], done.stderr


def run(script):
    made = """
import numpy as np
import schuss as sc
X = np.ones((800, 4), np.float32)
blocks = sc.blocks.from_arrays(X, X[:, 0].copy(), block_rows=100, window=1)
"""
    command = [sys.executable, "-c", made + script]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

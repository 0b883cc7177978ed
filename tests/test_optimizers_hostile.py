"""What an optimizer is given may be code of the user's: it may do anything to arrays, fail, or look back."""

import collections.abc
import contextlib
import copy
import gc
import pickle
import random
import threading
import time
import weakref

import numpy as np
import pytest

import schuss as sc


def nested(depth, leaf):
    """A list in a list in a list."""
    for _ in range(depth):
        leaf = [leaf]
    return leaf


def within_itself():
    cycle = []
    cycle.append(cycle)
    return cycle


ENDLESS = {"in itself": within_itself, "deep": lambda: nested(100_000, np.ones(3))}


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_structure_without_an_end_is_refused_by_name(kind):
    endless, w = ENDLESS[kind](), np.ones(3)
    with pytest.raises(ValueError, match=r"^params must be a structure of at most 100 levels, got one that"):
        sc.Adam(endless)
    with pytest.raises(ValueError, match=r"^params must be a structure of at most 100 levels"):
        sc.Adam().bind({"a": endless})
    with pytest.raises(ValueError, match=r"^params must be a structure of at most 100 levels"):
        sc.Adam([{"params": endless}])
    opt = sc.Adam([w], lr=0.1)
    for grads in (endless, [endless], {"a": endless}):
        with pytest.raises((TypeError, ValueError), match=r"^grads"):
            opt.step(grads)
    for mask in (endless, [endless]):
        with pytest.raises((TypeError, ValueError, RecursionError), match=r"^decay_where|recursion"):
            sc.Adam([w], decay_where=mask)
    state = opt.state_dict()
    for name in state:
        with pytest.raises((TypeError, ValueError, RecursionError)):
            opt.load_state_dict({**state, name: endless})
    for name in ("state", "memory", "param_groups", "schedules"):
        with pytest.raises((TypeError, ValueError, RecursionError)):
            opt.load_state_dict({**state, name: [endless]})
    with pytest.raises((TypeError, ValueError, RecursionError)):
        opt.load_state_dict({**state, "state": {"m": endless, "v": endless}})
    assert opt.step_count == 0
    assert (w == 1).all()


def test_a_hundred_levels_are_enough_and_come_back():
    w = np.ones(3)
    opt = sc.Adam(nested(100, w), lr=0.1, ema=0.5)
    opt.step(nested(100, np.ones(3)))
    assert opt.averaged_params()
    assert "step 1" in repr(opt)
    assert (w < 1).all()
    twin = pickle.loads(pickle.dumps(opt))
    twin.step(nested(100, np.ones(3)))
    assert twin.step_count == 2


@pytest.mark.parametrize(
    "of", [lambda s: sc.schedules.warmup(s, 1), lambda s: sc.schedules.join([s, 0.1], [5])]
)
def test_schedules_in_schedules_end_somewhere(of):
    schedule = 0.1
    with pytest.raises(ValueError, match=r"^schedules? must be at most 100 deep, got 101 levels"):  # noqa: PT012
        for _ in range(100_000):
            schedule = of(schedule)
    assert schedule(3) >= 0
    assert schedule == pickle.loads(pickle.dumps(schedule))


class Lazy(collections.abc.Mapping):
    """A mapping that does something at each look-up."""

    def __init__(self, items, do):
        self.items_, self.do = items, do

    def __len__(self):
        return len(self.items_)

    def __iter__(self):
        return iter(self.items_)

    def __getitem__(self, key):
        self.do(key)
        return self.items_[key]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, MemoryError, ZeroDivisionError])
def test_what_a_look_up_raises_is_raised(error):
    def fails(_):
        raise error("mine")

    opt = sc.SGD({"a": np.ones(2)}, lr=0.1)
    with pytest.raises(error, match="mine"):
        opt.step(Lazy({"a": np.ones(2)}, fails))
    with pytest.raises(error, match="mine"):
        sc.SGD({"a": np.ones(2)}, decay_where=Lazy({"a": True}, fails))

    def missing(key):
        raise KeyError(key)

    with pytest.raises(
        ValueError, match=r"^grads\['a'\] must be there as in params, got a mapping without it"
    ):
        opt.step(Lazy({"a": np.ones(2)}, missing))
    assert opt.step_count == 0


def spoil(array, rng):
    """Do something to an array that takes its memory away, or changes what it is."""
    state = ((1,), (len(array),), np.dtype(array.dtype), False)
    match rng.randrange(7):
        case 0:
            array.resize(rng.choice([0, 1, 10 * array.size]), refcheck=False)
        case 1:
            array.__setstate__((1, (2,), array.dtype, False, bytes(2 * array.itemsize)))
        case 2:
            array.setflags(write=False)
        case 3:
            array.shape = (array.size, 1) if array.ndim == 1 else (array.size,)
        case 4:
            array.__setstate__((*state, bytes(array.nbytes)))
        case 5:
            array.__setstate__((1, (3,), np.dtype(np.int16), False, bytes(6)))
        case 6:
            array.__init__()
    gc.collect(0)
    return np.full(1000, np.nan)  # takes the memory that was given back


class HostileList(collections.abc.Sequence):
    def __init__(self, items, do):
        self.items_, self.do = items, do

    def __len__(self):
        return len(self.items_)

    def __getitem__(self, index):
        item = self.items_[index]
        self.do(index)
        return item


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("way", ["mapping", "sequence", "schedule", "rows", "mask"])
def test_whatever_is_done_to_arrays_during_a_step_it_is_right_or_refused(way):
    rng = random.Random(0)
    outcomes = collections.Counter()
    for number in range(2000):
        size = rng.choice([1, 5, 200, 70_000 if number % 50 == 0 else 300])
        params = {name: np.ones(size) for name in "abc"}
        grads = {name: np.ones(size) for name in "abc"}
        victims = list(params.values()) + list(grads.values())

        def do(*_, victims=victims):
            if rng.random() < 0.4:
                try:
                    spoil(rng.choice(victims), rng)
                except (ValueError, TypeError):
                    outcomes["NumPy refused"] += 1
            return 0.1

        names = list(params)
        lr = do if way == "schedule" else 0.1
        try:
            if way == "mask":
                opt = sc.Adam(params, lr=0.1, weight_decay=0.1, decay_where=lambda *_: do() > 0)
            else:
                opt = sc.Adam(params if way != "sequence" else list(params.values()), lr=lr)
        except (ValueError, TypeError):
            outcomes["refused at the start"] += 1
            continue
        if way == "rows":
            rows = HostileArray(np.arange(size), do)
            grads = {name: (rows, grads[name]) for name in names}
        given = {"mapping": Lazy(grads, do), "sequence": HostileList(list(grads.values()), do)}.get(
            way, grads
        )
        try:
            opt.step(given)
            outcomes["stepped"] += 1
        except (ValueError, TypeError):
            outcomes["refused"] += 1
    assert outcomes["stepped"] > 100
    assert outcomes["refused"] + outcomes["refused at the start"] > 100


class HostileArray(np.ndarray):
    """Integers whose conversion does something."""

    def __new__(cls, array, do):
        new = array.view(cls)
        new.do = do
        return new

    def __array_finalize__(self, other):
        self.do = getattr(other, "do", None)

    def astype(self, *args, **kwargs):
        if self.do:
            self.do()
        return np.asarray(self).astype(*args, **kwargs)


@pytest.mark.parametrize("which", ["parameter", "gradient"])
def test_numpy_resizes_nothing_that_a_long_step_works_on(which):
    size = 1_000_000
    ended, refused, reasons = threading.Event(), [], set()
    w, g = np.ones(size), np.ones(size)
    victim = g if which == "gradient" else w

    def disturb():
        while not ended.is_set():
            try:
                victim.resize(10, refcheck=False)
                victim.resize(size, refcheck=False)
            except ValueError:
                refused.append(1)
                time.sleep(1e-4)

    other = threading.Thread(target=disturb)
    other.start()
    end = time.monotonic() + 60
    try:
        while len(refused) < 5 and time.monotonic() < end:
            opt = sc.Adam([w], lr=0.1)
            for _ in range(3):
                try:
                    opt.step([g])
                except ValueError as error:
                    reasons.add(str(error).partition(" must be ")[2].partition(",")[0])
                    break
    finally:
        ended.set()
        other.join()
    assert len(refused) >= 5
    assert reasons <= {"as it was when the optimizer was made", f"of shape ({size}"}


def test_a_schedule_may_look_at_its_optimizer_and_change_options():
    seen = []

    def lr(step):
        seen.append(
            (
                opt.step_count,
                len(opt.param_groups),
                opt.param_groups[0]["weight_decay"],
                opt == opt,
                repr(opt)[:4],
            )
        )
        opt.param_groups[0]["weight_decay"] = 0.5
        opt.state_dict(), copy.copy(opt)
        return 0.1

    w = np.ones(2)
    opt = sc.SGD([w], lr=lr)
    opt.step([np.zeros(2)])
    assert seen[0] == (0, 1, 0.0, True, "SGD(")
    assert np.allclose(w, 1 - 0.1 * 0.5)
    assert opt.lr == 0.1


def test_a_schedule_may_replace_itself():
    def lr(step):
        opt.lr = 0.25
        return 0.5

    w = np.ones(1)
    opt = sc.SGD([w], lr=lr)
    assert opt.lr == 0.5
    assert opt.lr == 0.25
    opt.lr = lr
    opt.step([np.ones(1)])
    assert w == 0.5
    opt.step([np.ones(1)])
    assert w == 0.25


BUSY = "this optimizer is in use by a training or a step that is under way"


@pytest.mark.parametrize(
    "inside",
    [
        lambda opt: opt.step([np.ones(1)]),
        lambda opt: opt.load_state_dict(opt.state_dict()),
        lambda opt: opt.__setstate__(opt.__reduce__()[2]),
    ],
)
def test_a_schedule_cannot_step_its_own_optimizer(inside):
    def lr(step):
        inside(opt)
        return 0.5

    w = np.ones(1)
    opt = sc.SGD([w], lr=lr)
    with pytest.raises(RuntimeError, match=BUSY):
        opt.step([np.ones(1)])
    assert w == 1
    assert opt.step_count == 0
    opt.lr = 0.5
    opt.step([np.ones(1)])
    assert w == 0.5


def test_a_schedule_that_asks_for_its_own_result_ends_as_python_does():
    opt = sc.SGD([np.ones(1)], lr=lambda step: opt.lr)
    with pytest.raises(RecursionError):
        opt.step([np.ones(1)])
    with pytest.raises(RecursionError):
        _ = opt.lr
    opt.lr = 0.1
    opt.step([np.ones(1)])


USES = {
    "param_groups": lambda opt: opt.param_groups,
    "lr": lambda opt: opt.lr,
    "set lr": lambda opt: setattr(opt, "lr", 0.1),
    "step": lambda opt: opt.step(np.ones(5)),
    "step_count": lambda opt: opt.step_count,
    "skipped_steps": lambda opt: opt.skipped_steps,
    "==": lambda opt: opt == sc.Adam(),
    "== from the other side": lambda opt: sc.Adam() == opt,
    "bind": lambda opt: opt.bind(np.ones(5)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "repr": repr,
    "pickle": pickle.dumps,
    "state_dict": lambda opt: opt.state_dict(),
    "load_state_dict": lambda opt: opt.load_state_dict({}),
    "averaged_params": lambda opt: opt.averaged_params(),
    "tell": lambda opt: opt.tell(1.0),
    "__setstate__": lambda opt: opt.__setstate__(sc.Adam().__reduce__()[2]),
}


def test_an_optimizer_that_trains_says_so_to_everybody_else():
    net = sc.MLP([3, 4, 1], seed=0)
    X, y = np.ones((8, 3), np.float32), np.ones(8, np.float32)
    net.fit(X, y, optimizer=sc.Adam(lr=0.1), epochs=1)
    opt, messages = net.optimizer, {}
    group = opt.param_groups[0]
    uses = USES | {
        "group[]": lambda _: group["lr"],
        "group[weight_decay]": lambda _: group["weight_decay"],
        "group[]=": lambda _: group.__setitem__("lr", 0.1),
        "len(group)": lambda _: len(group),
        "list(group)": lambda _: list(group),
        "repr(group)": lambda _: repr(group),
        "fit": lambda opt: net._core.fit(net.theta.copy(), opt, (X, y[:, None], None), None, OPTIONS),
    }

    def lr(step):
        for name, use in uses.items():
            try:
                use(opt)
                messages[name] = None
            except RuntimeError as error:
                messages[name] = str(error)
        return 0.1

    opt.lr = lr
    net.fit(X, y, epochs=1)
    assert messages == dict.fromkeys(uses, BUSY)
    opt.lr = 0.1
    net.fit(X, y, epochs=1)


OPTIONS = {"epochs": 1, "first_epoch": 0, "shuffle": True, "seed": 0}


class Owner:
    """Keeps an optimizer whose learning rate is a method of its own."""

    def __init__(self, make):
        self.opt = make(self)

    def lr(self, step):
        return 0.1

    def decays(self, name, array):
        return True


def bound(owner, **options):
    opt = sc.Adam([np.ones(3)], **options)
    opt.step([np.ones(3)])
    return opt


def joined(owner):
    return sc.Adam(lr=sc.schedules.join([owner.lr, sc.schedules.cosine(0.1)], [2]))


def fitted(recipe):
    net = sc.MLP([1, 2, 1])
    net.fit(np.ones((4, 1)), np.ones(4), optimizer=recipe, epochs=3, progress=False)
    return net


OWNED = {
    "recipe": lambda owner: sc.Adam(lr=owner.lr),
    "bound": lambda owner: bound(owner, lr=owner.lr),
    "warmup": lambda owner: bound(owner, lr=sc.schedules.warmup(owner.lr, 3)),
    "join": lambda owner: bound(owner, lr=sc.schedules.join([0.1, owner.lr], [3])),
    "join without an end": lambda owner: joined(owner).bind([np.ones(3)], total_steps=9),
    "join without an end of a recipe": lambda owner: joined(owner),
    "network": lambda owner: fitted(joined(owner)),
    "schedule": lambda owner: sc.schedules.warmup(owner.lr, 3),
    "two optimizers of one schedule": lambda owner: [
        sc.Adam(lr=schedule) for schedule in 2 * [sc.schedules.warmup(owner.lr, 3)]
    ],
    "mask": lambda owner: bound(owner, decay_where=owner.decays),
    "mask of a recipe": lambda owner: sc.Adam(decay_where=owner.decays),
    "selector": lambda owner: sc.Adam([{"params": owner.decays}]),
    "selector, bound": lambda owner: sc.Adam([{"params": owner.decays}]).bind([np.ones(3)]),
    "key": lambda owner: sc.Adam({owner: np.ones(3)}),
    "groups": lambda owner: sc.Adam(lr=owner.lr).param_groups,
    "array": lambda owner: sc.Adam([Tagged(owner)]),
}


class Tagged(np.ndarray):
    """An array that knows its owner."""

    def __new__(cls, owner):
        new = np.ones(3).view(cls)
        new.owner = owner
        return new


@pytest.mark.parametrize("kind", OWNED)
def test_what_keeps_its_optimizer_is_collected_with_it(kind):
    owner = Owner(OWNED[kind])
    alive = weakref.ref(owner)
    gc.collect()
    assert alive() is owner
    assert owner.opt is not None
    if isinstance(owner.opt, sc.Optimizer) and "bound" in kind:
        owner.opt.step([np.ones(3)])
    del owner
    gc.collect()
    assert alive() is None


def test_a_shared_callable_is_not_collected_while_one_optimizer_has_it():
    owner = Owner(lambda owner: sc.Adam(lr=sc.schedules.warmup(owner.lr, 2)))
    other = sc.SGD([np.ones(1)], lr=owner.lr)
    copies = [owner.opt.bind([np.ones(2)]), copy.copy(other)]
    alive = weakref.ref(owner)
    del owner
    for _ in range(3):
        gc.collect()
    assert alive() is not None
    assert other.lr == copies[1].lr == 0.1
    del other, copies
    gc.collect()
    assert alive() is None


def test_numpy_resizes_nothing_that_a_training_works_on():
    net = sc.MLP([3, 4, 1], seed=0)
    X, y = np.ones((8, 3), np.float32), np.ones(8, np.float32)
    refused = []

    def lr(step):
        for array in (X, net.theta):
            try:
                array.resize(0, refcheck=False)
            except ValueError:
                refused.append(array)
        return 0.1

    net.fit(X, y, optimizer=sc.SGD(lr=lr), batch_size=4, epochs=1)
    assert len(refused) == 4
    assert X.shape == (8, 3)


def test_a_group_that_is_no_longer_there_says_so():
    opt = sc.SGD([{"params": np.ones(1)}, {"params": np.ones(2)}], lr=0.1)
    group = opt.param_groups[1]
    opt.__setstate__(sc.SGD(np.ones(1)).__reduce__()[2])
    for use in (
        lambda: group["lr"],
        lambda: group.keys(),
        lambda: group["params"],
        lambda: repr(group),
        lambda: len(group),
    ):
        with pytest.raises(RuntimeError, match="this parameter group is no longer one of its optimizer's"):
            use()
    with pytest.raises(RuntimeError, match="this parameter group is no longer one of its optimizer's"):
        group["lr"] = 0.5


JUNK = [
    None,
    -1,
    3,
    2.5,
    float("nan"),
    "x",
    b"x",
    [],
    [[]],
    (),
    {},
    {"a": 1},
    object(),
    2**70,
    True,
    [0, 5],
    [0, 0, 1],
]
JUNK += [
    np.ones(3),
    np.ones((2, 2)),
    [np.ones(2)],
    {"w": np.ones(2)},
    lambda *_: True,
    [{}],
    [{}, {}],
    ["*"],
    [None, None],
]


def made():
    """One optimizer of each kind."""
    a, b = np.ones((2, 2)), np.ones(3)
    yield sc.Adam(lr=0.1)
    yield sc.Adam([{"params": "*.b", "lr": 0.5}, {"params": ["c", "d"]}])
    yield sc.Adam({"a": a, "b": b}, ema=0.9, lr=sc.schedules.plateau(0.1))
    yield sc.NAdam([{"params": [a]}, {"params": {"x": b}, "lr": 0.0}])
    yield sc.SGD([{"params": "b*"}], momentum=0.9).bind({"a": a, "b": b})


@pytest.mark.parametrize("kind", range(5))
def test_no_state_of_a_pickle_brings_a_panic(kind):
    rng, outcomes = random.Random(kind), collections.Counter()
    for _ in range(2000):
        opt = list(made())[kind]
        parts = dict(opt.__reduce__()[2])
        for name in rng.sample(sorted(parts), rng.choice([1, 1, 2])):
            change(parts, name, rng)
        before = repr(opt)
        try:
            opt.__setstate__(parts)
        except Exception:
            outcomes["refused"] += 1
            assert repr(opt) == before
            continue
        outcomes["taken"] += 1
        # Whatever it is now, it does not crash.
        for use in (
            repr,
            lambda o: o.step([np.ones(2)]),
            lambda o: [dict(g) for g in o.param_groups],
            copy.deepcopy,
        ):
            with contextlib.suppress(Exception):
                use(opt)
    assert outcomes["refused"] > 100


def change(tree, key, rng):
    """Replace something in a tree by something else, or take it out."""
    inner = tree[key]
    if isinstance(inner, dict) and inner and rng.random() < 0.6:
        tree[key] = dict(inner)
        change(tree[key], rng.choice(sorted(inner)), rng)
    elif isinstance(inner, list | tuple) and inner and rng.random() < 0.6:
        tree[key] = list(inner)
        change(tree[key], rng.randrange(len(inner)), rng)
    elif rng.random() < 0.2:
        del tree[key]
    else:
        tree[key] = rng.choice(JUNK)

"""Damage to files and to states, and what every loader promises of it: the same content, or a refusal."""

import copy
import io
import zipfile

import numpy as np

import schuss as sc

REFUSALS = (TypeError, ValueError)
VALUES = [
    *(None, True, -1, 0, 1, 2.5, 2**31, 2**63, 2**64, -(2**80), 10**400),
    *(np.nan, np.inf, -np.inf, 1e308, 5e-324, 1j, "", "text", b"bytes", object(), print),
    *((), [], {}, [None], {"a": 1}, np.datetime64("2020-01-01")),
    *(np.array(1.0), np.ones(3), np.ones((2, 2, 2)), np.full(3, np.nan), np.array([None, 1])),
    *(np.array([], dtype=object), np.ones(2, bool), np.ones(2, complex)),
]


# Files


def flip(content, rng, others):
    damaged = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def truncate(content, rng, others):
    return content[: rng.randrange(len(content))]


def cut(content, rng, others):
    start, stop = sorted(rng.randrange(len(content)) for _ in range(2))
    return content[:start] + content[stop:]


def overwrite(content, rng, others):
    start, length = rng.randrange(len(content)), rng.choice([1, 4, 8, 100])
    filling = rng.choice([b"\0", b"\xff", rng.randbytes(1)])
    return content[:start] + (filling * length)[: len(content) - start] + content[start + length :]


def insert(content, rng, others):
    start = rng.randrange(len(content) + 1)
    return content[:start] + rng.randbytes(rng.choice([1, 8, 300])) + content[start:]


def splice(content, rng, others):
    """The first part of one file, the last part of another."""
    other, start = rng.choice(others), rng.randrange(len(content))
    return content[:start] + other[rng.choice([start, rng.randrange(len(other))]) :]


def swap(content, rng, others):
    """Two blocks of the file in each other's place."""
    length = rng.choice([4, 64, 1000])
    one, two = sorted(rng.randrange(max(len(content) - length, 1)) for _ in range(2))
    damaged = bytearray(content)
    damaged[one : one + length], damaged[two : two + length] = (
        content[two : two + length],
        content[one : one + length],
    )
    return bytes(damaged)


def join(content, rng, others):
    return rng.choice([content + rng.choice(others), rng.choice(others) + content])


BYTES = [flip, flip, truncate, cut, overwrite, insert, splice, swap, join]


def members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def zipped(parts, **options):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return stream.getvalue()


def shuffle_members(content, rng, others):
    """Sound members under each other's names."""
    parts = members(content)
    contents = [part for _, part in parts]
    rng.shuffle(contents)
    return zipped(zip([name for name, _ in parts], contents, strict=True))


def replace_member(content, rng, others):
    """A sound member of another file, or one that is damaged before it is packed."""
    parts = members(content)
    number = rng.randrange(len(parts))
    name, part = parts[number]
    foreign = [part for other in others for own, part in members(other) if own == name or rng.random() < 0.1]
    parts[number] = name, rng.choice([*foreign, flip(part, rng, others), truncate(part, rng, others)])
    return zipped(parts)


def drop_member(content, rng, others):
    parts = members(content)
    del parts[rng.randrange(len(parts))]
    return zipped(parts)


def reorder_or_compress(content, rng, others):
    parts = members(content)
    rng.shuffle(parts)
    return zipped(parts, compression=rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))


ARCHIVES = [shuffle_members, replace_member, replace_member, drop_member, reorder_or_compress]


# States: nested dicts and lists


def places(tree, path=()):
    yield path
    items = (
        tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list | tuple) else ()
    )
    for key, item in items:
        yield from places(item, (*path, key))


def changed(tree, rng):
    """A copy of a state in which something is another value, is missing or in another place."""
    every = [path for path in places(tree) if path]
    path, other = rng.choice(every), rng.choice(every)
    value = rng.choice([*VALUES, at(tree, other), damaged_array(at(tree, path), rng)])
    return with_value(copy_of(tree), path, value, remove=rng.random() < 0.2)


def copy_of(tree):
    if isinstance(tree, dict):
        return {key: copy_of(item) for key, item in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(map(copy_of, tree)) if type(tree) in (list, tuple) else list(tree)
    return tree.copy() if isinstance(tree, np.ndarray) else tree


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def with_value(tree, path, value, remove):
    key, *rest = path
    is_tuple = isinstance(tree, tuple)
    tree = list(tree) if is_tuple else tree
    if rest:
        tree[key] = with_value(tree[key], rest, value, remove)
    elif remove:
        del tree[key]
    else:
        tree[key] = value
    return tuple(tree) if is_tuple else tree


def damaged_array(value, rng):
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        return 1.5
    kind = rng.randrange(6)
    if kind == 0 and value.size:
        value = value.copy()
        value.flat[rng.randrange(value.size)] = rng.choice([np.nan, np.inf, -1.0])
        return value
    changes = [
        lambda: value.astype(np.float16),
        lambda: value[..., None],
        lambda: value.ravel()[1:],
        lambda: value.tolist(),
        value.copy,
    ]
    return changes[kind - 1]()


# Loaders


def problem(rule="Adam", dtype=np.float32, **options):
    params = [np.linspace(0, 1, 6, dtype=dtype).reshape(2, 3), np.ones(4, dtype)]
    optimizer = getattr(sc, rule)(params, **options)
    for number in range(3):
        optimizer.step([p * dtype(0.1) + dtype(number) for p in params])
    return params, optimizer


def network(optimizer="adam", **options):
    rng = np.random.default_rng(0)
    net = sc.MLP([3, 5, 5, 2], seed=1, **options)
    net.fit(rng.normal(size=(20, 3)), rng.normal(size=(20, 2)), optimizer=optimizer, epochs=2)
    return net


def saved(save):
    stream = io.BytesIO()
    save(stream)
    return stream.getvalue()


def facts(net):
    """All that a loader may change in a network."""
    history = None if net.history is None else dict(net.history)
    return (
        net.theta.tobytes(),
        repr(net),
        repr(history),
        text(net.optimizer),
        net._epochs_done,
        net._flat_targets,
    )


def text(optimizer):
    if not isinstance(optimizer, sc.Optimizer) or "params" not in optimizer.__reduce__()[2]:
        return repr(optimizer)
    return repr(optimizer) + exact(optimizer.state_dict())


def exact(tree):
    if isinstance(tree, dict):
        return str({key: exact(item) for key, item in tree.items()})
    if isinstance(tree, list | tuple):
        return str([exact(item) for item in tree])
    return f"{tree.dtype}{tree.shape}{tree.tobytes()}" if isinstance(tree, np.ndarray) else repr(tree)


class OptimizerFile:
    """`Optimizer.load`: of a file with a checksum, or of one without, whose members have CRC-32 alone."""

    words = "file "

    def __init__(self, with_checksum=True):
        made = [problem(), problem("SGD", momentum=0.9), problem(dtype=np.float64, ema=0.9)]
        self.contents = [saved(optimizer.save) for _, optimizer in made]
        if not with_checksum:
            strip = lambda content: zipped([p for p in members(content) if not p[0].startswith("schuss/")])  # noqa: E731
            self.contents = list(map(strip, self.contents))
        self.damages = BYTES + (ARCHIVES if with_checksum else [])
        self.content, self.others = self.contents[0], self.contents[1:]
        self.expected = text(made[0][1])

    def target(self):
        return sc.Adam([np.ones((2, 3), np.float32), np.ones(4, np.float32)])

    def load(self, target, content):
        target.load(io.BytesIO(content))
        return target

    facts = staticmethod(text)


class NetworkFile:
    """`MLP.load`."""

    words = "file "
    damages = BYTES + ARCHIVES

    def __init__(self):
        nets = [network(), network(None), network("sgd", activation="tanh"), network(sc.LBFGS())]
        self.content, *self.others = [saved(net.save) for net in nets]
        self.expected = facts(nets[0])

    def target(self):
        return None

    def load(self, target, content):
        return sc.MLP.load(io.BytesIO(content))

    def facts(self, net):
        return None if net is None else facts(net)


class SafetensorsFile:
    """`load_safetensors`, to a new network or to one that is there."""

    words = "file "
    damages = BYTES

    def __init__(self, is_new):
        self.is_new = is_new
        nets = [network(), network(activation="tanh"), sc.MLP([3, 5, 5, 2], seed=2)]
        self.content, *self.others = [
            saved(lambda s, net=net: sc.exchange.save_safetensors(net, s)) for net in nets
        ]
        self.expected = self.facts(nets[0])

    def target(self):
        return None if self.is_new else sc.MLP([3, 5, 5, 2], seed=7)

    def load(self, target, content):
        return sc.exchange.load_safetensors(io.BytesIO(content), target)

    def facts(self, net):
        return None if net is None else (net.theta.tobytes(), repr(net))


def check_file(loader, rng):
    """One damaged file: the same content, or a refusal that changes nothing. Which of them it was."""
    damage = rng.choice(loader.damages)
    content = damage(loader.content, rng, loader.others)
    target = loader.target()
    before = loader.facts(target)
    try:
        loaded = loader.load(target, content)
    except REFUSALS as error:
        refusal = str(error)
    else:
        refusal = None
    if refusal is not None:
        assert refusal.startswith(loader.words), refusal
        assert loader.facts(target) == before, damage
        return "refusals"
    found = loader.facts(loaded)
    # Where two files are joined, all of the other one may be left.
    others = loader.others if damage in (splice, join) else []
    assert found in [loader.expected, *(of_sound(loader, other) for other in others)], damage
    return "files without a difference"


def of_sound(loader, content):
    """What a sound file of another kind gives; None where it is refused."""
    try:
        return loader.facts(loader.load(loader.target(), content))
    except REFUSALS:
        return None


class StateDict:
    """`load_state_dict`."""

    def __init__(self):
        self.tree = problem(ema=0.9, amsgrad=True)[1].state_dict()

    def target(self):
        return problem(ema=0.9, amsgrad=True, lr=0.5)[1]

    def load(self, target, tree):
        target.load_state_dict(tree)

    facts = staticmethod(text)


class OptimizerState:
    """What pickle gives back to an optimizer."""

    def __init__(self):
        schedule = sc.schedules.warmup(sc.schedules.cosine(0.1, 20), 3)
        groups = [{"params": "0", "lr": schedule, "name": "first"}, {"params": ["1"], "weight_decay": 0.1}]
        params = [np.ones((2, 3)), np.ones(4)]
        self.tree = sc.AdamW(groups, ema=0.9).bind(params).__reduce__()[2]

    def target(self):
        return sc.AdamW()

    def load(self, target, tree):
        target.__setstate__(tree)

    facts = staticmethod(text)


class NetworkState:
    """What pickle gives back to a network."""

    def __init__(self):
        self.tree = network().__getstate__()

    def target(self):
        return None

    def load(self, target, tree):
        sc.MLP.__new__(sc.MLP).__setstate__(tree)

    def facts(self, target):
        return None


class TorchState:
    """`from_torch_state`."""

    def __init__(self):
        self.tree = problem(dtype=np.float64, convention="torch", amsgrad=True)[1].to_torch_state()

    def target(self):
        return [np.ones((2, 3)), np.ones(4)]

    def load(self, target, tree):
        optimizer = sc.Adam.from_torch_state(tree, target)
        assert all(
            np.isfinite(array).all() for slot in optimizer.state_dict()["state"].values() for array in slot
        )

    facts = staticmethod(exact)


class TorchWeights:
    """`load_torch`."""

    def __init__(self):
        self.tree = sc.exchange.to_torch(network())

    def target(self):
        return sc.MLP([3, 5, 5, 2], seed=7)

    def load(self, target, tree):
        sc.exchange.load_torch(target, tree)
        assert np.isfinite(target.theta).all()

    def facts(self, net):
        return net.theta.tobytes()


def check_state(loader, rng):
    """One changed state: taken over, or a refusal that changes nothing. Which of them it was."""
    tree = changed(loader.tree, rng)
    for _ in range(rng.choice([0, 0, 1, 3])):
        tree = changed(tree, rng) if isinstance(tree, dict) and tree else tree
    target = loader.target()
    before = copy.copy(loader.facts(target))
    try:
        loader.load(target, tree)
    except REFUSALS:
        refused = True
    else:
        refused = False
    assert not refused or loader.facts(target) == before, tree
    return "refusals" if refused else "states taken over"

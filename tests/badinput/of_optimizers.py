"""Optimizers: every option of every class, at construction and live, and the methods that take numbers."""

import inspect

import numpy as np

import schuss as sc
from schuss._schuss import rules

from .accepts import ANYTHING, NOTHING, Either, Flag, Number, OneOf, Only, Pair, is_array
from .entry import Entry, Subject, arguments

RANGES = {
    ">= 0": {"low": 0},
    "> 0": {"low": 0, "low_open": True},
    ">= 1": {"low": 1},
    "in [0, 1)": {"low": 0, "high": 1, "high_open": True},
    "in (0, 1)": {"low": 0, "high": 1, "low_open": True, "high_open": True},
    "in [0, 1]": {"low": 0, "high": 1},
    "in (0, 1]": {"low": 0, "high": 1, "low_open": True},
    "of any size": {},
}


class Soft:
    """What is right alone may be wrong beside the other options, or as a number of steps: legal or not."""

    def __init__(self, accepts):
        self.accepts = accepts

    def legal(self, value):
        return False if self.accepts.legal(value) is False else None


def accepts(option):
    numbers = Number(**RANGES.get(option["range"], {}))
    kind = option["type"]
    if kind in ("float", "float or Schedule"):
        return Soft(numbers)
    if kind == "float or None":
        return Soft(numbers.or_none())
    if kind == "int":
        return Soft(numbers)
    if kind == "int or None":
        return Soft(numbers.or_none())
    if kind == "bool":
        return Soft(Flag())
    if kind == "(float, float)":
        return Soft(Pair(numbers))
    names = [word.strip('", ') for word in kind.replace(" or mask", "").replace(" or ", ", ").split(", ")]
    choice = OneOf(*names)
    if "mask" in kind:
        # What a mask is like is known when there are arrays.
        return Soft(
            Only(lambda value: choice.rule(value) or not isinstance(value, (str, bytes, bytearray)) or False)
        )
    return Soft(choice)


def learning_rate():
    return Either(Number(low=0), also=lambda value: None if callable(value) else False)


class Default:
    """None is the default, too."""

    def __init__(self, accepts):
        self.accepts = accepts

    def legal(self, value):
        return None if value is None else self.accepts.legal(value)


def arrays():
    return np.ones((2, 3), np.float32), np.ones(3, np.float32)


def _at_work(cls, **options):
    w, b = arrays()
    return cls([w, b], **options), (w, b)


def _constructed(cls, name, bound):
    def subject(_):
        w, b = arrays()
        given = ([w, b],) if bound else ()
        return Subject(lambda value: cls(*given, **{name: value}), (w, b))

    return subject


def _live(cls, name):
    def subject(_):
        optimizer, held = _at_work(cls)
        return Subject(lambda value: optimizer.param_groups[0].__setitem__(name, value), (optimizer, *held))

    return subject


def _options():
    entries = []
    for rule in rules():
        cls = getattr(sc, rule["name"])
        table = {option["name"]: accepts(option) for option in rule["options"]}
        known = set(inspect.signature(cls).parameters)
        assert set(table) | {"params", "lr", "convention"} == known
        table["lr"] = learning_rate()
        for name, accepted in table.items():
            for how, make in (("", _constructed(cls, name, False)), (" live", _live(cls, name))):
                own = Default(accepted) if name == "lr" and not how else accepted
                entries += arguments(cls.__name__ + how, {name: own}, make)
        convention = Default(OneOf("lecture", "torch", "optax", "keras"))
        entries += arguments(cls.__name__, {"convention": convention}, _constructed(cls, "convention", True))
    return entries


def _methods():
    def lr(_):
        optimizer, held = _at_work(sc.Adam)
        return Subject(lambda value: setattr(optimizer, "lr", value), (optimizer, *held))

    def tell(_):
        optimizer, held = _at_work(sc.SGD, lr=sc.schedules.plateau(0.1, patience=0))
        return Subject(optimizer.tell, (optimizer, *held))

    def bind(name):
        def call(value):
            w, b = arrays()
            return sc.Adam().bind(**{"params": [w, b], name: value})

        return Subject(call)

    def group(name):
        w, b = arrays()
        return Subject(lambda value: sc.Adam([{"params": w}, {"params": b, name: value}]), (w, b))

    def unknown(_):
        return Subject(lambda value: sc.Adam(**{_text(value): 1.0}))

    def state(_):
        optimizer, held = _at_work(sc.Adam)
        return Subject(optimizer.load_state_dict, (optimizer, *held))

    def loaded(name):
        optimizer, held = _at_work(sc.Adam)
        optimizer.step(list(map(np.ones_like, held)))
        saved = optimizer.state_dict()
        return Subject(lambda value: optimizer.load_state_dict({**saved, name: value}), (optimizer, *held))

    text = (str, np.str_)
    entries = arguments("Optimizer.lr", {"lr": learning_rate()}, lr)
    entries += arguments("Optimizer.tell", {"result": Number(finite=False, nan=True)}, tell)
    entries += arguments("Optimizer.bind", {"params": (ANYTHING, "array"), "names": ANYTHING}, bind)
    entries += arguments("group", {"lr": learning_rate(), "weight_decay": Number(low=0)}, group)
    entries += arguments("group", {"name": Only(lambda value: isinstance(value, text)).or_none()}, group)
    entries += arguments("Adam", {"option": ANYTHING}, unknown)
    entries += arguments("Optimizer.load_state_dict", {"state_dict": NOTHING}, state)
    saved = dict.fromkeys(
        ("step_count", "skipped_steps", "param_groups", "group_of", "state", "memory"), ANYTHING
    )
    entries += arguments("load_state_dict of", saved, loaded)
    return entries


def _text(value):
    try:
        return str(value)[:50]
    except Exception:
        return "unprintable"


def _lbfgs():
    table = {
        "history_size": _count(),
        "max_line_search": _count(),
        "tolerance_grad": Number(low=0),
        "tolerance_change": Number(low=0),
        "c1": Number(low=0, high=0.9, low_open=True, high_open=True),
        "c2": Number(low=1e-4, high=1, low_open=True, high_open=True),
    }
    table["c1"] = (table["c1"], "c2")
    return arguments("LBFGS", table, lambda name: Subject(lambda value: sc.LBFGS(**{name: value})))


def _count():
    from .accepts import Count

    return Count()


# Arrays as parameters and gradients.

GOOD = {
    "as it is": lambda array: array,
    "in Fortran order": np.asfortranarray,
    "strided": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "reversed": lambda array: array[..., ::-1].copy()[..., ::-1],
    "a part": lambda array: np.pad(array, 1)[tuple(slice(1, -1) for _ in array.shape)],
}
BAD = {
    "read-only": lambda array: _read_only(array.copy()),
    "of integers": lambda array: array.astype(int),
    "of booleans": lambda array: array.astype(bool),
    "of text": lambda array: array.astype(str),
    "of objects": lambda array: array.astype(object),
    "of dates": lambda array: array.astype("M8[s]"),
    "of durations": lambda array: array.astype("m8[s]"),
    "of records": lambda array: np.zeros(array.shape, [("a", "f4")]),
    "in the other byte order": lambda array: array.astype(">f4"),
    "of long doubles": lambda array: array.astype(np.longdouble),
    "that overlaps itself": lambda array: np.broadcast_to(np.float32(1), array.shape),
    "masked": lambda array: np.ma.masked_array(array, array > 0),
    "a list": lambda array: array.tolist(),
    "too long": lambda array: np.concatenate([array, array]),
    "too short": lambda array: array[:-1],
    "without elements": lambda array: array[:0],
    "with an axis more": lambda array: array[None],
    "NaN": lambda array: array * np.nan,
    "infinite": lambda array: array + np.inf,
}


def _read_only(array):
    array.flags.writeable = False
    return array


def _arrays():
    def gradient(_):
        optimizer, (w, b) = _at_work(sc.Adam)
        other, (v, c) = _at_work(sc.Adam)
        other.step([np.full_like(v, 0.5), np.full_like(c, 0.25)])

        def right(value, result):
            return np.array_equal(w, v) and np.array_equal(b, c)

        return Subject(lambda value: optimizer.step([value, np.full_like(b, 0.25)]), (optimizer, w, b), right)

    sound = np.full((2, 3), 0.5, np.float32)
    made = {f"array {kind}": (lambda make=make: make(sound.copy())) for kind, make in {**GOOD, **BAD}.items()}

    def legal(value):
        if not is_array(value) or value.dtype != np.float32 or value.shape != sound.shape:
            return False
        if isinstance(value, np.ma.MaskedArray):
            return False
        return bool(np.isfinite(value).all())

    from .values import SCALARS

    says = ("grads", "gradient", "params")
    entries = [
        Entry("Optimizer.step(grads[0]=)", Only(legal), lambda: gradient(None), says, {**SCALARS, **made})
    ]

    def whole(_):
        optimizer, held = _at_work(sc.Adam)
        return Subject(optimizer.step, (optimizer, *held))

    entries.append(Entry("Optimizer.step(grads=)", NOTHING, lambda: whole(None), says, {**SCALARS, **made}))

    def params(_):
        return Subject(
            lambda value: sc.SGD([value, np.ones(2, np.float32)]).step(
                [np.zeros_like(value), np.zeros(2, np.float32)]
            )
        )

    def may_learn(value):
        if not is_array(value):
            return None
        kind = value.dtype.kind in "fc" and value.dtype.isnative and value.dtype != np.longdouble
        masked = isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value)
        overlaps = any(
            step == 0 and length > 1 for step, length in zip(value.strides, value.shape, strict=True)
        )
        sound = kind and value.flags.writeable and not masked and not overlaps
        return None if sound else False

    says = ("params", "grads")
    entries.append(Entry("SGD(params[0]=)", Only(may_learn), lambda: params(None), says, {**SCALARS, **made}))
    return entries


def entries():
    return _options() + _methods() + _lbfgs() + _arrays()

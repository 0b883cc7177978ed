"""Networks: construction, training, prediction, attributes, exchange."""

from decimal import Decimal
from functools import partial

import numpy as np

import schuss as sc

from .accepts import NOTHING, Count, Either, Flag, Number, OneOf, Only, precisions
from .data import forms, sparse_forms
from .entry import Entry, Subject, arguments
from .of_functions import optimizer_names

# Multiples of a quarter: exact in every precision.
X = (np.random.default_rng(0).integers(-8, 9, (12, 3)) / 4).astype(np.float32)
X[0, 0] = 0.25
Y = (X @ [1.0, -2.0, 0.5]).astype(np.float32)
CLASSES = (np.arange(12) % 3).astype(np.float32)
WEIGHTS = (1 + np.arange(12) % 4).astype(np.float32)
NOT_GIVEN = Either(also=lambda value: False).or_none()
NOT_GIVEN.legal = lambda value: None if value is None else False
SEED = Count(0, most=None)
THREADS = Count(cheap=4).or_none()


def regression():
    return sc.MLP([3, 4, 1], activation="tanh", seed=1)


def classification():
    return sc.MLP([3, 4, 3], activation="tanh", loss="cross_entropy", seed=1)


class Plain(Number):
    """A number that is not in an array, nor of a kind that Python does not take for a real one."""

    def rule(self, value):
        legal = super().rule(value)
        return legal and (None if isinstance(value, (Decimal, np.ndarray)) else legal)


def _rates(value):
    return None if isinstance(value, (list, tuple, np.ndarray)) or type(value).__name__ == "Series" else False


def _hidden_names(value):
    return None if isinstance(value, list) and value == ["relu"] else False


def _constructor():
    def subject(name):
        return Subject(lambda value: sc.MLP(**{"layers": [3, 4, 1], name: value}))

    def widths(value):
        sequence = isinstance(value, (list, tuple, range)) or type(value).__name__ in (
            "ndarray",
            "Series",
            "list_iterator",
        )
        return None if sequence else False

    rates = Plain(low=0, high=1, high_open=True)
    table = {
        "layers": Only(widths),
        "activation": Either(OneOf(*sc.ACTIVATIONS), also=_hidden_names),
        "loss": Either(OneOf(*sc.LOSSES)),
        "dtype": Only(lambda value: None if value in _dtypes() else False),
        "seed": SEED,
        "l2": Number(low=0),
        "dropout": Either(rates, also=_rates),
        # The network of this table has a loss without labels.
        "label_smoothing": Number(low=0, high=0),
        "norm": OneOf("layer", "rms").or_none(),
        "precision": precisions("float32"),
    }
    return arguments("MLP", table, subject)


class _dtypes:
    """What NumPy takes for float32 or float64."""

    def __contains__(self, value):
        try:
            return value is not None and np.dtype(value) in (np.float32, np.float64)
        except Exception:
            return False


def _fit():
    def subject(name):
        net = regression()
        given = {"epochs": 2, "batch_size": 4, "optimizer": sc.SGD(lr=0.01), "max_time": 5.0, "n_threads": 1}
        if name == "epochs":
            given["callbacks"] = lambda info: True
        if name == "averaged":
            given["optimizer"] = sc.SGD(lr=0.01, ema=0.9)
        return Subject(lambda value: net.fit(X, Y, **{**given, name: value}), (net,))

    table = {
        "optimizer": (OneOf(*optimizer_names()).or_none(), "batch_size"),
        "batch_size": Either(OneOf("auto"), Count()).or_none(),
        "n_shards": Count(most=2**16),
        "comm": NOTHING.__class__(lambda value: False).or_none(),
        "epochs": Count(0),
        "validation_data": NOTHING.__class__(lambda value: False).or_none(),
        "averaged": Flag(),
        "shuffle": Flag(),
        "target_loss": Number(finite=False).or_none(),
        "callbacks": Only(lambda value: None if callable(value) or _iterable(value) else False).or_none(),
        "progress": Flag(),
        "max_time": Number(low=0, low_open=True, finite=False).or_none(),
        "n_threads": THREADS,
        "seed": Count(0, most=None).or_none(),
    }
    names = {"callbacks": (TypeError, AttributeError, RuntimeError)}
    entries = []
    for name, accepts in table.items():
        entries += arguments("MLP.fit", {name: accepts}, subject, raises=names.get(name, ()))
    return entries


def _iterable(value):
    return hasattr(value, "__iter__") or hasattr(value, "__len__")


def _looks():
    """Methods that only look: `predict`, `logits`, `loss`, `loss_and_grads`."""

    def threads(method, *rows):
        def subject(_):
            net = regression()
            return Subject(lambda value: getattr(net, method)(*rows, n_threads=value), (net,))

        return arguments(f"MLP.{method}", {"n_threads": THREADS}, subject)

    def seed(_):
        net = sc.MLP([3, 4, 1], dropout=0.5)
        return Subject(lambda value: net.loss_and_grads(X, Y, dropout_seed=value), (net,))

    entries = [
        *threads("predict", X),
        *threads("logits", X),
        *threads("loss", X, Y),
        *threads("loss_and_grads", X, Y),
    ]
    return entries + arguments("MLP.loss_and_grads", {"dropout_seed": Count(0, most=None).or_none()}, seed)


def _initial():
    """`init_from_data`, which draws the parameters."""

    def subject(name):
        net = regression()
        return Subject(lambda value: net.init_from_data(X, **{name: value}), (net,))

    return arguments(
        "MLP.init_from_data", {"seed": Count(0, most=None).or_none(), "n_threads": THREADS}, subject
    )


def _flat(result):
    parts = result if isinstance(result, (list, tuple)) else [result]
    return [np.asarray(part).tobytes() for part in parts if not isinstance(part, list)]


def _compared(call, sound):
    """A subject whose result must be that of the sound array, bit for bit."""

    def right(value, result):
        return _flat(result) == _flat(call(sound))

    return right


def _data():
    """X, y and sample_weight of every method."""
    sound, wrong = sparse_forms()
    more = {"of other columns": lambda a: a[:, :-1], "of one row, flat": lambda a: a[0]}
    values, known = forms(X, also=sound, wrong={**wrong, **more})
    entries = []

    def fitted(**rows):
        net = regression()
        net.fit(
            rows["X"],
            rows["y"],
            sample_weight=rows.get("w"),
            epochs=1,
            optimizer=sc.SGD(lr=0.01),
            batch_size=5,
        )
        return net.theta

    calls = {
        "predict": lambda net, **r: net.predict(r["X"]),
        "logits": lambda net, **r: net.logits(r["X"]),
        "loss": lambda net, **r: net.loss(r["X"], r["y"], sample_weight=r.get("w")),
        "loss_and_grads": lambda net, **r: net.loss_and_grads(r["X"], r["y"], sample_weight=r.get("w"))[0],
    }
    plain = {"X": X, "y": Y}

    def rows(method, name, sound):
        net = regression()

        def call(value):
            if method == "fit":
                return fitted(**{**plain, name: value})
            return calls[method](net, **{**plain, name: value})

        return Subject(call, (net,), _compared(call, sound))

    for method in ("predict", "logits", "loss", "loss_and_grads", "fit"):
        # A sparse matrix without rows is none to learn from, but predicts nothing.
        own = known | (
            {"data without rows": None, "data NaN": None} if method in ("predict", "logits") else {}
        )
        says = ("X", "y")
        make = partial(rows, method, "X", X)
        entries.append(Entry(f"MLP.{method}(X=) of data", NOTHING, make, says, values, known=own))
    of_y, known_y = forms(
        Y, wrong={"of another length": lambda a: a[:-1], "of two columns": lambda a: np.stack([a, a], 1)}
    )
    of_w, known_w = forms(
        WEIGHTS,
        wrong={
            "negative": lambda a: -a,
            "all zero": lambda a: a * 0,
            "NaN": lambda a: a * np.nan,
            "infinite": lambda a: a + np.inf,
            "of another length": lambda a: a[:-1],
            "a column": lambda a: a[:, None],
        },
    )
    known_w["data all zero"] = False
    # Weights have a unit of their own: none is too large, and one that large changes the result.
    known_w["data beyond float32"] = None
    for method in ("loss", "loss_and_grads", "fit"):
        for name, sound, own, table in (("y", Y, known_y, of_y), ("w", WEIGHTS, known_w, of_w)):
            says = ("y", "target") if name == "y" else ("sample_weight",)
            make = partial(rows, method, name, sound)
            accepts = NOT_GIVEN if name == "w" else NOTHING
            entries.append(Entry(f"MLP.{method}({name}=) of data", accepts, make, says, table, known=own))
    return entries + _classes() + _validation()


def _classes():
    values, known = forms(
        CLASSES,
        wrong={
            "NaN": lambda a: a * np.nan,
            "halves": lambda a: a + 0.5,
            "out of range": lambda a: a + 1,
            "negative": lambda a: a - 1,
            "huge": lambda a: a * 1e30,
            "2**40": lambda a: a.astype(np.int64) * 2**40,
            "2**32": lambda a: a.astype(np.int64) + 2**32,
            "infinite": lambda a: a + np.inf,
        },
        also={kind: (lambda a, kind=kind: a.astype(kind)) for kind in ("i1", "u1", ">i4", "u8", "i8", "u4")},
    )
    entries = []
    for method in ("loss", "fit"):

        def subject(method=method):
            net = classification()

            def call(value):
                if method == "loss":
                    return net.loss(X, value)
                other = classification()
                other.fit(X, value, epochs=1, batch_size=5, optimizer=sc.SGD(lr=0.01))
                return other.theta

            return Subject(call, (net,), _compared(call, CLASSES))

        entries.append(Entry(f"MLP.{method}(y=) of classes", NOTHING, subject, ("y",), values, known=known))
    return entries


def _validation():
    values, known = forms(X, wrong={"NaN": lambda a: a * np.nan})
    # Not the rows alone.
    known = dict.fromkeys(known, False)
    pairs = {f"{kind}, in a pair": (lambda make=make: (make(), Y)) for kind, make in values.items()}

    def subject():
        net = regression()
        return Subject(
            lambda value: net.fit(X, Y, epochs=1, validation_data=value, optimizer=sc.SGD(lr=0.01)), (net,)
        )

    accepts = Only(lambda value: False).or_none()
    alone = Entry(
        "MLP.fit(validation_data=) alone", accepts, subject, ("validation_data",), values, known=known
    )
    values, known = forms(X)
    says = {f"{kind}, in a pair": legal for kind, legal in known.items()}
    # What is not finite could not be looked at.
    says |= {"data NaN, in a pair": False, "data infinite, in a pair": False}
    paired = Entry(
        "MLP.fit(validation_data=) paired", NOTHING, subject, ("validation_data",), pairs, known=says
    )
    return [alone, paired]


def _attributes():
    def subject(name):
        net = regression()
        return Subject(lambda value: setattr(net, name, value), (net,))

    rates = Plain(low=0, high=1, high_open=True)
    table = {
        "l2": Number(low=0),
        "dropout": Either(rates, also=_rates),
        "label_smoothing": Number(low=0, high=0),
        "precision": precisions("float32"),
        "theta": (NOTHING, "array"),
        "optimizer": Only(lambda value: value is None).or_none(),
        "history": Only(lambda value: value is None).or_none(),
    }
    entries = arguments("MLP.set", table, subject)
    for name in (
        "params",
        "named_params",
        "layers",
        "activations",
        "norm",
        "objective",
        "dtype",
        "seed",
        "loss",
        "lr",
    ):
        entries += arguments("MLP.set", {name: Only(lambda value: False)}, subject, raises=(AttributeError,))
    return entries


def entries():
    return _constructor() + _fit() + _looks() + _initial() + _data() + _attributes()

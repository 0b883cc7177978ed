"""Files, other programs' models, pictures, and the arguments of checkpoints."""

import os
import warnings
from functools import partial

import numpy as np

import schuss as sc

from .accepts import ANYTHING, NOTHING, Count, Flag, Number, Only
from .entry import Subject, arguments
from .of_network import X, Y, regression
from .values import SCALARS

try:
    import matplotlib as pictures
except ImportError:
    pictures = None


def _file(value):
    """Whether it could be a file or a path: those that could are not tried, or they would be made."""
    return isinstance(value, (str, bytes, os.PathLike)) or hasattr(value, "write")


NO_FILES = {kind: make for kind, make in SCALARS.items() if not _file(make())}


def _saving():
    def net(method, _):
        network = regression()
        return Subject(getattr(network, method), (network,))

    def optimizer(method, _):
        made = sc.Adam([np.ones(3)])
        return Subject(getattr(made, method), (made,))

    entries = []
    for of, subject in (("MLP", net), ("Optimizer", optimizer)):
        for method in ("save", "load"):
            make = partial(subject, method)
            entries += arguments(f"{of}.{method}", {"file": (NOTHING, "path")}, make, values=NO_FILES)
    return entries


def _checkpoints():
    def alone(name):
        network = regression()
        return Subject(lambda value: network.fit(X, Y, **{"epochs": 1, name: value}), (network,))

    def of_checkpoint(value):
        return None if value is None else False

    table = {"checkpoint": (Only(of_checkpoint).or_none(), "file", "path")}
    entries = arguments("MLP.fit", table, alone, values=NO_FILES)
    table = {"checkpoint_every": Alone(Number(low=0, low_open=True)), "resume": ANYTHING}
    return entries + arguments("MLP.fit alone", table, alone, values=NO_FILES)


class Alone:
    """What needs another argument beside it: refused, or none."""

    def __init__(self, accepts):
        self.accepts = accepts

    def legal(self, value):
        return None if value is None or self.accepts.legal(value) is not False else False


def _exchange():
    network = regression()

    def model(function):
        def subject(_):
            return Subject(getattr(sc.exchange, function))

        return subject

    def names(function):
        def subject(_):
            return Subject(lambda value: getattr(sc.exchange, function)(network, names=value))

        return subject

    def loaded(name):
        own = regression()
        given = {"model": own, "state": sc.exchange.to_torch(network)}
        return Subject(lambda value: sc.exchange.load_torch(**{**given, name: value}), (own,))

    def tensor(_):
        own = regression()
        state = sc.exchange.to_torch(network)
        return Subject(lambda value: sc.exchange.load_torch(own, {**state, "0.weight": value}), (own,))

    entries = []
    functions = ("to_torch", "to_onnx", "from_sklearn", "to_sklearn")
    for function in functions:
        entries += arguments(f"exchange.{function}", {"model": (NOTHING, "estimator")}, model(function))
    entries += arguments("exchange.to_torch", {"names": ANYTHING}, names("to_torch"))
    entries += arguments(
        "exchange.load_torch", {"model": NOTHING, "state": NOTHING, "names": (ANYTHING, "state")}, loaded
    )
    bad = {kind: make for kind, make in SCALARS.items() if kind not in ("a frame", "a series")}
    says = (ANYTHING, "weight", "layer")
    return entries + arguments("exchange.load_torch of", {"0.weight": says}, tensor, values=bad)


def _plots():
    if pictures is None:
        return []
    pictures.use("Agg")
    from matplotlib.figure import Figure

    history = sc.History()
    history.append(loss=1.0)

    def axes():
        return Figure().add_subplot()

    def function(x):
        return float((x**2).sum())

    given = {
        "learning_curve": {"history": history},
        "loss_by_step": {"fun": function, "paths": {"a": [[0.0], [1.0]]}},
        "loss_curve": {"fun": function, "bounds": (-1.0, 1.0), "paths": None},
        "loss_surface": {"fun": function, "bounds": ((-1.0, 1.0), (-1.0, 1.0)), "paths": None},
        "ewa": {"series": [1.0, 2.0], "beta": 0.9, "steps": 5},
        "schedules": {"schedules": 0.1, "steps": 5},
        "activations": {"names": "relu", "bounds": (-1.0, 1.0), "gradients": True},
        "layer_activations": {"net": regression(), "preactivations": True},
        "layer_gradients": {"net": regression()},
        "learning_rates": {"steps": 3, "rates": [0.1]},
        "animate": {"fun": function, "paths": {"a": [0.0, 1.0]}, "frames": 2, "seconds": 1.0},
        "decision_boundary": {"model": sc.MLP([2, 1]), "X": X[:, :2], "y": Y, "resolution": 5},
        "batch_regimes": {"steps": 2, "target": None, "batch_sizes": [64]},
    }
    rows = {"layer_activations": {"X": X}, "layer_gradients": {"X": X, "y": Y}}
    fun = (Only(lambda value: None if callable(value) else False), "function")
    accepts = {"history": NOTHING, "fun": fun, "paths": ANYTHING, "bounds": ANYTHING, "ax": ANYTHING}
    accepts |= {
        "net": NOTHING,
        "names": ANYTHING,
        "series": ANYTHING,
        "beta": ANYTHING,
        "schedules": ANYTHING,
    }
    accepts |= {"rates": ANYTHING, "steps": Count(cheap=100), "gradients": Flag(), "preactivations": Flag()}
    accepts |= {"frames": Count(most=1000), "seconds": Number(low=0, low_open=True), "model": NOTHING}
    accepts |= {"X": ANYTHING, "y": ANYTHING, "resolution": Count(2, cheap=20)}
    accepts |= {"target": Number(finite=False).or_none(), "batch_sizes": (ANYTHING, "batch_size")}
    entries = []
    for name, stored in given.items():

        def subject(argument, name=name, stored=stored):
            def call(value):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", UserWarning)
                    given = {**stored, **rows.get(name, {}), "ax": axes(), argument: value}
                    return getattr(sc.plots, name)(**given)

            return Subject(call)

        table = {argument: accepts[argument] for argument in (*stored, "ax")}
        # A picture of 101 x 101 points takes its time: a few of them will do.
        values = dict(list(SCALARS.items())[::3]) if name in ("loss_surface", "batch_regimes") else SCALARS
        entries += arguments(f"plots.{name}", table, subject, values=values)

    def display(argument):
        stored = {"history": history, "ax": axes(), "columns": ("loss",), "name": None}
        make = sc.TrainingCurveDisplay.from_history
        return Subject(lambda value: make(**{**stored, argument: value}))

    def estimator(_):
        return Subject(lambda value: sc.TrainingCurveDisplay.from_estimator(value, ax=axes()))

    table = {"history": NOTHING, "ax": ANYTHING, "columns": ANYTHING, "name": ANYTHING}
    entries += arguments("TrainingCurveDisplay.from_history", table, display)
    return entries + arguments("TrainingCurveDisplay.from_estimator", {"estimator": NOTHING}, estimator)


def entries():
    return _saving() + _checkpoints() + _exchange() + _plots()

"""The estimators: every parameter of the constructors, and rows for every method."""

import numpy as np

import schuss as sc

from .accepts import ANYTHING, NOTHING, Count, Either, Flag, Number, OneOf, Only, precisions
from .data import forms, sparse_forms
from .entry import Entry, Subject, arguments
from .of_functions import optimizer_names
from .of_network import WEIGHTS, X, Y, _compared

LABELS = np.arange(12) % 3
POSITIVE = Number(low=0, low_open=True)
OPTIONS = {"hidden_layer_sizes": (4,), "max_iter": 1, "random_state": 0, "n_threads": 1, "max_time": 5.0}
# Of legal values, such as that a training of one epoch has not converged.
WARNS = (
    "Stochastic Optimizer",
    "lbfgs failed",
    "Got `batch_size`",
    "Training diverged",
    "overflow encountered in cast",
    "X has feature names",
    "A column-vector y",
    "overflow encountered in square",
    "invalid value encountered in cast",
)

LOSSES = ["squared_error", "mse", "absolute_error", "mae", "l1", "poisson", "huber", "quantile", "log_cosh"]


def _widths(value):
    return (
        None
        if isinstance(value, (list, tuple, range, np.ndarray)) or type(value).__name__ == "Series"
        else False
    )


def _sequences(value):
    return None if isinstance(value, (list, tuple, np.ndarray)) or hasattr(value, "__len__") else False


def _table():
    share = Number(low=0, high=1, high_open=True)
    [
        each.lower()
        for each in sc.optimizers.__all__
        if each not in ("NonFiniteError", "Optimizer", "ParamGroup")
    ]
    flag = Either(Flag())
    return {
        "hidden_layer_sizes": Either(Count(cheap=1000), also=_widths),
        "activation": Either(OneOf("logistic", *sc.ACTIVATIONS), also=_sequences),
        "solver": OneOf("adam", "sgd", "lbfgs"),
        "alpha": Number(low=0),
        "batch_size": Either(OneOf("auto"), Count(most=None)),
        "learning_rate": OneOf("constant", "invscaling", "adaptive"),
        "learning_rate_init": POSITIVE,
        "power_t": Number(low=0),
        "max_iter": Count(cheap=5, most=None),
        "shuffle": flag,
        "random_state": ANYTHING,
        "tol": Number(low=0),
        "verbose": ANYTHING,
        "warm_start": flag,
        "momentum": Number(low=0, high=1),
        "nesterovs_momentum": flag,
        "early_stopping": flag,
        "validation_fraction": share,
        "beta_1": share,
        "beta_2": share,
        "epsilon": POSITIVE,
        "n_iter_no_change": Either(
            Count(most=None),
            also=lambda value: (
                None if isinstance(value, (float, np.floating)) and value == float("inf") else False
            ),
        ),
        "max_fun": Count(most=None),
        "optimizer": OneOf(*optimizer_names(), "lbfgs").or_none(),
        "schedule": Only(lambda value: None if callable(value) or value is None else False).or_none(),
        "dropout": Either(share, also=_sequences),
        "clip_norm": Number(low=0, low_open=True).or_none(),
        "scoring": Only(lambda value: None if isinstance(value, str) or callable(value) else False).or_none(),
        "restore_best": Either(flag).or_none(),
        "max_time": Number(low=0, low_open=True).or_none(),
        "callbacks": Only(
            lambda value: None if callable(value) or isinstance(value, (list, tuple)) else False
        ).or_none(),
        "progress": flag,
        "n_threads": Count(cheap=4, most=None).or_none(),
        "precision": precisions("float32", "float64"),
    }


class Soft:
    """scikit-learn's checks of numbers have their own ways with NumPy's: legal or not."""

    def __init__(self, accepts):
        self.accepts = accepts

    def legal(self, value):
        legal = self.accepts.legal(value)
        plain = type(value) in (float, str, bool, type(None)) or (type(value) is int and abs(value) < 2**1000)
        return legal if plain and legal is not True else (legal and None)


ALIASES = {
    "schedule": ("lr",),
    "learning_rate_init": ("lr", "non-finite parameter weights"),
    "alpha": ("l2", "non-finite parameter weights"),
    "hidden_layer_sizes": ("layers",),
    "epsilon": ("eps",),
    "scoring": ("score", "Scorer", "scorer"),
    "callbacks": ("callback",),
    "random_state": ("seed", "RandomState"),
}


def _parameters():
    entries = []
    for cls, y in ((sc.MLPRegressor, Y), (sc.MLPClassifier, LABELS)):
        more = {"class_weight": ANYTHING}
        if cls is sc.MLPRegressor:
            more = {
                "loss": OneOf(*LOSSES),
                "delta": POSITIVE,
                "quantile": Number(low=0, high=1, low_open=True, high_open=True),
                "target_weights": ANYTHING,
            }

        def subject(name, cls=cls, y=y):
            return Subject(lambda value: cls(**{**OPTIONS, name: value}).fit(X, np.abs(y)))

        for name, accepts in {**_table(), **more}.items():
            says = {name: (Soft(accepts), *ALIASES.get(name, ()))}
            entries += arguments(cls.__name__, says, subject, warns=WARNS, raises=_of_user(name))
    return entries


def _of_user(name):
    """Exceptions of functions that the user brings, which are theirs."""
    return (TypeError, AttributeError, RuntimeError) if name in ("callbacks", "scoring", "schedule") else ()


def _fitted(cls):
    y = Y if cls is sc.MLPRegressor else LABELS
    model = cls(**OPTIONS)
    model.max_iter = 2
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


def _rows():
    sound, wrong = sparse_forms()
    more = {
        "of other columns": lambda a: a[:, :-1],
        "of one row, flat": lambda a: a[0],
        "NaN": lambda a: a * np.nan,
    }
    values, known = forms(X, also=sound, wrong={**wrong, **more})
    # scikit-learn converts some, and float32 and float64 are trained each in its own precision.
    known |= {
        f"data {kind}": None
        for kind in ("beyond float32", "infinite", "of text", "of bytes", "of categories")
    }
    # Text that reads like numbers is read.
    known |= {"data a frame of text": None}
    loose = {kind: (None if legal else legal) for kind, legal in known.items()}
    loose |= {"data of other columns": None, "data sparse of other columns": None}
    entries = []
    for cls in (sc.MLPRegressor, sc.MLPClassifier):
        y = Y if cls is sc.MLPRegressor else LABELS
        for method in ("predict", "score", "fit", "partial_fit") + (
            ("predict_proba",) if cls is sc.MLPClassifier else ()
        ):

            def subject(cls=cls, y=y, method=method):
                model = _fitted(cls)

                def call(value):
                    if method in ("fit", "partial_fit"):
                        return getattr(_fitted(cls), method)(value, y).coefs_[0]
                    return getattr(model, method)(value, *([y] if method == "score" else []))

                return Subject(call, tuple(model.coefs_), _compared(call, X))

            says = ("X", "array", "sample", "feature", "non-finite parameter weights", "Input contains NaN")
            own = known if method in ("predict", "score", "predict_proba") else loose
            name = f"{cls.__name__}.{method}(X=) of data"
            entries.append(Entry(name, NOTHING, subject, says, values, WARNS, known=own))
        entries += _targets(cls)
    return entries


def _targets(cls):
    sound = (Y if cls is sc.MLPRegressor else LABELS).astype(np.float32)
    values, known = forms(sound, wrong={"of another length": lambda a: a[:-1], "NaN": lambda a: a * np.nan})
    # Labels may be anything that sorts; scikit-learn reads numbers from text.
    loose = {kind: (None if legal or cls is sc.MLPClassifier else legal) for kind, legal in known.items()}
    loose |= {
        f"data {kind}": None
        for kind in ("of text", "of bytes", "of objects", "a frame of text", "beyond float32")
    }
    loose |= {
        "data masked": False,
        "data masked everywhere": False,
        "data of another length": False,
        "data NaN": False,
    }
    of_weight, known_weight = forms(
        WEIGHTS,
        wrong={
            "negative": lambda a: -a,
            "all zero": lambda a: a * 0,
            "NaN": lambda a: a * np.nan,
            "of another length": lambda a: a[:-1],
        },
    )
    known_weight = {kind: (None if legal else legal) for kind, legal in known_weight.items()}
    known_weight |= {
        f"data {kind}": None for kind in ("of text", "of bytes", "beyond float32", "a frame of text")
    }

    def fit(name):
        def subject():
            def call(value):
                given = {"X": X, "y": sound, name: value}
                return cls(**OPTIONS).fit(**given).coefs_[0]

            return Subject(call)

        return subject

    says = ("y", "target", "label", "class", "inconsistent numbers of samples")
    entries = [Entry(f"{cls.__name__}.fit(y=) of data", ANYTHING, fit("y"), says, values, WARNS, known=loose)]
    says = ("sample_weight", "ample weights")
    name = f"{cls.__name__}.fit(sample_weight=) of data"
    entries.append(Entry(name, ANYTHING, fit("sample_weight"), says, of_weight, WARNS, known=known_weight))
    return entries


def entries():
    return _parameters() + _rows()

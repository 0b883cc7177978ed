"""Schedules, averages, minimisation, records and pictures."""

import schuss as sc
from schuss._schuss import rules

from .accepts import ANYTHING, NOTHING, Count, Either, Flag, Number, OneOf, Only, as_number, is_array
from .entry import Subject, arguments

S = sc.schedules
NON_NEGATIVE, POSITIVE = Number(low=0), Number(low=0, low_open=True)
COUNTED = Number(low=1)
SHARE = Number(low=0, high=1, low_open=True)


def _numbers(value):
    """A sequence of steps: numbers that are not negative."""
    if isinstance(value, (list, tuple, range)) or (is_array(value) and value.ndim == 1):
        return (
            None
            if all((as_number(each) or 0) >= 0 and as_number(each) is not None for each in value)
            else False
        )
    return None if type(value).__name__ in ("Series", "memoryview") else False


def optimizer_names():
    return [rule["name"].lower() for rule in rules()]


def _rate():
    return Either(NON_NEGATIVE, also=lambda value: None if callable(value) else False)


WARMUP = {"warmup_steps": Number(low=0), "warmup_start": NON_NEGATIVE}
LATE = {
    "warmup_steps": Only(lambda value: False if NON_NEGATIVE.legal(value) is False else None),
    "warmup_start": NON_NEGATIVE,
}
# None: as many as the training has.
STEPS = Number(low=1).or_none()
TOTAL = {"total_steps": STEPS, "final": NON_NEGATIVE, **LATE}
LATE["warmup_steps"] = (LATE["warmup_steps"], "total_steps")
TOTAL["warmup_steps"] = LATE["warmup_steps"]

SCHEDULES = {
    "constant": ({"lr": 0.1}, {"lr": NON_NEGATIVE, **WARMUP}),
    "step": (
        {"lr": 0.1, "step_size": 5},
        {"lr": NON_NEGATIVE, "step_size": COUNTED, "factor": NON_NEGATIVE, **WARMUP},
    ),
    "multistep": (
        {"lr": 0.1, "milestones": [3, 5]},
        {"lr": NON_NEGATIVE, "milestones": Only(_numbers), "factor": NON_NEGATIVE, **WARMUP},
    ),
    "exponential": (
        {"lr": 0.1, "rate": 0.5},
        {"lr": NON_NEGATIVE, "rate": SHARE, "decay_steps": POSITIVE, **WARMUP},
    ),
    "inverse_time": (
        {"lr": 0.1, "rate": 0.5},
        {"lr": NON_NEGATIVE, "rate": NON_NEGATIVE, "decay_steps": POSITIVE, **WARMUP},
    ),
    "linear": ({"lr": 0.1, "total_steps": 9}, {"lr": NON_NEGATIVE, **TOTAL}),
    "polynomial": ({"lr": 0.1, "total_steps": 9}, {"lr": NON_NEGATIVE, **TOTAL, "power": NON_NEGATIVE}),
    "cosine": ({"lr": 0.1, "total_steps": 9}, {"lr": NON_NEGATIVE, **TOTAL}),
    "cosine_restarts": (
        {"lr": 0.1, "period": 5},
        {
            "lr": NON_NEGATIVE,
            "period": COUNTED,
            "stretch": COUNTED,
            "final": NON_NEGATIVE,
            "peak_factor": Number(low=0, high=1),
            **WARMUP,
        },
    ),
    "coslog": (
        {"lr": 0.1, "total_steps": 9},
        {"lr": NON_NEGATIVE, "total_steps": STEPS, "cycles": Count(most=50)},
    ),
    "coslog4": ({"lr": 0.1, "total_steps": 9}, {"lr": NON_NEGATIVE, "total_steps": STEPS}),
    "flat_cos": (
        {"lr": 0.1, "total_steps": 9},
        {"lr": NON_NEGATIVE, **TOTAL, "flat": Number(low=0, high=1, high_open=True)},
    ),
    "one_cycle": (
        {"lr": 0.1, "total_steps": 9},
        {
            "lr": NON_NEGATIVE,
            "total_steps": STEPS,
            "rise": Number(low=0, high=1, low_open=True, high_open=True),
            "start": Number(low=0).or_none(),
            "final": Number(low=0).or_none(),
        },
    ),
    "cyclic": (
        {"lr": 0.1, "low": 0.01, "rise_steps": 3},
        {
            "lr": Number(low=0.01),
            "low": Number(low=0, high=0.1),
            "rise_steps": POSITIVE,
            "fall_steps": Number(low=0, low_open=True).or_none(),
            "factor": NON_NEGATIVE,
            "rate": SHARE,
        },
    ),
    "plateau": (
        {"lr": 0.1},
        {
            "lr": NON_NEGATIVE,
            "factor": Number(low=0, high=1, high_open=True),
            "patience": NON_NEGATIVE,
            "threshold": NON_NEGATIVE,
            "relative": Flag(),
            "maximize": Flag(),
            "cooldown": NON_NEGATIVE,
            "min_lr": NON_NEGATIVE,
        },
    ),
    "join": (
        {"schedules": [0.1, 0.2], "boundaries": [5]},
        {"schedules": ANYTHING, "boundaries": Only(_numbers)},
    ),
    "warmup": (
        {"schedule": 0.1, "steps": 3},
        {"schedule": (_rate(), "lr"), "steps": NON_NEGATIVE, "start": NON_NEGATIVE},
    ),
}


def _schedules():
    entries = []
    for name, (given, table) in SCHEDULES.items():
        make, stored = getattr(S, name), dict(given)

        def subject(argument, make=make, stored=stored):
            return Subject(lambda value: make(**{**stored, argument: value}))

        entries += arguments(f"schedules.{name}", table, subject)

    def steps(value):
        if as_number(value) is not None:
            return as_number(value) >= 0
        return None

    entries += arguments("Schedule", {"step": Only(steps)}, lambda _: Subject(S.cosine(0.1, 10, final=0.01)))
    return entries


def _ewa():
    def subject(name):
        return Subject(lambda value: sc.ewa(**{"series": [1.0, 2.0], name: value}))

    table = {"series": ANYTHING, "beta": Number(low=0, high=1, high_open=True), "bias_correction": Flag()}
    return arguments("ewa", table, subject)


def _minimize():
    def subject(name):
        given = {"fun": lambda x: ((x - 1) ** 2).sum(), "x0": [0.0, 2.0], "jac": lambda x: 2 * (x - 1)}
        given |= {"max_steps": 3, "max_time": 0.2}
        if name == "maxiter":
            del given["max_steps"]
        if name == "optimizer":
            given["callback"] = lambda x: True
        return Subject(lambda value: sc.minimize(**{**given, name: value}))

    [
        each.lower()
        for each in sc.optimizers.__all__
        if each not in ("NonFiniteError", "Optimizer", "ParamGroup")
    ]
    table = {
        "x0": ANYTHING,
        "jac": (Either(OneOf("2-point", "3-point"), also=_jac).or_none(), "fun"),
        "fun": (Only(lambda value: None if callable(value) else False), "returned", "must return"),
        "args": (ANYTHING, "argument"),
        "optimizer": OneOf(*optimizer_names(), "lbfgs").or_none(),
        "max_steps": Count(0, cheap=5),
        "min_step": Number(low=0, finite=False).or_none(),
        "max_time": Number(low=0, finite=False).or_none(),
        "bounds": ANYTHING,
        "callback": Only(lambda value: None if callable(value) else False).or_none(),
        "record": Flag(),
        "seed": Count(0, most=None),
        "starts": ANYTHING,
        "n_threads": Count().or_none(),
        "tol": Number(low=0, finite=False).or_none(),
        "maxiter": Count(0, cheap=5).or_none(),
        "hess": ANYTHING,
        "hessp": ANYTHING,
        "constraints": ANYTHING,
    }
    # What the user's function does with what it was given is its own affair.
    own = {"args", "fun", "callback", "jac", "x0"}
    entries = arguments("minimize", {name: rule for name, rule in table.items() if name not in own}, subject)
    given = (UserWarning, RuntimeWarning, RuntimeError, AttributeError)
    for name in sorted(own):
        entries += arguments("minimize", {name: table[name]}, subject, raises=given)
    return entries + _minimize_rows()


def _minimize_rows():
    def subject(name):
        given = {"data": [1.0, 2.0, 3.0], "batch_size": 2, "max_steps": 3, "jac": True}
        call = {"fun": lambda x, rows: (((x - rows.mean()) ** 2).sum(), 2 * (x - rows.mean())), "x0": 0.0}
        return Subject(lambda value: sc.minimize(**{**call, **given, name: value}))

    table = {"batch_size": Count().or_none(), "seed": Count(0, most=None)}
    return arguments("minimize with data", table, subject)


def _jac(value):
    # The function given here returns no gradient.
    return None if callable(value) or isinstance(value, bool) or value is None else False


def _history():
    def subject(name):
        history = sc.History()
        history.append(loss=1.0)
        return Subject(lambda value: history.append(**{name: value}), (history,))

    def column(_):
        history = sc.History()
        history.append(loss=1.0)
        return Subject(lambda value: history[value], (history,))

    entries = arguments("History.append", {"loss": Number(finite=False, nan=True).or_none()}, subject)
    return entries + arguments("History", {"column": NOTHING}, column, raises=(KeyError,))


def entries():
    return _schedules() + _ewa() + _minimize() + _history()

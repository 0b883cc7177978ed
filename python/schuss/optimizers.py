"""The optimizer classes, made from the tables of the rules.

A rule is declared once, in its Rust file: options, ranges, defaults of each convention, formula, citation.
Its class here, with signature and documentation, comes from that table; `Optimizer` does the work.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from ._checks import shown
from ._optimizer import Optimizer
from ._schuss import LBFGS, NonFiniteError, ParamGroup, rules

CONVENTIONS = ("lecture", "torch", "optax", "keras")

_DOC = """\
{summary}

{notes}

Parameters
----------
params : array, sequence, mapping or list of groups, optional
    What to update in place: arrays of float16, float32, float64, complex64 or complex128, in sequences and
    mappings nested at will; or a list of groups ``{{"params": ..., "lr": ...}}`` with options of their own.
    Left out, the result is a recipe for `bind`, `minimize`, `MLP.fit` and the estimators. So it is where the
    groups select arrays by name: a pattern such as ``"*.bias"`` (see `fnmatch.fnmatchcase`), a list of
    patterns, or a function of name and array. The first group that selects an array has it; what none selects
    has the options given here.
lr : float, Schedule or callable, default {lr}
    Learning rate, or a function of the step that gives it: see `schuss.schedules`.
{options}
convention : "lecture", "torch", "optax" or "keras", default "lecture"
    Whose formula and defaults to follow; options given besides still count.

Raises
------
TypeError, ValueError
    If there is no such option or convention, if a value is not accepted, or if `params` are none of these:
    arrays must be writable and have memory of their own.

References
----------
{reference}
"""


def _defaults(values: list[Any]) -> str:
    """Write the lecture's default, and those of the conventions that differ."""
    others = [
        f"{name}: {value!r}" for name, value in zip(CONVENTIONS, values, strict=True) if value != values[0]
    ]
    return f"{values[0]!r}" + (f" ({', '.join(others)})" if others else "")


def _wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 110, initial_indent=indent, subsequent_indent=indent)


def _make(rule: dict[str, Any]) -> type[Optimizer]:
    keyword, optional = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter("params", optional, default=None),
        inspect.Parameter("lr", optional, default=rule["lr"][0]),
    ]
    documentation = []
    for option in rule["options"]:
        parameters.append(inspect.Parameter(option["name"], keyword, default=option["defaults"][0]))
        about = f"{option['doc']} Must be {option['range']}." if option["range"] else option["doc"]
        head = f"{option['name']} : {option['type']}, default {_defaults(option['defaults'])}"
        documentation.append(f"{head}\n{_wrap(about, '    ')}")
    parameters.append(inspect.Parameter("convention", keyword, default=CONVENTIONS[0]))
    members = {
        "__doc__": _DOC.format(
            summary=rule["summary"],
            notes=rule["notes"],
            lr=_defaults(rule["lr"]),
            options="\n".join(documentation),
            reference=_wrap(rule["reference"]),
        ),
        "__module__": __name__,
        "__signature__": inspect.Signature(parameters),
        "__slots__": (),
        "_rule": rule["name"],
    }
    return type(rule["name"], (Optimizer,), members)


_CLASSES = {rule["name"]: _make(rule) for rule in rules()}
globals().update(_CLASSES)

__all__ = ["NonFiniteError", "Optimizer", "ParamGroup", *_CLASSES]


def recipe(optimizer: Any) -> Optimizer:
    """Return an optimizer as it is, or the recipe of that name ("adam") with its defaults."""
    return optimizer if isinstance(optimizer, Optimizer) else _named(optimizer, _CLASSES)


def recipe_or_lbfgs(optimizer: Any) -> Optimizer | LBFGS:
    """As `recipe`, where L-BFGS is accepted too."""
    if isinstance(optimizer, (Optimizer, LBFGS)):
        return optimizer
    return _named(optimizer, {**_CLASSES, "lbfgs": LBFGS})


def _named(name: object, classes: dict[str, Any]) -> Any:
    classes = {name.lower(): kind for name, kind in classes.items()}
    if not isinstance(name, str):
        is_class = isinstance(name, type) and name in classes.values()
        got = f"the class: did you mean {name.__name__}()?" if is_class else type(name).__name__
        raise TypeError(f"optimizer must be an optimizer or its name, got {got}")
    if name.lower() not in classes:
        raise ValueError(f"optimizer must be one of {', '.join(classes)}, got {shown(name)}")
    return classes[name.lower()]()

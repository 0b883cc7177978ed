"""Writes python/schuss/optimizers.pyi from the tables of the rules. Run it after a rule has changed."""

import inspect
from pathlib import Path

from schuss import optimizers

TYPES = {
    "float": "float",
    "float or Schedule": "float | Schedule",
    "float or None": "float | None",
    "int": "int",
    "int or None": "int | None",
    "bool": "bool",
    "(float, float)": "tuple[float, float]",
}
HEAD = """\
# Made by tools/stubs.py from the tables of the rules.
from typing import Literal

from ._optimizer import Optimizer
from ._schuss import LBFGS, NonFiniteError, ParamGroup, Schedule, _Arrays, _Groups, _Mask
from .typing import Convention, LearningRate

__all__ = [
{names}
]
"""
CLASS = """
class {name}(Optimizer):
    def __new__(
        cls,
        params: _Arrays | _Groups | None = None,
        lr: LearningRate | None = {lr},
        *,
{options}        convention: Convention = "lecture",
    ) -> {name}: ...
"""
FOOT = """
def recipe(optimizer: object) -> Optimizer: ...
def recipe_or_lbfgs(optimizer: object) -> Optimizer | LBFGS: ...
"""


def annotation(kind: str) -> str:
    """The type of an option: a Python type, or the names of a choice."""
    names, mask, _ = kind.partition(" or mask")
    return TYPES.get(kind) or f"Literal[{names.replace(' or ', ', ')}]" + (" | _Mask" if mask else "")


def stub() -> str:
    """The text of the stub."""
    names = "\n".join(
        f'    "{name}",' for name in sorted(optimizers.__all__, key=lambda n: (not n.isupper(), n))
    )
    text = HEAD.format(names=names)
    for rule in optimizers.rules():
        signature = inspect.signature(getattr(optimizers, rule["name"])).parameters
        options = ""
        for option in rule["options"]:
            default = quoted(signature[option["name"]].default)
            options += f"        {option['name']}: {annotation(option['type'])} = {default},\n"
        text += CLASS.format(name=rule["name"], lr=signature["lr"].default, options=options)
    return text + FOOT


def quoted(default: object) -> str:
    """The default, strings in double quotes."""
    return f'"{default}"' if isinstance(default, str) else repr(default)


if __name__ == "__main__":
    Path(optimizers.__file__).with_suffix(".pyi").write_text(stub())

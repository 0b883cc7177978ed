"""An argument of a public entry point, and what is tried on it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from .values import SCALARS


class Subject(NamedTuple):
    """Fresh objects for one cell.

    `call(value)` gives the argument that value; `watched` must be the same after a refusal;
    `right(value, result)` says whether the result of a legal value is right.
    """

    call: Callable[[Any], Any]
    watched: tuple = ()
    right: Callable[[Any, Any], bool] | None = None


@dataclass
class Entry:
    """An argument.

    `says` are the words of which an error must have one, the argument's name first; `warns` are warnings
    that belong to legal values; `raises` are further exceptions that are right there; `known` says of some
    values by their names whether they are legal.
    """

    name: str
    accepts: Any
    subject: Callable[[], Subject]
    says: tuple = ()
    values: dict = field(default_factory=lambda: SCALARS)
    warns: tuple = ()
    raises: tuple = ()
    known: dict = field(default_factory=dict)

    def legal(self, kind, value):
        """Whether the value is legal; None for either."""
        return self.known[kind] if kind in self.known else self.accepts.legal(value)


def arguments(of, table, subject, **common):
    """Entries for the arguments of one callable.

    `table` maps each name to what it accepts, or to that and further words; `subject(name)` makes what a
    cell needs.
    """
    entries = []
    for name, accepts in table.items():
        accepts, *words = accepts if isinstance(accepts, tuple) else (accepts,)
        make = partial(subject, name)
        entries.append(Entry(f"{of}({name}=)", accepts, make, (name, *words), **common))
    return entries

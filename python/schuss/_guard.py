"""Attributes that are what they seem: what cannot be changed refuses it, and says what to do instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

from ._meant import did_you_mean

Item = TypeVar("Item")


class FixedList(list[Item]):
    """A list whose entries stay those that they are; its copies are plain lists.

    Parameters
    ----------
    entries : iterable
        The entries.
    advice : str
        What an error says: why they stay, and what to do instead.
    """

    __slots__ = ("_advice",)

    def __init__(self, entries: Iterable[Item], advice: str) -> None:
        super().__init__(entries)
        self._advice = advice

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(self._advice)

    def __setitem__(self, key: Any, value: Any) -> None:
        # `params[0] *= 0.5` writes into the array, and then puts it where it is already.
        if isinstance(key, slice) or self[key] is not value:
            self._refuse()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (list(self),)


class FixedDict(dict[str, Item]):
    """A dict whose values stay those that they are; see `FixedList`."""

    __slots__ = ("_advice",)

    def __init__(self, entries: Iterable[tuple[str, Item]], advice: str) -> None:
        super().__init__(entries)
        self._advice = advice

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(self._advice)

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self or self[key] is not value:
            self._refuse()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (dict(self),)


for _name in ("__delitem__", "__iadd__", "__imul__", "append", "clear", "extend", "insert", "pop", "remove"):
    setattr(FixedList, _name, FixedList._refuse)
for _name in ("reverse", "sort"):
    setattr(FixedList, _name, FixedList._refuse)
for _name in ("__delitem__", "__ior__", "clear", "pop", "popitem", "setdefault", "update"):
    setattr(FixedDict, _name, FixedDict._refuse)


class Guarded:
    """A class whose objects take no attribute that nothing would look at.

    Attributes
    ----------
    _fixed : dict
        For each attribute that stays, why, or what to do instead.
    _settable : dict
        For each attribute that may be set, the name of the method that checks and takes the value.
    _elsewhere : dict
        For names that users try, where that is to be found.
    """

    _fixed: ClassVar[Mapping[str, str]] = {}
    _settable: ClassVar[Mapping[str, Callable[[Any, Any], None]]] = {}
    _elsewhere: ClassVar[Mapping[str, str]] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        elif name in self._settable:
            self._settable[name](self, value)
        else:
            kind = type(self)
            # A subclass may keep what it likes, under names of its own.
            if _is_closed(kind) or name in self._fixed or (hasattr(kind, name) and not _is_own(kind, name)):
                raise AttributeError(self._refusal(name))
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self._fixed or name in self._settable:
            raise AttributeError(f"{name} cannot be deleted: every {type(self).__name__} has it")
        object.__delattr__(self, name)

    def _refusal(self, name: str) -> str:
        kind = type(self).__name__
        if name in self._fixed:
            return f"{name} cannot be set: {self._fixed[name]}"
        if name in self._elsewhere:
            return f"{kind} has no attribute {name!r} to set: {self._elsewhere[name]}"
        if hasattr(type(self), name):
            return f"{name} cannot be set: it is a method of {kind}"
        known = [*self._settable, *self._fixed]
        return f"{kind} has no attribute {name!r} to set{did_you_mean(name, known)}"


def _is_closed(kind: type) -> bool:
    """Whether the class is the library's own."""
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]


def _is_own(kind: type, name: str) -> bool:
    """Whether a user's subclass has defined that attribute."""
    owner = next(base for base in kind.__mro__ if name in vars(base))
    return not _is_closed(owner)

"""Which weights of another program belong to which layer, where names and shapes must tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

Shape = tuple[int, ...]


def in_order(shape_of: Mapping[str, Shape], expected: Sequence[Shape], is_given: bool) -> list[str]:
    """The names of modules in the order of the layers.

    Modules of the same shape fit each other's place; their order is known where their names differ in numbers
    alone, as "layers.2" and "layers.10" do. Others are told apart by their shapes. Shapes that do not fit
    stay: whoever takes the weights refuses them.

    Parameters
    ----------
    shape_of : mapping of str to tuple
        The modules' names, and the shapes of their weights.
    expected : sequence of tuple
        The shapes of the layers.
    is_given : bool
        Whether the names come in an order that means something: in a file they do not.

    Raises
    ------
    ValueError
        If two modules of the same shape might as well be in the other order.
    """
    names = list(shape_of)
    by_number = sorted(names, key=_by_number)
    if is_given:
        if _shapes(names, shape_of) != list(expected):
            can_be_sorted = _are_numbered(names) and _shapes(by_number, shape_of) == list(expected)
            return by_number if can_be_sorted else names
        # A dict that was made of a file has the file's order, which sorts "10" before "2".
        alike = _of_same_shape(names, shape_of)
        _refuse(of for of in alike if _are_numbered(of) and of != sorted(of, key=_by_number))
        return names
    if _are_numbered(names):
        return by_number
    alike = _of_same_shape(by_number, shape_of)
    if sorted(_shapes(names, shape_of)) != sorted(expected):
        return by_number
    _refuse(of for of in alike if not _are_numbered(of))
    following = {shape_of[of[0]]: iter(of) for of in alike}
    return [next(following[shape]) for shape in expected]


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sort "2" before "10"."""
    parts = re.split(r"(\d+)", name)
    return [(int(part or 0), "") if i % 2 else (0, part) for i, part in enumerate(parts)]


def _are_numbered(names: Sequence[str]) -> bool:
    """Whether names differ in their numbers alone, so that these say the order."""
    texts = {tuple(re.split(r"\d+", name)) for name in names}
    return len(texts) == 1 and len({tuple(_by_number(name)) for name in names}) == len(names)


def _shapes(names: Iterable[str], shape_of: Mapping[str, Shape]) -> list[Shape]:
    return [shape_of[name] for name in names]


def _of_same_shape(names: Sequence[str], shape_of: Mapping[str, Shape]) -> list[list[str]]:
    groups: dict[Shape, list[str]] = {}
    for name in names:
        groups.setdefault(shape_of[name], []).append(name)
    return list(groups.values())


def _refuse(unclear: Iterable[list[str]]) -> None:
    for names in unclear:
        alike = ", ".join(map(repr, names))
        raise ValueError(f"names must say in which order the layers {alike} are, which have the same shape")

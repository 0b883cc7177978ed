"""Nested plain values and arrays in a file, exactly.

Arrays are members under their paths, ``state/m/0``. All else is JSON in ``schuss/tree``, which refers to
them; so that a reader with `numpy.load` finds them too, numbers and strings also have members of their own,
like ``step_count`` and ``param_groups/0/lr``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from .._checks import shown
from . import _npy
from ._archive import read_archive, write_archive
from ._replacing import File, describe

_TREE = "schuss/tree"
# The key of an object that stands for what JSON has not: a list of a word and its content.
_TAG = ""
_DEPTH = 50
# Python limits how many decimal digits it reads.
_JSON_INTEGERS = range(-(2**63), 2**64)


def write_tree(file: File, kind: str, tree: Mapping[str, Any]) -> None:
    """Write a dict of nested dicts, lists, tuples, arrays, numbers, strings, booleans and None.

    Raises
    ------
    TypeError, ValueError
        If there is something else in it, or it is nested too deep; nothing has been written then.
    """
    arrays: dict[str, Any] = {}
    text = json.dumps(_encoded(dict(tree), (), arrays))
    legible = {name: value for name, value in _legible(tree, ()) if name not in arrays}
    write_archive(file, kind, {**legible, **arrays, _TREE: np.array(text.encode())})


def read_tree(
    file: File, kind: str, *, unmarked: Callable[[dict[str, NDArray[Any]]], dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Read what `write_tree` has written.

    Parameters
    ----------
    file : str, path or binary file
        A stream is read from its position.
    kind : str
        What it must be.
    unmarked : callable, optional
        What makes a tree of the arrays of an ``.npz`` file that is not marked as ours; by default it is
        refused.

    Raises
    ------
    ValueError
        If it is another file, of another kind, written by a newer version, or damaged.
    """
    members = read_archive(file, kind, unmarked=unmarked is not None)
    try:
        if _TREE in members:
            tree = _decoded(json.loads(members[_TREE].item()), members)
        elif unmarked is not None:
            tree = unmarked(members)
        else:
            raise KeyError(_TREE)
        if not isinstance(tree, dict):
            raise TypeError(f"there is a {type(tree).__name__} in it, not a dict")
    except Exception as error:
        raise ValueError(f"{describe(file)} is damaged: {error}") from error
    return tree


def _encoded(value: Any, path: tuple[str, ...], arrays: dict[str, Any]) -> Any:
    """A value as JSON has it, and arrays by their member."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.ndarray):
        arrays[_name(path)] = value
        return {_TAG: ["array", _name(path)]}
    if isinstance(value, np.generic):
        if value.dtype.kind not in _npy.KINDS:
            raise TypeError(f"{_name(path)} must be a number or text, got {shown(value)}")
        return {_TAG: ["scalar", [value.dtype.str, value.tobytes().hex()]]}
    if isinstance(value, int):
        return int(value) if value in _JSON_INTEGERS else {_TAG: ["int", hex(value)]}
    if isinstance(value, float | str):
        return value
    if not isinstance(value, Mapping | list | tuple):
        accepted = "an array, a number, a string, a boolean, None, a dict, a list or a tuple"
        raise TypeError(f"{_name(path)} must be {accepted}, got {shown(value)}")
    if len(path) >= _DEPTH:
        raise ValueError(f"{_name(path[:3])} must be nested at most {_DEPTH} deep")
    parts = [_encoded(item, (*path, step), arrays) for step, item in _steps(value)]
    if isinstance(value, list):
        return parts
    if isinstance(value, tuple):
        return {_TAG: ["tuple", parts]}
    if all(type(key) is str and key != _TAG for key in value):
        return dict(zip(value, parts, strict=True))
    keys = [_encoded(key, (*path, "key"), arrays) for key in value]
    return {_TAG: ["dict", list(zip(keys, parts, strict=True))]}


def _decoded(value: Any, members: Mapping[str, NDArray[Any]]) -> Any:
    """The inverse."""
    if isinstance(value, list):
        return [_decoded(item, members) for item in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {key: _decoded(item, members) for key, item in value.items()}
    word, content = value[_TAG]
    if word == "array":
        return members[content]
    if word == "scalar":
        return np.frombuffer(bytes.fromhex(content[1]), content[0])[0]
    if word == "int":
        return int(content, 16)
    if word == "tuple":
        return tuple(_decoded(item, members) for item in content)
    if word == "dict":
        return {_decoded(key, members): _decoded(item, members) for key, item in content}
    raise ValueError(f"there is no {word!r}")


def _steps(value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a container, each with its step of the path. Different parts have different steps."""
    if isinstance(value, Mapping) and all(type(key) is str for key in value):
        for key, item in value.items():
            yield quote(key, safe=" ", errors="surrogatepass"), item
    else:
        items = value.values() if isinstance(value, Mapping) else value
        for number, item in enumerate(items):
            yield str(number), item


def _name(path: tuple[str, ...]) -> str:
    return "/".join(path)


def _legible(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, NDArray[Any]]]:
    """What is no array, for readers who have NumPy alone; without elements where there is nothing."""
    if value is None or (isinstance(value, Mapping | list | tuple) and not value):
        yield _name(path), np.array([])
    elif isinstance(value, bool | int | float | str) or _is_row(value):
        array = np.asarray(value)
        if array.dtype.kind in _npy.KINDS:  # an integer may be too large
            yield _name(path), array
    elif isinstance(value, Mapping | list | tuple):
        for step, item in _steps(value):
            yield from _legible(item, (*path, step))


def _is_row(value: Any) -> bool:
    """Whether a sequence is all numbers, or all strings."""
    if not isinstance(value, list | tuple):
        return False
    kinds = {type(item) for item in value}
    return kinds <= {int, float} or kinds in ({bool}, {str})

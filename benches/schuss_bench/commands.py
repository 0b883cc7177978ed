"""What the commands have in common."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from math import inf
from pathlib import Path

INTERRUPTED = 130  # the exit code of a command that Ctrl-C has ended


def at_least(least: int) -> Callable[[str], int]:
    """A number of things, up to two of which must be there, as the type of an argument."""

    def count(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"there must be {WORDS[least]}, not {text}")
        return int(text)

    return count


WORDS = ("none or more", "at least one", "at least two")
at_least_one = at_least(1)


def not_negative(text: str) -> float:
    """A finite number, as the type of an argument."""
    return _number(text, 0 <= _float(text) < inf, "of at least 0")


def positive(text: str) -> float:
    """A finite number, as the type of an argument."""
    return _number(text, 0 < _float(text) < inf, "above 0")


def _number(text: str, is_fine: bool, which: str) -> float:
    if not is_fine:
        raise argparse.ArgumentTypeError(f"it must be a finite number {which}, not {text}")
    return float(text)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return inf


def stored(parser: argparse.ArgumentParser, path: Path, name: str, kind: type) -> dict:
    """The run of a file, which has something of that name and kind, or an error of the command."""
    try:
        run = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        parser.error(f"{path} has no stored run: {error}")
    if not isinstance(run, dict) or not isinstance(run.get(name), kind):
        parser.error(f"{path} has no stored run of this command, which has {name!r}")
    return run


def store(run: dict, path: Path) -> None:
    """Write a run: whole, or not at all where it is interrupted."""
    write(path, json.dumps(run, indent=1) + "\n")


def write(path: Path, text: str) -> None:
    """Write a file: whole, or not at all where it is interrupted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_name(f"{path.name}.begun")
    begun.write_text(text)
    begun.replace(path)

"""What the commands have in common."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

INTERRUPTED = 130  # the exit code of a command that Ctrl-C has ended


def at_least_one(text: str) -> int:
    """A number of turns, as the type of an argument."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"there must be at least one, not {text}")
    return int(text)


def store(run: dict, path: Path) -> None:
    """Write a run: whole, or not at all where it is interrupted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_name(f"{path.name}.begun")
    begun.write_text(json.dumps(run, indent=1) + "\n")
    begun.replace(path)

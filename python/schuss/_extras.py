"""Packages that schuss does without until they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needed(what: str, package: str, extra: str) -> Iterator[None]:
    """Say what to install where an import fails."""
    try:
        yield
    except ImportError as error:
        install = f'pip install "schuss[{extra}]"'
        raise ImportError(f"{what} needs {package}: {install} ({error})", name=error.name) from error

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
        # Of modules that import each other, the outermost is what was asked for, the innermost why not.
        reason = error.__cause__ if isinstance(error.__cause__, ImportError) else error
        install = f'pip install "schuss[{extra}]"'
        raise ImportError(f"{what} needs {package}: {install} ({reason})", name=reason.name) from reason

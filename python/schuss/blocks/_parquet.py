"""Blocks of rows from Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any

from .._checks import check_sequence, shown
from .._extras import needed
from ._blocks import Blocks
from ._files import files_of, named
from ._row_groups import RowGroups, open_file


def from_parquet(
    paths: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    columns: Sequence[str] | None = None,
    target: str | Sequence[str],
    sample_weight: str | None = None,
    window: int | None = None,
    transform: Callable[[Any], Any] | None = None,
) -> Blocks:
    """Rows of Parquet files, larger than memory, for `MLP.fit`.

    A block is a row group; files are written with row groups of some ten thousand rows for this (pandas' and
    pyarrow's ``row_group_size``): a whole one is in memory at a time.

    Parameters
    ----------
    paths : path-like or sequence of them
        Files, and folders: all ``*.parquet`` in them and below, in the order of their names, but for names
        that begin with a dot or an underscore.
    columns : sequence of str, optional
        The inputs, in this order, from columns of numbers or of True and False. None for all columns but the
        targets, the weights and the index of a pandas data frame, in the order of the first file.
    target : str or sequence of str
        The column of the targets, or the columns. Whole numbers stay what they are, as classes must be.
    sample_weight : str, optional
        The column of the weights of the rows, which may not be negative.
    window : int, optional
        Blocks whose rows are shuffled together. None for as many as 128 MiB hold (as float32), at least
        one. Two windows are in memory at a time: the one that is learnt from, and the next one, which a
        thread reads meanwhile.
    transform : callable, optional
        Called with the inputs of each window, an array of the network's dtype that it may change, in the
        thread that reads; what it returns is learnt from. The ``transform`` of a fitted scaler, for
        example. Of several processes each gives it those rows of a window that are its own.

    Returns
    -------
    Blocks
        To be given to `MLP.fit` as X.

    Raises
    ------
    OSError, ValueError, TypeError
        If a file is missing, may not be read, or is damaged, or has other columns than it must; it names
        the file. The ends of all files, which say what is in them, are looked at now, rows when they are
        read: missing, NaN and infinite numbers are then refused as well, with file and column, and so are
        files that have changed meanwhile: that were written again, and whose length, or samples of whose
        bytes, are no longer the same. `MLP.fit` has learnt from all rows before and, if it has a
        checkpoint, has saved that.
    ImportError
        If pyarrow is not installed, the extra ``parquet``.

    Examples
    --------
    >>> blocks = schuss.blocks.from_parquet("flights/", target="late", window=16)  # doctest: +SKIP
    >>> net.fit(blocks, epochs=5, checkpoint="run.ckpt", resume=True)  # doctest: +SKIP
    """
    with needed("schuss.blocks.from_parquet", "pyarrow", "parquet"):
        import pyarrow.parquet  # noqa: F401
    files = files_of("paths", paths, ".parquet")
    targets = [target] if isinstance(target, str) else _names("target", target)
    if sample_weight is not None and not isinstance(sample_weight, str):
        raise TypeError(f"sample_weight must be the name of a column, got {shown(sample_weight)}")
    others = [*targets, *([] if sample_weight is None else [sample_weight])]
    chosen = _all_but(others, files[0]) if columns is None else _names("columns", columns)
    for name in others:
        if name in chosen:
            raise ValueError(f"columns must be without the targets and the weights, got {name!r} among them")
    return Blocks(
        RowGroups(files, chosen, targets, sample_weight, isinstance(target, str)), window, transform
    )


def _names(what: str, given: Any) -> list[str]:
    names = check_sequence(what, given, "names of columns")
    for number, name in enumerate(names):
        if not isinstance(name, str):
            raise TypeError(f"{what} must be names of columns, got {shown(name)} among them")
        if name in names[:number]:
            raise ValueError(f"{what} must be different names of columns, got {name!r} twice")
    if not names:
        raise ValueError(f"{what} must be at least one name of a column, got none")
    return names


def _all_but(others: list[str], path: str) -> list[str]:
    with open_file(path) as file:
        schema = file.schema_arrow
    with named(path, "what pandas has noted in it"):
        index = (schema.pandas_metadata or {}).get("index_columns", [])
    names = [name for name in schema.names if name not in others and name not in index]
    if not names:
        raise ValueError(f"{path}: columns of inputs must be there besides {', '.join(others)}, got none")
    return names

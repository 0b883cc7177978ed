"""The options that all epochs of a training share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._checks import check_count, check_flag, check_seed, check_threads, shown, word_of
from ._data import Rows
from ._schuss import Schedule
from ._steps import records_steps

# Each is a place in a tree of gradients: more than anybody has processes.
MOST_SHARDS = 2**16


def settings_of(
    own_seed: int,
    batch_size: int | str | None,
    n_shards: int,
    sharded: bool,
    shuffle: bool,
    seed: int | None,
    n_threads: int | None,
    record: str,
) -> dict[str, Any]:
    """Options of `MLP.fit` that all its epochs share, checked; `own_seed` is the network's."""
    if isinstance(batch_size, str) and batch_size == "auto":
        batch_size = 128
    elif batch_size is not None:
        batch_size = check_count("batch_size", batch_size)
    seed = own_seed if seed is None else check_seed("seed", seed)
    return {
        "batch_size": batch_size,
        "shards": check_count("n_shards", n_shards, most=MOST_SHARDS),
        "sharded": check_flag("sharded", sharded),
        "shuffle": check_flag("shuffle", shuffle),
        "seed": word_of(seed),
        "threads": check_threads(n_threads),
        "records_steps": records_steps(record),
    }


def check_lbfgs(
    source: object,
    dropout: Sequence[float | Schedule],
    batch_size: int | str | None = None,
    n_shards: int = 1,
) -> None:
    """Refuse what L-BFGS cannot train with: anything but all rows at once, and a loss that changes."""
    if n_shards != 1:
        raise ValueError(f"n_shards must be 1 with LBFGS, got {n_shards}")
    if batch_size is not None and batch_size != "auto":
        got = shown(batch_size)
        raise ValueError(f'batch_size must be None or "auto" with LBFGS: all rows, got {got}')
    if not isinstance(source, Rows):
        raise TypeError("X must be an array with LBFGS, which takes all rows at once; got blocks")
    if any(dropout):
        raise ValueError(f"dropout must be 0 with LBFGS: its loss may not change, got {dropout}")

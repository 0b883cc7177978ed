"""The options that all epochs of a training share."""

from __future__ import annotations

from typing import Any

from ._checks import check_count, check_flag, check_seed, check_threads
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
        "seed": seed % 2**64,
        "threads": check_threads(n_threads),
        "records_steps": records_steps(record),
    }

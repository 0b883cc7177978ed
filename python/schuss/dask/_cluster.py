"""The client's side: what runs where, and who is asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice, pairwise
from typing import Any

import dask
import numpy as np
from distributed import Client, get_client

from .._checks import shown
from ._parts import cut, joined

# Parameters go with every step: that they are many is no mistake.
QUIET = {"distributed.admin.large-graph-warning-threshold": "1 TiB"}
# Seconds that a cluster without workers has until the first one is there.
PATIENCE = 60


def client_of(given: Any) -> Client:
    """The client that an estimator works with: its own, or the one that is there."""
    if given is None:
        try:
            given = get_client()
        except ValueError:
            raise ValueError(
                "client must be given where there is none yet, such as distributed.Client(), which starts "
                "workers on this machine, or distributed.Client('tcp://scheduler:8786')"
            ) from None
    if not isinstance(given, Client):
        raise TypeError(f"client must be a distributed.Client or None, got {shown(given)}")
    if given.asynchronous:
        raise TypeError("client must be one that waits, got one with asynchronous=True")
    return given


def threads_of(client: Client) -> dict[str, int]:
    """How many tasks each worker does at a time; refuses a cluster that has no workers and gets none."""
    threads = client.nthreads()
    if not threads:
        client.wait_for_workers(1, timeout=PATIENCE)
        threads = client.nthreads()
    return dict(threads)


def groups_of(n_shards: int, threads: int) -> list[tuple[int, int]]:
    """Consecutive shards that are computed together: a group for each thread, or each shard."""
    count = min(n_shards, threads)
    ends = [n_shards * number // count for number in range(count + 1)]
    return list(pairwise(ends))


def places(client: Client, count: int) -> list[str]:
    """Where to put so many things of the same weight: neighbours lie together."""
    slots = [address for address, threads in sorted(threads_of(client).items()) for _ in range(threads)]
    if count <= len(slots):  # spread
        return [slots[number * len(slots) // count] for number in range(count)]
    return sorted(islice(cycle(slots), count))


def on_each(client: Client, function: Any, pieces: Sequence[Any], *given: Any) -> list[Any]:
    """Begin to compute a function of each piece, and of what else is given: a list has one for each of them.

    All of it goes into each task by position: large keywords of `Client.map` become tasks that have the
    keyword for a name, in all calls the same.
    """
    columns = [each if isinstance(each, list) else [each] * len(pieces) for each in given]
    with dask.config.set(QUIET):
        tasks: list[Any] = client.map(function, pieces, *columns, pure=False)
    return tasks


def pieces(
    client: Client, parts: Sequence[Any], lengths: Sequence[int], boundaries: Sequence[tuple[int, int]]
) -> list[Any]:
    """Rows of partitions, cut anew: a future for each piece.

    Nothing goes through the client. Each piece is a task that can be done again from the partitions, and
    those from where they came from: where a worker is lost, the scheduler sees to it.

    Parameters
    ----------
    client : Client
        The cluster.
    parts : sequence of Future
        Partitions, each checked `Rows`.
    lengths : sequence of int
        Their rows.
    boundaries : sequence of (int, int)
        Where each piece begins and ends, among all rows.

    Returns
    -------
    list of Future
        `Rows` for each piece.
    """
    ends = np.cumsum(lengths)
    starts = ends - lengths
    found = []
    for (start, stop), place in zip(boundaries, places(client, len(boundaries)), strict=True):
        own = []
        for number in range(int(np.searchsorted(ends, start, "right")), len(parts)):
            if starts[number] >= stop:
                break
            low, high = max(start - starts[number], 0), min(stop, ends[number]) - starts[number]
            whole = low == 0 and high == lengths[number]
            own.append(parts[number] if whole else client.submit(cut, parts[number], low, high, pure=False))
        own = own or [client.submit(cut, parts[0], 0, 0, pure=False)]
        found.append(client.submit(joined, *own, workers=[place], allow_other_workers=True, pure=False))
    return found

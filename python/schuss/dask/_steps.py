"""The steps of a training whose gradients are tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from distributed import Client
from numpy.typing import NDArray

from .. import _data, _schuss
from .._arrays import contiguous
from .._collector import Collector, Sums
from ..estimators._looks import for_core
from ._cluster import groups_of, on_each, threads_of
from ._rows import Rows

Array = NDArray[Any]


def shard_sums(piece: _data.Rows, options: dict[str, Any], structure: dict[str, Any], theta: Array) -> Sums:
    """On a worker: the gradients of some shards of a step, from their rows."""
    return _schuss.Network(**structure).shard_sums(contiguous(theta), for_core(piece), options)


def collector_of(
    client: Client, structure: dict[str, Any], rows: Rows, settings: dict[str, Any]
) -> Collector:
    """Who makes the steps of a training on rows of a cluster, with what workers compute.

    Parameters
    ----------
    client : Client
        The cluster.
    structure : dict
        What the network is made of.
    rows : Rows
        To learn from.
    settings : dict
        Options of the core: batch_size, shards, shuffle and seed.
    """
    n_shards, n_rows = settings["shards"], rows.n_rows
    groups = groups_of(n_shards, sum(threads_of(client).values()))
    of_shards = _schuss.pieces(n_rows, settings["batch_size"], n_shards)
    pieces = rows.pieces([(of_shards[first][0], of_shards[stop - 1][1]) for first, stop in groups])

    def compute(theta: Array, options: dict[str, Any]) -> Callable[[], Sequence[Sums]]:
        of_groups = [{**options, "part": group, "threads": 1} for group in groups]
        tasks = on_each(client, shard_sums, pieces, of_groups, structure, theta)
        return lambda: client.gather(tasks)

    collector = Collector(groups, compute, lambda: 0)
    everywhere = rows.empty._replace(everywhere=n_rows)
    collector.check({**settings, "sharded": True}, everywhere, ())
    return collector

"""One process of a training with schuss; several are joined by MPI.

python -m processes_bench.of_schuss REQUEST ANSWER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from schuss_bench import data
from schuss_bench.contenders.schuss import ADAM, network
from tabular_bench import memory

import schuss as sc

from .cases import case

MESSAGES = (8, 1 << 14, 1 << 15, 1 << 17, 1 << 20, 1 << 22)  # bytes


def main() -> None:
    request, answer = json.loads(sys.argv[1]), Path(sys.argv[2])
    comm = None
    if request["size"] > 1:
        from mpi4py import MPI

        comm = MPI.COMM_WORLD
    found: dict[str, Any] = {}
    if "work" in request:
        found["seconds"] = [steps(comm, **work) for work in request["work"]]
    if request.get("probe"):
        found["messages"] = {size: message(comm, size) for size in MESSAGES}
        found["adding"] = adding()
    if "memory" in request:
        found["memory"] = held(comm, **request["memory"])
    if comm is None or comm.Get_rank() == 0:
        answer.write_text(json.dumps(found))


def steps(
    comm: Any, name: str, batch: int, epoch: int, n_shards: int, n_threads: int, seconds: float
) -> float:
    """Seconds of a step: the median of some epochs, after one that is not counted."""
    X, y = data.rows(case(name, batch, epoch))
    net = network(case(name, batch, epoch))
    settings = {"batch_size": batch, "n_shards": n_shards, "n_threads": n_threads, "comm": comm}
    taken = epochs(net.fit(X, y, optimizer=ADAM, epochs=2, **settings))
    most = agreed(comm, min(max(round(seconds / taken[0]), 1), 200))
    return median(epochs(net.fit(X, y, epochs=1 + most, **settings))) / epoch


def epochs(history: Any) -> list[float]:
    return np.diff(history["seconds"]).tolist()


def agreed(comm: Any, number: int) -> int:
    return number if comm is None else comm.bcast(number, root=0)


def message(comm: Any, size: int, times: int = 7) -> float:
    """Seconds until bytes from the first process have arrived at the second: half of a way there and back."""
    buffer, taken = np.zeros(size, np.uint8), []
    for _ in range(times):
        comm.Barrier()
        start = perf_counter()
        if comm.Get_rank() == 0:
            comm.Send(buffer, dest=1)
            comm.Recv(buffer, source=1)
        elif comm.Get_rank() == 1:
            comm.Recv(buffer, source=0)
            comm.Send(buffer, dest=0)
        taken.append((perf_counter() - start) / 2)
    return median(taken[1:])


def adding(count: int = 1 << 20, times: int = 9) -> float:
    """Seconds for each byte of a gradient that is added to another."""
    a, b, taken = np.zeros(count, np.float32), np.ones(count, np.float32), []
    for _ in range(times):
        start = perf_counter()
        a += b
        taken.append(perf_counter() - start)
    return median(taken) / a.nbytes


def held(comm: Any, name: str, batch: int, epoch: int, n_shards: int) -> list[tuple[int, int]]:
    """Bytes of the rows of each process, and of its peak above what it had before rows and a network."""
    # What only the first training brings into memory is not a training's own.
    steps(comm, "small", 8 * n_shards, 2, n_shards, 1, 0)
    of, part = case(name, batch, epoch), slice(0, batch * epoch)
    if comm is not None:
        part = sc.distributed.rows(batch * epoch, comm, n_shards=n_shards, batch_size=batch)
    before = memory.resident()
    memory.forget_peak()
    X = np.random.default_rng(0).standard_normal((part.stop - part.start, of.layers[0]), np.float32)
    y = np.arange(len(X)) % of.layers[-1]
    settings = {"batch_size": batch, "n_shards": n_shards, "sharded": True, "comm": comm, "n_threads": 1}
    network(of).fit(X, y, optimizer=ADAM, epochs=1, **settings)
    mine = X.nbytes + y.nbytes, memory.peak() - before
    return [mine] if comm is None else comm.allgather(mine)


if __name__ == "__main__":
    main()

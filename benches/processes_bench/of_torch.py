"""One process of a training with torch's DistributedDataParallel over gloo, on the same rows and batches.

python -m processes_bench.of_torch REQUEST ANSWER
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
import torch.distributed as dist
from schuss_bench import data
from schuss_bench.cases import Case
from schuss_bench.contenders.torch import model_of, tensors_of
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from .cases import case


def main() -> None:
    request, answer = json.loads(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group("gloo", init_method=os.environ["MEETING"], rank=rank, world_size=size)
    seconds = [steps(work) for work in request["work"]]
    if rank == 0:
        answer.write_text(json.dumps({"seconds": seconds}))
    dist.barrier()
    dist.destroy_process_group()


def steps(work: dict) -> float:
    epoch = epochs_of(case(work["name"], work["batch"], work["epoch"]))
    epoch()
    once = torch.tensor(float(min(max(round(work["seconds"] / epoch()), 1), 200)))
    dist.broadcast(once, 0)
    return median(epoch() for _ in range(int(once))) / work["epoch"]


def epochs_of(of: Case) -> Callable[[], float]:
    """An epoch, which returns its seconds: of each batch of the common order the rows of this process."""
    X, y = tensors_of(of, *data.rows(of))
    torch.manual_seed(0)
    model = DistributedDataParallel(model_of(of), gradient_as_bucket_view=True)
    loss = nn.CrossEntropyLoss() if of.classes else nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    size, rank = dist.get_world_size(), dist.get_rank()
    order_of = torch.Generator().manual_seed(0)

    def epoch() -> float:
        dist.barrier()
        start = perf_counter()
        order = torch.randperm(len(X), generator=order_of)
        mine = torch.cat([batch.tensor_split(size)[rank] for batch in order.split(of.batch)])
        rows = len(mine) // of.steps
        # Gathered at once: two calls instead of two for each step.
        for X_batch, y_batch in zip(X[mine].split(rows), y[mine].split(rows), strict=True):
            optimizer.zero_grad(set_to_none=True)
            loss(model(X_batch), y_batch).backward()
            optimizer.step()
        return perf_counter() - start

    return epoch


if __name__ == "__main__":
    main()

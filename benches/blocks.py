"""Training on Parquet files that are larger than memory: speed beside rows in memory, and memory.

    python benches/blocks.py                  a set of 1 GB, three turns
    python benches/blocks.py --gb 8           a set of 8 GB, for which --folder must have room
    python benches/blocks.py --threads 1      as many threads for the training
    python benches/blocks.py --widths 32 32   another network
    python benches/blocks.py --processes 2 --batch-size 1024   over MPI, each with rows of its own

The set has 100 columns of float32 and a target, in files of 2^20 rows and row groups of 2^16, with
pyarrow's default compression, with checksums, and without dictionaries unless --dictionary is given:
they do nothing for numbers that are nearly all different, and take time. Each turn trains in two new
processes for one epoch: one on rows in memory (of the first files, up to --memory-gb), one on the files
of just these rows. At the end another process trains on the whole set once. Files lie in the system's
cache as far as it has room: a disk's own speed comes on top. Where other programs run as well, the ratio
of the processor's time tells more than the clock's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from schuss_bench.commands import at_least_one, positive

COLUMNS = 100
ROW_BYTES = 4 * (COLUMNS + 1)
FILE_ROWS, GROUP_ROWS = 2**20, 2**16


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gb", type=positive, default=1.0, help="size of the set as float32 (%(default)s)")
    parser.add_argument("--memory-gb", type=positive, default=1.0, help="of it in memory (%(default)s)")
    parser.add_argument("--rounds", type=at_least_one, default=3, help="turns (%(default)s)")
    parser.add_argument("--threads", type=at_least_one, help="of the training; all that pay where not given")
    parser.add_argument("--processes", type=at_least_one, default=1, help="that train together (%(default)s)")
    parser.add_argument("--batch-size", type=at_least_one, default=128, help="rows of a step (%(default)s)")
    parser.add_argument(
        "--widths", type=at_least_one, nargs="*", default=[256, 256], help="hidden layers (256 256)"
    )
    parser.add_argument(
        "--window", type=at_least_one, help="row groups of a window; what from_parquet takes by itself"
    )
    parser.add_argument("--dictionary", action="store_true", help="write dictionaries, pyarrow's default")
    parser.add_argument("--folder", type=Path, help="where the set is made and removed again")
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    parser.add_argument("--files", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        found = together(WORKERS[options.worker](options), options)
        if found:
            print(json.dumps(found))
        return
    if options.folder and not options.folder.is_dir():
        parser.error(f"--folder: there is no folder {options.folder}")
    with tempfile.TemporaryDirectory(prefix="schuss-blocks-", dir=options.folder) as folder:
        compare(options, Path(folder))


def compare(options: argparse.Namespace, folder: Path) -> None:
    rows = max(int(options.gb * 1e9) // ROW_BYTES, GROUP_ROWS)
    seconds = run("generate", [str(folder), str(rows)], options)["seconds"]
    files = [str(path) for path in sorted(folder.iterdir())]
    size = sum(Path(file).stat().st_size for file in files) / 1e9
    print(
        f"{rows:,} rows in {len(files)} files of {size:.2f} GB together, written in {seconds:.0f} s",
        flush=True,
    )
    part = files[: max(int(options.memory_gb * 1e9 / ROW_BYTES / FILE_ROWS), 1)]
    ratios = []
    for turn in range(options.rounds):
        # Whoever is first takes turns as well.
        order = ["memory", "blocks"] if turn % 2 == 0 else ["blocks", "memory"]
        found = {worker: run(worker, part, options) for worker in order}
        memory, blocks = found["memory"], found["blocks"]
        ratios.append((memory["seconds"] / blocks["seconds"], memory["cpu"] / blocks["cpu"]))
        print(
            f"turn {turn + 1}: memory {told(memory)}, blocks {told(blocks)}: {said(ratios[-1])}", flush=True
        )
    medians = tuple(map(statistics.median, zip(*ratios, strict=True)))
    print(f"blocks beside rows in memory, the median: {said(medians)}")
    whole = run("blocks", files, options)
    print(f"the whole set: {told(whole)}, {whole['seconds']:.0f} s")


def said(ratios: tuple[float, float]) -> str:
    return f"{ratios[0]:.0%} of the speed by the clock, {ratios[1]:.0%} by the processor's time"


def told(found: dict) -> str:
    return f"{found['rows_per_second']:,.0f} rows/s in {found['peak_gb']:.2f} GB"


def run(worker: str, files: list[str], options: argparse.Namespace) -> dict:
    """What a process of its own has found, whose memory is its own as well."""
    command = [sys.executable, __file__, "--worker", worker]
    if options.processes > 1 and worker != "generate":
        from processes_bench.launch import mpiexec

        command = [*mpiexec(), "-n", str(options.processes), *command, "--processes", str(options.processes)]
    for name in ("threads", "window", "batch_size"):
        value = getattr(options, name)
        command += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    command += ["--dictionary"] if options.dictionary else []
    command += ["--widths", *map(str, options.widths), "--files", *files]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def communicator(options: argparse.Namespace) -> Any:
    if options.processes == 1 or options.worker == "generate":
        return None
    from mpi4py import MPI

    return MPI.COMM_WORLD


def together(found: dict, options: argparse.Namespace) -> dict | None:
    """What all processes have found, for the first one to tell: the slowest one, the one with most memory."""
    comm = communicator(options)
    if comm is None:
        return found
    everybody = comm.gather(found)
    if comm.Get_rank() > 0:
        return None
    most = {name: max(each[name] for each in everybody) for name in ("seconds", "peak_gb")}
    rows = everybody[0]["rows_per_second"] * everybody[0]["seconds"]
    cpu = sum(each["cpu"] for each in everybody)
    return {**most, "cpu": cpu, "rows_per_second": rows / most["seconds"]}


def generate(options: argparse.Namespace) -> dict:
    """Write the set: some rows that are drawn once, with other signs each time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder, rows = Path(options.files[0]), int(options.files[1])
    start, rng = time.perf_counter(), np.random.default_rng(0)
    drawn = rng.standard_normal((COLUMNS, GROUP_ROWS), dtype=np.float32)
    names = [f"x{j}" for j in range(COLUMNS)]
    for number, first in enumerate(range(0, rows, FILE_ROWS)):
        schema = pa.schema([(name, pa.float32()) for name in [*names, "y"]])
        path, written = folder / f"part{number:04}.parquet", {"use_dictionary": options.dictionary}
        with pq.ParquetWriter(path, schema, write_page_checksum=True, **written) as file:
            for begin in range(first, min(first + FILE_ROWS, rows), GROUP_ROWS):
                count = min(GROUP_ROWS, rows - begin)
                columns = drawn * rng.choice([-1, 1], size=(COLUMNS, 1)).astype(np.float32)
                columns = np.roll(columns, rng.integers(GROUP_ROWS), axis=1)[:, :count]
                y = columns[0] * columns[1] + columns[2]
                file.write_table(pa.table([*columns, y], schema=schema), row_group_size=count)
    return {"seconds": time.perf_counter() - start}


def in_memory(options: argparse.Namespace) -> dict:
    import schuss as sc

    blocks, comm = sc.blocks.from_parquet(options.files, target="y"), communicator(options)
    part, first = range(blocks.n_rows), 0
    if comm is not None:
        own = {"n_shards": options.processes, "batch_size": options.batch_size}
        part = part[sc.distributed.rows(blocks.n_rows, comm, **own)]
    parts = []
    for rows in blocks:
        low, high = (min(max(edge - first, 0), len(rows[0])) for edge in (part.start, part.stop))
        parts.append([column[low:high].copy() for column in rows])
        first += len(rows[0])
    X, y = (np.concatenate(column) for column in zip(*parts, strict=True))
    del parts
    return trained(options, X, y, rows=blocks.n_rows)


def in_blocks(options: argparse.Namespace) -> dict:
    import schuss as sc

    blocks = sc.blocks.from_parquet(options.files, target="y", window=options.window)
    return trained(options, blocks, rows=blocks.n_rows)


def trained(options: argparse.Namespace, *source: object, rows: int) -> dict:
    import schuss as sc

    net, comm = sc.MLP([COLUMNS, *options.widths, 1], seed=0), communicator(options)
    how = {} if comm is None else {"comm": comm, "n_shards": options.processes, "sharded": True}
    how |= {"batch_size": options.batch_size, "n_threads": options.threads}
    start, before = time.perf_counter(), time.process_time()
    net.fit(*source, optimizer="adam", epochs=1, **how)
    seconds, cpu = time.perf_counter() - start, time.process_time() - before
    return {"seconds": seconds, "cpu": cpu, "rows_per_second": rows / seconds, "peak_gb": peak_gb()}


def peak_gb() -> float:
    from tabular_bench.memory import peak

    return peak() / 1e9


WORKERS = {"generate": generate, "memory": in_memory, "blocks": in_blocks}

if __name__ == "__main__":
    main()

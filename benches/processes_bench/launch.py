"""Starts the processes of one measurement, and has what the first of them found."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .cases import Link
from .host import INTERFACE

HERE = Path(__file__).parent
LIMIT = 600  # seconds
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Failed(Exception):
    """Processes that did not come to an end, with what they said."""


def mpiexec() -> list[str]:
    """The program of the MPI that is installed beside this Python."""
    program = Path(sys.executable).parent / "mpiexec"
    if not program.exists():
        raise Failed(f"no mpiexec beside {sys.executable}: pip install mpi4py mpich")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return [str(program), *(["--allow-run-as-root", "--oversubscribe"] if "Open MPI" in said else [])]


def run(program: str, size: int, request: dict, link: Link | None = None) -> dict:
    """What `of_schuss` or `of_torch` found in so many processes, on this machine or joined by a link."""
    with tempfile.TemporaryDirectory(prefix="schuss-processes-") as folder:
        answer = Path(folder, "answer.json")
        worker = [sys.executable, "-m", f"processes_bench.{program}", json.dumps(request), str(answer)]
        env = {**os.environ, **ONE_THREAD, **_interfaces("lo" if link is None else INTERFACE)}
        env["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        with _switch(folder, size, link) as inside:
            if program == "of_torch":
                meeting = {"WORLD_SIZE": str(size), "MEETING": f"file://{folder}/meeting"}
                commands = [([*inside, *worker], {**env, **meeting, "RANK": str(i)}) for i in range(size)]
            elif size == 1:
                commands = [(worker, env)]
            else:
                commands = [([*mpiexec(), "-n", str(size), *inside, *worker], env)]
            _all_end(commands, Path(folder, "said"))
        return json.loads(answer.read_text())


def _all_end(commands: list[tuple[list[str], dict[str, str]]], said: Path) -> None:
    with said.open("w") as file:
        started = [subprocess.Popen(command, env=env, stdout=file, stderr=file) for command, env in commands]
        end = time.monotonic() + LIMIT
        try:
            codes = [process.wait(max(end - time.monotonic(), 0)) for process in started]
        except subprocess.TimeoutExpired:
            codes = [None]
        finally:
            for process in started:
                process.kill()
                process.wait()
    if any(code != 0 for code in codes):
        raise Failed(said.read_text().strip()[-2000:] or f"ended with {codes}")


@contextlib.contextmanager
def _switch(folder: str, size: int, link: Link | None) -> Iterator[list[str]]:
    """What is to be written before a command that is to run behind that link."""
    if link is None:
        yield []
        return
    path, said = Path(folder, "switch"), Path(folder, "switch-said")
    # Named as it is seen from its folder: a socket's whole path may have no more than 100 characters.
    facts = [path.name, str(size), str(link.milliseconds / 1e3), str(link.gigabits * 1e9)]
    with said.open("w") as file:
        command = [sys.executable, str(HERE / "switch.py"), *facts]
        switch = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=file)
    try:
        while not path.exists():
            if switch.poll() is not None:
                raise Failed(said.read_text().strip()[-2000:] or f"the switch ended with {switch.returncode}")
            time.sleep(0.01)
        yield [sys.executable, str(HERE / "host.py"), str(path)]
    finally:
        switch.kill()
        switch.wait()


def _interfaces(name: str) -> dict[str, str]:
    """Nothing but this interface, for MPICH, for Open MPI, and for gloo."""
    local = {"FI_TCP_IFACE": name, "HYDRA_IFACE": "lo", "GLOO_SOCKET_IFNAME": name}
    if name == "lo":
        return {**local, "OMPI_MCA_btl_tcp_if_include": "lo"}
    # TCP also between processes that could share memory.
    return {**local, "MPIR_CVAR_CH4_NETMOD": "ofi", "MPIR_CVAR_NOLOCAL": "1", "FI_PROVIDER": "tcp"}

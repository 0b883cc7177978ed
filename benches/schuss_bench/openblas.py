"""Which kernels NumPy's OpenBLAS has: the environment may choose others than the processor's best."""

from __future__ import annotations

from threadpoolctl import threadpool_info


def kernels() -> str:
    """The name of the processors that they are for, as the end of a version; nothing without OpenBLAS."""
    cores = [each["architecture"] for each in threadpool_info() if each["internal_api"] == "openblas"]
    return f" with OpenBLAS for {cores[0]}" if cores else ""

"""How much memory this process has and had, in bytes."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def resident() -> int:
    """What it has now; where the system does not say, the most that it had."""
    return _status("VmRSS") or _most()


def peak() -> int:
    """The most that it had since `forget_peak`, or since its start where there is no such thing."""
    return _status("VmHWM") or _most()


def forget_peak() -> None:
    """From now on the peak is a new one. Linux alone can do this."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _status(key: str) -> int:
    with contextlib.suppress(OSError):
        for line in STATUS.read_text().splitlines():
            if line.startswith(f"{key}:"):
                return 1024 * int(line.split()[1])
    return 0


def _most() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size

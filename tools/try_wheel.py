"""Installs a wheel as a user would, and tries it: in an empty environment, outside of the source tree.

With the oldest Python at hand that schuss supports and the oldest NumPy for it, so that whatever is newer
in the environment that built the wheel cannot help.

Run: python tools/try_wheel.py dist/schuss-*.whl
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SMOKE = ROOT / "tests" / "smoke"
NEWEST = 20  # minor versions beyond it are not looked for


def oldest_python() -> str:
    """The first of python3.10, python3.11, ... that is here and can make environments."""
    oldest = int(re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())[1])
    for minor in range(oldest, NEWEST):
        found = shutil.which(f"python3.{minor}")
        if (
            found
            and subprocess.run([found, "-c", "import ensurepip, venv"], capture_output=True).returncode == 0
        ):
            return found
    return sys.executable


def environment(folder: Path) -> Path:
    """An environment with nothing in it but pip; its Python."""
    subprocess.run([oldest_python(), "-m", "venv", folder], check=True)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main(wheel: str) -> None:
    """Install it into an empty environment, and run there what every installation must do."""
    with tempfile.TemporaryDirectory() as name:
        python = environment(Path(name) / "empty")
        pip = [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        subprocess.run([*pip, "-r", SMOKE / "oldest.txt", Path(wheel).resolve()], check=True)
        # Isolated: neither this folder nor PYTHONPATH can stand in for what the wheel lacks.
        subprocess.run([python, "-I", "-W", "error", SMOKE / "smoke.py"], cwd=name, check=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"{len(sys.argv) - 1} files came, one wheel is tried at a time.\n\n{__doc__}")
    main(sys.argv[1])

"""Looks into the files that are to be published: their size, their names and all that they hold.

A wheel holds the package, its licences and nothing else; a source distribution holds what a build needs and
nothing else. Run: python tools/check_dist.py dist
"""

import re
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES = 3_500_000
LICENCES = {"LICENSE", "LICENSE-APACHE", "LICENSE-MIT", "LICENSE-THIRD-PARTY"}
# At the top of the source distribution, beside the folders.
SOURCE_FILES = {"Cargo.toml", "Cargo.lock", "PKG-INFO", "README.md", "pyproject.toml"} | LICENCES
MADE = re.compile(r"schuss/_schuss\.(abi3\.so|pyd)")


def under(folder: str, suffixes: set[str]) -> set[str]:
    """The files below a folder of this repository, from that folder's parent on."""
    top = ROOT / folder
    found = (path for path in top.rglob("*") if path.suffix in suffixes)
    return {path.relative_to(top.parent).as_posix() for path in found}


def package() -> set[str]:
    """The files of the package, as a wheel has them, but for the compiled one."""
    return under("python/schuss", {".py", ".pyi", ".typed"}) | {"schuss/py.typed"}


def differences(names: Iterable[str], expected: set[str]) -> list[str]:
    """What is missing and what is too much, a sentence each."""
    names = set(names)
    return [f"{name} is missing" for name in sorted(expected - names)] + [
        f"{name} does not belong there" for name in sorted(names - expected)
    ]


def wheel_faults(path: Path) -> list[str]:
    """What is wrong with a wheel, a sentence each."""
    faults = [] if re.search(r"-cp310-abi3-", path.name) else ["the name does not say cp310-abi3"]
    if "-linux_" in path.name:
        faults.append("the name promises one machine's Linux only")
    names = zipfile.ZipFile(path).namelist()
    libraries = [name for name in names if MADE.fullmatch(name)]
    if len(libraries) != 1:
        faults.append(f"there are {len(libraries)} compiled modules, one was expected")
    inside = {name for name in names if ".dist-info/" in name}
    carried = {name.rsplit("/", 1)[1] for name in inside if "/licenses/" in name}
    faults += differences(carried, LICENCES)
    return faults + differences(set(names) - set(libraries) - inside, package())


def source_faults(path: Path) -> list[str]:
    """What is wrong with a source distribution, a sentence each."""
    with tarfile.open(path) as archive:
        names = {member.name.split("/", 1)[1] for member in archive if member.isfile()}
    expected = SOURCE_FILES | under("src", {".rs"}) | {f"python/{name}" for name in package()}
    return differences(names, expected)


def faults(path: Path) -> list[str]:
    """What is wrong with a file that is to be published, a sentence each."""
    size = path.stat().st_size
    found = [f"{size:,} bytes are more than {MOST_BYTES:,}"] if size > MOST_BYTES else []
    return found + (wheel_faults(path) if path.suffix == ".whl" else source_faults(path))


def main(folder: str) -> None:
    """Print each file with its size and its faults; any of them is a failure."""
    paths = sorted(path for path in Path(folder).glob("*") if path.is_file())
    if not paths:
        sys.exit(f"{folder} has no files")
    bad = False
    for path in paths:
        print(f"{path.name}: {path.stat().st_size:,} bytes")
        for fault in faults(path):
            print(f"    {fault}")
            bad = True
    sys.exit(bad)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(f"one folder is expected.\n\n{__doc__}")
    main(sys.argv[1])

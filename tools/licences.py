"""Writes LICENSE-THIRD-PARTY: the notices of all that is compiled into a wheel, which each must carry.

Run: python tools/licences.py [--check]; with --check it says whether the file is that of Cargo.lock.
What the standard library brings is in licences_std.txt, as Cargo.lock does not have it and not every
compiler comes with its notices; a test looks for its crates in the compiled module.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "LICENSE-THIRD-PARTY"
STANDARD_LIBRARY = Path(__file__).with_name("licences_std.txt")
HEAD = """\
schuss is licensed under MIT OR Apache-2.0: see LICENSE. Its compiled module contains the standard library of
Rust, with crates that it brings, and the following crates, on any platform. Where a crate offers several
licences, the one given here is taken. Written by tools/licences.py from Cargo.lock, and from licences_std.txt
beside it.
"""
# In this order, of a crate that has several.
NAMES = (
    "LICENSE-MIT",
    "LICENSE-MIT.md",
    "LICENSE-MIT.txt",
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "LICENCE",
)


def metadata() -> dict:
    """What cargo says of this crate and of all that it depends on."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def linked(told: dict) -> list[dict]:
    """The crates that are linked: needed at run time, and no macros, which run in the compiler."""
    packages = {each["id"]: each for each in told["packages"]}
    nodes = {node["id"]: node["deps"] for node in told["resolve"]["nodes"]}
    found, open_ = set(), [told["resolve"]["root"]]
    while open_:
        crate = open_.pop()
        is_macro = any("proc-macro" in target["kind"] for target in packages[crate]["targets"])
        if crate not in found and not is_macro:
            found.add(crate)
            kinds = {each["pkg"]: {kind["kind"] for kind in each["dep_kinds"]} for each in nodes[crate]}
            open_ += [needed for needed, of_needed in kinds.items() if None in of_needed]
    found.remove(told["resolve"]["root"])
    return sorted((packages[crate] for crate in found), key=lambda each: each["name"])


def notice(crate: dict) -> str:
    """The text of its licence."""
    folder = Path(crate["manifest_path"]).parent
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        sys.exit(f"{crate['name']} {crate['version']} has no licence among {', '.join(NAMES)}")
    return "\n".join(line.rstrip() for line in path.read_text(encoding="utf-8").strip().splitlines())


def text() -> str:
    """The whole file; crates with the same notice have it once."""
    of_notice: dict[str, list[str]] = {}
    for crate in linked(metadata()):
        line = f"{crate['name']} {crate['version']} ({crate['license']})"
        of_notice.setdefault(notice(crate), []).append(line)
    parts = [STANDARD_LIBRARY.read_text(encoding="utf-8").strip()]
    parts += ["\n".join(names) + "\n\n" + notice for notice, names in of_notice.items()]
    line = "-" * 80
    return "".join([HEAD, *(f"\n{line}\n{part}\n" for part in parts)])


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(f"{' '.join(sys.argv[1:])}: nothing or --check is expected.\n\n{__doc__}")
    if sys.argv[1:]:
        if not FILE.is_file() or FILE.read_text(encoding="utf-8") != text():
            sys.exit(f"{FILE.name} is not that of Cargo.lock: python tools/licences.py writes it")
    else:
        FILE.write_text(text(), encoding="utf-8")

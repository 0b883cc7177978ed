"""The look into files that are to be published finds what is wrong with them."""

import importlib.util
import io
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location(
    "check_dist", Path(__file__).parent.parent / "tools" / "check_dist.py"
)
check_dist = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_dist)


def test_the_notices_are_those_of_the_crates_that_are_locked():
    root = Path(__file__).parent.parent
    told = (root / "LICENSE-THIRD-PARTY").read_text(encoding="utf-8")
    crates = set(re.findall(r"^([a-z0-9_-]+) (\d+\.\d+\.\d+) \(", told, re.MULTILINE))
    lock = (root / "Cargo.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r'^name = "(.+)"\nversion = "(.+)"$', lock, re.MULTILINE))
    assert {"ndarray", "numpy", "pyo3", "rayon"} <= {name for name, _ in crates}
    assert crates <= locked


def wheel(folder, name="schuss-0.1.0-cp310-abi3-manylinux2014_x86_64.whl", without=(), more=()):
    licences = {f"schuss-0.1.0.dist-info/licenses/{name}" for name in check_dist.LICENCES}
    names = check_dist.package() | licences | {"schuss/_schuss.abi3.so", "schuss-0.1.0.dist-info/METADATA"}
    with zipfile.ZipFile(folder / name, "w") as archive:
        for each in sorted((names - set(without)) | set(more)):
            archive.writestr(each, "")
    return folder / name


def sdist(folder, without=(), more=()):
    names = check_dist.SOURCE_FILES | check_dist.under("src", {".rs"})
    names |= {f"python/{name}" for name in check_dist.package()}
    with tarfile.open(folder / "schuss-0.1.0.tar.gz", "w:gz") as archive:
        for each in sorted((names - set(without)) | set(more)):
            archive.addfile(tarfile.TarInfo(f"schuss-0.1.0/{each}"), io.BytesIO())
    return folder / "schuss-0.1.0.tar.gz"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"name": "schuss-0.1.0-cp311-cp311-manylinux2014_x86_64.whl"}, "the name does not say cp310-abi3"),
        ({"name": "schuss-0.1.0-cp310-abi3-linux_x86_64.whl"}, "the name promises one machine's Linux only"),
        ({"without": ["schuss/_schuss.abi3.so"]}, "there are 0 compiled modules, one was expected"),
        ({"without": ["schuss/py.typed"]}, "schuss/py.typed is missing"),
        ({"without": ["schuss-0.1.0.dist-info/licenses/LICENSE-MIT"]}, "LICENSE-MIT is missing"),
        ({"more": ["tests/test_bits.py"]}, "tests/test_bits.py does not belong there"),
    ],
)
def test_of_a_wheel(tmp_path, change, fault):
    assert check_dist.faults(wheel(tmp_path, **change)) == ([] if fault is None else [fault])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"without": ["Cargo.lock"]}, "Cargo.lock is missing"),
        ({"without": ["src/lib.rs"]}, "src/lib.rs is missing"),
        ({"more": ["docs/bench.png"]}, "docs/bench.png does not belong there"),
    ],
)
def test_of_a_source_distribution(tmp_path, change, fault):
    assert check_dist.faults(sdist(tmp_path, **change)) == ([] if fault is None else [fault])


def test_of_any_file_that_it_is_too_large(tmp_path):
    path = wheel(tmp_path)
    path.write_bytes(bytes(3_000_001) + path.read_bytes())  # a zip file may have anything before it
    assert check_dist.faults(path) == [f"{path.stat().st_size:,} bytes are more than 3,000,000"]

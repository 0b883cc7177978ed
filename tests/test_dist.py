"""The look into files that are to be published finds what is wrong with them."""

import importlib.util
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from schuss import _schuss

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("check_dist", ROOT / "tools" / "check_dist.py")
check_dist = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_dist)


def test_the_notices_are_those_of_the_crates_that_are_locked():
    told = (ROOT / "LICENSE-THIRD-PARTY").read_text(encoding="utf-8")
    crates = set(re.findall(r"^([a-z0-9_-]+) (\d+\.\d+\.\d+) \(", told, re.MULTILINE))
    lock = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r'^name = "(.+)"\nversion = "(.+)"$', lock, re.MULTILINE))
    assert {"ndarray", "numpy", "pyo3", "rayon"} <= {name for name, _ in crates}
    assert crates <= locked


def test_the_notices_name_what_the_standard_library_brings():
    told = (ROOT / "LICENSE-THIRD-PARTY").read_text(encoding="utf-8")
    module = Path(_schuss.__file__).read_bytes()
    crates = {name.decode() for name in re.findall(rb"rust[/\\]deps[/\\]([a-z0-9_-]+)-\d+\.\d", module)}
    for name in crates:
        assert re.search(rf"\b{re.escape(name)}\b", told), name
    assert "UNICODE LICENSE V3" in told


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
    path.write_bytes(bytes(3_500_001) + path.read_bytes())  # a zip file may have anything before it
    assert check_dist.faults(path) == [f"{path.stat().st_size:,} bytes are more than 3,500,000"]


def test_what_is_built_here_makes_a_wheel_that_is_not_too_large(tmp_path):
    folder = ROOT / "python"
    built = [path for kind in ("so", "pyd") for path in folder.glob(f"schuss/_schuss*.{kind}")]
    if not built:
        pytest.skip("needs the extension in its source tree")
    with zipfile.ZipFile(tmp_path / "wheel.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [*built[:1], *(folder / name for name in check_dist.package()), *ROOT.glob("LICENSE*")]:
            archive.write(path)
    assert (tmp_path / "wheel.zip").stat().st_size <= check_dist.MOST_BYTES


def test_a_folder_without_files_is_told(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SystemExit, match="has no files"):
            check_dist.main(str(folder))


def test_the_notices_are_not_written_for_a_word_that_is_not_known():
    before = (ROOT / "LICENSE-THIRD-PARTY").stat().st_mtime_ns
    command = [sys.executable, ROOT / "tools" / "licences.py", "--chekc"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("--chekc: nothing or --check is expected.")
    assert (ROOT / "LICENSE-THIRD-PARTY").stat().st_mtime_ns == before

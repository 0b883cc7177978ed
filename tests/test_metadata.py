"""What several files say of the project they say alike: version, Python, Rust, licences, publishing."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@cache
def read(name):
    return (ROOT / name).read_text()


def found(pattern, name):
    """What the one group of a pattern is in a file, where it must be."""
    match = re.search(pattern, read(name), re.MULTILINE)
    assert match, f"{name}: no {pattern}"
    return match[1]


def minor(version):
    return int(version.split(".")[1])


OLDEST_PYTHON = found(r'^requires-python = ">=(3\.\d+)"$', "pyproject.toml")
OLDEST_RUST = found(r'^rust-version = "(.*)"$', "Cargo.toml")
VERSION = found(r'^version = "(.*)"$', "Cargo.toml")


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("Cargo.lock", r'^name = "schuss"\nversion = "(.*)"$'),
        ("CITATION.cff", r"^version: (.*)$"),
        ("CHANGELOG.md", r"\A(?:.*\n)+?## (?:Unreleased \()?(\d[^\s)]*)"),
    ],
)
def test_the_version_is_the_crates(name, pattern):
    assert found(pattern, name) == VERSION


def test_the_citation_is_the_packages():
    assert found(r"^cff-version: (.*)$", "CITATION.cff") == "1.2.0"
    assert found(r"^title: (.*)$", "CITATION.cff") == found(r'^name = "(.*)"$', "Cargo.toml")
    licences = re.findall(r"- (\S+)", found(r"^license:\n((?: +- .*\n)+)", "CITATION.cff"))
    assert " OR ".join(licences) == found(r'^license = "(.*)"$', "Cargo.toml")
    assert " OR ".join(licences) == found(r'^license = "(.*)"$', "pyproject.toml")
    abstract = found(r"^abstract: (.*)$", "CITATION.cff")
    assert abstract == found(r'^description = "(.*)"$', "Cargo.toml")
    assert abstract == found(r'^description = "(.*)"$', "pyproject.toml")


def test_the_oldest_python_is_the_same_everywhere():
    assert found(r"abi3-py(3\d+)", "Cargo.toml") == OLDEST_PYTHON.replace(".", "")
    assert found(r"-cp(3\d+)-abi3", "tools/check_dist.py") == OLDEST_PYTHON.replace(".", "")
    assert found(r"sys\.version_info < \((3, \d+)\)", "Makefile") == OLDEST_PYTHON.replace(".", ", ")
    for page in ("README.md", "CONTRIBUTING.md", "Makefile"):
        assert found(r"Python (3\.\d+) or newer", page) == OLDEST_PYTHON


@pytest.mark.parametrize("extra", ["plot", "notebook"])
def test_whoever_gets_matplotlib_gets_a_pillow_that_films_can_use(extra):
    needs = found(rf"^{extra} = \[(.*)\]$", "pyproject.toml")
    assert '"matplotlib>=3.8"' in needs
    # Image.Quantize and Image.Dither are of 9.1; matplotlib is content with an older one.
    assert '"pillow>=9.1"' in needs


def test_the_classifiers_are_the_pythons_from_the_oldest_to_the_newest_that_is_tested():
    tested = re.findall(r"3\.\d+", found(r"^ +python: \[(.*)\]$", ".github/workflows/ci.yml"))
    assert tested[0] == OLDEST_PYTHON
    assert found(r'^ +python-version: "(.*)"$', ".github/workflows/ci.yml") == tested[-1]
    versions = [f"3.{number}" for number in range(minor(OLDEST_PYTHON), minor(tested[-1]) + 1)]
    assert re.findall(r'"Programming Language :: Python :: (3\.\d+)"', read("pyproject.toml")) == versions
    built_with = re.findall(
        r'^ +python-version: "(.*)"$', read(".github/workflows/release.yml"), re.MULTILINE
    )
    assert set(built_with) == {OLDEST_PYTHON}


def test_the_oldest_rust_is_the_same_everywhere():
    checked = re.findall(r"(?:install|cargo \+)\s*(\d+\.\d+)", read(".github/workflows/ci.yml"))
    assert set(checked) == {OLDEST_RUST}
    assert found(r"Rust \((\d\.\d+) or newer\)", "README.md") == OLDEST_RUST
    used = {found(r'^  RUST: "(.*)"$', f".github/workflows/{path.name}") for path in WORKFLOWS}
    assert len(used) == 1
    assert minor(used.pop()) >= minor(OLDEST_RUST)


def test_each_target_is_told_by_make_help_and_in_contributing():
    phony = found(r"^\.PHONY: ([^\\\n]*(?:\\\n[^\\\n]*)*)$", "Makefile")
    targets = set(phony.replace("\\\n", " ").split()) - {"help"}
    assert set(re.findall(r"@echo 'make ([\w-]+)", read("Makefile"))) == targets
    assert set(re.findall(r"^\| `make ([\w-]+)", read("CONTRIBUTING.md"), re.MULTILINE)) == targets


def test_the_wheel_is_tried_with_the_oldest_numpy():
    oldest = found(r"^numpy==(\d+\.\d+)\.\d+; python_version < ", "tests/smoke/oldest.txt")
    assert f'dependencies = ["numpy>={oldest}"]' in read("pyproject.toml")


def test_the_workflow_makes_its_wheels_as_the_makefile_does():
    tools = r"'?maturin(?:\[zig\]|\$\(if \$\(ON_LINUX\),\[zig\]\))?(>=[\d.]+,<\d)'?"
    versions = [re.findall(tools, read(name)) for name in ("Makefile", ".github/workflows/release.yml")]
    required = found(r'^requires = \["maturin(.*)"\]$', "pyproject.toml")
    assert {version for each in versions for version in each} == {required}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_uses_what_cannot_be_changed_under_it_and_may_do_no_more_than_it_must(path):
    text = path.read_text()
    uses = re.findall(r"uses: (.*)", text)
    assert uses
    for use in uses:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", use), use
    assert len({use for use in uses if "actions/" in use}) == len(
        {use.split("@")[0] for use in uses if "actions/" in use}
    )
    assert re.search(r"^permissions:\n  contents: read\n\n", text, re.MULTILINE)
    assert "secrets." not in text
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    # Nothing that others may name is put into a command.
    assert [run for run in re.findall(r"run: (.*)", text) if "${{" in run] == []
    writes = re.findall(r"^ +([\w-]+): write\b", text, re.MULTILINE)
    if path.name == "release.yml":
        publish = text[text.index("\n  publish:\n") :]
        assert re.findall(r"^ +([\w-]+): write\b", publish, re.MULTILINE) == writes == ["id-token"]
        assert "github.ref_type == 'tag'" in publish
        assert "environment: release" in publish
    else:
        assert writes == []

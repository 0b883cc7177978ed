import importlib.metadata
import re
from pathlib import Path

import schuss


def test_the_version_is_the_crates():
    cargo = (Path(__file__).parent.parent / "Cargo.toml").read_text()
    version = re.search(r'^version = "(.*)"$', cargo, re.MULTILINE)[1]
    assert schuss.__version__ == version == importlib.metadata.version("schuss")


def test_numpy_is_the_only_runtime_dependency():
    required = importlib.metadata.requires("schuss")
    assert [r for r in required if "extra ==" not in r] == ["numpy>=1.26"]

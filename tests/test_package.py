import importlib.metadata
import re
from pathlib import Path

import schuss


def test_the_version_is_the_crates():
    cargo = (Path(__file__).parent.parent / "Cargo.toml").read_text()
    version = re.search(r'^version = "(.*)"$', cargo, re.MULTILINE)[1]
    assert schuss.__version__ == version == importlib.metadata.version("schuss")


def test_the_public_names_exist_and_have_docstrings():
    for name in schuss.__all__:
        assert name.startswith("__") or getattr(schuss, name).__doc__, name

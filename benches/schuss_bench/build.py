"""Which schuss it is that was measured: its version stays the same while it is worked on."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path


def fingerprint(package: Path | None = None) -> str:
    """Of all code of a package, built or not: of the schuss that `import` would find where none is given."""
    if package is None:
        package = Path(find_spec("schuss").origin).parent
    code = hashlib.sha256()
    for path in sorted(path for kind in ("py", "so", "pyd") for path in package.rglob(f"*.{kind}")):
        content = path.read_bytes()
        code.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return code.hexdigest()[:12]

"""What pictures and tables call things, and how pictures show libraries."""

from __future__ import annotations

# Colours that everybody can tell apart (Okabe and Ito's), each with a shape of its own.
STYLES = {
    "schuss": ("#d55e00", "o"),
    "jax": ("#0072b2", "s"),
    "torch": ("#009e73", "^"),
    "sklearn": ("#e69f00", "D"),
    "numpy": ("#56b4e9", "v"),
}
NAMES = {"jax": "JAX", "torch": "PyTorch", "sklearn": "scikit-learn", "numpy": "NumPy"}


def network(row: dict) -> str:
    """A network in words: `64-64 network, 16 inputs, batch 128`."""
    layers, batch = row["layers"], row["batch"]
    hidden = "-".join(map(str, layers[1:-1]))
    rows = f"batch {batch:,}" if row["section"] in ("train", "loop", "scale") else f"{batch:,} rows"
    if batch == 1:
        rows = "1 row"
    return f"{hidden} network, {layers[0]:,} inputs, {rows}"


def duration(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds:.2g} µs" if microseconds < 1 else f"{microseconds:.3g} µs"

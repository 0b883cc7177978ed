"""The pieces of schuss's estimator, switched off one at a time."""

from __future__ import annotations

CONTENDER = "schuss-mlp"
# What the report calls a variant, and its keyword arguments. The one without a name is the whole.
VARIANTS: dict[str, dict] = {
    "": {},
    "without dropout": {"dropout": 0.0},
    "stopped on the score": {"scoring": None},
    "one hidden layer": {"hidden_layer_sizes": (256,)},
}

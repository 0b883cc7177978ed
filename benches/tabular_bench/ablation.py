"""The pieces of schuss's estimator, switched off one at a time."""

from __future__ import annotations

CONTENDER = "schuss-mlp"
# What the report calls a variant, and the keyword arguments that make it. The first, without a name, is the whole.
VARIANTS: dict[str, dict] = {
    "": {},
    "without dropout": {"dropout": 0.0},
    "without early stopping": {"early_stopping": False, "scoring": None, "max_iter": 50},
    "one hidden layer": {"hidden_layer_sizes": (256,)},
}

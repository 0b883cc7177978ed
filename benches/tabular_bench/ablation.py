"""The pieces of schuss's estimator, switched off one at a time."""

from __future__ import annotations

CONTENDER = "schuss"
# What the report calls a variant, and its keyword arguments. The one without a name is the whole.
VARIANTS: dict[str, dict] = {
    "": {},
    "one member": {"n_members": 1},
    "no folds": {"n_folds": 1},
    "nothing tried first": {"tries": False},
    "no waves of numbers": {"recipe": {"sigma": 0.0}},
    "waves of one length": {"recipe": {"sigma": 0.1}},
    "dropout": {"recipe": {"dropout": 0.2}},
    "no decay": {"recipe": {"weight_decay": 0.0}},
    "clipped alone": {"recipe": {"scaling": "clip"}},
    "quantiles alone": {"recipe": {"scaling": "quantile"}},
    "ReLU alone": {"recipe": {"activation": "relu"}},
    "256 units alone": {"recipe": {"width": 256}},
}

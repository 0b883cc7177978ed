"""A file for each library: `VERSION`, and `make`, which returns an estimator ready for `fit`. Those of schuss
have a `BUILD` as well, since its version stays the same while it is worked on.

    make(task, X, seed, threads, **options)

The estimator takes the data frame as it is read, so that what a library needs to have done to it is done, and
clocked, inside `fit` and `predict`. A file whose library is not installed raises ImportError.
"""

from __future__ import annotations

# What the report calls a contender: its file, and what `make` is given beside the rest.
CONTENDERS: dict[str, tuple[str, dict]] = {
    "schuss": ("schuss_tabular", {}),
    "schuss-quick": ("schuss_tabular", {"preset": "quick"}),
    "schuss-best": ("schuss_tabular", {"preset": "best"}),
    "schuss-mlp": ("schuss_mlp", {}),
    "catboost": ("catboost", {}),
    "lightgbm": ("lightgbm", {}),
    "histgb": ("histgb", {}),
    "sklearn-mlp": ("sklearn_mlp", {}),
    "realmlp-td-s": ("realmlp", {}),
    "tabm": ("tabm", {}),
}

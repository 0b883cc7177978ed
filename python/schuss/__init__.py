"""Fast optimizers and neural-network training for NumPy, on the CPU."""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from . import blocks, distributed, embeddings, exchange, optimizers, plots, schedules
from ._extras import needed
from ._layers import LayerOutputs
from ._schuss import ACTIVATIONS, LOSSES, __version__
from ._stop import Stop
from .display import TrainingCurveDisplay
from .ewa import ewa
from .history import History
from .minimize import LBFGS, OptimizeResult, minimize
from .network import MLP, TrainingInfo
from .optimizers import *  # noqa: F403  the classes come from the tables of the rules

if TYPE_CHECKING:
    from . import dask as dask
    from . import estimators as estimators
    from . import tables as tables
    from .estimators import MLPClassifier, MLPRegressor
    from .tables import TabularClassifier, TabularRegressor

__all__ = [
    "ACTIVATIONS",
    "LBFGS",
    "LOSSES",
    "MLP",
    "History",
    "LayerOutputs",
    "MLPClassifier",
    "MLPRegressor",
    "TabularClassifier",
    "TabularRegressor",
]
__all__ += ["OptimizeResult", "Stop", "TrainingCurveDisplay", "TrainingInfo", "__version__", "ewa"]
__all__ += ["blocks", "distributed", "embeddings", "exchange", "minimize", "plots", "schedules"]
__all__ += optimizers.__all__

# Type checkers need not see this: with it they would believe that there is any name at all.
if not TYPE_CHECKING:
    _ESTIMATORS = ("MLPClassifier", "MLPRegressor", "TabularClassifier", "TabularRegressor")
    # What is listed can be had, also by `from schuss import *`.
    if not (sys.modules.get("sklearn") or find_spec("sklearn")):
        __all__ = [name for name in __all__ if name not in _ESTIMATORS]

    def __getattr__(name: str) -> object:
        """Import what needs more than NumPy where it is first asked for."""
        if name == "dask":  # it says itself what it needs
            return import_module(f"{__name__}.dask")
        if name not in (*_ESTIMATORS, "estimators", "tables"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with needed(f"schuss.{name}", "scikit-learn 1.6 or newer", "sklearn"):
            # Not `from . import`, which would ask here for them.
            estimators, tables = (import_module(f"{__name__}.{each}") for each in ("estimators", "tables"))
        homes = {each: tables if each.startswith("Tabular") else estimators for each in _ESTIMATORS}
        globals().update({each: getattr(home, each) for each, home in homes.items()})
        return globals()[name]

    def __dir__() -> list[str]:
        return sorted(__all__)

"""Fast optimizers and neural-network training for NumPy, on the CPU."""

from . import optimizers, schedules
from ._schuss import ACTIVATIONS, LOSSES, __version__
from .ewa import ewa
from .history import History
from .minimize import LBFGS, OptimizeResult, minimize
from .network import MLP, TrainingInfo
from .optimizers import *  # noqa: F403  the classes come from the tables of the rules

__all__ = ["ACTIVATIONS", "LBFGS", "LOSSES", "MLP", "History", "OptimizeResult", "TrainingInfo"]
__all__ += ["__version__", "ewa", "minimize", "schedules"]
__all__ += optimizers.__all__

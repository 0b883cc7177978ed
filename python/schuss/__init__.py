"""Fast optimizers and neural-network training for NumPy, on the CPU."""

from . import optimizers, schedules
from ._schuss import ACTIVATIONS, LOSSES, __version__
from .ewa import ewa
from .history import History
from .network import MLP, TrainingInfo
from .optimizers import *  # noqa: F403  the classes come from the tables of the rules

__all__ = ["ACTIVATIONS", "LOSSES", "MLP", "History", "TrainingInfo", "__version__", "ewa", "schedules"]
__all__ += optimizers.__all__

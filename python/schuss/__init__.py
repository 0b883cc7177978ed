"""Fast optimizers and neural-network training for NumPy, on the CPU."""

from . import optimizers, schedules
from ._schuss import __version__
from .ewa import ewa
from .history import History
from .optimizers import *  # noqa: F403  the classes come from the tables of the rules

__all__ = ["History", "__version__", "ewa", "schedules"]
__all__ += optimizers.__all__

"""Fast optimizers and neural-network training for NumPy, on the CPU."""

from ._schuss import __version__
from .history import History

__all__ = ["History", "__version__"]

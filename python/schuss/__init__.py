"""Fast optimizers and neural-network training for NumPy, on the CPU."""

from ._schuss import __version__

__all__ = ["__version__"]

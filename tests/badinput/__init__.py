"""A table of bad input: every public entry point with every kind of value that users have given to one."""

from .cells import all_cells, verdict

__all__ = ["all_cells", "verdict"]

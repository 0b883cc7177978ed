"""Data larger than memory: blocks of rows from Parquet files and arrays, read ahead of the training."""

from ._arrays import from_arrays
from ._blocks import Blocks
from ._parquet import from_parquet

__all__ = ["Blocks", "from_arrays", "from_parquet"]

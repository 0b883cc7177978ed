"""Tables of any kind as the numbers that networks learn from, and their targets."""

from ._encoder import TableEncoder
from ._report import ColumnReport, Report
from ._scaling import Quantiles, smooth_clip
from ._target import ClassTarget, RegressionTarget
from ._target_means import TargetMeans

__all__ = [
    "ClassTarget",
    "ColumnReport",
    "Quantiles",
    "RegressionTarget",
    "Report",
    "TableEncoder",
    "TargetMeans",
    "smooth_clip",
]

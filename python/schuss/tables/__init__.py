"""Estimators that take a table as it is, and what they make of its columns.

Needs scikit-learn 1.6 or newer.
"""

from .._extras import needed

with needed("schuss.tables", "scikit-learn 1.6 or newer", "sklearn"):
    from ._classifier import TabularClassifier
    from ._encoder import TableEncoder
    from ._ensemble import Ensemble, Member
    from ._leaderboard import Leaderboard
    from ._regressor import TabularRegressor
    from ._report import ColumnReport, Report

__all__ = [
    "ColumnReport",
    "Ensemble",
    "Leaderboard",
    "Member",
    "Report",
    "TableEncoder",
    "TabularClassifier",
    "TabularRegressor",
]

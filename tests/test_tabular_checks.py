"""scikit-learn's checks of the estimators for tables: all of them, none excused."""

import pytest

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import check_dataframe_column_names_consistency, parametrize_with_checks

from schuss import TabularClassifier, TabularRegressor

ESTIMATORS = [
    TabularClassifier("quick", n_members=2, n_folds=2),
    TabularRegressor("quick", n_members=2, n_folds=2),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_column_names_are_consistent(estimator):
    pytest.importorskip("pandas")
    check_dataframe_column_names_consistency(type(estimator).__name__, estimator)

"""scikit-learn's checks of an estimator: all of them, none excused."""

import pytest

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import check_dataframe_column_names_consistency, parametrize_with_checks

from schuss import MLPClassifier, MLPRegressor

ESTIMATORS = [
    MLPClassifier(max_iter=100),
    MLPRegressor(max_iter=100),
    MLPClassifier(max_iter=100, solver="lbfgs"),
    MLPRegressor(max_iter=100, solver="sgd"),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_check(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", [MLPClassifier(early_stopping=True), MLPRegressor(early_stopping=True)])
def test_column_names_are_consistent_with_early_stopping(estimator):
    check_dataframe_column_names_consistency(type(estimator).__name__, estimator)

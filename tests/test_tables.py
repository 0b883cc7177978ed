"""Tables with categories and missing values: two lines of scikit-learn's, for pandas and for polars alike."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import compose
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import schuss as sc

NUMBERS = ["area", "rooms", "distance"]
HOUSES = {  # the lecture's table
    "area": [32, 25, 80, 55],
    "rooms": [3, 1, 4, 3],
    "distance": [5, 8, 10, 10],
    "city": ["Amiens", "Lille", "Versailles", "Nice"],
}
PRICES = np.array([60_000, 70_000, 600_000, 450_000])
GAPS = HOUSES | {"area": [32.0, None, 80.0, 55.0], "city": ["Amiens", "Lille", None, "Nice"]}


@pytest.fixture(params=["pandas", "polars"])
def table_of(request):
    return pytest.importorskip(request.param).DataFrame


def model(estimator):
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    table = compose.make_column_transformer(
        (numbers, NUMBERS), remainder=OneHotEncoder(handle_unknown="ignore")
    )
    return make_pipeline(table, estimator)


def regressor():
    return compose.TransformedTargetRegressor(
        model(sc.MLPRegressor(solver="lbfgs", alpha=0, random_state=0)), transformer=StandardScaler()
    )


@pytest.mark.parametrize("houses", [HOUSES, GAPS], ids=["complete", "with gaps"])
def test_the_lectures_houses_get_their_prices(table_of, houses):
    fitted = regressor().fit(table_of(houses), PRICES)
    np.testing.assert_allclose(fitted.predict(table_of(houses)), PRICES, rtol=0.02)


def test_rows_to_come_may_have_gaps_and_cities_never_seen(table_of):
    fitted = regressor().fit(table_of(HOUSES), PRICES)
    new = {"area": [60.0, 60.0], "rooms": [3, 3], "distance": [9, 9], "city": ["Nice", "Paris"]}
    nice, paris = fitted.predict(table_of(new))
    assert np.isfinite([nice, paris]).all()
    assert nice != paris
    assert np.isfinite(fitted.predict(table_of(new | {"area": [None, 60.0]}))).all()


def test_a_classifier_takes_a_column_of_labels(table_of):
    table = table_of(GAPS | {"dear": ["no", "no", "yes", "yes"]})
    fitted = model(sc.MLPClassifier(solver="lbfgs", random_state=0)).fit(table[[*HOUSES]], table["dear"])
    assert fitted.predict(table[[*HOUSES]]).tolist() == ["no", "no", "yes", "yes"]


def test_both_libraries_give_the_same_predictions_and_names():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    one, other = (regressor().fit(library.DataFrame(GAPS), PRICES) for library in (pandas, polars))
    np.testing.assert_array_equal(one.predict(pandas.DataFrame(GAPS)), other.predict(polars.DataFrame(GAPS)))
    assert [*one.feature_names_in_] == [*other.feature_names_in_] == [*HOUSES]


def test_a_table_of_numbers_alone_goes_straight_in(table_of):
    numbers = table_of({name: np.array(HOUSES[name]) / 10 for name in NUMBERS})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = sc.MLPRegressor(max_iter=5, random_state=0).fit(numbers, PRICES / 1e5)
    assert [*fitted.feature_names_in_] == NUMBERS
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(numbers[["rooms", "area", "distance"]])


def test_words_and_gaps_are_refused_with_the_reason(table_of):
    with pytest.raises(ValueError, match="could not convert string to float"):
        sc.MLPRegressor().fit(table_of(HOUSES), PRICES)
    gaps = table_of({name: GAPS[name] for name in NUMBERS})
    with pytest.raises(ValueError, match="contains NaN"):
        sc.MLPRegressor().fit(gaps, PRICES)

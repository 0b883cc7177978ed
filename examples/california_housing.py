"""Predict house prices from a mixed table: numbers, a category, missing values.

Prepares California housing (1990 census, 20,640 districts) with scikit-learn's transformers, trains a
network with schuss, and compares it on unseen districts with simpler models on the same columns.

Run: python examples/california_housing.py [folder of the picture]
"""

import sys
import time
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import schuss as sc

matplotlib.use("agg")  # a file, not a window
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
TARGET = "median_house_value"
PLACE = ["longitude", "latitude"]
# Counts and incomes are skewed: a district twice as large is one step further, wherever it starts.
SKEWED = ["total_rooms", "total_bedrooms", "population", "households", "median_income"]


def prepare() -> ColumnTransformer:
    """The table as numbers of similar size."""
    log = make_pipeline(SimpleImputer(strategy="median"), FunctionTransformer(np.log), StandardScaler())
    # How near a district is to each of 100 others: prices follow the map, and not along its axes.
    near = make_pipeline(
        StandardScaler(), Nystroem(gamma=20, n_components=100, random_state=0), StandardScaler()
    )
    return ColumnTransformer(
        [
            ("log", log, SKEWED),
            ("scale", StandardScaler(), [*PLACE, "housing_median_age"]),
            ("near", near, PLACE),
            ("category", OneHotEncoder(handle_unknown="ignore"), ["ocean_proximity"]),
        ]
    )


def rmse(predicted, actual) -> float:
    return float(np.sqrt(np.mean((np.ravel(predicted) - np.ravel(actual)) ** 2)))


def main() -> None:
    table = pd.read_csv(HERE / "data" / "california_housing" / "housing.csv.gz")
    # The split of the published figures: a fifth of the rows, shuffled with seed 0, is for the test.
    train, test = train_test_split(table, test_size=0.2, random_state=0)
    print(f"{len(train):,} districts to train on, {len(test):,} to test")
    missing, categories = table.isna().any(axis=1).sum(), table.ocean_proximity.nunique()
    print(f"{missing} rows with missing values, one column with {categories} categories")

    columns = prepare()
    X = columns.fit_transform(train).astype(np.float32)
    X_test = columns.transform(test).astype(np.float32)
    price, price_test = train[TARGET].to_numpy(), test[TARGET].to_numpy()
    mean, spread = price.mean(), price.std()
    y = ((price - mean) / spread).astype(np.float32)

    # A tenth of the training rows watches over the training; the test rows are looked at once, at the end.
    X_fit, X_val, y_fit, y_val = train_test_split(X, y, test_size=0.1, random_state=0)
    epochs, batch = 60, 256
    steps = epochs * -(-len(X_fit) // batch)

    net = sc.MLP([X.shape[1], 128, 64, 1], activation="relu", loss="mse", seed=0)
    start = time.perf_counter()
    history = net.fit(
        X_fit,
        y_fit,
        optimizer=sc.Adam(lr=sc.schedules.cosine(3e-3, total_steps=steps, warmup_steps=100)),
        batch_size=batch,
        epochs=epochs,
        validation_data=(X_val, y_val),
        progress=True,
        seed=0,
    )
    seconds = time.perf_counter() - start
    predicted = mean + spread * net.predict(X_test).ravel()

    results = [("the mean training price", rmse(mean, price_test), 0.0)]
    for name, model in [
        ("linear regression", LinearRegression()),
        ("scikit-learn's MLP", MLPRegressor(early_stopping=True, random_state=0)),
    ]:
        start = time.perf_counter()
        model.fit(X, y)
        took = time.perf_counter() - start
        results.append((name, rmse(mean + spread * model.predict(X_test), price_test), took))
    results.append(("schuss.MLP", rmse(predicted, price_test), seconds))

    print(f"\n{'test RMSE':>35}{'seconds':>12}")
    for name, error, took in results:
        print(f"{name:<24}{'$' + format(error, ',.0f'):>11}{took:>12.2f}")

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "out"
    picture = folder / "california_housing.png"
    draw(history, spread, price_test, predicted, picture)
    print(f"\nThe learning curve is in {picture}")


def draw(history, spread, actual, predicted, path) -> None:
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    epochs = range(1, history.epochs + 1)
    for name, label in (("loss", "training"), ("val_loss", "validation")):
        left.plot(epochs, spread * np.sqrt(history[name]), label=label)
    left.set(xlabel="epoch", ylabel="RMSE, $", title="learning curve")
    left.legend()
    left.grid(alpha=0.3)
    right.plot(actual, predicted, ".", markersize=2, alpha=0.5)
    right.axline((0, 0), slope=1, color="black", linewidth=1)
    right.set(xlabel="price, $", ylabel="predicted price, $", title="test districts")
    for axis in (left.yaxis, right.xaxis, right.yaxis):
        axis.set_major_formatter("{x:,.0f}")
    path.parent.mkdir(exist_ok=True)
    fig.savefig(path, dpi=120)


if __name__ == "__main__":
    main()

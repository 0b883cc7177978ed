"""A table of every kind of column, with gaps, and targets of every kind, for tests of fitted estimators."""

import numpy as np
import pandas as pd

TOWNS = [f"town {number}" for number in range(14)]


def table(n_rows, seed):
    """Mixed columns as people have them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(50, 20, n_rows),
            "count": rng.integers(0, 9, n_rows),
            "mostly": np.where(rng.random(n_rows) < 0.7, 0, rng.normal(size=n_rows)),
            "town": rng.choice([*TOWNS, *TOWNS[:3]], n_rows),
            "kind": rng.choice(["a", "b", "c\N{LATIN SMALL LETTER O WITH DIAERESIS}"], n_rows),
            "grade": pd.Categorical(rng.integers(1, 5, n_rows)),
            "flag": rng.random(n_rows) < 0.3,
            "when": pd.Timestamp("2019-12-30") + pd.to_timedelta(rng.integers(0, 900 * 24, n_rows), unit="h"),
            "written": rng.choice(["1.5", "2", "?", "3e1"], n_rows),
            "same": 1,
        }
    )
    frame.loc[rng.random(n_rows) < 0.1, "size"] = np.nan
    frame.loc[rng.random(n_rows) < 0.1, "town"] = None
    frame.loc[rng.random(n_rows) < 0.05, "when"] = pd.NaT
    for place in range(min(4, n_rows)):
        frame.loc[place, "town"] = f"a place with one row, {place}"
    return frame


def numbers(frame):
    """A target that depends on columns of all kinds."""
    rng = np.random.default_rng(9)
    town = frame["town"].map({town: place % 5 for place, town in enumerate(TOWNS)}).fillna(0)
    year = frame["when"].dt.year.fillna(2020) - 2020
    parts = frame["size"].fillna(0) / 30 + (frame["kind"] == "a") + town / 2 + year + frame["flag"]
    return parts.to_numpy(float) + rng.normal(0, 0.2, len(frame))


def labels(frame, classes):
    """The target as classes, about equally many of each."""
    target = numbers(frame)
    places = np.searchsorted(np.quantile(target, np.linspace(0, 1, len(classes) + 1)[1:-1]), target)
    return np.asarray(classes)[places]

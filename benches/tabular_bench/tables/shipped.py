"""Tables that are files of this project; a README.md beside each has its source and its licence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .table import Table, classes, values

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "benches" / "data"


def french_houses() -> Table:
    """The houses of the lecture; the logarithm of the price."""
    table = pd.read_csv(ROOT / "lecture" / "data" / "french_houses" / "sales.csv")
    return values(table, np.log(table.pop("price")))


def student_performance() -> Table:
    """The last grade, without the two before it, of which it is nearly a function."""
    table = pd.read_csv(DATA / "student_performance" / "students.csv.gz")
    return values(table.drop(columns=["G1", "G2", "G3"]), table["G3"])


def flight_delays() -> Table:
    """Late or not, without the time of departure, which is not known beforehand."""
    table = pd.read_csv(DATA / "flight_delays" / "flights.csv.gz")
    table["FL_DATE"] = pd.to_datetime(table["FL_DATE"], format="%m/%d/%Y")
    return classes(table.drop(columns=["DEP_TIME", "Flight Status"]), table["Flight Status"])


READERS = {
    "french-houses": french_houses,
    "student-performance": student_performance,
    "flight-delays": flight_delays,
}

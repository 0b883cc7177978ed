"""Regressions that are not part of this project, from folders with their published files.

Prices are learnt and scored as their logarithms.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .table import Reader, Table, values

WINE = (
    "fixed_acidity volatile_acidity citric_acid residual_sugar chlorides free_sulfur_dioxide "
    "total_sulfur_dioxide density pH sulphates alcohol quality"
)
ABALONE = "sex length diameter height whole_weight shucked_weight viscera_weight shell_weight rings"
CONCRETE = "cement slag fly_ash water superplasticizer coarse_aggregate fine_aggregate age strength"
POWER = "temperature vacuum pressure humidity output"


def california(folder: Path, seed: int) -> Table:
    table = pd.read_csv(folder / "housing.csv")
    return values(table, table.pop("median_house_value"))


def french_sales(folder: Path, seed: int) -> Table:
    """Houses and flats; post codes and departments are names, not numbers."""
    table = pd.read_csv(
        folder / "dvf_2025_single_sales.csv",
        dtype={"code_postal": str, "departement": str},
        parse_dates=["date_mutation"],
    )
    return values(table, np.log(table.pop("prix_eur")))


def ames(folder: Path, seed: int) -> Table:
    """An empty cell of text says that a house has no such thing, and so does "None": these are categories."""
    table = pd.read_csv(folder / "ames.csv", keep_default_na=False, na_values=[""])
    text = table.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]]
    table[text] = table[text].fillna("NA")
    return values(table.drop(columns=["Order", "PID", "price"]), np.log(table["price"]))


def diamonds(folder: Path, seed: int) -> Table:
    table = pd.read_csv(folder / "diamonds.csv")
    return values(table, np.log(table.pop("price")))


def wine(folder: Path, seed: int) -> Table:
    """Both wines, with the colour as a column."""
    table = pd.concat(
        [
            pd.read_csv(folder / f"winequality-{colour}.csv", names=WINE.split()).assign(colour=colour)
            for colour in ("red", "white")
        ],
        ignore_index=True,
    )
    return values(table, table.pop("quality"))


def abalone(folder: Path, seed: int) -> Table:
    table = pd.read_csv(folder / "abalone.data", names=ABALONE.split())
    return values(table, table.pop("rings"))


def concrete(folder: Path, seed: int) -> Table:
    return _official(folder, CONCRETE.split(), seed)


def power_plant(folder: Path, seed: int) -> Table:
    return _official(folder, POWER.split(), seed)


def _official(folder: Path, names: list[str], seed: int) -> Table:
    """A table with twenty published splits, of which each seed takes another."""
    table = pd.read_csv(folder / "data.txt", sep=r"\s+", names=names)
    train, test = (
        np.loadtxt(folder / f"index_{part}_{seed % 20}.txt", ndmin=1).astype(int)
        for part in ("train", "test")
    )
    return values(table, table.pop(names[-1]), (train, test))


READERS = {
    "california-housing": Reader("california-housing", california),
    "dvf-france": Reader("dvf-france", french_sales),
    "ames-housing": Reader("ames-housing", ames),
    "diamonds": Reader("diamonds", diamonds),
    "wine-quality": Reader("wine-quality", wine),
    "abalone": Reader("abalone", abalone),
    "uci-concrete": Reader("uci-concrete", concrete),
    "uci-power-plant": Reader("uci-power-plant", power_plant),
}

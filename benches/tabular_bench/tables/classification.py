"""Classifications that are not part of this project, from folders with their published files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .table import Reader, Table, classes

ADULT = (
    "age workclass fnlwgt education education-num marital-status occupation relationship race sex "
    "capital-gain capital-loss hours-per-week native-country income"
)
GERMAN = (
    "checking_status duration credit_history purpose credit_amount savings employment "
    "installment_rate personal_status other_parties residence_since property age "
    "other_payment_plans housing existing_credits job dependents telephone foreign_worker class"
)


def adult(folder: Path, seed: int) -> Table:
    """Census income, with its official split."""
    parts = [
        pd.read_csv(folder / file, names=ADULT.split(), skipinitialspace=True, na_values="?")
        for file in ("adult.data", "adult.test")
    ]
    table = pd.concat(parts, ignore_index=True)
    income = table.pop("income").str.rstrip(".")  # only the test file has the dot
    rows = np.arange(len(table))
    return classes(table, income, (rows[: len(parts[0])], rows[len(parts[0]) :]))


def titanic(folder: Path, seed: int) -> Table:
    """Who survived. The lifeboat and the number of the body tell; name, ticket and cabin are nearly keys."""
    table = pd.read_csv(folder / "titanic3.csv", na_values="?")
    survived = table.pop("survived")
    return classes(table.drop(columns=["boat", "body", "name", "ticket", "cabin"]), survived)


def german_credit(folder: Path, seed: int) -> Table:
    table = pd.read_csv(folder / "german.data", names=GERMAN.split())
    return classes(table, table.pop("class"))


def penguins(folder: Path, seed: int) -> Table:
    table = pd.read_csv(folder / "penguins.csv")
    return classes(table, table.pop("species"))


def higgs(folder: Path, seed: int) -> Table:
    table = pd.read_csv(folder / "higgs.csv")
    return classes(table, table.pop("label"))


def mammography(folder: Path, seed: int) -> Table:
    """Labels are in quotes of their own: '-1' and '1'."""
    return _without_header(folder / "mammography.csv", quotechar="'")


def phoneme(folder: Path, seed: int) -> Table:
    return _without_header(folder / "phoneme.csv")


def spambase(folder: Path, seed: int) -> Table:
    table = pd.read_csv(folder / "Spambase.csv.gz")
    return classes(table, table.pop("Spam"))


def electricity(folder: Path, seed: int) -> Table:
    """Ordered by time, and split at random all the same, as published scores are."""
    table = pd.read_csv(folder / "elec.csv")
    return classes(table, table.pop("target"))


def _without_header(file: Path, **options) -> Table:
    table = pd.read_csv(file, header=None, **options)
    label = table.pop(table.columns[-1])
    return classes(table.add_prefix("x"), label)


READERS = {
    "adult": Reader("adult", adult),
    "titanic": Reader("titanic", titanic),
    "german-credit": Reader("german-credit", german_credit),
    "penguins": Reader("penguins", penguins),
    "higgs-11k": Reader("higgs-11k", higgs),
    "mammography": Reader("mammography", mammography),
    "phoneme": Reader("phoneme", phoneme),
    "spambase": Reader("spambase", spambase),
    "electricity": Reader("electricity", electricity),
}

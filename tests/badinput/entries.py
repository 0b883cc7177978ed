"""All entries of the table."""

from . import of_estimators, of_files, of_functions, of_network, of_optimizers


def all_entries():
    tables = (of_optimizers, of_functions, of_network, of_estimators, of_files)
    return [entry for table in tables for entry in table.entries()]

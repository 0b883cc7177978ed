"""A table of anything as one array of float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from .._checks import check_count, shown
from .._warn import warn
from ._categories import CategoryFeature, counts_of, tally_of
from ._dates import DateFeature, dates_of_fit, moments_of, order_of
from ._kinds import ALL_MISSING, BLOCK, Finding, blocks, kind_of_column, wished
from ._names import Headings, by_fields, check_same, has_names, in_order, paired
from ._numbers import NumberFeature, are_merged, measure_of, numbers_of
from ._reading import Column, Table, as_levels, in_zone, read_table
from ._report import ColumnReport, Report

Feature: TypeAlias = NumberFeature | DateFeature | CategoryFeature
Floats32 = np.ndarray[Any, np.dtype[np.float32]]

# What has a length and no values in an order.
NO_ROWS = (str, bytes, set, frozenset)
FEATURES: dict[str, Any] = {"number": NumberFeature, "date": DateFeature, "category": CategoryFeature}


class TableEncoder:
    """Learn from a table how to make numbers of its columns, and make them of it and of others like it.

    The array that comes out has first the numbers, then a column of codes for each category.

    - A **number** is scaled to `u`, its median at 0 and its quartiles one apart, which is not clipped yet
      (`smooth_clip`, `Quantiles`). What is missing is 0, the median, and 1 in an indicator of its own where
      anything was missing in `fit`. Where more than half of the rows have one value and the others differ
      among themselves, an indicator tells whether it is another one.
    - A **date** is a number for each part of the calendar that varies: elapsed days, year, month, weekday and
      hour, scaled in the same way, and the place in the year and in the day as sine and cosine. They are read
      on the clock of the time zone that all have in `fit`, of UTC where they have several: dates of another
      zone are put on it, and those without a zone are refused where there was one, and the other way round.
    - A **category** is a code, exact in float32: 0 for missing, then 1, 2, ... by frequency. The last one is
      that of all rare levels together and of levels never seen; without rare levels, these are 0 as well.
      Dates with a time zone are the same level as in another zone, and another one than without a zone.
    - Columns are dropped that are constant, all missing, or categories that differ in nearly every row: fewer
      than 5 % of the rows have a level that is there often enough to get a code (`min_count`). Where some
      rows miss their value, there is still a column that says which.

    The kind of a column is that of its dtype. Text is a category, or numbers or dates where it reads as such:
    numbers need a decimal point somewhere, a mark for what is missing ("?", "n.a.", "unknown"), or an array,
    rows, records or lists of nothing but text, so that codes which are whole numbers stay codes. Integers are
    numbers. Free text is refused. Text that may be numbers or dates is warned of: where at most a tenth of
    the different texts are none, and where it is written in another way (amounts of money, percent, units, a
    comma, 01/02/2024).

    Parameters
    ----------
    columns : mapping, optional
        Kinds by name or place: `{"zip": "category", "year": "number"}`. "number", "category", "date" or
        "drop". Where a frame's columns are called by integers, tuples or dates, these are their names.
    categorical_features : sequence, optional
        Names or places of categories, or True and False for each column, as in scikit-learn; integers that
        a frame's columns are called are names here as well.
    min_count : int, default 2
        How often a level must be there to have a code of its own: one that was seen once tells no more than
        its row.
    max_levels : int, default 10000
        Codes per category: the most frequent levels, and one for the others.

    Attributes
    ----------
    n_numbers : int
        How many of the columns that come out are numbers. They are the first ones.
    category_sizes : list of int
        The number of codes of each category, 0 included.
    output_names : list of str
        What each column that comes out is called.
    roles : list of str
        What it is: "value", "missing" (an indicator), "apart" (another indicator) or "category".
    origins : array of int
        The place of the column that it comes from.
    report : Report
        What was done to each column.

    Raises
    ------
    AttributeError
        By what needs `fit`, before it.
    TypeError, ValueError
        If `min_count` is no integer of at least 1, or `max_levels` none from 2 to 2**24 - 2. The columns'
        kinds are checked by `fit`.
    """

    # Pickles of earlier versions have none.
    labels_in: list[str] | None = None
    _dropped: frozenset[str] = frozenset()
    # The class of the estimator that it is a part of.
    _owner: str | None = None
    n_numbers: int
    category_sizes: list[int]
    output_names: list[str]
    roles: list[str]
    origins: np.ndarray[Any, np.dtype[np.intp]]
    report: Report

    def __init__(
        self,
        columns: Mapping[Any, str] | None = None,
        categorical_features: Any = None,
        *,
        min_count: int = 2,
        max_levels: int = 10_000,
    ) -> None:
        self.columns = columns
        self.categorical_features = categorical_features
        self.min_count = check_count("min_count", min_count)
        self.max_levels = check_count("max_levels", max_levels, least=2, most=2**24 - 2)

    def __getstate__(self) -> dict[str, Any]:
        # Not every saver has sets.
        return vars(self) | {"_dropped": sorted(self._dropped)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _dropped=frozenset(state.get("_dropped", ())))

    def fit(self, X: Any, y: object = None) -> TableEncoder:
        """Learn the columns of a table.

        Parameters
        ----------
        X : data frame, Arrow table, array, list of rows or mapping of columns
            Of shape (n_samples, n_features), of pandas, polars, pyarrow or NumPy; missing values are NaN,
            None or the like.
        y : object, optional
            Not looked at.

        Returns
        -------
        TableEncoder
            This one.

        Warns
        -----
        UserWarning
            If text may be numbers or dates, and is taken as a category; if numbers differ by less than
            float64 tells.

        Raises
        ------
        TypeError, ValueError
            If `X` is no table, `columns` or `categorical_features` are not of its columns, a column has free
            text, infinite or mixed values, or no column tells the rows apart.
        """
        table = read_table(X)
        wishes = wished(table, self.columns, self.categorical_features)
        found = [self._fit_column(table, place, wishes.get(place)) for place in range(len(table.columns))]
        features = [feature for feature, _ in found if feature is not None]
        report = Report([line for _, line in found])
        if not features:
            rows = "X has 1 sample, and no column" if table.n_rows == 1 else "X has no column"
            why = "; ".join(f"{line.column} is {line.done}" for line in report[:5])
            raise ValueError(f"{rows} that tells its rows apart: {why}")
        self._learnt(table.headings, len(table.columns), features, report)
        return self

    def fit_transform(self, X: Any, y: object = None) -> Floats32:
        """`fit` and `transform` of the same table.

        Parameters
        ----------
        X, y
            As for `fit`.

        Returns
        -------
        ndarray of float32, of shape (n_samples, width)
            As of `transform`.

        Raises
        ------
        TypeError, ValueError
            As `fit`.
        """
        return self.fit(X).transform(X)

    def _fit_column(self, table: Table, place: int, wish: str | None) -> tuple[Feature | None, ColumnReport]:
        column, n_rows = table.columns[place], table.n_rows
        label = table.names[place] if table.names is not None else f"x{place}"
        finding = kind_of_column(column, n_rows, wish)
        feature, missing, done = self._feature(finding, column, n_rows, (label, place))
        dropped = feature is None or not feature.outputs
        if finding.doubtful:
            said = f"{column.name} has {finding.why}, and is {'dropped' if dropped else 'a category'}: "
            said += "clean or convert it, or say columns={...: 'category'} or 'drop' where that is meant"
            warn(said)
        if feature is None or not feature.outputs:
            return None, ColumnReport(label, "dropped", 0, missing / n_rows, f"dropped: {done}")
        done = f"{finding.why}; {done}" if finding.why else done
        return feature, ColumnReport(label, feature.kind, len(feature.outputs), missing / n_rows, done)

    def _feature(
        self, finding: Finding, column: Column, n_rows: int, which: tuple[str, int]
    ) -> tuple[Feature | None, int, str]:
        """The feature of a column, how many of its values are missing, and a word on it."""
        feature: Feature
        if finding.kind == "drop":
            return None, n_rows if finding.why == ALL_MISSING else 0, finding.why
        if finding.kind == "number":
            values = column.read(0, n_rows)
            numbers = numbers_of(values, column.name)
            missing = int(np.isnan(numbers).sum())
            feature = NumberFeature.fit(which, numbers, measure_of(values))
            if feature.scale is None and are_merged(values):
                said = (
                    f"{column.name} has numbers that differ by less than float64 tells, and are taken as one"
                )
                remedy = "take off what they have in common, or say columns={...: 'category'} or 'drop'"
                warn(f"{said}: {remedy}")
            told = feature.told()
        elif finding.kind == "date":
            values = column.read(0, n_rows)
            day_first = order_of(values)
            if column.hint == "date":
                dates, zone = moments_of(values, column.name, day_first), column.zone
            else:
                dates, zone = dates_of_fit(values, column.name, day_first)
            missing = int(np.isnat(dates).sum())
            feature = DateFeature.fit(which, dates, day_first, zone)
            told = feature.told()
        else:
            counts = finding.counts
            column = as_levels(column)
            tally, missing = tally_of(counts or counts_of(blocks(column, n_rows), column.name))
            feature = CategoryFeature.fit(*which, tally, self.min_count, self.max_levels)
            told = feature.told(len(tally))
            if feature.size == 2 and not missing:
                return None, missing, told
        # Nothing but an indicator, which would be constant.
        return (None, missing, ALL_MISSING) if missing == n_rows else (feature, missing, told)

    def _learnt(self, headings: Headings, n_features: int, features: list[Feature], report: Report) -> None:
        self.feature_names_in, self.labels_in = headings
        self.n_features_in, self.report = n_features, report
        numbers = [feature for feature in features if feature.kind != "category"]
        categories = [feature for feature in features if isinstance(feature, CategoryFeature)]
        self.features: list[Feature] = [*numbers, *categories]
        self.n_numbers = sum(len(feature.outputs) for feature in numbers)
        self.category_sizes = [feature.size for feature in categories]
        outputs = [output for feature in self.features for output in feature.outputs]
        self.output_names = [name for name, _ in outputs]
        self.roles = [role for _, role in outputs]
        kept = {feature.place for feature in features}
        names = self.feature_names_in or []
        self._dropped = frozenset(name for place, name in enumerate(names) if place not in kept)
        places = [feature.place for feature in self.features for _ in feature.outputs]
        self.origins = np.array(places, dtype=np.intp)
        self._called = [(feature, f"column {self._name_of(feature)} of X") for feature in self.features]

    def _name_of(self, feature: Feature) -> str:
        if self.feature_names_in is not None:
            return repr(feature.label)
        return self.labels_in[feature.place] if self.labels_in else str(feature.place)

    @property
    def headings(self) -> Headings:
        """What the columns of `fit` were called."""
        return Headings(self.feature_names_in, self.labels_in)

    @property
    def width(self) -> int:
        """How many columns come out."""
        return self.n_numbers + len(self.category_sizes)

    def transform(self, X: Any) -> Floats32:
        """The numbers and codes of a table.

        Parameters
        ----------
        X : like X of `fit`
            A table with the same columns: found by their names or labels in both tables, else by place.

        Returns
        -------
        ndarray of float32, of shape (n_samples, width)
            The numbers, then the codes of the categories.

        Warns
        -----
        UserWarning
            If no value of a category was in `fit`, in more than ten rows; in more than a hundred where some
            were rare there, or may have been.

        Raises
        ------
        TypeError, ValueError
            If `X` has no rows or other columns than `fit`'s, infinity, or values that are none of their kind.
        """
        table = read_table(X)
        return self.write(table, np.empty((table.n_rows, self.width), dtype=np.float32))

    def write(self, table: Table, out: Floats32) -> Floats32:
        """Write the numbers and codes of a table into an array that is there.

        Parameters
        ----------
        table : Table
            A table as this package has read it.
        out : ndarray of float32, of shape (n_samples, at least width)
            Its first columns are written to.

        Returns
        -------
        ndarray
            `out`.

        Raises
        ------
        TypeError, ValueError
            As `transform`.
        """
        columns = self.matched(table)
        for start in range(0, table.n_rows, BLOCK):
            stop = min(start + BLOCK, table.n_rows)
            first = 0
            for feature in self.features:
                column = columns[feature.place]
                last = first + len(feature.outputs)
                feature.fill(column.read(start, stop), out[start:stop, first:last], column.name)
                first = last
        self._warn_of_unseen(columns, table.n_rows, out)
        return out

    def _warn_of_unseen(self, columns: list[Column], n_rows: int, out: Floats32) -> None:
        categories = (feature for feature in self.features if isinstance(feature, CategoryFeature))
        for place, feature in enumerate(categories, self.n_numbers):
            column = columns[feature.place]
            if unseen := feature.unseen_in(out[:, place], blocks(column, n_rows)):
                warn(f"{column.name} has only values of which {unseen}: are they written as they were?")

    def matched(self, table: Table) -> list[Column]:
        """The columns of a table in the order of `fit`, dates on its clocks.

        Parameters
        ----------
        table : Table
            A table as this package has read it.

        Returns
        -------
        list of Column
            By what both tables call them, else by place.

        Raises
        ------
        ValueError
            If it has other columns, or dates with a time zone where `fit` had none, or the other way round.
        """
        columns = self._in_order(table)
        for feature in self.features:
            if isinstance(feature, DateFeature):
                columns[feature.place] = in_zone(columns[feature.place], feature.zone)
            elif isinstance(feature, CategoryFeature) and feature.has_zones:
                columns[feature.place] = as_levels(columns[feature.place])
        return columns

    def _in_order(self, table: Table) -> list[Column]:
        pair = paired(self.headings, table.headings, self.n_features_in)
        if pair is not None:
            names, given = pair
            places = {name: place for place, name in enumerate(given)}
            return [table.columns[places[name]] for name in names]
        if len(table.columns) != self.n_features_in:
            raise ValueError(
                f"X has {len(table.columns)} features, but {self._owner or type(self).__name__} "
                f"is expecting {self.n_features_in} features as input"
            )
        return list(table.columns)

    def encode_row(self, row: Any, out: Floats32) -> None:
        """Write the numbers and codes of a single row: those of `transform`, in microseconds.

        Parameters
        ----------
        row : mapping, Series, named tuple or sequence
            Its values by the names or labels of the columns, or in their order.
        out : ndarray of float32, of shape (width,)
            Where they go.

        Raises
        ------
        TypeError, ValueError
            If the row has other columns than `fit`'s, infinity, or values that are none of their kind.
        """
        values: list[float] = []
        named, names = has_names(row), self.feature_names_in
        if named and names is None:
            row, named = in_order(row, self.headings, self.n_features_in), False
        elif names is not None and isinstance(row, tuple | np.void):
            row = by_fields(row, names)
        try:
            count = len(row)
        except TypeError:
            count = -1
        is_other = named and self._dropped and not self._dropped.issubset(row.keys())
        if count != self.n_features_in or isinstance(row, NO_ROWS) or is_other:
            self._refuse_row(row)
        try:
            for feature, name in self._called:
                value = row[feature.label if named else feature.place]
                feature.one(value, values, name)
        except KeyError:
            self._refuse_row(row)
        out[:] = values

    def _refuse_row(self, row: Any) -> None:
        names = self.feature_names_in
        if names is not None and has_names(row):
            check_same(names, list(map(str, row.keys())))
        raise ValueError(
            f"a row must have {self.n_features_in} values"
            f"{'' if names is None else ' by name or in order'}, got {shown(row)}"
            f"{'; predict takes tables' if getattr(row, 'ndim', 1) == 2 else ''}"
        )

    # Files

    def get_state(self) -> dict[str, Any]:
        """What `from_state` makes it of.

        Returns
        -------
        dict
            Numbers, strings, lists and mappings, as JSON has them.
        """
        return {
            "names": self.feature_names_in,
            "labels": self.labels_in,
            "n_features": self.n_features_in,
            "features": [feature.get_state() for feature in self.features],
            "report": [list(vars(line).values()) for line in self.report],
            "min_count": self.min_count,
            "max_levels": self.max_levels,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TableEncoder:
        """The encoder whose state this is.

        Parameters
        ----------
        state : mapping
            What `get_state` has given.

        Returns
        -------
        TableEncoder
            One that gives the same bits; it does not know `columns` and `categorical_features`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is no such state.
        """
        encoder = cls(min_count=state["min_count"], max_levels=state["max_levels"])
        features = [FEATURES[each["kind"]].from_state(each) for each in state["features"]]
        names, labels, n_features = state["names"], state.get("labels"), state["n_features"]
        places = {feature.place for feature in features}
        texts = labels or names
        if not places <= set(range(n_features)) or (texts is not None and len(texts) != n_features):
            raise ValueError(f"state must have names and places of {n_features} columns, got {shown(texts)}")
        report = Report([ColumnReport(*line) for line in state["report"]])
        headings = Headings(*(None if each is None else list(each) for each in (names, labels)))
        encoder._learnt(headings, n_features, features, report)
        return encoder

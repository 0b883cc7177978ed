"""Parts of the calendar in an ONNX graph: numbers of days and their remainders, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from ..tables._dates import STEPS, YEAR_LENGTH
from ._graph import Graph

DAY, HOUR = 86_400.0, 3_600.0


class Calendar:
    """The parts of moments, which are seconds since 1970, a column of them; what is missing is NaN.

    Years begin in March here, so that the day that comes and goes is their last one, and are counted in
    cycles of 400, which all have the same days.
    """

    def __init__(self, graph: Graph, seconds: str) -> None:
        self.graph, self.seconds = graph, seconds

    def part(self, name: str) -> str:
        """The column of one of `schuss.tables._dates.PARTS`."""
        if name.startswith(("sin", "cos")):
            angle = self._angle_of_day if name.endswith("day") else self._angle_of_year
            if name.startswith("cos"):
                # Not every runtime has a cosine in double precision.
                angle = self._plus(angle, np.pi / 2)
            turn = self._times(self.graph.add("Sin", angle), STEPS)
            return self._with("Div", self.graph.add("Round", turn), STEPS)
        parts: dict[str, Callable[[], str]] = {
            "days": lambda: self._days,
            "year": lambda: self._year,
            "month": lambda: self._month,
            "weekday": lambda: self._remainder(self._plus(self._day, 3), 7),
            "hour": lambda: self._hour,
        }
        return parts[name]()

    # Arithmetic

    def _with(self, operator: str, value: str, number: float) -> str:
        return self.graph.add(operator, value, self.graph.constant(np.float64(number)))

    def _plus(self, value: str, number: float) -> str:
        return self._with("Add", value, number)

    def _times(self, value: str, number: float) -> str:
        return self._with("Mul", value, number)

    def _minus(self, value: str, other: str) -> str:
        return self.graph.add("Sub", value, other)

    def _whole(self, value: str, divisor: float) -> str:
        """How often the divisor is in it."""
        return self.graph.add("Floor", self._with("Div", value, divisor))

    def _remainder(self, value: str, divisor: float) -> str:
        return self._minus(value, self._times(self._whole(value, divisor), divisor))

    # Days and hours

    @cached_property
    def _days(self) -> str:
        return self._with("Div", self.seconds, DAY)

    @cached_property
    def _day(self) -> str:
        """Whole days since 1970."""
        return self.graph.add("Floor", self._days)

    @cached_property
    def _hour(self) -> str:
        return self._with("Div", self._minus(self.seconds, self._times(self._day, DAY)), HOUR)

    @cached_property
    def _angle_of_day(self) -> str:
        return self._times(self._hour, np.pi / 12)

    # Years

    @cached_property
    def _since_march(self) -> tuple[str, str]:
        """Years since March of the year 0, and days since the last March began."""
        days = self._plus(self._day, 719_468)
        cycle = self._whole(days, 146_097)
        day = self._minus(days, self._times(cycle, 146_097))
        # Without the leap days before it, of every 4 years but not of every 100, all years are 365 days.
        common = self._minus(day, self._whole(day, 1_460))
        common = self.graph.add("Add", common, self._whole(day, 36_524))
        common = self._minus(common, self._whole(day, 146_096))
        year = self._whole(common, 365)
        before = self._minus(
            self.graph.add("Add", self._times(year, 365), self._whole(year, 4)), self._whole(year, 100)
        )
        return self.graph.add("Add", year, self._times(cycle, 400)), self._minus(day, before)

    @cached_property
    def _months_since_march(self) -> str:
        return self._whole(self._plus(self._times(self._since_march[1], 5), 2), 153)

    @cached_property
    def _after_december(self) -> str:
        return self._with("GreaterOrEqual", self._months_since_march, 10)

    @cached_property
    def _month(self) -> str:
        months = self._months_since_march
        return self.graph.add("Where", self._after_december, self._plus(months, -9), self._plus(months, 3))

    @cached_property
    def _year(self) -> str:
        year = self._since_march[0]
        return self.graph.add("Where", self._after_december, self._plus(year, 1), year)

    @cached_property
    def _angle_of_year(self) -> str:
        """Of the days since January began, with their fractions."""
        last = self._plus(self._year, -1)
        begin = self.graph.add("Add", self._times(last, 365), self._whole(last, 4))
        begin = self.graph.add("Add", self._minus(begin, self._whole(last, 100)), self._whole(last, 400))
        days = self._minus(self._days, self._plus(begin, 306 - 719_468))
        return self._times(days, 2 * np.pi / YEAR_LENGTH)

"""What arguments accept, written down anew: True for legal, False for not, None for either."""

import fractions
import math
from decimal import Decimal

import numpy as np

import schuss as sc

from .values import Index


def is_array(value):
    return isinstance(value, np.ndarray)


def as_number(value):
    """What a number is to a user: no switch, text or duration, no array with dimensions; or None."""
    if isinstance(value, (bool, np.bool_, np.timedelta64, complex, np.complexfloating, str, bytes)):
        return None
    if isinstance(value, np.ma.MaskedArray):
        return None
    if is_array(value):
        return float(value) if value.ndim == 0 and value.dtype.kind in "fiu" else None
    if isinstance(value, (int, float, np.floating, np.integer, fractions.Fraction, Decimal)):
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def as_integer(value):
    if isinstance(value, (bool, np.bool_, np.timedelta64)):
        return None
    if is_array(value):
        whole = value.ndim == 0 and value.dtype.kind in "iu" and not isinstance(value, np.ma.MaskedArray)
        return int(value) if whole else None
    return int(value) if isinstance(value, (int, np.integer)) else None


class Accepts:
    """`legal(value)` says whether it is accepted; with `| None` None is, too."""

    optional = False

    def legal(self, value):
        if value is None:
            return self.optional
        return self.rule(value)

    def or_none(self):
        self.optional = True
        return self


class Count(Accepts):
    """An integer; what is above `cheap` may be too much for the machine."""

    def __init__(self, least=1, cheap=2**63 - 1, most=2**63 - 1):
        self.least, self.cheap, self.most = least, cheap, most

    def rule(self, value):
        if isinstance(value, Index):
            return None
        number = as_integer(value)
        if number is None or number < self.least or (self.most is not None and number > self.most):
            return False
        return True if number <= self.cheap else None


class Number(Accepts):
    """A real number of a range; `Decimal`, and what a float cannot hold exactly, either way."""

    def __init__(self, low=-math.inf, high=math.inf, low_open=False, high_open=False, finite=True, nan=False):
        self.low, self.high, self.low_open, self.high_open = low, high, low_open, high_open
        self.finite, self.nan = finite, nan

    def rule(self, value):
        number = as_number(value)
        if isinstance(value, Index):
            return None
        if number is None:
            return False
        if math.isnan(number):
            return self.nan
        if self.finite and math.isinf(number):
            return False
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        return above and below


class Flag(Accepts):
    def rule(self, value):
        return isinstance(value, (bool, np.bool_)) or (
            None if is_array(value) and value.dtype == bool else False
        )


class OneOf(Accepts):
    def __init__(self, *names):
        self.names = names

    def rule(self, value):
        return isinstance(value, str) and value in self.names


def precisions(*names):
    """Those that this machine has, besides the names."""
    try:
        sc._schuss.check_precision("bfloat16")
    except ValueError:
        return OneOf(*names).or_none()
    return OneOf(*names, "bfloat16").or_none()


class Pair(Accepts):
    def __init__(self, number):
        self.number = number

    def rule(self, value):
        if isinstance(value, (tuple, list)) and len(value) == 2:
            return all(self.number.legal(each) is True for each in value)
        # An array of two numbers is as good.
        return None if is_array(value) and value.shape == (2,) and value.dtype.kind == "f" else False


class Either(Accepts):
    """One of several; a function of the value may add what else is legal."""

    def __init__(self, *accepts, also=lambda value: False):
        self.accepts, self.also = accepts, also

    def rule(self, value):
        answers = [each.legal(value) for each in self.accepts] + [self.also(value)]
        if True in answers:
            return True
        return None if None in answers else False


class Only(Accepts):
    """What a function of the value says."""

    def __init__(self, rule):
        self.rule = rule


class Anything:
    """Where any value may be legal, alone or beside the others."""

    def legal(self, value):
        return None


NOTHING = Only(lambda value: False)
ANYTHING = Anything()

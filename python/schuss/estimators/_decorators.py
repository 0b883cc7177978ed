"""scikit-learn's decorators with types: what they decorate keeps its signature for type checkers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from sklearn.base import _fit_context
from sklearn.utils.metaestimators import available_if

from .._peers import peers_of
from ._recipes import lbfgs_of

Method = TypeVar("Method", bound=Callable[..., Any])


def checked(method: Method) -> Method:
    """A method that fits: scikit-learn checks the parameters before, and tells its callbacks.

    Given a communicator as `comm`, it gets the dialogue with the other processes in its place: they learn of
    what is refused here, parameters included.
    """
    fits = _fit_context(prefer_skip_nested_validation=True)(method)

    @wraps(method)
    def in_dialogue(estimator: Any, *args: Any, **given: Any) -> Any:
        with peers_of(given.get("comm")) as peers:
            if "comm" in given:
                given["comm"] = peers
            return fits(estimator, *args, **given)

    return cast("Method", in_dialogue)


def stochastic_only(method: Method) -> Method:
    """A method that the estimator does not have where L-BFGS trains it."""
    return cast("Method", available_if(_is_stochastic)(method))


def _is_stochastic(estimator: Any) -> bool:
    if lbfgs_of(estimator) is not None:
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True

"""Fast optimizers and neural-network training for NumPy, on the CPU."""

from . import exchange, optimizers, plots, schedules
from ._schuss import ACTIVATIONS, LOSSES, __version__
from ._stop import Stop
from .display import TrainingCurveDisplay
from .ewa import ewa
from .history import History
from .minimize import LBFGS, OptimizeResult, minimize
from .network import MLP, TrainingInfo
from .optimizers import *  # noqa: F403  the classes come from the tables of the rules

__all__ = ["ACTIVATIONS", "LBFGS", "LOSSES", "MLP", "History", "OptimizeResult", "Stop", "TrainingInfo"]
__all__ += ["TrainingCurveDisplay", "__version__", "ewa", "exchange", "minimize", "plots", "schedules"]
__all__ += optimizers.__all__

_ESTIMATORS = ("MLPClassifier", "MLPRegressor")


def __getattr__(name: str) -> object:
    """Import the estimators where they are first asked for: they need scikit-learn, the rest does not."""
    if name in _ESTIMATORS:
        from . import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_ESTIMATORS]

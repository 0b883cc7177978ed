"""Pictures of training and of optimizers at work, drawn with matplotlib.

Nothing else in the package imports matplotlib. Each function draws on `ax`, or on a new figure, and
returns the axes; those that can fill several panels take them as `axes`. Colours are those of Okabe and Ito,
which colour-blind people tell apart, and whatever has a colour of its own has a marker or a line of its own,
too. No settings of matplotlib's are changed: style sheets and `rcParams` hold.
"""

from __future__ import annotations

from ._activations import activations, layer_activations, layer_gradients
from ._animation import animate
from ._boundary import decision_boundary
from ._curves import learning_curve, loss_by_step
from ._ewa import ewa
from ._landscape import loss_curve, loss_surface, paths, surface
from ._rates import learning_rates
from ._regimes import batch_regimes
from ._schedules import schedules

__all__ = [
    "activations",
    "animate",
    "batch_regimes",
    "decision_boundary",
    "ewa",
    "layer_activations",
    "layer_gradients",
    "learning_curve",
    "learning_rates",
    "loss_by_step",
    "loss_curve",
    "loss_surface",
    "paths",
    "schedules",
    "surface",
]


def __dir__() -> list[str]:
    return __all__.copy()

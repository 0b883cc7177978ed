"""Learning rates that change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import schedules as make
from .._checks import check_count, check_number, shown
from .._schuss import Schedule
from ._checks import FAR, axes_of
from ._style import add_legend, drawn_before, every, label_of, look, named, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..typing import LearningRate


def schedules(
    schedules: Mapping[str, LearningRate] | Sequence[LearningRate] | LearningRate | None = None,
    steps: int = 100,
    ax: Axes | None = None,
) -> Axes:
    """Draw learning rates against the step.

    Parameters
    ----------
    schedules : mapping from str to schedule, sequence of schedules, or schedule, optional
        What `schuss.schedules` makes, any other function of the step, or numbers. By default one of each
        common kind, over `steps` steps.
    steps : int, default 100
        How many steps to draw, from 0.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    TypeError, ValueError
        If one of them is no schedule, has no length, or gives no number, a negative one, or one that is
        larger than 1e300, if `steps` is not positive, or `ax` no axes.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import schuss as sc
    >>> warm = sc.schedules.cosine(0.1, total_steps=50, warmup_steps=5)
    >>> ax = sc.plots.schedules({"cosine with warm-up": warm}, steps=50)
    >>> ax.get_ylabel()
    'learning rate'
    """
    steps = check_count("steps", steps, most=1_000_000)
    chosen = common(steps) if schedules is None else _named(schedules)
    at = np.arange(steps)
    rates = {name: _rates(schedule, at) for name, schedule in chosen.items()}
    ax = axes_of(ax)
    before = drawn_before(ax)
    for number, (name, values) in enumerate(rates.items()):
        style = look(before + number) | {"markersize": 5, "markevery": every(steps, number)}
        ax.plot(at, values, label=label_of(name), **style)
    ax.set(xlabel="step", ylabel="learning rate")
    whole_numbers(ax)
    ax.grid(alpha=0.3)
    if rates:
        _legend(ax, len(rates))
    return ax


def _legend(ax: Axes, names: int) -> None:
    """The names, above the curves where there are many."""
    if names <= 4:
        add_legend(ax, fontsize="small")
        return
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.3 * (high - low))
    add_legend(ax, fontsize="small", loc="upper center", ncols=3)


def common(steps: int) -> dict[str, Schedule]:
    """One schedule of each common kind over so many steps."""
    return {
        "step": make.step(1.0, max(1, steps // 4), 0.5),
        "exponential": make.exponential(1.0, 0.1, max(1, steps)),
        "inverse_time": make.inverse_time(1.0, 1.0, max(1, steps // 8)),
        "linear": make.linear(1.0, max(1, steps)),
        "cosine, with warm-up": make.cosine(1.0, max(2, steps), warmup_steps=min(steps // 10, steps - 1)),
        "cosine_restarts": make.cosine_restarts(1.0, -(-steps // 3)),
        "one_cycle": make.one_cycle(1.0, max(2, steps)),
    }


def _named(given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return named((str(name), schedule) for name, schedule in given.items())
    if callable(given) or not isinstance(given, Sequence) or isinstance(given, str | bytes):
        given = [given]
    return named((_words(schedule), schedule) for schedule in given)


def _words(schedule: Any) -> str:
    if isinstance(schedule, Schedule) or not callable(schedule):
        return shown(schedule)
    return getattr(schedule, "__name__", None) or shown(schedule)


def _rates(schedule: Any, at: Any) -> Any:
    """The learning rate at those steps."""
    if isinstance(schedule, Schedule):
        rates = schedule(at)
    elif callable(schedule):
        rates = _of_function(schedule, at)
    else:
        rates = np.full(len(at), check_number("schedules", schedule, least=0))
    if rates.max() > FAR:
        raise ValueError(f"schedules must be numbers of at most {FAR:g}, got {shown(rates.max().item())}")
    return rates


def _of_function(schedule: Callable[[int], Any], at: Any) -> Any:
    return np.array([check_number("schedules", schedule(int(step)), least=0) for step in at])

"""Which members count how much, and how sure they may be: decided on rows that they have not learnt from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Picks, with repetition: weights are multiples of one in so many.
PICKS = 32
# The part of the time of a fit, where that is limited, that picks may take after it.
PICK_TIME = 0.2
# Of a temperature, and how much validation rows there must be for it to leave 1.
RANGE = (0.5, 2.0)
STEADY = 200.0
# Of which logarithms are taken.
LEAST = 1e-30


def greedy(
    predictions: Sequence[NDArray[Any]],
    score: Callable[[NDArray[Any]], float],
    max_time: float | None = None,
) -> NDArray[np.float64]:
    """Weights of members by greedy selection with repetition.

    R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, Ensemble Selection from Libraries of Models, ICML
    2004: again and again the member is added whose addition to the mean gives the best score; the best
    of all means on the way is kept. Ties go to the first; what is not a number is no score, and chooses
    nothing. After `max_time` seconds none is added but the first.
    """
    begin = perf_counter()
    total = np.zeros_like(predictions[0], dtype=np.float64)
    picked: list[int] = []
    best_score, best_count = np.inf, 1
    # One member alone is its own mean, however often it is picked.
    for count in range(1, PICKS + 1 if len(predictions) > 1 else 2):
        if picked and max_time is not None and perf_counter() - begin > max_time:
            break
        scores = [score((total + each) / count) for each in predictions]
        if np.isnan(scores).all():
            got = f"nan for all {len(scores)}"
            raise ValueError(f"eval_metric must be a number for some of the members, got {got}")
        choice = int(np.nanargmin(scores))
        total += predictions[choice]
        picked.append(choice)
        if scores[choice] < best_score:
            best_score, best_count = scores[choice], count
    counts = np.bincount(picked[:best_count], minlength=len(predictions))
    return counts / best_count


def heated(probabilities: NDArray[Any], temperature: float) -> NDArray[Any]:
    """Probabilities whose logarithms are divided by a temperature."""
    logits = np.log(np.clip(probabilities, LEAST, None)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    raised = np.exp(logits)
    result: NDArray[Any] = raised / raised.sum(axis=1, keepdims=True)
    return result


def temperature(probabilities: NDArray[Any], score: Callable[[NDArray[Any]], float], rows: float) -> float:
    """The temperature with the best score, drawn towards 1 where rows are few.

    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, On Calibration of Modern Neural Networks, ICML 2017. The
    score, log-loss, is convex in the inverse of the temperature, and so has one minimum.
    """
    from scipy.optimize import minimize_scalar

    def at(log_temperature: float) -> float:
        return score(heated(probabilities, float(np.exp(log_temperature))))

    best = minimize_scalar(at, bounds=np.log(RANGE), method="bounded", options={"xatol": 1e-4})
    return float(np.exp(best.x * rows / (rows + STEADY)))

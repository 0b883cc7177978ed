"""Which members count how much, and how sure they may be: decided on rows that they have not learnt from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Picks, with repetition: weights are multiples of one in so many.
PICKS = 32
# Of a temperature, and how much validation rows there must be for it to leave 1.
RANGE = (0.5, 2.0)
STEADY = 50.0
# Of which logarithms are taken.
LEAST = 1e-30


def greedy(
    predictions: Sequence[NDArray[Any]], score: Callable[[NDArray[Any]], float]
) -> NDArray[np.float64]:
    """Weights of members by greedy selection with repetition.

    R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, Ensemble Selection from Libraries of Models, ICML
    2004: again and again the member is added whose addition to the mean gives the best score; the best
    of all means on the way is kept. Ties go to the first.
    """
    total = np.zeros_like(predictions[0], dtype=np.float64)
    picked: list[int] = []
    best_score, best_count = np.inf, 1
    for count in range(1, PICKS + 1):
        scores = [score((total + each) / count) for each in predictions]
        choice = int(np.argmin(scores))
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
    score, log-loss, is convex in the inverse of the temperature: a golden-section search.
    """
    low, high = (float(np.log(end)) for end in RANGE)
    ratio = (5**0.5 - 1) / 2

    def at(log_temperature: float) -> float:
        return score(heated(probabilities, float(np.exp(log_temperature))))

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    of_left, of_right = at(left), at(right)
    while high - low > 1e-4:
        if of_left < of_right:
            high, right, of_right = right, left, of_left
            left = high - ratio * (high - low)
            of_left = at(left)
        else:
            low, left, of_left = left, right, of_right
            right = low + ratio * (high - low)
            of_right = at(right)
    return float(np.exp((low + high) / 2 * rows / (rows + STEADY)))

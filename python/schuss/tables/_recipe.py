"""What members of an ensemble are made of: drawn for each of them, so that they err in different ways."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# The golden ratio's fractional part: its multiples spread evenly over an interval, however many there are.
SPREAD = 0.6180339887498949
# Units of hidden layers; of a large table some members have twice as many.
WIDTH = 128
# Below so many rows, functions are to be smooth.
FEW = 6000
# From so many rows on, a table is large, and numbers are scaled in one way.
MANY = 200_000


@dataclass(frozen=True)
class Recipe:
    """How one member is made and trained.

    Attributes
    ----------
    width, depth : int
        Units of each hidden layer, and hidden layers.
    activation : str
    dropout : float
    sigma : float
        Of the numbers' waves, see `schuss.embeddings.Periodic`; 0 for none.
    scaling : {"clip", "quantile", "screened"}
        What is done to numbers after their robust scale: `smooth_clip`, or `Quantiles`; "screened" is the
        latter, of those columns alone that tell something of the target by themselves.
    lr : float
        The learning rate of weights in units of NTK parametrisation: divided by the root of a layer's inputs.
    weight_decay : float
        Likewise: multiplied with that root.
    batch_size, epochs : int
    patience : int
        Epochs without a better validation loss after which training ends.
    seed : int
    """

    width: int
    depth: int
    activation: str
    dropout: float
    sigma: float
    scaling: str
    lr: float
    weight_decay: float
    batch_size: int
    epochs: int
    patience: int
    seed: int

    def facts(self) -> dict[str, Any]:
        """As a row of a leaderboard."""
        return asdict(self)


def draw(number: int, seed: int, *, n_rows: int, epochs: int, batch_size: int) -> Recipe:
    """The recipe of a member by its number, for a table of so many rows.

    The ranges are wide on purpose: members that differ are worth more than ones that are all good (TabPack,
    arXiv:2607.05380), and greedy selection leaves out those that do not suit the table. What keeps networks
    from learning rows by heart is decay, more of it for few rows; dropout cost more than it brought.
    """
    rng = np.random.default_rng([seed, number])
    # Evenly over the members: with few of them, chance would leave out whole parts of a range.
    start = np.random.default_rng([seed, 1 << 32]).random(2)
    sigma, decay = (start + np.array([1, 2]) * SPREAD * number) % 1
    return Recipe(
        width=int(rng.choice([WIDTH, 2 * WIDTH])) if n_rows >= MANY else WIDTH,
        depth=int(rng.choice([1, 2, 2])),
        activation=str(rng.choice(["relu", "relu", "silu"])),
        dropout=0.0,
        # Irregular functions of a number are learnt from many rows only.
        sigma=_between(*((0.03, 10.0) if n_rows < FEW else (0.05, 20.0)), sigma),
        # Of a large table one copy is enough.
        scaling={1: "clip", 3: "screened"}.get(number % 4, "quantile") if n_rows < MANY else "quantile",
        lr=_between(0.01, 0.05, rng.random()),
        weight_decay=_between(0.1 * min(1000 / n_rows, 1.0), 1.0, decay),
        batch_size=batch_size,
        epochs=max(int(epochs * rng.choice([0.5, 1.0])), 1),
        patience=max(epochs // 4, 8),
        seed=int(rng.integers(2**31)),
    )


def _between(low: float, high: float, share: float) -> float:
    """That share of the way from one number to another, by ratios."""
    return float(low * (high / low) ** share)

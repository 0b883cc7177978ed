"""One member of an ensemble: a network made by a recipe, trained on some rows, at others' best epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import schedules
from ..embeddings import Category, Embedding, Periodic
from ..history import History
from ..network import MLP
from ..optimizers import AdamW
from ._recipe import Recipe

Array = NDArray[Any]

# Learning rates of some parameters beside that of weights, as RealMLP has them (arXiv:2407.04491); waves
# learn as weights do: with its tenth they hardly left where they started in the few epochs there are here.
SCALE_LR, BIAS_LR = 6.0, 0.1
BETAS = (0.9, 0.95)
# Steps in which the learning rate rises, at most.
WARMUP = 10


@dataclass(frozen=True)
class Layout:
    """What the columns of a network's inputs are.

    Attributes
    ----------
    numbers : int
        Columns that get waves: the first ones.
    plain : int
        Columns that go in as they are: indicators.
    levels : tuple of int
        Codes of each category: the last columns.
    outputs : int
        1 for a number or two classes, else the number of classes.
    loss : str
    """

    numbers: int
    plain: int
    levels: tuple[int, ...]
    outputs: int
    loss: str

    @property
    def width(self) -> int:
        """Columns of the inputs."""
        return self.numbers + self.plain + len(self.levels)

    def embeddings(self, recipe: Recipe) -> list[Embedding]:
        """What becomes of them."""
        found: list[Embedding] = []
        if self.numbers and recipe.sigma:
            # Wide tables have enough to learn from as they are, and waves are what takes the time there.
            frequencies = 16 if self.numbers <= 32 else 8
            found.append(Periodic(range(self.numbers), frequencies=frequencies, sigma=recipe.sigma))
        first = self.numbers + self.plain
        found += [
            Category(first + place, levels=levels, width=min(8, (levels + 1) // 2 + 1))
            for place, levels in enumerate(self.levels)
        ]
        return found


@dataclass(frozen=True)
class Rows:
    """Inputs, targets and weights of some rows; where there are copies, the same number for all of one."""

    x: Array
    y: Array
    weights: Array | None
    copies: Array | None = None

    def given(self) -> tuple[Array, ...]:
        """As `MLP.fit` takes validation data."""
        return (self.x, self.y) if self.weights is None else (self.x, self.y, self.weights)


@dataclass
class Trained:
    """A member after its training.

    Attributes
    ----------
    network : MLP
    history : History
    """

    network: MLP
    history: History

    @property
    def best_epoch(self) -> int:
        """The epoch whose parameters it has; 0 where time ended within the first one."""
        return self.history.best_epoch or 0

    @property
    def val_loss(self) -> float:
        """The validation loss of that epoch."""
        return self.history["val_loss"][self.best_epoch - 1] if self.best_epoch else float("inf")

    @property
    def seconds(self) -> float:
        """What its training took."""
        return self.history["seconds"][-1] if self.history.epochs else 0.0


def network_of(recipe: Recipe, layout: Layout) -> MLP:
    """The network before its training."""
    return MLP(
        [layout.width, *[recipe.width] * recipe.depth, layout.outputs],
        activation=recipe.activation,  # type: ignore[arg-type]
        loss=layout.loss,  # type: ignore[arg-type]
        dropout=recipe.dropout,
        embeddings=layout.embeddings(recipe),
        input_scale=True,
        seed=recipe.seed,
    )


def optimizer_of(recipe: Recipe, network: MLP, steps: int) -> Any:
    """AdamW whose rates and decays are those of NTK parametrisation, in the standard one.

    A layer whose weights were N(0, 1), with inputs divided by the root of their number d, learns with Adam as
    one whose rate is divided, and whose decay is multiplied, by that root.
    """
    groups = []
    for name, parameters in network.named_params.items():
        factor, decay = 1.0, 0.0
        kind = name.rpartition(".")[2]
        if kind == "scale":
            factor = SCALE_LR
        elif kind == "bias":
            factor = BIAS_LR
        elif kind == "table":
            decay = recipe.weight_decay
        elif not name.startswith("input"):
            root = float(np.sqrt(parameters.shape[0]))
            factor, decay = 1 / root, recipe.weight_decay * root
        groups.append(
            {
                "params": name,
                "lr": schedules.cosine(recipe.lr * factor, warmup_steps=min(WARMUP, steps // 10)),
                "weight_decay": decay,
            }
        )
    return AdamW(groups, lr=recipe.lr, betas=BETAS)


def _settle_unseen(network: MLP, layout: Layout, learnt: Rows) -> None:
    """Give codes that no row had the mean of the others: so far they have what they began with, at random."""
    tables = [table for name, table in network.named_params.items() if name.rpartition(".")[2] == "table"]
    first = layout.numbers + layout.plain
    for place, table in enumerate(tables):
        counts = np.bincount(learnt.x[:, first + place].astype(np.intp), learnt.weights, len(table))
        seen = counts > 0
        if seen.any() and not seen.all():
            table[~seen] = np.average(table[seen], axis=0, weights=counts[seen])


def train(
    recipe: Recipe, layout: Layout, learnt: Rows, chosen_by: Rows, max_time: float | None, stop: Any
) -> Trained:
    """Train a member on one thread."""
    network = network_of(recipe, layout)
    batch_size = min(recipe.batch_size, len(learnt.x))
    steps = recipe.epochs * -(-len(learnt.x) // batch_size)
    network.__dict__["_stop_flag"] = stop
    history = network.fit(
        learnt.x,
        learnt.y,
        optimizer=optimizer_of(recipe, network, steps),
        batch_size=batch_size,
        epochs=recipe.epochs,
        validation_data=chosen_by.given(),
        early_stopping=True,
        patience=recipe.patience,
        sample_weight=learnt.weights,
        max_time=max_time,
        n_threads=1,
    )
    _settle_unseen(network, layout, learnt)
    # Nothing of the training is needed any more.
    del network.__dict__["_stop_flag"]
    network.optimizer = None
    network.history = None
    return Trained(network, history)

"""Members that have been trained, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import MLP
from ._inputs import Inputs
from ._one_row import OneRow
from ._recipe import Recipe

Floats = NDArray[np.float64]
# Rows that are predicted together: what is made of them on the way stays small beside a large table.
BLOCK = 65_536


@dataclass
class Member:
    """The networks of a recipe, one for each fold, and how much they count.

    Attributes
    ----------
    recipe : Recipe
        How they were made and trained.
    networks : list of MLP
        One for each fold that was trained.
    inputs : list of Inputs
        What each of them is given: it makes inputs of rows that `TableEncoder` has encoded.
    weight : float
        The share of all members' mean that is theirs, above 0.
    """

    recipe: Recipe
    networks: list[MLP]
    inputs: list[Inputs]
    weight: float


def outputs_of(
    network: MLP, x: NDArray[Any], n_classes: int | None, threads: int | None
) -> NDArray[np.float32]:
    """What a network says of inputs: numbers, or a probability for each class."""
    said: NDArray[np.float32] = network.predict(x, n_threads=threads)
    if n_classes == 2:
        return np.column_stack([1 - said, said])
    return said


class Ensemble:
    """The weighted mean of members.

    Parameters
    ----------
    members : sequence of Member
        Those that count.
    n_classes : int or None
        None where a number is predicted.
    """

    def __init__(self, members: Sequence[Member], n_classes: int | None) -> None:
        self.members = list(members)
        self.n_classes = n_classes

    def predict(self, encoded: NDArray[np.float32], threads: int | None) -> Floats:
        """Means of what the members say of encoded rows.

        Parameters
        ----------
        encoded : ndarray of float32, of shape (n_samples, width)
            Rows as `TableEncoder.transform` gives them.
        threads : int or None
            Workers; None for as many as the rows deserve.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Of a classifier probabilities before its `temperature_`, of a regressor what it has learnt in
            place of the target.

        Raises
        ------
        IndexError
            If the rows have fewer columns than these.
        """
        shape = (len(encoded),) if self.n_classes is None else (len(encoded), self.n_classes)
        out = np.zeros(shape)
        for start in range(0, len(encoded), BLOCK):
            rows = slice(start, start + BLOCK)
            made: dict[int, NDArray[np.float32]] = {}
            for member in self.members:
                share = member.weight / len(member.networks)
                for network, inputs in zip(member.networks, member.inputs, strict=True):
                    if id(inputs) not in made:
                        made[id(inputs)] = inputs.transform(encoded[rows], threads=threads or 1)
                    out[rows] += share * outputs_of(network, made[id(inputs)], self.n_classes, threads)
        return out

    @cached_property
    def of_row(self) -> OneRow:
        """What gives the mean for one encoded row, in microseconds; made once."""
        return OneRow(
            (
                (network, inputs, member.weight / len(member.networks))
                for member in self.members
                for network, inputs in zip(member.networks, member.inputs, strict=True)
            ),
            self.n_classes,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "of_row"}

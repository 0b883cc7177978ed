"""When a training has learnt what it can: the loss of rows that it does not learn from, watched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _schuss
from ._checks import check_count, check_flag, check_number, shown
from ._data import Blocks, Rows, Takes, check_finite, rows_of_parts
from ._dialogue import Dialogue
from ._draw import split_of
from ._pieces import Pieces, pieces_of
from ._sharded import share_in

if TYPE_CHECKING:
    from numpy.typing import NDArray


class EarlyStopping:
    """The best epoch so far, by its validation loss.

    Parameters
    ----------
    patience : int or None
        Epochs in a row that may be no better than the best one; None for any number.
    restores : bool
        Whether the parameters of the best epoch are kept.
    """

    def __init__(self, patience: int | None, restores: bool) -> None:
        self.patience = patience
        self.restores = restores
        self._best = _schuss.Best(patience=None if patience is None else (1.0, patience - 1))

    @property
    def epoch(self) -> int | None:
        """The best epoch, from 1."""
        return self._best.epoch

    def in_core(self, theta: NDArray[Any]) -> _schuss.Best:
        """What looks at the epochs of a training in the core, whose parameters are these."""
        if self.restores and self._best.theta is None:
            self._best.theta = np.empty_like(theta)
        return self._best

    def see(self, epoch: int, val_loss: float, theta: NDArray[Any]) -> bool:
        """Look at an epoch that is done elsewhere; whether to go no further."""
        is_best, stops = self._best.see(epoch, val_loss)
        if is_best and self.restores:
            self._best.theta = theta.copy()
        return stops

    def has_stalled(self, epochs: int) -> bool:
        """Whether the last of so many epochs was one too many without a better one."""
        return self.patience is not None and epochs - (self.epoch or 0) >= self.patience

    def end(self, theta: NDArray[Any]) -> None:
        """Put the best parameters back, where they are kept."""
        if self.epoch is not None and self._best.theta is not None:
            theta[...] = self._best.theta

    @property
    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        theta = None if self.epoch is None else self._best.theta
        return {"epoch": self.epoch, "loss": self._best.score, "theta": theta}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint has kept."""
        self._best.restore(state["epoch"], state["loss"])
        self._best.theta = state["theta"]


def early_stopping_of(
    early_stopping: object, patience: object, restore_best: object, validates: bool
) -> EarlyStopping | None:
    """What these arguments of `MLP.fit` ask for; None for nothing."""
    stops = check_flag("early_stopping", early_stopping)
    restores = stops if restore_best is None else check_flag("restore_best", restore_best)
    patience = check_count("patience", patience)
    for name, wanted in (("early_stopping", stops), ("restore_best", restores)):
        if wanted and not validates:
            raise ValueError(
                f"{name} looks at rows that are not learnt from: it needs validation_data or validation_split"
            )
    return EarlyStopping(patience if stops else None, restores) if stops or restores else None


def held_out(
    takes: Takes,
    source: Rows | Blocks,
    given: tuple[Any, Any],
    settings: dict[str, Any],
    peers: Dialogue | None,
) -> tuple[Rows | Blocks, Rows | Pieces | None]:
    """Rows to learn from, and rows to validate with: the validation data, or a share of the rows."""
    validation_data, share = given
    if share is None:
        if validation_data is None:
            return source, None
        validation = rows_of_parts(takes, "validation_data", validation_data)
        check_finite(validation, "validation_data")
        return source, validation
    if validation_data is not None:
        raise ValueError("validation_data and validation_split exclude each other, got both")
    part = check_number("validation_split", share, above=0)
    if part >= 1:
        raise ValueError(f"validation_split must be a share of the rows below 1, got {shown(share)}")
    if isinstance(source, Blocks):
        raise ValueError("validation_split needs rows in memory; give blocks validation_data")
    if settings["sharded"]:
        return split_shards(source, part, settings, peers)
    return split(source, part, settings["seed"])


def split(rows: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Rows to learn from and to validate with, drawn at random; both keep their order."""
    count = rows.x.shape[0]
    held = max(round(share * count), 1)
    if held >= count:
        raise ValueError(f"validation_split must leave rows to learn from, got {shown(share)} of {count}")
    order = np.random.default_rng([seed, 0x5EED]).permutation(count)
    learnt, validated = rows.take(np.sort(order[held:])), rows.take(np.sort(order[:held]))
    _check_split((learnt, validated), None)
    return learnt, validated


def split_shards(
    rows: Rows, share: float, settings: dict[str, Any], peers: Dialogue | None
) -> tuple[Rows, Pieces]:
    """The same of each shard, whoever has it."""
    shards = share_in(settings, peers)
    split = split_of("validation_split", share, rows.n_rows, shards, settings["seed"])
    learnt, validated = rows.take(split.learnt), rows.take(split.held)
    if rows.everywhere is not None:
        learnt = learnt._replace(everywhere=rows.everywhere - split.n_held)
    _check_split((learnt, validated), peers)
    return learnt, pieces_of(validated, split.sizes, peers)


def _check_split(parts: tuple[Rows, Rows], peers: Dialogue | None) -> None:
    """Refuse parts of no weight, and rows whose loss is never finite."""
    check_finite(parts[1], "validation_split")
    weights = [part.total_weight for part in parts]
    everybodys = [weights] if peers is None else peers.tell_all(weights)
    for name, of_part in zip(("learn from", "validate with"), zip(*everybodys, strict=True), strict=True):
        if sum(of_part) == 0:
            raise ValueError(f"validation_split leaves no weight in the rows to {name}")

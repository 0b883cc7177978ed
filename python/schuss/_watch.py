"""What is looked at after each epoch of a training, besides its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._checkpoint import fingerprint
from ._data import Blocks, Rows
from ._dialogue import Dialogue
from ._early_stopping import EarlyStopping
from ._metrics import Metric
from ._pieces import Pieces, pieces_of
from ._sharded import share_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

Measure = Callable[[Sequence[Metric], Rows | Pieces], list[float]]


@dataclass
class Watch:
    """What is looked at after each epoch.

    Attributes
    ----------
    early : EarlyStopping or None
        What ends the training where the validation loss falls no more.
    metrics : list of Metric
        What is measured.
    learnt : Rows, Pieces or Blocks
        What the network learns from, in pieces where these are looked at one by one.
    rows : Rows, Pieces or None
        The validation data.
    """

    early: EarlyStopping | None
    metrics: list[Metric]
    learnt: Rows | Pieces | Blocks
    rows: Rows | Pieces | None

    def __post_init__(self) -> None:
        if self.metrics and self.rows is None and isinstance(self.learnt, Blocks):
            raise ValueError(
                "metrics need validation_data where X is a source of blocks, which are read once an epoch"
            )

    @classmethod
    def of(
        cls,
        early: EarlyStopping | None,
        metrics: list[Metric],
        rows: tuple[Rows | Blocks, Rows | Pieces | None],
        settings: dict[str, Any],
        peers: Dialogue | None,
    ) -> Watch:
        """What is looked at of rows that are learnt from, and of others."""
        learnt: Rows | Pieces | Blocks = rows[0]
        if metrics and settings["sharded"] and isinstance(learnt, Rows):
            shards = share_in(settings, peers).pieces(learnt.n_rows)
            learnt = pieces_of(learnt, [end - start for start, end in shards], peers)
        return cls(early, metrics, learnt, rows[1])

    @property
    def facts(self) -> dict[str, Any]:
        """What a training that goes on from a checkpoint must have alike, where it is anything."""
        facts: dict[str, Any] = {"the checksum of validation_data": "none"}
        if isinstance(self.rows, Rows):
            facts["the checksum of validation_data"] = fingerprint(*self.rows.arrays)
        elif self.rows is not None:
            facts["the checksum of validation_data"] = "held out of every shard"
        if self.early is not None:
            facts["early_stopping"] = f"patience={self.early.patience}, restore_best={self.early.restores}"
        if self.metrics:
            facts["metrics"] = ", ".join(metric.name for metric in self.metrics)
        return facts

    def measured(self, measure: Measure) -> dict[str, float]:
        """The metrics of an epoch by the names of their columns."""
        columns: dict[str, float] = {}
        for prefix, rows in (("", self.learnt), ("val_", self.rows)):
            if self.metrics and isinstance(rows, Rows | Pieces):
                values = measure(self.metrics, rows)
                columns |= {prefix + m.name: value for m, value in zip(self.metrics, values, strict=True)}
        return columns

    def stops(self, epoch: int, val_loss: float | None, theta: NDArray[Any]) -> bool:
        """Look at an epoch that is done; whether to go no further."""
        if self.early is None or val_loss is None:
            return False
        return self.early.see(epoch, val_loss, theta)

    @property
    def state(self) -> dict[str, Any] | None:
        """What a checkpoint keeps of it."""
        return None if self.early is None else self.early.state

    def restore(self, state: Mapping[str, Any] | None) -> None:
        """Go on from what a checkpoint has kept."""
        if self.early is not None and state is not None:
            self.early.restore(state)

"""How far a training has come: what a checkpoint goes on from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Progress:
    """How far a training has come.

    Attributes
    ----------
    epochs : int
        Epochs done.
    block : int
        Blocks of the present epoch that are done.
    loss, weight, lr : float
        Of those blocks: the sums of losses and weights, and the last learning rate.
    penalty : float
        Where their losses are sums, that of their penalties by weight, which is none of `loss` then.
    position : tuple or None
        Where the core is within the rows of the present epoch, or block; None at their beginning.
    """

    epochs: int = 0
    block: int = 0
    loss: float = 0.0
    weight: float = 0.0
    lr: float | None = None
    penalty: float = 0.0
    position: tuple[int, float, float, float, float] | None = None

    def end_epoch(self) -> None:
        """One more epoch is done, and nothing of the next."""
        self.epochs += 1
        self.block, self.loss, self.weight, self.penalty = 0, 0.0, 0.0, 0.0
        self.lr, self.position = None, None

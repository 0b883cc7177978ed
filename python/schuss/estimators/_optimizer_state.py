"""What is kept of an optimizer between two trainings: its state and the learning rate it has come to."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


class OptimizerState:
    """What an optimizer needs to continue, as plain data that pickles.

    Attributes
    ----------
    given : float
        The learning rate that the user gave; NaN for a schedule.
    learning_rate : float
        The one that adaptation has reached, of the next step.
    saved : dict or None
        The optimizer's ``state_dict()`` after the last training.
    """

    def __init__(self) -> None:
        self.learning_rate = self.given = float("nan")
        self.saved: dict[str, Any] | None = None

    def resume(self, recipe: Any, tensors: list[NDArray[Any]], lr: Any, clip_norm: float | None) -> Any:
        """An optimizer of that recipe, with the options given here in place of its own, that continues.

        What was changed since the last training counts: new options act on the old state, a new learning rate
        replaces that which adaptation has reached, another kind of optimizer or other groups start afresh.
        """
        optimizer = recipe.bind(tensors)
        if lr is not None:
            optimizer.lr = lr
        if clip_norm is not None:
            optimizer.param_groups[0]["clip_norm"] = clip_norm
        fresh = optimizer.state_dict()
        old = self.saved
        alike = ("optimizer", "group_of")
        if old and all(old[k] == fresh[k] for k in alike) and old["state"].keys() == fresh["state"].keys():
            optimizer.load_state_dict(old | {"param_groups": fresh["param_groups"]})
        given = fresh["param_groups"][0]["lr"]
        if given is None or given != self.given:
            self.given = float("nan") if given is None else given
            self.learning_rate = optimizer.lr
        return optimizer

    def adapt(self, optimizer: Any) -> None:
        """Give the optimizer the learning rate that adaptation has reached; a schedule stays."""
        if self.given == self.given:
            optimizer.lr = self.learning_rate

    def save(self, optimizer: Any) -> None:
        """Remember where a training has ended."""
        self.saved = optimizer.state_dict()
        if self.given != self.given:
            self.learning_rate = optimizer.lr

"""What is finished of a fit, kept in a file: losses of trials, and networks of members in their folds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .._checkpoint import Checkpoint, checkpoint_of, fact_of, fingerprint
from .._network_file import network_of, tree_of
from .._stop import Stop
from ..history import plain, rebuilt
from ..network import MLP
from ._member import Rows, Trained

# A fit that goes on may have them otherwise: what is finished does not depend on them.
FREE = ("max_time", "n_threads", "progress")


SavingGiven = tuple[Any, Any, Any]
"""The arguments `checkpoint`, `checkpoint_every` and `resume`."""


class Saving:
    """The finished parts of a fit.

    Parameters
    ----------
    checkpoint : Checkpoint or None
        Where they are kept; None for nowhere.

    Attributes
    ----------
    losses : dict of int to float
        Of the trials that are done: the validation loss, by the number of the recipe.
    trained : dict of (int, int) to Trained
        Networks that are trained, by the number of the recipe and the fold.
    """

    def __init__(self, checkpoint: Checkpoint | None) -> None:
        self._checkpoint = checkpoint
        self._seed = 0
        self._rows: str | None = None
        self._is_new = False
        self.losses: dict[int, float] = {}
        self.trained: dict[tuple[int, int], Trained] = {}

    @classmethod
    def of(cls, given: SavingGiven, kind: str, parameters: Mapping[str, Any], seed: int) -> Saving:
        """For the arguments `checkpoint`, `checkpoint_every` and `resume`; with what is in the file.

        Raises
        ------
        ValueError
            If the file is damaged, or is of a fit with other parameters.
        """
        checkpoint = checkpoint_of(*given)
        saving = cls(checkpoint)
        saving._seed = seed
        if checkpoint is None:
            return saving
        checkpoint.kind = kind
        checkpoint.facts = {name: fact_of(value) for name, value in parameters.items() if name not in FREE}
        state = checkpoint.load()
        if state is None:
            return saving
        saving._seed, saving._rows = state["seed"], state["rows"]
        saving.losses = dict(state["losses"])
        for place, network, history in state["networks"]:
            saving.trained[place] = Trained(network_of(MLP, network), rebuilt(**history))
        return saving

    @property
    def seed(self) -> int:
        """The seed of the fit: the one it began with."""
        return self._seed

    @property
    def is_on(self) -> bool:
        """Whether anything is kept."""
        return self._checkpoint is not None

    @property
    def done(self) -> int:
        """How many trials and networks are done."""
        return len(self.losses) + len(self.trained)

    def expect_rows(self, rows: Rows, given: Rows | None) -> None:
        """Refuse to go on with other rows than those it began with."""
        if self._checkpoint is None:
            return
        arrays = [(each.x, each.y, each.weights) for each in (rows, given) if each is not None]
        identity = fingerprint(*(array for of in arrays for array in of))
        if self._rows not in (None, identity):
            raise ValueError(
                f"checkpoint must be a file of the same run: the checksum of the rows is {identity} here, "
                f"and {self._rows} in {self._checkpoint.path}"
            )
        self._rows = identity

    def add_trial(self, number: int, trained: Trained) -> None:
        """Keep the loss of a trial that has come to its end."""
        if trained.history.stopped is not Stop.MAX_TIME:
            self.losses[number] = trained.val_loss
            self._added()

    def add(self, place: tuple[int, int], trained: Trained) -> None:
        """Keep a network that has come to its end."""
        if trained.history.stopped is not Stop.MAX_TIME:
            self.trained[place] = trained
            self._added()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """See to it that what is finished within is in the file, however it ends."""
        try:
            yield
        finally:
            if self._is_new:
                self._save()

    def _added(self) -> None:
        self._is_new = self._checkpoint is not None
        if self._checkpoint is not None and self._checkpoint.is_due(self.done):
            self._save()

    def _save(self) -> None:
        assert self._checkpoint is not None
        networks = [
            (place, tree_of(trained.network), plain(trained.history))
            for place, trained in sorted(self.trained.items())
        ]
        state = {
            "seed": self._seed,
            "rows": self._rows,
            "losses": sorted(self.losses.items()),
            "networks": networks,
        }
        self._checkpoint.save(state)
        self._is_new = False

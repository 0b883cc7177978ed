"""What an estimator has to settle with other processes before they fit together."""

from __future__ import annotations

from typing import Any

from sklearn.utils import check_random_state

from .._peers import Peers
from .._schuss import LBFGS


def check_peers(estimator: Any, peers: Peers, lbfgs: LBFGS | None) -> None:
    """Refuse what several processes cannot do."""
    if lbfgs is not None:
        raise ValueError(f"comm must be None with L-BFGS, got one of {peers.size} processes")
    if estimator.sharded:
        raise ValueError("sharded must be False with comm: each process has all rows")
    peers.check_shards(estimator.n_shards)


def random_state_of(estimator: Any, peers: Peers | None, facts: dict[str, Any]) -> Any:
    """The random state to begin with; where there are other processes, what differs in them is refused."""
    given = estimator.random_state
    if peers is None:
        return given
    # Without one, that of the first process is as good as any.
    seed = int(check_random_state(None).randint(2**31)) if given is None else None
    more = {"max_iter": estimator.max_iter, "warm_start": estimator.warm_start}
    seed = peers.compare({**facts, **more}, seed)
    return given if seed is None else seed

"""What an estimator has to settle with other processes before they fit together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import is_classifier
from sklearn.utils import check_random_state

from .._checks import kind_of, shown
from .._peers import Peers, check_unit
from .._schuss import LBFGS
from .._sparse import is_sparse
from ._facts import parameters_of
from ._labels import Labels, labels_of, merged, with_all, without_column
from ._samples import Samples, ShardedSamples, in_shards


def check_peers(estimator: Any, peers: Peers | None, lbfgs: LBFGS | None) -> None:
    """Refuse what several processes cannot do, where there are some."""
    if peers is None:
        return
    if lbfgs is not None:
        raise ValueError(f"comm must be None with L-BFGS, got one of {peers.size} processes")
    peers.check_shards(estimator.n_shards)


def random_state_of(estimator: Any, peers: Peers | None, facts: dict[str, Any], saves: bool) -> Any:
    """The random state to begin with; where there are other processes, what differs in them is refused."""
    given = estimator.random_state
    if peers is None:
        return given
    # Without one, that of the first process is as good as any.
    seed = int(check_random_state(None).randint(2**31)) if given is None else None
    more = {"max_iter": estimator.max_iter, "warm_start": estimator.warm_start}
    seed = peers.compare({**facts, **more}, seed, saves)
    return given if seed is None else seed


def expect_all_rows(estimator: Any, peers: Peers | None) -> None:
    """Refuse a scorer where no process has all rows that are held out."""
    if peers is not None:
        raise ValueError(
            'scoring must be None or "loss" where each process holds out rows of its own; a scorer needs '
            f"X_val and y_val, the same in every process: got {shown(estimator.scoring)}"
        )


@dataclass(frozen=True)
class Others:
    """The processes that have rows, too.

    Attributes
    ----------
    peers : Peers
        Those.
    labels : Labels
        Of all rows.
    """

    peers: Peers
    labels: Labels

    def total(self, number: float) -> float:
        """The sum over all processes."""
        return sum(self.peers.tell_all(number))


class Told(NamedTuple):
    """What a process tells the others of its rows."""

    rows: int
    labels: Labels
    facts: dict[str, Any]


def own_samples(estimator: Any, given: tuple[Any, Any, Any], first: bool, peers: Peers) -> ShardedSamples:
    """Rows of which each process has those of its own shards: what must be known of all is told."""
    X, y = estimator._validated(given[0], given[1], first)
    make = csr_array if is_sparse(y) else np.asarray
    y = y.toarray() if is_sparse(y) else y
    values = without_column(y)
    columns = list(getattr(estimator, "feature_names_in_", ()))
    facts = {
        "the shape of X": f"(..., {X.shape[1]})",
        "the dtype of X": str(X.dtype),
        "the names of its columns": columns,
        "the shape of y": f"(..., {values.shape[1]})" if values.ndim == 2 else "(...)",
        "the kind of y": kind_of(values) if is_classifier(estimator) else "number",
        "the type of y": "a sparse matrix" if make is csr_array else "an array",
        "sample_weight": "not given" if given[2] is None else "given",
        **parameters_of(estimator),
    }
    labels = labels_of(values) if is_classifier(estimator) else []
    told = [Told(*words) for words in peers.tell_all(Told(X.shape[0], labels, facts))]
    for name in facts:
        peers.expect_same(name, [each.facts[name] for each in told])
    everywhere = sum(each.rows for each in told)
    share = peers.take_share(X.shape[0], everywhere, estimator.n_shards, estimator._most_rows())
    everybodys = merged([each.labels for each in told])
    if is_classifier(estimator):
        estimator._check_targets(make(with_all(everybodys, values.ndim)), incremental=False)
    y, targets = estimator._targets(y, X.dtype, incremental=True)
    weights = estimator._check_weights(given[2], X, y, False, Others(peers, everybodys))
    samples = Samples(X, targets, y, weights, given[2] is not None)
    check_unit("sample_weight", samples.for_core()[2])
    return in_shards(samples, everywhere, share, peers)

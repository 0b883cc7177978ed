"""Several processes that train one network: which rows each of them needs.

`schuss.MLP.fit`, and `fit` of the estimators, do the rest, with `comm`, `n_shards` and ``sharded=True``.
"""

from __future__ import annotations

from typing import Any

from ._checks import check_count
from ._peers import expect_communicator
from ._settings import MOST_SHARDS
from ._sharded import share_of

__all__ = ["rows"]


def rows(n_rows: int, comm: Any, *, n_shards: int, batch_size: int | None = 128) -> slice:
    """Which of all rows this process needs to train together with others.

    Each batch takes as many rows of every shard, to one more or less, so the shards have almost, and not
    always exactly, the same number of rows: it depends on the batch size.

    Parameters
    ----------
    n_rows : int
        How many rows there are, in all processes.
    comm : communicator
        The processes, such as mpi4py's ``MPI.COMM_WORLD``. They need not meet for this.
    n_shards : int
        As the training is given it: at least as many as there are processes.
    batch_size : int or None, default 128
        The same; None for all rows. Where it is "auto", that is 128 for `schuss.MLP`, and 200 for the
        estimators.

    Returns
    -------
    slice
        Consecutive rows: ``X[schuss.distributed.rows(len(X), comm, n_shards=8)]``. Those of all processes, in
        the order of their ranks, are all rows.

    Raises
    ------
    TypeError, ValueError
        If an argument is not accepted.

    Examples
    --------
    >>> part = schuss.distributed.rows(1_000_000, comm, n_shards=8, batch_size=1024)  # doctest: +SKIP
    >>> X = np.load("X.npy", mmap_mode="r")[part]  # doctest: +SKIP
    """
    n_rows, n_shards = check_count("n_rows", n_rows), check_count("n_shards", n_shards, most=MOST_SHARDS)
    if batch_size is not None:
        batch_size = check_count("batch_size", batch_size)
    expect_communicator(comm)
    size = int(comm.Get_size())
    if n_shards < size:
        raise ValueError(f"n_shards must be at least the number of processes, {size}, got {n_shards}")
    shares = [share_of(rank, size, n_shards, batch_size) for rank in range(size)]
    pieces = shares[0].of_all.pieces(n_rows)
    if any(pieces[share.start][0] == pieces[share.stop - 1][1] for share in shares):
        raise ValueError(f"n_rows must be enough for each of {size} processes to have some, got {n_rows}")
    return slice(*shares[int(comm.Get_rank())].rows(n_rows))

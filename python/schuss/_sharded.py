"""Shards with rows of their own: which rows those are."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import _schuss
from ._checkpoint import fingerprint
from ._data import Rows


@dataclass(frozen=True)
class Share:
    """Consecutive shards of so many, and the rows that are theirs.

    Attributes
    ----------
    start, stop, count : int
        The shards from `start` to before `stop`, of `count`.
    batch_size : int or None
        Rows of all shards in a step; None for all.
    """

    start: int
    stop: int
    count: int
    batch_size: int | None

    @classmethod
    def every(cls, count: int, batch_size: int | None) -> Share:
        """All shards."""
        return cls(0, count, count, batch_size)

    @property
    def of_all(self) -> Share:
        """All shards of this training."""
        return self.every(self.count, self.batch_size)

    def pieces(self, n_rows: int) -> list[tuple[int, int]]:
        """Where the rows of each of these shards begin and end, among so many."""
        return _schuss.pieces(n_rows, self.batch_size or n_rows, self.count)[self.start : self.stop]

    def rows(self, n_rows: int) -> tuple[int, int]:
        """Where the rows of all of these shards begin and end, among so many."""
        pieces = self.pieces(n_rows)
        return pieces[0][0], pieces[-1][1]

    def checksum(self, rows: Rows, n_rows: int) -> int:
        """What tells rows from others, who has those of these shards: sums over all shards are comparable."""
        return checksum_of(rows, [stop - start for start, stop in self.pieces(n_rows)], self.start)


def checksum_of(rows: Rows, sizes: Sequence[int], number: int) -> int:
    """The same of shards of these sizes, the first of which has that number."""
    start, checksum = 0, 0
    for shard, size in enumerate(sizes, number):
        words = f"{shard} {fingerprint(*rows.cut(start, start + size).arrays)}"
        checksum += zlib.crc32(words.encode())
        start += size
    return checksum


def share_of(rank: int, size: int, count: int, batch_size: int | None) -> Share:
    """The shards of one of several processes."""
    first, end = (-(-number * count // size) for number in (rank, rank + 1))
    return Share(first, end, count, batch_size)


def share_in(settings: dict[str, Any], peers: Any) -> Share:
    """The shards of this process in a training with these options: all of them where it is alone."""
    if peers is not None and peers.share is not None:
        share: Share = peers.share
        return share
    return Share.every(settings["shards"], settings["batch_size"])


def identity_of(rows: Rows, settings: dict[str, Any], peers: Any) -> str:
    """What tells the rows of a training from others, whoever has which of them."""
    if not settings["sharded"]:
        return fingerprint(*rows.arrays)
    if peers is None:
        return f"{rows.n_rows} rows, {share_in(settings, None).checksum(rows, rows.n_rows)}"
    return f"{rows.n_rows} rows, {peers.checksum(rows)}"

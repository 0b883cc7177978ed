"""What is found in rows shard by shard, and then added up: it does not depend on who has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from . import _schuss
from ._data import Rows

if TYPE_CHECKING:
    from ._dialogue import Dialogue


SecondsLeft: TypeAlias = Callable[[], float | None]
"""Says how many seconds are left; None where there is no limit."""


def pieces_of(rows: Rows, sizes: Sequence[int], peers: Dialogue | None) -> Pieces:
    """Rows as a piece for each shard, of which these are the sizes."""
    ends = np.cumsum(sizes).tolist()
    return Pieces([rows.cut(end - size, end) for end, size in zip(ends, sizes, strict=True)], peers)


class Pieces:
    """Rows of consecutive shards, a piece for each; other processes have the others.

    Parameters
    ----------
    own : sequence
        The pieces of this process.
    peers : Dialogue or None
        The other processes, each of which looks at its own.
    """

    def __init__(self, own: Sequence[Any], peers: Dialogue | None) -> None:
        self._own, self._peers = own, peers

    def each(
        self,
        function: Callable[..., Any],
        *given: Any,
        seconds_left: SecondsLeft | None = None,
    ) -> list[Any]:
        """What a function finds in each piece, in their order, whoever has them.

        It is told, after all else that is given, how many seconds are left, where these are limited.

        Raises
        ------
        OutOfTime
            If the time was over in any process.
        """
        found: list[Any] | None = None
        late = () if seconds_left is None else (seconds_left,)
        with suppress(_schuss.OutOfTime):  # the others wait to be told
            found = [function(piece, *given, *(left() for left in late)) for piece in self._own]
        everything: list[Any] = []
        for of_one in [found] if self._peers is None else self._peers.tell_all(found):
            if of_one is None:
                raise _schuss.OutOfTime
            everything += of_one
        return everything

    def mean(
        self,
        function: Callable[..., Any],
        *given: Any,
        seconds_left: SecondsLeft | None = None,
    ) -> list[Any]:
        """The weighted means of what a function finds in each piece, which begins with its weight."""
        found = self.each(function, *given, seconds_left=seconds_left)
        weight = sum(weight for weight, *_ in found)
        weighted = [[figure * weight for figure in figures] for weight, *figures in found]
        return [sum(column) / weight for column in zip(*weighted, strict=True)]

"""What makes a training of a network what it is: one that goes on from a checkpoint must have the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._checkpoint import fact_of, fingerprint
from ._data import Blocks, Rows
from ._dialogue import Dialogue
from ._sharded import identity_of
from ._watch import Watch
from .embeddings import edges

if TYPE_CHECKING:
    from ._attributes import Attributes


def facts_of(
    net: Attributes,
    settings: dict[str, Any],
    source: Rows | Blocks,
    watch: Watch,
    optimizer: object,
    peers: Dialogue | None,
) -> dict[str, Any]:
    """Of a network, the options of its training, its rows, what is looked at, and its optimizer as given."""
    rows = identity_of(source, settings, peers) if isinstance(source, Rows) else source.identity
    bins = edges(net.embeddings)
    return {
        "the network": f"{net!r}, l2={net.l2!r}, dropout={net.dropout!r}",
        "optimizer": fact_of(optimizer),
        "batch_size": settings["batch_size"],
        "shuffle": settings["shuffle"],
        "seed": settings["seed"],
        "n_shards": settings["shards"],
        "the checksum of the rows": rows,
        # Not in the text of the network, which has a few of them only.
        **({"the checksum of the edges": fingerprint(*bins)} if bins else {}),
        **({"sharded": True} if settings["sharded"] else {}),
        **({"averaged": True} if settings["averaged"] else {}),
        **({"record": "step"} if settings["records_steps"] else {}),
        **watch.facts,
    }


def form_of(source: Rows | Blocks) -> dict[str, int]:
    """What predictions look like after it, which all processes must have alike; each block tells its own."""
    return {} if isinstance(source, Blocks) else {"the number of dimensions of y": 1 if source.flat else 2}

"""Files that are whole or not there, and that say so where they are damaged."""

from ._archive import checksum, read_archive, write_archive
from ._replacing import File, describe, path_of, reading, replacing, writing
from ._tree import read_tree, write_tree

__all__ = [
    "File",
    "checksum",
    "describe",
    "path_of",
    "read_archive",
    "read_tree",
    "reading",
    "replacing",
    "write_archive",
    "write_tree",
    "writing",
]

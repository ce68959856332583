"""Ids of stream entries: one integer, the milliseconds above 64 bits of sequence.

So ids compare, and go into dicts and sorted lists, as plain integers; the id after another is one more, carry included.
"""

from __future__ import annotations

from typing import Final

from redloop.numbers import decimal

SEQUENCE_BITS: Final = 64
MAX_PART: Final = (1 << 64) - 1
MAX_ID: Final = (1 << 128) - 1
ID_BITS: Final = 128
ID_BYTES: Final = 16
OUTSIDE: Final = -1


class _Head:
    """The milliseconds printed last, with the dash: ids come in runs with the same."""

    __slots__ = ("ms", "text")

    def __init__(self) -> None:
        self.ms = 0
        self.text = b"0-"


_head: Final = _Head()


def format_id(ident: int) -> bytes:
    """`milliseconds-sequence`."""
    head = _head
    ms = ident >> SEQUENCE_BITS
    if ms != head.ms:
        head.ms = ms
        head.text = b"%d-" % ms
    return head.text + decimal(ident & MAX_PART)


def tree_nodes(ids: list[int]) -> int:
    """How many nodes a radix tree such as Redis's has, with `ids` (ascending) as its keys: XINFO STREAM tells.

    There is a leaf for each key, a node wherever keys part, and one more for each run of bytes between those; an empty tree is one node.
    """
    if not ids:
        return 1
    count = len(ids)
    forks: list[int] = []  # depths, in bytes, of the forks on the path to the key at hand
    above = OUTSIDE  # where the key before parted from its own predecessor
    previous = ids[0]
    for ident in ids[1:]:
        depth = (ID_BITS - (previous ^ ident).bit_length()) >> 3
        previous = ident
        count += _run(max(above, depth), ID_BYTES)
        above = depth
        count += _leave(forks, depth)
        if not forks or forks[-1] < depth:
            forks.append(depth)
            count += 1
    return count + _run(above, ID_BYTES) + _leave(forks, OUTSIDE)


def _leave(forks: list[int], depth: int) -> int:
    """The path goes back up to `depth`: the runs that led to the forks left behind."""
    count = 0
    while forks and forks[-1] > depth:
        left = forks.pop()
        count += _run(max(depth, forks[-1] if forks else OUTSIDE), left)
    return count


def _run(fork: int, depth: int) -> int:
    """The node for the bytes without a choice from behind `fork` (its own byte is in it) to `depth`: 1, or 0 if there are none."""
    return 1 if depth - fork > 1 else 0

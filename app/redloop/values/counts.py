"""How many items each chunk of a chunked sequence holds, and which chunk holds the n-th item.

Two levels: the counts, and the sums of blocks of 64 counts. A change of one count is O(1); finding a position, or the number of items
before a chunk, adds up a few dozen numbers even for millions of items.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64, mypyc_attr

BLOCK_BITS: Final = 6
BLOCK: Final = 1 << BLOCK_BITS


@mypyc_attr(acyclic=True)
class Counts:
    """The counts of a row of chunks."""

    __slots__ = ("blocks", "counts")

    def __init__(self, counts: list[int]) -> None:
        self.counts = counts
        self.blocks: list[int] = []
        self._sum_from(0)

    def _sum_from(self, chunk: int) -> None:
        block = chunk >> BLOCK_BITS
        del self.blocks[block:]
        for start in range(block << BLOCK_BITS, len(self.counts), BLOCK):
            self.blocks.append(sum(self.counts[start : start + BLOCK]))

    def add(self, chunk: i64, change: i64) -> None:
        # Not `+=`, which compiled code does with objects.
        counts, blocks = self.counts, self.blocks
        count: i64 = counts[chunk]
        counts[chunk] = count + change
        block: i64 = chunk >> BLOCK_BITS
        total: i64 = blocks[block]
        blocks[block] = total + change

    def put(self, chunk: int, count: int) -> None:
        """Sets the count of one chunk."""
        change = count - self.counts[chunk]
        if change:
            self.add(chunk, change)

    def insert(self, chunk: int, count: int) -> None:
        """A new chunk comes to stand at place `chunk`."""
        self.counts.insert(chunk, count)
        self._sum_from(chunk)

    def remove(self, first: int, last: int) -> None:
        """The chunks from `first` up to before `last` are gone."""
        del self.counts[first:last]
        self._sum_from(first)

    def before(self, chunk: int) -> int:
        """The number of items in the chunks before `chunk`."""
        counts, blocks = self.counts, self.blocks
        total: i64 = 0
        block: i64 = chunk >> BLOCK_BITS
        at: i64 = block << BLOCK_BITS
        while at < chunk:
            total += counts[at]
            at += 1
        at = 0
        while at < block:
            total += blocks[at]
            at += 1
        return total

    def find(self, position: int) -> tuple[int, int]:
        """The chunk that holds the item at `position`, and its place there; past the end, one past the last item."""
        blocks, counts = self.blocks, self.counts
        left: i64 = position
        block: i64 = 0
        last: i64 = len(blocks) - 1
        while block < last:
            size: i64 = blocks[block]
            if left < size:
                break
            left -= size
            block += 1
        chunk: i64 = block << BLOCK_BITS
        last = len(counts) - 1
        while chunk < last:
            size = counts[chunk]
            if left < size:
                break
            left -= size
            chunk += 1
        return chunk, min(left, counts[chunk])

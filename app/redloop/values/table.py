"""A table of bytes that grows without a stall and can be scanned while it changes: the body of big hashes, sets and sorted sets.

One dict stalls when it grows (half a second past 2.8 million entries) and cannot be scanned in parts, so a table is a directory of small
dicts, indexed by the highest bits of a key's position (its hash): `directory[position >> shift]`. A full dict splits in two; when it
already has the directory's own depth, the directory doubles. The dicts therefore stand in the order of position, and a cursor is a
position: a key that stays is ahead of the cursor or behind it, whatever happens in between, and an abandoned cursor leaves nothing
behind. (The keyspace does the same; its segments carry expiry and access times beside the values.)

A table of one dict keeps the order of insertion, as Redis's compact encodings do; a bigger one has no order.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from random import Random
from typing import Final

from mypy_extensions import i64, mypyc_attr

ORDERED: Final = 680
"""Entries a table may hold in one dict, in their order: above the default threshold of any compact encoding (1024 slots are full)."""

CAPACITY: Final = 42
"""Entries each of several dicts may hold before it splits (a dict of 64 slots is full). Drawing one at random walks half of that."""

SPARSE: Final = 21
"""Two neighbouring dicts with fewer entries together become one."""

SPREAD_BITS: Final = 5
"""The depth at which a table that grows past one dict goes on: ORDERED entries are then about half a CAPACITY each."""

POSITION_BITS: Final = 48
POSITION_MASK: Final = (1 << POSITION_BITS) - 1


def _first(entry: tuple[int, bytes]) -> int:
    return entry[0]


@mypyc_attr(acyclic=True)
class Table:
    """A mapping of bytes to objects other than None."""

    __slots__ = ("count", "deepest", "depth", "depths", "directory", "root")

    def __init__(self) -> None:
        self.count: i64 = 0
        self.depth: i64 = 0
        self.deepest: i64 = 1  # dicts that need the directory's depth
        self.root: dict[bytes, object] = {}
        self.directory: list[dict[bytes, object]] = [self.root]
        self.depths: list[int] = [0]

    def part(self, key: bytes) -> dict[bytes, object]:
        """The dict that holds `key`, or would."""
        if self.depth == 0:
            return self.root
        position: i64 = hash(key)
        return self.directory[(position & POSITION_MASK) >> (POSITION_BITS - self.depth)]

    def get(self, key: bytes) -> object:
        return self.part(key).get(key)

    def set(self, key: bytes, value: object) -> bool:
        """Sets the value of `key`; True if the key is new."""
        part = self.part(key)
        before: i64 = len(part)
        part[key] = value
        after: i64 = len(part)
        if after == before:
            return False
        self.count += 1
        if after > CAPACITY:
            if self.depth > 0:
                self._split(key)
            elif after > ORDERED:
                self._spread()
        return True

    def pop(self, key: bytes) -> object:
        """Takes `key` out and returns what it held, None if it was not there."""
        part = self.part(key)
        value = part.pop(key, None)
        if value is not None:
            self.count -= 1
            left: i64 = len(part)
            if self.depth > 0 and left < SPARSE and left & 7 == 0:
                self._merge(key)
        return value

    def __contains__(self, key: bytes) -> bool:
        return key in self.part(key)

    def __len__(self) -> int:
        return self.count

    # --- all of it -----------------------------------------------------------------------------------------------------------------

    def parts(self) -> list[dict[bytes, object]]:
        """Every dict once, in the order of position."""
        if self.depth == 0:
            return self.directory
        found: list[dict[bytes, object]] = []
        slot: i64 = 0
        while slot < len(self.directory):
            found.append(self.directory[slot])
            slot += 1 << (self.depth - self.depths[slot])
        return found

    def keys(self) -> list[bytes]:
        if self.depth == 0:
            return list(self.root)
        return list(chain.from_iterable(self.parts()))

    def values(self) -> list[object]:
        found: list[object] = []
        for part in self.parts():
            found.extend(part.values())
        return found

    def flat(self) -> list[object]:
        """Key, value, key, value, ..."""
        found: list[object] = []
        for part in self.parts():
            flat: list[object] = [None] * (2 * len(part))
            flat[::2] = part
            flat[1::2] = part.values()
            found += flat
        return found

    def copy(self) -> Table:
        twin = Table()
        twin.count = self.count
        twin.depth = self.depth
        twin.deepest = self.deepest
        twin.depths = self.depths.copy()
        directory: list[dict[bytes, object]] = []
        slot: i64 = 0
        while slot < len(self.directory):
            part = self.directory[slot].copy()
            run: i64 = 1 << (self.depth - self.depths[slot])
            directory.extend([part] * run)
            slot += run
        twin.directory = directory
        twin.root = directory[0]
        return twin

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """At least `count` keys from position `cursor` on, if as many are left, and the position to go on from (0: that was all).

        Touches at most `count` keys and one dict beyond.
        """
        found: list[bytes] = []
        position: i64 = min(max(cursor, 0), POSITION_MASK)
        while True:
            slot: i64 = position >> (POSITION_BITS - self.depth)
            part = self.directory[slot]
            bits: i64 = POSITION_BITS - self.depths[slot]
            end: i64 = ((position >> bits) + 1) << bits  # of the dict's range
            room: i64 = count - len(found)
            if position == (position >> bits) << bits and len(part) <= room:  # at the start of the range
                found.extend(part)
            else:
                ahead = [(hash(key) & POSITION_MASK, key) for key in part]
                if position > (position >> bits) << bits:  # not at the start of the range
                    ahead = [entry for entry in ahead if entry[0] >= position]
                ahead.sort(key=_first)
                take: i64 = room
                while take < len(ahead) and ahead[take][0] == ahead[take - 1][0]:
                    take += 1
                found.extend([entry[1] for entry in ahead[:take]])
                if take < len(ahead):
                    return ahead[take][0], found
            if end > POSITION_MASK:
                return 0, found
            if len(found) >= count:
                return end, found
            position = end

    def sample(self, random: Random) -> bytes:
        """A key, each with the same chance; the table is not empty."""
        draw: Callable[[], float] = random.random
        slots = float(len(self.directory))
        while True:
            # One number says both which dict and which of its keys.
            drawn = draw() * slots
            slot: i64 = int(drawn)
            part = self.directory[slot]
            # A shallow dict stands in the directory several times and is the likelier drawn: accept it the less often.
            largest: i64 = self.count
            if self.depth:
                largest = CAPACITY << (self.depth - self.depths[slot])
            place: i64 = int((drawn - float(slot)) * float(largest))
            if place < len(part):
                for key in part:
                    if place == 0:
                        return key
                    place -= 1

    # --- the directory -------------------------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        """Deals the one dict out to many."""
        parts: list[dict[bytes, object]] = [{} for _ in range(1 << SPREAD_BITS)]
        for key, value in self.root.items():
            position: i64 = hash(key)
            parts[(position & POSITION_MASK) >> (POSITION_BITS - SPREAD_BITS)][key] = value
        self.directory = parts
        self.depths = [SPREAD_BITS] * len(parts)
        self.depth = SPREAD_BITS
        self.deepest = len(parts)
        self.root = parts[0]

    def _split(self, key: bytes) -> None:
        position: i64 = hash(key)
        position = position & POSITION_MASK
        slot: i64 = position >> (POSITION_BITS - self.depth)
        if self.depths[slot] == self.depth:
            if self.depth == POSITION_BITS - 20:
                return  # keys made to collide: let the dict grow
            self._double()
            slot = position >> (POSITION_BITS - self.depth)
        depth = self.depths[slot] + 1
        bit: i64 = 1 << (POSITION_BITS - depth)
        low: dict[bytes, object] = {}
        high: dict[bytes, object] = {}
        for member, value in self.directory[slot].items():
            place: i64 = hash(member)
            if place & bit:
                high[member] = value
            else:
                low[member] = value
        if depth == self.depth:
            self.deepest += 2
        # The dict's run of directory entries is one aligned block; its halves go to the new two.
        half: i64 = 1 << (self.depth - depth)
        first: i64 = slot & ~(2 * half - 1)
        for step in range(half):
            self._place(first + step, low, depth)
            self._place(first + half + step, high, depth)

    def _place(self, slot: i64, part: dict[bytes, object], depth: int) -> None:
        self.directory[slot] = part
        self.depths[slot] = depth

    def _double(self) -> None:
        directory = self.directory * 2
        directory[::2] = self.directory
        directory[1::2] = self.directory
        depths = self.depths * 2
        depths[::2] = self.depths
        depths[1::2] = self.depths
        self.directory = directory
        self.depths = depths
        self.depth += 1
        self.deepest = 0

    def _merge(self, key: bytes) -> None:
        """Joins the dict that holds `key` and its neighbour while both are sparse; halves the directory when nothing needs its depth."""
        position: i64 = hash(key)
        slot: i64 = (position & POSITION_MASK) >> (POSITION_BITS - self.depth)
        depth = self.depths[slot]
        while depth > 0:
            run: i64 = 1 << (self.depth - depth)
            first: i64 = slot & ~(2 * run - 1)
            buddy: i64 = (slot ^ run) & ~(run - 1)
            if self.depths[buddy] != depth or len(self.directory[slot]) + len(self.directory[buddy]) > SPARSE:
                break
            merged = self.directory[first].copy()
            merged.update(self.directory[first + run])
            for step in range(2 * run):
                self._place(first + step, merged, depth - 1)
            if depth == self.depth:
                self.deepest -= 2
            depth -= 1
        while self.depth > 0 and self.deepest == 0:
            self.directory = self.directory[::2]
            self.depths = self.depths[::2]
            self.depth -= 1
            self.deepest = self.depths.count(int(self.depth))
        self.root = self.directory[0]

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
"""Entries each of several dicts may hold before it splits (a dict of 64 slots is full). Drawing one at random walks a quarter of that."""

WIDE: Final = 682
"""The same where nothing is drawn: the fewer dicts, the more of them are in the processor's cache. A scan walks a whole one."""

POSITION_BITS: Final = 48
POSITION_MASK: Final = (1 << POSITION_BITS) - 1


def _first(entry: tuple[int, bytes]) -> int:
    return entry[0]


def _flat(part: dict[bytes, object]) -> list[object]:
    flat: list[object] = [None] * (2 * len(part))
    flat[::2] = part
    flat[1::2] = part.values()
    return flat


@mypyc_attr(acyclic=True)
class Table:
    """A mapping of bytes to objects other than None; `capacity` is CAPACITY or WIDE."""

    __slots__ = ("capacity", "count", "deepest", "depth", "depths", "directory", "root", "sparse")

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity: i64 = capacity
        self.sparse: i64 = capacity // 2  # two neighbouring dicts with fewer entries together become one
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
        if after > self.capacity:
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
            if self.depth > 0 and left < self.sparse and left & 7 == 0:
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
        if self.depth == 0:
            return _flat(self.root)
        found: list[object] = []
        for part in self.parts():
            found += _flat(part)
        return found

    def copy(self) -> Table:
        twin = Table(self.capacity)
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
                stop: i64 = end
                if room < len(part):  # only about as many as are wanted are worth sorting
                    stop = min(end, position + (end - ((position >> bits) << bits)) // len(part) * 2 * room)
                ahead: list[tuple[int, bytes]] = []
                for key in part:
                    place: i64 = hash(key)
                    place &= POSITION_MASK
                    if position <= place < stop:
                        ahead.append((place, key))
                ahead.sort(key=_first)
                take: i64 = room
                while take < len(ahead) and ahead[take][0] == ahead[take - 1][0]:
                    take += 1
                found.extend([entry[1] for entry in ahead[:take]])
                if take < len(ahead):
                    return ahead[take][0], found
                end = stop
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
                largest = self.capacity << (self.depth - self.depths[slot])
            place: i64 = int((drawn - float(slot)) * float(largest))
            behind: i64 = len(part) - 1 - place
            if behind >= place:
                for key in part:
                    if place == 0:
                        return key
                    place -= 1
            elif behind >= 0:  # each key on the way is a place in memory of its own: go the shorter way
                for key in reversed(part):
                    if behind == 0:
                        return key
                    behind -= 1

    # --- the directory -------------------------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        """Deals the one dict out to many, each about half full."""
        depth = (len(self.root) // int(self.sparse)).bit_length() - 1
        shift: i64 = POSITION_BITS - depth
        parts: list[dict[bytes, object]] = [{} for _ in range(1 << depth)]
        for key, value in self.root.items():
            position: i64 = hash(key)
            parts[(position & POSITION_MASK) >> shift][key] = value
        self.directory = parts
        self.depths = [depth] * len(parts)
        self.depth = depth
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
            if self.depths[buddy] != depth or len(self.directory[slot]) + len(self.directory[buddy]) > self.sparse:
                break
            merged = self.directory[first]
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

"""A snapshot: the exact state of the keyspace at one moment, taken in slices while writes go on, without fork.

The walk goes over each database in the order of positions (see `keyspace.database`). What lies behind the walk has been seen; before a key
ahead of it changes, the keyspace calls the snapshot, which takes the key as it still is and notes that it is done. So each key is taken
once, as it was at the start, whatever happens meanwhile: what is new since the start was noted as absent before it came.

A database that is emptied hands its old segments to the walk; two that are exchanged exchange their walks.

A key is taken by `take(key, value, due)`, which must be done with the value when it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from redloop.keyspace.database import Database, Keyspace
from redloop.keyspace.segment import POSITION_BITS, POSITION_MASK, Segment

CHECK_EVERY: Final = 16
"""Keys between two looks at the clock."""

Take = Callable[[int, bytes, object, int], None]
"""take(database, key, value, due): the number of the database at the start, and when the key expires, -1 for never."""


class Walk:
    """One database's share: what has been seen of it."""

    def __init__(self, number: int, database: Database) -> None:
        self.number = number  # at the start
        self.database = database  # where its keys are now
        self.position = 0  # keys below have been seen
        self.done: set[bytes] = set()  # keys from there on that have been seen, or were not there
        self.listed: list[bytes] = []  # the keys of the segment at `position`
        self.todo: list[bytes] = []  # those of them still to be looked at
        self.end = 0  # of that segment
        self.detached: list[Segment] | None = None  # the segments left, when the database was emptied


class Snapshot:
    """One walk over a keyspace, from `begin` until `finished`."""

    def __init__(self, keyspace: Keyspace, take: Take) -> None:
        self.keyspace = keyspace
        self.total = 0
        self.taken = 0
        self.finished = False
        self._take = take
        self._left: list[Walk] = []
        self._walks: list[Walk | None] = []

    def begin(self) -> None:
        """This is the moment."""
        keyspace = self.keyspace
        self._left = [Walk(database.index, database) for database in keyspace.databases if len(database)]
        self._left.reverse()
        self._walks = [None for _ in keyspace.databases]
        for walk in self._left:
            self._walks[walk.number] = walk
            self.total += len(walk.database)
        keyspace.savers = (*keyspace.savers, self._save)
        keyspace.upheavals = (*keyspace.upheavals, self._prepare)

    def cancel(self) -> None:
        """No more is wanted."""
        if not self.finished:
            self._end()

    def advance(self, deadline_ns: int) -> bool:
        """Takes keys until the monotonic clock shows `deadline_ns`; False when there are no more."""
        clock = self.keyspace.clock
        while self._left:
            walk = self._left[-1]
            for _ in range(CHECK_EVERY):
                if not walk.todo and not self._next_segment(walk):
                    self._walks = [None if other is walk else other for other in self._walks]
                    self._left.pop()
                    break
                if walk.todo:
                    self._take_live(walk, walk.todo.pop())
            if clock.monotonic_ns() >= deadline_ns:
                break
        if not self._left:
            self._end()
        return bool(self._left)

    def _end(self) -> None:
        self.finished = True
        self._left.clear()
        keyspace = self.keyspace
        keyspace.savers = tuple([saver for saver in keyspace.savers if saver != self._save])
        keyspace.upheavals = tuple([other for other in keyspace.upheavals if other != self._prepare])

    # --- the walk ----------------------------------------------------------------------------------------------------------------

    def _next_segment(self, walk: Walk) -> bool:
        """Goes on to the next segment; False when all has been seen."""
        if walk.detached is not None:
            return self._next_detached(walk)
        if walk.end:
            walk.position = walk.end
            walk.done.difference_update(walk.listed)
        if walk.position > POSITION_MASK:
            return False
        segment, walk.end = walk.database.segment_at(walk.position)
        walk.listed = list(segment.values)
        walk.todo = walk.listed.copy()
        return True

    def _next_detached(self, walk: Walk) -> bool:
        assert walk.detached is not None
        if not walk.detached:
            return False
        segment = walk.detached.pop()
        for key, value in segment.values.items():
            if key not in walk.done and hash(key) & POSITION_MASK >= walk.position:
                self._hand_over(walk, key, value, segment)
        return True

    def _take_live(self, walk: Walk, key: bytes) -> None:
        if key in walk.done or hash(key) & POSITION_MASK < walk.position:
            return
        walk.done.add(key)
        segment = walk.database.segment(key)
        value = segment.values.get(key)
        if value is not None:
            self._hand_over(walk, key, value, segment)

    def _hand_over(self, walk: Walk, key: bytes, value: object, segment: Segment) -> None:
        self.taken += 1
        self._take(walk.number, key, value, segment.expires.get(key, -1))

    # --- what the keyspace calls -------------------------------------------------------------------------------------------------

    def _save(self, database: Database, key: bytes) -> None:
        """`key` is about to change."""
        walk = self._walks[database.index]
        if walk is not None:
            self._take_live(walk, key)

    def _prepare(self, database: Database, other: Database | None) -> None:
        """`database` is about to be emptied, or to exchange its keys with `other`."""
        walk = self._walks[database.index]
        if other is not None:
            partner = self._walks[other.index]
            self._walks[database.index], self._walks[other.index] = partner, walk
            if walk is not None:
                walk.database = other
            if partner is not None:
                partner.database = database
        elif walk is not None:
            walk.detached = [segment for segment in database.segments() if _range_end(segment) > walk.position]
            walk.todo.clear()
            self._walks[database.index] = None


def _range_end(segment: Segment) -> int:
    """The position behind the segment's range; a segment without keys needs no look."""
    for key in segment.values:
        bits = POSITION_BITS - segment.depth
        return (((hash(key) & POSITION_MASK) >> bits) + 1) << bits
    return 0

"""The order of a segment's keys, for SCAN: by position, kept while the scan is in the segment.

To sort a segment for every call would make SCAN with its usual COUNT of 10 a hundred times dearer than it need be. So the order made when
a scan enters a segment serves the calls that follow, until another scan enters after keys have come or gone. That keeps the promise: a
scan must return the keys that were there when it began and stayed, and those are in any order made since it entered. Keys that went are
left out, keys that came may be missing. A segment that took over its neighbour's keys is sorted anew.

Only the last few orders are kept, so scans that nobody goes on with leave nothing behind.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from mypy_extensions import i64

from redloop.keyspace.segment import POSITION_MASK, Segment

KEPT: Final = 8
"""Orders kept: as many scans may go on side by side without sorting anew."""


class Order:
    """The keys of `segment`, sorted by position, as they were at its `depth` and count of `changes`."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.depth: i64 = segment.depth
        self.changes: i64 = segment.changes
        by_position: dict[int, bytes] = {}
        for key in segment.values:
            by_position[hash(key) & POSITION_MASK] = key
        self.positions: list[int]
        self.keys: list[bytes]
        if len(by_position) == len(segment.values):
            self.positions = sorted(by_position)
            self.keys = [by_position[position] for position in self.positions]
        else:
            pairs = sorted([(hash(key) & POSITION_MASK, key) for key in segment.values])
            self.positions = [pair[0] for pair in pairs]
            self.keys = [pair[1] for pair in pairs]


class Orders:
    """The orders in use, the latest first."""

    def __init__(self) -> None:
        self._orders: list[Order] = []

    def clear(self) -> None:
        """Forgets all: the keys are gone."""
        self._orders.clear()

    def take(self, segment: Segment, position: int, first: int, room: int, found: list[bytes]) -> int:
        """Appends at least `room` keys of `segment` from `position` on, if there are as many; returns the position to go on from, or -1
        if none is left in it. `first` is where the segment begins.
        """
        order = self._order(segment, position == first)
        positions = order.positions
        size = len(positions)
        at = bisect_left(positions, position)
        stop = min(at + room, size)
        while 0 < stop < size and positions[stop] == positions[stop - 1]:  # a cursor cannot point between two keys of one position
            stop += 1
        keys = order.keys[at:stop]
        if order.changes != segment.changes:
            values = segment.values
            keys = [key for key in keys if key in values]
        found.extend(keys)
        return positions[stop] if stop < size else -1

    def _order(self, segment: Segment, entering: bool) -> Order:
        orders = self._orders
        for number, order in enumerate(orders):
            if order.segment is segment:
                del orders[number]
                if order.depth != segment.depth or (entering and order.changes != segment.changes):
                    order = Order(segment)
                orders.insert(0, order)
                return order
        order = Order(segment)
        orders.insert(0, order)
        del orders[KEPT:]
        return order

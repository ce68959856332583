"""Figures on the keys of a database: their times to live, their sizes by type (INFO keyspace and keysizes).

Nothing is counted as keys change; the keys are looked at when somebody asks. Up to `MOST_KEYS` of them all are, beyond that a sample of
segments in even distances (a key's place is its hash, so that is a fair one), and counts are scaled up from it.
"""

from __future__ import annotations

from typing import Final

from redloop.keyspace.database import Database
from redloop.keyspace.segment import CAPACITY, POSITION_BITS, Segment
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet

MOST_KEYS: Final = 4096

STRINGS: Final = 0
LISTS: Final = 1
SETS: Final = 2
SORTED_SETS: Final = 3
HASHES: Final = 4
KINDS: Final = ["strings_sizes", "lists_items", "sets_items", "zsets_items", "hashes_items"]
"""As INFO keysizes calls them, in its order."""


class Figures:
    """What is known of one database's keys.

    `sizes[kind][power]` counts the values of at least 2**(power - 1) and less than 2**power bytes or elements.
    """

    def __init__(self) -> None:
        self.keys = 0
        self.expiring_hashes = 0
        self.sizes: list[dict[int, int]] = [{} for _ in KINDS]

        # Keys that expire: how many, how many of them are due, and the sum of the milliseconds the others have left.
        self.volatile = 0
        self.due = 0
        self.milliseconds_left = 0

    def add_keys(self, segment: Segment) -> None:
        """Takes up the values of a segment."""
        for value in segment.values.values():
            self._add_value(value)
        self.keys += len(segment.values)

    def _add_value(self, value: object) -> None:
        if isinstance(value, (bytes, bytearray)):
            kind, size = STRINGS, len(value)
        elif isinstance(value, int):
            kind, size = STRINGS, len(str(value))
        elif isinstance(value, Hash):
            kind, size = HASHES, len(value)
            if value.expires is not None and len(value.expires):
                self.expiring_hashes += 1
        elif isinstance(value, List):
            kind, size = LISTS, len(value)
        elif isinstance(value, Set):
            kind, size = SETS, len(value)
        elif isinstance(value, SortedSet):
            kind, size = SORTED_SETS, len(value)
        else:
            return
        sizes = self.sizes[kind]
        power = size.bit_length()
        sizes[power] = sizes.get(power, 0) + 1

    def add_expiries(self, segment: Segment, now: int) -> None:
        """Takes up the times to live of a segment."""
        for due in segment.expires.values():
            if due < now:
                self.due += 1
            else:
                self.milliseconds_left += due - now
        self.volatile += len(segment.expires)

    def scale(self, keys: int) -> None:
        """The database has so many keys: brings the counts up from those that were looked at."""
        if 0 < self.keys < keys:
            factor = keys / self.keys
            self.expiring_hashes = round(self.expiring_hashes * factor)
            self.sizes = [{power: round(count * factor) for power, count in sizes.items()} for sizes in self.sizes]
        self.keys = keys

    def average_ttl(self) -> int:
        """Milliseconds that keys which expire have left, on average."""
        return self.milliseconds_left // (self.volatile - self.due) if self.volatile > self.due else 0


def look_at_values(database: Database, most: int = MOST_KEYS) -> Figures:
    """The sizes of the values."""
    figures = Figures()
    for segment in _chosen(database, database.size, most):
        figures.add_keys(segment)
    figures.scale(database.size)
    return figures


def look_at_expiries(database: Database, most: int = MOST_KEYS) -> Figures:
    """The times to live."""
    figures = Figures()
    if database.volatile:
        for segment in _chosen(database, database.volatile, most):
            figures.add_expiries(segment, database.clock.now_ms())
    return figures


def _chosen(database: Database, count: int, most: int) -> list[Segment]:
    """All segments, or some in even distances that hold about `most` of the `count` keys in question."""
    if count <= most:
        return database.segments()
    wanted = max(1, most * 2 // CAPACITY)
    chosen: dict[int, Segment] = {}
    for number in range(wanted):
        segment, _ = database.segment_at((number << POSITION_BITS) // wanted)
        chosen[id(segment)] = segment
    return list(chosen.values())

"""What was dropped and waits to be freed: to free millions of objects at once would stall the loop.

Databases that were emptied come here as segments, large values by themselves; `sweep` takes them apart piece by piece, so many objects at
a time, and is called by a timer until nothing is left. Small values are freed where they are dropped. A thing that somebody else still
holds (a snapshot, another key) is let go and not touched: counting references tells. A new kind of value says in `_pieces` what it
consists of.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Final

from mypy_extensions import i64

from redloop.keyspace.segment import Segment
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.scores import Scores
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream
from redloop.values.stream_node import Node

HEAVY: Final = 256
"""Elements of a value from which it is freed in pieces."""
STEP: Final = 256
"""Objects freed between two looks at what is left to do."""
NODE_COST: Final = 100
"""Objects that a node of a stream stands for."""


def _references(pile: list[object]) -> int:
    """References to the last thing of a pile, with those that asking makes."""
    return getrefcount(pile[-1])


ALONE: Final = _references([object()])


def weight(value: object) -> i64:
    """About how many objects go with `value`."""
    if isinstance(value, bytes):
        return 1
    if isinstance(value, (List, Hash, Set, SortedSet)):
        return 1 + len(value)
    if isinstance(value, Stream):
        total: i64 = 1 + value.length
        for group in value.groups.values():
            total += len(group.pending)
        return total
    return NODE_COST if isinstance(value, Node) else 1


class Trash:
    """The pile of one keyspace. `swept`: values freed."""

    def __init__(self) -> None:
        self.swept: i64 = 0
        self._pile: list[object] = []

    def __bool__(self) -> bool:
        return bool(self._pile)

    def add_segments(self, segments: list[Segment]) -> None:
        """Takes the keys of a database that was emptied."""
        self._pile.extend(segments)

    def add(self, value: object) -> None:
        """Takes a value that its key no longer has; nothing happens if it is small."""
        if not isinstance(value, (bytes, int)) and weight(value) > HEAVY:
            self._pile.append(value)

    def waiting(self) -> int:
        """Values that wait."""
        total = 0
        for thing in self._pile:
            total += _values(thing)
        return total

    def sweep(self, objects: i64) -> bool:
        """Frees about so many objects; True while more are left."""
        pile = self._pile
        while pile and objects > 0:
            if _references(pile) > ALONE:
                self.swept += _values(pile.pop())
                objects -= 1
            else:
                objects -= self._take(min(objects, STEP))
        return bool(pile)

    def _take(self, most: i64) -> i64:
        """Frees some of the last thing of the pile: how many objects. What it held here is gone when this returns."""
        pile = self._pile
        thing = pile.pop()
        if isinstance(thing, Segment):
            return self._take_values(thing, most)
        if isinstance(thing, dict):
            count: i64 = min(most, len(thing))
            for _ in range(count):
                thing.popitem()
            if thing:
                pile.append(thing)
            return 1 + count
        if isinstance(thing, list):
            return self._take_items(thing, most)
        self.swept += _values(thing)
        for piece in _pieces(thing):
            pile.append(piece)
        return 1

    def _take_values(self, segment: Segment, most: i64) -> i64:
        values = segment.values
        heavy: list[object] = []
        spent: i64 = 0
        while values and spent < most:
            value = values.popitem()[1]
            cost = weight(value)
            if cost > HEAVY:
                heavy.append(value)
                cost = 1
            else:
                self.swept += 1
            spent += cost
        if values:
            self._pile.append(segment)
        self._pile.extend(heavy)
        return spent + 1

    def _take_items(self, items: list[object], most: i64) -> i64:
        spent: i64 = 0
        nested: list[object] = []
        while items and spent < most:
            item = items.pop()
            if isinstance(item, (list, dict)):
                nested.append(item)
            spent += weight(item)
        if items:
            self._pile.append(items)
        self._pile.extend(nested)
        return spent + 1


def _values(thing: object) -> int:
    """For how many values it stands: one that is being taken apart counted when that began."""
    if isinstance(thing, Segment):
        return len(thing.values)
    return 0 if isinstance(thing, (list, dict, Scores)) else 1


def _pieces(value: object) -> list[object]:
    """The containers that hold what `value` consists of."""
    pieces: list[object] = []
    if isinstance(value, List):
        if value.nodes is not None:
            pieces += [value.nodes.chunks, value.nodes.head]
    elif isinstance(value, Hash):
        if value.table is not None:
            pieces.append(value.table.directory)
        if value.expires is not None:
            pieces.append(value.expires)
    elif isinstance(value, Set):
        if value.table is not None:
            pieces.append(value.table.directory)
    elif isinstance(value, SortedSet):
        if value.big is not None:
            pieces.append(value.big)
    elif isinstance(value, Scores):
        pieces += [value.table.directory, value.ranking.members]
    elif isinstance(value, Stream):
        pieces.append(value.nodes)
        for group in value.groups.values():
            pieces += group.pending.rows()
            for consumer in group.consumers.values():
                pieces += consumer.pending.rows()
    return pieces

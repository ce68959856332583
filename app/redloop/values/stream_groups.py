"""Consumer groups of a stream: who reads it together, what each was given and has not acknowledged.

An entry that was delivered and not acknowledged is pending, in the group and with one consumer: the same `Pending` stands in both. They
are walked in the order of ids:

    position = pending.seek(start)
    while position >= 0 and pending.ids[position] <= end:
        ...
        position = pending.next(position)
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from mypy_extensions import i64

UNKNOWN: Final = -1
"""How many entries a group has read, where that cannot be told; when a consumer was active, if it never was."""
SLACK: Final = 64


class Pending:
    """A delivery that is not acknowledged."""

    __slots__ = ("consumer", "delivered_ms", "deliveries")

    def __init__(self, consumer: Consumer, delivered_ms: int, deliveries: int) -> None:
        self.consumer = consumer
        self.delivered_ms = delivered_ms
        self.deliveries = deliveries


    def copy(self) -> Pending:
        """The same delivery to the same consumer."""
        return Pending(self.consumer, self.delivered_ms, self.deliveries)


class PendingEntries:
    """Pending entries in the order of their ids: two rows side by side.

    Ids come mostly in ascending order and go in about the same, so one that goes leaves its place empty for a while. (A dict would not do:
    the hash of an id that is `ms << 64 | sequence` is `8 * ms + sequence`, which is the same for far too many.)
    """

    __slots__ = ("_deliveries", "_head", "count", "ids")

    def __init__(self) -> None:
        self.ids: list[int] = []  # ascending, those gone among them
        self._deliveries: list[Pending | None] = []  # None: gone
        self._head: i64 = 0  # all before have gone
        self.count: i64 = 0

    def __len__(self) -> int:
        return self.count

    def rows(self) -> list[object]:
        """The two rows, for who frees them."""
        return [self.ids, self._deliveries]

    def get(self, ident: int) -> Pending | None:
        """The delivery of an entry, None if it is not pending."""
        position = self._place(ident)
        return None if position < 0 else self._deliveries[position]

    def _place(self, ident: int) -> i64:
        """The position of an id that may have gone, -1 if it is not there at all, or gone for sure."""
        ids = self.ids
        if not self.count or ident > ids[-1]:
            return -1
        position: i64 = bisect_left(ids, ident, self._head)
        return position if ids[position] == ident else -1

    def add(self, ident: int, pending: Pending) -> None:
        """Takes in an entry that is not in it."""
        ids = self.ids
        self.count += 1
        if not ids or ident > ids[-1]:
            ids.append(ident)
            self._deliveries.append(pending)
            return
        position: i64 = bisect_left(ids, ident)
        if ids[position] == ident:
            self._deliveries[position] = pending
        else:
            ids.insert(position, ident)
            self._deliveries.insert(position, pending)
        if position < self._head:
            self._head = position

    def remove(self, ident: int) -> Pending | None:
        """Takes an entry out; None if it was not there. Positions are void after it."""
        position = self._place(ident)
        if position < 0:
            return None
        pending = self._deliveries[position]
        if pending is None:
            return None
        self._deliveries[position] = None
        self.count -= 1
        if len(self.ids) > 2 * self.count + SLACK:
            entries = self.entries()
            self.ids = [entry[0] for entry in entries]
            self._deliveries = [entry[1] for entry in entries]
            self._head = 0
        return pending

    def seek(self, ident: int) -> int:
        """The position of the first entry from `ident` on, -1 if there is none."""
        return self._live(bisect_left(self.ids, ident, self._head))

    def next(self, position: int) -> int:
        """The next position, -1 at the end."""
        return self._live(position + 1)

    def _live(self, position: i64) -> int:
        deliveries = self._deliveries
        end: i64 = len(deliveries)
        start = position
        while position < end and deliveries[position] is None:
            position += 1
        if start == self._head:
            self._head = position
        return int(position) if position < end else -1

    def at(self, position: int) -> Pending:
        """The delivery at a position."""
        pending = self._deliveries[position]
        assert pending is not None
        return pending

    def last(self) -> int:
        """The greatest id; there is one."""
        while self._deliveries[-1] is None:
            self._deliveries.pop()
            self.ids.pop()
        return self.ids[-1]

    def entries(self) -> list[tuple[int, Pending]]:
        """All entries."""
        found: list[tuple[int, Pending]] = []
        for ident, pending in zip(self.ids, self._deliveries, strict=True):
            if pending is not None:
                found.append((ident, pending))
        return found


class Consumer:
    """One reader of a group. Times are milliseconds."""

    __slots__ = ("active_ms", "name", "pending", "seen_ms")

    def __init__(self, name: bytes, now_ms: int) -> None:
        self.name = name
        self.seen_ms = now_ms  # when it last tried
        self.active_ms = UNKNOWN  # when it last got something
        self.pending = PendingEntries()

    def copy(self) -> Consumer:
        """One with the same deliveries, each its own."""
        twin = Consumer(self.name, self.seen_ms)
        twin.active_ms = self.active_ms
        for ident, found in self.pending.entries():
            twin.pending.add(ident, Pending(twin, found.delivered_ms, found.deliveries))
        return twin


class Group:
    """A group, which has delivered the entries up to `last_id`, `entries_read` of them as far as known."""

    __slots__ = ("consumers", "entries_read", "last_id", "pending")

    def __init__(self, last_id: int, entries_read: int) -> None:
        self.last_id = last_id
        self.entries_read = entries_read
        self.pending = PendingEntries()
        self.consumers: dict[bytes, Consumer] = {}

    def sorted_consumers(self) -> list[Consumer]:
        """The consumers by name, as Redis lists them."""
        return [self.consumers[name] for name in sorted(self.consumers)]

    def create_consumer(self, name: bytes, now_ms: int) -> Consumer:
        consumer = Consumer(name, now_ms)
        self.consumers[name] = consumer
        return consumer

    def remove_consumer(self, name: bytes) -> int:
        """Takes a consumer out, and all that is pending with it: how much that was."""
        consumer = self.consumers.pop(name)
        entries = consumer.pending.entries()
        for ident, _ in entries:
            self.pending.remove(ident)
        return len(entries)

    def deliver(self, ident: int, consumer: Consumer, now_ms: int) -> Pending:
        """Makes `ident`, which is not pending, pending with `consumer`."""
        pending = Pending(consumer, now_ms, 1)
        self.pending.add(ident, pending)
        consumer.pending.add(ident, pending)
        return pending

    def hand_over(self, ident: int, pending: Pending, consumer: Consumer) -> None:
        """`consumer` has it from now on."""
        if pending.consumer is not consumer:
            pending.consumer.pending.remove(ident)
            pending.consumer = consumer
            consumer.pending.add(ident, pending)

    def acknowledge(self, ident: int) -> bool:
        """`ident` is done with; False if it was not pending."""
        pending = self.pending.remove(ident)
        if pending is None:
            return False
        pending.consumer.pending.remove(ident)
        return True

    def copy(self) -> Group:
        twin = Group(self.last_id, self.entries_read)
        for name, consumer in self.consumers.items():
            twin.consumers[name] = consumer.copy()
        merged: list[tuple[int, Pending]] = []
        for consumer in twin.consumers.values():
            merged += consumer.pending.entries()
        merged.sort(key=_first)
        for ident, pending in merged:
            twin.pending.add(ident, pending)
        return twin


def _first(entry: tuple[int, Pending]) -> int:
    return entry[0]

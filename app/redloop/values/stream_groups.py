"""Consumer groups of a stream: who reads it together, what each was given and has not acknowledged.

An entry that was delivered and not acknowledged is pending, in the group and with one consumer: the same `Pending` stands in both. They
are walked in the order of ids:

    position = pending.seek(start)
    while position >= 0 and pending.order[position] <= end:
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
    """Pending entries by id. Ids come mostly in ascending order and go in about the same, so `order` keeps those gone for a while."""

    __slots__ = ("_head", "by_id", "order")

    def __init__(self) -> None:
        self.by_id: dict[int, Pending] = {}
        self.order: list[int] = []  # all ids, ascending, and some that have gone
        self._head: i64 = 0  # those before have gone

    def __len__(self) -> int:
        return len(self.by_id)

    def add(self, ident: int, pending: Pending) -> None:
        """Takes in an entry that is not in it."""
        self.by_id[ident] = pending
        order = self.order
        if not order or ident > order[-1]:
            order.append(ident)
            return
        position: i64 = bisect_left(order, ident)
        if order[position] != ident:
            order.insert(position, ident)
        if position < self._head:
            self._head = position

    def remove(self, ident: int) -> Pending | None:
        """Takes an entry out; None if it was not there. Positions are void after it."""
        pending = self.by_id.pop(ident, None)
        if pending is not None and len(self.order) > 2 * len(self.by_id) + SLACK:
            by_id = self.by_id
            self.order = [other for other in self.order if other in by_id]
            self._head = 0
        return pending

    def clear(self) -> None:
        self.by_id = {}
        self.order = []
        self._head = 0

    def seek(self, ident: int) -> int:
        """The position of the first id from `ident` on, -1 if there is none."""
        return self._live(bisect_left(self.order, ident, self._head))

    def next(self, position: int) -> int:
        """The next position, -1 at the end."""
        return self._live(position + 1)

    def _live(self, position: i64) -> int:
        order = self.order
        by_id = self.by_id
        end: i64 = len(order)
        start = position
        while position < end and order[position] not in by_id:
            position += 1
        if start == self._head:
            self._head = position
        return int(position) if position < end else -1

    def last(self) -> int:
        """The greatest id; there is one."""
        order = self.order
        while order[-1] not in self.by_id:
            order.pop()
        return order[-1]


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
        for ident in sorted(self.pending.by_id):
            found = self.pending.by_id[ident]
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
        idents = list(consumer.pending.by_id)
        for ident in idents:
            self.pending.remove(ident)
        return len(idents)

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
        for ident in sorted(self.pending.by_id):
            twin.pending.add(ident, twin.consumers[self.pending.by_id[ident].consumer.name].pending.by_id[ident])
        return twin

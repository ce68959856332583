"""Reading the values of RDB, of every kind that Redis has written since version 1.

`begin` reads the head of a value and gives a `Pending`, whose `step` reads the rest, a number of items at a time: a large value holds
nobody up, and one whose bytes have not all come goes on when they have. What comes out is held as Redis, with the same configuration,
would hold it after reading the same.

Nothing is believed: a value that is empty, holds something twice or not in order raises FormatError (EmptyError where there is just
nothing in it). A new type of value gets a branch in `begin`.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from redloop.config import Config
from redloop.numbers import as_float
from redloop.persistence.rdb import opcodes
from redloop.persistence.rdb.packs import FormatError, read_intset, read_listpack, read_ziplist, read_zipmap
from redloop.persistence.rdb.reader import Reader
from redloop.persistence.rdb.stream_packs import read_node
from redloop.values.hash import Hash
from redloop.values.list import List, Nodes, exceeds, oversized
from redloop.values.listpack import HEADER, entry_size
from redloop.values.set import HASHTABLE, Set, is_integer
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream
from redloop.values.stream_groups import UNKNOWN, Consumer, Group
from redloop.values.stream_groups import Pending as Delivery
from redloop.values.stream_ids import ID_BYTES, SEQUENCE_BITS

LONGEST: Final = 1 << 40

SCORE_NAN: Final = 253
SCORE_INFINITE: Final = 254
SCORE_MINUS_INFINITE: Final = 255


class EmptyError(FormatError):
    """A collection without anything in it."""


class Pending:
    """A value that is being read."""

    def __init__(self) -> None:
        self.value: object = None

    def step(self, reader: Reader, count: int) -> bool:
        """Reads up to `count` items; True when the value is whole."""
        raise NotImplementedError


def begin(kind: int, reader: Reader, config: Config, now_ms: int) -> Pending:
    """Reads the head of a value of that kind. `now_ms`: fields that are due by then are left out; -1 keeps all."""
    if kind == opcodes.STRING:
        return Whole(reader.string())
    if kind == opcodes.HASH_LISTPACK:
        return Whole(hash_of(read_listpack(reader.string()), True, config))
    if kind == opcodes.ZSET_LISTPACK:
        return Whole(sorted_set_of(read_listpack(reader.string()), config))
    if kind == opcodes.SET_LISTPACK:
        return Whole(set_of(read_listpack(reader.string()), config))
    if kind == opcodes.SET_INTSET:
        return Whole(set_of_integers(read_intset(reader.string()), config))
    if kind in (opcodes.LIST_QUICKLIST_2, opcodes.LIST_QUICKLIST, opcodes.LIST):
        return PendingList(kind, reader.length(), config)
    if kind == opcodes.SET:
        return PendingSet(reader.length(), config)
    if kind in (opcodes.ZSET_2, opcodes.ZSET):
        return PendingSortedSet(kind, reader.length(), config)
    if kind == opcodes.HASH:
        return PendingHash(reader.length(), -1, config, now_ms)
    if kind == opcodes.HASH_METADATA:
        soonest = reader.little(8)
        return PendingHash(reader.length(), soonest, config, now_ms)
    if kind == opcodes.HASH_METADATA_UNRELEASED:
        return PendingHash(reader.length(), 0, config, now_ms)
    if kind == opcodes.HASH_LISTPACK_EX:
        reader.little(8)  # when the first field is due, which the fields tell as well
        return Whole(hash_with_expiry(read_listpack(reader.string()), config, now_ms))
    if kind == opcodes.HASH_LISTPACK_EX_UNRELEASED:
        return Whole(hash_with_expiry(read_listpack(reader.string()), config, now_ms))
    if kind == opcodes.HASH_ZIPLIST:
        return Whole(hash_of(read_ziplist(reader.string()), True, config))
    if kind == opcodes.HASH_ZIPMAP:
        return Whole(hash_of(read_zipmap(reader.string()), False, config))
    if kind == opcodes.ZSET_ZIPLIST:
        return Whole(sorted_set_of(read_ziplist(reader.string()), config))
    if kind == opcodes.LIST_ZIPLIST:
        return Whole(list_of([read_ziplist(reader.string())], False, config))
    if kind in (opcodes.STREAM_LISTPACKS_3, opcodes.STREAM_LISTPACKS_2, opcodes.STREAM_LISTPACKS):
        return PendingStream(kind, reader.length())
    raise FormatError(f"Unknown RDB encoding type {kind}")


class Whole(Pending):
    """A value that was written as one string."""

    def __init__(self, value: object) -> None:
        self.value = value

    def step(self, reader: Reader, count: int) -> bool:
        return True


# --- lists -----------------------------------------------------------------------------------------------------------------------


def list_of(chunks: list[list[bytes]], plain: bool, config: Config) -> List:
    """A list with these nodes, as far as Redis would leave them as they are; `plain`: one of them was no listpack."""
    fill = config.list_max_listpack_size
    chunks = [chunk for chunk in chunks if chunk]
    if not chunks:
        raise EmptyError
    value = List()
    sizes: list[int] = []
    for chunk in chunks:
        size: i64 = HEADER
        for item in chunk:
            size += entry_size(item)
        sizes.append(int(size))
    if len(chunks) == 1 and not plain and not oversized(chunks[0][0], fill) and not exceeds(sizes[0], len(chunks[0]), fill, 1):
        value.push_tail(chunks[0], fill)
        return value
    nodes = Nodes([])
    nodes.chunks = chunks
    nodes.sizes = sizes
    nodes.quicklist = True
    value.nodes = nodes
    count: i64 = 0
    for chunk in chunks:
        count += len(chunk)
    value.count = count
    return value


class PendingList(Pending):
    """A list that comes item by item, or node by node."""

    def __init__(self, kind: int, count: i64, config: Config) -> None:
        self.value: object = None
        self.kind = kind
        self.left: i64 = count
        self.config = config
        self.chunks: list[list[bytes]] = []
        self.plain = False  # one of them
        self.list = List()

    def step(self, reader: Reader, count: int) -> bool:
        read = 0
        fill = self.config.list_max_listpack_size
        while self.left > 0 and read < count:
            if self.kind == opcodes.LIST:
                self.list.push_tail([reader.string()], fill)
                read += 1
            else:
                chunk = self._node(reader)
                read += len(chunk)
                if chunk:
                    self.chunks.append(chunk)
            self.left -= 1
            reader.done()
        if self.left > 0:
            return False
        if self.kind != opcodes.LIST:
            self.value = list_of(self.chunks, self.plain, self.config)
        elif len(self.list):
            self.value = self.list
        else:
            raise EmptyError
        return True

    def _node(self, reader: Reader) -> list[bytes]:
        if self.kind == opcodes.LIST_QUICKLIST:
            return read_ziplist(reader.string())
        container = reader.length()
        if container == opcodes.NODE_PLAIN:
            self.plain = True
            return [reader.string()]
        if container != opcodes.NODE_PACKED:
            raise FormatError("Quicklist integrity check failed.")
        return read_listpack(reader.string())


# --- sets ------------------------------------------------------------------------------------------------------------------------


def set_of(members: list[bytes], config: Config) -> Set:
    """A set that was a listpack."""
    if not members:
        raise EmptyError
    value = Set()
    value.kind = HASHTABLE if len(members) > config.set_max_listpack_entries else 1
    if not value.fill(members):
        raise FormatError("Set has duplicate members")
    return value


def set_of_integers(members: list[int], config: Config) -> Set:
    """A set that was an intset."""
    value = Set()
    for member in members:
        value.add(b"%d" % member)
    if len(members) > config.set_max_intset_entries:
        value.kind = HASHTABLE
    return value


class PendingSet(Pending):
    """A set that comes member by member."""

    def __init__(self, count: i64, config: Config) -> None:
        self.value: object = None
        self.left: i64 = count
        self.config = config
        self.set = Set()
        if count > config.set_max_intset_entries:
            self.set.kind = HASHTABLE

    def step(self, reader: Reader, count: int) -> bool:
        value = self.set
        config = self.config
        read = 0
        while self.left > 0 and read < count:
            if not value.add(reader.string()):
                raise FormatError("Duplicate set members detected")
            if value.kind != HASHTABLE:
                value.settle(config.set_max_intset_entries, config.set_max_listpack_entries, config.set_max_listpack_value)
            self.left -= 1
            read += 1
            reader.done()
        if self.left > 0:
            return False
        if not len(value):
            raise EmptyError
        self.value = value
        return True


# --- hashes ----------------------------------------------------------------------------------------------------------------------


def hash_of(flat: list[bytes], trusted: bool, config: Config) -> Hash:
    """A hash of fields and values in turn, which was compact; `trusted`: it stays so, whatever the length of its fields."""
    if not flat:
        raise EmptyError
    if len(flat) & 1:
        raise FormatError
    value = Hash()
    if not value.fill(flat):
        raise FormatError("Hash has duplicate fields")
    if trusted:
        value.longest = min(int(value.longest), config.hash_max_listpack_value)
    value.settle(config.hash_max_listpack_entries, config.hash_max_listpack_value)
    return value


def hash_with_expiry(triples: list[bytes], config: Config, now_ms: int) -> Hash:
    """A hash of field, value and expiry in turn, which was compact; it is of the kind with expiry even if none of its fields has one."""
    if not triples:
        raise EmptyError
    if len(triples) % 3:
        raise FormatError
    value = Hash()
    due_before = 0
    for at in range(0, len(triples), 3):
        due = _expiry(triples[at + 2])
        if due_before > due > 0 or (due_before == 0 and due > 0 and at > 0):
            raise FormatError("Hash fields are not in the order of their expiry")
        due_before = due
        if not value.set(triples[at], triples[at + 1]):
            raise FormatError("Hash has duplicate fields")
        if due:
            value.set_due(triples[at], due)
    value.extend()
    _expire(value, now_ms)
    value.longest = min(int(value.longest), config.hash_max_listpack_value)
    value.settle(config.hash_max_listpack_entries, config.hash_max_listpack_value)
    return value


def _expiry(text: bytes) -> int:
    if not is_integer(text):
        raise FormatError
    due = int(text)
    if not 0 <= due < LATEST_EXPIRY:
        raise FormatError
    return due


LATEST_EXPIRY: Final = 1 << 46
"""Fields of a hash are due before that, in milliseconds."""


def _expire(value: Hash, now_ms: int) -> None:
    if now_ms >= 0:
        value.expire(now_ms, len(value))
        if not len(value):
            raise EmptyError


class PendingHash(Pending):
    """A hash that comes field by field; with `soonest` from 0 on, each field behind its expiry."""

    def __init__(self, count: i64, soonest: int, config: Config, now_ms: int) -> None:
        self.value: object = None
        self.left: i64 = count
        self.soonest = soonest
        self.now_ms = now_ms
        self.config = config
        self.hash = Hash()
        if count > config.hash_max_listpack_entries:
            self.hash.compact = False

    def step(self, reader: Reader, count: int) -> bool:
        value = self.hash
        read = 0
        while self.left > 0 and read < count:
            due = 0
            if self.soonest >= 0:
                after = reader.natural()
                if after:
                    due = self.soonest + after - 1 if self.soonest else after
                    if due >= LATEST_EXPIRY:
                        raise FormatError
            field = reader.string()
            if not value.set(field, reader.string()):
                raise FormatError("Duplicate hash fields detected")
            if due:
                value.set_due(field, due)
            self.left -= 1
            read += 1
            reader.done()
        if self.left > 0:
            return False
        if not len(value):
            raise EmptyError
        if self.soonest >= 0:
            value.extend()
        value.settle(self.config.hash_max_listpack_entries, self.config.hash_max_listpack_value)
        _expire(value, self.now_ms)
        self.value = value
        return True


# --- sorted sets -----------------------------------------------------------------------------------------------------------------


def sorted_set_of(flat: list[bytes], config: Config) -> SortedSet:
    """A sorted set of members and scores in turn, which was compact."""
    if len(flat) & 1:
        raise FormatError
    scores: list[float] = []
    for at in range(1, len(flat), 2):
        score = as_float(flat[at])
        if score is None:
            raise FormatError
        scores.append(score)
    return _sorted_set(flat[::2], scores, config, True)


def _sorted_set(members: list[bytes], scores: list[float], config: Config, trusted: bool) -> SortedSet:
    if not members:
        raise EmptyError
    value = SortedSet()
    longest = config.zset_max_listpack_value
    value.fill(members, scores, config.zset_max_listpack_entries, LONGEST if trusted else longest)
    if trusted:
        value.longest = min(int(value.longest), longest)
    if len(value) != len(members):
        raise FormatError("Sorted set has duplicate members")
    return value


class PendingSortedSet(Pending):
    """A sorted set that comes member by member."""

    def __init__(self, kind: int, count: i64, config: Config) -> None:
        self.value: object = None
        self.kind = kind
        self.left: i64 = count
        self.config = config
        self.members: list[bytes] = []
        self.scores: list[float] = []

    def step(self, reader: Reader, count: int) -> bool:
        read = 0
        while self.left > 0 and read < count:
            member = reader.string()
            score = reader.double() if self.kind == opcodes.ZSET_2 else old_score(reader)
            if score != score:
                raise FormatError("Zset with NAN score detected")
            self.members.append(member)
            self.scores.append(score)
            self.left -= 1
            read += 1
            reader.done()
        if self.left > 0:
            return False
        self.members.reverse()  # they come from the highest down
        self.scores.reverse()
        self.value = _sorted_set(self.members, self.scores, self.config, False)
        return True


def old_score(reader: Reader) -> float:
    """A score as text, as it stood before version 8."""
    size: i64 = reader.byte()
    if size == SCORE_INFINITE:
        return float("inf")
    if size == SCORE_MINUS_INFINITE:
        return float("-inf")
    if size == SCORE_NAN:
        raise FormatError("Zset with NAN score detected")
    score = as_float(reader.take(size))
    if score is None:
        raise FormatError
    return score


# --- streams ---------------------------------------------------------------------------------------------------------------------

# What comes next of a stream.
NODES: Final = 0
GROUPS: Final = 1
DELIVERIES: Final = 2
CONSUMERS: Final = 3
CONSUMER_IDS: Final = 4


class PendingStream(Pending):
    """A stream that comes node by node, then group by group, each with what is pending, in all and for each consumer."""

    def __init__(self, kind: int, nodes: i64) -> None:
        self.value: object = None
        self.kind = kind
        self.stream = Stream()
        self.next: i64 = NODES
        self.left: i64 = nodes  # of what comes next
        self.groups_left: i64 = 0
        self.consumers_left: i64 = 0
        self.group = Group(0, UNKNOWN)
        self.consumer = Consumer(b"", 0)
        self.nobody = Consumer(b"", 0)  # has what no consumer has claimed yet

    def step(self, reader: Reader, count: int) -> bool:
        read = 0
        while read < count:
            if self.left > 0:
                read += self._item(reader)
                self.left -= 1
            elif not self._section(reader):
                self.value = self.stream
                return True
            reader.done()
        return False

    def _item(self, reader: Reader) -> int:
        """Reads one of what comes next; how much that was."""
        if self.next == NODES:
            name = reader.string()
            node = read_node(name, reader.string())
            if self.stream.nodes and node.master <= self.stream.nodes[-1].id_at(int(self.stream.nodes[-1].count) - 1):
                raise FormatError("Listpack re-added with existing key")
            self.stream.add_node(node)
            return int(node.count)
        ident = int.from_bytes(reader.take(ID_BYTES), "big")
        if self.next == DELIVERIES:
            delivered_ms = reader.little(8, True)
            if self.group.pending.get(ident) is not None:
                raise FormatError("Duplicated global PEL entry loading stream consumer group")
            self.group.pending.add(ident, Delivery(self.nobody, delivered_ms, reader.natural()))
            return 1
        pending = self.group.pending.get(ident)
        if pending is None:
            raise FormatError("Consumer entry not found in group global PEL")
        if pending.consumer is not self.nobody:
            raise FormatError("Duplicated consumer PEL entry loading a stream consumer group")
        pending.consumer = self.consumer
        self.consumer.pending.add(ident, pending)
        return 1

    def _section(self, reader: Reader) -> bool:
        """Goes on to what comes behind; False at the end."""
        if self.next == NODES:
            self._read_tail(reader)
            self.next = GROUPS
        elif self.next == DELIVERIES:
            self.consumers_left = reader.length()
            self.next = CONSUMERS
        elif self.next != GROUPS and self.consumers_left > 0:
            self._read_consumer(reader)
            self.consumers_left -= 1
            self.next = CONSUMER_IDS
        else:
            if self.next != GROUPS:
                self._check_group()
            if self.groups_left == 0:
                return False
            self._read_group(reader)
            self.groups_left -= 1
            self.next = DELIVERIES
        return True

    def _read_tail(self, reader: Reader) -> None:
        stream = self.stream
        length = reader.length()
        stream.last_id = self._id(reader)
        stream.recount()
        if stream.length != length:
            raise FormatError("Stream length inconsistent with rax entries")
        if self.kind == opcodes.STREAM_LISTPACKS:
            stream.entries_added = length
        else:
            stream.first_id = self._id(reader)
            stream.max_deleted_id = self._id(reader)
            stream.entries_added = reader.natural()
        self.groups_left = reader.length()

    def _id(self, reader: Reader) -> int:
        ms = reader.natural()
        return ms << SEQUENCE_BITS | reader.natural()

    def _read_group(self, reader: Reader) -> None:
        name = reader.string()
        last_id = self._id(reader)
        entries_read = self.stream.entries_up_to(last_id) if self.kind == opcodes.STREAM_LISTPACKS else reader.natural()
        self.left = reader.length()
        group = self.stream.create_group(name, last_id, UNKNOWN if entries_read >> 63 else entries_read)
        if group is None:
            raise FormatError("Duplicated consumer group name loading a stream")
        self.group = group

    def _read_consumer(self, reader: Reader) -> None:
        name = reader.string()
        seen_ms = reader.little(8, True)
        active_ms = reader.little(8, True) if self.kind == opcodes.STREAM_LISTPACKS_3 else seen_ms
        self.left = reader.length()
        if name in self.group.consumers:
            raise FormatError("Duplicated consumer name loading a stream consumer group")
        self.consumer = self.group.create_consumer(name, seen_ms)
        self.consumer.active_ms = active_ms

    def _check_group(self) -> None:
        """All that is pending is so with somebody."""
        owned = 0
        for consumer in self.group.consumers.values():
            owned += len(consumer.pending)
        if owned != len(self.group.pending):
            raise FormatError("NACK entry without consumer")

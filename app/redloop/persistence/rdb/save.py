"""Writing RDB: values, keys with all that belongs to them, and what stands around them in a file.

Everything gathers in `Writer.parts`, to be joined and written by whoever wants it. A value is of one of the kinds that `opcodes` names, by
its class and by the encoding Redis would hold it in, so that Redis finds it again as it would have kept it. The version can be lowered
for older servers, which get plain kinds in place of those they do not know (and lose the expiry of fields).

A collection with many items is written in steps: `Writer.key` then returns what is left to write, an `Items`. Should the value be about to
change before all is written, `detach` makes the rest independent of it. A new type of value gets a kind in `kind_of`, a branch in `_body`,
and an `Items` class if it can be large.
"""

from __future__ import annotations

from struct import pack
from typing import Final

from mypy_extensions import i64

from redloop.config import Config
from redloop.numbers import format_double
from redloop.persistence.rdb import opcodes
from redloop.persistence.rdb.codecs import LONGEST_UNCOMPRESSED, compress
from redloop.persistence.rdb.packs import write_intset, write_listpack
from redloop.persistence.rdb.stream_packs import write_node
from redloop.values.hash import NEVER, Hash
from redloop.values.list import List, oversized
from redloop.values.scores import Scores
from redloop.values.set import HASHTABLE, INTSET, Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream
from redloop.values.stream_groups import Consumer, Group, Pending, PendingEntries
from redloop.values.stream_ids import ID_BYTES, MAX_PART, SEQUENCE_BITS

LARGE: Final = 512
"""Items of a collection that are written in one step."""
LARGE_STRING: Final = 1 << 20
"""Strings from here on are left as they are in a file: compressing them would hold up the loop."""
LONGEST_INTEGER: Final = 11

_LENGTHS: Final = [bytes([length]) for length in range(64)]
_KINDS: Final = [bytes([kind]) for kind in range(256)]


def length_bytes(length: i64) -> bytes:
    """A length as it stands before what it counts."""
    if length < 64:
        return _LENGTHS[length]
    if length < 16384:
        return bytes([int(0x40 | (length >> 8)), int(length & 255)])
    if length < 0x100000000:
        return b"\x80" + int(length).to_bytes(4, "big")
    return b"\x81" + int(length).to_bytes(8, "big")


def natural_bytes(number: int) -> bytes:
    """A natural number of up to 64 bits, written like a length."""
    return length_bytes(number) if number < 1 << 32 else b"\x81" + number.to_bytes(8, "big")


def kind_of(value: object, version: int) -> int:
    """The kind of `value` in a file of that version."""
    if isinstance(value, (bytes, int, bytearray)):
        return opcodes.STRING
    listpacks = version >= opcodes.LISTPACKS_SINCE
    if isinstance(value, List):
        return opcodes.LIST_QUICKLIST_2 if listpacks else opcodes.LIST
    if isinstance(value, Set):
        if value.kind == INTSET:
            return opcodes.SET_INTSET
        return opcodes.SET if value.kind == HASHTABLE or version < opcodes.SET_LISTPACKS_SINCE else opcodes.SET_LISTPACK
    if isinstance(value, Hash):
        if value.compact and listpacks:
            if value.expires is None:
                return opcodes.HASH_LISTPACK
            if version >= opcodes.FIELD_EXPIRY_SINCE:
                return opcodes.HASH_LISTPACK_EX
        elif value.soonest != NEVER and version >= opcodes.FIELD_EXPIRY_SINCE:
            return opcodes.HASH_METADATA
        return opcodes.HASH
    if isinstance(value, SortedSet):
        return opcodes.ZSET_LISTPACK if value.compact and listpacks else opcodes.ZSET_2
    if isinstance(value, Stream):
        if version >= opcodes.STREAM_ACTIVE_TIMES_SINCE:
            return opcodes.STREAM_LISTPACKS_3
        return opcodes.STREAM_LISTPACKS_2 if listpacks else opcodes.STREAM_LISTPACKS
    raise TypeError(f"not a value: {type(value).__name__}")


class Writer:
    """Gathers what is to be written. `size` counts the bytes in `parts`, roughly."""

    def __init__(self, config: Config, version: int = opcodes.VERSION) -> None:
        self.parts: list[bytes] = []
        self.size: i64 = 0
        self.version = version
        self.fill: int = config.list_max_listpack_size
        self.compressing: bool = config.rdbcompression
        self.longest_compressed: i64 = LARGE_STRING

    def flush(self) -> bytes:
        """What has gathered."""
        data = b"".join(self.parts)
        self.parts = []
        self.size = 0
        return data

    # --- elements ----------------------------------------------------------------------------------------------------------------

    def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self.parts.append(data)
        self.size += len(data)

    def length(self, length: i64) -> None:
        self.raw(length_bytes(length))

    def string(self, text: bytes) -> None:
        """A string, as an integer or compressed where it can be."""
        size: i64 = len(text)
        parts = self.parts
        if size <= LONGEST_INTEGER:
            if size > 0:
                first: i64 = text[0]
                if 45 <= first <= 57:
                    number = as_int32(text)
                    if number:
                        self.raw(number)
                        return
            parts.append(_LENGTHS[size])
        else:
            if size > LONGEST_UNCOMPRESSED and self.compressing and size <= self.longest_compressed:
                packed = compress(text)
                if packed is not None:
                    self.raw(b"\xc3" + length_bytes(len(packed)) + length_bytes(size))
                    self.raw(packed)
                    return
            parts.append(length_bytes(size))
        parts.append(text)
        self.size += size + 1

    # --- keys --------------------------------------------------------------------------------------------------------------------

    def key(self, key: bytes, value: object, due: int, idle: int = -1, frequency: int = -1) -> Items | None:
        """A key with its value; what is left to be written of a large one. `due`: milliseconds, -1 for never; `idle`: seconds."""
        if due >= 0:
            self.raw(b"\xfc" + due.to_bytes(8, "little", signed=True))
        if idle >= 0:
            self.raw(b"\xf8" + length_bytes(idle))
        if frequency >= 0:
            self.raw(b"\xf9%c" % frequency)
        kind = kind_of(value, self.version)
        self.raw(_KINDS[kind])
        self.string(key)
        items = self._body(kind, value)
        if items is not None and not items.step(self, LARGE):
            return None
        return items

    def payload(self, value: object) -> None:
        """A value behind its kind, as DUMP has it."""
        items = self.begin_payload(value)
        if items is not None:
            while items.step(self, LARGE):
                pass

    def begin_payload(self, value: object) -> Items | None:
        """The same, but for the items of those that have some to be written one by one, which it returns."""
        kind = kind_of(value, self.version)
        self.raw(_KINDS[kind])
        return self._body(kind, value)

    def _body(self, kind: int, value: object) -> Items | None:
        """Writes a value without its kind; returns the items of those that have some to be written one by one."""
        if isinstance(value, bytes):
            self.string(value)
        elif isinstance(value, int):
            self.string(b"%d" % value)
        elif isinstance(value, bytearray):
            self.string(bytes(value))
        elif isinstance(value, List):
            return ListItems(self, kind, value)
        elif isinstance(value, Set):
            if kind == opcodes.SET_INTSET:
                self.string(write_intset([int(member) for member in value.members()]))
            elif kind == opcodes.SET_LISTPACK:
                self.string(write_listpack(value.members()))
            else:
                return SetItems(self, value)
        elif isinstance(value, Hash):
            if kind == opcodes.HASH_LISTPACK:
                self.string(write_listpack(value.flat()))
            elif kind == opcodes.HASH_LISTPACK_EX:
                self.raw(_soonest(value))
                self.string(write_listpack(_fields_with_expiry(value)))
            else:
                return HashItems(self, kind, value)
        elif isinstance(value, SortedSet):
            if kind == opcodes.ZSET_LISTPACK:
                self.string(write_listpack(_members_and_scores(value)))
            else:
                return SortedSetItems(self, value)
        elif isinstance(value, Stream):
            return StreamItems(self, kind, value)
        return None

    # --- a file ------------------------------------------------------------------------------------------------------------------

    def begin_file(self, facts: list[tuple[bytes, bytes]]) -> None:
        """The head of a file, with AUX fields."""
        self.raw(b"%b%04d" % (opcodes.MAGIC, self.version))
        for name, text in facts:
            self.raw(_KINDS[opcodes.AUX])
            self.string(name)
            self.string(text)

    def function(self, code: bytes) -> None:
        """The source of a library of functions."""
        self.raw(_KINDS[opcodes.FUNCTION])
        self.string(code)

    def select(self, index: int) -> None:
        """What follows are keys of that database."""
        self.raw(_KINDS[opcodes.SELECT_DB] + length_bytes(index))

    def resize(self, keys: int, expiring: int) -> None:
        """How many keys the database will have, and how many of them with an expiry."""
        self.raw(_KINDS[opcodes.RESIZE_DB] + length_bytes(keys) + length_bytes(expiring))

    def end_file(self) -> None:
        """What stands before the checksum."""
        self.raw(_KINDS[opcodes.EOF])


def as_int32(text: bytes) -> bytes:
    """A string that prints as an integer of 32 bits, as that integer; nothing if it does not."""
    digits = text[1:] if text[0] == 45 else text
    if not digits.isdigit() or (digits[0] == 48 and text != b"0"):
        return b""
    number = int(text)
    if -128 <= number < 128:
        return b"\xc0" + number.to_bytes(1, "little", signed=True)
    if -32768 <= number < 32768:
        return b"\xc1" + number.to_bytes(2, "little", signed=True)
    if -2147483648 <= number < 2147483648:
        return b"\xc2" + number.to_bytes(4, "little", signed=True)
    return b""


def _soonest(value: Hash) -> bytes:
    soonest = value.soonest
    return (0 if soonest == NEVER else int(soonest)).to_bytes(8, "little")


def _fields_with_expiry(value: Hash) -> list[bytes]:
    """Field, value, expiry in turn; the expiry is 0 for never."""
    found: list[bytes] = []
    flat = value.flat()
    for at in range(0, len(flat), 2):
        found.append(flat[at])
        found.append(flat[at + 1])
        found.append(b"%d" % max(value.due(flat[at]), 0))
    return found


def _members_and_scores(value: SortedSet) -> list[bytes]:
    found: list[bytes] = []
    count = len(value)
    members = value.members(0, count)
    scores = value.scores(0, count)
    for at in range(count):
        found.append(members[at])
        found.append(format_double(scores[at]))
    return found


# --- collections, item by item -----------------------------------------------------------------------------------------------------


class Items:
    """What is left to be written of one collection."""

    def step(self, writer: Writer, count: int) -> bool:
        """Writes at least `count` items if as many are left; False when that was all."""
        raise NotImplementedError

    def detach(self) -> None:
        """The value is about to change: keeps what is left as it is."""
        raise NotImplementedError


class ListItems(Items):
    """The nodes of a list, or for older servers its items."""

    def __init__(self, writer: Writer, kind: int, value: List) -> None:
        nodes = value.nodes
        if nodes is None:
            self.chunks = [value.items()]
        else:
            nodes.unstage()
            self.chunks = nodes.chunks.copy()
        self.chunks.reverse()
        self.plain = kind == opcodes.LIST
        writer.length(len(value) if self.plain else len(self.chunks))

    def step(self, writer: Writer, count: int) -> bool:
        written = 0
        while self.chunks and written < count:
            chunk = self.chunks.pop()
            written += len(chunk)
            if self.plain:
                for item in chunk:
                    writer.string(item)
            elif len(chunk) == 1 and oversized(chunk[0], writer.fill):
                writer.length(opcodes.NODE_PLAIN)
                writer.string(chunk[0])
            else:
                writer.length(opcodes.NODE_PACKED)
                writer.string(write_listpack(chunk))
        return bool(self.chunks)

    def detach(self) -> None:
        self.chunks = [chunk.copy() for chunk in self.chunks]


class SetItems(Items):
    """The members of a set."""

    def __init__(self, writer: Writer, value: Set) -> None:
        self.members: list[bytes] = []
        self.parts: list[dict[bytes, object]] = []
        if value.table is None:
            self.members = value.members()
        else:
            self.parts = value.table.parts().copy()
        writer.length(len(value))

    def step(self, writer: Writer, count: int) -> bool:
        written = 0
        while written < count:
            for member in self.members:
                writer.string(member)
            written += len(self.members)
            if not self.parts:
                return False
            self.members = list(self.parts.pop())
        return True

    def detach(self) -> None:
        self.parts = [part.copy() for part in self.parts]


class HashItems(Items):
    """The fields of a hash, with their expiry if there is any."""

    def __init__(self, writer: Writer, kind: int, value: Hash) -> None:
        self.flat: list[bytes] = []
        self.parts: list[dict[bytes, object]] = []
        self.expires: Scores | None = None
        self.soonest = 0
        if value.table is None:
            self.flat = value.flat()
        else:
            self.parts = value.table.parts().copy()
        if kind == opcodes.HASH_METADATA:
            self.expires = value.expires
            self.soonest = int(value.soonest)
            writer.raw(_soonest(value))
        writer.length(len(value))

    def step(self, writer: Writer, count: int) -> bool:
        written = 0
        while written < count:
            flat = self.flat
            for at in range(0, len(flat), 2):
                self._field(writer, flat[at], flat[at + 1])
            self.flat = []
            written += len(flat) // 2
            if not self.parts:
                return False
            part = self.parts.pop()
            written += len(part)
            for field, value in part.items():
                if isinstance(value, bytes):
                    self._field(writer, field, value)
        return bool(self.parts)

    def _field(self, writer: Writer, field: bytes, value: bytes) -> None:
        if self.expires is not None:
            due = self.expires.score(field)
            writer.length(0 if due is None else int(due) - self.soonest + 1)
        writer.string(field)
        writer.string(value)

    def detach(self) -> None:
        self.parts = [part.copy() for part in self.parts]
        if self.expires is not None:
            self.expires = self.expires.copy()


class SortedSetItems(Items):
    """Members and scores, the highest first."""

    def __init__(self, writer: Writer, value: SortedSet) -> None:
        if value.big is None:
            self.members = [value.members(0, len(value))]
            self.scores = [value.weights]
        else:
            self.members = value.big.ranking.members.copy()
            self.scores = value.big.ranking.scores.copy()
        writer.length(len(value))

    def step(self, writer: Writer, count: int) -> bool:
        written = 0
        while self.members and written < count:
            members = self.members.pop()
            scores = self.scores.pop()
            written += len(members)
            for at in range(len(members) - 1, -1, -1):
                writer.string(members[at])
                writer.raw(pack("<d", scores[at]))
        return bool(self.members)

    def detach(self) -> None:
        self.members = [chunk.copy() for chunk in self.members]
        self.scores = [chunk[:] for chunk in self.scores]


class StreamItems(Items):
    """The nodes of a stream, what it knows beside them, and its groups with all that is pending."""

    def __init__(self, writer: Writer, kind: int, value: Stream) -> None:
        self.kind = kind
        self.nodes = value.nodes.copy()
        self.nodes.reverse()
        self.tail = _stream_tail(kind, value)

        # Groups to come; of the one at hand consumers to come; of it or of a consumer what is pending and to come.
        self.groups: list[tuple[bytes, Group]] = [(name, value.groups[name]) for name in reversed(value.sorted_groups())]
        self.consumers: list[Consumer] = []
        self.pending: list[tuple[int, Pending]] = []
        self.of_consumer = False  # so that only the ids are written
        self.consumers_due = -1  # how many, while that is to be written
        writer.length(len(self.nodes))

    def step(self, writer: Writer, count: int) -> bool:
        written = 0
        while written < count:
            written += 1
            if self.nodes:
                node = self.nodes.pop()
                writer.string(node.master.to_bytes(ID_BYTES, "big"))
                writer.string(write_node(node))
                written += int(node.count)
            elif self.tail:
                writer.raw(self.tail)
                self.tail = b""
            elif self.pending:
                ident, pending = self.pending.pop()
                writer.raw(ident.to_bytes(ID_BYTES, "big"))
                if not self.of_consumer:
                    writer.raw(pending.delivered_ms.to_bytes(8, "little", signed=True) + natural_bytes(pending.deliveries))
            elif self.consumers_due >= 0:
                writer.length(self.consumers_due)
                self.consumers_due = -1
                self.of_consumer = True
            elif self.consumers:
                self._begin_consumer(writer, self.consumers.pop())
            elif self.groups:
                name, group = self.groups.pop()
                self._begin_group(writer, name, group)
            else:
                return False
        return True

    def _begin_group(self, writer: Writer, name: bytes, group: Group) -> None:
        writer.string(name)
        writer.raw(_id_as_naturals(group.last_id))
        if self.kind != opcodes.STREAM_LISTPACKS:
            writer.raw(natural_bytes(group.entries_read & MAX_PART))
        writer.length(len(group.pending))
        self._take(group.pending)
        self.of_consumer = False
        self.consumers = group.sorted_consumers()
        self.consumers.reverse()
        self.consumers_due = len(self.consumers)

    def _begin_consumer(self, writer: Writer, consumer: Consumer) -> None:
        writer.string(consumer.name)
        writer.raw(consumer.seen_ms.to_bytes(8, "little", signed=True))
        if self.kind == opcodes.STREAM_LISTPACKS_3:
            writer.raw(consumer.active_ms.to_bytes(8, "little", signed=True))
        writer.length(len(consumer.pending))
        self._take(consumer.pending)

    def _take(self, pending: PendingEntries) -> None:
        self.pending = pending.entries()
        self.pending.reverse()

    def detach(self) -> None:
        for node in self.nodes:
            node.shared = True
        self.groups = [(name, group.copy()) for name, group in self.groups]
        self.pending = [(ident, pending.copy()) for ident, pending in self.pending]
        self.consumers = [consumer.copy() for consumer in self.consumers]


def _id_as_naturals(ident: int) -> bytes:
    return natural_bytes(ident >> SEQUENCE_BITS) + natural_bytes(ident & MAX_PART)


def _stream_tail(kind: int, value: Stream) -> bytes:
    """What a stream knows beside its entries, up to the number of its groups."""
    tail = length_bytes(value.length) + _id_as_naturals(value.last_id)
    if kind != opcodes.STREAM_LISTPACKS:
        tail += _id_as_naturals(value.first_id) + _id_as_naturals(value.max_deleted_id) + natural_bytes(value.entries_added)
    return tail + length_bytes(len(value.groups))

"""Values as commands: how a rewritten append-only file makes a key again, in the words of redis-server's own rewrite.

A collection comes in commands of at most 64 items, so that loading it never takes one long command; a large one is written in steps, from a
list of its items as they were. (Streams, and hashes with fields that expire, are not.) A new type of value gets a branch here.
"""

from __future__ import annotations

from typing import Final

from redloop.keyspace.database import Keyspace
from redloop.numbers import format_double
from redloop.persistence.snapshot import Form
from redloop.resp.encode import encode_command
from redloop.values.hash import NEVER, Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream
from redloop.values.stream_groups import Group
from redloop.values.stream_ids import MAX_ID, format_id

ITEMS: Final = 64
STEP: Final = 8 * ITEMS
"""Items that are written in one step."""


class Parts:
    """What is left of a collection that `command` makes, so many items at a time. `words`: items, or fields and their values in turn."""

    def __init__(self, command: bytes, key: bytes, words: list[bytes], width: int, scores: list[float]) -> None:
        self.command = command
        self.key = key
        self.words = words
        self.width = width  # words of an item
        self.scores = scores  # of the words, or none
        self.at = 0

    def step(self, items: int) -> bytes:
        """The commands for the next `items`, a multiple of ITEMS or all that are left."""
        commands: list[bytes] = []
        stop = min(self.at + items * self.width, len(self.words))
        while self.at < stop:
            start = self.at
            self.at = min(start + ITEMS * self.width, stop)
            words = self.words[start : self.at]
            if self.scores:
                words = _with_scores(words, self.scores[start : self.at])
            commands.append(encode_command([self.command, self.key, *words]))
        return b"".join(commands)

    def left(self) -> int:
        """How many items."""
        return (len(self.words) - self.at) // self.width


def parts_of(key: bytes, value: object) -> Parts | None:
    """The value as parts; None if it is no collection, or one that does not come in parts."""
    if isinstance(value, List):
        return Parts(b"RPUSH", key, value.items(), 1, [])
    if isinstance(value, Set):
        return Parts(b"SADD", key, value.members(), 1, [])
    if isinstance(value, SortedSet):
        count = len(value)
        return Parts(b"ZADD", key, value.members(0, count), 1, value.scores(0, count))
    if isinstance(value, Hash) and value.expires is None:
        return Parts(b"HMSET", key, value.flat(), 2, [])
    return None


class CommandForm(Form):
    """A snapshot as commands; `timestamp`: it begins with an annotation that tells the time; `libraries`: the sources of functions."""

    def __init__(self, timestamp: bool, libraries: list[bytes]) -> None:
        self.size = 0
        self._timestamp = timestamp
        self._libraries = libraries
        self._parts: list[bytes] = []
        self._database = -1
        self._left: Parts | None = None  # of a large value
        self._due = -1

    def begin(self, keyspace: Keyspace) -> None:
        if self._timestamp:
            self._add(b"#TS:%d\r\n" % (keyspace.clock.now_ms() // 1000))
        for code in self._libraries:
            self._add(encode_command([b"FUNCTION", b"LOAD", code]))

    def take(self, number: int, key: bytes, value: object, due: int, used: int) -> bool:
        if number != self._database:
            self._database = number
            self._add(encode_command([b"SELECT", b"%d" % number]))
        parts = None if isinstance(value, bytes) else parts_of(key, value)
        if parts is not None and parts.left() > STEP:
            self._left = parts
            self._due = due
            return True
        self._add(parts.step(STEP) + _expiry(key, due) if parts is not None else key_as_commands(key, value, due))
        return False

    def more(self) -> bool:
        parts = self._left
        if parts is None:
            return False
        self._add(parts.step(STEP))
        if parts.left():
            return True
        self._add(_expiry(parts.key, self._due))
        self._left = None
        return False

    def _add(self, data: bytes) -> None:
        self._parts.append(data)
        self.size += len(data)

    def flush(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        self.size = 0
        return data


def key_as_commands(key: bytes, value: object, due: int) -> bytes:
    """The commands, as RESP, that make `key`; `due` is the millisecond it expires, -1 for never."""
    if isinstance(value, bytes):
        data = encode_command([b"SET", key, value])
    elif isinstance(value, int):
        data = encode_command([b"SET", key, b"%d" % value])
    elif isinstance(value, bytearray):
        data = encode_command([b"SET", key, bytes(value)])
    elif (parts := parts_of(key, value)) is not None:
        data = parts.step(parts.left())
    elif isinstance(value, Hash):
        data = _expiring_hash(key, value)
    elif isinstance(value, Stream):
        data = _stream(key, value)
    else:
        raise TypeError(f"not a value: {type(value).__name__}")
    return data + _expiry(key, due)


def _expiry(key: bytes, due: int) -> bytes:
    return encode_command([b"PEXPIREAT", key, b"%d" % due]) if due >= 0 else b""


def _with_scores(members: list[bytes], scores: list[float]) -> list[bytes]:
    words: list[bytes] = []
    for score, member in zip(scores, members, strict=True):
        words.append(format_double(score))
        words.append(member)
    return words


def _expiring_hash(key: bytes, value: Hash) -> bytes:
    commands: list[bytes] = []
    flat = value.flat()
    for at in range(0, len(flat), 2):
        field = flat[at]
        commands.append(encode_command([b"HMSET", key, field, flat[at + 1]]))
        due = value.due(field)
        if 0 <= due < NEVER:
            commands.append(encode_command([b"HPEXPIREAT", key, b"%d" % due, b"FIELDS", b"1", field]))
    return b"".join(commands)


def _stream(key: bytes, value: Stream) -> bytes:
    """The entries one by one, and what a stream knows beside them."""
    commands = [encode_command([b"XADD", key, format_id(ident), *pairs]) for ident, pairs in value.range(0, MAX_ID, 0)]
    if not commands:
        commands.append(encode_command([b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]))
    last, deleted = format_id(value.last_id), format_id(value.max_deleted_id)
    commands.append(
        encode_command([b"XSETID", key, last, b"ENTRIESADDED", b"%d" % value.entries_added, b"MAXDELETEDID", deleted])
    )
    for name in value.sorted_groups():
        commands += _group(key, name, value.groups[name])
    return b"".join(commands)


def _group(key: bytes, name: bytes, group: Group) -> list[bytes]:
    read = b"%d" % group.entries_read
    commands = [encode_command([b"XGROUP", b"CREATE", key, name, format_id(group.last_id), b"ENTRIESREAD", read])]
    for consumer in group.sorted_consumers():
        if not len(consumer.pending):
            commands.append(encode_command([b"XGROUP", b"CREATECONSUMER", key, name, consumer.name]))
        for ident, pending in consumer.pending.entries():
            commands.append(
                encode_command(
                    [
                        b"XCLAIM", key, name, consumer.name, b"0", format_id(ident), b"TIME", b"%d" % pending.delivered_ms,
                        b"RETRYCOUNT", b"%d" % pending.deliveries, b"JUSTID", b"FORCE",
                    ]
                )
            )  # fmt: skip
    return commands

"""KEYS and SCAN: walking the keys of a database (https://redis.io/docs/latest/commands/scan/).

A SCAN cursor is a position in the order of the keys' hashes (`Database.scan`), so it needs no memory on the server and never expires.
"""

from __future__ import annotations

from typing import Final, cast

from mypy_extensions import i64

from redloop.engine.client import Client
from redloop.engine.command import READONLY, TOUCHES_ARBITRARY_KEYS, family
from redloop.engine.options import Options
from redloop.engine.slices import Work, may_slice, work_off
from redloop.errors import INVALID_CURSOR, NOVALUES_ONLY_HSCAN, SYNTAX, RedisError
from redloop.keyspace.database import Database
from redloop.keyspace.segment import POSITION_BITS, POSITION_MASK
from redloop.numbers import as_cursor
from redloop.patterns import Pattern, compile_pattern
from redloop.resp.encode import array_header, encode_items
from redloop.resp.replies import NOTHING, Reply
from redloop.values.types import type_name

command = family("generic")

SLICED_FROM: Final = 20_000
"""Keys of a database above which KEYS is worked off in slices."""
SEGMENTS_AT_ONCE: Final = 8


class KeysInSlices(Work):
    """KEYS, some segments at a time."""

    def __init__(self, database: Database, pattern: Pattern) -> None:
        self.database = database
        self.pattern = pattern
        self.position: i64 = 0
        self.count: i64 = 0
        self.pieces: list[bytes] = []

    def advance(self) -> bool:
        for _ in range(SEGMENTS_AT_ONCE):
            if self.position > POSITION_MASK:
                return False
            self._take()
        return True

    def _take(self) -> None:
        """Takes the keys that match from the position to the end of a segment's range."""
        segment, end = self.database.segment_at(self.position)
        found = self.database.keys_of(segment)
        bits: i64 = POSITION_BITS - segment.depth
        if (self.position >> bits) << bits != self.position:  # two segments have become one meanwhile
            found = [key for key in found if hash(key) & POSITION_MASK >= self.position]
        self.position = end
        if not self.pattern.everything:
            found = self.pattern.select(found)
        if found:
            self.count += len(found)
            encoded: list[bytes] = []
            encode_items(cast(list[object], found), encoded, resp3=False)
            self.pieces.append(b"".join(encoded))

    def reply(self, out: list[bytes], resp3: bool) -> None:
        out.append(array_header(self.count))
        out.extend(self.pieces)


@command(
    "KEYS pattern",
    "All keys that match a glob.",
    READONLY | TOUCHES_ARBITRARY_KEYS, since="1.0.0", complexity="O(N)",
    tips="request_policy:all_shards nondeterministic_output_order", acl="dangerous",
)
def keys(client: Client, argv: list[bytes]) -> Reply:
    pattern = compile_pattern(argv[1])
    if client.db.size > SLICED_FROM and may_slice(client):
        work_off(client, argv, KeysInSlices(client.db, pattern))
        return NOTHING
    found = client.db.keys()
    return found if pattern.everything else pattern.select(found)


@command(
    "SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]",
    "Some keys, and a cursor to go on with.",
    READONLY | TOUCHES_ARBITRARY_KEYS, since="2.8.0", complexity="O(1)",
    tips="nondeterministic_output request_policy:special response_policy:special", added={"6.0.0": "type"},
)
def scan(client: Client, argv: list[bytes]) -> Reply:
    cursor = as_cursor(argv[1])
    if cursor is None:
        raise RedisError(INVALID_CURSOR)
    pattern: Pattern | None = None
    count = 10
    kind = b""
    options = Options(argv, 2)
    while options.more():
        word = options.word()
        if word == b"NOVALUES":
            raise RedisError(NOVALUES_ONLY_HSCAN)
        if not options.more():
            raise RedisError(SYNTAX)
        match word:
            case b"COUNT":
                count = options.integer()
                if count < 1:
                    raise RedisError(SYNTAX)
            case b"MATCH":
                pattern = compile_pattern(options.value())
            case b"TYPE":
                kind = options.value().lower()
            case _:
                raise RedisError(SYNTAX)
    db = client.db
    cursor, found = db.scan(cursor, count)
    if pattern is not None and not pattern.everything:
        found = pattern.select(found)
    if kind or db.volatile:
        present: list[bytes] = []
        for key in found:
            value = db.peek(key)  # expires what is due
            if value is not None and (not kind or type_name(value) == kind):
                present.append(key)
        found = present
    return [b"%d" % cursor, found]

"""XREAD and XREADGROUP: the entries of several streams behind an id each, now or as soon as there are some.

Both read their request alike (`_Request`) and wait alike. Only what a stream gives differs: with a group, what is new to the group
(`_read_group`), or what the consumer was given before and has not acknowledged (`_history`).
"""

from __future__ import annotations

from typing import Final

from redloop.commands.stream_groups import active_consumer, pass_on_claim, pass_on_position
from redloop.commands.streams import as_stream, entry_reply
from redloop.engine.blocking import block
from redloop.engine.client import Client
from redloop.engine.command import BLOCKING, READONLY, WRITE, family
from redloop.engine.options import Options, stream_id, timeout_milliseconds
from redloop.errors import (
    SYNTAX,
    XREAD_NEW,
    XREADGROUP_WITHOUT_GROUP,
    RedisError,
    meaningless_id,
    no_group,
    only_xreadgroup,
    unbalanced_streams,
)
from redloop.resp.replies import NULL_ARRAY, Pairs, Reply
from redloop.values.stream import Stream
from redloop.values.stream_groups import UNKNOWN, Consumer, Group
from redloop.values.stream_ids import MAX_ID, format_id

command = family("stream")

NEW: Final = MAX_ID
"""Stands for `>`: what nobody in the group was given yet."""


class _Request:
    """The options of XREAD and XREADGROUP, read."""

    def __init__(self, client: Client, argv: list[bytes], grouped: bool) -> None:
        self.grouped = grouped
        self.count = 0
        self.blocks = False
        self.end_ms = 0
        self.group = b""
        self.consumer = b""
        self.acknowledged = True  # entries are to be
        self.keys: list[bytes] = []
        self.ids: list[bytes] = []
        self.first = 0  # where the keys begin
        self._read(client, argv)

    def _read(self, client: Client, argv: list[bytes]) -> None:
        has_group = False
        options = Options(argv, 1)
        while not self.first:
            if not options.more():
                raise RedisError(SYNTAX)
            word = options.word()
            left = options.left()
            if word == b"BLOCK" and left:
                self.end_ms = timeout_milliseconds(options.value(), client.clock.ms)
                self.blocks = True
            elif word == b"COUNT" and left:
                self.count = max(0, options.integer())
            elif word == b"STREAMS" and left:
                self._take_streams(argv, options.at)
            elif word == b"GROUP" and left >= 2:
                if not self.grouped:
                    raise RedisError(only_xreadgroup("GROUP"))
                self.group, self.consumer = options.values(2)
                has_group = True
            elif word == b"NOACK":
                if not self.grouped:
                    raise RedisError(only_xreadgroup("NOACK"))
                self.acknowledged = False
            else:
                raise RedisError(SYNTAX)
        if self.grouped and not has_group:
            raise RedisError(XREADGROUP_WITHOUT_GROUP)

    def _take_streams(self, argv: list[bytes], at: int) -> None:
        words = len(argv) - at
        if words & 1:
            if self.grouped:
                raise RedisError(unbalanced_streams("xreadgroup", "ID or '>'"))
            raise RedisError(unbalanced_streams("xread", "ID, '+', or '$'"))
        self.first = at
        self.keys = argv[at : at + words // 2]
        self.ids = argv[at + words // 2 :]


def _start(text: bytes, found: Stream | None, grouped: bool) -> int:
    """The id behind which reading begins."""
    if text == b"$" or text == b"+":
        if grouped:
            raise RedisError(meaningless_id(text.decode()))
        if found is None:
            return 0
        return found.last_id if text == b"$" or not found.length else found.edge(True) - 1
    if text == b">":
        if not grouped:
            raise RedisError(XREAD_NEW)
        return NEW
    return stream_id(text)


def _read(client: Client, argv: list[bytes], grouped: bool) -> Reply:
    request = _Request(client, argv, grouped)
    groups: list[Group] = []
    starts: list[int] = []
    for at, key in enumerate(request.keys):
        text = request.ids[at]
        found = as_stream(client.db.find(key))
        if grouped:
            group = None if found is None else found.groups.get(request.group)
            if group is None:
                raise RedisError(no_group(key, request.group) + " in XREADGROUP with GROUP option")
            groups.append(group)
        starts.append(_start(text, found, grouped))
    read: list[tuple[bytes, list[object]]] = []
    if grouped:
        client.server.effects.replay_nothing()
    for position, key in enumerate(request.keys):
        found = as_stream(client.db.find(key))  # looked up, and counted, once for its id and once for its entries, as in Redis
        if found is None:
            continue
        start = starts[position]
        entries: list[object] | None = None
        if grouped:
            entries = _read_group(client, key, found, groups[position], request, start)
        elif found.length and found.edge(True) > start:
            entries = [entry_reply(entry) for entry in found.range(start + 1, MAX_ID, request.count)]
        if entries is not None:
            read.append((key, entries))
    if not read:
        return _wait(client, argv, request, starts) if request.blocks else NULL_ARRAY
    if client.resp3:
        flat: list[object] = []
        for key, entries in read:
            flat.append(key)
            flat.append(entries)
        return Pairs(flat)
    return [[key, entries] for key, entries in read]


def _wait(client: Client, argv: list[bytes], request: _Request, starts: list[int]) -> Reply:
    """Waits, from now on for what comes behind the ids that `$` means now. A reader in a group also hears when key or group go."""
    argv = argv.copy()
    first_id = request.first + len(request.keys)
    for position, text in enumerate(request.ids):
        if text == b"$":
            argv[first_id + position] = format_id(starts[position])
    timeout = max(request.end_ms - client.clock.ms, 1) if request.end_ms else 0
    return block(client, argv, request.keys, timeout, NULL_ARRAY, b"" if request.grouped else Stream.type_name)


def _read_group(client: Client, key: bytes, found: Stream, group: Group, request: _Request, start: int) -> list[object] | None:
    """What a consumer gets of one stream; None if there is nothing new."""
    client.db.for_write(key)
    consumer, created = active_consumer(client, key, group, request.consumer)
    if created and not request.acknowledged:
        client.replay_as([b"XGROUP", b"CREATECONSUMER", key, request.group, request.consumer])
    if start != NEW:
        return _history(client, found, consumer, start, request.count)
    if not found.length or found.edge(True) <= group.last_id:
        return None
    now = client.clock.ms
    replies: list[object] = []
    sinks = client.server.effects.sinks
    countable_from = max(found.first_id, found.last_gap() + 1)
    for entry in found.range(group.last_id + 1, MAX_ID, request.count):
        ident = entry[0]
        if group.entries_read != UNKNOWN and group.last_id >= countable_from:
            group.entries_read += 1
        elif found.entries_added:
            group.entries_read = found.entries_up_to(ident)
        group.last_id = ident
        replies.append(entry_reply(entry))
        if request.acknowledged:
            pending = group.pending.get(ident)
            if pending is None:
                pending = group.deliver(ident, consumer, now)
            else:
                group.hand_over(ident, pending, consumer)
                pending.delivered_ms = now
                pending.deliveries = 1
            if sinks:
                pass_on_claim(client, key, request.group, group, format_id(ident), pending)
    if request.acknowledged:
        consumer.active_ms = now
    pass_on_position(client, key, request.group, group)
    client.keyspace.dirty += 1
    return replies


def _history(client: Client, found: Stream, consumer: Consumer, start: int, count: int) -> list[object]:
    """What the consumer was given before and has not acknowledged."""
    now = client.clock.ms
    replies: list[object] = []
    pending_entries = consumer.pending
    position = pending_entries.seek(start + 1)
    while position >= 0 and (not count or len(replies) < count):
        ident = pending_entries.ids[position]
        pairs = found.get(ident)
        if pairs is None:
            replies.append([format_id(ident), NULL_ARRAY])
        else:
            pending = pending_entries.at(position)
            pending.delivered_ms = now
            pending.deliveries += 1
            replies.append([format_id(ident), pairs])
        position = pending_entries.next(position)
    return replies


@command(
    "XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
    "The entries of streams behind the ids given, waiting for some if asked to.",
    READONLY | BLOCKING, since="5.0.0",
)
def xread(client: Client, argv: list[bytes]) -> Reply:
    return _read(client, argv, False)


@command(
    "XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
    "The entries of streams that nobody in the group was given, or those the consumer has not acknowledged.",
    WRITE | BLOCKING, since="5.0.0", keys="RO ACCESS", names={"GROUP": "group-block"},
)
def xreadgroup(client: Client, argv: list[bytes]) -> Reply:
    return _read(client, argv, True)

"""Stream commands on groups (https://redis.io/docs/latest/develop/data-types/streams/#consumer-groups), XREAD with XREADGROUP, and XINFO.

Whatever gives an entry to a consumer is passed on as an XCLAIM that says when and how often it was delivered, and where the group is by
now; reading without acknowledgement as XGROUP SETID. What happens to a group is no change of the stream for WATCH (`ASIDE`).
"""

from __future__ import annotations

from typing import Final

from redloop.commands.streams import as_stream, entry_reply
from redloop.engine.blocking import block
from redloop.engine.client import Client
from redloop.engine.command import BLOCKING, DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import Options, range_end, range_start, stream_id, timeout_milliseconds
from redloop.errors import (
    BUSYGROUP,
    ENTRIESREAD_NEGATIVE,
    NO_SUCH_KEY,
    SYNTAX,
    XAUTOCLAIM_COUNT,
    XAUTOCLAIM_MIN_IDLE,
    XAUTOCLAIM_NO_MEMORY,
    XCLAIM_MIN_IDLE,
    XGROUP_NEEDS_KEY,
    XREAD_NEW,
    XREADGROUP_WITHOUT_GROUP,
    RedisError,
    invalid_xclaim_option,
    meaningless_id,
    no_group,
    no_group_for_key,
    only_xreadgroup,
    unbalanced_streams,
    unknown_subcommand_or_arity,
    unrecognized_xclaim_option,
)
from redloop.events import ASIDE, STREAM
from redloop.numbers import INT64_MAX, parse_int, parse_int_between
from redloop.resp.replies import NULL_ARRAY, OK, Pairs, Reply
from redloop.values.stream import Stream
from redloop.values.stream_groups import UNKNOWN, Consumer, Group, Pending
from redloop.values.stream_ids import MAX_ID, format_id

command = family("stream")

NEW: Final = MAX_ID
"""Stands for `>`: what nobody in the group was given yet."""
ATTEMPTS: Final = 10
"""How many pending entries XAUTOCLAIM looks at for each that it may claim."""
MOST_CLAIMED: Final = INT64_MAX // 16
MOST_MEMORY: Final = 1 << 43
"""Redis reserves 16 bytes for each entry that XAUTOCLAIM may claim; an address has 47 bits."""
SHOWN: Final = 10
"""Entries that XINFO STREAM FULL shows unless told otherwise."""


# --- looking up ------------------------------------------------------------------------------------------------------------------


def _group_or_error(found: Stream | None, key: bytes, name: bytes) -> Group:
    group = None if found is None else found.groups.get(name)
    if group is None:
        raise RedisError(no_group(key, name))
    return group


def _consumer(client: Client, key: bytes, group: Group, name: bytes) -> tuple[Consumer, bool]:
    """The consumer of that name, which is active now, and whether it is new."""
    consumer = group.consumers.get(name)
    if consumer is not None:
        consumer.seen_ms = client.clock.ms
        return consumer, False
    consumer = group.create_consumer(name, client.clock.ms)
    client.db.changed(key, STREAM | ASIDE, b"xgroup-createconsumer")
    return consumer, True


# --- passing on ------------------------------------------------------------------------------------------------------------------


def _pass_on_claim(client: Client, key: bytes, name: bytes, group: Group, ident: bytes, pending: Pending) -> None:
    if client.server.effects.sinks:
        client.replay_as(
            [
                b"XCLAIM", key, name, pending.consumer.name, b"0", ident, b"TIME", b"%d" % pending.delivered_ms,
                b"RETRYCOUNT", b"%d" % pending.deliveries, b"FORCE", b"JUSTID", b"LASTID", format_id(group.last_id),
            ]
        )  # fmt: skip


def _pass_on_position(client: Client, key: bytes, name: bytes, group: Group) -> None:
    if client.server.effects.sinks:
        client.replay_as(
            [b"XGROUP", b"SETID", key, name, format_id(group.last_id), b"ENTRIESREAD", b"%d" % group.entries_read]
        )


# --- reading ---------------------------------------------------------------------------------------------------------------------


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
    streams: list[Stream | None] = []
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
        streams.append(found)
        starts.append(_start(text, found, grouped))
    read: list[tuple[bytes, list[object]]] = []
    if grouped:
        client.server.effects.replay_nothing()
    for position, found in enumerate(streams):
        if found is None:
            continue
        key, start = request.keys[position], starts[position]
        entries: list[object] | None = None
        if grouped:
            entries = _read_group(client, key, found, groups[position], request, start)
        elif found.length and found.edge(True) > start:
            entries = [entry_reply(entry) for entry in found.range(start + 1, MAX_ID, request.count)]
        if entries is not None:
            read.append((key, entries))
    if not read:
        return _wait(client, argv, request, streams) if request.blocks else NULL_ARRAY
    if client.resp3:
        flat: list[object] = []
        for key, entries in read:
            flat.append(key)
            flat.append(entries)
        return Pairs(flat)
    return [[key, entries] for key, entries in read]


def _wait(client: Client, argv: list[bytes], request: _Request, streams: list[Stream | None]) -> Reply:
    """Waits, from now on for what comes behind the ids that `$` means now. A reader in a group also hears when key or group go."""
    argv = argv.copy()
    first_id = request.first + len(request.keys)
    for position, text in enumerate(request.ids):
        if text == b"$":
            found = streams[position]
            argv[first_id + position] = format_id(0 if found is None else found.last_id)
    timeout = max(request.end_ms - client.clock.ms, 1) if request.end_ms else 0
    return block(client, argv, request.keys, timeout, NULL_ARRAY, b"" if request.grouped else Stream.type_name)


def _read_group(client: Client, key: bytes, found: Stream, group: Group, request: _Request, start: int) -> list[object] | None:
    """What a consumer gets of one stream; None if there is nothing new."""
    client.db.for_write(key)
    consumer, created = _consumer(client, key, group, request.consumer)
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
                _pass_on_claim(client, key, request.group, group, format_id(ident), pending)
    if request.acknowledged:
        consumer.active_ms = now
    _pass_on_position(client, key, request.group, group)
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


# --- pending entries -------------------------------------------------------------------------------------------------------------


@command(
    "XACK key group id [id ...]",
    "Acknowledges entries: they are no longer pending.",
    WRITE | FAST, since="5.0.0", complexity="O(1)", keys="RW UPDATE",
)
def xack(client: Client, argv: list[bytes]) -> Reply:
    client.db.for_write(argv[1])
    found = as_stream(client.db.find(argv[1]))  # counts as a look-up for reading, as in Redis
    group = None if found is None else found.groups.get(argv[2])
    if group is None:
        return 0
    acknowledged = 0
    for ident in [stream_id(text) for text in argv[3:]]:
        acknowledged += group.acknowledge(ident)
    client.keyspace.dirty += acknowledged
    return acknowledged


@command(
    "XPENDING key group [[IDLE min-idle-time] start end count [consumer]]",
    "What a group was given and has not acknowledged, in sum or one by one.",
    READONLY, since="5.0.0", complexity="O(N)", tips="nondeterministic_output",
    types={"min-idle-time": "integer", "start": "string", "end": "string"}, names={"IDLE": "filters"}, added={"6.2.0": "min-idle-time"},
)
def xpending(client: Client, argv: list[bytes]) -> Reply:
    words = len(argv)
    if words != 3 and not 6 <= words <= 9:
        raise RedisError(SYNTAX)
    if words == 3:
        return _pending_in_sum(_group_or_error(as_stream(client.db.find(argv[1])), argv[1], argv[2]))
    at = 3
    min_idle = 0
    if argv[3].upper() == b"IDLE":
        min_idle = parse_int(argv[4])
        at = 5
        if words < 8:
            raise RedisError(SYNTAX)
    count = parse_int(argv[at + 2])
    start, end = range_start(argv[at]), range_end(argv[at + 1])
    group = _group_or_error(as_stream(client.db.find(argv[1])), argv[1], argv[2])
    pending_entries = group.pending
    if words > at + 3:
        consumer = group.consumers.get(argv[at + 3])
        if consumer is None:
            return []
        pending_entries = consumer.pending
    now = client.clock.ms
    replies: list[object] = []
    position = pending_entries.seek(start) if count > 0 else -1
    while position >= 0 and len(replies) < count:
        ident = pending_entries.ids[position]
        if ident > end:
            break
        pending = pending_entries.at(position)
        idle = max(0, now - pending.delivered_ms)
        if not min_idle or idle >= min_idle:
            replies.append([format_id(ident), pending.consumer.name, idle, pending.deliveries])
        position = pending_entries.next(position)
    return replies


def _pending_in_sum(group: Group) -> Reply:
    pending_entries = group.pending
    if not len(pending_entries):
        return [0, None, None, NULL_ARRAY]
    first = pending_entries.ids[pending_entries.seek(0)]
    consumers: list[object] = [
        [consumer.name, b"%d" % len(consumer.pending)] for consumer in group.sorted_consumers() if len(consumer.pending)
    ]
    return [len(pending_entries), format_id(first), format_id(pending_entries.last()), consumers]


class _Claim:
    """What XCLAIM and XAUTOCLAIM do with each entry."""

    def __init__(self, client: Client, key: bytes, found: Stream, name: bytes, group: Group, consumer: Consumer) -> None:
        self.client = client
        self.key = key
        self.found = found
        self.name = name
        self.group = group
        self.consumer = consumer
        self.only_ids = False
        self.replies: list[object] = []

    def drop(self, ident: int, text: bytes, pending: Pending) -> None:
        """The entry is not in the stream any more, so it shall not be pending."""
        _pass_on_claim(self.client, self.key, self.name, self.group, text, pending)
        self.client.keyspace.dirty += 1
        self.group.acknowledge(ident)

    def take(self, ident: int, text: bytes, pairs: list[bytes], pending: Pending) -> None:
        self.group.hand_over(ident, pending, self.consumer)
        self.consumer.active_ms = self.client.clock.ms
        self.replies.append(format_id(ident) if self.only_ids else [format_id(ident), pairs])
        _pass_on_claim(self.client, self.key, self.name, self.group, text, pending)
        self.client.keyspace.dirty += 1


@command(
    "XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] "
    "[JUSTID] [LASTID lastid]",
    "Makes pending entries those of another consumer, as if just delivered.",
    WRITE | FAST, since="5.0.0", complexity="O(log N)", keys="RW UPDATE", tips="nondeterministic_output",
)
def xclaim(client: Client, argv: list[bytes]) -> Reply:
    key, name = argv[1], argv[2]
    found = as_stream(client.db.find(key))
    group = _group_or_error(found, key, name)
    assert found is not None
    min_idle = max(0, parse_int(argv[4], XCLAIM_MIN_IDLE))
    idents: list[int] = []
    for text in argv[5:]:
        try:
            idents.append(stream_id(text))
        except RedisError:
            break
    delivered, deliveries, force, only_ids, last_id = _claim_options(client, argv, 5 + len(idents))
    client.db.for_write(key)
    client.server.effects.replay_nothing()
    moved = last_id > group.last_id
    if moved:
        group.last_id = last_id
    now = client.clock.ms
    if not 0 <= delivered <= now:
        delivered = now
    claim = _Claim(client, key, found, name, group, _consumer(client, key, group, argv[3])[0])
    claim.only_ids = only_ids
    passed_on = False
    for position, ident in enumerate(idents):
        text = argv[5 + position]
        pending = group.pending.get(ident)
        pairs = found.get(ident)
        if pairs is None:
            if pending is not None:
                claim.drop(ident, text, pending)
                passed_on = True
            continue
        if pending is None:
            if not force:
                continue
            pending = group.deliver(ident, claim.consumer, now)
        elif min_idle and now - pending.delivered_ms < min_idle:
            continue
        pending.delivered_ms = delivered
        if deliveries >= 0:
            pending.deliveries = deliveries
        elif not only_ids:
            pending.deliveries += 1
        claim.take(ident, text, pairs, pending)
        passed_on = True
    if moved and not passed_on:
        _pass_on_position(client, key, name, group)
        client.keyspace.dirty += 1
    return claim.replies


def _claim_options(client: Client, argv: list[bytes], at: int) -> tuple[int, int, bool, bool, int]:
    """When it is to have been delivered and how often (-1: as usual), FORCE, JUSTID, and LASTID."""
    delivered, deliveries, last_id = -1, -1, 0
    force, only_ids = False, False
    options = Options(argv, at)
    while options.more():
        word = options.word()
        if word == b"FORCE":
            force = True
        elif word == b"JUSTID":
            only_ids = True
        elif word == b"IDLE" and options.more():
            delivered = client.clock.ms - options.integer(invalid_xclaim_option("IDLE"))
        elif word == b"TIME" and options.more():
            delivered = options.integer(invalid_xclaim_option("TIME"))
        elif word == b"RETRYCOUNT" and options.more():
            deliveries = options.integer(invalid_xclaim_option("RETRYCOUNT"))
        elif word == b"LASTID" and options.more():
            last_id = stream_id(options.value())
        else:
            raise RedisError(unrecognized_xclaim_option(argv[options.at - 1]))
    return delivered, deliveries, force, only_ids, last_id


@command(
    "XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]",
    "Makes entries that are pending for long those of another consumer, going on from an id.",
    WRITE | FAST, since="6.2.0", complexity="O(1)", keys="RW DELETE", tips="nondeterministic_output", types={"start": "string"},
)
def xautoclaim(client: Client, argv: list[bytes]) -> Reply:
    key, name = argv[1], argv[2]
    min_idle = max(0, parse_int(argv[4], XAUTOCLAIM_MIN_IDLE))
    start = range_start(argv[5])
    count = 100
    only_ids = False
    value = client.db.find(key)  # even if the options are wrong
    options = Options(argv, 6)
    while options.more():
        if options.next_is(b"COUNT"):
            count = parse_int_between(options.value(), 1, MOST_CLAIMED, XAUTOCLAIM_COUNT)
        elif options.next_is(b"JUSTID"):
            only_ids = True
        else:
            raise RedisError(SYNTAX)
    found = as_stream(value)
    group = _group_or_error(found, key, name)
    assert found is not None
    if count >= MOST_MEMORY:
        raise RedisError(XAUTOCLAIM_NO_MEMORY)
    client.db.for_write(key)
    client.server.effects.replay_nothing()
    claim = _Claim(client, key, found, name, group, _consumer(client, key, group, argv[3])[0])
    claim.only_ids = only_ids
    now = client.clock.ms
    attempts = count * ATTEMPTS
    gone: list[int] = []
    pending_entries = group.pending
    position = pending_entries.seek(start)
    while position >= 0 and attempts and count:
        attempts -= 1
        ident = pending_entries.ids[position]
        pending = pending_entries.at(position)
        pairs = found.get(ident)
        if pairs is None:
            _pass_on_claim(client, key, name, group, format_id(ident), pending)
            client.keyspace.dirty += 1
            gone.append(ident)
            count -= 1
        elif not min_idle or now - pending.delivered_ms >= min_idle:
            pending.delivered_ms = now
            pending.deliveries += not only_ids
            claim.take(ident, format_id(ident), pairs, pending)
            count -= 1
        position = pending_entries.next(position)
    cursor = pending_entries.ids[position] if position >= 0 else 0
    for ident in gone:
        group.acknowledge(ident)
    return [format_id(cursor), claim.replies, [format_id(ident) for ident in gone]]


# --- groups ----------------------------------------------------------------------------------------------------------------------


def _stream_of_group(client: Client, key: bytes) -> Stream:
    found = as_stream(client.db.find_for_write(key))
    if found is None:
        raise RedisError(XGROUP_NEEDS_KEY)
    return found


def _existing_group(found: Stream, key: bytes, name: bytes) -> Group:
    group = found.groups.get(name)
    if group is None:
        raise RedisError(no_group_for_key(key, name))
    return group


def _position(text: bytes, found: Stream | None) -> int:
    """An id, or `$` for the last one."""
    if text != b"$":
        return stream_id(text)
    return 0 if found is None else found.last_id


def _entries_read(text: bytes) -> int:
    number = parse_int(text)
    if number < UNKNOWN:
        raise RedisError(ENTRIESREAD_NEGATIVE)
    return number


@command(
    "XGROUP CREATE key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]",
    "Makes a group that has read a stream up to an id.",
    WRITE | DENYOOM, since="5.0.0", complexity="O(1)", keys="RW INSERT", names={"ENTRIESREAD": "entriesread"},
)
def xgroup_create(client: Client, argv: list[bytes]) -> Reply:
    key = argv[2]
    make, entries_read = False, UNKNOWN
    options = Options(argv, 5)
    while options.more():
        if options.next_is(b"MKSTREAM"):
            make = True
        elif options.left() > 1 and options.next_is(b"ENTRIESREAD"):
            entries_read = _entries_read(options.value())
        else:
            raise RedisError(unknown_subcommand_or_arity("xgroup", argv[1]))
    found = as_stream(client.db.find_for_write(key))
    if found is None and not make:
        raise RedisError(XGROUP_NEEDS_KEY)
    if len(argv) > 8:  # each option once would be enough
        raise RedisError(unknown_subcommand_or_arity("xgroup", argv[1]))
    ident = _position(argv[4], found)
    event_class = STREAM | ASIDE
    if found is None:
        found = Stream()
        client.db.put(key, found)
        event_class = STREAM
    if found.create_group(argv[3], ident, entries_read) is None:
        raise RedisError(BUSYGROUP)
    client.db.changed(key, event_class, b"xgroup-create")
    return OK


@command(
    "XGROUP SETID key group <id | $> [ENTRIESREAD entries-read]",
    "Says up to which id a group has read.",
    WRITE, since="5.0.0", complexity="O(1)", keys="RW UPDATE", names={"ENTRIESREAD": "entriesread"},
)
def xgroup_setid(client: Client, argv: list[bytes]) -> Reply:
    key = argv[2]
    entries_read = UNKNOWN
    options = Options(argv, 5)
    while options.more():
        if options.left() < 2 or not options.next_is(b"ENTRIESREAD"):
            raise RedisError(unknown_subcommand_or_arity("xgroup", argv[1]))
        entries_read = _entries_read(options.value())
    found = _stream_of_group(client, key)
    group = _existing_group(found, key, argv[3])
    if len(argv) > 7:
        raise RedisError(unknown_subcommand_or_arity("xgroup", argv[1]))
    group.last_id = _position(argv[4], found)
    group.entries_read = entries_read
    client.db.changed(key, STREAM | ASIDE, b"xgroup-setid")
    return OK


@command(
    "XGROUP DESTROY key group",
    "Removes a group and all that is pending with it.",
    WRITE, since="5.0.0", complexity="O(N)", keys="RW DELETE",
)
def xgroup_destroy(client: Client, argv: list[bytes]) -> Reply:
    key = argv[2]
    found = _stream_of_group(client, key)
    if found.groups.pop(argv[3], None) is None:
        return 0
    client.db.changed(key, STREAM | ASIDE, b"xgroup-destroy")
    return 1


@command(
    "XGROUP CREATECONSUMER key group consumer",
    "Makes a consumer in a group; reading would make it too.",
    WRITE | DENYOOM, since="6.2.0", complexity="O(1)", keys="RW INSERT",
)
def xgroup_createconsumer(client: Client, argv: list[bytes]) -> Reply:
    key = argv[2]
    group = _existing_group(_stream_of_group(client, key), key, argv[3])
    if argv[4] in group.consumers:
        return 0
    _consumer(client, key, group, argv[4])
    return 1


@command(
    "XGROUP DELCONSUMER key group consumer",
    "Removes a consumer from a group; returns how many entries were pending with it.",
    WRITE, since="5.0.0", complexity="O(1)", keys="RW DELETE",
)
def xgroup_delconsumer(client: Client, argv: list[bytes]) -> Reply:
    key = argv[2]
    group = _existing_group(_stream_of_group(client, key), key, argv[3])
    if argv[4] not in group.consumers:
        return 0
    pending = group.remove_consumer(argv[4])
    client.db.changed(key, STREAM | ASIDE, b"xgroup-delconsumer")
    return pending


# --- XINFO -----------------------------------------------------------------------------------------------------------------------


def _stream_of_info(client: Client, key: bytes) -> Stream:
    found = as_stream(client.db.find(key))
    if found is None:
        raise RedisError(NO_SUCH_KEY)
    return found


def _known(number: int) -> int | None:
    return None if number == UNKNOWN else number


@command(
    "XINFO STREAM key [FULL [COUNT count]]",
    "What there is to know about a stream.",
    READONLY, since="5.0.0", complexity="O(1)", names={"FULL": "full-block"},
)
def xinfo_stream(client: Client, argv: list[bytes]) -> Reply:
    found = _stream_of_info(client, argv[2])
    full = len(argv) > 3
    count = SHOWN
    if full:
        if argv[3].upper() != b"FULL" or len(argv) not in (4, 6) or (len(argv) == 6 and argv[4].upper() != b"COUNT"):
            raise RedisError(unknown_subcommand_or_arity("xinfo", argv[1]))
        if len(argv) == 6:
            count = parse_int(argv[5])
            if count < 0:
                count = SHOWN
    facts: list[object] = [
        b"length", found.length,
        b"radix-tree-keys", len(found.nodes),
        b"radix-tree-nodes", found.tree_nodes(),
        b"last-generated-id", format_id(found.last_id),
        b"max-deleted-entry-id", format_id(found.max_deleted_id),
        b"entries-added", found.entries_added,
        b"recorded-first-entry-id", format_id(found.first_id),
    ]  # fmt: skip
    if full:
        facts += [b"entries", [entry_reply(entry) for entry in found.range(0, MAX_ID, count)]]
        facts += [b"groups", [_group_in_full(found, name, count) for name in found.sorted_groups()]]
        return Pairs(facts)
    first, last = found.range(0, MAX_ID, 1), found.range_back(0, MAX_ID, 1)
    facts += [b"groups", len(found.groups)]
    facts += [b"first-entry", entry_reply(first[0]) if first else None]
    facts += [b"last-entry", entry_reply(last[0]) if last else None]
    return Pairs(facts)


def _group_in_full(found: Stream, name: bytes, count: int) -> Pairs:
    group = found.groups[name]
    pending: list[object] = []
    position = group.pending.seek(0)
    while position >= 0 and (not count or len(pending) < count):
        ident = group.pending.ids[position]
        delivery = group.pending.at(position)
        pending.append([format_id(ident), delivery.consumer.name, delivery.delivered_ms, delivery.deliveries])
        position = group.pending.next(position)
    return Pairs(
        [
            b"name", name,
            b"last-delivered-id", format_id(group.last_id),
            b"entries-read", _known(group.entries_read),
            b"lag", found.lag(group),
            b"pel-count", len(group.pending),
            b"pending", pending,
            b"consumers", [_consumer_in_full(consumer, count) for consumer in group.sorted_consumers()],
        ]
    )  # fmt: skip


def _consumer_in_full(consumer: Consumer, count: int) -> Pairs:
    pending: list[object] = []
    position = consumer.pending.seek(0)
    while position >= 0 and (not count or len(pending) < count):
        ident = consumer.pending.ids[position]
        delivery = consumer.pending.at(position)
        pending.append([format_id(ident), delivery.delivered_ms, delivery.deliveries])
        position = consumer.pending.next(position)
    return Pairs(
        [
            b"name", consumer.name,
            b"seen-time", consumer.seen_ms,
            b"active-time", consumer.active_ms,
            b"pel-count", len(consumer.pending),
            b"pending", pending,
        ]
    )  # fmt: skip


@command("XINFO GROUPS key", "The groups of a stream.", READONLY, since="5.0.0", complexity="O(1)")
def xinfo_groups(client: Client, argv: list[bytes]) -> Reply:
    found = _stream_of_info(client, argv[2])
    replies: list[object] = []
    for name in found.sorted_groups():
        group = found.groups[name]
        replies.append(
            Pairs(
                [
                    b"name", name,
                    b"consumers", len(group.consumers),
                    b"pending", len(group.pending),
                    b"last-delivered-id", format_id(group.last_id),
                    b"entries-read", _known(group.entries_read),
                    b"lag", found.lag(group),
                ]
            )
        )
    return replies


@command(
    "XINFO CONSUMERS key group", "The consumers of a group.",
    READONLY, since="5.0.0", complexity="O(1)", tips="nondeterministic_output",
)
def xinfo_consumers(client: Client, argv: list[bytes]) -> Reply:
    group = _existing_group(_stream_of_info(client, argv[2]), argv[2], argv[3])
    now = client.clock.ms
    replies: list[object] = []
    for consumer in group.sorted_consumers():
        inactive = max(0, now - consumer.active_ms) if consumer.active_ms != UNKNOWN else UNKNOWN
        replies.append(
            Pairs(
                [
                    b"name", consumer.name,
                    b"pending", len(consumer.pending),
                    b"idle", max(0, now - consumer.seen_ms),
                    b"inactive", inactive,
                ]
            )
        )
    return replies

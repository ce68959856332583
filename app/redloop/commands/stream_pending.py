"""What is pending: entries that a group was given and has not acknowledged. XACK, XPENDING, XCLAIM, XAUTOCLAIM.

XCLAIM and XAUTOCLAIM differ in which entries they look at; what becomes of each, `_Claim` does for both, and passes it on.
"""

from __future__ import annotations

from typing import Final

from redloop.commands.stream_groups import active_consumer, pass_on_claim, pass_on_position
from redloop.commands.streams import as_stream
from redloop.engine.client import Client
from redloop.engine.command import FAST, READONLY, WRITE, family
from redloop.engine.options import Options, range_end, range_start, stream_id
from redloop.errors import (
    SYNTAX,
    XAUTOCLAIM_COUNT,
    XAUTOCLAIM_MIN_IDLE,
    XAUTOCLAIM_NO_MEMORY,
    XCLAIM_MIN_IDLE,
    RedisError,
    invalid_xclaim_option,
    no_group,
    unrecognized_xclaim_option,
)
from redloop.numbers import INT64_MAX, parse_int, parse_int_between
from redloop.resp.replies import NULL_ARRAY, Reply
from redloop.values.stream import Stream
from redloop.values.stream_groups import Consumer, Group, Pending
from redloop.values.stream_ids import format_id

command = family("stream")

ATTEMPTS: Final = 10
"""How many pending entries XAUTOCLAIM looks at for each that it may claim."""
MOST_CLAIMED: Final = INT64_MAX // 16
MOST_MEMORY: Final = 1 << 43
"""Redis reserves 16 bytes for each entry that XAUTOCLAIM may claim; an address has 47 bits."""


def _group_or_error(found: Stream | None, key: bytes, name: bytes) -> Group:
    group = None if found is None else found.groups.get(name)
    if group is None:
        raise RedisError(no_group(key, name))
    return group


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
        pass_on_claim(self.client, self.key, self.name, self.group, text, pending)
        self.client.keyspace.dirty += 1
        self.group.acknowledge(ident)

    def take(self, ident: int, text: bytes, pairs: list[bytes], pending: Pending) -> None:
        self.group.hand_over(ident, pending, self.consumer)
        self.consumer.active_ms = self.client.clock.ms
        self.replies.append(format_id(ident) if self.only_ids else [format_id(ident), pairs])
        pass_on_claim(self.client, self.key, self.name, self.group, text, pending)
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
    claim = _Claim(client, key, found, name, group, active_consumer(client, key, group, argv[3])[0])
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
        pass_on_position(client, key, name, group)
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
    claim = _Claim(client, key, found, name, group, active_consumer(client, key, group, argv[3])[0])
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
            pass_on_claim(client, key, name, group, format_id(ident), pending)
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

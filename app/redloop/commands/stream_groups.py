"""XGROUP, and what all commands on groups share (https://redis.io/docs/latest/develop/data-types/streams/#consumer-groups).

Whatever gives an entry to a consumer is passed on as an XCLAIM that says when and how often it was delivered, and where the group is by
now (`pass_on_claim`); reading without acknowledgement as XGROUP SETID (`pass_on_position`). What happens to a group is no change of the
stream for WATCH (`ASIDE`). Reading is in `stream_reading`, what is pending in `stream_pending`.
"""

from __future__ import annotations

from redloop.commands.streams import as_stream
from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, WRITE, family
from redloop.engine.options import Options, stream_id
from redloop.errors import BUSYGROUP, ENTRIESREAD_NEGATIVE, XGROUP_NEEDS_KEY, RedisError, no_group_for_key, unknown_subcommand_or_arity
from redloop.events import ASIDE, STREAM
from redloop.numbers import parse_int
from redloop.resp.replies import OK, Reply
from redloop.values.stream import Stream
from redloop.values.stream_groups import UNKNOWN, Consumer, Group, Pending
from redloop.values.stream_ids import format_id

command = family("stream")


# --- looking up ------------------------------------------------------------------------------------------------------------------


def active_consumer(client: Client, key: bytes, group: Group, name: bytes) -> tuple[Consumer, bool]:
    """The consumer of that name, which is active now, and whether it is new."""
    consumer = group.consumers.get(name)
    if consumer is not None:
        consumer.seen_ms = client.clock.ms
        return consumer, False
    consumer = group.create_consumer(name, client.clock.ms)
    client.db.changed(key, STREAM | ASIDE, b"xgroup-createconsumer")
    return consumer, True


# --- passing on ------------------------------------------------------------------------------------------------------------------


def pass_on_claim(client: Client, key: bytes, name: bytes, group: Group, ident: bytes, pending: Pending) -> None:
    if client.server.effects.sinks:
        client.replay_as(
            [
                b"XCLAIM", key, name, pending.consumer.name, b"0", ident, b"TIME", b"%d" % pending.delivered_ms,
                b"RETRYCOUNT", b"%d" % pending.deliveries, b"FORCE", b"JUSTID", b"LASTID", format_id(group.last_id),
            ]
        )  # fmt: skip


def pass_on_position(client: Client, key: bytes, name: bytes, group: Group) -> None:
    if client.server.effects.sinks:
        client.replay_as(
            [b"XGROUP", b"SETID", key, name, format_id(group.last_id), b"ENTRIESREAD", b"%d" % group.entries_read]
        )


# --- XGROUP ----------------------------------------------------------------------------------------------------------------------


def _stream_of_group(client: Client, key: bytes) -> Stream:
    found = as_stream(client.db.find_for_write(key))
    if found is None:
        raise RedisError(XGROUP_NEEDS_KEY)
    return found


def existing_group(found: Stream, key: bytes, name: bytes) -> Group:
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
    group = existing_group(found, key, argv[3])
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
    group = existing_group(_stream_of_group(client, key), key, argv[3])
    if argv[4] in group.consumers:
        return 0
    active_consumer(client, key, group, argv[4])
    return 1


@command(
    "XGROUP DELCONSUMER key group consumer",
    "Removes a consumer from a group; returns how many entries were pending with it.",
    WRITE, since="5.0.0", complexity="O(1)", keys="RW DELETE",
)
def xgroup_delconsumer(client: Client, argv: list[bytes]) -> Reply:
    key = argv[2]
    group = existing_group(_stream_of_group(client, key), key, argv[3])
    if argv[4] not in group.consumers:
        return 0
    pending = group.remove_consumer(argv[4])
    client.db.changed(key, STREAM | ASIDE, b"xgroup-delconsumer")
    return pending

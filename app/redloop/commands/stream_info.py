"""XINFO: what there is to know about a stream, its groups and their consumers.

XINFO STREAM with FULL tells in one reply what XINFO GROUPS and XINFO CONSUMERS tell one by one, with entries and what is pending.
"""

from __future__ import annotations

from typing import Final

from redloop.commands.stream_groups import existing_group
from redloop.commands.streams import as_stream, entry_reply
from redloop.engine.client import Client
from redloop.engine.command import READONLY, family
from redloop.errors import NO_SUCH_KEY, RedisError, unknown_subcommand_or_arity
from redloop.numbers import parse_int
from redloop.resp.replies import Pairs, Reply
from redloop.values.stream import Stream
from redloop.values.stream_groups import UNKNOWN, Consumer
from redloop.values.stream_ids import MAX_ID, format_id

command = family("stream")

SHOWN: Final = 10
"""Entries that XINFO STREAM FULL shows unless told otherwise."""


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
    group = existing_group(_stream_of_info(client, argv[2]), argv[2], argv[3])
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

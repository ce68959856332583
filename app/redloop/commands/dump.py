"""DUMP and RESTORE: values as payloads that any Redis of the same age or newer takes (https://redis.io/docs/latest/commands/dump/)."""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import ASKING, DENYOOM, READONLY, WRITE, family
from redloop.engine.options import Options
from redloop.errors import (
    BAD_DATA_FORMAT,
    BUSYKEY,
    DUMP_PAYLOAD,
    RESTORE_FREQ,
    RESTORE_IDLETIME,
    RESTORE_TTL,
    SYNTAX,
    RedisError,
)
from redloop.events import GENERIC
from redloop.keyspace.database import LFU_MOST
from redloop.numbers import parse_int
from redloop.persistence.rdb import payload
from redloop.persistence.rdb.packs import FormatError
from redloop.resp.replies import OK, Reply

command = family("generic")
server_command = family("server")

_RESTORE_HISTORY = {"3.0.0": "replace", "5.0.0": "absttl seconds frequency"}


@command(
    "DUMP key", "The value of a key as a payload for RESTORE.",
    READONLY, since="2.6.0", complexity="O(N)", keys="RO ACCESS", tips="nondeterministic_output",
)
def dump(client: Client, argv: list[bytes]) -> Reply:
    value = client.db.find(argv[1])
    return None if value is None else payload.dump(value, client.server.config)


@command(
    "RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    "Makes a key of a payload that DUMP gave.",
    WRITE | DENYOOM, since="2.6.0", complexity="O(N)", keys="OW UPDATE", acl="dangerous", added=_RESTORE_HISTORY,
)
def restore(client: Client, argv: list[bytes]) -> Reply:
    return _restore(client, argv)


@server_command(
    "RESTORE-ASKING key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
    "RESTORE of a key that moves between the servers of a cluster.",
    WRITE | DENYOOM | ASKING, since="3.0.0", complexity="O(N)", keys="OW UPDATE", acl="keyspace dangerous", added=_RESTORE_HISTORY,
    doc_flags="syscmd",
)
def restore_asking(client: Client, argv: list[bytes]) -> Reply:
    return _restore(client, argv)


def _restore(client: Client, argv: list[bytes]) -> Reply:
    replace = absolute = False
    idle = frequency = -1
    options = Options(argv, 4)
    while options.more():
        match options.word():
            case b"REPLACE":
                replace = True
            case b"ABSTTL":
                absolute = True
            case b"IDLETIME" if options.left() and frequency < 0:
                idle = options.integer()
                if idle < 0:
                    raise RedisError(RESTORE_IDLETIME)
            case b"FREQ" if options.left() and idle < 0:
                frequency = options.integer()
                if not 0 <= frequency <= LFU_MOST:
                    raise RedisError(RESTORE_FREQ)
            case _:
                raise RedisError(SYNTAX)
    db = client.db
    key = argv[1]
    if not replace and db.find_for_write(key) is not None:
        raise RedisError(BUSYKEY)
    ttl = parse_int(argv[2])
    if ttl < 0:
        raise RedisError(RESTORE_TTL)
    config = client.server.config
    if not payload.intact(argv[3]):
        raise RedisError(DUMP_PAYLOAD)
    try:
        value = payload.restore(argv[3], config)
    except FormatError:
        raise RedisError(BAD_DATA_FORMAT) from None

    now = client.clock.now_ms()
    due = ttl if absolute else ttl + now
    if ttl and due <= now and client.keyspace.expiring:
        if db.remove(key):
            db.changed(key, GENERIC, b"del")
            client.replay_as([b"DEL", key])
        return OK
    db.put(key, value)
    if ttl:
        db.set_expiry(key, due)
        if not absolute:
            client.replay_as([argv[0], key, b"%d" % due, *argv[3:], b"ABSTTL"])
    if "lfu" in config.maxmemory_policy:
        if frequency >= 0:
            db.set_frequency(key, frequency)
    elif idle >= 0:
        db.set_accessed(key, client.clock.seconds - idle)
    db.changed(key, GENERIC, b"restore")
    return OK

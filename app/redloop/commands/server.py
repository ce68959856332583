"""Commands on the server as a whole (https://redis.io/docs/latest/commands/?group=server)."""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_MULTI,
    NOSCRIPT,
    READONLY,
    STALE,
    WRITE,
    family,
)
from redloop.engine.options import Options
from redloop.errors import DB_OUT_OF_RANGE, INVALID_FIRST_DB, INVALID_SECOND_DB, SYNTAX, RedisError
from redloop.numbers import parse_int
from redloop.resp.replies import NOTHING, OK, Reply

command = family("server")

NO_SHUTDOWN = "ERR No shutdown in progress."


@command(
    "DBSIZE",
    "How many keys the database holds.",
    READONLY | FAST, since="1.0.0", complexity="O(1)", tips="request_policy:all_shards response_policy:agg_sum", acl="keyspace",
)
def dbsize(client: Client, argv: list[bytes]) -> Reply:
    return len(client.db)


@command(
    "FLUSHALL [ASYNC | SYNC]",
    "Deletes every key of every database.",
    WRITE, since="1.0.0", complexity="O(N)", tips="request_policy:all_shards response_policy:all_succeeded",
    acl="keyspace dangerous", added={"4.0.0": "async", "6.2.0": "sync"},
)
def flushall(client: Client, argv: list[bytes]) -> Reply:
    _check_flush(argv)
    for database in client.keyspace.databases:
        database.clear()
    if client.server.durability is not None:
        client.server.durability.flushed()
    _tell_flushed(client, argv)
    client.keyspace.dirty += 1
    return OK


@command(
    "FLUSHDB [ASYNC | SYNC]",
    "Deletes every key of the database.",
    WRITE, since="1.0.0", complexity="O(N)", tips="request_policy:all_shards response_policy:all_succeeded",
    acl="keyspace dangerous", added={"4.0.0": "async", "6.2.0": "sync"},
)
def flushdb(client: Client, argv: list[bytes]) -> Reply:
    _check_flush(argv)
    client.db.clear()
    _tell_flushed(client, argv)
    client.keyspace.dirty += 1
    return OK


def _tell_flushed(client: Client, argv: list[bytes]) -> None:
    """Client-side caches are void. A real server frees before it answers unless told ASYNC, so that this client hears of it first."""
    waits = len(argv) == 1 or argv[1].upper() == b"SYNC"
    client.server.tracking.flushed(client, waits and not client.may_not_block)


def _check_flush(argv: list[bytes]) -> None:
    """ASYNC and SYNC come to the same: the keys are gone at once, their memory is freed in slices."""
    if len(argv) > 2 or (len(argv) == 2 and argv[1].upper() not in (b"ASYNC", b"SYNC")):
        raise RedisError(SYNTAX)


@command("SWAPDB index1 index2", "Exchanges two databases.", WRITE | FAST, since="4.0.0", complexity="O(N)", acl="keyspace dangerous")
def swapdb(client: Client, argv: list[bytes]) -> Reply:
    first = parse_int(argv[1], INVALID_FIRST_DB)
    second = parse_int(argv[2], INVALID_SECOND_DB)
    databases = client.keyspace.databases
    if not (0 <= first < len(databases) and 0 <= second < len(databases)):
        raise RedisError(DB_OUT_OF_RANGE)
    if first != second:
        databases[first].swap(databases[second])
    client.keyspace.dirty += 1
    return OK


@command("TIME", "The time: seconds since the epoch, and microseconds.", LOADING | STALE | FAST, since="2.6.0", complexity="O(1)",
         tips="nondeterministic_output")
def time(client: Client, argv: list[bytes]) -> Reply:
    seconds, microseconds = divmod(client.clock.now_us(), 1_000_000)
    return [b"%d" % seconds, b"%d" % microseconds]


@command(
    "ROLE", "What the server is in replication.", NOSCRIPT | LOADING | STALE | FAST, since="2.8.12", complexity="O(1)",
    acl="admin dangerous",
)
def role(client: Client, argv: list[bytes]) -> Reply:
    return [b"master", int(client.server.effects.offset), []]


@command(
    "SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
    "Saves as configured and ends the server.",
    ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY, since="1.0.0", complexity="O(N)",
    names={"NOSAVE": "save-selector"}, added={"7.0.0": "now force abort"},
)
def shutdown(client: Client, argv: list[bytes]) -> Reply:
    save: bool | None = None
    abort = force = False
    options = Options(argv, 1)
    while options.more():
        match options.word():
            case b"SAVE" if save is None:
                save = True
            case b"NOSAVE" if save is None:
                save = False
            case b"NOW":
                pass  # there are no replicas to wait for
            case b"FORCE":
                force = True
            case b"ABORT":
                abort = True
            case _:
                raise RedisError(SYNTAX)
    if abort:
        if len(argv) > 2:
            raise RedisError(SYNTAX)
        raise RedisError(NO_SHUTDOWN)
    client.server.shutdown(save, force)
    return NOTHING

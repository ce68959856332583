"""Persistence commands: what is on disk, and waiting for it (https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/)."""

from __future__ import annotations

from redloop.engine.blocking import block
from redloop.engine.client import Client
from redloop.engine.command import ADMIN, BLOCKING, NO_ASYNC_LOADING, NOSCRIPT, family
from redloop.engine.durability import Durability
from redloop.engine.options import parse_int_in_range, timeout_milliseconds
from redloop.errors import REWRITE_IN_PROGRESS, REWRITE_NOT_NOW, WAITAOF_WITHOUT_AOF, RedisError
from redloop.numbers import parse_int, parse_positive
from redloop.resp.replies import NOTHING, Reply, Simple

command = family("server")
generic = family("generic")

REWRITE_STARTED = Simple(b"Background append only file rewriting started")
REWRITE_SCHEDULED = Simple(b"Background append only file rewriting scheduled")
REPLICAS = 0  # there is no replication yet: none acknowledges anything


@command(
    "BGREWRITEAOF",
    "Write the append-only file anew, from what the keys hold now, while the server goes on.",
    ADMIN | NOSCRIPT | NO_ASYNC_LOADING,
    since="1.0.0",
    complexity="O(1)",
)
def bgrewriteaof(client: Client, argv: list[bytes]) -> Reply:
    durability: Durability = client.server.durability
    if durability.fixed:
        raise RedisError(REWRITE_NOT_NOW)
    if durability.saving.recording is not None or client.server.effects.depth:
        durability.rewrite_scheduled = True
        return REWRITE_SCHEDULED
    if not durability.start_rewrite():
        raise RedisError(REWRITE_IN_PROGRESS)
    return REWRITE_STARTED


@generic(
    "WAIT numreplicas timeout",
    "Waits until so many replicas have every write of this connection.",
    BLOCKING,
    since="3.0.0",
    types={"timeout": "integer"},
    acl="connection",
    complexity="O(1)",
    tips="request_policy:all_shards response_policy:agg_min",
)
def wait(client: Client, argv: list[bytes]) -> Reply:
    replicas = parse_int(argv[1])
    deadline = timeout_milliseconds(argv[2], client.clock.now_ms())
    if replicas <= REPLICAS:
        return REPLICAS
    return _block(client, argv, deadline, REPLICAS)


@generic(
    "WAITAOF numlocal numreplicas timeout",
    "Waits until every write of this connection is on disk, here and on so many replicas.",
    BLOCKING,
    since="7.2.0",
    types={"timeout": "integer"},
    acl="connection",
    complexity="O(1)",
    tips="request_policy:all_shards response_policy:agg_min",
)
def waitaof(client: Client, argv: list[bytes]) -> Reply:
    local = parse_int_in_range(argv[1], 0, 1)
    replicas = parse_positive(argv[2])
    deadline = timeout_milliseconds(argv[3], client.clock.now_ms())
    durability: Durability = client.server.durability
    if local and not durability.enabled:
        raise RedisError(WAITAOF_WITHOUT_AOF)
    aof = durability.aof
    offset = aof.end_offset() if client.wrote else client.written_to
    reached = [int(durability.enabled and aof.durable_offset() >= offset), REPLICAS]
    if reached[0] >= local and replicas <= REPLICAS:
        return reached
    reply = _block(client, argv, deadline, reached)
    if reply is NOTHING and not reached[0]:
        aof.when_durable(offset, Waiter(client, reached, replicas).on_disk)
    return reply


class Waiter:
    """A client in WAITAOF; `reached` is what it will be told."""

    def __init__(self, client: Client, reached: list[int], replicas: int) -> None:
        self.client = client
        self.reached = reached
        self.replicas = replicas

    def on_disk(self) -> None:
        """Its writes are on disk here."""
        self.reached[0] = 1
        if self.replicas <= REPLICAS:
            self.client.server.blocked.release(self.client, self.reached)


def _block(client: Client, argv: list[bytes], deadline: int, reply: Reply) -> Reply:
    return block(client, argv, [], deadline - client.clock.now_ms() if deadline else 0, reply)

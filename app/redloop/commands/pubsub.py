"""Publish and subscribe commands (https://redis.io/docs/latest/commands/?group=pubsub)."""

from __future__ import annotations

from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import FAST, LOADING, NOSCRIPT, PUBSUB, STALE, family
from redloop.engine.pubsub import Directory
from redloop.errors import SSUBSCRIBE_IN_TRANSACTION, RedisError, unknown_subcommand_or_arity
from redloop.patterns import compile_pattern
from redloop.resp.replies import Reply, Several

command = family("pubsub")

SUBSCRIBING: Final = PUBSUB | NOSCRIPT | LOADING | STALE
ASKING: Final = PUBSUB | LOADING | STALE


def _subscribe(client: Client, directory: Directory, argv: list[bytes]) -> Reply:
    kind = argv[0].lower()
    return Several([client.server.pubsub.subscribe(client, directory, kind, name) for name in argv[1:]])


def _unsubscribe(client: Client, directory: Directory, argv: list[bytes]) -> Reply:
    kind = argv[0].lower()
    names: list[bytes | None] = [*argv[1:]] or [*directory.names(client)] or [None]
    return Several([client.server.pubsub.unsubscribe(client, directory, kind, name) for name in names])


@command("SUBSCRIBE channel [channel ...]", "Listens to channels.", SUBSCRIBING, since="2.0.0", complexity="O(N)")
def subscribe(client: Client, argv: list[bytes]) -> Reply:
    return _subscribe(client, client.server.pubsub.channels, argv)


@command("UNSUBSCRIBE [channel [channel ...]]", "Stops listening to channels.", SUBSCRIBING, since="2.0.0", complexity="O(N)")
def unsubscribe(client: Client, argv: list[bytes]) -> Reply:
    return _unsubscribe(client, client.server.pubsub.channels, argv)


@command("PSUBSCRIBE pattern [pattern ...]", "Listens to channels by glob.", SUBSCRIBING, since="2.0.0", complexity="O(N)")
def psubscribe(client: Client, argv: list[bytes]) -> Reply:
    return _subscribe(client, client.server.pubsub.patterns, argv)


@command("PUNSUBSCRIBE [pattern [pattern ...]]", "Stops listening by glob.", SUBSCRIBING, since="2.0.0", complexity="O(N)")
def punsubscribe(client: Client, argv: list[bytes]) -> Reply:
    return _unsubscribe(client, client.server.pubsub.patterns, argv)


@command(
    "SSUBSCRIBE shardchannel [shardchannel ...]",
    "Listens to shard channels.",
    SUBSCRIBING, since="7.0.0", complexity="O(N)", keys="NOT_KEY",
)
def ssubscribe(client: Client, argv: list[bytes]) -> Reply:
    if client.may_not_block:
        raise RedisError(SSUBSCRIBE_IN_TRANSACTION)
    return _subscribe(client, client.server.pubsub.shards, argv)


@command(
    "SUNSUBSCRIBE [shardchannel [shardchannel ...]]",
    "Stops listening to shard channels.",
    SUBSCRIBING, since="7.0.0", complexity="O(N)", keys="NOT_KEY",
)
def sunsubscribe(client: Client, argv: list[bytes]) -> Reply:
    return _unsubscribe(client, client.server.pubsub.shards, argv)


@command("PUBLISH channel message", "Sends a message to a channel.", ASKING | FAST, since="2.0.0", complexity="O(N+M)")
def publish(client: Client, argv: list[bytes]) -> Reply:
    return client.server.pubsub.publish(argv[1], argv[2])


@command("SPUBLISH shardchannel message", "Sends a message to a shard channel.", ASKING | FAST, since="7.0.0", complexity="O(N)",
         keys="NOT_KEY")
def spublish(client: Client, argv: list[bytes]) -> Reply:
    return client.server.pubsub.publish_shard(argv[1], argv[2])


@command("PUBSUB CHANNELS [pattern]", "Channels somebody listens to.", ASKING, since="2.8.0", complexity="O(N)")
def pubsub_channels(client: Client, argv: list[bytes]) -> Reply:
    return _names(client.server.pubsub.channels, argv)


@command("PUBSUB SHARDCHANNELS [pattern]", "Shard channels somebody listens to.", ASKING, since="7.0.0", complexity="O(N)")
def pubsub_shardchannels(client: Client, argv: list[bytes]) -> Reply:
    return _names(client.server.pubsub.shards, argv)


def _names(directory: Directory, argv: list[bytes]) -> Reply:
    if len(argv) > 3:
        raise RedisError(unknown_subcommand_or_arity("pubsub", argv[1]))
    pattern = compile_pattern(argv[2] if len(argv) == 3 else b"*")
    return pattern.select(list(directory.listeners))


@command("PUBSUB NUMSUB [channel [channel ...]]", "How many listen to channels.", ASKING, since="2.8.0", complexity="O(N)")
def pubsub_numsub(client: Client, argv: list[bytes]) -> Reply:
    return _numbers(client.server.pubsub.channels, argv)


@command(
    "PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]", "How many listen to shard channels.", ASKING, since="7.0.0", complexity="O(N)"
)
def pubsub_shardnumsub(client: Client, argv: list[bytes]) -> Reply:
    return _numbers(client.server.pubsub.shards, argv)


def _numbers(directory: Directory, argv: list[bytes]) -> Reply:
    flat: list[object] = []
    for name in argv[2:]:
        flat += [name, len(directory.listeners.get(name, ()))]
    return flat


@command("PUBSUB NUMPAT", "How many globs somebody listens by.", ASKING, since="2.8.0", complexity="O(1)")
def pubsub_numpat(client: Client, argv: list[bytes]) -> Reply:
    return len(client.server.pubsub.patterns.listeners)

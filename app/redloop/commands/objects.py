"""OBJECT: how a value is kept and when it was used (https://redis.io/docs/latest/commands/object/)."""

from __future__ import annotations

from typing import Final

from redloop.config import Config
from redloop.engine.client import Client
from redloop.engine.command import READONLY, family
from redloop.errors import LFU, NOT_LFU, RedisError
from redloop.resp.replies import Reply
from redloop.values.types import encoding

command = family("generic")

SHARED_INTEGERS: Final = 10000
"""Redis keeps one object for each integer below this and says so by a reference count of INT_MAX."""
SHARED_REFCOUNT: Final = 2147483647


@command(
    "OBJECT ENCODING key", "How the value at a key is encoded.",
    READONLY, since="2.2.3", complexity="O(1)", keys="RO", tips="nondeterministic_output",
)
def object_encoding(client: Client, argv: list[bytes]) -> Reply:
    value = client.db.look(argv[2])
    return None if value is None else encoding(value, client.server.config)


@command(
    "OBJECT REFCOUNT key", "How many references the value at a key has.",
    READONLY, since="2.2.3", complexity="O(1)", keys="RO", tips="nondeterministic_output",
)
def object_refcount(client: Client, argv: list[bytes]) -> Reply:
    value = client.db.look(argv[2])
    return None if value is None else reference_count(value, client.server.config)


def reference_count(value: object, config: Config) -> int:
    """How many references Redis would count. Under an LRU or LFU limit it shares none, since each key needs a time of use of its own.

    As the server is set now: no value remembers how it was set when it was made, nor whether COPY made it (which shares nothing).
    """
    alone = config.maxmemory and config.maxmemory_policy.endswith(("lru", "lfu"))
    if not alone and encoding(value, config) == b"int":
        assert isinstance(value, (bytes, int))
        if 0 <= int(value) < SHARED_INTEGERS:
            return SHARED_REFCOUNT
    return 1


@command(
    "OBJECT IDLETIME key", "For how many seconds the value at a key was not used.",
    READONLY, since="2.2.3", complexity="O(1)", keys="RO", tips="nondeterministic_output",
)
def object_idletime(client: Client, argv: list[bytes]) -> Reply:
    if client.db.look(argv[2]) is None:
        return None
    if "lfu" in client.server.config.maxmemory_policy:
        raise RedisError(LFU)
    return max(0, client.clock.seconds - client.db.accessed(argv[2]))


@command(
    "OBJECT FREQ key", "How often the value at a key is used, on the logarithmic scale of the LFU policies.",
    READONLY, since="4.0.0", complexity="O(1)", keys="RO", tips="nondeterministic_output",
)
def object_freq(client: Client, argv: list[bytes]) -> Reply:
    if client.db.look(argv[2]) is None:
        return None
    if "lfu" not in client.server.config.maxmemory_policy:
        raise RedisError(NOT_LFU)
    return client.db.frequency(argv[2])

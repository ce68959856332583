"""Expiry commands: when keys vanish (https://redis.io/docs/latest/commands/expire/).

Times become absolute milliseconds at once and are kept so; an expiry in the past deletes the key. What is replayed is PEXPIREAT or DEL,
never a duration.
"""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import FAST, READONLY, WRITE, family
from redloop.errors import EXPIRE_GT_WITH_LT, EXPIRE_NX_WITH_OTHERS, RedisError, invalid_expire, unsupported_option
from redloop.events import GENERIC
from redloop.numbers import INT64_MAX, INT64_MIN, parse_int
from redloop.resp.replies import Reply

command = family("generic")


@command(
    "EXPIRE key seconds [NX | XX | GT | LT]",
    "Makes a key vanish after a number of seconds.",
    WRITE | FAST, since="1.0.0", complexity="O(1)", keys="RW UPDATE", added={"7.0.0": "condition"},
)
def expire(client: Client, argv: list[bytes]) -> Reply:
    return _expire_at(client, argv, "expire", client.clock.now_ms(), 1000)


@command(
    "PEXPIRE key milliseconds [NX | XX | GT | LT]",
    "Makes a key vanish after a number of milliseconds.",
    WRITE | FAST, since="2.6.0", complexity="O(1)", keys="RW UPDATE", added={"7.0.0": "condition"},
)
def pexpire(client: Client, argv: list[bytes]) -> Reply:
    return _expire_at(client, argv, "pexpire", client.clock.now_ms(), 1)


@command(
    "EXPIREAT key unix-time-seconds [NX | XX | GT | LT]",
    "Makes a key vanish at a moment given in seconds of Unix time.",
    WRITE | FAST, since="1.2.0", complexity="O(1)", keys="RW UPDATE", added={"7.0.0": "condition"},
)
def expireat(client: Client, argv: list[bytes]) -> Reply:
    return _expire_at(client, argv, "expireat", 0, 1000)


@command(
    "PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]",
    "Makes a key vanish at a moment given in milliseconds of Unix time.",
    WRITE | FAST, since="2.6.0", complexity="O(1)", keys="RW UPDATE", added={"7.0.0": "condition"},
)
def pexpireat(client: Client, argv: list[bytes]) -> Reply:
    return _expire_at(client, argv, "pexpireat", 0, 1)


def _expire_at(client: Client, argv: list[bytes], name: str, base_ms: int, unit_ms: int) -> int:
    """Sets the expiry to `base_ms` plus the amount in `argv[2]`, in units of `unit_ms`; 1 if it was set."""
    conditions = _conditions(argv)
    amount = parse_int(argv[2]) * unit_ms
    if not INT64_MIN <= amount <= INT64_MAX - base_ms:
        raise RedisError(invalid_expire(name))
    due = base_ms + amount
    key = argv[1]
    db = client.db
    if db.find_for_write(key) is None:
        return 0
    if conditions and not _allowed(conditions, db.expiry(key), due):
        return 0
    if due <= client.clock.now_ms() and client.keyspace.expiring:
        db.remove(key)
        client.replay_as([b"UNLINK" if client.server.config.lazyfree_lazy_expire else b"DEL", key])
        db.changed(key, GENERIC, b"del")
        return 1
    db.set_expiry(key, due)
    client.replay_as([b"PEXPIREAT", key, b"%d" % due, *argv[3:]])
    db.changed(key, GENERIC, b"expire")
    return 1


def _conditions(argv: list[bytes]) -> set[bytes]:
    conditions: set[bytes] = set()
    for word in argv[3:]:
        condition = word.upper()
        if condition not in (b"NX", b"XX", b"GT", b"LT"):
            raise RedisError(unsupported_option(word))
        conditions.add(condition)
    if b"NX" in conditions and len(conditions) > 1:
        raise RedisError(EXPIRE_NX_WITH_OTHERS)
    if b"GT" in conditions and b"LT" in conditions:
        raise RedisError(EXPIRE_GT_WITH_LT)
    return conditions


def _allowed(conditions: set[bytes], current: int, due: int) -> bool:
    """Whether an expiry at `due` may take the place of `current` (-1: none, which counts as endless)."""
    if b"NX" in conditions:
        return current == -1
    if b"XX" in conditions and current == -1:
        return False
    if b"GT" in conditions:
        return current != -1 and due > current
    if b"LT" in conditions:
        return current == -1 or due < current
    return True


@command("TTL key", "How many seconds a key has left.", READONLY | FAST, since="1.0.0", complexity="O(1)", tips="nondeterministic_output")
def ttl(client: Client, argv: list[bytes]) -> Reply:
    left = _left(client, argv[1])
    return left if left < 0 else (left + 500) // 1000


@command(
    "PTTL key", "How many milliseconds a key has left.", READONLY | FAST, since="2.6.0", complexity="O(1)", tips="nondeterministic_output"
)
def pttl(client: Client, argv: list[bytes]) -> Reply:
    return _left(client, argv[1])


@command("EXPIRETIME key", "When a key vanishes, in seconds of Unix time.", READONLY | FAST, since="7.0.0", complexity="O(1)")
def expiretime(client: Client, argv: list[bytes]) -> Reply:
    due = _due(client, argv[1])
    return due if due < 0 else (due + 500) // 1000


@command("PEXPIRETIME key", "When a key vanishes, in milliseconds of Unix time.", READONLY | FAST, since="7.0.0", complexity="O(1)")
def pexpiretime(client: Client, argv: list[bytes]) -> Reply:
    return _due(client, argv[1])


def _due(client: Client, key: bytes) -> int:
    """When `key` is due; -1 if never, -2 if there is no such key."""
    if client.db.look(key) is None:
        return -2
    return client.db.expiry(key)


def _left(client: Client, key: bytes) -> int:
    due = _due(client, key)
    return due if due < 0 else max(0, due - client.clock.now_ms())


@command("PERSIST key", "Takes the expiry of a key away.", WRITE | FAST, since="2.2.0", complexity="O(1)", keys="RW UPDATE")
def persist(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    db = client.db
    if db.find_for_write(key) is None or db.expiry(key) == -1:
        return 0
    db.persist(key)
    db.changed(key, GENERIC, b"persist")
    return 1

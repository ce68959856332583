"""Digests are those of a real server, for every type, encoding and kind of score."""

from __future__ import annotations

from random import Random

import pytest

from redloop.clock import ManualClock
from redloop.keyspace.database import Keyspace
from redloop.keyspace.digest import digest_of_all, digest_of_value
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream
from tests.conftest import Real

LATER = 33_322_222_222_222
SCORES = [0.0, 1.0, -1.5, 0.1, 1e20, 1e17, 3e15, 1e-7, 123456.789, 12345678901234567.0, float("inf"), 5e-324, 0.30000000000000004]
SCORES.append(float("-inf"))


def fill(keyspace: Keyspace, real: Real, big: bool) -> list[bytes]:
    """The same data here and there; the keys."""
    database = keyspace.databases[0]
    count = 1000 if big else 3
    names = [b"member %d" % i for i in range(count)] + [b"", b"\xc1\xc0", b"5"]
    listed, plain, fields, scored, stream = List(), Set(), Hash(), SortedSet(), Stream()
    listed.push_tail(names, -2)
    for i, name in enumerate(names):
        plain.add(name)
        fields.set(name, b"%d" % i)
        scored.add(name, SCORES[i % len(SCORES)])
        stream.append(i + 1 << 64 | i, [name, b"%d" % i, b"f", b"v"], 4096, 100)
        real("XADD", "stream", f"{i + 1}-{i}", name, i, "f", "v")
        real("SADD", "set", name)
        real("HSET", "hash", name, i)
        real("ZADD", "zset", repr(SCORES[i % len(SCORES)]), name)
    real("RPUSH", "list", *names)
    fields.set_due(names[0], LATER)
    real("HPEXPIREAT", "hash", LATER, "FIELDS", 1, names[0])
    for key, value in ((b"list", listed), (b"set", plain), (b"hash", fields), (b"zset", scored), (b"stream", stream)):
        database.put(key, value)
    for key, string in ((b"string", b"text"), (b"number", 12345), (b"edited", bytearray(b"ab"))):
        database.put(key, string)
        real("SET", key, b"%d" % string if isinstance(string, int) else bytes(string))
    database.set_expiry(b"string", LATER)
    real("PEXPIREAT", "string", LATER)
    return [b"list", b"set", b"hash", b"zset", b"stream", b"string", b"number", b"edited", b"missing"]


@pytest.mark.parametrize("big", [False, True])
def test_digests(real: Real, big: bool) -> None:
    """Value by value, and of everything in two databases."""
    real("FLUSHALL")
    keyspace = Keyspace(ManualClock(), 16, Random(1))
    assert digest_of_all(keyspace) == bytes(20)
    for key in fill(keyspace, real, big):
        assert b"*1\r\n+%b\r\n" % digest_of_value(keyspace.databases[0], key).hex().encode() == real("DEBUG", "DIGEST-VALUE", key)
    keyspace.databases[3].put(b"key", b"other")
    real("SELECT", 3)
    real("SET", "key", "other")
    assert b"+%b\r\n" % digest_of_all(keyspace).hex().encode() == real("DEBUG", "DIGEST")
    real("SELECT", 0)

"""String commands (https://redis.io/docs/latest/commands/?group=string)."""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, FAST, READONLY, WRITE, family
from redloop.errors import RedisError
from redloop.keyspace.database import STRING
from redloop.resp.replies import OK, Reply

command = family("string")


@command("GET key", "Gives the string stored at a key.", READONLY | FAST, since="1.0.0")
def get(client: Client, argv: list[bytes]) -> Reply:
    value = client.db.find(argv[1])
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return b"%d" % value
    assert isinstance(value, bytearray)
    return bytes(value)


@command("SET key value [NX | XX]", "Stores a string at a key, whatever it held before.", WRITE | DENYOOM, since="1.0.0", keys="OW UPDATE")
def set_(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    db = client.db
    if len(argv) == 3:
        db.put(key, argv[2])
        db.changed(key, STRING, b"set")
        return OK
    raise RedisError("ERR syntax error")


@command("INCR key", "Adds one to the integer at a key.", WRITE | DENYOOM | FAST, since="1.0.0", keys="RW ACCESS UPDATE")
def incr(client: Client, argv: list[bytes]) -> Reply:
    return _add(client, argv[1], 1)


def _add(client: Client, key: bytes, increment: int) -> int:
    db = client.db
    value = db.find_for_write(key)
    if isinstance(value, int):
        total = value + increment
    elif isinstance(value, bytes):
        total = int(value) + increment
    else:
        total = increment
    db.replace(key, total)
    db.changed(key, STRING, b"incrby")
    return total
@command("MSET key value [key value ...]", "x", WRITE | DENYOOM, since="1.0.0", keys="OW UPDATE")
def mset(client: Client, argv: list[bytes]) -> Reply:
    db = client.db
    for i in range(1, len(argv), 2):
        db.put(argv[i], argv[i + 1])
        db.changed(argv[i], STRING, b"set")
    return OK

"""Commands on keys of any type: delete, move, copy, rename, ask (https://redis.io/docs/latest/commands/?group=generic)."""

from __future__ import annotations

from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, FAST, READONLY, TOUCHES_ARBITRARY_KEYS, WRITE, family
from redloop.engine.options import Options
from redloop.errors import DB_OUT_OF_RANGE, NO_SUCH_KEY, SAME_OBJECT, SYNTAX, RedisError
from redloop.events import GENERIC
from redloop.keyspace.database import Database
from redloop.numbers import parse_int
from redloop.resp.replies import OK, Reply, Simple
from redloop.values.types import copy_value, type_name

command = family("generic")

_MULTI_SHARD_SUM = "request_policy:multi_shard response_policy:agg_sum"


@command("DEL key [key ...]", "Deletes keys.", WRITE, since="1.0.0", complexity="O(N)", keys="RM DELETE", tips=_MULTI_SHARD_SUM)
def del_(client: Client, argv: list[bytes]) -> Reply:
    return _delete(client, argv)


@command(
    "UNLINK key [key ...]",
    "Deletes keys and frees their memory bit by bit.",
    WRITE | FAST, since="4.0.0", complexity="O(1)", keys="RM DELETE", tips=_MULTI_SHARD_SUM,
)
def unlink(client: Client, argv: list[bytes]) -> Reply:
    return _delete(client, argv)


def _delete(client: Client, argv: list[bytes]) -> int:
    db = client.db
    deleted = 0
    for index in range(1, len(argv)):
        key = argv[index]
        if db.delete(key):
            db.changed(key, GENERIC, b"del")
            deleted += 1
    return deleted


@command(
    "EXISTS key [key ...]",
    "How many of the keys there are; one named twice counts twice.",
    READONLY | FAST, since="1.0.0", complexity="O(N)", keys="RO", tips=_MULTI_SHARD_SUM,
)
def exists(client: Client, argv: list[bytes]) -> Reply:
    db = client.db
    return sum([db.look(key) is not None for key in argv[1:]])


@command(
    "TOUCH key [key ...]",
    "Notes an access to keys; gives how many there are.",
    READONLY | FAST, since="3.2.1", complexity="O(N)", keys="RO", tips=_MULTI_SHARD_SUM,
)
def touch(client: Client, argv: list[bytes]) -> Reply:
    db = client.db
    return sum([db.find(key) is not None for key in argv[1:]])


@command("TYPE key", "The type of the value at a key.", READONLY | FAST, since="1.0.0", complexity="O(1)", keys="RO")
def type_(client: Client, argv: list[bytes]) -> Reply:
    value = client.db.look(argv[1])
    return Simple(b"none" if value is None else type_name(value))


@command("RENAME key newkey", "Gives a key another name.", WRITE, since="1.0.0", complexity="O(1)", keys="RW ACCESS DELETE, OW UPDATE")
def rename(client: Client, argv: list[bytes]) -> Reply:
    _rename(client, argv[1], argv[2], overwrite=True)
    return OK


@command(
    "RENAMENX key newkey",
    "Gives a key another name unless that is taken.",
    WRITE | FAST, since="1.0.0", complexity="O(1)", keys="RW ACCESS DELETE, OW INSERT",
)
def renamenx(client: Client, argv: list[bytes]) -> Reply:
    return 1 if _rename(client, argv[1], argv[2], overwrite=False) else 0


def _rename(client: Client, key: bytes, newkey: bytes, overwrite: bool) -> bool:
    db = client.db
    value = db.find_for_write(key)
    if value is None:
        raise RedisError(NO_SUCH_KEY)
    if key == newkey:
        return False
    if db.find_for_write(newkey) is not None and not overwrite:
        return False
    _put_with_expiry(db, newkey, value, db.expiry(key))
    db.remove(key)
    db.changed(key, GENERIC, b"rename_from")
    db.changed(newkey, GENERIC, b"rename_to", 0)
    return True


def _put_with_expiry(db: Database, key: bytes, value: object, due: int) -> None:
    """Stores `value` in place of whatever is at `key`; due -1 means no expiry."""
    db.remove(key)
    db.put(key, value)
    if due != -1:
        db.set_expiry(key, due)


@command("MOVE key db", "Takes a key over into another database.", WRITE | FAST, since="1.0.0", complexity="O(1)", keys="RW ACCESS UPDATE")
def move(client: Client, argv: list[bytes]) -> Reply:
    key = argv[1]
    source = client.db
    target = _database(client, argv[2])
    if target is source:
        raise RedisError(SAME_OBJECT)
    value = source.find_for_write(key)
    if value is None or target.find_for_write(key) is not None:
        return 0
    _put_with_expiry(target, key, value, source.expiry(key))
    source.remove(key)
    source.changed(key, GENERIC, b"move_from")
    target.changed(key, GENERIC, b"move_to", 0)
    return 1


def _database(client: Client, number: bytes) -> Database:
    index = parse_int(number)
    if not 0 <= index < len(client.keyspace.databases):
        raise RedisError(DB_OUT_OF_RANGE)
    database: Database = client.keyspace.databases[index]
    return database


@command(
    "COPY source destination [DB destination-db] [REPLACE]",
    "Copies the value and the expiry of a key to another.",
    WRITE | DENYOOM, since="6.2.0", complexity="O(N)", keys="RO ACCESS, OW UPDATE",
)
def copy(client: Client, argv: list[bytes]) -> Reply:
    source = client.db
    target = source
    replace = False
    options = Options(argv, 3)
    while options.more():
        match options.word():
            case b"REPLACE":
                replace = True
            case b"DB" if options.left() >= 1:
                target = _database(client, options.value())
            case _:
                raise RedisError(SYNTAX)
    key, newkey = argv[1], argv[2]
    if target is source and key == newkey:
        raise RedisError(SAME_OBJECT)
    value = source.find(key)
    if value is None or (target.find_for_write(newkey) is not None and not replace):
        return 0
    _put_with_expiry(target, newkey, copy_value(value), source.expiry(key))
    target.changed(newkey, GENERIC, b"copy_to")
    return 1


@command(
    "RANDOMKEY",
    "A key at random, each with the same chance.",
    READONLY | TOUCHES_ARBITRARY_KEYS, since="1.0.0", complexity="O(1)",
    tips="request_policy:all_shards response_policy:special nondeterministic_output",
)
def randomkey(client: Client, argv: list[bytes]) -> Reply:
    db = client.db
    while True:
        key = db.random_key()
        if key is None or db.exists(key):  # one that is due vanishes here
            return key

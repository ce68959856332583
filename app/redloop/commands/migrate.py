"""MIGRATE: moves keys to another server (https://redis.io/docs/latest/commands/migrate/). engine/migration.py does it."""

from __future__ import annotations

from typing import Final

from redloop.engine.client import Client
from redloop.engine.command import WRITE, family
from redloop.engine.migration import Migrations, Move, Parcel, running_loop
from redloop.engine.slowlog import REDACTED
from redloop.errors import MIGRATE_KEYS, SYNTAX, RedisError
from redloop.numbers import parse_int
from redloop.resp.replies import NOTHING, Reply, Simple

command = family("generic")

NOKEY: Final = Simple(b"NOKEY")
DEFAULT_TIMEOUT_MS: Final = 1000


@command(
    'MIGRATE host port <key | ""> destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] [KEYS key [key ...]]',
    "Moves keys to another server.",
    WRITE, since="2.6.0", complexity="O(N)", keys="RW ACCESS DELETE, RW ACCESS DELETE INCOMPLETE", acl="dangerous",
    tips="nondeterministic_output", types={"timeout": "integer"},
    names={"key": "key-selector key", "AUTH": "authentication auth", "AUTH2": "auth2", "KEYS": "keys"},
    added={"3.0.0": "copy replace", "3.0.6": "keys", "4.0.7": "auth", "6.0.0": "auth2"},
)
def migrate(client: Client, argv: list[bytes]) -> Reply:
    copy = replace = False
    login: list[bytes] = []
    keys = [argv[3]]
    at = 6
    while at < len(argv):
        left = len(argv) - at - 1
        match argv[at].upper():
            case b"COPY":
                copy = True
            case b"REPLACE":
                replace = True
            case b"AUTH" if left >= 1:
                login = [b"AUTH", argv[at + 1]]
                argv[at + 1] = REDACTED
                at += 1
            case b"AUTH2" if left >= 2:
                login = [b"AUTH", argv[at + 1], argv[at + 2]]
                argv[at + 1] = argv[at + 2] = REDACTED
                at += 2
            case b"KEYS":
                if argv[3]:
                    raise RedisError(MIGRATE_KEYS)
                keys = argv[at + 1 :]
                break
            case _:
                argv[at + 1 :] = [REDACTED] * left  # a mistaken request may hold a password too
                raise RedisError(SYNTAX)
        at += 1
    timeout_ms = parse_int(argv[5])
    database = parse_int(argv[4])
    move = Move((argv[1], argv[2]), database, (timeout_ms if timeout_ms > 0 else DEFAULT_TIMEOUT_MS) / 1000)
    move.copy = copy
    move.login = login
    move.replace = replace
    for key in keys:
        value = client.db.find(key)
        if value is not None:
            move.parcels.append(Parcel(key, value, client.db.expiry(key), client.server.config))
    if not move.parcels:
        return NOKEY
    migrations: Migrations = client.server.migrations
    loop = running_loop()
    if client.may_not_block or client.obeyed or loop is None:
        return migrations.run(client, move)
    migrations.begin(client, move, loop)
    return NOTHING

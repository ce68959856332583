"""The digest of a key, and of everything: DEBUG DIGEST-VALUE and DEBUG DIGEST."""

from __future__ import annotations

from redloop.keyspace.database import Database, Keyspace
from redloop.values.digest import EMPTY, add, mix, mix_number, mix_value


def digest_of_value(database: Database, key: bytes) -> bytes:
    """The digest of what is at `key`, of nothing if there is nothing; one that is due counts until it is reclaimed."""
    value = database.held(key)
    return EMPTY if value is None else mix_value(EMPTY, value, database.expiry(key) >= 0)


def digest_of_all(keyspace: Keyspace) -> bytes:
    """The digest of all keys of all databases; a key that is due counts until it is reclaimed, as in Redis."""
    digest = EMPTY
    for database in keyspace.databases:
        if not len(database):
            continue
        digest = mix_number(digest, database.index)
        for segment in database.segments():
            expires = segment.expires
            for key, value in segment.values.items():
                digest = add(digest, mix_value(mix(EMPTY, key), value, bool(expires) and key in expires))
    return digest

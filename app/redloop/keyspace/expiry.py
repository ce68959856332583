"""Active expiry: keys that are due vanish though nobody asks for them.

Every segment with expiring keys knows a time before which none of its keys is due, so a cycle over the directory skips most of them. A
cycle stops when its time is up and goes on from there the next time; the caller runs cycles more often while many keys are due. Fields of
hashes that are due come from a heap of their own (due_fields.py).
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from redloop.events import GENERIC, HASH
from redloop.keyspace.database import Database, Keyspace
from redloop.values.hash import Hash

FIELDS_AT_ONCE: Final = 1000


def reclaim_fields(database: Database, key: bytes, value: Hash, limit: int) -> bool:
    """Deletes up to `limit` fields that are due of the hash at `key`, and the hash with its last one; False if that happened."""
    keyspace = database.keyspace
    database.for_write(key)
    fields = value.expire(keyspace.clock.ms, limit)
    keyspace.expired_fields += len(fields)
    if keyspace.on_fields_expired is not None:
        keyspace.on_fields_expired(database, key, fields)
    database.changed(key, HASH, b"hexpired", 0)
    if not value.count:
        database.remove(key)
        database.changed(key, GENERIC, b"del", 0)
        return False
    database.due_fields.watch(key, value.soonest)
    return True


def drop_if_due(database: Database, key: bytes, value: Hash, field: bytes) -> bool:
    """Deletes `field` of the hash at `key` if it is due; True if it was. The caller tells of it, and deletes the hash if it is empty."""
    keyspace = database.keyspace
    if not 0 <= value.due(field) < keyspace.clock.ms:
        return False
    if not keyspace.expiring:
        return keyspace.veiled
    database.for_write(key)
    value.remove(field)
    keyspace.expired_fields += 1
    if keyspace.on_fields_expired is not None:
        keyspace.on_fields_expired(database, key, [field])
    return True


class ExpiryCycle:
    """Walks all databases round and round, in slices."""

    def __init__(self, keyspace: Keyspace) -> None:
        self.keyspace = keyspace
        self._database: i64 = 0
        self._slot: i64 = 0

    def run(self, budget_ns: int) -> bool:
        """Reclaims for about `budget_ns` nanoseconds; True if it stopped for want of time with keys still due."""
        keyspace = self.keyspace
        clock = keyspace.clock
        deadline = clock.monotonic_ns() + budget_ns
        remaining = len(keyspace.databases)
        while remaining > 0:
            database = keyspace.databases[self._database]
            if database.volatile > 0:
                while self._slot < len(database.directory):
                    segment = database.directory[self._slot]
                    if segment.expires and segment.soonest <= clock.ms:
                        slots: i64 = len(database.directory)
                        whole = database.reclaim(segment, deadline)
                        if len(database.directory) < slots:  # it has shrunk
                            self._slot = self._slot * len(database.directory) // slots
                        if not whole:
                            return True
                    self._slot += 1
            if not self._reclaim_fields(database, deadline):
                return True
            self._slot = 0
            self._database = (self._database + 1) % len(keyspace.databases)
            remaining -= 1
        return False

    def _reclaim_fields(self, database: Database, deadline: int) -> bool:
        """Deletes fields that are due; False if time ran out."""
        clock = self.keyspace.clock
        while True:
            key = database.due_fields.take(clock.ms)
            if key is None:
                return True
            value = database.peek(key)
            if isinstance(value, Hash):
                if value.soonest <= clock.ms:
                    reclaim_fields(database, key, value, FIELDS_AT_ONCE)
                else:
                    database.due_fields.watch(key, value.soonest)
            if clock.monotonic_ns() > deadline:
                return False

"""Active expiry: keys that are due vanish though nobody asks for them.

Every segment with expiring keys knows a time before which none of its keys is due, so a cycle over the directory skips most of them. A
cycle stops when its time is up and goes on from there the next time; the caller runs cycles more often while many keys are due.
"""

from __future__ import annotations

from mypy_extensions import i64

from redloop.keyspace.database import Keyspace


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
                    self._slot += 1
                    if segment.expires and segment.soonest <= clock.ms:
                        database.reclaim(segment)
                        if clock.monotonic_ns() > deadline:
                            return True
            self._slot = 0
            self._database = (self._database + 1) % len(keyspace.databases)
            remaining -= 1
        return False

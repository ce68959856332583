"""Which key goes when memory runs out: the policies of maxmemory-policy, by samples as in Redis.

To find the best of all keys would take an order of all keys. Instead a few are drawn from each database, and those that look best are kept
in a pool from one time to the next: what is evicted is the best of many draws. A policy is a way to score a key; the highest goes first. A
new one needs a score, and a name in `POLICIES`.
"""

from __future__ import annotations

from typing import Final, cast

from mypy_extensions import i64

from redloop.keyspace.database import Database, Keyspace
from redloop.keyspace.segment import Segment

NONE: Final = 0
BY_IDLE_TIME: Final = 1
BY_FREQUENCY: Final = 2
BY_EXPIRY: Final = 3
AT_RANDOM: Final = 4

POLICIES: Final = {
    "noeviction": NONE,
    "allkeys-lru": BY_IDLE_TIME,
    "volatile-lru": BY_IDLE_TIME,
    "allkeys-lfu": BY_FREQUENCY,
    "volatile-lfu": BY_FREQUENCY,
    "volatile-ttl": BY_EXPIRY,
    "allkeys-random": AT_RANDOM,
    "volatile-random": AT_RANDOM,
}

POOL: Final = 16
"""Candidates that are remembered."""
USES: Final = 16
"""Times keys are drawn from one segment before the next is taken: to list its keys brings all of them into the cache, and whose keys they
are is chance anyhow."""
DRAWS: Final = 8
"""Places tried at random for keys that expire, before the directory is walked."""


class Candidate:
    """A key that was drawn, and its score then."""

    __slots__ = ("database", "key", "score")

    def __init__(self, score: i64, database: Database, key: bytes) -> None:
        self.score: i64 = score
        self.database = database
        self.key = key


class Evictor:
    """Chooses the keys of one keyspace to evict."""

    def __init__(self, keyspace: Keyspace) -> None:
        self.keyspace = keyspace
        self.policy: i64 = NONE
        self.volatile = False  # only keys that expire
        self.samples: i64 = 5
        self._pool: list[Candidate] = []  # by score, the highest last
        self._turn: i64 = 0  # the database that is next when keys are drawn at random
        self._slot: i64 = 0  # where the last segment with expiring keys was found by walking
        self._listed: list[bytes] = []  # keys of a segment of a database, and how often they may still be used
        self._listed_of: Database | None = None
        self._uses: i64 = 0

    def follow(self, policy: str, samples: int) -> None:
        """maxmemory-policy and maxmemory-samples."""
        self.policy = POLICIES[policy]
        self.volatile = policy.startswith("volatile")
        self.samples = samples
        self._pool.clear()  # scores of another policy
        self._uses = 0

    def choose(self) -> tuple[Database, bytes] | None:
        """The key to evict next; None if there is none that may be."""
        if self.policy == NONE:
            return None
        if self.policy == AT_RANDOM:
            return self._draw()
        databases = [database for database in self.keyspace.databases if self._has_candidates(database)]
        while databases:
            for database in databases:
                self._fill(database)
            while self._pool:
                best = self._pool.pop()
                segment = best.database.segment(best.key)
                if best.key in (segment.expires if self.volatile else segment.values):
                    return best.database, best.key
        return None

    def _has_candidates(self, database: Database) -> bool:
        return (database.volatile if self.volatile else database.size) > 0

    def _draw(self) -> tuple[Database, bytes] | None:
        """A key at random, from each database in turn."""
        databases = self.keyspace.databases
        for _ in range(len(databases)):
            self._turn = (self._turn + 1) % len(databases)
            database = databases[self._turn]
            if not self._has_candidates(database):
                continue
            if not self.volatile:
                key = database.random_key()
                assert key is not None
                return database, key
            keys = list(self._segment(database).expires)
            return database, keys[int(self.keyspace.random.random() * len(keys))]
        return None

    def _segment(self, database: Database) -> Segment:
        """A segment that holds candidates, by chance."""
        random = self.keyspace.random
        directory = database.directory
        for _ in range(DRAWS):
            segment = directory[int(random.random() * len(directory))]
            if segment.expires if self.volatile else segment.values:
                return segment
        while True:
            self._slot = (self._slot + 1) % len(directory)
            segment = directory[self._slot]
            if segment.expires if self.volatile else segment.values:
                return segment

    def _fill(self, database: Database) -> None:
        """Draws keys of a database; those that are better than what is in the pool come into it."""
        if self._uses <= 0 or self._listed_of is not database:
            segment = self._segment(database)
            self._listed = list(segment.expires if self.volatile else segment.values)
            self._listed_of = database
            self._uses = USES
        self._uses -= 1
        keys = self._listed
        count: i64 = len(keys)
        random = self.keyspace.random
        everyone = count <= self.samples
        for number in range(min(self.samples, count)):
            key = keys[number if everyone else int(random.random() * len(keys))]
            segment = database.segment(key)
            if key in (segment.expires if self.volatile else segment.values):
                self._offer(self._score(segment, database, key), database, key)
            else:
                self._uses = 0  # it is out of date

    def _score(self, segment: Segment, database: Database, key: bytes) -> i64:
        if self.policy == BY_IDLE_TIME:
            second = segment.accessed.get(key)
            used: i64 = segment.used if second is None else cast(int, second)
            return -used
        if self.policy == BY_FREQUENCY:
            return 255 - database.frequency(key)
        return -segment.expires[key]

    def _offer(self, score: i64, database: Database, key: bytes) -> None:
        pool = self._pool
        place: i64 = len(pool)
        while place > 0 and pool[place - 1].score > score:
            place -= 1
        for known in pool:
            if known.key == key and known.database is database:
                return
        if len(pool) == POOL:
            if place == 0:
                return
            pool.pop(0)
            place -= 1
        pool.insert(place, Candidate(score, database, key))

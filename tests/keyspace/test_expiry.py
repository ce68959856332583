"""Active expiry: all that is due goes in one round, while the directory shrinks under it."""

from __future__ import annotations

from random import Random

import pytest

from redloop.clock import ManualClock
from redloop.keyspace.database import RECLAIMED_AT_ONCE, Keyspace
from redloop.keyspace.expiry import ExpiryCycle

BUDGET_NS = 1_000_000
OVERDUE_NS = -1


@pytest.mark.parametrize("stay", [0, 3, 1000])
def test_one_round_reclaims_all_that_is_due(stay: int) -> None:
    """Every `stay`-th key has no expiry; a directory that all keys have left is as small as a new one."""
    clock = ManualClock()
    keyspace = Keyspace(clock, 1, Random(1))
    database = keyspace.databases[0]
    for number in range(20_000):
        key = b"key:%d" % number
        database.put(key, b"value")
        if not stay or number % stay:
            database.set_expiry(key, clock.ms + 5)
    largest = len(database.directory)
    cycle = ExpiryCycle(keyspace)
    assert not cycle.run(BUDGET_NS)
    assert database.size == 20_000
    clock.advance(10)
    assert not cycle.run(BUDGET_NS)
    assert database.volatile == 0
    assert database.size == (-(-20_000 // stay) if stay else 0)
    assert len(database.directory) == 1 if not stay else len(database.directory) <= largest
    for number in range(20_000):
        assert database.exists(b"key:%d" % number) == bool(stay and number % stay == 0)


def test_the_directory_grows_again_as_it_shrank() -> None:
    """Depth is kept exactly through any number of splits and merges."""
    keyspace = Keyspace(ManualClock(), 1, Random(1))
    database = keyspace.databases[0]
    chance = Random(2)
    keys = [b"key:%d" % number for number in range(30_000)]
    for _ in range(3):
        chance.shuffle(keys)
        for key in keys:
            database.put(key, b"value")
        full = len(database.directory)
        assert full == 1 << max(segment.depth for segment in database.segments())
        for count, key in enumerate(keys):
            database.remove(key)
            if count % 3000 == 0:
                assert len(database.directory) == 1 << max(segment.depth for segment in database.segments())
        assert len(database.directory) == 1


def test_a_slice_ends_within_a_segment() -> None:
    """However many keys of one segment are due, a slice looks at the clock after a few, and the next goes on there."""
    clock = ManualClock()
    keyspace = Keyspace(clock, 1, Random(1))
    database = keyspace.databases[0]
    for number in range(500):
        database.put(b"key:%d" % number, b"value")
        database.set_expiry(b"key:%d" % number, clock.ms)
    cycle = ExpiryCycle(keyspace)
    slices = 0
    while database.size:
        before = database.size
        more = cycle.run(OVERDUE_NS)
        assert before - database.size <= RECLAIMED_AT_ONCE
        assert more or not database.size
        slices += 1
    assert slices >= 500 // RECLAIMED_AT_ONCE

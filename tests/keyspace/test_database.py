"""A database: what it knows about the use of its keys."""

from __future__ import annotations

from random import Random

import pytest

from redloop.clock import ManualClock
from redloop.keyspace.database import TOUCH_COUNTER, Keyspace
from redloop.keyspace.segment import CAPACITY


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keyspace(clock: ManualClock) -> Keyspace:
    return Keyspace(clock, 2, Random(1))


def idle(keyspace: Keyspace, key: bytes) -> int:
    return keyspace.clock.seconds - keyspace.databases[0].accessed(key)


def test_idle_time_is_exact_from_the_first_question_on(keyspace: Keyspace, clock: ManualClock) -> None:
    """Before anybody asks, a key counts as used when its segment was; after, each key has its own time."""
    database = keyspace.databases[0]
    database.put(b"a", b"1")
    clock.advance(10_000)
    database.put(b"b", b"1")
    clock.advance(5_000)
    assert idle(keyspace, b"a") == 5
    clock.advance(5_000)
    database.find(b"b")
    clock.advance(1_000)
    assert (idle(keyspace, b"a"), idle(keyspace, b"b")) == (11, 1)
    database.find_for_write(b"a")
    assert (idle(keyspace, b"a"), idle(keyspace, b"b")) == (0, 1)


def test_idle_time_that_was_set(keyspace: Keyspace, clock: ManualClock) -> None:
    """RESTORE IDLETIME sets a key's time, and a use of the key sets it anew."""
    database = keyspace.databases[0]
    database.put(b"a", b"1")
    database.set_accessed(b"a", clock.seconds - 100)
    assert idle(keyspace, b"a") == 100
    database.find(b"a")
    assert idle(keyspace, b"a") == 0


def test_uses_survive_splits_and_merges(keyspace: Keyspace, clock: ManualClock) -> None:
    """Times stay with their keys while segments split and become one again."""
    database = keyspace.databases[0]
    keyspace.track_uses()
    for number in range(20_000):
        if number % 1000 == 0:
            clock.advance(1_000)
        database.put(b"%d" % number, b"")
    for number in range(20_000):
        if number % 1000:
            database.remove(b"%d" % number)
    assert [idle(keyspace, b"%d" % number) for number in range(0, 20_000, 1000)] == list(range(19, -1, -1))


def test_frequency(keyspace: Keyspace, clock: ManualClock) -> None:
    """With an LFU policy a key starts at 5, grows with use and falls with time; a key older than the policy starts when it is used."""
    database = keyspace.databases[0]
    database.put(b"old", b"1")
    keyspace.touch_mode = keyspace.touching = TOUCH_COUNTER
    database.put(b"new", b"1")
    assert (database.frequency(b"old"), database.frequency(b"new")) == (5, 5)
    for _ in range(200):
        database.find(b"new")
    grown = database.frequency(b"new")
    assert grown > 5
    clock.advance(2 * 60_000)
    assert database.frequency(b"new") == grown - 2


def test_segments_do_not_all_split_at_once(keyspace: Keyspace) -> None:
    """They are filled alike: each has a capacity of its own."""
    database = keyspace.databases[0]
    for number in range(100 * CAPACITY):
        database.put(b"%d" % number, b"")
    segments = database.segments()
    assert max(len(segment.values) for segment in segments) <= CAPACITY
    assert 10 * min(segment.capacity for segment in segments) < 6 * CAPACITY
    assert 10 * max(segment.capacity for segment in segments) > 9 * CAPACITY

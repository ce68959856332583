"""SCAN's promise, on a directory that grows and shrinks under it."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from redloop.clock import ManualClock
from redloop.keyspace.database import Database, Keyspace


def filled(size: int) -> Database:
    database = Keyspace(ManualClock(), 1, Random(1)).databases[0]
    for number in range(size):
        database.put(b"%d" % number, b"x")
    return database


@settings(max_examples=40)
@given(st.integers(0, 8000), st.integers(1, 700), st.lists(st.integers(-6000, 6000), max_size=12))
def test_a_key_that_stays_is_returned_exactly_once(size: int, count: int, changes: list[int]) -> None:
    """From the first call to the last, whatever comes and goes in between, in calls of a bounded size."""
    database = filled(size)
    pending, added, cursor = list(changes), 0, 0
    gone: set[bytes] = set()
    found: list[bytes] = []
    while True:
        cursor, keys = database.scan(cursor, count)
        found += keys
        assert len(keys) <= count + 1
        if cursor == 0:
            break
        assert len(keys) >= count
        change = pending.pop() if pending else 0
        for number in range(abs(change)):
            if change > 0:
                database.put(b"new %d" % added, b"x")
                added += 1
            elif database.remove(b"%d" % number):
                gone.add(b"%d" % number)
    assert len(set(found)) == len(found)
    assert {b"%d" % number for number in range(size)} - gone <= set(found)


def test_any_number_is_a_cursor() -> None:
    """A scan from anywhere comes to an end."""
    database = filled(3000)
    for start in (1, 2**40, 2**59 + 12345, 2**60 - 1, 2**60, 2**63, 2**64 - 1):
        cursor = start
        for _ in range(3000):
            cursor, _keys = database.scan(cursor, 10)
            if cursor == 0:
                break
        assert cursor == 0

"""Figures on keys are exact while these are few, and close when a sample stands for many."""

from __future__ import annotations

from random import Random

from redloop.clock import ManualClock
from redloop.keyspace.database import Database, Keyspace
from redloop.keyspace.figures import HASHES, KINDS, LISTS, SETS, SORTED_SETS, STRINGS, look_at_expiries, look_at_values
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet


def database() -> Database:
    return Keyspace(ManualClock(), 1, Random(1)).databases[0]


def test_sizes_are_counted_by_type_and_power_of_two() -> None:
    db = database()
    for number, value in enumerate((b"", b"x", 12345, bytearray(b"abc"), b"x" * 1023, b"x" * 1024)):
        db.put(b"s%d" % number, value)
    for name, kind in ((b"l", List), (b"h", Hash), (b"e", Set), (b"z", SortedSet)):
        db.put(name, kind())
    sizes = look_at_values(db).sizes
    assert sizes[STRINGS] == {0: 1, 1: 1, 2: 1, 3: 1, 10: 1, 11: 1}
    assert sizes[LISTS] == sizes[SETS] == sizes[SORTED_SETS] == sizes[HASHES] == {0: 1}
    assert len(KINDS) == 5


def test_hashes_with_expiring_fields_are_counted() -> None:
    db = database()
    for name in (b"a", b"b", b"c"):
        value = Hash()
        value.set(b"f", b"v")
        if name != b"a":
            value.set_due(b"f", db.clock.now_ms() + 1000)
        if name == b"c":
            value.persist(b"f")
        db.put(name, value)
    assert look_at_values(db).expiring_hashes == 1


def test_times_to_live_are_averaged_over_keys_that_are_not_due() -> None:
    db = database()
    now = db.clock.now_ms()
    for name, due in ((b"a", now + 1000), (b"b", now + 3000), (b"c", now - 1)):
        db.put(name, b"")
        db.set_expiry(name, due)
    db.put(b"d", b"")
    figures = look_at_expiries(db)
    assert (figures.volatile, figures.due, figures.average_ttl()) == (3, 1, 2000)


def test_nothing_is_nothing() -> None:
    db = database()
    assert look_at_expiries(db).average_ttl() == 0
    assert look_at_values(db).sizes == [{}, {}, {}, {}, {}]


def test_a_sample_stands_for_many_keys() -> None:
    db = database()
    now = db.clock.now_ms()
    for number in range(40_000):
        db.put(b"key:%d" % number, b"x" * (1 + number % 2))
        db.set_expiry(b"key:%d" % number, now + 1000 * (1 + number % 3))
    values, expiries = look_at_values(db), look_at_expiries(db)
    assert values.keys == 40_000
    assert 39_990 < sum(values.sizes[STRINGS].values()) < 40_010
    assert 18_000 < values.sizes[STRINGS][1] < 22_000
    assert 1000 < expiries.volatile < 20_000
    assert 1900 < expiries.average_ttl() < 2100

"""SCAN's promise: a key that is there from the beginning of a scan to its end is returned, whatever comes, goes, splits and merges."""

from __future__ import annotations

from random import Random

import pytest

from redloop.clock import ManualClock
from redloop.keyspace.database import Database, Keyspace
from redloop.keyspace.scanning import KEPT
from redloop.keyspace.segment import CAPACITY, SPARSE

MOST = 6 * CAPACITY


def make() -> Database:
    return Keyspace(ManualClock(), 1, Random(1)).databases[0]


class Scan:
    """One scan, call by call: what it has returned, and the keys that have been there all the time."""

    def __init__(self, database: Database, present: set[bytes], count: int) -> None:
        self.database = database
        self.owed = set(present)
        self.count = count
        self.cursor = 0
        self.seen: set[bytes] = set()
        self.done = False

    def step(self, calls: int) -> None:
        for _ in range(calls):
            if self.done:
                return
            self.cursor, found = self.database.scan(self.cursor, self.count)
            assert not (self.seen & set(found) & self.owed), "a key that stayed was returned twice"
            self.seen.update(found)
            self.done = self.cursor == 0


@pytest.mark.parametrize("seed", range(6))
def test_keys_that_stay_are_returned(seed: int) -> None:
    """Scans side by side, begun at any time, over a keyspace that grows and shrinks; each gets every key that stayed, and none twice."""
    random = Random(seed)
    database = make()
    present: set[bytes] = set()
    scans: list[Scan] = []
    names = [b"%d" % number for number in range(MOST)]
    for _ in range(12):
        wanted = random.choice([0, 50, SPARSE, CAPACITY, MOST // 2, MOST])  # the keyspace now goes there
        while abs(len(present) - wanted) > 40:
            if len(present) < wanted:
                changed = random.sample(names, random.randrange(1, 400))
                for key in changed:
                    database.put(key, b"")
                present.update(changed)
            else:
                changed = random.sample(sorted(present), min(len(present) - wanted, random.randrange(1, 400)))
                for key in changed:
                    database.remove(key)
                present.difference_update(changed)
                for scan in scans:
                    scan.owed.difference_update(changed)
            if random.random() < 0.3:
                scans.append(Scan(database, present, random.choice([1, 10, 100])))
            for scan in scans:
                scan.step(random.randrange(4))
            finished = [scan for scan in scans if scan.done]
            assert all(scan.owed <= scan.seen for scan in finished)
            scans = [scan for scan in scans if not scan.done]
    for scan in scans:
        scan.step(1 << 30)
        assert scan.owed <= scan.seen


def test_a_later_scan_sees_later_keys() -> None:
    """The order that one scan left does not hide what came before another began."""
    database = make()
    for number in range(100):
        database.put(b"%d" % number, b"")
    database.scan(0, 10)
    database.put(b"later", b"")
    late = Scan(database, {b"later"}, 10)
    late.step(1 << 30)
    assert b"later" in late.seen


@pytest.mark.parametrize("count", [1, 7, 10, CAPACITY, 10 * CAPACITY])
def test_counts(count: int) -> None:
    """A call returns what was asked for and no more, but for the keys of one segment at most."""
    database = make()
    for number in range(3 * CAPACITY):
        database.put(b"%d" % number, b"")
    cursor, calls = 0, 0
    while True:
        cursor, found = database.scan(cursor, count)
        calls += 1
        assert len(found) <= count
        if cursor == 0:
            break
        assert len(found) == count
    assert calls == -(-3 * CAPACITY // count)


def test_removed_keys_are_not_returned() -> None:
    """A key that went after the order was made is left out, and the call goes on to the next."""
    database = make()
    for number in range(CAPACITY):
        database.put(b"%d" % number, b"")
    cursor, found = database.scan(0, 10)
    every = database.keys()
    rest = [key for key in every if key not in found]
    for key in rest[: CAPACITY // 2]:
        database.remove(key)
    cursor, found = database.scan(cursor, 10)
    assert len(found) == 10
    assert not set(found) & set(rest[: CAPACITY // 2])


def test_abandoned_scans_leave_little_behind() -> None:
    """Only the last few orders are kept, and none of a database that was emptied."""
    database = make()
    for number in range(20 * CAPACITY):
        database.put(b"%d" % number, b"")
    cursor = 0
    while True:
        cursor, _ = database.scan(cursor, CAPACITY // 3)
        if cursor == 0:
            break
    assert 0 < len(database._orders._orders) <= KEPT
    database.clear()
    assert not database._orders._orders

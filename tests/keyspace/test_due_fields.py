"""Fields of hashes that are due vanish though nobody asks for them."""

from __future__ import annotations

from random import Random

import pytest

from redloop.clock import ManualClock
from redloop.keyspace.database import Database, Keyspace
from redloop.keyspace.expiry import ExpiryCycle
from redloop.values.hash import Hash

BUDGET_NS = 1_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keyspace(clock: ManualClock) -> Keyspace:
    return Keyspace(clock, 2, Random(1))


def expiring(fields: dict[bytes, int]) -> Hash:
    """A hash with a field that stays, and others with the moment they are due."""
    made = Hash()
    made.set(b"stays", b"1")
    for field, due in fields.items():
        made.set(field, b"1")
        made.set_due(field, due)
    return made


def left(database: Database, key: bytes) -> list[bytes]:
    value = database.peek(key)
    return sorted(value.fields()) if isinstance(value, Hash) else []


def test_fields_go_when_they_are_due(keyspace: Keyspace, clock: ManualClock) -> None:
    """One cycle takes what is due and no more; the rest goes in its time, and is told to who passes it on."""
    database, cycle, told = keyspace.databases[0], ExpiryCycle(keyspace), list[tuple[bytes, list[bytes]]]()
    keyspace.on_fields_expired = lambda database, key, fields: told.append((key, fields))
    now = clock.now_ms()
    database.put(b"h", expiring({b"a": now + 10, b"b": now + 20}))
    cycle.run(BUDGET_NS)
    assert left(database, b"h") == [b"a", b"b", b"stays"]
    clock.advance(10)
    cycle.run(BUDGET_NS)
    assert left(database, b"h") == [b"b", b"stays"]
    clock.advance(10)
    cycle.run(BUDGET_NS)
    assert left(database, b"h") == [b"stays"]
    assert told == [(b"h", [b"a"]), (b"h", [b"b"])]
    assert keyspace.expired_fields == 2


def test_the_last_field_takes_the_key_along(keyspace: Keyspace, clock: ManualClock) -> None:
    """A hash of due fields only is gone, key and all."""
    database = keyspace.databases[0]
    only = expiring({b"a": clock.now_ms() + 10})
    only.remove(b"stays")
    database.put(b"h", only)
    clock.advance(10)
    ExpiryCycle(keyspace).run(BUDGET_NS)
    assert not database.exists(b"h")
    assert len(database) == 0


def test_hashes_that_moved(keyspace: Keyspace, clock: ManualClock) -> None:
    """Fields are found wherever their hash went: another key, another database, the other side of a SWAPDB; what is gone is no trouble."""
    first, second = keyspace.databases
    due = clock.now_ms() + 10
    for key in (b"stays here", b"moves", b"is deleted", b"is overwritten"):
        first.put(key, expiring({b"a": due}))
    second.put(b"moved", first.peek(b"moves"))
    first.remove(b"moves")
    first.remove(b"is deleted")
    first.put(b"is overwritten", b"string")
    first.swap(second)
    clock.advance(10)
    ExpiryCycle(keyspace).run(BUDGET_NS)
    assert left(second, b"stays here") == left(first, b"moved") == [b"stays"]
    assert second.peek(b"is overwritten") == b"string"
    assert not second.exists(b"is deleted")


def test_many_fields_of_one_hash(keyspace: Keyspace, clock: ManualClock) -> None:
    """More fields than one step takes are all gone after one cycle with time enough."""
    database = keyspace.databases[0]
    database.put(b"h", expiring({b"%d" % i: clock.now_ms() + 10 + i % 5 for i in range(5000)}))
    clock.advance(20)
    assert not ExpiryCycle(keyspace).run(BUDGET_NS)
    assert left(database, b"h") == [b"stays"]

"""What is dropped is freed in small portions, whatever it is; what somebody still holds is left alone.

Portions are counted in objects of the allocator, not in time.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from random import Random

import pytest

from redloop.clock import ManualClock
from redloop.keyspace.database import Database, Keyspace
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream

MANY = 20_000
PORTION = 1000


@pytest.fixture(autouse=True)
def uncollected() -> Iterator[None]:
    """The collector would free what is not the test's."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def some_list() -> object:
    made = List()
    for number in range(MANY):
        made.push_tail([b"item:%d" % number], -2)
    return made


def some_hash() -> object:
    made = Hash()
    for number in range(MANY):
        made.set(b"field:%d" % number, b"value:%d" % number)
    return made


def some_set() -> object:
    made = Set()
    for number in range(MANY):
        made.add(b"member:%d" % number)
    return made


def some_sorted_set() -> object:
    made = SortedSet()
    for number in range(MANY):
        made.add(b"member:%d" % number, number / 7)
    return made


def some_stream() -> object:
    made = Stream()
    group = made.create_group(b"group", 0, 0)
    assert group is not None
    consumer = group.create_consumer(b"consumer", 0)
    for number in range(1, MANY):
        made.append(number << 64, [b"field", b"value:%d" % number], 4096, 100)
        group.deliver(number << 64, consumer, 0)
    return made


MAKERS = [some_list, some_hash, some_set, some_sorted_set, some_stream]


def database() -> Database:
    return Keyspace(ManualClock(), 2, Random(1)).databases[0]


def portions(keyspace: Keyspace) -> list[int]:
    """Objects that each call of `sweep` freed."""
    found: list[int] = []
    before = sys.getallocatedblocks()
    more = True
    while more:
        more = keyspace.trash.sweep(PORTION)
        after = sys.getallocatedblocks()
        found.append(before - after)
        before = sys.getallocatedblocks()
    return found


def drop_by_removing(place: Database) -> None:
    assert place.remove(b"large")


def drop_by_overwriting(place: Database) -> None:
    place.put(b"large", b"small")


def drop_by_clearing(place: Database) -> None:
    place.clear()


@pytest.mark.parametrize("drop", [drop_by_removing, drop_by_overwriting, drop_by_clearing])
@pytest.mark.parametrize("make", MAKERS)
def test_a_large_value_goes_in_portions(make: Callable[[], object], drop: Callable[[Database], None]) -> None:
    place = database()
    place.put(b"large", make())
    before = sys.getallocatedblocks()
    drop(place)
    assert before - sys.getallocatedblocks() < 100
    freed = portions(place.keyspace)
    assert len(freed) > 10
    assert max(freed) < 5 * PORTION
    assert sum(freed) > MANY / 100  # packed streams are few objects
    assert place.keyspace.trash.swept == 1
    assert not place.keyspace.trash


def test_a_database_goes_in_portions() -> None:
    place = database()
    for number in range(MANY):
        place.put(b"key:%d" % number, b"value:%d" % number)
    for number in range(100):
        made = Set()
        for member in range(200):
            made.add(b"member:%d" % member)
        place.put(b"set:%d" % number, made)
    place.put(b"large", some_hash())
    before = sys.getallocatedblocks()
    assert place.clear() == MANY + 101
    assert before - sys.getallocatedblocks() < 100
    assert place.keyspace.trash.waiting() == MANY + 101
    freed = portions(place.keyspace)
    assert max(freed) < 5 * PORTION
    assert sum(freed) > 3 * MANY
    assert place.keyspace.trash.swept == MANY + 101


def test_small_values_go_at_once() -> None:
    place = database()
    made = Set()
    made.add(b"a")
    place.put(b"small", made)
    place.put(b"text", b"x")
    place.remove(b"small")
    place.remove(b"text")
    assert not place.keyspace.trash


@pytest.mark.parametrize("make", MAKERS)
def test_what_somebody_still_holds_is_left_alone(make: Callable[[], object]) -> None:
    place = database()
    held = make()
    place.put(b"large", held)
    place.put(b"twin", held)  # RENAME holds it twice for a moment
    place.remove(b"large")
    while place.keyspace.trash.sweep(PORTION):
        pass
    assert place.find(b"twin") is held
    assert isinstance(held, (List, Hash, Set, SortedSet, Stream))
    twin = held.copy()
    assert len(twin) == len(held) >= MANY - 1
    if isinstance(held, Hash):
        assert held.get(b"field:777") == b"value:777"


def test_segments_that_a_snapshot_holds_are_left_alone() -> None:
    place = database()
    for number in range(MANY):
        place.put(b"%d" % number, b"x")
    held = place.segments()
    place.clear()
    while place.keyspace.trash.sweep(PORTION):
        pass
    assert sum([len(segment.values) for segment in held]) == MANY

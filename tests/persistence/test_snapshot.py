"""A snapshot holds the state of the moment it began, whatever is done to the keys while it is taken."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from redloop.clock import ManualClock
from redloop.keyspace.database import Database, Keyspace
from redloop.keyspace.segment import CAPACITY, POSITION_BITS, POSITION_MASK
from redloop.persistence.snapshot import Form, Snapshot, Walk
from redloop.values.types import copy_value

State = dict[tuple[int, bytes], tuple[bytes, int]]


def plain(value: object) -> bytes:
    assert isinstance(value, (bytes, bytearray, int))
    return b"%d" % value if isinstance(value, int) else bytes(value)


def state_of(keyspace: Keyspace) -> State:
    return {
        (database.index, key): (plain(value), segment.expires.get(key, -1))
        for database in keyspace.databases
        for segment in database.segments()
        for key, value in segment.values.items()
    }


class Taker(Form):
    """Collects a snapshot; a key that is taken twice is an error. Every third key is large."""

    def __init__(self) -> None:
        super().__init__()
        self.state: State = {}
        self.open: tuple[tuple[int, bytes], object, int] | None = None
        self.steps = 0

    def take(self, number: int, key: bytes, value: object, due: int, used: int) -> bool:
        assert (number, key) not in self.state
        assert self.open is None
        if hash(key) % 3:
            self.state[(number, key)] = (plain(value), due)
            return False
        self.open = (number, key), value, due
        self.steps = 3
        return True

    def more(self) -> bool:
        assert self.open is not None
        self.steps -= 1
        if self.steps:
            return True
        where, value, due = self.open
        self.state[where] = (plain(value), due)
        self.open = None
        return False

    def detach(self) -> None:
        assert self.open is not None
        where, value, due = self.open
        self.open = where, copy_value(value), due


def key_of(number: int) -> bytes:
    return b"key:%d" % number


def change(database: Database, action: int, key: bytes, number: int) -> None:
    """One of the things commands do to keys."""
    if action == 0:
        database.put(key, b"v%d" % number)
    elif action == 1:
        database.remove(key)
    elif action == 2:
        value = database.find_for_write(key)
        if isinstance(value, bytearray):
            value += b"+"  # in place
        elif value is None:
            database.put(key, bytearray(b"grown"))
        else:
            database.replace(key, bytearray(plain(value)))
    elif action == 3 and database.exists(key):
        database.set_expiry(key, database.clock.now_ms() + number)
    elif action == 4:
        database.persist(key)
    elif action == 5:
        value = database.find_for_write(key)
        if value is not None:
            database.remove(key)
            database.put(key_of(number), copy_value(value))


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), st.integers(0, 3000), st.integers(0, 400))
def test_the_snapshot_is_the_state_at_its_beginning(random: Random, keys: int, rounds: int) -> None:
    """Writes, in-place growth, renames, expiries, FLUSHALL and SWAPDB between slices of a few keys."""
    clock = ManualClock()
    keyspace = Keyspace(clock, 3, random)
    for number in range(keys):
        database = keyspace.databases[number % 2]
        value: object = (b"v%d" % number, number, bytearray(b"b%d" % number))[number % 3]
        database.put(key_of(number), value)
        if number % 5 == 0:
            database.set_expiry(key_of(number), clock.now_ms() + number)
    taker = Taker()
    snapshot = Snapshot(keyspace, taker)
    before = state_of(keyspace)
    snapshot.begin()
    for _ in range(rounds):
        for _ in range(random.randrange(20)):
            database = keyspace.databases[random.randrange(3)]
            change(database, random.randrange(6), key_of(random.randrange(keys + 50)), random.randrange(keys + 50))
        upheaval = random.random()
        if upheaval < 0.01:
            keyspace.databases[random.randrange(3)].clear()
            keyspace.trash.sweep(1 << 30)
        elif upheaval < 0.03:
            one, other = random.sample(keyspace.databases, 2)
            one.swap(other)
        elif upheaval < 0.05:
            clock.advance(100)
        snapshot.advance(clock.monotonic_ns())  # time is up at once: a handful of keys
    while snapshot.advance(clock.monotonic_ns()):
        pass
    assert taker.state == before
    assert snapshot.finished
    assert (snapshot.taken, snapshot.total) == (len(before), len(before))
    assert keyspace.savers == ()
    assert keyspace.upheavals == ()


def walk_while(count: int, touched: range, touch: Callable[[Database, bytes], object]) -> None:
    """A snapshot of `count` keys sees each of them once, as it was, while some are touched between its slices."""
    keyspace = Keyspace(ManualClock(), 1, Random(1))
    database = keyspace.databases[0]
    for number in range(count):
        database.put(key_of(number), number)
    before = state_of(keyspace)
    taker = Taker()
    snapshot = Snapshot(keyspace, taker)
    snapshot.begin()
    for number in touched:
        touch(database, key_of(number))
        if number % 7 == 0:
            snapshot.advance(0)
    while snapshot.advance(0):
        pass
    assert taker.state == before


def test_segments_that_merge_under_the_walk_are_seen_once() -> None:
    walk_while(4 * CAPACITY, range(4 * CAPACITY), lambda database, key: database.remove(key))


def test_segments_that_split_under_the_walk_are_seen_once() -> None:
    walk_while(2 * CAPACITY, range(CAPACITY, 12 * CAPACITY), lambda database, key: database.put(key, b"new"))


def test_a_stretch_wider_than_a_segment_is_kept_until_all_of_it_has_been_seen() -> None:
    """As after many splits: the directory has become finer than it was."""
    database = Keyspace(ManualClock(), 1, Random(1)).databases[0]
    walk = Walk(0, database)
    walk.ahead = [None, None]
    walk.shift = POSITION_BITS - 1
    keys = [key_of(number) for number in range(400)]
    positions = {key: hash(key) & POSITION_MASK for key in keys}
    assert all(walk.note(key, positions[key]) for key in keys[::2])
    assert not any(walk.note(key, positions[key]) for key in keys[::2])
    quarter = 1 << (POSITION_BITS - 2)
    left: list[bytes] = []
    for first in range(0, 4 * quarter, quarter):
        batch: dict[bytes, object] = {key: None for key in keys if first <= positions[key] < first + quarter}
        walk.leave_out(batch, first, first + quarter)
        left += batch
    assert sorted(left) == sorted(keys[1::2])
    assert walk.ahead == [None, None]


def test_a_cancelled_snapshot_leaves_no_trace() -> None:
    keyspace = Keyspace(ManualClock(), 1, Random(1))
    keyspace.databases[0].put(b"a", b"1")
    snapshot = Snapshot(keyspace, Taker())
    snapshot.begin()
    snapshot.cancel()
    assert keyspace.savers == ()
    assert not snapshot.advance(0)

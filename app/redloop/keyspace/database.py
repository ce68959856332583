"""A database: keys and values in a directory of segments, and the keyspace that holds the databases.

The directory is indexed by the highest bits of a key's position (its hash): `directory[position >> shift]`. A full segment splits; when
it already has the directory's own depth, the directory doubles. Segments therefore stand in the order of position, which gives SCAN its
guarantee: a cursor is a position, and whatever happens to the directory in between, a key that stays is ahead of the cursor or behind it,
never lost and never twice. (The low bits would make every key of a segment collide in its own dict.)

A command that writes finds the value by `find_for_write`, or changes the key by a method here: before either, `for_write` lets a running
snapshot save the old value. After the change it calls `changed`, which tells WATCH, tracking, notifications, blocked clients, and counts
dirty.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from random import Random
from typing import Final, cast

from mypy_extensions import i64

from redloop.clock import Clock
from redloop.events import EXPIRED, FLUSHED, KEY_MISS, NEW, SWAPPED
from redloop.keyspace.due_fields import DueFields
from redloop.keyspace.scanning import Orders
from redloop.keyspace.segment import CAPACITY, POSITION_BITS, POSITION_MASK, SPARSE, Segment
from redloop.keyspace.trash import Trash
from redloop.values.hash import NEVER, Hash

# What an access to a key leaves behind: nothing, the key's time of use (LRU), a counter that decays (LFU), or the time of use of its whole
# segment. The last is the mode until somebody needs more: a record for each key is one more cold place in memory for every command, which
# made a GET among many keys a third dearer, and 40 bytes a key.
TOUCH_NOTHING: Final = 0
TOUCH_TIME: Final = 1
TOUCH_COUNTER: Final = 2
TOUCH_SEGMENT: Final = 3

RECLAIMED_AT_ONCE: Final = 32
"""Keys that expire between two looks at the clock."""

LFU_FIRST: Final = 5
"""The counter of a new key."""
LFU_MOST: Final = 255

Listener = Callable[["Database", bytes, int, bytes], None]
"""Called as listener(database, key, event class, event) after a key changed; FLUSHED and SWAPPED come without a key."""


Saver = Callable[["Database", bytes], None]
"""Called as saver(database, key) before a key changes, while something needs the old value (a snapshot that has not come there yet)."""


Upheaval = Callable[["Database", "Database | None"], None]
"""Called as upheaval(database, other) before a database is emptied (`other` is None) or exchanges its keys with another; see Saver."""


class Keyspace:
    """All databases, and what they have in common.

    `dirty` counts changes since the last save, `expiring` says whether keys that are due vanish (not while loading, nor on a replica).
    """

    def __init__(self, clock: Clock, databases: int, random: Random) -> None:
        self.clock = clock
        self.random = random
        self.databases: list[Database] = [Database(self, index) for index in range(databases)]

        # Changes.
        self.dirty: i64 = 0
        self.listeners: tuple[Listener, ...] = ()
        self.savers: tuple[Saver, ...] = ()
        self.upheavals: tuple[Upheaval, ...] = ()

        # Expiry and access.
        self.expiring = True
        self.veiled = False  # while it is not: a key that is due stays, and is not seen
        self.touching: i64 = TOUCH_SEGMENT  # for the command that runs
        self.touch_mode: i64 = TOUCH_SEGMENT
        self.uses_wanted = False  # somebody asked when a key was used
        self.lfu_log_factor = 10
        self.lfu_decay_minutes = 1
        self.on_expired: Callable[[Database, bytes], None] | None = None
        self.on_fields_expired: Callable[[Database, bytes, list[bytes]], None] | None = None

        # Statistics.
        self.hits: i64 = 0
        self.misses: i64 = 0
        self.expired: i64 = 0
        self.evicted: i64 = 0
        self.expired_fields: i64 = 0

        self.trash = Trash()

    def notify(self, database: Database, key: bytes, event_class: int, event: bytes) -> None:
        """Tells the listeners of an event that changed nothing (a miss, a new key)."""
        for listener in self.listeners:
            listener(database, key, event_class, event)

    def track_uses(self) -> None:
        """From now on the time of use of each key is kept. Of a key not used since it is that of its segment until now."""
        self.uses_wanted = True
        if self.touch_mode == TOUCH_SEGMENT:
            self.touch_mode = TOUCH_TIME
            self.touching = TOUCH_TIME

    def decayed(self, stamp: int) -> int:
        """The counter in `stamp` (minutes << 8 | counter), less one for each lfu-decay-time gone by."""
        counter = stamp & 255
        minutes = self.lfu_decay_minutes
        if minutes:
            counter = max(0, counter - (self.clock.seconds // 60 - (stamp >> 8)) // minutes)
        return counter

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        self.hits = 0
        self.misses = 0
        self.expired = 0
        self.evicted = 0
        self.expired_fields = 0
        self.trash.swept = 0


class Database:
    """One numbered database. All times are milliseconds since the epoch."""

    def __init__(self, keyspace: Keyspace, index: int) -> None:
        self.keyspace = keyspace
        self.index = index
        self.clock = keyspace.clock
        self.size: i64 = 0
        self.volatile: i64 = 0
        self.due_fields = DueFields()
        self._root = Segment(0)
        self.directory: list[Segment] = [self._root]
        self._depth: i64 = 0
        self._deepest: i64 = 1  # segments of that depth
        self._shift: i64 = POSITION_BITS
        self._orders = Orders()

    # --- finding -----------------------------------------------------------------------------------------------------------------

    def segment(self, key: bytes) -> Segment:
        """The segment that holds `key`, or would."""
        if self._depth == 0:
            return self._root
        position: i64 = hash(key)
        return self.directory[(position & POSITION_MASK) >> self._shift]

    def find(self, key: bytes) -> object:
        """The value of `key` for reading, None if there is none: counts a hit or a miss, notes the access."""
        keyspace = self.keyspace
        segment = self.segment(key)
        value = segment.values.get(key)
        if value is not None:
            if segment.expires and self._is_due(segment, key):
                value = None
            else:
                keyspace.hits += 1
                if keyspace.touching == TOUCH_SEGMENT:
                    segment.used = self.clock.seconds
                else:
                    self._touch(segment, key)
                return value
        keyspace.misses += 1
        if keyspace.listeners:
            keyspace.notify(self, key, KEY_MISS, b"keymiss")
        return None

    def find_for_write(self, key: bytes) -> object:
        """The value of `key` about to be changed, None if there is none: counts nothing, notes the access."""
        if self.keyspace.savers:
            self.for_write(key)
        segment = self.segment(key)
        value = segment.values.get(key)
        if value is None or (segment.expires and self._is_due(segment, key)):
            return None
        if self.keyspace.touching == TOUCH_SEGMENT:
            segment.used = self.clock.seconds
        else:
            self._touch(segment, key)
        return value

    def look(self, key: bytes) -> object:
        """The value of `key` for a question about it (EXISTS, TTL, TYPE): counts a hit or a miss, but is no access."""
        value = self.peek(key)
        keyspace = self.keyspace
        if value is not None:
            keyspace.hits += 1
            return value
        keyspace.misses += 1
        if keyspace.listeners:
            keyspace.notify(self, key, KEY_MISS, b"keymiss")
        return None

    def peek(self, key: bytes) -> object:
        """The value of `key` without noting the access or counting."""
        segment = self.segment(key)
        value = segment.values.get(key)
        if value is not None and segment.expires and self._is_due(segment, key):
            return None
        return value

    def held(self, key: bytes) -> object:
        """The value of `key`, also if it is due and not yet reclaimed: for those who look into the server, not at the data."""
        return self.segment(key).values.get(key)

    def exists(self, key: bytes) -> bool:
        """Whether `key` is there, without noting the access or counting."""
        return self.peek(key) is not None

    def accessed(self, key: bytes) -> int:
        """The second of the last use of `key`, which is present. The first question makes later answers exact."""
        self.keyspace.track_uses()
        segment = self.segment(key)
        second = segment.accessed.get(key)
        return segment.used if second is None else cast(int, second)

    def frequency(self, key: bytes) -> int:
        """The decayed LFU counter of `key`, which is present, 0 to 255."""
        return self.keyspace.decayed(self._count(self.segment(key), key))

    def _touch(self, segment: Segment, key: bytes) -> None:
        touching = self.keyspace.touching
        if touching == TOUCH_TIME:
            segment.accessed[key] = self.clock.second
        elif touching == TOUCH_COUNTER:
            self._count_use(segment, key)

    def _count(self, segment: Segment, key: bytes) -> int:
        stamp = segment.accessed.get(key)
        return self.clock.seconds // 60 << 8 | LFU_FIRST if stamp is None else cast(int, stamp)

    def _count_use(self, segment: Segment, key: bytes) -> None:
        counter = self.keyspace.decayed(self._count(segment, key))
        chance = 1.0 / (max(0, counter - LFU_FIRST) * self.keyspace.lfu_log_factor + 1)
        if counter < LFU_MOST and self.keyspace.random.random() < chance:
            counter += 1
        segment.accessed[key] = self.clock.seconds // 60 << 8 | counter

    def set_accessed(self, key: bytes, second: int) -> None:
        """Sets the second of the last use of `key`, which is present (RESTORE IDLETIME)."""
        self.keyspace.track_uses()
        self.segment(key).accessed[key] = second

    def set_frequency(self, key: bytes, counter: int) -> None:
        """Sets the LFU counter of `key`, which is present (RESTORE FREQ)."""
        self.segment(key).accessed[key] = self.clock.seconds // 60 << 8 | counter

    def _is_due(self, segment: Segment, key: bytes) -> bool:
        due = segment.expires.get(key)
        if due is None or due >= self.clock.ms:  # in the very millisecond it may still be found, and may be reclaimed, as in Redis
            return False
        if not self.keyspace.expiring:
            return self.keyspace.veiled
        self._expire(segment, key)
        return True

    def _expire(self, segment: Segment, key: bytes) -> None:
        if self.keyspace.savers:
            self.for_write(key)
        self._discard(segment, key)
        self.keyspace.expired += 1
        if self.keyspace.on_expired is not None:
            self.keyspace.on_expired(self, key)
        if self.keyspace.listeners:
            self.keyspace.notify(self, key, EXPIRED, b"expired")

    # --- changing ----------------------------------------------------------------------------------------------------------------

    def for_write(self, key: bytes) -> None:
        """The choke-point before every mutation of `key`; what changes a key here calls it itself, and so does `find_for_write`."""
        for saver in self.keyspace.savers:
            saver(self, key)

    def changed(self, key: bytes, event_class: int, event: bytes, changes: int = 1) -> None:
        """The choke-point after every mutation of `key`."""
        keyspace = self.keyspace
        keyspace.dirty += changes
        if keyspace.listeners:
            keyspace.notify(self, key, event_class, event)

    def put(self, key: bytes, value: object) -> None:
        """Sets `key` to `value` whatever it held, and takes its expiry away."""
        if self.keyspace.savers:
            self.for_write(key)
        segment = self.segment(key)
        if segment.expires and not self._is_due(segment, key) and segment.expires.pop(key, None) is not None:
            self.volatile -= 1
        self._store(segment, key, value)

    def load(self, key: bytes, value: object, due: int, stamp: object) -> bool:
        """Puts a key that a file holds, with what is known of its last use; tells nobody. False if there is such a key already."""
        segment = self.segment(key)
        values = segment.values
        before: i64 = len(values)
        values.setdefault(key, value)
        if len(values) == before:
            return False
        self.size += 1
        if stamp is not None:
            segment.accessed[key] = stamp
        if not isinstance(value, bytes):
            segment.mixed = True
            if isinstance(value, Hash) and value.soonest < NEVER:
                self.due_fields.watch(key, value.soonest)
        if due >= 0:
            if not segment.expires or due < segment.soonest:
                segment.soonest = due
            segment.expires[key] = due
            self.volatile += 1
        if before >= segment.capacity:
            self._split(segment, key)
        return True

    def replace(self, key: bytes, value: object) -> None:
        """Sets `key` to `value` and leaves its expiry as it is."""
        if self.keyspace.savers:
            self.for_write(key)
        segment = self.segment(key)
        if segment.expires:
            self._is_due(segment, key)  # then there is no expiry to leave
        self._store(segment, key, value)

    def update(self, key: bytes, value: object) -> None:
        """Sets `key`, which `find_for_write` has just found, to `value`."""
        self.segment(key).values[key] = value

    def _store(self, segment: Segment, key: bytes, value: object) -> None:
        values = segment.values
        before: i64 = len(values)
        if segment.mixed:
            self.keyspace.trash.add(values.get(key))
        values[key] = value
        after: i64 = len(values)
        if self.keyspace.touch_mode == TOUCH_SEGMENT:
            segment.used = self.clock.seconds
        elif after == before:
            self._touch(segment, key)  # another value, the same key: as much an access as any other
        elif self.keyspace.touch_mode == TOUCH_COUNTER:
            segment.accessed[key] = self.clock.seconds // 60 << 8 | LFU_FIRST
        else:
            segment.accessed[key] = self.clock.second
        if not isinstance(value, bytes):
            segment.mixed = True
            if isinstance(value, Hash) and value.soonest < NEVER:
                self.due_fields.watch(key, value.soonest)
        if after != before:
            self.size += 1
            segment.changes += 1
            if after > segment.capacity:
                self._split(segment, key)
            if self.keyspace.listeners:
                self.keyspace.notify(self, key, NEW, b"new")

    def remove(self, key: bytes) -> bool:
        """Deletes `key`, due or not; False if it was not there. The caller says `changed`."""
        if self.keyspace.savers:
            self.for_write(key)
        segment = self.segment(key)
        if key not in segment.values:
            return False
        self._discard(segment, key)
        return True

    def delete(self, key: bytes) -> bool:
        """The same for who asked for that very key: one that is due expires now, and counts as not there."""
        segment = self.segment(key)
        if segment.expires and self._is_due(segment, key):
            return False
        return self.remove(key)

    def _discard(self, segment: Segment, key: bytes) -> None:
        if segment.expires and key in segment.expires:
            self.volatile -= 1
        value = segment.discard(key)
        if segment.mixed:
            self.keyspace.trash.add(value)
        self.size -= 1
        left: i64 = len(segment.values)
        if left & 15 == 0:
            if left < SPARSE and self._depth > 0:
                self._merge(segment, key)
            elif left & 63 == 0:
                segment.compact()

    # --- expiry ------------------------------------------------------------------------------------------------------------------

    def expiry(self, key: bytes) -> int:
        """When `key` is due, or -1 if it never is."""
        expires = self.segment(key).expires
        return expires.get(key, -1) if expires else -1

    def set_expiry(self, key: bytes, due: int) -> None:
        """Makes `key`, which is present, due at `due`."""
        if self.keyspace.savers:
            self.for_write(key)
        segment = self.segment(key)
        if not segment.expires or due < segment.soonest:
            segment.soonest = due
        before = len(segment.expires)
        segment.expires[key] = due
        if len(segment.expires) != before:
            self.volatile += 1

    def persist(self, key: bytes) -> bool:
        """Takes the expiry of `key` away; False if it had none."""
        if self.keyspace.savers:
            self.for_write(key)
        segment = self.segment(key)
        if segment.expires and segment.expires.pop(key, None) is not None:
            self.volatile -= 1
            return True
        return False

    def reclaim(self, segment: Segment, deadline_ns: int) -> bool:
        """Expires the keys of `segment` that are due; False if the deadline passed before the last."""
        clock = self.clock
        now = clock.ms
        due_keys = [key for key, due in segment.expires.items() if due <= now]
        while due_keys:
            self._expire(segment, due_keys.pop())
            # With any key the last of a megabyte may go back to the system, which takes as long as a hundred keys.
            if len(due_keys) % RECLAIMED_AT_ONCE == 0 and clock.monotonic_ns() > deadline_ns:
                break
        if due_keys:
            return False
        segment.soonest = min(segment.expires.values(), default=0)
        return True

    # --- the directory -----------------------------------------------------------------------------------------------------------

    def _split(self, segment: Segment, key: bytes) -> None:
        position: i64 = hash(key)
        position = position & POSITION_MASK
        if segment.depth == self._depth:
            self._double()
        low, high = segment.split(position)
        if low.depth == self._depth:
            self._deepest += 2
        # The segment's run of directory entries is one aligned block; its halves go to the new two.
        run: i64 = 1 << (self._depth - segment.depth)
        first: i64 = ((position >> self._shift) // run) * run
        half: i64 = run // 2
        for step in range(run):
            self.directory[first + step] = low if step < half else high
        self._root = self.directory[0]

    def _double(self) -> None:
        doubled: list[Segment] = []
        for segment in self.directory:
            doubled.append(segment)
            doubled.append(segment)
        self.directory = doubled
        self._depth += 1
        self._deepest = 0
        self._shift -= 1

    def _merge(self, segment: Segment, key: bytes) -> None:
        """Takes the keys of the neighbouring half into `segment` when both are sparse, and halves the directory when nothing needs its
        depth.
        """
        position: i64 = hash(key)
        slot: i64 = (position & POSITION_MASK) >> self._shift
        run: i64 = 1 << (self._depth - segment.depth)
        first: i64 = (slot // run) * run
        buddy = self.directory[first ^ run]
        if segment.depth == 0 or buddy.depth != segment.depth or len(buddy.values) + len(segment.values) > SPARSE:
            return
        if segment.depth == self._depth:
            self._deepest -= 2
        segment.absorb(buddy)
        start: i64 = min(first, first ^ run)
        for step in range(2 * run):
            self.directory[start + step] = segment
        while self._depth > 0 and self._deepest == 0:
            self.directory = self.directory[::2]
            self._depth -= 1
            self._shift += 1
            for left in self.segments():
                if left.depth == self._depth:
                    self._deepest += 1
        self._root = self.directory[0]

    def segment_at(self, position: int) -> tuple[Segment, int]:
        """The segment whose range holds `position`, and the position behind that range."""
        segment = self.directory[position >> self._shift]
        bits: i64 = POSITION_BITS - segment.depth
        return segment, ((position >> bits) + 1) << bits

    def segments(self) -> list[Segment]:
        """Every segment once, in the order of position."""
        found: list[Segment] = []
        previous: Segment | None = None
        for segment in self.directory:
            if segment is not previous:
                found.append(segment)
                previous = segment
        return found

    # --- all keys ----------------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.size

    def keys(self) -> list[bytes]:
        """Every key that is not due, in the order of position."""
        found: list[bytes] = []
        for segment in self.segments():
            found.extend(self.keys_of(segment))
        return found

    def keys_of(self, segment: Segment) -> list[bytes]:
        """The keys of a segment that are not due."""
        if not segment.expires:
            return list(segment.values)
        now = self.clock.ms
        return [key for key in segment.values if segment.expires.get(key, now) >= now]

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """At least `count` keys from position `cursor` on, if as many are left, and the position to go on from (0: that was all).

        Touches at most `count` keys and one segment beyond.
        """
        found: list[bytes] = []
        position: i64 = min(max(cursor, 0), POSITION_MASK)
        while True:
            segment = self.directory[position >> self._shift]
            bits: i64 = POSITION_BITS - segment.depth
            first: i64 = (position >> bits) << bits
            end: i64 = ((position >> bits) + 1) << bits
            if position == first and len(segment.values) <= count - len(found):
                found += list(segment.values)
            else:
                following = self._orders.take(segment, position, first, count - len(found), found)
                if following >= 0 and len(found) >= count:
                    return following, found
                if following >= 0:  # some of the keys were gone
                    position = following
                    continue
            if end > POSITION_MASK:
                return 0, found
            if len(found) >= count:
                return end, found
            position = end

    def random_key(self) -> bytes | None:
        """A key, each with the same chance; None if there is none. It may be due."""
        if self.size == 0:
            return None
        random = self.keyspace.random
        while True:
            segment = self.directory[int(random.random() * len(self.directory))]
            # A shallow segment stands in the directory several times and is the likelier drawn: accept it the less often.
            spread = 1 << (self._depth - segment.depth)
            largest: i64 = CAPACITY * spread if self._depth else self.size
            if segment.values and int(random.random() * int(largest)) < len(segment.values):
                return next(islice(segment.values, int(random.random() * len(segment.values)), None))

    def clear(self) -> int:
        """Drops every key, to be freed in slices; returns how many there were."""
        for prepare in self.keyspace.upheavals:
            prepare(self, None)
        self.keyspace.notify(self, b"", FLUSHED, b"flushdb")
        dropped = self.size
        self.keyspace.trash.add_segments(self.segments())
        self._reset()
        return dropped

    def _reset(self) -> None:
        self._orders.clear()
        self._root = Segment(0)
        self.directory = [self._root]
        self._depth = 0
        self._deepest = 1
        self._shift = POSITION_BITS
        self.size = 0
        self.volatile = 0
        self.due_fields = DueFields()

    def swap(self, other: Database) -> None:
        """Exchanges the keys of two databases (SWAPDB); clients stay on the number they selected."""
        for prepare in self.keyspace.upheavals:
            prepare(self, other)
        self._notify_swap(other)
        self.directory, other.directory = other.directory, self.directory
        self._root, other._root = other._root, self._root
        self._depth, other._depth = other._depth, self._depth
        self._deepest, other._deepest = other._deepest, self._deepest
        self._shift, other._shift = other._shift, self._shift
        self.size, other.size = other.size, self.size
        self.volatile, other.volatile = other.volatile, self.volatile
        self.due_fields, other.due_fields = other.due_fields, self.due_fields
        self._notify_swap(other)

    def _notify_swap(self, other: Database) -> None:
        self.keyspace.notify(self, b"", SWAPPED, b"swapdb")
        self.keyspace.notify(other, b"", SWAPPED, b"swapdb")

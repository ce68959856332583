"""A snapshot: the exact state of the keyspace at one moment, taken in slices while writes go on, without fork.

The walk goes over each database in the order of positions (see `keyspace.database`), a segment at a time. Before a key changes the keyspace
calls the snapshot: a key behind the walk has been taken, one ahead of it, or of the segment at hand and still to come, is taken as it
still is (a short string at once, anything else is copied and taken a little later). So each key is taken once, as it was at the start,
whatever happens meanwhile: what is new since the start was noted as absent before it came. Which keys ahead have been dealt with is kept
by stretches of positions, and forgotten with each stretch that the walk leaves behind.

A database that is emptied hands its old segments to the walk; two that are exchanged exchange their walks.

What becomes of the keys is a `Form`'s affair. A large value is taken in steps; should it be about to change before it is done, the form
makes the rest its own.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64, mypyc_attr

from redloop.keyspace.database import Database, Keyspace
from redloop.keyspace.segment import POSITION_BITS, POSITION_MASK, Segment
from redloop.values.types import copy_value

CHECK_EVERY: Final = 16
"""Keys between two looks at the clock."""
SHORT: Final = 1024
"""Bytes of a string that is taken at once when it is about to change."""
STRETCHES: Final = 4096
"""The fewest stretches a database is divided into: however many keys come to one that was small, none grows slowly."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Form:
    """What a snapshot is written as: it is given keys and gathers bytes, `size` of them, until somebody fetches them by `flush`."""

    def __init__(self) -> None:
        self.size: i64 = 0

    def begin(self, keyspace: Keyspace) -> None:
        """Notes what stands before all keys; called at the moment the snapshot is of."""

    def take(self, number: int, key: bytes, value: object, due: int, used: int) -> bool:
        """Takes a key of the database of that number, which expires at `due` (-1: never), last used as the keyspace notes it (-1: unknown).

        True if the value is large: then `more` is called until that was all, and `detach` if the value is about to change before.
        """
        raise NotImplementedError

    def more(self) -> bool:
        """Takes a part of the large value; False when that was the last."""
        return False

    def detach(self) -> None:
        """The large value is about to change: makes what is left of it independent."""

    def end(self) -> None:
        """Notes what stands behind all keys."""

    def flush(self) -> bytes:
        """What has gathered."""
        raise NotImplementedError


class Saved:
    """A key as it was before it changed."""

    def __init__(self, number: int, key: bytes, value: object, due: int, used: int) -> None:
        self.number = number
        self.key = key
        self.value = value
        self.due = due
        self.used = used


class Walk:
    """One database's share: what has been seen of it."""

    def __init__(self, number: int, database: Database) -> None:
        self.number = number  # at the start
        self.database = database  # where its keys are now
        self.position: i64 = 0  # keys below are in `batch` or have been taken
        self.batch: dict[bytes, object] = {}  # keys of one segment still to be taken
        self.expires: dict[bytes, int] = {}
        self.used: dict[bytes, object] = {}
        self.ahead: list[dict[bytes, object] | None] = []  # by stretch: keys from `position` on that have been saved, or were not there
        self.shift: i64 = 0  # positions to stretches
        self.detached: list[Segment] | None = None  # the segments left, when the database was emptied

    def note(self, key: bytes, position: i64) -> bool:
        """Notes that `key`, at a position ahead, has been dealt with; False if it had been before."""
        if not self.ahead:
            stretches = max(len(self.database.directory), STRETCHES)  # a power of two, both
            self.shift = POSITION_BITS - stretches.bit_length() + 1
            self.ahead = [None] * stretches
        stretch = self.ahead[position >> self.shift]
        if stretch is None:
            self.ahead[position >> self.shift] = {key: None}
            return True
        before: i64 = len(stretch)
        stretch[key] = None
        return len(stretch) != before

    def leave_out(self, batch: dict[bytes, object], first: i64, end: i64) -> None:
        """Drops from `batch`, the keys from position `first` to `end`, those that were noted."""
        if not self.ahead:
            return
        slot: i64 = first >> self.shift
        while slot << self.shift < end:
            stretch = self.ahead[slot]
            if stretch is not None:
                for key in stretch:
                    batch.pop(key, None)
                if (slot + 1) << self.shift <= end:
                    self.ahead[slot] = None
            slot += 1


class Snapshot:
    """One walk over a keyspace, from `begin` until `finished`."""

    def __init__(self, keyspace: Keyspace, form: Form) -> None:
        self.keyspace = keyspace
        self.form = form
        self.total: i64 = 0
        self.taken: i64 = 0
        self.finished = False
        self._left: list[Walk] = []
        self._walks: list[Walk | None] = []
        self._saved: list[Saved] = []
        self._open = False  # a large value is under way:
        self._open_walk: Walk | None = None
        self._open_key = b""

    def begin(self) -> None:
        """This is the moment."""
        keyspace = self.keyspace
        self._left = [Walk(database.index, database) for database in keyspace.databases if len(database)]
        self._left.reverse()
        self._walks = [None for _ in keyspace.databases]
        for walk in self._left:
            self._walks[walk.number] = walk
            self.total += len(walk.database)
        keyspace.savers = (*keyspace.savers, self._save)
        keyspace.upheavals = (*keyspace.upheavals, self._prepare)
        self.form.begin(keyspace)

    def cancel(self) -> None:
        """No more is wanted."""
        if not self.finished:
            self._end()

    def advance(self, deadline_ns: int) -> bool:
        """Takes keys until the monotonic clock shows `deadline_ns`; False when there are no more."""
        clock = self.keyspace.clock
        while self._left or self._saved or self._open:
            for _ in range(CHECK_EVERY):
                if self._open:
                    self._open = self.form.more()
                    break
                if self._saved:
                    saved = self._saved.pop()
                    self._take_saved(saved.number, saved.key, saved.value, saved.due, saved.used)
                elif not self._left or not self._take_next(self._left[-1]):
                    break
            if clock.monotonic_ns() >= deadline_ns:
                break
        if self._left or self._saved or self._open:
            return True
        if not self.finished:
            self._end()
        return False

    def _end(self) -> None:
        self.finished = True
        self._left = []
        self._saved = []
        self._open = False
        self._open_walk = None
        keyspace = self.keyspace
        keyspace.savers = tuple([saver for saver in keyspace.savers if saver != self._save])
        keyspace.upheavals = tuple([other for other in keyspace.upheavals if other != self._prepare])

    # --- the walk ----------------------------------------------------------------------------------------------------------------

    def _take_next(self, walk: Walk) -> bool:
        """Takes one key; False if the walk is at its end."""
        while not walk.batch:
            if not self._next_segment(walk):
                self._walks = [None if other is walk else other for other in self._walks]
                self._left.pop()
                return False
        key, value = walk.batch.popitem()
        due = walk.expires.get(key, -1) if walk.expires else -1
        self.taken += 1
        if self.form.take(walk.number, key, value, due, _used(walk.used, key)):
            self._open = True
            self._open_walk = walk
            self._open_key = key
        return True

    def _next_segment(self, walk: Walk) -> bool:
        """Goes on to the next segment; False when all has been seen."""
        position = walk.position
        end: i64 = 0
        if walk.detached is not None:
            if not walk.detached:
                return False
            segment = walk.detached.pop()
            end = _range_end(segment)
        else:
            if position > POSITION_MASK:
                return False
            segment, end = walk.database.segment_at(position)
            walk.position = end
        bits: i64 = POSITION_BITS - segment.depth
        first: i64 = ((end - 1) >> bits) << bits
        batch = segment.values.copy()
        if first < position:
            for key in segment.values:
                place: i64 = hash(key)
                if place & POSITION_MASK < position:
                    del batch[key]
        walk.leave_out(batch, first, end)
        walk.batch = batch
        walk.expires = segment.expires.copy()
        walk.used = segment.accessed.copy()
        return True

    def _take_saved(self, number: int, key: bytes, value: object, due: int, used: int) -> None:
        """Takes a key that nothing can change any more."""
        self.taken += 1
        if self.form.take(number, key, value, due, used):
            self._open = True
            self._open_walk = None

    # --- what the keyspace calls -------------------------------------------------------------------------------------------------

    def _save(self, database: Database, key: bytes) -> None:
        """`key` is about to change."""
        walk = self._walks[database.index]
        if walk is None:
            return
        place: i64 = hash(key)
        place = place & POSITION_MASK
        if place < walk.position:
            if key not in walk.batch:
                if self._open and self._open_walk is walk and self._open_key == key:
                    self._open_walk = None
                    self.form.detach()
                return
            del walk.batch[key]
        elif not walk.note(key, place):
            return
        segment = database.segment(key)
        value = segment.values.get(key)
        if value is None:
            return
        due = segment.expires.get(key, -1) if segment.expires else -1
        used = _used(segment.accessed, key)
        if isinstance(value, bytes) and len(value) <= SHORT and not self._open:
            self._take_saved(walk.number, key, value, due, used)
        else:
            self._saved.append(Saved(walk.number, key, copy_value(value), due, used))

    def _prepare(self, database: Database, other: Database | None) -> None:
        """`database` is about to be emptied, or to exchange its keys with `other`."""
        walk = self._walks[database.index]
        if other is not None:
            partner = self._walks[other.index]
            self._walks[database.index], self._walks[other.index] = partner, walk
            if walk is not None:
                walk.database = other
            if partner is not None:
                partner.database = database
        elif walk is not None:
            walk.detached = [segment for segment in database.segments() if _range_end(segment) > walk.position]
            self._walks[database.index] = None


def _used(stamps: dict[bytes, object], key: bytes) -> int:
    """What the keyspace noted of the last use, -1 for nothing."""
    if not stamps:
        return -1
    stamp = stamps.get(key)
    return stamp if isinstance(stamp, int) else -1


def _range_end(segment: Segment) -> int:
    """The position behind the segment's range; a segment without keys needs no look."""
    for key in segment.values:
        bits = POSITION_BITS - segment.depth
        return (((hash(key) & POSITION_MASK) >> bits) + 1) << bits
    return 0

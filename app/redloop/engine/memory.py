"""How much memory is in use: used_memory, what maxmemory is compared with.

Python keeps no account in bytes. What is known is what is resident, of which some is free within the two allocators: freed blocks stay with
the process until a whole arena of them is free. So use is estimated from readings, each the correction of the one before:

- Small objects live in arenas. Their number is known, their bytes are not: they are taken to be of the mean size so far. When the arenas
  grow by more than the new objects account for, the mean was too small: where arenas grow, little was free. The estimate is never more
  than the arenas take, so it is exact as long as nothing was freed.
- Larger objects live in the heap of the C library, which says what of it is free; where it does not, they count as small ones do. To ask it
  is dear when it is in many pieces. So it is asked only while there cannot be too many, by what they were and what has changed since;
  between that, its use is taken to rise and fall with the number of small objects, and as it grows. How much it holds is always known.

A reading takes some microseconds and about one for each megabyte, so they are taken by a timer, and more often, at most for a fiftieth of
the time, by who needs to know (`next_ns`). `Readings` is where they come from; a test has its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mypy_extensions import i64, mypyc_attr

from redloop import process
from redloop.clock import Clock

DUTY: Final = 50
"""So many times as long as a reading took passes before the next."""
PATIENCE: Final = 10
"""Or so many times as long with a single command, which may have taken much: `patience_ns`."""
LONGEST_PAUSE_NS: Final = 200_000_000
"""But no longer: a reading that was interrupted only seems to take long."""
MOST_PIECES: Final = 10_000
"""Free pieces up to which the heap is asked: for each it needs a third of a microsecond, and nobody is to wait five milliseconds."""
MOST_UNLIMITED: Final = 2000
"""And where there is no limit to keep."""
FEW_PIECES: Final = 1000
PIECE_PAUSE_NS: Final = 15_000
"""With more than a few it is asked again when so long has passed for each: 50 times as long as it needs, and more with many."""
PIECE_HASTE_NS: Final = 3000
"""But only so long while there may soon be too many."""
REFILL_NS: Final = 5_000_000_000
"""In so long half of what changes may have freed is thought to be filled again."""
LEAST_RATIO: Final = 0.1
"""New free pieces for each change of the keyspace, at least, as long as nobody has counted them."""
PEAK_WEIGHT: Final = 2
"""What arenas grow beyond all they had counts so many times: until nothing is thought to be free among them."""
SLACK: Final = 1 << 20
"""What arenas seem to take moves by less than one of them as the heap is extended before it is used; only a deeper fall is one."""
DEAR_NS: Final = 1_000_000
"""A reading that takes longer is one that others would notice."""
LARGE: Final = 528
"""Bytes of the smallest object that lives in the heap."""
ENOUGH: Final = 5000
"""Objects whose mean size says something."""
FIRST_MEAN: Final = 80.0
"""Bytes of a small object where nothing is known yet."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Readings:
    """What the system and the allocators tell."""

    def resident(self) -> int:
        """Bytes of memory the process has; 0 if the system does not tell."""
        return process.resident_bytes()

    def blocks(self) -> int:
        """Small objects."""
        return process.small_blocks()

    def heap(self) -> process.Heap | None:
        """The heap of the C library, as far as it tells."""
        return process.heap()

    def heap_end(self) -> int:
        """Where that heap ends."""
        return process.heap_end()


class HeapUse:
    """What is in use of the heap of the C library: by what it says, and between that by how many objects come and go, and how it grows."""

    def __init__(self, clock: Clock, readings: Readings) -> None:
        self.held = 0
        self.used = 0.0
        self._clock = clock
        self._readings = readings
        self._base = 0.0  # what was in use, the small objects and the free pieces there were, at the start
        self._base_blocks = 0
        self._base_pieces = 0
        self._blocks = 0  # small objects there are, and were at most since the heap was asked
        self._most_blocks = 0
        self._end = 0
        self._mean = 0.0  # bytes for each small object

        # What it said when it was asked, and how things stood.
        self._pieces = 0
        self._share = 1.0  # in use, of what it holds
        self._asked_ns = 0
        self._asked_blocks = 0
        self._asked_end = 0
        self._asked_changes = 0
        self._next_ns = 0  # when it may be asked again
        self._soon_ns = 0
        self._counted_pieces = 0  # when it was last counted how many come with each change
        self._counted_changes = 0
        self._ratio = LEAST_RATIO

    def started(self, blocks: int) -> None:
        """The server is ready, with so many small objects."""
        self._base_blocks = blocks
        self.read(blocks, 0, MOST_PIECES)
        self._base = self.used
        self._base_pieces = self._pieces

    def read(self, blocks: int, changes: int, most: int) -> None:
        """By now there are so many small objects, and were so many changes. It is asked if there cannot be more than `most` pieces."""
        now_ns = self._clock.monotonic_ns()
        end = self._readings.heap_end()
        self._estimate(blocks, end)
        pieces = self._may_have(changes, now_ns)
        hurry = pieces > most - most // 4 and now_ns >= self._soon_ns
        if pieces <= most and (now_ns >= self._next_ns or hurry):
            self._ask(changes, now_ns)
        count = blocks - self._base_blocks
        if count > ENOUGH:
            self._mean = max(0.0, self.used - self._base) / count

    def _estimate(self, blocks: int, end: int) -> None:
        """Objects that come take what those before took; where the heap grows by more, of that as large a share is in use as was of all."""
        known = (blocks - self._blocks) * self._mean
        grown = end - self._end
        self._blocks = blocks
        self._most_blocks = max(self._most_blocks, blocks)
        self._end = end
        self.held = max(0, self.held + grown)
        more = grown * self._share if grown > 0 else 0.0
        self.used = max(0.0, min(self.used + (max(known, more) if known > 0 else known + more), self.held))

    def _may_have(self, changes: int, now_ns: int) -> int:
        """How many free pieces there may be by now: no more than larger objects live, beside those of the interpreter.

        Changes that brought objects have freed none. What changes may have freed is filled again in time; what went for good is not.
        """
        since = changes - self._asked_changes if changes >= self._asked_changes else changes
        brought = max(0, self._blocks - self._asked_blocks) + max(0, self._end - self._asked_end) // LARGE
        new = int(max(0, since - brought) * self._ratio) // (1 + (now_ns - self._asked_ns) // REFILL_NS)
        there = int(max(0.0, self.used - self._base)) // LARGE
        return min(self._pieces + max(new, self._most_blocks - self._blocks), self._base_pieces + there)

    def _ask(self, changes: int, now_ns: int) -> None:
        found = self._readings.heap()
        if found is None:
            return
        self._learn(found.pieces, changes)
        self.held = found.held
        self.used = float(found.held - found.free)
        self._share = self.used / found.held if found.held else 1.0
        self._pieces = found.pieces
        self._asked_ns = now_ns
        self._asked_blocks = self._most_blocks = self._blocks
        self._asked_end = self._end = self._readings.heap_end()
        self._asked_changes = changes
        self._next_ns = now_ns + _pause_ns(found.pieces)
        self._soon_ns = now_ns + found.pieces * PIECE_HASTE_NS

    def _learn(self, pieces: int, changes: int) -> None:
        """How many pieces come with each change, at worst."""
        since = changes - self._counted_changes
        if since < 0 or since > ENOUGH:  # below 0: saving begins a new count
            if since > 0:
                self._ratio = min(1.0, max(LEAST_RATIO, self._ratio / 2, (pieces - self._counted_pieces) / since))
            self._counted_pieces = pieces
            self._counted_changes = changes


class MemoryUse:
    """How much memory this process uses, in bytes: now, when the server had just started, and at most."""

    def __init__(self, clock: Clock, readings: Readings | None = None) -> None:
        self.at_start = 0
        self.peak = 0
        self.used = 0
        self.resident = 0
        self.limited = False  # maxmemory is set
        self._dear = False  # the last reading took long
        self._clock = clock
        self.readings = readings if readings is not None else Readings()
        self.count = 0  # of readings
        self.next_ns: i64 = 0  # when the next may be taken
        self.patience_ns: i64 = 0
        self._took_ns: i64 = LONGEST_PAUSE_NS  # the last reading; of two the shorter says how long they take
        self.changes: Callable[[], int] = _nothing  # counts what may have freed something

        self._mean = FIRST_MEAN
        self._base = 0  # what was resident beside the heap, and the number of small objects, at the start
        self._base_blocks = 0
        self._arenas = 0  # bytes since the start, before they grow again and at most
        self._most_arenas = 0
        self._small = 0.0  # bytes of small objects
        self._blocks = 0
        self.heap = HeapUse(clock, self.readings)
        self.started()

    def started(self) -> None:
        """The server is ready: what it has now is what it needs without data."""
        readings = self.readings
        self.resident = readings.resident()
        self._blocks = self._base_blocks = readings.blocks()
        heap = self.heap = HeapUse(self._clock, readings)
        heap.started(self._blocks)
        self._base = self.resident - heap.held
        self._arenas = self._most_arenas = 0
        self._small = 0.0
        self.at_start = self.used = self.peak = self.resident - heap.held + int(heap.used)

    def now(self) -> int:
        """What is in use, by a reading taken now."""
        begun_ns = self._clock.monotonic_ns()
        self._read()
        ended_ns = self._clock.monotonic_ns()
        self.next_ns = ended_ns + min(DUTY * (ended_ns - begun_ns), LONGEST_PAUSE_NS)
        self.patience_ns = min(PATIENCE * min(ended_ns - begun_ns, self._took_ns), LONGEST_PAUSE_NS)
        self._took_ns = ended_ns - begun_ns
        self._dear = ended_ns - begun_ns > DEAR_NS
        self.peak = max(self.peak, self.used)
        self.count += 1
        return self.used

    def glance(self) -> None:
        """A reading that nobody asked for, to know the peak: not where it is dear, unless a limit is to be kept."""
        if self._clock.monotonic_ns() >= self.next_ns and (self.limited or not self._dear):
            self.now()

    def _read(self) -> None:
        readings = self.readings
        self.resident = readings.resident()
        before = self._blocks
        self._blocks = readings.blocks()
        heap = self.heap
        heap.read(self._blocks, self.changes(), MOST_PIECES if self.limited else MOST_UNLIMITED)
        arenas = self.resident - heap.held - self._base
        self._count_small(self._blocks - before, arenas)
        if not self.resident:
            self.used = int(self._small)
            return
        self.used = max(0, self._base + int(self._small) + int(heap.used))

    def _count_small(self, new: int, arenas: int) -> None:
        """There are `new` more small objects than before, and the arenas take so much."""
        known = new * self._mean
        growth = arenas - self._arenas
        unknown = max(0.0, growth - max(0.0, known))
        if growth > 0 or growth < -SLACK:
            self._arenas = arenas
        if arenas > self._most_arenas:  # whatever they grow for, it had no room among what is thought to be free
            unknown = max(unknown, PEAK_WEIGHT * (arenas - self._most_arenas))
            self._most_arenas = arenas
        self._small += known + unknown
        if self.resident:
            self._small = max(0.0, min(self._small, arenas))
        count = self._blocks - self._base_blocks
        if count > ENOUGH and self._small > 0:
            self._mean = self._small / count


def _nothing() -> int:
    return 0


def _pause_ns(pieces: int) -> int:
    """How long a heap in so many pieces is not asked again."""
    return pieces * PIECE_PAUSE_NS * (1 + pieces // MOST_UNLIMITED) if pieces > FEW_PIECES else 0

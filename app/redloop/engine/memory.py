"""How much memory is in use: used_memory, what maxmemory is compared with.

Python keeps no account in bytes. What is known is what is resident, of which some is free within the two allocators: freed blocks stay with
the process until a whole arena of them is free. So use is estimated from readings, each the correction of the one before:

- Small objects live in arenas. Their number is known, their bytes are not: they are taken to be of the mean size so far. When the arenas
  grow by more than the new objects account for, the mean was too small: where arenas grow, little was free. The estimate is never more
  than the arenas take, so it is exact as long as nothing was freed.
- Larger objects live in the heap of the C library, which says what of it is free; where it does not, they count as small ones do. To ask it
  is dear when it is in many pieces, then what is free is taken to have grown as small objects went.

A reading takes some microseconds and about one for each megabyte, so they are taken by a timer, and more often, at most for a fiftieth of
the time, by who needs to know (`next_ns`). `Readings` is where they come from; a test has its own.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64, mypyc_attr

from redloop import process
from redloop.clock import Clock

DUTY: Final = 50
"""So many times as long as a reading took passes before the next."""
LONGEST_PAUSE_NS: Final = 200_000_000
"""But no longer: a reading that was interrupted only seems to take long."""
MOST_PIECES: Final = 2000
"""Free pieces up to which the heap is asked where there is no limit to keep: for each it needs a third of a microsecond."""
FEW_PIECES: Final = 1000
PIECE_PAUSE_NS: Final = 15_000
"""With more than a few it is asked again when so long has passed for each: 50 times as long as it needs, and many times more with many."""
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

        self._mean = FIRST_MEAN
        self._base = 0  # what was resident beside the heap, and the number of small objects, at the start
        self._base_blocks = 0
        self._arenas = 0  # bytes since the start, before they grow again and at most
        self._most_arenas = 0
        self._small = 0.0  # bytes of small objects
        self._blocks = 0
        self._heap = process.Heap(0, 0, 0)
        self._heap_blocks = 0  # when it was read, and when it may be read again
        self._heap_next_ns = 0
        self.started()

    def started(self) -> None:
        """The server is ready: what it has now is what it needs without data."""
        readings = self.readings
        self.resident = readings.resident()
        self._blocks = self._base_blocks = readings.blocks()
        self._heap = process.Heap(0, 0, 0)
        self._heap_blocks = 0
        self._heap_next_ns = 0
        self._read_heap()
        self._base = self.resident - self._heap.held
        self._arenas = self._most_arenas = 0
        self._small = 0.0
        self.at_start = self.used = self.peak = self.resident - self._heap.free

    def now(self) -> int:
        """What is in use, by a reading taken now."""
        begun_ns = self._clock.monotonic_ns()
        self._read()
        ended_ns = self._clock.monotonic_ns()
        self.next_ns = ended_ns + min(DUTY * (ended_ns - begun_ns), LONGEST_PAUSE_NS)
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
        self._read_heap()
        arenas = self.resident - self._heap.held - self._base
        self._count_small(self._blocks - before, arenas)
        if not self.resident:
            self.used = int(self._small)
            return
        self.used = max(0, self._base + int(self._small) + self._heap.held - self._free_in_heap())

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

    def _read_heap(self) -> None:
        now_ns = self._clock.monotonic_ns()
        heap = self._heap
        pieces = heap.pieces + min(max(0, self._heap_blocks - self._blocks), (heap.held - heap.free) // LARGE)
        if now_ns < self._heap_next_ns or (pieces > MOST_PIECES and not self.limited):
            return
        found = self.readings.heap()
        if found is not None:
            self._heap = found
            self._heap_blocks = self._blocks
            self._heap_next_ns = now_ns + _pause_ns(found.pieces)

    def _free_in_heap(self) -> int:
        heap = self._heap
        gone = self._heap_blocks - self._blocks
        then = self._heap_blocks - self._base_blocks
        if gone <= 0 or then <= 0:
            return heap.free
        return heap.free + (heap.held - heap.free) * min(gone, then) // then


def _pause_ns(pieces: int) -> int:
    """How long a heap in so many pieces is not asked again."""
    return pieces * PIECE_PAUSE_NS * (1 + pieces // MOST_PIECES) if pieces > FEW_PIECES else 0

"""A segment: the keys of one range of hash values, in small dicts.

A flat dict of millions of keys stops the world for seconds when it grows; a segment holds at most `CAPACITY` keys and splits in two when
full (extendible hashing), so no single step is long. Its size also bounds a SCAN step, a slice of a snapshot, and a random choice.

Hashes fill all segments alike: with one capacity they would all split within the same few thousand new keys. Each is full at a number of
its own, anywhere between half of `CAPACITY` and the whole, so that at any time one in `CAPACITY / 2` new keys splits a segment.
"""

from __future__ import annotations

from sys import getsizeof
from typing import Final

from mypy_extensions import i64

CAPACITY: Final = 1024
"""Most keys in a segment."""
HALF: Final = CAPACITY // 2
SPARSE: Final = CAPACITY // 8
"""Two halves that hold no more than this together become one segment again."""
ROOMY: Final = 160
"""Bytes of a dict for each of its keys from which a copy is smaller: one just grown has 56."""
POSITION_BITS: Final = 60
POSITION_MASK: Final = (1 << POSITION_BITS) - 1
"""A key's position is its hash cut to 60 bits: what the directory and SCAN order keys by."""


class Segment:
    """Keys whose positions share their `depth` highest bits.

    `values`: key to value. `expires`: key to the millisecond it is due, only keys with an expiry. `accessed`: key to the second of its
    last use, or to its LFU counter, only keys used since that is kept; `used`: the second of the last use of any key, before it was.
    `soonest`: no key in `expires` is due before it. `changes` counts the keys that came and went. With more than `capacity` keys it is to
    be split.
    """

    def __init__(self, depth: int) -> None:
        self.values: dict[bytes, object] = {}
        self.expires: dict[bytes, int] = {}
        self.accessed: dict[bytes, object] = {}  # int, unboxed only when it is asked for
        self.used: int = 0
        self.changes: i64 = 0
        self.mixed = False  # holds, or held, values that are no strings
        self.depth: i64 = depth
        self.capacity: i64 = CAPACITY
        self.soonest: int = 0

    def split(self, chance: i64) -> tuple[Segment, Segment]:
        """Two segments with the keys of this one: those of the lower and of the upper half of its range. The bits of `chance` say when they
        will be full.
        """
        depth: i64 = self.depth + 1
        bit: i64 = POSITION_BITS - depth
        low = Segment(depth)
        high = Segment(depth)
        low.capacity = HALF + chance % HALF
        high.capacity = HALF + chance // HALF % HALF
        # A copy touches keys and values one right after the other, and the processor fetches many at once: a third of the time where
        # they are in none of its caches.
        for key, value in self.values.copy().items():
            position: i64 = hash(key)
            half = high if (position >> bit) & 1 else low
            half.values[key] = value
        for key, stamp in self.accessed.items():
            position = hash(key)
            half = high if (position >> bit) & 1 else low
            half.accessed[key] = stamp
        for key, due in self.expires.items():
            position = hash(key)
            half = high if (position >> bit) & 1 else low
            half.expires[key] = due
        low.soonest = self.soonest
        high.soonest = self.soonest
        low.used = self.used
        high.used = self.used
        low.mixed = self.mixed
        high.mixed = self.mixed
        return low, high

    def absorb(self, other: Segment) -> None:
        """Takes over the keys of the segment that holds the other half of a range; this one then stands for the whole."""
        self.soonest = min(self.soonest, other.soonest)
        self.values.update(other.values)
        self.expires.update(other.expires)
        self.accessed.update(other.accessed)
        self.used = max(self.used, other.used)
        self.mixed = self.mixed or other.mixed
        self.depth -= 1
        self.changes += 1

    def compact(self) -> None:
        """Gives back what dicts keep for keys that are gone: they never shrink by themselves."""
        if getsizeof(self.values) > ROOMY * (len(self.values) + 8):
            self.values = self.values.copy()
            self.accessed = self.accessed.copy()
            self.expires = self.expires.copy()

    def discard(self, key: bytes) -> object:
        """Drops `key`, which is present, and all that stands beside it; returns its value."""
        value = self.values.pop(key)
        self.changes += 1
        if self.accessed:
            self.accessed.pop(key, None)
        if self.expires:
            self.expires.pop(key, None)
        return value

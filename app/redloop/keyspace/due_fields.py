"""Which keys of a database hold hashes with expiring fields, and when the first of these fields is due.

A heap of (time, key). An entry is a hint: whoever takes a key from here looks at what it holds now. So a key that is deleted, renamed or
overwritten needs no word here; a hash that is stored or gets an earlier time says `watch`.
"""

from __future__ import annotations

from heapq import heappop, heappush

from redloop.values.hash import NEVER
from redloop.values.table import Table


class DueFields:
    """The hashes of one database whose fields will fall due."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, bytes]] = []
        self._times = Table()  # key: the time of its entry that counts

    def watch(self, key: bytes, due: int) -> None:
        """The first field of the hash at `key` is due at `due`, in milliseconds, or never."""
        known = self._times.get(key)
        if due < NEVER and (not isinstance(known, int) or due < known):
            self._times.set(key, due)
            heappush(self._heap, (due, key))

    def take(self, now: int) -> bytes | None:
        """A key whose fields may be due, None if there is none; it is not watched from here on."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            due, key = heappop(heap)
            if self._times.get(key) == due:
                self._times.pop(key)
                return key
        return None

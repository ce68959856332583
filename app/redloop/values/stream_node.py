"""A node of a stream: a run of entries, as many as Redis puts into one listpack.

Its bounds are Redis's, since `~` trimming removes whole nodes and XINFO counts them: the node keeps count of the bytes its listpack would
take. The entries themselves are kept as Python reads and writes them fastest. The last node of a stream is *open*: a list of ids and one
of strings. When the next begins it is packed into five flat buffers, about what Redis needs.

An entry with the same fields as the first of its node has only its values among the strings, any other fields and values in turn. Deleted
entries stay as tombstones. What is packed never changes, a node that is `shared` by two streams never at all: `copy` it first.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Final

from mypy_extensions import i64, mypyc_attr

from redloop.values.listpack import HEADER, entry_size, integer_size
from redloop.values.stream_ids import MAX_PART, SEQUENCE_BITS

Entry = tuple[int, list[bytes]]
"""An id, and fields and values in turn."""

DEAD: Final = 1
FOREIGN: Final = 2  # has fields of its own

_FLAGS_SIZE: Final = 2
_END_SIZE: Final = 2  # of the fields in a listpack's first entry
_NO_IDS: Final[list[int]] = []  # of packed nodes: never appended to
_NO_STRINGS: Final[list[bytes]] = []
_BYTE: Final = 1 << 8
_SHORT: Final = 1 << 16
_LONG: Final = 1 << 32
_WRAP: Final = 1 << 64


def _narrow(numbers: list[int], largest: int) -> array[int]:
    """`numbers`, of which none is larger than `largest` or negative, in as few bytes as they fit."""
    if largest < _BYTE:
        return array("B", numbers)
    if largest < _SHORT:
        return array("H", numbers)
    return array("I" if largest < _LONG else "Q", numbers)


def _difference_size(difference: int) -> i64:
    """The bytes of a difference in a listpack, in 64 bits as C reckons."""
    if 0 <= difference < 128:
        return 2
    difference %= _WRAP
    return integer_size(difference if difference < _WRAP >> 1 else difference - _WRAP)


@mypyc_attr(acyclic=True)
class Packed:
    """Ids and strings of a full node in flat buffers."""

    __slots__ = ("blob", "ends", "first_ms", "ms", "sequences")

    def __init__(self, ids: list[int], strings: list[bytes]) -> None:
        first_ms = ids[0] >> SEQUENCE_BITS
        sequences = [ident & MAX_PART for ident in ids]
        ends: list[int] = []
        end: i64 = 0
        for string in strings:
            end += len(string)
            ends.append(end)
        self.first_ms = first_ms
        self.ms = _narrow([(ident >> SEQUENCE_BITS) - first_ms for ident in ids], (ids[-1] >> SEQUENCE_BITS) - first_ms)
        self.sequences = _narrow(sequences, max(sequences))
        self.blob = b"".join(strings)
        self.ends = _narrow(ends, end)

    def lower(self, ident: int) -> int:
        """How many entries have a smaller id."""
        ms = (ident >> SEQUENCE_BITS) - self.first_ms
        low = bisect_left(self.ms, ms)
        high = bisect_right(self.ms, ms, low)
        return low if low == high else bisect_left(self.sequences, ident & MAX_PART, low, high)

    def id_at(self, position: int) -> int:
        return (self.first_ms + self.ms[position]) << SEQUENCE_BITS | self.sequences[position]

    def ids(self, low: i64, high: i64) -> list[int]:
        found: list[int] = []
        while low < high:
            found.append(self.id_at(low))
            low += 1
        return found

    def strings(self, low: i64, high: i64) -> list[bytes]:
        blob = self.blob
        found: list[bytes] = []
        start: int = self.ends[low - 1] if low else 0
        for end in self.ends[low:high]:
            found.append(blob[start:end])
            start = end
        return found


@mypyc_attr(acyclic=True)
class Node:
    """One run of entries. `live` of them are not deleted."""

    __slots__ = (
        "count", "fields", "flags", "ids", "live", "master", "master_ms", "master_sequence", "packed", "shared", "size", "starts",
        "strings", "width",
    )  # fmt: skip

    def __init__(self, master: int, fields: list[bytes]) -> None:
        # What the listpack's first entry says.
        self.master = master
        self.master_ms = master >> SEQUENCE_BITS
        self.master_sequence = master & MAX_PART
        self.fields = fields
        self.width: i64 = len(fields)  # strings of an entry with these fields

        # The entries, open or packed.
        self.ids: list[int] = []
        self.strings: list[bytes] = []
        self.packed: Packed | None = None
        self.flags: bytearray | None = None  # of each entry, once one is not 0
        self.starts: list[int] | None = None  # of each entry's strings, and the end, once one is foreign
        self.shared = False

        # Counts.
        self.count: i64 = 0
        self.live: i64 = 0
        self.size: i64 = HEADER + integer_size(len(fields)) + _END_SIZE  # of the listpack, but for its two counts
        for field in fields:
            self.size += entry_size(field)

    def listpack_size(self) -> i64:
        """The bytes its listpack would take."""
        return self.size + integer_size(self.live) + integer_size(self.count - self.live)

    def copy(self) -> Node:
        """A node of its own for one stream."""
        twin = Node(self.master, self.fields)
        twin.ids = self.ids.copy()
        twin.strings = self.strings.copy()
        twin.packed = self.packed
        twin.flags = None if self.flags is None else bytearray(self.flags)
        twin.starts = None if self.starts is None else self.starts.copy()
        twin.count = self.count
        twin.live = self.live
        twin.size = self.size
        return twin

    # --- writing -----------------------------------------------------------------------------------------------------------------

    def append(self, ident: int, pairs: list[bytes]) -> None:
        """Adds an entry behind the last one; the node is open."""
        strings = self.strings
        width = self.width
        size: i64 = _FLAGS_SIZE
        size += _difference_size((ident >> SEQUENCE_BITS) - self.master_ms)
        size += _difference_size((ident & MAX_PART) - self.master_sequence)
        if self._has_fields_of(pairs):
            at: i64 = 1
            while at < 2 * width:
                value = pairs[at]
                size += entry_size(value)
                strings.append(value)
                at += 2
            size += integer_size(int(width) + 3)
            if self.flags is not None:
                self.flags.append(0)
        else:
            for string in pairs:
                size += entry_size(string)
            size += integer_size(len(pairs) // 2) + integer_size(len(pairs) + 4)
            if self.flags is None:
                self.flags = bytearray(self.count)
            if self.starts is None:
                self.starts = [position * int(width) for position in range(self.count + 1)]
            self.flags.append(FOREIGN)
            strings.extend(pairs)
        if self.starts is not None:
            self.starts.append(len(strings))
        self.ids.append(ident)
        self.size += size
        self.count += 1
        self.live += 1

    def _has_fields_of(self, pairs: list[bytes]) -> bool:
        if len(pairs) != 2 * self.width:
            return False
        at: i64 = 0
        for field in self.fields:
            if pairs[at] != field:
                return False
            at += 2
        return True

    def bury(self, position: int) -> None:
        """Makes a tombstone of the entry at `position`, which is live."""
        if self.flags is None:
            self.flags = bytearray(self.count)
        self.flags[position] |= DEAD
        self.live -= 1

    def pack(self) -> None:
        """Closes the node: nothing will be appended for now."""
        if self.packed is None and self.count:
            self.packed = Packed(self.ids, self.strings)
            self.ids = _NO_IDS
            self.strings = _NO_STRINGS

    def open(self) -> None:
        """Makes appending possible again."""
        if self.packed is not None:
            self.ids, self.strings = self.contents()
            self.packed = None

    # --- reading -----------------------------------------------------------------------------------------------------------------

    def id_at(self, position: int) -> int:
        """The id of an entry, deleted or not."""
        packed = self.packed
        return self.ids[position] if packed is None else packed.id_at(position)

    def lower(self, ident: int) -> int:
        """How many entries, deleted or not, have a smaller id."""
        packed = self.packed
        return bisect_left(self.ids, ident) if packed is None else packed.lower(ident)

    def find(self, ident: int) -> int:
        """Where the live entry with that id is, -1 if there is none."""
        position = self.lower(ident)
        if position == self.count or self.is_dead(position) or self.id_at(position) != ident:
            return -1
        return position

    def is_dead(self, position: int) -> bool:
        flags = self.flags
        return flags is not None and flags[position] & DEAD != 0

    def live_from(self, position: int) -> int:
        """The first live entry at or behind `position`; `count` if there is none."""
        while position < self.count and self.is_dead(position):
            position += 1
        return position

    def live_before(self, position: int) -> int:
        """The last live entry before `position`, -1 if there is none."""
        position -= 1
        while position >= 0 and self.is_dead(position):
            position -= 1
        return position

    def cut(self, low: i64, high: i64, need: i64) -> i64:
        """The end of the range that begins at `low` and has `need` live entries, at most `high`."""
        flags = self.flags
        if flags is None or self.live == self.count:
            if need < high - low:
                return low + need
            return high
        while low < high and need > 0:
            if not flags[low] & DEAD:
                need -= 1
            low += 1
        return low

    def cut_back(self, low: i64, high: i64, need: i64) -> i64:
        """The start of the range that ends at `high` and has `need` live entries, at least `low`."""
        flags = self.flags
        if flags is None or self.live == self.count:
            return max(low, high - need)
        while low < high and need > 0:
            high -= 1
            if not flags[high] & DEAD:
                need -= 1
        return high

    def entries(self, low: i64, high: i64) -> list[Entry]:
        """The live entries from `low` on and before `high`."""
        if low >= high:
            return []
        width = self.width
        starts = self.starts
        first: i64 = low * width
        last: i64 = high * width
        if starts is not None:
            first = starts[low]
            last = starts[high]
        packed = self.packed
        if packed is None:
            ids = self.ids[low:high]
            strings = self.strings[first:last]
        else:
            ids = packed.ids(low, high)
            strings = packed.strings(first, last)
        flags = self.flags
        if flags is not None:
            return self._mixed(low, ids, strings, flags)
        found: list[Entry] = []
        at: i64 = 0
        only_field = self.fields[0] if width == 1 else b""
        for ident in ids:
            found.append((ident, [only_field, strings[at]] if width == 1 else self._with_fields(strings, at)))
            at += width
        return found

    def _mixed(self, low: i64, ids: list[int], strings: list[bytes], flags: bytearray) -> list[Entry]:
        """The same where not all entries are alike."""
        starts = self.starts
        found: list[Entry] = []
        at: i64 = 0
        position = low
        for ident in ids:
            length: i64 = self.width if starts is None else starts[position + 1] - starts[position]
            flag: i64 = flags[position]
            if not flag & DEAD:
                found.append((ident, strings[at : at + length] if flag & FOREIGN else self._with_fields(strings, at)))
            at += length
            position += 1
        return found

    def _with_fields(self, strings: list[bytes], at: i64) -> list[bytes]:
        pairs: list[bytes] = []
        for field in self.fields:
            pairs.append(field)
            pairs.append(strings[at])
            at += 1
        return pairs

    def contents(self) -> tuple[list[int], list[bytes]]:
        """All ids, of deleted entries too, and all strings as they are kept."""
        packed = self.packed
        if packed is None:
            return self.ids, self.strings
        return packed.ids(0, self.count), packed.strings(0, len(packed.ends))

    def has_own_fields(self, position: int) -> bool:
        """Whether an entry has other fields than the first."""
        flags = self.flags
        return flags is not None and flags[position] & FOREIGN != 0

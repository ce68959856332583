"""Lists: a packed row of bytes while small, a row of chunks when not.

A small list is one bytes object, its items joined by a byte that is found neither in UTF-8 nor as a type byte of msgpack: 20 items take a
fifth of what a list of bytes objects would, and joining, splitting and cutting all happen in C. A list with an item that does hold that
byte, or that grows, becomes `Nodes`: chunks with the boundaries of Redis's quicklist nodes, so that OBJECT ENCODING, DEBUG and dumps
agree with Redis's.

`fill` is list-max-listpack-size: a number of items for each node, or -1 to -5 for 4 KB to 64 KB.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64, mypyc_attr

from redloop.config import Config
from redloop.values.counts import Counts
from redloop.values.listpack import HEADER, entry_size

SEPARATOR: Final = b"\xc1"
PACKED_ITEMS: Final = 64
PACKED_BYTES: Final = 1024
FEW: Final = 32
SAFETY: Final = 8192
"""The bytes of a node that is limited by a number of items."""


def exceeds(size: i64, count: i64, fill: i64, divisor: i64) -> bool:
    """Whether a node of that size and count is over the limit that `fill` sets, divided by `divisor`."""
    if fill >= 0:
        return size > SAFETY or count > max(fill, 1) // divisor
    return size > (4096 << (min(-fill, 5) - 1)) // divisor


def oversized(item: bytes, fill: int) -> bool:
    """Whether an item is too large to share a node."""
    return exceeds(len(item), 0, fill, 1)


@mypyc_attr(acyclic=True)
class Nodes:
    """A row of chunks, at least one, none of them empty.

    The first chunk is held back to front in `head` while a list with several chunks is used from the left: pushing and popping there is
    then at the end of a Python list too. `chunks[0]` is empty meanwhile (`staged`).
    """

    __slots__ = ("chunks", "counts", "head", "quicklist", "sizes", "staged")

    def __init__(self, items: list[bytes]) -> None:
        size: i64 = HEADER
        for item in items:
            size += entry_size(item)
        self.chunks: list[list[bytes]] = [items]
        self.sizes: list[int] = [size]  # what each would take as a listpack
        self.quicklist = False
        self.head: list[bytes] = []
        self.staged = False
        self.counts: Counts | None = None

    def copy(self) -> Nodes:
        twin = Nodes([])
        self.unstage()
        twin.chunks = [chunk.copy() for chunk in self.chunks]
        twin.sizes = self.sizes.copy()
        twin.quicklist = self.quicklist
        return twin

    def _grow(self, chunk: i64, change: i64) -> None:
        """Notes that a chunk takes so many bytes more. (`sizes[chunk] += change` is done with objects by compiled code.)"""
        size: i64 = self.sizes[chunk]
        self.sizes[chunk] = size + change

    # --- the left end --------------------------------------------------------------------------------------------------------------

    def stage(self) -> None:
        if not self.staged and len(self.chunks) > 1:
            self.head = self.chunks[0]
            self.head.reverse()
            self.chunks[0] = []
            self.staged = True

    def unstage(self) -> None:
        if self.staged:
            self.head.reverse()
            self.chunks[0] = self.head
            self.head = []
            self.staged = False

    def push_head(self, item: bytes, fill: i64) -> None:
        size: i64 = entry_size(item)
        self.stage()
        if self.quicklist:
            count: i64 = len(self.head) if self.staged else len(self.chunks[0])
            if count > 0 and exceeds(self.sizes[0] + len(item) + 8, count + 1, fill, 1):
                self.unstage()
                self.chunks.insert(0, [])
                self.sizes.insert(0, HEADER + size)
                self.counts = None
                self.head = [item]
                self.staged = True
                return
        self._grow(0, size)
        if self.staged:
            self.head.append(item)
        else:
            self.chunks[0].insert(0, item)

    def pop_head(self) -> bytes:
        self.stage()
        if self.staged:
            item = self.head.pop()
            self._grow(0, -entry_size(item))
            if not self.head:
                self.staged = False
                self.drop(0, 1)
            return item
        item = self.chunks[0].pop(0)
        self._grow(0, -entry_size(item))
        return item

    # --- the right end -------------------------------------------------------------------------------------------------------------

    def push_tail(self, item: bytes, fill: i64) -> None:
        tail = self.chunks[-1]
        size: i64 = entry_size(item)
        if self.quicklist and tail and exceeds(self.sizes[-1] + len(item) + 8, len(tail) + 1, fill, 1):
            self.chunks.append([item])
            self.sizes.append(HEADER + size)
            self.counts = None
            return
        tail.append(item)
        self._grow(len(self.sizes) - 1, size)

    def pop_tail(self) -> bytes:
        item = self.chunks[-1].pop()
        self._grow(len(self.sizes) - 1, -entry_size(item))
        if not self.chunks[-1] and len(self.chunks) > 1:
            self.drop(len(self.chunks) - 1, len(self.chunks))
            if self.staged and len(self.chunks) == 1:
                self.unstage()
        return item

    # --- the middle ----------------------------------------------------------------------------------------------------------------

    def drop(self, first: int, last: int) -> None:
        """Takes whole chunks out; one stays, though it may be empty."""
        del self.chunks[first:last]
        del self.sizes[first:last]
        self.counts = None
        if not self.chunks:
            self.chunks.append([])
            self.sizes.append(HEADER)

    def find(self, position: int) -> tuple[int, int]:
        """The chunk of the item at `position`, and its place in the chunk as if that were not held back to front."""
        if self.counts is None:
            self.counts = Counts([len(chunk) for chunk in self.chunks])
        counts = self.counts
        counts.put(0, len(self.head) if self.staged else len(self.chunks[0]))
        if len(self.chunks) > 1:
            counts.put(len(self.chunks) - 1, len(self.chunks[-1]))
        return counts.find(position)

    def get(self, position: int) -> bytes:
        chunk, place = self.find(position)
        if chunk == 0 and self.staged:
            return self.head[-1 - place]
        return self.chunks[chunk][place]

    def slice(self, start: int, stop: int) -> list[bytes]:
        chunk, place = self.find(start)
        left = stop - start
        found: list[bytes] = []
        if chunk == 0 and self.staged:
            end = len(self.head) - place
            found = self.head[max(end - left, 0) : end]
            found.reverse()
            left -= len(found)
            chunk = 1
            place = 0
        elif place + left <= len(self.chunks[chunk]):
            return self.chunks[chunk][place : place + left]
        while left > 0:
            part = self.chunks[chunk]
            if place or left < len(part):
                part = part[place : place + left]
            found.extend(part)
            left -= len(part)
            chunk += 1
            place = 0
        return found

    def set(self, position: int, item: bytes, fill: int) -> None:
        self.unstage()
        chunk, place = self.find(position)
        items = self.chunks[chunk]
        plain = self.quicklist and self._plain(chunk, fill)
        if plain == (self.quicklist and oversized(item, fill)):
            self.sizes[chunk] += entry_size(item) - entry_size(items[place])
            items[place] = item
        elif plain:
            # A node of its own no longer needed: the item goes where one inserted after it would.
            self.insert(position, item, True, fill)
            self.drop(chunk, chunk + 1)
        else:
            if place + 1 < len(items):
                self._divide(chunk, place + 1)
            self._open(chunk + 1, item)
            self._cut(chunk, place, place + 1)
            if not items:
                self.drop(chunk, chunk + 1)
            else:
                self._unite(chunk, fill)

    def insert(self, position: int, item: bytes, after: bool, fill: int) -> None:
        """Puts `item` after or before the item at `position`, dividing a full node as Redis does."""
        self.unstage()
        chunk, place = self.find(position)
        length = len(self.chunks[chunk])
        at_edge = place == length - 1 if after else place == 0
        beside = chunk + 1 if after else chunk - 1
        if not self.quicklist or not self._full(chunk, item, fill):
            self._add(chunk, place + 1 if after else place, item)
        elif at_edge and not oversized(item, fill) and 0 <= beside < len(self.chunks) and not self._full(beside, item, fill):
            self._add(beside, 0 if after else len(self.chunks[beside]), item)
        elif at_edge or self._plain(chunk, fill):
            self._open(chunk + 1 if after else chunk, item)
        else:
            self._divide(chunk, place + 1 if after else place)
            if oversized(item, fill):
                self._open(chunk + 1, item)
                self._unite(chunk if after else chunk + 2, fill)
            elif after:
                self._add(chunk + 1, 0, item)
                self._unite(chunk, fill)
            else:
                self._add(chunk, len(self.chunks[chunk]), item)
                self._unite(chunk + 1, fill)

    def _add(self, chunk: int, place: int, item: bytes) -> None:
        self.chunks[chunk].insert(place, item)
        self.sizes[chunk] += entry_size(item)
        if self.counts is not None:
            self.counts.add(chunk, 1)

    def _open(self, chunk: int, item: bytes) -> None:
        """Makes a new chunk of one item."""
        self.chunks.insert(chunk, [item])
        self.sizes.insert(chunk, HEADER + entry_size(item))
        self.counts = None

    def _plain(self, chunk: int, fill: int) -> bool:
        """Whether Redis holds that chunk as a plain node: one item too large for any listpack."""
        items = self.chunks[chunk]
        return len(items) == 1 and oversized(items[0], fill)

    def _full(self, chunk: int, item: bytes, fill: int) -> bool:
        return self._plain(chunk, fill) or exceeds(self.sizes[chunk] + len(item) + 8, len(self.chunks[chunk]) + 1, fill, 1)

    def _divide(self, chunk: int, place: int) -> None:
        """Makes two chunks of one."""
        rest = self.chunks[chunk][place:]
        del self.chunks[chunk][place:]
        size: i64 = HEADER
        for item in rest:
            size += entry_size(item)
        self.sizes[chunk] -= size - HEADER
        self.chunks.insert(chunk + 1, rest)
        self.sizes.insert(chunk + 1, size)
        self.counts = None

    def _unite(self, chunk: int, fill: int) -> None:
        """Joins the chunks around `chunk` as far as they fit into one node, in Redis's order of trying."""
        if self._join(chunk - 2, fill):
            chunk -= 1
        self._join(chunk + 1, fill)
        if self._join(chunk - 1, fill):
            chunk -= 1
        self._join(chunk, fill)

    def _join(self, chunk: int, fill: int) -> bool:
        """Joins `chunk` and the next one if both are there and fit into one node."""
        if chunk < 0 or chunk + 1 >= len(self.chunks):
            return False
        if self._plain(chunk, fill) or self._plain(chunk + 1, fill):
            return False
        size = self.sizes[chunk] + self.sizes[chunk + 1] - HEADER
        if exceeds(size, len(self.chunks[chunk]) + len(self.chunks[chunk + 1]), fill, 1):
            return False
        self.chunks[chunk].extend(self.chunks[chunk + 1])
        self.sizes[chunk] = size
        del self.chunks[chunk + 1]
        del self.sizes[chunk + 1]
        self.counts = None
        return True

    def remove(self, value: bytes, count: int) -> int:
        """Removes up to `count` items equal to `value`, the last ones if `count` is negative, all if it is 0; returns how many."""
        self.unstage()
        wanted = abs(count) if count else -1
        removed = 0
        empty: list[int] = []
        size: i64 = entry_size(value)
        order = range(len(self.chunks)) if count >= 0 else range(len(self.chunks) - 1, -1, -1)
        for chunk in order:
            items = self.chunks[chunk]
            matches = items.count(value)
            if not matches:
                continue
            if wanted < 0 or removed + matches <= wanted:
                self.chunks[chunk] = [item for item in items if item != value]
            else:
                matches = wanted - removed
                remove_some(items, value, matches, count < 0)
            self.sizes[chunk] -= matches * size
            removed += matches
            if not self.chunks[chunk]:
                empty.append(chunk)
            elif self.counts is not None:
                self.counts.add(chunk, -matches)
            if removed == wanted:
                break
        empty.sort(reverse=True)
        for chunk in empty:
            self.drop(chunk, chunk + 1)
        return removed

    def trim(self, start: int, stop: int) -> None:
        """Keeps the items from `start` up to before `stop`."""
        self.unstage()
        chunk, place = self.find(stop - 1)
        self.drop(chunk + 1, len(self.chunks))
        self._cut(chunk, place + 1, len(self.chunks[chunk]))
        chunk, place = self.find(start)
        self._cut(chunk, 0, place)
        self.drop(0, chunk)

    def _cut(self, chunk: int, start: int, stop: int) -> None:
        """Takes the items between two places out of one chunk."""
        size: i64 = 0
        items = self.chunks[chunk]
        for item in items[start:stop]:
            size += entry_size(item)
        del items[start:stop]
        self.sizes[chunk] -= size
        self.counts = None


def remove_some(items: list[bytes], value: bytes, count: int, from_right: bool) -> None:
    """Removes `count` items equal to `value`, of which there are at least as many."""
    if from_right:
        items.reverse()
    place = 0
    for _ in range(count):
        place = items.index(value, place)
        del items[place]
    if from_right:
        items.reverse()


@mypyc_attr(acyclic=True)
class List:
    """A list of bytes. Positions given to its methods lie inside it; `count` is its length."""

    __slots__ = ("count", "nodes", "packed")

    type_name: Final = b"list"

    def __init__(self) -> None:
        self.count: i64 = 0
        self.packed = b""  # all items, while `nodes` is None
        self.nodes: Nodes | None = None

    def __len__(self) -> int:
        return self.count

    @property
    def compact(self) -> bool:
        """Whether Redis would hold the list as one listpack."""
        return self.nodes is None or not self.nodes.quicklist

    def encoding(self, config: Config) -> bytes:
        """What OBJECT ENCODING answers."""
        return b"listpack" if self.compact else b"quicklist"

    def node_sizes(self) -> list[int]:
        """The bytes of every node that Redis would have."""
        return (self.nodes or Nodes(self.items())).sizes

    def items(self) -> list[bytes]:
        if self.nodes is None:
            return self.packed.split(SEPARATOR) if self.count else []
        found: list[bytes] = []
        self.nodes.unstage()
        for chunk in self.nodes.chunks:
            found.extend(chunk)
        return found

    def copy(self) -> List:
        twin = List()
        twin.count = self.count
        twin.packed = self.packed
        if self.nodes is not None:
            twin.nodes = self.nodes.copy()
        return twin

    # --- pushing -------------------------------------------------------------------------------------------------------------------

    def push(self, item: bytes, at_head: bool, fill: int) -> None:
        """Puts one item at an end."""
        nodes = self.nodes
        if nodes is None or not nodes.quicklist:
            if at_head:
                self.push_head([item], fill)
            else:
                self.push_tail([item], fill)
            return
        if at_head:
            nodes.push_head(item, fill)
        else:
            nodes.push_tail(item, fill)
        self.count += 1

    def push_tail(self, items: list[bytes], fill: int) -> None:
        """Appends `items`."""
        if self.nodes is None and self._pack(items, fill, False):
            return
        nodes = self._make_room(items, fill)
        for item in items:
            nodes.push_tail(item, fill)
        self.count += len(items)

    def push_head(self, items: list[bytes], fill: int) -> None:
        """Puts `items` before the first one by one, so that the last of them becomes the first."""
        if self.nodes is None and self._pack(items, fill, True):
            return
        nodes = self._make_room(items, fill)
        for item in items:
            nodes.push_head(item, fill)
        self.count += len(items)

    def _pack(self, items: list[bytes], fill: int, at_head: bool) -> bool:
        """Adds the items to a packed list; False if they do not fit there."""
        count: i64 = self.count + len(items)
        if count > PACKED_ITEMS or (fill >= 0 and count > fill):
            return False
        if len(items) == 1:
            addition = items[0]
        else:
            addition = SEPARATOR.join(items[::-1] if at_head else items)
        if len(self.packed) + len(addition) > PACKED_BYTES:
            return False
        if not addition.isascii() and addition.count(SEPARATOR) != len(items) - 1:
            return False
        if self.count == 0:
            self.packed = addition
        elif at_head:
            self.packed = b"%b\xc1%b" % (addition, self.packed)
        else:
            self.packed = b"%b\xc1%b" % (self.packed, addition)
        self.count = count
        return True

    def _unpack(self) -> Nodes:
        nodes = self.nodes
        if nodes is None:
            nodes = Nodes(self.items())
            self.nodes = nodes
            self.packed = b""
        return nodes

    def expect(self, item: bytes, fill: int) -> None:
        """Becomes a quicklist if one listpack cannot take `item` too: Redis sees to that before it looks for the place."""
        if self.nodes is not None or 0 <= fill <= self.count or len(item) > PACKED_BYTES:
            self._make_room([item], fill)

    def _make_room(self, items: list[bytes], fill: int) -> Nodes:
        """The nodes, as a quicklist if one listpack cannot take `items` too."""
        nodes = self._unpack()
        if not nodes.quicklist:
            size: i64 = nodes.sizes[0]
            for item in items:
                size += len(item)
            nodes.quicklist = exceeds(size, self.count + len(items), fill, 1)
        return nodes

    # --- popping -------------------------------------------------------------------------------------------------------------------

    def pop_head(self, fill: int) -> bytes:
        """Takes the first item of a list that is not empty."""
        self.count -= 1
        nodes = self.nodes
        if nodes is None:
            item, _, self.packed = self.packed.partition(SEPARATOR)
            return item
        item = nodes.pop_head()
        if nodes.quicklist and len(nodes.chunks) == 1:
            self._shrink(nodes, fill)
        return item

    def pop_tail(self, fill: int) -> bytes:
        """Takes the last item of a list that is not empty."""
        self.count -= 1
        nodes = self.nodes
        if nodes is None:
            self.packed, _, item = self.packed.rpartition(SEPARATOR)
            return item
        item = nodes.pop_tail()
        if nodes.quicklist and len(nodes.chunks) == 1:
            self._shrink(nodes, fill)
        return item

    def pop(self, at_head: bool, count: int, fill: int) -> list[bytes]:
        """Takes up to `count` items from one end, the outermost first."""
        count = min(count, self.count)
        if count > 8:
            if at_head:
                found = self.slice(0, count)
                self.trim(count, self.count, fill)
            else:
                found = self.slice(self.count - count, self.count)
                found.reverse()
                self.trim(0, self.count - count, fill)
            return found
        if at_head:
            return [self.pop_head(fill) for _ in range(count)]
        return [self.pop_tail(fill) for _ in range(count)]

    def _shrink(self, nodes: Nodes, fill: int) -> None:
        """A quicklist of one half-empty node becomes a listpack again."""
        if nodes.quicklist and len(nodes.chunks) == 1 and not exceeds(nodes.sizes[0], self.count, fill, 2):
            nodes.quicklist = False

    # --- anywhere ------------------------------------------------------------------------------------------------------------------

    def get(self, position: int) -> bytes:
        if self.nodes is None:
            return self.packed.split(SEPARATOR)[position]
        return self.nodes.get(position)

    def slice(self, start: int, stop: int) -> list[bytes]:
        """The items from `start` up to before `stop`."""
        if start >= stop:
            return []
        if self.nodes is None:
            return self.packed.split(SEPARATOR)[start:stop]
        return self.nodes.slice(start, stop)

    def set(self, position: int, item: bytes, fill: int) -> None:
        nodes = self.nodes
        if nodes is None and (fill < 0 or self.count < fill):
            items = self.items()
            items[position] = item
            if self._repack(items):
                return
        if nodes is None or not nodes.quicklist:
            nodes = self._make_room([item], fill)
        nodes.set(position, item, fill)
        self._shrink(nodes, fill)

    def _repack(self, items: list[bytes]) -> bool:
        """Holds `items` packed in place of what there was; False if they do not fit."""
        packed = SEPARATOR.join(items)
        if len(items) > PACKED_ITEMS or len(packed) > PACKED_BYTES or (not packed.isascii() and packed.count(SEPARATOR) != len(items) - 1):
            return False
        self.packed = packed
        self.count = len(items)
        return True

    def insert(self, pivot: bytes, item: bytes, after: bool, fill: int) -> bool:
        """Puts `item` beside the first item equal to `pivot`; False if there is none."""
        position = self.index(pivot)
        if position < 0:
            self.expect(item, fill)
            return False
        if self.nodes is None and (fill < 0 or self.count < fill):
            items = self.items()
            items.insert(position + (1 if after else 0), item)
            if self._repack(items):
                return True
        self._make_room([item], fill).insert(position, item, after, fill)
        self.count += 1
        return True

    def index(self, value: bytes) -> int:
        """The position of the first item equal to `value`, -1 if there is none."""
        found = self.positions(value, 1, 1, 0)
        return found[0] if found else -1

    def positions(self, value: bytes, rank: int, count: int, limit: int) -> list[int]:
        """Where `value` stands: `count` matches from the `rank`-th on (from the right if negative) among `limit` items; 0 is all."""
        found: list[int] = []
        skip = abs(rank) - 1
        length: int = self.count
        left = limit if 0 < limit < length else length
        before = 0  # items in the chunks passed
        nodes = self.nodes
        if nodes is not None:
            nodes.unstage()
            chunks = nodes.chunks if rank > 0 else nodes.chunks[::-1]
        else:
            chunks = [self.items()]
        for chunk in chunks:
            items = chunk if rank > 0 else chunk[::-1]
            room = min(len(items), left - before)
            hits = items.count(value)
            place = -1
            for _ in range(hits):
                place = items.index(value, place + 1)
                if place >= room:
                    break
                if skip > 0:
                    skip -= 1
                    continue
                position = before + place
                found.append(position if rank > 0 else length - 1 - position)
                if len(found) == count:
                    return found
            before += len(items)
            if before >= left:
                break
        return found

    def remove(self, value: bytes, count: int, fill: int) -> int:
        """Removes up to `count` items equal to `value`, the last ones if `count` is negative, all if it is 0; returns how many."""
        nodes = self.nodes
        if nodes is not None:
            removed = nodes.remove(value, count)
            self.count -= removed
            self._shrink(nodes, fill)
            return removed
        items = self.items()
        matches = items.count(value)
        if not matches:
            return 0
        removed = matches if count == 0 else min(matches, abs(count))
        remove_some(items, value, removed, count < 0)
        self._repack(items)
        return removed

    def trim(self, start: int, stop: int, fill: int) -> None:
        """Keeps the items from `start` up to before `stop`."""
        if start >= stop:
            self.nodes = None
            self.packed = b""
            self.count = 0
        elif self.nodes is None:
            self._repack(self.items()[start:stop])
        elif start + self.count - stop <= FEW:
            # A list that is kept at a length: a few items at the ends go as if popped.
            for _ in range(self.count - stop):
                self.pop_tail(fill)
            for _ in range(start):
                self.pop_head(fill)
        else:
            self.nodes.trim(start, stop)
            self.count = stop - start
            self._shrink(self.nodes, fill)

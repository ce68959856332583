"""Streams: entries in the order of their ids, in nodes (`stream_node`), and the groups that read them (`stream_groups`).

Adding is to the last node; a range, or an entry, is found by the nodes' first ids, then within a node. Deleting leaves a tombstone until
the last live entry of a node goes, trimming drops whole nodes from the front. All as Redis does it, for `~` trimming, XINFO and the guesses
of a group's lag depend on it (https://redis.io/docs/latest/develop/data-types/streams/).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from mypy_extensions import i64

from redloop.config import Config
from redloop.values.stream_groups import UNKNOWN, Group
from redloop.values.stream_ids import MAX_PART, SEQUENCE_BITS, tree_nodes
from redloop.values.stream_node import Entry, Node

MAX_NODE_BYTES: Final = 1 << 30
NO_LIMIT: Final = 0


class Stream:
    """A stream. Ids are integers, see `stream_ids`; 0 stands for none."""

    __slots__ = ("_masters", "_tree_nodes", "entries_added", "first_id", "groups", "last_id", "length", "max_deleted_id", "nodes")

    type_name: Final = b"stream"

    def __init__(self) -> None:
        # The entries.
        self.nodes: list[Node] = []
        self._masters: list[int] = []  # their first ids
        self.length: i64 = 0
        self.first_id = 0
        self._tree_nodes = 0  # 0: to be counted

        # What has been.
        self.last_id = 0
        self.max_deleted_id = 0
        self.entries_added = 0

        self.groups: dict[bytes, Group] = {}

    def __len__(self) -> int:
        return self.length

    def encoding(self, config: Config) -> bytes:
        """What OBJECT ENCODING answers."""
        return b"stream"

    def copy(self) -> Stream:
        """A stream that shares with this one only nodes, which both copy before they change them."""
        for node in self.nodes:
            node.shared = True
        twin = Stream()
        twin.nodes = self.nodes.copy()
        twin._masters = self._masters.copy()
        twin.length = self.length
        twin.first_id = self.first_id
        twin.last_id = self.last_id
        twin.max_deleted_id = self.max_deleted_id
        twin.entries_added = self.entries_added
        for name, group in self.groups.items():
            twin.groups[name] = group.copy()
        return twin

    # --- adding ------------------------------------------------------------------------------------------------------------------

    def next_id(self, now_ms: int) -> int:
        """The id that `*` means; greater than MAX_ID if there is none left."""
        now = now_ms << SEQUENCE_BITS
        return now if now > self.last_id else self.last_id + 1

    def next_in(self, ms: int) -> int:
        """The id that `ms-*` means; not greater than `last_id` if that is impossible."""
        last = self.last_id
        if last >> SEQUENCE_BITS != ms:
            return ms << SEQUENCE_BITS
        return last + 1 if last & MAX_PART != MAX_PART else last

    def append(self, ident: int, pairs: list[bytes], max_bytes: int, max_entries: int) -> bool:
        """Adds an entry, `pairs` its fields and values in turn, behind the last id; False if it is too large."""
        size: i64 = 0
        for string in pairs:
            size += len(string)
        if size > MAX_NODE_BYTES:
            return False
        room: i64 = max_bytes if 0 < max_bytes <= MAX_NODE_BYTES else MAX_NODE_BYTES
        tail: Node | None = None
        if self.nodes:
            tail = self.nodes[-1]
            if tail.listpack_size() + size >= room or 0 < max_entries <= tail.count:
                tail.pack()
                names = pairs[::2]
                self.add_node(Node(ident, tail.fields if names == tail.fields else names))
                tail = self.nodes[-1]
            elif tail.shared or tail.packed is not None:
                tail = self._own(len(self.nodes) - 1)
                tail.open()
        else:
            tail = Node(ident, pairs[::2])
            self.add_node(tail)
        tail.append(ident, pairs)
        self.length += 1
        self.entries_added += 1
        self.last_id = ident
        if self.length == 1:
            self.first_id = ident
        return True

    def add_node(self, node: Node) -> None:
        """Puts a node behind the others (also when loading: `recount` afterwards)."""
        self.nodes.append(node)
        self._masters.append(node.master)
        self._tree_nodes = 0

    def recount(self) -> None:
        """Length and first id, from the nodes."""
        length: i64 = 0
        for node in self.nodes:
            length += node.live
        self.length = length
        self.first_id = self.edge(False)

    # --- finding -----------------------------------------------------------------------------------------------------------------

    def _node_of(self, ident: int) -> int:
        """The last node that begins at or before `ident`, -1 if none does."""
        return bisect_right(self._masters, ident) - 1

    def __contains__(self, ident: int) -> bool:
        place = self._node_of(ident)
        return place >= 0 and self.nodes[place].find(ident) >= 0

    def get(self, ident: int) -> list[bytes] | None:
        """Fields and values of an entry, None if it is not there."""
        place = self._node_of(ident)
        if place < 0:
            return None
        node = self.nodes[place]
        position = node.find(ident)
        return None if position < 0 else node.entries(position, position + 1)[0][1]

    def edge(self, last: bool) -> int:
        """The first live id, or the last; 0 if the stream is empty."""
        if last:
            for node in reversed(self.nodes):
                if node.live:
                    return node.id_at(node.live_before(node.count))
            return 0
        for node in self.nodes:
            if node.live:
                return node.id_at(node.live_from(0))
        return 0

    def range(self, start: int, end: int, count: int) -> list[Entry]:
        """The entries from `start` to `end`, at most `count` of them (0: all)."""
        found: list[Entry] = []
        nodes = self.nodes
        place: i64 = max(0, self._node_of(start))
        whole: i64 = len(nodes) if end >= self.last_id else self._node_of(end)  # of the nodes before, the range takes all to the end
        last: i64 = min(whole, len(nodes) - 1)
        while place <= last:
            node = nodes[place]
            low: i64 = 0 if node.master >= start else node.lower(start)
            high: i64 = node.count
            if place == whole:
                high = node.lower(end + 1)
            if count:
                high = node.cut(low, high, count - len(found))
            found.extend(node.entries(low, high))
            if count and len(found) >= count:
                break
            place += 1
        return found

    def range_back(self, start: int, end: int, count: int) -> list[Entry]:
        """The same from `end` back to `start`."""
        found: list[Entry] = []
        nodes = self.nodes
        first: i64 = max(0, self._node_of(start))
        place: i64 = self._node_of(end)
        bound = end + 1
        while place >= first:
            node = nodes[place]
            low: i64 = 0 if node.master >= start else node.lower(start)
            high: i64 = node.lower(bound)
            if count:
                low = node.cut_back(low, high, count - len(found))
            some = node.entries(low, high)
            some.reverse()
            found.extend(some)
            if count and len(found) >= count:
                break
            place -= 1
        return found

    # --- removing ----------------------------------------------------------------------------------------------------------------

    def _own(self, place: int) -> Node:
        """The node at `place`, which may be changed."""
        node = self.nodes[place]
        if node.shared:
            node = node.copy()
            self.nodes[place] = node
        return node

    def _drop(self, low: int, high: int) -> None:
        del self.nodes[low:high]
        del self._masters[low:high]
        self._tree_nodes = 0

    def delete(self, ident: int) -> bool:
        """Deletes an entry; False if it was not there. `deleted` is to be called when all are."""
        place = self._node_of(ident)
        if place < 0:
            return False
        node = self.nodes[place]
        position = node.find(ident)
        if position < 0:
            return False
        if node.live == 1:
            self._drop(place, place + 1)
        else:
            self._own(place).bury(position)
        self.length -= 1
        if ident > self.max_deleted_id:
            self.max_deleted_id = ident
        return True

    def deleted(self) -> None:
        """Entries were deleted: finds the first one again."""
        self.first_id = self.edge(False)

    def trim_length(self, length: int, approximate: bool, limit: int) -> int:
        """Drops entries from the front until `length` are left; the number dropped.

        `approximate`: only whole nodes, and at most `limit` entries (0: as many as it takes).
        """
        nodes = self.nodes
        left: int = self.length
        place = 0
        while place < len(nodes) and left > length:
            live: int = nodes[place].live
            if (limit and self.length - left + live > limit) or left - live < length:
                break
            left -= live
            place += 1
        self._drop(0, place)
        if not approximate and left > length:
            node = self._own(0)
            position = 0
            while left > length:
                position = node.live_from(position)
                node.bury(position)
                left -= 1
        return self._trimmed(left)

    def trim_before(self, ident: int, approximate: bool, limit: int) -> int:
        """Drops the entries with smaller ids; see `trim_length`."""
        nodes = self.nodes
        left: int = self.length
        place = 0
        while place < len(nodes):
            node = nodes[place]
            live: int = node.live
            if (limit and self.length - left + live > limit) or node.id_at(node.count - 1) >= ident:
                break
            left -= live
            place += 1
        self._drop(0, place)
        if not approximate and nodes:
            node = nodes[0]
            end = node.lower(ident)
            position = node.live_from(0)
            if position < end:
                node = self._own(0)
            while position < end:
                node.bury(position)
                left -= 1
                position = node.live_from(position)
        return self._trimmed(left)

    def _trimmed(self, left: int) -> int:
        dropped: int = self.length - left
        if dropped:
            self.length = left
            self.first_id = self.edge(False)
        return dropped

    # --- what is known of its past -----------------------------------------------------------------------------------------------

    def deleted_from(self, start: int) -> bool:
        """Whether an entry from `start` on may have been deleted from between others."""
        return start <= self.last_gap()

    def last_gap(self) -> int:
        """The last id that may have been deleted from between others, UNKNOWN if there is none."""
        deleted = self.max_deleted_id
        return UNKNOWN if not self.length or not deleted or self.first_id > deleted else deleted

    def entries_up_to(self, ident: int) -> int:
        """How many entries there ever were up to `ident`, UNKNOWN if that cannot be told."""
        if not self.entries_added:
            return 0
        if not self.length and ident <= self.last_id:
            return self.entries_added
        if ident and ident < self.max_deleted_id:
            return UNKNOWN
        if ident == self.last_id:
            return self.entries_added
        if ident > self.last_id:
            return UNKNOWN
        if not self.max_deleted_id or self.max_deleted_id < self.first_id:
            if ident < self.first_id:
                return self.entries_added - int(self.length)
            if ident == self.first_id:
                return self.entries_added - int(self.length) + 1
        return UNKNOWN

    def lag(self, group: Group) -> int | None:
        """How many entries `group` has not been given yet, None if that cannot be told; less than none if ENTRIESREAD was wrong."""
        if not self.length:
            return 0
        if group.last_id < self.first_id > self.max_deleted_id:
            return self.length
        if group.entries_read != UNKNOWN and not self.deleted_from(group.last_id):
            return self.entries_added - group.entries_read
        read = self.entries_up_to(group.last_id)
        return None if read == UNKNOWN else self.entries_added - read

    def tree_nodes(self) -> int:
        """How many nodes Redis's radix tree of nodes has."""
        if not self._tree_nodes:
            self._tree_nodes = tree_nodes(self._masters)
        return self._tree_nodes

    # --- groups ------------------------------------------------------------------------------------------------------------------

    def create_group(self, name: bytes, last_id: int, entries_read: int) -> Group | None:
        """A new group, None if there is one of that name."""
        if name in self.groups:
            return None
        group = Group(last_id, entries_read)
        self.groups[name] = group
        return group

    def sorted_groups(self) -> list[bytes]:
        """The names of the groups, as Redis lists them."""
        return sorted(self.groups)

"""Sets: one packed row of bytes while small, a table when not.

A small set is one bytes object, each member between two marks that do not occur in UTF-8: membership is a search in C. A set with a member
that does hold the mark, or that grows, becomes a table whose values say nothing.

`kind` follows Redis's conversion rules, which also decide the order of SMEMBERS: an intset comes sorted by number, a listpack in the
order of insertion (numbers first, sorted, if it was an intset before), a hash table as it likes.
"""

from __future__ import annotations

from random import Random
from typing import Final

from mypy_extensions import i64, mypyc_attr

from redloop.config import Config
from redloop.values.table import Table

MARK: Final = b"\xc1"
PACKED_MEMBERS: Final = 32
PACKED_BYTES: Final = 1024
COLD: Final = 100
"""Members a packed set may be asked for before it is worth a table."""

INTSET: Final = 0
LISTPACK: Final = 1
HASHTABLE: Final = 2

INT64_MIN: Final = -(1 << 63)
INT64_MAX: Final = (1 << 63) - 1


def is_integer(member: bytes) -> bool:
    """Whether `member` is a 64-bit integer as Redis would print it."""
    length: i64 = len(member)
    if length == 0 or length > 20:
        return False
    first: i64 = member[0]
    if first == 45:
        return length > 1 and member[1] != 48 and member[1:].isdigit() and int(member) >= INT64_MIN
    return member.isdigit() and (first != 48 or length == 1) and int(member) <= INT64_MAX


@mypyc_attr(acyclic=True)
class Set:
    """A set of bytes."""

    __slots__ = ("count", "kind", "longest", "packed", "table", "uses")

    type_name: Final = b"set"

    def __init__(self) -> None:
        self.count: i64 = 0
        self.packed = b""  # all members, while `table` is None
        self.uses: i64 = 0  # how often a member was asked for or added again meanwhile
        self.table: Table | None = None

        # What Redis's conversion rules go by.
        self.kind: i64 = INTSET
        self.longest: i64 = 0  # the longest member ever added

    def __len__(self) -> int:
        return self.count

    def __contains__(self, member: bytes) -> bool:
        table = self.table
        if table is None:
            self.uses += 1
            if self.uses > COLD:
                return member in self._unpack()
            return self._is_packed(member)
        return member in table.part(member)

    def encoding(self, config: Config) -> bytes:
        """What OBJECT ENCODING answers."""
        if self.kind == INTSET:
            return b"intset"
        return b"listpack" if self.kind == LISTPACK else b"hashtable"

    def expect(self, first: bytes, count: int, max_intset: int, max_entries: int) -> None:
        """Says of a new set what its first member and their number will be: Redis chooses by it what to begin with."""
        if count > max_intset or not is_integer(first):
            self.kind = LISTPACK if count <= max_entries else HASHTABLE

    def prepare(self, count: int, max_intset: int, max_entries: int) -> None:
        """Says how many members, there already or not, will be added at once: more than an encoding holds convert the set beforehand."""
        if count > (max_intset if self.kind == INTSET else max_entries):
            self.kind = HASHTABLE

    def settle(self, max_intset: int, max_entries: int, max_length: int) -> None:
        """Notes that Redis would convert the set, if it is past a limit."""
        if self.kind == INTSET and self.count > max_intset:
            self.kind = HASHTABLE
        if self.kind == LISTPACK and (self.count > max_entries or self.longest > max_length):
            self.kind = HASHTABLE

    def _leave_intset(self) -> None:
        """Numbers that stood in an intset come first in the listpack, sorted."""
        if 1 < self.count < 1024:
            members = self.members()
            self._take(members)
        self.kind = LISTPACK

    def _take(self, members: list[bytes]) -> None:
        """Holds `members`, the same as before, in that order."""
        if self.table is None:
            self.packed = b"\xc1%b\xc1" % MARK.join(members)
        else:
            table = Table()
            for member in members:
                table.set(member, True)
            self.table = table

    def copy(self) -> Set:
        twin = Set()
        twin.count = self.count
        twin.packed = self.packed
        twin.kind = self.kind
        twin.longest = self.longest
        if self.table is not None:
            twin.table = self.table.copy()
        return twin

    def fill(self, members: list[bytes]) -> bool:
        """Takes many members into an empty set, in their order; False if one of them comes twice."""
        count = len(members)
        if count <= PACKED_MEMBERS:
            packed = b"\xc1%b\xc1" % MARK.join(members)
            if len(packed) < PACKED_BYTES and (packed.count(MARK) == count + 1) and len(set(members)) == count:
                self.packed = packed
                self.count = count
                self.longest = max([len(member) for member in members], default=0)
                return True
        return all(self.add(member) for member in members)

    # --- one member ----------------------------------------------------------------------------------------------------------------

    def add(self, member: bytes) -> bool:
        """Adds `member`; False if it is there already."""
        if self.kind == INTSET and not is_integer(member):
            self._leave_intset()
        table = self.table
        if table is None:
            packed = self.packed
            if self._is_packed(member):
                self.uses += 1
                if self.uses > COLD:
                    self._unpack()
                return False
            if len(member) > self.longest:
                self.longest = len(member)
            fits = self.count < PACKED_MEMBERS and len(packed) + len(member) < PACKED_BYTES
            if fits and self.uses <= COLD and (member.isascii() or MARK not in member):
                self.packed = b"%b%b\xc1" % (packed or MARK, member)
                self.count += 1
                return True
            table = self._unpack()
        if not table.set(member, True):
            return False
        if len(member) > self.longest:
            self.longest = len(member)
        self.count += 1
        return True

    def remove(self, member: bytes) -> bool:
        table = self.table
        if table is None:
            if not self._is_packed(member):
                return False
            self.packed = self.packed.replace(b"\xc1%b\xc1" % member, MARK, 1) if self.count > 1 else b""
        elif table.pop(member) is None:
            return False
        self.count -= 1
        return True

    def _is_packed(self, member: bytes) -> bool:
        return b"\xc1%b\xc1" % member in self.packed and (member.isascii() or MARK not in member)

    def _unpack(self) -> Table:
        table = self.table
        if table is None:
            table = Table()
            for member in self._split():
                table.set(member, True)
            self.table = table
            self.packed = b""
        return table

    # --- all members ---------------------------------------------------------------------------------------------------------------

    def _split(self) -> list[bytes]:
        return self.packed[1:-1].split(MARK) if self.count else []

    def members(self) -> list[bytes]:
        """All members, in Redis's order as far as that has one."""
        members = self._split() if self.table is None else self.table.keys()
        if self.kind == INTSET:
            members.sort(key=int)
        return members

    def within(self, members: list[bytes]) -> list[bytes]:
        """Those of `members` that are in this set, in their order."""
        table = self.table
        if table is None:
            own = set(self._split())
            return [member for member in members if member in own]
        if table.depth == 0:
            root = table.root
            return [member for member in members if member in root]
        return [member for member in members if member in table.part(member)]

    def without(self, members: list[bytes]) -> list[bytes]:
        """Those of `members` that are not in this set, in their order."""
        table = self.table
        if table is None:
            own = set(self._split())
            return [member for member in members if member not in own]
        return [member for member in members if member not in table.part(member)]

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Some members and the cursor to go on with, 0 at the end; a compact set comes whole and in order."""
        if self.table is None or self.kind != HASHTABLE:
            return 0, self.members()
        return self.table.scan(cursor, count)

    # --- drawing -------------------------------------------------------------------------------------------------------------------

    def sample(self, random: Random) -> bytes:
        """A member, each with the same chance; the set is not empty."""
        if self.table is None:
            return self._split()[int(random.random() * int(self.count))]
        return self.table.sample(random)

    def sample_many(self, random: Random, count: int) -> list[bytes]:
        """That many different members, every choice with the same chance; there are at least as many."""
        if count * 3 > self.count:
            return random.sample(self.members(), count)
        chosen: dict[bytes, bool] = {}
        while len(chosen) < count:
            chosen[self.sample(random)] = True
        return list(chosen)

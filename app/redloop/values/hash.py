"""Hashes: one packed row of bytes while small, a table when not, with an expiry for each field if wanted.

A small hash is one bytes object, `\\xc1 field \\xc0 value` for each field: neither byte occurs in UTF-8. Ten fields take a third of what
a dict would, and finding, adding and cutting happen in C. A hash with a field or value that does hold one of these bytes, that grows, that
is asked often, or that gets an expiring field, becomes a table.

Expiry times are milliseconds; the hash has no clock: fields that are due are still there until the caller says `expire(now)` or removes
them, and whoever reads a hash with `soonest < now` asks which they are. Times stand in order, so that they are found without a look at
the others.
"""

from __future__ import annotations

from random import Random
from typing import Final, cast

from mypy_extensions import i64, mypyc_attr

from redloop.config import Config
from redloop.values.scores import Scores
from redloop.values.table import Table

FIELD: Final = b"\xc1"
VALUE: Final = b"\xc0"
PACKED_FIELDS: Final = 32
PACKED_BYTES: Final = 1024
COLD: Final = 100
"""Fields a packed hash may be asked for, or that may be changed, before it is worth a table."""
NEVER: Final = 1 << 60


@mypyc_attr(acyclic=True)
class Hash:
    """A hash: fields and their values, both bytes."""

    __slots__ = ("compact", "count", "expires", "longest", "packed", "soonest", "table", "uses")

    type_name: Final = b"hash"

    def __init__(self) -> None:
        self.count: i64 = 0
        self.packed = b""  # all fields, while `table` is None
        self.uses: i64 = 0  # how often a field was asked for or changed meanwhile
        self.table: Table | None = None

        # What Redis's conversion rules go by.
        self.compact = True  # a listpack still
        self.longest: i64 = 0  # the longest field or value ever added

        # Expiring fields: field to time.
        self.expires: Scores | None = None
        self.soonest: i64 = NEVER

    def __len__(self) -> int:
        return self.count

    def encoding(self, config: Config) -> bytes:
        """What OBJECT ENCODING answers; a listpack that ever had expiring fields is of the extended kind."""
        if not self.compact:
            return b"hashtable"
        return b"listpack" if self.expires is None else b"listpackex"

    def settle(self, max_entries: int, max_length: int) -> None:
        """Notes that Redis would no longer hold the hash as a listpack, if it is past either limit."""
        if self.compact and (self.count > max_entries or self.longest > max_length):
            self.compact = False

    def copy(self) -> Hash:
        twin = Hash()
        twin.count = self.count
        twin.packed = self.packed
        twin.compact = self.compact
        twin.longest = self.longest
        twin.soonest = self.soonest
        if self.table is not None:
            twin.table = self.table.copy()
        if self.expires is not None:
            twin.expires = self.expires.copy()
        return twin

    def fill(self, flat: list[bytes]) -> bool:
        """Takes fields and values in turn into an empty hash; False if a field comes twice."""
        count = len(flat) // 2
        if count <= PACKED_FIELDS:
            pieces: list[bytes] = []
            longest = 0
            for at in range(0, len(flat), 2):
                pieces.append(b"\xc1%b\xc0%b" % (flat[at], flat[at + 1]))
                longest = max(longest, len(flat[at]), len(flat[at + 1]))
            packed = b"".join(pieces)
            if len(packed) < PACKED_BYTES and packed.count(FIELD) == count == packed.count(VALUE) and len(set(flat[::2])) == count:
                self.packed = packed
                self.count = count
                self.longest = longest
                return True
        return all(self.set(flat[at], flat[at + 1]) for at in range(0, len(flat), 2))

    # --- one field -----------------------------------------------------------------------------------------------------------------

    def get(self, field: bytes) -> bytes | None:
        if self.table is None:
            self.uses += 1
            if self.uses > COLD:
                return self._get_unpacked(field)
            packed = self.packed
            mark = b"\xc1%b\xc0" % field
            start = packed.find(mark)
            if start < 0:
                return None
            start += len(mark)
            end = packed.find(FIELD, start)
            if end < 0:
                end = len(packed)
            # A field that holds the marks itself would match across a boundary.
            return packed[start:end] if field.isascii() or not marked(field) else None
        value = self.table.part(field).get(field)
        return value if isinstance(value, bytes) else None

    def _get_unpacked(self, field: bytes) -> bytes | None:
        value = self._unpack().get(field)
        return value if isinstance(value, bytes) else None

    def set(self, field: bytes, value: bytes) -> bool:
        """Sets `field`, and takes its expiry away; True if it is new."""
        if len(field) > self.longest:
            self.longest = len(field)
        if len(value) > self.longest:
            self.longest = len(value)
        table = self.table
        if table is None:
            packed = self.packed
            if (
                self.count < PACKED_FIELDS
                and self.uses <= COLD
                and len(packed) + len(field) + len(value) < PACKED_BYTES
                and (field.isascii() or not marked(field))
                and (value.isascii() or not marked(value))
            ):
                mark = b"\xc1%b\xc0" % field
                start = packed.find(mark)
                if start < 0:
                    self.packed = b"".join((packed, mark, value))
                    self.count += 1
                    return True
                self.uses += 1
                start += len(mark)
                end = packed.find(FIELD, start)
                self.packed = packed[:start] + value if end < 0 else b"".join((packed[:start], value, packed[end:]))
                return False
            table = self._unpack()
        elif self.expires is not None and self.expires.remove(field):
            # As in Redis's listpack, where fields without expiry stand behind those with one: the field moves to the end.
            table.pop(field)
            table.set(field, value)
            self._find_soonest()
            return False
        if table.set(field, value):
            self.count += 1
            return True
        return False

    def put(self, field: bytes, value: bytes) -> None:
        """Changes the value of a field that is there and leaves its expiry (HINCRBY, HSETEX KEEPTTL)."""
        if self.table is None:
            self.set(field, value)
        else:
            self.longest = max(self.longest, len(value))
            self.table.set(field, value)

    def remove(self, field: bytes) -> bool:
        table = self.table
        if table is None:
            packed = self.packed
            start = packed.find(b"\xc1%b\xc0" % field)
            if start < 0 or (not field.isascii() and marked(field)):
                return False
            end = packed.find(FIELD, start + 1)
            self.packed = packed[:start] if end < 0 else packed[:start] + packed[end:]
            self.count -= 1
            return True
        if table.pop(field) is None:
            return False
        self.count -= 1
        if self.expires is not None and self.expires.remove(field):
            self._find_soonest()
        return True

    def __contains__(self, field: bytes) -> bool:
        return self.get(field) is not None

    def _unpack(self) -> Table:
        table = self.table
        if table is None:
            table = Table()
            flat = self._split()
            for i in range(0, len(flat), 2):
                table.set(flat[i], flat[i + 1])
            self.table = table
            self.packed = b""
        return table

    def _split(self) -> list[bytes]:
        """The fields and values of a packed hash in turn."""
        flat = self.packed.replace(VALUE, FIELD).split(FIELD)
        del flat[0]
        return flat

    # --- all fields ----------------------------------------------------------------------------------------------------------------

    def flat(self) -> list[bytes]:
        """Field, value, field, value, ... in Redis's order as far as that has one."""
        if self.table is None:
            return self._split()
        if self.expires is not None and self.compact:
            found: list[bytes] = []
            for field in self.fields():
                value = self.get(field)
                if value is not None:
                    found.append(field)
                    found.append(value)
            return found
        return cast(list[bytes], self.table.flat())

    def read(self) -> list[bytes]:
        """`flat` for a client: a packed hash that is read often is worth a table."""
        if self.table is None:
            self.uses += 1
            if self.uses > COLD:
                self._unpack()
        return self.flat()

    def fields(self) -> list[bytes]:
        table = self.table
        if table is None:
            return self._split()[::2]
        if self.expires is not None and self.compact:
            return self._due_order(table, self.expires)
        return table.keys()

    def values(self) -> list[bytes]:
        if self.table is None:
            return self._split()[1::2]
        if self.expires is not None and self.compact:
            return self.flat()[1::2]
        return cast(list[bytes], self.table.values())

    def _due_order(self, table: Table, expires: Scores) -> list[bytes]:
        """Fields as Redis's listpack has them: by expiry, of equal ones the one set last first, then those without."""
        timed: list[tuple[float, int, bytes]] = []
        for place, field in enumerate(expires.table.keys()):
            score = expires.score(field)
            if score is not None:
                timed.append((score, -place, field))
        timed.sort()
        table_fields = table.keys()
        return [entry[2] for entry in timed] + [field for field in table_fields if field not in expires.table]

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Some fields and the cursor to go on with, 0 at the end; a compact hash comes whole and in order."""
        if self.table is None or self.compact:
            return 0, self.fields()
        return self.table.scan(cursor, count)

    def sample(self, random: Random) -> bytes:
        """A field, each with the same chance; the hash is not empty."""
        if self.table is None:
            return self._split()[int(random.random() * int(self.count)) * 2]
        return self.table.sample(random)

    # --- expiry --------------------------------------------------------------------------------------------------------------------

    def due(self, field: bytes) -> int:
        """When `field` is due, -1 if never."""
        score = None if self.expires is None else self.expires.score(field)
        return -1 if score is None else int(score)

    def extend(self) -> Scores:
        """Makes the hash one whose fields may expire, as Redis does for any command that sets or keeps expiries, whatever comes of it."""
        expires = self.expires
        if expires is None:
            expires = Scores()
            self.expires = expires
            self._unpack()
        return expires

    def set_due(self, field: bytes, time: int) -> None:
        """Makes `field`, which is there, due at `time`."""
        expires = self.extend()
        expires.remove(field)
        expires.add(field, float(time))
        self._find_soonest()

    def persist(self, field: bytes) -> bool:
        """Takes the expiry of `field` away; False if it had none."""
        if self.expires is None or not self.expires.remove(field):
            return False
        table = self._unpack()
        if self.compact:
            value = table.pop(field)
            if value is not None:
                table.set(field, value)
        self._find_soonest()
        return True

    def _find_soonest(self) -> None:
        expires = self.expires
        self.soonest = int(expires.ranking.scores_between(0, 1)[0]) if expires is not None and len(expires) else NEVER

    def due_fields(self, now: int) -> frozenset[bytes]:
        """The fields that were due before `now`."""
        ranking = None if self.expires is None else self.expires.ranking
        return frozenset() if ranking is None else frozenset(ranking.members_between(0, ranking.rank_of_score(float(now), False)))

    def expire(self, now: int, limit: int) -> list[bytes]:
        """Removes up to `limit` fields that are due at `now`, the soonest first, and returns them."""
        expires, table = self.expires, self.table
        if expires is None or table is None or self.soonest > now:
            return []
        stop = min(expires.ranking.rank_of_score(float(now), True), limit)
        fields = expires.cut(0, stop)
        for field in fields:
            table.pop(field)
        self.count -= len(fields)
        self._find_soonest()
        return fields


def marked(text: bytes) -> bool:
    """Whether `text` holds a byte that a packed hash needs for itself."""
    return FIELD in text or VALUE in text

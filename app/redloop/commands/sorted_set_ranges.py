"""Ranges of sorted sets by rank, score or bytes: read, count, store, remove (https://redis.io/docs/latest/commands/?group=sorted-set).

Whatever the bounds are, a `Range` turns them into ranks; the rest is slicing. The older commands are ZRANGE with its options preset.
"""

from __future__ import annotations

from typing import Final

from redloop.commands.sorted_sets import find, find_for_write, scored, taken
from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, FAST, READONLY, WRITE, family
from redloop.engine.options import LEX_HIGHEST, LEX_LOWEST, LEX_MEMBER, Options, lex_bound, score_bound
from redloop.errors import LIMIT_WITHOUT_BY, SYNTAX, WITHSCORES_WITH_BYLEX, RedisError
from redloop.events import GENERIC, ZSET
from redloop.numbers import parse_int
from redloop.resp.replies import Reply
from redloop.values.sorted_set import SortedSet

command = family("sorted-set")

# What bounds are.
AUTO: Final = 0  # ranks, unless an option says otherwise
RANK: Final = 1
SCORE: Final = 2
LEX: Final = 3


class Range:
    """A range of one kind, as a request gives it; with `reverse` the higher bound comes first."""

    def __init__(self, kind: int, reverse: bool) -> None:
        self.kind = kind
        self.reverse = reverse
        self.preset_kind = kind != AUTO
        self.preset_order = kind != AUTO or reverse
        self.with_scores = False
        self.offset = 0
        self.count = -1

        # Bounds: two ranks; two scores and whether they are excluded; two members, whether excluded, and where not a member (LEX_*).
        self.first = 0
        self.last = 0
        self.low = 0.0
        self.high = 0.0
        self.low_open = False
        self.high_open = False
        self.low_member = b""
        self.high_member = b""
        self.low_place = LEX_MEMBER
        self.high_place = LEX_MEMBER

    def read_options(self, argv: list[bytes], at: int, storing: bool) -> None:
        """The words behind the bounds."""
        options = Options(argv, at)
        limited = False
        while options.more():
            word = options.word()
            if word == b"WITHSCORES" and not storing:
                self.with_scores = True
            elif word == b"LIMIT" and options.left() >= 2:
                self.offset, self.count = options.limit()
                limited = True
            elif word == b"REV" and not self.preset_order:
                self.reverse = True
                self.preset_order = True
            elif word == b"BYLEX" and not self.preset_kind:
                self.kind = LEX
                self.preset_kind = True
            elif word == b"BYSCORE" and not self.preset_kind:
                self.kind = SCORE
                self.preset_kind = True
            else:
                raise RedisError(SYNTAX)
        if self.kind == AUTO:
            self.kind = RANK
        if limited and self.count != -1 and self.kind == RANK:
            raise RedisError(LIMIT_WITHOUT_BY)
        if self.with_scores and self.kind == LEX:
            raise RedisError(WITHSCORES_WITH_BYLEX)

    def read_bounds(self, first: bytes, last: bytes) -> None:
        if self.kind == RANK:
            self.first = parse_int(first)
            self.last = parse_int(last)
            return
        if self.reverse:
            first, last = last, first
        if self.kind == SCORE:
            self.low, self.low_open = score_bound(first)
            self.high, self.high_open = score_bound(last)
        else:
            self.low_place, self.low_member, self.low_open = lex_bound(first)
            self.high_place, self.high_member, self.high_open = lex_bound(last)

    def ranks(self, found: SortedSet) -> tuple[int, int]:
        """The ranks that the range covers, in ascending order: from the first up to before the second."""
        if self.kind == RANK:
            return self._by_rank(len(found))
        if self.kind == SCORE:
            start, stop = found.by_score(self.low, self.low_open, self.high, self.high_open)
        else:
            start, stop = self._by_bytes(found)
        offset = self.offset
        if offset < 0 and not found.compact:
            offset += stop - start  # in a skiplist Redis counts from the far end
        room = stop - start - offset
        chosen = room if self.count < 0 else min(room, self.count)
        if offset < 0 or chosen <= 0:
            return 0, 0
        if self.reverse:
            return stop - offset - chosen, stop - offset
        return start + offset, start + offset + chosen

    def _by_rank(self, size: int) -> tuple[int, int]:
        first = max(self.first + size, 0) if self.first < 0 else self.first
        last = self.last + size if self.last < 0 else min(self.last, size - 1)
        if first > last:
            return 0, 0
        return (size - 1 - last, size - first) if self.reverse else (first, last + 1)

    def _by_bytes(self, found: SortedSet) -> tuple[int, int]:
        if self.low_place == LEX_HIGHEST or self.high_place == LEX_LOWEST:
            return 0, 0
        low = None if self.low_place == LEX_LOWEST else self.low_member
        high = None if self.high_place == LEX_HIGHEST else self.high_member
        return found.by_bytes(low, self.low_open, high, self.high_open, self.reverse)


# --- reading ---------------------------------------------------------------------------------------------------------------------


def _range(client: Client, argv: list[bytes], kind: int, reverse: bool) -> Reply:
    wanted = Range(kind, reverse)
    if len(argv) > 4:
        wanted.read_options(argv, 4, False)
    elif kind == AUTO:
        wanted.kind = RANK
    wanted.read_bounds(argv[2], argv[3])
    found = find(client, argv[1])
    if found is None:
        return []
    start, stop = wanted.ranks(found)
    members = found.members(start, stop)
    if wanted.reverse:
        members.reverse()
    if not wanted.with_scores:
        return members
    scores = found.scores(start, stop)
    if wanted.reverse:
        scores.reverse()
    return scored(client, members, scores)


@command(
    "ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    "The members in a range of ranks, scores or bytes.",
    READONLY, since="1.2.0", complexity="O(log(N)+M)", types={"start": "string", "stop": "string"}, added={"6.2.0": "sortby rev limit"},
)
def zrange(client: Client, argv: list[bytes]) -> Reply:
    return _range(client, argv, AUTO, False)


@command(
    "ZREVRANGE key start stop [WITHSCORES]",
    "The members in a range of ranks that count from the highest score.",
    READONLY, since="1.2.0", complexity="O(log(N)+M)", deprecated="6.2.0", replaced_by="`ZRANGE` with the `REV` argument",
)
def zrevrange(client: Client, argv: list[bytes]) -> Reply:
    return _range(client, argv, RANK, True)


@command(
    "ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]",
    "The members in a range of scores.",
    READONLY, since="1.0.5", complexity="O(log(N)+M)", types={"min": "double", "max": "double"}, added={"2.0.0": "withscores"},
    deprecated="6.2.0", replaced_by="`ZRANGE` with the `BYSCORE` argument",
)
def zrangebyscore(client: Client, argv: list[bytes]) -> Reply:
    return _range(client, argv, SCORE, False)


@command(
    "ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]",
    "The members in a range of scores, the highest first.",
    READONLY, since="2.2.0", complexity="O(log(N)+M)", types={"max": "double", "min": "double"}, deprecated="6.2.0",
    replaced_by="`ZRANGE` with the `REV` and `BYSCORE` arguments",
)
def zrevrangebyscore(client: Client, argv: list[bytes]) -> Reply:
    return _range(client, argv, SCORE, True)


@command(
    "ZRANGEBYLEX key min max [LIMIT offset count]",
    "The members in a range of bytes, where all have the same score.",
    READONLY, since="2.8.9", complexity="O(log(N)+M)", deprecated="6.2.0", replaced_by="`ZRANGE` with the `BYLEX` argument",
)
def zrangebylex(client: Client, argv: list[bytes]) -> Reply:
    return _range(client, argv, LEX, False)


@command(
    "ZREVRANGEBYLEX key max min [LIMIT offset count]",
    "The members in a range of bytes, the highest first.",
    READONLY, since="2.8.9", complexity="O(log(N)+M)", deprecated="6.2.0",
    replaced_by="`ZRANGE` with the `REV` and `BYLEX` arguments",
)
def zrevrangebylex(client: Client, argv: list[bytes]) -> Reply:
    return _range(client, argv, LEX, True)


@command(
    "ZCOUNT key min max", "How many members are in a range of scores.",
    READONLY | FAST, since="2.0.0", complexity="O(log(N))", types={"min": "double", "max": "double"},
)
def zcount(client: Client, argv: list[bytes]) -> Reply:
    return _count(client, argv, SCORE)


@command(
    "ZLEXCOUNT key min max", "How many members are in a range of bytes.",
    READONLY | FAST, since="2.8.9", complexity="O(log(N))",
)
def zlexcount(client: Client, argv: list[bytes]) -> Reply:
    return _count(client, argv, LEX)


def _count(client: Client, argv: list[bytes], kind: int) -> int:
    wanted = Range(kind, False)
    wanted.read_bounds(argv[2], argv[3])
    found = find(client, argv[1])
    if found is None:
        return 0
    start, stop = wanted.ranks(found)
    return stop - start


# --- writing ---------------------------------------------------------------------------------------------------------------------


def store(client: Client, key: bytes, members: list[bytes], scores: list[float], event: bytes, changes: int = 1) -> int:
    """Makes the sorted set `key` of members and scores, or deletes it if there are none. `changes` is what making it counts for."""
    db = client.db
    db.for_write(key)
    if members:
        built = SortedSet()
        config = client.server.config
        built.fill(members, scores, config.zset_max_listpack_entries, config.zset_max_listpack_value)
        db.put(key, built)
        db.changed(key, ZSET, event, changes)
    elif db.remove(key):
        db.changed(key, GENERIC, b"del")
    return len(members)


@command(
    "ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    "Stores the members in a range of another sorted set.",
    WRITE | DENYOOM, since="6.2.0", complexity="O(log(N)+M)", keys="OW UPDATE, RO ACCESS",
)
def zrangestore(client: Client, argv: list[bytes]) -> Reply:
    wanted = Range(AUTO, False)
    wanted.read_options(argv, 5, True)
    wanted.read_bounds(argv[3], argv[4])
    found = find(client, argv[2])
    if found is None:
        return store(client, argv[1], [], [], b"zrangestore")
    start, stop = wanted.ranks(found)
    return store(client, argv[1], found.members(start, stop), found.scores(start, stop), b"zrangestore")


def _remove(client: Client, argv: list[bytes], kind: int, event: bytes) -> int:
    wanted = Range(kind, False)
    wanted.read_bounds(argv[2], argv[3])
    key = argv[1]
    found = find_for_write(client, key)
    if found is None:
        return 0
    start, stop = wanted.ranks(found)
    removed = len(found.cut(start, stop))
    if removed:
        taken(client, key, found, event, removed)
    return removed


@command(
    "ZREMRANGEBYRANK key start stop", "Removes the members in a range of ranks.",
    WRITE, since="2.0.0", complexity="O(log(N)+M)", keys="RW DELETE",
)
def zremrangebyrank(client: Client, argv: list[bytes]) -> Reply:
    return _remove(client, argv, RANK, b"zremrangebyrank")


@command(
    "ZREMRANGEBYSCORE key min max", "Removes the members in a range of scores.",
    WRITE, since="1.2.0", complexity="O(log(N)+M)", keys="RW DELETE", types={"min": "double", "max": "double"},
)
def zremrangebyscore(client: Client, argv: list[bytes]) -> Reply:
    return _remove(client, argv, SCORE, b"zremrangebyscore")


@command(
    "ZREMRANGEBYLEX key min max", "Removes the members in a range of bytes.",
    WRITE, since="2.8.9", complexity="O(log(N)+M)", keys="RW DELETE",
)
def zremrangebylex(client: Client, argv: list[bytes]) -> Reply:
    return _remove(client, argv, LEX, b"zremrangebylex")

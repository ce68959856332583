"""Unions, intersections and differences of sorted sets (https://redis.io/docs/latest/commands/?group=sorted-set).

Plain sets take part too; their members score 1. As in Redis the inputs are worked off from the smallest to the largest, which decides the
last bits of a sum. What would be NaN (infinities that cancel, zero times infinity) is 0.
"""

from __future__ import annotations

import math
from typing import Final

from redloop.commands.sorted_set_ranges import store
from redloop.commands.sorted_sets import scored
from redloop.engine.client import Client
from redloop.engine.command import DENYOOM, READONLY, WRITE, family
from redloop.engine.options import Options
from redloop.errors import LIMIT_NEGATIVE, SYNTAX, WEIGHT, WRONGTYPE, RedisError, no_input_keys
from redloop.numbers import INT64_MAX, parse_float, parse_int, parse_int_between
from redloop.resp.replies import Reply
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet

command = family("sorted-set")

UNION: Final = 0
INTERSECTION: Final = 1
DIFFERENCE: Final = 2

SUM: Final = 0
MIN: Final = 1
MAX: Final = 2

_AGGREGATES: Final = {b"SUM": SUM, b"MIN": MIN, b"MAX": MAX}


class Source:
    """One input: a sorted set, a set, or nothing."""

    def __init__(self, value: object) -> None:
        self.sorted_set = value if isinstance(value, SortedSet) else None
        self.plain = value if isinstance(value, Set) else None
        if value is not None and self.sorted_set is None and self.plain is None:
            raise RedisError(WRONGTYPE)
        self.weight = 1.0

    def size(self) -> int:
        if self.sorted_set is not None:
            return len(self.sorted_set)
        return 0 if self.plain is None else len(self.plain)

    def members(self) -> list[bytes]:
        if self.sorted_set is not None:
            return self.sorted_set.members(0, len(self.sorted_set))
        return [] if self.plain is None else self.plain.members()

    def score(self, member: bytes) -> float | None:
        """The weighted score of `member`; zero times infinity stays NaN here, and makes the sum it goes into 0."""
        if self.sorted_set is not None:
            score = self.sorted_set.score(member)
            return None if score is None else score * self.weight
        return self.weight if self.plain is not None and member in self.plain else None

    def scores(self) -> list[float]:
        """The weighted scores of all members, in their order."""
        if self.sorted_set is None:
            return [self.weight] * self.size()
        scores = self.sorted_set.scores(0, len(self.sorted_set))
        return scores if self.weight == 1.0 else [_number(score * self.weight) for score in scores]


def _number(score: float) -> float:
    return 0.0 if math.isnan(score) else score


def _combine(left: float, right: float, aggregate: int) -> float:
    if aggregate == SUM:
        return _number(left + right)
    if aggregate == MIN:
        return min(left, right)
    return max(left, right)


class Request:
    """`numkeys key [key ...] [WEIGHTS ...] [AGGREGATE ...] [WITHSCORES]` or `... [LIMIT limit]`, from `at` to the end."""

    def __init__(self, client: Client, argv: list[bytes], at: int, name: str) -> None:
        self.argv = argv
        self.aggregate = SUM
        self.with_scores = False
        self.limit = 0
        count = parse_int(argv[at])
        if count < 1:
            raise RedisError(no_input_keys(name))
        if count > len(argv) - at - 1:
            raise RedisError(SYNTAX)
        self.sources = [Source(client.db.find(key)) for key in argv[at + 1 : at + 1 + count]]
        self.options = Options(argv, at + 1 + count)

    def read_weights(self, operation: int, storing: bool) -> None:
        options = self.options
        while options.more():
            word = options.word()
            if word == b"WEIGHTS" and operation != DIFFERENCE and options.left() >= len(self.sources):
                for source in self.sources:
                    source.weight = parse_float(options.value(), WEIGHT)
            elif word == b"AGGREGATE" and operation != DIFFERENCE and options.more():
                aggregate = _AGGREGATES.get(options.word())
                if aggregate is None:
                    raise RedisError(SYNTAX)
                self.aggregate = aggregate
            elif word == b"WITHSCORES" and not storing:
                self.with_scores = True
            else:
                raise RedisError(SYNTAX)

    def read_limit(self) -> None:
        options = self.options
        while options.more():
            if not options.next_is(b"LIMIT") or not options.more():
                raise RedisError(SYNTAX)
            self.limit = parse_int_between(options.value(), 0, INT64_MAX, LIMIT_NEGATIVE)

    def result(self, operation: int) -> dict[bytes, float]:
        if operation == DIFFERENCE:
            return self._difference()
        sources = sorted(self.sources, key=_source_size)
        return self._union(sources) if operation == UNION else self._intersection(sources)

    def _union(self, sources: list[Source]) -> dict[bytes, float]:
        total: dict[bytes, float] = {}
        aggregate = self.aggregate
        for source in sources:
            members, scores = source.members(), source.scores()
            for at in range(len(members)):
                before = total.get(members[at])
                total[members[at]] = scores[at] if before is None else _combine(before, scores[at], aggregate)
        return total

    def _intersection(self, sources: list[Source]) -> dict[bytes, float]:
        total: dict[bytes, float] = {}
        smallest, others = sources[0], sources[1:]
        members, scores = smallest.members(), smallest.scores()
        for at in range(len(members)):
            combined = scores[at]
            for other in others:
                score = other.score(members[at])
                if score is None:
                    break
                combined = _combine(combined, score, self.aggregate)
            else:
                total[members[at]] = combined
        return total

    def _difference(self) -> dict[bytes, float]:
        total: dict[bytes, float] = {}
        first, others = self.sources[0], self.sources[1:]
        members, scores = first.members(), first.scores()
        for at in range(len(members)):
            for other in others:
                if other.score(members[at]) is not None:
                    break
            else:
                total[members[at]] = scores[at]
        return total

    def common(self) -> int:
        """How many members all have in common, counted up to the limit."""
        sources = sorted(self.sources, key=_source_size)
        smallest, others = sources[0], sources[1:]
        found = 0
        for member in smallest.members():
            for other in others:
                if other.score(member) is None:
                    break
            else:
                found += 1
                if found == self.limit:
                    break
        return found


def _source_size(source: Source) -> int:
    return source.size()


def _read(client: Client, argv: list[bytes], operation: int, name: str) -> Reply:
    request = Request(client, argv, 1, name)
    request.read_weights(operation, False)
    entries = sorted([(score, member) for member, score in request.result(operation).items()])
    members = [entry[1] for entry in entries]
    if not request.with_scores:
        return members
    return scored(client, members, [entry[0] for entry in entries])


def _store(client: Client, argv: list[bytes], operation: int, name: str) -> int:
    request = Request(client, argv, 2, name)
    request.read_weights(operation, True)
    total = request.result(operation)
    return store(client, argv[1], list(total), list(total.values()), name.encode())


@command(
    "ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    "The members that any of several sorted sets has.",
    READONLY, since="6.2.0", complexity="O(N)+O(M*log(M))",
)
def zunion(client: Client, argv: list[bytes]) -> Reply:
    return _read(client, argv, UNION, "zunion")


@command(
    "ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
    "The members that several sorted sets have in common.",
    READONLY, since="6.2.0", complexity="O(N*K)+O(M*log(M))",
)
def zinter(client: Client, argv: list[bytes]) -> Reply:
    return _read(client, argv, INTERSECTION, "zinter")


@command(
    "ZDIFF numkeys key [key ...] [WITHSCORES]",
    "The members that the first of several sorted sets has and none of the others.",
    READONLY, since="6.2.0", complexity="O(L + (N-K)log(N))",
)
def zdiff(client: Client, argv: list[bytes]) -> Reply:
    return _read(client, argv, DIFFERENCE, "zdiff")


@command(
    "ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    "Stores the members that any of several sorted sets has.",
    WRITE | DENYOOM, since="2.0.0", complexity="O(N)+O(M log(M))", keys="OW UPDATE, RO ACCESS",
)
def zunionstore(client: Client, argv: list[bytes]) -> Reply:
    return _store(client, argv, UNION, "zunionstore")


@command(
    "ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
    "Stores the members that several sorted sets have in common.",
    WRITE | DENYOOM, since="2.0.0", complexity="O(N*K)+O(M*log(M))", keys="OW UPDATE, RO ACCESS",
)
def zinterstore(client: Client, argv: list[bytes]) -> Reply:
    return _store(client, argv, INTERSECTION, "zinterstore")


@command(
    "ZDIFFSTORE destination numkeys key [key ...]",
    "Stores the members that the first of several sorted sets has and none of the others.",
    WRITE | DENYOOM, since="6.2.0", complexity="O(L + (N-K)log(N))", keys="OW UPDATE, RO ACCESS",
)
def zdiffstore(client: Client, argv: list[bytes]) -> Reply:
    return _store(client, argv, DIFFERENCE, "zdiffstore")


@command(
    "ZINTERCARD numkeys key [key ...] [LIMIT limit]",
    "How many members several sorted sets have in common, counted up to a limit.",
    READONLY, since="7.0.0", complexity="O(N*K)",
)
def zintercard(client: Client, argv: list[bytes]) -> Reply:
    request = Request(client, argv, 1, "zintercard")
    request.read_limit()
    return request.common()

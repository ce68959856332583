"""Sorted sets: a table from member to score, and a ranking of (score, member).

All ranges - by rank, by score, by bytes - are ranges of ranks: a bound becomes a rank by bisecting, then members and scores are slices.
Scores are floats and never NaN. A small sorted set keeps no negative zero, since Redis's listpack does not.
"""

from __future__ import annotations

from random import Random
from typing import Final

from mypy_extensions import i64

from redloop.config import Config
from redloop.values.ranking import Ranking
from redloop.values.table import Table


class SortedSet:
    """A sorted set of bytes."""

    __slots__ = ("compact", "longest", "ranking", "table")

    type_name: Final = b"zset"

    def __init__(self) -> None:
        self.table = Table()
        self.ranking = Ranking()

        # What Redis's conversion rules go by.
        self.compact = True  # a listpack still
        self.longest: i64 = 0  # the longest member ever added

    def __len__(self) -> int:
        return self.table.count

    def __contains__(self, member: bytes) -> bool:
        return member in self.table.part(member)

    def encoding(self, config: Config) -> bytes:
        """What OBJECT ENCODING answers."""
        return b"listpack" if self.compact else b"skiplist"

    def settle(self, max_entries: int, max_length: int) -> None:
        """Notes that Redis would no longer hold the set as a listpack, if it is past either limit."""
        if self.compact and (self.table.count > max_entries or self.longest > max_length):
            self.compact = False

    def copy(self) -> SortedSet:
        twin = SortedSet()
        twin.table = self.table.copy()
        twin.ranking = self.ranking.copy()
        twin.compact = self.compact
        twin.longest = self.longest
        return twin

    # --- one member ----------------------------------------------------------------------------------------------------------------

    def score(self, member: bytes) -> float | None:
        score = self.table.part(member).get(member)
        return score if isinstance(score, float) else None

    def add(self, member: bytes, score: float) -> int:
        """Sets the score of `member`: 1 if the member is new, -1 if it had another score, 0 if the same."""
        if self.compact:
            score += 0.0  # of -0.0 makes 0.0
        before = self.score(member)
        if before is not None:
            if before == score:
                return 0
            self.ranking.remove(before, member)
            self.ranking.insert(score, member)
            self.table.set(member, score)
            return -1
        if len(member) > self.longest:
            self.longest = len(member)
        self.ranking.insert(score, member)
        self.table.set(member, score)
        return 1

    def remove(self, member: bytes) -> bool:
        score = self.table.pop(member)
        if not isinstance(score, float):
            return False
        self.ranking.remove(score, member)
        return True

    def rank(self, member: bytes) -> int:
        """The number of entries before `member`, which is present."""
        score = self.score(member)
        return self.ranking.rank(score, member) if score is not None else -1

    def fill(self, members: list[bytes], scores: list[float], max_entries: int, max_length: int) -> None:
        """Takes many members at once, none of them twice, into an empty set."""
        self.longest = max(map(len, members), default=0)
        if len(members) > max_entries or self.longest > max_length:
            self.compact = False
        entries: list[tuple[float, bytes]] = []
        for at in range(len(members)):
            score = scores[at] + 0.0 if self.compact else scores[at]
            entries.append((score, members[at]))
            self.table.set(members[at], score)
        entries.sort()
        self.ranking.fill(entries)

    # --- ranges of ranks -----------------------------------------------------------------------------------------------------------

    def by_score(self, low: float, low_open: bool, high: float, high_open: bool) -> tuple[int, int]:
        """The ranks of the scores between two bounds: from the first up to before the second."""
        start = self.ranking.rank_of_score(low, low_open)
        stop = self.ranking.rank_of_score(high, not high_open)
        return start, max(start, stop)

    def by_bytes(self, low: bytes | None, low_open: bool, high: bytes | None, high_open: bool) -> tuple[int, int]:
        """The ranks of the members between two bounds, where all have the same score; None is without bound."""
        start = 0 if low is None else self.ranking.rank_of_member(low, low_open)
        stop = self.table.count if high is None else self.ranking.rank_of_member(high, not high_open)
        return start, max(start, stop)

    def members(self, start: int, stop: int) -> list[bytes]:
        """The members of ranks `start` up to before `stop`."""
        return self.ranking.members_between(start, stop) if start < stop else []

    def scores(self, start: int, stop: int) -> list[float]:
        """The scores of ranks `start` up to before `stop`."""
        return self.ranking.scores_between(start, stop) if start < stop else []

    def cut(self, start: int, stop: int) -> list[bytes]:
        """Removes the members of ranks `start` up to before `stop` and returns them."""
        if start >= stop:
            return []
        removed = self.ranking.cut(start, stop)
        for member in removed:
            self.table.pop(member)
        return removed

    # --- scanning and drawing ------------------------------------------------------------------------------------------------------

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Some members and the cursor to go on with, 0 at the end; a compact set comes whole and in order."""
        if self.compact:
            return 0, self.members(0, self.table.count)
        return self.table.scan(cursor, count)

    def sample(self, random: Random) -> bytes:
        """A member, each with the same chance; the set is not empty."""
        rank = int(random.random() * len(self.table))
        return self.ranking.members_between(rank, rank + 1)[0]

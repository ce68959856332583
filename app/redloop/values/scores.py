"""The body of a sorted set that is not small: a table from member to score, and a ranking of (score, member).

All ranges - by rank, by score, by bytes - are ranges of ranks: a bound becomes a rank by bisecting, then members and scores are slices.
Scores are floats and never NaN.
"""

from __future__ import annotations

from random import Random

from mypy_extensions import mypyc_attr

from redloop.values.ranking import Ranking
from redloop.values.table import WIDE, Table


@mypyc_attr(acyclic=True)
class Scores:
    """Members and their scores, in order."""

    __slots__ = ("ranking", "table")

    def __init__(self) -> None:
        self.table = Table(WIDE)
        self.ranking = Ranking()

    def __len__(self) -> int:
        return len(self.table)

    def copy(self) -> Scores:
        twin = Scores()
        twin.table = self.table.copy()
        twin.ranking = self.ranking.copy()
        return twin

    def fill(self, members: list[bytes], scores: list[float]) -> None:
        """Takes many members at once, none of them twice, in place of nothing."""
        entries: list[tuple[float, bytes]] = []
        for at in range(len(members)):
            entries.append((scores[at], members[at]))
            self.table.set(members[at], scores[at])
        entries.sort()
        self.ranking.fill(entries)

    # --- one member ----------------------------------------------------------------------------------------------------------------

    def score(self, member: bytes) -> float | None:
        score = self.table.part(member).get(member)
        return score if isinstance(score, float) else None

    def add(self, member: bytes, score: float) -> int:
        """Sets the score of `member`: 1 if the member is new, -1 if it had another score, 0 if the same."""
        before = self.score(member)
        if before is not None:
            if before == score:
                return 0
            self.ranking.remove(before, member)
        self.ranking.insert(score, member)
        self.table.set(member, score)
        return 1 if before is None else -1

    def remove(self, member: bytes) -> bool:
        score = self.table.pop(member)
        if not isinstance(score, float):
            return False
        self.ranking.remove(score, member)
        return True

    def rank(self, member: bytes) -> int:
        """The number of entries before `member`, -1 if it is not there."""
        score = self.score(member)
        return -1 if score is None else self.ranking.rank(score, member)

    def sample(self, random: Random) -> bytes:
        """A member, each with the same chance; there is one."""
        rank = int(random.random() * len(self.table))
        return self.ranking.members_between(rank, rank + 1)[0]

    # --- ranges of ranks -----------------------------------------------------------------------------------------------------------

    def pop(self, lowest: bool) -> tuple[bytes, float]:
        """Takes the first or the last entry; there is one."""
        member, score = self.ranking.pop(lowest)
        self.table.pop(member)
        return member, score

    def cut(self, start: int, stop: int) -> list[bytes]:
        """Removes the members of ranks `start` up to before `stop` and returns them."""
        removed = self.ranking.cut(start, stop)
        for member in removed:
            self.table.pop(member)
        return removed

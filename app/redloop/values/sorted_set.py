"""Sorted sets: one packed row of bytes and an array of scores while small, `Scores` when not.

A small sorted set is one bytes object with its members in order, each between two marks that do not occur in UTF-8, and the scores in the
same order beside it. One with a member that does hold the mark, or that grows, becomes a table and a ranking (scores.py).

A sorted set that Redis would hold as a listpack keeps no negative zero, since a listpack stores it as the integer 0.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from random import Random
from typing import Final

from mypy_extensions import i64, mypyc_attr

from redloop.config import Config
from redloop.values.scores import Scores

INFINITY: Final = float("inf")
MARK: Final = b"\xc1"
PACKED_MEMBERS: Final = 64
PACKED_BYTES: Final = 1024
COLD: Final = 100
"""Members a packed set may be asked for before it is worth a table."""
WALKED: Final = 128
"""Members up to which a range of bytes over different scores is worked out as Redis does."""


@mypyc_attr(acyclic=True)
class SortedSet:
    """A sorted set of bytes. Ranges of ranks go from the first up to before the second."""

    __slots__ = ("big", "compact", "longest", "packed", "uses", "weights")

    type_name: Final = b"zset"

    def __init__(self) -> None:
        self.packed = b""  # the members, while `big` is None
        self.weights: array[float] = array("d")  # their scores
        self.uses: i64 = 0  # how often a member was asked for or scored again meanwhile
        self.big: Scores | None = None

        # What Redis's conversion rules go by.
        self.compact = True  # a listpack still
        self.longest: i64 = 0  # the longest member ever added

    def __len__(self) -> int:
        return len(self.weights) if self.big is None else len(self.big.table)

    def __contains__(self, member: bytes) -> bool:
        return self._find(member) >= 0 if self.big is None else member in self.big.table

    def encoding(self, config: Config) -> bytes:
        """What OBJECT ENCODING answers."""
        return b"listpack" if self.compact else b"skiplist"

    def settle(self, max_entries: int, max_length: int) -> None:
        """Notes that Redis would no longer hold the set as a listpack, if it is past either limit."""
        if self.compact and (self.longest > max_length or len(self) > max_entries):
            self.compact = False

    def copy(self) -> SortedSet:
        twin = SortedSet()
        twin.packed = self.packed
        twin.weights = self.weights[:]
        twin.big = None if self.big is None else self.big.copy()
        twin.compact = self.compact
        twin.longest = self.longest
        return twin

    def fill(self, members: list[bytes], scores: list[float], max_entries: int, max_length: int) -> None:
        """Takes many members at once, none of them twice, into an empty set."""
        self.longest = max(map(len, members), default=0)
        if len(members) > max_entries or self.longest > max_length:
            self.compact = False
        if len(members) <= PACKED_MEMBERS:
            if self._fill_in_order(members, scores):
                return
            for at in range(len(members)):
                self.add(members[at], scores[at])
            return
        self.packed = b""
        self.weights = array("d")
        self.big = Scores()
        self.big.fill(members, [score + 0.0 for score in scores] if self.compact else scores)

    def _fill_in_order(self, members: list[bytes], scores: list[float]) -> bool:
        """Takes members that come in order and can be packed; False if they do not or cannot."""
        packed = b"\xc1%b\xc1" % MARK.join(members)
        if not members or len(packed) >= PACKED_BYTES or packed.count(MARK) != len(members) + 1 or len(set(members)) != len(members):
            return False
        weights = array("d")
        before = scores[0]
        for at in range(len(members)):
            score = scores[at] + 0.0 if self.compact else scores[at]  # -0.0 makes 0.0
            if score < before or (at and score == before and members[at] < members[at - 1]):
                return False
            before = score
            weights.append(score)
        self.packed = packed
        self.weights = weights
        return True

    # --- the packed form -----------------------------------------------------------------------------------------------------------

    def _find(self, member: bytes) -> int:
        """The rank of `member`, -1 if it is not there."""
        place = self.packed.find(b"\xc1%b\xc1" % member)
        if place < 0 or not (member.isascii() or MARK not in member):
            return -1
        return self.packed.count(MARK, 0, place)

    def _split(self) -> list[bytes]:
        return self.packed[1:-1].split(MARK) if self.packed else []

    def _place(self, score: float, member: bytes) -> int:
        """The rank of an entry that is not there yet."""
        weights = self.weights
        low = bisect_left(weights, score)
        high = bisect_right(weights, score, low)
        return low if low == high else bisect_left(self._split(), member, low, high)

    def _insert(self, score: float, member: bytes) -> None:
        rank = self._place(score, member)
        packed = self.packed
        if rank == len(self.weights):
            self.packed = b"".join((packed or MARK, member, MARK))
        elif rank == 0:
            self.packed = b"".join((MARK, member, packed))
        else:
            members = self._split()
            members.insert(rank, member)
            self.packed = b"\xc1%b\xc1" % MARK.join(members)
        self.weights.insert(rank, score)

    def _take_out(self, rank: int, member: bytes) -> None:
        del self.weights[rank]
        self.packed = self.packed.replace(b"\xc1%b\xc1" % member, MARK, 1) if self.weights else b""

    def _unpack(self) -> Scores:
        big = self.big
        if big is None:
            big = Scores()
            big.fill(self._split(), self.weights.tolist())
            self.big = big
            self.packed = b""
            self.weights = array("d")
        return big

    # --- one member ----------------------------------------------------------------------------------------------------------------

    def score(self, member: bytes) -> float | None:
        big = self.big
        if big is None:
            self.uses += 1
            if self.uses > COLD:
                return self._unpack().score(member)
            rank = self._find(member)
            return None if rank < 0 else self.weights[rank]
        score = big.table.part(member).get(member)
        return score if isinstance(score, float) else None

    def add(self, member: bytes, score: float) -> int:
        """Sets the score of `member`: 1 if the member is new, -1 if it had another score, 0 if the same."""
        if self.compact:
            score += 0.0  # of -0.0 makes 0.0
        if len(member) > self.longest:
            self.longest = len(member)
        if self.big is None:
            rank = self._find(member)
            if rank >= 0:
                self.uses += 1
                if self.uses > COLD:
                    return self._unpack().add(member, score)
                if self.weights[rank] == score:
                    return 0
                self._take_out(rank, member)
                self._insert(score, member)
                return -1
            if (
                len(self.weights) < PACKED_MEMBERS
                and self.uses <= COLD
                and len(self.packed) + len(member) < PACKED_BYTES
                and (member.isascii() or MARK not in member)
            ):
                self._insert(score, member)
                return 1
        return self._unpack().add(member, score)

    def remove(self, member: bytes) -> bool:
        if self.big is not None:
            return self.big.remove(member)
        rank = self._find(member)
        if rank < 0:
            return False
        self._take_out(rank, member)
        return True

    def rank(self, member: bytes) -> int:
        """The number of entries before `member`, -1 if it is not there."""
        return self._find(member) if self.big is None else self.big.rank(member)

    # --- ranges of ranks -----------------------------------------------------------------------------------------------------------

    def by_score(self, low: float, low_open: bool, high: float, high_open: bool) -> tuple[int, int]:
        """The ranks of the scores between two bounds."""
        if self.big is None:
            start = bisect_right(self.weights, low) if low_open else bisect_left(self.weights, low)
            stop = bisect_left(self.weights, high) if high_open else bisect_right(self.weights, high)
        else:
            ranking = self.big.ranking
            start = 0 if low == -INFINITY and not low_open else ranking.rank_of_score(low, low_open)
            stop = len(self) if high == INFINITY and not high_open else ranking.rank_of_score(high, not high_open)
        return start, max(start, stop)

    def by_bytes(self, low: bytes | None, low_open: bool, high: bytes | None, high_open: bool, reverse: bool) -> tuple[int, int]:
        """The ranks of the members between two bounds, where all have the same score; None is without bound.

        Where scores differ no answer is right, yet Redis's is the same each time while the set is small (`_walk`).
        """
        start, stop = 0, len(self)
        if 0 < stop <= WALKED and self.scores(0, 1) != self.scores(stop - 1, stop):
            return _walk(self.members(0, stop), low, low_open, high, high_open, reverse)
        if self.big is None:
            members = self._split()
            if low is not None:
                start = bisect_right(members, low) if low_open else bisect_left(members, low)
            if high is not None:
                stop = bisect_left(members, high) if high_open else bisect_right(members, high)
        else:
            if low is not None:
                start = self.big.ranking.rank_of_member(low, low_open)
            if high is not None:
                stop = self.big.ranking.rank_of_member(high, not high_open)
        return start, max(start, stop)

    def members(self, start: int, stop: int) -> list[bytes]:
        """The members of a range of ranks."""
        if start >= stop:
            return []
        return self._split()[start:stop] if self.big is None else self.big.ranking.members_between(start, stop)

    def scores(self, start: int, stop: int) -> list[float]:
        """The scores of a range of ranks."""
        if start >= stop:
            return []
        return self.weights[start:stop].tolist() if self.big is None else self.big.ranking.scores_between(start, stop)

    def pop(self, lowest: bool) -> tuple[bytes, float]:
        """Takes the first or the last entry of a set that is not empty."""
        if self.big is not None:
            return self.big.pop(lowest)
        packed = self.packed
        if lowest:
            end = packed.find(MARK, 1)
            member = packed[1:end]
            self.packed = packed[end:]
            score = self.weights.pop(0)
        else:
            start = packed.rfind(MARK, 0, len(packed) - 1)
            member = packed[start + 1 : -1]
            self.packed = packed[: start + 1]
            score = self.weights.pop()
        if not self.weights:
            self.packed = b""
        return member, score

    def cut(self, start: int, stop: int) -> list[bytes]:
        """Removes the members of a range of ranks and returns them."""
        if start >= stop:
            return []
        if self.big is not None:
            return self.big.cut(start, stop)
        members = self._split()
        removed = members[start:stop]
        del members[start:stop]
        del self.weights[start:stop]
        self.packed = b"\xc1%b\xc1" % MARK.join(members) if members else b""
        return removed

    # --- scanning and drawing ------------------------------------------------------------------------------------------------------

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """Some members and the cursor to go on with, 0 at the end; a compact set comes whole and in order."""
        if self.big is None or self.compact:
            return 0, self.members(0, len(self))
        return self.big.table.scan(cursor, count)

    def sample(self, random: Random) -> bytes:
        """A member, each with the same chance; the set is not empty."""
        if self.big is not None:
            return self.big.sample(random)
        return self._split()[int(random.random() * len(self.weights))]


def _walk(members: list[bytes], low: bytes | None, low_open: bool, high: bytes | None, high_open: bool, reverse: bool) -> tuple[int, int]:
    """The ranks that a walk over members out of order takes for the range: from the first one past the near bound on, up to the far bound.

    If the last member is below the range, or the first above it, or the bounds cross, there is nothing.
    """
    if low is not None and high is not None and (low > high or (low == high and (low_open or high_open))):
        return 0, 0
    reaches = [low is None or member > low or (member == low and not low_open) for member in members]
    within = [high is None or member < high or (member == high and not high_open) for member in members]
    if not reaches[-1] or not within[0]:
        return 0, 0
    if reverse:
        reaches.reverse()
        within.reverse()
        reaches, within = within, reaches
    start = reaches.index(True) if True in reaches else len(members)
    stop = start
    while stop < len(members) and within[stop]:
        stop += 1
    return (len(members) - stop, len(members) - start) if reverse else (start, stop)

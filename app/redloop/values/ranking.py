"""Members in the order of score and then of bytes: the ordered half of a sorted set.

A row of chunks, each an array of scores and a list of members, so that an entry costs 16 bytes here where a tuple would cost 80.
Everything that looks for a place does it by bisecting the last entries of the chunks and then one chunk; ranks come from Counts. A place
is (chunk, index in the chunk).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Final

from mypy_extensions import mypyc_attr

from redloop.values.counts import Counts

LOAD: Final = 256
"""A chunk with more entries is halved; with fewer than an eighth of it, joined to its neighbour. Up to 2 KB move at a blow."""


@mypyc_attr(acyclic=True)
class Ranking:
    """The entries of one sorted set, in order."""

    __slots__ = ("counts", "last_members", "last_scores", "members", "scores")

    def __init__(self) -> None:
        self.scores: list[array[float]] = [array("d")]
        self.members: list[list[bytes]] = [[]]
        # Only kept while there are several chunks.
        self.last_scores: list[float] = []
        self.last_members: list[bytes] = []
        self.counts: Counts | None = None

    def copy(self) -> Ranking:
        twin = Ranking()
        twin.scores = [chunk[:] for chunk in self.scores]
        twin.members = [chunk.copy() for chunk in self.members]
        twin._index()
        return twin

    def fill(self, entries: list[tuple[float, bytes]]) -> None:
        """Takes sorted entries in place of what there was."""
        half = LOAD // 2 + LOAD // 4
        self.scores = [array("d", [entry[0] for entry in entries[start : start + half]]) for start in range(0, len(entries), half)]
        self.members = [[entry[1] for entry in entries[start : start + half]] for start in range(0, len(entries), half)]
        if not entries:
            self.scores.append(array("d"))
            self.members.append([])
        self._index()

    def _index(self) -> None:
        """Makes the index of several chunks anew."""
        if len(self.members) == 1:
            self.counts = None
            self.last_scores = []
            self.last_members = []
        else:
            self.last_scores = [chunk[-1] for chunk in self.scores]
            self.last_members = [chunk[-1] for chunk in self.members]
            self.counts = Counts([len(chunk) for chunk in self.members])

    # --- places --------------------------------------------------------------------------------------------------------------------

    def place(self, score: float, member: bytes) -> tuple[int, int]:
        """Where the entry stands, or would."""
        chunk = 0
        if self.counts is not None:
            chunk = bisect_left(self.last_scores, score)
            if chunk < len(self.last_scores) and self.last_scores[chunk] == score and self.last_members[chunk] < member:
                chunk = bisect_left(self.last_members, member, chunk, bisect_right(self.last_scores, score, chunk))
            if chunk == len(self.last_scores):
                return chunk - 1, len(self.scores[chunk - 1])
        scores = self.scores[chunk]
        low = bisect_left(scores, score)
        if low < len(scores) and scores[low] == score and self.members[chunk][low] < member:
            low = bisect_left(self.members[chunk], member, low, bisect_right(scores, score, low))
        return chunk, low

    def rank_of_score(self, score: float, after: bool) -> int:
        """How many entries have a lower score, or with `after` one not higher."""
        bisect = bisect_right if after else bisect_left
        chunk = 0
        if self.counts is not None:
            chunk = bisect(self.last_scores, score)
            if chunk == len(self.last_scores):
                return self.counts.before(chunk)
        place = bisect(self.scores[chunk], score)
        return place if chunk == 0 or self.counts is None else self.counts.before(chunk) + place

    def rank_of_member(self, member: bytes, after: bool) -> int:
        """How many members are lower, or with `after` not higher, where all have the same score."""
        bisect = bisect_right if after else bisect_left
        chunk = 0
        if self.counts is not None:
            chunk = bisect(self.last_members, member)
            if chunk == len(self.last_members):
                return self.counts.before(chunk)
        place = bisect(self.members[chunk], member)
        return place if chunk == 0 or self.counts is None else self.counts.before(chunk) + place

    def rank(self, score: float, member: bytes) -> int:
        chunk, place = self.place(score, member)
        return place if chunk == 0 or self.counts is None else self.counts.before(chunk) + place

    # --- changing ------------------------------------------------------------------------------------------------------------------

    def insert(self, score: float, member: bytes) -> None:
        chunk, place = self.place(score, member)
        scores, members = self.scores[chunk], self.members[chunk]
        scores.insert(place, score)
        members.insert(place, member)
        if self.counts is not None:
            self.counts.add(chunk, 1)
            if place == len(scores) - 1:
                self.last_scores[chunk] = score
                self.last_members[chunk] = member
        if len(scores) > LOAD:
            self._halve(chunk)

    def remove(self, score: float, member: bytes) -> None:
        """Takes out an entry that is there."""
        chunk, place = self.place(score, member)
        scores, members = self.scores[chunk], self.members[chunk]
        del scores[place]
        del members[place]
        if self.counts is not None:
            self.counts.add(chunk, -1)
            if len(scores) < LOAD // 8:
                self._join(chunk)
            elif place == len(scores):
                self.last_scores[chunk] = scores[-1]
                self.last_members[chunk] = members[-1]

    def _halve(self, chunk: int) -> None:
        scores, members = self.scores[chunk], self.members[chunk]
        # Entries that come in order fill the chunks: only the last of a growing row is left small.
        half = LOAD - LOAD // 8 if chunk == len(self.members) - 1 else LOAD // 2
        self.scores.insert(chunk + 1, scores[half:])
        self.members.insert(chunk + 1, members[half:])
        del scores[half:]
        del members[half:]
        if self.counts is None:
            self._index()
            return
        self.last_scores.insert(chunk, scores[-1])
        self.last_members.insert(chunk, members[-1])
        self.counts.add(chunk, half - self.counts.counts[chunk])
        self.counts.insert(chunk + 1, len(self.members[chunk + 1]))

    def _join(self, chunk: int) -> None:
        """Joins a chunk that has become small, maybe empty, to a neighbour."""
        first = chunk - 1 if chunk else 0
        self.scores[first].extend(self.scores.pop(first + 1))
        self.members[first].extend(self.members.pop(first + 1))
        if len(self.members) == 1:
            self._index()
        else:
            counts = self.counts
            if counts is not None:
                counts.put(first, len(self.members[first]))
                counts.remove(first + 1, first + 2)
            del self.last_scores[first + 1]
            del self.last_members[first + 1]
            self.last_scores[first] = self.scores[first][-1]
            self.last_members[first] = self.members[first][-1]
        if len(self.members[first]) > LOAD:
            self._halve(first)

    def _drop(self, chunk: int) -> None:
        """Takes out an empty chunk of several."""
        del self.scores[chunk]
        del self.members[chunk]
        if len(self.members) == 1:
            self._index()
        else:
            del self.last_scores[chunk]
            del self.last_members[chunk]
            if self.counts is not None:
                self.counts.remove(chunk, chunk + 1)

    def pop(self, lowest: bool) -> tuple[bytes, float]:
        """Takes out the first or the last entry; there is one."""
        chunk = 0 if lowest else len(self.members) - 1
        scores, members = self.scores[chunk], self.members[chunk]
        if lowest:
            member = members.pop(0)
            score = scores.pop(0)
        else:
            member = members.pop()
            score = scores.pop()
        if self.counts is not None:
            self.counts.add(chunk, -1)
            if not members:  # drained from an end, as queues are: nothing of it was worth moving
                self._drop(chunk)
            elif not lowest:
                self.last_scores[chunk] = scores[-1]
                self.last_members[chunk] = members[-1]
        return member, score

    def cut(self, start: int, stop: int) -> list[bytes]:
        """Takes the entries of ranks `start` up to before `stop` out and returns their members."""
        removed: list[bytes] = []
        left = stop - start
        chunk, place = self.find(start)
        if self.counts is not None and place + left < len(self.members[chunk]) - LOAD // 8:
            # Within one chunk, whose last entry stays: the usual case of a short range in a long row.
            removed = self.members[chunk][place : place + left]
            del self.members[chunk][place : place + left]
            del self.scores[chunk][place : place + left]
            self.counts.add(chunk, -left)
            return removed
        while left > 0 and chunk < len(self.members):
            end = min(place + left, len(self.members[chunk]))
            removed.extend(self.members[chunk][place:end])
            left -= end - place
            del self.members[chunk][place:end]
            del self.scores[chunk][place:end]
            chunk += 1
            place = 0
        if self.counts is not None:
            kept = [i for i in range(len(self.members)) if self.members[i]] or [0]
            self.members = [self.members[i] for i in kept]
            self.scores = [self.scores[i] for i in kept]
            self._index()
        return removed

    # --- reading -------------------------------------------------------------------------------------------------------------------

    def find(self, rank: int) -> tuple[int, int]:
        """The place of the entry of that rank."""
        return (0, rank) if self.counts is None else self.counts.find(rank)

    def members_between(self, start: int, stop: int) -> list[bytes]:
        """The members of ranks `start` up to before `stop`."""
        chunk, place = self.find(start)
        if place + stop - start <= len(self.members[chunk]):
            return self.members[chunk][place : place + stop - start]
        found = self.members[chunk][place:]
        left = stop - start - len(found)
        while left > 0:
            chunk += 1
            part = self.members[chunk]
            found.extend(part if len(part) <= left else part[:left])
            left -= len(part)
        return found

    def scores_between(self, start: int, stop: int) -> list[float]:
        """The scores of ranks `start` up to before `stop`."""
        chunk, place = self.find(start)
        if place + stop - start <= len(self.scores[chunk]):
            return self.scores[chunk][place : place + stop - start].tolist()
        found = self.scores[chunk][place:].tolist()
        left = stop - start - len(found)
        while left > 0:
            chunk += 1
            part = self.scores[chunk]
            found.extend(part if len(part) <= left else part[:left])
            left -= len(part)
        return found

"""Sorting only a part: the order in which Redis gives equal elements when it wants some places of a sorted row and not all.

Redis then sorts by a quicksort that skips what the part does not need, and quicksort does not keep equal elements in order. So does this
one, the algorithm of Bentley and McIlroy, "Engineering a Sort Function" (Software: Practice and Experience 23, 1993). It is used only where
elements are equal: without them any sort gives the same, and Python's own is faster.
"""

from __future__ import annotations

from typing import Final, TypeVar

from mypy_extensions import i64

_Item = TypeVar("_Item")
_Key = TypeVar("_Key", float, tuple[bool, bytes])

_FEW: Final = 7
_MANY: Final = 40


def ranks(keys: list[_Key], descending: bool) -> list[int]:
    """The ranks of keys, the same for equal ones."""
    places = {key: place for place, key in enumerate(sorted(set(keys), reverse=descending))}
    return [places[key] for key in keys]


def part(items: list[_Item], places: list[int], first: int, last: int) -> list[_Item]:
    """`items` by their ranks, `places`; those from `first` up to `last` in order."""
    row = _Row(places, first, last)
    row.sort(0, len(places))
    return [items[place] for place in row.order]


class _Row:
    """Places of items, being sorted by the ranks of the items."""

    def __init__(self, ranks: list[int], first: i64, last: i64) -> None:
        self.ranks = ranks
        self.order = list(range(len(ranks)))
        self.first = first
        self.last = last

    def _rank(self, at: i64) -> i64:
        return self.ranks[self.order[at]]

    def _swap(self, one: i64, other: i64) -> None:
        order = self.order
        order[one], order[other] = order[other], order[one]

    def _swap_runs(self, one: i64, other: i64, size: i64) -> None:
        for at in range(size):
            self._swap(one + at, other + at)

    def _insertion_sort(self, start: i64, end: i64) -> None:
        at: i64 = start + 1
        while at < end:
            place: i64 = at
            while place > start and self._rank(place - 1) > self._rank(place):
                self._swap(place, place - 1)
                place -= 1
            at += 1

    def _median(self, one: i64, two: i64, three: i64) -> i64:
        a: i64 = self._rank(one)
        b: i64 = self._rank(two)
        c: i64 = self._rank(three)
        if a < b:
            if b < c:
                return two
            return three if a < c else one
        if b > c:
            return two
        return one if a < c else three

    def _pivot(self, start: i64, end: i64) -> i64:
        size: i64 = end - start
        low: i64 = start
        middle: i64 = start + size // 2
        high: i64 = end - 1
        if size == _FEW:
            return middle
        if size > _MANY:
            step: i64 = size // 8
            low = self._median(low, low + step, low + 2 * step)
            middle = self._median(middle - step, middle, middle + step)
            high = self._median(high - 2 * step, high - step, high)
        return self._median(low, middle, high)

    def sort(self, start: i64, end: i64) -> None:
        """Sorts the places from `start` up to before `end`, as far as the part needs it."""
        size: i64 = end - start
        if size < _FEW:
            self._insertion_sort(start, end)
            return
        # The pivot goes first. Equal ones gather at both ends, smaller ones left and larger ones right between them.
        self._swap(start, self._pivot(start, end))
        pivot: i64 = self._rank(start)
        equal_left: i64 = start + 1
        left: i64 = start + 1
        right: i64 = end - 1
        equal_right: i64 = end - 1
        while True:
            while left <= right and self._rank(left) <= pivot:
                if self._rank(left) == pivot:
                    self._swap(equal_left, left)
                    equal_left += 1
                left += 1
            while left <= right and self._rank(right) >= pivot:
                if self._rank(right) == pivot:
                    self._swap(right, equal_right)
                    equal_right -= 1
                right -= 1
            if left > right:
                break
            self._swap(left, right)
            left += 1
            right -= 1
        # The equal ones to the middle.
        moved: i64 = min(equal_left - start, left - equal_left)
        self._swap_runs(start, left - moved, moved)
        moved = min(equal_right - right, end - equal_right - 1)
        self._swap_runs(left, end - moved, moved)
        smaller: i64 = left - equal_left
        larger: i64 = equal_right - right
        if smaller > 1 and start <= self.last and start + smaller - 1 >= self.first:
            self.sort(start, start + smaller)
        if larger > 1 and end - larger <= self.last and end - 1 >= self.first:
            self.sort(end - larger, end)

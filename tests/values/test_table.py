"""The table: a mapping that is scanned while it changes."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from redloop.values.table import CAPACITY, ORDERED, WIDE, Table

capacities = st.sampled_from([CAPACITY, WIDE])


def filled(count: int, capacity: int = CAPACITY) -> Table:
    table = Table(capacity)
    for i in range(count):
        assert table.set(b"%d" % i, i + 1)
    return table


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3000), st.integers(1, 400)), max_size=30)
    | st.just([(True, 0, 9000), (False, 0, 8990)]),
    capacities,
)
def test_a_table_behaves_as_a_dict(steps: list[tuple[bool, int, int]], capacity: int) -> None:
    """Runs of insertions and deletions leave what they leave in a dict, in whatever directory."""
    table, model = Table(capacity), dict[bytes, object]()
    for adding, start, length in steps:
        for i in range(start, start + length):
            key = b"k%d" % i
            if adding:
                assert table.set(key, i + 1) == (key not in model)
                model[key] = i + 1
            else:
                assert table.pop(key) == model.pop(key, None)
        assert len(table) == len(model)
    assert sorted(table.keys()) == sorted(model)
    assert dict(zip(table.keys(), table.values(), strict=True)) == model
    flat = table.copy().flat()
    assert dict(zip(flat[::2], flat[1::2], strict=True)) == model
    assert all(table.get(key) == value and key in table for key, value in model.items())
    assert sum(len(part) for part in table.parts()) == len(model)
    assert table.deepest == sum(1 for depth in table.depths if depth == table.depth) > 0


def test_a_small_table_keeps_order() -> None:
    """Up to the size that Redis keeps compact, keys come in the order they came in."""
    assert filled(ORDERED).keys() == [b"%d" % i for i in range(ORDERED)]
    assert filled(ORDERED + 1).keys() != [b"%d" % i for i in range(ORDERED + 1)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 4000), st.integers(1, 300), st.lists(st.integers(-3000, 3000), max_size=12), capacities)
def test_scan_returns_all_that_stay(size: int, count: int, changes: list[int], capacity: int) -> None:
    """A key that is there from the first call to the last is returned exactly once, whatever grows or shrinks in between."""
    table, seen, cursor, added = filled(size, capacity), Counter[bytes](), 0, 0
    gone: set[bytes] = set()
    pending = list(changes)
    while True:
        cursor, keys = table.scan(cursor, count)
        assert len(keys) <= count + 1
        seen.update(keys)
        if cursor == 0:
            break
        assert len(keys) >= count
        change = pending.pop() if pending else 0
        for i in range(abs(change)):
            if change > 0:
                table.set(b"new %d" % added, 1)
                added += 1
            else:
                table.pop(b"%d" % i)
                gone.add(b"%d" % i)
    for i in range(size):
        assert seen[b"%d" % i] == 1 or b"%d" % i in gone


def test_sampling_is_fair() -> None:
    """Every key is drawn with the same chance, in one dict and in many."""
    for size in (7, 700, 1500):
        table, random = filled(size), Random(5)
        for i in range(0, size, 3):
            table.pop(b"%d" % i)
        drawn = Counter(table.sample(random) for _ in range(len(table) * 100))
        assert set(drawn) == set(table.keys())
        assert sum((n - 100) ** 2 / 100 for n in drawn.values()) < len(table) + 4 * (2 * len(table)) ** 0.5  # chi square


def test_a_table_shrinks() -> None:
    """A table that loses its members loses its directory too, also when its keys are made to collide."""
    table = filled(20000)
    for i in range(19990):
        table.pop(b"%d" % i)
    assert len(table.directory) < 64
    assert len(table.keys()) == len(table) == 10

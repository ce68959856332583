"""The memory a value is said to take is near to what it takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from redloop.values.footprint import footprint
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream


def some_list(count: int) -> object:
    made = List()
    for i in range(count):
        made.push_tail([b"item:%08d" % i], -2)
    return made


def some_hash(count: int) -> object:
    made = Hash()
    for i in range(count):
        made.set(b"field:%08d" % i, b"value:%08d" % i)
    return made


def some_set(count: int) -> object:
    made = Set()
    for i in range(count):
        made.add(b"member:%08d" % i)
    return made


def some_sorted_set(count: int) -> object:
    made = SortedSet()
    for i in range(count):
        made.add(b"member:%08d" % i, i * 7919 % count + 0.5)
    return made


def some_stream(count: int) -> object:
    made = Stream()
    group = made.create_group(b"group", 0, 0)
    assert group is not None
    consumer = group.create_consumer(b"consumer", 0)
    for i in range(1, count):
        made.append(i * 977 << 64, [b"field", b"value:%08d" % i, b"other", b"%040d" % i], 4096, 100)
        if i > count // 2:
            group.deliver(i * 977 << 64, consumer, i * 1000)
    return made


@pytest.mark.parametrize("make", [some_list, some_hash, some_set, some_sorted_set, some_stream])
@pytest.mark.parametrize("count", [10, 20_000])
def test_footprint(make: Callable[[int], object], count: int) -> None:
    """Within a quarter of what the allocator says, packed and not, measured whole or by a few samples."""
    make(1)
    tracemalloc.start()
    value = make(count)
    allocated = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for samples in (0, 5):
        assert 0.75 * allocated < footprint(value, samples) < 1.25 * allocated + 200


def test_strings() -> None:
    """A longer string takes more."""
    assert footprint(b"x" * 1000, 5) > 1000 > footprint(b"x" * 900, 5) > 900
    assert footprint(bytearray(1000), 5) > 1000

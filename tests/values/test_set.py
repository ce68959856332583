"""Sets beside a Python set, packed and in tables, in the order of Redis's encodings."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redloop.values.set import HASHTABLE, INTSET, LISTPACK, Set, is_integer

MEMBERS = st.sampled_from([b"", b"a", b"ab", b"b", b"\xc1", b"a\xc1b", "é".encode()]) | st.integers(-50, 50).map(lambda n: b"%d" % n)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), MEMBERS | st.integers(0, 3000).map(lambda n: b"m%d" % n)), max_size=150))
def test_a_set_behaves_as_a_set(steps: list[tuple[bool, bytes]]) -> None:
    """Members added and removed leave what they leave in a Python set."""
    subject, model = Set(), set[bytes]()
    for adding, member in steps:
        if adding:
            assert subject.add(member) == (member not in model)
            model.add(member)
        else:
            assert subject.remove(member) == (member in model)
            model.discard(member)
        assert len(subject) == len(model)
    assert sorted(subject.members()) == sorted(model)
    assert all(member in subject for member in model)
    probes = [b"", b"a", b"\xc1", b"b\xc1", b"5", b"m7", b"none"]
    assert subject.within(probes) == [member for member in probes if member in model]
    assert subject.without(probes) == [member for member in probes if member not in model]
    twin = subject.copy()
    subject.add(b"another")
    assert sorted(twin.members()) == sorted(model)


def test_order_follows_the_encoding() -> None:
    """Numbers alone are sorted; with the first text they stand sorted in front, and what follows keeps its order."""
    subject = Set()
    for member in (b"30", b"-4", b"7"):
        subject.add(member)
    assert (subject.kind, subject.members()) == (INTSET, [b"-4", b"7", b"30"])
    for member in (b"x", b"0"):
        subject.add(member)
    assert (subject.kind, subject.members()) == (LISTPACK, [b"-4", b"7", b"30", b"x", b"0"])
    subject.remove(b"x")
    subject.settle(512, 128, 64)
    assert subject.kind == LISTPACK
    subject.add(b"y" * 65)
    subject.settle(512, 128, 64)
    assert subject.kind == HASHTABLE


def test_limits() -> None:
    """An intset past its limit becomes a hash table at once; never back."""
    numbers = Set()
    for i in range(513):
        numbers.add(b"%d" % i)
        numbers.settle(512, 128, 64)
        assert numbers.kind == (INTSET if i < 512 else HASHTABLE)
    for i in range(500):
        numbers.remove(b"%d" % i)
    numbers.settle(512, 128, 64)
    assert numbers.kind == HASHTABLE


@pytest.mark.parametrize(
    ("first", "count", "kind"),
    [(b"1", 512, INTSET), (b"1", 513, HASHTABLE), (b"a", 128, LISTPACK), (b"a", 129, HASHTABLE), (b"01", 1, LISTPACK)],
)
def test_what_a_new_set_begins_with(first: bytes, count: int, kind: int) -> None:
    """Redis looks at the first member and at how many are to come, twice the same or not."""
    subject = Set()
    subject.expect(first, count, 512, 128)
    assert subject.kind == kind


@pytest.mark.parametrize("text", [b"0", b"-1", b"9223372036854775807", b"-9223372036854775808"])
def test_integers(text: bytes) -> None:
    """What prints the same again as a 64-bit integer is one."""
    assert is_integer(text)


@pytest.mark.parametrize(
    "text", [b"", b"-", b"-0", b"01", b"+1", b" 1", b"1.0", b"9223372036854775808", b"-9223372036854775809", b"1" * 30, "é".encode()]
)
def test_other_text(text: bytes) -> None:
    """What does not, is not."""
    assert not is_integer(text)


def test_scan_and_sample() -> None:
    """Compact sets come whole, others in parts; drawing is fair and never repeats itself within one choice."""
    subject, random = Set(), Random(4)
    for i in range(1000):
        subject.add(b"m%d" % i)
    assert subject.scan(0, 10)[0] == 0
    subject.settle(512, 128, 64)
    cursor, seen = subject.scan(0, 10)
    while cursor:
        cursor, more = subject.scan(cursor, 10)
        seen += more
    assert sorted(seen) == sorted(subject.members())
    for count in (0, 1, 50, 999, 1000):
        assert len(set(subject.sample_many(random, count))) == count
    drawn = Counter(member for _ in range(1000) for member in subject.sample_many(random, 100))
    assert sum((n - 100) ** 2 / 90 for n in drawn.values()) < 1000 + 4 * 2000**0.5

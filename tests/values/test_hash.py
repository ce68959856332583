"""Hashes beside a dict, packed and in tables, with and without expiring fields."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from redloop.values.hash import NEVER, PACKED_FIELDS, Hash

TEXT = st.sampled_from([b"", b"a", b"b", b"ab", b"\xc1", b"\xc0", b"a\xc0b", "é".encode(), b"x" * 70]) | st.integers(0, 60).map(
    lambda n: b"f%d" % n
)
STEPS = st.tuples(st.sampled_from(["set", "set", "set", "remove", "due", "persist", "expire", "put"]), TEXT, TEXT, st.integers(1, 30))


def check(subject: Hash, model: dict[bytes, bytes], due: dict[bytes, int]) -> None:
    flat = subject.flat()
    assert dict(zip(flat[::2], flat[1::2], strict=True)) == model
    assert len(flat) == 2 * len(model) == 2 * len(subject)
    assert subject.fields() == flat[::2]
    assert subject.values() == flat[1::2]
    for field, value in model.items():
        assert subject.get(field) == value
        assert subject.due(field) == due.get(field, -1)
    assert subject.get(b"missing") is None
    assert subject.soonest == min(due.values(), default=NEVER)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=60), st.booleans())
def test_a_hash_behaves_as_a_dict(steps: list[tuple[str, bytes, bytes, int]], compact: bool) -> None:
    """Fields set, removed, given an expiry and expired leave what they leave in two dicts."""
    subject, model, due = Hash(), dict[bytes, bytes](), dict[bytes, int]()
    if not compact:
        subject.settle(-1, 64)
    for action, field, value, number in steps:
        if action == "set":
            assert subject.set(field, value) == (field not in model)
            model[field] = value
            due.pop(field, None)
        elif action == "remove":
            assert subject.remove(field) == (model.pop(field, None) is not None)
            due.pop(field, None)
        elif action == "persist":
            assert subject.persist(field) == (due.pop(field, None) is not None)
        elif action == "expire":
            gone = sorted((time, name) for name, time in due.items() if time <= number)[:5]
            assert [due[name] for name in subject.expire(number, 5)] == [time for time, _ in gone]
            for name in set(model) - set(subject.fields()):
                del model[name]
                assert due.pop(name) <= number
        elif field in model and action == "due":
            subject.set_due(field, number)
            due[field] = number
        elif field in model:
            subject.put(field, value)
            model[field] = value
    check(subject, model, due)
    twin = subject.copy()
    subject.set(b"more", b"1")
    check(twin, model, due)


def test_small_hashes_keep_order_and_grow() -> None:
    """Fields come in the order they came in, packed or not; an update stays in its place."""
    subject = Hash()
    for i in range(PACKED_FIELDS * 3):
        subject.set(b"%d" % i, b"v")
        subject.set(b"0", b"%d" % i)
        assert subject.fields() == [b"%d" % j for j in range(i + 1)]
    assert subject.compact
    subject.settle(512, 64)
    assert subject.compact
    subject.settle(3, 64)
    assert not subject.compact


def test_order_by_expiry() -> None:
    """As in Redis's listpack: by expiry, the later set first among equals; fields without at the end, overwritten ones too."""
    subject = Hash()
    for name in (b"a", b"b", b"c", b"d", b"e"):
        subject.set(name, b"1")
    for name, time in ((b"d", 1000), (b"b", 500), (b"a", 9500), (b"e", 1000)):
        subject.set_due(name, time)
    assert subject.fields() == [b"b", b"e", b"d", b"a", b"c"]
    subject.set(b"c", b"2")
    subject.persist(b"e")
    assert subject.fields() == [b"b", b"d", b"a", b"c", b"e"]
    subject.set(b"b", b"2")
    assert subject.fields() == [b"d", b"a", b"c", b"e", b"b"]
    assert subject.flat()[:2] == [b"d", b"1"]


def test_scan_and_sample() -> None:
    """Compact hashes come whole, others in parts; drawing is fair."""
    subject, random = Hash(), Random(8)
    for i in range(100):
        subject.set(b"%d" % i, b"v")
    assert subject.scan(0, 5) == (0, subject.fields())
    subject.settle(1, 64)
    cursor, seen = subject.scan(0, 7)
    while cursor:
        cursor, more = subject.scan(cursor, 7)
        seen += more
    assert Counter(seen) == Counter(subject.fields())
    small = Hash()
    small.set(b"a", b"")
    small.set(b"b", b"")
    drawn = Counter(small.sample(random) for _ in range(1000))
    assert 400 < drawn[b"a"] < 600
    assert len({subject.sample(random) for _ in range(3000)}) == 100

"""Sorted sets beside a plain dict that is sorted for every question."""

from __future__ import annotations

from bisect import bisect_left
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from redloop.values.ranking import LOAD
from redloop.values.sorted_set import COLD, PACKED_MEMBERS, SortedSet


def check(subject: SortedSet, model: dict[bytes, float]) -> None:
    """The set holds the model, and every chunk and index agrees with every other."""
    entries = sorted((score, member) for member, score in model.items())
    count = len(entries)
    assert len(subject) == count
    assert subject.members(0, count) == [member for _, member in entries]
    assert subject.scores(0, count) == [score for score, _ in entries]
    if subject.big is None:
        assert count <= PACKED_MEMBERS
        return
    ranking = subject.big.ranking
    assert [len(chunk) for chunk in ranking.scores] == [len(chunk) for chunk in ranking.members]
    if ranking.counts is not None:
        assert ranking.counts.counts == [len(chunk) for chunk in ranking.members]
        assert sum(ranking.counts.blocks) == count
        assert ranking.last_scores == [chunk[-1] for chunk in ranking.scores]
        assert ranking.last_members == [chunk[-1] for chunk in ranking.members]
        assert max(ranking.counts.counts) <= LOAD


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "remove", "cut", "pop lowest", "pop highest"]),
            st.integers(0, 2500),
            st.integers(1, 900),
            st.integers(1, 50),
        ),
        max_size=14,
    )
)
def test_a_sorted_set_behaves_as_a_sorted_dict(steps: list[tuple[str, int, int, int]]) -> None:
    """Runs of insertions, changes of score, removals and cuts, over many chunks and over one."""
    subject, model = SortedSet(), dict[bytes, float]()
    for action, start, length, modulus in steps:
        if action == "cut":
            stop = min(start + length, len(model))
            start = min(start, stop)
            entries = sorted((score, member) for member, score in model.items())
            expected = [member for _, member in entries[start:stop]]
            assert subject.cut(start, stop) == expected
            for member in expected:
                del model[member]
            continue
        if action.startswith("pop"):
            entries = sorted(((score, member) for member, score in model.items()), reverse=action == "pop highest")
            for score, member in entries[:length]:
                assert subject.pop(action == "pop lowest") == (member, score)
                del model[member]
            check(subject, model)
            continue
        for i in range(start, start + length):
            member = b"m%d" % i
            if action == "add":
                score = float(i * 7919 % modulus)
                assert subject.add(member, score) == (1 if member not in model else -1 if model[member] != score else 0)
                model[member] = score
            else:
                assert subject.remove(member) == (model.pop(member, None) is not None)
        check(subject, model)
    check(subject, model)
    check(subject.copy(), model)
    entries = sorted((score, member) for member, score in model.items())
    for rank, (score, member) in list(enumerate(entries))[:: max(1, len(entries) // 20)]:
        assert subject.rank(member) == rank
        assert subject.score(member) == score
        assert member in subject
        assert subject.members(rank, rank + 1) == [member]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000), st.integers(1, 60), st.data())
def test_bounds_become_ranks(count: int, modulus: int, data: st.DataObject) -> None:
    """Score bounds and byte bounds, open and closed, select what a comparison of every entry selects."""
    subject = SortedSet()
    subject.fill([b"m%04d" % i for i in range(count)], [float(i % modulus) for i in range(count)], 128, 64)
    scores = subject.scores(0, count)
    low, high = data.draw(st.floats(-2, 62)), data.draw(st.floats(-2, 62) | st.integers(0, 60).map(float))
    low_open, high_open = data.draw(st.booleans()), data.draw(st.booleans())
    start, stop = subject.by_score(low, low_open, high, high_open)
    expected = [s for s in scores if (s > low if low_open else s >= low) and (s < high if high_open else s <= high)]
    assert scores[start:stop] == expected
    level = SortedSet()
    for i in range(count):
        level.add(b"m%04d" % i, 0.0)
    first, last = b"m%04d" % data.draw(st.integers(0, 3100)), b"m%04d" % data.draw(st.integers(0, 3100))
    start, stop = level.by_bytes(first, low_open, last, high_open, high_open)
    members = level.members(0, count)
    assert members[start:stop] == [m for m in members if (m > first if low_open else m >= first) and (m < last if high_open else m <= last)]
    assert level.by_bytes(None, False, None, False, low_open) == (0, count)
    assert level.by_bytes(first, low_open, None, False, False) == (bisect_left(members, first + (b"\0" if low_open else b"")), count)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "add", "add", "remove"]),
            st.sampled_from([b"", b"\xc1", b"a\xc1", "é".encode()]) | st.integers(0, 90).map(lambda n: b"%d" % n),
            st.integers(-3, 3).map(float) | st.sampled_from([float("inf"), float("-inf"), 0.5]),
        ),
        max_size=110,
    )
)
def test_a_small_set_is_packed(steps: list[tuple[str, bytes, float]]) -> None:
    """Members of any bytes, few enough to be packed or a few too many."""
    subject, model = SortedSet(), dict[bytes, float]()
    for action, member, score in steps:
        if action == "add":
            assert subject.add(member, score) == (1 if member not in model else -1 if model[member] != score else 0)
            model[member] = score
        else:
            assert subject.remove(member) == (model.pop(member, None) is not None)
    check(subject, model)
    entries = sorted((score, member) for member, score in model.items())
    for rank, (score, member) in enumerate(entries):
        assert (subject.rank(member), subject.score(member), member in subject) == (rank, score, True)
    assert subject.rank(b"none") == -1
    assert subject.score(b"a\xc10") is None
    start, stop = subject.by_score(-1.0, True, 1.0, False)
    assert entries[start:stop] == [entry for entry in entries if -1.0 < entry[0] <= 1.0]
    while entries:
        score, member = entries.pop(0)
        assert subject.pop(True) == (member, score)
        if entries:
            score, member = entries.pop()
            assert subject.pop(False) == (member, score)
    assert not len(subject)


def test_a_small_set_that_is_asked_often_is_a_table() -> None:
    subject = SortedSet()
    for i in range(5):
        subject.add(b"m%d" % i, float(i))
    for _ in range(COLD):
        subject.score(b"m1")
        assert subject.big is None
    assert subject.score(b"m1") == 1.0
    check(subject, {b"m%d" % i: float(i) for i in range(5)})
    assert subject.big is not None
    assert subject.compact


def test_zero_has_a_sign_only_past_the_compact_size() -> None:
    """Redis's listpack stores -0.0 as the integer 0, its skiplist keeps the sign."""
    subject = SortedSet()
    subject.add(b"a", -0.0)
    assert str(subject.score(b"a")) == "0.0"
    subject.settle(0, 64)
    subject.add(b"b", -0.0)
    assert str(subject.score(b"b")) == "-0.0"
    subject.add(b"b", 0.0)
    assert str(subject.score(b"b")) == "-0.0"


def test_conversion_is_one_way() -> None:
    """Past either limit the set stays converted, whatever it loses."""
    subject = SortedSet()
    subject.add(b"x" * 65, 1.0)
    subject.settle(128, 64)
    assert not subject.compact
    subject = SortedSet()
    for i in range(129):
        subject.add(b"%d" % i, 1.0)
        subject.settle(128, 64)
        assert subject.compact == (i < 128)
    subject.cut(0, 100)
    subject.settle(128, 64)
    assert not subject.compact


def test_scan_and_sample() -> None:
    """A compact set comes whole and in order; a big one in parts; a drawn member is a member."""
    subject, random = SortedSet(), Random(3)
    for i in range(10):
        subject.add(b"%d" % i, float(-i))
    assert subject.scan(0, 1) == (0, [b"%d" % i for i in range(9, -1, -1)])
    subject.settle(1, 64)
    cursor, seen = subject.scan(0, 3)
    while cursor:
        cursor, more = subject.scan(cursor, 3)
        seen += more
    assert sorted(seen) == [b"%d" % i for i in range(10)]
    assert {subject.sample(random) for _ in range(200)} == set(seen)

"""Streams beside a plain list of entries, with nodes of every size; ids, radix trees and pending entries by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redloop.values.stream import Stream
from redloop.values.stream_groups import UNKNOWN, Group, PendingEntries
from redloop.values.stream_ids import MAX_ID, MAX_PART, format_id, tree_nodes

Model = list[tuple[int, list[bytes]]]

IDS = st.builds(lambda ms, sequence: ms << 64 | sequence, st.integers(0, 6), st.integers(0, 3))
STRINGS = st.sampled_from([b"", b"a", b"-1", b"128", b"\xff" * 70, b"x" * 300])
PAIRS = st.sampled_from([[b"f"], [b"f", b"g"], [b"g"]]).flatmap(
    lambda names: st.lists(STRINGS, min_size=len(names), max_size=len(names)).map(
        lambda values: [string for pair in zip(names, values, strict=True) for string in pair]
    )
)
STEPS = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 1 << 66), PAIRS),
    st.tuples(st.just("delete"), st.integers(0, 40), st.none()),
    st.tuples(st.sampled_from(["length", "before", "copy"]), st.integers(0, 40), st.none()),
)


def nth(model: Model, position: int) -> int:
    """The id of some entry."""
    return model[position % len(model)][0] if model else 7


def check(stream: Stream, model: Model) -> None:
    assert [(ident, pairs) for ident, pairs in stream.range(0, MAX_ID, 0)] == model
    assert stream.range_back(0, MAX_ID, 0) == model[::-1]
    assert len(stream) == len(model)
    assert stream.edge(False) == stream.first_id == (model[0][0] if model else 0)
    assert stream.edge(True) == (model[-1][0] if model else 0)


@given(st.lists(STEPS, max_size=60), st.integers(0, 4), st.sampled_from([0, 40, 120, 4096]))
def test_model(steps: list[tuple[str, int, list[bytes] | None]], entries: int, size: int) -> None:
    """Whatever is added, deleted and trimmed: ranges from both ends show what a list would; a copy is not changed with its original."""
    stream, model = Stream(), list[tuple[int, list[bytes]]]()
    copies: list[tuple[Stream, Model]] = []
    for action, number, pairs in steps:
        match action:
            case "add":
                assert pairs is not None
                ident = stream.last_id + number
                assert stream.append(ident, pairs, size, entries)
                model.append((ident, pairs))
            case "delete":
                ident = nth(model, number)
                assert stream.delete(ident) == any(entry[0] == ident for entry in model)
                stream.deleted()
                model = [entry for entry in model if entry[0] != ident]
            case "length":
                assert stream.trim_length(number, False, 0) == max(0, len(model) - number)
                model = model[max(0, len(model) - number) :]
            case "before":
                ident = nth(model, number)
                dropped = stream.trim_before(ident, False, 0)
                left = [entry for entry in model if entry[0] >= ident]
                assert dropped == len(model) - len(left)
                model = left
            case "copy":
                copies.append((stream.copy(), list(model)))
        check(stream, model)
        assert all(not entries or node.count <= entries for node in stream.nodes)
    for copied, was in copies:
        check(copied, was)
        ident = copied.last_id + 1
        copied.append(ident, [b"f", b"new"], size, entries)
        check(copied, [*was, (ident, [b"f", b"new"])])
    check(stream, model)


@given(st.lists(IDS, unique=True, min_size=1, max_size=30), IDS, IDS, st.integers(0, 5), st.integers(0, 4))
def test_ranges(ids: list[int], start: int, end: int, count: int, entries: int) -> None:
    """A range holds what lies between its ends, from either side, at most so many; an entry is found by its id."""
    stream = Stream()
    for ident in sorted(ids):
        stream.append(ident, [b"f", b"%d" % ident], 4096, entries)
    inside = [(ident, [b"f", b"%d" % ident]) for ident in sorted(ids) if start <= ident <= end]
    assert stream.range(start, end, count) == (inside[:count] if count else inside)
    assert stream.range_back(start, end, count) == (inside[::-1][:count] if count else inside[::-1])
    assert stream.get(start) == ([b"f", b"%d" % start] if start in ids else None)
    assert (start in stream) == (start in ids)


def test_trimming_whole_nodes() -> None:
    """Approximate trimming drops nodes that go as a whole, and no more than the limit."""
    stream = Stream()
    for number in range(1, 11):
        stream.append(number, [b"f", b"v"], 0, 3)
    assert stream.trim_length(8, True, 0) == 0
    assert stream.trim_length(1, True, 5) == 3
    assert stream.trim_before(7, True, 0) == 3
    assert [len(node.ids) or node.count for node in stream.nodes] == [3, 1]


def test_a_node_reopened() -> None:
    """When the last node goes, the one before takes entries again, until it is full."""
    stream = Stream()
    for number in range(1, 4):
        stream.append(number, [b"f", b"v" * 20], 80, 0)
    assert len(stream.nodes) == 2
    assert stream.delete(3)
    stream.deleted()
    assert stream.append(4, [b"f", b""], 80, 0)
    assert len(stream.nodes) == 1
    assert stream.range(0, MAX_ID, 0)[-1] == (4, [b"f", b""])


def test_ids_to_come() -> None:
    """`*` is the time, or the id after the last one; `ms-*` stays within its millisecond."""
    stream = Stream()
    assert stream.next_id(5) == 5 << 64
    stream.last_id = 9 << 64 | MAX_PART
    assert stream.next_id(5) == 10 << 64
    assert stream.next_in(10) == 10 << 64
    assert stream.next_in(9) == stream.last_id
    assert format_id(stream.last_id) == b"9-18446744073709551615"


def trie_nodes(keys: list[bytes], depth: int = 0) -> int:
    """A radix tree counted by building it."""
    if depth == 16:
        return 1
    heads = sorted({key[depth] for key in keys})
    if len(heads) > 1:
        return 1 + sum([trie_nodes([key for key in keys if key[depth] == head], depth + 1) for head in heads])
    end = depth
    while end < 16 and len({key[end] for key in keys}) == 1:
        end += 1
    return 1 + trie_nodes(keys, end)


@given(st.sets(st.integers(0, MAX_ID) | st.integers(0, 1000).map(lambda n: n * 85 << 64) | st.integers(0, 600), min_size=1, max_size=40))
def test_tree_nodes(ids: set[int]) -> None:
    """The count made from neighbouring ids is that of the tree."""
    assert tree_nodes(sorted(ids)) == trie_nodes([ident.to_bytes(16, "big") for ident in ids])


def test_an_empty_tree() -> None:
    """It still has its root."""
    assert tree_nodes([]) == 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=300), st.integers(0, 60))
def test_pending_entries(steps: list[tuple[bool, int]], start: int) -> None:
    """Pending entries stay in order however they come and go."""
    group = Group(0, UNKNOWN)
    consumer = group.create_consumer(b"c", 0)
    pending = PendingEntries()
    model: set[int] = set()
    for adding, ident in steps:
        if adding and ident not in model:
            pending.add(ident, group.deliver(1000 + len(group.pending), consumer, 0))
            model.add(ident)
        elif not adding:
            assert (pending.remove(ident) is not None) == (ident in model)
            model.discard(ident)
        position = pending.seek(0)
        assert (pending.ids[position] if position >= 0 else None) == min(model, default=None)
    assert len(pending) == len(model)
    assert idents(pending) == sorted(model)
    assert [ident for ident in range(61) if pending.get(ident) is not None] == sorted(model)
    if model:
        assert pending.last() == max(model)
    found: list[int] = []
    position = pending.seek(start)
    while position >= 0:
        found.append(pending.ids[position])
        position = pending.next(position)
    assert found == sorted(ident for ident in model if ident >= start)


def idents(pending: PendingEntries) -> list[int]:
    return [ident for ident, _ in pending.entries()]


def test_consumers() -> None:
    """An entry is pending with one consumer, and gone with it."""
    group = Group(0, UNKNOWN)
    alice, bob = group.create_consumer(b"alice", 1), group.create_consumer(b"bob", 1)
    for ident in (1, 2, 3):
        group.deliver(ident, alice, 5)
    group.hand_over(2, group.pending.at(group.pending.seek(2)), bob)
    twin = group.copy()
    assert group.acknowledge(1)
    assert not group.acknowledge(1)
    assert (len(alice.pending), len(bob.pending), len(group.pending)) == (1, 1, 2)
    assert group.remove_consumer(b"alice") == 1
    assert idents(group.pending) == [2]
    assert [(consumer.name, idents(consumer.pending)) for consumer in twin.sorted_consumers()] == [(b"alice", [1, 3]), (b"bob", [2])]
    assert twin.pending.get(2) is twin.consumers[b"bob"].pending.get(2) is not None


@pytest.mark.parametrize("count", [1, 100, 1000])
def test_packing_keeps(count: int) -> None:
    """Times far apart and sequences of any size come back from a packed node."""
    stream = Stream()
    ids = [number * number * 977 << 64 | (number * 12345678901234 & MAX_PART) for number in range(1, count + 1)]
    for ident in ids:
        stream.append(ident, [b"f", b"%d" % ident], 0, 50)
    assert [entry[0] for entry in stream.range(0, MAX_ID, 0)] == ids
    assert all(stream.get(ident) == [b"f", b"%d" % ident] for ident in ids)

"""Lists beside a Python list, packed and in nodes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from redloop.values.list import List
from redloop.values.listpack import HEADER, entry_size

ITEMS = (
    st.sampled_from([b"", b"a", b"0", b"-1", b"01", b"a\xc1b", b"\xc1", b"x" * 63, b"x" * 64, "é".encode()])
    | st.integers(-(2**64), 2**64).map(lambda n: b"%d" % n)
    | st.builds(lambda c, n: c * n, st.sampled_from([b"m", b"n"]), st.integers(1, 3000))
)
ENDS = st.tuples(st.sampled_from(["rpush", "lpush"]), st.lists(ITEMS, min_size=1, max_size=8), st.integers(1, 12))
STEPS = ENDS | st.tuples(st.sampled_from(["lpop", "rpop", "trim", "set", "insert", "remove"]), st.integers(0, 1000), st.integers(0, 40))


def apply(subject: List, model: list[bytes], fill: int, step: tuple[str, object, int]) -> None:
    """One step on both; both give the same answer."""
    match step:
        case ("rpush", list() as items, times):
            subject.push_tail(items * times, fill)
            model.extend(items * times)
        case ("lpush", list() as items, times):
            subject.push_head(items * times, fill)
            model[:0] = reversed(items * times)
        case ("lpop" | "rpop" as action, int(), count):
            popped = subject.pop(action == "lpop", count, fill)
            if action == "lpop":
                assert popped == model[:count]
                del model[:count]
            else:
                assert popped == model[::-1][:count]
                del model[max(len(model) - count, 0) :]
        case (_, int(), _) if not model:
            pass
        case ("trim", int() as start, length):
            start = min(start, len(model) // 3)
            stop = min(start + length * 20, len(model))
            subject.trim(start, stop, fill)
            model[:] = model[start:stop]
        case ("set", int() as position, length):
            subject.set(position % len(model), b"s" * length, fill)
            model[position % len(model)] = b"s" * length
        case ("insert", int() as position, length):
            pivot = model[position % len(model)]
            assert subject.insert(pivot, b"i" * length, length % 2 == 0, fill)
            model.insert(model.index(pivot) + (1 - length % 2), b"i" * length)
        case ("remove", int() as position, length):
            value = model[position % len(model)]
            count = length - 20
            places = [i for i, item in enumerate(model) if item == value]
            places = places[:count] if count > 0 else places[count:] if count < 0 else places
            assert subject.remove(value, count, fill) == len(places)
            for place in reversed(places):
                del model[place]


def check(subject: List, model: list[bytes]) -> None:
    assert len(subject) == len(model)
    assert subject.items() == model
    assert sum(subject.node_sizes()) == sum(entry_size(item) for item in model) + HEADER * len(subject.node_sizes())
    for start in range(0, len(model), max(1, len(model) // 7)):
        assert subject.get(start) == model[start]
        for stop in (start, start + 1, (start + len(model)) // 2, len(model)):
            assert subject.slice(start, stop) == model[start:stop]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([-2, -2, -1, 1, 3, 20]), st.lists(STEPS, max_size=25))
def test_a_list_behaves_as_a_list(fill: int, steps: list[tuple[str, object, int]]) -> None:
    """Pushes, pops and changes anywhere, with large and odd items, leave what they leave in a Python list."""
    subject, model = List(), list[bytes]()
    for step in steps:
        apply(subject, model, fill, step)
        check(subject, model)
    twin = subject.copy()
    apply(subject, list(model), fill, ("rpush", [b"more"], 3))
    check(twin, model)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 4000), st.integers(-4, 4).filter(bool), st.integers(0, 5), st.sampled_from([0, 1, 5, 700]))
def test_positions(length: int, rank: int, count: int, limit: int) -> None:
    """LPOS's rank, count and limit, from both sides, over one node and several."""
    model = [b"%d" % (i * i % 7) for i in range(length)]
    subject = List()
    subject.push_tail(model, -1)
    looked_at = list(enumerate(model)) if rank > 0 else list(enumerate(model))[::-1]
    matches = [i for i, item in looked_at[: limit or None] if item == b"2"][abs(rank) - 1 :]
    assert subject.positions(b"2", rank, count, limit) == matches[: count or None]
    assert subject.index(b"none") == -1


def test_both_ends_of_a_long_list() -> None:
    """A queue and a stack of many nodes keep their order while used from both ends in turn."""
    subject, model = List(), list[bytes]()
    for i in range(5000):
        apply(subject, model, -1, ("lpush", [b"left %d" % i], 1))
        apply(subject, model, -1, ("rpush", [b"right %d" % i], 2))
        if i % 3 == 0:
            apply(subject, model, -1, ("lpop", 0, 2))
    check(subject, model)
    while model:
        apply(subject, model, -1, ("lpop", 0, 1))
        apply(subject, model, -1, ("rpop", 0, 1))
    check(subject, model)


def test_conversion_goes_both_ways() -> None:
    """A list becomes a quicklist past the size of a node, and a listpack again at half of that in one node."""
    subject = List()
    compact = []
    for _ in range(9):
        subject.push_tail([b"x" * 1000], -2)
        compact.append(subject.compact)
    assert compact == [True] * 8 + [False]
    compact = []
    for _ in range(6):
        subject.pop_tail(-2)
        compact.append(subject.compact)
    assert compact == [False] * 4 + [True] * 2
    assert len(subject) == 3

"""Values as commands: the bytes are those of a redis-server 8.0.2 that rewrote its append-only file."""

from __future__ import annotations

import pytest

from redloop.persistence.as_commands import STEP, CommandForm, key_as_commands
from redloop.resp.encode import encode_command
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet
from redloop.values.stream import Stream

SELECT = encode_command([b"SELECT", b"0"])


def a_list(count: int) -> List:
    value = List()
    value.push_tail([b"%d" % number for number in range(1, count + 1)], -2)
    return value


def a_set(*members: bytes) -> Set:
    value = Set()
    for member in members:
        value.add(member)
    return value


def a_sorted_set(**scores: float) -> SortedSet:
    value = SortedSet()
    for member, score in scores.items():
        value.add(member.encode(), score)
    return value


def a_hash(due: dict[bytes, int], **fields: str) -> Hash:
    value = Hash()
    for field, text in fields.items():
        value.set(field.encode(), text.encode())
    for name, moment in due.items():
        value.set_due(name, moment)
    return value


def a_stream(*numbers: int) -> Stream:
    value = Stream()
    for number in numbers:
        value.append(number << 64 | 1, [b"f", b"%d" % number], 4096, 100)
    return value


def a_stream_with_groups() -> Stream:
    value = a_stream(1, 2, 3)
    value.delete(2 << 64 | 1)
    value.deleted()
    group = value.create_group(b"g", 3 << 64 | 1, 3)
    assert group is not None
    consumer = group.create_consumer(b"c", 0)
    group.create_consumer(b"d", 0)
    group.deliver(3 << 64 | 1, consumer, 77)
    group.deliver(1 << 64 | 1, consumer, 66)
    value.create_group(b"h", 0, -1)
    return value


@pytest.mark.parametrize(
    ("value", "due", "lines"),
    [
        (b"v", -1, ["SET k v"]),
        (12, -1, ["SET k 12"]),
        (bytearray(b"raw"), -1, ["SET k raw"]),
        (b"v", 9999999999999, ["SET k v", "PEXPIREAT k 9999999999999"]),
        (a_list(3), -1, ["RPUSH k 1 2 3"]),
        (a_list(70), -1, ["RPUSH k " + " ".join(map(str, range(1, 65))), "RPUSH k 65 66 67 68 69 70"]),
        (a_set(b"1", b"2"), -1, ["SADD k 1 2"]),
        (
            a_sorted_set(a=1.0, b=2.5, c=1e300, d=float("inf"), e=3.0, f=-0.1),
            -1,
            ["ZADD k -0.1 f 1 a 2.5 b 3 e 1e+300 c inf d"],
        ),
        (a_hash({}, f="v", g="1"), -1, ["HMSET k f v g 1"]),
        (a_stream(5), 7, ["XADD k 5-1 f 5", "XSETID k 5-1 ENTRIESADDED 1 MAXDELETEDID 0-0", "PEXPIREAT k 7"]),
        (Stream(), -1, ["XADD k MAXLEN 0 0-1 x y", "XSETID k 0-0 ENTRIESADDED 0 MAXDELETEDID 0-0"]),
        (
            a_stream_with_groups(),
            -1,
            [
                "XADD k 1-1 f 1",
                "XADD k 3-1 f 3",
                "XSETID k 3-1 ENTRIESADDED 3 MAXDELETEDID 2-1",
                "XGROUP CREATE k g 3-1 ENTRIESREAD 3",
                "XCLAIM k g c 0 1-1 TIME 66 RETRYCOUNT 1 JUSTID FORCE",
                "XCLAIM k g c 0 3-1 TIME 77 RETRYCOUNT 1 JUSTID FORCE",
                "XGROUP CREATECONSUMER k g d",
                "XGROUP CREATE k h 0-0 ENTRIESREAD -1",
            ],
        ),
        (a_hash({b"f": 9999999999999}, f="v", g="w"), 5, None),
    ],
)
def test_a_value_as_commands(value: object, due: int, lines: list[str] | None) -> None:
    if lines is None:  # the order of the fields is the hash's own
        lines = ["HMSET k f v", "HPEXPIREAT k 9999999999999 FIELDS 1 f", "HMSET k g w", "PEXPIREAT k 5"]
        found = key_as_commands(b"k", value, due)
        assert sorted(found.split(b"*")) == sorted(b"".join(encode_command(line.encode().split()) for line in lines).split(b"*"))
        return
    assert key_as_commands(b"k", value, due) == b"".join(encode_command(line.encode().split()) for line in lines)


@pytest.mark.parametrize("due", [-1, 77])
@pytest.mark.parametrize("count", [STEP, STEP + 1, 3 * STEP])
def test_a_large_value_in_steps_is_the_same(count: int, due: int) -> None:
    numbers = range(count)
    for value in (
        a_list(count),
        a_set(*[b"m%d" % number for number in numbers]),
        a_sorted_set(**{f"m{number}": float(number) for number in numbers}),
        a_hash({}, **{f"f{number}": "v" for number in numbers}),
    ):
        form = CommandForm(False, [])
        whole = key_as_commands(b"k", value, due)
        steps = 0
        more = form.take(0, b"k", value, due, -1)
        if more:
            form.detach()
            change(value)
        while more:
            more = form.more()
            steps += 1
        assert steps == (count // STEP + (count % STEP > 0) if count > STEP else 0)
        assert form.size == len(whole) + len(SELECT)
        assert form.flush() == SELECT + whole


def change(value: object) -> None:
    """It changes before all has been written."""
    if isinstance(value, List):
        value.pop_head(-2)
    elif isinstance(value, SortedSet):
        value.pop(True)
    elif isinstance(value, Set):
        value.remove(b"m1")
    elif isinstance(value, Hash):
        value.set(b"f1", b"other")


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError):
        key_as_commands(b"k", 1.5, -1)

"""Values as commands: the bytes are those of a redis-server 8.0.2 that rewrote its append-only file."""

from __future__ import annotations

import pytest

from redloop.persistence.as_commands import key_as_commands
from redloop.resp.encode import encode_command
from redloop.values.hash import Hash
from redloop.values.list import List
from redloop.values.set import Set
from redloop.values.sorted_set import SortedSet


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


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError):
        key_as_commands(b"k", 1.5, -1)

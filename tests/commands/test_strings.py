"""String commands without a real server: time, which a test turns by hand, and what a big or hostile request must not do."""

from __future__ import annotations

import pytest

from redloop.values.strings import Written
from tests.engine.house import Guest, House

NIL = b"$-1\r\n"


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def guest(house: House) -> Guest:
    return house.visit()


@pytest.mark.parametrize(
    "line",
    ["set k v ex 10", "set k v px 10000", "setex k 10 v", "psetex k 10000 v", "set k v exat {seconds}", "set k v pxat {milliseconds}"],
)
def test_a_string_vanishes_when_it_is_due(house: House, guest: Guest, line: str) -> None:
    now = house.clock.now_ms()
    guest.say(line.format(seconds=now // 1000 + 10, milliseconds=now + 10000))
    house.clock.advance(10_000 - now % 1000 if "exat" in line else 10_000)
    assert guest.say("get k") == b"$1\r\nv\r\n"
    house.clock.advance(1)
    assert guest.say("get k") == NIL


def test_what_keeps_an_expiry_and_what_takes_it_away(house: House, guest: Guest) -> None:
    for line, kept in (
        ("append k 1", True),
        ("incr k", True),
        ("incrbyfloat k 1", True),
        ("setrange k 0 1", True),
        ("setbit k 1 1", True),
        ("set k 1 keepttl", True),
        ("set k 1", False),
        ("getset k 1", False),
        ("mset k 1", False),
        ("getex k persist", False),
    ):
        guest.say("set k 5 ex 100", line)
        assert guest.say("ttl k") == (b":100\r\n" if kept else b":-1\r\n"), line


def test_getex_sets_a_new_expiry(house: House, guest: Guest) -> None:
    guest.say("set k v ex 100")
    assert guest.say("getex k ex 5") == b"$1\r\nv\r\n"
    house.clock.advance(5001)
    assert guest.say("get k") == NIL


def test_a_due_key_does_not_count_for_a_condition(house: House, guest: Guest) -> None:
    guest.say("set k v px 1")
    house.clock.advance(2)
    assert guest.say("set k w xx") == NIL
    assert guest.say("setnx k w") == b":1\r\n"
    assert guest.say("ttl k") == b":-1\r\n"


def test_an_edited_string_is_not_what_was_given_out(house: House, guest: Guest) -> None:
    """GET, COPY and a reply queued by EXEC hold what the string was, whatever is done to it in place later."""
    guest.say("append k ab", "append k cd", "copy k j")
    assert guest.say("multi", "get k", "append k ef", "get k", "exec").endswith(b"*3\r\n$4\r\nabcd\r\n:6\r\n$6\r\nabcdef\r\n")
    assert guest.say("get j") == b"$4\r\nabcd\r\n"


def test_incrbyfloat_leaves_a_number_that_counts_on(house: House, guest: Guest) -> None:
    guest.say("incrbyfloat k 41")
    assert isinstance(guest.client.db.peek(b"k"), Written)
    assert guest.say("incr k") == b":42\r\n"
    assert guest.client.db.peek(b"k") == 42


def test_a_refused_length_allocates_nothing(house: House, guest: Guest) -> None:
    assert guest.say("setrange k 9223372036854775000 x").startswith(b"-ERR string exceeds maximum allowed size")
    assert guest.say("setbit k 9223372036854775000 1") == b"-ERR bit offset is not an integer or out of range\r\n"
    assert guest.say("exists k") == b":0\r\n"


def test_the_longest_common_subsequence_of_long_strings_is_quick(house: House, guest: Guest) -> None:
    guest.client.db.put(b"a", b"ab" * 5700)
    guest.client.db.put(b"b", b"ba" * 5700)
    assert guest.say("lcs a b len") == b":11399\r\n"
    assert len(guest.say("lcs a b")) > 11399

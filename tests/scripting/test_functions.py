"""Libraries: what is changed is changed as a whole, and what runs is what was loaded last. Texts of errors are compared in tests/compat."""

from __future__ import annotations

import pytest

from redloop.errors import RedisError
from redloop.persistence.rdb.file import RdbError
from redloop.persistence.rdb.payload import restore_libraries
from redloop.scripting.functions import Functions, read_first_line
from redloop.scripting.scripts import Scripts
from tests.engine.house import House


def library(name: str, *functions: str, answer: str = "1") -> bytes:
    lines = [f"redis.register_function('{function}', function() return {answer} end)" for function in functions]
    return f"#!lua name={name}\n{' '.join(lines)}".encode()


class Place:
    """A server with functions and one client."""

    def __init__(self) -> None:
        self.house = House()
        server = self.house.server
        server.scripts = Scripts(server)
        self.functions = server.functions = Functions(server, server.scripts)
        self.guest = self.house.visit()

    def call(self, name: bytes) -> object:
        return self.functions.run(self.guest.client, [b"FCALL", name, b"0"], self.functions.find(name), 0, False)

    def names(self) -> list[bytes]:
        return sorted(self.functions.libraries)


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (b"#!lua name=a\ncode", (b"lua", b"a", b"\ncode")),
        (b"#!LUA  NAME='a b' \n", (b"LUA", b"a b", b"\n")),
        (b"#! name=\r\n\n", (b"", b"", b"\n\n")),
    ],
)
def test_the_first_line(source: bytes, found: tuple[bytes, bytes, bytes]) -> None:
    assert read_first_line(source) == found


BAD_FIRST_LINES = [b"", b"lua", b"#!lua", b"#!lua\n", b"#!lua name\n", b"#!lua name=a name=a\n", b"#!lua 'name=a\n", b"#!\0\n"]


@pytest.mark.parametrize("source", BAD_FIRST_LINES)
def test_a_first_line_that_will_not_do(source: bytes) -> None:
    with pytest.raises(RedisError):
        read_first_line(source)


def test_a_function_is_found_in_any_case(place: Place) -> None:
    assert place.functions.load(library("a", "Fun"), replace=False) == b"a"
    assert place.call(b"FUN") == place.call(b"fun") == 1
    assert place.functions.count() == 1


@pytest.mark.parametrize(
    "source",
    [b"", b"#!lua name=a\nx =", b"#!lua name=a\n", b"#!lua name=a\nredis.register_function(1)", library("a", "g"), library("a", "f", "f")],
)
def test_what_does_not_load_leaves_the_old_one(place: Place, source: bytes) -> None:
    place.functions.load(library("a", "f", answer="7"), replace=False)
    place.functions.load(library("b", "g"), replace=False)
    with pytest.raises(RedisError):
        place.functions.load(source, replace=True)
    assert place.call(b"f") == 7
    assert place.names() == [b"a", b"b"]


def test_a_library_is_replaced_with_all_its_functions(place: Place) -> None:
    place.functions.load(library("a", "f", "g"), replace=False)
    place.functions.load(library("a", "F", "h", answer="2"), replace=True)
    assert place.call(b"f") == 2
    with pytest.raises(RedisError):
        place.functions.find(b"g")
    place.functions.delete(b"a")
    with pytest.raises(RedisError):
        place.functions.find(b"f")


def test_a_payload_is_taken_as_a_whole(place: Place) -> None:
    for name in ("a", "b"):
        place.functions.load(library(name, f"f{name}", answer="1"), replace=False)
    payload = place.functions.dump()
    assert restore_libraries(payload) == ([library("a", "fa"), library("b", "fb")], "")
    place.functions.flush()
    place.functions.load(library("b", "fb", answer="2"), replace=False)
    with pytest.raises(RedisError):
        place.functions.restore(payload, flush=False, replace=False)
    assert place.names() == [b"b"]
    assert place.call(b"fb") == 2
    place.functions.restore(payload, flush=False, replace=True)
    assert place.names() == [b"a", b"b"]
    assert place.call(b"fb") == 1
    place.functions.load(library("c", "fc"), replace=False)
    place.functions.restore(payload, flush=True, replace=False)
    assert place.names() == [b"a", b"b"]
    assert place.call(b"fa") == 1


def test_a_payload_that_fails_after_a_flush_brings_all_back(place: Place) -> None:
    place.functions.load(library("a", "f", answer="5"), replace=False)
    with pytest.raises(RedisError):
        place.functions.restore(b"\xf5\x01x" + place.functions.dump()[-10:], flush=True, replace=False)
    assert place.call(b"f") == 5


def test_state_of_a_library_stays_between_calls(place: Place) -> None:
    source = b"#!lua name=a\nlocal n = 0 redis.register_function('f', function() n = n + 1 return n end)"
    place.functions.load(source, replace=False)
    assert [place.call(b"f"), place.call(b"f")] == [1, 2]
    place.functions.load(source, replace=True)
    assert place.call(b"f") == 1


def test_a_library_from_a_file_takes_its_time_but_must_be_right(place: Place) -> None:
    place.functions.take(False, library("a", "f"))
    assert place.functions.sources() == [library("a", "f")]
    with pytest.raises(RdbError, match="Library 'a' already exists"):
        place.functions.take(False, library("a", "g"))
    place.functions.take(True, library("a", "g"))
    assert place.functions.sources() == [library("a", "g")]


def test_what_changes_libraries_is_replayed_and_what_does_not_is_not(place: Place) -> None:
    written: list[bytes] = []
    place.house.server.add_sink(lambda database, data: written.append(data))
    guest = place.guest
    guest.say("FUNCTION FLUSH", "FUNCTION LIST", "FUNCTION DUMP", "FUNCTION STATS", "FUNCTION DELETE nothing")
    assert written == [b"*2\r\n$8\r\nFUNCTION\r\n$5\r\nFLUSH\r\n"]
    place.functions.load(b"#!lua name=a\nredis.register_function('f', function(k) redis.call('INCR', k[1]) end)", replace=False)
    written.clear()
    guest.say("FCALL f 1 key")
    assert written == [b"*2\r\n$4\r\nINCR\r\n$3\r\nkey\r\n"]

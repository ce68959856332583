"""The cache of scripts, the first line of one, and what holds while one runs."""

from __future__ import annotations

import pytest

from redloop.engine.client import Client
from redloop.errors import RedisError
from redloop.scripting.scripts import ALLOW_OOM, LEGACY, MOST_EVALS, NO_WRITES, Scripts, read_shebang
from tests.engine.house import House


class Place:
    """A server with scripts, and a client."""

    def __init__(self) -> None:
        self.house = House()
        self.scripts = Scripts(self.house.server)
        self.house.server.scripts = self.scripts
        self.client: Client = self.house.visit().client

    def run(self, *argv: bytes) -> object:
        command = self.house.server.find_command(list(argv))
        assert command is not None
        return self.client.call(command, list(argv))


@pytest.fixture
def place() -> Place:
    return Place()


def test_what_eval_loaded_goes_when_others_came_after_it(place: Place) -> None:
    first, kept = b"return 'first'", b"return 'kept'"
    sha = place.run(b"script", b"load", kept)
    assert isinstance(sha, bytes)
    place.run(b"eval", first, b"0")
    loaded = place.scripts.for_eval(first)
    for number in range(MOST_EVALS - 1):
        place.run(b"eval", b"return %d" % number, b"0")
    assert len(place.scripts) == MOST_EVALS + 1
    assert place.run(b"evalsha", loaded.sha, b"0") == b"first"  # now it is the one used last
    place.run(b"eval", b"return 'one more'", b"0")
    assert place.scripts.evicted == 1
    assert place.run(b"script", b"exists", loaded.sha, sha, place.scripts.for_eval(first).sha) == [1, 1, 1]
    assert place.run(b"evalsha", sha, b"0") == b"kept"
    for number in range(MOST_EVALS):
        place.run(b"eval", b"return -%d" % number, b"0")
    assert place.run(b"script", b"exists", loaded.sha, sha) == [0, 1]


def test_what_was_loaded_by_hand_is_not_counted(place: Place) -> None:
    script = b"return 5"
    place.run(b"eval", script, b"0")
    sha = place.run(b"script", b"load", script)
    for number in range(MOST_EVALS + 1):
        place.run(b"eval", b"return -%d" % number, b"0")
    assert isinstance(sha, bytes)
    assert place.run(b"evalsha", sha, b"0") == 5


def test_flush_forgets_all(place: Place) -> None:
    sha = place.run(b"script", b"load", b"return 1")
    assert isinstance(sha, bytes)
    assert place.scripts.memory() > 0
    place.run(b"script", b"flush")
    assert (len(place.scripts), place.scripts.memory(), place.scripts.memory_of_scripts()) == (0, 0, 0)
    assert isinstance(place.run(b"evalsha", sha, b"0"), RedisError)
    assert place.run(b"eval", b"return 1", b"0") == 1


@pytest.mark.parametrize(
    ("source", "flags", "code"),
    [
        (b"return 1", LEGACY, b"return 1"),
        (b"#!lua\nreturn 1", 0, b"\nreturn 1"),
        (b"#!lua flags=no-writes,allow-oom\nx", NO_WRITES | ALLOW_OOM, b"\nx"),
        (b"#!lua flags=no-writes flags=allow-oom\nx", NO_WRITES | ALLOW_OOM, b"\nx"),
    ],
)
def test_the_first_line(source: bytes, flags: int, code: bytes) -> None:
    assert read_shebang(source) == (flags, code)

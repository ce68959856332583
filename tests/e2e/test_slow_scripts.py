"""A script that does not end: the others are told, may end it or the server; and one that takes all memory it can get."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.compat.servers import Server, start
from tests.e2e.wire import Reply, ReplyError, Wire

SECONDS = 60.0
THRESHOLD = "50"


@pytest.fixture(scope="module")
def slow_server(kind: str) -> Iterator[Server]:
    with start(kind, "--busy-reply-threshold", THRESHOLD) as server:
        yield server


def said(wire: Wire, *words: str) -> Reply | str:
    """The reply, or the first word of the error."""
    try:
        return wire.call(*words)
    except ReplyError as error:
        return str(error).split()[0]


def run_endlessly(runner: Wire, other: Wire, script: str) -> None:
    """Starts a script, and waits until `other` is told so."""
    assert said(other, "PING") == b"PONG"  # the server knows it by now
    runner.send("EVAL", script, 0)
    wait_until_busy(other)


def wait_until_busy(wire: Wire) -> None:
    deadline = time.monotonic() + SECONDS
    while said(wire, "PING") != "BUSY":
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    "script",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do redis.call('GET', 'x') end",
        "coroutine.wrap(function() while true do end end)()",
    ],
)
def test_an_endless_script_is_killed_by_an_old_connection_and_by_a_new_one(slow_server: Server, script: str) -> None:
    with Wire(slow_server) as old, Wire(slow_server) as runner:
        for killer_is_old in (True, False):
            run_endlessly(runner, old, script)
            with Wire(slow_server) as new:
                assert said(new, "PING") == "BUSY"
                assert said(new, "MULTI") == b"OK"
                assert said(new, "GET", "x") == "BUSY"
                assert said(new, "EXEC") == "EXECABORT"
                assert said(new, "EVAL", "return 1", "0") == "BUSY"
                assert said(new, "FUNCTION", "KILL") == "BUSY"
                assert said(old if killer_is_old else new, "SCRIPT", "KILL") == b"OK"
                with pytest.raises(ReplyError, match="ERR Script killed by user with SCRIPT KILL"):
                    runner.read()
                assert said(new, "SET", "x", "1") == b"OK"
                assert said(old, "PING") == b"PONG"
            assert said(runner, "EVAL", "return 7", "0") == 7
        assert said(old, "SCRIPT", "KILL") == "NOTBUSY"


def test_who_came_during_a_script_is_a_connection_like_any_other(slow_server: Server) -> None:
    with Wire(slow_server) as runner, Wire(slow_server) as old:
        run_endlessly(runner, old, "while true do end")
        new = [Wire(slow_server) for _ in range(20)]
        assert [said(wire, "PING") for wire in new] == ["BUSY"] * 20
        new[0].close()
        assert said(new[1], "SCRIPT", "KILL") == b"OK"
        with pytest.raises(ReplyError, match="ERR Script killed"):
            runner.read()
        for number, wire in enumerate(new[1:]):
            assert said(wire, "SET", f"key{number}", "x" * 100_000) == b"OK"
            assert wire.call("STRLEN", f"key{number}") == 100_000
            wire.close()


def test_a_script_that_has_written_cannot_be_killed_but_the_server_can(kind: str) -> None:
    with start(kind, "--busy-reply-threshold", THRESHOLD) as server, Wire(server) as runner, Wire(server) as other:
        run_endlessly(runner, other, "redis.call('SET', 'x', 'y') while redis.call('GET', 'x') do end")
        assert said(other, "SCRIPT", "KILL") == "UNKILLABLE"
        assert said(other, "SHUTDOWN") == "BUSY"
        other.send("SHUTDOWN", "NOSAVE")
        assert server.process.wait(SECONDS) == 0


def test_a_script_in_a_transaction_is_killed_and_the_rest_goes_on(slow_server: Server) -> None:
    with Wire(slow_server) as runner, Wire(slow_server) as other:
        for words in (("SELECT", "2"), ("MULTI",), ("SET", "a", "1"), ("EVAL", "while true do end", "0"), ("INCR", "a")):
            runner.call(*words)
        assert said(other, "PING") == b"PONG"
        runner.send("EXEC")
        wait_until_busy(other)
        assert said(other, "SCRIPT", "KILL") == b"OK"
        count, first, error, last = [runner.incoming.readline() for _ in range(4)]
        assert (count, first, last) == (b"*3\r\n", b"+OK\r\n", b":2\r\n")
        assert error.startswith(b"-ERR Script killed")
        assert said(runner, "GET", "a") == b"2"


def test_a_script_that_takes_all_memory_fails_and_leaves_none_of_it(slow_server: Server, kind: str) -> None:
    if kind != "redloop":
        pytest.skip("a real server gives a script whatever it takes")
    with Wire(slow_server, SECONDS) as wire:
        with pytest.raises(ReplyError, match="not enough memory"):
            wire.call("EVAL", "local s = 'x' while true do s = s .. s end", 0)
        with pytest.raises(ReplyError, match="not enough memory"):
            wire.call("EVAL", "return string.rep('x', 1e10)", 0)
        assert wire.call("EVAL", "return 1", 0) == 1
        assert slow_server.rss() < 1 << 30

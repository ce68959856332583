"""A script that does not end: the others are told, may end it or the server; and one that takes all memory it can get."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import make
from tests.compat.servers import PATIENCE, Server, free_port, start
from tests.e2e.wire import Reply, ReplyError, Wire

SECONDS = PATIENCE
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


class Encrypted:
    """A server that listens on TLS alone, but for the unix socket by which a test knows that it is there."""

    def __init__(self, server: Server, folder: Path, port: int) -> None:
        self.server = server
        self.port = port
        self.context = ssl.create_default_context(cafile=str(folder / "ca.crt"))

    def plug(self) -> socket.socket:
        """A connection that has not shaken hands."""
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)

    def shake(self, peer: socket.socket) -> Wire:
        return Wire(self.server, peer=self.context.wrap_socket(peer, server_hostname="localhost"))

    def wire(self) -> Wire:
        return self.shake(self.plug())


@pytest.fixture(scope="module")
def encrypted(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    folder, port = make(tmp_path_factory.mktemp("certificates")), free_port()
    files = ["--tls-cert-file", f"{folder}/server.crt", "--tls-key-file", f"{folder}/server.key", "--tls-auth-clients", "no"]
    with start(kind, "--busy-reply-threshold", THRESHOLD, "--port", "0", "--tls-port", str(port), *files) as server:
        yield Encrypted(server, folder, port)


def test_over_tls_it_is_killed_by_an_old_connection_and_by_a_new_one(encrypted: Encrypted) -> None:
    with encrypted.wire() as old, encrypted.wire() as runner:
        for killer_is_old in (True, False):
            run_endlessly(runner, old, "while true do end")
            with encrypted.wire() as new:
                assert said(new, "PING") == "BUSY"
                assert said(new, "SET", "x", "y" * 100_000) == "BUSY"
                assert said(new, "FUNCTION", "KILL") == "BUSY"
                assert said(old if killer_is_old else new, "SCRIPT", "KILL") == b"OK"
                with pytest.raises(ReplyError, match="ERR Script killed by user with SCRIPT KILL"):
                    runner.read()
                for wire in (old, new, runner):
                    assert said(wire, "SET", "x", "y" * 300_000) == b"OK"
                    assert wire.call("GET", "x") == b"y" * 300_000


def test_a_function_is_killed_over_tls(encrypted: Encrypted) -> None:
    with encrypted.wire() as old, encrypted.wire() as runner:
        code = "#!lua name=endless\nredis.register_function('endless', function() while true do end end)"
        runner.call("FUNCTION", "LOAD", "REPLACE", code)
        runner.send("FCALL", "endless", 0)
        wait_until_busy(old)
        with encrypted.wire() as new:
            assert said(new, "FUNCTION", "KILL") == b"OK"
            with pytest.raises(ReplyError, match="ERR Script killed"):
                runner.read()


def test_a_handshake_may_begin_before_a_script_and_end_during_it_or_after(encrypted: Encrypted) -> None:
    with encrypted.wire() as old, encrypted.wire() as runner:
        first, second = encrypted.plug(), encrypted.plug()
        run_endlessly(runner, old, "while true do end")
        third, fourth = encrypted.plug(), encrypted.plug()
        with encrypted.shake(first) as during:
            assert said(during, "PING") == "BUSY"
            with encrypted.shake(third) as new:
                assert said(new, "PING") == "BUSY"
            assert said(during, "SCRIPT", "KILL") == b"OK"
            with pytest.raises(ReplyError, match="ERR Script killed"):
                runner.read()
            for after in (second, fourth):
                with encrypted.shake(after) as wire:
                    assert said(wire, "PING") == b"PONG"
            assert said(during, "PING") == b"PONG"


def test_who_speaks_no_tls_during_a_script_is_hung_up_on(encrypted: Encrypted) -> None:
    with encrypted.wire() as old, encrypted.wire() as runner:
        run_endlessly(runner, old, "while true do end")
        with encrypted.plug() as peer:
            peer.sendall(b"PING\r\n" * 100)
            assert said(old, "SCRIPT", "KILL") == b"OK"
            with pytest.raises(ReplyError, match="ERR Script killed"):
                runner.read()
            with contextlib.suppress(ConnectionResetError):
                while peer.recv(1000):
                    pass


def test_over_tls_the_server_can_be_ended(kind: str, tmp_path: Path) -> None:
    folder, port = make(tmp_path), free_port()
    files = ["--tls-cert-file", f"{folder}/server.crt", "--tls-key-file", f"{folder}/server.key", "--tls-auth-clients", "no"]
    with start(kind, "--busy-reply-threshold", THRESHOLD, "--port", "0", "--tls-port", str(port), *files) as server:
        encrypted = Encrypted(server, folder, port)
        with encrypted.wire() as runner, encrypted.wire() as old:
            run_endlessly(runner, old, "redis.call('SET', 'x', 'y') while true do end")
            with encrypted.wire() as new:
                assert said(new, "SCRIPT", "KILL") == "UNKILLABLE"
                new.send("SHUTDOWN", "NOSAVE")
                assert server.process.wait(SECONDS) == 0


@pytest.mark.parametrize("over_tls", [False, True])
def test_who_comes_as_a_script_begins_is_served(slow_server: Server, encrypted: Encrypted, over_tls: bool) -> None:
    """The script and the connections wait for one turn of the loop: some are let in in it, some stay before the door."""
    server = encrypted.server if over_tls else slow_server
    with Wire(server) as runner:
        for _ in range(5):
            runner.send("DEBUG", "SLEEP", "0.05")
            early = encrypted.plug() if over_tls else server.connect(SECONDS)
            runner.send("EVAL", "while true do end", 0)
            late = encrypted.plug() if over_tls else server.connect(SECONDS)
            for peer in (early, late):
                with encrypted.shake(peer) if over_tls else Wire(server, peer=peer) as wire:
                    wait_until_busy(wire)
            with Wire(server) as killer:
                assert said(killer, "SCRIPT", "KILL") == b"OK"
            assert runner.read() == b"OK"
            with pytest.raises(ReplyError, match="ERR Script killed"):
                runner.read()
